# SPDX-License-Identifier: Apache-2.0
"""The notifier by itself: messages are put into its queues, and what it makes of them is heard on the feed and looked at in the tables."""

import base64
import hashlib
import json
import time

import pika
import pytest
from harness.broker import Backends
from harness.stack import PATIENCE, Stack
from processes import wait_until

SECONDS = 20 * PATIENCE


def visitor(place):
    return hashlib.md5(str(place).encode()).digest()


def outcome(place, state="confirmed", revision=3, **more):
    return {"place": place, "attempt": 1, "revision": revision, "visitor": visitor(place).hex(), "state": state} | more


def outcomes(*places, slug="gala", **more):
    return json.dumps({"v": 1, "type": "outcomes", "slug": slug, "currency": "EUR",
                       "outcomes": [outcome(place, **more) for place in places]})


def dead(body=b"what it said", reason="not_json", event_id=0, place=0, **changes):
    def encoded(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    return json.dumps({"v": 1, "type": "dead", "queue": "onsale.bookings.1", "reason": reason, "detail": "somewhere",
                       "event_id": event_id, "place": place, "attempt": 1 if place else 0,
                       "digest": encoded(hashlib.sha256(body).digest()), "body": encoded(body)} | changes)


class Desk:
    """A stack, a pair of ears at the feed, and hands for the queues."""

    def __init__(self, stack):
        self.stack = stack
        amqp = stack.backends.amqp
        # Straight to the broker, never through the proxy.
        self.parameters = pika.URLParameters(f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}")
        self.heard = []
        self.ears = self.connection = None
        self.listen()

    def listen(self):
        self.connection = pika.BlockingConnection(self.parameters)
        self.ears = self.connection.channel()
        self.ears.exchange_declare("onsale.feed", "fanout", durable=True)
        self.queue = self.ears.queue_declare("", exclusive=True).method.queue
        self.ears.queue_bind(self.queue, "onsale.feed")

    def hear(self):
        while True:
            method, properties, body = self.ears.basic_get(self.queue, auto_ack=True)
            if method is None:
                return self.heard
            message = json.loads(body)
            assert properties.type == message["type"]
            self.heard.append(message | {"heard_at": time.monotonic()})

    def passed_on(self):
        return [message for message in self.hear() if message["type"] == "outcomes"]

    def stock(self, slug="gala"):
        return [message for message in self.hear() if message["type"] == "stock" and message["slug"] == slug]

    def places(self):
        return [one["place"] for message in self.passed_on() for one in message["outcomes"]]

    def wait_places(self, places, seconds=SECONDS):
        """Until all of these were heard, however often."""
        wait_until(lambda: set(self.places()) >= set(places), f"outcomes of {len(places)} places", seconds)
        return self.places()

    def send(self, *bodies, queue="onsale.outcomes", type=None, headers=None):
        connection = pika.BlockingConnection(self.parameters)
        channel = connection.channel()
        channel.tx_select()
        for body in bodies:
            channel.basic_publish("", queue, body if isinstance(body, bytes) else body.encode(),
                                  pika.BasicProperties(delivery_mode=2, type=type, headers=headers))
        channel.tx_commit()
        connection.close()

    def count(self, queue):
        """What is ready in a queue."""
        connection = pika.BlockingConnection(self.parameters)
        count = connection.channel().queue_declare(queue, passive=True).method.message_count
        connection.close()
        return count

    def letters(self):
        columns = ("queue", "reason", "detail", "event_id", "place", "attempt", "body", "digest", "state")
        return [dict(zip(columns, row)) for row in
                self.stack.sql(f"SELECT {', '.join(columns)} FROM dead_letters ORDER BY id")]

    def wait_letters(self, count):
        wait_until(lambda: len(self.letters()) >= count, f"{count} dead letters", SECONDS)
        letters = self.letters()
        assert len(letters) == count
        return letters

    def order(self, *places, slug="gala", state="released", release=1, quantity=2):
        with self.stack.db() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, release_no, published, tier, quantity,"
                " amount, currency, choices, email, customer, placed_at, changed_at) SELECT id, %s, 1, %s, %s, 2, %s, 1, 'floor',"
                " %s, 9000, 'EUR', '[]', 'a@example.org', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
                " FROM events WHERE slug = %s",
                [(place, visitor(place), state, release, quantity, slug) for place in places])

    def event_id(self, slug="gala"):
        return self.stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]

    def book(self, place, slug="gala", release=1):
        return json.dumps({"v": 1, "type": "book", "slug": slug, "event_id": self.event_id(slug), "place": place, "attempt": 1,
                           "release": release})

    def bookings(self):
        return dict(self.stack.sql("SELECT place, CONCAT_WS(' ', state, reason, revision) FROM bookings"))


@pytest.fixture
def desk_factory(stack_factory):
    desks = []

    def make(notifiers=1, **options):
        stack = stack_factory(**options).start(rooms=0, admissions=0, notifiers=notifiers)
        stack.event("gala", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 100}])
        desks.append(Desk(stack))
        return desks[-1]

    yield make
    for desk in desks:
        if desk.connection.is_open:
            desk.connection.close()


@pytest.fixture
def desk(desk_factory):
    return desk_factory()


def assert_unbroken(messages):
    """Each sender counts 1, 2, 3, …"""
    seqs = {}
    for message in messages:
        seqs.setdefault(message["sender"], []).append(message["seq"])
    for sender, seen in seqs.items():
        assert seen == list(range(1, len(seen) + 1)), sender
    return seqs


# Outcomes

@pytest.mark.quick
def test_outcomes_are_passed_on_in_order_and_unchanged(desk):
    told = outcome(7, reference="K7QM-4WDP", tier="floor", quantity=2, amount=9000, tickets={"full": 2})
    desk.send(json.dumps({"v": 1, "type": "outcomes", "slug": "gala", "currency": "EUR",
                          "outcomes": [told, outcome(8, "refused", reason="customer_limit")]}))
    desk.send(*[outcomes(place, place + 1) for place in range(100, 1100, 2)])
    assert desk.wait_places(range(100, 1100)) == [7, 8] + list(range(100, 1100))
    messages = desk.passed_on()
    assert messages[0]["outcomes"] == [told, outcome(8, "refused", reason="customer_limit")]
    assert messages[0]["slug"] == "gala" and messages[0]["currency"] == "EUR" and messages[0]["v"] == 1
    assert len(assert_unbroken(messages)) == 1
    notifier = desk.stack.notifiers[0]
    notifier.wait_metric("onsale_outcomes_total", 1002)
    assert notifier.metrics()["onsale_outcome_messages_total"] == 501
    assert notifier.end() == 0
    assert desk.count("onsale.outcomes") == 0


def test_killed_with_messages_on_the_way_nothing_is_lost(desk):
    notifier = desk.stack.notifiers[0]
    for round_ in range(3):
        desk.send(*[outcomes(place) for place in range(1000 * round_ + 1, 1000 * round_ + 1001)])
        notifier.kill()
        notifier.start().wait_ready()
    places = desk.wait_places(range(1, 3001))
    # Doubled perhaps, but what is new comes in order.
    first = list(dict.fromkeys(places))
    assert first == list(range(1, 3001))
    senders = assert_unbroken(desk.passed_on())
    assert notifier.end() == 0 and desk.count("onsale.outcomes") == 0
    assert 1 <= len(senders) <= 4


def test_frozen_in_the_middle_its_messages_go_to_the_other(desk_factory):
    desk = desk_factory(notifiers=2)
    desk.send(outcomes(1))
    desk.wait_places([1])
    active = max(desk.stack.notifiers, key=lambda one: one.metrics()["onsale_outcomes_total"])
    active.freeze()
    desk.send(*[outcomes(place) for place in range(2, 202)])
    places = desk.wait_places(range(1, 202), 40 * PATIENCE)
    assert list(dict.fromkeys(places)) == list(range(1, 202))
    active.resume()
    desk.send(outcomes(500))
    desk.wait_places([500])


def test_of_two_the_other_takes_over(desk_factory):
    desk = desk_factory(notifiers=2)
    desk.send(outcomes(1))
    desk.wait_places([1])
    active = max(desk.stack.notifiers, key=lambda one: one.metrics()["onsale_outcomes_total"])
    active.kill()
    desk.send(*[outcomes(place) for place in range(2, 102)])
    assert list(dict.fromkeys(desk.wait_places(range(1, 102)))) == list(range(1, 102))
    assert len(assert_unbroken(desk.passed_on())) == 2


def test_two_at_once_do_no_harm(desk_factory):
    desk = desk_factory(notifiers=2)
    desk.stack.expect_errors("dead_letter")
    desk.send(*[outcomes(place) for place in range(1, 501)])
    desk.send(*[dead(b"body %d" % number) for number in range(50)], queue="onsale.dead", type="dead")
    assert desk.wait_places(range(1, 501)) == list(range(1, 501))
    desk.wait_letters(50)
    assert len(assert_unbroken(desk.passed_on())) == 1


def test_what_stands_in_the_outbox_goes_out(desk):
    desk.stack.sql("INSERT INTO outbox (queue, type, body, created_at) VALUES ('onsale.outcomes', 'outcomes', %s,"
                   " UTC_TIMESTAMP(6) - INTERVAL 10 SECOND)", outcomes(5))
    desk.wait_places([5])
    wait_until(lambda: desk.stack.sql("SELECT COUNT(*) FROM outbox")[0][0] == 0, "the outbox to be empty", SECONDS)


# Dead letters

def test_a_dead_letter_is_recorded_once(desk):
    desk.stack.expect_errors("dead_letter")
    event_id = desk.event_id()
    told = dead(b"\x00\xff bytes", "broken_order", event_id, 12)
    desk.send(told, told, queue="onsale.dead", type="dead")
    desk.send(dead(b"other"), told, queue="onsale.dead", type="dead")
    letters = desk.wait_letters(2)
    assert letters[0] == {"queue": "onsale.bookings.1", "reason": "broken_order", "detail": "somewhere", "event_id": event_id,
                          "place": 12, "attempt": 1, "body": b"\x00\xff bytes",
                          "digest": hashlib.sha256(b"\x00\xff bytes").digest(), "state": "open"}
    assert letters[1]["event_id"] is None and letters[1]["place"] is None and letters[1]["attempt"] is None
    notifier = desk.stack.notifiers[0]
    wait_until(lambda: desk.count("onsale.dead") == 0, "the queue to be empty", SECONDS)
    assert notifier.end() == 0
    assert len(desk.letters()) == 2 and desk.count("onsale.dead") == 0
    lines = notifier.log_lines("dead_letter")
    assert len(lines) == 2 and lines[0].level == "error"
    assert lines[0].fields["slug"] == "gala" and lines[0].fields["place"] == "12"


BROKEN = [b"not json", b"", b"\xff\xfe\x00", b"[]", b'{"v":1', b'{"v":1,"v":1}']


def test_no_json_in_place_of_outcomes(desk):
    desk.stack.expect_errors("dead_letter")
    other = [b"{}", outcomes(1).replace('"v": 1', '"v": 2').encode(), outcomes(0).encode(),
             outcomes(1, state="unheard_of").encode(), b'{"v":1,"type":"book"}']
    desk.send(*BROKEN, *other, outcomes(9))
    assert desk.wait_places([9]) == [9]
    letters = desk.wait_letters(len(BROKEN) + len(other))
    assert [letter["reason"] for letter in letters] == ["not_json"] * len(BROKEN) + ["version"] * len(other)
    assert [letter["body"] for letter in letters] == BROKEN + other
    assert {letter["queue"] for letter in letters} == {"onsale.outcomes"}
    desk.stack.notifiers[0].wait_metric("onsale_dead_letters_total", len(letters))


def test_no_json_among_the_dead(desk):
    desk.stack.expect_errors("dead_letter")
    other = [dead(digest="short").encode(), dead(v=2).encode(), dead(place=-1).encode(), dead(detail="x" * 501).encode()]
    desk.send(*BROKEN, *other, queue="onsale.dead", type="dead")
    letters = desk.wait_letters(len(BROKEN) + len(other))
    assert [letter["reason"] for letter in letters] == ["not_json"] * len(BROKEN) + ["version"] * len(other)
    assert {letter["queue"] for letter in letters} == {"onsale.dead"}
    assert [letter["digest"] for letter in letters] == [hashlib.sha256(body).digest() for body in BROKEN + other]


def test_what_mysql_cannot_hold_is_recorded_without_what_it_says(desk):
    desk.stack.expect_errors("dead_letter")
    desk.send(dead(b"first", queue="schön"), dead(b"second"), queue="onsale.dead", type="dead")
    letters = desk.wait_letters(2)
    assert (letters[0]["queue"], letters[0]["body"], letters[0]["reason"]) == ("onsale.dead", b"first", "version")
    assert letters[1]["queue"] == "onsale.bookings.1"


def test_a_release_that_rabbitmq_gave_up_on_fails_the_order(desk):
    desk.stack.expect_errors("dead_letter")
    desk.order(1, 2, 3, 4)
    desk.order(5, state="placed")
    desk.order(6, release=2)
    desk.stack.sql("INSERT INTO bookings (event_id, place, attempt, state, revision, currency, customer, created_at, changed_at)"
                   " VALUES (%s, 2, 1, 'confirmed', 3, 'EUR', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)),"
                   " (%s, 3, 1, 'released', 7, 'EUR', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                   desk.event_id(), desk.event_id())
    bodies = [desk.book(place) for place in (1, 2, 3, 5, 6, 77)]
    bodies += [json.dumps(json.loads(bodies[0]) | {"event_id": 9999})]
    desk.send(*bodies, bodies[0], queue="onsale.dead", type="book")
    letters = desk.wait_letters(len(bodies))
    assert {letter["reason"] for letter in letters} == {"returned"}
    assert [letter["place"] for letter in letters] == [1, 2, 3, 5, 6, 77, 1]
    assert letters[0]["queue"] == f"onsale.bookings.{desk.event_id() % 8}" and letters[0]["event_id"] == desk.event_id()
    assert desk.bookings() == {1: "failed crashed 3", 2: "confirmed 3", 3: "failed crashed 8"}
    assert sorted(desk.wait_places([1, 3])) == [1, 3]
    told = {one["place"]: one for message in desk.passed_on() for one in message["outcomes"]}
    assert told[1] == outcome(1, "failed", 3, reason="crashed")
    assert told[3] == outcome(3, "failed", 8, reason="crashed")
    wait_until(lambda: desk.stack.sql("SELECT COUNT(*) FROM outbox")[0][0] == 0, "the outbox to be empty", SECONDS)


def test_rabbitmq_really_gives_up(desk):
    """A queue with a delivery limit of its own, whose consumer always gives back."""
    desk.stack.expect_errors("dead_letter")
    connection = pika.BlockingConnection(desk.parameters)
    channel = connection.channel()
    channel.queue_declare("onsale.test", durable=True, arguments={
        "x-queue-type": "quorum", "x-delivery-limit": 1, "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "onsale.dead", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"})
    desk.send("hopeless", queue="onsale.test", type="book")

    def given_up():
        method, _, _ = channel.basic_get("onsale.test")
        if method is not None:
            channel.basic_nack(method.delivery_tag, requeue=True)
        return len(desk.letters()) == 1
    wait_until(given_up, "the dead letter", SECONDS)
    assert desk.letters()[0]["queue"] == "onsale.test" and desk.letters()[0]["reason"] == "returned"
    connection.close()


# Servers away

def test_mysql_away_dead_letters_wait_and_outcomes_go_on(desk_factory):
    desk = desk_factory(proxied=True)
    desk.stack.expect_errors("dead_letter")
    notifier = desk.stack.notifiers[0]
    desk.stack.mysql_proxy.cut()
    assert "MySQL" in notifier.wait_not_ready()
    desk.send(*[dead(b"body %d" % number) for number in range(30)], queue="onsale.dead", type="dead")
    desk.send(outcomes(1))
    desk.wait_places([1])
    notifier.wait_log("mysql_away")
    assert desk.letters() == [] and not notifier.log_lines("dead_letter")
    desk.stack.mysql_proxy.mend()
    notifier.wait_ready()
    assert [letter["body"] for letter in desk.wait_letters(30)] == [b"body %d" % number for number in range(30)]
    assert notifier.end() == 0 and desk.count("onsale.dead") == 0


def test_ended_while_mysql_is_away_the_letters_stay(desk_factory):
    desk = desk_factory(proxied=True)
    desk.stack.expect_errors("dead_letter")
    notifier = desk.stack.notifiers[0]
    desk.stack.mysql_proxy.cut()
    desk.send(dead(b"kept"), queue="onsale.dead", type="dead")
    notifier.wait_log("mysql_away", at="recorder")
    assert notifier.end() == 0
    assert desk.count("onsale.dead") == 1
    desk.stack.mysql_proxy.mend()
    notifier.start().wait_ready()
    desk.wait_letters(1)


def test_rabbitmq_away(desk_factory):
    desk = desk_factory(proxied=True)
    notifier = desk.stack.notifiers[0]
    desk.stack.amqp_proxy.cut()
    assert "RabbitMQ" in notifier.wait_not_ready()
    desk.send(*[outcomes(place) for place in range(1, 101)])
    desk.stack.amqp_proxy.mend()
    notifier.wait_ready()
    assert list(dict.fromkeys(desk.wait_places(range(1, 101)))) == list(range(1, 101))


def test_rabbitmq_restarted(tmp_path, certificate):
    backends = Backends(tmp_path / "servers", given=False)
    try:
        stack = Stack(backends, tmp_path, certificate)
        try:
            stack.expect_errors("dead_letter")
            stack.start(rooms=0, admissions=0, notifiers=1)
            stack.event("gala")
            desk = Desk(stack)
            desk.connection.close()
            desk.send(*[outcomes(place) for place in range(1, 301)], dead(b"one"))
            desk.send(dead(b"two"), queue="onsale.dead", type="dead")
            backends.private.restart(backends.private.amqp)
            desk.listen()
            stack.notifiers[0].wait_ready(60 * PATIENCE)
            desk.send(*[outcomes(place) for place in range(301, 401)])
            desk.wait_places(range(301, 401))
            desk.wait_letters(2)
            assert stack.notifiers[0].end() == 0
            assert desk.count("onsale.outcomes") == 0
            desk.connection.close()
        finally:
            stack.close()
    finally:
        backends.close()


# Stock

def counted(message):
    return {tier["code"]: (tier["left"], tier["asked"]) for tier in message["tiers"]}


def test_stock_every_second(desk):
    desk.stack.event("fair", tiers=[{"code": "b", "name": "B", "price": 1, "capacity": 5},
                                    {"code": "a", "name": "A", "price": 1, "capacity": 7}])
    desk.stack.event("hidden", state="draft")
    desk.stack.event("gate", tiers=[])
    desk.order(1, 2, state="placed", quantity=2)
    desk.order(3, state="released")
    desk.stack.sql("UPDATE tiers SET sold = 30, held = 5 WHERE code = 'floor'")
    wait_until(lambda: desk.stock() and counted(desk.stock()[-1]) == {"floor": (65, 4)}, "the stock", SECONDS)
    wait_until(lambda: desk.stock("fair"), "the other event's", SECONDS)
    assert counted(desk.stock("fair")[-1]) == {"a": (7, 0), "b": (5, 0)}
    notifier, took = desk.stack.notifiers[0], "onsale_stock_count_duration_seconds_sum"
    seen, before = len(desk.stock()), notifier.metrics()[took]
    wait_until(lambda: len(desk.stock()) >= seen + 5, "five more", SECONDS)
    # Counting takes a twentieth of the time at most, so a slow count is followed by a longer wait.
    longest = 1 + 20 * (notifier.metrics()[took] - before)
    messages = desk.stock()[seen:seen + 5]
    times = [message["at_us"] for message in messages]
    assert times == sorted(set(times))
    steps = [after - before for before, after in zip(times, times[1:])]
    assert all(900_000 < step < (longest + 1.5 * PATIENCE) * 1_000_000 for step in steps), (steps, longest)
    assert not desk.stock("hidden") and not desk.stock("gate")
    desk.stack.onsale("close", "gala", expect=0)
    desk.hear()
    desk.heard.clear()
    wait_until(lambda: len(desk.stock("fair")) >= 3, "more of the other", SECONDS)
    assert len(desk.stock()) <= 1


def test_stock_at_once_when_something_is_booked_but_not_too_often(desk):
    wait_until(lambda: len(desk.stock()) >= 2, "stock", SECONDS)
    desk.heard.clear()
    place = 0

    def steps():
        times = [message["at_us"] for message in desk.stock()]
        return [after - before for before, after in zip(times, times[1:])]

    # Oftener than once a second, where counting takes less than a twentieth of that: what is told each second without being asked for is
    # never nearer than this. Not how often in some seconds: a busy machine counts slowly, and then less often.
    def told():
        nonlocal place
        place += 1
        desk.send(outcomes(place))
        desk.hear()
        return sum(step < 900_000 for step in steps()) >= 8
    wait_until(told, "stock that is told at once", 2 * SECONDS)
    # At most four times a second. The time is that of the count, at most a nineteenth of the distance later than its beginning.
    assert all(step > 230_000 for step in steps()), steps()


def test_a_setting_out_of_range_is_refused(desk):
    desk.stack.config["notifier"]["batch_max"] = 0
    desk.stack.write_config()
    notifier = desk.stack.start_program("notifier", wait=False)
    wait_until(lambda: not notifier.alive(), "it to refuse", SECONDS)
    assert notifier.process.returncode == 2 and "batch_max" in notifier.log_text()
