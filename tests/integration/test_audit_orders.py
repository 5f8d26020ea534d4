# SPDX-License-Identifier: Apache-2.0
"""onsale audit, from the order to the outcome: rows that are in order hold; each is broken by hand, and just that check says so."""

import hashlib
import json

import pytest


def customer(email):
    return hashlib.sha256(email.strip().lower().encode()).digest()[:16]


class Rows:
    """Orders and bookings of one event, written as the programs write them, at 10:MM:SS."""

    def __init__(self, stack, slug):
        self.stack, self.slug = stack, slug
        (self.event,), = stack.sql("SELECT id FROM events WHERE slug = %s", slug)

    def run(self, *statements):
        with self.stack.db() as connection, connection.cursor() as cursor:
            for statement in statements:
                for part in statement.split(";"):
                    cursor.execute(part.replace("{e}", str(self.event)))

    def order(self, place, state="released", attempt=1, revision=None, placed="00:00.8", released=None, quantity=2,
              tier="floor", email=None, ended=None, choices=None):
        email = email or f"v{place}@example.org"
        released = released or f"00:{place + 1:02}.1"
        at = "2026-11-23 10:"
        choices = choices or [{"tier": tier, "tickets": {"full": quantity}, "quantity": quantity, "amount": 4500 * quantity},
                              {"tier": "back", "tickets": {"full": 1}, "quantity": 1, "amount": 2000}]
        self.stack.sql(
            "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, published, tier, quantity, amount, "
            "currency, choices, email, customer, name, placed_at, changed_at, released_at, ended_at, reason) VALUES "
            "(%s, %s, %s, UNHEX(MD5(CONCAT(%s, ':', %s))), %s, %s, %s, %s, %s, %s, 'EUR', %s, %s, %s, 'Ada', %s, %s, %s, "
            "%s, %s)",
            self.event, place, attempt, self.event, place, state,
            revision or (1 if state == "placed" else 2), int(state == "released"), tier, quantity, 4500 * quantity,
            json.dumps(choices), email, customer(email), at + placed, at + placed,
            at + released if state == "released" else None, at + released if state not in ("placed", "released") else ended,
            "event_closed" if state == "refused" else None)

    def booking(self, place, state="confirmed", attempt=1, revision=3, quantity=2, tier="floor", email=None, reason=None,
                at=None, amount=None, choice=0, counted=True, seats=None, pay_until="2099-01-01"):
        email = email or f"v{place}@example.org"
        given = state not in ("sold_out", "refused", "failed", "released", "standby")
        stands_by, may_lapse = state == "standby", state in ("held", "paying", "action_required", "declined")
        at = "2026-11-23 10:" + (at or f"00:{place + 1:02}.2")
        self.stack.sql(
            "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, choice, tier, quantity, amount, currency, "
            "customer, reference, created_at, changed_at, seats, pay_until, standby_tier, standby_quantity) VALUES "
            "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'EUR', %s, %s, %s, %s, %s, %s, %s, %s)",
            self.event, place, attempt, state, reason, revision, choice if given or stands_by else 0, tier if given else None,
            quantity if given else 0, (4500 * quantity if amount is None else amount) if given else 0, customer(email),
            f"{self.event % 10000:04}-{place:03}{attempt}" if given else None, at, at, json.dumps(seats) if seats else None,
            pay_until if may_lapse else None, tier if stands_by else None, quantity if stands_by else 0)
        for seat in seats or []:
            row, _, number = seat.rpartition("-")
            self.stack.sql("INSERT INTO taken_seats VALUES (%s, %s, %s, %s, %s, %s)", self.event, tier, row, number, place, attempt)
        if counted and (given or stands_by):
            counter = "standby" if stands_by else "held" if may_lapse else "sold"
            self.stack.sql(f"UPDATE tiers SET {counter} = {counter} + %s WHERE event_id = %s AND code = %s",
                           1 if stands_by else quantity, self.event, tier)
            self.stack.sql("INSERT INTO customers VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE booked = booked + VALUES(booked)",
                           self.event, customer(email), quantity)

    def letter(self, place, state="open", reason="broken_order", attempt=1):
        self.stack.sql("INSERT INTO dead_letters (digest, queue, reason, detail, event_id, place, attempt, body, died_at, state) "
                       "VALUES (UNHEX(SHA2(UUID(), 256)), 'onsale.bookings.1', %s, 'a detail', %s, %s, %s, '{}', "
                       "'2026-11-23 10:00:30', %s)", reason, self.event, place, attempt, state)


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def rows(prepared, request):
    """Ten of twelve visitors were let in, one a second from 10:00:01; their orders met every end there is."""
    slug = "o-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:].strip("-").lower()
    prepared.event(slug, state="draft", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
                                               {"code": "back", "name": "Back", "price": 2000, "capacity": 20}])
    rows = Rows(prepared, slug)
    at = "TIMESTAMP('2026-11-23 10:{}')"
    rows.run("DELETE FROM event_log WHERE event_id = {e}",
             *(f"INSERT INTO event_log (event_id, at, actor, action) VALUES ({{e}}, {at.format(when)}, 'a', '{action}')"
               for action, when in (("create", "00:00"), ("open", "00:00.5"), ("pause", "01:00"))),
             "UPDATE events SET state = 'paused', lobby_size = 0 WHERE id = {e}",
             "UPDATE line_counters SET last = 12 WHERE event_id = {e}",
             "UPDATE leaders SET epoch = GREATEST(epoch, 5)",
             *(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ({{e}}, {n}, "
               f"UNHEX(MD5(CONCAT({{e}}, ':', {n}))), {at.format('00:00.7')})" for n in range(1, 13)),
             f"INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) VALUES ({{e}}, "
             f"{at.format('00:01')}, 0, 3, '1/s', 1, 1, 'open')",
             *(f"INSERT INTO served_log VALUES ({{e}}, {n}, {at.format(f'00:{n:02}')}, 3, 0)" for n in range(1, 11)),
             "UPDATE line_served SET served = 10, epoch = 3 WHERE event_id = {e}")
    for place in (1, 2, 3, 4, 5, 6, 8):
        rows.order(place)
    rows.booking(1)
    rows.booking(2, "held")
    rows.booking(3, "sold_out")
    rows.booking(4, "refused", reason="customer_limit")
    rows.booking(5, "failed", reason="broken")
    rows.letter(5)
    rows.booking(6, choice=1, tier="back", quantity=1, amount=2000)
    rows.order(7, "cancelled", placed="00:00.9")
    rows.order(7, attempt=2, placed="00:20", released="00:20.5", email="V1@Example.org ")  # in the turn, of the first's customer
    rows.booking(7, attempt=2, email="v1@example.org", at="00:20.6")
    rows.booking(8, "cancelled", revision=4, counted=False)
    rows.order(9)  # on its way
    rows.order(11, "placed")
    rows.order(12, "refused")
    report = prepared.onsale_json("audit", slug)
    assert report["ok"] and report["open"] == {
        "placed": 1, "released": 1, "held": 1, "paying": 0, "action_required": 0, "declined": 0, "standby": 0, "freeings": 0, "payments": 0,
        "outbox": 0,
        "dead_letters": 0}
    return rows


def broken(rows, *flags):
    """The numbers of the checks that fail, and what they say."""
    result = rows.stack.onsale("audit", rows.slug, *flags, as_json=True)
    report = result.json
    assert report["ok"] == all(check["ok"] for check in report["checks"]) and result.code == (0 if report["ok"] else 1)
    return {check["n"]: check["violations"] for check in report["checks"] if not check["ok"]}


CASES = {
    "sold": (1, "UPDATE tiers SET sold = sold + 1 WHERE event_id = {e} AND code = 'floor'", "floor: 2 held, 5 sold and 0 in standby"),
    "held": (1, "UPDATE tiers SET held = 1 WHERE event_id = {e} AND code = 'floor'", "bookings have 2, 4 and 0"),
    "no such tier": (1, "UPDATE tiers SET sold = 0 WHERE event_id = {e} AND code = 'back'; "
                        "UPDATE bookings SET tier = 'gone' WHERE event_id = {e} AND place = 6; "
                        "UPDATE orders SET choices = REPLACE(choices, 'back', 'gone') WHERE event_id = {e} AND place = 6",
                     "tier gone"),
    "customers": (2, "UPDATE customers SET booked = booked + 1 WHERE event_id = {e} LIMIT 1", "tickets are counted"),
    "a customer too many": (2, "INSERT INTO customers VALUES ({e}, UNHEX(MD5('x')), 1)", "1 tickets are counted, the bookings "
                                                                                        "have 0"),
    "limit": (2, "UPDATE events SET max_per_customer = 3 WHERE id = {e}", "has 4 tickets, and 3 are allowed"),
    "another customer": (2, "UPDATE bookings SET customer = UNHEX(MD5('x')) WHERE event_id = {e} AND place = 3",
                         "another customer"),
    "not released": (3, "UPDATE orders SET state = 'placed', released_at = NULL WHERE event_id = {e} AND place = 3",
                     "place 3: booked, and the order was not released"),
    "no order": (3, "DELETE FROM orders WHERE event_id = {e} AND place = 3", "place 3: booked without an order"),
    "booked too early": (3, "UPDATE bookings SET created_at = '2026-11-23 10:00:04.05' WHERE event_id = {e} AND place = 3",
                         "place 3: booked before"),
    "released too early": (3, "UPDATE orders SET released_at = '2026-11-23 10:00:07.5' WHERE event_id = {e} AND place = 8",
                           "place 8: released before the place was let in"),
    "released without being let in": (3, "UPDATE orders SET state = 'released', revision = 2, released_at = "
                                         "'2026-11-23 10:00:59' WHERE event_id = {e} AND place = 11", "place 11: released"),
    "out of order": (3, "UPDATE orders SET released_at = '2026-11-23 10:00:05.15' WHERE event_id = {e} AND place = 3; "
                        "UPDATE bookings SET created_at = '2026-11-23 10:00:05.2' WHERE event_id = {e} AND place = 3",
                     "place 4 was released before place 3"),
    "time without a release": (3, "UPDATE orders SET released_at = '2026-11-23 10:00:59' WHERE event_id = {e} AND place = 12",
                               "not released"),
    # The schema refuses both; the audit must see them all the same.
    "no such state": (5, "SET check_constraint_checks = 0; UPDATE orders SET state = 'held' WHERE event_id = {e} AND place = 12",
                      "place 12: the order is in a"),
    "no such booking state": (5, "SET check_constraint_checks = 0; UPDATE bookings SET state = 'lost', reason = NULL WHERE "
                                 "event_id = {e} AND place = 3",
                              "does not exist"),
    "order revision": (5, "UPDATE orders SET revision = 1 WHERE event_id = {e} AND place = 12", "place 12: the order's revision"),
    "revision": (5, "UPDATE bookings SET revision = 2 WHERE event_id = {e} AND place = 3",
                 "place 3: a booking of revision 2 cannot be sold_out after an order of revision 2"),
    "too few steps": (5, "UPDATE bookings SET revision = 3 WHERE event_id = {e} AND place = 8", "cannot be cancelled"),
    "attempt missing": (5, "DELETE FROM orders WHERE event_id = {e} AND place = 7 AND attempt = 1", "place 7, attempt 2: the attempt"),
    "again after tickets": (5, "INSERT INTO orders SELECT event_id, place, 2, visitor, 'cancelled', NULL, 2, 1, 0, tier, "
                               "quantity, amount, currency, choices, email, customer, name, lang, placed_at, changed_at, NULL, "
                               "placed_at, NULL FROM orders WHERE event_id = {e} AND place = 1", "place 1 ordered again"),
    "reference": (5, "UPDATE bookings SET reference = NULL WHERE event_id = {e} AND place = 1", "without a reference"),
    "reason": (5, "UPDATE bookings SET reason = NULL WHERE event_id = {e} AND place = 4", "without a reason"),
    "amount": (5, "UPDATE bookings SET amount = 1 WHERE event_id = {e} AND place = 1", "place 1: what was booked is none"),
    "amount of an alternative": (5, "UPDATE bookings SET amount = 1 WHERE event_id = {e} AND place = 6", "place 6: what was "),
    "visitor": (5, "UPDATE orders SET visitor = UNHEX(MD5('x')) WHERE event_id = {e} AND place = 12", "not that of the visitor"),
    "left": (5, "UPDATE arrivals SET left_at = joined_at WHERE event_id = {e} AND number = 11", "place 11 was given up"),
    "letter lost": (8, "DELETE FROM dead_letters WHERE event_id = {e}", "place 5: the booking failed"),
    "letter retried, still failed": (8, "UPDATE dead_letters SET state = 'retried' WHERE event_id = {e}",
                                     "place 5: the booking failed"),
    "released, nothing": (8, "DELETE FROM bookings WHERE event_id = {e} AND place = 5", "nothing became of it"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_check_sees_what_breaks_it(rows, case):
    n, statements, words = CASES[case]
    rows.run(statements)
    found = broken(rows)
    assert set(found) == {n} and words in found[n][0], found


def test_two_bookings_of_one_place(rows):
    rows.run("UPDATE orders SET state = 'released', released_at = '2026-11-23 10:00:08.5' WHERE event_id = {e} AND place = 7 AND "
             "attempt = 1")
    rows.booking(7, "held", at="00:08.6")
    found = broken(rows)
    assert set(found) == {2, 5} and found[2] == ["place 7 has more than one booking that is open or confirmed"]
    assert found[5] == ["place 7 ordered again (attempt 2), though the order before is held"]


def test_a_limit_lowered_later_judges_only_what_was_booked_later(rows):
    rows.run("UPDATE events SET max_per_customer = 3 WHERE id = {e}",
             "INSERT INTO event_log (event_id, at, actor, action, detail) VALUES ({e}, '2026-11-23 10:00:40', 'a', 'apply', "
             "'max_per_customer: 6 → 3')")
    assert broken(rows) == {}
    rows.run("UPDATE bookings SET created_at = '2026-11-23 10:00:50' WHERE event_id = {e} AND place = 7")
    assert "3 are allowed" in broken(rows)[2][0]


def test_settled_means_that_nothing_is_open(rows):
    found = broken(rows, "--settled")
    assert set(found) == {5} and len(found[5]) == 3
    assert [text.split()[1] for text in found[5]] == ["2:", "9:", "11:"]
    rows.run("DELETE FROM bookings WHERE event_id = {e} AND place = 2; DELETE FROM orders WHERE event_id = {e} AND place IN (2, 9, 11)",
             "UPDATE tiers SET held = 0 WHERE event_id = {e}; UPDATE customers SET booked = 0 WHERE event_id = {e} AND booked = 2 AND "
             "customer = UNHEX('" + customer("v2@example.org").hex() + "')")
    assert broken(rows, "--settled") == {}


def test_an_event_that_is_over_leaves_nobody_waiting(rows):
    """A hold may take its time; what is placed or released may not, once a minute has passed."""
    rows.run("UPDATE events SET state = 'closed' WHERE id = {e}",
             "INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6) - INTERVAL 50 SECOND, 'a', 'close')")
    assert broken(rows) == {}
    rows.run("UPDATE event_log SET at = UTC_TIMESTAMP(6) - INTERVAL 70 SECOND WHERE event_id = {e} AND action = 'close'")
    found = broken(rows)
    assert set(found) == {5} and [text.split()[1] for text in found[5]] == ["9:", "11:"]


def test_what_is_in_the_outbox_is_on_its_way(rows):
    body = json.dumps({"v": 1, "type": "outcomes", "slug": rows.slug})
    letter = json.dumps({"v": 1, "type": "dead", "event_id": rows.event})
    rows.stack.sql("INSERT INTO outbox (queue, type, body, created_at) VALUES ('onsale.outcomes', 'outcomes', %s, "
                   "'2026-11-23 10:00:00'), ('onsale.outcomes', 'outcomes', 'no json', '2026-11-23 10:00:00'), "
                   "('onsale.outcomes', 'outcomes', '{\"slug\":\"another\"}', '2026-11-23 10:00:00')", body)
    try:
        assert rows.stack.onsale_json("audit", rows.slug)["open"]["outbox"] == 1
        found = broken(rows, "--settled")
        assert len(found[8]) == 1 and "in the outbox" in found[8][0]
        rows.run("DELETE FROM dead_letters WHERE event_id = {e}")
        assert set(broken(rows)) == {8}
        rows.stack.sql("INSERT INTO outbox (queue, type, body, created_at) VALUES ('onsale.dead', 'dead', %s, UTC_TIMESTAMP(6))",
                       letter)
        report = rows.stack.onsale_json("audit", rows.slug)
        assert report["open"]["outbox"] == 2 and report["open"]["dead_letters"] == 1
    finally:
        rows.stack.sql("DELETE FROM outbox")


def test_people_read_what_is_on_its_way(rows):
    text = rows.stack.onsale("audit", rows.slug, expect=0).out
    assert "still on its way: 1 placed, 1 released, 1 held\n" in text
