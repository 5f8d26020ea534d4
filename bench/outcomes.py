#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""From the order to its outcome on the visitor's own stream, with nobody ahead: goal 10.

Visitors who have been let in order one after another, each over a connection that stands; the time is from sending PUT to
the frame `order` that says confirmed. Three commits (order, release, booking) and four hops lie between. Prints percentiles,
keeps the raw times as CSV.
"""

import argparse
import socket
import statistics
import time

from bench_stack import bench_stack, results, write_csv


def without_nagle():
    """Debian 12's HTTP client leaves Nagle's algorithm on (RFC 896): a body, sent after its head, then waits 40 ms for the
    server's delayed acknowledgement. Browsers turn it off."""
    connect = socket.create_connection

    def create_connection(*arguments, **more):
        made = connect(*arguments, **more)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    socket.create_connection = create_connection


def measure(stack, orders):
    """One row for each order: milliseconds to the answer 202, and to the outcome."""
    stack.event("gala", pace="1000/s", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": orders + 1}])
    client, pool = stack.client(), stack.pool()
    visitors = []
    for _ in range(orders):
        client.cookies.clear()  # with the cookie it would be the same visitor again
        visitors.append(stack.join("gala", client=client))
    streams = [pool.event_stream("gala", visitor) for visitor in visitors]
    for stream in streams:
        stream.wait("line", lambda line: line["line"] == "turn", seconds=60)
    rows = []
    for number, (visitor, stream) in enumerate(zip(visitors, streams)):
        body = {"tier": "floor", "quantity": 1, "email": f"v{number}@example.org"}
        began = time.monotonic()
        answer = client.put("/v1/events/gala/order", headers=visitor.headers, json=body)
        answered = time.monotonic()
        if answer.status_code != 202:
            raise SystemExit(f"an order was refused: {answer.status_code} {answer.text}")
        told = stream.wait("order", lambda order: order["state"] not in ("placed", "released"), seconds=20)
        if told.data["state"] != "confirmed":
            raise SystemExit(f"not confirmed: {told.data}")
        rows.append({"order": number, "answer_ms": round((answered - began) * 1000, 3),
                     "outcome_ms": round((told.at - began) * 1000, 3)})
    return rows


def show(rows):
    for what in ("answer_ms", "outcome_ms"):
        times = sorted(row[what] for row in rows)
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        print(f"{what}: p50 {cuts[49]:.1f}, p90 {cuts[89]:.1f}, p99 {cuts[98]:.1f}, most {times[-1]:.1f}, of {len(times)}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--orders", type=int, default=500)
    arguments.add_argument("--csv", default=results("outcomes.csv"))
    options = arguments.parse_args()
    if not 10 <= options.orders <= 5000:
        arguments.error("--orders is 10 to 5000")
    without_nagle()
    with bench_stack() as stack:
        rows = measure(stack.start(rooms=1, admissions=1, workers=1, notifiers=1), options.orders)
    write_csv(options.csv, rows)
    show(rows)


if __name__ == "__main__":
    main()
