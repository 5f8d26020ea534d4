# SPDX-License-Identifier: Apache-2.0
"""The booking worker by itself: orders are put into the database as if released, messages into the queues, and what the
worker makes of them is looked at in the tables, the outcomes and the dead letters."""

import base64
import functools
import hashlib
import json
import threading
import time
from datetime import datetime

import pika
import pytest
from harness.booth import FLOOR, Booth, choice, customer, open_booth, visitor
from harness.stack import BIN, PATIENCE
from processes import wait_until


@pytest.fixture
def booth_factory(stack_factory):
    """A stack of workers alone, with one open event."""
    return functools.partial(open_booth, stack_factory)


@pytest.fixture
def booth(booth_factory):
    return booth_factory()


# What a booking is

def test_an_order_becomes_a_booking(booth):
    booth.book(7, choices=[choice(quantity=2)])
    booth.wait_booked(1)
    row = booth.booking(7)
    reference = row.pop("reference")
    assert row == {"state": "confirmed", "reason": None, "revision": 3, "choice": 0, "tier": "floor", "quantity": 2,
                   "amount": 9000, "currency": "EUR", "customer": customer("visitor7@example.org")}
    assert len(reference) == 9 and reference[4] == "-" and not set(reference) & set("ILOU")
    assert reference == reference.upper()
    assert booth.take("onsale.outcomes", 1) == [{
        "v": 1, "type": "outcomes", "slug": "gala", "currency": "EUR", "outcomes": [{
            "place": 7, "attempt": 1, "revision": 3, "visitor": visitor(7).hex(), "state": "confirmed",
            "reference": reference, "tier": "floor", "quantity": 2, "amount": 9000, "tickets": {"full": 2}}]}]
    assert booth.stack.sql("SELECT sold, held FROM tiers") == ((2, 0),)
    assert booth.stack.sql("SELECT customer, booked FROM customers") == ((customer("visitor7@example.org"), 2),)
    booth.wait_outbox_empty()
    worker = booth.stack.workers[0]
    line = worker.wait_log("booked", place=7)
    assert (line.fields["slug"], line.fields["attempt"], line.fields["state"]) == ("gala", "1", "confirmed")
    assert reference not in worker.log_text() and "@" not in worker.log_text()
    metrics = worker.metrics()
    assert metrics['onsale_bookings_total{state="confirmed"}'] == 1 and metrics["onsale_book_messages_total"] == 1
    booth.check()


def test_alternatives(booth_factory):
    booth = booth_factory(tiers=[
        {"code": "floor", "name": "Floor", "price": 4500, "capacity": 2},
        {"code": "balcony", "name": "Balcony", "prices": [{"code": "adult", "name": "Adult", "amount": 3000},
                                                          {"code": "child", "name": "Child", "amount": 1000}], "capacity": 4}])
    family = {"tier": "balcony", "tickets": {"adult": 2, "child": 1}, "quantity": 3, "amount": 7000}
    booth.order(1, choices=[choice(quantity=2)])
    booth.order(2, choices=[choice("gone"), choice(quantity=1), family])  # floor is full by then
    booth.order(3, choices=[choice("gone"), choice("gone-too")])
    booth.order(4, choices=[choice(quantity=1), family | {"tier": "gone"}])
    booth.order(5, choices=[choice(quantity=7)])  # more than one customer may have
    booth.send(*[booth.message(place) for place in range(1, 6)])
    booth.wait_booked(5)
    rows = {place: booth.booking(place) for place in range(1, 6)}
    assert [(row["state"], row["reason"]) for row in rows.values()] == [
        ("confirmed", None), ("confirmed", None), ("refused", "tier_closed"), ("sold_out", None), ("refused", "customer_limit")]
    assert [rows[2][key] for key in ("choice", "tier", "quantity", "amount")] == [2, "balcony", 3, 7000]
    assert [rows[4][key] for key in ("tier", "quantity", "amount", "reference")] == [None, 0, 0, None]
    told = {place: outcomes[-1] for (place, _), outcomes in booth.outcomes().items()}
    assert told[2]["tickets"] == {"adult": 2, "child": 1} and told[2]["amount"] == 7000
    assert told[3] == {"place": 3, "attempt": 1, "revision": 3, "visitor": visitor(3).hex(), "state": "refused",
                       "reason": "tier_closed"}
    assert "tier" not in told[4] and "reference" not in told[4]
    booth.check()


def test_one_customer_in_many_batches(booth_factory):
    booth = booth_factory(config={"batch_max": 2}, max_per_order=4, max_per_customer=4)
    for place in range(1, 7):
        booth.order(place, email="Ann@Example.org" if place % 2 else " ann@example.ORG ")
    booth.send(*[booth.message(place) for place in range(1, 7)])
    states = booth.wait_booked(6)
    assert [states[place] for place in range(1, 7)] == ["confirmed"] * 4 + ["refused"] * 2
    wait_until(lambda: booth.stack.workers[0].metrics()["onsale_booking_batches_total"] >= 3, "three batches", 20 * PATIENCE)
    # Another event counts anew, and so does another e-mail.
    booth.book(7, email="bob@example.org")
    assert booth.wait_booked(7)[7] == "confirmed"
    booth.check()


def test_places_are_served_in_order(booth_factory):
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": 300}], config={"batch_max": 70})
    booth.order(*range(1, 1001))
    booth.send(*[booth.message(place) for place in range(1, 1001)])
    states = booth.wait_booked(1000)
    assert [states[place] for place in range(1, 1001)] == ["confirmed"] * 300 + ["sold_out"] * 700
    wait_until(lambda: booth.stack.sql("SELECT state FROM events")[0][0] == "sold_out", "the event to be sold out", 20)
    assert booth.stack.sql("SELECT actor, action FROM event_log WHERE action = 'sell_out'")[0][0] == "booking-worker"
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 1001)] and all(len(each) == 1 for each in told.values())
    references = [row[0] for row in booth.stack.sql("SELECT reference FROM bookings WHERE reference IS NOT NULL")]
    assert len(set(references)) == 300
    booth.wait_outbox_empty()
    booth.check()


def test_the_last_place_sells_out_and_knocks(booth):
    connection = pika.BlockingConnection(booth.parameters)
    channel = connection.channel()
    mine = channel.queue_declare("", exclusive=True).method.queue
    channel.queue_bind(mine, "onsale.control")
    booth.book(*range(1, 10))
    booth.wait_booked(9)
    assert booth.stack.sql("SELECT state FROM events") == (("open",),)
    booth.book(10)
    wait_until(lambda: booth.stack.sql("SELECT state FROM events")[0][0] == "sold_out", "the event to be sold out", 20 * PATIENCE)
    heard = []
    def knocked():
        connection.process_data_events(0.01)
        method, _, body = channel.basic_get(mine, auto_ack=True)
        if method is not None:
            heard.append(json.loads(body))
        return any(message["type"] == "event_changed" for message in heard)
    wait_until(knocked, "the knock", 20 * PATIENCE)
    (version,), = booth.stack.sql("SELECT version FROM events")
    assert heard[-1] == {"v": 1, "type": "event_changed", "slug": "gala", "version": version}
    connection.close()
    # Who was released before that hears it all the same.
    booth.book(11)
    assert booth.wait_booked(11)[11] == "sold_out"


# Messages that come twice, or should not have come

def test_twice_changes_nothing(booth):
    booth.order(1, 2, 3)
    one = booth.message(1)
    booth.send(one, one, booth.message(2), one, booth.message(3, release=7))
    booth.wait_booked(3)
    booth.send(one, booth.message(2), booth.message(3), booth.message(1, release=2))
    booth.book(4)
    booth.wait_booked(4)
    assert booth.stack.sql("SELECT sold FROM tiers") == ((4,),)
    assert all(len(each) == 1 for each in booth.outcomes().values())
    assert booth.take("onsale.dead") == []
    worker = booth.stack.workers[0]
    worker.wait_metric("onsale_book_duplicates_total", 6)
    booth.check()


def dead_letters(booth, count):
    letters = booth.take("onsale.dead", count)
    for letter in letters:
        body = base64.urlsafe_b64decode(letter["body"] + "=" * (-len(letter["body"]) % 4))
        assert base64.urlsafe_b64decode(letter["digest"] + "=") == hashlib.sha256(body).digest() or len(body) == 16384
        letter["said"] = body
    return letters


def test_messages_that_say_nothing_useful(booth):
    booth.stack.expect_errors("condemned")
    long = b'{"v":1,"type":"book","slug":"' + b"x" * 300_000 + b'"}'
    bodies = [b"not json at all \xff\x00", b"", b"[1]", b'{"v":1', booth.message(1, v=2).encode(),
              b'{"v":1,"type":"served"}', booth.message(1, type="later").encode(),
              booth.message(0).encode(), booth.message(1, attempt="x").encode(),
              b'{"v":1,"type":"left","slug":"gala","number":3}', long, booth.message(1, event_id=4000000).encode(),
              booth.message(99).encode()]
    booth.order(1, 2)
    booth.order(50, state="cancelled")
    booth.order(51, state="placed")
    booth.send(booth.message(1), *bodies, booth.message(50), booth.message(51), booth.message(2))
    letters = dead_letters(booth, len(bodies) + 2)
    assert booth.wait_booked(2) == {1: "confirmed", 2: "confirmed"}
    by_body = {letter["said"]: letter for letter in letters}
    reasons = [by_body[body[:16384]]["reason"] for body in bodies]
    assert reasons == ["not_json"] * 4 + ["version"] * 7 + ["unknown_event", "no_such_order"]
    for place, why in ((50, "the order was not released"), (51, "the order was not released"), (99, "there is none")):
        letter = by_body[booth.message(place).encode()]
        assert (letter["reason"], letter["event_id"], letter["place"], letter["attempt"], letter["detail"]) == (
            "no_such_order", booth.event_id, place, 1, why)
    assert all(letter["queue"] == booth.queue and letter["detail"] for letter in letters)
    assert by_body[b"not json at all \xff\x00"]["event_id"] == 0
    assert sorted(booth.outcomes()) == [(1, 1), (2, 1)]
    booth.stack.workers[0].wait_metric("onsale_condemned_total", len(letters))
    booth.wait_outbox_empty()
    booth.check()


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", json.dumps([choice(quantity=1) | {"quantity": 2}]),
                                  json.dumps([choice(seats=["A-1"])]), json.dumps([choice("stalls", seats=["A-3", "A-3"])]),
                                  json.dumps([choice()] * 5), '[{"tier":'],
                         ids=["empty", "null", "none", "object", "other-sum", "seats", "other-seats", "five", "half"])
def test_orders_that_say_nothing_useful(booth_module, text):
    booth = booth_module
    booth.stack.expect_errors("condemned")
    last = int(booth.stack.sql("SELECT COALESCE(MAX(place), 0) FROM orders")[0][0])
    booth.order(last + 1, last + 3)
    booth.order(last + 2, text=text)
    booth.send(*[booth.message(last + n) for n in (1, 2, 3)])
    letter, = dead_letters(booth, 1)
    states = booth.wait_booked(last + 3)
    assert [states[last + n] for n in (1, 2, 3)] == ["confirmed", "failed", "confirmed"]
    row = booth.booking(last + 2)
    assert (row["reason"], row["revision"], row["tier"], row["reference"]) == ("broken", 3, None, None)
    assert (letter["reason"], letter["place"], letter["event_id"]) == ("broken_order", last + 2, booth.event_id)
    told = booth.outcomes()[last + 2, 1]
    assert [(each["state"], each["reason"]) for each in told] == [("failed", "broken")]
    booth.check()


@pytest.fixture(scope="module")
def booth_module(module_stack_factory):
    stack = module_stack_factory().start(rooms=0, admissions=0, workers=1)
    stack.event("gala")
    return Booth(stack)


def test_one_that_cannot_be_written_stands_alone_in_the_end(booth_factory):
    """A broken CHECK or the like: the batch is split until the message stands alone; the others are booked."""
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": 1000}])
    booth.stack.expect_errors("condemned")
    booth.stack.sql("CREATE TRIGGER no_37 BEFORE INSERT ON bookings FOR EACH ROW BEGIN IF NEW.place IN (37, 61) AND NEW.state ="
                    " 'confirmed' THEN SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = 'a CHECK'; END IF; END")
    booth.book(*range(1, 101))
    states = booth.wait_booked(100)
    assert {place for place, state in states.items() if state != "confirmed"} == {37, 61}
    assert states[37] == states[61] == "failed"
    letters = dead_letters(booth, 2)
    assert [(letter["place"], letter["reason"]) for letter in letters] == [(37, "broken_order"), (61, "broken_order")]
    assert "a CHECK" in letters[0]["detail"]
    assert booth.stack.sql("SELECT sold FROM tiers") == ((98,),)
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 101)] and all(len(each) == 1 for each in told.values())
    booth.check()


def test_one_that_ends_the_worker_is_found(booth_factory):
    booth = booth_factory(config={"test_crash_place": 5})
    stack, worker = booth.stack, booth.stack.workers[0]
    stack.expect_errors("condemned")
    booth.book(*range(1, 9))
    ends = 0
    def found():
        nonlocal ends
        if not worker.alive():
            ends += 1
            assert worker.process.returncode == -6
            worker.start()
        return len(booth.states()) == 8
    wait_until(found, "the guilty one to be condemned", 60 * PATIENCE)
    assert booth.states() == {place: "failed" if place == 5 else "confirmed" for place in range(1, 9)}
    assert booth.booking(5)["reason"] == "crashed"
    assert 5 <= ends <= 8
    letter, = dead_letters(booth, 1)
    assert (letter["reason"], letter["place"]) == ("crashed", 5)
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 9)] and told[5, 1][0]["reason"] == "crashed"
    assert stack.sql("SELECT COUNT(*) FROM delivery_attempts") == ((0,),)
    booth.check()
    # It goes on as if nothing had been.
    worker.wait_ready()
    booth.book(20)
    assert booth.wait_booked(9)[20] == "confirmed"


# Events that stand still, that are over, that are retried

def test_a_stopped_event_gives_back_and_others_go_on(booth):
    stack = booth.stack
    # Another event of the same queue.
    (next_id,), = stack.sql("SELECT MAX(id) + 1 FROM events")
    stack.sql("ALTER TABLE events AUTO_INCREMENT = %s" % (booth.event_id + 8))
    stack.event("other", tiers=FLOOR)
    other = Booth(stack, "other")
    assert other.queue == booth.queue
    stack.onsale("stop", "gala", "--reason", "a test", expect=0)
    booth.order(1, 2)
    other.order(1, 2)
    booth.send(booth.message(1), other.message(1), booth.message(2), other.message(2), booth.message(2))
    other.wait_booked(2)
    wait_until(lambda: stack.sql("SELECT place, published, release_no FROM orders WHERE event_id = %s ORDER BY place",
                                 booth.event_id) == ((1, 0, 2), (2, 0, 2)), "the orders to be given back", 20)
    assert booth.states() == {}
    worker = stack.workers[0]
    worker.wait_metric("onsale_given_back_total", 2)
    # A late double of the first release gives nothing back again.
    booth.send(booth.message(1))
    worker.wait_metric("onsale_book_messages_total", 6)
    assert stack.sql("SELECT published, release_no FROM orders WHERE event_id = %s AND place = 1", booth.event_id) == ((0, 2),)
    stack.onsale("start", "gala", expect=0)
    booth.send(booth.message(1, release=2), booth.message(2, release=2))
    assert booth.wait_booked(2) == {1: "confirmed", 2: "confirmed"}
    assert booth.booking(1)["revision"] == 3
    booth.check()


def test_paused_is_booked_and_closed_is_refused(booth):
    booth.stack.onsale("pause", "gala", expect=0)
    booth.book(1)
    assert booth.wait_booked(1) == {1: "confirmed"}
    booth.stack.onsale("close", "gala", expect=0)
    booth.book(2)
    assert booth.wait_booked(2)[2] == "refused"
    assert booth.booking(2)["reason"] == "event_closed"
    assert booth.outcomes()[2, 1][0]["reason"] == "event_closed"
    booth.check()


def test_a_retried_booking(booth):
    """What an operator brings back to `released` is booked into the row that is there."""
    booth.stack.expect_errors("condemned")
    booth.order(1, text="broken")
    booth.send(booth.message(1))
    assert booth.wait_booked(1) == {1: "failed"}
    booth.stack.sql("UPDATE bookings SET state = 'released', reason = NULL, revision = revision + 1")
    booth.stack.sql("UPDATE orders SET choices = %s, release_no = 2", json.dumps([choice(quantity=3)]))
    booth.send(booth.message(1, release=2))
    wait_until(lambda: booth.states() == {1: "confirmed"}, "the booking", 20)
    row = booth.booking(1)
    assert (row["revision"], row["tier"], row["quantity"], row["reason"]) == (5, "floor", 3, None)
    wait_until(lambda: [each["revision"] for each in booth.outcomes().get((1, 1), [])][-1:] == [5], "the outcome", 20)
    booth.check()


# Two at once

def test_two_workers_on_one_event(booth_factory):
    """The same orders in two queues, so that two threads book one event at once: each is booked once all the same."""
    booth = booth_factory(workers=2, tiers=[FLOOR[0] | {"capacity": 700}], config={"batch_max": 32})
    booth.order(*range(1, 1001))
    bodies = [booth.message(place) for place in range(1, 1001)]
    queues = [booth.queue, f"onsale.bookings.{(booth.event_id + 1) % 8}", f"onsale.bookings.{(booth.event_id + 2) % 8}"]
    senders = [threading.Thread(target=booth.send, args=bodies if n else bodies[::-1], kwargs={"queue": queue})
               for n, queue in enumerate(queues)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    states = booth.wait_booked(1000, 60)
    assert sorted(states.values()) == ["confirmed"] * 700 + ["sold_out"] * 300
    for queue in queues:
        booth.wait_all_acknowledged(queue)
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 1001)]
    assert all(len({outcome["state"] for outcome in each}) == 1 for each in told.values())
    assert booth.take("onsale.dead") == []
    booth.check()


# Bad luck

def test_killed_in_the_middle(booth_factory):
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": 1500}], config={"batch_max": 50})
    worker = booth.stack.workers[0]
    booth.order(*range(1, 2001))
    booth.send(*[booth.message(place) for place in range(1, 2001)])
    for part in (200, 700, 1200):
        booth.wait_booked(part, 60)
        worker.kill()
        worker.start()
    states = booth.wait_booked(2000, 60)
    assert [states[place] for place in range(1, 2001)] == ["confirmed"] * 1500 + ["sold_out"] * 500
    booth.check()
    # Outcomes that a killed worker did not publish are the sweep's; nobody is told two different things.
    booth.wait_outbox_empty(30)
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 2001)]
    assert all(len({(outcome["revision"], outcome["state"]) for outcome in each}) == 1 for each in told.values())


def test_frozen_with_another_at_hand(booth_factory):
    booth = booth_factory(workers=1, tiers=[FLOOR[0] | {"capacity": 5000}], config={"batch_max": 4})
    first = booth.stack.workers[0]
    wait_until(lambda: len(first.log_lines("subscribed")) == 8, "it to have all queues", 20 * PATIENCE)
    second = booth.stack.start_program("booking-worker")
    booth.order(*range(1, 3001))
    booth.send(*[booth.message(place) for place in range(1, 3001)])
    booth.wait_booked(100)
    first.freeze()
    frozen_at = time.monotonic()
    before = len(booth.states())
    assert before < 3000, "it was too fast for this test"
    wait_until(lambda: second.metrics()['onsale_bookings_total{state="confirmed"}'] > 0, "the other to go on", 20 * PATIENCE)
    booth.wait_booked(3000, 120)  # four at a time, as fast as this machine can
    wait_until(lambda: time.monotonic() - frozen_at > 20, "twenty seconds", 25)
    rows = booth.stack.sql("SELECT * FROM bookings ORDER BY place")
    first.resume()
    first.wait_ready()
    booth.book(4000)
    booth.wait_booked(3001)
    assert booth.stack.sql("SELECT * FROM bookings WHERE place <= 3000 ORDER BY place") == rows
    booth.check()
    assert booth.take("onsale.dead") == []


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_mysql_goes_away_and_comes_back(booth_factory, how):
    booth = booth_factory(proxied=True, tiers=[FLOOR[0] | {"capacity": 5000}], config={"batch_max": 20})
    worker = booth.stack.workers[0]
    booth.order(*range(1, 1001))
    booth.send(*[booth.message(place) for place in range(1, 501)])
    booth.wait_booked(40)
    getattr(booth.stack.mysql_proxy, how)()
    assert "MySQL" in worker.wait_not_ready()
    booth.send(*[booth.message(place) for place in range(501, 1001)])
    wait_until(lambda: worker.log_lines("mysql_away"), "it to say so", 20)
    # Longer than the broker waits for a heartbeat: the batch is kept, and the connection with it.
    cut_until = time.monotonic() + 12
    wait_until(lambda: time.monotonic() > cut_until, "twelve seconds", 20)
    assert not worker.log_lines("rabbitmq_away")
    booth.stack.mysql_proxy.mend()
    worker.wait_ready()
    states = booth.wait_booked(1000)
    assert set(states.values()) == {"confirmed"}
    booth.check()
    assert booth.take("onsale.dead") == []


@pytest.mark.parametrize("number", [1290, 1021, 1114, 1142])
def test_a_server_that_takes_nothing(booth_factory, number):
    """Read-only (1290), a full disk (1021, 1114), a missing right (1142): the batch is kept until it works."""
    booth = booth_factory()
    booth.stack.expect_errors("mysql_away")
    worker = booth.stack.workers[0]
    booth.stack.sql("CREATE TRIGGER no_more BEFORE INSERT ON bookings FOR EACH ROW SIGNAL SQLSTATE '45000'"
                    f" SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'not now'")
    booth.book(1, 2, 3)
    assert "MySQL" in worker.wait_not_ready()
    assert len(worker.log_lines("mysql_away", number=number)) == 1
    assert worker.log_lines("mysql_away")[0].level == ("error" if number == 1142 else "warn")
    assert booth.take("onsale.dead") == [] and booth.take("onsale.outcomes") == []
    booth.stack.sql("DROP TRIGGER no_more")
    assert booth.wait_booked(3) == {1: "confirmed", 2: "confirmed", 3: "confirmed"}
    worker.wait_ready()
    booth.check()


def test_a_reference_that_is_taken(booth):
    """Others are drawn, and the batch is booked as if nothing had been."""
    booth.stack.sql("CREATE TABLE collisions (n INT) ENGINE = MyISAM")  # stays when the transaction is undone
    booth.stack.sql("CREATE TRIGGER taken BEFORE INSERT ON bookings FOR EACH ROW BEGIN IF NEW.place = 2 AND"
                    " (SELECT COUNT(*) FROM collisions) < 3 THEN INSERT INTO collisions VALUES (1); SIGNAL SQLSTATE '23000'"
                    " SET MYSQL_ERRNO = 1062, MESSAGE_TEXT = 'taken'; END IF; END")
    booth.book(1, 2, 3)
    assert set(booth.wait_booked(3).values()) == {"confirmed"}
    worker = booth.stack.workers[0]
    worker.wait_metric("onsale_booking_repeats_total", 3)
    assert not worker.log_lines("mysql_away")
    assert all(len(each) == 1 for each in booth.outcomes().values())
    booth.check()


def test_a_read_only_server(booth_factory, backends):
    if backends.private is None and not __import__("os").environ.get("ONSALE_TEST_OWN_SERVERS"):
        pytest.skip("makes the whole server read-only, which others may be using")
    booth = booth_factory()
    worker = booth.stack.workers[0]
    booth.order(1)
    with backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            booth.send(booth.message(1))
            assert "MySQL" in worker.wait_not_ready()
        finally:
            cursor.execute("SET GLOBAL read_only = 0")
    assert booth.wait_booked(1) == {1: "confirmed"}
    booth.check()


def test_rabbitmq_goes_away_and_comes_back(booth_factory):
    booth = booth_factory(proxied=True, tiers=[FLOOR[0] | {"capacity": 5000}], config={"batch_max": 20})
    worker = booth.stack.workers[0]
    booth.order(*range(1, 1001))
    booth.send(*[booth.message(place) for place in range(1, 1001)])
    booth.wait_booked(40)
    booth.stack.amqp_proxy.cut()
    assert "RabbitMQ" in worker.wait_not_ready()
    booth.stack.amqp_proxy.mend()
    worker.wait_ready()
    booth.wait_booked(1000)
    booth.wait_outbox_empty(20)
    told = booth.outcomes()
    assert sorted(told) == [(place, 1) for place in range(1, 1001)]
    booth.check()


def test_what_somebody_did_not_publish_is_swept(booth):
    booth.stack.sql("INSERT INTO outbox (queue, type, body, created_at) VALUES ('onsale.outcomes', 'outcomes',"
                    " '{\"type\":\"outcomes\",\"v\":1}', UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE)")
    assert booth.take("onsale.outcomes", 1)[0]["v"] == 1
    booth.wait_outbox_empty()


def test_what_another_has_not_committed_is_not_waited_for(booth):
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO outbox (queue, type, body, created_at) VALUES ('onsale.outcomes', 'outcomes', '{}',"
                       " UTC_TIMESTAMP(6))")
        booth.book(7)
        booth.wait_booked(1)
        booth.wait_outbox_empty()
        cursor.execute("ROLLBACK")


def test_an_event_that_nobody_flipped(booth):
    """Who booked the last place died before it said so: the sweep does."""
    booth.stack.sql("UPDATE tiers SET sold = capacity")
    wait_until(lambda: booth.stack.sql("SELECT state FROM events")[0][0] == "sold_out", "the event to be sold out", 20)


# The program

def test_ends_while_it_books(booth_factory):
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": 5000}], config={"batch_max": 4})
    worker = booth.stack.workers[0]
    # Slowly, so that the end comes in the middle however late this test is.
    booth.stack.sql("CREATE TRIGGER slow BEFORE INSERT ON bookings FOR EACH ROW SET @slept = SLEEP(0.01)")
    booth.order(*range(1, 2001))
    booth.send(*[booth.message(place) for place in range(1, 2001)])
    booth.wait_booked(100)
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < 10
    assert len(booth.states()) < 2000
    booth.stack.sql("DROP TRIGGER slow")
    worker.start().wait_ready()
    booth.wait_booked(2000, 60)
    # What was booked before the end was acknowledged: nothing came twice.
    assert worker.metrics().get("onsale_book_duplicates_total", 0) == 0
    booth.check()


def test_several_share_the_queues(booth_factory):
    """Each queue has both, and one that is active; they take them one by one, in a sequence of their own."""
    booth = booth_factory(workers=2)
    wait_until(lambda: all(len(worker.log_lines("subscribed")) == 8 for worker in booth.stack.workers), "both to subscribe", 20 * PATIENCE)
    for worker in booth.stack.workers:
        # Each has a time of its own, 50 ms after the one before. Connecting may make it late, and only that one; so they are
        # counted from the beginning and not from each other.
        for number, line in enumerate(worker.log_lines("subscribed")):
            assert (datetime.fromisoformat(line.time) - worker.started_at).total_seconds() >= 0.05 * number
    def spread():
        for number in range(8):
            found = booth.stack.backends.broker_api("GET", f"/api/queues/{booth.stack.vhost}/onsale.bookings.{number}")
            if [each["active"] for each in found.get("consumer_details", [])].count(True) != 1 or found.get("consumers") != 2:
                return False
        return True
    wait_until(spread, "every queue to have an active consumer and one that waits", 30 * PATIENCE)  # its interface is late by seconds


@pytest.mark.parametrize("section, key, value, words", [
    ("payment", "provider", "stripe", ["[payment] secret_key_file: not given", "[payment] return_url: not given"]),
    ("payment", "provider", "gold", ["[payment] provider", "none, manual or stripe"]),
    ("booking-worker", "batch_max", "0", ["[booking-worker] batch_max", "1"]),
    ("booking-worker", "batch_max", "5000", ["[booking-worker] batch_max", "2048"])])
def test_settings_that_are_refused(stack_factory, section, key, value, words):
    import subprocess
    stack = stack_factory(config={section: {key: value}})
    done = subprocess.run([BIN / "booking-worker", "--config", stack.config_path], capture_output=True, text=True, timeout=20,
                          env=stack.environment())
    assert done.returncode == 2 and all(word in done.stderr for word in words), done.stderr
