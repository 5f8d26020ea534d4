# SPDX-License-Identifier: Apache-2.0
"""The sandbox bank by itself: what the other tests trust it to do. No program of ours runs here."""

import concurrent.futures
import hashlib
import hmac
import html
import json
import re
import socket
import time

import httpx
import pytest
from processes import wait_until

from harness.bank import Bank
from harness.h2_receiver import Receiver

INTENTS = "/v1/payment_intents"


@pytest.fixture
def bank_factory(tmp_path, request):
    made = []

    def make(**options):
        made.append(Bank(tmp_path / f"bank {len(made) + 1}", **options))
        request.addfinalizer(made[-1].stop)
        return made[-1].start()

    return make


@pytest.fixture
def bank(bank_factory):
    return bank_factory(slow_seconds=0.5, settle_seconds=0.5)


def make_intent(bank, method="pm_card_visa", key=None, **more):
    form = {"amount": 4500, "currency": "eur", "capture_method": "manual", "payment_method_types": ["card"], "payment_method": method,
            "metadata": {"onsale_event": "gala", "onsale_place": 7}} | more
    answer = bank.call("POST", INTENTS, key=key, **form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def confirm(bank, intent, key=None, **more):
    return bank.call("POST", f"{INTENTS}/{intent['id']}/confirm", key=key, return_url="https://localhost/e/gala", **more)


def act(bank, what, intent, key=None, **form):
    return bank.call("POST", f"{INTENTS}/{intent['id']}/{what}", key=key, **form)


def ask(bank, intent):
    return bank.call("GET", f"{INTENTS}/{intent['id']}", expand=["latest_charge"]).json()


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    return answer.json()["error"]


# Who may ask, and how


def test_key_and_version_are_asked_for(bank):
    wrong = error_of(bank.call("GET", INTENTS, secret="sk_test_other"), 401)
    assert wrong["type"] == "invalid_request_error" and "Invalid API Key" in wrong["message"]
    assert bank.client.get(INTENTS).status_code == 401
    for version in ("", "latest", "2025-13-01", "2025-03-31x"):
        assert "Stripe API version" in error_of(bank.call("GET", INTENTS, version=version), 400)["message"]
    assert bank.call("GET", INTENTS, version="2024-06-20").json() == {"object": "list", "data": [], "has_more": False,
                                                                      "url": INTENTS}
    assert error_of(bank.call("GET", "/v1/nothing"), 404)["type"] == "invalid_request_error"


@pytest.mark.parametrize("form, code", [
    ({"amount": 0}, "parameter_invalid_integer"), ({"amount": "4.5"}, "parameter_invalid_integer"),
    ({"amount": 100_000_000}, "amount_too_large"), ({"amount": ""}, "parameter_missing"), ({"currency": "euros"}, "parameter_invalid_string"),
    ({"currency": "kwd", "amount": 1001}, "parameter_invalid_integer"), ({"color": "red"}, "parameter_unknown"),
    ({"capture_method": "later"}, "parameter_invalid_enum"), ({"description": "x" * 1001}, "parameter_invalid_string"),
])
def test_what_is_not_valid_is_refused_and_its_key_is_free(bank, form, code):
    good = {"amount": 4500, "currency": "eur", "payment_method_types": ["card"]}
    assert error_of(bank.call("POST", INTENTS, key="same", **good | form), 400)["code"] == code
    made = bank.call("POST", INTENTS, key="same", **good)
    assert made.status_code == 200 and "idempotent-replayed" not in made.headers


def test_bodies_are_forms(bank):
    answer = bank.call("POST", INTENTS, headers={"Content-Type": "application/json"}, amount=1, currency="eur")
    assert error_of(answer, 400)["type"] == "invalid_request_error"
    assert error_of(bank.call("POST", INTENTS, amount=1, currency="eur", expand=["customer"]), 400)["message"].startswith("This property")


# Idempotency


def test_a_key_repeats_its_first_answer(bank):
    first = bank.call("POST", INTENTS, key="k", amount=4500, currency="eur", payment_method="pm_card_visa", capture_method="manual",
                      payment_method_types=["card"])
    again = bank.call("POST", INTENTS, key="k", amount=4500, currency="eur", payment_method="pm_card_visa", capture_method="manual",
                      payment_method_types=["card"])
    assert (again.status_code, again.content) == (200, first.content)
    assert again.headers["idempotent-replayed"] == "true" and "idempotent-replayed" not in first.headers
    assert len(bank.intents()) == 1

    other = error_of(bank.call("POST", INTENTS, key="k", amount=4501, currency="eur"), 400)
    assert other["type"] == "idempotency_error"
    elsewhere = error_of(bank.call("POST", "/v1/refunds", key="k", payment_intent=first.json()["id"]), 400)
    assert elsewhere["type"] == "idempotency_error" and "endpoint" in elsewhere["message"]
    assert bank.intents()[0]["amount"] == 4500


def test_errors_are_repeated_too(bank):
    intent = make_intent(bank, "pm_card_chargeDeclined")
    first = confirm(bank, intent, "c")
    assert confirm(bank, intent, "c").content == first.content and first.status_code == 402
    assert bank.ledger()["confirms"] == {intent["id"]: 1}

    missing = bank.call("POST", INTENTS, key="m", amount=1, currency="eur", payment_method="pm_none")
    again = bank.call("POST", INTENTS, key="m", amount=1, currency="eur", payment_method="pm_none")
    assert again.content == missing.content and again.headers["idempotent-replayed"] == "true"


def test_a_key_under_way(bank):
    intent = make_intent(bank)
    bank.behave(call="confirm", do="slow", seconds=60)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = pool.submit(confirm, bank, intent, "c")
        wait_until(lambda: bank.calls()["counts"].get("confirm") == 1, "the first to be under way", 20)
        assert error_of(confirm(bank, intent, "c"), 409)["code"] == "idempotency_key_in_use"
        # Nor may anybody else touch the intent meanwhile.
        assert error_of(act(bank, "cancel", intent, "other"), 429)["code"] == "lock_timeout"
        assert ask(bank, intent)["status"] == "requires_confirmation"
        bank.clear()
        first = slow.result()
    assert first.json()["status"] == "requires_capture"
    assert confirm(bank, intent, "c").content == first.content
    assert bank.ledger()["confirms"] == {intent["id"]: 1}


# The life of an intent


def test_manual_capture(bank):
    intent = make_intent(bank)
    assert (intent["status"], intent["latest_charge"], intent["metadata"]["onsale_place"]) == ("requires_confirmation", None, "7")
    confirmed = confirm(bank, intent, expand=["latest_charge"]).json()
    assert (confirmed["status"], confirmed["amount_capturable"], confirmed["amount_received"]) == ("requires_capture", 4500, 0)
    assert (confirmed["latest_charge"]["amount_captured"], confirmed["latest_charge"]["paid"]) == (0, True)
    assert bank.ledger()["totals"]["authorised_open"] == 4500
    captured = act(bank, "capture", intent).json()
    assert (captured["status"], captured["amount_capturable"], captured["amount_received"]) == ("succeeded", 0, 4500)
    refund = bank.call("POST", "/v1/refunds", payment_intent=intent["id"]).json()
    assert (refund["object"], refund["status"], refund["amount"], refund["payment_intent"]) == ("refund", "succeeded", 4500, intent["id"])
    assert bank.call("GET", f"/v1/refunds/{refund['id']}").json() == refund
    assert ask(bank, intent)["latest_charge"]["amount_refunded"] == 4500
    again = error_of(bank.call("POST", "/v1/refunds", payment_intent=intent["id"]), 400)
    assert again["code"] == "charge_already_refunded"
    (known,) = bank.intents(place=7)
    assert (known["authorised"], known["captured"], known["refunded"], known["voided"], known["currency"]) == (4500, 4500, 4500, 0, "EUR")


def test_cancelling_lets_the_money_go(bank):
    intent = make_intent(bank)
    confirm(bank, intent)
    cancelled = act(bank, "cancel", intent, cancellation_reason="abandoned").json()
    assert (cancelled["status"], cancelled["cancellation_reason"], cancelled["amount_capturable"]) == ("canceled", "abandoned", 0)
    assert bank.ledger()["totals"] == {"authorised_open": 0, "captured": 0, "refunded": 0,
                                       "by_currency": {"EUR": {"authorised_open": 0, "captured": 0, "refunded": 0}}}
    assert bank.intents()[0]["voided"] == 4500
    # Until 2025-03-31 that looked like a refund.
    for version, refunded in (("2024-06-20", 4500), ("2025-03-31.basil", 0)):
        shown = bank.call("GET", f"{INTENTS}/{intent['id']}", version=version, expand=["latest_charge"]).json()
        assert shown["latest_charge"]["amount_refunded"] == refunded


@pytest.mark.parametrize("calls, then, word", [
    ((), "capture", "requires_confirmation"), (("confirm",), "confirm", "requires_capture"),
    (("confirm", "capture"), "capture", "already been captured"), (("confirm", "capture"), "cancel", "succeeded"),
    (("cancel",), "confirm", "canceled"), (("cancel",), "cancel", "canceled"), (("cancel",), "capture", "canceled"),
])
def test_what_the_state_does_not_allow(bank, calls, then, word):
    intent = make_intent(bank)
    for call in (*calls, then):
        answer = confirm(bank, intent) if call == "confirm" else act(bank, call, intent)
    error = error_of(answer, 400)
    assert error["code"] == "payment_intent_unexpected_state" and word in error["message"]
    assert error["payment_intent"]["id"] == intent["id"]


def test_refunds_need_a_capture(bank):
    intent = make_intent(bank)
    confirm(bank, intent)
    assert "does not have a successful charge" in error_of(bank.call("POST", "/v1/refunds", payment_intent=intent["id"]), 400)["message"]
    assert error_of(bank.call("POST", "/v1/refunds"), 400)["code"] == "parameter_missing"
    assert error_of(bank.call("POST", "/v1/refunds", payment_intent="pi_none"), 404)["code"] == "resource_missing"
    assert error_of(bank.call("GET", "/v1/refunds/re_none"), 404)["code"] == "resource_missing"


@pytest.mark.parametrize("method, code, decline", [
    ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
    ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
])
def test_a_decline_and_another_card(bank, method, code, decline):
    intent = make_intent(bank, method)
    error = error_of(confirm(bank, intent), 402)
    assert (error["type"], error["code"], error["decline_code"]) == ("card_error", code, decline)
    now = ask(bank, intent)
    assert error["payment_intent"] | {"latest_charge": None} == now | {"latest_charge": None}
    assert (now["status"], now["payment_method"], now["last_payment_error"]["code"]) == ("requires_payment_method", None, code)
    assert (now["latest_charge"]["status"], now["latest_charge"]["paid"]) == ("failed", False)
    assert "missing a payment method" in error_of(confirm(bank, intent), 400)["message"]
    assert confirm(bank, intent, payment_method="pm_card_visa").json()["status"] == "requires_capture"


def test_unknown_things(bank):
    error = error_of(bank.call("POST", INTENTS, amount=1, currency="eur", payment_method="pm_card_nobody"), 400)
    assert (error["code"], error["param"]) == ("resource_missing", "payment_method")
    assert error_of(confirm(bank, {"id": "pi_none"}), 404)["code"] == "resource_missing"
    assert error_of(bank.call("GET", f"{INTENTS}/pi_none"), 404)["code"] == "resource_missing"


@pytest.mark.parametrize("yes", [True, False])
def test_a_challenge(bank, yes):
    intent = make_intent(bank, "pm_sandbox_challenge")
    asked = confirm(bank, intent).json()
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "redirect_to_url")
    url = asked["next_action"]["redirect_to_url"]["url"]
    assert confirm(bank, intent).json()["next_action"]["redirect_to_url"]["url"] == url
    page = bank.client.get(url)
    assert page.status_code == 200 and "45.00 EUR" in page.text and "viewport" in page.text
    answer = bank.client.post(url, data={"answer": "yes" if yes else "no"})
    assert answer.status_code == 303
    back = httpx.URL(answer.headers["location"])
    assert back.path == "/e/gala" and back.params["payment_intent"] == intent["id"]
    assert back.params["redirect_status"] == ("succeeded" if yes else "failed")
    now = ask(bank, intent)
    if yes:
        assert (now["status"], now["next_action"]) == ("requires_capture", None)
    else:
        assert (now["status"], now["last_payment_error"]["code"]) == ("requires_payment_method", "payment_intent_authentication_failure")
    # Once is enough.
    assert not bank.answer_challenge(url, not yes)
    assert ask(bank, intent)["status"] == now["status"]
    assert "nothing to answer" in bank.client.get(url).text


def test_a_challenge_that_nobody_wants_any_more(bank):
    intent = make_intent(bank, "pm_sandbox_challenge")
    url = confirm(bank, intent).json()["next_action"]["redirect_to_url"]["url"]
    assert act(bank, "cancel", intent).json()["status"] == "canceled"
    assert not bank.answer_challenge(url)
    assert "does not want it any more" in bank.client.get(url).text
    assert bank.ledger()["totals"]["authorised_open"] == 0
    assert bank.client.get("/challenge/none").status_code == 404


def test_error_once_then_with_a_new_key(bank):
    intent = make_intent(bank, "pm_sandbox_error")
    first = confirm(bank, intent, "a")
    assert first.status_code == 500 and error_of(first, 500)["type"] == "api_error"
    assert confirm(bank, intent, "a").content == first.content
    assert ask(bank, intent)["status"] == "requires_confirmation"
    assert confirm(bank, intent, "b").json()["status"] == "requires_capture"


def test_timeout_is_carried_out_and_never_answered(bank):
    intent = make_intent(bank, "pm_sandbox_timeout")
    with httpx.Client(base_url=bank.base_url, timeout=0.5, trust_env=False) as impatient, pytest.raises(httpx.ReadTimeout):
        bank.call("POST", f"{INTENTS}/{intent['id']}/confirm", key="a", client=impatient)
    assert ask(bank, intent)["status"] == "requires_capture"
    again = bank.call("POST", f"{INTENTS}/{intent['id']}/confirm", key="a")
    assert again.json()["status"] == "requires_capture" and again.headers["idempotent-replayed"] == "true"
    wait_until(lambda: bank.calls()["in_flight"] == 0, "the held connection to be gone", 20)


def test_slow_takes_its_time(bank_factory):
    bank = bank_factory(slow_seconds=1)
    answer = confirm(bank, make_intent(bank, "pm_sandbox_slow"))
    assert answer.json()["status"] == "requires_capture" and answer.elapsed.total_seconds() >= 1


def test_what_is_decided_later(bank_factory):
    bank = bank_factory(settle_seconds=4)  # later than what is asked until then, on a busy machine too
    yes, no = make_intent(bank, "pm_sandbox_late_yes"), make_intent(bank, "pm_sandbox_late_no")
    for intent in (yes, no):
        assert confirm(bank, intent).json()["status"] == "processing"
    assert error_of(act(bank, "cancel", yes), 400)["code"] == "payment_intent_unexpected_state"
    bank.restart()  # it is decided all the same
    wait_until(lambda: ask(bank, yes)["status"] == "requires_capture", "yes", 20)
    wait_until(lambda: ask(bank, no)["status"] == "requires_payment_method", "no", 20)
    assert ask(bank, no)["last_payment_error"]["code"] == "card_declined"


def test_a_question_without_a_page(bank):
    asked = confirm(bank, make_intent(bank, "pm_sandbox_riddle")).json()
    assert (asked["status"], asked["next_action"]["type"]) == ("requires_action", "use_stripe_sdk")
    bank.restart()
    assert act(bank, "cancel", asked).json()["status"] == "canceled"


def test_an_authorisation_runs_out(bank):
    intent = make_intent(bank)
    confirm(bank, intent)
    bank.lapse(intent["id"])
    now = ask(bank, intent)
    assert (now["status"], now["cancellation_reason"], now["amount_received"]) == ("canceled", "automatic", 0)
    assert error_of(act(bank, "capture", intent), 400)["code"] == "payment_intent_unexpected_state"
    (booked,) = [each for each in bank.ledger()["intents"] if each["id"] == intent["id"]]
    assert (booked["authorised"], booked["voided"]) == (4500, 4500)
    assert bank.client.post(f"/_sandbox/intents/{intent['id']}/lapse").status_code == 409


def test_cards_that_fail_at_the_end(bank):
    intent = make_intent(bank, "pm_sandbox_uncapturable")
    confirm(bank, intent)
    assert error_of(act(bank, "capture", intent), 400)["code"] == "charge_expired_for_capture"
    intent = make_intent(bank, "pm_sandbox_unrefundable")
    confirm(bank, intent)
    act(bank, "capture", intent)
    assert error_of(bank.call("POST", "/v1/refunds", payment_intent=intent["id"]), 400)["code"] == "charge_disputed"
    intent = make_intent(bank, "pm_card_pendingRefund")
    confirm(bank, intent)
    act(bank, "capture", intent)
    refund = bank.call("POST", "/v1/refunds", payment_intent=intent["id"]).json()
    assert refund["status"] == "pending"
    wait_until(lambda: bank.call("GET", f"/v1/refunds/{refund['id']}").json()["status"] == "succeeded", "the refund", 20)


def test_refunds_that_wait_for_the_customers_bank(bank):
    """They succeed, fail, or fail although they succeeded; the money of one that failed may be refunded once more."""
    def refund_of(intent):
        return bank.call("POST", "/v1/refunds", payment_intent=intent["id"]).json()

    def charge():
        return bank.call("GET", f"{INTENTS}/{intent['id']}", expand=["latest_charge.refunds"]).json()["latest_charge"]
    intent = make_intent(bank, "pm_sandbox_heldRefund")
    confirm(bank, intent)
    act(bank, "capture", intent)
    assert charge()["refunds"] == {"object": "list", "data": [], "has_more": False, "url": f"/v1/charges/{charge()['id']}/refunds"}
    first = refund_of(intent)
    assert first["status"] == "pending" and charge()["amount_refunded"] == 4500
    assert error_of(bank.call("POST", "/v1/refunds", payment_intent=intent["id"]), 400)["code"] == "charge_already_refunded"
    bank.decide_refund(first["id"], "requires_action")
    bank.decide_refund(first["id"], "succeeded")
    bank.decide_refund(first["id"], "failed")
    assert charge()["amount_refunded"] == 0 and charge()["refunds"]["data"][0]["failure_reason"] == "expired_or_canceled_card"
    assert bank.client.post(f"/_sandbox/refunds/{first['id']}/succeeded").status_code == 409
    second = refund_of(intent)
    bank.restart()
    bank.decide_refund(second["id"], "canceled")
    assert [(each["id"], each["status"]) for each in charge()["refunds"]["data"]] == [(second["id"], "canceled"), (first["id"], "failed")]
    told = [event["type"] for event in bank.events()["events"] if event["object"] in (first["id"], second["id"])]
    assert told == 2 * ["refund.updated", "charge.refund.updated"] + ["refund.failed"] + 2 * ["refund.updated", "charge.refund.updated"]
    intent = make_intent(bank, "pm_card_refundFail")
    confirm(bank, intent)
    act(bank, "capture", intent)
    assert refund_of(intent)["status"] == "succeeded"
    wait_until(lambda: charge()["refunds"]["data"][0]["status"] == "failed", "the refund to come back", 5)


def test_lists_go_backwards_page_by_page(bank):
    made = [make_intent(bank)["id"] for _ in range(5)]
    now = int(time.time())
    first = bank.call("GET", INTENTS, limit=2, created={"gte": now - 60}, expand=["data.latest_charge"]).json()
    assert [each["id"] for each in first["data"]] == [made[4], made[3]] and first["has_more"]
    second = bank.call("GET", INTENTS, limit=3, created={"gte": now - 60}, starting_after=made[3]).json()
    assert [each["id"] for each in second["data"]] == [made[2], made[1], made[0]] and not second["has_more"]
    assert bank.call("GET", INTENTS, created={"gte": now + 60}).json()["data"] == []


# A card for later


def card_page(bank, **more):
    form = {"mode": "setup", "currency": "eur", "payment_method_types": ["card"], "customer_creation": "always",
            "success_url": "https://localhost/e/gala?card=back", "cancel_url": "https://localhost/e/gala?card=cancelled"} | more
    answer = bank.call("POST", "/v1/checkout/sessions", **form)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept_card(bank, session):
    return bank.call("GET", f"/v1/checkout/sessions/{session['id']}", expand=["setup_intent.payment_method"]).json()


@pytest.mark.parametrize("card, status", [("visa", "requires_capture"), ("challenge", "requires_action"), ("declined", None)])
def test_a_card_left_on_the_hosted_page_by_form(bank, card, status):
    session = card_page(bank)
    assert (session["status"], session["customer"]) == ("open", None) and kept_card(bank, session)["setup_intent"]["payment_method"] is None
    page = bank.client.get(session["url"])
    # As a browser reads it: the form's address, its radio buttons, its buttons.
    action = html.unescape(re.search(r'<form method="post" action="([^"]+)"', page.text)[1])
    assert set(re.findall(r'name="card" value="([a-z]+)"', page.text)) == {"visa", "declined", "challenge"}
    assert 'name="viewport"' in page.text and "<script" not in page.text
    done = bank.client.post(action, data={"card": card})
    assert (done.status_code, done.headers["location"]) == (303, "https://localhost/e/gala?card=back")
    kept = kept_card(bank, session)
    method = kept["setup_intent"]["payment_method"]
    assert (kept["status"], kept["url"], kept["setup_intent"]["status"]) == ("complete", None, "succeeded")
    assert kept["customer"].startswith("cus_") and method["customer"] == kept["customer"]
    assert (method["card"]["brand"], len(method["card"]["last4"])) == ("visa", 4)

    intent = make_intent(bank, method["id"], customer=kept["customer"])
    answer = confirm(bank, intent)
    assert answer.status_code == 402 if status is None else answer.json()["status"] == status
    for customer, word in (({}, "must provide the customer"), ({"customer": bank.call("POST", "/v1/customers").json()["id"]}, "does not have")):
        refused = bank.call("POST", INTENTS, amount=1, currency="eur", payment_method=method["id"], **customer)
        assert word in error_of(refused, 400)["message"]
    assert "was saved" in bank.client.get(session["url"]).text
    assert not bank.leave_card(session["url"])


def test_back_from_the_hosted_page_without_a_card(bank):
    session = card_page(bank)
    back = bank.client.post(session["url"], data={"card": "visa", "back": "1"})
    assert (back.status_code, back.headers["location"]) == (303, "https://localhost/e/gala?card=cancelled")
    assert kept_card(bank, session)["status"] == "open"
    assert bank.leave_card(session["url"], "pm_sandbox_timeout")


def test_a_hosted_page_that_has_expired(bank):
    session = card_page(bank)
    assert bank.call("POST", f"/v1/checkout/sessions/{session['id']}/expire").json()["status"] == "expired"
    assert bank.client.get(session["url"]).status_code == 410
    assert not bank.leave_card(session["url"])
    assert kept_card(bank, session)["setup_intent"]["payment_method"] is None
    assert bank.client.get("/pay/cs_test_none").status_code == 404


def test_pages_escape_what_others_wrote(bank):
    session = card_page(bank, cancel_url='https://localhost/"><b>', success_url="https://localhost/?a=1&b='<i>{CHECKOUT_SESSION_ID}")
    bank.leave_card(session["url"])
    page = bank.client.get(session["url"]).text
    assert "<b>" not in page and "<i>" not in page and f"&lt;i&gt;{session['id']}" in page


def test_a_card_without_a_customer_is_good_for_nothing(bank):
    session = card_page(bank, customer_creation="if_required")
    assert bank.leave_card(session["url"])
    kept = kept_card(bank, session)
    assert kept["customer"] is None
    answer = bank.call("POST", INTENTS, amount=1, currency="eur", payment_method=kept["setup_intent"]["payment_method"]["id"])
    assert "may not be used again" in error_of(answer, 400)["message"]


# What survives


def test_kill_9_loses_nothing_that_was_answered(bank):
    taken, open_, asked = make_intent(bank, key="1"), make_intent(bank), make_intent(bank, "pm_sandbox_challenge")
    first = confirm(bank, taken, "2")
    act(bank, "capture", taken, "3")
    confirm(bank, open_)
    url = confirm(bank, asked).json()["next_action"]["redirect_to_url"]["url"]
    session = card_page(bank)
    bank.leave_card(session["url"])
    before, kept = bank.ledger(), kept_card(bank, session)
    # Torn by the kill: nobody was answered for it.
    bank.kill()
    with open(bank.folder / "ledger" / "journal.jsonl", "ab") as journal:
        journal.write(b'{"put":[["intent",{"id":"pi_torn"')
    bank.start()
    assert bank.ledger() == before and kept_card(bank, session) == kept
    again = confirm(bank, taken, "2")
    assert again.content == first.content and again.headers["idempotent-replayed"] == "true"
    assert error_of(confirm(bank, open_, "2"), 400)["type"] == "idempotency_error"
    assert bank.answer_challenge(url)
    bank.restart()
    assert ask(bank, asked)["status"] == "requires_capture"
    assert bank.ledger()["totals"] == {"authorised_open": 9000, "captured": 4500, "refunded": 0,
                                       "by_currency": {"EUR": {"authorised_open": 9000, "captured": 4500, "refunded": 0}}}


@pytest.mark.parametrize("moment, status", [("before", "requires_confirmation"), ("after_executing", "requires_capture")])
def test_killed_around_an_authorisation(bank, moment, status):
    intent = make_intent(bank)
    bank.behave(call="confirm", die=moment)
    with pytest.raises(httpx.TransportError):
        confirm(bank, intent, "k")
    bank.wait_dead().start()
    assert ask(bank, intent)["status"] == status
    # The same key goes on where it was: never twice.
    assert confirm(bank, intent, "k").json()["status"] == "requires_capture"
    assert bank.ledger()["confirms"] == {intent["id"]: 1} and bank.ledger()["totals"]["authorised_open"] == 4500


# Misbehaving


def test_rules_that_cannot_be(bank):
    for rule in ({"do": "nothing"}, {"call": "steal", "do": "cut"}, {"do": "cut", "nth": 0}, {"do": "cut", "colour": 1}, {"die": "often"},
                 {"do": "twice", "executed": False}, {"do": "slow", "seconds": -1}, []):
        assert bank.client.post("/_sandbox/behave", json=rule).status_code == 400, rule
    assert bank.rules() == []


@pytest.mark.parametrize("do, executed", [
    ("garbage", True), ("empty", True), ("other_shape", True), ("error_inside", False), ("redirect", False), ("error_500", False),
    ("busy_429", False), ("denied_401", False), ("huge", True), ("wrong_amount", True), ("wrong_currency", True), ("wrong_id", True),
    ("twice", True), ("cut", True), ("slow", False),
])
def test_each_rule_does_what_it_says(bank, do, executed):
    intent = make_intent(bank)
    bank.behave(call="confirm", do=do, seconds=0.1, intent=intent["id"])
    try:
        # A client of its own: what comes after the answer on this connection is nobody else's.
        with httpx.Client(base_url=bank.base_url, trust_env=False) as client:
            answer = confirm(bank, intent, "k", client=client)
    except httpx.RemoteProtocolError:
        assert do == "cut"
        answer = None
    wait_until(lambda: bank.calls()["in_flight"] == 0, "the end of the call", 20)
    happened = {"garbage": lambda: answer.text.startswith("<html>"), "empty": lambda: answer.content == b"",
                "other_shape": lambda: answer.json()["object"] == "list", "error_inside": lambda: answer.json()["error"]["type"] == "api_error",
                "redirect": lambda: answer.status_code == 307, "error_500": lambda: answer.status_code == 500,
                "busy_429": lambda: answer.status_code == 429, "denied_401": lambda: answer.status_code == 401,
                "huge": lambda: len(answer.content) > 10 << 20 and answer.json()["status"] == "requires_capture",
                "wrong_amount": lambda: answer.json()["amount"] == 4501, "wrong_currency": lambda: answer.json()["currency"] == "usd",
                "wrong_id": lambda: answer.json()["id"] == intent["id"] + "0", "twice": lambda: answer.json()["status"] == "requires_capture",
                "cut": lambda: answer is None, "slow": lambda: answer.elapsed.total_seconds() >= 0.1}
    assert happened[do](), answer.text
    is_done = executed or do == "slow"
    assert ask(bank, intent)["status"] == ("requires_capture" if is_done else "requires_confirmation")
    assert ask(bank, intent)["amount"] == 4500
    # The rule was for one call. What was kept for the key is the truth, but for an error of the bank's own.
    again = confirm(bank, intent, "k")
    assert again.status_code == (500 if do == "error_500" else 200)
    assert bank.ledger()["confirms"] == {intent["id"]: 0 if do == "error_500" else 1}
    assert bank.calls()["calls"][-1]["replayed"] == (is_done or do == "error_500")


def test_the_second_of_two_answers_is_there(bank):
    intent = make_intent(bank)
    bank.behave(call="ask", do="twice")
    with socket.create_connection(("127.0.0.1", bank.port), timeout=5) as connection:
        connection.sendall(f"GET {INTENTS}/{intent['id']} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bank.key}\r\n"
                           "Stripe-Version: 2024-06-20\r\n\r\n".encode())
        said = b""
        while said.count(b"HTTP/1.1 200 OK") < 2 or said.count(b'"transfer_group":null}\n') < 2:
            said += connection.recv(65536) or pytest.fail(f"the connection ended: {said}")


def test_which_calls_a_rule_is_for(bank):
    bank.behave(call="create", nth=2, do="busy_429", times=2)
    bank.behave(call="create", place=9, do="denied_401", times=0)
    statuses = [bank.call("POST", INTENTS, amount=1, currency="eur", metadata={"onsale_place": place}).status_code
                for place in (1, 2, 3, 4, 9, 9)]
    assert statuses == [200, 429, 429, 200, 401, 401]
    assert [(rule["seen"], rule["hits"]) for rule in bank.rules()] == [(6, 2), (2, 2)]
    bank.clear()
    assert bank.call("POST", INTENTS, amount=1, currency="eur", metadata={"onsale_place": 9}).status_code == 200


def test_silence_and_a_frozen_bank(bank):
    intent = make_intent(bank)
    bank.behave(call="confirm", do="silence", executed=False)
    with httpx.Client(base_url=bank.base_url, timeout=0.5, trust_env=False) as impatient:
        with pytest.raises(httpx.ReadTimeout):
            bank.call("POST", f"{INTENTS}/{intent['id']}/confirm", client=impatient)
        assert ask(bank, intent)["status"] == "requires_confirmation"
        bank.freeze()
        with pytest.raises(httpx.ReadTimeout):
            bank.call("POST", f"{INTENTS}/{intent['id']}/confirm", client=impatient)
        bank.resume()
    # What stood in the socket is carried out, though nobody waits any more.
    wait_until(lambda: ask(bank, intent)["status"] == "requires_capture", "the bank to wake up", 20)


# Webhooks


def verify(bank, headers, body):
    stamp, given = re.fullmatch(r"t=([0-9]+),v1=([0-9a-f]{64})", headers["stripe-signature"]).groups()
    wanted = hmac.new(bank.webhook_secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, given), int(stamp)


@pytest.fixture
def receiver(certificate):
    receiver = Receiver(certificate)
    yield receiver
    receiver.close()


def test_webhooks_are_signed_and_tell_what_happened(bank_factory, receiver, certificate):
    bank = bank_factory(webhook_url=receiver.url, webhook_ca=certificate / "certificate.pem")
    intent = make_intent(bank)
    confirm(bank, intent)
    act(bank, "capture", intent)
    bank.call("POST", "/v1/refunds", payment_intent=intent["id"])
    confirm(bank, make_intent(bank, "pm_card_chargeDeclined"))
    bank.answer_challenge(confirm(bank, make_intent(bank, "pm_sandbox_challenge")).json()["next_action"]["redirect_to_url"]["url"], yes=False)
    act(bank, "cancel", make_intent(bank))
    bank.leave_card(card_page(bank)["url"])
    bank.call("POST", f"/v1/checkout/sessions/{card_page(bank)['id']}/expire")
    wanted = ["payment_intent.amount_capturable_updated", "payment_intent.succeeded", "charge.refunded", "payment_intent.payment_failed",
              "payment_intent.requires_action", "payment_intent.payment_failed", "payment_intent.canceled", "checkout.session.completed",
              "checkout.session.expired"]
    wait_until(lambda: len(receiver.requests) == len(wanted), "all events", 20)
    told = {}
    for headers, body, at in receiver.requests:
        is_good, stamp = verify(bank, headers, body)
        assert is_good and abs(stamp - at) < 5
        event = json.loads(body)
        assert event["object"] == "event" and event["id"].startswith("evt_")
        told.setdefault(event["type"], []).append(event["data"]["object"])
    assert sorted(wanted) == sorted(kind for kind, objects in told.items() for _ in objects)
    assert told["payment_intent.succeeded"][0]["id"] == intent["id"] and told["charge.refunded"][0]["payment_intent"] == intent["id"]
    wait_until(lambda: all(event["state"] == "delivered" for event in bank.events()["events"]), "the bank to know", 20)
    assert bank.resend(bank.events()["events"][0]["id"]) == 200
    assert len(receiver.requests) == len(wanted) + 1 and receiver.requests[-1][1] == receiver.requests[0][1]


def test_webhooks_are_tried_again_and_outlive_the_bank(bank_factory, certificate):
    receiver = Receiver(certificate, statuses=[503, 500])
    bank = bank_factory(webhook_url=receiver.url, webhook_ca=certificate / "certificate.pem")
    intent = make_intent(bank)
    confirm(bank, intent)
    wait_until(lambda: len(receiver.requests) == 3, "the third try", 20)
    wait_until(lambda: bank.events()["events"][0]["state"] == "delivered", "the bank to know", 20)
    bank.webhooks(on=False)
    act(bank, "capture", intent)
    bank.restart()
    wait_until(lambda: len(receiver.requests) == 4, "what was not sent", 20)
    assert json.loads(receiver.requests[3][1])["type"] == "payment_intent.succeeded"
    receiver.close()


def test_webhooks_twice_late_turned_round_and_forged(bank_factory, receiver, certificate):
    bank = bank_factory(webhook_url=receiver.url, webhook_ca=certificate / "certificate.pem")

    def told(count):
        wait_until(lambda: len(receiver.requests) >= count, f"{count} events", 20)
        taken, receiver.requests = receiver.requests, []
        return taken

    def pay():
        intent = make_intent(bank)
        confirm(bank, intent)
        act(bank, "capture", intent)

    bank.webhooks(double=True)
    confirm(bank, make_intent(bank))
    first, second = told(2)
    assert first[1] == second[1]
    bank.webhooks(double=False, reorder=2)
    pay()
    assert [json.loads(body)["type"] for _, body, _ in told(2)] == ["payment_intent.succeeded", "payment_intent.amount_capturable_updated"]
    bank.webhooks(reorder=0, delay_seconds=1)
    begun = time.time()
    confirm(bank, make_intent(bank))
    assert told(1)[0][2] - begun >= 1
    bank.webhooks(delay_seconds=0, forge=True, shift_seconds=600)
    confirm(bank, make_intent(bank))
    (headers, body, at), = told(1)
    is_good, stamp = verify(bank, headers, body)
    assert not is_good and stamp - at > 500
    assert bank.client.post("/_sandbox/webhooks", json={"on": "yes"}).status_code == 400


# Strength


def test_many_at_once(bank_factory):
    """600 calls are in flight at once, the bank answers none before all are there, and each is carried out once."""
    import asyncio

    bank = bank_factory()
    bank.behave(call="confirm", do="slow", times=0, seconds=600)
    count = 600

    async def crowd():
        headers = {"Authorization": f"Bearer {bank.key}", "Stripe-Version": "2024-06-20"}
        limits = httpx.Limits(max_connections=count, max_keepalive_connections=count)
        async with httpx.AsyncClient(base_url=bank.base_url, headers=headers, limits=limits, timeout=60, trust_env=False) as client:
            async def pay(number):
                made = await client.post(INTENTS, headers={"Idempotency-Key": f"a{number}"}, data={
                    "amount": 4500, "currency": "eur", "capture_method": "manual", "payment_method": "pm_card_visa",
                    "payment_method_types[]": "card"})
                return await client.post(f"{INTENTS}/{made.json()['id']}/confirm", headers={"Idempotency-Key": f"b{number}"})
            paying = asyncio.gather(*(pay(number) for number in range(count)))
            while not paying.done() and bank.calls()["in_flight"] < count:
                await asyncio.sleep(0.05)
            bank.clear()
            return await paying

    answers = asyncio.run(crowd())
    assert all(answer.json()["status"] == "requires_capture" for answer in answers)
    ledger = bank.ledger()
    assert ledger["totals"]["authorised_open"] == count * 4500 and set(ledger["confirms"].values()) == {1}
    assert bank.calls()["in_flight_max"] == count
