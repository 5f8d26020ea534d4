# SPDX-License-Identifier: Apache-2.0
"""Orders in the waiting room: given, changed, looked at, taken back; what is refused, and what happens at the same moment."""

import json
import threading
import time

import pytest
from harness.stack import EVENT
from processes import wait_until

GOOD = {"tier": "floor", "tickets": {"full": 2}, "email": "anna@example.org"}
TIERS = [
    {"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
    {"code": "balcony", "name": "Balcony", "capacity": 100,
     "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]},
    {"code": "stalls", "name": "Stalls", "price": 9000, "rows": [{"row": "A", "seats": "1-10"}]},
]


@pytest.fixture(scope="module")
def shop(module_stack_factory):
    stack = module_stack_factory().start(rooms=2, admissions=1)
    stack.event("gala", pace="0", tiers=TIERS)
    return stack


class Buyer:
    def __init__(self, shop, slug="gala", room=0):
        self.shop, self.slug = shop, slug
        self.visitor = shop.join(slug)
        self.place = self.visitor.place

    def ask(self, method, body=None, room=0, **more):
        arguments = {"headers": self.visitor.headers | more.pop("headers", {})} | more
        if body is not None:
            arguments["json"] = body
        return self.shop.client(room=room).request(method, f"/v1/events/{self.slug}/order", **arguments)

    def put(self, body=GOOD, **more):
        return self.ask("PUT", body, **more)

    def row(self):
        return self.shop.sql("SELECT o.state, o.revision, quantity, amount, choices, email FROM orders o JOIN events e ON e.id = o.event_id"
                             f" WHERE e.slug = '{self.slug}' AND place = {self.place} ORDER BY attempt DESC LIMIT 1")[0]


def test_given_changed_looked_at_taken_back(shop):
    buyer = Buyer(shop)
    assert buyer.ask("GET").json()["type"] == "/problems/no-order"
    placed = buyer.put()
    assert placed.status_code == 202
    assert placed.json() | {"state": "placed", "place": buyer.place, "attempt": 1, "revision": 1, "tier": "floor",
                            "tickets": {"full": 2}, "quantity": 2, "amount": 9000, "currency": "EUR",
                            "email": "anna@example.org"} == placed.json()
    wish = {"tier": "balcony", "tickets": {"adult": 1, "child": 2}, "email": "Anna@Example.org", "name": "Anna", "lang": "de-DE",
            "alternatives": [{"tier": "floor", "quantity": 3}], "payment_method": "pm_x"}
    changed = buyer.put(wish, room=1).json()
    assert (changed["revision"], changed["amount"], changed["name"]) == (2, 14500, "Anna")
    assert changed["alternatives"] == [{"tier": "floor", "tickets": {"full": 3}, "quantity": 3, "amount": 13500}]
    seen = buyer.ask("GET").json()
    assert seen | {"now": 0} == changed | {"now": 0}
    back = buyer.ask("DELETE")
    assert back.status_code == 200 and back.json()["state"] == "cancelled" and back.json()["revision"] == 3
    assert buyer.ask("DELETE", room=1).json()["state"] == "cancelled"  # once more changes nothing
    again = buyer.put().json()
    assert (again["attempt"], again["revision"]) == (2, 1)
    steps = shop.sql(f"SELECT attempt, revision, state, actor FROM order_log WHERE place = {buyer.place} ORDER BY id")
    assert [tuple(step) for step in steps] == [(1, 1, "placed", "visitor"), (1, 2, "placed", "visitor"),
                                               (1, 3, "cancelled", "visitor"), (2, 1, "placed", "visitor")]


def test_one_customer_whatever_the_case(shop):
    buyers = [Buyer(shop) for _ in range(3)]
    for buyer, email in zip(buyers, ("Bob@Example.org", " bob@example.ORG ", "bobb@example.org")):
        assert buyer.put(GOOD | {"email": email}).status_code == 202
    places = ", ".join(str(buyer.place) for buyer in buyers)
    first, second, third = (row[0] for row in shop.sql(f"SELECT customer FROM orders WHERE place IN ({places}) ORDER BY place"))
    assert first == second != third


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


BAD = [
    (without("tier"), ["tier"]), (GOOD | {"tier": "roof"}, ["tier"]), (GOOD | {"tier": 7}, ["tier"]), (GOOD | {"tier": "stalls"}, ["tier"]),
    (without("tickets"), ["tickets"]), (GOOD | {"tickets": {}}, ["tickets"]), (GOOD | {"tickets": [1]}, ["tickets"]),
    (GOOD | {"tickets": {"child": 1}}, ["tickets.child"]), (GOOD | {"tickets": {"full": 0}}, ["tickets.full"]),
    (GOOD | {"tickets": {"full": -1}}, ["tickets.full"]), (GOOD | {"tickets": {"full": 1.5}}, ["tickets.full"]),
    (GOOD | {"tickets": {"full": "2"}}, ["tickets.full"]), (GOOD | {"tickets": {"full": 7}}, ["tickets"]),
    (GOOD | {"tickets": {"full": 1000000}}, ["tickets"]), (GOOD | {"tickets": {"full": 9223372036854775807}}, ["tickets"]),
    (GOOD | {"quantity": 2}, ["quantity"]), (without("tickets") | {"quantity": 0}, ["quantity"]),
    (without("tickets") | {"quantity": True}, ["quantity"]), (without("tickets") | {"seats": ["A-1"]}, ["seats"]),
    (GOOD | {"needs": {"wheelchair": True}}, ["needs"]),
    (without("email"), ["email"]), (GOOD | {"email": "anna"}, ["email"]), (GOOD | {"email": "a@b@c"}, ["email"]),
    (GOOD | {"email": "@example.org"}, ["email"]), (GOOD | {"email": "anna@"}, ["email"]), (GOOD | {"email": 5}, ["email"]),
    (GOOD | {"email": "a" * 10000 + "@example.org"}, ["email"]), (GOOD | {"email": "anna@example.org\nBcc: all@example.org"}, ["email"]),
    (GOOD | {"email": "anna\x07@example.org"}, ["email"]), (GOOD | {"email": "anna\u2028@example.org"}, ["email"]),
    (GOOD | {"email": "an na@example.org"}, ["email"]), (GOOD | {"email": "anna@example..org"}, ["email"]),
    (GOOD | {"name": "x" * 201}, ["name"]), (GOOD | {"name": "a\tb\nc"}, ["name"]), (GOOD | {"lang": "d e"}, ["lang"]),
    (GOOD | {"lang": "x" * 36}, ["lang"]), (GOOD | {"colour": "red"}, ["colour"]), (GOOD | {"alternatives": {}}, ["alternatives"]),
    (GOOD | {"alternatives": [{"tier": "balcony", "quantity": 1}] * 4}, ["alternatives"]),
    (GOOD | {"alternatives": [{"tier": "floor", "quantity": 1}]}, ["alternatives.0.tier"]),
    (GOOD | {"alternatives": [{"tier": "balcony", "quantity": 1}, {"tier": "balcony", "quantity": 2}]}, ["alternatives.1.tier"]),
    (GOOD | {"alternatives": [{"tier": "balcony", "tickets": {"full": 1}}]}, ["alternatives.0.tickets.full"]),
    (GOOD | {"alternatives": [7]}, ["alternatives.0"]),
    ({"tier": "roof", "quantity": 0, "email": "x", "name": 7}, ["tier", "email", "name"]),
]


@pytest.mark.parametrize("body, fields", BAD, ids=[f"{n}-{','.join(fields)}" for n, (_, fields) in enumerate(BAD)])
def test_understood_but_not_allowed(shop, body, fields):
    buyer = Buyer(shop)
    answer = buyer.put(body)
    assert answer.status_code == 422 and answer.json()["type"] == "/problems/invalid"
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert all(error["detail"] for error in answer.json()["errors"])
    assert buyer.ask("GET").status_code == 404


@pytest.mark.parametrize("content, kind, status", [
    (b"{", "application/json", 400), (b"[]", "application/json", 400), (b"", "application/json", 400),
    (b'{"tier": "floor", "tier": "floor"}', "application/json", 400), (b'{"tier": "fl\xffoor"}', "application/json", 400),
    (json.dumps(GOOD).encode(), "text/plain", 415), (json.dumps(GOOD).encode(), None, 415),
    (json.dumps(GOOD | {"name": "x" * 17000}).encode(), "application/json", 413),
])
def test_malformed(shop, content, kind, status):
    buyer = Buyer(shop)
    answer = buyer.ask("PUT", content=content, headers={"content-type": kind} if kind else {})
    assert answer.status_code == status, answer.text


def test_without_a_token_and_with_a_foreign_one(shop):
    buyer = Buyer(shop)
    client = shop.client(room=0)
    for method in ("GET", "PUT", "DELETE"):
        arguments = {"json": GOOD} if method == "PUT" else {}
        assert client.request(method, "/v1/events/gala/order", **arguments).status_code == 401
        bad = {"Authorization": "Bearer " + buyer.visitor.token[:-6] + "AAAAAA"}
        assert client.request(method, "/v1/events/gala/order", headers=bad, **arguments).status_code == 401
    assert client.post("/v1/events/gala/order", headers=buyer.visitor.headers).status_code == 405
    foreign = buyer.put(headers={"Origin": "https://elsewhere.example"})
    assert foreign.status_code == 403


def test_a_number_whose_visitor_differs(shop):
    buyer = Buyer(shop)
    assert buyer.put().status_code == 202
    # As if somebody else's token said this number: MySQL knows another visitor for it.
    shop.sql(f"UPDATE arrivals SET visitor = REPEAT('x', 16) WHERE number = {buyer.place}")
    assert buyer.put(room=1).status_code == 401
    assert buyer.ask("DELETE", room=1).status_code == 401
    assert buyer.ask("GET", room=1).status_code in (401, 404)
    assert buyer.row()[0] == "placed"


def test_after_leaving(shop):
    buyer = Buyer(shop)
    assert buyer.put().status_code == 202
    assert shop.client(room=0).delete("/v1/events/gala/line", headers=buyer.visitor.headers).status_code == 204
    assert buyer.row()[0] == "cancelled"  # it goes with the place
    for room in (0, 1):
        answer = buyer.put(room=room)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/left")


def at_once(*calls):
    results = [None] * len(calls)

    def run(number):
        results[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_two_tabs_on_two_waiting_rooms(shop):
    for _ in range(10):
        buyer = Buyer(shop)
        shop.client(room=0), shop.client(room=1)
        answers = at_once(lambda: buyer.put(GOOD | {"name": "one"}), lambda: buyer.put(GOOD | {"name": "two"}, room=1))
        assert [answer.status_code for answer in answers] == [202, 202]
        assert sorted(answer.json()["revision"] for answer in answers) == [1, 2]
        newest = max((answer.json() for answer in answers), key=lambda told: told["revision"])
        assert buyer.ask("GET").json()["name"] == newest["name"]


def test_a_change_and_the_release_at_the_same_moment(shop):
    """Whatever was acknowledged before the release is what was released; a change that came later is refused."""
    refused = 0
    for _ in range(12):
        buyer = Buyer(shop)
        assert buyer.put().status_code == 202

        def change():
            told = []
            for quantity in (1, 2, 3, 4, 5, 6):
                answer = buyer.put(without("tickets") | {"quantity": quantity}, room=quantity % 2)
                told.append((answer.status_code, quantity))
            return told

        def release():
            shop.sql(f"UPDATE orders SET state = 'released', revision = revision + 1, released_at = UTC_TIMESTAMP(6)"
                     f" WHERE place = {buyer.place} AND state = 'placed'")

        told, _ = at_once(change, release)
        accepted = [quantity for status, quantity in told if status == 202]
        state, _, quantity, *_ = buyer.row()
        assert state == "released" and quantity == (accepted[-1] if accepted else 2)
        assert {status for status, _ in told} <= {202, 409}
        refused += any(status == 409 for status, _ in told)
        assert buyer.ask("DELETE").json()["type"] == "/problems/released"
    assert refused  # else the two never met


def finish(shop, buyer, state, reason=None):
    """As if the order had been released and booked."""
    shop.sql(f"UPDATE orders SET state = 'released', released_at = UTC_TIMESTAMP(6) WHERE place = {buyer.place}"
             " AND event_id = (SELECT id FROM events WHERE slug = %s)", buyer.slug)
    shop.sql("INSERT INTO bookings (event_id, place, attempt, state, reason, revision, currency, customer, created_at, changed_at)"
             f" SELECT event_id, place, attempt, '{state}', %s, revision + 1, currency, customer, UTC_TIMESTAMP(6),"
             f" UTC_TIMESTAMP(6) FROM orders WHERE place = {buyer.place} AND event_id = (SELECT id FROM events WHERE slug = %s)"
             " ORDER BY attempt DESC LIMIT 1", reason, buyer.slug)


def test_another_attempt_after_an_end_that_was_no_ticket(shop):
    buyer = Buyer(shop)
    buyer.put()
    finish(shop, buyer, "refused", "customer_limit")
    seen = buyer.ask("GET").json()
    assert (seen["state"], seen["reason"], seen["attempt"]) == ("refused", "customer_limit", 1)
    again = buyer.put(room=1).json()
    assert (again["state"], again["attempt"], again["revision"]) == ("placed", 2, 1)
    buyer = Buyer(shop)
    buyer.put()
    finish(shop, buyer, "confirmed")
    assert buyer.put().json()["type"] == "/problems/confirmed"
    assert buyer.ask("DELETE").json()["type"] == "/problems/confirmed"


def test_after_the_turn(shop):
    shop.event("short", pace="10/s", turn_seconds=1, absent_seconds=0, tiers=TIERS)
    buyer = Buyer(shop, "short")
    stream = shop.pool().event_stream("short", buyer.visitor)
    stream.wait("line", lambda line: line["line"] == "over", seconds=10)
    answer = buyer.put()
    assert (answer.status_code, answer.json()["type"]) == (410, "/problems/turn-over")


@pytest.mark.parametrize("command, status, problem", [
    (("stop", "--reason", "fire"), 503, "stopped"), (("close",), 410, "closed"), (("pause",), 202, None)])
def test_the_events_states(shop, command, status, problem):
    slug = "state-" + command[0]
    shop.event(slug, pace="0", tiers=TIERS)
    buyer = Buyer(shop, slug)
    shop.onsale(command[0], slug, *command[1:], expect=0)
    answer = buyer.put()
    assert answer.status_code == status
    if problem:
        assert answer.json()["type"] == f"/problems/{problem}"
    if status == 503:
        assert int(answer.headers["retry-after"]) > 0


def test_in_the_lobby(shop):
    shop.event("early", pace="0", state="lobby", tiers=TIERS)
    buyer = Buyer(shop, "early")
    assert buyer.visitor.place is None
    placed = buyer.put().json()
    assert placed["state"] == "placed"
    shop.onsale("open", "early", expect=0)
    assert buyer.ask("GET").json()["revision"] == 1


def test_prices_concern_later_orders_only(shop):
    shop.event("dear", pace="0", tiers=[TIERS[0]])
    early, late = Buyer(shop, "dear"), Buyer(shop, "dear")
    assert early.put().json()["amount"] == 9000
    shop.apply(EVENT | {"slug": "dear", "pace": "0", "tiers": [TIERS[0] | {"price": 5000}]})
    wait_until(lambda: shop.client(room=0).get("/v1/events/dear").json()["tiers"][0]["prices"][0]["amount"] == 5000,
               "the new price", 10)
    assert late.put().json()["amount"] == 10000
    assert early.ask("GET").json()["amount"] == 9000


def test_without_mysql(stack_factory):
    shop = stack_factory(proxied=True).start(rooms=1, admissions=1)
    shop.expect_errors("mysql_away")
    shop.event("gala", pace="0", tiers=TIERS)
    buyer = Buyer(shop)
    assert buyer.put().status_code == 202
    shop.mysql_proxy.cut()
    wait_until(lambda: buyer.put().status_code == 503, "refusals", 10)
    assert int(buyer.put().headers["retry-after"]) > 0
    assert buyer.ask("DELETE").status_code == 503
    shop.mysql_proxy.mend()
    wait_until(lambda: buyer.put(GOOD | {"name": "later"}).status_code == 202, "orders again", 15)
    assert buyer.ask("GET").json()["name"] == "later"


def test_a_thousand_orders_at_once(shop):
    """Batches answer each for itself: every amount is that of its own order."""
    shop.event("many", pace="0", tiers=TIERS)
    buyers = [Buyer(shop, "many") for _ in range(300)]

    def order_all(part):
        return [buyer.put(without("tickets") | {"quantity": 1 + number % 6, "email": f"v{number}@example.org"}, room=number % 2)
                for number, buyer in part]

    numbered = list(enumerate(buyers))
    began = time.monotonic()
    answers = at_once(*[lambda part=numbered[i::4]: order_all(part) for i in range(4)])
    assert time.monotonic() - began < 60
    for i, part in enumerate(answers):
        for (number, buyer), answer in zip(numbered[i::4], part):
            told = answer.json()
            assert (answer.status_code, told["place"], told["amount"]) == (202, buyer.place, 4500 * (1 + number % 6))
    rows = shop.sql("SELECT COUNT(*), SUM(quantity), SUM(amount) FROM orders JOIN events ON events.id = event_id WHERE slug = 'many'")
    assert [int(value) for value in rows[0]] == [300, sum(1 + n % 6 for n in range(300)), 4500 * sum(1 + n % 6 for n in range(300))]
