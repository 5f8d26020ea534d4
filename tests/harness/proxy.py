# SPDX-License-Identifier: Apache-2.0
"""A TCP relay between the programs and a server, so that a test can take the server away from them, or make it silent,
without touching the server itself."""

import selectors
import socket
import threading


class Proxy:
    """Relays one port to another. cut(): refuses and resets; hold(): keeps connections but passes nothing on; mend()."""

    def __init__(self, host, port):
        self.target = (host, port)
        self._listener = None
        self._mode = "open"
        self._hold_at = None
        self._kept = []  # (to whom, what)
        self.holding = threading.Event()
        self._lose_after = None
        self._loser = None  # the server's end of the connection that sent it
        self._is_committing = False
        self.lost = threading.Event()
        self._pairs = {}  # socket -> the other end
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = socket.socketpair()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._ending = False
        self._listen(0)
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def _listen(self, port):
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def cut(self):
        """From now on connections are refused; those that stand are reset."""
        self._set("cut")

    def hold(self):
        """From now on everything is accepted and nothing passed on, as with a frozen server or a lost network."""
        self._set("hold")

    def hold_at(self, text):
        """Keeps the first answer of the server that contains these bytes, and what follows it on its connection, until mend():
        what was asked for has been read by then, and is not known yet. `holding` is set when it happens."""
        self.holding.clear()
        self._hold_at = text

    def lose_commit_after(self, text):
        """The first transaction that sends these bytes to the server is committed, and its connection reset before its program hears of that.
        `lost` is set when it happens."""
        self.lost.clear()
        self._lose_after = text

    def mend(self):
        self._hold_at = self._lose_after = self._loser = None
        self._set("open")

    def close(self):
        self._ending = True
        self._wake_write.send(b"x")
        self._thread.join(10)
        for each in (self._wake_read, self._wake_write):
            each.close()

    def _set(self, mode):
        with self._lock:
            if mode == "cut" and self._listener is not None:
                self._selector.unregister(self._listener)
                self._listener.close()
                self._listener = None
                for each in list(self._pairs):
                    self._drop(each)
            elif mode != "cut" and self._listener is None:
                self._listen(self.port)
            self._mode = mode
            for target, data in self._kept if mode == "open" else []:
                if target in self._pairs:
                    target.sendall(data)
            self._kept = self._kept if mode == "hold" else []
            for each in self._pairs:
                wanted, have = mode == "open", each in self._selector.get_map()
                if wanted and not have:
                    self._selector.register(each, selectors.EVENT_READ)
                elif have and not wanted:
                    self._selector.unregister(each)
        self._wake_write.send(b"x")

    def _drop(self, one):
        if one not in self._pairs:
            return  # went with its other end
        for each in (one, self._pairs[one]):
            del self._pairs[each]
            if each in self._selector.get_map():
                self._selector.unregister(each)
            # An orderly end would look like the server's own goodbye.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            each.close()

    def _accept(self):
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()
            return
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.settimeout(10)
        self._pairs[client], self._pairs[server] = server, client
        if self._mode == "open":
            self._selector.register(client, selectors.EVENT_READ)
            self._selector.register(server, selectors.EVENT_READ)

    def _run(self):
        while not self._ending:
            ready = self._selector.select(1.0)
            with self._lock:
                for key, _ in ready:
                    source = key.fileobj
                    if source is self._wake_read:
                        source.recv(100)
                    elif source is self._listener:
                        self._accept()
                    elif source in self._pairs and source in self._selector.get_map():
                        self._pass_on(source)
        with self._lock:
            for each in list(self._pairs):
                self._drop(each)
            if self._listener is not None:
                self._listener.close()
            self._selector.close()

    def _loses(self, source, data):
        """Whether this is the server's word that what nobody is to hear of is committed."""
        if self._lose_after and self._lose_after in data:
            self._lose_after, self._loser = None, self._pairs[source]
        elif data and self._loser is self._pairs[source] and data.endswith(b"\x03COMMIT"):
            self._is_committing = True
        elif self._loser is source and self._is_committing:
            self._loser, self._is_committing = None, False
            self.lost.set()
            return True
        return False

    def _pass_on(self, source):
        try:
            data = source.recv(262144)
            if self._loses(source, data):
                self._drop(source)
                return
            if data and self._hold_at and self._hold_at in data:
                self._hold_at = None
                self._kept.append((self._pairs[source], data))
                self._selector.unregister(source)
                self.holding.set()
                return
            if data:
                self._pairs[source].sendall(data)
                return
        except OSError:
            pass
        self._drop(source)
