# SPDX-License-Identifier: Apache-2.0
"""Payments that run into each other, and answers that cannot be written down: whatever becomes of one, the others go on, and all come to an
end."""

import time

import pytest
from harness.stack import PATIENCE
from processes import wait_until

from integration.test_payments import agree, booth_with_bank, pay_again, payments, unwanted, wait_payment


@pytest.fixture
def booth(stack_factory):
    return booth_with_bank(stack_factory)


def tell(booth, intent, kind, number=1):
    """A webhook, as a waiting room stores it."""
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES (%s, %s, %s, '{}', UTC_TIMESTAMP(6))",
                    f"evt_{intent}_{number}", kind, intent)


def at_the_provider(bank, intent, call, **form):
    """What somebody does there, past us."""
    answer = bank.call("POST", f"/v1/payment_intents/{intent}/{call}", key=f"hand-{call}-{intent}", **form)
    assert answer.status_code == 200, answer.text


def test_money_of_an_earlier_payment_while_another_is_open(booth):
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_card_chargeDeclined")
    booth.wait_states({1: "declined"})
    first, = bank.intents(place=1)
    pay_again(booth, 1, "pm_sandbox_challenge", 2)
    booth.wait_states({1: "action_required"})
    at_the_provider(bank, first["id"], "confirm", payment_method="pm_card_visa", return_url="https://localhost/e/gala")
    tell(booth, first["id"], "payment_intent.amount_capturable_updated")
    wait_until(lambda: booth.stack.workers[0].log_lines("payment", place=1, payment=1, call="ask"), "it to be asked about", 20 * PATIENCE)
    # Nobody else waits for that, and neither does the payment that is wanted.
    booth.book(2, payment_method="pm_card_visa")
    booth.wait_states({2: "confirmed"})
    (url,), = booth.stack.sql("SELECT action_url FROM bookings WHERE event_id = %s AND place = 1", booth.event_id)
    assert bank.answer_challenge(url, yes=True)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place = 1 AND number = 2", booth.event_id)
    booth.wait_states({1: "confirmed"})
    wait_payment(booth, 1, "voided", seconds=90)
    agree(booth)
    assert {key: state for key, (state, *_) in payments(booth, 1).items()} == {(1, 1): "voided", (1, 2): "captured"}


def test_a_refund_that_fails_days_later(booth):
    bank, stack = booth.stack.bank, booth.stack
    booth.book(1, 2, payment_method="pm_card_refundFail")
    wait_payment(booth, 1, "captured")
    wait_payment(booth, 2, "captured")
    for place in (1, 2):
        unwanted(booth, place, refund="pending")
        wait_payment(booth, place, "refunded")
    wait_until(lambda: not any(intent["refunded"] for intent in bank.intents()), "the bank to find out", 20 * PATIENCE)
    # Nobody has told us about 2; of 1 we hear twice.
    first, = bank.intents(place=1)
    tell(booth, first["id"], "refund.failed", 1)
    tell(booth, first["id"], "charge.refund.updated", 2)
    wait_payment(booth, 1, "failed")
    letter, = booth.take("onsale.dead", 1)
    assert (letter["reason"], letter["place"]) == ("refund_failed", 1)
    refunds = "SELECT place, refund FROM bookings WHERE event_id = %s"
    assert dict(stack.sql(refunds, booth.event_id)) == {1: "failed", 2: "done"}
    assert booth.outcomes()[1, 1][-1]["refund"] == "failed"
    # The audit knows of the other one, since it asks.
    said = stack.onsale("audit", booth.slug)
    assert said.code == 1 and "place 2" in said.out, said.out
    tell(booth, bank.intents(place=2)[0]["id"], "refund.failed")
    wait_payment(booth, 2, "failed")
    # What an operator takes up again is another refund.
    stack.sql("UPDATE payments SET state = 'refunding', refund = NULL, claim = claim + 1, next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    wait_payment(booth, 1, "refunded")
    wait_payment(booth, 2, "refunded")
    assert all(intent["refunded"] == intent["amount"] for intent in bank.intents())


def test_what_cannot_be_written_keeps_nobody_waiting(booth):
    bank = booth.stack.bank
    booth.stack.expect_errors("payment_not_settled")
    booth.stack.sql("CREATE TRIGGER no_such_intent BEFORE UPDATE ON payments FOR EACH ROW IF NEW.place = 3 AND NEW.intent IS NOT NULL THEN"
                    " SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 4025, MESSAGE_TEXT = 'not this one'; END IF")
    booth.book(*range(1, 11), payment_method="pm_card_visa")
    booth.wait_states({place: "paying" if place == 3 else "confirmed" for place in range(1, 11)}, 20)
    wait_until(lambda: booth.stack.workers[0].log_lines("payment_not_settled", place=3), "an error", 20 * PATIENCE)
    booth.stack.sql("DROP TRIGGER no_such_intent")
    booth.wait_states({3: "confirmed"}, 30)
    agree(booth)
    assert len(bank.intents(place=3)) == 1


def test_money_of_nobody_goes_back_while_the_visitor_pays(booth):
    """A payment that no row knows of, of a booking that is just being paid: it is given back, and the visitor gets what they paid for."""
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    created = bank.call("POST", "/v1/payment_intents", key="k", amount=4500, currency="eur", capture_method="manual", payment_method="pm_card_visa",
                        metadata={"onsale_event": "gala", "onsale_place": 1, "onsale_attempt": 1, "onsale_number": 9}).json()["id"]
    at_the_provider(bank, created, "confirm", return_url="https://localhost/e/gala")
    at_the_provider(bank, created, "capture")
    tell(booth, created, "payment_intent.succeeded")
    wait_payment(booth, 1, "refunded", number=2)
    assert booth.states() == {1: "action_required"}
    (url,), = booth.stack.sql("SELECT action_url FROM bookings WHERE event_id = %s", booth.event_id)
    assert bank.answer_challenge(url, yes=True)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND number = 1", booth.event_id)
    booth.wait_states({1: "confirmed"})
    agree(booth)


def test_a_payment_that_was_taken_at_the_provider_and_is_not_right_ends_the_booking(booth):
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    (url,), = booth.stack.sql("SELECT action_url FROM bookings WHERE event_id = %s", booth.event_id)
    intent, = bank.intents(place=1)
    assert bank.answer_challenge(url, yes=True)
    at_the_provider(bank, intent["id"], "capture")
    bank.behave(call="ask", place=1, do="wrong_amount", times=1)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    booth.wait_states({1: "failed"})
    booth.wait_freed()
    agree(booth)
    assert payments(booth) == {(1, 1): ["refunded", "give_back", "payment_failed"]}
    assert [letter["reason"] for letter in booth.take("onsale.dead", 1)] == ["provider_wrong"]


def test_a_worker_ends_in_time_with_many_calls_under_way(stack_factory):
    booth = booth_with_bank(stack_factory, line=100, config={"payment_calls_per_second": 0})
    bank = booth.stack.bank
    bank.behave(call="confirm", do="silence", executed=False, times=0)
    booth.book(*range(1, 101), payment_method="pm_card_visa")
    worker = booth.stack.workers[0]
    wait_until(lambda: worker.metrics()["onsale_payment_calls_in_flight"] >= 50, "many calls under way", 30 * PATIENCE)
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < 10
    bank.clear()
    worker.start()
    worker.wait_ready(30 * PATIENCE)
    booth.wait_states({place: "confirmed" for place in range(1, 101)}, 60)
    agree(booth)


def test_a_worker_ends_in_time_while_mysql_is_frozen(stack_factory):
    booth = booth_with_bank(stack_factory, proxied=True)
    booth.stack.bank.behave(call="confirm", do="slow", seconds=2, times=0)
    booth.book(*range(1, 21), payment_method="pm_card_visa")
    worker = booth.stack.workers[0]
    wait_until(lambda: worker.metrics()["onsale_payment_calls_in_flight"] >= 15, "many calls under way", 30 * PATIENCE)
    booth.stack.expect_errors("mysql_away")
    booth.stack.mysql_proxy.hold()
    wait_until(lambda: worker.metrics()["onsale_payment_calls_in_flight"] == 0, "answers that nobody can write down", 20 * PATIENCE)
    began = time.monotonic()
    assert worker.end() == 0
    assert time.monotonic() - began < 10
    booth.stack.mysql_proxy.mend()
    worker.start()
    worker.wait_ready(30 * PATIENCE)
    booth.wait_states({place: "confirmed" for place in range(1, 21)}, 60)
    agree(booth)


def test_news_that_settles_nothing_is_not_asked_about_all_the_time(booth):
    """Money of nobody has to wait while another payment of that booking is open, which may take as long as its visitor does."""
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    created = bank.call("POST", "/v1/payment_intents", key="k", amount=4500, currency="eur", capture_method="manual", payment_method="pm_card_visa",
                        metadata={"onsale_event": "gala", "onsale_place": 1, "onsale_attempt": 1, "onsale_number": 9}).json()["id"]
    at_the_provider(bank, created, "confirm", return_url="https://localhost/e/gala")
    tell(booth, created, "payment_intent.amount_capturable_updated")

    def looks():
        return sorted(call["at"] for call in bank.calls()["calls"] if call["call"] == "ask" and call["about"] == created)
    wait_until(lambda: len(looks()) >= 2, "it to be asked about twice", 30 * PATIENCE)
    first, second = looks()[:2]
    assert second - first > 4
    (url,), = booth.stack.sql("SELECT action_url FROM bookings WHERE event_id = %s", booth.event_id)
    assert bank.answer_challenge(url, yes=True)
    booth.wait_states({1: "confirmed"}, 30)
    wait_payment(booth, 1, "voided", number=2, seconds=30)
    agree(booth)


def test_news_of_long_ago_are_cleared_away(stack_factory):
    """What nothing has come of yet stays, however old."""
    booth = booth_with_bank(stack_factory, workers=0)
    for name, done, days in (("old", True, 91), ("young", True, 89), ("open", False, 400)):
        booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at, next_look_at, done_at) VALUES (%s, 'x', 'pi_x',"
                        " '{}', UTC_TIMESTAMP(6) - INTERVAL %s DAY, UTC_TIMESTAMP(6) + INTERVAL 1 DAY,"
                        " IF(%s, UTC_TIMESTAMP(6) - INTERVAL %s DAY, NULL))", name, days, done, days)
    booth.stack.start_program("booking-worker")
    wait_until(lambda: booth.stack.sql("SELECT COUNT(*) FROM provider_events WHERE id = 'old'") == ((0,),), "old news to go", 20 * PATIENCE)
    assert booth.stack.sql("SELECT id FROM provider_events ORDER BY id") == (("open",), ("young",))
