# SPDX-License-Identifier: Apache-2.0
"""The bank's webhooks: signed as Stripe signs them, sent over HTTP/2, tried again with growing delays.

What was not delivered when the bank died is sent by the next start. Tests can turn sending off, double it, delay it, change the order, shift
the signature's time and sign with another secret.
"""

import asyncio
import collections
import hashlib
import hmac
import ssl
import time

import httpx

DELAYS = (0.5, 1, 2, 5, 10, 30, 60)  # seconds before another try; after the last it is given up
QUEUE_MAX = 20_000
SENDERS = 8
TIMEOUT_SECONDS = 5
REORDER_SECONDS = 1  # what waits for others to be overtaken by waits no longer
SENT_KEPT_MAX = 20_000


def signature(secret, body, at):
    signed = f"{at}.".encode() + body
    return f"t={at},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


class Webhooks:
    def __init__(self, ledger, url, secret, ca):
        self.ledger = ledger
        self.url = url
        self.secret = secret
        self.settings = {"on": True, "double": False, "delay_seconds": 0, "reorder": 0, "shift_seconds": 0, "forge": False}
        self.queue = collections.deque()
        self.not_empty = asyncio.Event()
        self.turned = []  # gathered to be sent in the opposite order
        self.dropped = 0
        self.sent = collections.deque(maxlen=SENT_KEPT_MAX)
        context = ssl.create_default_context(cafile=ca) if ca else None
        self.client = httpx.AsyncClient(http1=False, http2=True, verify=context if context else True, trust_env=False,
                                        timeout=TIMEOUT_SECONDS)
        self.tasks = []

    def start(self):
        for event in self.ledger.of["event"].values():
            if event["state"] == "waiting":
                self.add(event["id"])
        self.tasks = [asyncio.ensure_future(self._send_all()) for _ in range(SENDERS)]

    async def stop(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.client.aclose()

    def set(self, document):
        """ValueError: not a setting."""
        kinds = {"on": bool, "double": bool, "forge": bool, "delay_seconds": (int, float), "reorder": int, "shift_seconds": int, "url": str}
        for name, value in document.items():
            if name not in kinds or not isinstance(value, kinds[name]) or (isinstance(value, bool) and kinds[name] is not bool):
                raise ValueError(f"{name}: one of {', '.join(kinds)}, with its type")
        self.url = document.pop("url", self.url)
        self.settings |= document
        self.not_empty.set()
        return self.settings | {"url": self.url}

    def tell(self, change):
        for event in change.events:
            reorder = self.settings["reorder"]
            if reorder > 1:
                self.turned.append(event["id"])
                if len(self.turned) == 1:
                    asyncio.get_running_loop().call_later(REORDER_SECONDS, self._turn)
                if len(self.turned) >= reorder:
                    self._turn()
            else:
                self.add(event["id"])

    def _turn(self):
        turned, self.turned = self.turned, []
        for event_id in reversed(turned):
            self.add(event_id)

    def add(self, event_id, tries=0, due_at=None):
        if not self.url:
            return
        if len(self.queue) >= QUEUE_MAX:
            self.dropped += 1
            return
        self.queue.append((event_id, tries, time.monotonic() + self.settings["delay_seconds"] if due_at is None else due_at))
        if self.settings["double"] and tries == 0:
            self.queue.append((event_id, tries, time.monotonic() + self.settings["delay_seconds"]))
        self.not_empty.set()

    async def _send_all(self):
        while True:
            while not self.queue or not self.settings["on"]:
                self.not_empty.clear()
                await self.not_empty.wait()
            event_id, tries, due_at = self.queue.popleft()
            wait = due_at - time.monotonic()
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self._again, event_id, tries, due_at)
                continue
            await self._send(event_id, tries)

    def _again(self, event_id, tries, due_at):
        self.queue.append((event_id, tries, due_at))
        self.not_empty.set()

    async def _send(self, event_id, tries):
        event = self.ledger.of["event"][event_id]
        status = await self.post(event)
        if status is not None and 200 <= status < 300:
            self.ledger.note("event", event_id, state="delivered", sends=event["sends"] + 1)
        elif tries < len(DELAYS):
            event["sends"] += 1
            self.add(event_id, tries + 1, time.monotonic() + DELAYS[tries])
        else:
            self.ledger.note("event", event_id, state="given_up", sends=event["sends"] + 1)

    async def post(self, event):
        """Sends it once; returns the answer's status, None if there was none."""
        body = event["body"].encode()
        at = int(time.time()) + self.settings["shift_seconds"]
        secret = self.secret + ("x" if self.settings["forge"] else "")
        status, problem = None, None
        try:
            answer = await self.client.post(self.url, content=body, headers={
                "Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature(secret, body, at),
                "User-Agent": "Stripe/1.0 (the sandbox bank)"})
            status = answer.status_code
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            problem = f"{type(error).__name__}: {error}"
        self.sent.append({"id": event["id"], "type": event["type"], "object": event["object_id"], "at": round(time.time(), 6),
                          "status": status, "problem": problem})
        return status

    def summary(self):
        return {"settings": self.settings | {"url": self.url}, "waiting": len(self.queue) + len(self.turned), "dropped": self.dropped,
                "events": [{"id": event["id"], "type": event["type"], "object": event["object_id"], "created": event["created"],
                            "state": event["state"], "sends": event["sends"]} for event in self.ledger.of["event"].values()],
                "sent": list(self.sent)}
