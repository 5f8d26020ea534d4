# SPDX-License-Identifier: Apache-2.0
"""A stack that is paid through the sandbox bank: that the two meet, and that the comparison of their books finds what is wrong."""

import pytest
from processes import wait_until

from harness.bank import assert_ledger_agrees, ledger_disagreements, wait_ledger_agrees
from harness.orders import url
from harness.stack import PATIENCE

FLOOR = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 20}]


def order(stack, client, method, slug="gala", quantity=1):
    """Somebody joins and orders; returns them."""
    client.cookies.clear()
    visitor = stack.join(slug, client=client)
    client.cookies.clear()
    answer = client.put(url(slug), headers=visitor.headers, json={
        "tier": "floor", "quantity": quantity, "email": f"v{visitor.place}@example.org", "payment_method": method})
    assert answer.status_code == 202, answer.text
    return visitor


def state(client, visitor, slug="gala"):
    return client.get(url(slug), headers=visitor.headers).json()["state"]


def wait_state(client, visitor, wanted, seconds=20):
    wait_until(lambda: state(client, visitor) == wanted, f"place {visitor.place} to be {wanted}", seconds * PATIENCE)


def test_paid_and_told(paying_stack):
    """Money, the challenge's way there and back, and webhooks that a waiting room takes."""
    stack, bank = paying_stack, paying_stack.bank
    stack.event("gala", tiers=FLOOR)
    client = stack.client()
    payer, asked = order(stack, client, "pm_card_visa", quantity=2), order(stack, client, "pm_sandbox_challenge")
    wait_state(client, payer, "confirmed")
    wait_state(client, asked, "action_required")
    page = client.get(url("gala"), headers=asked.headers).json()["action_url"]
    back = bank.client.post(page, data={"answer": "yes"}).headers["location"]
    assert back.startswith(f"https://localhost:{stack.rooms[0].port}/e/gala?payment_intent=pi_")
    assert client.get(back).status_code == 200
    wait_state(client, asked, "confirmed")
    wait_ledger_agrees(stack, "gala")
    assert bank.ledger()["totals"]["captured"] == 3 * 4500
    wait_until(lambda: all(event["state"] == "delivered" for event in bank.events()["events"]), "the webhooks to be taken", 20 * PATIENCE)
    told = stack.sql("SELECT COUNT(*) FROM provider_events")[0][0]
    assert told == len(bank.events()["events"]) >= 5
    # The same port after a fall, so that the bank finds it.
    stack.rooms[0].kill()
    stack.rooms[0].start().wait_ready()
    assert stack.rooms[0].port == stack.room_port and bank.resend(bank.events()["events"][0]["id"]) == 200
    assert stack.sql("SELECT COUNT(*) FROM provider_events")[0][0] == told


def test_a_bank_that_falls_and_comes_back(paying_stack):
    stack, bank = paying_stack, paying_stack.bank
    stack.event("gala", tiers=FLOOR)
    client = stack.client()
    bank.behave(call="confirm", die="after_executing")
    payer = order(stack, client, "pm_card_visa")
    bank.wait_dead().start()
    wait_state(client, payer, "confirmed", 30)
    wait_ledger_agrees(stack, "gala")
    assert set(bank.ledger()["confirms"].values()) == {1}


@pytest.fixture
def settled(paying_stack):
    """One who paid, one who was declined; the books agree."""
    stack = paying_stack
    stack.event("gala", tiers=FLOOR)
    client = stack.client()
    payer, declined = order(stack, client, "pm_card_visa"), order(stack, client, "pm_card_chargeDeclined")
    wait_state(client, payer, "confirmed")
    wait_state(client, declined, "declined")
    wait_ledger_agrees(stack, "gala")
    stack.payer, stack.declined = payer, declined
    # What is told of the coming tricks would be acted on.
    stack.bank.webhooks(on=False)
    return stack


def only_wrong(stack, words, **options):
    (line,) = ledger_disagreements(stack, "gala", **options)
    assert words in line, line
    with pytest.raises(AssertionError, match="disagree"):
        assert_ledger_agrees(stack, "gala", **options)


def intent_of(stack, visitor):
    return stack.sql("SELECT intent FROM payments WHERE place = %s ORDER BY number DESC LIMIT 1", visitor.place)[0][0]


def test_money_of_nobody_is_found(settled):
    settled.bank.call("POST", "/v1/payment_intents", amount=4500, currency="eur", payment_method_types=["card"])
    only_wrong(settled, "an intent of nobody")


def test_a_refund_behind_our_back_is_found(settled):
    settled.bank.call("POST", "/v1/refunds", payment_intent=intent_of(settled, settled.payer))
    only_wrong(settled, "paid 0 times, not once")


def test_a_second_intent_of_one_payment_is_found(settled):
    metadata = {"onsale_event": "gala", "onsale_place": settled.payer.place, "onsale_attempt": 1, "onsale_number": 1}
    made = settled.bank.call("POST", "/v1/payment_intents", amount=4500, currency="eur", capture_method="manual", metadata=metadata,
                             payment_method="pm_card_visa", payment_method_types=["card"]).json()
    # Nobody pays by what was never confirmed: an answer to the creation may have been lost.
    assert_ledger_agrees(settled, "gala")
    settled.bank.call("POST", f"/v1/payment_intents/{made['id']}/confirm")
    only_wrong(settled, "does not know, with money or confirmed")


def test_money_kept_from_who_has_no_ticket_is_found(settled):
    intent = intent_of(settled, settled.declined)
    settled.bank.call("POST", f"/v1/payment_intents/{intent}/confirm", payment_method="pm_card_visa")
    only_wrong(settled, "keeps money of who has no ticket")
    # That its payment is at an end makes it wrong while others are under way, too.
    only_wrong(settled, "keeps money of who has no ticket", settled=False)


def test_another_amount_and_a_ticket_for_nothing_are_found(settled):
    settled.sql("UPDATE bookings SET amount = 4501 WHERE place = %s", settled.payer.place)
    only_wrong(settled, "not what the bank took")
    settled.sql("UPDATE bookings SET amount = 4500 WHERE place = %s", settled.payer.place)
    assert_ledger_agrees(settled, "gala")
    settled.sql("UPDATE bookings SET state = 'confirmed', pay_until = NULL WHERE place = %s", settled.declined.place)
    only_wrong(settled, "paid 0 times, not once")


def test_a_bank_behind_tls(stack_factory, certificate):
    stack = stack_factory(bank={"tls": certificate}).start(workers=1, notifiers=1)
    stack.event("gala", tiers=FLOOR)
    client = stack.client()
    payer = order(stack, client, "pm_card_visa")
    wait_state(client, payer, "confirmed")
    wait_ledger_agrees(stack, "gala")
