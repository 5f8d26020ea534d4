# SPDX-License-Identifier: Apache-2.0
"""The payment provider's webhooks: believed for their signature, stored before they are thanked, once however often they are told."""

import json
import threading
import time

import pytest
from harness.bare import bare_client
from harness.orders import problem
from harness.payment import WEBHOOK_PATH, WEBHOOK_SECRET, Bell, event, payment_config, secret_file, signature
from harness.stack import PATIENCE
from processes import wait_until

OLD_SECRET = "whsec_the_old_one"


@pytest.fixture(scope="module")
def stack(module_stack_factory, tmp_path_factory):
    folder = tmp_path_factory.mktemp("payment")
    config = payment_config(folder, webhook_secret_file=secret_file(folder, WEBHOOK_SECRET, OLD_SECRET))
    stack = module_stack_factory(config={"payment": config}).start(rooms=2)
    stack.secrets_folder = folder
    return stack


def tell(stack, told, header=None, room=0, headers=None, **signing):
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    sent = {"Content-Type": "application/json; charset=utf-8"} | (headers or {})
    if header is not False:
        sent["Stripe-Signature"] = signature(body, **signing) if header is None else header
    return bare_client(stack, room).post(WEBHOOK_PATH, content=body, headers=sent)


def kept(stack, told):
    return stack.sql("SELECT type, object, body, done_at, verdict FROM provider_events WHERE id = %s", told["id"])


def test_what_is_told_is_stored_and_thanked_for(stack):
    bell = Bell(stack)
    for told in (event(), event("checkout.session.completed", "checkout.session")):
        answer = tell(stack, told)
        assert (answer.status_code, answer.json()) == (200, {})
        assert kept(stack, told) == ((told["type"], told["data"]["object"]["id"], json.dumps(told).encode(), None, None),)
        assert bell.wait("") == {"v": 1, "type": "pay", "slug": "", "place": 0}
    bell.connection.close()


def test_the_last_secret_is_good_while_it_is_changed(stack):
    assert tell(stack, event(), secret=OLD_SECRET).status_code == 200


def test_told_twice_it_is_kept_once(stack):
    told = event()
    answers = []
    threads = [threading.Thread(target=lambda room=room: answers.append(tell(stack, told, room=room % 2))) for room in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 6
    stack.sql("UPDATE provider_events SET done_at = received_at, verdict = 'asked' WHERE id = %s", told["id"])
    assert tell(stack, told | {"livemode": False}).status_code == 200  # a replay, of another body even
    (kind, _, body, done, verdict), = kept(stack, told)
    assert (kind, json.loads(body), verdict) == (told["type"], told, "asked") and done is not None


def test_what_is_not_the_provider_s(stack):
    told = event()
    body = json.dumps(told).encode()
    good = signature(body)
    wrong = [False, "", "x", "t=1", good.replace("v1=", "v0="), good.replace("t=", "t=1,t="), good[:-1], good[:-1] + "g",
             good.split(",")[1], f"t={int(time.time()) + 1},{good.split(',')[1]}", signature(body, "whsec_somebody's"),
             signature(body + b" "), signature(b"")]
    for header in wrong:
        problem(tell(stack, body, header), 400, "bad-signature")
    problem(tell(stack, body + b" ", good), 400, "bad-signature")  # the body was changed on the way
    assert kept(stack, told) == ()
    assert tell(stack, body, f"{good},v1={'0' * 64},v0=abc").status_code == 200  # one of several is enough


@pytest.mark.parametrize("seconds, is_good", [(-360, False), (-240, True), (240, True), (360, False)])
def test_how_old_a_signature_may_be(stack, seconds, is_good):
    told = event()
    answer = tell(stack, told, at=int(time.time()) + seconds)
    if is_good:
        assert answer.status_code == 200, answer.text
    else:
        problem(answer, 400, "signature-time")
    assert len(kept(stack, told)) == is_good


def test_what_is_no_event(stack):
    count = stack.sql("SELECT COUNT(*) FROM provider_events")
    for body in (b"", b"x", b"[]", b"{}", b'{"id":"evt_1"', json.dumps(event(of="charge")).encode(),
                 json.dumps(event(id="evt_1'; --")).encode(), json.dumps(event(id="e" * 300)).encode()):
        problem(tell(stack, body), 400, "malformed")
    assert stack.sql("SELECT COUNT(*) FROM provider_events") == count


def test_what_does_not_concern_us_is_thanked_for_and_forgotten(stack):
    told = event("customer.created", "customer")
    assert tell(stack, told).status_code == 200
    assert kept(stack, told) == ()


def test_it_is_no_browser(stack):
    """The rules against other sites' pages do not apply: the signature says whose it is. It needs no event and no token."""
    told = event()
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
    assert tell(stack, told, headers=headers).status_code == 200
    assert len(kept(stack, told)) == 1
    answer = bare_client(stack).get(WEBHOOK_PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_long_one(stack):
    """Events of an account that sells other things, too, were seen beyond 16 KiB, and beyond a stream's first window; nothing else may be so long."""
    for bytes_ in (14_000, 17_000, 48_000):
        told = event(padding="x" * bytes_)
        assert tell(stack, told).status_code == 200
        assert kept(stack, told)[0][2] == json.dumps(told).encode()
    assert tell(stack, event(padding="x" * 49_152)).status_code == 413
    assert bare_client(stack).post("/v1/payments/webhooks", content=b"x" * 17_000).status_code == 413


def test_many_at_once(stack):
    """As after an on-sale, when the provider tells of everything: more than one statement's worth, each is kept."""
    told = [event() for _ in range(600)]
    clients = [bare_client(stack, number % 2) for number in range(8)]
    failed = []

    def send(client, mine):
        for each in mine:
            body = json.dumps(each).encode()
            answer = client.post(WEBHOOK_PATH, content=body, headers={"Stripe-Signature": signature(body)})
            if answer.status_code != 200:
                failed.append(answer.text)

    threads = [threading.Thread(target=send, args=(client, told[number::8])) for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    ids = {row[0] for row in stack.sql("SELECT id FROM provider_events")}
    assert {each["id"] for each in told} <= ids


def test_secrets_are_read_again(stack):
    path = stack.secrets_folder / "webhook_secrets"
    told = event()
    try:
        path.write_text("whsec_the_newest\n")
        stack.rooms[0].hangup()
        wait_until(lambda: tell(stack, told, secret="whsec_the_newest").status_code == 200, "the new secret to be good", 20 * PATIENCE)
        problem(tell(stack, event()), 400, "bad-signature")
        assert tell(stack, event(), room=1).status_code == 200  # the other was not told to read it again
        stack.expect_errors("webhook_secrets_not_read")
        path.write_text("")
        stack.rooms[0].hangup()
        stack.rooms[0].wait_log("webhook_secrets_not_read", seconds=20 * PATIENCE)
        assert tell(stack, event(), secret="whsec_the_newest").status_code == 200  # what cannot be read stays
    finally:
        secret_file(stack.secrets_folder, WEBHOOK_SECRET, OLD_SECRET)
        stack.rooms[0].hangup()
    wait_until(lambda: tell(stack, event()).status_code == 200, "the old secrets to be back", 20 * PATIENCE)


@pytest.mark.parametrize("provider", ["none", "stripe"])
def test_without_a_secret_none_are_taken(stack_factory, tmp_path, provider):
    config = payment_config(tmp_path) if provider == "stripe" else {}
    room = stack_factory(config={"payment": config}).start(rooms=1, admissions=0)
    problem(tell(room, event()), 404, "no-webhook")
    problem(tell(room, event(), secret=""), 404, "no-webhook")


def test_with_mysql_away_it_is_not_thanked(stack_factory, tmp_path):
    """So that the provider sends it again."""
    config = payment_config(tmp_path, webhook_secret_file=secret_file(tmp_path, WEBHOOK_SECRET))
    away = stack_factory(config={"payment": config}, proxied=True).start(rooms=1, admissions=0)
    told = event()
    away.expect_errors("mysql_away")
    away.mysql_proxy.cut()
    answer = tell(away, told)
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    away.mysql_proxy.mend()
    away.rooms[0].wait_ready()
    assert kept(away, told) == ()
    assert tell(away, told).status_code == 200
    assert len(kept(away, told)) == 1
