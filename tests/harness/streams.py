# SPDX-License-Identifier: Apache-2.0
"""Event streams over HTTP/2, many at a time: one thread, non-blocking sockets, up to 100 streams a connection.

httpx would need a thread per stream. Frames are kept as they came, with the time of arrival, and read as JSON only when
somebody looks.
"""

import json
import selectors
import socket
import ssl
import threading
import time
from dataclasses import dataclass

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
from processes import Failed, wait_until

WINDOW = 2**31 - 1
STREAMS_PER_CONNECTION = 100


@dataclass
class Frame:
    """One server-sent event."""

    event: str
    data: dict
    id: str
    at: float  # time.monotonic()


def assert_at_most_four_a_second(frames, since):
    """`frames` came after a moment. Not by the distance of two of them: one that comes late does not move the next. What was sent a
    quarter of a second apart cannot arrive sooner than that, counted from before the first; one more may have been on its way."""
    for number, frame in enumerate(frames):
        assert frame.at - since >= 0.25 * (number - 1), f"{number + 1} frames in {frame.at - since:.3f} s"


class Stream:
    """One response that keeps coming. `frames()` are those that have come so far."""

    def __init__(self, pool, connection, number):
        self.pool = pool
        self.connection = connection
        self.number = number
        self.status = None
        self.headers = {}
        self.ended = None  # "end", "reset N", "closed"
        self.comments = 0
        self.retry_ms = None
        self.body = b""  # of an answer that is no stream
        self._rest = b""
        self._raw = []

    def frames(self, event=None):
        with self.pool.lock:
            raw = list(self._raw)
        return [Frame(kind, json.loads(data), name, at) for kind, data, name, at in raw if event in (None, kind)]

    def latest(self, event):
        """The newest data of one kind, or None."""
        with self.pool.lock:
            for kind, data, _, _ in reversed(self._raw):
                if kind == event:
                    return json.loads(data)
        return None

    def wait(self, event, condition=lambda data: True, seconds=20):
        """Waits for a frame of this kind whose data meet the condition (also one that came already); returns it."""
        seen = 0
        def found():
            nonlocal seen
            ended = self.ended
            with self.pool.lock:
                fresh = self._raw[seen:]
                seen += len(fresh)
            for kind, data, name, at in fresh:
                if kind == event and condition(json.loads(data)):
                    return Frame(kind, json.loads(data), name, at)
            if ended:
                raise Failed(f"the stream ended ({ended}) while waiting for {event}; status {self.status}")
            return None
        return wait_until(found, f"a frame {event}; came: {[f'{k} {d}' for k, d, _, _ in self._raw[-5:]]}", seconds)

    def wait_end(self, seconds=20):
        return wait_until(lambda: self.ended, "the end of the stream", seconds)

    def close(self):
        self.pool.reset(self)

    # Called by the pool's thread, with its lock held.

    def take(self, data, at):
        if self.headers.get("content-type", "").partition(";")[0] != "text/event-stream":
            self.body += data
            return
        blocks = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            event, name, lines = "message", "", []
            for line in block.decode().split("\n"):
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    event = value
                elif field == "id":
                    name = value
                elif field == "data":
                    lines.append(value)
                elif field == "retry":
                    self.retry_ms = int(value)
                elif field == "":
                    self.comments += 1
            if lines:
                self._raw.append((event, "\n".join(lines), name, at))


class _Connection:
    def __init__(self, pool):
        raw = socket.create_connection((pool.host, pool.port), timeout=20, source_address=pool.source)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = pool.context.wrap_socket(raw, server_hostname=pool.server_name) if pool.context else raw
        if pool.context and self.socket.selected_alpn_protocol() != "h2":
            raise Failed("no h2 by ALPN")
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8", validate_inbound_headers=True)
        self.h2 = h2.connection.H2Connection(config)
        self.h2.local_settings[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = WINDOW
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(WINDOW - 65535)
        self.streams = {}
        self.goaway = None
        self.closed = False
        self.opened = 0
        self.socket.setblocking(False)


class StreamPool:
    """Streams to one address. open() may be called for a thousand; they are spread over connections."""

    def __init__(self, host, port, context=None, server_name="localhost", streams_per_connection=STREAMS_PER_CONNECTION,
                 source=None):
        if context is not None:
            context.set_alpn_protocols(["h2"])
        self.host, self.port, self.context, self.server_name = host, port, context, server_name
        self.source = source
        self.per_connection = streams_per_connection
        self.lock = threading.RLock()
        self.streams = []
        self._connections = []
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
        self._thread.start()

    def open(self, path, headers=None, method="GET"):
        """Sends a request; the answer comes into the Stream that is returned."""
        with self.lock:
            connection = next((c for c in self._connections
                               if not c.closed and c.goaway is None and len(c.streams) < self.per_connection), None)
        if connection is None:
            connection = _Connection(self)
            with self.lock:
                self._connections.append(connection)
                self._flush(connection)
                self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        fields = [(":method", method), (":scheme", "https" if self.context else "http"),
                  (":authority", f"{self.server_name}:{self.port}"), (":path", path)]
        fields += [(name.lower(), value) for name, value in (headers or {}).items()]
        with self.lock:
            number = connection.h2.get_next_available_stream_id()
            stream = Stream(self, connection, number)
            connection.streams[number] = stream
            connection.h2.send_headers(number, fields, end_stream=True)
            self._flush(connection)
            self.streams.append(stream)
        self._wake()
        return stream

    def event_stream(self, slug, visitor, **headers):
        """A visitor's stream of an event."""
        return self.open(f"/v1/events/{slug}/line", visitor.headers | {"Accept": "text/event-stream"} | headers)

    def reset(self, stream):
        with self.lock:
            connection = stream.connection
            if stream.ended is None and not connection.closed:
                stream.ended = "closed"
                connection.streams.pop(stream.number, None)
                connection.h2.reset_stream(stream.number, 8)  # CANCEL
                self._flush(connection)

    def drop(self):
        """Closes all connections without a word, as a lost network would look from the other side."""
        with self.lock:
            for connection in self._connections:
                self._close(connection, "closed")

    def close(self):
        if self._ending:
            return
        self._ending = True
        self._wake()
        self._thread.join(20)
        self._wake_read.close()
        self._wake_write.close()

    def _wake(self):
        self._wake_write.send(b"x")

    def _flush(self, connection):
        data = connection.h2.data_to_send()
        if not data or connection.closed:
            return
        connection.socket.settimeout(20)
        try:
            connection.socket.sendall(data)
            connection.socket.setblocking(False)
        except OSError as error:
            self._close(connection, f"closed: {error}")

    def _close(self, connection, why):
        if connection.closed:
            return
        connection.closed = True
        if connection.socket in self._selector.get_map():
            self._selector.unregister(connection.socket)
        connection.socket.close()
        for stream in connection.streams.values():
            if stream.ended is None:
                stream.ended = why
        connection.streams.clear()

    def _run(self):
        while not self._ending:
            for key, _ in self._selector.select(1.0):
                if key.fileobj is self._wake_read:
                    self._wake_read.recv(4096)
                    continue
                with self.lock:
                    if not key.data.closed:
                        self._read(key.data)
        with self.lock:
            for connection in self._connections:
                self._close(connection, "closed")
            self._selector.close()

    def _read(self, connection):
        while not connection.closed:
            try:
                data = connection.socket.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError):
                return
            except OSError as error:
                self._close(connection, f"closed: {error}")
                return
            if not data:
                self._close(connection, "closed")
                return
            at = time.monotonic()
            try:
                events = connection.h2.receive_data(data)
            except h2.exceptions.ProtocolError as error:
                self._close(connection, f"broken: {error}")
                return
            for event in events:
                self._handle(connection, event, at)
            self._flush(connection)

    def _handle(self, connection, event, at):
        stream = connection.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ConnectionTerminated):
            connection.goaway = event.error_code
        elif stream is None:
            return
        elif isinstance(event, h2.events.ResponseReceived):
            stream.headers = dict(event.headers)
            stream.status = int(stream.headers[":status"])
        elif isinstance(event, h2.events.DataReceived):
            stream.take(event.data, at)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = "end"
            connection.streams.pop(stream.number, None)
        elif isinstance(event, h2.events.StreamReset):
            stream.ended = f"reset {int(event.error_code)}"
            connection.streams.pop(stream.number, None)
