# SPDX-License-Identifier: Apache-2.0
"""onsale and money, with a real payer and the sandbox bank: what is asked back comes back, and the audit and the bank's ledger agree."""

import pytest
from processes import wait_until

from harness.bank import assert_ledger_agrees
from harness.stack import PATIENCE
from integration.test_payments import OPEN, booth_with_bank, payments, wait_payment
from integration.test_schemas import check


@pytest.fixture
def booth(stack_factory):
    booth = booth_with_bank(stack_factory)
    booth.stack.start_program("notifier")
    return booth


def audit(booth, *flags):
    result = booth.stack.onsale("audit", booth.slug, *flags, as_json=True)
    check("audit", result.json)
    assert result.json["provider"]["compared"], result
    return {each["n"]: each["violations"] for each in result.json["checks"] if not each["ok"]}


def refund_of(booth, place):
    (refund,), = booth.stack.sql("SELECT refund FROM bookings WHERE event_id = %s AND place = %s", booth.event_id, place)
    return refund


def wait_refund(booth, place, refund):
    wait_until(lambda: refund_of(booth, place) == refund, f"the refund of place {place} to be {refund}", 20 * PATIENCE)


def wait_settled_audit(booth):
    wait_until(lambda: audit(booth, "--settled") == {}, "the audit to hold", 40 * PATIENCE, pause=1)


def wait_settled_audit_without_holds(booth):
    """Who was declined still holds."""
    wait_until(lambda: 6 not in audit(booth, "--settled"), "check 6 to hold", 40 * PATIENCE, pause=1)


def test_a_cancellation_pays_back(booth):
    booth.book(1, 2, payment_method="pm_card_visa")
    booth.book(3, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "confirmed", 2: "confirmed", 3: "action_required"})
    wait_payment(booth, 1, "captured")
    wait_payment(booth, 2, "captured")
    assert audit(booth) == {}
    for place, refund in ((1, "pending"), (3, None)):
        answer = booth.stack.onsale_json("booking", "cancel", booth.slug, str(place))
        check("booking cancel", answer)
        assert answer["refund"] == refund
    wait_refund(booth, 1, "done")
    wait_payment(booth, 3, "voided")
    wait_settled_audit(booth)
    assert_ledger_agrees(booth.stack, booth.slug)
    story = booth.stack.onsale_json("booking", "show", booth.slug, "1")
    check("booking show", story)
    steps = [step["step"] for step in story["steps"]]
    assert [step for step in steps if step in ("payment begun", "authorised", "captured", "cancelled", "payment refunded")] == [
        "payment begun", "authorised", "captured", "cancelled", "payment refunded"], steps
    assert ("refund", "refund done") in [(step["step"], step["detail"]) for step in story["steps"]]
    payment, = story["attempts"][0]["payments"]
    intent, = booth.stack.bank.intents(place=1)
    assert payment["intent"] == intent["id"] and payment["refund"].startswith("re_") and intent["refunded"] == 4500


def test_a_show_that_is_off(booth):
    booth.book(*range(1, 31), payment_method="pm_card_visa")
    booth.book(31, payment_method="pm_sandbox_slow")
    booth.book(32, payment_method="pm_sandbox_challenge")
    booth.book(33)
    booth.wait_states({place: "confirmed" for place in range(1, 31)} | {32: "action_required", 33: "held"})
    booth.stack.onsale("close", booth.slug, expect=0)
    answer = booth.stack.onsale("event", "refund", booth.slug, "--wait", "60", expect=0, as_json=True, seconds=90).json
    check("event refund", answer)
    assert answer["cancelled"] == 33 and answer["left"] == {"confirmed": 0, "unpaid": 0, "paying": 0}
    assert answer["refunds"] == {"pending": 0, "with_bank": 0, "done": 31, "failed": 0}
    assert answer["amounts"] == [{"currency": "EUR", "pending": 0, "done": 31 * 4500, "failed": 0, "confirmed": 0}]
    totals = booth.stack.bank.ledger()["totals"]
    assert totals["captured"] == totals["refunded"] and totals["authorised_open"] == 0
    wait_settled_audit(booth)
    assert_ledger_agrees(booth.stack, booth.slug)
    assert booth.stack.onsale_json("event", "refund", booth.slug)["cancelled"] == 0


def test_no_false_alarm_while_money_moves(stack_factory):
    """The audit again and again, while payments begin, are declined, asked about, captured, voided and refunded."""
    booth = booth_with_bank(stack_factory, line=200, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 300}])
    booth.stack.start_program("notifier")
    methods = ["pm_card_visa", "pm_card_chargeDeclined", "pm_sandbox_late_yes", "pm_sandbox_timeout", "pm_sandbox_error", "pm_sandbox_slow",
               "pm_sandbox_late_no", "pm_card_pendingRefund"]
    audits = cancelled = 0
    for start in range(1, 161, 20):
        for offset, method in enumerate(methods):
            booth.book(*range(start + offset, start + 20, len(methods)), payment_method=method)
        for place, state in sorted(booth.states().items()):
            if state == "confirmed" and place % 3 == 0:
                booth.stack.onsale("booking", "cancel", booth.slug, str(place), expect=0)
                cancelled += 1
        assert audit(booth) == {}
        audits += 1
    while any(state in OPEN for state, *_ in payments(booth).values()):
        assert audit(booth) == {}
        audits += 1
    print(f"{audits} audits, {cancelled} cancelled")
    assert audits > 10 and cancelled > 10
    wait_settled_audit_without_holds(booth)
    assert_ledger_agrees(booth.stack, booth.slug)


def test_what_cannot_be_given_back_stays_an_operators(booth):
    booth.stack.expect_errors("dead_letter", "payment_dead")
    booth.book(1, payment_method="pm_sandbox_unrefundable")
    booth.book(2, payment_method="pm_card_visa")
    booth.wait_states({1: "confirmed", 2: "confirmed"})
    wait_payment(booth, 1, "captured")
    booth.stack.onsale("close", booth.slug, expect=0)
    answer = booth.stack.onsale("event", "refund", booth.slug, "--wait", "60", expect=1, as_json=True, seconds=90).json
    assert answer["refunds"] == {"pending": 0, "with_bank": 0, "done": 1, "failed": 1}
    wait_until(lambda: booth.stack.onsale_json("dead", "list")["items"], "the letter", 20 * PATIENCE)
    letter, = booth.stack.onsale_json("dead", "list")["items"]
    assert (letter["reason"], letter["place"], letter["payment"]["state"]) == ("refund_failed", 1, "failed")
    wait_settled_audit(booth)
    # The same again: the bank still refuses, and a letter of its own says so.
    booth.stack.onsale("dead", "retry", str(letter["id"]), expect=0)
    wait_until(lambda: [item["id"] for item in booth.stack.onsale_json("dead", "list")["items"]] not in ([], [letter["id"]]),
               "another letter", 20 * PATIENCE)
    wait_refund(booth, 1, "failed")
    wait_settled_audit(booth)


def test_a_capture_that_failed_can_be_tried_again(booth):
    booth.stack.expect_errors("dead_letter", "payment_dead")
    booth.book(1, payment_method="pm_sandbox_uncapturable")
    wait_payment(booth, 1, "failed")
    wait_until(lambda: booth.stack.onsale_json("dead", "list")["items"], "the letter", 20 * PATIENCE)
    assert audit(booth) == {}
    first = booth.stack.onsale_json("dead", "list")["items"][0]["id"]
    booth.stack.onsale("dead", "retry", str(first), expect=0)
    wait_until(lambda: [item["id"] for item in booth.stack.onsale_json("dead", "list")["items"]] not in ([], [first]), "another letter",
               20 * PATIENCE)
    assert payments(booth)[1, 1][0] == "failed" and audit(booth, "--settled") == {}
    # The ticket is taken back: what is still reserved is let go.
    booth.stack.onsale("booking", "cancel", booth.slug, "1", expect=0)
    wait_refund(booth, 1, "done")
    assert payments(booth)[1, 1][0] == "voided" and booth.stack.onsale_json("dead", "list")["items"] == []
    wait_settled_audit(booth)
    assert booth.stack.bank.ledger()["totals"]["authorised_open"] == 0


def test_what_was_given_back_by_hand(booth):
    """Somebody refunds at the provider's. The audit names it; taking the ticket back finds the money returned."""
    booth.book(1, payment_method="pm_card_visa")
    wait_payment(booth, 1, "captured")
    intent, = booth.stack.bank.intents(place=1)
    assert booth.stack.bank.call("POST", "/v1/refunds", key="by-hand", payment_intent=intent["id"]).status_code == 200
    assert list(audit(booth)) == [6]
    booth.stack.onsale("booking", "cancel", booth.slug, "1", expect=0)
    wait_refund(booth, 1, "done")
    wait_settled_audit(booth)
    assert booth.stack.bank.ledger()["totals"]["refunded"] == 4500


def test_two_things_that_failed_do_not_stand_in_each_others_way(booth):
    """A ticket whose money cannot be captured, and money of nobody at the same place that cannot go back: each has its letter, and the ticket
    can be taken back all the same."""
    booth.stack.expect_errors("dead_letter", "payment_dead")
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_sandbox_uncapturable")
    wait_payment(booth, 1, "failed")
    found = bank.call("POST", "/v1/payment_intents", key="k", amount=4500, currency="eur", capture_method="manual",
                      payment_method="pm_sandbox_unrefundable", metadata={"onsale_event": "gala", "onsale_place": 1, "onsale_attempt": 1,
                                                                          "onsale_number": 7}).json()["id"]
    assert bank.call("POST", f"/v1/payment_intents/{found}/confirm", key="c", return_url="https://localhost/e/gala").status_code == 200
    assert bank.call("POST", f"/v1/payment_intents/{found}/capture", key="t").status_code == 200
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES ('evt_1', 'payment_intent.succeeded', %s, '{}',"
                    " UTC_TIMESTAMP(6))", found)
    wait_payment(booth, 1, "failed", number=2)
    wait_until(lambda: len(booth.stack.onsale_json("dead", "list")["items"]) == 2, "two letters", 20 * PATIENCE)
    assert booth.stack.sql("SELECT number, captured_at IS NOT NULL FROM payments ORDER BY number") == ((1, 0), (2, 1))
    booth.stack.onsale("booking", "cancel", booth.slug, "1", expect=0)
    wait_payment(booth, 1, "voided")
    wait_refund(booth, 1, "done")
    # What could not go back is an operator's still.
    assert payments(booth)[1, 2][0] == "failed"
    letter, = booth.stack.onsale_json("dead", "list")["items"]
    assert (letter["reason"], letter["payment"]["number"]) == ("refund_failed", 2)
    booth.stack.onsale("dead", "retry", str(letter["id"]), expect=0)
    assert payments(booth)[1, 1][0] == "voided"
