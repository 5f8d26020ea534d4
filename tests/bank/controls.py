# SPDX-License-Identifier: Apache-2.0
"""The handles for tests and auditors, under /_sandbox/: no key is needed, and only this machine may ask. README.md describes each."""

import ipaddress

from aiohttp import web

from rules import Wrong


def wrong(text, status=400):
    return web.json_response({"problem": text}, status=status)


class Controls:
    def __init__(self, ledger, rules, calls, webhooks, lapse, decide_refund):
        self.ledger, self.rules, self.calls, self.webhooks = ledger, rules, calls, webhooks
        self.lapse, self.decide_refund = lapse, decide_refund

    async def handle(self, request):
        if not ipaddress.ip_address(request.remote or "0.0.0.0").is_loopback:
            return wrong("only this machine may ask", 403)
        path = request.path.removeprefix("/_sandbox/")
        known = getattr(self, f"_{request.method.lower()}_{path}", None) if path in (
            "ready", "ledger", "calls", "behave", "webhooks", "events", "redirected") else None
        parts = path.split("/")
        if known is None and len(parts) == 3 and parts[0] == "events" and parts[2] == "resend" and request.method == "POST":
            return await self._resend(parts[1])
        if known is None and len(parts) == 3 and parts[0] == "intents" and parts[2] == "lapse" and request.method == "POST":
            return web.json_response({"id": parts[1]}) if self.lapse(parts[1]) else wrong("nothing is authorised there", 409)
        if known is None and len(parts) == 3 and parts[0] == "refunds" and request.method == "POST":
            return web.json_response({"id": parts[1]}) if self.decide_refund(parts[1], parts[2]) else wrong("not of that refund", 409)
        if known is None and path == "redirected":
            known = self._get_redirected
        if known is None:
            return wrong(f"there is no {request.method} {request.path[:100]}", 404)
        try:
            return await known(request)
        except (Wrong, ValueError, TypeError, AttributeError) as error:
            return wrong(str(error))

    async def _get_ready(self, request):
        return web.json_response({"ok": True})

    async def _get_ledger(self, request):
        return web.json_response(self.ledger.summary())

    async def _get_calls(self, request):
        return web.json_response(self.calls.summary(int(request.query.get("last", 1000))))

    async def _delete_calls(self, request):
        self.calls.reset()
        return web.json_response({"ok": True})

    async def _get_behave(self, request):
        return web.json_response({"rules": [rule.shown() for rule in self.rules.items]})

    async def _post_behave(self, request):
        return web.json_response(self.rules.add(await request.json()).shown(), status=201)

    async def _delete_behave(self, request):
        self.rules.clear()
        return web.json_response({"rules": []})

    async def _get_webhooks(self, request):
        return web.json_response(self.webhooks.set({}))

    async def _post_webhooks(self, request):
        return web.json_response(self.webhooks.set(dict(await request.json())))

    async def _get_events(self, request):
        return web.json_response(self.webhooks.summary())

    async def _resend(self, event_id):
        event = self.ledger.of["event"].get(event_id)
        if event is None:
            return wrong("no such event", 404)
        status = None
        if self.webhooks.url:
            # The connection from before may be one to a receiver that is no more.
            status = await self.webhooks.post(event) or await self.webhooks.post(event)
        return web.json_response({"id": event_id, "status": status})

    async def _get_redirected(self, request):
        """Where the rule `redirect` sends callers; nobody with a key should follow."""
        self.calls.redirected += 1
        return web.json_response({"object": "payment_intent"})
