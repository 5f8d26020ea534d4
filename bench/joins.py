#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Joins (a logged arrival, a place and a signed token each) against nghttpd serving 256 bytes from a file: goals 1 and 1b.

In turns (A B B A …) on one machine; the server's own CPU time is read from /proc, MySQL's beside it. Prints the medians
and the worst, and keeps the raw runs as CSV. bench/README.md says how to repeat it.
"""

import argparse
import re
import socket
import statistics
import subprocess
import time

from bench_stack import bench_stack, cpu_seconds, mysql_pid, results, write_csv


def h2load(url, requests, post, clients=50, streams=100):
    """Runs h2load; returns requests a second, and refuses a run in which anything failed."""
    command = ["h2load", "-n", str(requests), "-c", str(clients), "-m", str(streams)]
    command += ["-H", ":method: POST"] if post else []
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True, timeout=300).stdout
    if f"status codes: {requests} 2xx" not in text:
        raise SystemExit(f"not every request succeeded:\n{text}")
    return float(re.search(r"finished in [^,]+, ([\d.]+) req/s", text)[1])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """nghttpd with one worker per thread of ours, serving one file of 256 bytes."""

    def __init__(self, folder, certificate, threads):
        (folder / "htdocs").mkdir()
        (folder / "htdocs" / "file").write_bytes(b"x" * 256)
        self.port = free_port()
        self.process = subprocess.Popen(["nghttpd", "-n", str(threads), "-d", str(folder / "htdocs"), str(self.port),
                                         str(certificate / "key.pem"), str(certificate / "certificate.pem")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while socket.socket().connect_ex(("127.0.0.1", self.port)) != 0:
            if time.monotonic() > deadline:
                raise SystemExit("nghttpd does not listen")
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def measure(name, pid, url, requests, post, database):
    before, before_database = cpu_seconds(pid), cpu_seconds(database)
    rate = h2load(url, requests, post)
    return {"server": name, "requests": requests, "per_second": round(rate),
            "server_cpu_us": round((cpu_seconds(pid) - before) * 1e6 / requests, 2),
            "mysql_cpu_us": round((cpu_seconds(database) - before_database) * 1e6 / requests, 2) if post else ""}


def show(rows):
    def of(server, column):
        return [row[column] for row in rows if row["server"] == server]
    for server in ("onsale", "nghttpd"):
        cpu, rate = of(server, "server_cpu_us"), of(server, "per_second")
        print(f"{server:8} CPU a request: median {statistics.median(cpu):.2f} us, worst {max(cpu):.2f} us; "
              f"requests a second: median {statistics.median(rate):.0f}, worst {min(rate)}")
    pairs = [b / a for a, b in zip(of("onsale", "server_cpu_us"), of("nghttpd", "server_cpu_us"))]
    print(f"joins per core of the server's own CPU, nghttpd = 1: median {statistics.median(pairs):.2f}, worst {min(pairs):.2f}")
    print(f"MySQL's CPU a join: median {statistics.median(of('onsale', 'mysql_cpu_us')):.2f} us")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pairs", type=int, default=7)
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--csv", default=results("joins.csv"))
    options = arguments.parse_args()
    with bench_stack(config={"waiting-room": {"threads": 1}}) as stack:
        peer = Peer(stack.folder, stack.certificate, threads=1)
        try:
            stack.start(rooms=1, admissions=1)
            stack.event("bench", pace="0")
            room = stack.rooms[0]
            database = mysql_pid(stack)
            sides = {"onsale": (room.pid, f"https://127.0.0.1:{room.port}/v1/events/bench/line", True),
                     "nghttpd": (peer.process.pid, f"https://127.0.0.1:{peer.port}/file", False)}
            for side in sides.values():
                h2load(side[1], options.requests // 10, side[2])
            rows = []
            for pair in range(options.pairs):
                for server in ("onsale", "nghttpd") if pair % 2 == 0 else ("nghttpd", "onsale"):
                    pid, url, post = sides[server]
                    rows.append({"pair": pair} | measure(server, pid, url, options.requests, post, database))
        finally:
            peer.close()
    write_csv(options.csv, rows)
    show(rows)


if __name__ == "__main__":
    main()
