# SPDX-License-Identifier: Apache-2.0
"""Release: the orders of those who were let in reach the booking queue, in the order of places, whatever dies on the way;
and nobody's before that. Orders and arrivals are rows as a waiting room writes them; the queues are read here."""

import json
import random
import threading
import time
from contextlib import contextmanager

import pika
import pymysql
import pytest
from harness.stack import PATIENCE
from processes import wait_until


def event_id(stack, slug="gala"):
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def arrive(stack, count, slug="gala"):
    """So many people join. Visitor ids are made of the place."""
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


INSERT = """INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices, email,
customer, placed_at, changed_at) VALUES (%s, %s, %s, %s, %s, 1, 'floor', 2, 9000, 'EUR', '[]', 'a@example.org', %s,
UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"""


def order(stack, places, slug="gala", attempt=1, state="placed"):
    number = event_id(stack, slug)
    with stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.executemany(INSERT, [(number, place, attempt, place.to_bytes(16, "big"), state, b"c" * 16)
                                    for place in places])
        cursor.execute("COMMIT")


def served(stack, slug="gala"):
    return stack.sql("SELECT served FROM line_served WHERE event_id = %s", event_id(stack, slug))[0][0]


def wait_served(stack, places, slug="gala", seconds=20):
    wait_until(lambda: served(stack, slug) >= places, f"{slug} to have {places} let in", seconds * PATIENCE)


def states(stack, slug="gala"):
    """How many orders are in each state, and noted or not."""
    rows = stack.sql("SELECT state, published, COUNT(*) FROM orders WHERE event_id = %s GROUP BY state, published",
                     event_id(stack, slug))
    return {(state, published): count for state, published, count in rows}


def wait_states(stack, expected, slug="gala", seconds=20):
    wait_until(lambda: states(stack, slug) == expected, f"orders to be {expected}", seconds * PATIENCE)


def now(stack):
    return stack.sql("SELECT UTC_TIMESTAMP(6)")[0][0]


def let_pass(stack, seconds):
    """For what must not happen meanwhile."""
    since = now(stack)
    wait_until(lambda: (now(stack) - since).total_seconds() > seconds, "some time to pass", seconds + 20)


@contextmanager
def channel_of(stack):
    connection = pika.BlockingConnection(pika.URLParameters(
        f"amqp://{stack.backends.amqp['user']}:{stack.backends.amqp['password']}@{stack.backends.amqp['host']}:"
        f"{stack.backends.amqp['port']}/{stack.vhost}"))
    try:
        yield connection.channel()
    finally:
        connection.close()


def take(channel, queue, enough, seconds=20):
    """Reads a queue until there is enough, or time is up; the messages are gone then."""
    found, until = [], time.monotonic() + seconds * PATIENCE
    for frame, properties, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.05):
        if frame is not None:
            assert properties.delivery_mode == 2
            assert properties.type == json.loads(body)["type"]
            found.append(json.loads(body))
        if enough(found) or time.monotonic() > until:
            break
    channel.cancel()
    return found


def queue_of(stack, slug="gala"):
    return f"onsale.bookings.{event_id(stack, slug) % 8}"


def take_books(stack, count, slug="gala", seconds=20):
    """Until so many different orders have been handed over."""
    with channel_of(stack) as channel:
        found = take(channel, queue_of(stack, slug), lambda got: len({key(each) for each in got}) >= count, seconds)
    assert all(each["type"] == "book" and each["event_id"] == event_id(stack, slug) for each in found)
    return found


def take_rest(stack, slug="gala"):
    with channel_of(stack) as channel:
        return take(channel, queue_of(stack, slug), lambda got: False, 0.5)


def key(book):
    return book["place"], book["attempt"]


def first_time(books):
    """Each order where it was handed over first."""
    return list(dict.fromkeys(map(key, books)))


def start(stack, count=1):
    """So many admissions, the first of which leads."""
    stack.prepare()
    for number in range(count):
        program = stack.start_admission(environment={"ONSALE_ADMISSION_HOLDER": f"admission {number}"})
        program.wait_log("standing_by" if number else "became_leader")
    return stack


@pytest.fixture
def alone(stack_factory):
    return start(stack_factory())


@pytest.fixture
def proxied(stack_factory):
    return start(stack_factory(proxied=True))


# Whose order, and when


def test_orders_are_released_with_the_line(alone):
    alone.event("gala", state="draft", pace="200/s")
    arrive(alone, 300)
    order(alone, range(1, 301))
    alone.onsale("open", "gala", expect=0)
    books = take_books(alone, 300)
    assert [key(each) for each in books] == [(place, 1) for place in range(1, 301)]
    assert books[0] == {"v": 1, "type": "book", "slug": "gala", "event_id": event_id(alone), "place": 1, "attempt": 1,
                        "release": 1}
    wait_states(alone, {("released", 1): 300})
    rows = alone.sql("SELECT o.revision, o.release_no, o.released_at >= (SELECT MIN(at) FROM served_log l WHERE l.event_id = "
                     "o.event_id AND l.served >= o.place) FROM orders o")
    assert set(rows) == {(2, 1, 1)}
    assert [int(line.fields["place"]) for line in alone.admissions[0].log_lines("released", slug="gala")] == list(range(1, 301))
    # From being let in to being released: far below the half second after which admission would look by itself.
    delay = alone.sql("SELECT AVG(TIMESTAMPDIFF(MICROSECOND, (SELECT MIN(at) FROM served_log l WHERE l.event_id = o.event_id "
                      "AND l.served >= o.place), o.released_at)) / 1e6 FROM orders o")[0][0]
    assert delay < 0.1 * PATIENCE
    metrics = alone.admissions[0].metrics()
    assert metrics["onsale_released_total"] == 300
    assert 1 <= metrics["onsale_release_batches_total"] <= 300
    assert metrics["onsale_release_batch_seconds_count"] == metrics["onsale_release_batches_total"]
    assert metrics["onsale_oldest_unreleased_seconds"] == 0


def test_nobody_before_the_turn(alone):
    alone.event("gala", pace="0")
    arrive(alone, 100)
    order(alone, range(1, 101))
    alone.onsale("rate", "gala", "100/s", expect=0)
    wait_served(alone, 20)
    alone.onsale("pause", "gala", expect=0)
    let_in = served(alone)
    wait_states(alone, {("released", 1): let_in, ("placed", 0): 100 - let_in})
    let_pass(alone, 1.2)
    assert states(alone) == {("released", 1): let_in, ("placed", 0): 100 - let_in}
    assert [each["place"] for each in take_rest(alone)] == list(range(1, let_in + 1))


def test_only_what_was_not_taken_back(alone):
    alone.event("gala", state="draft", pace="100/s")
    arrive(alone, 20)
    order(alone, range(1, 21))
    alone.sql("UPDATE orders SET state = 'cancelled', revision = 2 WHERE place IN (3, 5, 20)")
    alone.onsale("open", "gala", expect=0)
    wait_served(alone, 20)
    wait_states(alone, {("released", 1): 17, ("cancelled", 0): 3})
    assert [each["place"] for each in take_rest(alone)] == [place for place in range(1, 20) if place not in (3, 5)]


def test_an_order_in_the_turn_is_released_at_once(alone):
    alone.event("gala", pace="100/s")
    arrive(alone, 30)
    wait_served(alone, 30)
    with channel_of(alone) as channel:
        for place in (7, 3, 30):
            order(alone, [place])
            channel.basic_publish("onsale.control", "", json.dumps(
                {"v": 1, "type": "ordered", "slug": "gala", "due": True, "numbers": [place]}))
            began = time.monotonic()
            (book,) = take(channel, queue_of(alone), lambda got: got, 10)
            assert book["place"] == place
            assert time.monotonic() - began < 2 * PATIENCE
        # The message was lost: admission looks by itself.
        order(alone, [8])
        assert take(channel, queue_of(alone), lambda got: got, 10)[0]["place"] == 8
        # The next attempt is another order.
        order(alone, [7], attempt=2)
        assert key(take(channel, queue_of(alone), lambda got: got, 10)[0]) == (7, 2)


def test_many_events_and_many_orders(alone):
    """More than a batch holds, in several events at once, each in its own queue."""
    slugs = ["one", "two", "three"]
    for slug in slugs:
        alone.event(slug, state="draft", pace="50000/s")
        arrive(alone, 1700, slug)
        order(alone, range(1, 1701), slug)
    for slug in slugs:
        alone.onsale("open", slug, expect=0)
    for slug in slugs:
        assert [key(each) for each in take_books(alone, 1700, slug)] == [(place, 1) for place in range(1, 1701)]
        wait_states(alone, {("released", 1): 1700}, slug)


def test_changes_and_releases_at_once(alone):
    """Orders that change while they are released: each is handed over once, and no change is lost or comes too late."""
    alone.event("gala", state="draft", pace="400/s")
    arrive(alone, 800)
    order(alone, range(1, 801))
    number, changes, ending, failures = event_id(alone), dict.fromkeys(range(1, 801), 0), threading.Event(), []

    def change(seed):
        choose = random.Random(seed)
        connection = pymysql.connect(**(alone.backends.mysql | {"database": alone.name}))
        with connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            while not ending.is_set():
                places = sorted(choose.sample(range(1, 801), 5))
                try:
                    cursor.execute("BEGIN")
                    cursor.execute("SELECT place, state FROM orders WHERE event_id = %s AND place IN %s ORDER BY place, attempt "
                                   "FOR UPDATE", (number, places))
                    placed = [place for place, state in cursor.fetchall() if state == "placed"]
                    for place in placed:
                        cursor.execute("UPDATE orders SET quantity = 1 + quantity %% 6, revision = revision + 1 WHERE "
                                       "event_id = %s AND place = %s", (number, place))
                    cursor.execute("COMMIT")
                except pymysql.err.OperationalError as error:
                    if error.args[0] not in (1213, 1205):
                        failures.append(error)
                        return
                    cursor.execute("ROLLBACK")
                    continue
                for place in placed:
                    changes[place, seed] = changes.get((place, seed), 0) + 1

    threads = [threading.Thread(target=change, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    try:
        alone.onsale("open", "gala", expect=0)
        books = take_books(alone, 800, seconds=60)
    finally:
        ending.set()
        for thread in threads:
            thread.join()
    assert not failures
    wait_states(alone, {("released", 1): 800})
    assert [each["place"] for each in books] == list(range(1, 801))
    for place, revision in alone.sql("SELECT place, revision FROM orders"):
        assert revision == 2 + sum(changes.get((place, seed), 0) for seed in range(3))


# Stopped, given back, tried again


def test_a_stopped_event_releases_nothing(alone):
    alone.event("gala", pace="100/s")
    arrive(alone, 20)
    wait_served(alone, 20)
    alone.onsale("stop", "gala", "--reason", "a test", expect=0)
    order(alone, range(1, 11))
    let_pass(alone, 1.2)
    assert states(alone) == {("placed", 0): 10}
    alone.onsale("start", "gala", expect=0)
    assert first_time(take_books(alone, 10)) == [(place, 1) for place in range(1, 11)]


def test_what_was_given_back_is_published_again(alone):
    alone.event("gala", pace="100/s")
    arrive(alone, 20)
    order(alone, range(1, 11))
    wait_served(alone, 20)
    take_books(alone, 10)
    wait_states(alone, {("released", 1): 10})
    alone.onsale("stop", "gala", "--reason", "a test", expect=0)
    # As a booking worker does with what reaches it now.
    alone.sql("UPDATE orders SET published = 0, release_no = release_no + 1 WHERE place IN (2, 4, 9)")
    let_pass(alone, 1.2)
    assert not take_rest(alone)
    order(alone, [1], attempt=2)
    alone.onsale("start", "gala", expect=0)
    books = take_books(alone, 4)
    # What was marked before comes first.
    assert [(each["place"], each["attempt"], each["release"]) for each in books] == [(2, 1, 2), (4, 1, 2), (9, 1, 2), (1, 2, 1)]
    wait_states(alone, {("released", 1): 11})
    assert set(alone.sql("SELECT revision FROM orders")) == {(2,)}
    alone.admissions[0].wait_log("released_again", orders=3, first=2, last=9)


def test_a_late_note_hides_no_give_back(proxied):
    """Given back between the publication and its note: the note is about another release."""
    proxied.event("gala", pace="100/s")
    arrive(proxied, 5)
    wait_served(proxied, 5)
    proxied.amqp_proxy.hold()
    order(proxied, [1])
    wait_states(proxied, {("released", 0): 1})
    proxied.sql("UPDATE orders SET release_no = 2 WHERE place = 1")
    proxied.amqp_proxy.mend()
    books = wait_for_release(proxied, 2)
    assert books[-1]["release"] == 2
    wait_states(proxied, {("released", 1): 1})


def wait_for_release(stack, release):
    with channel_of(stack) as channel:
        return take(channel, queue_of(stack), lambda got: any(each["release"] >= release for each in got))


# What dies on the way


def test_killed_between_marking_and_the_confirm(proxied):
    proxied.event("gala", state="draft", pace="1000/s")
    arrive(proxied, 700)
    order(proxied, range(1, 701))
    proxied.onsale("open", "gala", expect=0)
    wait_served(proxied, 100)
    proxied.amqp_proxy.hold()
    # Something is marked that RabbitMQ cannot have confirmed.
    wait_until(lambda: states(proxied).get(("released", 0)), "marked and not noted", 20)
    before = states(proxied)
    proxied.admissions[0].kill()
    proxied.amqp_proxy.mend()
    proxied.start_admission(environment={"ONSALE_ADMISSION_HOLDER": "second"}).wait_log("became_leader")
    books = take_books(proxied, 700, seconds=40)
    assert first_time(books) == [(place, 1) for place in range(1, 701)]
    wait_states(proxied, {("released", 1): 700})
    assert before[("released", 0)] > 0
    assert set(proxied.sql("SELECT revision, release_no FROM orders")) == {(2, 1)}


def test_killed_between_the_confirm_and_the_note(alone):
    alone.event("gala", pace="100/s")
    arrive(alone, 20)
    order(alone, range(1, 11))
    wait_served(alone, 20)
    take_books(alone, 10)
    wait_states(alone, {("released", 1): 10})
    alone.admissions[0].kill()
    alone.sql("UPDATE orders SET published = 0 WHERE place > 6")  # as if the note had not been made
    order(alone, [1], attempt=2)
    alone.admissions[0].start()
    books = take_books(alone, 5)
    assert [key(each) for each in books] == [(7, 1), (8, 1), (9, 1), (10, 1), (1, 2)]
    wait_states(alone, {("released", 1): 11})


def test_leaders_killed_again_and_again(stack_factory):
    stack = start(stack_factory(), 2)
    stack.event("gala", state="draft", pace="300/s")
    arrive(stack, 2400)
    order(stack, range(1, 2401))
    stack.onsale("open", "gala", expect=0)
    for round_number in range(5):
        wait_served(stack, 200 * (round_number + 1))
        epoch = stack.sql("SELECT epoch FROM leaders")[0][0]
        leading = next(each for each in stack.admissions if each.metrics()["onsale_admission_leads"] == 1)
        leading.kill()
        wait_until(lambda old=epoch: stack.sql("SELECT epoch FROM leaders")[0][0] > old, "another epoch", 20 * PATIENCE)
        leading.start().wait_ready()
    books = take_books(stack, 2400, seconds=60)
    assert first_time(books) == [(place, 1) for place in range(1, 2401)]
    wait_states(stack, {("released", 1): 2400})
    assert set(stack.sql("SELECT revision FROM orders")) == {(2,)}


def test_a_frozen_leader_marks_nothing_when_it_wakes(stack_factory):
    stack = start(stack_factory(), 2)
    first, second = stack.admissions
    stack.event("gala", pace="100/s")
    arrive(stack, 50)
    wait_served(stack, 50)
    order(stack, range(1, 11))
    wait_states(stack, {("released", 1): 10})
    first.freeze()
    second.wait_log("became_leader")
    order(stack, range(11, 21))
    wait_states(stack, {("released", 1): 20}, seconds=30)
    done = len(first.log_lines("released"))
    first.resume()
    # It hears of these as soon as the other one does.
    with channel_of(stack) as channel:
        for place in range(21, 41):
            order(stack, [place])
            channel.basic_publish("onsale.control", "", json.dumps(
                {"v": 1, "type": "ordered", "slug": "gala", "due": True, "numbers": [place]}))
    wait_states(stack, {("released", 1): 40})
    first.wait_log("standing_by", leader="admission 1")
    assert len(first.log_lines("released")) == done
    assert first_time(take_books(stack, 40)) == [(place, 1) for place in range(1, 41)]
    assert stack.sql("SELECT epoch FROM release_fences") == stack.sql("SELECT epoch FROM leaders")


def test_another_leader_is_a_fence(alone):
    """Somebody else has the leaders' row, and has released nothing yet: not one order more is marked, even before the
    thread of the lines knows."""
    alone.event("gala", pace="100/s")
    arrive(alone, 50)
    wait_served(alone, 50)
    number, admission = event_id(alone), alone.admissions[0]
    with channel_of(alone) as channel, alone.db() as connection, connection.cursor() as cursor:
        for place in (1, 2, 3):
            epoch = 2 * place - 1
            cursor.execute("BEGIN")
            cursor.execute("UPDATE leaders SET holder = 'other', epoch = epoch + 1, connection_id = 0, "
                           "expires_at = UTC_TIMESTAMP(6) + INTERVAL 2 SECOND")
            cursor.execute(INSERT, (number, place, 1, place.to_bytes(16, "big"), "placed", b"c" * 16))
            cursor.execute("COMMIT")
            channel.basic_publish("onsale.control", "", json.dumps(
                {"v": 1, "type": "ordered", "slug": "gala", "due": True, "numbers": [place]}))
            admission.wait_log("standing_by", leader="other", epoch=epoch + 1)
            assert alone.sql("SELECT state FROM orders WHERE place = %s", place) == (("placed",),)
            admission.wait_log("became_leader", epoch=epoch + 2)
            wait_states(alone, {("released", 1): place})


# The end of an event


def take_outcomes(stack, count, seconds=20):
    with channel_of(stack) as channel:
        messages = take(channel, "onsale.outcomes", lambda got: sum(len(each["outcomes"]) for each in got) >= count, seconds)
    assert all(len(each["outcomes"]) <= 128 and (each["slug"], each["currency"]) == ("gala", "EUR") for each in messages)
    return [outcome for each in messages for outcome in each["outcomes"]]


@pytest.mark.parametrize("how", ["sold_out", "closed"])
def test_all_open_orders_end_with_the_event(alone, how):
    alone.event("gala", pace="100/s")
    arrive(alone, 3000)
    wait_served(alone, 10)
    alone.onsale("rate", "gala", "0", expect=0)
    order(alone, [1, 2])
    wait_states(alone, {("released", 1): 2})
    order(alone, range(501, 3001))
    if how == "closed":
        alone.onsale("close", "gala", expect=0)
    else:
        alone.sql("UPDATE events SET state = 'sold_out', version = version + 1")
        with channel_of(alone) as channel:
            channel.basic_publish("onsale.control", "", json.dumps(
                {"v": 1, "type": "event_changed", "slug": "gala", "version": 1000}))
    since = time.monotonic()
    outcomes = take_outcomes(alone, 2500)
    assert time.monotonic() - since < 2 * PATIENCE
    end = {"sold_out": {"state": "sold_out"}, "closed": {"state": "refused", "reason": "event_closed"}}[how]
    assert outcomes == [{"place": place, "attempt": 1, "revision": 2, "visitor": f"{place:032x}"} | end
                        for place in range(501, 3001)]
    assert states(alone) == {("released", 1): 2, (end["state"], 0): 2500}
    assert set(alone.sql("SELECT reason, ended_at IS NOT NULL, revision FROM orders WHERE place > 500")) == {
        (end.get("reason"), 1, 2)}
    wait_until(lambda: alone.sql("SELECT COUNT(*) FROM outbox") == ((0,),), "the outbox to be empty", 20 * PATIENCE)
    # An order that slipped in ends too; one that was released before is published as ever.
    alone.sql("UPDATE orders SET published = 0 WHERE place = 2")
    order(alone, [400])
    assert [outcome["place"] for outcome in take_outcomes(alone, 1)] == [400]
    assert [each["place"] for each in take_books(alone, 2)][-1] == 2
    assert alone.admissions[0].metrics()["onsale_orders_ended_total"] == 2501


def test_the_end_does_not_wait_for_rabbitmq(proxied):
    proxied.event("gala", pace="0")
    arrive(proxied, 2000)
    order(proxied, range(1, 2001))
    proxied.amqp_proxy.cut()
    proxied.admissions[0].wait_log("release_rabbitmq_away")
    proxied.onsale("close", "gala", expect=0)
    wait_states(proxied, {("refused", 0): 2000})
    assert proxied.sql("SELECT COUNT(*) FROM outbox")[0][0] >= 2000 / 128
    proxied.amqp_proxy.mend()
    assert sorted(outcome["place"] for outcome in take_outcomes(proxied, 2000)) == list(range(1, 2001))
    wait_until(lambda: proxied.sql("SELECT COUNT(*) FROM outbox") == ((0,),), "the outbox to be empty", 20 * PATIENCE)


# RabbitMQ away


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_orders_wait_for_rabbitmq(proxied, how):
    proxied.event("gala", pace="100/s")
    arrive(proxied, 2000)
    order(proxied, range(1, 2001))
    wait_served(proxied, 50)
    getattr(proxied.amqp_proxy, how)()
    admission = proxied.admissions[0]
    admission.wait_log("lines_held")
    assert "stand still" in admission.wait_not_ready(40)
    halted = served(proxied)
    let_pass(proxied, 1.2)
    assert served(proxied) == halted
    # What nobody can publish is not marked either: its visitors may still change it.
    assert states(proxied).get(("released", 0), 0) <= 500
    back = now(proxied)
    proxied.amqp_proxy.mend()
    admission.wait_log("lines_go_on", seconds=30)
    wait_served(proxied, halted + 200)
    proxied.onsale("pause", "gala", expect=0)
    books = take_books(proxied, served(proxied))
    assert first_time(books) == [(place, 1) for place in range(1, served(proxied) + 1)]
    # It goes on by the dial: nothing of the standstill is made up for.
    rows = proxied.sql("SELECT served, at FROM served_log WHERE served > %s ORDER BY served", halted)
    (first, from_), (last, to) = rows[0], rows[-1]
    assert from_ >= back and last - first <= 100 * (to - from_).total_seconds() + 1
    assert proxied.sql("SELECT COUNT(*) FROM pace_log WHERE reason = 'release'")[0][0] >= 1
    audit = proxied.onsale("audit", "gala", as_json=True).json
    assert all(check["ok"] for check in audit["checks"] if check["n"] in (4, 7)), audit


def test_a_broker_that_takes_no_messages(proxied):
    """Connected, and yet nothing is confirmed; the frozen connection is given up in the end."""
    proxied.event("gala", pace="100/s")
    arrive(proxied, 100)
    wait_served(proxied, 100)
    proxied.amqp_proxy.hold()
    order(proxied, [5])
    proxied.admissions[0].wait_log("lines_held", seconds=20 * PATIENCE)
    proxied.amqp_proxy.mend()
    assert take_books(proxied, 1, seconds=30)[0]["place"] == 5
    proxied.admissions[0].wait_log("lines_go_on", seconds=20)


def test_mysql_goes_and_comes_back(proxied):
    proxied.event("gala", pace="100/s")
    arrive(proxied, 1000)
    order(proxied, range(1, 301))
    for round_number in range(3):
        wait_served(proxied, 50 * (round_number + 1))
        proxied.mysql_proxy.cut()
        proxied.admissions[0].wait_not_ready()
        proxied.mysql_proxy.mend()
    books = take_books(proxied, 300, seconds=40)
    assert first_time(books) == [(place, 1) for place in range(1, 301)]
    wait_states(proxied, {("released", 1): 300})
