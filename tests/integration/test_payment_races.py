# SPDX-License-Identifier: Apache-2.0
"""Visitors who pay, give up and answer their bank at the same moment as something else happens to their booking. Whoever wins, the bank's
ledger and the bookings agree in the end, and everybody was told what is so."""

import threading
from datetime import datetime, timedelta, timezone

import pytest
from harness.bank import wait_ledger_agrees
from harness.bare import bare_client
from harness.orders import in_event, url, wait_state
from harness.stack import PATIENCE
from processes import wait_until

PEOPLE = 10


@pytest.fixture(scope="module")
def shop(module_stack_factory):
    return module_stack_factory(bank=True).start(rooms=2, workers=1, notifiers=1)


def few(shop, slug, **changes):
    tiers = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 1000}]
    shop.event(slug, **({"pace": "100/s", "tiers": tiers} | changes))
    wait_state(shop, slug, "open")


class Visitor:
    def __init__(self, shop, slug, number, method=None):
        # A connection each for what happens at once: the streams that two threads open on one may reach the server in the wrong sequence,
        # which ends the connection (RFC 9113, 5.1.1).
        self.slug, self.client, self.other_tab = slug, bare_client(shop, number % 2), bare_client(shop, (number + 1) % 2)
        self.visitor = shop.join(slug)
        self.place, self.headers = self.visitor.place, self.visitor.headers
        self.stream = shop.pool((number + 1) % 2).event_stream(slug, self.visitor)
        body = {"tier": "floor", "quantity": 2, "email": f"{slug}-{self.place}@example.org"}
        answer = self.client.put(url(slug), headers=self.headers, json=body | ({"payment_method": method} if method else {}))
        assert answer.status_code == 202, answer.text

    def wait(self, *states):
        return self.stream.wait("order", lambda order: order["state"] in states, 15 * PATIENCE).data

    def pay(self, method="pm_card_visa"):
        return self.client.post(f"/v1/events/{self.slug}/payment", headers=self.headers, json={"payment_method": method})

    def give_back(self):
        return self.other_tab.delete(url(self.slug), headers=self.headers)


def at_once(*doings):
    """Runs each in a thread of its own, all let go together."""
    start = threading.Barrier(len(doings))
    results = [None] * len(doings)

    def run(number, doing):
        start.wait()
        results[number] = doing()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(doings)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def assert_settled(shop, slug):
    wait_ledger_agrees(shop, slug)
    wait_until(lambda: in_event(shop, "freeings", slug, "COUNT(*)") == ((0,),), "everything to be freed", 15 * PATIENCE)
    assert shop.onsale_json("audit", slug)["ok"]


def test_giving_up_while_the_bank_is_answered(shop):
    few(shop, "gives-up")
    people = [Visitor(shop, "gives-up", number, "pm_sandbox_challenge") for number in range(PEOPLE)]
    ends = {}
    for number, one in enumerate(people):
        asked = one.wait("action_required")
        # Now the one is ahead, now the other.
        back, _ = at_once(one.give_back, lambda asked=asked, number=number: shop.bank.answer_challenge(asked["action_url"], yes=number % 3 > 0))
        if back.status_code == 200:
            assert back.json()["state"] == "cancelled"
            ends[one] = "cancelled"
        else:
            assert back.json()["type"] in ("/problems/released", "/problems/confirmed", "/problems/ended"), back.text
            ends[one] = "confirmed" if number % 3 else "declined"
    for one, end in ends.items():
        one.wait(end)
    assert_settled(shop, "gives-up")
    states = dict(in_event(shop, "bookings", "gives-up", "place, state"))
    assert {one.place: end for one, end in ends.items()} == states


def test_paying_and_giving_back_at_once(shop):
    few(shop, "both")
    people = [Visitor(shop, "both", number) for number in range(PEOPLE)]
    for one in people:
        one.wait("held")
        paid, back = at_once(one.pay, one.give_back)
        assert sorted((paid.status_code, back.status_code)) in ([200, 409], [202, 409]), (paid.text, back.text)
        one.wait("confirmed" if paid.status_code == 202 else "cancelled")
    assert_settled(shop, "both")


def test_two_tabs_are_charged_once(shop):
    few(shop, "tabs")
    people = [Visitor(shop, "tabs", number) for number in range(PEOPLE)]
    for one in people:
        one.wait("held")
        other = bare_client(shop, one.place % 2)
        given = at_once(one.pay, lambda one=one, other=other: other.post("/v1/events/tabs/payment", headers=one.headers,
                                                                       json={"payment_method": "pm_card_mastercard"}))
        assert sorted(answer.status_code for answer in given) == [202, 409]
        one.wait("confirmed")
    assert in_event(shop, "payments", "tabs", "COUNT(*), MAX(number)") == ((PEOPLE, 1),)
    assert len([intent for intent in shop.bank.intents() if intent["metadata"].get("onsale_event") == "tabs"]) == PEOPLE
    assert_settled(shop, "tabs")


def test_paying_around_the_end_of_the_hold(shop):
    """Who was told 202 is charged and has tickets, however late; who was not is not."""
    leads = [60, 30, 15, 8, 4, 0, -4, -1000]  # milliseconds before the end
    few(shop, "edge", hold_seconds=3 * PATIENCE)
    people = [Visitor(shop, "edge", number) for number in range(len(leads))]
    ends = [datetime.fromisoformat(one.wait("held")["pay_until"].replace("Z", "+00:00")) for one in people]
    answers = [None] * len(leads)

    def pay(number):
        begin = ends[number] - timedelta(milliseconds=leads[number])
        wait_until(lambda: datetime.now(timezone.utc) >= begin, "the hold to be nearly over", 10 * PATIENCE, pause=0.001)
        answers[number] = people[number].pay()

    threads = [threading.Thread(target=pay, args=(number,)) for number in range(len(leads))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, answer in zip(people, answers):
        if answer.status_code == 202:
            one.wait("confirmed")
        else:
            assert answer.json()["type"] in ("/problems/hold-over", "/problems/no-hold"), answer.text
            one.wait("expired")
    assert answers[-1].status_code == 409
    assert_settled(shop, "edge")


def test_a_decline_leaves_the_hold_for_five_tries(shop):
    few(shop, "tries")
    one = Visitor(shop, "tries", 0)
    until = one.wait("held")["pay_until"]
    for number in range(1, 6):
        assert one.pay("pm_card_chargeDeclined").status_code == 202
        declined = one.stream.wait("order", lambda order, number=number: order["state"] == "declined"
                                   and order["revision"] >= 3 + 2 * number, 10 * PATIENCE).data
        assert (declined["reason"], declined["pay_until"]) == ("card_declined", until)
        wait_until(lambda number=number: in_event(shop, "payments", "tries", "MAX(number), SUM(state = 'declined')")
                   == ((number, number),), "the payment to have ended", 10 * PATIENCE)
    refused = one.pay()
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/too-many-tries")
    assert one.give_back().json()["state"] == "cancelled"
    assert_settled(shop, "tries")
