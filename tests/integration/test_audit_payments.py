# SPDX-License-Identifier: Apache-2.0
"""onsale audit, check 6, in the database: bookings and payments that agree hold; each is broken by hand, and just that check says so."""

import pytest

from integration.test_audit_orders import Rows, broken

AT = "2026-11-23 10:00:"
ENDS = ("declined", "captured", "voided", "refunded", "failed")


class Paid(Rows):
    """Rows, and payments as a waiting room and the payer write them."""

    def payment(self, place, state="captured", number=1, aim="take", amount=9000, intent=None, next_at="2099-01-01", attempt=1,
                currency="EUR", is_dead=0, at="30"):
        ended = state in ENDS and not (state == "captured" and aim == "give_back")
        self.stack.sql(
            "INSERT INTO payments (event_id, place, attempt, number, state, aim, payment_method, amount, currency, idempotency_key, "
            "intent, next_attempt_at, is_dead, created_at, changed_at, authorised_at, captured_at, returned_at, reason) VALUES "
            "(%s, %s, %s, %s, %s, %s, 'pm_card_visa', %s, %s, MD5(UUID()), %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            self.event, place, attempt, number, state, aim, amount, currency,
            intent or (None if state == "created" else f"pi_{self.event}_{place}_{attempt}_{number}"),
            None if ended else next_at, is_dead, AT + at, AT + at,
            AT + at if state in ("authorised", "capturing", "captured", "refunding", "refunded") else None,
            AT + at if state in ("captured", "refunding", "refunded") else None,
            AT + at if state in ("voided", "refunded") else None, "card_declined" if state == "declined" else None)

    def pay_letter(self, place, reason="capture_failed", state="open", attempt=1):
        self.letter(place, state, reason, attempt)
        self.stack.sql("UPDATE dead_letters SET queue = 'onsale.payments' WHERE event_id = %s AND place = %s", self.event, place)


def make_event(prepared, name, places):
    """An event that let in so many places, one a second from 10:00:01."""
    slug = "p-" + "".join(c if c.isalnum() else "-" for c in name)[-60:].strip("-").lower()
    prepared.event(slug, state="draft", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000}])
    rows = Paid(prepared, slug)
    at = "TIMESTAMP('2026-11-23 10:{}')"
    rows.run("DELETE FROM event_log WHERE event_id = {e}",
             *(f"INSERT INTO event_log (event_id, at, actor, action) VALUES ({{e}}, {at.format(when)}, 'a', '{action}')"
               for action, when in (("create", "00:00"), ("open", "00:00.5"), ("pause", "01:00"))),
             "UPDATE events SET state = 'paused', lobby_size = 0 WHERE id = {e}",
             f"UPDATE line_counters SET last = {places} WHERE event_id = {{e}}",
             "UPDATE leaders SET epoch = GREATEST(epoch, 5)",
             *(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ({{e}}, {n}, "
               f"UNHEX(MD5(CONCAT({{e}}, ':', {n}))), {at.format('00:00.7')})" for n in range(1, places + 1)),
             f"INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) VALUES ({{e}}, "
             f"{at.format('00:01')}, 0, 3, '1/s', 1, 1, 'open')",
             *(f"INSERT INTO served_log VALUES ({{e}}, {n}, {at.format(f'00:{n:02}')}, 3, 0)" for n in range(1, places + 1)),
             f"UPDATE line_served SET served = {places}, epoch = 3 WHERE event_id = {{e}}")
    return rows


LOG = ("INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) VALUES ({{e}}, {}, 1, {}, '{}', "
       "'2026-11-23 10:00:40', '{}', '{}')")


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def rows(prepared, request):
    """Whatever may become of a booking that costs something, with what its payments say then."""
    rows = make_event(prepared, request.node.name, 20)
    for place in range(1, 21):
        rows.order(place)
    rows.booking(1, revision=5)  # paid
    rows.payment(1)
    rows.booking(2, revision=7)  # declined once, then being captured
    rows.payment(2, "declined")
    rows.payment(2, "capturing", number=2)
    rows.booking(3, "paying", revision=4)
    rows.payment(3, "created")
    rows.booking(4, "paying", revision=4)
    rows.payment(4, "confirming")
    rows.booking(5, "action_required", revision=5)
    rows.payment(5, "challenged")
    rows.booking(6, "declined", revision=5)
    rows.payment(6, "declined")
    rows.booking(7, "expired", revision=5, counted=False)
    rows.payment(7, "voided", aim="close")
    rows.booking(8, "failed", revision=5, reason="payment_failed")
    rows.payment(8, "voided", aim="give_back")
    rows.pay_letter(8, "provider_wrong", "retried")  # an operator had it looked at once more before it was through
    rows.booking(9, "cancelled", revision=6, counted=False)  # by an operator, and the money is on its way back
    rows.payment(9, "captured", aim="give_back")
    rows.run("UPDATE bookings SET refund = 'pending' WHERE event_id = {e} AND place = 9")
    rows.booking(10, "cancelled", revision=7, counted=False)  # and there
    rows.payment(10, "refunded", aim="give_back")
    rows.run("UPDATE bookings SET refund = 'done' WHERE event_id = {e} AND place = 10")
    rows.booking(11, "cancelled", revision=7, counted=False)  # and cannot be given back
    rows.payment(11, "failed", aim="give_back")
    rows.pay_letter(11, "refund_failed")
    rows.run("UPDATE bookings SET refund = 'failed' WHERE event_id = {e} AND place = 11")
    rows.booking(12, "cancelled", revision=6)  # by the visitor, while the bank asked
    rows.payment(12, "challenged", aim="give_back")
    rows.run("UPDATE tiers SET sold = sold - 2, held = held + 2 WHERE event_id = {e}",
             "INSERT INTO freeings (event_id, place, attempt, was, told, ended_at, payment_open) VALUES ({e}, 12, 1, "
             "'action_required', 1, '2026-11-23 10:00:40', 1)")
    rows.booking(13, revision=5)  # the ticket is kept, though the capture failed
    rows.payment(13, "failed")
    rows.pay_letter(13)
    rows.booking(14, revision=5)  # paid at the desk
    rows.run(LOG.format(14, 5, "confirmed", "onsale ada@desk", "was held"))
    rows.booking(15)  # confirmed at once: due at the door, before payments were taken
    rows.booking(16, revision=4)  # the same, from standby
    rows.run(LOG.format(16, 4, "confirmed", "booking-worker", "was standby"))
    rows.booking(17, "paying", revision=4)  # late money of a hold that is over goes back, another try is under way
    rows.payment(17, "voided", aim="give_back")
    rows.payment(17, "confirming", number=2, is_dead=1)
    rows.pay_letter(17, "payment_unknown", "discarded")
    rows.booking(18, "held", revision=3)
    rows.booking(19, "expired", revision=5)  # its places are to be freed by a worker
    rows.payment(19, "declined", aim="close")
    rows.run("UPDATE tiers SET sold = sold - 2, held = held + 2 WHERE event_id = {e}",
             "INSERT INTO freeings (event_id, place, attempt, was, told, ended_at) VALUES ({e}, 19, 1, 'paying', 1, "
             "UTC_TIMESTAMP(6))")
    rows.booking(20, amount=0)  # costs nothing
    rows.run("UPDATE orders SET choices = JSON_SET(choices, '$[0].amount', 0), amount = 0 WHERE event_id = {e} AND place = 20")
    report = prepared.onsale_json("audit", rows.slug)
    assert report["ok"], report
    assert report["open"]["payments"] == 7 and report["open"]["freeings"] == 2
    return rows


PAYMENT = "UPDATE payments SET {} WHERE event_id = {{e}} AND place = {} AND number = 1"
CASES = {
    "not paid": ("DELETE FROM payments WHERE event_id = {e} AND place = 1",
                 "place 1: is confirmed, and nothing of its 9000 EUR is authorised or captured"),
    "declined and confirmed": (PAYMENT.format("state = 'declined'", 1), "place 1: is confirmed, and nothing of its 9000"),
    "given back and confirmed": (PAYMENT.format("state = 'refunded', returned_at = captured_at", 1), "place 1: is confirmed, and noth"),
    "to be given back and confirmed": (PAYMENT.format("aim = 'give_back', next_attempt_at = '2099-01-01'", 1),
                                       "place 1: is confirmed, and nothing"),
    "paid twice": (PAYMENT.format("state = 'captured', captured_at = created_at", 2), "2 of its payments take the money"),
    "confirmed too early": (PAYMENT.format("state = 'confirming', next_attempt_at = '2099-01-01'", 1),
                            "place 1: is confirmed, and payment 1 is still confirming"),
    "paid and not booked": (PAYMENT.format("state = 'captured', captured_at = created_at, next_attempt_at = NULL", 4),
                            "place 4: is paying, and payment 1 is captured"),
    "authorised and declined": (PAYMENT.format("state = 'authorised', next_attempt_at = '2099-01-01'", 6),
                                "place 6: is declined, and payment 1 is authorised"),
    "paid and expired": (PAYMENT.format("state = 'captured', captured_at = created_at, aim = 'take'", 7),
                         "place 7: is expired, and payment 1 is captured"),
    "paid and failed": (PAYMENT.format("state = 'capturing', next_attempt_at = '2099-01-01', aim = 'take'", 8),
                        "place 8: is failed, and payment 1 is capturing"),
    "held and asked for": (PAYMENT.format("state = 'confirming', next_attempt_at = '2099-01-01'", 6),
                           "place 6: is declined, and payment 1 is confirming"),
    "paying without": (PAYMENT.format("state = 'declined', next_attempt_at = NULL", 4), "place 4: is paying, and no payment of it is open"),
    "asked without": (PAYMENT.format("state = 'declined', next_attempt_at = NULL", 5),
                      "place 5: is action_required, and no payment of it is open"),
    "nobody is asked": (PAYMENT.format("state = 'challenged'", 4), "place 4: is paying, and payment 1 is challenged"),
    "not asked back": (PAYMENT.format("aim = 'take'", 12), "place 12: is cancelled, and payment 1 is challenged"),
    "amount": (PAYMENT.format("amount = 8999", 1), "place 1: payment 1 is of 8999, and the booking costs 9000"),
    "currency": (PAYMENT.format("currency = 'USD'", 1), "place 1: payment 1 is in USD, and the booking in EUR"),
    "first missing": ("DELETE FROM payments WHERE event_id = {e} AND place = 2 AND number = 1", "place 2: payment 1 is missing"),
    "no booking": ("INSERT INTO payments (event_id, place, attempt, number, payment_method, amount, currency, idempotency_key, "
                   "created_at, changed_at) VALUES ({e}, 3, 2, 1, 'x', 1, 'EUR', MD5(UUID()), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                   "place 3, attempt 2: has a payment, and no booking"),
    "nobody looks": (PAYMENT.format("next_attempt_at = NULL", 4), "payment 1 is confirming, and nobody will look at it again"),
    "money nobody gives back": (PAYMENT.format("next_attempt_at = NULL", 9), "payment 1 is captured, and nobody will look at it again"),
    "looked at too late": (PAYMENT.format("next_attempt_at = UTC_TIMESTAMP(6) - INTERVAL 70 SECOND", 4),
                           "payment 1 is confirming, and was to be looked at 7"),
    "no id": (PAYMENT.format("intent = NULL", 1), "payment 1 is captured, and the provider's id of it is not known"),
    "no time": (PAYMENT.format("captured_at = NULL", 1), "payment 1 is captured, and nobody knows when"),
    "no such state": ("SET check_constraint_checks = 0; " + PAYMENT.format("state = 'lost'", 8), "payment 1 is in a state"),
    "no such aim": ("SET check_constraint_checks = 0; " + PAYMENT.format("aim = 'lost'", 8), "or has an aim, that does not exist"),
    "refund of a ticket": ("UPDATE bookings SET refund = 'done' WHERE event_id = {e} AND place = 1", "is confirmed, and has a refund"),
    "refund too early": ("UPDATE bookings SET refund = 'done' WHERE event_id = {e} AND place = 9",
                         "place 9: the refund is done, and its payments are not"),
    "refund too late": ("UPDATE bookings SET refund = 'pending' WHERE event_id = {e} AND place = 10",
                        "place 10: the refund is pending, and its payments are not"),
    "refund not failed": ("UPDATE bookings SET refund = 'failed' WHERE event_id = {e} AND place = 10",
                          "place 10: the refund is failed, and its payments are not"),
    "capture failed, nobody knows": ("DELETE FROM dead_letters WHERE event_id = {e} AND place = 13",
                                     "place 13: payment 1 needs an operator, and there is no dead letter"),
    "unknown, nobody knows": ("UPDATE dead_letters SET state = 'retried' WHERE event_id = {e} AND place = 17",
                              "place 17: payment 2 needs an operator"),
    "another queue's letter": ("UPDATE dead_letters SET queue = 'onsale.bookings.1' WHERE event_id = {e} AND place = 13",
                               "place 13: payment 1 needs an operator"),
    "places wait for nothing": (PAYMENT.format("state = 'voided', next_attempt_at = NULL", 12),
                                "place 12: its places wait for a payment, and none is under way"),
    "places do not wait": ("UPDATE freeings SET payment_open = 0, ended_at = UTC_TIMESTAMP(6) WHERE event_id = {e} AND place = 12",
                           "place 12: its places go back, and payment 1 may still be authorised"),
    "nothing was due": ("INSERT INTO payments (event_id, place, attempt, number, state, payment_method, amount, currency, "
                        "idempotency_key, created_at, changed_at) VALUES ({e}, 20, 1, 1, 'declined', 'x', 1, 'EUR', MD5(UUID()), "
                        "UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", "place 20: payment 1 is of 1, and the booking costs 0"),
    "the desk said nothing": ("DELETE FROM order_log WHERE event_id = {e} AND place = 14", "place 14: is confirmed, and nothing"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_rule_sees_what_breaks_it(rows, case):
    statements, words = CASES[case]
    rows.run(statements)
    found = broken(rows)
    assert set(found) == {6} and any(words in violation for violation in found[6]), found


def test_who_is_confirmed_at_once_while_the_provider_takes_the_money(rows):
    """Due at the door is what was confirmed before the event's first payment; afterwards it is a ticket for nothing."""
    stripe = {"ONSALE_PAYMENT_PROVIDER": "stripe"}

    def audit():
        report = rows.stack.onsale("audit", rows.slug, "--without-provider", as_json=True, environment=stripe).json
        return {check["n"]: check["violations"] for check in report["checks"] if not check["ok"]}

    assert audit() == {}
    rows.run("UPDATE bookings SET changed_at = '2026-11-23 10:00:31' WHERE event_id = {e} AND place IN (15, 16)")
    assert audit() == {6: [f"place {place}: is confirmed, and nothing of its 9000 EUR is authorised or captured"
                           for place in (15, 16)]}


def test_nobody_looks_while_the_event_is_stopped(rows):
    rows.run(PAYMENT.format("next_attempt_at = UTC_TIMESTAMP(6) - INTERVAL 70 SECOND", 4),
             "UPDATE events SET state = 'stopped', stopped_at = UTC_TIMESTAMP(6) WHERE id = {e}",
             "INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6), 'a', 'stop')")
    assert broken(rows) == {}


def test_money_that_was_found_at_the_provider(rows):
    """The payer makes a row for it, of whatever amount and of whomever, by which it goes back. That is in order wherever it is."""
    rows.payment(2, "voided", number=3, aim="give_back", amount=7)  # of who has paid
    rows.payment(10, "refunding", number=2, aim="give_back")  # of whose refund is done
    rows.payment(18, "voiding", aim="give_back", amount=1, currency="USD")  # of who holds
    rows.payment(99, "refunding", aim="give_back")  # of nobody
    found = broken(rows)
    assert {text.split(":")[0] for text in found[6]} == {"place 2", "place 10", "place 18", "place 99"}
    rows.run("UPDATE payments SET payment_method = '' WHERE event_id = {e} AND aim = 'give_back' AND place IN (2, 18, 99)",
             "UPDATE payments SET payment_method = '' WHERE event_id = {e} AND number = 2 AND place = 10")
    assert broken(rows) == {}
    rows.run("UPDATE payments SET next_attempt_at = NULL WHERE event_id = {e} AND place = 99")
    assert broken(rows) == {6: ["place 99: payment 1 is refunding, and nobody will look at it again"]}


def test_paying_while_money_that_was_taken_by_mistake_goes_back(rows):
    rows.run(PAYMENT.format("state = 'refunding'", 4))
    assert broken(rows) == {}
    rows.run(PAYMENT.format("payment_method = ''", 4))  # no booking waits for that one
    assert broken(rows) == {6: ["place 4: is paying, and no payment of it is open"]}


def test_a_hold_that_ran_out_while_the_bank_asked(rows):
    """It is the payer's to end; without its aim somebody has forgotten it."""
    rows.run("UPDATE bookings SET pay_until = '2026-11-23 10:10:00' WHERE event_id = {e} AND place = 5")
    assert set(broken(rows)) == {5}
    rows.run(PAYMENT.format("aim = 'close'", 5))
    assert broken(rows) == {}


def test_settled_leaves_nothing_under_way(rows):
    found = broken(rows, "--settled")
    assert {"place 3: payment 1 is still created", "place 4: payment 1 is still confirming", "place 2: payment 2 is still capturing",
            "place 9: payment 1 is still captured, and is to be given back",
            "place 12: payment 1 is still challenged, and is to be given back"} <= set(found[6])
    assert len(found[6]) == 7
