# SPDX-License-Identifier: Apache-2.0
"""Leaving a card on the provider's page: which visitor may, what becomes of it, and a provider that is slow, wrong or away."""

import threading
import time

import httpx
import pytest
from harness.bank import wait_ledger_agrees
from harness.bare import bare_client
from harness.orders import in_event, problem, url, wait_state
from harness.stack import PATIENCE
from processes import wait_until

GOOD = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}


@pytest.fixture(scope="module")
def shop(module_stack_factory):
    """With a bank and a payer."""
    return module_stack_factory(bank=True).start(rooms=2, workers=1, notifiers=1)


@pytest.fixture
def bank(shop):
    yield shop.bank
    if not shop.bank.alive():
        shop.bank.start()
    shop.bank.clear()
    shop.bank.webhooks(on=True)


def card_url(slug):
    return url(slug) + "/card"


def ready_event(stack, slug, **changes):
    tiers = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000}]
    stack.event(slug, **({"pace": "0", "tiers": tiers} | changes))
    wait_state(stack, slug, "open")


def cards(stack, slug, columns="number, state"):
    return in_event(stack, "cards", slug, columns)


def left_card(client, slug, visitor):
    return client.get(card_url(slug), headers=visitor.headers).json() | {"now": 0}


def test_a_card_is_left_and_pays(shop, bank):
    """While waiting: a page, a card on it, an order; at the turn it is charged, with nobody there."""
    ready_event(shop, "leave")
    visitor = shop.join("leave")
    client = bare_client(shop, 1)
    assert left_card(client, "leave", visitor) == {"state": "none", "now": 0}
    answer = client.post(card_url("leave"), headers=visitor.headers)
    assert answer.status_code == 201, answer.text
    page = answer.json()["url"]
    assert page.startswith(f"http://localhost:{bank.port}/pay/")
    assert left_card(client, "leave", visitor) == {"state": "open", "url": page, "now": 0}
    assert cards(shop, "leave", "number, state, url, session IS NOT NULL") == ((1, "open", page, 1),)
    assert bank.leave_card(page)
    wait_until(lambda: left_card(client, "leave", visitor)["state"] == "kept", "the card to be known", 20 * PATIENCE)
    kept = left_card(client, "leave", visitor)
    assert kept == {"state": "kept", "label": "visa 4242", "now": 0}
    placed = client.put(url("leave"), headers=visitor.headers, json=GOOD)
    assert (placed.status_code, placed.json()["card"]) == (202, {"label": "visa 4242"}), placed.text
    shop.onsale("rate", "leave", "100/s", expect=0)
    wait_until(lambda: client.get(url("leave"), headers=visitor.headers).json()["state"] == "confirmed", "it to be paid",
               10 * PATIENCE)
    wait_ledger_agrees(shop, "leave")


def test_who_comes_back_need_not_wait(shop, bank):
    """No webhook comes: the visitor's return makes payers look."""
    ready_event(shop, "back")
    bank.webhooks(on=False)
    visitor = shop.join("back")
    client = bare_client(shop)
    page = client.post(card_url("back"), headers=visitor.headers).json()["url"]
    # Long before payers would look by themselves.
    shop.sql("UPDATE cards SET next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE event_id ="
             " (SELECT id FROM events WHERE slug = 'back')")
    assert bank.leave_card(page, "pm_card_mastercard")
    assert left_card(client, "back", visitor)["state"] == "open"  # looking alone asks nobody
    (untouched,), = cards(shop, "back", "next_attempt_at > UTC_TIMESTAMP(6) + INTERVAL 30 MINUTE")
    assert untouched == 1
    wait_until(lambda: client.get(card_url("back") + "?card=x&back=1", headers=visitor.headers).json()["state"] == "kept",
               "the card to be known", 5 * PATIENCE, pause=0.2)
    assert left_card(client, "back", visitor)["label"] == "mastercard 4444"


def test_who_says_so_again_and_again_is_not_looked_after_more_often(shop, bank):
    ready_event(shop, "again")
    visitor = shop.join("again")
    client = bare_client(shop)
    for _ in range(3):
        assert client.post(card_url("again"), headers=visitor.headers).status_code == 201
    bank.forget_calls()
    began = time.monotonic()
    while time.monotonic() - began < 3:
        assert client.get(card_url("again") + "?back=1", headers=visitor.headers).json()["state"] == "open"
    asked = bank.calls()["counts"].get("card_ask", 0)
    seconds = time.monotonic() - began
    assert 1 <= asked <= seconds + 2, (asked, seconds)  # each page is looked at once by itself at most in that time


def test_in_the_hold_a_card_pays(shop, bank):
    ready_event(shop, "hold", pace="100/s")
    visitor = shop.join("hold")
    client = bare_client(shop)
    stream = shop.pool(1).event_stream("hold", visitor)
    assert client.put(url("hold"), headers=visitor.headers, json=GOOD).status_code == 202
    stream.wait("order", lambda data: data["state"] == "held", 20 * PATIENCE)
    problem(client.post("/v1/events/hold/payment", headers=visitor.headers), 422, "invalid")
    page = client.post(card_url("hold"), headers=visitor.headers).json()["url"]
    assert bank.leave_card(page, "declined")
    wait_until(lambda: client.get(card_url("hold") + "?back=1", headers=visitor.headers).json()["state"] == "kept",
               "the card to be known", 20 * PATIENCE)
    assert client.post("/v1/events/hold/payment", headers=visitor.headers).status_code == 202
    declined = stream.wait("order", lambda data: data["state"] == "declined", 20 * PATIENCE).data
    assert declined["reason"] == "card_declined" and "pay_until" in declined
    page = client.post(card_url("hold"), headers=visitor.headers).json()["url"]  # another card
    assert bank.leave_card(page, "visa")
    wait_until(lambda: client.get(card_url("hold") + "?back=1", headers=visitor.headers).json()["state"] == "kept",
               "the card to be known", 20 * PATIENCE)
    assert client.post("/v1/events/hold/payment", headers=visitor.headers).status_code == 202
    stream.wait("order", lambda data: data["state"] == "confirmed", 20 * PATIENCE)
    wait_ledger_agrees(shop, "hold")


def test_the_bank_asks_and_the_visitor_gives_up(shop, bank):
    """What the bank lets through after that goes back, and the places with it."""
    ready_event(shop, "gives-up", pace="100/s")
    visitor = shop.join("gives-up")
    client = bare_client(shop)
    stream = shop.pool(1).event_stream("gives-up", visitor)
    body = GOOD | {"payment_method": "pm_sandbox_challenge"}
    assert client.put(url("gives-up"), headers=visitor.headers, json=body).status_code == 202
    asked = stream.wait("order", lambda data: data["state"] == "action_required", 20 * PATIENCE).data
    assert asked["action_url"].startswith(f"http://localhost:{bank.port}/challenge/")
    problem(client.post("/v1/events/gives-up/payment", headers=visitor.headers, json={"payment_method": "pm_card_visa"}),
            409, "paying")
    assert client.delete(url("gives-up"), headers=visitor.headers).json()["state"] == "cancelled"
    bank.answer_challenge(asked["action_url"])  # too late or not
    wait_until(lambda: in_event(shop, "freeings", "gives-up", "COUNT(*)") == ((0,),) and
               in_event(shop, "tiers", "gives-up", "held, sold") == ((0, 0),), "the places to be free", 15 * PATIENCE)
    wait_ledger_agrees(shop, "gives-up")


def test_two_tabs_have_the_same_page_or_two(shop, bank):
    """What was asked for and did not come yet is not asked for twice."""
    ready_event(shop, "twice")
    visitor = shop.join("twice")
    bank.behave(call="card_page", do="slow", seconds=1, times=2)
    answers = []
    threads = [threading.Thread(target=lambda room=room: answers.append(
        bare_client(shop, room).post(card_url("twice"), headers=visitor.headers))) for room in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pages = {answer.json()["url"] for answer in answers if answer.status_code == 201}
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(pages) == 1 and len(refused) <= 1
    for answer in refused:  # the key was under way
        problem(answer, 503, "provider-away")
    assert cards(shop, "twice") == ((1, "open"),)


def test_at_most_twenty_pages(shop, bank):
    ready_event(shop, "twenty")
    visitor = shop.join("twenty")
    client = bare_client(shop)
    pages = set()
    for _ in range(20):
        answer = client.post(card_url("twenty"), headers=visitor.headers)
        assert answer.status_code == 201, answer.text
        pages.add(answer.json()["url"])
    refused = client.post(card_url("twenty"), headers=visitor.headers)
    problem(refused, 429, "too-many-cards")
    assert int(refused.headers["retry-after"]) > 0
    assert len(pages) == 20 and cards(shop, "twenty", "COUNT(*)") == ((20,),)


@pytest.mark.parametrize("rule", [{"do": "error_500"}, {"do": "cut"}, {"do": "garbage"}, {"do": "busy_429"}, {"do": "redirect"},
                                  {"do": "huge"}])
def test_answers_that_are_none(shop, bank, rule):
    """The visitor hears that it does not work just now, and the next try has one page, however often the bank was asked."""
    slug = f"none-{rule['do'].replace('_', '-')}"
    ready_event(shop, slug)
    visitor = shop.join(slug)
    client = bare_client(shop)
    bank.behave(call="card_page", times=1, **rule)
    answer = client.post(card_url(slug), headers=visitor.headers)
    problem(answer, 503, "provider-away")
    assert int(answer.headers["retry-after"]) > 0
    assert left_card(client, slug, visitor) == {"state": "none" if rule["do"] != "error_500" else "gone", "now": 0}
    again = client.post(card_url(slug), headers=visitor.headers)
    assert again.status_code == 201, again.text
    number = 2 if rule["do"] == "error_500" else 1  # its key would have been answered like that for ever
    assert cards(shop, slug)[-1] == (number, "open")


def test_a_bank_that_is_silent_or_away_blocks_nobody(stack_factory):
    shop = stack_factory(bank=True)
    # Long enough that all who ask meanwhile are through before the first gives up, on a busy machine too.
    shop.config["payment"]["timeout_seconds"] = 10
    shop.write_config()
    shop.start(rooms=2, workers=1, notifiers=1)
    bank = shop.bank
    ready_event(shop, "silent")
    visitors = [shop.join("silent") for _ in range(12)]
    bank.behave(call="card_page", do="silence", times=0)
    answers, clients = [], [bare_client(shop, number % 2) for number in range(12)]
    threads = [threading.Thread(target=lambda number=number: answers.append(
        clients[number].post(card_url("silent"), headers=visitors[number].headers, timeout=60))) for number in range(12)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    wait_until(lambda: bank.calls()["counts"].get("card_page", 0) >= 12, "all of them to wait for the bank", 20 * PATIENCE)
    client = bare_client(shop)
    for _ in range(20):  # the same loops and the same store serve everybody else meanwhile
        other = shop.join("silent")
        assert client.put(url("silent"), headers=other.headers, json=GOOD).status_code == 202
    # Not one of them waited for the bank: then somebody's time would be up.
    assert sum(thread.is_alive() for thread in threads) == 12
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 30 * PATIENCE  # beside each other: each takes its time-out of ten seconds
    for answer in answers:
        problem(answer, 503, "provider-away")
    bank.clear()
    bank.kill()
    problem(client.post(card_url("silent"), headers=visitors[0].headers), 503, "provider-away")
    bank.start()
    assert client.post(card_url("silent"), headers=visitors[0].headers).status_code == 201
    assert cards(shop, "silent", "place, number, state")[0] == (visitors[0].place, 1, "open")


def test_a_key_that_is_not_accepted_calls_the_operator(shop, bank):
    ready_event(shop, "denied")
    visitor = shop.join("denied")
    shop.expect_errors("card_page_failed")
    bank.behave(call="card_page", do="denied_401", times=1)
    problem(bare_client(shop).post(card_url("denied"), headers=visitor.headers), 503, "provider-away")
    shop.rooms[0].wait_log("card_page_failed", seconds=PATIENCE)
    line = shop.rooms[0].log_lines("card_page_failed", slug="denied")[-1]
    assert line.level == "error" and bank.key not in line.text


def test_who_may_leave_one(shop, bank):
    ready_event(shop, "who")
    client = bare_client(shop)
    problem(client.post(card_url("who")), 401, "no-token")
    problem(client.get(card_url("who")), 401, "no-token")
    visitor = shop.join("who")
    problem(client.post(card_url("who"), headers=visitor.headers | {"Origin": "https://evil.example"}), 403, "foreign-origin")
    problem(client.delete(card_url("who"), headers=visitor.headers), 405, "method-not-allowed")
    assert client.delete("/v1/events/who/line", headers=visitor.headers).status_code == 204
    problem(client.post(card_url("who"), headers=visitor.headers), 409, "left")
    waits = shop.join("who")
    shop.onsale("stop", "who", "--reason", "fire", expect=0)
    stopped = client.post(card_url("who"), headers=waits.headers)
    problem(stopped, 503, "stopped")
    assert int(stopped.headers["retry-after"]) > 0
    shop.onsale("start", "who", expect=0)
    shop.onsale("close", "who", expect=0)
    wait_state(shop, "who", "closed")
    problem(client.post(card_url("who"), headers=waits.headers), 410, "closed")
    assert cards(shop, "who") == ()


def test_somebody_else_s_card(shop, bank):
    ready_event(shop, "theirs")
    one, other = shop.join("theirs"), shop.join("theirs")
    client = bare_client(shop)
    page = client.post(card_url("theirs"), headers=one.headers).json()["url"]
    assert left_card(client, "theirs", other) == {"state": "none", "now": 0}
    (before,), = cards(shop, "theirs", "next_attempt_at")
    assert client.get(card_url("theirs") + "?back=1", headers=other.headers).json()["state"] == "none"
    assert left_card(client, "theirs", one)["url"] == page
    (after,), = cards(shop, "theirs", "next_attempt_at")
    assert after == before


def test_what_is_held_may_be_paid_after_the_turn_and_the_close(shop, bank):
    """A card is needed to pay for what is held, so it may be left for as long as that."""
    ready_event(shop, "late", pace="100/s")
    visitor = shop.join("late")
    client = bare_client(shop)
    assert client.put(url("late"), headers=visitor.headers, json=GOOD).status_code == 202
    wait_until(lambda: client.get(url("late"), headers=visitor.headers).json()["state"] == "held", "the hold", 20 * PATIENCE)
    assert client.delete("/v1/events/late/line", headers=visitor.headers).status_code == 204  # gave the place up, keeps what is held
    shop.onsale("close", "late", expect=0)
    wait_state(shop, "late", "closed")
    assert client.post(card_url("late"), headers=visitor.headers).status_code == 201


def test_who_has_tickets_needs_none(shop, bank):
    ready_event(shop, "has", pace="100/s")
    visitor = shop.join("has")
    client = bare_client(shop)
    body = GOOD | {"payment_method": "pm_card_visa"}
    assert client.put(url("has"), headers=visitor.headers, json=body).status_code == 202
    wait_until(lambda: client.get(url("has"), headers=visitor.headers).json()["state"] == "confirmed", "the tickets", 20 * PATIENCE)
    problem(client.post(card_url("has"), headers=visitor.headers), 409, "confirmed")


def test_where_nothing_is_sold_no_card_is_taken(shop, bank):
    """An event without tiers is a gate: a page of the provider's would be for nothing, and anybody could have them made."""
    ready_event(shop, "gate", tiers=[])
    visitor = shop.join("gate")
    bank.forget_calls()
    with bare_client(shop) as client:
        problem(client.post(card_url("gate"), headers=visitor.headers), 409, "no-payment")
        problem(client.get(card_url("gate"), headers=visitor.headers), 409, "no-payment")
    assert bank.calls()["counts"] == {} and cards(shop, "gate") == ()


def test_without_a_provider(module_stack_factory):
    door = module_stack_factory(config={"payment": {"provider": "manual"}}).start(rooms=1)
    ready_event(door, "door")
    visitor = door.join("door")
    client = bare_client(door)
    problem(client.post(card_url("door"), headers=visitor.headers), 409, "no-payment")
    problem(client.get(card_url("door"), headers=visitor.headers), 409, "no-payment")


def test_with_mysql_away(stack_factory):
    away = stack_factory(bank=True, proxied=True).start(rooms=1)
    ready_event(away, "away")
    visitor = away.join("away")
    client = bare_client(away)
    away.expect_errors("mysql_away")
    away.mysql_proxy.cut()
    for answer in (client.post(card_url("away"), headers=visitor.headers), client.get(card_url("away"), headers=visitor.headers)):
        problem(answer, 503, "unavailable")
    away.mysql_proxy.mend()
    away.rooms[0].wait_ready()
    assert client.post(card_url("away"), headers=visitor.headers).status_code == 201


def test_a_room_that_ends_while_the_bank_is_silent(stack_factory):
    """It waits for no answer of the bank's, and nothing is left behind."""
    stack = stack_factory(bank=True)
    stack.config["payment"]["timeout_seconds"] = 120
    stack.write_config()
    stack.start(rooms=1)
    ready_event(stack, "ends")
    visitors = [stack.join("ends") for _ in range(5)]
    stack.bank.behave(call="card_page", do="silence", times=0)
    ended = []

    def ask(visitor):
        try:
            ended.append(bare_client(stack).post(card_url("ends"), headers=visitor.headers).json()["type"])
        except httpx.HTTPError:
            ended.append("cut")  # this client gives up what is under way once the server says that it goes

    threads = [threading.Thread(target=ask, args=(visitor,)) for visitor in visitors]
    for thread in threads:
        thread.start()
    wait_until(lambda: stack.bank.calls()["counts"].get("card_page", 0) == 5, "the bank to be asked", 20 * PATIENCE)
    began = time.monotonic()
    assert stack.rooms[0].end() == 0
    assert time.monotonic() - began < 10 * PATIENCE
    for thread in threads:
        thread.join()
    assert set(ended) <= {"cut", "/problems/provider-away"} and len(ended) == 5
