# SPDX-License-Identifier: Apache-2.0
"""Refunds that wait for their bank: they are not done before it says so, are never asked for twice, and one that fails, however late, is an
operator's."""

import pytest
from harness.bank import assert_ledger_agrees
from harness.stack import PATIENCE
from processes import wait_until

from integration.test_admin_payer import audit, refund_of, wait_refund
from integration.test_bank_stack import FLOOR, order, wait_state
from integration.test_payments import agree, booth_with_bank, payments, unwanted, wait_payment
from integration.test_schemas import check

HELD = "pm_sandbox_heldRefund"


@pytest.fixture
def booth(stack_factory):
    """Nobody takes the bank's webhooks here: all of them are lost."""
    return booth_with_bank(stack_factory)


def cancel(booth, place=1):
    booth.stack.onsale("booking", "cancel", booth.slug, str(place), expect=0)


def wait_with_bank(booth, place=1):
    wait_until(lambda: booth.stack.sql("SELECT 1 FROM payments WHERE event_id = %s AND place = %s AND state = 'refunding' AND refund IS NOT NULL"
                                       " AND is_claimed = 0", booth.event_id, place), "the refund to be with the bank", 20 * PATIENCE)


def statuses(bank, place=1):
    return [refund["status"] for refund in bank.refunds(place)]


def not_before(booth, place, seconds):
    """Nobody looks by himself before that: what happens sooner is the webhook's."""
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL %s SECOND WHERE event_id = %s AND place = %s", seconds,
                    booth.event_id, place)


def letters(stack):
    return stack.onsale_json("dead", "list")["items"]


def test_it_is_done_when_the_bank_says_so_and_not_before(booth):
    """No webhook comes, and the worker dies in between."""
    bank, worker = booth.stack.bank, booth.stack.workers[0]
    booth.book(1, payment_method=HELD)
    wait_payment(booth, 1, "captured")
    cancel(booth)
    wait_with_bank(booth)
    (booked,) = bank.intents(place=1)
    assert (statuses(bank), refund_of(booth, 1)) == (["pending"], "pending") and (booked["refunded"], booked["refunding"]) == (0, 4500)
    # Whoever asks hears that it is on its way; nothing is wrong with that, but it is not over.
    assert audit(booth) == {}
    booth.wait_freed()
    assert audit(booth, "--settled") == {6: ["place 1: payment 1 is still refunding: the refund waits for its bank"]}
    status = booth.stack.onsale_json("status", booth.slug)
    check("status", status)
    assert status["refunds_with_bank"]["count"] == 1 and status["refunds_with_bank"]["oldest_ms"] >= 0 and status["oldest_payment_ms"] is None
    assert "; 1 refund is with the bank, the oldest for 0.0 h" in booth.stack.onsale("status", booth.slug, expect=0).out
    shown = booth.stack.onsale("booking", "show", booth.slug, "1", expect=0).out
    assert f"refund {bank.refunds()[0]['id']} is with the bank" in shown and "\nrefund pending\n" in shown
    worker.kill()
    bank.decide_refund(bank.refunds()[0]["id"], "requires_action")
    worker.start()
    worker.wait_ready(30 * PATIENCE)
    asked = bank.calls()["counts"].get("ask", 0)
    wait_until(lambda: bank.calls()["counts"].get("ask", 0) > asked, "it to be asked about", 40 * PATIENCE)
    wait_with_bank(booth)
    (tries, dead, wait), = booth.stack.sql("SELECT tries, is_dead, TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), next_attempt_at) FROM payments")
    assert (tries, dead) == (0, 0) and 1 <= wait <= 60
    # As after days: it is asked about once an hour, and no more seldom.
    booth.stack.sql("UPDATE payments SET changed_at = changed_at - INTERVAL 9 DAY, next_attempt_at = UTC_TIMESTAMP(6)")
    wait_until(lambda: booth.stack.sql("SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), next_attempt_at) BETWEEN 3500 AND 3600 AND is_claimed = 0"
                                       " FROM payments") == ((1,),), "it to be left alone for an hour", 20 * PATIENCE)
    assert refund_of(booth, 1) == "pending" and audit(booth) == {}
    bank.decide_refund(bank.refunds()[0]["id"], "succeeded")
    not_before(booth, 1, 0)
    wait_refund(booth, 1, "done")
    agree(booth)
    assert audit(booth, "--settled") == {}
    assert bank.calls()["counts"]["refund"] == 1 and statuses(bank) == ["succeeded"]
    assert [outcome.get("refund") for outcome in booth.outcomes()[1, 1]][-2:] == ["pending", "done"]
    assert booth.take("onsale.dead") == []


def test_a_worker_that_dies_with_the_answer_asks_for_no_other(stack_factory):
    """It was taken, nobody wrote that down, and it has failed by the time that somebody looks: what the key repeats is old."""
    booth = booth_with_bank(stack_factory)
    booth.stack.start_program("notifier")
    bank, worker = booth.stack.bank, booth.stack.workers[0]
    booth.book(1, payment_method=HELD)
    wait_payment(booth, 1, "captured")
    worker.end()
    mean = booth.stack.start_program("booking-worker", wait=False, environment={
        "ONSALE_BOOKING_WORKER_TEST_CRASH_PAYMENT_CALL": "6", "ONSALE_BOOKING_WORKER_TEST_CRASH_AFTER": "true"})
    cancel(booth)
    wait_until(lambda: not mean.alive(), "the worker to die", 20 * PATIENCE)
    mean.killed = True
    assert booth.stack.sql("SELECT state, refund FROM payments") == (("refunding", None),)
    bank.decide_refund(bank.refunds()[0]["id"], "failed")
    booth.stack.expect_errors("dead_letter", "payment_dead")
    worker.start()
    worker.wait_ready(30 * PATIENCE)
    wait_refund(booth, 1, "failed")
    assert statuses(bank) == ["failed"] and payments(booth)[1, 1][0] == "failed"
    wait_until(lambda: letters(booth.stack), "the letter", 20 * PATIENCE)
    letter, = letters(booth.stack)
    assert letter["reason"] == "refund_failed"
    assert audit(booth) == {}
    # An operator has it tried again: another refund, and that one is taken.
    booth.stack.onsale("dead", "retry", str(letter["id"]), expect=0)
    assert refund_of(booth, 1) == "pending"
    wait_with_bank(booth)
    assert statuses(bank) == ["failed", "pending"]
    bank.decide_refund(bank.refunds()[1]["id"], "succeeded")
    not_before(booth, 1, 0)
    wait_refund(booth, 1, "done")
    agree(booth)
    assert audit(booth, "--settled") == {} and letters(booth.stack) == []


def test_places_do_not_wait_for_the_bank(booth):
    """Money that nobody wants any more was captured after all. That no ticket comes of it is certain as soon as it is sent back."""
    booth.book(1, payment_method=HELD)
    wait_payment(booth, 1, "captured")
    booth.stack.sql("INSERT INTO freeings (event_id, place, attempt, was, told, ended_at, payment_open) VALUES (%s, 1, 1, 'confirmed', 1,"
                    " UTC_TIMESTAMP(6), 1)", booth.event_id)
    booth.stack.sql("UPDATE payments SET state = 'voiding' WHERE event_id = %s", booth.event_id)
    unwanted(booth, 1)
    booth.wait_freed()
    assert booth.stack.sql("SELECT held, sold FROM tiers") == ((0, 0),)
    assert payments(booth)[1, 1][0] == "refunding" and statuses(booth.stack.bank) == ["pending"]
    booth.stack.bank.decide_refund(booth.stack.bank.refunds()[0]["id"], "succeeded")
    not_before(booth, 1, 0)
    agree(booth)


def test_news_of_a_refund_that_is_just_asked_about_are_not_lost(booth):
    """Whoever asks may have asked before: the news wait until that is through."""
    bank = booth.stack.bank
    booth.book(1, payment_method=HELD)
    wait_payment(booth, 1, "captured")
    cancel(booth)
    wait_with_bank(booth)
    (intent,), = booth.stack.sql("SELECT intent FROM payments")
    booth.stack.sql("UPDATE payments SET is_claimed = 1, next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR")
    bank.decide_refund(bank.refunds()[0]["id"], "succeeded")
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES ('evt_1', 'refund.updated', %s, '{}',"
                    " UTC_TIMESTAMP(6))", intent)
    wait_until(lambda: booth.stack.sql("SELECT next_look_at > received_at FROM provider_events") == ((1,),), "it to be looked at", 20 * PATIENCE)
    assert booth.stack.sql("SELECT done_at FROM provider_events") == ((None,),) and refund_of(booth, 1) == "pending"
    booth.stack.sql("UPDATE payments SET is_claimed = 0")
    wait_refund(booth, 1, "done")
    assert booth.stack.sql("SELECT verdict FROM provider_events") == (("asked",),)
    agree(booth)


def test_a_show_that_is_off_counts_what_is_with_the_bank(booth):
    bank = booth.stack.bank
    booth.book(1, 2, payment_method=HELD)
    booth.book(3, payment_method="pm_card_visa")
    for place in (1, 2, 3):
        wait_payment(booth, place, "captured")
    booth.stack.onsale("close", booth.slug, expect=0)
    booth.stack.onsale("event", "refund", booth.slug, expect=0)  # all on their way
    for place in (1, 2):
        wait_with_bank(booth, place)
    wait_refund(booth, 3, "done")
    # Asked to wait, it does not say that the money is back; run again, it goes on from how things stand.
    answer = booth.stack.onsale("event", "refund", booth.slug, "--wait", "1", expect=1, as_json=True).json
    check("event refund", answer)
    assert answer["cancelled"] == 0 and answer["refunds"] == {"pending": 2, "with_bank": 2, "done": 1, "failed": 0}
    assert "refunds pending: 2, 90.00 EUR\nof them with the bank: 2; " in booth.stack.onsale("event", "refund", booth.slug, expect=0).out
    for refund in bank.refunds():
        if refund["status"] == "pending":
            bank.decide_refund(refund["id"], "succeeded")
    for place in (1, 2):
        not_before(booth, place, 0)
    answer = booth.stack.onsale("event", "refund", booth.slug, "--wait", "60", expect=0, as_json=True, seconds=90).json
    assert answer["refunds"] == {"pending": 0, "with_bank": 0, "done": 3, "failed": 0}
    agree(booth)
    assert audit(booth, "--settled") == {} and bank.calls()["counts"]["refund"] == 3


def test_the_audit_calls_a_refund_that_failed_what_it_is(booth):
    """Before anybody here has noticed: the webhook got lost, and the next look is an hour away; or it was done, and nobody looks at all."""
    bank = booth.stack.bank
    booth.book(1, payment_method=HELD)
    booth.book(2, payment_method="pm_card_visa")
    for place in (1, 2):
        wait_payment(booth, place, "captured")
        cancel(booth, place)
    wait_with_bank(booth)
    wait_refund(booth, 2, "done")
    assert audit(booth) == {}
    not_before(booth, 1, 3600)
    for refund in bank.refunds():
        bank.decide_refund(refund["id"], "failed")
    found = sorted(audit(booth)[6])
    assert len(found) == 2, found
    assert "is refunding, and the provider says that the refund failed: expired_or_canceled_card" in found[0]
    assert "is refunded with 4500 EUR, and the provider has taken 4500 and given back 0; a refund failed" in found[1]


# With a waiting room, which takes the bank's signed webhooks


class Sale:
    """One visitor who has paid, at a stack that hears of what the bank does."""

    def __init__(self, stack, method):
        self.stack, self.bank, self.slug = stack, stack.bank, "gala"
        stack.event("gala", tiers=FLOOR)
        (self.event_id,), = stack.sql("SELECT id FROM events WHERE slug = 'gala'")
        self.client = stack.client()
        self.visitor = order(stack, self.client, method)
        self.place = self.visitor.place
        wait_state(self.client, self.visitor, "confirmed")
        self.wait("captured")

    def payment(self):
        return self.stack.sql("SELECT state FROM payments WHERE event_id = %s", self.event_id)[0][0]

    def wait(self, state):
        wait_until(lambda: self.payment() == state, f"the payment to be {state}", 20 * PATIENCE)

    def told(self):
        """What the visitor reads of the refund."""
        return self.client.get(f"/v1/events/{self.slug}/order", headers=self.visitor.headers).json().get("refund")

    def wait_told(self, refund):
        wait_until(lambda: self.told() == refund, f"the visitor to read {refund}", 20 * PATIENCE)


def test_a_refund_that_fails_is_told_at_once_and_can_be_tried_again(paying_stack):
    """Each webhook comes twice, and one refund's end is told by three of them."""
    sale = Sale(paying_stack, HELD)
    bank = sale.bank
    bank.webhooks(double=True)
    cancel(sale, sale.place)
    wait_with_bank(sale, sale.place)
    assert sale.told() == "pending"
    wait_until(lambda: all(event["state"] == "delivered" for event in bank.events()["events"]), "the webhooks to be taken", 10 * PATIENCE)
    wait_until(lambda: paying_stack.sql("SELECT COUNT(*) FROM provider_events WHERE done_at IS NULL") == ((0,),), "them to be looked at", 20 * PATIENCE)
    wait_with_bank(sale, sale.place)
    not_before(sale, sale.place, 3600)
    paying_stack.expect_errors("dead_letter", "payment_dead")
    bank.decide_refund(bank.refunds()[0]["id"], "failed")
    sale.wait_told("failed")
    assert sale.payment() == "failed"
    wait_until(lambda: letters(paying_stack), "the letter", 20 * PATIENCE)
    letter, = letters(paying_stack)
    assert letter["reason"] == "refund_failed" and "expired_or_canceled_card" in letter["detail"]
    assert 6 not in audit(sale)
    # Told once more it is one failure still.
    for event in bank.events()["events"]:
        if "refund" in event["type"]:
            assert bank.resend(event["id"]) == 200
    paying_stack.onsale("dead", "retry", str(letter["id"]), expect=0)
    wait_with_bank(sale, sale.place)
    sale.wait_told("pending")
    not_before(sale, sale.place, 3600)
    bank.decide_refund(bank.refunds()[1]["id"], "succeeded")
    sale.wait_told("done")
    assert statuses(bank, sale.place) == ["failed", "succeeded"] and letters(paying_stack) == []
    assert_ledger_agrees(paying_stack, "gala")
    assert 6 not in audit(sale, "--settled")


def test_a_refund_that_was_done_and_comes_back(paying_stack):
    """The customer's bank sends it back although it had been taken. The visitor was told that the money is back, and hears that it is not."""
    sale = Sale(paying_stack, "pm_card_visa")
    bank = sale.bank
    cancel(sale, sale.place)
    sale.wait_told("done")
    assert sale.payment() == "refunded"
    paying_stack.expect_errors("dead_letter", "payment_dead")
    bank.decide_refund(bank.refunds()[0]["id"], "failed")
    sale.wait_told("failed")
    wait_until(lambda: letters(paying_stack), "the letter", 20 * PATIENCE)
    letter, = letters(paying_stack)
    assert (letter["reason"], letter["payment"]["state"]) == ("refund_failed", "failed")
    assert paying_stack.sql("SELECT state, returned_at, next_attempt_at FROM payments") == (("failed", None, None),)
    assert 6 not in audit(sale)
    paying_stack.onsale("dead", "retry", str(letter["id"]), expect=0)
    sale.wait_told("done")
    assert statuses(bank, sale.place) == ["failed", "succeeded"]
    assert_ledger_agrees(paying_stack, "gala")
    assert 6 not in audit(sale, "--settled")
