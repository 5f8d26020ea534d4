# SPDX-License-Identifier: Apache-2.0
"""A crowd of simulated visitors (bench/crowd) in front of a stack's waiting rooms."""

import json
import subprocess

from processes import tail

from harness.stack import BUILD, PATIENCE, ROOT

PROGRAM = ROOT / "build" / BUILD / "bench" / "crowd"


class Crowd:
    """Starts at once. Waiting rooms must keep their ports when they are started again (Stack.start_room_on_a_port)."""

    def __init__(self, stack, slug, *options):
        self.stack = stack
        self.record_path = stack.folder / f"told-{slug}.jsonl"
        self.log_path = stack.folder / f"crowd-{slug}.log"
        addresses = [f"https://localhost:{room.port}/e/{slug}" for room in stack.rooms]
        command = [PROGRAM, *options, "--record", self.record_path, "--ca", stack.certificate / "certificate.pem", *addresses]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT,
                                            env=stack.environment(), cwd=stack.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def said(self):
        return self.log_path.read_text()

    def finish(self, seconds):
        """Waits for the end, which must be a good one, and lets the checker look at the record alone, too."""
        try:
            status = self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            status = "none: it still runs"
        assert status == 0, f"the crowd's exit status is {status}:\n{tail(self.log_path, 60)}"
        assert "Everybody was told what is right." in self.said
        checked = self.check(self.record_path)
        assert checked.returncode == 0, checked.stdout
        return self

    def check(self, path, ledger=None):
        """Lets the checker judge a record, and a ledger if one is given (a file, or the bank's address)."""
        more = ["--ledger", ledger] if ledger is not None else []
        return subprocess.run([PROGRAM, "--check", path, *more], capture_output=True, text=True, timeout=120 * PATIENCE)

    def write_ledger(self, ledger):
        """A file for check()."""
        path = self.record_path.with_suffix(".ledger.json")
        path.write_text(json.dumps(ledger))
        return path

    def record(self):
        return [json.loads(line) for line in self.record_path.read_text().splitlines()]

    def orders(self):
        """What each visitor with an order was told last: {visitor: {"state": …, "tickets": …}}."""
        newest = {}
        for line in self.record():
            if line["kind"] in ("order", "order_answer"):
                told, known = line["data"], newest.get(line["visitor"])
                if known is None or (told["attempt"], told["revision"]) > (known["attempt"], known["revision"]):
                    newest[line["visitor"]] = told
        return newest

    def owed(self):
        """What those who are confirmed pay, as visitors were told, by currency, in the minor unit."""
        sums = {}
        for order in self.orders().values():
            if order["state"] == "confirmed":
                sums[order["currency"]] = sums.get(order["currency"], 0) + order["amount"]
        return sums

    def sold(self):
        """Tickets by tier, as visitors were told."""
        tiers = {}
        for order in self.orders().values():
            if order["state"] == "confirmed":
                tiers[order["tier"]] = tiers.get(order["tier"], 0) + sum(order["tickets"].values())
        return tiers


class Desk:
    """Where the crowd's visitors pay (--pay-to): the seller reads their references from a file and confirms them by hand."""

    def __init__(self, stack, slug):
        self.stack, self.slug = stack, slug
        self.path = stack.folder / f"desk-{slug}.txt"
        self.path.touch()
        self.read_bytes = 0
        self.confirmed = []  # places, in the order in which they were
        self.refused = {}  # references, with the reason

    def work(self):
        """Confirms who has paid since the last time; returns how many these were."""
        text = self.path.read_bytes()[self.read_bytes:]
        text = text[:text.rfind(b"\n") + 1]
        if not text:
            return 0
        self.read_bytes += len(text)
        result = self.stack.onsale("booking", "confirm", self.slug, "-", stdin=text.decode(), as_json=True)
        assert result.code in (0, 1), result
        for item in result.json["items"]:
            if item["confirmed"]:
                self.confirmed.append(item["place"])
            else:
                self.refused[item["given"]] = item["why"]
        return len(text.splitlines())


def assert_sold_as_told(stack, slug, crowd):
    """MySQL's tiers, its bookings and what the crowd was told are one and the same; and, where there is a bank, its ledger."""
    tiers = dict(stack.sql("SELECT t.code, t.sold FROM tiers t JOIN events e ON e.id = t.event_id WHERE e.slug = %s AND t.sold > 0",
                           slug))
    bookings = {code: int(sold) for code, sold in stack.sql(
        "SELECT b.tier, SUM(b.quantity) FROM bookings b JOIN events e ON e.id = b.event_id"
        " WHERE e.slug = %s AND b.state = 'confirmed' GROUP BY b.tier", slug)}
    assert crowd.sold() == tiers == bookings
    if stack.bank is not None:
        assert_paid_as_told(stack, slug, crowd)
    return tiers


def assert_paid_as_told(stack, slug, crowd):
    """Every visitor who was told confirmed has paid once, to the cent, and nobody else has; the sums are the bookings'."""
    ledger = stack.bank.ledger()
    checked = crowd.check(crowd.record_path, crowd.write_ledger(ledger))
    assert checked.returncode == 0, checked.stdout
    taken = {}
    for intent in ledger["intents"]:
        if intent["metadata"].get("onsale_event") == slug and intent["captured"] > intent["refunded"]:
            taken[intent["currency"]] = taken.get(intent["currency"], 0) + intent["captured"] - intent["refunded"]
    bookings = {currency: int(amount) for currency, amount in stack.sql(
        "SELECT b.currency, SUM(b.amount) FROM bookings b JOIN events e ON e.id = b.event_id"
        " WHERE e.slug = %s AND b.state = 'confirmed' GROUP BY b.currency", slug)}
    assert crowd.owed() == taken == bookings
