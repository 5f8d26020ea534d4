# SPDX-License-Identifier: Apache-2.0
"""The event's page as visitors meet it: the real programs behind it, Chromium in front."""

import itertools
import json
from datetime import datetime, timedelta, timezone

import pytest
from harness.proxy import Proxy
from processes import wait_until
from selenium.webdriver.common.keys import Keys

SAFE = "Reconnecting. Your place is safe."
_numbers = itertools.count(1)


def address(stack, slug):
    return f"https://localhost:{stack.rooms[0].port}/e/{slug}"


@pytest.fixture
def event(module_stack):
    """event(pace="5/s", waiting=30, …): an event of the test's own, with people in its line; returns its slug."""
    def make(waiting=0, state="open", pace="0", **changes):
        slug = f"page-{next(_numbers)}"
        module_stack.event(slug, state=state, pace=pace, **changes)
        client = module_stack.client()
        # The waiting room hears of it a moment after the command has ended.
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == state, f"{slug} to be {state}", 20)
        for _ in range(waiting):
            module_stack.join(slug, client=client)
            client.cookies.clear()
        return slug
    return make


def visit(stack, browser, slug):
    browser.get(address(stack, slug))
    return browser


def join(stack, browser, slug):
    """Opens the page and joins; returns the place as it is shown."""
    visit(stack, browser, slug)
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("section[data-panel=waiting]")
    return shown(browser, "section[data-panel=waiting] .place")


def shown(browser, selector):
    """The visible text, or None. One question to the browser, so that no element goes stale in between."""
    return run(browser, """
        const element = [...document.querySelectorAll(arguments[0])].find(each => each.checkVisibility());
        return element ? element.innerText.trim() : null;""", selector)


def ahead(browser):
    """The number that is shown; 0 when it says that one is next; None in any other state."""
    return run(browser, """const panel = document.querySelector('section[data-panel=waiting]');
                           if (!panel?.checkVisibility()) return null;
                           const number = panel.querySelector('#ahead');
                           return number.checkVisibility() ? Number(number.textContent.replaceAll(',', '')) : 0;""")


def prefer(browser, feature, value):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": feature, "value": value}]})


def wait_let_in(stack, slug, count):
    """Waits until so many of the event's line were let in, by what the database says."""
    statement = "SELECT served FROM line_served JOIN events ON id = event_id WHERE slug = %s"
    wait_until(lambda: stack.sql(statement, slug)[0][0] >= count, f"{count} to be let in", 20)


def run(browser, code, *arguments):
    return browser.execute_script(code, *arguments)


def quiet(browser):
    """Nothing was said to the console, and nothing was asked of anybody else."""
    # The certificate of the tests is self-signed; that alone may be remarked on.
    assert [message for message in browser.console() if "valid SSL certificate" not in message] == []
    origins = run(browser, """
        const names = performance.getEntriesByType('resource').map(entry => entry.name);
        return names.map(name => new URL(name).origin).filter(origin => origin !== location.origin);""")
    assert origins == []


# Joining and waiting

def test_a_visitor_joins_sees_the_line_move_and_is_let_in(module_stack, browser, event):
    slug = event(waiting=30)
    visit(module_stack, browser, slug)
    assert shown(browser, "h1") == "Gala"
    assert shown(browser, ".venue").lower() == "city hall"
    browser.wait_text("#starts", "Thursday, 1 May 2031 at 21:30")  # in Berlin's summer
    browser.wait_text("#in-line", "30 people are waiting now.")
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait(lambda b: ahead(b) == 30, "30 ahead")
    assert shown(browser, "section[data-panel=waiting] .place").endswith("31")
    assert browser.title == "30 ahead · Gala"
    assert shown(browser, "#wait") == "How long it will take cannot be said yet."
    run(browser, """window.seen = [];
        new MutationObserver(() => seen.push(Number(document.querySelector('#ahead').textContent)))
            .observe(document.querySelector('#ahead'), {childList: true, characterData: true, subtree: true});
        const picture = document.querySelector('#walk');
        window.first = picture.toDataURL();""")
    module_stack.onsale("rate", slug, "2/s", expect=0)  # so slowly that all this is seen before the turn comes
    browser.wait(lambda b: (ahead(b) or 30) < 20, "the line to move")
    assert shown(browser, "#pace") == "2 a second"
    assert "minute" in shown(browser, "#wait")
    moved = run(browser, "return document.querySelector('#walk').toDataURL() !== window.first")
    assert moved, "the picture stands still"
    module_stack.onsale("rate", slug, "10/s", expect=0)
    browser.wait_for("section[data-panel=turn]")
    seen = run(browser, "return window.seen")
    assert seen == sorted(seen, reverse=True) and len(set(seen)) >= 5, seen
    assert browser.title == "Your turn · Gala"
    assert shown(browser, "section[data-panel=turn] h2") == "It is your turn"
    minutes, seconds = shown(browser, "#turn-clock").removesuffix(" left").split(":")
    assert 540 < int(minutes) * 60 + int(seconds) <= 600
    assert shown(browser, "#turn-until").startswith("Your turn runs until")
    quiet(browser)


def test_reloading_and_closing_the_tab_keep_the_place(module_stack, browser, event):
    slug = event(waiting=3)
    place = join(module_stack, browser, slug)
    browser.refresh()
    browser.wait(lambda b: ahead(b) == 3, "3 ahead")
    assert shown(browser, "section[data-panel=waiting] .place") == place
    old = browser.current_window_handle
    browser.switch_to.new_window("tab")
    new = browser.current_window_handle
    browser.switch_to.window(old)
    browser.close()
    browser.switch_to.window(new)
    visit(module_stack, browser, slug)
    assert ahead(browser) == 3
    assert shown(browser, "section[data-panel=waiting] .place") == place
    given = module_stack.sql("SELECT last FROM line_counters JOIN events ON id = event_id WHERE slug = %s", slug)
    assert given[0][0] == 4
    quiet(browser)


def test_everything_is_reached_by_keyboard(module_stack, browser, event):
    slug = event()
    visit(module_stack, browser, slug)
    browser.wait_for("section[data-panel=join] button")

    def press(key):
        browser.switch_to.active_element.send_keys(key)

    browser.find("body").send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to your place"
    press(Keys.TAB)
    assert browser.switch_to.active_element.text == "Join the line"
    press(Keys.ENTER)
    browser.wait_for("section[data-panel=waiting]")
    assert run(browser, "return document.activeElement.id") == "now"  # not lost with the button
    for _ in range(12):  # past the fields of the order
        press(Keys.TAB)
        if browser.switch_to.active_element.text == "Leave the line":
            break
    assert browser.switch_to.active_element.text == "Leave the line"
    press(Keys.ENTER)
    press(Keys.TAB)
    assert browser.switch_to.active_element.text == "Give up my place"
    press(Keys.ENTER)
    browser.wait_for("section[data-panel=left]")
    quiet(browser)


def test_leaving_asks_first_and_other_tabs_hear_it(module_stack, browser, event):
    slug = event(waiting=2)
    place = join(module_stack, browser, slug)
    first = browser.current_window_handle
    browser.switch_to.new_window("tab")
    visit(module_stack, browser, slug)
    assert ahead(browser) == 2
    assert shown(browser, "#leave button") is None
    browser.find("#leave summary").click()
    browser.wait_for("#leave button").click()
    browser.wait_for("section[data-panel=left]")
    browser.switch_to.window(first)
    browser.wait(lambda b: ahead(b) is None, "the other tab to hear of it")
    browser.switch_to.window(browser.window_handles[-1])
    browser.wait_for("section[data-panel=left] button").click()
    browser.wait_for("section[data-panel=waiting]")
    assert shown(browser, "section[data-panel=waiting] .place") != place
    assert ahead(browser) == 3  # nobody moves up because somebody left: numbers are given once
    browser.switch_to.window(first)
    browser.wait(lambda b: ahead(b) == 3, "the other tab to hear of the new place")
    quiet(browser)


def test_after_the_turn_one_may_join_again(module_stack, browser, event):
    slug = event(pace="50/s", turn_seconds=12)
    visit(module_stack, browser, slug)
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("section[data-panel=turn]")
    browser.wait_for("section[data-panel=over]", 30)
    module_stack.onsale("pause", slug, expect=0)
    browser.find("section[data-panel=over] button").click()
    browser.wait_for("section[data-panel=waiting]")
    assert shown(browser, "section[data-panel=waiting] .place").endswith("2")
    quiet(browser)


# What the seller does

def test_an_end_that_was_none_gives_everybody_their_place_back(module_stack, browser, event):
    slug = event(pace="0")
    visit(module_stack, browser, slug)
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("section[data-panel=waiting]")
    module_stack.onsale("close", slug, expect=0)
    browser.wait_for("section[data-panel=closed]")
    # Nobody may be told meanwhile that the turn is over: joining again would cost the place.
    browser.execute_script("""
        window.seen = [];
        new MutationObserver(() => seen.push(document.documentElement.dataset.panel))
            .observe(document.documentElement, {attributeFilter: ['data-panel']});""")
    module_stack.onsale("open", slug, expect=0)
    browser.wait_for("section[data-panel=waiting]", 40)
    assert browser.execute_script("return [...new Set(seen)]") == ["waiting"]
    assert shown(browser, "section[data-panel=waiting] .place").endswith("1")
    quiet(browser)


def test_the_lobby_becomes_the_line(module_stack, browser, event):
    slug = event(state="lobby")
    visit(module_stack, browser, slug)
    browser.wait_text("section[data-panel=join] h2", "The lobby is open")
    browser.find("section[data-panel=join] button").click()
    browser.wait_text("section[data-panel=lobby] .seat", "1")
    module_stack.onsale("open", slug, expect=0)
    browser.wait_text("section[data-panel=waiting] h2", "You are next")
    assert shown(browser, "section[data-panel=waiting] .place").endswith("1")
    quiet(browser)


def test_a_draft_opens_by_itself(module_stack, browser, event):
    opens = datetime.now(timezone.utc) + timedelta(hours=1, minutes=5)
    slug = event(state="draft", opens_at=opens.strftime("%Y-%m-%dT%H:%M:%SZ"))
    visit(module_stack, browser, slug)
    browser.wait_text("section[data-panel=draft] .countdown", "in 1:0")
    assert shown(browser, "section[data-panel=join] button") is None
    module_stack.onsale("open", slug, expect=0)
    # Far from the opening the page looks rarely; coming back to it asks at once.
    browser.offline()
    browser.offline(False)
    browser.wait_for("section[data-panel=join] button")


def test_pause_stop_and_notices_are_told(module_stack, browser, event):
    slug = event(waiting=5)
    join(module_stack, browser, slug)
    module_stack.onsale("say", slug, "Doors open at <b>six</b>.", expect=0)
    browser.wait_text("#notice-text", "Doors open at <b>six</b>.")
    module_stack.onsale("pause", slug, expect=0)
    browser.wait_text("#still-paused", "The line is standing still")
    module_stack.onsale("resume", slug, expect=0)
    browser.wait(lambda b: shown(b, "#still-paused") is None, "the line to go on")
    module_stack.onsale("stop", slug, "--reason", "Fire alarm", expect=0)
    browser.wait_text("#still-stopped", "You keep your place")
    assert ahead(browser) == 5
    module_stack.onsale("start", slug, expect=0)
    browser.wait(lambda b: shown(b, "#still-stopped") is None, "the sale to go on")
    module_stack.onsale("close", slug, expect=0)
    browser.wait_for("section[data-panel=closed]")
    quiet(browser)


def test_joining_goes_on_by_itself_when_it_was_refused_for_now(module_stack, browser, event):
    slug = event()
    visit(module_stack, browser, slug)
    browser.wait_for("section[data-panel=join] button")
    module_stack.onsale("stop", slug, "--reason", "Fire alarm", expect=0)
    # As if it was pressed before the page heard of the stop.
    run(browser, "document.querySelector('section[data-panel=join] form').requestSubmit()")
    browser.wait_text("#problem", "We keep trying")
    module_stack.onsale("start", slug, expect=0)
    browser.wait_for("section[data-panel=waiting]", 40)
    assert shown(browser, "#problem") is None


def test_tiers_show_prices_and_what_is_left(module_stack, browser, event):
    slug = event()
    visit(module_stack, browser, slug)
    assert shown(browser, "[data-tier=floor] .price") == "€45.00"
    assert shown(browser, "[data-tier=floor] .left") == "2,000 left"
    rows = [row.text.split() for row in browser.find_all("[data-tier=stalls] .price-list li")]
    assert rows == [["Adult", "€75.00"], ["Child", "€35.00"]]


def test_a_gate_has_no_tickets(module_stack, browser, event):
    slug = event(pace="50/s", tiers=[])
    visit(module_stack, browser, slug)
    assert shown(browser, ".prices") is None
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_text("section[data-panel=turn] h2", "You are in")
    quiet(browser)


# When something is wrong

def test_a_lost_network_keeps_the_place(module_stack, browser, event):
    slug = event(waiting=40)
    network = Proxy("127.0.0.1", module_stack.rooms[0].port)
    try:
        browser.get(f"https://localhost:{network.port}/e/{slug}")
        browser.wait_for("section[data-panel=join] button").click()
        browser.wait(lambda b: ahead(b) == 40, "40 ahead")
        place = shown(browser, "section[data-panel=waiting] .place")
        network.cut()
        browser.wait_text("#connection", SAFE)
        module_stack.onsale("rate", slug, "20/s", expect=0)
        wait_let_in(module_stack, slug, 10)
        module_stack.onsale("pause", slug, expect=0)
        assert ahead(browser) == 40
        network.mend()
        browser.wait(lambda b: (ahead(b) or 99) <= 30, "the page to catch up", 40)
        browser.wait(lambda b: not shown(b, "#connection"), "the page to say that it is back")
        assert shown(browser, "section[data-panel=waiting] .place") == place
    finally:
        network.close()


def test_no_network_is_said_at_once(module_stack, browser, event):
    slug = event(waiting=1)
    join(module_stack, browser, slug)
    # The stream of before goes on in this browser, and the next that comes by it takes the words back: they are caught as they are said.
    run(browser, """window.said = [];
        new MutationObserver(() => said.push(document.querySelector('#connection').textContent))
            .observe(document.querySelector('#connection'), {childList: true, characterData: true, subtree: true});""")
    browser.offline()
    browser.wait(lambda b: SAFE in run(b, "return window.said"), "the page to say it")
    browser.offline(False)
    browser.wait(lambda b: not shown(b, "#connection"), "the page to say that it is back")


def test_a_phone_that_slept_asks_anew(module_stack, browser, event):
    slug = event(waiting=40)
    place = join(module_stack, browser, slug)
    browser.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "frozen"})
    module_stack.onsale("rate", slug, "20/s", expect=0)
    wait_let_in(module_stack, slug, 10)
    module_stack.onsale("pause", slug, expect=0)
    browser.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "active"})
    browser.wait(lambda b: (ahead(b) or 99) <= 30, "the page to catch up")
    assert shown(browser, "section[data-panel=waiting] .place") == place


def test_the_visitor_s_own_clock_does_not_matter(module_stack, browser, event):
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": """
        const Real = Date, wrong = 5 * 3600 * 1000 + 1234;
        Date = class extends Real {
            constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + wrong); }
            static now() { return Real.now() + wrong; }
        };"""})
    slug = event(pace="50/s")
    visit(module_stack, browser, slug)
    now = datetime.now(timezone.utc).timestamp()
    assert run(browser, "return Date.now() / 1000") > now + 4 * 3600
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_text("#turn-clock", " left")
    minutes, seconds = shown(browser, "#turn-clock").removesuffix(" left").split(":")
    assert 540 < int(minutes) * 60 + int(seconds) <= 600


def test_a_place_that_is_gone_is_told_and_can_be_had_anew(module_stack, browser, event):
    slug = event(waiting=1)
    join(module_stack, browser, slug)
    browser.delete_all_cookies()
    browser.offline()
    browser.wait_text("#connection", SAFE)
    browser.offline(False)
    browser.wait_text("#problem", "does not have your place any more")
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait(lambda b: ahead(b) == 2, "a new place")
    assert shown(browser, "#problem") is None


def test_a_damaged_cookie_is_told_and_removed(module_stack, browser, event):
    slug = event()
    join(module_stack, browser, slug)
    name = f"__Host-onsale-{slug}"
    token = browser.get_cookie(name)["value"]
    browser.execute_cdp_cmd("Network.setCookie", {"name": name, "value": token[:-6], "url": address(module_stack, slug),
                                                  "secure": True, "httpOnly": True, "path": "/", "sameSite": "Lax"})
    visit(module_stack, browser, slug)
    assert "not valid" in browser.wait_for("#problem").text
    browser.wait_for("section[data-panel=join] button").click()
    browser.wait_for("section[data-panel=waiting]")
    assert shown(browser, "section[data-panel=waiting] .place").endswith("2")


# Without JavaScript, on narrow windows, in the dark

def test_without_javascript_one_joins_waits_and_leaves_by_forms(module_stack, browser_factory, event):
    slug = event(waiting=7)
    plain = browser_factory(javascript=False)
    visit(module_stack, plain, slug)
    assert plain.find("h1").text == "Gala"
    plain.find("section[data-panel=join] button").click()
    plain.wait(lambda b: ahead(b) == 7, "7 ahead")
    assert plain.current_url == address(module_stack, slug)
    assert plain.find("section[data-panel=waiting] .place").text.endswith("8")
    assert plain.title == "7 ahead · Gala"
    assert 'http-equiv="refresh"' in plain.page_source
    assert not any(canvas.is_displayed() for canvas in plain.find_all("canvas"))
    plain.find("#leave summary").click()
    plain.find("#leave button").click()
    plain.wait(lambda b: shown(b, "section[data-panel=left] h2") == "You have left the line", "to have left")
    plain.find("section[data-panel=left] button").click()
    plain.wait(lambda b: (shown(b, "section[data-panel=waiting] .place") or "").endswith("9"), "a new place")


def test_every_state_fits_320_pixels(module_stack, phone, event):
    stack = module_stack
    slug = event(state="draft",
                 name="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsball",
                 venue="Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch")

    def fits(panel):
        phone.wait_for(f"section[data-panel={panel}]")
        assert not phone.scrolls_sideways(), f"{panel} is wider than the window"

    visit(stack, phone, slug)
    fits("draft")
    stack.onsale("lobby", slug, expect=0)
    phone.refresh()
    fits("join")
    phone.find("section[data-panel=join] button").click()
    fits("lobby")
    stack.onsale("open", slug, expect=0)
    fits("waiting")
    # A long line, as the page is told of it: a million places are not joined here.
    run(phone, """document.querySelector('#ahead').textContent = '1,234,567';
                  document.querySelector('.ahead').hidden = false;
                  document.querySelector('.ahead').classList.add('long');""")
    fits("waiting")
    stack.onsale("say", slug, "https://example.org/" + "a-very-long-address-" * 6, expect=0)
    phone.wait_text("#notice-text", "example.org")
    fits("waiting")
    stack.onsale("rate", slug, "10/s", expect=0)
    fits("turn")
    stack.onsale("stop", slug, "--reason", "x", expect=0)
    phone.wait_for("#turn-still")
    fits("turn")
    stack.onsale("start", slug, expect=0)
    phone.wait(lambda b: shown(b, "#turn-still") is None, "the sale to go on")
    phone.find("#leave summary").click()
    phone.wait_for("#leave button").click()
    fits("left")
    stack.onsale("close", slug, expect=0)
    phone.refresh()
    fits("closed")
    quiet(phone)


CONTRASTS = """
    const channels = text => text.match(/[\\d.]+/g).map(Number);
    const linear = c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => [r, g, b].map(c => linear(c / 255))
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const colour = channels(getComputedStyle(e).backgroundColor);
            if (colour.length === 3 || colour[3] > 0.99) return colour;
        }
        return channels(getComputedStyle(document.documentElement).backgroundColor);
    };
    const poor = [];
    for (const element of document.querySelectorAll('body *')) {
        const hasText = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
        if (!hasText || !element.checkVisibility() || element.closest('.skip, .heard, noscript')) continue;
        const a = light(channels(getComputedStyle(element).color)), b = light(behind(element));
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) poor.push(`${element.tagName} ${element.className} ${element.textContent.trim()} ${ratio}`);
    }
    return poor;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(module_stack, browser, event, scheme):
    slug = event(waiting=5)
    prefer(browser, "prefers-color-scheme", scheme)
    module_stack.onsale("say", slug, "Doors open at six.", expect=0)
    visit(module_stack, browser, slug)
    browser.wait_for("#notice-text")
    assert run(browser, CONTRASTS) == []
    browser.find("section[data-panel=join] button").click()
    browser.wait_for("section[data-panel=waiting]")
    browser.find("#leave summary").click()
    module_stack.onsale("pause", slug, expect=0)
    browser.wait_for("#still-paused")
    assert run(browser, CONTRASTS) == []
    module_stack.onsale("resume", slug, expect=0)
    module_stack.onsale("rate", slug, "50/s", expect=0)
    browser.wait_for("#turn-clock")
    assert run(browser, CONTRASTS) == []


def test_who_wants_calm_gets_no_motion(module_stack, browser, event):
    slug = event(waiting=20)
    prefer(browser, "prefers-reduced-motion", "reduce")
    visit(module_stack, browser, slug)
    run(browser, "window.frames_asked = 0; const real = requestAnimationFrame;"
                 "window.requestAnimationFrame = call => { window.frames_asked++; return real(call); }")
    browser.find("section[data-panel=join] button").click()
    browser.wait(lambda b: ahead(b) == 20, "20 ahead")
    module_stack.onsale("rate", slug, "10/s", expect=0)
    browser.wait(lambda b: (ahead(b) or 99) <= 10, "the line to move")
    assert run(browser, "return window.frames_asked") == 0


# The script's own rules

def rules(browser, code, module="onsale.js"):
    """Runs code with a module of the page's script as `page`."""
    result = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        f"import('/assets/{module}').then(page => {{ {code} }})"
        ".then(value => done({value}), error => done({error: String(error)}))")
    assert "error" not in result, result
    return result["value"]


def test_the_script_says_what_the_page_says(module_stack, browser, event):
    """The same cases as in tests/unit/test_page_render.c."""
    visit(module_stack, browser, event())
    cases = {
        (0, 0): "Less than a minute.", (20, 60): "Less than a minute.", (20, 61): "Less than 2 minutes.",
        (60, 60): "Less than a minute.", (60, 110): "About 1 to 2 minutes.", (240, 240): "About 4 minutes.",
        (250, 330): "About 4 to 6 minutes.", (3000, 3540): "About 50 to 59 minutes.",
        (3000, 3600): "About 50 minutes to 1 hour.", (3660, 4000): "About 1 hour 1 minute to 1 hour 7 minutes.",
        (7000, 7300): "About 1 hour 56 minutes to 2 hours 15 minutes.", (8000, 10000): "About 2 hours to 3 hours.",
        (86399, 172799): "About 23 hours 45 minutes to 48 hours.", (86400, 90000): "More than a day.",
        (7500, 172800): "More than 2 hours.", (3599, 172800): "How long it will take cannot be said yet.",
        (61, 60): "How long it will take cannot be said yet.",
    }
    said = rules(browser, f"return {json.dumps(list(cases))}.map(page.waitText)")
    assert dict(zip(cases, said, strict=True)) == cases
    assert rules(browser, "return page.waitText(null)") == "How long it will take cannot be said yet."
    panels = {("draft", None): "draft", ("open", None): "join", ("lobby", None): "join", ("stopped", None): "stopped",
              ("stopped", "waiting"): "waiting", ("closed", "waiting"): "closed", ("sold_out", "turn"): "sold_out",
              ("open", "turn"): "turn", ("open", "over"): "over", ("closed", "left"): "closed"}
    said = rules(browser, f"return {json.dumps(list(panels))}.map(([state, line]) => page.panelOf(state, line, false))")
    assert dict(zip(panels, said, strict=True)) == panels
    assert rules(browser, "return page.panelOf('closed', 'turn', true)") == "turn"


def test_the_script_reads_streams_and_waits_with_growing_delays(module_stack, browser, event):
    visit(module_stack, browser, event())
    assert rules(browser, "return [page.aheadOf(10, 3), page.aheadOf(4, 3), page.aheadOf(3, 9)]") == [6, 0, 0]
    assert rules(browser, "return [page.waitOf(1, [60, 90]), page.waitOf(0, [10, 10]), page.waitOf(5, null)]") \
        == [[120, 180], [10, 10], None]
    # However the bytes are cut, the frames are the same; comments and what is no JSON do nothing.
    assert rules(browser, r"""
        const text = ': hello\nretry: 1500\n\nevent: served\nid: 7\ndata: {"served":\ndata: 5}\n\n' +
            'event: line\r\ndata: {"line":"turn"}\r\n\r\nevent: x\ndata: no json\n\nevent: y\n\ndata: 1\n\ndata: {"cut": tru';
        const results = [1, 2, 7, 1000].map(size => {
            const frames = [];
            const read = page.frameReader((...frame) => frames.push(frame), ms => frames.push(ms));
            for (let i = 0; i < text.length; i += size) read(text.slice(i, i + size));
            return JSON.stringify(frames);
        });
        return [...new Set(results)];""", "network.js") == ['[1500,["served",{"served":5}],["line",{"line":"turn"}],["message",1]]']
    assert rules(browser, "return [page.retryDelay(1, 0, 0), page.retryDelay(1, 0, 1), page.retryDelay(3, 0, .5),"
                          "page.retryDelay(99, 0, .5), page.retryDelay(1, 20, 0), page.retryDelay(1, 20, 1)]", "network.js") \
        == [750, 2250, 6000, 30000, 20000, 25000]
    # The truest time is that which was told least late; a clock that was set back is believed.
    assert rules(browser, """
        const clock = new page.ServerClock(), at = seconds => new Date(1e12 + seconds * 1000).toISOString();
        const now = [clock.now(0)];
        clock.hear(at(10), 1000); now.push(clock.now(2000) - 1e12);
        clock.hear(at(10.5), 2000); now.push(clock.now(2000) - 1e12);
        clock.hear(at(13), 2000); now.push(clock.now(2000) - 1e12);
        clock.hear('nonsense', 2000); now.push(clock.now(2000) - 1e12);
        clock.hear(at(3), 2000); now.push(clock.now(2000) - 1e12);
        return now;""") == [None, 11000, 11000, 13000, 13000, 3000]
    assert rules(browser, "return ['600/min', '1/s', 'auto:5000/h', 'auto', '0', undefined].map(page.paceText)") \
        == ["600 a minute", "1 a second", "up to 5,000 an hour", None, "nobody at the moment", None]
    assert rules(browser, "return [59.2, 60, 3599, 3600, -5].map(page.clockText)") \
        == ["1:00", "1:00", "59:59", "1:00:00", "0:00"]


def test_the_page_is_served_with_a_strict_policy(module_stack, event):
    slug = event()
    client = module_stack.client()
    answer = client.get(f"/e/{slug}")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for path, kind in (("onsale.js", "text/javascript"), ("onsale.css", "text/css"), ("icon.svg", "image/svg+xml")):
        assert f"/assets/{path}" in answer.text
        assert client.get(f"/assets/{path}").headers["content-type"].startswith(kind)
