# SPDX-License-Identifier: Apache-2.0
"""The crowd generator: what it says of a sound line, and that it notices when visitors are told what is wrong."""

import json
import signal
import subprocess
import time

import pytest
from processes import wait_until

from harness.stack import PATIENCE, ROOT, BUILD

CROWD = ROOT / "build" / BUILD / "bench" / "crowd"
VISITORS = 300
LOOK_ON = ("--orders", "0%")  # nobody orders: nothing but a waiting room and admission is needed


def crowd(stack, *arguments, seconds=120):
    done = subprocess.run([str(each) for each in (CROWD, *arguments)], capture_output=True, text=True,
                          timeout=seconds * PATIENCE, env=stack.environment(), cwd=stack.folder)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done


def addresses(stack, slug):
    return [f"https://localhost:{room.port}/e/{slug}" for room in stack.rooms]


def authority(stack):
    return "--ca", stack.certificate / "certificate.pem"


@pytest.fixture(scope="module")
def played(module_stack_factory):
    """A crowd in front of two waiting rooms: the stack, how the generator ended, the lines of its record."""
    stack = module_stack_factory().start(rooms=2)
    stack.event("crowd", pace="60/s")
    done = crowd(stack, *LOOK_ON, "--visitors", VISITORS, "--rate", 100, "--leave", "5%", "--reconnect", "10%", "--slow", "3%",
                 "--seconds", 100 * PATIENCE, "--record", "record.jsonl", *authority(stack), *addresses(stack, "crowd"))
    assert done.returncode == 0, done.stdout + done.stderr
    return stack, done, [json.loads(line) for line in (stack.folder / "record.jsonl").read_text().splitlines()]


def test_a_sound_line_is_called_sound(played):
    stack, done, record = played
    assert "Everybody was told what is right." in done.stdout
    kinds = [line["kind"] for line in record]
    assert kinds[0] == "begin" and kinds[-1] == "end" and record[-1]["data"]["reason"] == "all are done"
    assert kinds.count("join") == VISITORS and kinds.count("left") == VISITORS * 5 // 100
    assert kinds.count("rejoin") == VISITORS * 10 // 100
    for absent in ("lost", "failed", "other"):
        assert absent not in kinds, [line for line in record if line["kind"] == absent][:5]
    joins = [line["data"] for line in record if line["kind"] == "join"]
    assert {join["place"] for join in joins} == set(range(1, VISITORS + 1))
    assert '"token"' not in (stack.folder / "record.jsonl").read_text()
    turns = {line["visitor"] for line in record if line["kind"] == "line" and line["data"]["line"] == "turn"}
    gone = {line["visitor"] for line in record if line["kind"] == "left"}
    assert turns | gone == set(range(1, VISITORS + 1))
    # Both waiting rooms had their share, and MySQL knows the same.
    for room in stack.rooms:
        room.wait_metric("onsale_streams", 0)  # it notices that a connection is gone a moment later
        assert room.metrics()["onsale_frames_total"] > VISITORS
    assert stack.sql("SELECT COUNT(*), COUNT(left_at) FROM arrivals")[0] == (VISITORS, len(gone))
    audit = stack.onsale_json("audit", "crowd")
    assert audit["ok"], audit


def test_latencies_are_shown(played):
    _, done, _ = played
    table = {line[:16].strip(): line[16:].split() for line in done.stdout.splitlines()
             if line.startswith(("join  ", "first frame", "let-in lateness"))}
    assert set(table) == {"join", "first frame", "let-in lateness"}
    assert int(table["join"][-1]) == VISITORS and int(table["first frame"][-1]) >= VISITORS
    for columns in table.values():
        numbers = [float(column) for column in columns[:4]]
        assert numbers == sorted(numbers) and columns[4] != "0"


def check(stack, record, name):
    (stack.folder / name).write_text("".join(json.dumps(line) + "\n" for line in record))
    return crowd(stack, "--check", name)


def test_the_checker_agrees_and_notices_what_was_tampered_with(played):
    stack, _, record = played
    done = crowd(stack, "--check", "record.jsonl")
    assert done.returncode == 0 and " 0 violations" in done.stdout, done.stdout

    def tampered(change):
        copied = json.loads(json.dumps(record))
        change(copied)
        return copied

    def first(lines, kind, **data):
        return next(line for line in lines if line["kind"] == kind and data.items() <= line["data"].items())

    def same_place(lines):
        joins = [line for line in lines if line["kind"] == "join"]
        joins[7]["data"]["place"] = joins[3]["data"]["place"]

    def another_place(lines):
        first(lines, "rejoin")["data"]["place"] += VISITORS

    def new_place(lines):
        first(lines, "rejoin")["data"]["status"] = 201

    def served_back(lines):
        frames = [line for line in lines if line["kind"] == "served" and line["visitor"] == VISITORS]
        frames = frames or [line for line in lines if line["kind"] == "served" and line["visitor"] == record[-2]["visitor"]]
        assert frames[0]["data"]["served"] > 0
        frames[-1]["data"]["served"] = frames[0]["data"]["served"] - 1

    def ahead(lines):
        first(lines, "line", line="waiting")["data"]["ahead"] += 1

    def forgotten(lines):
        turn = first(lines, "line", line="turn")
        lines[:] = [line for line in lines if line["visitor"] != turn["visitor"] or line["at_us"] < turn["at_us"]]
        lines[-1]["at_us"] += 20_000_000

    def failed(lines):
        first(lines, "left")["kind"] = "failed"

    def broken_off(lines):
        del lines[len(lines) // 2:]

    for change, rule in ((same_place, "place_twice"), (another_place, "place_changed"), (new_place, "place_changed"),
                         (served_back, "served_back"), (ahead, "position_grew"), (forgotten, "not_let_in"),
                         (failed, "record"), (broken_off, "record")):
        done = check(stack, tampered(change), f"{change.__name__}.jsonl")
        assert done.returncode == 1 and f"{rule}: " in done.stdout, (change.__name__, done.stdout[-2000:])
    assert crowd(stack, "--check", "there is none").returncode == 1


@pytest.mark.parametrize("ledger, words", [
    ("there is none", "No such file"),
    ("http://127.0.0.1:9/_sandbox/ledger", "onnect"),  # nobody listens there
    ("http://192.0.2.1:80/_sandbox/ledger", "onnect"),  # not on this machine, so nobody is asked
    ("record.jsonl", "the ledger: "),  # a file of another kind
])
def test_a_ledger_that_cannot_be_had(played, ledger, words):
    stack, _, _ = played
    began = time.monotonic()
    done = crowd(stack, "--check", "record.jsonl", "--ledger", ledger)
    assert done.returncode == 1 and done.stderr.startswith("crowd: the ledger: ") and words in done.stderr, (done.stdout, done.stderr)
    assert time.monotonic() - began < 2 * PATIENCE, "somebody was waited for"


def test_a_ledger_with_money_of_nobody(played):
    """Nobody has ordered, so whatever the bank took was taken from the wrong people."""
    stack, _, _ = played
    intent = {"id": "pi_1", "status": "succeeded", "amount": 4500, "captured": 4500, "refunded": 0, "currency": "EUR",
              "metadata": {"onsale_event": "crowd", "onsale_place": "1", "onsale_attempt": "1"}}
    for intents, code in (([], 0), ([intent], 1), ([intent | {"metadata": {"onsale_event": "another"}}], 0)):
        (stack.folder / "ledger.json").write_text(json.dumps({"intents": intents}))
        done = crowd(stack, "--check", "record.jsonl", "--ledger", "ledger.json")
        assert done.returncode == code and ("money_taken: visitor " in done.stdout) == bool(code), done.stdout


def test_a_line_that_is_at_its_end_fails(played):
    stack, _, _ = played
    stack.event("over")
    stack.onsale("close", "over", expect=0)
    done = crowd(stack, *LOOK_ON, "--visitors", 3, *authority(stack), *addresses(stack, "over"))
    assert done.returncode == 1 and "nobody heard that the event is at its end" in done.stdout and "3 turned away" in done.stdout


def test_who_still_waits_when_the_time_is_up_is_no_fault(played):
    stack, _, _ = played
    stack.event("still", pace="0")
    done = crowd(stack, *LOOK_ON, "--visitors", 20, "--seconds", 3 * PATIENCE, "--record", "still.jsonl", *authority(stack),
                 *addresses(stack, "still"))
    assert done.returncode == 0 and "time is up" in done.stdout and "20 not done" in done.stdout, done.stdout
    assert crowd(stack, "--check", "still.jsonl").returncode == 0


def test_it_comes_again_after_retry_after(played):
    """A stopped event answers joins with 503: the crowd waits and joins when it goes on."""
    stack, _, _ = played
    stack.event("halted", pace="100/s")
    stack.onsale("stop", "halted", "--reason", "a test", expect=0)
    program = subprocess.Popen([CROWD, *LOOK_ON, "--visitors", "10", "--seconds", str(100 * PATIENCE), "--record", "halted.jsonl",
                                *map(str, authority(stack)), *addresses(stack, "halted")],
                               cwd=stack.folder, env=stack.environment(), stdout=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: sum(room.metrics()['onsale_http_requests_total{status="5xx"}'] for room in stack.rooms) >= 10,
                   "ten refusals", 30 * PATIENCE)
        stack.onsale("start", "halted", expect=0)
        out, _ = program.communicate(timeout=100 * PATIENCE)
    finally:
        program.kill()
    assert program.returncode == 0, out
    assert "10 visitors joined, 10 let in" in out
    assert "put_off" in (stack.folder / "halted.jsonl").read_text()


def test_interruptions(stack_factory):
    """A waiting room dies: a fault, unless faults are the test; then everybody comes back to the same place elsewhere."""
    stack = stack_factory().start(rooms=2)
    stack.event("faults", pace="0")
    common = [*LOOK_ON, "--visitors", "40", "--seconds", str(200 * PATIENCE), *map(str, authority(stack))]
    programs = [subprocess.Popen([CROWD, *common, *more, "--record", name, *addresses(stack, "faults")], cwd=stack.folder,
                                 env=stack.environment(), stdout=subprocess.PIPE, text=True)
                for name, more in (("strict.jsonl", []), ("lenient.jsonl", ["--faults"]))]
    try:
        wait_until(lambda: sum(room.metrics()["onsale_streams"] for room in stack.rooms) == 80, "all streams", 60 * PATIENCE)
        stack.rooms[1].kill()
        wait_until(lambda: stack.rooms[0].metrics()["onsale_streams"] == 80, "everybody in the other room", 100 * PATIENCE)
        stack.onsale("rate", "faults", "100/s", expect=0)
        ended = [program.communicate(timeout=200 * PATIENCE)[0] for program in programs]
    finally:
        for program in programs:
            program.kill()
    assert [program.returncode for program in programs] == [1, 0], "\n".join(ended)
    assert "interrupted" in ended[0] and "40 visitors joined, 40 let in" in ended[1]
    assert crowd(stack, "--check", "strict.jsonl").returncode == 1
    assert crowd(stack, "--check", "lenient.jsonl").returncode == 0


def test_tiers_that_are_not_there(played):
    stack, _, _ = played
    stack.event("menu", pace="0")
    done = crowd(stack, "--tiers", "floor,boxes", *authority(stack), *addresses(stack, "menu"))
    assert done.returncode == 1 and "not all the tiers" in done.stderr, done.stderr


def test_a_desk_that_cannot_be_written(played):
    stack, _, _ = played
    done = crowd(stack, *LOOK_ON, "--pay-to", "no/such/folder", *authority(stack), *addresses(stack, "crowd"))
    assert done.returncode == 1 and "no/such/folder: No such file" in done.stderr, done.stderr


def test_ctrl_c_sums_up(played):
    stack, _, _ = played
    stack.event("ctrl-c", pace="0")
    program = subprocess.Popen([CROWD, *LOOK_ON, "--visitors", "5", "--record", "ctrl-c.jsonl", *map(str, authority(stack)),
                                *addresses(stack, "ctrl-c")],
                               cwd=stack.folder, env=stack.environment(), stdout=subprocess.PIPE, text=True)
    try:
        while program.stdout.readline() != "joined 5 of 5\n":
            assert program.poll() is None
        program.send_signal(signal.SIGINT)
        out, _ = program.communicate(timeout=60 * PATIENCE)
    finally:
        program.kill()
    assert program.returncode == 0 and "interrupted after" in out
    assert crowd(stack, "--check", "ctrl-c.jsonl").returncode == 0


@pytest.mark.parametrize("arguments, words", [
    ([], "no address"),
    (["http://localhost:1/e/x"], "https://HOST:PORT/e/SLUG"),
    (["https://localhost:1/e/X!"], "https://HOST:PORT/e/SLUG"),
    (["https://localhost:1/e/a", "https://localhost:1/e/b"], "one event"),
    (["https://192.0.2.1:443/e/gala"], "not on this machine"),
    (["https://[2001:db8::1]:443/e/gala"], "not on this machine"),
    (["--visitors", "0", "https://localhost:1/e/x"], "1 to 1000000"),
    (["--visitors", "ten", "https://localhost:1/e/x"], "1 to 1000000"),
    (["--visitors"], "needs a value"),
    (["--leave", "60%", "--slow", "41", "https://localhost:1/e/x"], "more than 100%"),
    (["--change", "60%", "--in-turn", "41", "https://localhost:1/e/x"], "more than 100%"),
    (["--tickets", "0", "https://localhost:1/e/x"], "1 to 1000"),
    (["--party", "4-1", "https://localhost:1/e/x"], "runs backwards"),
    (["--party", "0", "https://localhost:1/e/x"], "--party"),
    (["--never-pay", "60%", "--pay-late", "20", "--cancel", "21", "https://localhost:1/e/x"], "more than 100%"),
    (["--named", "60%", "--wheelchair", "41", "https://localhost:1/e/x"], "more than 100%"),
    (["--never-pay", "60%", "--declines", "20%", "--challenges", "21%", "https://localhost:1/e/x"], "more than 100%"),
    (["--time-outs", "101%", "https://localhost:1/e/x"], "0 to 100"),
    (["--pay-by-card", "--pay-to", "x", "https://localhost:1/e/x"], "exclude"),
    (["--insecure", "--ca", "x", "https://localhost:1/e/x"], "exclude"),
    (["--check", "x", "https://localhost:1/e/x"], "alone"),
    (["--check", "x", "--ledger", "y", "https://localhost:1/e/x"], "alone"),
    (["--what"], "no such option"),
])
def test_wrong_arguments(arguments, words, tmp_path):
    done = subprocess.run([CROWD, *arguments], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 2 and words in done.stderr, done.stderr


def test_a_certificate_that_nobody_vouches_for(played):
    stack, _, _ = played
    stack.event("tls", pace="100/s")
    done = crowd(stack, *LOOK_ON, "--visitors", 2, "--seconds", 2, *addresses(stack, "tls"))
    assert done.returncode == 1 and "self-signed" in done.stdout, done.stdout
    done = crowd(stack, *LOOK_ON, "--visitors", 2, "--insecure", *addresses(stack, "tls"))
    assert done.returncode == 0, done.stdout
