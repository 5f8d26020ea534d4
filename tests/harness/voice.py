# SPDX-License-Identifier: Apache-2.0
"""Says to waiting rooms what notifiers and other waiting rooms say, and tells what a stream was told of it."""

import json
import uuid

import pika


class Voice:
    """A connection to RabbitMQ that says what notifiers and waiting rooms say."""

    def __init__(self, stack):
        amqp = stack.backends.amqp  # never through the proxy
        url = f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.sender, self.seq = uuid.uuid4().hex, 0

    def say(self, exchange, kind, **members):
        self.channel.basic_publish(exchange, "", json.dumps({"v": 1, "type": kind} | members).encode(),
                                   pika.BasicProperties(content_type="application/json", type=kind))

    def outcomes(self, slug, outcomes, missed=0):
        """Tells them, 128 in a message; `missed` messages before were lost."""
        for start in range(0, len(outcomes), 128):
            self.seq += 1 + missed
            self.say("onsale.feed", "outcomes", slug=slug, currency="EUR", sender=self.sender, seq=self.seq,
                     outcomes=outcomes[start:start + 128])

    def stock(self, slug, left, asked, at_us):
        self.say("onsale.feed", "stock", slug=slug, at_us=at_us, tiers=[{"code": "floor", "left": left, "asked": asked}])

    def ordered(self, slug, *places):
        self.say("onsale.control", "ordered", slug=slug, due=False, numbers=list(places))


def told(stream):
    return [(frame.data["state"], frame.data["attempt"], frame.data["revision"]) for frame in stream.frames("order")]
