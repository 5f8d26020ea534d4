# SPDX-License-Identifier: Apache-2.0
"""A hall of 2,000 seats is sold to 3,000 visitors who come in parties, let holds lapse, give back, choose by name, pay too late; whatever
happens to the booking workers. Judged by what the visitors were told, by the audit, and by the history of every seat."""

import copy
import time

from processes import free_ports, wait_until

from harness.crowd import Crowd, Desk, assert_sold_as_told
from harness.seat_history import SeatHistory
from harness.stack import PATIENCE

ROWS = 40
ROW_SEATS = 50
VISITORS = 3_000
HOLD_SECONDS = 4 * PATIENCE
CANCELLED = 5  # by an operator
KILL_SECONDS = 2
FAULT_SECONDS = 1.5
AWAY = ("mysql_away", "amqp_away")  # what may be said of level error while something is away
MANUAL = {"payment": {"provider": "manual"}}


def hall(count):
    """Rows of fifty seats with an aisle. Every fifth has a wheelchair place with a seat beside it, every tenth a pillar before a seat."""
    rows = []
    for number in range(count):
        row = {"row": f"{chr(ord('A') + number // 2)}{number % 2 + 1}", "seats": "1-25,28-52"}
        if number % 10 < 2:
            row |= {"wheelchair": ["1"], "companion": ["2"]}
        if number % 10 == 5:
            row |= {"seats": "1-25,28-53", "blocked": ["53"]}
        rows.append(row)
    return rows


def document(rows):
    return {"hold_seconds": HOLD_SECONDS, "max_per_order": 6, "max_per_customer": 6, "tiers": [
        {"code": "stalls", "name": "Stalls", "rows": rows,
         "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]}]}


class Sale:
    """The stack, the event with its history, the crowd and the desk."""

    def __init__(self, stack, rows=ROWS, pace="80/s"):
        self.stack = stack
        self.rows = hall(rows)
        self.seats = rows * ROW_SEATS
        self.event = stack.event("hall", pace=pace, **document(self.rows))
        self.history = SeatHistory(stack, "hall", self.rows)
        self.desk = Desk(stack, "hall")
        self.is_for_all = False

    def crowd(self, *more, visitors=VISITORS):
        return Crowd(self.stack, "hall", *more, "--visitors", visitors, "--rate", 400, "--party", "1-6", "--order-within", 2,
                     "--named", "5%", "--wheelchair", "2%", "--never-pay", "13%", "--pay-late", "2%", "--cancel", "5%",
                     "--more-time", "3%", "--change", "5%", "--take-back", "3%", "--in-turn", "5%", "--alternatives", "50%",
                     "--again", "20%", "--leave", "1%", "--reconnect", "5%", "--pay-to", self.desk.path, "--pay-within", PATIENCE,
                     "--hold", HOLD_SECONDS, "--patience", 30 * PATIENCE, "--seconds", 120 * PATIENCE)

    def sell_marked_places_to_all(self):
        """What sellers do near the end: whoever comes may have the wheelchair places that nobody needed."""
        rows = copy.deepcopy(self.rows)
        for row in rows:
            row.pop("wheelchair", None)
            row.pop("companion", None)
        self.history.layouts.append(rows)
        self.stack.apply(self.event | document(rows))
        self.is_for_all = True

    def run(self, crowd, meanwhile=lambda: True):
        """`meanwhile` is called again and again; the seller can do nothing while it returns False."""
        while crowd.process.poll() is None:
            paid = 0
            if meanwhile():
                paid = self.desk.work()
                sold = self.stack.sql("SELECT sold FROM tiers")[0][0]
                if not self.is_for_all and sold > self.seats * 0.9:
                    self.sell_marked_places_to_all()
            if not paid:
                time.sleep(0.05)
        self.desk.work()
        crowd.finish(1)

    def judge(self, crowd, lapsed_min=50):
        print(crowd.said[-2500:])
        assert "all are done" in crowd.said
        replay = self.history.judge()
        print(dict(replay.sums), f"desk: {len(self.desk.confirmed)} confirmed, {len(self.desk.refused)} refused")
        assert not replay.wrong, replay.wrong[:10]
        assert assert_sold_as_told(self.stack, "hall", crowd) == {"stalls": self.seats}
        assert self.stack.onsale_json("event", "show", "hall")["state"] == "sold_out"
        told = crowd.orders()
        assert sorted(self.desk.confirmed) == sorted(order["place"] for order in told.values() if order["state"] == "confirmed")
        # It was the test that it is meant to be.
        for what in ("standby", "served from standby", "served at once", "cancelled", "refused"):
            assert replay.sums[what] > 0, what
        assert replay.sums["expired"] > lapsed_min
        audit = self.stack.onsale_json("audit", "hall", "--settled")
        assert audit["ok"], audit
        self.take_some_back(told)

    def take_some_back(self, told):
        """An operator cancels what was sold first: the event is on sale again, with just these seats."""
        for place in self.desk.confirmed[:CANCELLED]:
            self.stack.onsale("booking", "cancel", "hall", place, expect=0)
        wait_until(lambda: self.stack.onsale_json("event", "show", "hall")["state"] == "open", "the hall to be on sale again", 20 * PATIENCE)
        wait_until(lambda: not self.stack.sql("SELECT * FROM freeings"), "the seats to be free", 20 * PATIENCE)
        given_back = sum(sum(order["tickets"].values()) for order in told.values()
                         if order["state"] == "confirmed" and order["place"] in self.desk.confirmed[:CANCELLED])
        assert self.stack.sql("SELECT held, sold FROM tiers")[0] == (0, self.seats - given_back)
        assert self.stack.sql("SELECT COUNT(*) FROM taken_seats")[0][0] == self.seats - given_back
        audit = self.stack.onsale_json("audit", "hall", "--settled")
        assert audit["ok"], audit


def test_a_hall_is_sold_to_parties(stack_factory):
    stack = stack_factory(config=MANUAL).start(rooms=2, workers=2, notifiers=1)
    sale = Sale(stack)
    with sale.crowd() as crowd:
        sale.run(crowd)
    sale.judge(crowd)


def test_a_hall_is_sold_while_workers_are_killed(stack_factory):
    stack = stack_factory(config=MANUAL).start(rooms=2, workers=3, notifiers=1)
    sale = Sale(stack)
    killed = [time.monotonic()]

    def kill_one():
        if time.monotonic() - killed[-1] < KILL_SECONDS:
            return True
        killed.append(time.monotonic())
        # The one that books, as far as its log tells; the others sweep, and take over.
        worker = max(stack.workers, key=lambda each: max([line.time for line in each.log_lines("booked")], default=""))
        worker.kill()
        worker.start()
        return True

    with sale.crowd() as crowd:
        sale.run(crowd, kill_one)
    print(f"{len(killed) - 1} workers were killed")
    assert len(killed) > 5
    for worker in stack.workers:
        worker.wait_ready(30 * PATIENCE)
    sale.judge(crowd)


def test_a_hall_is_sold_whatever_dies_or_is_away(stack_factory):
    """Each program is killed, RabbitMQ and MySQL are cut off and fall silent, one after the other."""
    stack = stack_factory(config=MANUAL, proxied=True)
    stack.expect_errors(*AWAY)
    stack.prepare()
    started = [stack.start_room(wait=False, environment={"ONSALE_WAITING_ROOM_LISTEN": f"127.0.0.1:{port}"}) for port in free_ports(2)]
    started += [stack.start_program(kind, wait=False) for kind in ("admission", "booking-worker", "notifier") for _ in range(2)]
    for program in started:
        program.wait_ready(30 * PATIENCE)
    sale = Sale(stack, rows=12, pace="6/s")

    def kill_and_cut():
        """A step at a time; yields whether MySQL is there for the seller."""
        for kind in ("admission", "booking-worker", "notifier", "waiting-room"):
            for program in [each for each in stack.programs if each.name.startswith(kind)]:
                program.kill()
                yield True
                program.start()
                yield True
        for proxy in (stack.amqp_proxy, stack.mysql_proxy):
            for away in (proxy.cut, proxy.hold):
                away()
                yield proxy is not stack.mysql_proxy
                proxy.mend()
                yield True

    steps = kill_and_cut()
    state = {"there": True, "until": time.monotonic() + 3 * FAULT_SECONDS, "done": False}

    def meanwhile():
        if not state["done"] and time.monotonic() > state["until"]:
            state["there"] = next(steps, None)
            state["done"] = state["there"] is None
            state["until"] = time.monotonic() + FAULT_SECONDS
        return state["there"] is not False

    with sale.crowd("--faults", visitors=600) as crowd:
        sale.run(crowd, meanwhile)
    assert state["done"], "the hall was sold before everything had been away"
    sale.judge(crowd, lapsed_min=10)
