#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Ways of counting a booking in MySQL, compared: locked, optimistic, one conditional statement, any free part, many in a transaction.

On a private MariaDB with full durability, on one hot row and spread over 64, with 1, 8 and 32 connections. Rounds are in turns, each in the
opposite sequence of the one before. Prints a table of medians, and keeps the raw runs as CSV. docs/consistency.md says what came of it.
"""

import argparse
import csv
import secrets
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pymysql
from bench_stack import cpu_seconds, results, write_csv

from harness.stack import BIN
from private_servers import MariaDB
from processes import free_ports

WAYS = ("pessimistic", "optimistic", "conditional", "conditional-last", "parts", "batch")
PARTS = 64
COLUMNS = ("per_second", "p50_ms", "p99_ms", "most_ms", "conflicts", "deadlocks", "own_cpu_us")
DATABASE = "locking"
DURABLE = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1", "log_bin": "ON"}


def make_tables(cursor, rows):
    cursor.execute("DROP TABLE IF EXISTS stock, booked")
    cursor.execute("CREATE TABLE stock (id INT UNSIGNED NOT NULL PRIMARY KEY, capacity INT UNSIGNED NOT NULL, held INT UNSIGNED NOT NULL,"
                   " sold INT UNSIGNED NOT NULL, version BIGINT UNSIGNED NOT NULL, CHECK (held + sold <= capacity)) ENGINE = InnoDB")
    cursor.execute("CREATE TABLE booked (place BIGINT UNSIGNED NOT NULL PRIMARY KEY, stock INT UNSIGNED NOT NULL,"
                   " reference BIGINT UNSIGNED NOT NULL, at DATETIME(6) NOT NULL, UNIQUE KEY (reference)) ENGINE = InnoDB")
    cursor.executemany("INSERT INTO stock VALUES (%s, 1000000000, 0, 0, 1)", [(row,) for row in range(1, rows + 1)])


def check(cursor, what):
    """Whatever the way, nothing may be lost: the counters say what the rows add up to."""
    cursor.execute("SELECT s.id, s.sold, COALESCE(b.n, 0) FROM stock s LEFT JOIN"
                   " (SELECT stock, COUNT(*) AS n FROM booked GROUP BY stock) b ON b.stock = s.id WHERE s.sold <> COALESCE(b.n, 0)")
    wrong = cursor.fetchall()
    if wrong:
        raise SystemExit(f"{what}: counted and booked differ: {wrong[:3]}")


def run(server, cursor, way, rows, connections, milliseconds):
    make_tables(cursor, PARTS if way == "parts" else rows)
    before = cpu_seconds(server.process.pid)
    done = subprocess.run([BIN.parent / "bench" / "locking", "127.0.0.1", str(server.port), "root", server.password, DATABASE, way,
                           str(rows), str(connections), str(milliseconds)], capture_output=True, text=True, check=True,
                          timeout=milliseconds / 1000 + 60)
    used = cpu_seconds(server.process.pid) - before
    check(cursor, f"{way} on {rows} rows")
    cursor.execute("SELECT COUNT(*) FROM booked")
    result = dict(zip(COLUMNS, done.stdout.strip().split(",")))
    # Over all of the run, also what was before and after the counted time.
    return {"way": way, "rows": rows, "connections": connections} | result | {
        "mysql_cpu_us": round(used * 1e6 / cursor.fetchone()[0], 1)}


def plan(options):
    for way in options.ways:
        # Parts make many rows of one: they are the answer to one hot row only.
        for rows in options.rows if way != "parts" else [1]:
            for connections in options.connections:
                yield way, rows, connections


def show(rows):
    print("| way | rows | connections | bookings/s | worst | p50 ms | p99 ms | in vain per 100 | deadlocks | MySQL µs | client µs |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for key in dict.fromkeys((row["way"], row["rows"], row["connections"]) for row in rows):
        of_key = [row for row in rows if (row["way"], row["rows"], row["connections"]) == key]

        def median(column, of_key=of_key):
            return statistics.median(float(row[column]) for row in of_key)
        booked = sum(float(row["per_second"]) * row["seconds"] for row in of_key)
        vain = 100 * sum(int(row["conflicts"]) for row in of_key) / booked
        deadlocks = sum(int(row["deadlocks"]) for row in of_key)
        print(f"| {key[0]} | {key[1]} | {key[2]} | {median('per_second'):,.0f} | {min(float(r['per_second']) for r in of_key):,.0f} |"
              f" {median('p50_ms'):.1f} | {median('p99_ms'):.1f} | {vain:.0f} | {deadlocks} | {median('mysql_cpu_us'):.0f} |"
              f" {median('own_cpu_us'):.0f} |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--milliseconds", type=int, default=1500, help="of each run")
    arguments.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    arguments.add_argument("--rows", type=int, nargs="+", default=[1, 64])
    arguments.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32])
    arguments.add_argument("--csv", default=results("locking.csv"))
    arguments.add_argument("--add", action="store_true", help="to the rounds that the file has already")
    options = arguments.parse_args()
    path = Path(options.csv)
    rows = []
    if options.add and path.exists():
        with open(path, newline="", encoding="ascii") as file:
            rows = [row | {"rows": int(row["rows"]), "connections": int(row["connections"]), "seconds": float(row["seconds"])}
                    for row in csv.DictReader(file)]
    first = 1 + max((int(row["round"]) for row in rows), default=-1)
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        server = MariaDB(name)
        try:
            server.start(free_ports(1)[0], secrets.token_hex(16))
            with pymysql.connect(host="127.0.0.1", port=server.port, user="root", password=server.password,
                                 autocommit=True) as connection, connection.cursor() as cursor:
                for variable, wanted in DURABLE.items():
                    cursor.execute("SHOW GLOBAL VARIABLES LIKE %s", (variable,))
                    assert cursor.fetchone()[1] == wanted, f"{variable} is not {wanted}: nothing would be durable"
                cursor.execute(f"CREATE DATABASE {DATABASE}")
                cursor.execute(f"USE {DATABASE}")
                for number in range(first, first + options.rounds):
                    steps = list(plan(options))
                    for step in steps if number % 2 == 0 else steps[::-1]:
                        rows.append({"round": number, "seconds": options.milliseconds / 1000}
                                    | run(server, cursor, *step, options.milliseconds))
                        print(rows[-1], file=sys.stderr)
        finally:
            server.stop(now=True)
    write_csv(path, rows)
    show(sorted(rows, key=lambda row: (row["rows"], WAYS.index(row["way"]), row["connections"])))


if __name__ == "__main__":
    main()
