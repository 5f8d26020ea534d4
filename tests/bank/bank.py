#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The sandbox bank: a small server that speaks the used part of Stripe's API, for tests and for `make run`. README.md describes it.

    bank.py --folder FOLDER --secret-key-file FILE [--listen HOST:PORT] [--webhook-url URL --webhook-secret-file FILE --webhook-ca FILE] …

Loopback only. Prints one line once it takes calls: `listening port=PORT url=URL`. SIGTERM ends it with 0.
"""

import argparse
import asyncio
import gc
import signal
import ssl
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from aiohttp import web  # noqa: E402

from api import Api  # noqa: E402
from calls import Calls  # noqa: E402
from controls import Controls  # noqa: E402
from front import BODY_BYTES_MAX, Front  # noqa: E402
from ledger import Ledger  # noqa: E402
from pages import Pages  # noqa: E402
from rules import Rules  # noqa: E402
from webhooks import Webhooks  # noqa: E402

BACKLOG = 2048


def arguments():
    parser = argparse.ArgumentParser(description="The sandbox bank. Everything it is asked for and what it answered is kept in FOLDER.")
    parser.add_argument("--folder", type=Path, required=True, help="where the journal is kept; it is read again by the next start")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT of the loopback; port 0 is any free one")
    parser.add_argument("--public-url", help="how browsers reach it; by default http://localhost:PORT, or https with a certificate")
    parser.add_argument("--secret-key-file", type=Path, required=True, help="the keys that are good, one a line")
    parser.add_argument("--certificate", type=Path, help="speak TLS with it")
    parser.add_argument("--private-key", type=Path)
    parser.add_argument("--webhook-url", help="where events are sent; by default nowhere")
    parser.add_argument("--webhook-secret-file", type=Path, help="the secret that events are signed with; the first line counts")
    parser.add_argument("--webhook-ca", type=Path, help="who must have signed the receiver's certificate")
    parser.add_argument("--slow-seconds", type=float, default=5, help="how long pm_sandbox_slow takes")
    parser.add_argument("--settle-seconds", type=float, default=2, help="how long what is pending or processing stays so")
    return parser.parse_args()


def lines(path):
    return [line for line in path.read_text().splitlines() if line.strip()]


class Bank:
    def __init__(self, options):
        self.options = options
        self.ledger = Ledger(options.folder)
        self.api = Api(self.ledger, "", options.settle_seconds)
        self.rules, self.calls = Rules(), Calls()
        secrets = lines(options.webhook_secret_file) if options.webhook_secret_file else [""]
        self.webhooks = Webhooks(self.ledger, options.webhook_url, secrets[0], options.webhook_ca)
        self.front = Front(self.ledger, self.api, self.rules, self.calls, lines(options.secret_key_file), self.committed,
                           options.slow_seconds)
        self.pages = Pages(self.ledger, self.api, self.committed)
        self.controls = Controls(self.ledger, self.rules, self.calls, self.webhooks, self.lapse,
                                 self.decide_refund)

    def committed(self, change):
        """Every change comes by here once it is durable."""
        for (kind, record_id), record in change.records.items():
            if record.get("settles"):
                self._settle_later(kind, record_id, record["settles"]["at"])
        self.webhooks.tell(change)

    def _settle_later(self, kind, record_id, at):
        asyncio.get_running_loop().call_later(max(0, at - time.time()), self._settle, kind, record_id)

    def _settle(self, kind, record_id):
        change = self.ledger.change()
        self.api.settle(change, kind, record_id)
        self.ledger.commit(change)
        self.committed(change)

    def lapse(self, intent_id):
        """As if a week went by. False: there is no such authorisation."""
        change = self.ledger.change()
        is_lapsed = self.api.lapse(change, intent_id)
        self.ledger.commit(change)
        self.committed(change)
        return is_lapsed

    def decide_refund(self, refund_id, status):
        """What the customer's bank does with a refund. False: that cannot become of it."""
        change = self.ledger.change()
        is_decided = self.api.decide_refund(change, refund_id, status)
        self.ledger.commit(change)
        self.committed(change)
        return is_decided

    async def handle(self, request):
        path = request.path
        if path.startswith("/_sandbox/"):
            return await self.controls.handle(request)
        if not path.startswith("/v1/"):
            answer = await self.pages.handle(request)
            if answer is not None:
                return answer
        return await self.front.handle(request)

    async def run(self):
        host, _, port = self.options.listen.rpartition(":")
        if host not in ("127.0.0.1", "[::1]", "localhost"):
            raise SystemExit("bank.py: it listens on the loopback only")
        context = None
        if self.options.certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self.options.certificate, self.options.private_key)
        application = web.Application(client_max_size=BODY_BYTES_MAX)
        application.router.add_route("*", "/{anything:.*}", self.handle)
        runner = web.AppRunner(application, access_log=None, keepalive_timeout=75)
        await runner.setup()
        site = web.TCPSite(runner, host.strip("[]"), int(port), ssl_context=context, backlog=BACKLOG, reuse_address=True,
                           shutdown_timeout=0.5)
        end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, end.set)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        self.api.base_url = self.options.public_url or f"http{'s' if context else ''}://localhost:{port}"
        for kind in ("intent", "refund"):
            for record in self.ledger.of[kind].values():
                if record["settles"]:
                    self._settle_later(kind, record["id"], record["settles"]["at"])
        self.webhooks.start()
        # What was read from the journal stays.
        gc.freeze()
        print(f"listening port={port} url={self.api.base_url}", flush=True)
        await end.wait()
        await site.stop()
        await self.webhooks.stop()
        await runner.cleanup()
        self.ledger.close()


async def main():
    await Bank(arguments()).run()


if __name__ == "__main__":
    asyncio.run(main())
