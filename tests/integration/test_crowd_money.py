# SPDX-License-Identifier: Apache-2.0
"""A hall of 250 seats is sold to 400 visitors who pay by card: one in five is declined, one in ten asked by the bank, one in ten never pays;
quietly, while workers and the bank are killed, and while MySQL, RabbitMQ and the bank are out of reach."""

import time

from harness.card_sale import CardSale, Killer, busiest_worker, the_bank
from harness.stack import PATIENCE

VISITORS = 400
ROWS = 5
HOLD_SECONDS = 8 * PATIENCE
KILL_SECONDS = 3  # so each of the two lives for twice as long
FAULT_SECONDS = 2
AWAY = ("mysql_away", "amqp_away")  # what may be said of level error while something is away
# pm_sandbox_slow is slower than that, so that it, too, is unknown at first; and a bank that is killed must live for longer.
CONFIG = {"payment": {"timeout_seconds": PATIENCE}}
BANK = {"slow_seconds": 1.2 * PATIENCE, "settle_seconds": 1}


def test_a_hall_is_paid_for_by_card(stack_factory):
    stack = stack_factory(config=CONFIG, bank=BANK).start(rooms=2, workers=2, notifiers=1)
    sale = CardSale(stack, ROWS, "40/s", HOLD_SECONDS)
    with sale.crowd(VISITORS) as crowd:
        sale.run(crowd)
    sums = sale.judge(crowd)
    assert {"card_declined", "insufficient_funds", "expired_card", "authentication_failed"} <= reasons(crowd)
    assert sums["cancelled"] > 0
    notices_money_that_is_not_right(stack, crowd)


def reasons(crowd):
    return {line["data"].get("reason") for line in crowd.record()
            if line["kind"] in ("order", "order_answer") and line["data"]["state"] == "declined"}


def notices_money_that_is_not_right(stack, crowd):
    """The ledger of a bank that took a cent too much, twice, from somebody else, or nothing: the checker says so."""
    def check(rule, change):
        ledger = stack.bank.ledger()
        change(ledger["intents"], next(intent for intent in ledger["intents"] if intent["captured"] > intent["refunded"]))
        done = crowd.check(crowd.record_path, crowd.write_ledger(ledger))
        assert done.returncode == 1 and f"{rule}: visitor " in done.stdout and " 1 violations" in done.stdout, (rule, done.stdout[-2000:])

    def another_booking(intents, paid):
        unpaid = next(intent for intent in intents if not intent["captured"]
                      and intent["metadata"]["onsale_place"] not in
                      {each["metadata"]["onsale_place"] for each in intents if each["captured"]})
        unpaid |= {"status": "succeeded", "captured": paid["captured"]}

    check("money_wrong", lambda _, paid: paid.update(captured=paid["captured"] - 1))
    check("money_wrong", lambda _, paid: paid.update(currency="USD"))
    check("money_twice", lambda intents, paid: intents.append(paid | {"id": "pi_again"}))
    check("money_missing", lambda _, paid: paid.update(captured=0, status="canceled"))
    check("money_missing", lambda _, paid: paid.update(refunded=paid["captured"]))
    check("money_open", lambda intents, paid: intents.append(paid | {"id": "pi_open", "captured": 0, "status": "requires_capture"}))
    check("money_taken", another_booking)


def test_a_hall_is_paid_for_while_workers_and_the_bank_are_killed(stack_factory):
    stack = stack_factory(config=CONFIG, bank=BANK).start(rooms=2, workers=2, notifiers=1)
    sale = CardSale(stack, ROWS, "20/s", HOLD_SECONDS)
    kill = Killer(KILL_SECONDS, lambda: busiest_worker(stack), lambda: the_bank(stack))
    # A payment that is lost again and again is asked about after half a minute, and after two.
    with sale.crowd(VISITORS, seconds=400, patience=200) as crowd:
        sale.run(crowd, kill)
    print("killed:", dict(kill.killed))
    assert kill.killed["worker"] > 4 and kill.killed["bank"] > 4
    for worker in stack.workers:
        worker.wait_ready(30 * PATIENCE)
    sale.judge(crowd)


def test_a_hall_is_paid_for_whatever_is_away(stack_factory):
    """MySQL and RabbitMQ are cut off and fall silent, and the bank is silent, one after the other."""
    stack = stack_factory(config=CONFIG, bank=BANK, proxied=True).start(rooms=2, workers=2, notifiers=1)
    stack.expect_errors(*AWAY)
    sale = CardSale(stack, ROWS, "15/s", HOLD_SECONDS)
    faults = Faults(stack)
    with sale.crowd(VISITORS, "--faults") as crowd:
        sale.run(crowd, faults)
    assert faults.are_over, "the hall was sold before everything had been away"
    sale.judge(crowd)


class Faults:
    """Each thing is away for a while, and then there for as long. Call it again and again."""

    def __init__(self, stack):
        bank = (stack.bank.freeze, stack.bank.resume)
        self.steps = [step for proxy in (stack.mysql_proxy, stack.amqp_proxy)
                      for step in (proxy.cut, proxy.mend, *bank, proxy.hold, proxy.mend)]
        self.next_at = time.monotonic() + FAULT_SECONDS

    @property
    def are_over(self):
        return not self.steps

    def __call__(self):
        if self.steps and time.monotonic() >= self.next_at:
            self.steps.pop(0)()
            self.next_at = time.monotonic() + FAULT_SECONDS
