# SPDX-License-Identifier: Apache-2.0
"""A crowd that buys while everything it stands on is killed with kill -9, frozen for 20 s, or cut off, one after the other; then
the checker, the audit, and the sums."""

import signal
import time

import pytest
from processes import free_ports, wait_until

from harness.broker import Backends
from harness.crowd import Crowd, assert_sold_as_told
from harness.stack import PATIENCE, Stack

VISITORS = 300
FROZEN_SECONDS = 20
TIERS = [
    {"code": "floor", "name": "Floor", "price": 4500, "capacity": 370},
    {"code": "side", "name": "Side", "capacity": 120,
     "prices": [{"code": "adult", "name": "Adult", "amount": 3000}, {"code": "child", "name": "Child", "amount": 1000}]},
]
# When a fault strikes. Each is a state that lasts milliseconds, and is there again with the next orders.
MOMENTS = {
    "an order is given and not released": "SELECT 1 FROM orders WHERE state = 'placed' LIMIT 1",
    "an order is marked as released, and RabbitMQ has not confirmed it":
        "SELECT 1 FROM orders WHERE state = 'released' AND published = 0 LIMIT 1",
    "an order is released and not booked":
        "SELECT 1 FROM orders o LEFT JOIN bookings b USING (event_id, place, attempt)"
        " WHERE o.state = 'released' AND b.place IS NULL LIMIT 1",
    "an outcome is written and not sent": "SELECT 1 FROM outbox LIMIT 1",
}
GIVEN, MARKED, RELEASED, WRITTEN = MOMENTS

# What may be said while something is away. Anything else of level error is a fault, also here.
AWAY = ("mysql_away", "amqp_away")


def start(stack):
    """Two of each, the waiting rooms on ports that they have again when they are started anew."""
    stack.expect_errors(*AWAY)
    stack.prepare()
    started = [stack.start_room(wait=False, environment={"ONSALE_WAITING_ROOM_LISTEN": f"127.0.0.1:{port}"})
               for port in free_ports(2)]
    started += [stack.start_program(kind, wait=False) for kind in ("admission", "booking-worker", "notifier") for _ in range(2)]
    for program in started:
        program.wait_ready(30 * PATIENCE)


def open_sale(stack, pace):
    stack.event("sale", pace=f"{pace}/s", max_per_customer=6, tiers=TIERS)
    return Crowd(stack, "sale", "--faults", "--visitors", VISITORS, "--rate", 10 * pace, "--tiers", "floor,side", "--tickets", 4,
                 "--orders", "98%", "--change", "15%", "--take-back", "10%", "--in-turn", "20%", "--alternatives", "50%",
                 "--again", "20%", "--same-customer", "10%", "--leave", "4%", "--reconnect", "10%", "--order-within", 10,
                 "--seconds", 300 * PATIENCE, "--patience", 60 * PATIENCE)


def bookings(stack):
    return stack.sql("SELECT COUNT(*) FROM bookings")[0][0]


def wait_for_sales(stack, count=5, seconds=40):
    """So many more bookings are made than there are now."""
    goal = bookings(stack) + count
    wait_until(lambda: bookings(stack) >= goal, f"booking {goal}", seconds * PATIENCE, pause=0.1)


def wait_for_the_moment(stack, moment):
    with stack.db() as connection, connection.cursor() as cursor:
        wait_until(lambda: cursor.execute(MOMENTS[moment]), moment, 30 * PATIENCE, pause=0.001)


def leader(stack):
    def leads(program):
        return program.alive() and program.metrics()["onsale_admission_leads"] == 1
    return wait_until(lambda: next(filter(leads, stack.admissions), None), "an admission to lead", 20 * PATIENCE)


def active(programs, metric):
    """The one of two programs that does the work: whose number grows."""
    before = {program: program.metrics().get(metric, 0) for program in programs}
    return wait_until(lambda: next((each for each in programs if each.metrics().get(metric, 0) > before[each]), None),
                      f"{metric} to grow", 30 * PATIENCE, pause=0.1)


def active_worker(stack):
    return active(stack.workers, "onsale_book_messages_total")


def active_notifier(stack):
    return active(stack.notifiers, "onsale_outcomes_total")


def finish(stack, crowd):
    crowd.finish(310)
    print(crowd.said[-2500:])
    assert "all are done" in crowd.said
    tiers = assert_sold_as_told(stack, "sale", crowd)
    assert sum(tiers.values()) > 300
    audit = stack.onsale_json("audit", "sale", "--settled")
    assert audit["ok"], audit


def test_each_program_is_killed(stack_factory):
    stack = stack_factory(proxied=True)
    start(stack)
    with open_sale(stack, 6) as crowd:
        wait_for_sales(stack)
        for choose, moment in ((active_worker, RELEASED), (leader, MARKED), (active_notifier, WRITTEN),
                               (lambda stack: stack.rooms[0], GIVEN)):
            dead = choose(stack)
            wait_for_the_moment(stack, moment)
            dead.kill()
            wait_for_sales(stack)
            dead.start().wait_ready(30 * PATIENCE)
        # The network goes: refused and reset first, then silent.
        for proxy in (stack.amqp_proxy, stack.mysql_proxy):
            for away in (proxy.cut, proxy.hold):
                wait_for_the_moment(stack, RELEASED)
                away()
                wait_until(lambda: not all(program.ready() for program in stack.programs), "somebody to miss it", 30 * PATIENCE)
                proxy.mend()
                wait_for_sales(stack)
        finish(stack, crowd)
    epochs = [row[0] for row in stack.sql("SELECT epoch FROM served_log ORDER BY served")]
    assert epochs == sorted(epochs) and len(set(epochs)) >= 2


def test_each_program_is_frozen(stack_factory):
    stack = stack_factory()
    start(stack)
    with open_sale(stack, 5) as crowd:
        wait_for_sales(stack)
        # Two at a time, which nothing but each other's absence connects.
        for choices in ((lambda stack: stack.rooms[1], leader), (active_worker, active_notifier)):
            frozen = [choose(stack) for choose in choices]
            wait_for_the_moment(stack, RELEASED)
            for program in frozen:
                program.freeze()
            until = time.monotonic() + FROZEN_SECONDS
            wait_for_sales(stack)  # the others go on meanwhile
            time.sleep(max(0.0, until - time.monotonic()))
            for program in frozen:
                program.resume()
            wait_for_sales(stack)
        finish(stack, crowd)


@pytest.fixture
def own_stack(tmp_path, certificate):
    """A stack whose servers are nobody else's, so that they may be killed."""
    backends = Backends(tmp_path / "servers", given=False)
    folder = tmp_path / "stack"
    folder.mkdir()
    stack = Stack(backends, folder, certificate)
    try:
        yield stack
    except BaseException:
        for name, text in stack.reports():
            print(name, text, sep="\n")
        raise
    finally:
        for server in (backends.private.mysql, backends.private.amqp):
            if server.running():
                server.process.send_signal(signal.SIGCONT)
        try:
            stack.close()
        finally:
            backends.close()


def test_the_servers_are_killed_and_frozen(own_stack):
    stack, servers = own_stack, own_stack.backends.private
    start(stack)
    with open_sale(stack, 5) as crowd:
        wait_for_sales(stack)
        for server in (servers.amqp, servers.mysql):
            wait_for_the_moment(stack, RELEASED)
            server.process.kill()
            server.process.wait()
            servers.restart(server)
            wait_for_sales(stack, seconds=60)
        for server in (servers.amqp, servers.mysql):
            wait_for_the_moment(stack, RELEASED)
            server.process.send_signal(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            server.process.send_signal(signal.SIGCONT)
            wait_for_sales(stack, seconds=60)
        finish(stack, crowd)
