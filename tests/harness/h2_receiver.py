# SPDX-License-Identifier: Apache-2.0
"""A small server that speaks HTTP/2 over TLS alone, as a waiting room does, and notes what is posted to it."""

import socket
import ssl
import threading
import time

import h2.config
import h2.connection
import h2.events


class Receiver:
    """`statuses`: what it answers, one after the other, then 200 for ever. `requests`: what came, each (headers, body, at)."""

    def __init__(self, certificate, statuses=()):
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")
        self.context.set_alpn_protocols(["h2"])
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.statuses = list(statuses)
        self.requests = []
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"https://localhost:{self.port}/v1/payments/webhook"

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as secured:
                self._talk(secured)
        except (OSError, ssl.SSLError):
            pass

    def _talk(self, secured):
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        secured.sendall(connection.data_to_send())
        streams = {}
        while data := secured.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    streams[event.stream_id] = (dict(event.headers), bytearray())
                elif isinstance(event, h2.events.DataReceived):
                    streams[event.stream_id][1].extend(event.data)
                    connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, h2.events.StreamEnded):
                    headers, body = streams.pop(event.stream_id)
                    with self.lock:
                        status = self.statuses.pop(0) if self.statuses else 200
                        self.requests.append((headers, bytes(body), time.time()))
                    connection.send_headers(event.stream_id, [(":status", str(status))], end_stream=True)
            secured.sendall(connection.data_to_send())
