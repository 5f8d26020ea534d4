# SPDX-License-Identifier: Apache-2.0
"""What tests about payments need that need no bank: a provider that is not there, its webhooks, and an ear at the payers' bell."""

import hashlib
import hmac
import json
import time
import uuid

import pika
from processes import wait_until

from harness.stack import PATIENCE

WEBHOOK_PATH = "/v1/payments/webhook"
WEBHOOK_SECRET = "whsec_the_new_one"


def payment_config(folder, **keys):
    """The section [payment] with a provider that is not there."""
    key = folder / "secret_key"
    key.touch(mode=0o600)
    key.write_text("sk_test_nothing\n")
    return {"provider": "stripe", "secret_key_file": key, "base_url": "http://127.0.0.1:9",
            "return_url": "https://tickets.example"} | keys


def secret_file(folder, *secrets):
    path = folder / "webhook_secrets"
    path.touch(mode=0o600)
    path.write_text("".join(f"{secret}\n" for secret in secrets))
    return path


def event(kind="payment_intent.succeeded", of="payment_intent", **changes):
    thing = {"id": f"{'pi' if of == 'payment_intent' else 'cs'}_{uuid.uuid4().hex}", "object": of}
    return {"id": f"evt_{uuid.uuid4().hex}", "object": "event", "type": kind, "data": {"object": thing}} | changes


def signature(body, secret=WEBHOOK_SECRET, at=None, scheme="v1"):
    at = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},{scheme}={digest}"


class Bell:
    """The payers' queue, in the place of a payer."""

    def __init__(self, stack):
        amqp = stack.backends.amqp
        url = f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.queue_declare("onsale.payments", passive=True)  # admission has declared it
        self.channel.queue_purge("onsale.payments")

    def wait(self, slug):
        """The next ring for that event's sake; a ring for several may be one, too."""
        rings = []

        def hear():
            method, _, body = self.channel.basic_get("onsale.payments", auto_ack=True)
            rings.append(json.loads(body) if method else {"slug": None})
            return rings[-1]["slug"] in (slug, "")

        wait_until(hear, "the bell to ring", 20 * PATIENCE)
        return rings[-1]
