# SPDX-License-Identifier: Apache-2.0
"""docs/openapi.yaml describes what comes: every address is there, and real answers, refusals too, are what it allows."""

import re

import httpx
import pytest
from processes import wait_until

from harness.bare import bare_client
from harness.openapi import DOCUMENT, check, path_of
from harness.stack import ROOT

WISH = {"tier": "floor", "quantity": 1, "email": "ada@example.org"}
METHODS = {"CAN_GET": "get", "CAN_POST": "post", "CAN_PUT": "put", "CAN_DELETE": "delete"}


def test_the_document_has_every_address_and_no_other():
    """The table of routes says all that a waiting room answers to."""
    source = (ROOT / "waiting-room/router.c").read_text()
    table = {(re.sub(r"\*", "x", path), METHODS[method])
             for path, methods in re.findall(r'\{"(/[^"]*)", ROUTE_\w+, ([A-Z_ |]+), "', source) for method in methods.split(" | ")}
    assert len(table) > 20
    files = re.findall(r'\{"(/[^"]*)", PAGE_\w+\}', source)
    assert len(files) > 5
    table |= {(path, "get") for path in files}
    known = {(path, method) for path, method in table if path_of(path) and method in DOCUMENT["paths"][path_of(path)]}
    assert table == known
    described = {(pattern, method) for pattern, operations in DOCUMENT["paths"].items() for method in operations if method in METHODS.values()}
    assert described == {(path_of(path), method) for path, method in table}


class Asker:
    """Asks a waiting room; every answer is held against the document."""

    def __init__(self, stack):
        self.client = bare_client(stack)

    def __call__(self, method, path, visitor=None, status=None, headers=(), **options):
        answer = check(self.client.request(method, path, headers=dict(headers) | (visitor.headers if visitor else {}), **options))
        assert status is None or answer.status_code == status, answer.text
        return answer

    def until(self, visitor, *states):
        def found():
            order = self("GET", "/v1/events/gala/order", visitor, 200).json()
            return order if order["state"] in states else None
        return wait_until(found, f"one of {states}", 30)


@pytest.fixture(scope="module")
def sale(module_stack_factory):
    stack = module_stack_factory(bank=True).start(workers=1, notifiers=1)
    for slug in ("gala", "closed", "stopped", "paused"):
        stack.event(slug, pace="100/s")
    stack.event("draft", state="draft", opens_at="2031-01-01T10:00:00Z")
    stack.event("lobby", state="lobby")
    stack.event("gate", tiers=[])
    return stack


@pytest.fixture
def ask(sale):
    return Asker(sale)


@pytest.mark.parametrize("pattern", DOCUMENT["paths"])
def test_what_nobody_in_particular_hears(ask, pattern):
    """Every address with every method, without a token, to an event that there is and one that there is not."""
    files = DOCUMENT["paths"]["/assets/{file}"]["parameters"][0]["schema"]["enum"]
    for path in {pattern.replace("{slug}", slug).replace("{file}", file) for slug in ("gala", "nobody", "UPPER") for file in files}:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            for accept in ("*/*", "text/html", "image/png"):
                ask(method, path, headers={"accept": accept})
            ask(method, path, headers={"origin": "https://elsewhere.example"})


def test_each_state_of_an_event(sale, ask):
    for command in (("close", "closed"), ("stop", "stopped", "--reason", "fire"), ("pause", "paused")):
        sale.onsale(*command, expect=0)
    expected = {"draft": 409, "closed": 410, "stopped": 503, "paused": 201, "lobby": 201, "gate": 201}
    for slug, status in expected.items():
        wait_until(lambda slug=slug: ask("GET", f"/v1/events/{slug}").json()["state"] == {"gate": "open"}.get(slug, slug), slug, 10)
        ask("GET", f"/v1/events/{slug}/seats", status=200)
        joined = ask("POST", f"/v1/events/{slug}/line", status=status)
        if status != 201:
            continue
        headers = {"authorization": f"Bearer {joined.json()['token']}"}
        for method, path, body in (("GET", "line", None), ("PUT", "order", WISH), ("GET", "order", None), ("POST", "order/card", None),
                                   ("GET", "order/card", None), ("POST", "order/more-time", None), ("POST", "payment", {"payment_method": "pm_x"}),
                                   ("DELETE", "order", None), ("DELETE", "line", None), ("PUT", "order", WISH), ("GET", "line", None)):
            ask(method, f"/v1/events/{slug}/{path}", headers=headers, json=body)
        ask("POST", f"/v1/events/{slug}/line", headers=headers, json={"again": True}, status=201)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"tier": "nobody", "quantity": -1, "more": 1}', b"x" * 20000])
@pytest.mark.parametrize("kind", ["application/json", "text/plain"])
def test_bodies_that_are_none(sale, ask, body, kind):
    visitor = sale.join("gala")
    for method, path in (("POST", "line"), ("PUT", "order"), ("POST", "payment"), ("POST", "order/more-time")):
        ask(method, f"/v1/events/gala/{path}", visitor, headers={"content-type": kind}, content=body)
    ask("POST", "/v1/payments/webhook", headers={"content-type": kind}, content=body)


def test_the_way_to_a_ticket(sale, ask):
    """Declined, the bank's question, a card that was left, paid; and what each state says to everything that may be asked in it."""
    visitor = sale.join("gala")
    everything = (("PUT", "order", WISH), ("POST", "order/card", None), ("GET", "order/card", None), ("GET", "order/card?back=1", None))
    ask("PUT", "/v1/events/gala/order", visitor, 202, json=WISH | {"payment_method": "pm_card_chargeDeclined", "alternatives": [
        {"tier": "stalls", "tickets": {"adult": 1}, "seats": ["B-1"]}]})
    for payment_method, state in (("pm_sandbox_challenge", "declined"), ("pm_nobody", "action_required"), ("pm_card_visa", "declined")):
        order = ask.until(visitor, state)
        for method, path, body in everything:
            ask(method, f"/v1/events/gala/{path}", visitor, json=body)
        if state == "action_required":
            ask("POST", "/v1/events/gala/payment", visitor, 409, json={"payment_method": payment_method})
            sale.bank.answer_challenge(order["action_url"], yes=False)
            order = ask.until(visitor, "declined")
            ask("POST", "/v1/events/gala/order/more-time", visitor, 200)
            ask("POST", "/v1/events/gala/order/more-time", visitor, 409)
        ask("POST", "/v1/events/gala/payment", visitor, 202, json={"payment_method": payment_method})
    ask.until(visitor, "confirmed")
    for method, path, body in (*everything, ("POST", "payment", {"payment_method": "pm_card_visa"}), ("DELETE", "order", None)):
        ask(method, f"/v1/events/gala/{path}", visitor, json=body)
    ask("GET", "/e/gala/receipt", visitor, 200)
    ask("GET", "/.well-known/jwks.json", status=200)
    sale.onsale("booking", "cancel", "gala", str(visitor.place), expect=0)
    wait_until(lambda: ask("GET", "/v1/events/gala/order", visitor).json().get("refund") == "done", "the money to be back", 30)


def test_the_forms_of_the_page(sale, ask):
    visitor = sale.join("gala")
    cookie = {"cookie": f"__Host-onsale-gala={visitor.token}"}
    for path, form in (("join", {}), ("order", {"tier": "floor"}), ("order", {"tier": "floor", "quantity": "1", "email": "ada@example.org"}),
                       ("card", {}), ("more-time", {}), ("pay", {}), ("order", {"do": "take_back"}), ("leave", {})):
        answer = ask("POST", f"/e/gala/{path}", headers=cookie, data=form, status=303)
        ask("GET", httpx.URL(answer.headers["location"]).copy_with(fragment=None).raw_path.decode(), headers=cookie, status=200)
