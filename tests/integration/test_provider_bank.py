# SPDX-License-Identifier: Apache-2.0
"""The payment provider's client and the sandbox bank understand each other: every call, and what is made of every way to misbehave.

One side is tested against hostile servers (test_provider.py), the other with Stripe's rules (test_bank.py); here neither is replaced.
"""

import itertools
import time
from urllib.parse import urlsplit

import pytest
from harness.asker import Asker
from harness.bank import Bank
from harness.stack import PATIENCE

pytestmark = pytest.mark.quick

PAGE = "https://tickets.example/e/gala"
keys = (f"key-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    bank = Bank(tmp_path_factory.mktemp("bank"), slow_seconds=0.3, settle_seconds=0.3)
    bank.start()
    yield bank
    bank.stop()


@pytest.fixture
def client(bank, tmp_path):
    client = Asker(tmp_path, bank.base_url, seconds=2 * PATIENCE, secret=bank.key)
    yield client
    client.close()
    bank.clear()


def create(client, method="pm_card_visa", place=7, key=None, amount=4500):
    return client.ask(f"call=create key={key or next(keys)} slug=gala reference=K7QM-4WDP place={place} attempt=2 number=3 amount={amount}"
                      f" currency=EUR method={method}")


def created(client, *arguments, **more):
    said = create(client, *arguments, **more)
    assert (said["result"], said["intent"]["status"]) == ("done", "unconfirmed"), said
    return said["intent"]["id"]


def act(client, call, intent, key=None):
    return client.ask(f"call={call} intent={intent} key={key or next(keys)}" + (f" return_url={PAGE}" if call == "confirm" else ""))


def ask(client, intent):
    said = client.ask(f"call=ask intent={intent}")
    assert said["result"] == "done", said
    return said["intent"]


def test_the_whole_way_and_back(client, bank):
    intent = created(client)
    assert act(client, "confirm", intent)["intent"]["status"] == "authorised"
    said = act(client, "capture", intent)["intent"]
    assert (said["status"], said["amount"], said["captured_amount"], said["currency"]) == ("captured", 4500, 4500, "EUR")
    assert (said["slug"], said["place"], said["attempt"], said["number"]) == ("gala", 7, 2, 3)
    assert ask(client, intent)["refunded_amount"] == 0
    back = act(client, "refund", intent)
    assert (back["result"], back["intent"]["id"], back["intent"]["refunded_amount"]) == ("done", intent, 4500) and back["refund"]
    assert ask(client, intent)["refunded_amount"] == 4500
    (booked,) = [each for each in bank.ledger()["intents"] if each["id"] == intent]
    assert (booked["captured"], booked["refunded"]) == (4500, 4500)


def test_let_go_before_and_after_the_confirmation(client):
    for confirmed in (False, True):
        intent = created(client)
        if confirmed:
            act(client, "confirm", intent)
        assert act(client, "cancel", intent)["intent"]["status"] == "cancelled"
        assert ask(client, intent)["status"] == "cancelled"
        again = act(client, "capture", intent)
        assert (again["result"], again["code"], again["intent"]["status"]) == ("refused", "payment_intent_unexpected_state", "cancelled")


@pytest.mark.parametrize("method, reason", [
    ("pm_card_chargeDeclined", "card_declined"), ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card"),
])
def test_declined(client, method, reason):
    intent = created(client, method)
    said = act(client, "confirm", intent)
    assert (said["result"], said["reason"], said["http_status"], said["intent"]["status"]) == ("declined", reason, 402, "failed")
    now = ask(client, intent)
    assert (now["status"], now["reason"]) == ("failed", reason)


@pytest.mark.parametrize("yes, status", [(True, "authorised"), (False, "failed")])
def test_the_bank_asks(client, bank, yes, status):
    intent = created(client, "pm_sandbox_challenge")
    said = act(client, "confirm", intent)
    assert (said["result"], said["intent"]["status"]) == ("done", "action_required")
    assert urlsplit(said["intent"]["action_url"]).port == bank.port
    assert bank.answer_challenge(said["intent"]["action_url"], yes=yes)
    now = ask(client, intent)
    assert (now["status"], now["reason"]) == (status, "" if yes else "authentication_failed")


def test_no_such_method_and_no_such_intent(client):
    assert create(client, "pm_nobody_knows")["result"] == "refused"
    assert create(client, "x")["result"] == "refused"
    said = client.ask("call=ask intent=pi_nobody_knows")
    assert (said["result"], said["code"]) == ("refused", "resource_missing")


def test_a_key_is_answered_once(client):
    first = create(client, key="again")
    second = create(client, key="again")
    assert (first["is_replayed"], second["is_replayed"]) == (False, True)
    assert first["intent"] == second["intent"]
    other = create(client, key="again", amount=4501)
    assert (other["result"], other["code"], other["is_key_spent"]) == ("refused", "idempotency_error", True)


def test_an_error_is_kept_under_its_key(client):
    intent = created(client, "pm_sandbox_error")
    first, second = act(client, "confirm", intent, key="spent-0"), act(client, "confirm", intent, key="spent-0")
    for said in (first, second):
        assert (said["result"], said["http_status"], said["is_key_spent"]) == ("unknown", 500, True)
    assert (first["is_replayed"], second["is_replayed"]) == (False, True)
    assert ask(client, intent)["status"] == "unconfirmed"
    assert act(client, "confirm", intent, key="spent-1")["intent"]["status"] == "authorised"


def test_later(client, bank):
    intent = created(client, "pm_sandbox_late_yes")
    assert act(client, "confirm", intent)["intent"]["status"] == "processing"
    end = time.monotonic() + 10 * PATIENCE
    while (status := ask(client, intent)["status"]) == "processing" and time.monotonic() < end:
        time.sleep(0.05)
    assert status == "authorised"


def test_a_card_that_is_left_pays(client, bank):
    page = client.ask(f"call=card_page key={next(keys)} slug=gala place=7 number=1 currency=EUR return_url={PAGE}")
    assert (page["result"], page["card"]["state"], urlsplit(page["card"]["url"]).port) == ("done", "open", bank.port)
    look = f"call=card_ask session={page['card']['session']}"
    assert client.ask(look)["card"]["state"] == "open"
    assert bank.leave_card(page["card"]["url"], "visa")
    card = client.ask(look)["card"]
    assert (card["state"], card["label"]) == ("kept", "visa 4242")
    said = client.ask(f"call=create key={next(keys)} slug=gala reference=R place=7 attempt=1 number=1 amount=100 currency=EUR"
                      f" method={card['payment_method']} customer={card['customer']}")
    assert act(client, "confirm", said["intent"]["id"])["intent"]["status"] == "authorised"


def test_the_list_is_whole(client, bank):
    mine = [created(client, place=1000 + number) for number in range(60)]
    seen, after, pages = [], None, 0
    while True:
        said = client.ask("call=list since=0" + (f" after={after}" if after else ""))
        assert said["result"] == "done"
        seen += said["intents"]
        pages += 1
        if not said["has_more"]:
            break
        after = said["intents"][-1]["id"]
    assert pages >= 2
    assert {each["id"] for each in seen} == {each["id"] for each in bank.ledger()["intents"]}
    assert [each["id"] for each in seen if each["place"] >= 1000] == mine[::-1]
    assert client.ask(f"call=list since={int(time.time()) + 3600}")["intents"] == []


@pytest.mark.parametrize("do, result", [
    ("silence", "unknown"), ("cut", "unknown"), ("garbage", "unknown"), ("empty", "unknown"), ("other_shape", "unknown"),
    ("huge", "unknown"), ("redirect", "unknown"), ("error_inside", "unknown"), ("error_500", "unknown"), ("wrong_id", "unknown"),
    ("busy_429", "busy"), ("denied_401", "denied"),
])
def test_every_way_to_misbehave(client, bank, do, result):
    """Whatever was said: the next look tells what was done, and the ledger has it as well."""
    intent = created(client)
    bank.behave(call="confirm", do=do)
    said = act(client, "confirm", intent)
    assert said["result"] == result, said
    now = ask(client, intent)["status"]
    (booked,) = [each for each in bank.ledger()["intents"] if each["id"] == intent]
    assert {"requires_capture": "authorised", "requires_confirmation": "unconfirmed"}[booked["status"]] == now
    if result in ("busy", "denied"):
        assert now == "unconfirmed"


@pytest.mark.parametrize("do, amount, currency", [("wrong_amount", 4501, "EUR"), ("wrong_currency", 4500, None)])
def test_other_amounts_are_told_as_they_are(client, bank, do, amount, currency):
    intent = created(client)
    bank.behave(call="confirm", do=do)
    said = act(client, "confirm", intent)["intent"]
    assert said["amount"] == amount and (said["currency"] == "EUR") == (currency == "EUR")


@pytest.mark.parametrize("moment, status", [("before", "unconfirmed"), ("after_executing", "authorised")])
def test_the_bank_dies(client, bank, moment, status):
    intent = created(client)
    bank.behave(call="confirm", die=moment)
    said = act(client, "confirm", intent)
    assert (said["result"], said["is_key_spent"]) == ("unknown", False)
    assert client.ask(f"call=ask intent={intent}")["result"] == "busy"  # nobody there
    bank.wait_dead().start()
    assert ask(client, intent)["status"] == status


def test_the_bank_says_it_twice(client, bank):
    first, second = created(client), created(client)
    bank.behave(call="confirm", do="twice")
    assert act(client, "confirm", first)["intent"]["status"] == "authorised"
    said = act(client, "confirm", second)
    assert said["result"] == "unknown" or said["intent"]["id"] == second
    assert ask(client, second)["status"] == "authorised"
