# SPDX-License-Identifier: Apache-2.0
"""HAProxy and nginx in front of two waiting rooms, with the configuration that compose/ has."""

import contextlib
import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import time

import httpx
import pytest
from harness.dashboards import asked, expressions, offered
from harness.payment import WEBHOOK_PATH, WEBHOOK_SECRET, event, payment_config, secret_file, signature
from harness.stack import PATIENCE, ROOT, Visitor
from harness.streams import StreamPool
from processes import free_ports, spawn, stop, tail, wait_until

HAPROXY_CFG = ROOT / "compose" / "haproxy.cfg"
NGINX_CONF = ROOT / "compose" / "nginx.conf"
STREAMS = 60


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    assert found, f"{name} is not installed; tools/packages names what is needed"
    return found


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class Front:
    """A stack with two waiting rooms, HAProxy and nginx before them. `origin` is where visitors come."""

    def __init__(self, stack, folder):
        self.stack, self.folder = stack, folder
        folder.mkdir(exist_ok=True)
        (folder / "tls.pem").write_text((stack.certificate / "certificate.pem").read_text() +
                                        (stack.certificate / "key.pem").read_text())
        (names, ports) = ("tls", "plain", "origin", "metrics", "admin", "cache"), free_ports(10)
        self.ports = dict(zip(names, ports))
        self.room_ports = [ports[6:8], ports[8:10]]
        self.origin = f"https://localhost:{self.ports['tls']}"
        self.started, self.clients, self.pools = [], [], []
        self.haproxy = self.nginx = None

    def start(self):
        self.stack.prepare()
        for cleartext, ops in self.room_ports:
            # Ports that stay when a room comes back: HAProxy does not learn others.
            self.stack.start_room(wait=False, environment={
                "ONSALE_WAITING_ROOM_LISTEN_CLEARTEXT": f"127.0.0.1:{cleartext}",
                "ONSALE_OPS_WAITING_ROOM_LISTEN": f"127.0.0.1:{ops}"})
        self.stack.start_admission(wait=False)
        for each in self.stack.programs:
            each.wait_ready(30 * PATIENCE)
        self.start_haproxy()
        self.start_nginx()
        wait_until(lambda: all(self.servers(backend) == [backend] * count for backend, count in
                               (("rooms", 2), ("rooms_not_ready", 2))) and self.state("document_cache", "nginx") == "UP",
                   "HAProxy to see everybody", 20 * PATIENCE)
        return self

    def start_haproxy(self):
        rooms = {}
        for number, (cleartext, ops) in enumerate(self.room_ports, 1):
            rooms |= {f"ROOM_{number}": f"127.0.0.1:{cleartext}", f"ROOM_{number}_OPS_PORT": str(ops)}
        environment = self.stack.environment(
            TLS_PEM=str(self.folder / "tls.pem"), CONNECTIONS_MAX="2000", DOCUMENT_CACHE=f"127.0.0.1:{self.ports['cache']}",
            **{f"{name.upper()}_BIND": f"127.0.0.1:{self.ports[name]}" for name in ("plain", "origin", "metrics", "admin")},
            # Visitors of several addresses.
            TLS_BIND=f":{self.ports['tls']}", HTTPS_PORT=str(self.ports["tls"]), **rooms)
        command = [program("haproxy"), "-db", "-f", HAPROXY_CFG]
        subprocess.run([*command, "-c"], env=environment, check=True, capture_output=True, timeout=60)
        self.haproxy = spawn(command, log=self.folder / "haproxy.log", env=environment)
        self.started.append(self.haproxy)
        wait_until(lambda: answers(self.ports["metrics"]), f"HAProxy\n{tail(self.folder / 'haproxy.log')}", 20 * PATIENCE)

    def start_nginx(self):
        values = {"CACHE_BIND": f"127.0.0.1:{self.ports['cache']}", "ORIGIN": f"127.0.0.1:{self.ports['origin']}",
                  "CACHE_FOLDER": f'"{self.folder}/cache"'}
        server = NGINX_CONF.read_text()
        for name, value in values.items():
            server = server.replace(f"${{{name}}}", value)
        temporary = "".join(f'{kind}_temp_path "{self.folder}/{kind}";\n'
                            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.folder / "nginx.conf").write_text(
            f'daemon off; master_process off; pid "{self.folder}/nginx.pid"; error_log stderr;\n'
            f"events {{ worker_connections 512; }}\nhttp {{\n{temporary}{server}}}\n")
        command = [program("nginx"), "-c", self.folder / "nginx.conf", "-p", self.folder, "-e", "stderr"]
        subprocess.run([*command, "-t"], check=True, capture_output=True, timeout=60)
        self.nginx = spawn(command, log=self.folder / "nginx.log")
        self.started.append(self.nginx)
        wait_until(lambda: answers(self.ports["cache"]), "nginx", 20 * PATIENCE)

    def statistics(self):
        """HAProxy's view of its servers: rows of `show stat`."""
        with socket.create_connection(("127.0.0.1", self.ports["admin"]), 5) as connection:
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        header, *rows = [line.split(",") for line in text.lstrip("# ").splitlines() if line]
        return [dict(zip(header, row)) for row in rows]

    def state(self, backend, server):
        return next(row["status"] for row in self.statistics() if (row["pxname"], row["svname"]) == (backend, server))

    def servers(self, backend):
        """The backend's name once for each room that it sees working."""
        return [row["pxname"] for row in self.statistics()
                if row["pxname"] == backend and row["svname"].startswith("room-") and row["status"].startswith("UP")]

    def client(self, http2=True, source=None, **options):
        transport = httpx.HTTPTransport(http1=not http2, http2=http2, verify=self.stack.tls(), local_address=source)
        client = httpx.Client(transport=transport, base_url=self.origin, timeout=20 * PATIENCE, trust_env=False, **options)
        self.clients.append(client)
        return client

    def pool(self):
        pool = StreamPool("127.0.0.1", self.ports["tls"], self.stack.tls())
        self.pools.append(pool)
        return pool

    def joined(self, slug, **more):
        answer = self.client(**more).post(f"/v1/events/{slug}/line")
        assert answer.status_code == 201, answer.text
        return Visitor(answer.json())

    def event(self, slug, **changes):
        """An open event that both rooms know."""
        self.stack.event(slug, pace="0", **changes)
        for room in self.stack.rooms:
            with self.stack.client(room) as client:
                wait_until(lambda client=client: client.get(f"/v1/events/{slug}").json().get("state") == "open",
                           f"{room.name} to know {slug}", 20 * PATIENCE)

    def requests(self):
        """Answers that both rooms have given so far."""
        return sum(value for room in self.stack.rooms for name, value in room.metrics().items()
                   if name.startswith("onsale_http_requests_total"))

    def close(self):
        for each in self.pools + self.clients:
            each.close()
        for process in self.started:
            stop(process, 5)


@contextlib.contextmanager
def front_of(factory, folder, payment=None, **config):
    sections = {"waiting-room": {"trusted_proxies": "127.0.0.1", **config}, "payment": payment or {}}
    front = Front(factory(config=sections, proxied=True), folder)
    try:
        yield front.start()
    finally:
        front.close()


@pytest.fixture(scope="module")
def front(module_stack_factory, tmp_path_factory):
    with front_of(module_stack_factory, tmp_path_factory.mktemp("front") / "in front") as started:
        yield started


def sse(lines):
    """(event, data) of a stream's lines, as they come."""
    kind = None
    for line in lines:
        if line.startswith("event:"):
            kind = line[6:].strip()
        elif line.startswith("data:"):
            yield kind, json.loads(line[5:])


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_a_visitor_joins_sees_the_page_and_streams(front, http2):
    slug = f"way-{2 if http2 else 1}"
    front.event(slug)
    client = front.client(http2)
    page = client.get(f"/e/{slug}")
    assert (page.status_code, page.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
    assert page.headers["content-type"].startswith("text/html") and "Gala" in page.text
    joined = client.post(f"/v1/events/{slug}/line", headers={"Origin": front.origin, "Sec-Fetch-Site": "same-origin"})
    assert joined.status_code == 201
    place = joined.json()["place"]
    # The cookie alone proves the place: to JSON, to the page, to a second join.
    assert client.get(f"/v1/events/{slug}/line").json()["place"] == place
    again = client.post(f"/v1/events/{slug}/line")
    assert (again.status_code, again.json()["place"]) == (200, place)
    with client.stream("GET", f"/v1/events/{slug}/line", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = sse(answer.iter_lines())
        # What comes is there while the answer goes on: nothing is held back until more has come.
        assert next(data for kind, data in events if kind == "line")["line"] == "waiting"
        front.stack.onsale("rate", slug, "20/s", expect=0)
        assert next(data for kind, data in events if kind == "line" and data["line"] == "turn")["place"] == place
    client.close()
    # Over HTTP/1.1 HAProxy learns that a visitor has gone when it cannot deliver the next frame.
    texts = itertools.count()

    def nobody_is_left():
        front.stack.onsale("say", slug, f"Notice {next(texts)}.", expect=0)
        return sum(room.metrics()["onsale_streams"] for room in front.stack.rooms) == 0

    wait_until(nobody_is_left, "the stream to end", 30 * PATIENCE, pause=0.2)
    assert front.stack.onsale_json("audit", slug)["ok"]


@pytest.mark.parametrize("http2", [False, True], ids=["http1", "http2"])
def test_cookies_and_headers_are_those_of_tls(front, http2):
    slug = f"headers-{2 if http2 else 1}"
    front.event(slug)
    client = front.client(http2)
    joined = client.post(f"/v1/events/{slug}/line")
    cookie = joined.headers["set-cookie"]
    assert cookie.startswith(f"__Host-onsale-{slug}=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(re.split("; *", cookie))
    page, missing = client.get(f"/e/{slug}"), client.get("/v1/events/nobody-knows-it")
    document = client.get(f"/v1/events/{slug}")
    assert (page.status_code, missing.status_code, document.status_code) == (200, 404, 200)
    for answer in (joined, page, missing, document):
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"], answer.url
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    # The form without JavaScript comes back; another site's does not count.
    form = front.client(http2)
    back = form.post(f"/e/{slug}/join", data={}, headers={"Origin": front.origin, "Sec-Fetch-Site": "same-origin"})
    assert (back.status_code, back.headers["location"]) == (303, f"/e/{slug}")
    foreign = front.client(http2).post(f"/v1/events/{slug}/line", headers={"Origin": "https://example.net"})
    assert foreign.status_code == 403 and "set-cookie" not in foreign.headers


def test_without_tls_one_is_sent_to_tls(front):
    with httpx.Client(base_url=f"http://localhost:{front.ports['plain']}", trust_env=False) as client:
        moved = client.get("/e/gala?a=1&b=%20")
        assert (moved.status_code, moved.headers["location"]) == (301, f"{front.origin}/e/gala?a=1&b=%20")
        assert client.post("/v1/events/gala/line").status_code == 403


def test_what_the_dashboards_ask_haproxy_for_exists(front):
    text = httpx.get(f"http://127.0.0.1:{front.ports['metrics']}/metrics", trust_env=False, timeout=20 * PATIENCE).text
    there = offered(text)
    wanted = {name: labels for name, labels in asked().items() if name.startswith("haproxy_")}
    assert wanted and {name for name, labels in wanted.items() if not labels <= there.get(name, set())} == set()
    # The backend whose servers the dashboard counts.
    assert 'proxy="rooms"' in " ".join(expressions()) and 'proxy="rooms",server="room-1",state="UP"} 1' in text


def test_joins_are_counted_by_the_visitors_own_address(front):
    stack, limit = front.stack, 3
    front.event("addresses")
    stack.config["waiting-room"]["joins_per_address"] = f"{limit}/h"
    stack.write_config()
    for room in stack.rooms:
        room.hangup()
    for room in stack.rooms:
        room.wait_log("reloaded")
    try:
        def join(source, http2=True, **headers):
            with front.client(http2, source) as client:
                return client.post("/v1/events/addresses/line", headers=headers)

        # Each room counts for itself, so somebody may get twice as many.
        answers = [join("127.0.0.2").status_code for _ in range(4 * limit)]
        assert answers.count(201) + answers.count(429) == 4 * limit
        assert limit <= answers.count(201) <= 2 * limit
        until_refused = [join("127.0.0.2").status_code for _ in range(4 * limit)]
        assert 201 not in until_refused[-limit:]
        # What the visitor says about the address changes nothing, however it is said.
        for http2 in (False, True):
            for name in ("X-Forwarded-For", "x-forwarded-for", "Forwarded"):
                for value in ("203.0.113.7", "203.0.113.7, 127.0.0.1", "127.0.0.1", ""):
                    refused = join("127.0.0.2", http2, **{name: value})
                    assert refused.status_code == 429 and int(refused.headers["retry-after"]) > 0, (name, value)
        # Somebody else, through the same HAProxy, is somebody else.
        assert join("127.0.0.3").status_code == 201
    finally:
        stack.config["waiting-room"]["joins_per_address"] = 0
        stack.write_config()
        for room in stack.rooms:
            room.hangup()
        for room in stack.rooms:
            wait_until(lambda room=room: len(room.log_lines("reloaded")) >= 2, "the limit to be off", 20 * PATIENCE)


def test_a_thousand_polls_reach_a_room_a_few_times(front):
    front.event("polls")
    document = front.client().get("/v1/events/polls")
    assert (document.status_code, document.headers["cache-control"]) == (200, "public, max-age=1")
    assert document.json()["slug"] == "polls" and "set-cookie" not in document.headers
    before, start = front.requests(), time.monotonic()
    done = subprocess.run(["h2load", "-n", "1000", "-c", "20", "-m", "10", f"{front.origin}/v1/events/polls"],
                          capture_output=True, text=True, timeout=60 * PATIENCE, check=True)
    seconds, asked = time.monotonic() - start, front.requests() - before
    assert "status codes: 1000 2xx" in done.stdout, done.stdout
    assert asked <= 2 + seconds, f"{asked:g} requests in {seconds:.1f} s"
    print(f"1000 polls in {seconds:.2f} s, {asked:g} reached a room")
    # A visitor's own affairs pass by the cache.
    first, second = front.joined("polls"), front.joined("polls")
    assert first.place != second.place
    # It is fresh again soon.
    front.stack.onsale("rate", "polls", "60/min", expect=0)
    client = front.client()
    wait_until(lambda: client.get("/v1/events/polls").json()["pace"] == "60/min", "the new pace", 20 * PATIENCE)


def test_without_the_cache_the_rooms_answer(front):
    front.event("uncached")
    client = front.client(http2=False)
    assert client.get("/v1/events/uncached").status_code == 200
    stop(front.nginx, first=9)
    try:
        wait_until(lambda: front.state("document_cache", "nginx") != "UP", "HAProxy to see that nginx is gone", 20 * PATIENCE)
        assert [client.get("/v1/events/uncached").status_code for _ in range(20)] == [200] * 20
    finally:
        front.start_nginx()
        wait_until(lambda: front.state("document_cache", "nginx") == "UP", "nginx to be back", 20 * PATIENCE)


class Load(threading.Thread):
    """Somebody joins, somebody looks at their place, again and again, until stopped."""

    def __init__(self, front, slug, visitor):
        super().__init__(daemon=True)
        self.joiner, self.looker = front.pool(), front.client(http2=False)
        self.slug, self.visitor = slug, visitor
        self.places, self.failed, self.refused, self.looks, self.wrong = [], [], 0, 0, []
        self.ending = threading.Event()

    def run(self):
        path = f"/v1/events/{self.slug}/line"
        while not self.ending.is_set():
            # The end comes with the head, as browsers send what has no body.
            joined = self.joiner.open(path, method="POST")
            ended = joined.wait_end(60 * PATIENCE)
            if joined.status == 201 and ended == "end":
                self.places.append(json.loads(joined.body)["place"])
            elif ended == "reset 7":
                # REFUSED_STREAM: nothing was done with it (RFC 9113, 8.7), and a browser sends it again unasked.
                self.refused += 1
            else:
                self.failed.append(f"{joined.status} {ended} {joined.body}")
            try:
                answer = self.looker.get(path, headers=self.visitor.headers)
                if answer.status_code != 200 or answer.json()["place"] != self.visitor.place:
                    self.wrong.append(f"{answer.status_code} {answer.text}")
                self.looks += 1
            except httpx.HTTPError as error:
                self.wrong.append(repr(error))

    def wait_more(self, count):
        """Waits until so many more rounds are done."""
        goal = self.looks + count
        wait_until(lambda: self.looks >= goal or not self.is_alive(), f"{count} rounds of load", 60 * PATIENCE)

    def end(self):
        self.ending.set()
        self.join(60 * PATIENCE)
        assert not self.is_alive()


def end_by_terminating(room):
    assert room.end(12 * PATIENCE) == 0


def end_by_killing(room):
    room.kill()


@pytest.mark.parametrize("taken_away", [end_by_terminating, end_by_killing], ids=["SIGTERM", "SIGKILL"])
def test_a_room_is_taken_away_under_load(front, taken_away):
    stack = front.stack
    slug = "away-" + taken_away.__name__.rpartition("_")[2]
    front.event(slug)
    pool = front.pool()
    visitors = [front.joined(slug) for _ in range(STREAMS)]
    streams = [pool.event_stream(slug, visitor) for visitor in visitors]
    for stream, visitor in zip(streams, visitors):
        assert stream.wait("line").data["place"] == visitor.place

    def shares_now():
        return [room.metrics()["onsale_streams"] for room in stack.rooms]

    # Those of earlier tests may still be on their way out.
    wait_until(lambda: sum(shares_now()) == STREAMS, "the streams and no others", 20 * PATIENCE)
    shares = shares_now()
    assert min(shares) > 0, shares
    gone, stays = (0, 1) if taken_away is end_by_terminating else (1, 0)
    load = Load(front, slug, visitors[0])
    load.start()
    try:
        load.wait_more(30)
        taken_away(stack.rooms[gone])
        load.wait_more(60)
        # Streams of the room that is gone ended; the others notice nothing. All go on at the room that is left.
        wait_until(lambda: sum(stream.ended is not None for stream in streams) == shares[gone], "the streams to end",
                   20 * PATIENCE)
        again = [(pool.event_stream(slug, visitor), visitor) for stream, visitor in zip(streams, visitors) if stream.ended]
        for stream, visitor in again:
            assert stream.wait("line").data["place"] == visitor.place
        assert stack.rooms[stays].metrics()["onsale_streams"] == STREAMS
        # It comes back and is used again.
        stack.rooms[gone].start().wait_ready(30 * PATIENCE)
        wait_until(lambda: front.servers("rooms") == ["rooms"] * 2, "HAProxy to use it again", 20 * PATIENCE)
        wait_until(lambda: stack.rooms[gone].metrics()["onsale_joins_total"] > 0, "joins at it", 60 * PATIENCE)
    finally:
        load.end()
    front.pools.remove(pool)
    pool.close()
    arrivals = stack.sql("SELECT COUNT(*) FROM arrivals a JOIN events e ON e.id = a.event_id WHERE e.slug = %s", slug)[0][0]
    told = len(load.places) + len(visitors)
    print(f"{len(load.places)} joins, {load.looks} looks, refused {load.refused}, failed {load.failed}, wrong {load.wrong}, {arrivals} arrivals")
    assert not load.wrong
    assert len(set(load.places)) == len(load.places)
    # No join took two numbers: there are no more than people were told, and than failed.
    assert told <= arrivals <= told + len(load.failed)
    if taken_away is end_by_terminating:
        assert not load.failed
    assert stack.onsale_json("audit", slug)["ok"]


def test_the_payment_provider_s_webhooks_come_over_http1(stack_factory, tmp_path):
    """Byte for byte, or the signature would not fit."""
    config = payment_config(tmp_path, webhook_secret_file=secret_file(tmp_path, WEBHOOK_SECRET))
    with front_of(stack_factory, tmp_path / "front", payment=config) as front:
        for http2, padding in ((False, ""), (True, ""), (False, "x" * 45_000), (True, "x" * 45_000)):
            told = event(note="Zoë \u2028 \r\n", padding=padding)
            body = json.dumps(told, indent=2, ensure_ascii=False).encode()
            sent = {"Stripe-Signature": signature(body), "Content-Type": "application/json; charset=utf-8"}
            answer = front.client(http2).post(WEBHOOK_PATH, content=body, headers=sent)
            assert (answer.status_code, answer.json()) == (200, {}), answer.text
            assert front.stack.sql("SELECT body FROM provider_events WHERE id = %s", told["id"]) == ((body,),)
            forged = front.client(http2).post(WEBHOOK_PATH, content=body + b" ", headers=sent)
            assert (forged.status_code, forged.json()["type"]) == (400, "/problems/bad-signature")


def test_a_room_that_is_drained_gets_nothing_new(front):
    stack = front.stack
    front.event("drained")

    def say(command):
        with socket.create_connection(("127.0.0.1", front.ports["admin"]), 5) as connection:
            connection.sendall(command.encode() + b"\n")
            return connection.recv(4096).decode().strip()

    before = stack.rooms[0].metrics()["onsale_joins_total"]
    assert say("set server rooms/room-1 state drain") == ""
    try:
        for _ in range(10):
            front.joined("drained")
        assert stack.rooms[0].metrics()["onsale_joins_total"] == before
    finally:
        assert say("set server rooms/room-1 state ready") == ""


def test_without_mysql_the_page_is_there_and_streams_stay(front):
    stack = front.stack
    stack.expect_errors("mysql_away")
    front.event("dry")
    visitor = front.joined("dry")
    stream = front.pool().event_stream("dry", visitor)
    stream.wait("line")
    stack.mysql_proxy.cut()
    try:
        for room in stack.rooms:
            room.wait_not_ready()
        wait_until(lambda: not front.servers("rooms"), "HAProxy to see that no room is ready", 20 * PATIENCE)
        client = front.client(http2=False)
        assert client.get("/e/dry").status_code == 200
        refused = client.post("/v1/events/dry/line")
        # The room's own answer, and not HAProxy's.
        assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
        assert "detail" in refused.json() and int(refused.headers["retry-after"]) > 0
        assert stream.ended is None
    finally:
        stack.mysql_proxy.mend()
        for room in stack.rooms:
            room.wait_ready(30 * PATIENCE)
    wait_until(lambda: len(front.servers("rooms")) == 2, "HAProxy to see both rooms again", 20 * PATIENCE)
    assert stream.ended is None and front.joined("dry").place > visitor.place


def test_without_any_room_haproxy_says_so(front):
    stack = front.stack
    for room in stack.rooms:
        room.end(12 * PATIENCE)
    try:
        refused = front.client().post("/v1/events/gala/line")
        assert refused.status_code == 503 and refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "/problems/unavailable" and int(refused.headers["retry-after"]) > 0
        assert refused.headers["strict-transport-security"] and refused.headers["cache-control"] == "no-store"
    finally:
        for room in stack.rooms:
            room.start()
        for room in stack.rooms:
            room.wait_ready(30 * PATIENCE)
