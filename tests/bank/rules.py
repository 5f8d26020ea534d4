# SPDX-License-Identifier: Apache-2.0
"""How tests make the bank misbehave: rules, each for some calls. They are forgotten when the bank ends. README.md lists them."""

import asyncio
import itertools

# What a rule may do, and whether the call is carried out unless the rule says otherwise.
DEEDS = {
    "silence": True,  # no answer; the connection stays until the caller gives up
    "cut": True,  # the answer ends in the middle, and so does the connection
    "garbage": True,  # 200 with something that is no JSON
    "empty": True,  # 200 with nothing
    "other_shape": True,  # 200 with JSON of another kind
    "huge": True,  # 200 with the right answer in 10 MB
    "redirect": False,  # 307 to a place of the bank's own, which notes who came
    "error_inside": False,  # 200 with an error as the body
    "error_500": False,  # 500, kept for the idempotency key
    "busy_429": False,  # too many calls: certainly not done, not kept for the key
    "denied_401": False,  # as if the key were not good any more
    "wrong_amount": True,  # the answer shows one unit more; the ledger has what was asked for
    "wrong_currency": True,
    "wrong_id": True,
    "twice": True,  # the answer comes twice on the connection
    "slow": False,  # waits; with "executed": true it is carried out before the wait
    "die": True,  # kill -9 of the bank: by itself only with "die" below
}
ALWAYS_SO = ("huge", "busy_429", "denied_401", "wrong_amount", "wrong_currency", "wrong_id", "twice", "die")  # no choice about `executed`
CALLS = ("create", "confirm", "ask", "capture", "cancel", "list", "refund", "refund_ask", "card_page", "card_ask", "card_expire",
         "customer", "method_ask", "setup_intent_ask")
MOMENTS = ("before", "after_executing", "after_answering")
RULES_MAX = 1000


class Wrong(Exception):
    """A rule that cannot be; the text says why."""


class Rule:
    _numbers = itertools.count(1)

    def __init__(self, document):
        if not isinstance(document, dict):
            raise Wrong("a rule is an object")
        unknown = set(document) - {"call", "do", "nth", "times", "seconds", "executed", "die", "payment_method", "metadata", "place",
                                   "intent", "retry_after"}
        if unknown:
            raise Wrong(f"unknown: {', '.join(sorted(unknown))}")
        self.document = document
        self.number = next(self._numbers)
        self.call = document.get("call", "any")
        self.die = document.get("die")
        self.do = document.get("do", "die" if self.die else None)
        if self.call != "any" and self.call not in CALLS:
            raise Wrong(f"call is one of any, {', '.join(CALLS)}")
        if self.do not in DEEDS:
            raise Wrong(f"do is one of {', '.join(DEEDS)}")
        if self.die not in (None, *MOMENTS) or (self.do == "die" and self.die is None):
            raise Wrong(f"die is one of {', '.join(MOMENTS)}")
        self.nth = document.get("nth", 1)
        self.times = document.get("times", 1)
        self.seconds = document.get("seconds", 600 if self.do == "silence" else 5)
        self.executed = document.get("executed", DEEDS[self.do])
        if "executed" in document and self.do in ALWAYS_SO:
            raise Wrong(f"executed goes with all but {', '.join(ALWAYS_SO)}")
        self.retry_after = document.get("retry_after")
        if not isinstance(self.nth, int) or not isinstance(self.times, int) or self.nth < 1 or self.times < 0:
            raise Wrong("nth is 1 or more; times is 1 or more, or 0 for ever")
        if not isinstance(self.seconds, (int, float)) or not 0 <= self.seconds <= 3600:
            raise Wrong("seconds are 0 to 3600")
        self.metadata = {key: str(value) for key, value in document.get("metadata", {}).items()}
        if "place" in document:
            self.metadata["onsale_place"] = str(document["place"])
        self.payment_method = document.get("payment_method")
        self.intent = document.get("intent")
        self.seen = self.hits = 0
        self.removed = asyncio.Event()

    async def wait(self):
        """Its seconds; sooner over when the rule is removed."""
        try:
            await asyncio.wait_for(self.removed.wait(), self.seconds)
        except asyncio.TimeoutError:
            pass

    def concerns(self, call, intent):
        """`intent` is what the call is about (id, payment_method, metadata), as far as that is known before it is carried out."""
        if self.call not in ("any", call):
            return False
        if self.intent is not None and intent.get("id") != self.intent:
            return False
        if self.payment_method is not None and intent.get("payment_method") != self.payment_method:
            return False
        metadata = intent.get("metadata") or {}
        return all(metadata.get(key) == value for key, value in self.metadata.items())

    def is_hit(self):
        """Counts one call that it concerns; whether it is one of those that are meant."""
        self.seen += 1
        if self.seen < self.nth or (self.times and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    def shown(self):
        return {"number": self.number, "seen": self.seen, "hits": self.hits} | self.document


class Rules:
    def __init__(self):
        self.items = []

    def add(self, document):
        if len(self.items) >= RULES_MAX:
            raise Wrong(f"there are {RULES_MAX} rules already")
        self.items.append(Rule(document))
        return self.items[-1]

    def clear(self):
        for rule in self.items:
            rule.removed.set()
        self.items = []

    def hit(self, call, intent):
        """The first rule that is hit by this call, or None. All that it concerns count it."""
        hits = [rule for rule in self.items if rule.concerns(call, intent) and rule.is_hit()]
        return hits[0] if hits else None
