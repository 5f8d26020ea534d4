# SPDX-License-Identifier: Apache-2.0
"""Orders: given, changed and taken back; durable before 202; judged by the locked rows, whatever happens at the same moment."""

import json
import threading
import uuid

import pytest
from harness.bare import bare_client
from harness.orders import in_event, problem, url, wait_state, waits_for_a_lock
from harness.stack import PATIENCE
from processes import wait_until

TIERS = [
    {"code": "floor", "name": "Floor", "capacity": 2000,
     "prices": [{"code": "full", "name": "Full", "amount": 4500}, {"code": "child", "name": "Child", "amount": 2000}]},
    {"code": "balcony", "name": "Balcony", "price": 3000, "capacity": 500},
    {"code": "stalls", "name": "Stalls", "price": 7500, "rows": [{"row": "A", "seats": "1-14", "wheelchair": ["12"], "companion": ["13"], "blocked": ["14"]}]},
]
GOOD = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    return module_stack_factory().start(rooms=2)


def ready_event(stack, slug, **changes):
    stack.event(slug, **({"pace": "0", "tiers": TIERS} | changes))
    wait_state(stack, slug, changes.get("state", "open"))


def book(stack, slug, place, state, attempt=1):
    """The rows after a release and what a worker made of it."""
    reference = uuid.uuid4().hex[:4].upper() + "-TEST" if state == "confirmed" else None
    stack.sql("UPDATE orders SET state = 'released', revision = revision + 1, published = 1 WHERE place = %s AND attempt = %s AND"
              " event_id = (SELECT id FROM events WHERE slug = %s)", place, attempt, slug)
    gives = state == "confirmed"
    stack.sql("INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, reference, currency,"
              " customer, created_at, changed_at) SELECT event_id, place, attempt, %s, revision + 1, %s, %s, %s, %s, currency,"
              " customer, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM orders WHERE place = %s AND attempt = %s AND"
              " event_id = (SELECT id FROM events WHERE slug = %s)",
              state, "floor" if gives else None, 2 if gives else 0, 9000 if gives else 0, reference, place, attempt, slug)


def test_given_changed_looked_at_and_taken_back(stack):
    ready_event(stack, "way")
    visitor = stack.join("way")
    one, other = bare_client(stack, 0), bare_client(stack, 1)
    problem(one.get(url("way"), headers=visitor.headers), 404, "no-order")
    problem(one.delete(url("way"), headers=visitor.headers), 404, "no-order")
    answer = one.put(url("way"), headers=visitor.headers, json={
        "tier": "floor", "tickets": {"full": 1, "child": 2}, "email": " Ada@Example.ORG ", "name": "Ada", "lang": "pt-BR",
        "payment_method": "pm_ignored", "alternatives": [{"tier": "balcony", "quantity": 3}]})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    assert document.pop("now")
    assert document == {
        "state": "placed", "place": 1, "attempt": 1, "revision": 1, "tier": "floor", "tickets": {"full": 1, "child": 2},
        "quantity": 3, "amount": 8500, "currency": "EUR", "email": "Ada@Example.ORG", "name": "Ada",
        "alternatives": [{"tier": "balcony", "tickets": {"full": 3}, "quantity": 3, "amount": 9000}]}
    (choices, customer, state, lang), = in_event(stack, "orders", "way", "choices, HEX(customer), state, lang")
    assert [choice["tier"] for choice in json.loads(choices)] == ["floor", "balcony"]
    assert (state, lang) == ("placed", "pt-BR")
    changed = other.put(url("way"), headers=visitor.headers, json=GOOD | {"email": "ada@example.org"}).json()
    assert (changed["revision"], changed["attempt"], changed["amount"], changed["tickets"]) == (2, 1, 9000, {"full": 2})
    assert "alternatives" not in changed and "name" not in changed
    assert in_event(stack, "orders", "way", "HEX(customer)")[0][0] == customer  # the same person, in other letters
    seen = one.get(url("way"), headers=visitor.headers).json()
    assert {**seen, "now": 0} == {**changed, "now": 0}
    back = one.delete(url("way"), headers=visitor.headers)
    assert (back.status_code, back.json()["state"], back.json()["revision"]) == (200, "cancelled", 3)
    assert other.delete(url("way"), headers=visitor.headers).json()["revision"] == 3  # twice: nothing else
    anew = other.put(url("way"), headers=visitor.headers, json=GOOD).json()
    assert (anew["state"], anew["attempt"], anew["revision"]) == ("placed", 2, 1)
    log = stack.sql("SELECT attempt, revision, l.state, actor FROM order_log l JOIN events e ON e.id = l.event_id"
                    " WHERE e.slug = 'way' ORDER BY l.id")
    assert log == ((1, 1, "placed", "visitor"), (1, 2, "placed", "visitor"), (1, 3, "cancelled", "visitor"),
                   (2, 1, "placed", "visitor"))
    assert stack.rooms[0].log_lines("ordered", slug="way", place=1)
    assert stack.rooms[0].log_lines("order_taken_back", slug="way", place=1)
    assert "example" not in stack.rooms[0].log_path.read_text().lower()


BAD = [
    ({"tier": "nowhere"}, ["tier"]), ({"tier": 7}, ["tier"]), ({"tier": None}, ["tier"]),
    ({"quantity": 0}, ["quantity"]), ({"quantity": -1}, ["quantity"]), ({"quantity": 1_000_000}, ["quantity"]),
    ({"quantity": 2**62}, ["quantity"]), ({"quantity": 1.5}, ["quantity"]), ({"quantity": "2"}, ["quantity"]),
    ({"quantity": True}, ["quantity"]), ({"quantity": 7}, ["quantity"]), ({"quantity": None}, ["tickets"]),
    ({"tickets": {"full": 1}}, ["quantity"]), ({"quantity": None, "tickets": {"senior": 1}}, ["tickets.senior"]),
    ({"quantity": None, "tickets": {}}, ["tickets"]), ({"quantity": None, "tickets": [1]}, ["tickets"]),
    ({"quantity": None, "tickets": {"full": 1, "child": 0}}, ["tickets.child"]),
    ({"quantity": None, "tickets": {"full": 4, "child": 3}}, ["tickets"]),
    ({"quantity": None, "seats": ["A-1"]}, ["seats"]), ({"needs": {"wheelchair": 1}}, ["needs"]),
    ({"tier": "stalls", "seats": ["A-1", "A-15"]}, ["seats.1"]), ({"tier": "stalls", "seats": ["A-1", "a-1"]}, ["seats.1"]),
    ({"tier": "stalls", "seats": ["A-1"]}, ["seats"]), ({"tier": "stalls", "seats": ["A-14", "A-12"]}, ["seats.0", "seats.1"]),
    ({"tier": "stalls", "seats": ["A-13"], "quantity": 1}, ["seats.0"]), ({"tier": "stalls", "seats": "A-1"}, ["seats"]),
    ({"tier": "stalls", "needs": {"wheelchair": 2, "companion": 1}}, ["needs"]),
    ({"tier": "stalls", "needs": {"wheelchair": "yes"}}, ["needs.wheelchair"]),
    ({"email": "ada"}, ["email"]), ({"email": "@example.org"}, ["email"]), ({"email": "ada@"}, ["email"]),
    ({"email": "a@b@c"}, ["email"]), ({"email": "ada@exam ple.org"}, ["email"]), ({"email": "a" * 10_000 + "@b.org"}, ["email"]),
    ({"email": "ada\u0007@example.org"}, ["email"]), ({"email": "ada@example.org\r\nBcc: x@y.z"}, ["email"]),
    ({"email": "ada@example.org\n"}, ["email"]), ({"email": None}, ["email"]), ({"email": 3}, ["email"]),
    ({"name": "A\nB"}, ["name"]), ({"name": "ä" * 101}, ["name"]), ({"lang": "x" * 36}, ["lang"]), ({"lang": "e n"}, ["lang"]),
    ({"payment_method": "x" * 256}, ["payment_method"]), ({"colour": "red"}, ["colour"]),
    ({"alternatives": {}}, ["alternatives"]), ({"alternatives": [1]}, ["alternatives.0"]),
    ({"alternatives": [{"tier": "balcony", "quantity": 1}, {"tier": "x", "quantity": 1}]}, ["alternatives.1.tier"]),
    ({"alternatives": [{"tier": "floor", "quantity": 1}]}, ["alternatives.0.tier"]),
    ({"alternatives": [{"tier": "balcony", "tickets": {"full": 0}}]}, ["alternatives.0.tickets.full"]),
    ({"alternatives": [{"tier": "balcony", "quantity": 1}] * 4}, ["alternatives"]),
    ({"tier": "x", "email": "ada", "name": "A\nB", "colour": 1}, ["colour", "tier", "email", "name"]),
]


def test_what_is_not_allowed_is_said_at_its_field(stack):
    ready_event(stack, "bad")
    visitor = stack.join("bad")
    client = bare_client(stack)
    for change, fields in BAD:
        answer = client.put(url("bad"), headers=visitor.headers, json=GOOD | change)
        errors = problem(answer, 422, "invalid")["errors"]
        assert [error["field"] for error in errors] == fields, (change, errors)
        assert all(error["detail"] for error in errors)
    assert in_event(stack, "orders", "bad", "COUNT(*)") == ((0,),)


def test_seats_and_needs_are_kept_as_they_were_asked_for(stack):
    ready_event(stack, "seats")
    visitor = stack.join("seats")
    client = bare_client(stack)
    wanted = {"tier": "stalls", "seats": ["a-4", "A-12", "A-13"], "needs": {"wheelchair": 1, "companion": True},
              "email": "ada@example.org", "alternatives": [{"tier": "stalls", "quantity": 3}, {"tier": "floor", "quantity": 1}]}
    placed = client.put(url("seats"), headers=visitor.headers, json=wanted)
    assert placed.status_code == 202, placed.text
    for document in (placed.json(), bare_client(stack, 1).get(url("seats"), headers=visitor.headers).json()):
        assert document["seats"] == ["A-4", "A-12", "A-13"] and document["needs"] == {"wheelchair": 1, "companion": 1}
        assert (document["quantity"], document["amount"], document["tickets"]) == (3, 22500, {"full": 3})
    (choices,), = in_event(stack, "orders", "seats", "choices")
    assert json.loads(choices) == [
        {"tier": "stalls", "tickets": {"full": 3}, "quantity": 3, "amount": 22500, "seats": ["A-4", "A-12", "A-13"],
         "wheelchair": 1, "companion": 1},
        {"tier": "stalls", "tickets": {"full": 3}, "quantity": 3, "amount": 22500, "wheelchair": 1, "companion": 1},
        {"tier": "floor", "tickets": {"full": 1}, "quantity": 1, "amount": 4500}]
    changed = client.put(url("seats"), headers=visitor.headers, json=GOOD).json()
    assert "seats" not in changed and "needs" not in changed


def test_what_is_no_document(stack):
    ready_event(stack, "broken")
    visitor = stack.join("broken")
    client = bare_client(stack)
    kind = visitor.headers | {"Content-Type": "application/json"}
    for body in (b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"tier":"floor"} x', b'{"tier":"floor","tier":"x"}', b"[" * 5000,
                 b'{"email":"a\\u0000@b.org"}'):
        problem(client.put(url("broken"), headers=kind, content=body), 400, "malformed")
    problem(client.put(url("broken"), headers=visitor.headers, content=json.dumps(GOOD)), 415, "media-type")
    problem(client.put(url("broken"), headers=visitor.headers | {"Content-Type": "text/plain"}, content=json.dumps(GOOD)), 415,
            "media-type")
    assert client.put(url("broken"), headers=kind, content=b"{" + b" " * 17_000 + b"}").status_code == 413
    problem(client.put(url("broken"), json=GOOD), 401, "no-token")
    problem(client.put(url("broken"), json=GOOD, headers={"Authorization": "Bearer x"}), 401, "bad-token")
    problem(client.put(url("broken"), json=GOOD, headers=visitor.headers | {"Sec-Fetch-Site": "cross-site"}), 403,
            "foreign-origin")
    answer = client.post(url("broken"), headers=visitor.headers, json=GOOD)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, PUT, DELETE")
    assert in_event(stack, "orders", "broken", "COUNT(*)") == ((0,),)


def test_only_its_visitor_may(stack):
    """A number whose visitor id is another's: as after a database was put back from a copy."""
    ready_event(stack, "own")
    visitor = stack.join("own")
    client = bare_client(stack)
    assert client.put(url("own"), headers=visitor.headers, json=GOOD).status_code == 202
    stack.sql("UPDATE arrivals SET visitor = REPEAT('x', 16) WHERE event_id = (SELECT id FROM events WHERE slug = 'own')")
    for answer in (client.put(url("own"), headers=visitor.headers, json=GOOD), client.get(url("own"), headers=visitor.headers),
                   client.delete(url("own"), headers=visitor.headers)):
        problem(answer, 401, "bad-token")
    assert in_event(stack, "orders", "own", "state, revision") == (("placed", 1),)


def test_two_tabs_on_two_waiting_rooms(stack):
    ready_event(stack, "tabs")
    visitors = [stack.join("tabs") for _ in range(5)]
    answers, start = [], threading.Barrier(4)

    def tab(client, mark):
        start.wait()
        for round in range(10):
            for visitor in visitors:
                quantity = 1 + (round + mark) % 6
                answer = client.put(url("tabs"), headers=visitor.headers, json=GOOD | {"quantity": quantity})
                answers.append((visitor.place, answer.status_code, answer.json().get("revision"), quantity))

    threads = [threading.Thread(target=tab, args=(bare_client(stack, mark % 2), mark)) for mark in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for _, status, _, _ in answers} == {202} and len(answers) == 200
    for visitor in visitors:
        given = {revision: quantity for place, _, revision, quantity in answers if place == visitor.place}
        assert sorted(given) == list(range(1, 41))  # each was given a revision of its own
        assert in_event(stack, "orders", "tabs", "place, revision, quantity")[visitor.place - 1] == (visitor.place, 40, given[40])


def test_a_change_and_a_release_in_the_same_moment(stack):
    """What was answered last with 202 is what was released; afterwards it is 409."""
    ready_event(stack, "race")
    visitors = [stack.join("race") for _ in range(12)]
    clients = [bare_client(stack, number % 2) for number in range(3)]
    for visitor in visitors:
        assert clients[0].put(url("race"), headers=visitor.headers, json=GOOD).status_code == 202
    accepted, refused, wrong = {visitor.place: (1, 2) for visitor in visitors}, set(), []

    def change(client, own):
        for quantity in range(1, 10_000):
            for visitor in own:
                wanted = 1 + quantity % 6
                answer = client.put(url("race"), headers=visitor.headers, json=GOOD | {"quantity": wanted})
                if answer.status_code == 202:
                    accepted[visitor.place] = (answer.json()["revision"], wanted)
                    if visitor.place in refused:
                        wrong.append(f"{visitor.place} was accepted after it was refused")
                elif answer.status_code == 409 and answer.json()["type"] == "/problems/released":
                    refused.add(visitor.place)
                else:
                    wrong.append(answer.text)
            if wrong or all(visitor.place in refused for visitor in own):
                return

    threads = [threading.Thread(target=change, args=(client, visitors[number::3])) for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for visitor in visitors:
        stack.sql("UPDATE orders SET state = 'released', revision = revision + 1, published = 1 WHERE state = 'placed' AND place = %s"
                  " AND event_id = (SELECT id FROM events WHERE slug = 'race')", visitor.place)
    for thread in threads:
        thread.join()
    assert not wrong
    for place, state, revision, quantity in in_event(stack, "orders", "race", "place, state, revision, quantity"):
        assert (state, revision - 1, quantity) == ("released", *accepted[place])
    assert clients[0].get(url("race"), headers=visitors[0].headers).json()["state"] == "released"
    problem(clients[0].delete(url("race"), headers=visitors[0].headers), 409, "released")


@pytest.mark.parametrize("method", ["put", "delete"])
def test_a_release_that_is_not_committed_yet_is_waited_for(stack, method):
    """A change that began before the release was committed must not be decided from what the row said before it."""
    slug = f"held-{method}"
    ready_event(stack, slug)
    visitor = stack.join(slug)
    client = bare_client(stack)
    assert client.put(url(slug), headers=visitor.headers, json=GOOD).status_code == 202
    answers = []
    body = {"json": GOOD | {"quantity": 5}} if method == "put" else {}
    change = threading.Thread(target=lambda: answers.append(client.request(method, url(slug), headers=visitor.headers, **body)))
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE orders SET state = 'released', revision = revision + 1, published = 1 WHERE event_id ="
                       " (SELECT id FROM events WHERE slug = %s)", (slug,))
        change.start()
        wait_until(lambda: waits_for_a_lock(stack), "the change to wait for the release", 5 * PATIENCE,
                   pause=0.25)  # innodb_trx shows what it showed last to who asks again within a tenth of a second
        connection.commit()
    change.join()
    problem(answers[0], 409, "released")
    assert in_event(stack, "orders", slug, "state, revision, quantity") == (("released", 2, 2),)


def test_leaving_takes_what_was_not_released(stack):
    ready_event(stack, "leave")
    early, late = stack.join("leave"), stack.join("leave")
    client = bare_client(stack)
    for visitor in (early, late):
        assert client.put(url("leave"), headers=visitor.headers, json=GOOD).status_code == 202
    stack.sql("UPDATE orders SET state = 'released', revision = 2, published = 1 WHERE place = 2 AND event_id ="
              " (SELECT id FROM events WHERE slug = 'leave')")
    for visitor in (early, late):
        assert client.delete("/v1/events/leave/line", headers=visitor.headers).status_code == 204
    assert in_event(stack, "orders", "leave", "place, state, revision") == ((1, "cancelled", 2), (2, "released", 2))
    assert in_event(stack, "order_log", "leave", "place, state, detail") == (
        (1, "placed", None), (1, "cancelled", "gave the place up"), (2, "placed", None))
    for room in (0, 1):  # the other one has heard nothing of it and reads the row
        problem(bare_client(stack, room).put(url("leave"), headers=early.headers, json=GOOD), 409, "left")
    assert client.get(url("leave"), headers=early.headers).json()["state"] == "cancelled"
    assert in_event(stack, "orders", "leave", "COUNT(*)") == ((2,),)


def test_attempts(stack):
    ready_event(stack, "again")
    visitor = stack.join("again")
    client = bare_client(stack)
    for attempt, end in enumerate(("sold_out", "refused", "failed", "confirmed"), 1):
        given = client.put(url("again"), headers=visitor.headers, json=GOOD)
        assert (given.status_code, given.json()["attempt"], given.json()["revision"]) == (202, attempt, 1), given.text
        book(stack, "again", 1, end, attempt)
        seen = client.get(url("again"), headers=visitor.headers).json()
        assert (seen["state"], seen["attempt"], seen["revision"]) == (end, attempt, 3)
        problem(client.delete(url("again"), headers=visitor.headers), 409, "confirmed" if end == "confirmed" else "ended")
    assert seen["reference"].endswith("-TEST") and seen["amount"] == 9000 and seen["tickets"] == {"full": 2}
    problem(client.put(url("again"), headers=visitor.headers, json=GOOD), 409, "confirmed")


def test_taking_back_what_an_operator_cancelled(stack):
    ready_event(stack, "undone")
    visitor = stack.join("undone")
    client = bare_client(stack)
    assert client.put(url("undone"), headers=visitor.headers, json=GOOD).status_code == 202
    book(stack, "undone", 1, "confirmed")
    stack.sql("UPDATE bookings SET state = 'cancelled', revision = revision + 1 WHERE place = 1 AND event_id ="
              " (SELECT id FROM events WHERE slug = 'undone')")
    back = client.delete(url("undone"), headers=visitor.headers)
    assert (back.status_code, back.json()["state"], back.json()["revision"]) == (200, "cancelled", 4), back.text


def test_the_turn_s_end(stack):
    ready_event(stack, "turn", pace="100/s")
    visitor = stack.join("turn")
    client = bare_client(stack)
    wait_until(lambda: client.get("/v1/events/turn/line", headers=visitor.headers).json()["line"] == "turn", "the turn",
               5 * PATIENCE)
    assert client.put(url("turn"), headers=visitor.headers, json=GOOD).status_code == 202  # in the turn one may
    late = stack.join("turn")
    wait_until(lambda: in_event(stack, "line_served", "turn", "served") == ((2,),), "the second to be let in", 20 * PATIENCE)
    stack.sql("INSERT INTO turns (event_id, place, began_at, stopped_us, came_back) SELECT id, 2,"
              " UTC_TIMESTAMP(6) - INTERVAL 1 HOUR, 0, 0 FROM events WHERE slug = 'turn'")
    problem(client.put(url("turn"), headers=late.headers, json=GOOD), 410, "turn-over")
    assert in_event(stack, "orders", "turn", "COUNT(*)") == ((1,),)


def test_the_event_s_states(stack):
    ready_event(stack, "states", state="lobby")
    visitor = stack.join("states")
    client = bare_client(stack)

    def put():
        return client.put(url("states"), headers=visitor.headers, json=GOOD)

    def command(state, *words):
        stack.onsale(*words, expect=0)
        wait_state(stack, "states", state)

    assert put().status_code == 202  # in the lobby already
    command("open", "open", "states")
    assert put().json()["revision"] == 2
    command("paused", "pause", "states")
    assert put().json()["revision"] == 3
    command("stopped", "stop", "states", "--reason", "fire")
    assert int(put().headers["retry-after"]) > 0
    problem(put(), 503, "stopped")
    command("paused", "start", "states")
    assert put().json()["revision"] == 4
    command("closed", "close", "states")
    assert put().status_code in (409, 410)
    stack.event("later", state="draft", pace="0", tiers=TIERS)
    wait_state(stack, "later", "draft")
    problem(client.put(url("later"), headers=visitor.headers, json=GOOD), 401, "wrong-event")
    assert client.put(url("nowhere"), headers=visitor.headers, json=GOOD).status_code == 404


def test_changed_too_often(stack):
    ready_event(stack, "often")
    visitor = stack.join("often")
    client = bare_client(stack)
    assert client.put(url("often"), headers=visitor.headers, json=GOOD).status_code == 202
    stack.sql("UPDATE orders SET revision = 1000 WHERE event_id = (SELECT id FROM events WHERE slug = 'often')")
    problem(client.put(url("often"), headers=visitor.headers, json=GOOD), 429, "too-many-changes")
    back = client.delete(url("often"), headers=visitor.headers)
    assert (back.status_code, back.json()["revision"]) == (200, 1001)


def test_prices_are_fixed_when_ordered(stack):
    ready_event(stack, "price")
    visitor = stack.join("price")
    client = bare_client(stack)
    assert client.put(url("price"), headers=visitor.headers, json=GOOD).json()["amount"] == 9000
    dearer = json.loads(json.dumps(TIERS))
    dearer[0]["prices"][0]["amount"] = 5000
    stack.event("price", pace="0", tiers=dearer)
    other = stack.join("price")
    wait_until(lambda: client.get("/v1/events/price").json()["tiers"][0]["prices"][0]["amount"] == 5000, "the price", 20 * PATIENCE)
    assert client.get(url("price"), headers=visitor.headers).json()["amount"] == 9000
    assert client.put(url("price"), headers=other.headers, json=GOOD).json()["amount"] == 10_000


def test_mysql_away_and_back(stack_factory):
    stack = stack_factory(proxied=True).start(rooms=1)
    ready_event(stack, "away")
    visitor = stack.join("away")
    client = bare_client(stack)
    assert client.put(url("away"), headers=visitor.headers, json=GOOD).status_code == 202
    stack.expect_errors("mysql_away")
    stack.mysql_proxy.cut()
    answer = client.put(url("away"), headers=visitor.headers, json=GOOD | {"quantity": 3})
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    problem(client.delete(url("away"), headers=visitor.headers), 503, "unavailable")
    stack.mysql_proxy.mend()
    again = {}

    def works():
        again["answer"] = client.put(url("away"), headers=visitor.headers, json=GOOD | {"quantity": 4})
        return again["answer"].status_code == 202

    wait_until(works, "orders to be taken again", 20 * PATIENCE)
    assert in_event(stack, "orders", "away", "quantity, revision") == ((4, again["answer"].json()["revision"]),)


def test_a_read_only_server(stack_factory, backends):
    stack = stack_factory().start(rooms=1)
    ready_event(stack, "fixed")
    visitor = stack.join("fixed")
    client = bare_client(stack)
    assert client.put(url("fixed"), headers=visitor.headers, json=GOOD).status_code == 202
    stack.expect_errors("mysql_away")
    with backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            answer = client.put(url("fixed"), headers=visitor.headers, json=GOOD | {"quantity": 3})
            problem(answer, 503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            assert client.get(url("fixed"), headers=visitor.headers).json()["quantity"] == 2  # looking still works
        finally:
            cursor.execute("SET GLOBAL read_only = 0")
    wait_until(lambda: client.put(url("fixed"), headers=visitor.headers, json=GOOD | {"quantity": 3}).status_code == 202,
               "orders to be taken again", 20 * PATIENCE)
    assert in_event(stack, "orders", "fixed", "quantity, state") == ((3, "placed"),)
