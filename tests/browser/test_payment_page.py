# SPDX-License-Identifier: Apache-2.0
"""Paying on the event's page, the whole way: a visitor in Chromium, all programs, and the sandbox bank with its own pages. And the ticket that
is shown at the door, read as a scanner reads it."""

import base64
import itertools
import json
import re
import subprocess

import jwt
import pytest
from harness.bank import wait_ledger_agrees
from harness.page import MAIL, Worker, address, outcome, quiet, run, settle, shown
from processes import wait_until

TIERS = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
         {"code": "stalls", "name": "Stalls", "rows": [{"row": "A", "seats": "1-14"}], "prices":
          [{"code": "adult", "name": "Adult", "amount": 7500}]}]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    return module_stack_factory(bank=True).start(workers=1, notifiers=1)


@pytest.fixture(scope="module")
def told_stack(module_stack_factory):
    """Nobody pays here and nobody tells: the test does."""
    return module_stack_factory(bank=True).start()


@pytest.fixture
def event(stack):
    def make(of=stack, **changes):
        slug = f"pay-{next(_numbers)}"
        of.event(slug, **({"pace": "50/s", "tiers": TIERS, "venue": "City Hall", "starts_at": "2031-05-01T19:30:00Z",
                           "timezone": "Europe/Berlin"} | changes))
        client = of.client()
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == "open", f"{slug} to be open", 20)
        return slug
    return make


def join(stack, browser, slug, panel="turn"):
    """Until the page stands still: what comes to one's turn moves under the pointer."""
    browser.get(address(stack, slug))
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for(f"section[data-panel={panel}]")
    browser.wait_for("#order-form")


def order(browser, tickets=2):
    browser.find(".option[data-tier=floor] .option-head").click()
    for _ in range(tickets):
        browser.find(".option[data-tier=floor] input[data-price] + button").click()
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()


def on_card_page(browser, card="visa"):
    """On the bank's page: this card is left (None: none is), and the visitor comes back."""
    browser.wait(lambda b: "/pay/" in b.current_url, "the bank's page")
    if card is None:
        browser.find("button[name=back]").click()
    else:
        browser.find(f"input[value={card}]").click()
        browser.find("button.first").click()
    browser.wait_for("main.counter")


def pay_with(browser, card):
    """In the hold, without a card yet: leaves one and pays with it."""
    browser.wait_for("#pay-card button").click()
    on_card_page(browser, card)
    browser.wait_for("#pay-now").click()


def answer(browser, yes):
    """The bank's question."""
    browser.wait_for("#action-link").click()
    browser.wait(lambda b: "/challenge/" in b.current_url, "the bank's question")
    browser.find(f"button[value={'yes' if yes else 'no'}]").click()
    browser.wait_for("main.counter")


def is_plain_address(stack, browser, slug):
    return browser.current_url == address(stack, slug)


def intents(stack, slug, **fields):
    return [intent for intent in stack.bank.intents(**fields) if intent["metadata"]["onsale_event"] == slug]


@pytest.fixture
def held(stack, browser, event):
    """The slug of an event of which two tickets are kept for the browser's visitor, who is to pay."""
    slug = event()
    join(stack, browser, slug)
    order(browser)
    outcome(browser, "held")
    return slug


# A card that is left while waiting

def test_a_card_that_is_left_while_waiting_is_charged_at_the_turn(stack, browser, event):
    slug = event(pace="0")
    join(stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    told = shown(browser, "#order-placed")
    assert "we keep your tickets for you for 10 minutes: come back in that time and pay here, or leave a card now" in told
    assert "€90.00 is charged to it only if your order can be booked, and not before." in shown(browser, "#order-card")
    browser.find("#order-card button").click()
    on_card_page(browser, None)
    settle(browser, "#order-card", "No card was left. You can try again.")
    assert is_plain_address(stack, browser, slug)
    browser.find("#order-card button").click()
    on_card_page(browser)
    settle(browser, "#card-title", "Your card: visa 4242")
    settle(browser, "#order-card", "Your card is kept: visa 4242.")
    assert is_plain_address(stack, browser, slug)
    told = shown(browser, "#order-placed")
    assert "At your turn, €90.00 is charged to it, only if your order can be booked." in told
    assert "You can close this page: we book your order when it is your turn" in told
    assert intents(stack, slug) == []  # nothing is charged before
    browser.find("#order-card button").click()  # another one takes its place
    on_card_page(browser, "declined")
    settle(browser, "#order-card", "Your card is kept:")
    assert "4242" not in shown(browser, "#card-title")
    browser.find("#order-card button").click()
    on_card_page(browser)
    settle(browser, "#card-title", "Your card: visa 4242")
    browser.refresh()
    settle(browser, "#card-title", "Your card: visa 4242")
    stack.onsale("rate", slug, "50/s", expect=0)
    told = outcome(browser, "confirmed")
    assert "Booked. You have your tickets." in told and "Paid" in told and "€90.00" in told and "pay at the door" not in told
    wait_ledger_agrees(stack, slug)
    assert [intent["captured"] for intent in intents(stack, slug)] == [9000]
    quiet(browser)


# In the hold

def test_paying_in_the_hold_takes_a_click_of_its_own(stack, browser, event):
    slug = event()
    join(stack, browser, slug)
    order(browser)
    told = outcome(browser, "held")
    assert "Kept for you. Now pay." in told and "2 × Floor" in told and "€90.00" in told and "left to pay" in told
    assert "seller" not in told and "Your reference" not in told
    assert shown(browser, "#pay-now") is None
    browser.find("#pay-card button").click()
    on_card_page(browser)
    settle(browser, "#pay-now", "Pay €90.00 with visa 4242")
    settle(browser, "#pay .card-note", "Your card is ready: visa 4242. Now press the button to pay.")
    assert is_plain_address(stack, browser, slug)
    assert intents(stack, slug) == []  # having left a card is not having paid
    stack.bank.behave(call="confirm", do="slow", seconds=2)
    browser.find("#pay-now").click()
    told = outcome(browser, "paying")
    assert "Your payment is under way" in told and "left to pay" not in told and shown(browser, "#pay-now") is None
    assert browser.title.startswith("Paying · ")
    assert run(browser, "return document.activeElement.dataset.outcome") == "paying"
    assert "Your payment is under way" in run(browser, "return document.querySelector('#heard-now').textContent")
    assert "Booked. You have your tickets." in outcome(browser, "confirmed")
    wait_ledger_agrees(stack, slug)
    quiet(browser)


def test_a_decline_says_why_and_another_card_pays(stack, browser, held):
    pay_with(browser, "declined")
    settle(browser, "#declined-why", "Your bank said no to this card, and not why.")
    told = outcome(browser, "held")
    assert "You have not paid yet" in told and "Nothing was charged" in told and "left to pay" in told
    assert "Kept for you. Now pay." not in told
    heard = run(browser, "return document.querySelector('#heard-now').textContent")
    assert "You have not paid yet" in heard and "Your bank said no" in heard and "Now pay" not in heard
    settle(browser, "#tries", "You can try 4 more times.")
    browser.find("#pay-now").click()  # the same one again: it may work this time
    browser.wait(lambda b: stack.sql("SELECT COUNT(*) FROM payments p JOIN events e ON e.id = p.event_id WHERE slug = %s"
                                     " AND p.state = 'declined'", held)[0][0] == 2, "the second decline")
    settle(browser, "#tries", "You can try 3 more times.")
    assert shown(browser, "#pay-card button") == "Use another card"
    browser.find("#pay-card button").click()
    on_card_page(browser)
    settle(browser, "#pay-now", "Pay €90.00 with visa 4242")
    browser.find("#pay-now").click()
    assert "Booked." in outcome(browser, "confirmed")
    wait_ledger_agrees(stack, held)
    quiet(browser)


@pytest.mark.parametrize("yes", [True, False])
def test_the_bank_s_question(stack, browser, held, yes):
    pay_with(browser, "challenge")
    told = outcome(browser, "action_required")
    assert "Your bank wants to ask you something" in told and "left to pay" in told and "€90.00" in told
    assert browser.title.startswith("Your bank asks · ")
    assert shown(browser, "#action-link") == "Go to your bank"
    answer(browser, yes)
    if yes:
        assert "Booked." in outcome(browser, "confirmed")
    else:
        settle(browser, "#declined-why", "Your bank’s question was not answered, or not as it had to be.")
        outcome(browser, "held")
    assert is_plain_address(stack, browser, held)  # the provider adds secrets of the payment to it
    assert "payment_intent" not in json.dumps(run(browser, "return [history.state, location.href]"))
    if not yes:
        browser.find(".outcome[data-outcome=held] .give-back summary").click()
        browser.wait_for(".outcome[data-outcome=held] .give-back button").click()
        outcome(browser, "cancelled")
    wait_ledger_agrees(stack, held)
    quiet(browser)


def test_two_clicks_and_two_tabs_pay_once(stack, browser, held):
    browser.find("#pay-card button").click()
    on_card_page(browser)
    settle(browser, "#pay-now", "visa 4242")
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    browser.get(address(stack, held))
    settle(browser, "#pay-now", "visa 4242")
    stack.bank.behave(call="confirm", do="slow", seconds=2)
    run(browser, "const now = document.querySelector('#pay-now'); now.click(); now.click();")
    outcome(browser, "paying")
    browser.switch_to.window(first)
    outcome(browser, "paying")  # by the stream: nothing is left to click
    outcome(browser, "confirmed")
    wait_ledger_agrees(stack, held)
    assert len(intents(stack, held)) == 1
    quiet(browser)


def test_a_bank_without_a_card_page_is_said_beside_the_button(stack, browser, held):
    stack.bank.behave(call="card_page", do="error_500", times=20)
    browser.find("#pay-card button").click()
    browser.wait(lambda b: shown(b, "#pay-problem"), "what went wrong")
    assert "card page could not be opened" in shown(browser, "#pay-problem")
    assert shown(browser, "#pay-card button") == "Pay by card"
    stack.bank.clear()
    browser.find("#pay-card button").click()
    on_card_page(browser)
    settle(browser, "#pay-now", "visa 4242")
    quiet(browser, "503")


# What is told, without anybody who pays

def test_what_takes_long_and_what_fails(told_stack, browser, event):
    slug = event(of=told_stack, pace="0")
    join(told_stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    worker = Worker(told_stack)
    worker.book(slug, "paying", pay_seconds=300)
    outcome(browser, "paying")
    assert shown(browser, "#payment-unknown") is None
    worker.book(slug, "paying", pay_seconds=300, reason="payment_unknown")
    settle(browser, "#payment-unknown", "you are not charged twice")
    browser.refresh()
    settle(browser, "#payment-unknown", "you are not charged twice")
    for reason, words in (("card_declined", "Your bank said no"), ("expired_card", "This card has expired"),
                          ("insufficient_funds", "not enough money"),
                          ("payment_method_invalid", "This card cannot be charged here"),
                          ("authentication_failed", "question was not answered")):
        worker.book(slug, "declined", pay_seconds=300, reason=reason)
        settle(browser, "#declined-why", words)
        server = told_stack.client()
        cookie = browser.driver.get_cookies()[0]
        html = server.get(f"/e/{slug}", headers={"cookie": f"{cookie['name']}={cookie['value']}"}).text
        assert shown(browser, "#declined-why") in html  # the same words with and without the script
    worker.book(slug, "failed", reason="payment_failed", reference=None)
    assert "Nothing was booked, and nothing was charged." in outcome(browser, "payment_failed")
    worker.book(slug, "cancelled", refund="pending")
    assert "Your money is being paid back." in outcome(browser, "cancelled")
    worker.book(slug, "cancelled", refund="done")
    settle(browser, "#refund", "Your money was paid back.")
    worker.connection.close()
    quiet(browser)


def keep_card(stack, slug, label="visa 4242"):
    """As the payer writes it of somebody who has left one."""
    stack.sql("INSERT INTO cards (event_id, place, number, visitor, state, idempotency_key, session, url, customer_id, payment_method,"
              " label, created_at, changed_at) SELECT e.id, a.number, 1, visitor, 'kept', 'k', CONCAT('cs_', e.id), NULL, 'cus_1',"
              " 'pm_card_visa', %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM events e JOIN arrivals a ON a.event_id = e.id"
              " WHERE slug = %s AND a.number = 1", label, slug)


def test_what_cannot_be_paid_is_said_beside_the_button(told_stack, browser, event):
    slug = event(of=told_stack, pace="0")
    join(told_stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    keep_card(told_stack, slug)
    worker = Worker(told_stack)
    worker.book(slug, "held", pay_seconds=300)
    settle(browser, "#pay-now", "Pay €90.00 with visa 4242")
    told_stack.onsale("stop", slug, "--reason", "Fire alarm", expect=0)
    settle(browser, "#hold-still", "stands still")
    browser.find("#pay-now").click()
    settle(browser, "#pay-problem", "Your payment could not be begun just now. Nothing was charged.")
    told_stack.onsale("start", slug, expect=0)
    browser.wait_for("#hold-clock")
    worker.book(slug, "held", pay_seconds=-1)  # nobody sweeps here, so it still looks held
    browser.wait(lambda b: "The time to pay is over." in (shown(b, "#hold-clock") or ""), "the end of the hold")
    browser.find("#pay-now").click()
    settle(browser, "#pay-problem", "The hold has run out, so it cannot be paid any more.")
    assert told_stack.sql("SELECT COUNT(*) FROM payments p JOIN events e ON e.id = p.event_id WHERE slug = %s", slug) == ((0,),)
    browser.offline()
    browser.find("#pay-now").click()
    settle(browser, "#pay-problem", "There was no answer. Whether your payment was begun appears here")
    assert shown(browser, "#pay-now") == "Pay €90.00 with visa 4242"
    browser.offline(False)
    worker.connection.close()
    quiet(browser, "503", "409", "410", "ERR_INTERNET_DISCONNECTED")


def test_nothing_is_wider_than_the_narrowest_phone(told_stack, phone, event):
    slug = event(of=told_stack, pace="0", currency="KWD")
    join(told_stack, phone, slug, "waiting")
    order(phone)
    settle(phone, "#order-title", "Your order is safe")
    assert not phone.scrolls_sideways()
    worker = Worker(told_stack)
    for state in ("held", "declined", "paying", "action_required", "confirmed"):
        reason = "card_declined" if state == "declined" else None
        worker.book(slug, state, pay_seconds=None if state == "confirmed" else 300, reason=reason,
                    action_url="http://127.0.0.1:9/x" if state == "action_required" else None)
        outcome(phone, {"declined": "held"}.get(state, state))
        assert not phone.scrolls_sideways(), state
    phone.get(address(told_stack, slug) + "/receipt")
    phone.wait_for(".door-code svg")
    assert not phone.scrolls_sideways()
    worker.connection.close()


# Without JavaScript

def test_paying_without_scripts(stack, browser_factory, event):
    browser = browser_factory(javascript=False)
    slug = event()
    browser.get(address(stack, slug))
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("a[href*='choose=1']").click()
    browser.wait_for("input[value=floor]").click()
    tickets = browser.find("input[name='tickets.floor.full']")
    tickets.clear()
    tickets.send_keys("2")
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()

    def again(selector, seconds=30):
        """The page renews itself; that is waited for."""
        return browser.wait_for(selector, seconds)

    again(".outcome[data-outcome=held] #pay-card button").click()
    link = again(".pay .card-open a")
    assert link.text == "Go on to the card page"
    told = browser.find(".outcome[data-outcome=held]")
    assert re.search(r"Pay until \d+ \w+ \d{4}, \d\d:\d\d UTC \(in \d+ minutes\)\. After that", told.text), told.text
    # Where it goes on is plain to see: the only one of its kind, and before what was pressed to get there.
    assert [element.text for element in told.find_elements("css selector", "a.main, button.main") if element.is_displayed()] == [link.text]
    other = browser.find("#pay-card button")
    assert other.text == "Start again with a new card page" and other.location["y"] > link.location["y"]
    link.click()
    on_card_page(browser)
    again("#pay-now")
    assert "Pay €90.00 with visa 4242" in browser.find("#pay-now").text
    browser.find("#pay-now").click()
    again(".outcome[data-outcome=confirmed]")
    browser.find("#to-receipt").click()
    again(".door-code svg")
    assert browser.find(".reference-code").text.startswith(browser.find(".reference-code span").text)
    wait_ledger_agrees(stack, slug)


# The ticket

def scan(path):
    """What a scanner reads in a picture."""
    read = subprocess.run(["zbarimg", "--quiet", "--raw", str(path)], capture_output=True, text=True)
    assert read.returncode == 0, read.stderr
    return read.stdout.strip()


def verify(stack, code, slug):
    keys = {key["kid"]: jwt.PyJWK(key).key for key in stack.client().get("/.well-known/jwks.json").json()["keys"]}
    header = jwt.get_unverified_header(code)
    assert header["typ"] == "onsale-ticket+jwt" and header["alg"] == "ES256"
    return jwt.decode(code, keys[header["kid"]], algorithms=["ES256"], audience=slug, issuer="onsale")


@pytest.mark.parametrize("look", [{"width": 360, "height": 740}, {"width": 1280}, {"width": 360, "height": 740, "dark": True}])
def test_the_ticket_is_read_from_a_picture_of_the_screen(told_stack, browser_factory, event, look):
    browser = browser_factory(**look)
    slug = event(of=told_stack, pace="0")
    join(told_stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    worker = Worker(told_stack)
    worker.book(slug, "confirmed", reference=f"K7QM-{next(_numbers):04}", seats=["A-1", "A-2"])
    outcome(browser, "confirmed")
    browser.find("#to-receipt").click()
    told = browser.wait_for(".door").text
    (reference,), = told_stack.sql("SELECT reference FROM bookings b JOIN events e ON e.id = b.event_id WHERE slug = %s", slug)
    for words in ("Show this at the door", reference, "2 × Floor", "Row A, seats 1 and 2", "Paid by card", "€90.00", MAIL):
        assert words in told, told
    assert "1 May 2031" in shown(browser, "#starts") and "21:30" in shown(browser, "#starts")  # where it is, not in UTC
    code = scan(browser.screenshot("ticket", whole=True))
    claims = verify(told_stack, code, slug)
    issued = claims.pop("iat")
    assert claims == {"iss": "onsale", "aud": slug, "sub": reference, "place": 1, "tier": "floor", "quantity": 2, "seats": ["A-1", "A-2"]}
    assert abs(issued - told_stack.sql("SELECT UNIX_TIMESTAMP()")[0][0]) < 60

    checked = told_stack.onsale("ticket", "check", code, "--event", slug, expect=0).out
    assert checked == f"valid: 2 × Floor, A-1, A-2, {slug}, reference {reference}, place 1, confirmed\n"
    assert "there is no event 'other'" in told_stack.onsale("ticket", "check", code, "--event", "other", expect=3).err
    worker.book(slug, "cancelled", refund="pending", reference=reference)
    assert "its money goes back" in told_stack.onsale("ticket", "check", code, expect=1).err
    browser.refresh()
    browser.wait_text("h1", "There is no ticket here")
    worker.connection.close()
    quiet(browser, "404")


def pages_of(browser, width_mm, height_mm):
    printed = browser.driver.execute_cdp_cmd("Page.printToPDF", {
        "paperWidth": width_mm / 25.4, "paperHeight": height_mm / 25.4, "marginTop": 0.2, "marginBottom": 0.2, "marginLeft": 0.2,
        "marginRight": 0.2, "printBackground": True})
    return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"])))


def test_the_ticket_is_printed_on_one_sheet(told_stack, browser, event):
    slug = event(of=told_stack, pace="0")
    join(told_stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    worker = Worker(told_stack)
    worker.book(slug, "confirmed", reference=f"K7QM-{next(_numbers):04}", seats=["A-1", "A-2"])
    outcome(browser, "confirmed")
    browser.get(address(told_stack, slug) + "/receipt")
    browser.wait_for(".door-code svg")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print", "features": [
        {"name": "prefers-color-scheme", "value": "dark"}]})
    assert shown(browser, "#print") is None and shown(browser, ".door-acts") is None
    assert run(browser, "return getComputedStyle(document.querySelector('dd')).color") == "rgb(0, 0, 0)"
    assert scan(browser.screenshot("print", whole=True)).count(".") == 2
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert pages_of(browser, 210, 297) == 1  # A4
    assert pages_of(browser, 105, 148) == 1  # A6
    worker.connection.close()


def test_who_has_nothing_booked_has_no_ticket(told_stack, browser, event):
    slug = event(of=told_stack, pace="0")
    receipt = address(told_stack, slug) + "/receipt"
    browser.get(receipt)
    browser.wait_text("h1", "There is no ticket here")
    join(told_stack, browser, slug, "waiting")
    order(browser)
    settle(browser, "#order-title", "Your order is safe")
    browser.get(receipt)
    browser.wait_text("h1", "There is no ticket here")
    client = told_stack.client()
    assert client.get(f"/e/{slug}/receipt").status_code == 404
    assert client.post(f"/e/{slug}/receipt").status_code == 405
    quiet(browser, "404")
