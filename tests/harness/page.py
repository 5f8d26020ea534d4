# SPDX-License-Identifier: Apache-2.0
"""What the tests of the page ask the browser for again and again."""

import json
import uuid

import pika

PLACES = ("held", "paying", "action_required", "declined", "confirmed")
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


class Worker:
    """Writes what became of an order as a booking worker would, and tells it as a notifier would."""

    def __init__(self, stack):
        amqp = stack.backends.amqp
        url = f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"
        self.stack, self.connection = stack, pika.BlockingConnection(pika.URLParameters(url))
        self.channel, self.sender, self.seq = self.connection.channel(), uuid.uuid4().hex, 0

    def book(self, slug, state, place=1, pay_seconds=None, seats=(), gone=(), reason=None, reference="K7QM-4WDP", more_time=0,
             action_url=None, refund=None):
        (event,), = self.stack.sql("SELECT id FROM events WHERE slug = %s", slug)
        self.stack.sql("UPDATE orders SET state = 'released', published = 1 WHERE event_id = %s AND place = %s", event, place)
        quantity, amount, choices, revision, attempt = self.stack.sql(
            "SELECT o.quantity, o.amount, choices, GREATEST(o.revision, COALESCE(b.revision, 0)), o.attempt FROM orders o"
            " LEFT JOIN bookings b USING (event_id, place, attempt) WHERE o.event_id = %s AND place = %s ORDER BY attempt DESC LIMIT 1",
            event, place)[0]
        quantity, amount = int(quantity), int(amount)
        choice, gives = json.loads(choices)[0], state in PLACES or refund is not None
        standby = choice["tier"] if state == "standby" else None
        self.stack.sql(
            "REPLACE INTO bookings (event_id, place, attempt, state, reason, revision, tier, quantity, amount, currency, customer,"
            " reference, seats, gone, pay_until, more_time, action_url, refund, standby_tier, standby_quantity, created_at, changed_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'EUR', REPEAT('x', 16), %s, %s, %s, UTC_TIMESTAMP(6) + INTERVAL %s SECOND, %s, %s, %s, %s, %s,"
            " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", event, place, attempt, state, reason, revision + 1, choice["tier"] if gives else None,
            quantity if gives else 0, amount if gives else 0, reference if gives else None, json.dumps(seats) if seats else None,
            json.dumps(gone) if gone else None, pay_seconds, more_time, action_url, refund, standby, quantity if standby else 0)
        visitor, until = self.stack.sql(
            "SELECT visitor, CAST(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', pay_until) AS SIGNED) FROM arrivals a JOIN bookings b"
            " ON b.event_id = a.event_id AND place = number WHERE a.event_id = %s AND number = %s", event, place)[0]
        told = {"place": place, "attempt": attempt, "revision": int(revision) + 1, "visitor": visitor.hex(), "state": state}
        until = int(until) if until else None
        told |= {key: value for key, value in (("reason", reason), ("gone", list(gone)), ("pay_until_us", until),
                                             ("action_url", action_url), ("refund", refund)) if value}
        if gives:
            told |= {"reference": reference, "tier": choice["tier"], "tickets": choice["tickets"], "quantity": quantity, "amount": amount}
            told |= {"seats": list(seats)} if seats else {}
        self.seq += 1
        body = {"v": 1, "type": "outcomes", "slug": slug, "currency": "EUR", "sender": self.sender, "seq": self.seq, "outcomes": [told]}
        self.channel.basic_publish("onsale.feed", "", json.dumps(body).encode(),
                                   pika.BasicProperties(content_type="application/json", type="outcomes"))
