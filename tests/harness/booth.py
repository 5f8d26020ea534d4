# SPDX-License-Identifier: Apache-2.0
"""What a test puts before the booking workers: orders in the database as if released, messages in the queues; and what it looks at
afterwards: tables, outcomes, dead letters."""

import hashlib
import json
import time

import pika
from processes import wait_until

from harness.stack import PATIENCE

FLOOR = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 10}]


def choice(tier="floor", quantity=1, amount=None, **more):
    return {"tier": tier, "tickets": {"full": quantity}, "quantity": quantity,
            "amount": 4500 * quantity if amount is None else amount} | more


def customer(email):
    return hashlib.sha256(email.strip().lower().encode()).digest()[:16]


def visitor(place):
    return hashlib.md5(str(place).encode()).digest()


def open_booth(stack_factory, workers=1, config=None, tiers=None, payment=None, proxied=False, line=0, bank=False, **event):
    """Workers alone, with one open event and a line of `line` visitors, all let in. `config` is of the workers; with `bank` they are paid
    through the sandbox bank."""
    sections = {"booking-worker": config or {}} | ({"payment": {"provider": payment}} if payment else {})
    stack = stack_factory(config=sections, proxied=proxied, bank=bank) if bank else stack_factory(config=sections, proxied=proxied)
    stack.start(rooms=0, admissions=0, workers=workers)
    stack.event("gala", tiers=tiers or FLOOR, **event)
    booth = Booth(stack)
    if line:
        booth.line(line)
    return booth


class Booth:
    """One stack with an event, and what the test puts before the worker."""

    def __init__(self, stack, slug="gala"):
        self.stack = stack
        self.slug = slug
        (self.event_id,), = stack.sql("SELECT id FROM events WHERE slug = %s", slug)
        amqp = stack.backends.amqp
        # Straight to the broker, never through the proxy.
        self.parameters = pika.URLParameters(f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}")

    @property
    def queue(self):
        return f"onsale.bookings.{self.event_id % 8}"

    def order(self, *places, choices=None, email=None, attempt=1, state="released", revision=2, text=None, payment_method=None):
        """Orders as admission leaves them."""
        choices = choices or [choice()]
        first = choices[0]
        with self.stack.db() as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, release_no, published, tier, quantity,"
                " amount, currency, choices, email, customer, payment_method, placed_at, changed_at, released_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, 1, 1, %s, %s, %s, 'EUR', %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6),"
                " UTC_TIMESTAMP(6))",
                [(self.event_id, place, attempt, visitor(place), state, revision, first["tier"], first["quantity"], first["amount"],
                  text if text is not None else json.dumps(choices), email or f"visitor{place}@example.org",
                  customer(email or f"visitor{place}@example.org"), payment_method) for place in places])

    def message(self, place, attempt=1, release=1, **changes):
        return json.dumps({"v": 1, "type": "book", "slug": self.slug, "event_id": self.event_id, "place": place,
                           "attempt": attempt, "release": release} | changes)

    def send(self, *bodies, queue=None):
        connection = pika.BlockingConnection(self.parameters)
        channel = connection.channel()
        channel.tx_select()  # one confirm for all: they are to come faster than they are booked
        for body in bodies:
            channel.basic_publish("", queue or self.queue, body if isinstance(body, bytes) else body.encode(),
                                  pika.BasicProperties(delivery_mode=2, type="book", content_type="application/json"))
        channel.tx_commit()
        connection.close()

    def book(self, *places, **options):
        """Orders and their messages."""
        self.order(*places, **options)
        self.send(*[self.message(place, options.get("attempt", 1)) for place in places])

    def take(self, queue, count=None, seconds=10):
        """Takes what stands in a queue: `count` messages, or what there is (up to a mark that is put behind it)."""
        connection = pika.BlockingConnection(self.parameters)
        channel = connection.channel()
        channel.confirm_delivery()
        mark = str(time.monotonic_ns()).encode()
        if count is None:
            channel.basic_publish("", queue, mark)
        found = []
        for method, properties, body in channel.consume(queue, auto_ack=False, inactivity_timeout=seconds * PATIENCE):
            assert method is not None, f"nothing more came after {found}"
            channel.basic_ack(method.delivery_tag)
            if body == mark:
                break
            found.append(json.loads(body))
            assert properties.type == found[-1]["type"] and properties.delivery_mode == 2
            if len(found) == count:
                break
        connection.close()
        return found

    def outcomes(self):
        """What visitors were told so far, and is still in the queue: {(place, attempt): [outcome, …]}. A booking is to be seen before
        its outcome is on its way, so this waits until none of what is committed has still to be sent."""
        self.wait_outbox_empty(20)
        told = {}
        for message in self.take("onsale.outcomes"):
            assert message["slug"] == self.slug and message["currency"] == "EUR" and len(message["outcomes"]) <= 128
            for outcome in message["outcomes"]:
                told.setdefault((outcome["place"], outcome["attempt"]), []).append(outcome)
        return told

    def states(self):
        return dict(self.stack.sql("SELECT place, state FROM bookings WHERE event_id = %s", self.event_id))

    def wait_booked(self, count, seconds=20):
        wait_until(lambda: self.stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s", self.event_id)[0][0] >= count,
                   f"{count} bookings", seconds * PATIENCE)
        return self.states()

    def booking(self, place, attempt=1):
        columns = ("state", "reason", "revision", "choice", "tier", "quantity", "amount", "currency", "customer", "reference")
        rows = self.stack.sql(f"SELECT {', '.join(columns)} FROM bookings WHERE event_id = %s AND place = %s AND attempt = %s",
                              self.event_id, place, attempt)
        return dict(zip(columns, rows[0])) if rows else None

    def wait_all_acknowledged(self, queue=None, seconds=20):
        """Until nothing is left in the queue, and nothing unacknowledged either."""
        def empty():
            # The numbers of the management interface are late by seconds; the acknowledged ones are counted by the worker itself.
            found = self.stack.backends.broker_api("GET", f"/api/queues/{self.stack.vhost}/{queue or self.queue}")
            return found.get("messages", 1) == 0
        wait_until(empty, f"{queue or self.queue} to be empty", seconds * PATIENCE)

    def line(self, count):
        """A line as admission leaves it, so that the audit finds it in order: `count` visitors joined and were let in."""
        with self.stack.db() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES (%s, %s, %s, UTC_TIMESTAMP(6))",
                               [(self.event_id, place, visitor(place)) for place in range(1, count + 1)])
            for statement in ("UPDATE line_counters SET last = %s WHERE event_id = %s",
                              "UPDATE leaders SET epoch = GREATEST(epoch, 1) + 0 * %s * %s",
                              "INSERT INTO pace_log (at, served, epoch, pace, rate_count, rate_seconds, reason, event_id)"
                              " SELECT UTC_TIMESTAMP(6) - INTERVAL 1 SECOND, 0, 1, '9999999/s', 9999999, 1, 'open', id FROM events"
                              " WHERE 0 * %s = 0 AND id = %s",
                              "INSERT INTO served_log (served, event_id, at, epoch, stopped_us)"
                              " VALUES (%s, %s, UTC_TIMESTAMP(6), 1, 0)",
                              "UPDATE line_served SET served = %s, epoch = 1 WHERE event_id = %s"):
                cursor.execute(statement, (count, self.event_id))

    def end(self, *places, attempt=1, told=0):
        """Gives bookings back as a waiting room or an operator does: the row ends, and its places wait to be freed."""
        for place in places:
            with self.stack.db() as connection, connection.cursor() as cursor:
                cursor.execute("BEGIN")
                cursor.execute("SELECT state FROM bookings WHERE event_id = %s AND place = %s AND attempt = %s FOR UPDATE",
                               (self.event_id, place, attempt))
                (was,), = cursor.fetchall()
                if was in ("held", "declined", "action_required", "standby", "confirmed"):
                    cursor.execute("UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL,"
                                   " standby_tier = NULL, standby_quantity = 0, changed_at = UTC_TIMESTAMP(6)"
                                   " WHERE event_id = %s AND place = %s AND attempt = %s", (self.event_id, place, attempt))
                    cursor.execute("INSERT INTO freeings (event_id, place, attempt, was, told, ended_at)"
                                   " VALUES (%s, %s, %s, %s, %s, UTC_TIMESTAMP(6))", (self.event_id, place, attempt, was, told))
                cursor.execute("COMMIT")

    def lapse(self, *places):
        """Their holds run out now."""
        for place in places:
            self.stack.sql("UPDATE bookings b JOIN events e ON e.id = b.event_id SET b.pay_until = UTC_TIMESTAMP(6)"
                           " - INTERVAL e.stopped_us + 1000 MICROSECOND WHERE b.event_id = %s AND b.place = %s"
                           " AND b.pay_until IS NOT NULL", self.event_id, place)

    def wait_states(self, wanted, seconds=10):
        """Until the bookings of some places are in these states; returns all."""
        wait_until(lambda: wanted.items() <= self.states().items(), f"{wanted}", seconds * PATIENCE)
        return self.states()

    def wait_freed(self, seconds=10):
        wait_until(lambda: self.stack.sql("SELECT COUNT(*) FROM freeings WHERE event_id = %s", self.event_id)[0][0] == 0,
                   "everything to be freed", seconds * PATIENCE)

    def seats(self, place, attempt=1):
        (text,), = self.stack.sql("SELECT seats FROM bookings WHERE event_id = %s AND place = %s AND attempt = %s",
                                  self.event_id, place, attempt)
        return json.loads(text) if text else None

    def check(self):
        """What must always hold once nothing waits to be freed, from the tables alone."""
        self.wait_freed()
        tiers = {code: counts for code, *counts in self.stack.sql("SELECT code, held, sold, standby FROM tiers WHERE event_id = %s",
                                                                  self.event_id)}
        booked = {code: [0, 0, 0] for code in tiers}
        customers, taken = {}, {}
        for place, attempt, state, tier, quantity, waits_for, waits, whose, seats in self.stack.sql(
                "SELECT place, attempt, state, tier, quantity, standby_tier, standby_quantity, customer, seats FROM bookings"
                " WHERE event_id = %s", self.event_id):
            if state in ("held", "paying", "action_required", "declined", "confirmed"):
                booked[tier][state == "confirmed"] += quantity
                customers[whose] = customers.get(whose, 0) + quantity
                names = json.loads(seats) if seats else []
                assert len(names) in (0, quantity)
                for name in names:
                    assert (tier, name) not in taken
                    taken[tier, name] = (place, attempt)
            elif state == "standby":
                booked[waits_for][2] += 1
                customers[whose] = customers.get(whose, 0) + waits
        assert tiers == booked
        assert {whose: count for whose, count in self.stack.sql("SELECT customer, booked FROM customers WHERE event_id = %s",
                                                                self.event_id) if count} == customers
        assert {(tier, f"{row}-{seat}"): (place, attempt) for tier, row, seat, place, attempt in self.stack.sql(
            "SELECT tier, row_name, seat_name, place, attempt FROM taken_seats WHERE event_id = %s", self.event_id)} == taken
        assert self.stack.sql("SELECT COUNT(*) FROM taken_seats t LEFT JOIN seats s USING (event_id, tier, row_name, seat_name)"
                              " WHERE t.event_id = %s AND (s.blocked IS NULL OR s.blocked = 1)", self.event_id)[0][0] == 0
        assert self.stack.sql("SELECT COUNT(*) FROM bookings b LEFT JOIN orders o USING (event_id, place, attempt)"
                              " WHERE b.event_id = %s AND (o.state IS NULL OR o.state <> 'released'"
                              " OR b.revision <= o.revision)", self.event_id)[0][0] == 0

    def audit(self):
        """check(), and what the operators' audit says of it."""
        self.check()
        report = self.stack.onsale_json("audit", self.slug)
        assert report["ok"], report

    def wait_outbox_empty(self, seconds=10):
        wait_until(lambda: self.stack.sql("SELECT COUNT(*) FROM outbox")[0][0] == 0, "the outbox to be empty", seconds * PATIENCE)
