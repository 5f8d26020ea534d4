# SPDX-License-Identifier: Apache-2.0
"""What the tests of the page ask the browser for again and again."""

MAIL = "ada.lovelace@example.org"


def address(stack, slug):
    return f"https://localhost:{stack.rooms[0].port}/e/{slug}"


def run(browser, code, *arguments):
    return browser.execute_script(code, *arguments)


def shown(browser, selector):
    """The visible text, or None. One question to the browser, so that no element goes stale in between."""
    return run(browser, """
        const element = [...document.querySelectorAll(arguments[0])].find(each => each.checkVisibility());
        return element ? element.innerText.trim() : null;""", selector)


def settle(browser, selector, text):
    browser.wait(lambda b: text in (shown(b, selector) or ""), f"{text!r} in {selector}")


def outcome(browser, name):
    """Waits until the outcome is the one that is shown, and returns what is read there."""
    browser.wait(lambda b: run(b, """return [...document.querySelectorAll('.outcome')].filter(e => e.checkVisibility())
                                            .map(e => e.dataset.outcome).join()""") == name, f"the outcome {name}")
    return shown(browser, f".outcome[data-outcome={name}]")


def quiet(browser, *expected):
    """Nothing was said to the console but what is named."""
    told = [message for message in browser.console() if "valid SSL certificate" not in message]
    assert [message for message in told if not any(words in message for words in expected)] == []
