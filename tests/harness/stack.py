# SPDX-License-Identifier: Apache-2.0
"""A stack: the real programs, with a database, a virtual host, keys, a certificate and a configuration file of their own.

Everything in it must be used from the thread that made it: the kernel ends programs with the thread that started them.
"""

import copy
import json
import os
import signal
import ssl
import subprocess
from pathlib import Path

import httpx
from processes import Failed, tail, wait_until

from harness import logs
from harness.bank import Bank, payment_config, reserve_port
from harness.program import Program, Result
from harness.proxy import Proxy
from harness.streams import StreamPool

ROOT = Path(__file__).resolve().parents[2]
BUILD = os.environ.get("BUILD", "release")
BIN = ROOT / "build" / BUILD / "bin"
# Sanitizers make everything slower; limits that are not the matter of a test stretch with it.
PATIENCE = {"asan": 3, "tsan": 6}.get(BUILD, 1)

EVENT = {
    "slug": "gala", "name": "Gala", "venue": "City Hall", "timezone": "Europe/Berlin", "starts_at": "2031-05-01T19:30:00Z",
    "opens_at": None, "lobby_opens_at": None, "closes_at": None, "currency": "EUR", "max_per_order": 6,
    "max_per_customer": 6, "turn_seconds": 600, "absent_seconds": 1800, "hold_seconds": 600, "pace": "600/min",
    "max_active": None,
    "tiers": [
        {"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
        {"code": "stalls", "name": "Stalls",
         "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}],
         "rows": [{"row": "A", "seats": "1-14,17-30", "wheelchair": ["1"], "companion": ["2"], "blocked": ["30"]},
                  {"row": "B", "seats": "1-32"}]},
    ],
}


class Visitor:
    """Somebody who joined: the token, the place (or the seat in the lobby) and the answer they came with."""

    def __init__(self, answer):
        self.answer = answer
        self.token = answer["token"]
        self.place = answer.get("place")
        self.seat = answer.get("seat")
        self.headers = {"Authorization": f"Bearer {self.token}"}


class Stack:
    """Use it by the fixtures `stack` or `stack_factory`; tests/README.md has an example."""

    def __init__(self, backends, folder, certificate, config=None, proxied=False, program_users=True, bank=False):
        self.backends = backends
        self.folder = Path(folder)
        self.certificate = certificate
        self.name = backends.new_name()
        self.programs = []
        self.pools = []
        self.clients = []
        self.expected_errors = set()
        self.program_users = program_users
        self.vhost, self._give_back_vhost = backends.new_vhost(self.name)
        mysql, amqp = backends.mysql, backends.amqp
        self.mysql_proxy = Proxy(mysql["host"], mysql["port"]) if proxied else None
        self.amqp_proxy = Proxy(amqp["host"], amqp["port"]) if proxied else None
        self.config_path = self.folder / "onsale.ini"
        self.config = self._default_config(mysql, amqp)
        # The first waiting room's address where it must be known beforehand: whoever comes back from the bank's pages comes there.
        self.room_port = self._held_room_port = self.bank = None
        if bank:
            self._add_bank(bank if isinstance(bank, dict) else {})
        for section, keys in (config or {}).items():
            self.config.setdefault(section, {}).update(keys)
        self.write_config()

    def _default_config(self, mysql, amqp):
        mysql_at = ("127.0.0.1", self.mysql_proxy.port) if self.mysql_proxy else (mysql["host"], mysql["port"])
        amqp_at = ("127.0.0.1", self.amqp_proxy.port) if self.amqp_proxy else (amqp["host"], amqp["port"])
        number = self.name.removeprefix("onsale_")
        users = {"waiting-room": f"room_{number}", "admission": f"admission_{number}", "booking-worker": f"worker_{number}",
                 "notifier": f"notifier_{number}"} if self.program_users else {}
        self.users = users
        config = {
            "mysql": {"host": mysql_at[0], "port": mysql_at[1], "user": mysql["user"], "password": mysql["password"],
                      "database": self.name},
            "amqp": {"url": f"amqp://{amqp['user']}:{amqp['password']}@{amqp_at[0]}:{amqp_at[1]}/{self.vhost}"},
            "waiting-room": {"listen": "127.0.0.1:0", "listen_cleartext": "127.0.0.1:0",
                             "certificate": self.certificate / "certificate.pem",
                             "private_key": self.certificate / "key.pem", "threads": 2, "joins_per_address": 0},
            "admission": {}, "booking-worker": {}, "notifier": {},
            "tokens": {"directory": self.folder / "tokens"},
            "ops": {f"{program}_listen": "127.0.0.1:0"
                    for program in ("waiting_room", "admission", "booking_worker", "notifier")},
            "log": {"level": "debug" if os.environ.get("ONSALE_TEST_DEBUG") else "info"},
        }
        for program, user in users.items():
            config[program] |= {"mysql_user": user, "mysql_password": f"secret of {user}"}
        return config

    def _add_bank(self, options):
        self.room_port, self._held_room_port = reserve_port()
        public = f"https://localhost:{self.room_port}"
        options = {"webhook_url": f"{public}/v1/payments/webhook", "webhook_ca": self.certificate / "certificate.pem"} | options
        self.bank = Bank(self.folder / "bank", **options)
        self.config["payment"] = payment_config(self.bank, public)
        self.config["booking-worker"].setdefault("payment_calls_per_second", 0)

    def write_config(self):
        """Writes self.config to the file; call it after changing it."""
        self.config_path.write_text("".join(
            f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + "\n"
            for section, keys in self.config.items()))
        self.config_path.chmod(0o600)

    def environment(self, **more):
        """What the programs get: nothing of ours but what is needed, so that no ONSALE_… of the caller's shell acts."""
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "HOME", "TZ") if key in os.environ}
        return kept | {
            "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1",
            "TSAN_OPTIONS": "halt_on_error=0",
        } | more

    # Starting

    def prepare(self):
        """The database, the programs' users, the first key. Needs MySQL."""
        if self.bank is not None and not self.bank.alive():
            self.bank.start()
        arguments = ["migrate"] + (["--users"] if self.program_users else [])
        for command in (arguments, ["keys", "rotate"]):
            self.onsale(*command, expect=0)
        return self

    def start(self, rooms=1, admissions=1, workers=0, notifiers=0):
        """prepare(), then so many programs, and waits until all are ready."""
        self.prepare()
        started = [self.start_program(kind, wait=False)
                   for kind, count in (("waiting-room", rooms), ("admission", admissions), ("booking-worker", workers),
                                       ("notifier", notifiers)) for _ in range(count)]
        for program in started:
            program.wait_ready(30 * PATIENCE)
        return self

    def start_program(self, kind, wait=True, environment=None):
        number = sum(program.name.startswith(kind) for program in self.programs) + 1
        if kind == "waiting-room" and number == 1 and self.room_port is not None:
            environment = {"ONSALE_WAITING_ROOM_LISTEN": f"127.0.0.1:{self.room_port}"} | (environment or {})
            self._held_room_port.close()
        program = Program(f"{kind}-{number}", [BIN / kind, "--config", self.config_path],
                          self.environment(**(environment or {})), self.folder / f"{kind}-{number}.log", self.folder)
        self.programs.append(program)
        program.start()
        return program.wait_ready(30 * PATIENCE) if wait else program

    def start_room(self, wait=True, environment=None):
        return self.start_program("waiting-room", wait, environment)

    def start_admission(self, wait=True, environment=None):
        return self.start_program("admission", wait, environment)

    @property
    def workers(self):
        return [program for program in self.programs if program.name.startswith("booking-worker")]

    @property
    def notifiers(self):
        return [program for program in self.programs if program.name.startswith("notifier")]

    @property
    def rooms(self):
        return [program for program in self.programs if program.name.startswith("waiting-room")]

    @property
    def admissions(self):
        return [program for program in self.programs if program.name.startswith("admission")]

    # The command line

    def onsale(self, *arguments, expect=None, as_json=False, stdin=None, seconds=60, environment=None):
        """Runs `onsale`; with `expect`, the exit status must be that. Returns a Result (code, out, err, json)."""
        command = [BIN / "onsale", "--config", self.config_path] + (["--json"] if as_json else []) + list(arguments)
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=seconds * PATIENCE,
                              input=stdin, env=self.environment(**(environment or {})), cwd=self.folder)
        result = Result(done.returncode, done.stdout, done.stderr)
        assert not logs.SANITIZER.search(result.err), result.err
        if expect is not None:
            assert result.code == expect, f"onsale {' '.join(map(str, arguments))}: {result!r}"
        return result

    def onsale_json(self, *arguments):
        """Runs `onsale --json …`, which must succeed, and returns the object."""
        return self.onsale(*arguments, expect=0, as_json=True).json

    def event(self, slug="gala", state="open", **changes):
        """Applies an event like EVENT with some changes and brings it to `state` (draft, lobby or open)."""
        document = copy.deepcopy(EVENT) | {"slug": slug} | changes
        self.apply(document)
        if state != "draft":
            self.onsale(state, slug, expect=0)
        for room in self.rooms:
            if room.process is not None and room.alive():
                self._wait_known(room, slug, state)
        return document

    def _wait_known(self, room, slug, state):
        """Rooms hear of an event in a moment; on a busy machine a test is sooner."""
        client = self.client(room)
        try:
            wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == state, f"{room.name} to know {slug}",
                       20 * PATIENCE)
        finally:
            client.close()
            self.clients.remove(client)

    def apply(self, document, expect=0, *more):
        path = self.folder / f"event-{document.get('slug', 'x') or 'x'}.json"
        path.write_text(json.dumps(document))
        return self.onsale("event", "apply", path, *more, expect=expect)

    # Visitors

    def tls(self, **options):
        """A context that trusts the stack's certificate."""
        context = ssl.create_default_context(cafile=self.certificate / "certificate.pem")
        for key, value in options.items():
            setattr(context, key, value)
        return context

    def client(self, room=0, **options):
        """An httpx client for a waiting room (its number, or the Program), over TLS and HTTP/2."""
        program = self.rooms[room] if isinstance(room, int) else room
        client = httpx.Client(http1=False, http2=True, verify=self.tls(), base_url=f"https://localhost:{program.port}",
                              timeout=10 * PATIENCE, trust_env=False, **options)
        self.clients.append(client)
        return client

    def join(self, slug="gala", room=0, client=None, **body):
        """Joins the line as somebody new; returns a Visitor."""
        own = client or self.client(room)
        try:
            answer = own.post(f"/v1/events/{slug}/line", **({"json": body} if body else {}))
        finally:
            if client is None:
                own.close()
        assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
        return Visitor(answer.json())

    def pool(self, room=0):
        """A StreamPool (many event streams at once) for a waiting room."""
        program = self.rooms[room] if isinstance(room, int) else room
        pool = StreamPool("127.0.0.1", program.port, self.tls(), server_name="localhost")
        self.pools.append(pool)
        return pool

    # The database

    def db(self):
        """A connection to the stack's database as its owner, with autocommit; never through the proxy."""
        return self.backends.connect(self.name)

    def sql(self, statement, *values):
        """Runs one statement and returns all rows."""
        with self.db() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall()

    # The end

    def expect_errors(self, *events):
        """Log lines of level error with these event words are part of the test."""
        self.expected_errors.update(events)

    def reports(self):
        """What to show when a test failed: the end of every log."""
        banks = [("log of the bank", tail(self.bank.log_path, 30))] if self.bank is not None else []
        return [(f"log of {program.name}", tail(program.log_path, 60)) for program in self.programs] + banks

    def close(self):
        """Ends everything; fails when a program does not end as it should, or logged what must not be."""
        wrong = []
        for pool in self.pools:
            pool.close()
        for client in self.clients:
            client.close()
        for proxy in (self.mysql_proxy, self.amqp_proxy):
            if proxy is not None:
                proxy.mend()
        running = [program for program in self.programs if program.process is not None and program.alive()]
        for program in running:
            program.resume()
            program.process.send_signal(signal.SIGTERM)
        for program in self.programs:
            if program.process is None or program.killed:
                continue
            status = program.end(12 * PATIENCE)
            if program in running and status != 0:
                wrong.append(f"{program.name} ended with status {status}, not 0 within ten seconds")
        for program in self.programs:
            text = program.log_path.read_text(errors="replace") if program.log_path.exists() else ""
            if logs.SANITIZER.search(text):
                wrong.append(f"{program.name}: a report in the log:\n{text[logs.SANITIZER.search(text).start():][:6000]}")
            wrong += [f"{program.name}: {line.text}" for line in logs.parse(text)
                      if line.level == "error" and line.event not in self.expected_errors]
        for proxy in (self.mysql_proxy, self.amqp_proxy):
            if proxy is not None:
                proxy.close()
        if self.bank is not None:
            self._held_room_port.close()
            try:
                self.bank.stop()
            except Failed as error:
                wrong.append(str(error))
        self.backends.drop_database(self.name, self.users.values())
        self._give_back_vhost()
        if wrong:
            raise Failed("\n".join(wrong[:20]))
