#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bookings while payments wait for a bank that takes five seconds to answer; with --sale, a whole hall that is paid for by card.

The measurement: the same bookings (held, of one standing tier, from a full queue) by the same worker, in turns: with nothing to pay
(`none`); with 500 payments under way at a bank that answers when the bookings are through, so that nothing but the waiting is added
(`waiting`); with 500 always under way at a bank that takes five seconds, one beginning as another is through (`flowing`: then the bank's and the
payments' own work have their share of the machine, too). The queue is kept back until the payments are under way. A booking's time is MySQL's.
Prints medians and ratios, keeps the raw runs as CSV.

The sale: 3,000 visitors for 2,000 seats; 20 % are declined, 10 % asked by their bank, with 5 % the bank is silent, slow or broken,
10 % never pay; a worker and the bank are killed in turns, every few seconds. Fails unless everybody heard what is right, the bank's ledger is the bookings to the cent, nothing is still
authorised, and the audit holds.
"""

import argparse
import json
import os
import statistics
import sys
import time

import pika
from bench_stack import bench_stack, cpu_seconds, mysql_pid, results, write_csv

from bookings import event, fill, release, standing_tier
from harness.bank import wait_ledger_agrees
from harness.card_sale import CardSale, Killer, busiest_worker, the_bank
from processes import wait_until

BANK_SECONDS = 5
SIDES = ("none", "waiting", "flowing")
FLOWING_TIMES = 4  # as many payments as are under way at once: they last for so many answers of the bank
TIMEOUT_SECONDS = 60  # of a call: longer than any run
COLUMNS = ("pair", "side", "orders", "per_second", "in_flight_before", "in_flight_after", "own_cpu_us", "mysql_cpu_us", "bank_cpu_ms",
           "commits", "load")
SALE_VISITORS, SALE_ROWS, SALE_PACE, SALE_HOLD_SECONDS = 3000, 40, "40/s", 10


class Gate:
    """Keeps the messages of an event's queue from the worker: who subscribes first to a queue with a single active consumer has it."""

    def __init__(self, stack, event_id):
        amqp = stack.backends.amqp
        self.connection = pika.BlockingConnection(pika.URLParameters(
            f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"))
        channel = self.connection.channel()
        channel.basic_qos(prefetch_count=1)
        channel.basic_consume(f"onsale.bookings.{event_id % 8}", lambda *_: None)

    def keep_alive(self):
        self.connection.process_data_events(0)

    def open(self):
        self.connection.close()


def in_flight(stack):
    return stack.bank.calls(last=0)["in_flight"]


def ready_to_pay(stack, slug, count):
    """So many orders that are to be paid as soon as they are booked; returns the event's id."""
    event_id = event(stack, slug, standing_tier(count))
    release(stack, event_id, [1] * count)
    stack.sql("UPDATE orders SET payment_method = 'pm_card_visa' WHERE event_id = %s", event_id)
    return event_id


def begin_paying(stack, gate, event_id, slug, count, at_once):
    """Has the orders booked until so many payments are under way: evenly, over as long as an answer takes, so that as many begin and end at any
    time; then the rest, which wait for their turn. Without any it takes as long: MySQL is still busy with the orders that were just written."""
    slices = 20
    began = time.monotonic()
    for number in range(slices):
        if count:
            fill(stack, slug, event_id, at_once * (number + 1) // slices, first=at_once * number // slices + 1)
        while time.monotonic() < began + BANK_SECONDS * (number + 1) / slices:
            gate.keep_alive()
            time.sleep(0.01)
    if count:
        fill(stack, slug, event_id, count, first=at_once + 1)


def commits(stack):
    return int(stack.sql("SHOW GLOBAL STATUS LIKE 'Com_commit'")[0][1])


def rate(stack, event_id, count):
    """Bookings a second between the first and the last time at which some were written; those of the first are not counted."""
    first, last, booked = stack.sql("SELECT MIN(created_at), MAX(created_at), COUNT(*) FROM bookings WHERE event_id = %s AND state = 'held'",
                                    event_id)[0]
    assert booked == count, f"{booked} of {count} are held"
    (in_first,), = stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND created_at = %s", event_id, first)
    return (count - in_first) / (last - first).total_seconds()


def measure(stack, pair, side, options, database):
    booked_slug, paid_slug = f"booked-{side}-{pair}", f"paid-{side}-{pair}"
    booked_id = event(stack, booked_slug, standing_tier(options.orders))
    release(stack, booked_id, [1] * options.orders)
    fill(stack, booked_slug, booked_id, options.orders)
    gate = Gate(stack, booked_id)
    payments = {"none": 0, "waiting": options.payments, "flowing": options.payments * FLOWING_TIMES}[side]
    stack.bank.clear()
    stack.bank.behave(call="confirm", do="slow", seconds=TIMEOUT_SECONDS - 5 if side == "waiting" else BANK_SECONDS, times=0)
    paid_id = None
    if payments:
        paid_id = ready_to_pay(stack, paid_slug, payments)
        assert paid_id % 8 != booked_id % 8
    worker = stack.workers[0].start() if stack.workers else stack.start_program("booking-worker", wait=False)
    worker.wait_ready()

    def are_under_way():
        gate.keep_alive()
        return in_flight(stack) >= options.payments * 0.95
    begin_paying(stack, gate, paid_id, paid_slug, payments, options.payments)
    if payments:
        wait_until(are_under_way, f"{options.payments} payments to be under way", 60, pause=0.05)
    result = {"pair": pair, "side": side, "orders": options.orders, "in_flight_before": in_flight(stack)}
    before = worker.cpu_seconds(), cpu_seconds(database), cpu_seconds(stack.bank.process.pid), commits(stack)
    gate.open()
    wait_until(lambda: stack.sql("SELECT held FROM tiers WHERE event_id = %s", booked_id)[0][0] == options.orders, "all to be booked", 300,
               pause=0.05)
    after = worker.cpu_seconds(), cpu_seconds(database), cpu_seconds(stack.bank.process.pid), commits(stack)
    result |= {"in_flight_after": in_flight(stack), "per_second": round(rate(stack, booked_id, options.orders)),
               "own_cpu_us": round((after[0] - before[0]) * 1e6 / options.orders, 2),
               "mysql_cpu_us": round((after[1] - before[1]) * 1e6 / options.orders, 2),
               "bank_cpu_ms": round((after[2] - before[2]) * 1e3), "commits": after[3] - before[3], "load": round(os.getloadavg()[0], 1)}
    if side == "waiting":
        stack.bank.clear()  # who waits is answered
    if payments:
        wait_until(lambda: stack.sql("SELECT COUNT(*) FROM payments WHERE event_id = %s AND state = 'captured'", paid_id)[0][0] == payments,
                   "all to be paid", 120, pause=0.5)
    worker.end()
    # Nothing of it is swept or counted in the next run.
    stack.onsale("close", booked_slug, expect=0)
    return result


def of(rows, side, column):
    return [row[column] for row in rows if row["side"] == side]


def show(rows):
    print("| payments | bookings/s: median | worst | against none: median | worst | own CPU µs | MySQL's CPU µs | bank's CPU ms |"
          " under way, begin and end: least |")
    print("|---|---|---|---|---|---|---|---|---|")
    for side in dict.fromkeys(row["side"] for row in rows):
        rates = of(rows, side, "per_second")
        against = [own / other for own, other in zip(rates, of(rows, "none", "per_second"))]
        middle = {column: statistics.median(of(rows, side, column)) for column in ("own_cpu_us", "mysql_cpu_us", "bank_cpu_ms")}
        print(f"| {side} | {statistics.median(rates):,.0f} | {min(rates):,} | {statistics.median(against):.2f} | {min(against):.2f} |"
              f" {middle['own_cpu_us']:.1f} | {middle['mysql_cpu_us']:.1f} | {middle['bank_cpu_ms']:.0f} |"
              f" {min(of(rows, side, 'in_flight_before'))}, {min(of(rows, side, 'in_flight_after'))} |")


def measure_all(stack, options, database):
    rows = []
    for pair in range(options.pairs):
        for side in SIDES if pair % 2 == 0 else SIDES[::-1]:
            rows.append(measure(stack, pair, side, options, database))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    print(f"calls under way at the bank, at most: {stack.bank.calls(last=0)['in_flight_max']}")
    for pair in range(options.pairs):
        for side in SIDES[1:]:
            wait_ledger_agrees(stack, f"paid-{side}-{pair}")
    return rows


def bench(options):
    with bench_stack(bank={"webhook_url": None},
                     config={"booking-worker": {"payments_at_once": options.payments, "payment_calls_per_second": 0},
                             "payment": {"timeout_seconds": TIMEOUT_SECONDS}}) as stack:
        stack.prepare()
        # Once, so that the queues are there.
        stack.start_program("booking-worker").end()
        rows = measure_all(stack, options, mysql_pid(stack))
    write_csv(options.csv, rows, COLUMNS)
    show(rows)


def sell(options):
    with bench_stack(bank={"slow_seconds": 2.5, "settle_seconds": 1}, config={"payment": {"timeout_seconds": 2}}) as stack:
        stack.start(rooms=2, admissions=2, workers=3, notifiers=2)
        sale = CardSale(stack, SALE_ROWS, SALE_PACE, SALE_HOLD_SECONDS)
        kill = Killer(options.kill_seconds, lambda: busiest_worker(stack), lambda: the_bank(stack))
        began = time.monotonic()
        with sale.crowd(SALE_VISITORS, party="1-2", seconds=1500, patience=600) as crowd:
            sale.run(crowd, kill)
        print(f"through after {time.monotonic() - began:.0f} s; killed: {dict(kill.killed)}")
        for worker in stack.workers:
            worker.wait_ready(60)
        sums = sale.judge(crowd)
        assert sums["captured"] == sums["bookings"] and sums["still authorised"] == 0
        for what, number in sums.items():
            print(f"{what:20} {number}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--orders", type=int, default=50_000, help="that are booked in a run")
    arguments.add_argument("--payments", type=int, default=500, help="under way at once")
    arguments.add_argument("--csv", default=results("payments.csv"))
    arguments.add_argument("--sale", action="store_true", help="sell a hall instead")
    arguments.add_argument("--kill-seconds", type=float, default=4, help="between two kills of --sale")
    options = arguments.parse_args()
    if not 1000 <= options.orders <= 1_000_000 or not 1 <= options.payments <= 5000:
        arguments.error("--orders is 1000 to 1000000, --payments 1 to 5000")
    (sell if options.sale else bench)(options)


if __name__ == "__main__":
    main()
