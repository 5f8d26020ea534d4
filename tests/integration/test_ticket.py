# SPDX-License-Identifier: Apache-2.0
"""The ticket of a booking: its page, the published keys, and what `onsale ticket check` says of a code at the door."""

import base64
import json
import re

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from harness.bare import bare_client
from harness.page import Worker
from harness.schema import check
from processes import wait_until

TIERS = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000}]
CLAIMS = {"iss": "onsale", "aud": "gala", "sub": "K7QM-4WDP", "place": 1, "tier": "floor", "quantity": 2, "iat": 1700000000}


@pytest.fixture
def booked(stack_factory):
    """A stack with one confirmed booking: (stack, headers of its visitor)."""
    stack = stack_factory().start()
    stack.event("gala", pace="0", tiers=TIERS)
    visitor = stack.join("gala")
    order = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}
    assert stack.client().put("/v1/events/gala/order", json=order, headers=visitor.headers).status_code == 202
    worker = Worker(stack)
    worker.book("gala", "confirmed")
    worker.connection.close()
    client = stack.client()
    wait_until(lambda: client.get("/e/gala/receipt", headers=visitor.headers).status_code == 200, "the ticket", 20)
    return stack, visitor.headers


def signing_key(stack):
    """The private key, as whoever steals the file would have it."""
    (path,) = (stack.folder / "tokens/tickets").glob("*.json")
    document = json.loads(path.read_text())
    return document["kid"], jwt.PyJWK(document).key


def code(stack, claims=CLAIMS, key=None, **header):
    kid, own = signing_key(stack)
    return jwt.encode(claims, key or own, algorithm=header.pop("alg", "ES256"),
                      headers={"typ": "onsale-ticket+jwt", "kid": kid} | header)


def test_what_is_said_at_the_door(booked):
    stack, _ = booked
    good = code(stack)
    assert stack.onsale("ticket", "check", good, expect=0).out == (
        "valid: 2 × Floor, gala, reference K7QM-4WDP, place 1, confirmed\n")
    told = stack.onsale("ticket", "check", "-", "--event", "gala", expect=0, as_json=True, stdin=f"  {good}\r\nmore").json
    check("ticket check", told)
    assert told["valid"] and told["why"] is None and told["state"] == "confirmed" and told["quantity"] == 2

    # Who mistypes the event must not turn everybody away.
    assert "there is no event 'gaal'" in stack.onsale("ticket", "check", good, "--event", "gaal", expect=3).err
    stack.event("matinee")
    assert "it is for another event, gala" in stack.onsale("ticket", "check", good, "--event", "matinee", expect=1).err

    for changes, why in (({"sub": "K7QM-4WDX"}, "there is no such booking"), ({"place": 2}, "there is no such booking"),
                         ({"aud": "other"}, "there is no such booking")):
        answer = stack.onsale("ticket", "check", code(stack, CLAIMS | changes), expect=1, as_json=True).json
        check("ticket check", answer)
        assert not answer["valid"] and answer["why"] == why
    stack.sql("UPDATE bookings SET state = 'cancelled', refund = 'done'")
    answer = stack.onsale("ticket", "check", good, expect=1, as_json=True).json
    assert answer["state"] == "cancelled" and "(done)" in answer["why"]
    assert "the booking was cancelled" in stack.onsale("ticket", "check", good, expect=1).err


def test_what_is_forged(booked):
    stack, _ = booked
    good, (kid, _) = code(stack), signing_key(stack)
    header, claims, signature = good.split(".")
    richer = base64.urlsafe_b64encode(json.dumps(CLAIMS | {"quantity": 9}).encode()).decode().rstrip("=")
    public = stack.client().get("/.well-known/jwks.json").content
    forged = {
        f"{header}.{richer}.{signature}": "the signature is wrong",
        code(stack, key=ec.generate_private_key(ec.SECP256R1())): "the signature is wrong",
        code(stack, kid="0123456789abcdef"): "a key that is not one of these",
        code(stack, typ="onsale-queue+jwt"): "the code of something else",
        jwt.encode(CLAIMS, public, algorithm="HS256", headers={"typ": "onsale-ticket+jwt", "kid": kid}): "forged",
        jwt.encode(CLAIMS, None, algorithm="none", headers={"typ": "onsale-ticket+jwt", "kid": kid}): "forged",
        code(stack, {name: value for name, value in CLAIMS.items() if name != "sub"}): "no ticket",
        code(stack, CLAIMS | {"place": "1"}): "no ticket",
        "x" * 5000: "no ticket", "K7QM-4WDP": "no ticket", "": "no ticket",
    }
    for text, why in forged.items():
        answer = stack.onsale("ticket", "check", text, expect=1, as_json=True).json
        check("ticket check", answer)
        assert answer["valid"] is False and why in answer["why"], (text[:80], answer)


def test_a_waiting_room_without_the_key(booked):
    """The ticket is shown all the same, and its code as soon as there is a key."""
    stack, headers = booked
    room, client = stack.rooms[0], stack.client()
    page = client.get("/e/gala/receipt", headers=headers).text
    assert "<svg" in page and "K7QM-4WDP" in page
    (key,) = client.get("/.well-known/jwks.json").json()["keys"]
    assert set(key) == {"kty", "crv", "use", "alg", "kid", "x", "y"}
    assert jwt.decode(code(stack), jwt.PyJWK(key).key, algorithms=["ES256"], audience="gala")["sub"] == "K7QM-4WDP"
    folder = stack.folder / "tokens/tickets"
    folder.rename(stack.folder / "away")
    room.end()
    room.start()
    room.wait_ready()
    client = stack.client()
    for _ in range(3):
        page = client.get("/e/gala/receipt", headers=headers).text
        assert "<svg" not in page and "The code for the door cannot be shown" in page and "K7QM-4WDP" in page
    assert client.get("/.well-known/jwks.json").json() == {"keys": []}
    room.hangup()
    wait_until(lambda: room.log_lines("reloaded"), "the reload", 20)
    assert len(room.log_lines("ticket_keys_not_read")) == 1
    (made,) = stack.onsale_json("keys", "rotate", "--kind", "ticket")["items"]
    room.hangup()
    wait_until(lambda: "<svg" in client.get("/e/gala/receipt", headers=headers).text, "the code", 20)
    assert [each["kid"] for each in client.get("/.well-known/jwks.json").json()["keys"]] == [made["kid"]]
    assert re.search(r'viewBox="0 0 \d+ \d+"', client.get("/e/gala/receipt", headers=headers).text)


def test_with_mysql_away_nobody_is_told_that_nothing_is_booked(stack_factory):
    """Who joined here and heard of no booking may have one all the same: only MySQL knows."""
    stack = stack_factory(proxied=True).start(rooms=1, admissions=0)
    stack.event("gala", pace="0")
    client = bare_client(stack)
    headers = {"cookie": f"__Host-onsale-gala={stack.join('gala').token}"}
    assert client.get("/e/gala/receipt", headers=headers).status_code == 404
    stack.mysql_proxy.cut()
    away = client.get("/e/gala/receipt", headers=headers)
    assert (away.status_code, away.headers["retry-after"]) == (503, "2"), away.text
    stack.mysql_proxy.mend()
    wait_until(lambda: client.get("/e/gala/receipt", headers=headers).status_code == 404, "MySQL to be asked again", 20)
