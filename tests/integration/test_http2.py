# SPDX-License-Identifier: Apache-2.0
"""The HTTP/2 server alone, behind an echoing handler (tests/http/echo_server.c): protocol, limits, deadlines, attacks.

No database and no broker are needed. Attacks are made of frames by hand, for no honest client would send them.
"""

import contextlib
import json
import os
import re
import resource
import signal
import socket
import ssl
import struct
import subprocess
import time

import hpack
import httpx
import pytest
from harness.stack import BUILD, PATIENCE, ROOT
from hyperframe.frame import (ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, PriorityFrame,
                              RstStreamFrame, SettingsFrame, WindowUpdateFrame)

ECHO = ROOT / "build" / BUILD / "tests" / "http-echo"
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 9, 11
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Closed(Exception):
    """The server closed the connection."""


class Server:
    def __init__(self, folder, certificate, descriptors=None, **options):
        options = {"listen": "127.0.0.1:0", "listen_cleartext": "127.0.0.1:0",
                   "certificate": certificate / "certificate.pem", "private_key": certificate / "key.pem", **options}
        self.log = open(folder / "http-echo.log", "w+")

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        self.process = subprocess.Popen([ECHO, *(f"{name}={value}" for name, value in options.items())],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=limit)
        line = self.process.stdout.readline()
        assert line, self.problem()
        ports = json.loads(line)
        self.tls, self.cleartext = ports["tls"], ports["cleartext"]

    def problem(self):
        self.log.seek(0)
        return self.log.read()

    def memory(self):
        """Resident bytes; 0 under the sanitizers, which keep what was freed."""
        if BUILD in ("asan", "tsan"):
            return 0
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=20 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
        # The handler counts: an exchange that was never closed, or closed twice, makes it fail; so does a sanitizer.
        assert self.process.returncode == 0, self.problem()
        self.log.close()


@pytest.fixture(scope="session", autouse=True)
def built():
    subprocess.run(["make", "-s", "http-echo", f"BUILD={BUILD}"], cwd=ROOT, check=True, timeout=600)


@pytest.fixture
def start(tmp_path, certificate):
    servers = []

    def start(**options):
        servers.append(Server(tmp_path, options.pop("identity", certificate), **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, certificate):
    server = Server(tmp_path_factory.mktemp("http"), certificate)
    yield server
    server.stop()


def tls_context(alpn=("h2",)):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


class Client:
    """A connection made of frames. Frames that came are kept in `frames` until somebody asked for them."""

    def __init__(self, server, tls=False, context=None, settings=None, source=None, receive_buffer=None, preface=True):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(10 * PATIENCE)
        self.socket.connect(("127.0.0.1", server.tls if tls else server.cleartext))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = (context or tls_context()).wrap_socket(self.socket, server_hostname="localhost")
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.decoder.max_header_list_size = 1 << 20
        self.input = b""
        self.frames = []
        self.stream_id = -1
        if preface:
            self.raw(PREFACE)
            self.send(SettingsFrame(0, settings=settings or {}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError) as error:
            raise Closed from error

    def send(self, *frames):
        self.raw(b"".join(frame.serialize() for frame in frames))

    def block(self, method="GET", path="/small", headers=()):
        return self.encoder.encode([(":method", method), (":scheme", "https"), (":authority", "localhost"),
                                    (":path", path), *headers], huffman=False)

    def headers(self, method="GET", path="/small", headers=(), end=True):
        """The frames of a new request, and its stream."""
        self.stream_id += 2
        block = self.block(method, path, headers)
        pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)]
        frames = [HeadersFrame(self.stream_id, pieces[0])]
        frames += [ContinuationFrame(self.stream_id, piece) for piece in pieces[1:]]
        frames[-1].flags.add("END_HEADERS")
        if end:
            frames[0].flags.add("END_STREAM")
        return frames

    def request(self, method="GET", path="/small", headers=(), body=None):
        self.send(*self.headers(method, path, headers, end=body is None))
        if body is not None:
            frame = DataFrame(self.stream_id, body)
            frame.flags.add("END_STREAM")
            self.send(frame)
        return self.stream_id

    def take(self):
        """The next frame. Closed when the connection has ended, TimeoutError when nothing comes."""
        while True:
            if len(self.input) >= 9:
                frame, bytes_ = Frame.parse_frame_header(memoryview(self.input[:9]))
                if len(self.input) >= 9 + bytes_:
                    frame.parse_body(memoryview(self.input[9:9 + bytes_]))
                    self.input = self.input[9 + bytes_:]
                    return frame
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLError) as error:
                raise Closed from error
            if not data:
                raise Closed
            self.input += data

    def wait(self, wanted, timeout=10):
        """Reads until a frame is wanted; acknowledges settings on the way."""
        end = time.monotonic() + timeout * PATIENCE
        while True:
            for i, frame in enumerate(self.frames):
                if wanted(frame):
                    return self.frames.pop(i)
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"had {self.frames}")
            self.socket.settimeout(left)
            frame = self.take()
            if isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
                self.send(SettingsFrame(0, flags=["ACK"]))
            if isinstance(frame, HeadersFrame):
                frame.fields = dict(self.decoder.decode(frame.data))  # in order, or the compression's state is lost
            self.frames.append(frame)

    def response(self, stream_id, timeout=10):
        """Status, header fields and body; (None, code, b"") for a reset."""
        first = self.wait(lambda f: f.stream_id == stream_id and isinstance(f, (HeadersFrame, RstStreamFrame)), timeout)
        if isinstance(first, RstStreamFrame):
            return None, first.error_code, b""
        body = b""
        frame = first
        while "END_STREAM" not in frame.flags:
            frame = self.wait(lambda f: f.stream_id == stream_id and isinstance(f, (DataFrame, RstStreamFrame)), timeout)
            if isinstance(frame, RstStreamFrame):
                return None, frame.error_code, body
            body += frame.data
        return int(first.fields[":status"]), first.fields, body

    def get(self, path="/small", headers=()):
        return self.response(self.request(path=path, headers=headers))

    def news(self, stream_id, timeout=10):
        """The next frame of an event stream: its number and its text."""
        frame = self.wait(lambda f: f.stream_id == stream_id and isinstance(f, DataFrame), timeout)
        found = [(int(number), text) for number, text in re.findall(rb"id: (\d+)\ndata: (.*)\n\n", frame.data)]
        assert len(found) == 1, frame
        return found[0]

    def goaway(self, timeout=10):
        """The error of the GOAWAY that ends this connection, and that it does end. None: closed without one."""
        code = None
        try:
            while True:
                code = self.wait(lambda f: isinstance(f, GoAwayFrame), timeout).error_code
        except Closed:
            return code

    def until_closed(self, timeout=10):
        data = b""
        self.socket.settimeout(timeout * PATIENCE)
        try:
            while piece := self.socket.recv(65536):
                data += piece
        except (ConnectionResetError, ssl.SSLError):
            pass
        return data


def exchanges(server):
    """How many exchanges the handler has, without the one that asks."""
    with Client(server) as client:
        return int(client.get("/open")[2]) - 1


def wait_for(condition, timeout=10):
    end = time.monotonic() + timeout * PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def metric(server, name):
    with Client(server) as client:
        text = client.get("/metrics")[2].decode()
    return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)[1])


# What it speaks

@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_tls(server, version):
    context = tls_context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    with Client(server, tls=True, context=context) as client:
        assert client.socket.selected_alpn_protocol() == "h2"
        status, fields, body = client.get()
    assert (status, body) == (200, b"Hello.\n")
    assert fields["strict-transport-security"].startswith("max-age=")
    assert fields["content-length"] == "7"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields["date"])


def test_old_tls_is_refused(server):
    context = tls_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        Client(server, tls=True, context=context)


def test_resumption(server):
    context = tls_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Client(server, tls=True, context=context) as client:
        client.get()
        session = client.socket.session
    with socket.create_connection(("127.0.0.1", server.tls)) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as again:
            assert again.session_reused


def test_cleartext_with_prior_knowledge(server):
    with Client(server) as client:
        status, fields, body = client.get()
    assert (status, body) == (200, b"Hello.\n")
    assert "strict-transport-security" not in fields


def test_an_ordinary_client(server):
    with httpx.Client(http1=False, http2=True, verify=False) as client:
        answer = client.post(f"https://127.0.0.1:{server.tls}/echo?a=b", content="hello", headers={"Cookie": "a=1"})
        large = client.get(f"https://127.0.0.1:{server.tls}/large?1000000")
    assert answer.http_version == "HTTP/2"
    assert "path=/echo\nquery=a=b\n" in answer.text and "body=hello\n" in answer.text
    assert len(large.content) == 1000000


@pytest.mark.parametrize("way", ["cleartext", "alpn http/1.1", "no alpn"])
def test_http1_gets_one_clean_line(server, way):
    context = tls_context(("http/1.1",) if way == "alpn http/1.1" else ())
    with Client(server, tls=way != "cleartext", context=context, preface=False) as client:
        client.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = client.until_closed().decode()
    head, body = text.split("\r\n\r\n")
    assert head.startswith("HTTP/1.1 505 HTTP Version Not Supported\r\n")
    assert f"content-length: {len(body)}" in head and "connection: close" in head
    assert "HTTP/2" in body


def test_http1_letter_by_letter(server):
    with Client(server, preface=False) as client:
        for letter in "PRI * HTTP/1.":
            client.raw(letter.encode())
        client.raw(b"1")
        assert client.until_closed().startswith(b"HTTP/1.1 505 ")


def test_preface_letter_by_letter(server):
    with Client(server, preface=False) as client:
        for i in range(len(PREFACE)):
            client.raw(PREFACE[i:i + 1])
        client.send(SettingsFrame(0))
        assert client.get()[0] == 200


def test_cleartext_on_the_tls_port(server):
    with socket.create_connection(("127.0.0.1", server.tls), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = plain.makefile("rb").read().decode()
    assert text.startswith("HTTP/1.1 400 Bad Request\r\n") and "https://" in text


# Requests and answers

def test_what_the_handler_sees(server):
    with Client(server) as client:
        status, _, body = client.get("/echo?x=1&y=?", [
            ("cookie", "a=1"), ("accept", "text/html"), ("cookie", "b=2"), ("authorization", "Bearer abc"),
            ("accept", "second"), ("x-unknown", "dropped"), ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "2.2.2.2"), ("origin", "https://o"), ("sec-fetch-site", "same-origin"),
            ("accept-language", "de"), ("host", "other")])
    lines = body.decode().splitlines()
    assert status == 200
    for line in ("method_name=GET", "path=/echo", "query=x=1&y=?", "authority=localhost", "cookie=a=1; b=2",
                 "accept=text/html", "authorization=Bearer abc", "forwarded_for=1.1.1.1, 2.2.2.2",
                 "origin=https://o", "sec_fetch_site=same-origin", "accept_language=de", "content_type=(none)",
                 "address=127.0.0.1", "body_bytes=0"):
        assert line in lines


def test_trusted_proxy(start):
    server = start(trusted_proxies="127.0.0.1, 10.0.0.0/8")
    with Client(server) as client:
        body = client.get("/echo", [("x-forwarded-for", "6.6.6.6, 203.0.113.9"), ("x-forwarded-for", "10.1.1.1")])[2]
    assert b"\naddress=203.0.113.9\n" in body
    with Client(server, source="127.0.0.2") as client:
        assert b"\naddress=127.0.0.2\n" in client.get("/echo", [("x-forwarded-for", "203.0.113.9")])[2]


def test_head(server):
    with Client(server) as client:
        status, fields, body = client.response(client.request("HEAD", "/small"))
        assert (status, fields["content-length"], body) == (200, "7", b"")
        status, _, body = client.response(client.request("HEAD", "/stream"))
        assert (status, body) == (200, b"")
        status, fields, body = client.response(client.request("HEAD", "/" + "x" * 1024))
        assert (status, body) == (414, b"") and int(fields["content-length"]) > 0


def test_many_at_once_and_late_answers(server):
    with Client(server) as client:
        late = [client.request(path="/late?50") for _ in range(100)]
        assert client.get()[0] == 200
        assert all(client.response(stream)[0] == 200 for stream in late)


def test_too_many_streams_are_refused(server):
    with Client(server) as client:  # one that has not read the settings yet: only what is too much is refused
        streams = [client.request(path="/late?300") for _ in range(140)]
        answers = [client.response(stream)[:2] for stream in streams]
        assert [status for status, _ in answers].count(200) == 128
        assert {code for status, code in answers if status is None} == {REFUSED_STREAM}
        assert client.get()[0] == 200
        with contextlib.suppress(Closed):
            for _ in range(140):
                client.request(path="/late?300")
        assert client.goaway() == PROTOCOL_ERROR  # it has acknowledged them meanwhile


def test_connect_is_refused(server):
    with Client(server) as client:
        client.stream_id += 2
        block = client.encoder.encode([(":method", "CONNECT"), (":authority", "example.org:443")])
        client.send(HeadersFrame(client.stream_id, block, flags=["END_HEADERS"]))
        status, fields, _ = client.response(client.stream_id)
        assert status == 405 and "GET" in fields["allow"]
        assert client.get()[0] == 200


def test_expect_continue(server):
    with Client(server) as client:
        client.send(*client.headers("POST", "/echo", [("expect", "100-continue"), ("content-length", "2")], end=False))
        interim = client.wait(lambda f: isinstance(f, HeadersFrame))
        assert interim.fields == {":status": "100"} and "END_STREAM" not in interim.flags
        client.send(DataFrame(client.stream_id, b"ok", flags=["END_STREAM"]))
        assert client.response(client.stream_id)[0] == 200


def test_malformed_request_is_reset(server):
    with Client(server) as client:
        client.stream_id += 2
        block = client.encoder.encode([(":method", "GET"), (":scheme", "https"), ("Upper", "x")])
        client.send(HeadersFrame(client.stream_id, block, flags=["END_HEADERS", "END_STREAM"]))
        assert client.response(client.stream_id)[:2] == (None, PROTOCOL_ERROR)
        assert client.get()[0] == 200


# Sizes

@pytest.mark.parametrize("announced", [True, False])
def test_bodies(server, announced):
    with Client(server) as client:
        for bytes_ in (0, 16384):
            length = [("content-length", str(bytes_))] if announced else []
            status, _, body = client.response(client.request("POST", "/echo", length, b"x" * bytes_))
            assert status == 200 and f"body_bytes={bytes_}\n".encode() in body
        length = [("content-length", "16385")] if announced else []
        client.send(*client.headers("POST", "/echo", length, end=False))
        if not announced:
            client.send(DataFrame(client.stream_id, b"x" * 16384), DataFrame(client.stream_id, b"x"))
        stream = client.stream_id
        status, fields, body = client.response(stream)
        assert status == 413 and fields["content-type"] == "application/problem+json"
        document = json.loads(body)
        assert (document["type"], document["status"]) == ("/problems/body-too-large", 413)
        assert document["title"] and document["detail"]
        # The rest is not wanted (RFC 9113, 8.1), and the connection is as good as before.
        assert client.wait(lambda f: isinstance(f, RstStreamFrame)).error_code == NO_ERROR
        assert client.get()[0] == 200
    wait_for(lambda: exchanges(server) == 0)


def test_body_of_a_megabyte(server):
    answer = subprocess.run(["curl", "-sk", "--http2", "-o", "-", "-w", "%{http_code}", "--data-binary", "@-",
                             f"https://127.0.0.1:{server.tls}/echo"], input=b"x" * 1000000, capture_output=True,
                            timeout=20 * PATIENCE)
    assert answer.stdout.endswith(b"413"), answer


def test_headers(server):
    with Client(server) as client:
        assert client.get(headers=[("x-large", "x" * 20000)])[0] == 200
        assert client.get("/echo", [("cookie", "x" * 20000)])[2].count(b"x" * 20000) == 1
        status, fields, _ = client.get(headers=[(f"x-large-{i}", "x" * 25000) for i in range(4)])
        assert status == 431 and fields["content-type"] == "application/problem+json"
        assert client.get(headers=[("x-small", "x")] * 900)[0] == 431  # 32 bytes each are counted (RFC 9113, 6.5.2)
        assert client.get()[0] == 200
        client.request(headers=[("x-large", "x" * 100000)])  # nghttp2 decodes no string over 64 KiB
        assert client.goaway() == COMPRESSION_ERROR


def test_paths(server):
    with Client(server) as client:
        assert client.get("/" + "x" * 1023)[0] == 404
        assert client.get("/" + "x" * 1024)[0] == 414
        assert client.get("/echo?" + "x" * 8000)[0] == 200
        assert client.get("/echo?" + "x" * 8200)[0] == 414
        assert client.get()[0] == 200


def test_unfinished_requests_of_one_connection_are_bounded(server):
    with Client(server) as client:
        streams = []
        for _ in range(100):
            client.send(*client.headers("POST", "/echo", [("authorization", "x" * 28000)], end=False))
            streams.append(client.stream_id)
        refused = client.wait(lambda f: isinstance(f, HeadersFrame))
        assert refused.fields[":status"] == "503" and refused.fields["retry-after"] == "1"
        early = streams[0]
        client.send(DataFrame(early, b"", flags=["END_STREAM"]))
        assert client.response(early)[0] == 200


# Floods

def flood(client, frames, times=2000):
    """Sends until the server has enough."""
    batch = frames if callable(frames) else lambda: frames
    with contextlib.suppress(Closed):
        for _ in range(times // 50):
            client.send(*(frame for _ in range(50) for frame in batch()))
    return client.goaway()


@pytest.mark.parametrize("frame", [
    PingFrame(0, b"12345678"), SettingsFrame(0, settings={4: 65535}), PriorityFrame(1, depends_on=3),
    PingFrame(0, b"12345678", flags=["ACK"])], ids=["ping", "settings", "priority", "ping ack"])
def test_control_frame_flood(server, frame):
    with Client(server) as client:
        assert client.get()[0] == 200
        assert flood(client, [frame]) == ENHANCE_YOUR_CALM
    with Client(server) as client:
        assert client.get()[0] == 200


def test_unknown_frames_are_skipped(server):
    """RFC 9113, 5.5."""
    with Client(server) as client:
        client.raw(struct.pack(">HBBBI", 0, 4, 0xEE, 0, 0) + b"GREA")
        client.raw(struct.pack(">HBBBI", 0, 0, 0xEF, 0xFF, 7) * 3000)
        assert client.get()[0] == 200


def test_empty_data_flood(server):
    with Client(server) as client:
        client.send(*client.headers("POST", "/echo", end=False))
        assert flood(client, [DataFrame(client.stream_id, b"")]) == ENHANCE_YOUR_CALM
    wait_for(lambda: exchanges(server) == 0)


def test_rapid_reset(server):
    """CVE-2023-44487."""
    before = metric(server, 'onsale_http_protocol_errors_total{kind="flood"}')
    with Client(server) as client:
        def frames():
            return [*client.headers(path="/late?100"), RstStreamFrame(client.stream_id, error_code=CANCEL)]
        assert flood(client, frames) == ENHANCE_YOUR_CALM
        assert client.stream_id > 300  # some patience there was
    assert metric(server, 'onsale_http_protocol_errors_total{kind="flood"}') > before
    wait_for(lambda: exchanges(server) == 0)


def test_made_you_reset(server):
    """CVE-2025-8671: window updates that overflow make the server reset the stream itself."""
    with Client(server) as client:
        def frames():
            return [*client.headers(path="/late?100"), WindowUpdateFrame(client.stream_id, window_increment=0x7FFFFFFF)]
        assert flood(client, frames) == ENHANCE_YOUR_CALM
    wait_for(lambda: exchanges(server) == 0)


def test_some_cancelled_requests_are_forgiven(server):
    with Client(server) as client:
        for _ in range(100):
            client.send(*client.headers(path="/late?1000"), RstStreamFrame(client.stream_id, error_code=CANCEL))
        client.send(*(PingFrame(0, b"12345678") for _ in range(100)))
        assert client.get()[0] == 200
    wait_for(lambda: exchanges(server) == 0)


def test_continuation_flood(server):
    """CVE-2024-27316 and its kin: a header block that never ends."""
    before = server.memory()
    with Client(server) as client:
        with contextlib.suppress(Closed):
            client.send(HeadersFrame(1, client.block()))
            for _ in range(1000):
                client.send(*(ContinuationFrame(1, b"\x00\x01x\x7f\x81\x7e" + b"y" * 253) for _ in range(20)))
        assert client.goaway() in (ENHANCE_YOUR_CALM, None)
    assert server.memory() - before < 8 << 20
    wait_for(lambda: exchanges(server) == 0)


def test_compression_bomb(server):
    """A field of 4,000 bytes is put into the table once and then named by one byte each."""
    before = server.memory()
    with Client(server) as client:
        client.stream_id = 1
        block = client.encoder.encode([(":method", "GET"), (":scheme", "https"), (":path", "/small"),
                                       ("cookie", "x" * 4000)], huffman=False)
        client.send(HeadersFrame(1, block + b"\xbe" * 12000, flags=["END_HEADERS", "END_STREAM"]))
        assert client.goaway() == ENHANCE_YOUR_CALM
    assert server.memory() - before < 8 << 20


# Deadlines

@pytest.mark.parametrize("tls", [True, False])
def test_who_says_nothing_is_closed(start, tls):
    server = start(handshake_seconds=1)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.tls if tls else server.cleartext), 10 * PATIENCE) as silent:
        silent.sendall(b"\x16" if tls else PREFACE[:10])
        assert silent.recv(1) == b""
    assert 0.9 < time.monotonic() - began < 3 * PATIENCE
    assert metric(server, 'onsale_http_protocol_errors_total{kind="handshake_time"}') == 1


def test_silence_after_the_handshake(start):
    server = start(handshake_seconds=1)
    with Client(server, tls=True, preface=False) as client:
        assert client.until_closed(5) == b""


def test_slow_body(start):
    server = start(request_seconds=1)
    with Client(server) as client:
        client.send(*client.headers("POST", "/echo", end=False))
        slow = client.stream_id
        client.send(DataFrame(slow, b"x"))
        assert client.response(slow, 5)[0] == 408
        assert client.get()[0] == 200
    assert exchanges(server) == 0


def test_slow_headers(start):
    server = start(request_seconds=1)
    with Client(server) as client:
        client.send(HeadersFrame(1, client.block()))
        assert client.goaway(5) is not None


def test_idle_connection(start):
    server = start(idle_seconds=1)
    with Client(server) as idle, Client(server) as busy:
        stream = busy.request(path="/stream")
        assert busy.news(stream) == (1, b"first")
        assert idle.get("/late?700")[0] == 200
        began = time.monotonic()  # not from the connection's beginning
        assert idle.goaway(5) == NO_ERROR
        assert 0.9 < time.monotonic() - began < 3 * PATIENCE
        assert busy.get()[0] == 200  # long idle, had it no stream


def test_pings_do_not_keep_a_connection(start):
    server = start(idle_seconds=1)
    with Client(server) as client:
        client.get()
        with pytest.raises(Closed):
            for _ in range(50 * PATIENCE):
                client.send(PingFrame(0, b"12345678"))
                client.wait(lambda f: isinstance(f, PingFrame))
                time.sleep(0.1)


def test_answer_that_nobody_takes(start):
    """A window of zero: the answer's headers go out, its body cannot."""
    server = start(stall_seconds=1)
    with Client(server, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as client:
        stream = client.request()
        events = client.request(path="/stream")
        assert client.response(stream, 5) == (None, CANCEL, b"")
        # A stream waits for its client as long as the client likes.
        client.send(WindowUpdateFrame(events, window_increment=100))
        assert client.news(events) == (1, b"first")


def test_slow_but_steady_reader(start):
    """The second answer waits longer than a stall may last, for the line is slow and the first one goes before it."""
    server = start(stall_seconds=1)
    with Client(server, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 20}) as client:
        streams = [client.request(path="/large?200000") for _ in range(2)]
        began = time.monotonic()
        received = dict.fromkeys(streams, 0)
        while min(received.values()) < 200000:
            frame = client.wait(lambda f: isinstance(f, (DataFrame, RstStreamFrame)))
            assert isinstance(frame, DataFrame)
            received[frame.stream_id] += len(frame.data)
            time.sleep(len(frame.data) / 80000)
            if frame.data:
                client.send(WindowUpdateFrame(0, window_increment=len(frame.data)))
        assert time.monotonic() - began > 3


def test_peer_that_does_not_read(start):
    server = start(stall_seconds=1)
    with Client(server, receive_buffer=4096, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}) as client:
        client.send(WindowUpdateFrame(0, window_increment=0x7FFF0000))
        client.request(path="/large?20000000")
        wait_for(lambda: "event=http_connection_cut reason=stall_time" in server.problem())
        wait_for(lambda: exchanges(server) == 0)


# Streams

def test_sleeping_and_waking(server):
    with Client(server) as client:
        _, _, body = client.get("/count?200")
    assert body == b"".join(b"%d\n" % i for i in range(1, 201))


def tell(server, *news):
    with Client(server) as client:
        for text in news:
            assert client.response(client.request("POST", "/news", body=text))[0] == 200


def test_slow_reader_gets_the_newest(start):
    server = start(threads=1)
    with Client(server, receive_buffer=4096, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0x7FFFFFFF}) as client:
        client.send(WindowUpdateFrame(0, window_increment=0x7FFF0000))
        stream = client.request(path="/stream")
        assert client.news(stream)[0] == 1
        tell(server, b"warm up")
        before = server.memory()
        with Client(server) as other:
            for i in range(3000):
                other.response(other.request("POST", "/news", body=b"%04d" % i * 200))
        assert server.memory() - before < 4 << 20
        seen = [1]
        while seen[-1] < 3002:
            seen.append(client.news(stream)[0])
        assert seen == sorted(set(seen))
        assert len(seen) < 2500  # most were never sent


def test_a_thousand_streams(start):
    server = start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server, tls=i % 2 == 0)) for i in range(10)]
        streams = [(client, client.request(path="/stream")) for client in clients for _ in range(100)]
        assert all(client.news(stream)[0] == 1 for client, stream in streams)
        used = server.cpu()
        tell(server, b"a", b"b", b"c", b"d", b"e")
        for client, stream in streams:
            seen = [1]
            while seen[-1] < 6:
                seen.append(client.news(stream)[0])
            assert seen == sorted(set(seen))
        # Not how long it took: most of that is this client's work.
        assert server.cpu() - used < 0.5 * PATIENCE
        assert exchanges(server) == 1000
    wait_for(lambda: exchanges(server) == 0)


# The end

def test_drain(start):
    # The notice is long, for this client may be slow; what is served ends the drain all the same, and not the deadline.
    server = start(drain_ms=20000, drain_notice_ms=3000)
    with Client(server, tls=True) as client, Client(server) as idle, Client(server) as quiet:
        assert quiet.get()[0] == 200
        stream = client.request(path="/stream")
        assert client.news(stream) == (1, b"first")
        late = client.request(path="/late?700")
        began = time.monotonic()
        wait_for(lambda: exchanges(server) == 2)
        server.process.send_signal(signal.SIGTERM)
        notice = client.wait(lambda f: isinstance(f, GoAwayFrame))
        assert (notice.last_stream_id, notice.error_code) == (0x7FFFFFFF, NO_ERROR)
        on_its_way = client.request()  # sent before the notice was read, as far as the server knows
        assert client.response(on_its_way)[0] == 200
        assert client.wait(lambda f: f.stream_id == stream and "END_STREAM" in f.flags).data == b""
        last = client.wait(lambda f: isinstance(f, GoAwayFrame))
        assert (last.last_stream_id, last.error_code) == (on_its_way, NO_ERROR)
        assert client.response(late)[0] == 200
        assert client.goaway() is None
        assert idle.goaway() == NO_ERROR and quiet.goaway() == NO_ERROR
    assert server.process.wait(timeout=20 * PATIENCE) == 0
    assert time.monotonic() - began < 20


def test_drain_ends_at_its_deadline(start):
    server = start(drain_ms=1000)
    with Client(server) as client, Client(server, tls=True, preface=False), Client(server, preface=False):
        client.request(path="/late?60000")
        wait_for(lambda: exchanges(server) == 1)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=20 * PATIENCE) == 0  # the answer would take a minute
        assert time.monotonic() - began > 0.9


def serial(server):
    with socket.create_connection(("127.0.0.1", server.tls), 10) as plain:
        with tls_context().wrap_socket(plain) as secure:
            return secure.getpeercert(binary_form=True)


def test_certificate_is_read_again(start, certificate, tmp_path):
    identity = tmp_path / "identity"
    identity.mkdir()
    for name in ("certificate.pem", "key.pem"):
        (identity / name).write_bytes((certificate / name).read_bytes())
    server = start(identity=identity)
    with Client(server, tls=True) as client:
        old = serial(server)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other",
                        "-keyout", identity / "key.pem", "-out", identity / "certificate.pem"], check=True,
                       capture_output=True, timeout=30)
        assert serial(server) == old
        server.process.send_signal(signal.SIGHUP)
        assert server.process.stdout.readline() == "reloaded\n"
        new = serial(server)
        assert new != old
        assert client.get()[0] == 200  # who is there stays
        (identity / "key.pem").write_bytes((certificate / "key.pem").read_bytes())
        server.process.send_signal(signal.SIGHUP)
        assert "key.pem" in server.process.stdout.readline()
        assert serial(server) == new
        assert client.get()[0] == 200


# How many

def refused(server, **options):
    try:
        with Client(server, **options) as client:
            client.get()
    except (Closed, ConnectionResetError, BrokenPipeError):
        return True
    return False


def test_connections_per_address(start):
    server = start(connections_per_address_max=3)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server, tls=i == 0)) for i in range(3)]
        assert all(client.get()[0] == 200 for client in clients)
        assert refused(server)
        assert not refused(server, source="127.0.0.2")
        clients[0].socket.close()
        wait_for(lambda: not refused(server))


def test_connections_of_a_proxy_are_not_counted(start):
    server = start(connections_per_address_max=1, trusted_proxies="127.0.0.1")
    with Client(server) as first:
        assert first.get()[0] == 200
        assert not refused(server)


def test_connections_altogether(start):
    server = start(connections_max=2)
    with Client(server) as first, Client(server) as second:
        assert first.get()[0] == second.get()[0] == 200
        assert refused(server)
        assert b'refused_total{reason="connections"} 1' in first.get("/metrics")[2]
    wait_for(lambda: not refused(server))


def test_out_of_descriptors(start):
    server = start(threads=1, descriptors=40)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(server)) for _ in range(60)]
        assert clients[0].get()[0] == 200
        wait_for(lambda: b'refused_total{reason="descriptors"} 0' not in clients[0].get("/metrics")[2])
        used = server.cpu()
        time.sleep(1)
        assert server.cpu() - used < 0.3  # it waits, it does not spin
        for client in clients[:40]:
            client.socket.close()
        assert clients[59].get()[0] == 200


def test_port_that_is_taken(start, tmp_path, certificate):
    server = start()
    second = subprocess.run([ECHO, f"listen_cleartext=127.0.0.1:{server.cleartext}"], capture_output=True, text=True,
                            timeout=10 * PATIENCE)
    assert second.returncode == 2 and "in use" in second.stderr


@pytest.mark.parametrize("options, said", [
    ({"certificate": "/nowhere.pem"}, "nowhere.pem"), ({"trusted_proxies": "10.0.0.1/8"}, "trusted_proxies"),
    ({"listen": "localhost"}, "HOST:PORT"), ({"threads": "0"}, "threads")])
def test_bad_options(certificate, options, said):
    options = {"listen": "127.0.0.1:0", "certificate": certificate / "certificate.pem",
               "private_key": certificate / "key.pem", **options}
    tried = subprocess.run([ECHO, *(f"{name}={value}" for name, value in options.items())], capture_output=True,
                           text=True, timeout=10 * PATIENCE)
    assert tried.returncode == 2 and said in tried.stderr


def test_both_families(start):
    server = start(listen_cleartext="[::]:0")
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as plain:
            plain.settimeout(10)
            plain.connect((address, server.cleartext))
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert plain.recv(100).startswith(b"HTTP/1.1 505 ")
