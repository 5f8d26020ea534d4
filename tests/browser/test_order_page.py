# SPDX-License-Identifier: Apache-2.0
"""Ordering on the event's page, and what it tells of the end: what a visitor reads, in Chromium.

No booking worker and no notifier run here: the tests write the rows that a worker would, and say what a notifier would.
"""

import itertools
import json
import uuid
from datetime import datetime, timezone

import pika
import pytest
from harness.page import MAIL, address, outcome, quiet, run, settle, shown
from processes import wait_until
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

TIERS = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
         {"code": "stalls", "name": "Stalls", "capacity": 500,
          "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]}]
CHOICE = {"tier": "floor", "tickets": {"full": 2}, "quantity": 2, "amount": 9000}
_numbers = itertools.count(1)


@pytest.fixture
def event(module_stack):
    """event(pace="5/s", …): an event of the test's own, known to the waiting room; returns its slug."""
    def make(state="open", **changes):
        slug = f"order-{next(_numbers)}"
        module_stack.event(slug, state=state, **({"pace": "0", "tiers": TIERS} | changes))
        client = module_stack.client()
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == state, f"{slug} to be {state}", 20)
        return slug
    return make


class Notifier:
    """Books as a worker would and tells it as a notifier would."""

    def __init__(self, stack):
        amqp = stack.backends.amqp
        url = f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"
        self.stack, self.connection = stack, pika.BlockingConnection(pika.URLParameters(url))
        self.channel, self.sender, self.seq = self.connection.channel(), uuid.uuid4().hex, 0

    def tell(self, slug, state, place=1, attempt=1, reason=None, reference=None, choice=CHOICE):
        """Writes the booking in that state over the order that is there, and tells its visitor."""
        event_id = self.stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]
        visitor = self.stack.sql("SELECT visitor FROM arrivals WHERE event_id = %s AND number = %s", event_id, place)[0][0]
        gives = reference is not None
        self.stack.sql("UPDATE orders SET state = 'released', published = 1 WHERE event_id = %s AND place = %s AND attempt = %s",
                       event_id, place, attempt)
        known = self.stack.sql("SELECT MAX(r) FROM (SELECT revision r FROM orders WHERE event_id = %s AND place = %s AND attempt = %s"
                               " UNION SELECT revision FROM bookings WHERE event_id = %s AND place = %s AND attempt = %s) x",
                               *(event_id, place, attempt) * 2)[0][0]
        given = choice if gives else {"tier": None, "tickets": None, "quantity": 0, "amount": 0}
        self.stack.sql("REPLACE INTO bookings (event_id, place, attempt, state, reason, revision, choice, tier, quantity, amount,"
                       " currency, customer, reference, created_at, changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
                       " 'EUR', REPEAT('x', 16), %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", event_id, place, attempt, state,
                       reason, known + 1, given.get("choice", 0), given["tier"], given["quantity"], given["amount"], reference)
        outcome = {"place": place, "attempt": attempt, "revision": known + 1, "visitor": visitor.hex(), "state": state}
        if reason:
            outcome["reason"] = reason
        if gives:
            outcome |= {"reference": reference} | {key: choice[key] for key in ("tier", "tickets", "quantity", "amount")}
        self.seq += 1
        body = {"v": 1, "type": "outcomes", "slug": slug, "currency": "EUR", "sender": self.sender, "seq": self.seq,
                "outcomes": [outcome]}
        self.channel.basic_publish("onsale.feed", "", json.dumps(body).encode(),
                                   pika.BasicProperties(content_type="application/json", type="outcomes"))


@pytest.fixture
def notifier(module_stack):
    made = Notifier(module_stack)
    yield made
    made.connection.close()


def join(stack, browser, slug):
    browser.get(address(stack, slug))
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("#order-form, section[data-panel=waiting], section[data-panel=turn]")


def choose(browser, tier="floor", price="full", more=2):
    browser.find(f".option[data-tier={tier}] .option-head").click()
    button = browser.find(f".option[data-tier={tier}] input[data-price={price}] + button")
    for _ in range(more):
        button.click()


def order(browser, email=MAIL, **what):
    choose(browser, **what)
    field = browser.find("#order-email")
    field.clear()
    field.send_keys(email)
    browser.find("#order-send").click()


def orders(stack, slug):
    """What MySQL has: [(attempt, state, revision, tier, quantity, amount, email)]."""
    return stack.sql("SELECT attempt, o.state, revision, tier, quantity, amount, email FROM orders o JOIN events e ON id = event_id"
                     " WHERE slug = %s ORDER BY place, attempt", slug)


# Ordering

def test_order_change_take_back_and_order_again(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    assert shown(browser, ".option[data-tier=floor] .left") == "2,000 left"
    assert shown(browser, "#order-sum") is None
    choose(browser)
    assert shown(browser, "#order-sum") == "€90.00"
    assert shown(browser, "#order-send") == "Order 2 tickets for €90.00"
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    settle(browser, "#order-title", "Your order is safe")
    told = shown(browser, "#order-placed")
    assert "2 × Floor" in told and "€90.00" in told and MAIL in told
    assert "You can close this page: we book your order when it is your turn" in told
    assert orders(module_stack, slug) == ((1, "placed", 1, "floor", 2, 9000, MAIL),)
    assert run(browser, "return document.activeElement.id") == "order"

    browser.find("#order-change").click()
    settle(browser, "#order-title", "Change your order")
    assert browser.find("#order-email").get_attribute("value") == MAIL
    choose(browser, "stalls", "adult", 1)
    choose(browser, "stalls", "child", 2)
    browser.find("#order-others summary").click()
    Select(browser.find("#other-1")).select_by_value("floor")
    assert browser.find("#other-1-0").get_attribute("value") == "3"  # as many of the other tier
    assert shown(browser, "#order-send") == "Change to 3 tickets for €145.00"
    browser.find("#order-send").click()
    settle(browser, "#order-placed", "Stalls: 1 × Adult, 2 × Child")
    told = shown(browser, "#order-placed")
    assert "3 × Floor" in told and "€145.00" in told
    assert [row[:6] for row in orders(module_stack, slug)] == [(1, "placed", 2, "stalls", 3, 14500)]

    browser.refresh()
    settle(browser, "#order-placed", "Stalls: 1 × Adult, 2 × Child")
    assert shown(browser, "#take-back button") is None  # asks first
    browser.find("#take-back summary").click()
    browser.wait_for("#take-back button").click()
    settle(browser, "#order-note", "You have taken your order back")
    assert [row[1] for row in orders(module_stack, slug)] == ["cancelled"]

    order(browser, tier="floor", more=1)
    settle(browser, "#order-placed", "1 × Floor")
    assert [row[1] for row in orders(module_stack, slug)][-1] == "placed"
    assert shown(browser, "#order-note") is None
    quiet(browser)


def test_pressing_twice_orders_once(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    choose(browser)
    browser.find("#order-email").send_keys(MAIL)
    run(browser, "const send = document.querySelector('#order-send'); send.click(); send.click(); send.click();")
    settle(browser, "#order-title", "Your order is safe")
    assert [row[2] for row in orders(module_stack, slug)] == [1]


def test_problems_are_told_at_their_field(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    browser.find("#order-send").click()
    settle(browser, "#problem-tickets", "Choose which tickets you want.")
    settle(browser, "#problem-email", "Enter the e-mail address")
    choose(browser)
    count = browser.find(".option[data-tier=floor] input[data-price]")
    count.clear()
    count.send_keys("7")
    browser.find("#order-email").send_keys("nobody at home")
    browser.find("#order-send").click()
    settle(browser, "#problem-tickets", "At most 6 tickets in one order.")
    settle(browser, "#problem-email", "That is not an e-mail address.")
    assert orders(module_stack, slug) == ()
    count.clear()
    count.send_keys("2")
    field = browser.find("#order-email")
    assert field.get_attribute("aria-invalid") == "true"
    field.clear()
    field.send_keys(MAIL)
    # What only the server knows is told in its words, at the same place.
    module_stack.event(slug, pace="0", tiers=TIERS, max_per_order=1)
    client = module_stack.client()
    wait_until(lambda: client.get(f"/v1/events/{slug}").json()["max_per_order"] == 1, "the new limit", 20)
    browser.find("#order-send").click()
    settle(browser, "#problem-tickets", "At most 1")
    assert shown(browser, "#problem-email") is None
    assert run(browser, "return document.activeElement === arguments[0]", count)
    count.clear()
    count.send_keys("1")
    browser.find("#order-send").click()
    settle(browser, "#order-title", "Your order is safe")
    quiet(browser, "422")


def test_a_draft_survives_a_reload_but_not_the_e_mail(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    choose(browser, "stalls", "child", 3)
    browser.find("#order-email").send_keys(MAIL)
    assert MAIL not in run(browser, "return JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
    browser.refresh()
    settle(browser, "#order-sum", "€105.00")
    assert browser.find(".option[data-tier=stalls] input[data-price=child]").get_attribute("value") == "3"


def test_an_order_that_cannot_be_saved_now_is_kept_and_sent_again(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    module_stack.onsale("stop", slug, "--reason", "Fire alarm", expect=0)
    settle(browser, "#still-stopped", "halted")
    order(browser)
    settle(browser, "#order-problem", "We keep trying to save your order")
    assert shown(browser, "#order-send") == "Sending…"
    module_stack.onsale("start", slug, expect=0)
    browser.wait(lambda b: shown(b, "#order-title") == "Your order is safe", "the order to be saved", 40)
    assert shown(browser, "#order-problem") is None
    assert len(orders(module_stack, slug)) == 1
    quiet(browser, "503")


def test_a_change_that_comes_too_late_is_told(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    browser.find("#order-change").click()
    settle(browser, "#order-title", "Change your order")
    # Released, and this page has not heard of it yet.
    module_stack.sql("UPDATE orders SET state = 'released', published = 1, revision = revision + 1 WHERE event_id ="
                     " (SELECT id FROM events WHERE slug = %s)", slug)
    browser.find("#order-send").click()
    settle(browser, "#problem", "It is too late to change your order: it is being booked.")
    assert "It is your turn: we are booking" in outcome(browser, "released")
    assert shown(browser, "#order") is None
    quiet(browser, "409")


def test_the_other_window_hears_of_the_order(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(address(module_stack, slug))
    browser.wait_for("#order-form")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    browser.switch_to.window(first)
    settle(browser, "#order-placed", "2 × Floor")
    quiet(browser)


def test_after_the_turn_an_order_comes_too_late(module_stack, browser, event):
    slug = event(pace="50/s", turn_seconds=15)  # long enough to load the page once more, on a busy machine too
    join(module_stack, browser, slug)
    browser.wait_for("section[data-panel=turn]")
    # From here on this page hears nothing, so not that its turn ends either.
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
        const real = window.fetch;
        window.fetch = (url, how) => how?.method === 'PUT' ? real(url, how) : new Promise(() => {});"""})
    browser.refresh()
    order(browser, email="")
    settle(browser, "#turn-clock", "0:00")
    order(browser, more=0)
    settle(browser, "#problem", "Your turn is over, so this order came too late.")
    assert orders(module_stack, slug) == ()
    quiet(browser, "410")


# The end

@pytest.fixture
def ordered(module_stack, browser, event):
    """ordered(**changes): an event in whose line the browser's visitor waits with an order for two on the floor; the slug."""
    def make(before=None, **changes):
        slug = event(**changes)
        join(module_stack, browser, slug)
        if before:
            before()
        order(browser)
        settle(browser, "#order-title", "Your order is safe")
        return slug
    return make


def test_booked_is_told_so_that_nobody_can_miss_it(module_stack, browser, ordered, notifier):
    slug = ordered()
    notifier.tell(slug, "confirmed", reference="K7QM-4WDP")
    told = outcome(browser, "confirmed")
    for words in ("Booked. You have your tickets.", "K7QM-4WDP", "2 × Floor", "To pay at the door", "€90.00", MAIL,
                  "Open your ticket for the door", "Show it there, and pay €90.00."):
        assert words in told, told
    assert "first choice" not in told
    assert browser.title == "Booked · Gala"
    assert run(browser, "return document.activeElement.dataset.outcome") == "confirmed"
    assert "Booked. You have your tickets." in run(browser, "return document.querySelector('#heard-now').textContent")
    assert "K 7 Q M, 4 W D P" in run(browser, "return document.querySelector('.order-spelled').textContent")
    assert shown(browser, "#order") is None and shown(browser, ".panel") is None and shown(browser, "#leave") is None
    module_stack.onsale("close", slug, expect=0)
    browser.refresh()
    assert "K7QM-4WDP" in outcome(browser, "confirmed")  # and not that the sale is closed
    assert shown(browser, "section[data-panel=closed]") is None
    quiet(browser)


def test_one_ticket_is_one(module_stack, browser, event, notifier):
    slug = event()
    join(module_stack, browser, slug)
    order(browser, more=1)
    settle(browser, "#order-title", "Your order is safe")
    notifier.tell(slug, "confirmed", reference="K7QM-4WD1", choice=CHOICE | {"tickets": {"full": 1}, "quantity": 1, "amount": 4500})
    assert "Booked. You have your ticket." in outcome(browser, "confirmed")
    browser.refresh()
    assert "Booked. You have your ticket." in outcome(browser, "confirmed")


def test_another_choice_than_the_first_is_said(module_stack, browser, ordered, notifier):
    def other():
        browser.find("#order-others summary").click()
        Select(browser.find("#other-1")).select_by_value("stalls")
    slug = ordered(before=other)
    stalls = {"tier": "stalls", "tickets": {"adult": 2}, "quantity": 2, "amount": 15000, "choice": 1}
    notifier.tell(slug, "confirmed", reference="AAAA-0001", choice=stalls)
    told = outcome(browser, "confirmed")
    assert "Your first choice was sold out" in told and "Stalls: 2 × Adult" in told and "€150.00" in told
    browser.refresh()
    told = outcome(browser, "confirmed")
    assert "Your first choice was sold out" in told and "Stalls: 2 × Adult" in told


def test_sold_out_in_the_turn_lets_one_choose_again(module_stack, browser, event, notifier):
    slug = event(pace="50/s")
    join(module_stack, browser, slug)
    browser.wait_for("section[data-panel=turn]")
    order(browser)
    # Admission releases it at once, and nobody books.
    assert "we are booking" in outcome(browser, "released")
    assert shown(browser, "section[data-panel=turn]") is None
    notifier.tell(slug, "sold_out")
    told = outcome(browser, "sold_out")
    assert "Sold out: you have no tickets" in told and "you pay nothing" in told and "You had ordered 2 × Floor." in told
    assert shown(browser, "#outcome-again") == "You can order again below, until your turn ends."
    assert "left" in shown(browser, "#turn-clock")
    order(browser, tier="stalls", price="adult", more=1)
    outcome(browser, "released")
    assert [row[:2] + row[3:5] for row in orders(module_stack, slug)] == [(1, "released", "floor", 2),
                                                                         (2, "released", "stalls", 1)]
    notifier.tell(slug, "confirmed", attempt=2, reference="BBBB-0002",
                  choice={"tier": "stalls", "tickets": {"adult": 1}, "quantity": 1, "amount": 7500})
    assert "Stalls: 1 × Adult" in outcome(browser, "confirmed")
    quiet(browser)


@pytest.mark.parametrize("state,reason,name,words", [
    ("refused", "customer_limit", "customer_limit",
     ("More tickets than one person may have", "at most 6 tickets", "you pay nothing")),
    ("refused", "tier_closed", "tier_closed", ("no longer on sale", "you pay nothing")),
    ("refused", "event_closed", "event_closed", ("The sale has closed: you have no tickets", "you pay nothing")),
    ("refused", "seats_taken", "seats_taken", ("Your seats have gone to somebody else", "you pay nothing")),
    ("failed", "broken", "failed", ("Something broke on our side: you have no tickets", "nothing was charged",
                                    "The organiser knows", "№ 1")),
])
def test_every_other_end_is_told_in_plain_words(module_stack, browser, ordered, notifier, state, reason, name, words):
    slug = ordered()
    notifier.tell(slug, state, reason=reason)
    told = outcome(browser, name)
    for each in (*words, "2 × Floor"):
        assert each in told, told
    browser.refresh()
    assert outcome(browser, name) == told
    quiet(browser)


def test_a_cancelled_booking_says_so_even_after_the_sale(module_stack, browser, ordered, notifier):
    slug = ordered()
    notifier.tell(slug, "confirmed", reference="CCCC-0003")
    outcome(browser, "confirmed")
    module_stack.onsale("close", slug, expect=0)
    module_stack.onsale("say", slug, "Thank you for coming.", expect=0)  # what is heard after the end
    settle(browser, "#notice-text", "Thank you for coming.")
    notifier.tell(slug, "cancelled", reference="CCCC-0003")
    told = outcome(browser, "cancelled")
    assert "Your booking was cancelled" in told and "CCCC-0003 is no longer valid" in told and "It was for 2 × Floor." in told


def test_leaving_takes_the_order_along(module_stack, browser, ordered):
    slug = ordered()
    browser.find("#leave summary").click()
    browser.wait_for("#leave button").click()
    browser.wait_for("section[data-panel=left]")
    assert shown(browser, "#order") is None
    assert [row[1] for row in orders(module_stack, slug)] == ["cancelled"]


def test_stock_is_shown_but_not_read_out(module_stack, browser, event, notifier):
    slug = event()
    join(module_stack, browser, slug)
    at_us = int(datetime.now(timezone.utc).timestamp() * 1e6) + 3_600_000_000
    body = {"v": 1, "type": "stock", "slug": slug, "at_us": at_us, "tiers": [{"code": "floor", "left": 1200, "asked": 800}]}
    notifier.channel.basic_publish("onsale.feed", "", json.dumps(body).encode(), pika.BasicProperties(type="stock"))
    settle(browser, ".option[data-tier=floor] .left", "1,200 left, 800 asked for in the line")
    assert run(browser, "return document.querySelector('.option .left').closest('[aria-live], [role=status], [role=alert]')") is None


def test_the_whole_way_with_worker_and_notifier(stack_factory, browser):
    """Everything real: ordered while waiting, let in, booked, told; and the reference is the one in the database."""
    stack = stack_factory().start(workers=1, notifiers=1)
    stack.event("real", pace="0", tiers=TIERS)
    client = stack.client()
    wait_until(lambda: client.get("/v1/events/real").json().get("state") == "open", "the event", 20)
    join(stack, browser, "real")
    order(browser, tier="stalls", price="adult", more=2)
    settle(browser, "#order-title", "Your order is safe")
    settle(browser, ".option[data-tier=stalls] .left, .tier[data-tier=stalls] .left", "2 asked for in the line")
    stack.onsale("rate", "real", "10/s", expect=0)
    told = outcome(browser, "confirmed")
    state, reference = stack.sql("SELECT state, reference FROM bookings")[0]
    assert state == "confirmed" and reference in told and "Stalls: 2 × Adult" in told and "€150.00" in told
    settle(browser, ".tier[data-tier=stalls] .left", "498 left")
    quiet(browser)


# Without JavaScript, by keyboard, on narrow windows

def test_without_javascript_the_whole_way(module_stack, browser_factory, event, notifier):
    slug = event()
    plain = browser_factory(javascript=False)
    plain.get(address(module_stack, slug))
    plain.find("section[data-panel=join] button").click()
    plain.wait_for("section[data-panel=waiting]")
    assert 'http-equiv="refresh"' in plain.page_source
    assert not plain.find("#order-form").is_displayed()
    plain.wait_for("#order noscript a").click()
    plain.wait_for("#order-form")
    assert 'http-equiv="refresh"' not in plain.page_source  # nothing is lost while one types
    plain.find(".option[data-tier=stalls] .option-head").click()
    plain.find("input[name='tickets.stalls.child']").clear()
    plain.find("input[name='tickets.stalls.child']").send_keys("2")
    plain.find("#order-others summary").click()
    Select(plain.find("#other-1")).select_by_value("stalls")  # the same again: the server has to say so
    plain.find("#order-email").send_keys(MAIL)
    plain.find("#order-send").click()
    plain.wait(lambda b: shown(b, "#problem-alternatives"), "the problem at its field")
    assert MAIL not in plain.current_url
    assert plain.find("input[name='tickets.stalls.child']").get_attribute("value") == "2"  # still there
    Select(plain.find("#other-1")).select_by_value("floor")
    plain.find("#order-email").send_keys(MAIL)
    plain.find("#order-send").click()
    settle(plain, "#order", "Your order is safe")
    assert plain.current_url.split("#")[0] == address(module_stack, slug)
    told = plain.find("#order-placed").text
    assert "Stalls: 2 × Child" in told and "2 × Floor" in told and "€70.00" in told and MAIL in told

    plain.find("#order-change").click()
    plain.wait_for("#order-form")
    assert plain.find("#order-email").get_attribute("value") == MAIL
    assert plain.find("input[name='tickets.stalls.child']").get_attribute("value") == "2"
    plain.find("input[name='tickets.stalls.adult']").clear()
    plain.find("input[name='tickets.stalls.adult']").send_keys("1")
    plain.find("#order-send").click()
    settle(plain, "#order", "Stalls: 1 × Adult, 2 × Child")

    plain.find("#take-back summary").click()
    plain.find("#take-back button").click()
    settle(plain, "#order", "You have taken your order back")
    plain.wait_for("#order noscript a").click()
    plain.wait_for("#order-form")
    plain.find(".option[data-tier=floor] .option-head").click()
    plain.find("input[name='tickets.floor.full']").clear()
    plain.find("input[name='tickets.floor.full']").send_keys("2")
    plain.find("#order-email").clear()
    plain.find("#order-email").send_keys(MAIL)
    plain.find("#order-send").click()
    settle(plain, "#order-placed", "2 × Floor")
    attempt = orders(module_stack, slug)[-1][0]
    notifier.tell(slug, "confirmed", attempt=attempt, reference="DDDD-0004")
    plain.wait(lambda b: b.get(address(module_stack, slug)) or b.find(".outcome[data-outcome=confirmed]").is_displayed(), "the outcome")
    told = plain.find(".outcome[data-outcome=confirmed]").text
    assert "Booked. You have your tickets." in told and "DDDD-0004" in told and "2 × Floor" in told and "€90.00" in told


def test_by_keyboard_alone(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    browser.wait_for("#order-form")

    def tab_to(selector, most=25):
        for _ in range(most):
            browser.switch_to.active_element.send_keys(Keys.TAB)
            if run(browser, "return document.activeElement.matches(arguments[0])", selector):
                return browser.switch_to.active_element
        raise AssertionError(f"{selector} is not reached")

    tab_to("input[name=tier]").send_keys(" ")
    tab_to(".option[data-tier=floor] input[type=number]").send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    tab_to(".option[data-tier=floor] .stepper button:last-child").send_keys(Keys.ENTER)
    tab_to("#order-email").send_keys(MAIL)
    tab_to("#order-send").send_keys(Keys.ENTER)
    settle(browser, "#order-placed", "3 × Floor")
    tab_to("#order-change").send_keys(Keys.ENTER)
    settle(browser, "#order-title", "Change your order")
    tab_to("#order-unchanged").send_keys(Keys.ENTER)
    settle(browser, "#order-title", "Your order is safe")
    tab_to("#take-back summary").send_keys(Keys.ENTER)
    tab_to("#take-back button").send_keys(Keys.ENTER)
    settle(browser, "#order-note", "taken your order back")
    quiet(browser)


def test_everything_about_an_order_fits_a_phone(module_stack, phone, event, notifier):
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
    tiers = [{"code": "floor", "name": long, "price": 1_000_000_00, "capacity": 2000},
             {"code": "stalls", "name": "Stalls", "capacity": 500,
              "prices": [{"code": "adult", "name": long, "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]}]
    slug = event(tiers=tiers, currency="KWD")

    def fits(what):
        assert not phone.scrolls_sideways(), f"{what} is wider than the window"
        small = run(phone, """
            return [...document.querySelectorAll('.order button, .order select, .order input:not([type=radio]), .option-head, a.plain')]
                .filter(each => each.checkVisibility() && each.getBoundingClientRect().height < 43.5)
                .map(each => each.outerHTML)""")
        assert small == [], f"{what}: too small for a thumb"

    join(module_stack, phone, slug)
    phone.wait_for("#order-form")
    fits("the form")
    choose(phone, "stalls", "adult", 2)
    phone.find("#order-others summary").click()
    Select(phone.find("#other-1")).select_by_value("floor")
    phone.find("#order-email").send_keys("nobody")
    phone.find("#order-send").click()
    settle(phone, "#problem-email", "not an e-mail")
    fits("the form with a problem")
    phone.find("#order-email").clear()
    phone.find("#order-email").send_keys("x" * 60 + "@" + "example." * 10 + "org")
    phone.find("#order-send").click()
    settle(phone, "#order-title", "Your order is safe")
    fits("the order")
    for state, name in (("sold_out", "sold_out"), ("failed", "failed"), ("confirmed", "confirmed")):
        notifier.tell(slug, state, reason="broken" if state == "failed" else None,
                      reference="WWWW-MMMM" if state == "confirmed" else None,
                      choice={"tier": "floor", "tickets": {"full": 2}, "quantity": 2, "amount": 200_000_000})
        outcome(phone, name)
        fits(name)


# The rules alone

def rules(browser, code):
    return browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        f"import('/assets/order.js').then(page => {{ {code} }}).then(done, error => done(String(error)))")


def test_amounts_are_written_as_the_server_writes_them(module_stack, browser, event):
    slug = event()
    browser.get(address(module_stack, slug))
    cases = [[4500, "EUR"], [5, "EUR"], [0, "GBP"], [1000000000, "USD"], [4500, "JPY"], [12500, "KWD"], [4500, "CHF"],
             [12345, "UYW"], [4500, "ISK"], [4500, "IQD"], [4500, "HUF"]]
    said = rules(browser, f"return {json.dumps(cases)}.map(each => page.amountText(...each))")
    assert said == ["€45.00", "€0.05", "£0.00", "$10,000,000.00", "¥4,500", "KWD 12.500", "CHF 45.00", "UYW 1.2345",
                    "ISK 4,500", "IQD 4.500", "HUF 45.00"]


def test_the_outcome_s_rule_is_the_server_s(module_stack, browser, event):
    """The same cases as in tests/unit/test_page_order.c."""
    slug = event()
    browser.get(address(module_stack, slug))
    cases = {"placed": None, "released": "released", "held": "held", "declined": "held", "paying": "paying",
             "action_required": "action_required",
             "standby": "standby", "confirmed": "confirmed",
             "sold_out": "sold_out", "expired": "expired", "failed": "failed", "cancelled": None, "refused": "refused"}
    assert rules(browser, f"return {json.dumps(list(cases))}.map(state => page.outcomeOf({{state}}))") == list(cases.values())
    assert rules(browser, "return page.outcomeOf({state: 'refused', reason: 'seats_taken'})") == "seats_taken"
    assert rules(browser, "return page.outcomeOf({state: 'cancelled', reference: 'K7QM-4WDP'})") == "cancelled"
    assert rules(browser, "return page.outcomeOf({state: 'failed', reason: 'payment_failed'})") == "payment_failed"
    assert rules(browser, "return page.outcomeOf(null)") is None
    assert rules(browser, "return page.outcomeOf({state: 'placed'}, 'turn', 'paused')") == "released"
    assert rules(browser, "return page.outcomeOf({state: 'placed'}, 'turn', 'stopped')") is None
    assert rules(browser, "return page.outcomeOf({state: 'placed'}, 'waiting', 'open')") is None
