# SPDX-License-Identifier: Apache-2.0
"""Bad luck with seats, holds and standby: much that comes back at once, halls that change while they are sold, and several who want the
same thing at the same moment. All of it ends in a clean audit."""

import pytest
from harness.booth import Booth, choice
from harness.stack import PATIENCE
from processes import wait_until

FLOOR = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 4}]


@pytest.fixture
def booth_factory(stack_factory):
    """Workers alone, with an open event and a line of which everybody was let in."""
    def make(workers=1, config=None, tiers=None, provider="manual", line=60, **event):
        stack = stack_factory(config={"booking-worker": config or {}, "payment": {"provider": provider}})
        stack.start(rooms=0, admissions=0, workers=workers)
        stack.event("gala", tiers=tiers or FLOOR, **event)
        booth = Booth(stack)
        booth.line(line)
        return booth
    return make


def end_all(booth, cursor, last):
    """What Booth.end() does, for the first `last` places at once and without a commit."""
    cursor.execute("INSERT INTO freeings SELECT event_id, place, attempt, state, 1, UTC_TIMESTAMP(6) FROM bookings"
                   " WHERE event_id = %s AND place <= %s", (booth.event_id, last))
    cursor.execute("UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL, changed_at = UTC_TIMESTAMP(6)"
                   " WHERE event_id = %s AND place <= %s", (booth.event_id, last))


def rounds(booth):
    return booth.stack.workers[0].metrics()["onsale_booking_sweep_duration_seconds_count"]


# Much comes back at once

def test_a_newcomer_finds_all_that_came_back(booth_factory):
    """More is cancelled at once than one transaction frees. Who orders just then hears neither that it is sold out nor that the limit is
    reached, although the booking that is in the way is the last to be freed."""
    count = 2500
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": count}], provider="none", line=count, max_per_order=1, max_per_customer=1)
    booth.book(*range(1, count + 1))
    booth.wait_booked(count)
    wait_until(lambda: booth.stack.sql("SELECT state FROM events") == (("sold_out",),), "the event to be sold out", 10 * PATIENCE)
    with booth.stack.db() as connection, connection.cursor() as cursor:  # the batch waits for the event, the sweep sees nothing yet
        cursor.execute("BEGIN")
        cursor.execute("SELECT id FROM events FOR UPDATE")
        end_all(booth, cursor, count)
        booth.book(count, attempt=2)
        wait_until(lambda: booth.stack.sql("SELECT 1 FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"),
                   "the batch to wait", 10 * PATIENCE)
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
        freeing.execute("INSERT INTO freeings VALUES (%s, 1, 1, 'confirmed', 1, UTC_TIMESTAMP(6))", (booth.event_id,))
        freeing.execute("UPDATE bookings SET state = 'cancelled', revision = revision + 1 WHERE event_id = %s AND place = 1",
                        (booth.event_id,))
        freeing.execute("COMMIT")
        freeing.execute("BEGIN")
        freeing.execute("SELECT place FROM freeings FOR UPDATE")
        line.execute("COMMIT")
        version, = booth.stack.sql("SELECT version FROM events WHERE id = %s", booth.event_id)
        until = rounds(booth) + 3
        wait_until(lambda: rounds(booth) >= until, "three rounds", 10 * PATIENCE)
        assert booth.stack.sql("SELECT state FROM events WHERE id = %s", booth.event_id) == (("open",),)
        assert booth.stack.sql("SELECT version FROM events WHERE id = %s", booth.event_id) == (version,)
        freeing.execute("COMMIT")
    booth.book(3)
    booth.wait_states({3: "confirmed"})
    booth.audit()
