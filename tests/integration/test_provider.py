# SPDX-License-Identifier: Apache-2.0
"""The payment provider's client (common/provider.h), driven by tests/provider/ask.c against servers that do what no provider should.

No database and no broker are needed. What counts each time is which of four things the caller is told: done, no for good, certainly not
done (busy, denied), or that nobody knows.
"""

import asyncio
import json
import socket
import ssl
import subprocess
import threading
import time

import h2.config
import h2.connection
import h2.events
import pytest
from harness.asker import CONFIRM, SECRET, Asker
from harness.hostile import HostileServer
from harness.stack import PATIENCE

MIB = 1024 * 1024

pytestmark = pytest.mark.quick


def intent(**more):
    return {"id": "pi_1", "object": "payment_intent", "amount": 4500, "amount_received": 0, "currency": "eur", "created": 1795470001,
            "latest_charge": None, "status": "requires_capture", "metadata": {}, **more}


def answer(body, status="200 OK", headers=()):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def always(data, goes_on=True):
    """A server's behaviour: the same bytes to everybody."""
    async def behave(request, writer):
        writer.write(data)
        return goes_on
    return behave


@pytest.fixture
def serve():
    servers = []

    def serve(behave, **options):
        servers.append(HostileServer(behave, **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


@pytest.fixture
def asker(tmp_path):
    askers = []

    def asker(url, **options):
        askers.append(Asker(tmp_path, url, **options))
        return askers[-1]

    yield asker
    for each in askers:
        each.close()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---------------------------------------------------------------- as it should be


def test_a_call_goes_out_as_it_should(serve, asker):
    server = serve(always(answer(intent(), headers=["Idempotent-Replayed: true"])))
    said = asker(server.url).ask()
    assert (said["result"], said["http_status"], said["is_replayed"]) == ("done", 200, True)
    assert (said["intent"]["status"], said["intent"]["amount"], said["intent"]["currency"]) == ("authorised", 4500, "EUR")
    request, = server.requests
    assert (request.method, request.target) == ("POST", "/v1/payment_intents/pi_1/confirm")
    assert request.body == "return_url=https%3A%2F%2Ftickets.example%2Fe%2Fgala"
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}", "user-agent": "onsale", "authorization": f"Bearer {SECRET}", "accept": "application/json",
        "stripe-version": "2024-06-20", "idempotency-key": "k1", "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(request.body))}


def test_the_connection_is_kept_and_one_call_waits_for_its_end(serve, asker):
    server = serve(always(answer(intent())))
    client = asker(server.url)
    assert client.ask()["result"] == "done"
    assert client.ask("call=capture intent=pi_1 key=k2")["result"] == "done"
    client.begin("call=ask intent=pi_1 sync=1")
    said = client.read()
    assert (said["result"], said["intent"]["id"]) == ("done", "pi_1")
    assert server.connections == 1
    assert [request.method for request in server.requests] == ["POST", "POST", "GET"]
    assert "idempotency-key" not in server.requests[2].headers


def test_lists_and_other_amounts_are_told_as_they_are(serve, asker):
    server = serve(always(answer({"object": "list", "has_more": True, "data": [intent(id="pi_9", amount=1, currency="jpy")]})))
    said = asker(server.url).ask("call=list since=1795470000 after=pi_5")
    assert (said["result"], said["has_more"], [(each["id"], each["amount"], each["currency"]) for each in said["intents"]]) == \
        ("done", True, [("pi_9", 1, "JPY")])


def test_what_comes_before_the_answer_is_no_answer(serve, asker):
    server = serve(always(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nIdempotent-Replayed: true\r\nRetry-After: 9\r\n\r\n" +
                          answer(intent())))
    said = asker(server.url).ask()
    assert (said["result"], said["http_status"], said["is_replayed"]) == ("done", 200, False)


@pytest.mark.parametrize("status, headers, expected", [
    ("429 Too Many", ["Retry-After: 7"], ("busy", 7000, False)),
    ("429 Too Many", ["retry-after:  7 \t"], ("busy", 7000, False)),
    ("429 Too Many", ["Retry-After: Wed, 21 Oct 2026 07:28:00 GMT"], ("busy", 0, False)),
    ("429 Too Many", ["Retry-After: -7"], ("busy", 0, False)),
    ("429 Too Many", ["Retry-After: 99999999999999999999"], ("busy", 0, False)),
    ("409 Conflict", ["Stripe-Should-Retry: true"], ("busy", 0, False)),
    ("500 Oops", [], ("unknown", 0, True)),
    ("500 Oops", ["Stripe-Should-Retry: true"], ("unknown", 0, False)),
    ("500 Oops", ["Stripe-Should-Retry: true", "Idempotent-Replayed: true"], ("unknown", 0, True)),
    ("401 Who", [], ("denied", 0, False)),
    ("402 No", [], ("declined", 0, True)),
])
def test_headers_count(serve, asker, status, headers, expected):
    body = {"error": {"type": "card_error", "code": "card_declined", "message": f"Invalid key {SECRET}",
                      "payment_intent": intent(status="requires_payment_method")}}
    said = asker(serve(always(answer(body, status, headers))).url).ask()
    assert (said["result"], said["retry_after_ms"], said["is_key_spent"]) == expected


# ---------------------------------------------------------------- no answer


def test_nobody_there(asker):
    said = asker(f"http://127.0.0.1:{free_port()}").ask()
    assert (said["result"], said["http_status"], said["is_key_spent"]) == ("busy", 0, False)
    assert said["detail"].startswith("not sent: ")


def test_no_such_host(asker):
    said = asker("https://api.stripe.invalid", seconds=5).ask()
    assert said["result"] == "busy"


@pytest.mark.parametrize("how", ["closed", "reset"])
def test_the_connection_ends_after_the_request(serve, asker, how):
    async def behave(request, writer):
        if how == "reset":
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        return False

    server = serve(behave)
    said = asker(server.url).ask()
    assert (said["result"], said["http_status"], said["is_key_spent"]) == ("unknown", 0, False)
    assert len(server.requests) == 1


def test_a_kept_connection_ends_after_the_request_and_there_is_no_other(serve, asker):
    """The last thing that happens is a refused connection, yet the request was sent before."""
    async def behave(request, writer):
        if len(server.requests) == 1:
            writer.write(answer(intent()))
            return True
        server.server.close()
        return False

    server = serve(behave)
    client = asker(server.url)
    assert client.ask()["result"] == "done"
    said = client.ask("call=capture intent=pi_1 key=k2")
    assert len(server.requests) == 2 and server.connections == 1
    assert "refused" in said["detail"] or "connect" in said["detail"], said  # it did try again
    assert said["result"] == "unknown"


def test_a_kept_connection_that_ended_is_made_again(serve, asker):
    server = serve(always(answer(intent()), goes_on=False))
    client = asker(server.url)
    for number in range(3):
        assert client.ask(f"call=capture intent=pi_1 key=k{number}")["result"] == "done"


@pytest.mark.parametrize("what", ["silent", "drip", "drip-headers"])
def test_the_time_is_up(serve, asker, what):
    async def behave(request, writer):
        whole = answer(intent())
        if what == "drip":
            writer.write(whole[:120])
        for byte in whole[0 if what == "drip-headers" else 120:] if what != "silent" else b"":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.1)
        await asyncio.sleep(3600)

    client = asker(serve(behave).url, seconds=1)
    client.begin(CONFIRM)
    (said,), seconds = client.end()
    assert said["result"] == "unknown"
    assert 0.9 < seconds < 3 * PATIENCE


def test_a_server_that_is_silent_from_the_beginning_was_sent_nothing(asker):
    """Whoever waits for another's connection to stand, to share it, waits no longer than alone."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        client = asker(f"https://127.0.0.1:{listener.getsockname()[1]}", seconds=1)
        client.begin(CONFIRM + " count=20")
        answers, seconds = client.end()
    assert [said["result"] for said in answers] == ["busy"] * 20
    assert 0.9 < seconds < 3 * PATIENCE


def test_an_answer_that_comes_twice_answers_nobody_else(serve, asker):
    """The second copy lies on the kept connection when the next call is made: that one is not known, and the one after it is not even asked there."""
    async def behave(request, writer):
        said = answer(intent(id=request.target.split("/")[3]))
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(said)
        return True

    server = serve(behave)
    client = asker(server.url)
    results = []
    for number in range(40):
        said = client.ask(f"call=capture intent=pi_{number} key=k{number}")
        results.append(said["result"])
        assert said["result"] == "unknown" or said["intent"]["id"] == f"pi_{number}"
        time.sleep(0.1)  # so that the copy is there, which is what is tried
    assert set(results) == {"done", "unknown"} and len(server.requests) == 40
    assert ("unknown", "unknown") not in zip(results, results[1:])


def test_an_answer_to_the_call_before_is_not_taken(serve, asker):
    async def behave(request, writer):
        writer.write(answer(intent(id="pi_1", metadata={"onsale_event": "gala", "onsale_place": "1", "onsale_attempt": "1",
                                                        "onsale_number": "1"})))
        return True

    client = asker(serve(behave).url)
    create = "call=create key=k slug=gala reference=R amount=4500 currency=EUR method=pm_card_visa attempt=1 number=1 place="
    assert client.ask(create + "1")["result"] == "done"
    assert client.ask(create + "2")["result"] == "unknown"
    assert client.ask("call=confirm intent=pi_2 key=k return_url=https://h")["result"] == "unknown"


# ---------------------------------------------------------------- what is no answer


WHOLE = answer(intent())
CUT_OFF = WHOLE[:-20]


@pytest.mark.parametrize("data", [
    CUT_OFF,
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"id\":\"pi_1\",\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + json.dumps(intent()).encode()[:-1],
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConte",
    b"HTTP/1.1 200",
    json.dumps(intent()).encode(),  # HTTP/0.9
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\0" * 64,
    WHOLE.replace(b"application/json", b"text/html"),
    WHOLE.replace(b"Content-Type: application/json\r\n", b""),
    WHOLE.replace(b"Content-Type", b"Content-Encoding: gzip\r\nContent-Type").replace(b'{"id"', b"\x1f\x8b\x08\0\0"),
    answer(b"not JSON"),
    answer(b""),
    answer(b"\xff\xfe" + json.dumps(intent()).encode()),
    answer({"error": {"type": "card_error", "code": "card_declined"}}),
    answer({**intent(), "error": {"type": "api_error"}}),
    answer(intent(id="pi_2")),
    answer(intent(object="charge")),
    answer(intent(amount=4500.5)),
    answer(intent(amount=-4500)),
    answer({"error": {"type": "card_error"}}, "402 No").replace(b"}}", b"}"),
    answer(json.dumps({"error": {"type": "card_error"}})[:-1].encode(), "402 No"),
    answer(b"<html>Bad Gateway</html>", "502 Bad Gateway").replace(b"application/json", b"text/html"),
    answer(b"<html>Not Found</html>", "404 Not Found").replace(b"application/json", b"text/html"),
    answer(intent(), "204 No Content"),
], ids=range(26))
def test_what_is_no_answer_is_not_known(serve, asker, data):
    server = serve(always(data, goes_on=False))
    said = asker(server.url).ask()
    assert said["result"] == "unknown", said
    assert "intent" not in said
    assert len(server.requests) == 1


@pytest.mark.parametrize("is_announced", [True, False], ids=["announced", "endless"])
def test_ten_megabytes_are_not_listened_to(serve, asker, is_announced):
    sent = []

    async def behave(request, writer):
        length = b"Content-Length: %d\r\n" % (10 * MIB) if is_announced else b""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + length + b'\r\n{"id":"')
        while sum(sent) < 10 * MIB:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent.append(65536)
        return False

    said = asker(serve(behave).url).ask()
    assert said["result"] == "unknown" and "too long" in said["detail"], said
    # What the kernel has taken on both sides comes on top of the one megabyte that was read.
    assert sum(sent) < 9 * MIB


def test_as_much_as_is_allowed_is_read(serve, asker):
    body = json.dumps(intent(description="")).encode()
    body = body.replace(b'"description": ""', b'"description": "' + b"x" * (MIB - len(body)) + b'"')
    assert len(body) == MIB
    assert asker(serve(always(answer(body))).url).ask()["result"] == "done"


def test_endless_headers(serve, asker):
    async def behave(request, writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100000):
            writer.write(b"X-%d: %s\r\n" % (number, b"y" * 100))
            await writer.drain()

    said = asker(serve(behave).url).ask()
    assert (said["result"], said["detail"]) == ("unknown", "no answer: the answer's headers are too long")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(serve, asker, status):
    elsewhere = serve(always(answer(intent())))
    server = serve(always(answer({}, status, [f"Location: {elsewhere.url}/v1/payment_intents/pi_1/confirm"])))
    said = asker(server.url).ask()
    assert (said["result"], said["is_key_spent"], said["http_status"]) == ("unknown", False, int(status[:3]))
    assert (elsewhere.connections, len(server.requests)) == (0, 1)


def test_proxies_of_the_environment_are_not_used(serve, asker, tmp_path):
    trap = serve(always(answer(intent())))
    server = serve(always(answer(intent())))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    env = {**dict.fromkeys(names, trap.url), "HOME": str(tmp_path), "no_proxy": "", "NO_PROXY": ""}
    assert asker(server.url, env=env).ask()["result"] == "done"
    assert trap.connections == 0
    assert server.requests[0].headers["authorization"] == f"Bearer {SECRET}"


# ---------------------------------------------------------------- TLS


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A folder with a CA and certificates that it signed: good, another host's, one that has run out; and one that it did not sign."""
    folder = tmp_path_factory.mktemp("authority")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "other-ca"):
        openssl(folder, "req", "-x509", *key, "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, subject, signer, days in (("good", "DNS:localhost,IP:127.0.0.1", "ca", "2"), ("elsewhere", "DNS:elsewhere.example", "ca", "2"),
                                        ("foreign", "DNS:localhost,IP:127.0.0.1", "other-ca", "2"), ("over", "DNS:localhost,IP:127.0.0.1", "ca", "-1")):
        (folder / f"{name}.ext").write_text(f"subjectAltName={subject}\n")
        openssl(folder, "req", *key, "-subj", "/CN=localhost", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", f"{signer}.pem", "-CAkey", f"{signer}.key", "-CAcreateserial",
                "-days", days, "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    return folder


def context_of(folder, name, alpn=("http/1.1",), highest=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if highest < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    context.set_alpn_protocols(list(alpn))
    return context


def test_the_right_authority(serve, asker, authority):
    server = serve(always(answer(intent())), context=context_of(authority, "good"))
    assert asker(server.url, tls_ca=authority / "ca.pem").ask()["result"] == "done"
    assert asker(server.url.replace("127.0.0.1", "localhost"), tls_ca=authority / "ca.pem").ask()["result"] == "done"


@pytest.mark.parametrize("name, tls_ca", [
    ("good", None),  # the system's authorities do not know it
    ("good", "other-ca.pem"), ("foreign", "ca.pem"), ("elsewhere", "ca.pem"), ("over", "ca.pem"),
])
def test_a_certificate_that_is_not_right_gets_no_request(serve, asker, authority, name, tls_ca):
    server = serve(always(answer(intent())), context=context_of(authority, name))
    said = asker(server.url, **({"tls_ca": authority / tls_ca} if tls_ca else {})).ask()
    assert (said["result"], said["is_key_spent"]) == ("busy", False)
    assert "certificate" in said["detail"].lower() or "ssl" in said["detail"].lower(), said
    assert server.requests == []


def test_old_tls_is_not_spoken(serve, asker, authority):
    server = serve(always(answer(intent())), context=context_of(authority, "good", highest=ssl.TLSVersion.TLSv1_1))
    assert asker(server.url, tls_ca=authority / "ca.pem").ask()["result"] == "busy"
    assert server.requests == []


def test_tls_to_a_server_that_speaks_none(serve, asker):
    server = serve(always(answer(intent())))
    assert asker(server.url.replace("http:", "https:"), seconds=1).ask()["result"] == "busy"


# ---------------------------------------------------------------- many


@pytest.mark.parametrize("count, is_tls", [(500, False), (200, True)], ids=["plain", "tls"])
def test_many_at_once_take_as_long_as_one(serve, asker, authority, count, is_tls):
    """Each is answered after two seconds and not before all of them are there: who waits for somebody else's answer waits for ever."""
    async def behave(request, writer):
        await asyncio.sleep(2)
        while len(server.requests) < count:
            await asyncio.sleep(0.01)
        writer.write(answer(intent()))
        return True

    server = serve(behave, context=context_of(authority, "good") if is_tls else None)
    client = asker(server.url, seconds=60, **({"tls_ca": authority / "ca.pem"} if is_tls else {}))
    client.begin(f"{CONFIRM} count={count}")
    answers, seconds = client.end()
    assert [said["result"] for said in answers] == ["done"] * count
    assert server.most_at_once == count
    # Not how much longer than that: it takes as long as this server needs for so many, and that no answer was waited for is told by all
    # having been there at once.
    assert seconds >= 2
    # And afterwards they are kept: nothing new has to be made for the next.
    assert client.ask()["result"] == "done"
    assert server.connections == count


def test_more_than_may_be_under_way_are_not_begun(serve, asker):
    server = serve(always(answer(intent())))
    client = asker(server.url)
    client.begin(CONFIRM + " count=1025")
    answers, _ = client.end()
    assert answers[0] == {"not_begun": "limit"}
    assert [said["result"] for said in answers[1:]] == ["done"] * 1024
    assert client.ask()["result"] == "done"


def test_who_is_silent_keeps_nobody_else_waiting(serve, asker):
    """Every tenth connection is never answered: the others hear at once, and these that nobody knows."""
    async def behave(request, writer):
        if len(server.requests) % 10 == 0:
            await asyncio.sleep(3600)
        writer.write(answer(intent()))
        return True

    server = serve(behave)
    client = asker(server.url, seconds=10)
    client.begin(CONFIRM + " count=100")
    first = [client.read()["result"] for _ in range(90)]
    rest, _ = client.end()
    # In this sequence: whoever had waited for one that is silent would have heard after its time was up.
    assert first == ["done"] * 90 and [said["result"] for said in rest] == ["unknown"] * 10


# ---------------------------------------------------------------- HTTP/2


class Http2Server(threading.Thread):
    """One connection at a time, each stream answered when `at_once` of them wait; with `breaks` it hangs up then instead."""

    def __init__(self, context, at_once, breaks=False):
        super().__init__(daemon=True)
        self.context, self.at_once, self.breaks = context, at_once, breaks
        self.connections, self.paths = 0, []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            plain.settimeout(20 * PATIENCE)
            try:
                with self.context.wrap_socket(plain, server_side=True) as client:
                    self.serve(client)
            except (OSError, ssl.SSLError):
                pass

    def serve(self, client):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        client.sendall(connection.data_to_send())
        waiting = []
        while data := client.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    self.paths.append(dict(event.headers)[b":path"])
                elif isinstance(event, h2.events.StreamEnded):
                    waiting.append(event.stream_id)
            if len(waiting) == self.at_once:
                if self.breaks:
                    return
                for stream in waiting:
                    connection.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
                    connection.send_data(stream, json.dumps(intent()).encode(), end_stream=True)
                waiting = []
            client.sendall(connection.data_to_send())

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.join(20 * PATIENCE)
        assert not self.is_alive()


@pytest.fixture
def serve_http2(authority):
    servers = []

    def serve(*arguments):
        servers.append(Http2Server(context_of(authority, "good", alpn=["h2"]), *arguments))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


def test_many_share_a_connection_over_http2(serve_http2, tmp_path, authority):
    server = serve_http2(90)
    client = Asker(tmp_path, server.url, tls_ca=authority / "ca.pem")
    for _ in range(3):
        client.begin(CONFIRM + " count=90")
        answers, _ = client.end()
        assert [said["result"] for said in answers] == ["done"] * 90
    client.close()
    assert (server.connections, len(server.paths)) == (1, 270)


def test_many_lose_a_connection_over_http2(serve_http2, tmp_path, authority):
    server = serve_http2(90, True)
    client = Asker(tmp_path, server.url, seconds=3 * PATIENCE, tls_ca=authority / "ca.pem")
    client.begin(CONFIRM + " count=90")
    answers, _ = client.end()
    client.close()
    assert [said["result"] for said in answers] == ["unknown"] * 90
