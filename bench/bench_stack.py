# SPDX-License-Identifier: Apache-2.0
"""What the measurements have in common: a stack on servers of its own, processor time, results as CSV.

Imported first of all: it makes the tests' harness and the tools importable.
"""

import csv
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "bench" / "bookings")]

from harness.broker import Backends  # noqa: E402
from harness.certificate import make_certificate  # noqa: E402
from harness.stack import Stack  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def bench_stack(**options):
    """A stack, nothing of it started, with MySQL and RabbitMQ of its own, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="onsale-bench-") as name:
        folder = Path(name)
        backends = Backends(folder / "servers")
        try:
            stack = Stack(backends, folder, make_certificate(folder), **options)
            try:
                yield stack
            finally:
                stack.close()
        finally:
            backends.close()


def results(name):
    """Where the raw runs of a measurement are kept."""
    return str(ROOT / "bench" / "results" / name)


def write_csv(path, rows, columns=None):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="ascii") as file:
        writer = csv.DictWriter(file, columns or rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def cpu_seconds(pid):
    """Processor time of a process so far, with its children that it has waited for left out."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def mysql_pid(stack):
    """The private MariaDB's process: the one whose command line names the port."""
    port = stack.backends.mysql["port"]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if command[0].endswith(b"mariadbd") and f"--port={port}".encode() in command:
            return int(folder.name)
    return None
