# SPDX-License-Identifier: Apache-2.0
"""Seats on the event's page: choosing them, on the plan and without it, and what is kept for somebody who has to pay.

No booking worker and no notifier run here: the tests write the rows that a worker would, and say what a notifier would.
"""

import itertools
import json

import pytest
from harness.page import MAIL, Worker, address, outcome, quiet, run, settle, shown
from selenium.webdriver.common.keys import Keys

ROWS = [{"row": "A", "seats": "1-6,9-14", "wheelchair": ["1"], "companion": ["2"], "blocked": ["14"]},
        {"row": "B", "seats": "1-14"}]
TIERS = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
         {"code": "stalls", "name": "Stalls", "rows": ROWS,
          "prices": [{"code": "adult", "name": "Adult", "amount": 7500}, {"code": "child", "name": "Child", "amount": 3500}]}]
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def seats_stack(module_stack_factory):
    """The seller takes the money, so what costs something is held first."""
    return module_stack_factory(config={"payment": {"provider": "manual"}}).start()


@pytest.fixture
def event(seats_stack):
    def make(state="open", **changes):
        slug = f"seats-{next(_numbers)}"
        seats_stack.event(slug, state=state, **({"pace": "0", "tiers": TIERS} | changes))
        return slug
    return make


def event_id(stack, slug):
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def take(stack, slug, *seats, tier="stalls"):
    """As a booking worker writes it: the seats, and the version that says so, in one transaction."""
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        for seat in seats:
            row, _, number = seat.rpartition("-")
            cursor.execute("INSERT INTO taken_seats (event_id, tier, row_name, seat_name, place, attempt) VALUES (%s, %s, %s, %s, 99, 1)",
                           (event_id(stack, slug), tier, row, number))
        cursor.execute("UPDATE tiers SET taken_version = taken_version + 1 WHERE event_id = %s AND code = %s",
                       (event_id(stack, slug), tier))
        connection.commit()


@pytest.fixture
def worker(seats_stack):
    made = Worker(seats_stack)
    yield made
    made.connection.close()


def join(stack, browser, slug):
    browser.get(address(stack, slug))
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("#order-form")


def stalls(browser):
    browser.find(".option[data-tier=stalls] .option-head").click()


def more(browser, price="adult", count=2):
    for _ in range(count):
        browser.find(f".option[data-tier=stalls] input[data-price={price}] + button").click()


def send(browser, title="Your order is safe"):
    field = browser.find("#order-email")
    field.clear()
    field.send_keys(MAIL)
    browser.find("#order-send").click()
    if title:
        settle(browser, "#order-title", title)


def open_plan(browser):
    browser.wait_for(".option[data-tier=stalls] .plan summary").click()
    browser.wait_for(".option[data-tier=stalls] .plan-grid .chair")


def seat(row, number, part=""):
    return f'.option[data-tier=stalls] .chair[aria-label^="Row {row}, seat {number},"]{part}'


def pick(browser, row, number):
    browser.wait_for(seat(row, number, " rect")).click()  # rows are drawn when they come near


def choice(stack, slug):
    """The first choice as MySQL has it."""
    rows = stack.sql("SELECT choices FROM orders WHERE event_id = %s ORDER BY attempt DESC LIMIT 1", event_id(stack, slug))
    return json.loads(rows[0][0])[0]


def count_of(browser, price):
    return browser.find(f".option[data-tier=stalls] input[data-price={price}]").get_attribute("value")


def label(browser, selector):
    return browser.wait_for(selector).get_attribute("aria-label")


# Choosing

def test_the_best_free_seats_are_chosen_for_who_names_none(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    assert "the best that are free" in shown(browser, ".option[data-tier=stalls] .best")
    more(browser)
    more(browser, "child", 1)
    send(browser)
    assert "Stalls: 2 × Adult, 1 × Child" in shown(browser, "#order-placed") and "Seats" not in shown(browser, "#order-placed")
    assert "seats" not in choice(seats_stack, slug) and choice(seats_stack, slug)["quantity"] == 3
    quiet(browser)


def test_seats_are_chosen_by_click_and_the_number_follows(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    assert label(browser, seat("A", 9)) == "Row A, seat 9, free, €35.00 to €75.00"
    assert browser.find_all(seat("A", 14)) == []  # not on sale
    for number in (9, 10, 11):
        pick(browser, "A", number)
    assert count_of(browser, "adult") == "3"
    assert "Row A, seats 9 to 11" in shown(browser, ".chosen-seats")
    assert shown(browser, ".option[data-tier=stalls] .best") is None
    assert label(browser, seat("A", 10)) == "Row A, seat 10, chosen, €35.00 to €75.00"
    assert browser.find(seat("A", 10)).get_attribute("aria-selected") == "true"
    pick(browser, "A", 10)
    assert count_of(browser, "adult") == "2"
    more(browser, "child", 1)
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    settle(browser, "#problem-seats", "You want 3 tickets and have chosen 2 seats")
    pick(browser, "B", 1)
    send(browser)
    assert "Row A, seats 9 and 11; row B, seat 1" in shown(browser, "#order-placed")
    assert choice(seats_stack, slug)["seats"] == ["A-9", "A-11", "B-1"]
    assert choice(seats_stack, slug)["tickets"] == {"adult": 2, "child": 1}

    browser.refresh()
    settle(browser, "#order-placed", "Row A, seats 9 and 11; row B, seat 1")
    browser.find("#order-change").click()
    settle(browser, ".chosen-seats", "Row A, seats 9 and 11; row B, seat 1")
    browser.find(".chosen-seats button").click()
    send(browser)
    assert "seats" not in choice(seats_stack, slug)
    quiet(browser)


def test_seats_are_chosen_with_the_keyboard_alone(seats_stack, browser, event):
    slug = event()
    take(seats_stack, slug, "B-10")
    join(seats_stack, browser, slug)
    stalls(browser)
    browser.find(".option[data-tier=stalls] .plan summary").send_keys(Keys.ENTER)
    browser.wait_for(".option[data-tier=stalls] .plan-grid .chair")
    assert run(browser, "return document.querySelectorAll('.plan-grid [tabindex=\"0\"]').length") == 1

    def press(*keys):
        for key in keys:
            browser.switch_to.active_element.send_keys(key)

    def focused():
        return browser.switch_to.active_element.get_attribute("aria-label")

    browser.wait(lambda b: press(Keys.TAB) or "Row A, seat 1," in (focused() or ""), "the plan to have the focus")
    press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert focused() == "Row A, seat 9, free, €35.00 to €75.00"  # over the aisle
    press(" ", Keys.ARROW_DOWN)
    assert focused().startswith("Row B, seat 9,")
    press(Keys.ENTER, Keys.ARROW_RIGHT)
    assert focused() == "Row B, seat 10, taken"
    assert browser.switch_to.active_element.get_attribute("aria-disabled") == "true"
    press(" ")
    assert "Row A, seat 9; row B, seat 9" in shown(browser, ".chosen-seats")
    press(Keys.END)
    assert focused().startswith("Row B, seat 14,")
    press(Keys.ARROW_UP)
    assert focused().startswith("Row A, seat 13,")  # the nearest: 14 is not on sale
    assert run(browser, "return document.querySelectorAll('.plan-grid [tabindex=\"0\"]').length") == 1
    send(browser)
    assert choice(seats_stack, slug)["seats"] == ["A-9", "B-9"]
    quiet(browser)


def test_the_seat_with_the_focus_is_not_behind_the_rows_names(seats_stack, browser_factory, event):
    browser, slug = browser_factory(width=360, height=740), event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 1)
    for key, number in ((Keys.END, 14), (Keys.HOME, 1)):
        browser.switch_to.active_element.send_keys(key)
        seen, name, window = run(browser, """
            const edges = element => { const {left, right} = element.getBoundingClientRect(); return [left, right]; };
            const seat = document.activeElement;
            return [edges(seat), edges(seat.closest('.plan-row').firstChild), edges(seat.closest('.plan-scroll'))];""")
        assert browser.switch_to.active_element.get_attribute("aria-label").startswith(f"Row B, seat {number},")
        assert seen[0] >= name[1] and seen[1] <= window[1], (key, seen, name, window)


def test_a_seat_that_is_taken_meanwhile_is_said_and_no_longer_chosen(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 5)
    pick(browser, "B", 6)
    take(seats_stack, slug, "B-6", "B-7")
    settle(browser, ".plan-note", "Row B, seat 6: just taken by somebody else. Please choose again.")
    assert browser.find(".plan-note").get_attribute("role") == "status"
    assert shown(browser, ".chosen-seats strong") == "Row B, seat 5"
    assert label(browser, seat("B", 7)) == "Row B, seat 7, taken"
    pick(browser, "B", 6)
    assert count_of(browser, "adult") == "2" and "seat 5" in shown(browser, ".chosen-seats")
    pick(browser, "B", 4)
    send(browser)
    assert choice(seats_stack, slug)["seats"] == ["B-5", "B-4"] and choice(seats_stack, slug)["quantity"] == 2
    quiet(browser)


def test_a_hall_that_the_seller_changes_is_drawn_anew(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 1)
    pick(browser, "B", 5)
    # As many rows and seats as before, and nothing taken or given back.
    rows = [{**ROWS[0], "blocked": ["13"]}, {"row": "B", "seats": "2-15"}]
    seats_stack.event(slug, pace="0", tiers=[TIERS[0], TIERS[1] | {"rows": rows}])
    settle(browser, ".plan-note", "Row B, seat 1: just taken by somebody else.")
    browser.wait(lambda b: b.find_all(seat("A", 13)) == [] and b.find_all(seat("A", 14)) and b.find_all(seat("B", 15)), "the new hall")
    assert label(browser, seat("B", 5)) == "Row B, seat 5, chosen, €35.00 to €75.00" and browser.find_all(seat("B", 1)) == []
    pick(browser, "B", 15)
    send(browser)
    assert choice(seats_stack, slug)["seats"] == ["B-5", "B-15"]
    quiet(browser)


def test_the_plan_is_asked_for_while_it_is_seen_alone(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 1)
    asked = "return performance.getEntriesByType('resource').filter(each => each.name.endsWith('/seats')).length"
    first = run(browser, asked)
    browser.wait(lambda b: run(b, asked) > first + 1, "the plan to be asked for again")
    send(browser)
    settled = run(browser, asked)
    # Two rounds and a half, in which it must not be asked for.
    browser.execute_async_script("setTimeout(arguments[0], 6000)")
    assert run(browser, asked) <= settled + 1, "one may have been on its way"
    browser.find("#order-change").click()
    assert label(browser, seat("B", 1)).startswith("Row B, seat 1, chosen")
    browser.wait(lambda b: run(b, asked) > settled + 1, "the plan to be asked for again")
    browser.find("#order-unchanged").click()
    quiet(browser)


def test_a_place_for_a_wheelchair_is_for_who_says_so(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    assert label(browser, seat("A", 1)) == "Row A, seat 1, for a wheelchair, free, €35.00 to €75.00"
    pick(browser, "A", 1)
    settle(browser, ".plan-note", "Say below that you need one")
    assert shown(browser, ".chosen-seats") is None
    browser.find("#order-needs summary").click()
    browser.find("#order-wheelchair + button").click()
    browser.find("#order-companion + button").click()
    pick(browser, "A", 1)
    pick(browser, "A", 2)
    send(browser)
    assert "1 for a wheelchair, 1 for a companion" in shown(browser, "#order-placed")
    made = choice(seats_stack, slug)
    assert (made["seats"], made["wheelchair"], made["companion"]) == (["A-1", "A-2"], 1, 1)
    browser.find("#order-change").click()
    settle(browser, ".chosen-seats", "Row A, seats 1 and 2")
    assert browser.find("#order-wheelchair").get_attribute("value") == "1"
    quiet(browser)


def test_a_draft_of_seats_survives_a_reload(seats_stack, browser, event):
    slug = event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 3)
    browser.refresh()
    settle(browser, ".chosen-seats", "Row B, seat 3")
    take(seats_stack, slug, "B-3")
    browser.wait(lambda b: shown(b, ".chosen-seats") is None, "the seat to be gone")
    quiet(browser)


def test_without_a_script_seats_are_named_in_a_field(seats_stack, browser_factory, event):
    browser, slug = browser_factory(javascript=False), event()
    browser.get(address(seats_stack, slug))
    browser.find("section[data-panel=join] button").click()
    browser.wait_for("noscript a.main").click()
    stalls(browser)
    browser.find("input[name='seats.stalls']").send_keys("A-9, Z-1")
    browser.find("input[name='tickets.stalls.adult']").clear()
    browser.find("input[name='tickets.stalls.adult']").send_keys("2")
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    browser.wait_text("#problem-seats", "Name seats that are on the plan")
    field = browser.find("input[name='seats.stalls']")
    assert field.get_attribute("value") == "A-9, Z-1"
    field.clear()
    field.send_keys("a-9, A-10")
    browser.find("#order-email").clear()
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    browser.wait_text("#order-placed", "Row A, seats 9 and 10")
    assert choice(seats_stack, slug)["seats"] == ["A-9", "A-10"]


@pytest.mark.parametrize("javascript", (True, False))
def test_needs_that_the_hall_cannot_meet_are_said_at_once(seats_stack, browser_factory, event, javascript):
    browser, slug = browser_factory(javascript=javascript), event()
    browser.get(address(seats_stack, slug))
    browser.find("section[data-panel=join] button").click()
    if not javascript:
        browser.wait_for("noscript a.main").click()
    browser.wait_for("#order-form")
    stalls(browser)
    browser.find("#order-needs summary").click()
    for name, count in (("tickets.stalls.adult", 3), ("wheelchair", 2)):
        field = browser.find(f"input[name='{name}']")
        field.clear()
        field.send_keys(count)
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    browser.wait_text("#problem-needs", "There is only 1 place for a wheelchair in this part of the hall." if javascript
                      else "no more than this part of the hall has")
    assert seats_stack.sql("SELECT COUNT(*) FROM orders WHERE event_id = %s", event_id(seats_stack, slug))[0][0] == 0


# What is kept

@pytest.fixture
def ordered(seats_stack, browser, event):
    """An event in whose line the browser's visitor waits with an order for two seats; its slug."""
    def make(**changes):
        slug = event(**changes)
        join(seats_stack, browser, slug)
        stalls(browser)
        more(browser)
        send(browser, "Your order is safe" if changes.get("pace", "0") == "0" else None)
        if "pace" in changes:
            outcome(browser, "released")  # in the turn, where nobody books
        return slug
    return make


def test_a_hold_says_what_is_kept_how_long_and_how_to_pay(seats_stack, browser, ordered, worker):
    slug = ordered()
    worker.book(slug, "held", pay_seconds=308, seats=["A-9", "A-10"])
    told = outcome(browser, "held")
    for words in ("Kept for you. Now pay.", "K7QM-4WDP", "Row A, seats 9 and 10", "€150.00", "Stalls: 2 × Adult", "left to pay",
                  "to the seller, and say your reference", "I need more time", "You get 10 minutes more, once."):
        assert words in told, told
    assert browser.title == "Now pay · Gala"
    assert shown(browser, ".panel") is None and shown(browser, "#order") is None
    browser.wait(lambda b: "5:0" in shown(b, "#hold-clock"), "the clock")
    browser.wait(lambda b: "Row A, seats 9 and 10" in
                 b.find(".outcome[data-outcome=held] .mine svg").get_attribute("aria-label"), "the small plan")
    browser.wait(lambda b: "5 minutes left to pay." in run(b, "return document.querySelector('#heard').textContent"),
                 "five minutes to be said", 40)

    browser.find("#more-time button").click()
    browser.wait(lambda b: "15:0" in shown(b, "#hold-clock") or "14:" in shown(b, "#hold-clock"), "more time")
    assert shown(browser, "#more-time") is None
    assert "You have more time" in run(browser, "return document.querySelector('#heard-now').textContent")
    browser.refresh()
    assert "Row A, seats 9 and 10" in outcome(browser, "held")
    assert shown(browser, "#more-time") is None
    worker.book(slug, "confirmed", seats=["A-9", "A-10"])
    told = outcome(browser, "confirmed")
    assert "Row A, seats 9 and 10" in told and "Paid" in told and "pay at the door" not in told
    browser.wait_for(".outcome[data-outcome=confirmed] .mine svg")
    quiet(browser)


def test_ones_own_seats_are_not_somebody_elses(seats_stack, browser, event, worker):
    slug = event(pace="50/s")
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 1)
    pick(browser, "B", 2)
    send(browser, None)
    outcome(browser, "released")
    take(seats_stack, slug, "B-1", "B-2")
    worker.book(slug, "held", pay_seconds=300, seats=["B-1", "B-2"])
    outcome(browser, "held")
    browser.execute_async_script("setTimeout(arguments[0], 3000)")  # a round of asking and more
    seats_stack.sql("DELETE FROM taken_seats WHERE event_id = %s", event_id(seats_stack, slug))
    seats_stack.sql("UPDATE tiers SET taken_version = taken_version + 1 WHERE event_id = %s", event_id(seats_stack, slug))
    worker.book(slug, "expired")
    outcome(browser, "expired")
    asked = "return performance.getEntriesByType('resource').filter(each => each.name.endsWith('/seats')).length"
    first = run(browser, asked)
    browser.wait_for("#order-form")
    browser.wait(lambda b: run(b, asked) > first + 1, "the plan to be asked for again")
    assert shown(browser, ".chosen-seats strong") == "Row B, seats 1 and 2"
    assert "taken" not in (shown(browser, ".plan-note") or "")
    quiet(browser)


def test_what_is_kept_can_be_given_back(seats_stack, browser, ordered, worker):
    slug = ordered(pace="50/s")
    worker.book(slug, "held", pay_seconds=500, seats=["A-9", "A-10"])
    outcome(browser, "held")
    assert shown(browser, ".give-back button") is None  # asks first
    browser.find(".outcome[data-outcome=held] .give-back summary").click()
    browser.wait_for(".outcome[data-outcome=held] .give-back button").click()
    assert "no longer valid" in outcome(browser, "cancelled")
    assert seats_stack.sql("SELECT was FROM freeings WHERE event_id = %s", event_id(seats_stack, slug)) == (("held",),)
    browser.wait_for("#order-form")  # the turn still runs
    quiet(browser)


def test_while_the_sale_is_halted_the_time_to_pay_stands_still(seats_stack, browser, ordered, worker):
    slug = ordered()
    worker.book(slug, "held", pay_seconds=400, seats=["A-9", "A-10"])
    outcome(browser, "held")
    browser.wait_for("#hold-clock")
    seats_stack.onsale("stop", slug, "--reason", "Fire alarm", expect=0)
    settle(browser, "#hold-still", "stands still")
    assert shown(browser, "#hold-clock") is None and shown(browser, "#more-time") is None
    seats_stack.onsale("start", slug, expect=0)
    browser.wait_for("#hold-clock")
    quiet(browser)


def test_standby_says_how_many_are_ahead_and_can_be_left(seats_stack, browser, ordered, worker):
    slug = ordered()
    worker.book(slug, "standby")
    told = outcome(browser, "standby")
    assert "You are on standby" in told and "Nobody is before you on standby." in told and "Stalls: 2 × Adult" in told
    browser.refresh()
    assert "Nobody is before you on standby." in outcome(browser, "standby")
    browser.find(".outcome[data-outcome=standby] .give-back summary").click()
    browser.wait_for(".outcome[data-outcome=standby] .give-back button").click()
    browser.wait_for("#order-form")
    settle(browser, "#order-note", "You have taken your order back")
    quiet(browser)


def test_seats_that_others_have_are_named_and_one_chooses_again(seats_stack, browser, ordered, worker):
    slug = ordered(pace="50/s")
    worker.book(slug, "refused", reason="seats_taken", gone=["A-9", "A-10"])
    told = outcome(browser, "seats_taken")
    assert "Somebody else has: Row A, seats 9 and 10." in told and "you pay nothing" in told
    browser.wait_for("#order-form")
    browser.refresh()
    assert "Row A, seats 9 and 10" in outcome(browser, "seats_taken")
    quiet(browser)


def test_a_hold_without_a_script(seats_stack, browser_factory, event, worker):
    browser, slug = browser_factory(javascript=False), event()
    browser.get(address(seats_stack, slug))
    browser.find("section[data-panel=join] button").click()
    browser.wait_for("noscript a.main").click()
    stalls(browser)
    browser.find("input[name='tickets.stalls.adult']").clear()
    browser.find("input[name='tickets.stalls.adult']").send_keys("2")
    browser.find("#order-email").send_keys(MAIL)
    browser.find("#order-send").click()
    browser.wait_text("#order-placed", "Stalls: 2 × Adult")
    worker.book(slug, "held", pay_seconds=400, seats=["A-9", "A-10"])
    browser.get(address(seats_stack, slug))
    told = outcome_shown(browser)
    for words in ("Pay until", "UTC", "Row A, seats 9 and 10", "K7QM-4WDP", "I need more time"):
        assert words in told, told
    before = seats_stack.sql("SELECT pay_until FROM bookings WHERE event_id = %s", event_id(seats_stack, slug))[0][0]
    browser.find("#more-time button").click()
    browser.wait(lambda b: not b.find("#more-time").is_displayed() and "Pay until" in (outcome_shown(b) or ""), "more time")
    after = seats_stack.sql("SELECT pay_until FROM bookings WHERE event_id = %s", event_id(seats_stack, slug))[0][0]
    assert (after - before).total_seconds() == 600
    browser.find(".outcome[data-outcome=held] .give-back summary").click()
    browser.find(".outcome[data-outcome=held] .give-back button").click()
    browser.wait(lambda b: "no longer valid" in (outcome_shown(b) or ""), "the end")


def outcome_shown(browser):
    return next((element.text for element in browser.find_all(".outcome") if element.is_displayed()), None)


# Sizes

@pytest.mark.parametrize("width", (320, 360, 1280))
def test_nothing_is_wider_than_the_window(seats_stack, browser_factory, event, worker, width):
    browser, slug = browser_factory(width=width, height=800), event()
    join(seats_stack, browser, slug)
    stalls(browser)
    open_plan(browser)
    pick(browser, "B", 2)
    assert not browser.scrolls_sideways()
    box = run(browser, "const b = arguments[0].getBoundingClientRect(); return [b.width, b.height];", browser.find(seat("B", 3) + " rect"))
    assert min(box) >= (24 if width < 600 else 20), box
    send(browser)
    worker.book(slug, "held", pay_seconds=500, seats=["B-2"])
    outcome(browser, "held")
    browser.wait_for(".outcome[data-outcome=held] .mine svg")
    assert not browser.scrolls_sideways()


def test_the_rules_of_the_plan(seats_stack, browser, event):
    browser.get(address(seats_stack, event()))
    got = browser.driver.execute_async_script("""
        const done = arguments[0];
        import('/assets/seats.js').then(({numbersOf, namesIn, seatsText, layOut, seatFrom}) => {
            const hall = layOut({version: 1, rows: [{row: 'A', seats: '101-104'}, {row: 'B', seats: '201-206', blocked: ['203']}]});
            done([numbersOf('1-3,7'), numbersOf(undefined), namesIn(' A-1 , ,B-2,'),
                  seatsText(['A-12', 'A-13']), seatsText(['Box 2-1', 'A-3', 'A-1', 'A-2', 'A-9']), seatsText([]), seatsText(null),
                  hall.columns, hall.rows[0].seats.map(s => s.column), hall.rows[1].seats.map(s => s.number),
                  seatFrom(hall, 0, 1, 'ArrowLeft'), seatFrom(hall, 0, 1, 'ArrowDown'), seatFrom(hall, 1, 0, 'ArrowUp')]);
        });""")
    assert got == [[1, 2, 3, 7], [], ["A-1", "B-2"], "Row A, seats 12 and 13", "Row Box 2, seat 1; row A, seats 1 to 3 and 9", "", "",
                   6, [1, 2, 3, 4], [201, 202, 204, 205, 206], None, {"row": 1, "column": 1}, {"row": 0, "column": 1}]

