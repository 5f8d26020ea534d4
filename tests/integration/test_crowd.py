# SPDX-License-Identifier: Apache-2.0
"""A crowd: many joins at once, many streams at once, while the dial is turned and the leading admission dies or freezes;
and a thousand visitors who buy, from joining to the outcome."""

import json
import shutil
import subprocess

from harness.crowd import Crowd, assert_sold_as_told
from harness.stack import PATIENCE, Visitor
from processes import wait_until

JOINS = 20_000
STREAMS = 1_000


def standstills(stack, slug, since, until):
    """Seconds between two steps of `served`, from MySQL's own times, as far as they fall between two points."""
    rows = stack.sql("SELECT CAST(UNIX_TIMESTAMP(l.at) * 1000000 AS SIGNED) FROM served_log l JOIN events e ON e.id = l.event_id"
                     " WHERE e.slug = %s AND l.at BETWEEN %s AND %s ORDER BY l.served", slug, since, until)
    times = [row[0] / 1_000_000 for row in rows]
    return [b - a for a, b in zip(times, times[1:])]


def now(stack):
    return stack.sql("SELECT UTC_TIMESTAMP(6)")[0][0]


def leader(admissions):
    """Which of these admissions leads, by its own metrics; None if none does."""
    return next((program for program in admissions if program.metrics()["onsale_admission_leads"] == 1), None)


def join_all(pools, slug, count):
    """So many visitors join, all at once, spread over the pools' waiting rooms."""
    answers = [pools[number % len(pools)].open(f"/v1/events/{slug}/line", method="POST") for number in range(count)]
    for answer in answers:
        answer.wait_end()
    assert {answer.status for answer in answers} == {201}
    return [Visitor(json.loads(answer.body)) for answer in answers]


def test_twenty_thousand_joins_give_each_place_once(stack_factory):
    assert shutil.which("h2load"), "h2load is in Debian's nghttp2-client"
    stack = stack_factory().start()
    stack.event("rush", pace="0")
    done = subprocess.run(
        ["h2load", "-n", str(JOINS), "-c", "50", "-m", "100", "-H", ":method: POST",
         f"https://127.0.0.1:{stack.rooms[0].port}/v1/events/rush/line"],
        capture_output=True, text=True, timeout=120, check=True)
    assert f"{JOINS} succeeded" in done.stdout and " 0 errored" in done.stdout, done.stdout
    assert f"status codes: {JOINS} 2xx" in done.stdout, done.stdout
    first, last, count, visitors = stack.sql(
        "SELECT MIN(number), MAX(number), COUNT(*), COUNT(DISTINCT visitor) FROM arrivals")[0]
    assert (first, last, count, visitors) == (1, JOINS, JOINS, JOINS)
    assert stack.onsale_json("audit", "rush")["ok"]
    print(next(line for line in done.stdout.splitlines() if line.startswith("finished in")))


def spread(streams, is_it):
    """From the first stream that was told something to the last, in seconds."""
    times = [stream.wait("served", is_it, seconds=40).at for stream in streams]
    return max(times) - min(times)


def test_a_thousand_streams_see_one_line_whatever_happens_to_admission(stack_factory):
    stack = stack_factory().start(rooms=2, admissions=2)
    stack.event("crowd", pace="10/s", state="draft")
    stack.onsale("lobby", "crowd", expect=0)
    pools = [stack.pool(0), stack.pool(1)]
    visitors = join_all(pools, "crowd", STREAMS)
    assert sorted(visitor.seat for visitor in visitors) == list(range(1, STREAMS + 1))
    streams = [pools[number % 2].event_stream("crowd", visitor) for number, visitor in enumerate(visitors)]
    for stream in streams:
        stream.wait("line", lambda line: line["line"] == "lobby")
    stack.onsale("open", "crowd", expect=0)
    begun = now(stack)
    watched = streams[-1]
    watched.wait("served", lambda data: data["served"] >= 10)
    usual = spread(streams, lambda data: data["served"] >= 5)

    # The dial: every stream hears of the new pace within a second, where this machine tells a thousand anything as fast as that.
    # How soon admission acts is test_admission's.
    assert stack.onsale_json("rate", "crowd", "200/s")["admission"] == "acted"
    assert spread(streams, lambda data: data["pace"] == "200/s") < 1.0 + usual

    # The leader dies: the other goes on. Then that one freezes, and wakes up when it leads no more.
    first = leader(stack.admissions)
    first.kill()
    watched.wait("served", lambda data: data["served"] >= 200)
    first.start()
    first.wait_ready()
    stack.onsale_json("rate", "crowd", "50/s")
    second = leader(stack.admissions)
    assert second is not None and second is not first
    second.freeze()
    wait_until(lambda: leader([first]), "the other to lead", 20)
    second.resume()
    stack.onsale_json("rate", "crowd", "200/s")
    for stream in streams:
        stream.wait("served", lambda data: data["served"] == STREAMS, seconds=40)
    ended = now(stack)

    assert max(standstills(stack, "crowd", begun, ended)) < 3.0
    for number, stream in enumerate(streams):
        place = visitors[number].seat
        served = [frame.data["served"] for frame in stream.frames("served")]
        assert served == sorted(served), f"served went back on the stream of place {place}"
        lines = [frame.data["line"] for frame in stream.frames("line")]
        assert [line for at, line in enumerate(lines) if at == 0 or lines[at - 1] != line] == ["lobby", "waiting", "turn"] \
            or lines[0] == "lobby" and lines[-1] == "turn", f"place {place} heard {lines}"
        ahead = [frame.data["ahead"] for frame in stream.frames("line") if frame.data.get("ahead") is not None]
        assert ahead == sorted(ahead, reverse=True), f"the position of place {place} grew: {ahead}"
    # No place twice, none skipped: the steps join end to end, and the epochs only rise.
    log = stack.sql("SELECT served, epoch FROM served_log ORDER BY served")
    assert log[-1][0] == STREAMS
    assert [row[1] for row in log] == sorted(row[1] for row in log)
    assert len({row[1] for row in log}) == 3, "three leaders let people in"
    assert stack.sql("SELECT COUNT(*) FROM turns WHERE came_back = 0")[0][0] == STREAMS
    audit = stack.onsale_json("audit", "crowd")
    assert audit["ok"], audit


TICKETS = 800


def test_a_thousand_visitors_for_eight_hundred_tickets(stack_factory):
    stack = stack_factory().start(rooms=2, admissions=2, workers=2, notifiers=2)
    stack.event("sale", pace="100/s", max_per_order=4, max_per_customer=4, tiers=[
        {"code": "floor", "name": "Floor", "price": 4500, "capacity": TICKETS - 100},
        {"code": "side", "name": "Side", "capacity": 100,
         "prices": [{"code": "adult", "name": "Adult", "amount": 3000}, {"code": "child", "name": "Child", "amount": 1000}]}])
    with Crowd(stack, "sale", "--visitors", 1000, "--rate", 250, "--tiers", "floor,side", "--tickets", 2, "--orders", "97%",
               "--change", "15%", "--take-back", "10%", "--in-turn", "15%", "--alternatives", "50%", "--again", "30%",
               "--same-customer", "10%", "--leave", "4%", "--reconnect", "10%", "--slow", "2%", "--seconds", 100 * PATIENCE) as crowd:
        crowd.finish(110)
    print(crowd.said)
    assert "all are done" in crowd.said
    assert sum(assert_sold_as_told(stack, "sale", crowd).values()) == TICKETS
    assert stack.onsale_json("event", "show", "sale")["state"] == "sold_out"
    states = {order["state"] for order in crowd.orders().values()}
    assert {"confirmed", "sold_out", "refused", "cancelled"} <= states <= {"confirmed", "sold_out", "refused", "cancelled"}
    audit = stack.onsale_json("audit", "sale", "--settled")
    assert audit["ok"], audit
    notices_what_was_tampered_with(crowd)


def notices_what_was_tampered_with(crowd):
    """One visitor's outcome changed in the record: the checker says so."""
    record = crowd.record()
    booked = next(line["visitor"] for line in record if line["kind"] == "order" and line["data"]["state"] == "confirmed")

    def check(name, change):
        copied = json.loads(json.dumps(record))
        last = [line for line in copied if line["visitor"] == booked and line["kind"] in ("order", "order_answer")
                and line["data"]["state"] == "confirmed"][-1]
        change(copied, last)
        path = crowd.record_path.with_name(f"{name}.jsonl")
        path.write_text("".join(json.dumps(line) + "\n" for line in copied))
        done = crowd.check(path)
        assert done.returncode == 1 and f"{name}: visitor {booked} " in done.stdout, (name, done.stdout[-2000:])

    def no_end(lines, _):
        lines[:] = [line for line in lines if line["visitor"] != booked or line["data"].get("state") != "confirmed"]
        lines[-1]["at_us"] += 40_000_000

    def another_end(_, last):
        last["data"] |= {"state": "sold_out", "revision": last["data"]["revision"] + 1}

    check("no_outcome", no_end)
    check("final_changed", another_end)
    check("order_back", lambda _, last: last["data"].update(revision=1))
    check("order_wrong", lambda _, last: last["data"].update(amount=1, revision=last["data"]["revision"] + 1))
