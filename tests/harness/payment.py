# SPDX-License-Identifier: Apache-2.0
"""What tests about payments need that need no bank: a provider that is not there, and an ear at the payers' bell."""

import json

import pika
from processes import wait_until

from harness.stack import PATIENCE


def payment_config(folder, **keys):
    """The section [payment] with a provider that is not there."""
    key = folder / "secret_key"
    key.touch(mode=0o600)
    key.write_text("sk_test_nothing\n")
    return {"provider": "stripe", "secret_key_file": key, "base_url": "http://127.0.0.1:9",
            "return_url": "https://tickets.example"} | keys


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

        wait_until(hear, "the bell to ring", 5 * PATIENCE)
        return rings[-1]
