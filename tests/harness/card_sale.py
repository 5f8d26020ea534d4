# SPDX-License-Identifier: Apache-2.0
"""A hall that is sold to a crowd who pay by card at the sandbox bank: some are declined, some are asked by their bank, with some it is silent,
some never pay; whatever dies meanwhile. Judged by what the visitors were told, by the bank's ledger and by the audit."""

import collections
import time

from harness.bank import wait_ledger_agrees
from harness.crowd import Crowd, assert_sold_as_told
from harness.stack import PATIENCE

ROW_SEATS = 50
PRICES = [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]
# What the bank has to bear: of those who order.
SHARES = ("--declines", "20%", "--challenges", "10%", "--time-outs", "5%", "--never-pay", "10%", "--cancel", "3%", "--pay-late", "1%")


def hall(count):
    return [{"row": f"{chr(ord('A') + number // 10)}{number % 10 + 1}", "seats": f"1-{ROW_SEATS}"} for number in range(count)]


class CardSale:
    """`stack` has a bank. The event is open at once."""

    def __init__(self, stack, rows, pace, hold_seconds, slug="hall"):
        self.stack, self.slug = stack, slug
        self.seats = rows * ROW_SEATS
        self.hold_seconds = hold_seconds
        stack.event(slug, pace=pace, hold_seconds=hold_seconds, max_per_order=6, max_per_customer=6,
                    tiers=[{"code": "stalls", "name": "Stalls", "rows": hall(rows), "prices": PRICES}])

    def crowd(self, visitors, *more, party="1-2", seconds=240, patience=90):
        return Crowd(self.stack, self.slug, "--visitors", visitors, "--rate", 400, "--party", party, "--order-within", 2, *SHARES,
                     "--change", "5%", "--take-back", "3%", "--in-turn", "5%", "--again", "20%", "--leave", "1%", "--reconnect", "5%",
                     "--pay-within", PATIENCE, "--hold", self.hold_seconds, "--patience", patience * PATIENCE, "--seconds",
                     seconds * PATIENCE, *more)

    @staticmethod
    def run(crowd, meanwhile=lambda: None):
        """`meanwhile` is called again and again until the crowd is through."""
        while crowd.process.poll() is None:
            meanwhile()
            time.sleep(0.05)
        return crowd.finish(1)

    def judge(self, crowd):
        """What must hold after any sale. Returns what came of it, for whoever reports."""
        print(crowd.said[-3500:])
        assert "all are done" in crowd.said
        wait_ledger_agrees(self.stack, self.slug, seconds=60 * PATIENCE)
        assert assert_sold_as_told(self.stack, self.slug, crowd) == {"stalls": self.seats}
        held = self.stack.sql("SELECT held, sold FROM tiers t JOIN events e ON e.id = t.event_id WHERE e.slug = %s", self.slug)
        assert held == ((0, self.seats),), held
        audit = self.stack.onsale_json("audit", self.slug, "--settled")
        assert audit["ok"], audit
        sums = self.sums(crowd)
        print(sums)
        # It was the test that it is meant to be.
        for what in ("declined", "challenged", "expired", "served from standby", "sold_out", "captured"):
            assert sums[what] > 0, (what, sums)
        return sums

    def sums(self, crowd):
        """How many of what there were, as the visitors were told, and as the bank has it."""
        told = crowd.record()
        sums = collections.Counter(order["state"] for order in crowd.orders().values())
        states = collections.defaultdict(set)
        for line in told:
            if line["kind"] in ("order", "order_answer"):
                states[line["visitor"]].add(line["data"]["state"])
        sums["declined"] = sum("declined" in each for each in states.values())
        sums["challenged"] = sum("action_required" in each for each in states.values())
        sums["served from standby"] = sum({"standby", "confirmed"} <= each for each in states.values())
        sums["tickets sold"] = sum(crowd.sold().values())
        sums["cards given in holds"] = sum(line["kind"] == "order_asked" and line["data"]["method"] == "PAY" for line in told)
        # The bank's side: intents, confirms, and money in the minor unit.
        ledger = self.stack.bank.ledger()
        sums["intents"] = len(ledger["intents"])
        sums["confirms"] = sum(ledger["confirms"].values())
        sums["captured"] = ledger["totals"]["captured"] - ledger["totals"]["refunded"]
        sums["refunded"] = ledger["totals"]["refunded"]
        sums["voided intents"] = sum(intent["voided"] > 0 for intent in ledger["intents"])
        sums["still authorised"] = ledger["totals"]["authorised_open"]
        sums["bookings"] = int(self.stack.sql("SELECT COALESCE(SUM(b.amount), 0) FROM bookings b JOIN events e ON e.id = b.event_id"
                                              " WHERE e.slug = %s AND b.state = 'confirmed'", self.slug)[0][0])
        return sums


class Killer:
    """Kills one of these after the other with kill -9, each few seconds, and starts it again at once. Call it again and again."""

    def __init__(self, seconds, *chosen):
        """`chosen` are functions that return what is to die next: anything with kill() and start()."""
        self.seconds, self.chosen = seconds, chosen
        self.killed = collections.Counter()
        self.next_at = time.monotonic() + seconds

    def __call__(self):
        if time.monotonic() < self.next_at:
            return
        name, victim = self.chosen[sum(self.killed.values()) % len(self.chosen)]()
        victim.kill()
        victim.start()
        self.killed[name] += 1
        self.next_at = time.monotonic() + self.seconds


def busiest_worker(stack):
    """The worker that books or pays, as far as its log tells; the others stand by and take over."""
    def latest(worker):
        return max([line.time for event in ("booked", "payment") for line in worker.log_lines(event)], default="")
    return "worker", max(stack.workers, key=latest)


def the_bank(stack):
    return "bank", stack.bank
