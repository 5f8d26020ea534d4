# SPDX-License-Identifier: Apache-2.0
"""Admission: lets in at the pace and not faster, one leader at a time, whatever is killed, frozen or cut off.

The times compared here are MySQL's, so a busy machine makes nothing fail: every stall that admission notices starts the
count anew, says so in pace_log, and what is checked holds between two of those rows. What a standstill may take is
measured against design.md's three seconds.
"""

import json
import statistics
import subprocess
import time
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pika
import pytest
from harness.proxy import Proxy
from harness.stack import BIN, PATIENCE
from processes import wait_until

SECOND = timedelta(seconds=1)
STANDSTILL_MAX = 3 * SECOND * PATIENCE


def event_id(stack, slug):
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def arrive(stack, slug, count):
    """So many people join, as a waiting room would write it."""
    number = event_id(stack, slug)
    with stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE line_counters SET last = LAST_INSERT_ID(last) + %s WHERE event_id = %s", (count, number))
        cursor.execute("SELECT LAST_INSERT_ID()")
        first = cursor.fetchone()[0] + 1
        cursor.executemany(
            "INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES (%s, %s, %s, UTC_TIMESTAMP(6))",
            [(number, place, place.to_bytes(16, "big")) for place in range(first, first + count)])
        cursor.execute("COMMIT")


def served(stack, slug):
    return stack.sql("SELECT served FROM line_served WHERE event_id = %s", event_id(stack, slug))[0][0]


def wait_served(stack, slug, places, seconds=20):
    return wait_until(lambda: served(stack, slug) >= places, f"{slug} to have {places} let in", seconds * PATIENCE)


def snapshot(stack, *queries):
    """Several queries that see one state, while the line moves on."""
    with stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        found = []
        for query in queries:
            cursor.execute(*query)
            found.append(cursor.fetchall())
        return found


def steps_query(number):
    return "SELECT served, at, epoch FROM served_log WHERE event_id = %s ORDER BY served", (number,)


def counts_query(number):
    return "SELECT at, served, rate_count, rate_seconds, reason FROM pace_log WHERE event_id = %s ORDER BY id", (number,)


def steps(stack, slug):
    """served, at, epoch of each step."""
    return stack.sql(*steps_query(event_id(stack, slug)))


def with_steps(counted, rows):
    found = [{"at": at, "served": before, "rate": count / seconds, "reason": reason, "steps": []}
             for at, before, count, seconds, reason in counted]
    for reached, at, _ in rows:
        count = next(each for each in reversed(found) if each["served"] < reached and each["at"] <= at)
        count["steps"].append((reached, at))
    return found


def counts(stack, slug):
    """Each count of the pace with its steps: at, served, rate (per second), reason, [(served, at)]."""
    number = event_id(stack, slug)
    return with_steps(*snapshot(stack, counts_query(number), steps_query(number)))


def log_times(stack, slug, action):
    return [at for (at,) in stack.sql("SELECT at FROM event_log WHERE event_id = %s AND action = %s ORDER BY id",
                                      event_id(stack, slug), action)]


def check(stack, slug):
    """What must always hold: never back, never past the last place, never faster than the pace, only while open."""
    number = event_id(stack, slug)
    rows, counted, head, log = snapshot(
        stack, steps_query(number), counts_query(number),
        ("SELECT served, last FROM line_served JOIN line_counters USING (event_id) WHERE event_id = %s", (number,)),
        ("SELECT action, at FROM event_log WHERE event_id = %s ORDER BY id", (number,)))
    for (before, at_before, epoch_before), (after, at_after, epoch_after) in zip(rows, rows[1:]):
        assert before < after and at_before <= at_after and epoch_before <= epoch_after
    assert head[0][0] == (rows[-1][0] if rows else 0) <= head[0][1]
    for count in with_steps(counted, rows):
        for reached, at in count["steps"]:
            allowed = count["rate"] * (at - count["at"]).total_seconds() + 1
            assert reached - count["served"] <= allowed + 1e-9, f"{reached} is too many at {at} in {count}"
    # Every stretch in which nobody may be let in, by the log of what operators did.
    shut = None
    for action, at in log:
        if action in ("pause", "stop", "close"):
            shut = shut or at
        elif action in ("open", "resume", "start") and shut:
            assert not [row for row in rows if shut <= row[1] < at], f"let in between {shut} and {at}"
            shut = None
    assert not shut or not [row for row in rows if row[1] >= shut], f"let in after {shut}"


def check_not_behind(stack, slug):
    """Never further behind than the tenth of a second after which the count begins anew, however long it runs."""
    for count in counts(stack, slug):
        for reached, at in count["steps"]:
            behind = count["rate"] * (at - count["at"]).total_seconds() - (reached - count["served"])
            assert behind <= count["rate"] * 0.15 * PATIENCE + 1, count["reason"]


def standstill(stack, slug, since):
    """The longest time without a step since a moment, while people were waiting."""
    times = [at for _, at, _ in steps(stack, slug)]
    around = [at for at in times if at < since][-1:] + [at for at in times if at >= since]
    return max((b - a for a, b in zip(around, around[1:])), default=timedelta(0))


def now(stack):
    return stack.sql("SELECT UTC_TIMESTAMP(6)")[0][0]


def leader(stack):
    holder, epoch = stack.sql("SELECT holder, epoch FROM leaders WHERE name = 'admission'")[0]
    return holder, epoch


def pair(stack, **environment):
    """Two admissions, the first of which leads."""
    stack.prepare()
    first = stack.start_admission(environment={"ONSALE_ADMISSION_HOLDER": "first"} | environment)
    first.wait_log("became_leader")
    second = stack.start_admission(environment={"ONSALE_ADMISSION_HOLDER": "second"})
    second.wait_log("standing_by", leader="first")
    return first, second


@contextmanager
def exchange(stack, name):
    """A channel, and the name of a queue bound to an exchange."""
    connection = pika.BlockingConnection(pika.URLParameters(
        f"amqp://{stack.backends.amqp['user']}:{stack.backends.amqp['password']}@{stack.backends.amqp['host']}:"
        f"{stack.backends.amqp['port']}/{stack.vhost}"))
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    if name:
        channel.queue_bind(queue, name)
    try:
        yield channel, queue
    finally:
        connection.close()


def messages(channel, queue, kind, seconds):
    """Everything of one type that comes in so many seconds."""
    found, until = [], time.monotonic() + seconds
    for frame, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.05):
        if frame is not None and json.loads(body)["type"] == kind:
            found.append(json.loads(body))
        if time.monotonic() > until:
            break
    channel.cancel()
    return found


@pytest.fixture
def alone(stack_factory):
    """One admission that leads, and nothing else."""
    stack = stack_factory().prepare()
    stack.start_admission().wait_log("became_leader")
    return stack


# The pace


@pytest.mark.parametrize("pace, seconds", [("10/s", 5), ("200/s", 5), ("5000/s", 3)])
def test_pace_is_exact(alone, pace, seconds):
    alone.event("gala", state="draft", pace=pace)
    arrive(alone, "gala", 20000)
    alone.onsale("open", "gala", expect=0)
    rate = int(pace.split("/")[0])
    wait_served(alone, "gala", rate * seconds, 60)
    alone.onsale("pause", "gala", expect=0)
    check(alone, "gala")
    check_not_behind(alone, "gala")


def test_slow_pace_steps_one_by_one(alone):
    alone.event("gala", pace="120/min")
    arrive(alone, "gala", 10)
    wait_served(alone, "gala", 4)
    rows = steps(alone, "gala")
    assert [reached for reached, _, _ in rows] == list(range(1, len(rows) + 1))
    # Not by the distance of two steps: after a late one, the next is due at its own time all the same.
    check(alone, "gala")
    check_not_behind(alone, "gala")


def test_dial_acts_at_once(alone):
    alone.event("gala", pace="1/h")
    arrive(alone, "gala", 5000)
    wait_served(alone, "gala", 1)
    number = event_id(alone, "gala")
    for pace in ("10/s", "200/s", "1/h", "300/s", "20/s", "100/s"):
        said = alone.onsale_json("rate", "gala", pace)
        assert said["admission"] == "acted", said
    delays = []
    for asked, (detail,) in zip(log_times(alone, "gala", "pace"), [(pace,) for pace in range(6)]):
        acted = alone.sql("SELECT MIN(at) FROM pace_log WHERE event_id = %s AND at >= %s", number, asked)[0][0]
        delays.append((acted - asked).total_seconds())
    assert len(delays) == 6
    assert statistics.median(delays) < 0.1 * PATIENCE, delays
    assert counts(alone, "gala")[-1]["rate"] == 100
    before = served(alone, "gala")
    wait_served(alone, "gala", before + 20)
    check(alone, "gala")


def test_pace_of_zero_and_auto(alone):
    alone.event("gala", pace="0")
    arrive(alone, "gala", 1000)
    alone.admissions[0].wait_log("count_restarted", pace="0")
    assert served(alone, "gala") == 0
    alone.onsale("rate", "gala", "auto:120/min", expect=0)
    wait_served(alone, "gala", 2)
    alone.onsale("rate", "gala", "auto", expect=0)
    wait_served(alone, "gala", 100)
    check(alone, "gala")
    assert [count["rate"] for count in counts(alone, "gala") if count["reason"] == "pace"] == [2, 100]


def test_an_event_that_nobody_understands_harms_no_other(alone):
    alone.event("gala", pace="100/s")
    alone.event("broken", pace="100/s")
    alone.sql("UPDATE events SET pace = 'quick', version = version + 1 WHERE slug = 'broken'")
    alone.expect_errors("event_not_understood")
    alone.admissions[0].wait_log("event_not_understood")
    for slug in ("gala", "broken"):
        arrive(alone, slug, 100)
    wait_served(alone, "gala", 100)
    assert served(alone, "broken") == 0
    alone.sql("UPDATE events SET pace = '50/s', version = version + 1 WHERE slug = 'broken'")
    wait_served(alone, "broken", 100)


def test_many_events_at_once(alone):
    for number in range(8):
        alone.event(f"e{number}", pace=f"{10 * (number + 1)}/s")
        arrive(alone, f"e{number}", 60)
    for number in range(8):
        wait_served(alone, f"e{number}", 60, 30)
        check(alone, f"e{number}")


# The state of the event


def test_only_an_open_event_lets_in(alone):
    alone.event("gala", state="draft", pace="100/s")
    arrive(alone, "gala", 5000)
    alone.onsale("lobby", "gala", expect=0)
    alone.admissions[0].wait_log("state_changed", new="lobby")
    assert served(alone, "gala") == 0
    for shut, on in (("open", None), ("pause", "resume"), ("stop", "start"), ("close", "open")):
        reason = ["--reason", "a test"] if shut == "stop" else []
        alone.onsale(shut, "gala", *reason, expect=0)
        if on:
            halted = served(alone, "gala")
            # Long enough for eighty places to have come due.
            wait_until(lambda at=now(alone): now(alone) - at > 0.8 * SECOND, "some time to pass", 20)
            assert served(alone, "gala") == halted
            alone.onsale(on, "gala", expect=0)
        wait_served(alone, "gala", served(alone, "gala") + 30)
    check(alone, "gala")
    reasons = [count["reason"] for count in counts(alone, "gala")]
    assert reasons.count("open") == 4, reasons


def test_an_empty_line_saves_up_nothing(alone):
    alone.event("gala", pace="20/s")
    wait_until(lambda at=now(alone): now(alone) - at > SECOND, "some time to pass", 20)
    for round_number in range(3):
        before = now(alone)
        arrive(alone, "gala", 3)
        wait_served(alone, "gala", 3 * (round_number + 1))
        # The first alone, and at the next look at the counter; the others when their time comes, says check().
        (first, at, _), *others = [row for row in steps(alone, "gala") if row[1] >= before]
        assert first == 3 * round_number + 1
        assert at - before < SECOND * PATIENCE
        wait_until(lambda at=others[-1][1]: now(alone) - at > 0.4 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 9
    check(alone, "gala")
    assert [count["reason"] for count in counts(alone, "gala")].count("empty") >= 2


def test_max_active(alone):
    alone.event("gala", pace="200/s", max_active=10, turn_seconds=60)
    arrive(alone, "gala", 100)
    wait_served(alone, "gala", 10)
    wait_until(lambda at=now(alone): now(alone) - at > 0.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 10
    # Three who are inside leave, one who is outside does.
    alone.sql("UPDATE arrivals SET left_at = UTC_TIMESTAMP(6) WHERE number IN (2, 3, 5, 50)")
    wait_served(alone, "gala", 13)
    wait_until(lambda at=now(alone): now(alone) - at > 0.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 13
    # The turns of the first ten end.
    alone.sql("UPDATE served_log SET at = at - INTERVAL 1 HOUR WHERE served <= 10")
    wait_served(alone, "gala", 20)
    wait_until(lambda at=now(alone): now(alone) - at > 0.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 20


def test_who_has_tickets_is_no_longer_inside(alone):
    alone.event("gala", pace="200/s", max_active=10, turn_seconds=60)
    arrive(alone, "gala", 100)
    wait_served(alone, "gala", 10)
    number = event_id(alone, "gala")

    def book(place, attempt, state):
        alone.sql("INSERT INTO bookings (event_id, place, attempt, state, revision, currency, customer, created_at, changed_at) "
                  "VALUES (%s, %s, %s, %s, 3, 'EUR', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                  number, place, attempt, state)

    # Who has none may try again; who left is not counted twice.
    for place, attempt, state in ((1, 1, "sold_out"), (2, 1, "refused"), (3, 1, "failed")):
        book(place, attempt, state)
    wait_until(lambda at=now(alone): now(alone) - at > 0.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 10
    book(1, 2, "confirmed")
    book(4, 1, "confirmed")
    alone.sql("UPDATE arrivals SET left_at = UTC_TIMESTAMP(6) WHERE number IN (4, 5)")
    wait_served(alone, "gala", 13)
    wait_until(lambda at=now(alone): now(alone) - at > 0.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 13


def test_max_active_counts_by_the_clock_of_the_event(alone):
    alone.event("gala", pace="200/s", max_active=5, turn_seconds=60)
    arrive(alone, "gala", 100)
    wait_served(alone, "gala", 5)
    # An hour ago, but the event's clock has stood still for most of it: 50 of 60 seconds are used up.
    alone.sql("UPDATE served_log SET at = at - INTERVAL 3600 SECOND")
    alone.sql("UPDATE events SET stopped_us = 3550000000, version = version + 1")
    wait_until(lambda at=now(alone): now(alone) - at > 1.5 * SECOND, "some time to pass", 20)
    assert served(alone, "gala") == 5
    alone.sql("UPDATE events SET stopped_us = 3530000000, version = version + 1")
    wait_served(alone, "gala", 10)


# The timetable


def in_seconds(seconds):
    return (datetime.now(timezone.utc) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_timetable(alone):
    with exchange(alone, "onsale.control") as (channel, queue):
        alone.event("gala", state="draft", pace="100/s", lobby_opens_at=in_seconds(3), opens_at=in_seconds(5),
                    closes_at=in_seconds(7))
        arrive(alone, "gala", 1000)
        wait_until(lambda: log_times(alone, "gala", "close"), "the event to close", 30)
        announced = [message["slug"] for message in messages(channel, queue, "event_changed", 1)]
    row = alone.sql("SELECT lobby_opens_at, opens_at, closes_at, state FROM events")[0]
    assert row[3] == "closed"
    for wanted, action in zip(row, ("lobby", "open", "close")):
        done = log_times(alone, "gala", action)
        assert len(done) == 1 and wanted <= done[0] < wanted + SECOND * PATIENCE, action
    assert announced.count("gala") >= 3
    assert served(alone, "gala") > 50
    check(alone, "gala")
    # Who opens it again after its time is not overruled.
    alone.onsale("open", "gala", expect=0)
    before = served(alone, "gala")
    wait_served(alone, "gala", before + 200)
    assert alone.sql("SELECT state FROM events")[0][0] == "open"


def test_timetable_that_was_missed(stack_factory):
    stack = stack_factory().prepare()
    stack.event("late", state="draft", lobby_opens_at=in_seconds(-60), opens_at=in_seconds(-1))
    stack.start_admission()
    wait_until(lambda: log_times(stack, "late", "open"), "the event to open", 20)
    assert not log_times(stack, "late", "lobby")


# Leaders


def test_standby_takes_over_from_the_dead(stack_factory):
    stack = stack_factory()
    first, second = pair(stack)
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 5000)
    wait_served(stack, "gala", 50)
    since = now(stack)
    first.kill()
    second.wait_log("became_leader")
    wait_served(stack, "gala", served(stack, "gala") + 50)
    assert standstill(stack, "gala", since) < STANDSTILL_MAX
    first.start()
    first.wait_log("standing_by", leader="second")
    check(stack, "gala")
    assert stack.onsale("audit", "gala").code == 0


def test_a_frozen_leader_changes_nothing_when_it_wakes(stack_factory):
    stack = stack_factory()
    first, second = pair(stack)
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 5000)
    wait_served(stack, "gala", 50)
    since = now(stack)
    first.freeze()
    second.wait_log("became_leader")
    wait_until(lambda: now(stack) - since > 5 * SECOND, "five seconds", 30)
    assert standstill(stack, "gala", since) < STANDSTILL_MAX
    _, epoch = leader(stack)
    with exchange(stack, "onsale.feed") as (channel, queue):
        first.resume()
        first.wait_log("standing_by", leader="second")
        heard = messages(channel, queue, "served", 1)
    assert leader(stack) == ("second", epoch)
    assert all(row_epoch == epoch for _, at, row_epoch in steps(stack, "gala") if at > since + STANDSTILL_MAX)
    assert [message for message in heard if message["epoch"] == epoch]
    check(stack, "gala")


def test_a_leader_frozen_inside_a_transaction(stack_factory):
    stack = stack_factory()
    first, second = pair(stack)
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 5000)
    wait_served(stack, "gala", 20)
    with stack.db() as connection, connection.cursor() as cursor:
        # The step waits here with the leader's row locked; frozen like this it holds the lock.
        cursor.execute("BEGIN")
        cursor.execute("SELECT served FROM line_served FOR UPDATE")
        wait_until(lambda: stack.sql("SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() "
                                     "AND info LIKE 'UPDATE line_served%%'")[0][0] > 0, "the step to wait", 20)
        first.freeze()
        cursor.execute("ROLLBACK")
    since = now(stack)
    second.wait_log("became_leader")
    wait_served(stack, "gala", served(stack, "gala") + 20)
    assert next(at for _, at, _ in steps(stack, "gala") if at >= since) - since < STANDSTILL_MAX
    first.resume()
    first.wait_log("standing_by", leader="second")
    check(stack, "gala")


def test_a_leader_cut_off_from_mysql(stack_factory):
    stack = stack_factory()
    proxy = Proxy(stack.backends.mysql["host"], stack.backends.mysql["port"])
    try:
        first, second = pair(stack, ONSALE_MYSQL_HOST="127.0.0.1", ONSALE_MYSQL_PORT=str(proxy.port))
        stack.event("gala", pace="100/s")
        arrive(stack, "gala", 5000)
        wait_served(stack, "gala", 50)
        since = now(stack)
        proxy.hold()
        second.wait_log("became_leader")
        wait_served(stack, "gala", served(stack, "gala") + 50)
        assert standstill(stack, "gala", since) < STANDSTILL_MAX
        assert "MySQL" in first.wait_not_ready()
        proxy.mend()
        first.wait_log("standing_by", leader="second")
        first.wait_ready(30)
        check(stack, "gala")
    finally:
        proxy.close()


def test_ending_the_leader_hands_over_at_once(stack_factory):
    stack = stack_factory()
    first, second = pair(stack)
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 5000)
    wait_served(stack, "gala", 50)
    since = now(stack)
    began = time.monotonic()
    assert first.end() == 0
    assert time.monotonic() - began < 2 * PATIENCE
    second.wait_log("became_leader")
    wait_served(stack, "gala", served(stack, "gala") + 50)
    assert standstill(stack, "gala", since) < SECOND * PATIENCE
    check(stack, "gala")


def test_a_leader_that_cannot_read_the_lines_makes_room(stack_factory):
    """As after an upgrade in the wrong order: it can take the lead, and then do nothing with it."""
    stack = stack_factory().prepare()
    user = stack.users["half"] = stack.users["admission"].replace("admission", "half")
    stack.sql(f"CREATE USER `{user}`@`%` IDENTIFIED BY 'half'")
    stack.sql(f"GRANT SELECT, UPDATE ON `{stack.name}`.leaders TO `{user}`@`%`")
    stack.expect_errors("mysql_away")
    broken = stack.start_admission(wait=False, environment={
        "ONSALE_ADMISSION_MYSQL_USER": user, "ONSALE_ADMISSION_MYSQL_PASSWORD": "half"})
    broken.wait_log("lost_leadership")
    broken.wait_log("mysql_away", number=1142)  # SELECT denied: what is wrong is still told
    healthy = stack.start_admission()
    healthy.wait_log("became_leader", seconds=5 * PATIENCE)
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 500)
    wait_served(stack, "gala", 100)
    assert not healthy.log_lines("lost_leadership")


def test_leaders_in_turn(stack_factory):
    """Five changes of leader: nothing skipped, nothing twice, epochs rise."""
    stack = stack_factory()
    first, second = pair(stack)
    stack.event("gala", pace="50/s")
    arrive(stack, "gala", 5000)
    for _ in range(5):
        wait_served(stack, "gala", served(stack, "gala") + 10)
        holder, epoch = leader(stack)
        leading = first if holder == "first" else second
        leading.kill()
        wait_until(lambda old=epoch: leader(stack)[1] > old, "another epoch", 20 * PATIENCE)
        leading.start()
    wait_served(stack, "gala", served(stack, "gala") + 10)
    check(stack, "gala")
    assert len({epoch for _, _, epoch in steps(stack, "gala")}) >= 5


# MySQL and RabbitMQ away


def test_starts_before_mysql_and_rabbitmq(stack_factory):
    stack = stack_factory(proxied=True).prepare()
    stack.mysql_proxy.cut()
    stack.amqp_proxy.cut()
    admission = stack.start_admission(wait=False)
    admission.wait_log("mysql_away")
    admission.wait_log("rabbitmq_away")
    missing = admission.wait_not_ready()
    assert "MySQL" in missing and "RabbitMQ" in missing
    assert admission.ops("/healthz")[0] == 200
    stack.mysql_proxy.mend()
    admission.wait_log("became_leader")
    wait_until(lambda: "MySQL" not in admission.ops("/readyz")[1], "MySQL to be back", 20)
    assert "RabbitMQ" in admission.ops("/readyz")[1]
    stack.amqp_proxy.mend()
    admission.wait_ready(30)


def test_starts_before_the_tables_are_there(stack_factory):
    stack = stack_factory(program_users=False)
    stack.sql_server = stack.backends.connect()
    with stack.sql_server, stack.sql_server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{stack.name}`")
    stack.expect_errors("mysql_away")
    admission = stack.start_admission(wait=False)
    admission.wait_log("mysql_away", doing="standing by")
    assert "MySQL" in admission.wait_not_ready()
    stack.prepare()
    admission.wait_log("became_leader")
    admission.wait_ready(30)


def test_a_wrong_password_is_said(stack_factory):
    stack = stack_factory().prepare()
    stack.expect_errors("mysql_away")
    right = stack.config["admission"]["mysql_password"]
    admission = stack.start_admission(wait=False, environment={"ONSALE_ADMISSION_MYSQL_PASSWORD": "wrong"})
    line = admission.wait_log("mysql_away", doing="connecting")
    assert line.level == "error" and "denied" in line.fields["text"]
    assert "wrong" not in line.text and right not in line.text
    assert "MySQL" in admission.wait_not_ready()
    # Somebody mends it where MySQL keeps it, and the program goes on without being started again.
    stack.sql(f"ALTER USER `{stack.users['admission']}` IDENTIFIED BY 'wrong'")
    admission.wait_log("became_leader")
    admission.wait_ready(30)


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_a_line_without_tiers_goes_on_without_rabbitmq(stack_factory, how):
    """It is only a gate: nobody orders anything. Of events that sell, test_release.py tells."""
    stack = stack_factory(proxied=True).prepare()
    admission = stack.start_admission()
    admission.wait_log("became_leader")
    stack.event("gala", pace="100/s", tiers=[])
    arrive(stack, "gala", 20000)
    wait_served(stack, "gala", 50)
    since = now(stack)
    getattr(stack.amqp_proxy, how)()
    assert "RabbitMQ" in admission.wait_not_ready(40)
    wait_served(stack, "gala", served(stack, "gala") + 50)
    assert standstill(stack, "gala", since) < SECOND * PATIENCE
    # Changes are noticed without a message, within a second.
    stack.sql("UPDATE events SET pace = '20/s', version = version + 1")
    admission.wait_log("pace_changed", new="20/s")
    with exchange(stack, "onsale.feed") as (channel, queue):
        stack.amqp_proxy.mend()
        admission.wait_ready(30)
        heard = messages(channel, queue, "served", 2)
    assert heard and any(message["full"] for message in heard)
    check(stack, "gala")


def test_mysql_goes_and_comes_back(stack_factory):
    stack = stack_factory(proxied=True).prepare()
    admission = stack.start_admission()
    admission.wait_log("became_leader")
    stack.event("gala", pace="100/s")
    arrive(stack, "gala", 5000)
    wait_served(stack, "gala", 50)
    for round_number in range(2):
        stack.mysql_proxy.cut()
        admission.wait_log("mysql_away")
        assert "MySQL" in admission.wait_not_ready()
        back = now(stack)
        stack.mysql_proxy.mend()
        wait_served(stack, "gala", served(stack, "gala") + 50)
        first = next(at for _, at, _ in steps(stack, "gala") if at > back)
        assert first - back < 2 * SECOND * PATIENCE
        assert leader(stack)[1] == round_number + 2
    admission.wait_ready(30)
    check(stack, "gala")


def test_the_epoch_is_a_fence(alone):
    """Somebody else has the row: not one step more, though the connection is the best."""
    alone.event("gala", pace="200/s")
    arrive(alone, "gala", 5000)
    wait_served(alone, "gala", 20)
    alone.sql("UPDATE leaders SET holder = 'other', epoch = epoch + 1, connection_id = 0, "
              "expires_at = UTC_TIMESTAMP(6) + INTERVAL 2 SECOND")
    halted = served(alone, "gala")
    alone.admissions[0].wait_log("lost_leadership", reason="somebody else leads")
    alone.admissions[0].wait_log("standing_by", leader="other")
    assert served(alone, "gala") == halted
    alone.admissions[0].wait_log("became_leader", epoch=3)
    wait_served(alone, "gala", halted + 20)
    assert {epoch for _, _, epoch in steps(alone, "gala")} == {1, 3}
    check(alone, "gala")


def test_a_killed_connection(alone):
    """An operator's KILL, or a server that drops it: another epoch, nothing lost, nothing twice."""
    alone.event("gala", pace="100/s")
    arrive(alone, "gala", 5000)
    for epoch in (1, 2, 3):
        wait_served(alone, "gala", served(alone, "gala") + 20)
        connection = alone.sql("SELECT connection_id FROM leaders WHERE epoch = %s", epoch)[0][0]
        alone.sql(f"KILL {connection}")
        wait_until(lambda old=epoch: leader(alone)[1] == old + 1, "the next epoch", 20)
    wait_served(alone, "gala", served(alone, "gala") + 20)
    check(alone, "gala")


# Messages


def test_feed(alone):
    with exchange(alone, "onsale.feed") as (channel, queue):
        alone.event("gala", pace="50/s")
        alone.event("soon", state="lobby")
        alone.event("hidden", state="draft")
        arrive(alone, "gala", 60)
        wait_served(alone, "gala", 60)
        heard = messages(channel, queue, "served", 2.5 * PATIENCE)
    assert [message["seq"] for message in heard] == list(range(heard[0]["seq"], heard[0]["seq"] + len(heard)))
    assert {message["epoch"] for message in heard} == {1}
    full = [message for message in heard if message["full"]]
    assert len(full) >= 4
    assert {event["slug"] for event in full[-1]["events"]} == {"gala", "soon"}
    gala = [event for message in heard for event in message["events"] if event["slug"] == "gala"]
    told = [event["served"] for event in gala]
    assert told == sorted(told) and told[-1] == 60
    assert len(set(told)) > 30  # a step, a message; several only when the machine is busy
    assert all(event["served"] <= event["last"] <= 60 for event in gala)
    assert gala[-1]["pace"] == "50/s"
    low, high = gala[-1]["us_per_place"]
    assert 20000 <= low <= high
    soon = next(event for event in full[-1]["events"] if event["slug"] == "soon")
    assert soon["us_per_place"] is None and soon["served"] == 0


def test_acted_is_answered(alone):
    alone.event("gala", pace="10/s")
    with exchange(alone, None) as (channel, queue):
        alone.sql("UPDATE events SET pace = '77/s', version = version + 1")
        version = alone.sql("SELECT version FROM events")[0][0]
        body = json.dumps({"v": 1, "type": "event_changed", "slug": "gala", "version": version})
        channel.basic_publish("onsale.control", "", "this is no message of ours")
        channel.basic_publish("onsale.control", "", body.replace("gala", "nobody"), pika.BasicProperties(reply_to=queue))
        channel.basic_publish("onsale.control", "", body,
                              pika.BasicProperties(reply_to=queue, correlation_id="abc", type="event_changed"))
        for frame, properties, answer in channel.consume(queue, auto_ack=True, inactivity_timeout=10 * PATIENCE):
            assert frame is not None, "no answer came"
            assert json.loads(answer) == {"v": 1, "type": "acted", "slug": "gala", "version": version, "epoch": 1}
            assert properties.correlation_id == "abc"
            break
        channel.cancel()
    assert counts(alone, "gala")[-1]["rate"] == 77 and counts(alone, "gala")[-1]["reason"] == "pace"
    alone.admissions[0].wait_log("message_refused")


def test_forecast_is_in_mysql(alone):
    alone.event("gala", pace="20/s")
    arrive(alone, "gala", 5000)
    number = event_id(alone, "gala")
    wait_served(alone, "gala", 20)

    def forecast():
        return alone.sql("SELECT us_per_place_low, us_per_place_high FROM line_served WHERE event_id = %s", number)[0]

    low, high = forecast()
    assert 50000 <= low <= high
    alone.onsale("pause", "gala", expect=0)
    wait_until(lambda: forecast() == (None, None), "nobody to be able to say", 20)


# The program


def test_metrics(alone):
    alone.event("gala", pace="100/s")
    arrive(alone, "gala", 50)
    wait_served(alone, "gala", 50)
    admission = alone.admissions[0]
    # A step counts its places, then itself, then its time.
    wait_until(lambda: (seen := admission.metrics())["onsale_served_total"] == 50
               and seen["onsale_step_duration_seconds_count"] == seen["onsale_steps_total"], "the last step to be counted", 20 * PATIENCE)
    metrics = admission.metrics()
    assert metrics["onsale_admission_leads"] == 1
    assert metrics["onsale_admission_epoch"] == 1
    assert 1 <= metrics["onsale_steps_total"] <= 50
    assert metrics["onsale_count_restarts_total"] >= 1
    assert metrics["onsale_messages_sent_total"] > 0


def test_configuration(stack_factory):
    stack = stack_factory().prepare()

    def run(*arguments):
        return subprocess.run([BIN / "admission", "--config", stack.config_path, *arguments], capture_output=True,
                              text=True, timeout=20 * PATIENCE, env=stack.environment())

    assert run("--check-config").returncode == 0
    assert "holder" in run("--help").stdout
    stack.config["admission"]["pase"] = "10/s"
    stack.write_config()
    said = run("--check-config")
    assert said.returncode == 2 and "pase" in said.stderr and str(stack.config_path) in said.stderr
