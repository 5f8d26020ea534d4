# SPDX-License-Identifier: Apache-2.0
"""Bad luck with seats, holds and standby: much that comes back at once, halls that change while they are sold, and several who want the
same thing at the same moment. All of it ends in a clean audit."""

import json
import random
import threading

import pymysql
import pytest
from harness.booth import Booth, choice, open_booth
from harness.stack import PATIENCE
from processes import wait_until

FLOOR = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 4}]


@pytest.fixture
def booth_factory(stack_factory):
    """Workers alone, with an open event and a line of which everybody was let in."""
    def make(tiers=FLOOR, provider="manual", line=60, **more):
        return open_booth(stack_factory, tiers=tiers, payment=provider, line=line, **more)
    return make


def end_all(booth, cursor, last):
    """What Booth.end() does, for the first `last` places at once and without a commit."""
    cursor.execute("INSERT INTO freeings SELECT event_id, place, attempt, state, 1, UTC_TIMESTAMP(6), 0 FROM bookings"
                   " WHERE event_id = %s AND place <= %s", (booth.event_id, last))
    cursor.execute("UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL, changed_at = UTC_TIMESTAMP(6)"
                   " WHERE event_id = %s AND place <= %s", (booth.event_id, last))


def rounds(booth):
    return booth.stack.workers[0].metrics()["onsale_booking_sweep_duration_seconds_count"]


def wait_for_lock_wait(booth):
    """Until a worker waits for a row. (innodb_trx shows something old to who asks more often than ten times a second.)"""
    wait_until(lambda: int(booth.stack.sql("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")[0][1]) > 0, "a worker to wait for a row",
               10 * PATIENCE)


# Much comes back at once

def test_a_newcomer_finds_all_that_came_back(booth_factory):
    """More is cancelled at once than one transaction frees. Who orders just then hears neither that it is sold out nor that the limit is
    reached, although the booking that is in the way is the last to be freed."""
    count = 2500
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": count}], provider="none", line=count, max_per_order=1, max_per_customer=1)
    booth.book(*range(1, count + 1))
    booth.wait_booked(count)
    wait_until(lambda: booth.stack.sql("SELECT state FROM events") == (("sold_out",),), "the event to be sold out", 20 * PATIENCE)
    with booth.stack.db() as connection, connection.cursor() as cursor:  # the batch waits for the event, the sweep sees nothing yet
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM events FOR UPDATE")
        end_all(booth, cursor, count)
        booth.book(count, attempt=2)
        wait_for_lock_wait(booth)
        cursor.execute("COMMIT")
    wait_until(lambda: booth.booking(count, 2), "an answer", 20 * PATIENCE)
    assert booth.booking(count, 2)["state"] == "confirmed"
    booth.audit()


def test_standby_is_not_told_no_while_more_comes_back(booth_factory):
    """Nothing is held any more when the places of thousands come back: those who stand by get them all before anybody hears a no."""
    count = 1500
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": count + 1}], line=2 * count + 1)
    worker = booth.stack.workers[0]
    booth.book(*range(1, count + 1), choices=[choice(amount=0)])
    booth.book(count + 1)
    booth.wait_booked(count + 1)
    booth.book(*range(count + 2, 2 * count + 2), choices=[choice(amount=0)])
    states = booth.wait_booked(2 * count + 1)
    assert [states[place] for place in (1, count, count + 1, count + 2, 2 * count + 1)] == ["confirmed", "confirmed", "held"] + 2 * ["standby"]
    booth.wait_all_acknowledged()
    assert worker.end() == 0
    booth.stack.onsale("booking", "confirm", "gala", str(count + 1))
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        end_all(booth, cursor, count)
        cursor.execute("COMMIT")
    worker.start().wait_ready()
    wait_until(lambda: "standby" not in booth.states().values(), "nobody to stand by", 20 * PATIENCE)
    states = booth.states()
    assert {states[place] for place in range(count + 2, 2 * count + 2)} == {"confirmed"}
    booth.audit()


def test_not_sold_out_while_something_comes_back(booth_factory):
    """The last place is sold, and before the event is marked as sold out, an operator cancels another: it stays on sale, so nobody
    in the line is sent home for a place that is there."""
    booth = booth_factory(provider="none", tiers=[FLOOR[0] | {"capacity": 2}])
    booth.book(1)
    booth.wait_booked(1)
    with booth.stack.db() as state_lock, state_lock.cursor() as line, booth.stack.db() as row_lock, row_lock.cursor() as freeing:
        line.execute("BEGIN")
        line.execute("SELECT last FROM line_counters WHERE event_id = %s FOR UPDATE", (booth.event_id,))
        freeing.execute("BEGIN")
        booth.book(2)
        booth.wait_states({2: "confirmed"})
        freeing.execute("INSERT INTO freeings VALUES (%s, 1, 1, 'confirmed', 1, UTC_TIMESTAMP(6), 0)", (booth.event_id,))
        freeing.execute("UPDATE bookings SET state = 'cancelled', revision = revision + 1 WHERE event_id = %s AND place = 1",
                        (booth.event_id,))
        freeing.execute("COMMIT")
        freeing.execute("BEGIN")
        freeing.execute("SELECT place FROM freeings FOR UPDATE")
        line.execute("COMMIT")
        version, = booth.stack.sql("SELECT version FROM events WHERE id = %s", booth.event_id)
        until = rounds(booth) + 3
        wait_until(lambda: rounds(booth) >= until, "three rounds", 20 * PATIENCE)
        assert booth.stack.sql("SELECT state FROM events WHERE id = %s", booth.event_id) == (("open",),)
        assert booth.stack.sql("SELECT version FROM events WHERE id = %s", booth.event_id) == (version,)
        freeing.execute("COMMIT")
    booth.book(3)
    booth.wait_states({3: "confirmed"})
    booth.audit()


# A hall that changes while it is sold

def hall(rows, seats=14, **marks):
    """The marks are for some of the rows that are sold last, so that much of it may still change."""
    return [{"row": f"R{n}", "seats": f"1-{seats}"} | (marks if n >= 20 and n % 2 else {}) for n in range(rows)]


HALLS = [
    hall(40), hall(46), hall(46, wheelchair=["1"], companion=["2"]), hall(40, blocked=["5", "6", "13", "14"]), hall(40, 16), hall(28),
    hall(40, wheelchair=["7"]), hall(34, blocked=["1", "2", "3", "4"]),
]


class Crowd:
    """Threads that do things to one event until they are told to end; what one of them raises, ends the test."""

    def __init__(self, booth):
        self.booth, self.done, self.threads, self.failed = booth, threading.Event(), [], []

    def start(self, act):
        def run():
            chance = random.Random(act.__name__)
            try:
                while not self.done.is_set():
                    act(chance)
            except Exception as error:
                self.failed.append((act.__name__, error))
        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()

    def join(self):
        self.done.set()
        for thread in self.threads:
            thread.join()
        assert not self.failed, self.failed


def test_a_hall_that_changes_while_everything_happens(booth_factory):
    """Two workers and two queues with the same messages; holds that run out, are given back, confirmed and cancelled, who gives back orders
    again at once; an operator who adds, removes, blocks and marks seats, changes the limits, pauses, stops and opens. Nothing of it has to
    succeed, all of it has to agree in the end."""
    tiers = lambda rows, capacity: [{"code": "floor", "name": "Floor", "price": 4500, "capacity": capacity},
                                    {"code": "stalls", "name": "Stalls", "price": 4500, "rows": rows}]
    last = 1200
    booth = booth_factory(workers=2, tiers=tiers(HALLS[0], 60), line=last, config={"batch_max": 32}, hold_seconds=60)
    stack = booth.stack
    document = json.loads((stack.folder / "event-gala.json").read_text())
    queues = [booth.queue, f"onsale.bookings.{(booth.event_id + 1) % 8}"]
    chance = random.Random(1)
    placed = []

    def place_of(chance):
        return chance.choice(placed[-150:]) if placed else 1

    def apply(chance):
        limit = chance.choice([6, 6, 8, 12])
        stack.apply(document | {"tiers": tiers(chance.choice(HALLS), chance.choice([40, 60, 60, 80])),
                                "max_per_customer": limit}, None)

    def confirm(chance):
        stack.onsale("booking", "confirm", "gala", *[str(place_of(chance)) for _ in range(5)])

    def cancel(chance):
        stack.onsale("booking", "cancel", "gala", str(place_of(chance)))

    def lapse(chance):
        booth.lapse(*[place_of(chance) for _ in range(3)])

    def give_back(chance):
        place = place_of(chance)
        if not booth.booking(place):
            return
        booth.end(place)
        if booth.booking(place)["state"] == "cancelled" and chance.random() < 0.5 and not booth.booking(place, 2):
            try:
                booth.order(place, attempt=2, choices=[choice("stalls", 2)], email=f"who{place % 300}@example.org")
            except pymysql.err.IntegrityError:
                return  # has ordered again already
            for queue in queues:
                booth.send(booth.message(place, 2), queue=queue)

    def stop_and_go(chance):
        stop, go = chance.choice([(("pause",), "resume"), (("stop", "--reason", "wrong prices"), "start")])
        stack.onsale(*stop, "gala")
        stack.onsale("booking", "confirm", "gala", str(place_of(chance)))
        stack.onsale(go, "gala")
        crowd.done.wait(1)

    unbooked = "SELECT COUNT(*) FROM orders o LEFT JOIN bookings b USING (event_id, place, attempt) WHERE published AND b.place IS NULL"

    def publish_again():
        """What came to a stopped event was given back, and admission publishes it again."""
        for place, attempt, release in stack.sql("SELECT place, attempt, release_no FROM orders WHERE NOT published"):
            stack.sql("UPDATE orders SET published = 1 WHERE place = %s AND attempt = %s", place, attempt)
            booth.send(booth.message(place, attempt, release))

    crowd = Crowd(booth)
    for act in (apply, confirm, cancel, lapse, give_back, stop_and_go):
        crowd.start(act)
    try:
        for first in range(1, last + 1, 20):
            for place in range(first, first + 20):
                quantity = chance.randint(1, 6)
                wanted = [choice("stalls", quantity)] if place % 5 else [choice("floor", quantity), choice("stalls", quantity)]
                if place % 11 == 0:
                    wanted = [choice("stalls", 2, seats=[f"R{chance.randrange(46)}-{n}" for n in (5, 6)])]
                if place % 17 == 0:
                    wanted = [choice("stalls", 2, wheelchair=1, companion=1)]
                booth.order(place, choices=wanted, email=f"who{place % 300}@example.org")
                placed.append(place)
            bodies = [booth.message(place) for place in range(first, first + 20)]
            for queue in queues:
                booth.send(*bodies, queue=queue)
            publish_again()
            wait_until(lambda: stack.sql(unbooked)[0][0] < 60 or crowd.failed, "bookings", 30 * PATIENCE)
    finally:
        crowd.join()
    publish_again()
    wait_until(lambda: stack.sql(unbooked)[0][0] == 0, "the rest", 60 * PATIENCE)
    for queue in queues:
        booth.wait_all_acknowledged(queue)
    # Every seat is known to whoever serves standby: who still stands by is for more than is left, or for what is kept for others.
    stack.apply(document | {"tiers": tiers(hall(46, 16), 80)})
    wait_until(lambda: stack.sql("SELECT COUNT(*) FROM bookings b JOIN tiers t ON t.event_id = b.event_id AND t.code = b.standby_tier"
                                 " JOIN orders o ON o.event_id = b.event_id AND o.place = b.place AND o.attempt = b.attempt"
                                 " WHERE b.standby_quantity + t.held + t.sold <= t.capacity"
                                 " AND o.choices NOT LIKE '%%wheelchair%%' AND %s", 1)[0][0] == 0, "standby to be served", 20 * PATIENCE)
    booth.audit()
    assert {"confirmed", "expired", "cancelled", "standby", "refused"} <= {state for state, in stack.sql("SELECT DISTINCT state FROM bookings")}
    assert stack.sql("SELECT layout FROM tiers WHERE code = 'stalls'")[0][0] > 5
    assert {"apply", "stop", "pause"} <= {action for action, in stack.sql("SELECT DISTINCT action FROM event_log")}
    assert not [line for worker in stack.workers for line in worker.log_text().splitlines() if "level=error" in line]


# Who keeps others waiting

def test_an_event_that_cannot_be_swept_keeps_no_other_waiting(booth_factory):
    """Somebody holds the tiers of one event for long; what is held in another, which comes after it, runs out all the same."""
    booth = booth_factory()
    booth.stack.event("later", tiers=FLOOR)
    later = Booth(booth.stack, "later")
    later.line(10)
    booth.book(1)
    booth.wait_states({1: "held"})
    later.book(1)
    later.wait_states({1: "held"})
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT code FROM tiers WHERE event_id = %s FOR UPDATE", (booth.event_id,))
        booth.lapse(1)
        wait_for_lock_wait(booth)
        later.lapse(1)
        later.wait_states({1: "expired"}, 20)
        assert booth.states() == {1: "held"}
        # It says why: an error may come in the place of a row.
        booth.stack.workers[0].wait_log("mysql_away", at="sweep", number="1205", error="transient")
        cursor.execute("COMMIT")
    booth.wait_states({1: "expired"}, 20)
    booth.audit()
    later.audit()


def test_a_worker_that_freezes_in_the_middle_of_a_sweep(booth_factory):
    """It has let the hold go and waits for a booking in standby when it freezes, with the tiers and its memory of the hall in its hands.
    MySQL lets go of its locks, another does the work, and on waking it changes nothing and gives no seat twice."""
    tiers = [{"code": "stalls", "name": "Stalls", "price": 4500, "rows": [{"row": "A", "seats": "1-6"}, {"row": "B", "seats": "1-2"}]}]
    booth = booth_factory(workers=2, tiers=tiers)
    frozen, other = booth.stack.workers
    other.end()
    booth.book(1, choices=[choice("stalls", 6)])
    booth.wait_states({1: "held"})
    booth.book(2, choices=[choice("stalls", 4)])
    booth.wait_states({2: "standby"})
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT state FROM bookings WHERE event_id = %s AND place = 2 FOR UPDATE", (booth.event_id,))
        booth.lapse(1)
        wait_for_lock_wait(booth)
        frozen.freeze()
        cursor.execute("COMMIT")
    other.start()
    booth.wait_states({1: "expired", 2: "held"}, 20)
    booth.book(3, choices=[choice("stalls", 2)])
    booth.book(4, choices=[choice("stalls", 2)])
    booth.wait_states({3: "held", 4: "held"}, 40)
    frozen.resume()
    booth.end(2)
    booth.wait_freed()
    until = frozen.metrics()["onsale_booking_sweep_duration_seconds_count"] + 3
    wait_until(lambda: frozen.metrics()["onsale_booking_sweep_duration_seconds_count"] >= until, "three rounds", 20 * PATIENCE)
    other.end()
    booth.book(5, choices=[choice("stalls", 4)])
    booth.wait_states({5: "held"}, 30)
    assert sorted(name for place in (3, 4, 5) for name in booth.seats(place)) == sorted([f"A-{n}" for n in range(1, 7)] + ["B-1", "B-2"])
    booth.wait_outbox_empty(20)
    told = booth.outcomes()
    assert {each["state"] for each in told[1, 1]} == {"held", "expired"} and {each["revision"] for each in told[1, 1]} == {3, 4}
    booth.audit()
