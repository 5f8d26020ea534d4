# SPDX-License-Identifier: Apache-2.0
"""What visitors see of the bank: the hosted page on which they leave a card, and the question that their bank asks. Plain forms, no
script, made for a phone first. Programs may answer both with JSON instead.
"""

import html
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from aiohttp import web

from cards import PAGE_CARDS

STYLE = """
:root { color-scheme: light dark; font: 1.1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 28rem; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: .5rem 0; }
fieldset { border: 0; margin: 1rem 0; padding: 0; }
legend { padding: 0; font-weight: 600; }
label { display: block; border: 1px solid #888; border-radius: .5rem; padding: .8rem; margin: .5rem 0; }
button { font: inherit; display: block; width: 100%; min-height: 3rem; margin: .5rem 0; border-radius: .5rem; border: 1px solid #555; }
button.first { background: #1a56b0; color: #fff; border-color: #1a56b0; }
.note { color: #777; font-size: .9rem; }
"""


def page(title, body, status=200):
    text = (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
            f'<body><main><p class="note">The sandbox bank. No real money, no real cards.</p><h1>{html.escape(title)}</h1>{body}'
            "</main></body></html>")
    return web.Response(text=text, content_type="text/html", status=status, headers={
        "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"})


def money(amount, currency):
    decimals = {"jpy": 0, "krw": 0, "clp": 0, "vnd": 0, "kwd": 3, "bhd": 3, "omr": 3, "jod": 3, "tnd": 3}.get(currency, 2)
    text = f"{amount:0{decimals + 1}d}"
    return f"{text[:-decimals]}.{text[-decimals:]} {currency.upper()}" if decimals else f"{text} {currency.upper()}"


def with_query(url, **more):
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(more)) if part)
    return urlunsplit(parts._replace(query=query))


def link(url, text):
    return f'<p><a href="{html.escape(url)}">{html.escape(text)}</a></p>' if url else ""


class Pages:
    def __init__(self, ledger, api, committed):
        self.ledger, self.api, self.committed = ledger, api, committed

    def _commit(self, change):
        self.ledger.commit(change)
        self.committed(change)

    @staticmethod
    async def _wants(request, *names):
        """The fields of a form or of JSON, and whether it was JSON. ValueError: neither."""
        if request.content_type == "application/json":
            document = await request.json()
            if not isinstance(document, dict):
                raise ValueError("an object is wanted")
            return [str(document.get(name, "")) for name in names], True
        form = await request.post()
        return [str(form.get(name, "")) for name in names], False

    async def handle(self, request):
        """/pay/SESSION and /challenge/ID; None: it is no page of ours."""
        parts = request.path.strip("/").split("/")
        if len(parts) != 2 or parts[0] not in ("pay", "challenge"):
            return None
        if request.method not in ("GET", "HEAD", "POST"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD, POST"})
        try:
            return await (self._pay if parts[0] == "pay" else self._challenge)(request, parts[1])
        except ValueError:
            return web.json_response({"problem": "a form, or an object as JSON, is wanted"}, status=400)

    # Leaving a card

    async def _pay(self, request, session_id):
        change = self.ledger.change()
        session = change.get("session", session_id)
        if session is None:
            return page("No such page", "<p>This address leads nowhere.</p>", 404)
        if request.method != "POST":
            self.api.expire_if_due(change, session)
            self._commit(change)
            if "application/json" in request.headers.get("Accept", ""):
                return web.json_response({"id": session_id, "status": session["status"], "success_url": self._success(session),
                                          "cancel_url": session["cancel_url"]})
            return self._pay_page(session)
        (card, back), is_json = await self._wants(request, "card", "back")
        if back:
            return web.Response(status=303, headers={"Location": session["cancel_url"] or self._success(session)})
        change = self.ledger.change()
        session = change.get("session", session_id)
        is_left = self.api.leave_card(change, session, card)
        self._commit(change)
        if is_json:
            return web.json_response({"left": is_left, "status": session["status"], "return_url": self._success(session)},
                                     status=200 if is_left else 409)
        return web.Response(status=303, headers={"Location": self._success(session)}) if is_left else self._pay_page(session)

    @staticmethod
    def _success(session):
        return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])

    def _pay_page(self, session):
        if session["status"] == "complete":
            return page("Your card was saved", link(self._success(session), "Back to the shop"))
        if session["status"] == "expired":
            return page("This page has expired", "<p>No card was saved.</p>" + link(session["cancel_url"], "Back to the shop"), 410)
        choices = "".join(
            f'<label><input type="radio" name="card" value="{word}"{" checked" if word == PAGE_CARDS[0][0] else ""}> '
            f"{html.escape(text)}</label>" for word, text, _ in PAGE_CARDS)
        back = ""
        if session["cancel_url"]:
            back = '<button name="back" value="1" formnovalidate>Back without a card</button>'
        return page("Leave a card", "<p>Nothing is charged now. The shop may charge this card later for what you ordered.</p>"
                    f'<form method="post" action="/pay/{quote(session["id"])}"><fieldset><legend>Test card</legend>{choices}</fieldset>'
                    f'<button class="first">Save this card</button>{back}</form>')

    # The bank's question

    async def _challenge(self, request, challenge):
        intent = self.api.challenge_intent(challenge)
        if intent is None:
            return page("No such page", "<p>This address leads nowhere.</p>", 404)
        if request.method != "POST":
            if "application/json" in request.headers.get("Accept", ""):
                return web.json_response({"intent": intent["id"], "status": intent["status"], "amount": intent["amount"],
                                          "currency": intent["currency"].upper(), "return_url": self._return(intent)})
            return self._challenge_page(challenge, intent)
        (answer,), is_json = await self._wants(request, "answer")
        if answer not in ("yes", "no"):
            raise ValueError("answer is yes or no")
        change = self.ledger.change()
        is_taken = self.api.answer_challenge(change, intent["id"], answer == "yes")
        self._commit(change)
        intent = self.api.challenge_intent(challenge)
        if is_json:
            return web.json_response({"taken": is_taken, "intent": intent["id"], "status": intent["status"],
                                      "return_url": self._return(intent)}, status=200 if is_taken else 409)
        if not is_taken:
            return self._challenge_page(challenge, intent)
        return web.Response(status=303, headers={"Location": self._return(intent)})

    @staticmethod
    def _return(intent):
        if intent["return_url"] is None:
            return None
        more = {"payment_intent": intent["id"], "payment_intent_client_secret": intent["client_secret"]}
        if intent["status"] != "requires_action":
            more["redirect_status"] = "succeeded" if intent["status"] in ("requires_capture", "succeeded") else "failed"
        return with_query(intent["return_url"], **more)

    def _challenge_page(self, challenge, intent):
        if intent["status"] != "requires_action":
            said = {"requires_capture": "You said yes.", "succeeded": "You said yes.", "canceled": "The shop does not want it any more."}
            return page("There is nothing to answer", f"<p>{said.get(intent['status'], 'You said no.')}</p>"
                        + link(self._return(intent), "Back to the shop"))
        return page("Is it you who pays?", f"<p>A shop asks for <strong>{money(intent['amount'], intent['currency'])}</strong>.</p>"
                    f'<form method="post" action="/challenge/{quote(challenge)}">'
                    '<button class="first" name="answer" value="yes">Yes, it\'s me</button>'
                    '<button name="answer" value="no">No</button></form>')
