# SPDX-License-Identifier: Apache-2.0
"""Money that turns up at the provider beside a payment that is under way, or goes back: it goes back, too, and neither takes the other's place."""

import pytest
from harness.stack import PATIENCE
from processes import wait_until

from integration.test_payments import agree, booth_with_bank, pay_again, payments, wait_payment


@pytest.fixture
def booth(stack_factory):
    return booth_with_bank(stack_factory)


def found_money(booth, key, captured):
    """Money for place 1 that nobody here knows of. Returns its intent."""
    bank = booth.stack.bank
    intent = bank.call("POST", "/v1/payment_intents", key=key, amount=4500, currency="eur", capture_method="manual",
                       payment_method="pm_card_visa", metadata={"onsale_event": "gala", "onsale_place": 1, "onsale_attempt": 1,
                                                                "onsale_number": 9}).json()["id"]
    assert bank.call("POST", f"/v1/payment_intents/{intent}/confirm", key=f"c{key}", return_url="https://localhost/e/gala").status_code == 200
    if captured:
        assert bank.call("POST", f"/v1/payment_intents/{intent}/capture", key=f"t{key}").status_code == 200
    return intent


def tell(booth, intent, kind):
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES (%s, %s, %s, '{}', UTC_TIMESTAMP(6))",
                    f"evt_{intent}_{kind}", f"payment_intent.{kind}", intent)


def answer_the_bank(booth, number):
    (url,), = booth.stack.sql("SELECT action_url FROM bookings WHERE event_id = %s", booth.event_id)
    (intent,), = booth.stack.sql("SELECT intent FROM payments WHERE event_id = %s AND number = %s", booth.event_id, number)
    assert booth.stack.bank.answer_challenge(url, yes=True)
    tell(booth, intent, "processing")


def refund_of(booth):
    (refund,), = booth.stack.sql("SELECT refund FROM bookings WHERE event_id = %s", booth.event_id)
    return refund


def test_beside_a_payment_that_is_under_way(booth):
    booth.book(1, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    taken, reserved = found_money(booth, "k1", True), found_money(booth, "k2", False)
    tell(booth, taken, "succeeded")
    wait_payment(booth, 1, "refunded", number=2)
    # What is reserved would be a second one that is open: it waits until the visitor's has come to its end.
    tell(booth, reserved, "amount_capturable_updated")
    wait_until(lambda: booth.stack.sql("SELECT next_look_at > received_at FROM provider_events WHERE object = %s", reserved) == ((1,),),
               "it to be looked at", 20 * PATIENCE)
    assert booth.states() == {1: "action_required"} and refund_of(booth) is None
    answer_the_bank(booth, 1)
    booth.wait_states({1: "confirmed"})
    wait_payment(booth, 1, "voided", number=3, seconds=40)
    agree(booth)
    assert {key: state for key, (state, *_) in payments(booth).items()} == {(1, 1): "captured", (1, 2): "refunded", (1, 3): "voided"}
    assert booth.states() == {1: "confirmed"} and refund_of(booth) is None


def test_a_decline_that_was_none(booth):
    """The bank lets a card through that it had declined, while it asks its question about the next one."""
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_card_chargeDeclined")
    booth.wait_states({1: "declined"})
    pay_again(booth, 1, "pm_sandbox_challenge", 2)
    booth.wait_states({1: "action_required"})
    (intent,), = booth.stack.sql("SELECT intent FROM payments WHERE event_id = %s AND number = 1", booth.event_id)
    assert bank.call("POST", f"/v1/payment_intents/{intent}/confirm", key="late", payment_method="pm_card_visa",
                     return_url="https://localhost/e/gala").json()["status"] == "requires_capture"
    tell(booth, intent, "amount_capturable_updated")
    wait_until(lambda: booth.stack.sql("SELECT tries FROM payments WHERE event_id = %s AND number = 1", booth.event_id) > ((0,),),
               "it to be asked about", 20 * PATIENCE)
    assert payments(booth)[1, 1][0] == "declined" and booth.states() == {1: "action_required"}
    answer_the_bank(booth, 2)
    booth.wait_states({1: "confirmed"})
    wait_payment(booth, 1, "voided", number=1, seconds=40)
    agree(booth)
    assert payments(booth)[1, 2][0] == "captured" and booth.states() == {1: "confirmed"}


def test_a_refund_is_done_when_all_of_it_is(booth):
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "confirmed"})
    wait_payment(booth, 1, "captured")
    # An operator cancels. Somebody else's money of the same place is back before the payer comes to the visitor's own.
    booth.stack.sql("UPDATE bookings SET state = 'cancelled', refund = 'pending', revision = revision + 1 WHERE event_id = %s", booth.event_id)
    booth.stack.sql("UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE event_id = %s",
                    booth.event_id)
    tell(booth, found_money(booth, "k1", True), "succeeded")
    wait_payment(booth, 1, "refunded", number=2)
    assert payments(booth)[1, 1][0] == "captured" and refund_of(booth) == "pending"
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND number = 1", booth.event_id)
    wait_payment(booth, 1, "refunded")
    wait_until(lambda: refund_of(booth) == "done", "the refund to be done", 20 * PATIENCE)


def test_an_earlier_attempts_money_frees_nothing_of_a_later_one(booth):
    """The visitor has given back what the bank still asks about; late money of the attempt before is let go meanwhile."""
    bank = booth.stack.bank

    def state(attempt):
        return booth.stack.sql("SELECT state FROM payments WHERE event_id = %s AND attempt = %s", booth.event_id, attempt)[0][0]
    booth.book(1, payment_method="pm_card_chargeDeclined")
    booth.wait_states({1: "declined"})
    booth.lapse(1)
    booth.wait_states({1: "expired"})
    booth.book(1, attempt=2, payment_method="pm_sandbox_challenge")
    wait_until(lambda: (booth.booking(1, 2) or {}).get("state") == "action_required", "the bank's question", 20 * PATIENCE)
    booth.stack.sql("UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL WHERE event_id = %s AND attempt = 2",
                    booth.event_id)
    booth.stack.sql("UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE event_id = %s"
                    " AND attempt = 2", booth.event_id)
    booth.stack.sql("INSERT INTO freeings VALUES (%s, 1, 2, 'action_required', 0, UTC_TIMESTAMP(6), 1)", booth.event_id)
    (intent,), = booth.stack.sql("SELECT intent FROM payments WHERE event_id = %s AND attempt = 1", booth.event_id)
    assert bank.call("POST", f"/v1/payment_intents/{intent}/confirm", key="late", payment_method="pm_card_visa",
                     return_url="https://localhost/e/gala").json()["status"] == "requires_capture"
    tell(booth, intent, "amount_capturable_updated")
    wait_until(lambda: state(1) == "voided", "the late money to be let go", 20 * PATIENCE)
    booth.book(2)  # whoever books frees first what may be freed
    booth.wait_states({2: "held"})
    assert booth.stack.sql("SELECT payment_open FROM freeings WHERE event_id = %s AND attempt = 2", booth.event_id) == ((1,),)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND attempt = 2", booth.event_id)
    wait_until(lambda: state(2) == "voided", "the other to be let go", 20 * PATIENCE)
    agree(booth)


def test_an_order_that_is_booked_again_waits_until_other_money_is_back(booth):
    """Of two payments that are open the key allows one. The order is held, and its visitor pays when the other has come to its end."""
    bank = booth.stack.bank
    bank.behave(call="create", place=1, do="wrong_amount", times=1)
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "failed"})
    booth.wait_freed()
    bank.behave(call="cancel", place=1, do="error_500", times=0)
    tell(booth, found_money(booth, "k1", False), "amount_capturable_updated")
    wait_payment(booth, 1, "voiding", number=2)
    booth.stack.sql("UPDATE bookings SET state = 'released', revision = revision + 1, reason = NULL, tier = NULL, quantity = 0, amount = 0,"
                    " reference = NULL WHERE event_id = %s AND place = 1", booth.event_id)
    booth.send(booth.message(1, release=2))
    booth.wait_states({1: "held"})
    bank.clear()
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND number = 2", booth.event_id)
    wait_payment(booth, 1, "voided", number=2)
    pay_again(booth, 1, "pm_card_visa", 3)
    booth.wait_states({1: "confirmed"})
    agree(booth)
