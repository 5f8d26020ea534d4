# SPDX-License-Identifier: Apache-2.0
"""MySQL commits what an answer of the provider means, and its own answer gets lost: the payer does not know, and settles what it has in its hand
once more. An answer counts once."""

import pytest
from harness.stack import PATIENCE

from integration.test_payments import agree, booth_with_bank, pay_again, payments, unwanted, wait_payment


@pytest.fixture
def booth(stack_factory):
    return booth_with_bank(stack_factory, proxied=True)


def lost(booth):
    assert booth.stack.mysql_proxy.lost.wait(20 * PATIENCE)
    booth.stack.expect_errors("mysql_away")
    # It has come back, and has done with what it had.
    booth.book(2, payment_method="pm_card_visa")
    booth.wait_states({2: "confirmed"}, 20)


def dropped(booth):
    return booth.stack.workers[0].metrics()["onsale_payment_answers_dropped_total"]


def test_a_decline_counts_once(booth):
    booth.stack.mysql_proxy.lose_commit_after(b'"declined","take"')
    booth.book(1, payment_method="pm_card_chargeDeclined")
    lost(booth)
    assert payments(booth, 1) == {(1, 1): ["declined", "take", "card_declined"]}
    assert booth.booking(1)["state"] == "declined"
    assert dropped(booth) == 1
    pay_again(booth, 1, "pm_card_visa", 2)
    booth.wait_states({1: "confirmed"})
    agree(booth)
    assert booth.take("onsale.dead") == []


def test_a_refund_is_asked_for_although_nobody_knows_what_was_committed(booth):
    """It could not be voided, so it is refunded. That it could not be is no refusal of the refund."""
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "confirmed"})
    wait_payment(booth, 1, "captured")
    booth.stack.mysql_proxy.lose_commit_after(b'"refunding","give_back"')
    booth.stack.sql("UPDATE payments SET state = 'voiding' WHERE event_id = %s AND place = 1", booth.event_id)
    unwanted(booth, 1, refund="pending")
    booth.stack.sql("INSERT INTO freeings VALUES (%s, 1, 1, 'confirmed', 1, UTC_TIMESTAMP(6), 0)", booth.event_id)
    lost(booth)
    assert payments(booth, 1)[1, 1][0] == "refunding"
    assert dropped(booth) == 1
    # The payer's lease is over.
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place = 1", booth.event_id)
    wait_payment(booth, 1, "refunded", "failed")
    agree(booth)
    assert payments(booth, 1)[1, 1][0] == "refunded"
    assert booth.stack.sql("SELECT refund FROM bookings WHERE event_id = %s AND place = 1", booth.event_id) == (("done",),)
    assert booth.take("onsale.dead") == []
