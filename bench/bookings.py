#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bookings of one tier by the worker, from a full queue, against one transaction for each booking on the same server: goal 6.

In turns on one machine, with full durability on both sides. The worker's rate is counted from its first to its last commit, by
the times of MySQL's clock in the bookings. Prints medians and the worst, keeps the raw runs as CSV.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pika

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "bench")]

from harness.broker import Backends  # noqa: E402
from harness.stack import BIN, Stack  # noqa: E402
from joins import cpu_seconds, mysql_pid  # noqa: E402

CHOICES = json.dumps([{"tier": "floor", "tickets": {"full": 1}, "quantity": 1, "amount": 4500}], separators=(",", ":"))


def event(stack, slug, count):
    """An open event with one tier of so many places; returns its id."""
    stack.event(slug, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": count + 1}])
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def release(stack, event_id, count):
    """So many orders, each of another customer, as admission leaves them."""
    digits = "(SELECT 0 AS d" + "".join(f" UNION ALL SELECT {n}" for n in range(1, 10)) + ")"
    number = " + ".join(f"{10 ** power} * d{power}.d" for power in range(6))
    tables = " CROSS JOIN ".join(f"{digits} d{power}" for power in range(6))
    stack.sql(
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, release_no, published, tier, quantity, amount,"
        " currency, choices, email, customer, placed_at, changed_at, released_at)"
        " SELECT %s, n, 1, UNHEX(MD5(n)), 'released', 2, 1, 1, 'floor', 1, 4500, 'EUR', %s, CONCAT('v', n, '@example.org'),"
        " UNHEX(LEFT(SHA2(CONCAT('v', n, '@example.org'), 256), 32)), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
        f" FROM (SELECT 1 + {number} AS n FROM {tables}) AS numbers WHERE n <= %s ORDER BY n", event_id, CHOICES, count)


def fill(stack, slug, event_id, count):
    """The messages, as admission publishes them, while no worker runs."""
    amqp = stack.backends.amqp
    connection = pika.BlockingConnection(pika.URLParameters(
        f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"))
    channel = connection.channel()
    channel.tx_select()
    properties = pika.BasicProperties(delivery_mode=2, type="book", content_type="application/json")
    for place in range(1, count + 1):
        channel.basic_publish("", f"onsale.bookings.{event_id % 8}",
                              f'{{"v":1,"type":"book","slug":"{slug}","event_id":{event_id},"place":{place},"attempt":1,"release":1}}',
                              properties)
        if place % 5000 == 0:
            channel.tx_commit()
    channel.tx_commit()
    connection.close()


def measure_worker(stack, pair, count, database):
    slug = f"worker-{pair}"
    event_id = event(stack, slug, count)
    release(stack, event_id, count)
    fill(stack, slug, event_id, count)
    worker = stack.workers[0] if stack.workers else None
    before_database = cpu_seconds(database)
    worker = worker.start() if worker else stack.start_program("booking-worker", wait=False)
    until = time.monotonic() + 300
    while stack.sql("SELECT sold FROM tiers WHERE event_id = %s", event_id)[0][0] < count:
        if time.monotonic() > until:
            raise SystemExit("the worker does not come to an end")
        time.sleep(0.1)
    cpu, cpu_database = worker.cpu_seconds(), cpu_seconds(database) - before_database
    worker.end()
    first, last = stack.sql("SELECT MIN(created_at), MAX(created_at) FROM bookings WHERE event_id = %s", event_id)[0]
    (in_first,), = stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND created_at = %s", event_id, first)
    booked = stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND state = 'confirmed'", event_id)[0][0]
    assert booked == count, f"{booked} of {count} were confirmed"
    rate = (count - in_first) / (last - first).total_seconds()
    return {"side": "worker", "connections": 1, "per_second": round(rate), "own_cpu_us": round(cpu * 1e6 / count, 2),
            "mysql_cpu_us": round(cpu_database * 1e6 / count, 2)}


def measure_one_by_one(stack, pair, connections, seconds, database):
    event_id = event(stack, f"peer-{pair}-{connections}", 9_000_000)
    mysql = stack.backends.mysql
    before = cpu_seconds(database)
    done = subprocess.run([BIN.parent / "bench" / "one-by-one", mysql["host"], str(mysql["port"]), mysql["user"],
                           mysql["password"], stack.name, str(event_id), str(connections), str(seconds)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    rate = float(done.stdout)
    return {"side": "one by one", "connections": connections, "per_second": round(rate), "own_cpu_us": "",
            "mysql_cpu_us": round((cpu_seconds(database) - before) * 1e6 / (rate * seconds), 2)}


def show(rows):
    def of(side, connections):
        return [row["per_second"] for row in rows if (row["side"], row["connections"]) == (side, connections)]
    worker = of("worker", 1)
    print(f"worker: bookings a second: median {statistics.median(worker):.0f}, worst {min(worker)}; CPU a booking: own "
          f"{statistics.median(row['own_cpu_us'] for row in rows if row['side'] == 'worker'):.1f} us, MySQL "
          f"{statistics.median(row['mysql_cpu_us'] for row in rows if row['side'] == 'worker'):.1f} us")
    best = [0] * len(worker)
    for connections in sorted({row["connections"] for row in rows if row["side"] == "one by one"}):
        rates = of("one by one", connections)
        print(f"one by one, {connections} connections: median {statistics.median(rates):.0f}, worst {min(rates)}")
        best = [max(a, b) for a, b in zip(best, rates)]
    ratios = [a / b for a, b in zip(worker, best)]
    print(f"worker against the best of them: median {statistics.median(ratios):.1f} times, worst {min(ratios):.1f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=3)
    arguments.add_argument("--orders", type=int, default=100_000)
    arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    arguments.add_argument("--seconds", type=int, default=5, help="of each run one by one")
    arguments.add_argument("--csv", default=str(ROOT / "bench" / "results" / "bookings.csv"))
    options = arguments.parse_args()
    if not 1 <= options.orders <= 1_000_000:
        arguments.error("--orders is 1 to 1000000")
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        folder = Path(name)
        backends = Backends(folder / "servers")
        stack = Stack(backends, folder, folder)
        try:
            stack.prepare()
            # Once, so that the queues are there.
            stack.start_program("booking-worker").end()
            database = mysql_pid(backends.mysql["port"])
            rows = []
            for pair in range(options.pairs):
                sides = [lambda pair=pair: measure_worker(stack, pair, options.orders, database)]
                sides += [lambda pair=pair, n=n: measure_one_by_one(stack, pair, n, options.seconds, database)
                          for n in options.connections]
                for side in sides if pair % 2 == 0 else sides[::-1]:
                    rows.append({"pair": pair} | side())
                    print(rows[-1], file=sys.stderr)
        finally:
            stack.close()
            backends.close()
    Path(options.csv).parent.mkdir(parents=True, exist_ok=True)
    with open(options.csv, "w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    show(rows)


if __name__ == "__main__":
    main()
