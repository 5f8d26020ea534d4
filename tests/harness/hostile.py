# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that does to its clients whatever a test wants: it reads requests honestly and leaves the answer to a coroutine of the test's."""

import asyncio
import contextlib
import threading


class Request:
    def __init__(self, head, body):
        line, *rest = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = line.split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (entry.partition(":") for entry in rest if entry)}
        self.body = body.decode("latin-1")


class HostileServer:
    """`behave(request, writer)` answers; the connection goes on where it returns True, and is closed where not.

    With a context it speaks TLS. `requests` are those that came whole, `connections` counts those that were accepted, `most_at_once`
    how many requests were being answered at a time.
    """

    def __init__(self, behave, context=None, host="127.0.0.1"):
        self.behave, self.context = behave, context
        self.requests, self.connections, self.most_at_once, self.now = [], 0, 0, 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self.wait(asyncio.start_server(self.serve, host, 0, ssl=context, backlog=1024))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"{'https' if context else 'http'}://{host}:{self.port}"

    def wait(self, coroutine, seconds=20):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(seconds)

    async def serve(self, reader, writer):
        self.connections += 1
        # Whatever the client does to us ends this connection; a test looks at what the client says of it.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4]
                request = Request(head, b"")
                request.body = (await reader.readexactly(int(request.headers.get("content-length", 0)))).decode("latin-1")
                self.requests.append(request)
                self.now += 1
                self.most_at_once = max(self.most_at_once, self.now)
                try:
                    goes_on = await self.behave(request, writer)
                    await writer.drain()
                finally:
                    self.now -= 1
                if not goes_on:
                    break
        with contextlib.suppress(ConnectionError):
            writer.close()

    def close_listener(self):
        async def close():
            self.server.close()
        self.wait(close())

    def close(self):
        async def end():
            self.server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.wait(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.loop.close()
