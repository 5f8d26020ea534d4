# SPDX-License-Identifier: Apache-2.0
"""A hall of 2,000 seats is sold to 3,000 visitors who come in parties, let holds lapse, give back, choose by name, pay too late; whatever
happens to the booking workers. Judged by what the visitors were told, by the audit, and by the history of every seat."""

import copy
import time

from harness.crowd import Crowd, Desk, assert_sold_as_told
from harness.seat_history import SeatHistory
from harness.stack import PATIENCE

SEATS = 2_000
VISITORS = 3_000
HOLD_SECONDS = 4 * PATIENCE
KILL_SECONDS = 2


def hall():
    """Forty rows of fifty seats with an aisle. Eight have a wheelchair place with a seat beside it, four a pillar before a seat."""
    rows = []
    for number in range(40):
        row = {"row": f"{chr(ord('A') + number // 2)}{number % 2 + 1}", "seats": "1-25,28-52"}
        if number % 10 < 2:
            row |= {"wheelchair": ["1"], "companion": ["2"]}
        if number % 10 == 5:
            row |= {"seats": "1-25,28-53", "blocked": ["53"]}
        rows.append(row)
    return rows


def document(rows):
    return {"hold_seconds": HOLD_SECONDS, "pace": "80/s", "max_per_order": 6, "max_per_customer": 6, "tiers": [
        {"code": "stalls", "name": "Stalls", "rows": rows,
         "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]}]}


class Sale:
    """The stack, the event with its history, the crowd and the desk."""

    def __init__(self, stack):
        self.stack = stack
        self.event = stack.event("hall", **document(hall()))
        self.history = SeatHistory(stack, "hall", hall())
        self.desk = Desk(stack, "hall")
        self.is_for_all = False

    def crowd(self):
        return Crowd(self.stack, "hall", "--visitors", VISITORS, "--rate", 400, "--party", "1-6", "--order-within", 2,
                     "--named", "5%", "--wheelchair", "2%", "--never-pay", "13%", "--pay-late", "2%", "--cancel", "5%",
                     "--more-time", "3%", "--change", "5%", "--take-back", "3%", "--in-turn", "5%", "--alternatives", "50%",
                     "--again", "20%", "--leave", "1%", "--reconnect", "5%", "--pay-to", self.desk.path, "--pay-within", PATIENCE,
                     "--hold", HOLD_SECONDS, "--patience", 30 * PATIENCE, "--seconds", 120 * PATIENCE)

    def seats_left(self):
        return self.stack.sql("SELECT capacity - held - sold FROM tiers")[0][0]

    def sell_marked_places_to_all(self):
        """What sellers do near the end: whoever comes may have the wheelchair places that nobody needed."""
        rows = copy.deepcopy(hall())
        for row in rows:
            row.pop("wheelchair", None)
            row.pop("companion", None)
        self.history.layouts.append(rows)
        self.stack.apply(self.event | document(rows))
        self.is_for_all = True

    def run(self, crowd, meanwhile=lambda: None):
        while crowd.process.poll() is None:
            paid = self.desk.work()
            if not self.is_for_all and self.stack.sql("SELECT sold FROM tiers")[0][0] > SEATS * 0.9:
                self.sell_marked_places_to_all()
            meanwhile()
            if not paid:
                time.sleep(0.05)
        self.desk.work()
        crowd.finish(1)

    def judge(self, crowd):
        print(crowd.said[-2500:])
        assert "all are done" in crowd.said
        replay = self.history.judge()
        print(dict(replay.sums), f"desk: {len(self.desk.confirmed)} confirmed, {len(self.desk.refused)} refused")
        assert not replay.wrong, replay.wrong[:10]
        assert assert_sold_as_told(self.stack, "hall", crowd) == {"stalls": SEATS}
        assert self.stack.onsale_json("event", "show", "hall")["state"] == "sold_out"
        told = crowd.orders()
        assert self.desk.confirmed == {order["place"] for order in told.values() if order["state"] == "confirmed"}
        # It was the test that it is meant to be.
        for what in ("standby", "served from standby", "served at once", "expired", "cancelled", "refused"):
            assert replay.sums[what] > 0, what
        assert replay.sums["expired"] > 50 and replay.sums["served from standby"] > 50
        audit = self.stack.onsale_json("audit", "hall", "--settled")
        assert audit["ok"], audit


def test_a_hall_is_sold_to_parties(stack_factory):
    stack = stack_factory(config={"payment": {"provider": "manual"}}).start(rooms=2, workers=2, notifiers=1)
    sale = Sale(stack)
    with sale.crowd() as crowd:
        sale.run(crowd)
    sale.judge(crowd)


def test_a_hall_is_sold_while_workers_are_killed(stack_factory):
    stack = stack_factory(config={"payment": {"provider": "manual"}}).start(rooms=2, workers=3, notifiers=1)
    sale = Sale(stack)
    killed = [time.monotonic()]

    def kill_one():
        if time.monotonic() - killed[-1] < KILL_SECONDS:
            return
        killed.append(time.monotonic())
        # The one that books, as far as its log tells; the others sweep, and take over.
        worker = max(stack.workers, key=lambda each: max([line.time for line in each.log_lines("booked")], default=""))
        worker.kill()
        worker.start()

    with sale.crowd() as crowd:
        sale.run(crowd, kill_one)
    print(f"{len(killed) - 1} workers were killed")
    assert len(killed) > 5
    for worker in stack.workers:
        worker.wait_ready(30 * PATIENCE)
    sale.judge(crowd)
