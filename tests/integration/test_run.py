# SPDX-License-Identifier: Apache-2.0
"""`make run` as somebody meets it who has just cloned the repository."""

import json
import os
import pty
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest
from processes import port_is_free, wait_until

from harness.stack import BUILD, ROOT

URL = "https://localhost:"


class Run:
    """One `make run` in a folder, with what it prints."""

    def __init__(self, tree, var, **variables):
        self.var = Path(var)
        self.ready_file = self.var / "ready.json"
        self.out = tempfile.TemporaryFile("w+")
        environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        command = ["make", "--no-print-directory", "run", f"VAR={var}", f"BUILD={BUILD}"]
        command += [f"{key}={value}" for key, value in variables.items()]
        self.process = subprocess.Popen(command, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=self.out,
                                        stderr=subprocess.STDOUT, start_new_session=True)
        self.pids = {}

    def said(self):
        self.out.seek(0)
        return self.out.read()

    def wait_ready(self, seconds=240):
        """Waits for the last line; building is part of it."""
        def ready():
            assert self.process.poll() is None, self.said()
            return self.said().rstrip("\n").rpartition("\n")[2].startswith("ready ")
        wait_until(ready, "the line that begins with ready", seconds)
        self.pids = self.ready["pids"]
        return self

    @property
    def ready(self):
        return json.loads(self.ready_file.read_text())

    @property
    def url(self):
        return self.said().rstrip("\n").rpartition("\n")[2].removeprefix("ready ")

    def config_lines(self):
        return Path(self.ready["config"]).read_text().splitlines()

    def everything(self):
        """The pids of make and all that came of it, as /proc knows them."""
        found, parents = set(), {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
        queue = [self.process.pid]
        while queue:
            found.add(pid := queue.pop())
            queue += parents.get(pid, [])
        return found

    def client(self):
        context = ssl.create_default_context(cafile=self.var / "certificate" / "certificate.pem")
        return httpx.Client(http1=False, http2=True, verify=context, trust_env=False, timeout=10)

    @property
    def bank_url(self):
        return next(line.partition(" = ")[2] for line in self.config_lines() if line.startswith("base_url = "))

    def ledger(self):
        return httpx.get(f"{self.bank_url}/_sandbox/ledger", trust_env=False).json()

    def onsale(self, *arguments):
        done = subprocess.run([ROOT / "build" / BUILD / "bin" / "onsale", "--config", self.ready["config"], "--json", *arguments],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def interrupt(self):
        """What Ctrl-C does: SIGINT to everything in the foreground, which the programs are not part of."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.out.close()


def gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_gone(pids, seconds=40):
    wait_until(lambda: all(gone(pid) for pid in pids), "the end of everything", seconds)


@pytest.fixture
def run(tmp_path):
    runs = []

    def start(tree=ROOT, var=None, **variables):
        runs.append(Run(tree, var or tmp_path / "a place", **variables))
        return runs[-1]

    yield start
    for each in runs:
        each.close()


def test_ready_then_joining_dialling_and_ctrl_c_leaves_nothing(run):
    first = run().wait_ready()
    said = first.said()
    assert first.url == first.ready["url"] and first.url.startswith(URL) and first.url.endswith("/e/spring-gala")
    assert {"run", "bank", "waiting-room", "admission-1", "admission-2", "booking-worker", "notifier", "mariadbd", "rabbitmq",
            "epmd"} <= set(first.pids)
    everything = first.everything()
    assert set(first.pids.values()) <= everything

    with first.client() as client:
        page = client.get(first.url)
        assert page.status_code == 200 and "Spring Gala" in page.text
        base = first.url.removesuffix("/e/spring-gala")
        event = client.get(f"{base}/v1/events/spring-gala").json()
        assert event["state"] == "open" and event["starts_at"] > event["now"]
        assert {tier["code"] for tier in event["tiers"]} == {"floor", "stalls", "balcony"}

        # The commands that it prints, as somebody would paste them.
        commands = [line.strip() for line in said.splitlines() if line.startswith("    ")]
        assert len(commands) == 3 and all("onsale" in command for command in commands)
        for command in commands[:2]:
            done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{command}: {done.stderr}"
        assert first.onsale("rate", "spring-gala")["pace"] == "200/s"

        joined = client.post(f"{base}/v1/events/spring-gala/line")
        assert joined.status_code == 201
        token = {"Authorization": f"Bearer {joined.json()['token']}"}
        wait_until(lambda: client.get(f"{base}/v1/events/spring-gala/line", headers=token).json()["line"] == "turn",
                   "being let in", 20)

        # The first tour pays, with a test card.
        order = f"{base}/v1/events/spring-gala/order"
        placed = client.put(order, headers=token, json={"tier": "floor", "quantity": 2, "email": "first@example.org",
                                                        "payment_method": "pm_card_visa"})
        assert placed.status_code == 202, placed.text
        wait_until(lambda: client.get(order, headers=token).json()["state"] == "confirmed", "the booking", 20)
        wait_until(lambda: first.ledger()["totals"]["captured"] == 9000, "the money", 20)
    ledger, bank_url = first.ledger(), first.bank_url
    assert [intent["status"] for intent in ledger["intents"]] == ["succeeded"]

    ports = [int(line.rpartition(":")[2]) for line in first.config_lines() if "listen = 127.0.0.1:" in line]
    assert len(ports) >= 3
    ports.append(int(bank_url.rpartition(":")[2]))
    first.interrupt()
    wait_gone(everything)
    assert not first.ready_file.exists()
    wait_until(lambda: all(port_is_free(port) for port in ports), "the ports to be free", 20)
    for name in ("bank", "waiting-room", "admission-1", "admission-2", "booking-worker", "notifier"):
        assert (first.var / "log" / f"{name}.log").stat().st_size > 0

    # A second run finds its data again.
    second = run().wait_ready()
    assert second.onsale("rate", "spring-gala")["pace"] == "200/s"
    with second.client() as client:
        base = second.url.removesuffix("/e/spring-gala")
        again = client.post(f"{base}/v1/events/spring-gala/line", headers=token)
        assert again.status_code == 200 and again.json()["place"] == joined.json()["place"]
    assert (second.bank_url, second.ledger()) == (bank_url, ledger)
    everything = second.everything()
    second.process.send_signal(signal.SIGTERM)
    second.process.wait(60)
    wait_gone(everything)

    third = run(FRESH="1").wait_ready()
    with third.client() as client:
        base = third.url.removesuffix("/e/spring-gala")
        assert client.post(f"{base}/v1/events/spring-gala/line", headers=token).status_code == 401
        assert client.post(f"{base}/v1/events/spring-gala/line").json()["place"] == 1
    assert third.ledger()["intents"] == []


def test_a_taken_port_and_a_second_run_beside_the_first(run, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        first = run(PORT=port).wait_ready()
        assert f"Port {port} is taken" in first.said()
        assert int(first.url.removeprefix(URL).partition("/")[0]) > port

    # In the same folder: says so, changes nothing.
    same = run()
    assert same.process.wait(60) != 0
    assert "running already" in same.said() and str(first.ready["pids"]["run"]) in same.said()
    assert first.ready_file.exists() and not gone(first.ready["pids"]["waiting-room"])

    # In other folders, begun at the same moment: all work, each on a port of its own.
    others = [run(var=tmp_path / name) for name in ("another", "a third")]
    for other in others:
        other.wait_ready()
    assert len({each.url for each in (first, *others)}) == 3
    for each in (first, *others):
        with each.client() as client:
            assert client.get(each.url).status_code == 200


def test_what_dies_is_started_again(run):
    here = run().wait_ready()
    for name in ("bank", "waiting-room", "admission-1", "booking-worker", "notifier", "mariadbd", "rabbitmq"):
        before = here.ready["pids"][name]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda name=name, before=before: here.ready["pids"][name] != before, f"{name} to be started again", 40)
    said = here.said()
    assert "waiting-room was ended by SIGKILL; starting it again in 1 s" in said
    assert "bank was ended by SIGKILL; starting it again in 1 s" in said and here.ledger()["intents"] == []
    assert "MariaDB is gone" in said and "RabbitMQ is gone" in said
    base = here.ready["url"].removesuffix("/e/spring-gala")

    def works():
        try:
            with here.client() as client:
                return client.post(f"{base}/v1/events/spring-gala/line").status_code == 201
        except httpx.TransportError:
            return False
    wait_until(works, "joining to work again", 30)


@pytest.mark.parametrize("provider", ["none", "manual"])
def test_without_a_bank_where_nobody_pays_by_card(run, provider):
    here = run(ONSALE_PAYMENT_PROVIDER=provider).wait_ready()
    assert "bank" not in here.pids and "sandbox bank" not in here.said() and not (here.var / "bank").exists()
    assert not any(line == "[payment]" for line in here.config_lines())
    everything = here.everything()
    here.interrupt()
    wait_gone(everything)


@pytest.mark.parametrize("victim", ["run", "make"])
def test_kill_9_leaves_nothing(run, victim):
    here = run().wait_ready()
    everything = here.everything()
    os.kill(here.process.pid if victim == "make" else here.ready["pids"]["run"], signal.SIGKILL)
    wait_gone(everything - {here.process.pid} if victim == "make" else everything)
    # And the folder can be used again.
    run().wait_ready()


def test_ctrl_c_while_starting_leaves_nothing(run):
    here = run()
    wait_until(lambda: "Starting MariaDB" in here.said(), "the servers to be started", 240)
    everything = here.everything()
    here.interrupt()
    wait_gone(everything | here.everything())


def test_closing_the_terminal_leaves_nothing(run, tmp_path):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execvp("make", ["make", "run", f"VAR={tmp_path / 'in a terminal'}", f"BUILD={BUILD}"])
    ready = tmp_path / "in a terminal" / "ready.json"
    said = b""

    def is_ready():
        nonlocal said
        said += os.read(terminal, 65536)
        return b"\nready https://" in said
    wait_until(is_ready, "ready", 240)
    pids = json.loads(ready.read_text())["pids"].values()
    os.close(terminal)  # SIGHUP to what runs in it
    os.waitpid(pid, 0)
    wait_gone(pids)


def test_a_crowd_joins_ahead_of_you_and_ends_with_the_run(run):
    first = run(CROWD="30").wait_ready()
    assert "30 simulated visitors joined ahead of you" in first.said()
    base = first.url.removesuffix("/e/spring-gala")
    with first.client() as client:
        assert client.post(f"{base}/v1/events/spring-gala/line").json()["place"] == 31
    log = first.var / "log" / "crowd.log"
    wait_until(lambda: "The crowd is through and was told what is right" in first.said(), "the end of the crowd", 120)
    assert "30 visitors joined, " in log.read_text() and "Everybody was told what is right." in log.read_text()
    first.onsale("rate", "spring-gala", "0")
    everything = first.everything()
    first.interrupt()
    wait_gone(everything)
    # Not started again.
    assert log.read_text().count("joined 30 of 30") == 1

    # With the line held the crowd waits, until the run ends.
    second = run(CROWD="5").wait_ready()
    everything = second.everything()
    second.interrupt()
    wait_gone(everything)
    assert "interrupted after" in log.read_text() and "Everybody was told what is right." in log.read_text()
    assert "The crowd is through" not in second.said()


@pytest.mark.parametrize("crowd", ["many", "-1", "1000000"])
def test_a_crowd_that_is_no_number(run, crowd):
    here = run(CROWD=crowd)
    assert here.process.wait(240) != 0
    assert f"CROWD is '{crowd}'; 0 to 100000 visitors are allowed" in here.said()


def files_of_the_tree():
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, timeout=60)
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def copy_of_the_tree(place):
    """What a clone would hold, and what is built of it so far, so that the copy need not be built from nothing."""
    for name in files_of_the_tree():
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    shutil.copytree(ROOT / "build" / BUILD, place / "build" / BUILD)
    return place


def test_an_ordinary_user_in_a_path_with_spaces(run):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    place = Path(tempfile.mkdtemp(prefix="onsale run ", dir="/var/tmp"))
    process = None
    try:
        tree = copy_of_the_tree(place / "a clone with spaces")
        for each in [place, *place.rglob("*")]:
            os.chown(each, 65534, 65534, follow_symlinks=False)
        out = open(place / "said", "w+", encoding="utf-8")
        # The packages are there already, so sudo is not needed; there is none in this PATH that could be used.
        process = subprocess.Popen(["make", "--no-print-directory", "run", f"BUILD={BUILD}"], cwd=tree, stdout=out,
                                   stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, user=65534, group=65534, extra_groups=[],
                                   env={"PATH": "/usr/bin:/bin", "HOME": str(place)}, start_new_session=True)

        def ready():
            assert process.poll() is None, (place / "said").read_text()
            return "\nready https://" in (place / "said").read_text()
        wait_until(ready, "ready", 240)
        kept = json.loads((tree / "var" / "ready.json").read_text())
        # ./var/onsale.ini is found by default.
        done = subprocess.run([f"build/{BUILD}/bin/onsale", "rate", "spring-gala", "50/s"], cwd=tree, user=65534, group=65534,
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        wait_gone(kept["pids"].values())
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(60)
        shutil.rmtree(place)


def test_missing_packages_are_named_and_installed_with_sudo(tmp_path):
    """Debian's own tools are played by small scripts here: nothing is installed on this machine."""
    tools = tmp_path / "bin"
    tools.mkdir()
    scripts = {
        "dpkg-query": 'case "$3" in libuv1-dev) exit 1;; *) printf installed;; esac',
        "apt-get": f'echo "apt-get $*" >>"{tmp_path}/calls"; [ ! -e "{tmp_path}/fail" ]',
        "sudo": f'echo "sudo $1" >>"{tmp_path}/calls"; exec "$@"',
        "id": "echo 1000",
    }
    for name, text in scripts.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    for name in ("sh", "env", "mktemp", "rm", "cat", "tr", "sed", "echo"):
        (tools / name).symlink_to(shutil.which(name))

    def install():
        return subprocess.run([ROOT / "tools" / "packages", "install", "build"], env={"PATH": str(tools)},
                              capture_output=True, text=True, timeout=60)
    done = install()
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Installing with sudo apt-get: libuv1-dev\n"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[:2] == ["sudo apt-get", "apt-get update -q"] and calls[-1].endswith(" libuv1-dev")
    (tmp_path / "fail").touch()
    assert install().returncode == 1
    (tools / "sudo").unlink()
    done = install()
    assert done.returncode == 1 and "no sudo" in done.stderr and "libuv1-dev" in done.stderr
