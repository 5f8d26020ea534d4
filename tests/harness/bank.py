# SPDX-License-Identifier: Apache-2.0
"""The sandbox bank (tests/bank) as a stack uses it: started, hurt, told how to behave, asked for its ledger; and the comparison of its
ledger with the bookings.

`stack_factory(bank=True)` makes a stack that is paid through one; it is `stack.bank`.
"""

import json
import random
import secrets
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from processes import Failed, port_is_free, spawn, stop, tail, wait_until

PROGRAM = Path(__file__).resolve().parents[1] / "bank" / "bank.py"
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
# Below the range from which outgoing connections take their ports: what is stopped finds its port free when it comes back.
PORTS = range(12_000, 30_000)


def reserve_port():
    """A port and the socket that holds it; close that just before somebody listens there."""
    for port in random.sample(PORTS, 200):
        if port_is_free(port):
            held = socket.socket()
            try:
                held.bind(("127.0.0.1", port))
                return port, held
            except OSError:
                held.close()
    raise Failed("no free port")


class Bank:
    """`webhook_url` None: it tells nobody. `tls`: a folder with certificate.pem and key.pem that it is to speak TLS with."""

    def __init__(self, folder, webhook_url=None, webhook_ca=None, tls=None, slow_seconds=5, settle_seconds=2):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / "bank.log"
        self.key, self.webhook_secret = f"sk_test_{secrets.token_hex(16)}", f"whsec_{secrets.token_hex(16)}"
        self.key_file, self.webhook_secret_file = self.folder / "secret_key", self.folder / "webhook_secret"
        for path, text in ((self.key_file, self.key), (self.webhook_secret_file, self.webhook_secret)):
            path.touch(mode=0o600)
            path.write_text(text + "\n")
        self.tls = Path(tls) if tls else None
        self.port, self._held_port = reserve_port()
        scheme = "https" if tls else "http"
        self.base_url = f"{scheme}://127.0.0.1:{self.port}"
        self.webhook_url = webhook_url
        self.command = [PYTHON, "-B", PROGRAM, "--folder", self.folder / "ledger", "--listen", f"127.0.0.1:{self.port}",
                        "--secret-key-file", self.key_file, "--webhook-secret-file", self.webhook_secret_file,
                        "--slow-seconds", slow_seconds, "--settle-seconds", settle_seconds]
        if webhook_url:
            self.command += ["--webhook-url", webhook_url] + (["--webhook-ca", webhook_ca] if webhook_ca else [])
        if tls:
            self.command += ["--certificate", self.tls / "certificate.pem", "--private-key", self.tls / "key.pem"]
        self.process = None
        self.client = httpx.Client(base_url=self.base_url, trust_env=False, timeout=20,
                                   verify=str(self.tls / "certificate.pem") if tls else True)

    # Its life

    def start(self):
        """Starts it, again with the same port and ledger if it ran before, and waits until it takes calls."""
        if self._held_port is not None:
            self._held_port.close()
            self._held_port = None
        begin = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.process = spawn(self.command, log=self.log_path)

        def listens():
            if self.process.poll() is not None:
                raise Failed(f"the bank ended with status {self.process.returncode}:\n{tail(self.log_path)}")
            return b"listening port=" in self.log_path.read_bytes()[begin:]
        wait_until(listens, "the bank to listen", 30)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9. What it answered, it knows when it is started again."""
        self.process.kill()
        self.process.wait()

    def wait_dead(self, seconds=30):
        """Until a rule with `die` has killed it."""
        wait_until(lambda: self.process.poll() is not None, "the bank to die", seconds)
        assert self.process.returncode == -signal.SIGKILL, self.process.returncode
        return self

    def freeze(self):
        """SIGSTOP: calls are accepted by the kernel and never answered."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def restart(self):
        """kill -9, and starts it again."""
        if self.alive():
            self.kill()
        return self.start()

    def stop(self):
        """Ends it in order. Failed when it did not end well, or when it ran into a mistake of its own."""
        self.client.close()
        if self._held_port is not None:
            self._held_port.close()
        status = stop(self.process, 10) if self.alive() else 0
        text = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        if status != 0 or "Traceback" in text:
            raise Failed(f"the bank (status {status}):\n{text[-6000:]}")

    # What it says

    def _control(self, method, path, **options):
        answer = self.client.request(method, f"/_sandbox/{path}", **options)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def ledger(self):
        """{"intents": [{id, status, amount, currency, authorised, captured, refunded, refunding, voided, metadata, …}], "refunds": …, "totals": …}"""
        return self._control("GET", "ledger")

    def intents(self, **fields):
        """Those of the ledger with these fields; `place=7` is of the metadata."""
        place = fields.pop("place", None)
        return [intent for intent in self.ledger()["intents"]
                if all(intent[name] == value for name, value in fields.items())
                and (place is None or intent["metadata"].get("onsale_place") == str(place))]

    def calls(self, last=1000):
        """{"counts": {"confirm": 3, …}, "in_flight_max": …, "calls": [{call, about, key, at, seconds, status, replayed, rule}, …]}"""
        return self._control("GET", f"calls?last={last}")

    def forget_calls(self):
        self._control("DELETE", "calls")

    def events(self):
        return self._control("GET", "events")

    # What it is told

    def behave(self, **rule):
        """A rule, as tests/bank/README.md has them: bank.behave(call="confirm", do="silence")."""
        return self._control("POST", "behave", json=rule)

    def rules(self):
        return self._control("GET", "behave")["rules"]

    def clear(self):
        """No rules any more. They are forgotten by a restart, too."""
        self._control("DELETE", "behave")

    def webhooks(self, **settings):
        """on, double, delay_seconds, reorder, shift_seconds, forge, url."""
        return self._control("POST", "webhooks", json=settings)

    def resend(self, event_id):
        """Sends an event once more; returns the receiver's status."""
        return self._control("POST", f"events/{event_id}/resend")["status"]

    def lapse(self, intent_id):
        """What is authorised there runs out, as after a week."""
        self._control("POST", f"intents/{intent_id}/lapse")

    def refunds(self, place=None):
        """[{id, intent, amount, status}, …], oldest first."""
        ledger = self.ledger()
        of_place = {intent["id"] for intent in ledger["intents"] if place is None or intent["metadata"].get("onsale_place") == str(place)}
        return [refund for refund in ledger["refunds"] if refund["intent"] in of_place]

    def decide_refund(self, refund_id, status):
        """What the customer's bank does with a refund: succeeded, failed (even of one that succeeded), canceled, requires_action."""
        self._control("POST", f"refunds/{refund_id}/{status}")

    def _page(self, kind, url_or_id):
        last = urlsplit(url_or_id).path.rstrip("/").rpartition("/")[2]
        return f"/{kind}/{last}"

    def answer_challenge(self, url_or_id, yes=True):
        """As the visitor would on the bank's page. False: it was too late."""
        answer = self.client.post(self._page("challenge", url_or_id), json={"answer": "yes" if yes else "no"})
        assert answer.status_code in (200, 409), f"{answer.status_code} {answer.text}"
        return answer.json()["taken"]

    def leave_card(self, url_or_id, card="visa"):
        """As the visitor would on the hosted page: visa, declined, challenge, or any of the bank's cards. False: it was too late."""
        answer = self.client.post(self._page("pay", url_or_id), json={"card": card})
        assert answer.status_code in (200, 409), f"{answer.status_code} {answer.text}"
        return answer.json()["left"]

    # What anybody with a key can do

    def call(self, method, path, key=None, version="2025-03-31.basil", secret=None, client=None, headers=None, **form):
        """A call of the API itself, past the programs: bank.call("POST", "/v1/payment_intents", key="k", amount=4500, currency="eur").

        `metadata={…}` and `expand=[…]` are written as forms have them. Returns the answer."""
        pairs = []
        for name, value in form.items():
            if isinstance(value, dict):
                pairs += [(f"{name}[{inner}]", str(each)) for inner, each in value.items()]
            elif isinstance(value, list):
                pairs += [(f"{name}[]", str(each)) for each in value]
            else:
                pairs.append((name, str(value)))
        body = str(httpx.QueryParams(pairs))
        sent = {"Authorization": f"Bearer {secret or self.key}", "Stripe-Version": version}
        sent |= {"Idempotency-Key": key} if key is not None else {}
        options = {"content": body} if method == "POST" else {}
        sent |= {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        return (client or self.client).request(method, path + (f"?{body}" if method != "POST" and body else ""),
                                               headers=sent | (headers or {}), **options)


def payment_config(bank, return_url):
    """The section [payment] of a stack that is paid through this bank."""
    section = {"provider": "stripe", "base_url": bank.base_url, "secret_key_file": bank.key_file,
               "webhook_secret_file": bank.webhook_secret_file, "return_url": return_url, "timeout_seconds": 3}
    return section | ({"tls_ca": bank.tls / "certificate.pem"} if bank.tls else {})


def _has_money(intent):
    return intent["status"] == "requires_capture" or intent["captured"] > intent["refunded"]  # what waits for its bank may come back


def _describe(intent):
    return json.dumps({name: intent[name] for name in ("id", "status", "amount", "currency", "captured", "refunded", "refunding", "confirms")}
                      | {name.removeprefix("onsale_"): value for name, value in intent["metadata"].items()})


def ledger_disagreements(stack, slug, bank=None, settled=True):
    """What is wrong between the bank's ledger and an event's bookings, a line each. See assert_ledger_agrees()."""
    bank = bank or stack.bank
    wrong = []
    # The database first: what it knows of, the bank was asked for before.
    payments = stack.sql(
        "SELECT e.slug, p.place, p.attempt, p.number, p.state, p.intent, p.amount, p.currency FROM payments p"
        " JOIN events e ON e.id = p.event_id")
    bookings = stack.sql(
        "SELECT b.place, b.attempt, b.state, b.amount, b.currency FROM bookings b JOIN events e ON e.id = b.event_id"
        " WHERE e.slug = %s", slug)
    intents = {intent["id"]: intent for intent in bank.ledger()["intents"]}
    by_intent = {payment[5]: payment for payment in payments if payment[5] is not None}
    rows = {payment[:4]: payment for payment in payments}

    # Every intent is somebody's.
    for intent in intents.values():
        if intent["id"] in by_intent:
            continue
        metadata = intent["metadata"]
        whose = (metadata.get("onsale_event"), *(int(metadata.get(f"onsale_{word}", 0)) for word in ("place", "attempt", "number")))
        row = rows.get(whose)
        if row is None:
            wrong.append(f"an intent of nobody: {_describe(intent)}")
        elif _has_money(intent) or intent["confirms"]:
            wrong.append(f"an intent that its payment (state {row[4]}, intent {row[5]}) does not know, with money or confirmed: "
                         f"{_describe(intent)}")

    ours = {}
    for event, place, attempt, number, state, intent_id, amount, currency in payments:
        if event != slug or intent_id is None:
            continue
        intent = intents.get(intent_id)
        if intent is None:
            wrong.append(f"place {place}, attempt {attempt}, payment {number} ({state}): the bank does not know {intent_id}")
            continue
        if (intent["amount"], intent["currency"]) != (amount, currency):
            wrong.append(f"place {place}, attempt {attempt}, payment {number}: {amount} {currency} is not {_describe(intent)}")
        ours.setdefault((place, attempt), []).append((number, state, intent))

    for place, attempt, state, amount, currency in bookings:
        mine = ours.pop((place, attempt), [])
        paid = [(number, payment, intent) for number, payment, intent in mine if _has_money(intent)]
        who = f"place {place}, attempt {attempt}, booking {state} of {amount} {currency}"
        if state == "confirmed" and amount > 0:
            if len(paid) != 1:
                wrong.append(f"{who}: paid {len(paid)} times, not once: {'; '.join(_describe(intent) for _, _, intent in mine) or 'no intent'}")
                continue
            intent = paid[0][2]
            taken = intent["captured"] if settled or intent["captured"] else intent["authorised"]
            if (taken, intent["currency"], intent["refunded"] + intent["refunding"]) != (amount, currency, 0):
                wrong.append(f"{who}: not what the bank took: {_describe(intent)}")
            continue
        for number, payment, intent in paid:
            is_open = payment not in ("declined", "captured", "voided", "refunded", "failed")
            if settled or not is_open:
                wrong.append(f"{who}: payment {number} ({payment}) keeps money of who has no ticket: {_describe(intent)}")
    for (place, attempt), mine in ours.items():
        for number, payment, intent in mine:
            if _has_money(intent):
                wrong.append(f"place {place}, attempt {attempt}: money without a booking, payment {number} ({payment}): {_describe(intent)}")
    return wrong


def assert_ledger_agrees(stack, slug, bank=None, settled=True):
    """The bank's ledger and the event's bookings are one and the same, to the minor unit.

    Every confirmed booking that costs something has exactly one intent that is captured, of its amount and currency; every other intent is
    neither authorised nor captured and kept; no intent is nobody's. With settled=False what is under way may still be authorised.
    """
    wrong = ledger_disagreements(stack, slug, bank, settled)
    assert not wrong, f"{len(wrong)} times the bank and the bookings disagree:\n" + "\n".join(wrong[:30])


def wait_ledger_agrees(stack, slug, bank=None, seconds=30):
    """Waits until everything is settled, then asserts it."""
    def settled():
        return not ledger_disagreements(stack, slug, bank)
    try:
        wait_until(settled, "the bank and the bookings to agree", seconds, pause=0.2)
    except Failed:
        assert_ledger_agrees(stack, slug, bank)
