# SPDX-License-Identifier: Apache-2.0
"""onsale audit on seats, holds, standby and what waits to be freed: rows that are in order hold; each is broken by hand, and just
that check says so."""

import pytest

from integration.test_audit_orders import Rows, broken, customer
from integration.test_schemas import check

AT = "TIMESTAMP('2026-11-23 10:{}')"
LAST = 12


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


def choice(tier, quantity, amount, **more):
    return {"tier": tier, "tickets": {"full": quantity}, "quantity": quantity, "amount": amount} | more


@pytest.fixture
def rows(prepared, request):
    """A hall of A-1 to A-10, of which A-1 is for a wheelchair, A-2 for a companion, A-10 blocked; a floor of six places. Places 1 to
    12 were let in: seats held (1), paying (2), sold to a wheelchair and a companion (3), given back and not free yet (4), run out (5);
    floor held (6), declined (7), standing by (8), gave standby back (9), sold and cancelled, not free yet (10), free (11), standby for
    seats (12)."""
    slug = "s-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:].strip("-").lower()
    prepared.event(slug, state="draft", tiers=[
        {"code": "floor", "name": "Floor", "price": 4500, "capacity": 6}, {"code": "back", "name": "Back", "price": 2000, "capacity": 20},
        {"code": "stalls", "name": "Stalls", "price": 4500,
         "rows": [{"row": "A", "seats": "1-10", "wheelchair": ["1"], "companion": ["2"], "blocked": ["10"]}]}])
    rows = Rows(prepared, slug)
    rows.run("DELETE FROM event_log WHERE event_id = {e}",
             *(f"INSERT INTO event_log (event_id, at, actor, action) VALUES ({{e}}, {AT.format(when)}, 'a', '{action}')"
               for action, when in (("create", "00:00"), ("open", "00:00.5"), ("pause", "01:00"))),
             "UPDATE events SET state = 'paused', lobby_size = 0 WHERE id = {e}",
             f"UPDATE line_counters SET last = {LAST} WHERE event_id = {{e}}",
             "UPDATE leaders SET epoch = GREATEST(epoch, 5)",
             *(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ({{e}}, {n}, "
               f"UNHEX(MD5(CONCAT({{e}}, ':', {n}))), {AT.format('00:00.7')})" for n in range(1, LAST + 1)),
             f"INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) VALUES ({{e}}, "
             f"{AT.format('00:01')}, 0, 3, '1/s', 1, 1, 'open')",
             *(f"INSERT INTO served_log VALUES ({{e}}, {n}, {AT.format(f'00:{n:02}')}, 3, 0)" for n in range(1, LAST + 1)),
             f"UPDATE line_served SET served = {LAST}, epoch = 3 WHERE event_id = {{e}}")
    for place in (1, 2, 4, 5, 12):
        rows.order(place, tier="stalls", quantity=4 if place == 12 else 2)
    rows.order(3, tier="stalls", choices=[choice("stalls", 2, 9000, wheelchair=1, companion=1)])
    for place in (6, 7, 8, 10, 11):
        rows.order(place)
    rows.order(9, choices=[choice("stalls", 2, 9000), choice("floor", 3, 13500)])
    rows.booking(1, "held", tier="stalls", seats=["A-3", "A-4"])
    rows.booking(2, "paying", tier="stalls", seats=["A-5", "A-6"], revision=4)
    rows.booking(3, tier="stalls", seats=["A-2", "A-1"], revision=5)
    rows.booking(4, "held", tier="stalls", seats=["A-7", "A-8"])
    rows.booking(5, "expired", tier="stalls", revision=4, counted=False)
    rows.booking(6, "held")
    rows.booking(7, "declined", revision=5)
    rows.booking(8, "standby")
    rows.booking(9, "standby", quantity=3, choice=1)
    rows.booking(10)
    rows.booking(11, "cancelled", revision=4, counted=False)
    rows.booking(12, "standby", tier="stalls", quantity=4)
    for place, was in ((4, "held"), (9, "standby"), (10, "confirmed")):
        rows.run(f"UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL, standby_tier = NULL, "
                 f"standby_quantity = 0 WHERE event_id = {{e}} AND place = {place}",
                 f"INSERT INTO freeings VALUES ({{e}}, {place}, 1, '{was}', 0, UTC_TIMESTAMP(6), 0)")
    rows.run("INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor) VALUES ({e}, 3, 1, 5, 'confirmed', "
             "UTC_TIMESTAMP(6), 'onsale ada@desk')",
             "INSERT INTO payments (event_id, place, attempt, number, state, payment_method, amount, currency, idempotency_key, intent, "
             "next_attempt_at, created_at, changed_at) SELECT event_id, place, attempt, 1, 'confirming', 'x', amount, currency, "
             "MD5(UUID()), UUID(), '2099-01-01', created_at, changed_at FROM bookings WHERE event_id = {e} AND place = 2")
    report = prepared.onsale_json("audit", slug)
    check("audit", report)
    assert report["ok"] and report["open"] == {
        "placed": 0, "released": 0, "held": 2, "paying": 1, "action_required": 0, "declined": 1, "standby": 2, "freeings": 3,
        "payments": 1, "outbox": 0, "dead_letters": 0}, report
    yield rows
    rows.run("DELETE FROM taken_seats WHERE event_id = {e}", "DELETE FROM freeings WHERE event_id = {e}")


BOOKING = "UPDATE bookings SET {} WHERE event_id = {{e}} AND place = {}"
CASES = {
    "held": (1, "UPDATE tiers SET held = held - 1 WHERE event_id = {e} AND code = 'stalls'",
             "stalls: 5 held, 2 sold and 1 in standby, but its bookings have 6, 2 and 1"),
    "sold and not free": (1, "UPDATE tiers SET sold = 0 WHERE event_id = {e} AND code = 'floor'", "bookings have 4, 2 and 2"),
    "standby": (1, "UPDATE tiers SET standby = 1 WHERE event_id = {e} AND code = 'floor'", "4 held, 2 sold and 1 in standby"),
    "freed, and still counted": (1, "DELETE FROM freeings WHERE event_id = {e} AND place = 9; UPDATE customers SET booked = 0 WHERE "
                                    "event_id = {e} AND booked = 3", "2 in standby, but its bookings have 4, 2 and 1"),
    "nobody's seat": (1, "INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 99, 1)", "seat A-9 of the tier stalls, place 99"),
    "seat of another attempt": (1, "INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 6, 2)", "there is no booking"),
    "seat of who has none": (1, "INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 5, 1)", "has no places any more"),
    "seat of who stands": (1, "INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 6, 1)", "another tier"),
    "a seat too many": (1, "INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 1, 1)", "names other seats"),
    "a seat too few": (1, "DELETE FROM taken_seats WHERE event_id = {e} AND seat_name = '3'", "place 1: the booking names other"),
    "another seat": (1, "UPDATE taken_seats SET seat_name = '9' WHERE event_id = {e} AND seat_name = '3'", "names other seats"),
    "no names": (1, BOOKING.format("seats = NULL", 1), "names other seats"),
    "a name twice": (1, BOOKING.format("seats = '[\"A-3\",\"A-3\"]'", 1), "names other seats"),
    "seats for fewer": (1, BOOKING.format("seats = '[\"A-3\",\"A-4\",\"A-9\"]'", 1) +
                        "; INSERT INTO taken_seats VALUES ({e}, 'stalls', 'A', '9', 1, 1)", "3 seats for 2 tickets"),
    "freed too early": (1, "DELETE FROM taken_seats WHERE event_id = {e} AND place = 4", "place 4: the booking names other"),
    "no such seat": (1, "DELETE FROM seats WHERE event_id = {e} AND seat_name = '3'; UPDATE tiers SET capacity = 8 WHERE "
                        "event_id = {e} AND code = 'stalls'", "the hall has no such seat"),
    "blocked": (1, "UPDATE seats SET blocked = 1 WHERE event_id = {e} AND seat_name = '3'; UPDATE tiers SET capacity = 8 WHERE "
                   "event_id = {e} AND code = 'stalls'", "seat A-3 of the tier stalls, place 1: it is blocked"),
    "wheelchair": (1, "UPDATE seats SET wheelchair = 1 WHERE event_id = {e} AND seat_name = '3'", "place 1 has 1 wheelchair and 0"),
    "companion": (1, "UPDATE seats SET companion = 1 WHERE event_id = {e} AND seat_name = '3'", "place 1 has 0 wheelchair and 1"),
    "more than needed": (1, "UPDATE seats SET wheelchair = 1, companion = 0 WHERE event_id = {e} AND seat_name = '2'",
                         "place 3 has 2 wheelchair and 0"),
    "customer in standby": (2, "UPDATE customers SET booked = 0 WHERE event_id = {e} AND customer = UNHEX('" +
                            customer("v8@example.org").hex() + "')", "0 tickets are counted, the bookings have 2"),
    "customer whose standby is not freed": (2, "UPDATE customers SET booked = 0 WHERE event_id = {e} AND booked = 3",
                                            "0 tickets are counted, the bookings have 3"),
    "customer whose places are not freed": (2, "UPDATE customers SET booked = 0 WHERE event_id = {e} AND customer = UNHEX('" +
                                            customer("v10@example.org").hex() + "')", "0 tickets are counted, the bookings have 2"),
    "expired at once": (5, BOOKING.format("revision = 3", 5), "revision 3 cannot be expired"),
    "declined at once": (5, BOOKING.format("revision = 4", 7), "revision 4 cannot be declined"),
    "no reference": (5, BOOKING.format("reference = NULL", 6), "place 6: has places without a reference"),
    "what is waited for": (5, BOOKING.format("standby_quantity = 3", 12) + "; UPDATE customers SET booked = 3 WHERE event_id = {e} "
                           "AND booked = 4", "place 12: what was booked is none"),
    "held for ever": (5, "SET check_constraint_checks = 0; " + BOOKING.format("pay_until = NULL", 6), "place 6: is held for ever"),
    "run out": (5, BOOKING.format("pay_until = UTC_TIMESTAMP(6) - INTERVAL 61 SECOND", 6), "place 6: the hold has run out"),
    "declined and run out": (5, BOOKING.format("pay_until = UTC_TIMESTAMP(6) - INTERVAL 61 SECOND", 7), "place 7: the hold"),
    "never freed": (5, "UPDATE freeings SET ended_at = ended_at - INTERVAL 61 SECOND WHERE event_id = {e} AND place = 4",
                    "place 4: the booking has ended, and its places are not free yet"),
    "freeing of nothing": (5, "INSERT INTO freeings VALUES ({e}, 99, 1, 'held', 0, UTC_TIMESTAMP(6), 0)", "place 99 is to be freed"),
    "freeing of who has it": (5, "INSERT INTO freeings VALUES ({e}, 6, 1, 'held', 0, UTC_TIMESTAMP(6), 0)",
                              "place 6 is to be freed from held, and its booking is held"),
    "freed from what has nothing": (5, "INSERT INTO freeings VALUES ({e}, 11, 1, 'sold_out', 0, UTC_TIMESTAMP(6), 0)",
                                    "place 11 is to be freed from sold_out"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_check_sees_what_breaks_it(rows, case):
    n, statements, words = CASES[case]
    rows.run(statements)
    found = broken(rows)
    assert set(found) == {n} and any(words in text for text in found[n]), found


def test_no_seat_twice(rows):
    with pytest.raises(Exception, match="Duplicate"):
        rows.run("INSERT INTO taken_seats VALUES ({e}, 'stalls', 'a', '3', 6, 1)")


def test_holds_run_by_the_events_clock(rows):
    """While the event is stopped nothing runs out, and afterwards the stop does not count. Who pays keeps the places."""
    rows.run(BOOKING.format("pay_until = UTC_TIMESTAMP(6) - INTERVAL 1 HOUR", 6),
             BOOKING.format("pay_until = UTC_TIMESTAMP(6) - INTERVAL 1 HOUR", 2),
             "UPDATE freeings SET ended_at = ended_at - INTERVAL 61 SECOND WHERE event_id = {e}",
             "UPDATE events SET state = 'stopped' WHERE id = {e}")
    assert broken(rows) == {}
    rows.run("UPDATE events SET state = 'paused', stopped_us = 3600000000 WHERE id = {e}",
             "UPDATE freeings SET ended_at = UTC_TIMESTAMP(6) WHERE event_id = {e}")
    assert broken(rows) == {}
    rows.run("UPDATE events SET stopped_us = 3500000000 WHERE id = {e}")
    assert [text.split(":")[0] for text in broken(rows)[5]] == ["place 6"]


FREED = ("DELETE FROM freeings WHERE event_id = {e}; DELETE FROM taken_seats WHERE event_id = {e} AND place = 4; "
         "UPDATE customers SET booked = 0 WHERE event_id = {e} AND customer IN (SELECT customer FROM bookings WHERE event_id = {e} AND "
         "place IN (4, 9, 10)); UPDATE tiers SET standby = 1, sold = 0 WHERE event_id = {e} AND code = 'floor'; "
         "UPDATE tiers SET held = 4 WHERE event_id = {e} AND code = 'stalls'")


def test_at_rest_nobody_stands_by_for_what_is_left(rows):
    rows.run("UPDATE tiers SET capacity = 8 WHERE event_id = {e} AND code = 'floor'")
    assert broken(rows) == {}  # a worker has yet to free, and serves in the same transaction
    rows.run("UPDATE tiers SET capacity = 6 WHERE event_id = {e} AND code = 'floor'", FREED)
    assert broken(rows) == {5: ["place 8 stands by for 2 of floor, and that is left"]}
    rows.run(BOOKING.format("changed_at = UTC_TIMESTAMP(6)", 1))
    assert broken(rows) == {}  # something has just happened
    rows.run(BOOKING.format("changed_at = created_at", 1),
             "INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6), 'a', 'apply')")
    assert broken(rows) == {}  # and so it has here: places may have been added
    rows.run("DELETE FROM event_log WHERE event_id = {e} AND action = 'apply'",
             "UPDATE events SET state = 'stopped' WHERE id = {e}")
    assert broken(rows) == {}


@pytest.mark.parametrize("statements, places", [
    # Three of the floor are left or held; nine seats, of which four are held and two sold.
    ("UPDATE tiers SET capacity = 5 WHERE event_id = {e} AND code = 'floor'", []),
    ("UPDATE tiers SET capacity = 5 WHERE event_id = {e} AND code = 'floor'; " + BOOKING.format("standby_quantity = 8, choice = 1", 12) +
     "; UPDATE orders SET choices = REPLACE(choices, '\"quantity\": 1, \"amount\": 2000', '\"quantity\": 8, \"amount\": 2000') WHERE "
     "event_id = {e} AND place = 12; UPDATE orders SET choices = REPLACE(choices, 'back', 'stalls') WHERE event_id = {e} AND place = 12; "
     "UPDATE customers SET booked = 8 WHERE event_id = {e} AND booked = 4; UPDATE events SET max_per_customer = 8 WHERE id = {e}", [12]),
    ("UPDATE tiers SET capacity = 4 WHERE event_id = {e} AND code = 'floor'; " +
     BOOKING.format("state = 'confirmed', revision = 8, pay_until = NULL", "6") + "; " +
     BOOKING.format("state = 'confirmed', revision = 8, pay_until = NULL", "7") +
     "; INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor) SELECT {e}, place, 1, 8, 'confirmed', "
     "UTC_TIMESTAMP(6), 'onsale ada@desk' FROM bookings WHERE event_id = {e} AND place IN (6, 7); UPDATE tiers SET held = 0, sold = 4 WHERE event_id = {e} AND code = 'floor'", [8])])
def test_at_rest_nobody_stands_by_for_what_cannot_come_back(rows, statements, places):
    rows.run(FREED, statements)
    assert broken(rows) == ({5: [f"place {place} stands by for {8 if place == 12 else 2} of {'stalls' if place == 12 else 'floor'}, "
                                 "and that cannot come back" for place in places]} if places else {})


def test_standby_ends_with_the_event(rows):
    rows.run("UPDATE events SET state = 'closed' WHERE id = {e}",
             "INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6) - INTERVAL 50 SECOND, 'a', 'close')")
    assert broken(rows) == {}
    rows.run("UPDATE event_log SET at = UTC_TIMESTAMP(6) - INTERVAL 70 SECOND WHERE event_id = {e} AND action = 'close'")
    assert broken(rows) == {5: ["place 8: the order is still standby", "place 12: the order is still standby"]}


def test_settled_means_that_nobody_holds_or_waits(rows):
    found = broken(rows, "--settled")
    assert set(found) == {5, 6} and sorted(int(text.split()[1].rstrip(":")) for text in found[5]) == [1, 2, 4, 6, 7, 8, 9, 10, 12]
    assert found[6] == ["place 2: payment 1 is still confirming"]
    text = rows.stack.onsale("audit", rows.slug, expect=0).out
    assert "still on its way: 2 held, 1 paying, 1 declined, 2 standby, 3 freeings, 1 payments\n" in text


def test_the_log_of_an_event_that_sold_out_and_sold_again(rows):
    """It goes back to where it was: nobody may be let in after it, if that was a pause."""
    rows.run("DELETE FROM event_log WHERE event_id = {e} AND action = 'pause'",
             *(f"INSERT INTO event_log (event_id, at, actor, action) VALUES ({{e}}, {AT.format(at)}, 'w', '{action}')"
               for action, at in (("pause", "00:02.5"), ("sell_out", "00:02.6"), ("sell_again", "00:02.7"), ("resume", "00:02.9"))))
    assert broken(rows) == {}
    rows.run("DELETE FROM event_log WHERE event_id = {e} AND action = 'resume'")
    assert "10 steps while the event was paused" in broken(rows)[3][0]
    rows.run("DELETE FROM event_log WHERE event_id = {e} AND action IN ('pause', 'resume')")
    assert broken(rows) == {}
