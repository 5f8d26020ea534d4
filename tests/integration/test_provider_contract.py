# SPDX-License-Identifier: Apache-2.0
"""The real Stripe is out of reach of these tests. Its description is not: what Onsale needs of it stands in tests/provider/stripe_contract.json,
which compare_contract.py compares with Stripe's own. Here the client's requests, as the bytes they are, what it makes of every member of an
answer, and the sandbox bank's answers are held against it.
"""

import copy
import itertools
import json
import re

import pytest
from harness.asker import Asker
from harness.bank import Bank
from harness.contract import CALLS, CONTRACT, OBJECTS, VERSION, Breach, check_object, check_request
from harness.hostile import HostileServer
from harness.stack import PATIENCE, ROOT

pytestmark = pytest.mark.quick

PAGE = "https://tickets.example/e/gala"
OWNER = "slug=gala reference=K7QM-4WDP place=7 attempt=2 number=3"
LINES = {
    "create": [f"call=create key=k-1 {OWNER} amount=4500 currency=EUR method=pm_card_visa",
               f"call=create key=k-1 {OWNER} amount=4500 currency=EUR method=pm_1NxYz customer=cus_NffrFeUfNV2Hib"],
    "confirm": [f"call=confirm intent=pi_1 key=k-2 return_url={PAGE}"],
    "ask": ["call=ask intent=pi_1"],
    "capture": ["call=capture intent=pi_1 key=k-3"],
    "cancel": ["call=cancel intent=pi_1 key=k-4"],
    "refund": ["call=refund intent=pi_1 key=k-5"],
    "card_page": [f"call=card_page key=k-6 slug=gala place=7 number=1 currency=EUR return_url={PAGE}"],
    "card_ask": ["call=card_ask session=cs_test_1"],
    "list": ["call=list since=1795470000", "call=list since=1795470000 after=pi_1"],
}


class Stripe:
    """Answers every request with what is to be said next."""

    def __init__(self):
        self.status, self.body = 500, {}
        self.server = HostileServer(self.behave)

    async def behave(self, request, writer):
        body = json.dumps(self.body, indent=2).encode()  # as Stripe writes it
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return True

    def close(self):
        self.server.close()


@pytest.fixture(scope="module")
def stripe():
    stripe = Stripe()
    yield stripe
    stripe.close()


@pytest.fixture(scope="module")
def client(stripe, tmp_path_factory):
    client = Asker(tmp_path_factory.mktemp("ask"), stripe.server.url, seconds=20 * PATIENCE)
    yield client
    client.close()


def say(stripe, client, line, body, status=200):
    stripe.status, stripe.body = status, body
    return client.ask(line)


# What goes out


def test_every_call_of_ours_is_in_the_contract():
    names = re.search(r"enum provider_call \{(.*?)\};", (ROOT / "common/provider.h").read_text(), re.S)[1]
    assert {name.lower() for name in re.findall(r"PROVIDER_([A-Z_]+),", names)} - {"call_count"} == set(CALLS) == set(LINES)
    assert f'PROVIDER_STRIPE_VERSION "{VERSION}"' in (ROOT / "common/provider_stripe.h").read_text()


@pytest.mark.parametrize("call", CALLS)
def test_requests_are_such_as_stripe_takes(stripe, client, call):
    sent = set()
    for line in LINES[call]:
        say(stripe, client, line, {}, 500)
        request = stripe.server.requests[-1]
        sent |= check_request(call, request.method, request.target, request.headers, request.body)
    assert sent == set(CALLS[call]["parameters"]), "the contract has what nobody sends"


@pytest.mark.parametrize("old, new", [
    ("amount=", "ammount="), ("capture_method=", "capture_methods="), ("capture_method=manual", "capture_method=automatic"), ("amount=4500", "amount=45.00"),
    ("amount=4500&", ""), ("metadata%5Bonsale_place%5D", "metadata%5Bonsale%5D%5Bplace%5D"), ("metadata%5Bonsale_event%5D", "metadata"),
    ("payment_method_types%5B%5D", "payment_method_types"), ("confirm=false", "confirm=no"), ("currency=eur", "currency%5B%5D=eur"),
    ("confirm=false", "confirm="), ("currency=eur", "currency=eur&currency=usd"), ("description=", "description=" + 1000 * "x"),
])
def test_what_stripe_would_refuse_is_a_breach(stripe, client, old, new):
    """The check itself: a mistake in any place is found."""
    say(stripe, client, LINES["create"][0], {}, 500)
    request = stripe.server.requests[-1]
    assert old in request.body
    with pytest.raises(Breach):
        check_request("create", request.method, request.target, request.headers, request.body.replace(old, new))


@pytest.mark.parametrize("header, value", [("stripe-version", "2023-08-16"), ("idempotency-key", ""), ("content-type", "application/json"),
                                           ("authorization", "Basic x")])
def test_so_is_a_header(stripe, client, header, value):
    say(stripe, client, LINES["create"][0], {}, 500)
    request = stripe.server.requests[-1]
    with pytest.raises(Breach):
        check_request("create", request.method, request.target, request.headers | {header: value}, request.body)


# What comes in: answers that have what the contract names, and nothing else

METADATA = {"onsale_event": "gala", "onsale_place": "7", "onsale_attempt": "2", "onsale_number": "3", "onsale_reference": "K7QM-4WDP"}
INTENT = {"id": "pi_1", "object": "payment_intent", "created": 1795470000, "amount": 4500, "amount_received": 0, "currency": "eur",
          "status": "requires_capture", "metadata": METADATA, "last_payment_error": None, "next_action": None, "latest_charge": None}
CHARGE = {"object": "charge", "amount_refunded": 0, "refunds": {"object": "list", "data": [], "has_more": False}}
ASKING = INTENT | {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": {
    "url": "https://hooks.stripe.com/3d_secure_2/hosted?merchant=acct_1&payment_intent=pi_1&source=payatt_1"}}}
FAILED = INTENT | {"status": "requires_payment_method",
                   "last_payment_error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}}
REFUND = {"id": "re_1", "object": "refund", "amount": 4500, "currency": "eur", "status": "succeeded", "payment_intent": "pi_1"}
SESSION = {"id": "cs_test_1", "object": "checkout.session", "status": "complete", "url": None, "metadata": {}, "customer": "cus_1",
           "setup_intent": {"object": "setup_intent", "payment_method": {
               "id": "pm_1", "object": "payment_method", "card": {"brand": "visa", "last4": "4242"}}}}
OPEN = SESSION | {"status": "open", "url": "https://checkout.stripe.com/c/pay/cs_test_1#fidkdWxOYHwnPyd1blpxYHZxWjA0%2FdXNg%3D%3D", "customer": None,
                  "setup_intent": None}
DECLINE = {"type": "card_error", "code": "card_declined", "decline_code": "generic_decline", "payment_intent": FAILED}

# The call, an answer to it, its kind of object and where in the answer that is. What is looked at is its members, one after the other.
WHOLE = [
    ("ask", FAILED, "payment_intent", ()),
    ("ask", INTENT | {"latest_charge": CHARGE}, "charge", ("latest_charge",)),
    ("confirm", ASKING, "next_action", ("next_action",)),
    ("confirm", ASKING, "redirect_to_url", ("next_action", "redirect_to_url")),
    ("ask", FAILED, "error", ("last_payment_error",)),
    ("refund", REFUND, "refund", ()),
    ("card_ask", SESSION, "checkout.session", ()),
    ("card_ask", SESSION, "setup_intent", ("setup_intent",)),
    ("card_ask", SESSION, "payment_method", ("setup_intent", "payment_method")),
    ("card_ask", SESSION, "card", ("setup_intent", "payment_method", "card")),
    ("card_ask", SESSION | {"customer": {"id": "cus_1"}}, "customer", ("customer",)),
    ("list", {"object": "list", "data": [INTENT], "has_more": False}, "list", ()),
]
# What the last payment error says besides is not read there: its codes are.
NOT_READ = {("error", "type"), ("error", "payment_intent"), ("error", "param"), ("charge", "payment_intent")}
OTHERS = {"string": 7, "integer": "7", "boolean": "false", "object": 7, "array": {}}


def changed(document, way, name, *value):
    document = copy.deepcopy(document)
    inside = document
    for step in way:
        inside = inside[step]
    if value:
        inside[name] = value[0]
    else:
        inside.pop(name, None)
    return document


def member_cases():
    for call, document, kind, way in WHOLE:
        for name, field in OBJECTS[kind].items():
            if (kind, name) in NOT_READ:
                continue
            yield call, changed(document, way, name), field["missing"], f"{kind}.{name} missing"
            yield call, changed(document, way, name, None), field.get("null", field["missing"]), f"{kind}.{name} null"
            wrong = field.get("wrong", "unknown")
            yield call, changed(document, way, name, OTHERS.get(field["type"], 7)), wrong, f"{kind}.{name} wrong"


@pytest.mark.parametrize("call, document, kind, way", WHOLE, ids=lambda each: each if isinstance(each, str) else "")
def test_the_contract_is_enough(stripe, client, call, document, kind, way):
    check_object(CALLS[call]["answer"], document)
    said = say(stripe, client, LINES[call][0], document)
    assert said["result"] == "done", said


def test_every_member_is_missing_null_and_another(stripe, client):
    seen = 0
    for call, document, wanted, what in member_cases():
        said = say(stripe, client, LINES[call][0], document)
        assert (said["result"] == "unknown") == (wanted == "unknown"), (what, said)
        assert said["result"] in ("done", "unknown"), (what, said)
        seen += 1
    assert seen > 120


def test_every_status_of_an_intent_has_a_meaning(stripe, client):
    meanings = {"requires_payment_method": "unconfirmed", "requires_confirmation": "unconfirmed", "requires_action": "action_required",
                "processing": "processing", "requires_capture": "authorised", "succeeded": "captured", "canceled": "cancelled"}
    assert set(meanings) == set(OBJECTS["payment_intent"]["status"]["values"])
    for status, meaning in meanings.items():
        said = say(stripe, client, LINES["ask"][0], INTENT | {"status": status})
        assert (said["result"], said["intent"]["status"]) == ("done", meaning)
    assert say(stripe, client, LINES["ask"][0], FAILED)["intent"]["status"] == "failed"
    assert say(stripe, client, LINES["ask"][0], INTENT | {"status": "requires_patience"})["result"] == "unknown"


def test_every_status_of_a_page_and_of_a_refund(stripe, client):
    states = {"open": "open", "complete": "kept", "expired": "gone"}
    assert set(states) == set(OBJECTS["checkout.session"]["status"]["values"])
    for status, state in states.items():
        document = OPEN if status == "open" else SESSION | {"status": status}
        assert say(stripe, client, LINES["card_ask"][0], document)["card"]["state"] == state
    assert say(stripe, client, LINES["card_ask"][0], SESSION | {"status": "paused"})["result"] == "unknown"
    results = {"succeeded": "done", "pending": "done", "requires_action": "done", "failed": "refused", "canceled": "refused"}
    assert set(results) == set(OBJECTS["refund"]["status"]["values_in_text"])
    for status, result in results.items():
        assert say(stripe, client, LINES["refund"][0], REFUND | {"status": status})["result"] == result
    assert say(stripe, client, LINES["refund"][0], REFUND | {"status": "paused"})["result"] == "unknown"


def test_an_open_page_is_one_to_go_to(stripe, client):
    """Stripe's addresses of hosted pages have a fragment, and it belongs to them."""
    said = say(stripe, client, LINES["card_page"][0], OPEN | {"metadata": {"onsale_event": "gala", "onsale_place": "7", "onsale_number": "1"}})
    assert (said["result"], said["card"]["url"]) == ("done", OPEN["url"])


@pytest.mark.parametrize("kind, name, status, result", [
    ("card_error", "card_declined", 402, "declined"), ("invalid_request_error", "payment_intent_unexpected_state", 400, "refused"),
    ("idempotency_error", None, 400, "refused"), ("api_error", None, 500, "unknown"), ("of_another_kind", "new", 402, "unknown"),
    ("invalid_request_error", "lock_timeout", 429, "busy"), ("idempotency_error", "idempotency_key_in_use", 409, "busy"),
])
def test_every_kind_of_error(stripe, client, kind, name, status, result):
    error = {"type": kind} | ({"code": name} if name else {}) | ({"payment_intent": FAILED} if status == 402 else {})
    assert say(stripe, client, LINES["confirm"][0], {"error": error}, status)["result"] == result


def test_the_kinds_of_error_are_all_there():
    assert set(OBJECTS["error"]["type"]["values"]) == {"card_error", "invalid_request_error", "idempotency_error", "api_error"}


# The sandbox bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    bank = Bank(tmp_path_factory.mktemp("bank"), webhook_url="https://127.0.0.1:1/", settle_seconds=0.1)
    bank.start()
    yield bank
    bank.stop()


keys = (f"key-{number}" for number in itertools.count())


def ask_bank(bank, call, about=None, **form):
    path = CALLS[call]["path"].replace("{intent}", str(about)).replace("{session}", str(about))
    return bank.call(CALLS[call]["method"], path, key=next(keys) if CALLS[call]["method"] == "POST" else None, version=VERSION, **form)


def make(bank, method):
    return ask_bank(bank, "create", amount=4500, currency="eur", capture_method="manual", payment_method_types=["card"], payment_method=method,
                    metadata=METADATA).json()


def test_what_the_bank_answers_is_as_stripe_has_it(bank):
    """Objects of every state that it knows, and errors: each member that Onsale reads."""
    seen = set()

    def look(kind, document):
        check_object(kind, document)
        seen.add((kind, document.get("status", document.get("type"))))
        return document
    for method in ("pm_card_visa", "pm_card_chargeDeclined", "pm_sandbox_challenge", "pm_sandbox_late_yes", "pm_card_pendingRefund"):
        intent = look("payment_intent", make(bank, method))
        answer = ask_bank(bank, "confirm", intent["id"], return_url=PAGE)
        if answer.status_code == 402:
            look("error", answer.json()["error"])
        else:
            look("payment_intent", answer.json())
        now = look("payment_intent", ask_bank(bank, "ask", intent["id"], expand=["latest_charge.refunds"]).json())
        if now["status"] == "requires_capture":
            look("payment_intent", ask_bank(bank, "capture", intent["id"]).json())
            look("refund", ask_bank(bank, "refund", payment_intent=intent["id"]).json())
        look("error", ask_bank(bank, "capture", intent["id"]).json()["error"])
    look("payment_intent", ask_bank(bank, "cancel", make(bank, "pm_card_visa")["id"]).json())
    look("list", ask_bank(bank, "list", limit=50, expand=["data.latest_charge.refunds"]).json())
    for each in ask_bank(bank, "list", limit=50, expand=["data.latest_charge.refunds"]).json()["data"]:
        look("payment_intent", each)
    form = {"mode": "setup", "currency": "eur", "payment_method_types": ["card"], "customer_creation": "always", "success_url": PAGE}
    session = look("checkout.session", ask_bank(bank, "card_page", **form).json())
    assert bank.leave_card(session["url"])
    kept = look("checkout.session", ask_bank(bank, "card_ask", session["id"], expand=["setup_intent.payment_method"]).json())
    assert kept["setup_intent"]["payment_method"]["customer"] == kept["customer"]
    assert {status for kind, status in seen if kind == "payment_intent"} == set(OBJECTS["payment_intent"]["status"]["values"])
    assert {"card_error", "invalid_request_error"} <= {kind for which, kind in seen if which == "error"}


def test_what_the_bank_tells_is_as_stripe_tells_it(bank):
    done = make(bank, "pm_card_visa")
    ask_bank(bank, "confirm", done["id"], return_url=PAGE)
    lapsed = make(bank, "pm_card_visa")
    ask_bank(bank, "confirm", lapsed["id"], return_url=PAGE)
    bank.lapse(lapsed["id"])
    ask_bank(bank, "capture", done["id"])
    refund = ask_bank(bank, "refund", payment_intent=done["id"]).json()
    bank.decide_refund(refund["id"], "failed")
    told = [json.loads(line) for line in (bank.folder / "ledger" / "journal.jsonl").read_text().splitlines()]
    events = [json.loads(record["body"]) for line in told for kind, record in line.get("put", ()) if kind == "event"]
    assert {event["type"] for event in events} >= {"payment_intent.amount_capturable_updated", "charge.expired", "payment_intent.canceled",
                                                   "charge.refunded", "refund.updated", "refund.failed", "charge.refund.updated"}
    for event in events:
        check_object("event", event)
        assert event["type"] in CONTRACT["event_types"]
        document = event["data"]["object"]
        # With an event a charge comes without its refunds, and nobody looks for them there.
        check_object(document["object"], (CHARGE if document["object"] == "charge" else {}) | document)
        kind = "refund" if event["type"] == "charge.refund.updated" else event["type"].split(".")[0]
        assert document["object"] == {"checkout": "checkout.session"}.get(kind, kind)
