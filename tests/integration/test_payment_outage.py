# SPDX-License-Identifier: Apache-2.0
"""The provider was away for so long that payments are asked about every ten minutes only: when it is back, nobody waits for that."""

from datetime import timedelta

import pytest
from harness.stack import PATIENCE
from processes import wait_until

from integration.test_payments import agree, booth_with_bank

LONG = timedelta(seconds=300)


@pytest.fixture
def booth(stack_factory):
    return booth_with_bank(stack_factory, line=60)


def outlast(booth, *places):
    """Half an hour goes by without an answer: each payment of these has been asked about so often that its next turn is far away. One that is
    being asked about goes on so when that is not answered, either."""
    def rest():
        booth.stack.sql("UPDATE payments SET tries = 9, next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 600 SECOND, is_dead = 1"
                        " WHERE event_id = %s AND place IN %s AND is_claimed = 0", booth.event_id, places)
        return all(left > LONG for left in waits(booth, *places))
    wait_until(rest, "everybody to wait for long", 30 * PATIENCE)


def waits(booth, *places):
    return [left for left, in booth.stack.sql("SELECT TIMEDIFF(next_attempt_at, UTC_TIMESTAMP(6)) FROM payments WHERE event_id = %s"
                                              " AND place IN %s", booth.event_id, places)]


def wait_metric(worker, value):
    wait_until(lambda: worker.metrics()["onsale_payment_provider_away"] == value, f"the metric to be {value}", 20 * PATIENCE)


def away(booth, how):
    """Takes the bank away, and returns what brings it back."""
    bank = booth.stack.bank
    if how == "silent":
        bank.freeze()
        return bank.resume
    if how == "gone":
        bank.kill()
        return bank.start
    bank.behave(do=how, times=0)
    return bank.clear


@pytest.mark.parametrize("how", ["silent", "gone", "error_500", "busy_429"])
def test_all_go_on_at_once_when_it_is_back(booth, how):
    worker, = booth.stack.workers
    back = away(booth, how)
    booth.book(*range(1, 41), payment_method="pm_card_visa")
    worker.wait_log("provider_away")
    wait_metric(worker, 1)
    outlast(booth, *range(1, 41))
    back()
    booth.wait_states({place: "confirmed" for place in range(1, 41)}, 20)
    worker.wait_log("provider_back")
    wait_metric(worker, 0)
    assert len(worker.log_lines("provider_away")) == 1
    agree(booth)


def test_one_payment_that_is_never_answered_hastens_nobody(booth):
    bank, (worker,) = booth.stack.bank, booth.stack.workers
    for place in (1, 2):
        bank.behave(place=place, do="silence", times=0)
    booth.book(1, payment_method="pm_card_visa")
    wait_until(lambda: waits(booth, 1), "it to be there", 20 * PATIENCE)
    outlast(booth, 1)
    bank.forget_calls()
    booth.book(2, payment_method="pm_card_visa")
    wait_until(lambda: bank.calls()["counts"].get("list", 0) >= 2, "it to be found out, twice, that the bank works", 60 * PATIENCE)
    booth.book(3, payment_method="pm_card_visa")
    booth.wait_states({3: "confirmed"})
    assert waits(booth, 1)[0] > LONG
    assert not worker.log_lines("provider_away")
    bank.clear()
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place < 3 AND is_claimed = 0", booth.event_id)
    booth.wait_states({1: "confirmed", 2: "confirmed"}, 60)
    agree(booth)
