# SPDX-License-Identifier: Apache-2.0
"""Bad requests get a clear answer: the problem's type, the fields that go with it, and nothing happens."""

import socket
import subprocess

import pytest
from harness.bare import bare_client
from processes import wait_until

LINE = "/v1/events/problems/line"


@pytest.fixture(scope="module")
def stack(module_stack):
    module_stack.event("problems", pace="0")
    client = bare_client(module_stack)
    wait_until(lambda: client.get("/v1/events/problems").json().get("state") == "open", "the event", 20)
    return module_stack


def assert_problem(answer, status, kind):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["type"] == f"/problems/{kind}" and document["status"] == status
    assert document["title"] and document["detail"]
    return document


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost"},
    {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-site"},
])
def test_other_sites(stack, headers):
    visitor = stack.join("problems")
    client = bare_client(stack)
    before = stack.sql("SELECT COUNT(*) FROM arrivals")
    for method, path in (("POST", LINE), ("DELETE", LINE), ("POST", "/e/problems/join"), ("POST", "/e/problems/leave")):
        for own in ({}, {"Cookie": f"__Host-onsale-problems={visitor.token}"}):
            answer = client.request(method, path, headers=headers | own)
            assert_problem(answer, 403, "foreign-origin")
            assert "set-cookie" not in answer.headers
    assert stack.sql("SELECT COUNT(*) FROM arrivals") == before
    assert client.get(LINE, headers=headers | visitor.headers).json()["line"] == "waiting"  # looking is allowed


def test_the_own_site(stack):
    client = bare_client(stack)
    own = f"https://localhost:{stack.rooms[0].port}"
    assert client.post(LINE, headers={"Origin": own, "Sec-Fetch-Site": "same-origin"}).status_code == 201


def test_unknown_addresses(stack):
    client = bare_client(stack)
    for path in ("/v1/events/nothing", "/v1/events/nothing/line", "/e/nothing"):
        assert_problem(client.get(path), 404, "no-event")
    assert_problem(client.post("/v1/events/nothing/line"), 404, "no-event")
    for path in ("/", "/v1", "/v1/events", "/v1/events/UPPER", "/e/", "/assets/../page.html", "/assets/nothing.js", "/.git"):
        assert_problem(client.get(path), 404, "not-found")


def test_a_browser_gets_something_to_look_at(stack):
    client = bare_client(stack)
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    for path, said in (("/e/nothing", "There is no such event"), ("/", "There is nothing")):
        answer = client.get(path, headers=browser)
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert said in answer.text and "/assets/onsale.css" in answer.text
    assert_problem(client.get("/v1/events/nothing", headers=browser), 404, "no-event")


def test_wrong_methods(stack):
    client = bare_client(stack)
    for method, path, allow in (("PUT", LINE, "GET, HEAD, POST, DELETE"), ("OPTIONS", LINE, "GET, HEAD, POST, DELETE"),
                                ("POST", "/v1/events/problems", "GET, HEAD"), ("DELETE", "/e/problems", "GET, HEAD"),
                                ("GET", "/e/problems/join", "POST"), ("TRACE", "/assets/onsale.css", "GET, HEAD"),
                                ("BREW", LINE, "GET, HEAD, POST, DELETE")):
        answer = client.request(method, path)
        assert_problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == allow


def test_not_acceptable(stack):
    client = bare_client(stack)
    visitor = stack.join("problems")
    for accept in ("text/html", "application/json;q=0", "image/*"):
        assert_problem(client.get(LINE, headers=visitor.headers | {"Accept": accept}), 406, "not-acceptable")
        assert_problem(client.get("/v1/events/problems", headers={"Accept": accept}), 406, "not-acceptable")


def test_media_types(stack):
    client = bare_client(stack)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/problem+json", ""):
        assert_problem(client.post(LINE, content=b"{}", headers={"Content-Type": kind}), 415, "media-type")
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert client.post(LINE, content=b"{}", headers={"Content-Type": kind}).status_code == 201
    assert client.post(LINE, content=b"", headers={"Content-Type": "text/plain"}).status_code == 201


@pytest.mark.parametrize("body", [
    b"{", b"[]", b"null", b"1", b"\"x\"", b"{}{}", b"{\"again\":true,\"again\":false}", b"\xff\xfe", b"{\"again\":\"\\u0000\"}",
    b"[" * 5000, b"{\"a\":" * 2000,
])
def test_malformed_bodies(stack, body):
    answer = bare_client(stack).post(LINE, content=body, headers={"Content-Type": "application/json"})
    assert_problem(answer, 400, "malformed")


@pytest.mark.parametrize("body, field", [
    ({"agian": True}, "agian"), ({"again": "yes"}, "again"), ({"again": 1}, "again"), ({"proof": 7}, "proof"),
    ({"proof": "solved"}, "proof"), ({"member": "M-1"}, "member"), ({"member": []}, "member"),
])
def test_understood_but_not_allowed(stack, body, field):
    document = assert_problem(bare_client(stack).post(LINE, json=body), 422, "invalid")
    assert [error["field"] for error in document["errors"]] == [field]
    assert document["errors"][0]["detail"]


def test_bodies_that_are_too_large(stack):
    client = bare_client(stack)
    assert client.post(LINE, content=b" " * 16382 + b"{}", headers={"Content-Type": "application/json"}).status_code == 201
    answer = client.post(LINE, content=b" " * 16383 + b"{}", headers={"Content-Type": "application/json"})
    assert_problem(answer, 413, "body-too-large")
    # httpx sends all before it listens, so this one goes by curl.
    sent = subprocess.run(["curl", "-sk", "--http2", "-w", "%{http_code}", "-H", "Content-Type: application/json", "--data-binary",
                           "@-", f"https://localhost:{stack.rooms[0].port}{LINE}"], input=b"x" * 1_000_000,
                          capture_output=True, timeout=30)
    assert sent.stdout.endswith(b"413"), sent
    assert client.get("/v1/events/problems").status_code == 200  # the connection, or a new one, goes on


def test_http_1_1_is_told_so(stack):
    for port, tls in ((stack.rooms[0].cleartext_port, False), (stack.rooms[0].port, True)):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
            connection = raw
            if tls:
                context = stack.tls()
                context.set_alpn_protocols(["http/1.1"])
                try:
                    connection = context.wrap_socket(raw, server_hostname="localhost")
                except OSError:
                    continue  # refusing in the handshake is clear enough (RFC 7301, 3.2)
            connection.sendall(b"GET /v1/events/problems HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while data := connection.recv(4096):
                answer += data
            assert b"HTTP/2" in answer
            assert answer.count(b"\n") <= 8


def test_head_is_get_without_the_body(stack):
    client = bare_client(stack)
    visitor = stack.join("problems")
    for path in ("/v1/events/problems", "/e/problems", LINE, "/assets/onsale.css"):
        head = client.head(path, headers=visitor.headers)
        assert head.status_code == 200 and head.content == b"" and int(head.headers["content-length"]) > 0


def test_the_page_is_strict(stack):
    client = bare_client(stack)
    page = client.get("/e/problems")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] and page.headers["strict-transport-security"]
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for path, kind in (("/assets/onsale.css", "text/css"), ("/assets/onsale.js", "text/javascript"), ("/favicon.ico", "image/")):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(kind) and answer.headers["etag"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        tag = answer.headers["etag"]
        for known in (tag, f'"other", W/{tag}'):
            kept = client.get(path, headers={"If-None-Match": known})
            assert (kept.status_code, kept.content, kept.headers["etag"]) == (304, b"", tag)
        assert client.get(path, headers={"If-None-Match": '"other"'}).content == answer.content


def test_forms(stack):
    """The page without JavaScript: 303 back to it, with the cookie, or with the problem for the page to show."""
    client = bare_client(stack)
    joined = client.post("/e/problems/join", content=b"", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (joined.status_code, joined.headers["location"]) == (303, "/e/problems")
    cookie = joined.headers["set-cookie"].partition(";")[0]
    place = client.get(LINE, headers={"Cookie": cookie}).json()["place"]
    again = client.post("/e/problems/join", headers={"Cookie": cookie})
    assert again.status_code == 303
    assert client.get(LINE, headers={"Cookie": again.headers["set-cookie"].partition(";")[0]}).json()["place"] == place
    assert str(place) in client.get("/e/problems", headers={"Cookie": cookie}).text
    left = client.post("/e/problems/leave", headers={"Cookie": cookie})
    assert (left.status_code, left.headers["location"]) == (303, "/e/problems")
    assert client.get(LINE, headers={"Cookie": cookie}).json()["line"] == "left"
    assert client.post("/e/problems/join", headers={"Cookie": cookie}).status_code == 303
    assert client.get(LINE, headers={"Cookie": cookie}).json()["line"] == "left"
    fresh = client.post("/e/problems/join", headers={"Cookie": cookie}, content=b"again=true")
    fresh_cookie = fresh.headers["set-cookie"].partition(";")[0]
    assert client.get(LINE, headers={"Cookie": fresh_cookie}).json()["place"] > place


def test_a_stale_cookie_locks_nobody_out(stack):
    client = bare_client(stack)
    stale = {"Cookie": "__Host-onsale-problems=stale"}
    refused = client.post("/e/problems/join", headers=stale)
    assert (refused.status_code, refused.headers["location"]) == (303, "/e/problems?problem=bad-token")
    assert refused.headers["set-cookie"].startswith("__Host-onsale-problems=; Max-Age=0")
    page = client.get("/e/problems", headers=stale)
    assert page.status_code == 200
    assert page.headers["set-cookie"].startswith("__Host-onsale-problems=; Max-Age=0")
    assert "not valid" in page.text
    assert "not valid" in client.get(refused.headers["location"]).text
    assert "script>alert" not in client.get("/e/problems?problem=<script>alert(1)</script>").text


@pytest.mark.parametrize("kind, said", [("sold-out", "is sold out"), ("closed", "event is closed"), ("stopped", "is stopped"),
                                        ("draft", "not opened yet"), ("confirmed", "The tickets are booked. "),
                                        ("released", "It is too late to change the order"), ("turn-over", "The turn is over"),
                                        ("left", "The place was given up")])
def test_a_link_cannot_spread_rumours(stack, kind, said):
    assert said not in bare_client(stack).get(f"/e/problems?problem={kind}").text


def test_the_form_says_why_nobody_can_join(stack):
    stack.event("form-stopped", pace="0")
    stack.onsale("stop", "form-stopped", "--reason", "x", expect=0)
    client = bare_client(stack)
    wait_until(lambda: client.get("/v1/events/form-stopped").json().get("state") == "stopped", "the stop", 20)
    refused = client.post("/e/form-stopped/join")
    assert (refused.status_code, refused.headers["location"]) == (303, "/e/form-stopped?problem=stopped")
    assert "is stopped" in client.get(refused.headers["location"]).text
