# SPDX-License-Identifier: Apache-2.0
"""One visitor's way through all programs: an order given while waiting, the release, the booking, the outcome on the stream."""

import itertools
import threading

import pytest
from harness.bare import bare_client
from harness.stack import PATIENCE
from processes import wait_until

EMAIL = "anna@example.org"


@pytest.fixture(scope="module")
def shop(module_stack_factory):
    return module_stack_factory().start(rooms=2, admissions=1, workers=1, notifiers=1)


def order(shop, visitor, body, slug, room=0, expect=202):
    answer = shop.client(room=room).put(f"/v1/events/{slug}/order", headers=visitor.headers, json=body)
    assert answer.status_code == expect, answer.text
    return answer.json()


def final(stream, seconds=20 * PATIENCE):
    return stream.wait("order", lambda told: told["state"] not in ("placed", "released"), seconds=seconds).data


def test_given_while_waiting(shop):
    shop.event("waits", pace="0")
    visitor = shop.join("waits")
    stream = shop.pool().event_stream("waits", visitor)
    placed = order(shop, visitor, {"tier": "floor", "quantity": 2, "email": EMAIL}, "waits", room=1)
    assert placed | {"state": "placed", "amount": 9000, "currency": "EUR", "revision": 1} == placed
    # The order was given to the other waiting room.
    stream.wait("order", lambda told: told["state"] == "placed" and told["email"] == EMAIL, seconds=20 * PATIENCE)
    shop.onsale("rate", "waits", "10/s", expect=0)
    told = final(stream)
    assert (told["state"], told["tier"], told["tickets"], told["amount"]) == ("confirmed", "floor", {"full": 2}, 9000)
    assert len(told["reference"]) == 9
    assert shop.client(room=1).get("/v1/events/waits/order", headers=visitor.headers).json()["reference"] == told["reference"]
    stream.wait("stock", lambda stock: stock["tiers"]["floor"]["left"] == 1998, seconds=20 * PATIENCE)


def test_given_in_the_turn(shop):
    shop.event("turn", pace="10/s")
    visitor = shop.join("turn")
    stream = shop.pool().event_stream("turn", visitor)
    stream.wait("line", lambda line: line["line"] == "turn", seconds=20 * PATIENCE)
    order(shop, visitor, {"tier": "floor", "tickets": {"full": 1}, "email": EMAIL}, "turn")
    assert final(stream)["state"] == "confirmed"
    again = order(shop, visitor, {"tier": "floor", "quantity": 1, "email": EMAIL}, "turn", expect=409)
    assert again["type"] == "/problems/confirmed"


def test_the_last_tickets(shop):
    floor = {"code": "floor", "name": "Floor", "price": 1000, "capacity": 3}
    shop.event("few", pace="0", tiers=[floor])
    visitors = [shop.join("few") for _ in range(4)]
    streams = [shop.pool().event_stream("few", visitor) for visitor in visitors]
    for visitor, quantity in zip(visitors, (2, 2, 1, 1)):
        order(shop, visitor, {"tier": "floor", "quantity": quantity, "email": f"v{visitor.place}@example.org"}, "few")
    shop.onsale("rate", "few", "5/s", expect=0)
    assert [final(stream)["state"] for stream in streams] == ["confirmed", "sold_out", "confirmed", "sold_out"]
    streams[0].wait("event", lambda event: event["state"] == "sold_out", seconds=20 * PATIENCE)
    assert shop.onsale_json("audit", "few")["ok"]


def test_nobody_waits_for_a_no(shop):
    floor = {"code": "floor", "name": "Floor", "price": 1000, "capacity": 1}
    shop.event("no", pace="0", tiers=[floor])
    visitors = [shop.join("no") for _ in range(30)]
    streams = [shop.pool().event_stream("no", visitor) for visitor in visitors]
    for visitor in visitors:
        order(shop, visitor, {"tier": "floor", "quantity": 1, "email": f"v{visitor.place}@example.org"}, "no")
    shop.onsale("rate", "no", "1/min", expect=0)  # at this pace the last one would wait for half an hour
    states = [final(stream)["state"] for stream in streams]
    assert states == ["confirmed"] + ["sold_out"] * 29
    assert shop.onsale_json("audit", "no")["ok"]


def test_closing(shop):
    shop.event("closes", pace="0")
    visitor = shop.join("closes")
    stream = shop.pool().event_stream("closes", visitor)
    order(shop, visitor, {"tier": "floor", "quantity": 1, "email": EMAIL}, "closes")
    shop.onsale("close", "closes", expect=0)
    told = final(stream)
    assert (told["state"], told["reason"]) == ("refused", "event_closed")
    late = order(shop, visitor, {"tier": "floor", "quantity": 1, "email": EMAIL}, "closes", expect=410)
    assert late["type"] == "/problems/closed"


@pytest.mark.parametrize("how", ["close", "sell out"])
def test_orders_given_while_the_event_ends(shop, how):
    """Each is refused at once or ends with the others; none stays behind, placed for ever."""
    slug = f"ends-{how.replace(' ', '-')}"
    floor = {"code": "floor", "name": "Floor", "price": 1000, "capacity": 25 if how == "sell out" else 1000}
    shop.event(slug, pace="0", tiers=[floor])
    clients = [bare_client(shop, number % 2) for number in range(4)]
    visitors = [shop.join(slug, client=clients[number % 4]) for number in range(240)]
    answers, half = [], threading.Event()

    def put(client, mine):
        for visitor in mine:
            answer = client.put(f"/v1/events/{slug}/order", headers=visitor.headers,
                                json={"tier": "floor", "quantity": 1, "email": f"v{visitor.place}@example.org"})
            answers.append((visitor, answer.status_code, answer.json().get("type")))
            if len(answers) == 60:
                half.set()

    threads = [threading.Thread(target=put, args=(client, visitors[number::4])) for number, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    assert half.wait(20 * PATIENCE)
    shop.onsale(*(["close", slug] if how == "close" else ["rate", slug, "2000/s"]), expect=0)
    for thread in threads:
        thread.join()
    kind = "/problems/closed" if how == "close" else "/problems/sold-out"
    assert {(status, type) for _, status, type in answers} <= {(202, None), (410, kind)}
    given = [visitor for visitor, status, _ in answers if status == 202]

    def open_orders():
        return shop.sql("SELECT COUNT(*) FROM orders o JOIN events e ON e.id = o.event_id LEFT JOIN bookings b ON"
                        " b.event_id = o.event_id AND b.place = o.place AND b.attempt = o.attempt WHERE e.slug = %s"
                        " AND (o.state = 'placed' OR (o.state = 'released' AND b.state IS NULL))", slug)[0][0]

    wait_until(lambda: open_orders() == 0, "all orders to end", 20 * PATIENCE)
    states = [clients[0].get(f"/v1/events/{slug}/order", headers=visitor.headers).json()["state"] for visitor in given]
    if how == "close":
        assert set(states) == {"refused"}
    else:
        assert states.count("confirmed") == 25 and set(states) == {"confirmed", "sold_out"}
    assert shop.onsale_json("audit", slug)["ok"]


def test_reconnecting_while_the_outcome_goes_by(shop):
    """From one waiting room to the other and back, all the time: whoever stays at last is told."""
    shop.event("hops", pace="1000/s")
    clients = [bare_client(shop, room) for room in (0, 1)]
    visitors = [shop.join("hops", client=clients[number % 2]) for number in range(100)]
    let_in = "SELECT served FROM line_served WHERE event_id = (SELECT id FROM events WHERE slug = 'hops')"
    wait_until(lambda: shop.sql(let_in) == ((100,),), "all to be let in", 20 * PATIENCE)
    pools = [shop.pool(room) for room in (0, 1)]
    streams = [None] * len(visitors)

    def order_of(visitor):
        answer = clients[0].put("/v1/events/hops/order", headers=visitor.headers,
                                json={"tier": "floor", "quantity": 1, "email": f"v{visitor.place}@example.org"})
        assert answer.status_code == 202

    def hop(turn):
        for number, visitor in enumerate(visitors):
            # A third of them order in each of the first three turns, a little before they change rooms, so that it happens about when
            # they are told; however long a turn takes on this machine.
            for other in range(turn % 3, len(visitors) if turn < 3 else 0, 3):
                if number == max(0, other - 4 * turn - 1):
                    order_of(visitors[other])
            if streams[number]:
                streams[number].pool.reset(streams[number])
            streams[number] = pools[(turn + number) % 2].event_stream("hops", visitor)
            if number % 10 == 9:
                streams[number].wait("served", seconds=20 * PATIENCE)
        booked = shop.sql("SELECT COUNT(*) FROM bookings WHERE event_id = (SELECT id FROM events WHERE slug = 'hops')")
        return booked == ((100,),)

    turns = itertools.count()
    wait_until(lambda: hop(next(turns)), "all to be booked", 60 * PATIENCE)
    for stream in streams:
        assert final(stream)["state"] == "confirmed"


@pytest.mark.parametrize("kind", ["booking-worker", "notifier"])
def test_connections_that_were_cut_while_nothing_was_to_do_are_made_anew(stack_factory, kind):
    """Before there is something to do; else the first thing after every quiet minute would find MySQL gone."""
    stack = stack_factory().prepare()
    stack.start_program(kind)

    def connections():
        return {row[0] for row in stack.sql("SELECT id FROM information_schema.processlist WHERE user = %s",
                                             stack.users[kind])}
    before = connections()
    assert before
    for connection in before:
        stack.sql(f"KILL {connection}")
    wait_until(lambda: len(connections() - before) == len(before), "connections to be made anew", 15 * PATIENCE)
