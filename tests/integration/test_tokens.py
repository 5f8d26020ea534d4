# SPDX-License-Identifier: Apache-2.0
"""Queue tokens: ours are plain JWTs; everything else that looks like one is refused, and never earns a new place."""

import base64
import json
import time
import warnings

import jwt
import pytest
from harness.bare import bare_client
from processes import wait_until

LINE = "/v1/events/tokens/line"


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    stack = module_stack_factory().start()
    stack.event("tokens", pace="0")
    stack.event("other", pace="0")
    client = bare_client(stack)
    wait_until(lambda: client.get("/v1/events/other").json().get("state") == "open", "the events", 20)
    return stack


@pytest.fixture(scope="module")
def visitor(stack):
    return stack.join("tokens")


@pytest.fixture(scope="module")
def key(stack):
    """(kid, secret) of the key that signs, from its file."""
    files = list((stack.folder / "tokens").glob("*.json"))
    assert len(files) == 1
    document = json.loads(files[0].read_text())
    secret = next(document[name] for name in ("secret", "k") if name in document)
    return files[0].stem, secret_bytes(secret)


def secret_bytes(text):
    if len(text) == 64:
        return bytes.fromhex(text)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(key, claims, algorithm="HS256", secret=None, **header):
    kid, own = key
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(claims, own if secret is None else secret, algorithm=algorithm,
                          headers={"typ": "onsale-queue+jwt", "kid": kid} | header)


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False, "verify_aud": False})


def count(stack):
    return stack.sql("SELECT COUNT(*) FROM arrivals a JOIN events e ON e.id = a.event_id WHERE e.slug = 'tokens'")[0][0]


def assert_refused(stack, token, kind="bad-token"):
    """By every method, by bearer and by cookie: 401, no place, and a cookie that did not verify is taken away."""
    client = bare_client(stack)
    before = count(stack)
    for method in ("POST", "GET", "DELETE"):
        answer = client.request(method, LINE, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["type"]) == (401, f"/problems/{kind}"), (method, answer.text)
        assert "set-cookie" not in answer.headers
        answer = client.request(method, LINE, headers={"Cookie": f"__Host-onsale-tokens={token}"})
        assert (answer.status_code, answer.json()["type"]) == (401, f"/problems/{kind}"), (method, answer.text)
        assert answer.headers["set-cookie"].startswith("__Host-onsale-tokens=; Max-Age=0;")
    assert count(stack) == before


def test_pyjwt_reads_ours(visitor, key):
    kid, secret = key
    assert jwt.get_unverified_header(visitor.token) == {"alg": "HS256", "typ": "onsale-queue+jwt", "kid": kid}
    claims = jwt.decode(visitor.token, secret, algorithms=["HS256"], audience="tokens", issuer="onsale",
                        options={"require": ["iss", "aud", "sub", "iat", "exp"]})
    assert claims["place"] == visitor.place
    assert len(bytes.fromhex(claims["sub"])) == 16
    assert abs(claims["iat"] - time.time()) < 60 and claims["exp"] > time.time() + 86400


def test_ours_read_pyjwt(stack, visitor, key):
    token = sign(key, claims_of(visitor.token))
    assert bare_client(stack).get(LINE, headers={"Authorization": f"Bearer {token}"}).json()["place"] == visitor.place


def test_forged(stack, visitor, key):
    claims = claims_of(visitor.token)
    assert_refused(stack, sign(key, claims, secret=b"x" * 32))
    header, payload, signature = visitor.token.split(".")
    other = "A" if signature[5] != "A" else "B"
    assert_refused(stack, f"{header}.{payload}.{signature[:5]}{other}{signature[6:]}")
    moved = base64.urlsafe_b64encode(json.dumps(claims | {"place": 2}).encode()).rstrip(b"=").decode()
    assert_refused(stack, f"{header}.{moved}.{signature}")


def test_expired(stack, visitor, key):
    assert_refused(stack, sign(key, claims_of(visitor.token) | {"exp": int(time.time()) - 1}))


def test_other_algorithms(stack, visitor, key):
    claims = claims_of(visitor.token)
    for algorithm in ("HS384", "HS512"):
        assert_refused(stack, sign(key, claims, algorithm=algorithm))
    header, payload, signature = visitor.token.split(".")

    def with_header(**fields):
        document = {"alg": "HS256", "typ": "onsale-queue+jwt", "kid": key[0]} | fields
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    for algorithm in ("none", "None", "NONE", "RS256", "ES256", ""):
        assert_refused(stack, f"{with_header(alg=algorithm)}.{payload}.{signature}")
        assert_refused(stack, f"{with_header(alg=algorithm)}.{payload}.")


def test_rs256_signed(stack, visitor, key):
    from cryptography.hazmat.primitives.asymmetric import rsa
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert_refused(stack, sign(key, claims_of(visitor.token), algorithm="RS256", secret=private))


def test_other_headers(stack, visitor, key):
    claims = claims_of(visitor.token)
    assert_refused(stack, sign(key, claims, typ="JWT"))
    assert_refused(stack, sign(key, claims, typ="onsale-pass+jwt"))
    assert_refused(stack, sign(key, claims, kid="0000000000000000"))
    assert_refused(stack, sign(key, claims, kid="../../etc/passwd"))


def test_other_claims(stack, visitor, key):
    claims = claims_of(visitor.token)
    assert_refused(stack, sign(key, claims | {"iss": "somebody"}))
    for missing in ("iss", "aud", "sub", "exp", "iat", "place"):
        assert_refused(stack, sign(key, {name: value for name, value in claims.items() if name != missing}))
    for place in (0, -1, "1", 1.5, 2**64, None):
        assert_refused(stack, sign(key, claims | {"place": place}))


def test_somebody_elses_number(stack, visitor, key):
    """Signed by us, so it would take a leaked key: the visitor id must be the one that the arrival has."""
    claims = claims_of(visitor.token)
    assert_refused_by_mysql(stack, sign(key, claims | {"sub": "00" * 16}))
    assert_refused_by_mysql(stack, sign(key, claims | {"place": 1000000}))


def assert_refused_by_mysql(stack, token):
    headers = {"Authorization": f"Bearer {token}"}
    for method in ("GET", "POST"):
        answer = bare_client(stack).request(method, LINE, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-token"), answer.text
    bare_client(stack).delete(LINE, headers=headers)
    assert stack.sql("SELECT COUNT(*) FROM arrivals WHERE left_at IS NOT NULL")[0][0] == 0


def test_cut_doubled_and_huge(stack, visitor):
    half = visitor.token[:len(visitor.token) // 2]
    for token in (half, visitor.token[:-1], visitor.token + "A", visitor.token + "." + half, "x", ".", "..", "a.b.c"):
        assert_refused(stack, token)
    assert_refused(stack, visitor.token + "A" * 20000)


def test_another_events(stack):
    foreign = stack.join("other")
    assert_refused(stack, foreign.token, kind="wrong-event")


def test_no_token(stack):
    client = bare_client(stack)
    for method in ("GET", "DELETE"):
        answer = client.request(method, LINE)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/no-token")
        assert answer.headers["www-authenticate"] == "Bearer"
    answer = client.get(LINE, headers={"Authorization": "Bearer"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-token")


def test_one_connection_carries_many(stack, visitor):
    """Behind a proxy visitors share connections: what was verified for one must never count for another."""
    client = bare_client(stack)
    other = stack.join("tokens", client=client)
    for _ in range(3):
        assert client.get(LINE, headers=visitor.headers).json()["place"] == visitor.place
        assert client.get(LINE, headers=other.headers).json()["place"] == other.place
        assert client.get(LINE, headers={"Authorization": f"Bearer {other.token[:-1]}"}).status_code == 401


def test_an_old_cookie_is_renewed(stack, visitor, key):
    now = int(time.time())
    old = sign(key, claims_of(visitor.token) | {"iat": now - 3700, "exp": now + 1000})
    client = bare_client(stack)
    for path in (LINE, "/e/tokens"):
        answer = client.get(path, headers={"Cookie": f"__Host-onsale-tokens={old}"})
        assert answer.status_code == 200
        fresh = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
        assert claims_of(fresh)["iat"] >= now and claims_of(fresh)["sub"] == claims_of(old)["sub"]
    young = client.get(LINE, headers={"Cookie": f"__Host-onsale-tokens={visitor.token}"})
    assert "set-cookie" not in young.headers


def test_keys_are_rotated_under_way(stack, visitor):
    stack.onsale("keys", "rotate", expect=0)
    stack.rooms[0].hangup()
    stack.rooms[0].wait_log("reloaded")
    client = bare_client(stack)
    assert client.get(LINE, headers=visitor.headers).json()["place"] == visitor.place
    assert stack.join("tokens").token.split(".")[0] == visitor.token.split(".")[0]  # the new one signs ten minutes later
