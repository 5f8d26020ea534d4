# SPDX-License-Identifier: Apache-2.0
"""The API over HTTP: who may ask, which call it is, idempotency keys, locks, and the rules by which tests make it misbehave.

The idempotency keys are Stripe's to the letter: the first answer is kept once the call is carried out, errors included, and repeated to
whoever comes with the same key and parameters; other parameters are refused; while the first is under way the others are; what was
refused before it was carried out is not kept. A call is carried out in one go, and its change and its kept answer are one line of the journal.
"""

import asyncio
import hmac
import json
import os
import re
import secrets
import signal

from aiohttp import web

from api import Answer
from params import Params
from shapes import Refused, encode, not_valid

VERSION = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:\.[a-z]{1,20})?\Z")
KEY_BYTES_MAX = 255
SILENCE_SECONDS_MAX = 600
HUGE_BYTES = 10 << 20
BODY_BYTES_MAX = 64 << 10

# Method, path, the call's name. A call with an id has it as the path's only group.
ROUTES = [(method, re.compile(path + r"\Z"), call) for method, path, call in (
    ("POST", "/v1/payment_intents", "create"),
    ("GET", "/v1/payment_intents", "list"),
    ("GET", "/v1/payment_intents/([^/]+)", "ask"),
    ("POST", "/v1/payment_intents/([^/]+)/confirm", "confirm"),
    ("POST", "/v1/payment_intents/([^/]+)/capture", "capture"),
    ("POST", "/v1/payment_intents/([^/]+)/cancel", "cancel"),
    ("POST", "/v1/refunds", "refund"),
    ("GET", "/v1/refunds/([^/]+)", "refund_ask"),
    ("POST", "/v1/checkout/sessions", "card_page"),
    ("GET", "/v1/checkout/sessions/([^/]+)", "card_ask"),
    ("POST", "/v1/checkout/sessions/([^/]+)/expire", "card_expire"),
    ("POST", "/v1/customers", "customer"),
    ("GET", "/v1/payment_methods/([^/]+)", "method_ask"),
    ("GET", "/v1/setup_intents/([^/]+)", "setup_intent_ask"),
)]
EXPANDABLE = {
    **dict.fromkeys(("create", "confirm", "ask", "capture", "cancel"), ("latest_charge", "latest_charge.refunds")),
    "list": ("data.latest_charge", "data.latest_charge.refunds"),
    **dict.fromkeys(("card_page", "card_ask", "card_expire"), ("setup_intent", "setup_intent.payment_method")),
    "setup_intent_ask": ("payment_method",),
}


def find_call(method, path):
    for known, pattern, call in ROUTES:
        match = pattern.match(path)
        if match and known == method:
            return call, match[1] if match.groups() else None
    raise Refused(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path[:200]}).", is_stored=False)


class Front:
    """`keys` are the secret keys that are good. `committed` is told every change that was made durable."""

    def __init__(self, ledger, api, rules, calls, keys, committed, slow_seconds):
        self.ledger, self.api, self.rules, self.calls = ledger, api, rules, calls
        self.keys = [key.encode() for key in keys]
        self.committed = committed
        self.slow_seconds = slow_seconds
        self.keys_under_way = set()
        self.locked = set()  # intents that a call is being carried out on

    def authenticate(self, request):
        given = request.headers.get("Authorization", "")
        if not given.startswith("Bearer ") or len(given) <= 7:
            raise Refused(401, "invalid_request_error", "You did not provide an API key. You need to provide your API key in the "
                          "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').", is_stored=False,
                          headers={"WWW-Authenticate": 'Bearer realm="Stripe"'})
        if not any(hmac.compare_digest(given[7:].encode("utf-8", "replace"), key) for key in self.keys):
            raise Refused(401, "invalid_request_error", "Invalid API Key provided", is_stored=False)

    async def handle(self, request):
        answer = None
        entry = None
        rule = None
        try:
            self.authenticate(request)
            version = request.headers.get("Stripe-Version", "")
            if not VERSION.match(version):
                raise not_valid(f"Invalid Stripe API version: {version[:40]!r}; this bank wants one with every call.")
            call, about = find_call(request.method, request.path)
            key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
            if key is not None and not 0 < len(key) <= KEY_BYTES_MAX:
                raise not_valid(f"Idempotency keys have 1 to {KEY_BYTES_MAX} characters.")
            entry = self.calls.begin(call, about, key)
            text = (await request.text()) if request.method == "POST" else request.query_string
            params = self._params(request, call, text)
            rule = self.rules.hit(call, self._about(call, about, params))
            entry["rule"] = rule.number if rule else None
            # A caller who gives up does not stop what was begun.
            answer = await asyncio.shield(asyncio.ensure_future(self._call(call, about, params, key, version, rule, entry, request.path)))
        except Refused as refused:
            answer = Answer(refused.status, refused.body(), headers=refused.headers)
        except ConnectionError:
            return self._cut(request)
        except UnicodeDecodeError:
            answer = Answer(400, not_valid("The body is not UTF-8.").body())
        finally:
            if entry is not None:
                self.calls.end(entry)
        if entry is not None:
            entry["status"] = answer.status
        try:
            return await self._answer(request, answer, rule)
        except ConnectionError:
            return self._cut(request)  # the caller has given up

    def _params(self, request, call, text):
        if request.method == "POST" and text and request.content_type != "application/x-www-form-urlencoded":
            raise not_valid("Bodies are forms (application/x-www-form-urlencoded).")
        params = Params(text)
        for word in params.items("expand"):
            if word not in EXPANDABLE.get(call, ()):
                raise not_valid(f"This property cannot be expanded ({word[:60]}).", param="expand")
        return params

    def _about(self, call, about, params):
        """What is known of the intent before the call is carried out, for the rules."""
        if call == "create":
            return {"payment_method": params.text("payment_method"), "metadata": params.metadata()}
        if call == "card_page":
            return {"metadata": params.metadata()}
        if call == "card_ask":
            return self.ledger.of["session"].get(about) or {}
        if call == "refund":
            about = params.text("payment_intent")
        return self.ledger.of["intent"].get(about) or {}

    async def _call(self, call, about, params, key, version, rule, entry, path):
        self._die(rule, "before")
        check = getattr(self.api, f"check_{call}", None)
        if check is not None:
            check(params)
        if key is not None:
            kept = self._kept(key, path, params)
            if kept is not None:
                entry["replayed"] = True
                # A rule that only delays or distorts the answer does so to a repeated one, too.
                if rule is not None and rule.do == "slow":
                    await rule.wait()
                return self._kept_answer(kept, key)
        instead = self._instead(rule)
        if isinstance(instead, Refused):
            raise instead
        lock = about if call in ("confirm", "capture", "cancel") else params.text("payment_intent") if call == "refund" else None
        if lock is not None and lock in self.locked:
            raise Refused(429, "invalid_request_error", "This object cannot be accessed right now because another API request or Stripe "
                          "process is currently accessing it. If you see this error intermittently, retry the request.", "lock_timeout",
                          is_stored=False)
        if key is not None:
            self.keys_under_way.add(key)
        if lock is not None:
            self.locked.add(lock)
        try:
            if rule is not None and not rule.executed:
                if rule.do == "slow":
                    await rule.wait()
                else:
                    answer = instead or Answer(200, b"")
                    if rule.do == "error_500":
                        self._carry_out(lambda change: answer, key, path, params)
                    return answer
            wait = self.api.confirm_seconds(about, self.slow_seconds) if call == "confirm" else 0
            if wait:
                await asyncio.sleep(wait)
            answer = self._carry_out(lambda change: self._execute(change, call, about, params, version), key, path, params,
                                     instead if rule is not None and rule.do == "error_500" else None)
            self._die(rule, "after_executing")
            if rule is not None and rule.do == "slow" and rule.executed:
                await rule.wait()
            return answer if instead is None else instead
        finally:
            self.keys_under_way.discard(key)
            self.locked.discard(lock)

    def _execute(self, change, call, about, params, version):
        function = getattr(self.api, "list_intents" if call == "list" else call)
        return function(change, params, version) if about is None else function(change, about, params, version)

    def _carry_out(self, execute, key, path, params, kept_instead=None):
        """In one go, and durably, with the answer that its key repeats from now on."""
        change = self.ledger.change()
        headers = {}
        try:
            answer = execute(change)
        except Refused as refused:
            if not refused.is_stored:
                raise
            change = self.ledger.change()  # nothing of it happened
            answer = Answer(refused.status, refused.body())
        if key is not None:
            kept = kept_instead or answer
            original = f"req_{secrets.token_hex(7)}"
            change.answer = [key, {"path": path, "parameters": params.fingerprint(), "status": kept.status,
                                   "body": kept.body.decode(), "request": original}]
            headers = {"Idempotency-Key": key, "Original-Request": original}
        self.ledger.commit(change)
        self.committed(change)
        answer.headers = headers
        return answer

    def _kept(self, key, path, params):
        if key in self.keys_under_way:
            raise Refused(409, "idempotency_error", "There is currently another in-progress request using this Idempotent Key (that "
                          f"probably means you submitted twice, and the other request is still going through): {key}. Please try again "
                          "later.", "idempotency_key_in_use", is_stored=False)
        kept = self.ledger.answers.get(key)
        if kept is None:
            return None
        if kept["path"] != path:
            raise Refused(400, "idempotency_error", "Keys for idempotent requests can only be used for the same endpoint they were first "
                          f"used for ('{path}' vs '{kept['path']}'). Try using a key other than '{key}' if you meant to execute a "
                          "different request.", is_stored=False)
        if kept["parameters"] != params.fingerprint():
            raise Refused(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters they were "
                          f"first used with. Try using a key other than '{key}' if you meant to execute a different request.",
                          is_stored=False)
        return kept

    @staticmethod
    def _kept_answer(kept, key):
        return Answer(kept["status"], kept["body"].encode(), headers={"Idempotency-Key": key, "Idempotent-Replayed": "true",
                                                                      "Original-Request": kept["request"]})

    # Misbehaving

    @staticmethod
    def _die(rule, moment):
        if rule is not None and rule.die == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _instead(rule):
        """What is answered in the place of the truth, where the truth does not matter for it."""
        if rule is None:
            return None
        if rule.do == "busy_429":
            headers = {"Retry-After": str(rule.retry_after)} if rule.retry_after is not None else {}
            return Refused(429, "invalid_request_error", "Request rate limit exceeded.", "rate_limit", is_stored=False, headers=headers)
        if rule.do == "denied_401":
            return Refused(401, "invalid_request_error", "Expired API Key provided", "api_key_expired", is_stored=False)
        error = {"error": {"message": "An unknown error occurred", "type": "api_error"}}
        return {
            "error_500": Answer(500, encode(error)), "error_inside": Answer(200, encode(error)),
            "garbage": Answer(200, b"<html>The bank is having its lunch</html>"), "empty": Answer(200, b""),
            "other_shape": Answer(200, encode({"object": "list", "data": [None, 7], "has_more": "perhaps"})),
            "redirect": Answer(307, b"", headers={"Location": "/_sandbox/redirected"}),
        }.get(rule.do)

    async def _answer(self, request, answer, rule):
        body = answer.body
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}", "Content-Type": "application/json"} | answer.headers
        do = rule.do if rule is not None else None
        if answer.is_silent or do == "silence":
            await self._hold(request, rule if do == "silence" else None)
            return self._cut(request)
        if do in ("wrong_amount", "wrong_currency", "wrong_id"):
            body = distort(body, do)
        elif do == "huge":
            body = b'{"padding":"' + b"x" * HUGE_BYTES + b'",' + body.lstrip()[1:]
        response = web.StreamResponse(status=answer.status, headers=headers)
        response.content_length = len(body)
        await response.prepare(request)
        if do == "cut":
            await response.write(body[:len(body) // 2])
            self._cut(request)
            return response
        await response.write(body)
        await response.write_eof()
        if do == "twice" and request.transport is not None:
            head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
            request.transport.write(f"HTTP/1.1 {answer.status} {response.reason}\r\n{head}\r\n".encode() + body)
        self._die(rule, "after_answering")
        return response

    @staticmethod
    async def _hold(request, rule):
        """Says nothing until the caller has had enough, the rule is removed, or it has taken too long."""
        now = asyncio.get_running_loop().time
        end = now() + (rule.seconds if rule is not None else SILENCE_SECONDS_MAX)
        while request.transport is not None and not request.transport.is_closing() and now() < end:
            if rule is not None and rule.removed.is_set():
                return
            await asyncio.sleep(0.2)

    @staticmethod
    def _cut(request):
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)  # goes nowhere


def distort(body, how):
    """The answer with one thing in it that cannot be right."""
    document = json.loads(body)
    for each in document.get("data", [document]):
        intent = each.get("error", {}).get("payment_intent", each)
        if how == "wrong_amount":
            for name in ("amount", "amount_capturable", "amount_received"):
                if intent.get(name):
                    intent[name] += 1
        elif how == "wrong_currency" and "currency" in intent:
            intent["currency"] = "usd" if intent["currency"] != "usd" else "eur"
        elif how == "wrong_id" and "id" in intent:
            intent["id"] += "0"
    return encode(document)
