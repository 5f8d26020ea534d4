# SPDX-License-Identifier: Apache-2.0
"""The bank's memory: an append-only journal, one JSON line a change, and the state that comes of reading it from the start.

A change is everything that one request did: the records it wrote, the events it will tell, the answer it gave to its idempotency key. It
is one line, written before anybody is answered, so that after `kill -9` it is there as a whole or not at all. Nothing is synced to the
disk: the process may die at any moment, the machine may not. Belongs to one thread.
"""

import copy
import json
import os
import secrets
import time

KINDS = ("intent", "refund", "session", "customer", "method", "event")
JOURNAL_LINE_BYTES_MAX = 1 << 20


def new_id(prefix):
    return f"{prefix}_{secrets.token_hex(12)}"


class Change:
    """What one request does, until it is committed. Records are copies: nobody sees them before."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.records = {}  # (kind, id) -> record
        self.answer = None  # (key, {…}) for the idempotency key
        self.events = []

    def get(self, kind, record_id):
        """The record as this change sees it; to change it, edit it. None: there is none."""
        key = (kind, record_id)
        if key not in self.records:
            known = self.ledger.of[kind].get(record_id)
            if known is None:
                return None
            self.records[key] = copy.deepcopy(known)
        return self.records[key]

    def add(self, kind, record):
        self.records[kind, record["id"]] = record
        return record

    def tell(self, event):
        self.events.append(event)
        self.add("event", event)


class Ledger:
    def __init__(self, folder):
        self.of = {kind: {} for kind in KINDS}  # kind -> id -> record, oldest first
        self.answers = {}  # idempotency key -> {"path", "parameters", "status", "body"}
        self.intents_of_challenge = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path = folder / "journal.jsonl"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._read()

    def _read(self):
        end = 0
        with open(self.path, "rb") as file:
            for line in file:
                # Only the last line can be torn: nobody was answered for it, so it never was.
                if not line.endswith(b"\n"):
                    break
                self._apply(json.loads(line))
                end += len(line)
        os.ftruncate(self._file, end)
        self._bytes = end

    def _apply(self, line):
        for kind, record in line.get("put", ()):
            self.of[kind][record["id"]] = record
            if kind == "intent" and record["challenge"]:
                self.intents_of_challenge[record["challenge"]] = record["id"]
        for kind, record_id, fields in line.get("set", ()):
            self.of[kind][record_id].update(fields)
        if "answer" in line:
            key, answer = line["answer"]
            self.answers[key] = answer

    def change(self):
        return Change(self)

    def commit(self, change):
        """Makes it durable, then true."""
        put = [[kind, record] for (kind, record_id), record in change.records.items() if record != self.of[kind].get(record_id)]
        if not put and change.answer is None:
            return
        line = {"put": put}
        if change.answer is not None:
            line["answer"] = change.answer
        self._write(line)

    def note(self, kind, record_id, **fields):
        """Some fields of a record that is there already."""
        self._write({"set": [[kind, record_id, fields]]})

    def _write(self, line):
        line["at"] = round(time.time(), 6)
        data = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        assert len(data) <= JOURNAL_LINE_BYTES_MAX, len(data)
        written = os.write(self._file, data)
        if written != len(data):
            # The disk is full. Half a line would spoil those that come after it.
            os.ftruncate(self._file, self._bytes)
            raise OSError(f"the journal took {written} of {len(data)} bytes")
        self._bytes += written
        self._apply(line)

    def close(self):
        os.close(self._file)

    # For the auditors

    def summary(self):
        """Every intent and the sums. Amounts are in the minor unit, currencies in capitals."""
        intents, by_currency = [], {}
        for intent in self.of["intent"].values():
            currency = intent["currency"].upper()
            sums = by_currency.setdefault(currency, {"authorised_open": 0, "captured": 0, "refunded": 0})
            sums["authorised_open"] += intent["amount"] if intent["status"] == "requires_capture" else 0
            sums["captured"] += intent["captured"]
            sums["refunded"] += intent["refunded"]
            intents.append({key: intent[key] for key in ("id", "status", "amount", "authorised", "captured", "refunded", "refunding", "voided",
                                                         "metadata", "payment_method", "customer", "created", "confirms")}
                           | {"currency": currency})
        totals = {word: sum(sums[word] for sums in by_currency.values()) for word in ("authorised_open", "captured", "refunded")}
        refunds = [{name: refund[name] for name in ("id", "intent", "amount", "status")} for refund in self.of["refund"].values()]
        return {"intents": intents, "refunds": refunds, "totals": totals | {"by_currency": by_currency},
                "confirms": {intent["id"]: intent["confirms"] for intent in intents}}
