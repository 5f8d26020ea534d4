#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Bookings by the worker from a full queue: of one standing tier, and of seats for pairs and fours who stay together: goals 6 and 8.

Against it one transaction for each booking on the same server, in turns on one machine, with full durability on all sides. The worker's rate
is counted from its first to its last commit, by the times of MySQL's clock in the bookings. Prints a table with medians and the worst,
keeps the raw runs as CSV.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import time

import pika
from bench_stack import bench_stack, cpu_seconds, mysql_pid, results, write_csv

import hall
from harness.stack import BIN

TIER, AMOUNT = "floor", 4500
COLUMNS = ("pair", "side", "connections", "orders", "per_second", "own_cpu_us", "mysql_cpu_us", "split", "split_in_vain", "stranded",
           "stranded_at_most")


def standing_tier(capacity):
    return {"code": TIER, "name": "Floor", "price": AMOUNT, "capacity": capacity}


def event(stack, slug, tier):
    """An open event with one tier; returns its id."""
    stack.event(slug, tiers=[tier])
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def pairs_and_fours(seed):
    """Party sizes in a mixed sequence that fill the hall to the last seat."""
    fours = hall.COUNT // 6
    sizes = [4] * fours + [2] * ((hall.COUNT - 4 * fours) // 2)
    random.Random(seed).shuffle(sizes)
    return sizes


def release(stack, event_id, sizes):
    """Orders of so many tickets each, each of another customer, as admission leaves them."""
    stack.sql(
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, release_no, published, tier, quantity, amount,"
        " currency, choices, email, customer, placed_at, changed_at, released_at)"
        " SELECT %s, n, 1, UNHEX(MD5(n)), 'released', 2, 1, 1, %s, size, %s * size, 'EUR',"
        " CONCAT('[{\"tier\":\"', %s, '\",\"tickets\":{\"full\":', size, '},\"quantity\":', size, ',\"amount\":', %s * size, '}]'),"
        " CONCAT('v', n, '@example.org'), UNHEX(LEFT(SHA2(CONCAT('v', n, '@example.org'), 256), 32)),"
        " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
        " FROM JSON_TABLE(%s, '$[*]' COLUMNS (n FOR ORDINALITY, size INT UNSIGNED PATH '$')) AS sizes",
        event_id, TIER, AMOUNT, TIER, AMOUNT, json.dumps(sizes))


def fill(stack, slug, event_id, count, first=1):
    """The messages of the places from `first` to `count`, as admission publishes them."""
    amqp = stack.backends.amqp
    connection = pika.BlockingConnection(pika.URLParameters(
        f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"))
    channel = connection.channel()
    channel.tx_select()
    properties = pika.BasicProperties(delivery_mode=2, type="book", content_type="application/json")
    for place in range(first, count + 1):
        channel.basic_publish("", f"onsale.bookings.{event_id % 8}",
                              f'{{"v":1,"type":"book","slug":"{slug}","event_id":{event_id},"place":{place},"attempt":1,"release":1}}',
                              properties)
        if place % 5000 == 0:
            channel.tx_commit()
    channel.tx_commit()
    connection.close()


def work(stack, event_id, tickets):
    """Starts the worker, waits until that many tickets are sold, ends it; returns its CPU time."""
    worker = stack.workers[0].start() if stack.workers else stack.start_program("booking-worker", wait=False)
    until = time.monotonic() + 300
    while stack.sql("SELECT sold FROM tiers WHERE event_id = %s", event_id)[0][0] < tickets:
        if time.monotonic() > until:
            raise SystemExit("the worker does not come to an end")
        time.sleep(0.05)
    cpu = worker.cpu_seconds()
    worker.end()
    return cpu


def rate(stack, event_id, count):
    """Bookings a second between the first and the last time at which some were written; those of the first are not counted."""
    first, last = stack.sql("SELECT MIN(created_at), MAX(created_at) FROM bookings WHERE event_id = %s", event_id)[0]
    (in_first,), = stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND created_at = %s", event_id, first)
    booked = stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND state = 'confirmed'", event_id)[0][0]
    assert booked == count, f"{booked} of {count} were confirmed"
    return (count - in_first) / (last - first).total_seconds()


def measure_worker(stack, side, slug, tier, sizes, database):
    event_id = event(stack, slug, tier)
    release(stack, event_id, sizes)
    fill(stack, slug, event_id, len(sizes))
    before_database = cpu_seconds(database)
    cpu = work(stack, event_id, sum(sizes))
    cpu_database = cpu_seconds(database) - before_database
    return event_id, {"side": side, "connections": 1, "orders": len(sizes), "per_second": round(rate(stack, event_id, len(sizes))),
                      "own_cpu_us": round(cpu * 1e6 / len(sizes), 2), "mysql_cpu_us": round(cpu_database * 1e6 / len(sizes), 2)}


def measure_standing(stack, pair, count, database):
    return measure_worker(stack, "standing", f"standing-{pair}", standing_tier(count + 1), [1] * count, database)[1]


def measure_seated(stack, pair, database):
    sizes = pairs_and_fours(pair)
    event_id, result = measure_worker(stack, "seated", f"seated-{pair}", hall.tier(TIER, AMOUNT), sizes, database)
    seen = hall.Hall()
    for place, seats in stack.sql("SELECT place, seats FROM bookings WHERE event_id = %s ORDER BY place", event_id):
        names = json.loads(seats)
        assert len(names) == sizes[place - 1], f"place {place} has {len(names)} seats"
        seen.take(names)
    assert seen.left == 0, f"{seen.left} seats were not sold"
    # At the end of all no seat is free, so none is alone; what says more is how many ever were.
    return result | {"split": seen.split, "split_in_vain": seen.split_in_vain, "stranded": seen.stranded,
                     "stranded_at_most": seen.most_alone}


def measure_one_by_one(stack, pair, connections, seconds, database):
    event_id = event(stack, f"peer-{pair}-{connections}", standing_tier(9_000_000))
    mysql = stack.backends.mysql
    before = cpu_seconds(database)
    done = subprocess.run([BIN.parent / "bench" / "one-by-one", mysql["host"], str(mysql["port"]), mysql["user"],
                           mysql["password"], stack.name, str(event_id), str(connections), str(seconds)],
                          capture_output=True, text=True, check=True, timeout=seconds + 60)
    per_second = float(done.stdout)
    return {"side": "one by one", "connections": connections, "orders": round(per_second * seconds), "per_second": round(per_second),
            "mysql_cpu_us": round((cpu_seconds(database) - before) * 1e6 / (per_second * seconds), 2)}


def of(rows, side, connections=1):
    return [row for row in rows if (row["side"], row["connections"]) == (side, connections)]


def median(rows, column):
    return statistics.median(row[column] for row in rows)


def ratios(rows, than):
    """Of each pair, with the best of `than`."""
    best = {}
    for row in than:
        best[row["pair"]] = max(best.get(row["pair"], 0), row["per_second"])
    return [row["per_second"] / best[row["pair"]] for row in rows if row["pair"] in best]


def show(rows):
    print("| what | connections | bookings/s: median | worst | own CPU µs | MySQL's CPU µs |")
    print("|---|---|---|---|---|---|")
    for side, connections in dict.fromkeys((row["side"], row["connections"]) for row in rows):
        mine = of(rows, side, connections)
        own = f"{median(mine, 'own_cpu_us'):.1f}" if "own_cpu_us" in mine[0] else "–"
        print(f"| {side} | {connections} | {median(mine, 'per_second'):,.0f} | {min(row['per_second'] for row in mine):,} | {own} |"
              f" {median(mine, 'mysql_cpu_us'):.1f} |")
    standing, seated, single = of(rows, "standing"), of(rows, "seated"), [row for row in rows if row["side"] == "one by one"]
    if standing and single:
        against = ratios(standing, single)
        print(f"goal 6: standing against the best one by one: median {statistics.median(against):.1f} times, worst {min(against):.1f}")
    if standing and seated:
        against = ratios(seated, standing)
        print(f"goal 8: seated against standing: median {statistics.median(against):.2f} times, worst {min(against):.2f}")
    if seated:
        print(f"goal 8: of {sum(row['orders'] for row in seated):,} parties {sum(row['split'] for row in seated)} were split,"
              f" {sum(row['split_in_vain'] for row in seated)} of them while a run existed; seats alone at the end:"
              f" {max(row['stranded'] for row in seated)}, most at any time: {max(row['stranded_at_most'] for row in seated)}")


def measure_all(stack, options, database):
    rows = []
    for pair in range(options.pairs):
        sides = {"standing": lambda pair=pair: measure_standing(stack, pair, options.orders, database),
                 "seated": lambda pair=pair: measure_seated(stack, pair, database)}
        steps = [sides[side] for side in options.sides if side in sides]
        if "single" in options.sides:
            steps += [lambda pair=pair, n=n: measure_one_by_one(stack, pair, n, options.seconds, database)
                      for n in options.connections]
        for step in steps if pair % 2 == 0 else steps[::-1]:
            rows.append({"pair": pair} | step())
            print(rows[-1], file=sys.stderr)
    return rows


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--orders", type=int, default=100_000, help="of the standing tier; the hall's fill it")
    arguments.add_argument("--sides", nargs="+", default=["standing", "seated", "single"], choices=["standing", "seated", "single"])
    arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32], help="of those one by one")
    arguments.add_argument("--seconds", type=int, default=5, help="of each run one by one")
    arguments.add_argument("--csv", default=results("bookings.csv"))
    options = arguments.parse_args()
    if not 1 <= options.orders <= 1_000_000:
        arguments.error("--orders is 1 to 1000000")
    with bench_stack() as stack:
        stack.prepare()
        # Once, so that the queues are there.
        stack.start_program("booking-worker").end()
        rows = measure_all(stack, options, mysql_pid(stack))
    write_csv(options.csv, rows, COLUMNS)
    show(rows)


if __name__ == "__main__":
    main()
