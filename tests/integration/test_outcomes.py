# SPDX-License-Identifier: Apache-2.0
"""What became of an order reaches whoever it belongs to, on whichever waiting room: heard, doubled, late, missed or read.

No worker and no notifier run here: the tests write rows as a worker would and say what a notifier would."""

import json
import time
import uuid

import pytest
from harness.bare import bare_client
from harness.stack import PATIENCE
from harness.streams import assert_at_most_four_a_second
from harness.voice import Voice, told
from processes import wait_until

CHOICE = [{"tier": "floor", "tickets": {"full": 2}, "quantity": 2, "amount": 9000}]


def ready_event(stack, slug, **changes):
    stack.event(slug, **({"pace": "0"} | changes))
    for room in stack.rooms:
        client = bare_client(stack, room)
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == "open", f"{room.name} to know {slug}",
                   5 * PATIENCE)


def event_id(stack, slug):
    return stack.sql("SELECT id FROM events WHERE slug = %s", slug)[0][0]


def visitor_id(stack, slug, place):
    return stack.sql("SELECT visitor FROM arrivals WHERE event_id = %s AND number = %s", event_id(stack, slug), place)[0][0]


def place_orders(stack, slug, places, attempt=1, state="placed", tell=True):
    """The rows that a PUT for two on the floor leaves, and what another waiting room would say of it."""
    with stack.db() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices,"
            " email, customer, name, placed_at, changed_at) SELECT event_id, number, %s, visitor, %s, 1, 'floor', 2, 9000, 'EUR',"
            " %s, 'ada@example.org', REPEAT('x', 16), 'Ada', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) FROM arrivals"
            " WHERE event_id = %s AND number = %s",
            [(attempt, state, json.dumps(CHOICE), event_id(stack, slug), place) for place in places])
    if tell:  # who joined a moment ago is known to have no order
        say = Voice(stack)
        for start in range(0, len(places), 256):
            say.ordered(slug, *places[start:start + 256])
        say.connection.close()


def book(stack, slug, places, state="confirmed", attempt=1, revision=3):
    """The rows that a worker leaves. Returns the outcomes to tell."""
    gives = state == "confirmed"
    rows, outcomes = [], []
    visitors = dict(stack.sql("SELECT number, visitor FROM arrivals WHERE event_id = %s", event_id(stack, slug)))
    for place in places:
        reference = f"{uuid.uuid4().hex[:4].upper()}-{place:04d}" if gives else None
        rows.append((event_id(stack, slug), place, attempt, state, revision, "floor" if gives else None, 2 if gives else 0,
                     9000 if gives else 0, reference))
        outcome = {"place": place, "attempt": attempt, "revision": revision, "visitor": visitors[place].hex(), "state": state}
        if gives:
            outcome |= {"reference": reference, "tier": "floor", "quantity": 2, "amount": 9000, "tickets": {"full": 2}}
        outcomes.append(outcome)
    with stack.db() as connection, connection.cursor() as cursor:
        cursor.executemany("UPDATE orders SET state = 'released', revision = revision + 1 WHERE event_id = %s AND place = %s"
                           " AND attempt = %s", [row[:3] for row in rows])
        cursor.executemany("REPLACE INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, reference,"
                           " currency, customer, created_at, changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'EUR',"
                           " REPEAT('x', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", rows)
    return outcomes


@pytest.fixture
def voice():
    """voice(stack) makes a Voice that is closed at the end."""
    made = []

    def make(stack):
        made.append(Voice(stack))
        return made[-1]

    yield make
    for each in made:
        each.connection.close()


def open_streams(stack, slug, visitors):
    streams = [stack.pool(number % len(stack.rooms)).event_stream(slug, visitor) for number, visitor in enumerate(visitors)]
    for stream in streams:
        stream.wait("served")
    return streams


def in_state(state):
    return lambda data: data["state"] == state


def test_an_outcome_reaches_its_visitor_only(stack_factory, voice):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "own")
    visitors = [stack.join("own") for _ in range(3)]
    place_orders(stack, "own", [1, 2])
    streams = open_streams(stack, "own", visitors)
    elsewhere = stack.pool(1).event_stream("own", visitors[0])  # the first visitor's other tab
    elsewhere.wait("served")
    assert [frame.event for frame in streams[0].frames()][:5] == ["event", "line", "order", "stock", "served"]
    assert [frame.event for frame in streams[2].frames()][:4] == ["event", "line", "stock", "served"]
    order = streams[0].latest("order")
    assert (order["state"], order["place"], order["email"], order["amount"]) == ("placed", 1, "ada@example.org", 9000)
    say = voice(stack)
    outcome = book(stack, "own", [1])[0]
    say.outcomes("own", [outcome])
    for stream in (streams[0], elsewhere):
        order = stream.wait("order", in_state("confirmed")).data
        assert (order["reference"], order["amount"], order["tickets"]) == (outcome["reference"], 9000, {"full": 2})
        assert (order["tier"], order["currency"], order["email"]) == ("floor", "EUR", "ada@example.org")
    # What is not the visitor's, what is not for this event, and what is known already, in front of something that is news.
    say.outcomes("own", [outcome | {"place": 2}])
    say.outcomes("other", [outcome | {"revision": 9, "state": "failed", "reason": "broken"}])
    say.outcomes("own", [outcome, outcome | {"revision": 2, "state": "released"}])
    say.outcomes("own", book(stack, "own", [2], "sold_out"))
    streams[1].wait("order", in_state("sold_out"))
    for stream in (streams[0], elsewhere):
        assert told(stream) == [("placed", 1, 1), ("confirmed", 1, 3)]
    assert told(streams[1]) == [("placed", 1, 1), ("sold_out", 1, 3)]
    assert told(streams[2]) == []
    assert all(room.metrics()["onsale_feed_outcome_gaps_total"] == 0 for room in stack.rooms)


def test_doubled_and_reordered(stack, voice):
    ready_event(stack, "twice")
    visitor = stack.join("twice")
    place_orders(stack, "twice", [1])
    [stream] = open_streams(stack, "twice", [visitor])
    say = voice(stack)
    [outcome] = book(stack, "twice", [1], "confirmed", revision=4)
    older = {key: outcome[key] for key in ("place", "attempt", "visitor")} | {"revision": 3, "state": "standby"}
    say.outcomes("twice", [outcome])
    stream.wait("order", in_state("confirmed"))
    say.outcomes("twice", [older])
    say.outcomes("twice", [outcome])
    say.seq -= 1  # the notifier did not see the confirm and told it again
    say.outcomes("twice", [outcome])
    [cancelled] = book(stack, "twice", [1], "cancelled", revision=5)
    say.outcomes("twice", [cancelled])
    stream.wait("order", in_state("cancelled"))
    assert told(stream) == [("placed", 1, 1), ("confirmed", 1, 4), ("cancelled", 1, 5)]


def test_no_end_is_skipped(stack, voice):
    ready_event(stack, "ends")
    visitor = stack.join("ends")
    place_orders(stack, "ends", [1])
    [stream] = open_streams(stack, "ends", [visitor])
    # All in one message, so that the stream finds several things to tell at once: what lies between may be left out.
    [confirmed] = book(stack, "ends", [1])
    own = {key: confirmed[key] for key in ("place", "attempt", "visitor")}
    between, end = own | {"revision": 2, "state": "standby"}, own | {"revision": 4, "state": "cancelled"}
    voice(stack).outcomes("ends", [between, confirmed, end])
    stream.wait("order", in_state("cancelled"))
    ends = [state for state in told(stream) if state[0] != "standby"]
    assert ends == [("placed", 1, 1), ("confirmed", 1, 3), ("cancelled", 1, 4)]


def test_a_gap_is_read_from_mysql(stack_factory, voice):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "gap")
    visitors = [stack.join("gap") for _ in range(6)]
    place_orders(stack, "gap", range(1, 7))
    streams = open_streams(stack, "gap", visitors)
    say = voice(stack)
    say.outcomes("gap", book(stack, "gap", [1]))
    streams[0].wait("order", in_state("confirmed"))
    book(stack, "gap", [2, 3, 4, 5])  # what tells of these is lost
    say.outcomes("gap", book(stack, "gap", [6], "sold_out"), missed=1)
    for stream in streams[:5]:
        stream.wait("order", in_state("confirmed"), 20 * PATIENCE)
    streams[5].wait("order", in_state("sold_out"))
    for stream in streams:
        assert len(told(stream)) == 2
    for room in stack.rooms:
        assert room.metrics()["onsale_feed_outcome_gaps_total"] == 1
        assert room.log_lines("outcomes_gap")
    # Another notifier takes over: who has heard it from its beginning has missed nothing.
    other = voice(stack)
    other.outcomes("gap", book(stack, "gap", [1], "cancelled", revision=4))
    streams[0].wait("order", in_state("cancelled"))
    assert all(room.metrics()["onsale_feed_outcome_gaps_total"] == 1 for room in stack.rooms)


def test_nobody_learns_less_by_coming_late(stack, voice):
    ready_event(stack, "late")
    visitors = [stack.join("late") for _ in range(2)]
    place_orders(stack, "late", [1, 2])
    [stream] = open_streams(stack, "late", visitors[:1])
    say = voice(stack)
    say.outcomes("late", book(stack, "late", [1, 2]))
    stream.wait("order", in_state("confirmed"))
    for late in open_streams(stack, "late", visitors):
        assert [frame.event for frame in late.frames()][:3] == ["event", "line", "order"]
        assert told(late) == [("confirmed", 1, 3)]


def test_an_outcome_between_the_question_and_its_answer(stack_factory, voice):
    """Who reconnects is asked about; told while MySQL's answer is on its way, the outcome must not be lost to the older answer."""
    stack = stack_factory(proxied=True).start()
    ready_event(stack, "between")
    visitor = stack.join("between")
    place_orders(stack, "between", [1])
    say = voice(stack)
    stack.mysql_proxy.hold_at(b"ada@example.org")
    stream = stack.pool().event_stream("between", visitor)
    assert stack.mysql_proxy.holding.wait(10 * PATIENCE)
    say.outcomes("between", book(stack, "between", [1]))
    wait_until(lambda: stack.rooms[0].metrics()["onsale_feed_outcomes_total"] == 1, "the outcome to be heard", 20 * PATIENCE)
    stack.mysql_proxy.mend()
    stream.wait("order", in_state("confirmed"), 20 * PATIENCE)


def test_an_outcome_whose_question_fails(stack_factory, voice):
    """Told of an attempt that is not known here, just when MySQL goes away: it is asked about until there is an answer."""
    stack = stack_factory(proxied=True).start()
    stack.expect_errors("mysql_away")
    ready_event(stack, "fails")
    visitor = stack.join("fails")
    place_orders(stack, "fails", [1])
    [stream] = open_streams(stack, "fails", [visitor])
    stream.wait("order", in_state("placed"))
    say = voice(stack)
    stack.mysql_proxy.cut()
    stack.rooms[0].wait_not_ready()
    place_orders(stack, "fails", [1], attempt=2, tell=False)
    say.outcomes("fails", book(stack, "fails", [1], attempt=2))
    wait_until(lambda: stack.rooms[0].metrics()["onsale_feed_outcomes_total"] == 1, "the outcome to be heard", 20 * PATIENCE)
    stack.mysql_proxy.mend()
    stream.wait("order", in_state("confirmed"), 20 * PATIENCE)


def test_an_outcome_of_an_order_that_nobody_told_of(stack, voice):
    ready_event(stack, "unknown")
    visitor = stack.join("unknown")
    [stream] = open_streams(stack, "unknown", [visitor])
    say = voice(stack)
    place_orders(stack, "unknown", [1], tell=False)
    say.outcomes("unknown", book(stack, "unknown", [1], "sold_out"))
    order = stream.wait("order", in_state("sold_out")).data
    assert order["email"] == "ada@example.org"  # it was read, for an outcome does not say
    place_orders(stack, "unknown", [1], attempt=2, tell=False)
    say.outcomes("unknown", book(stack, "unknown", [1], attempt=2, revision=3))
    order = stream.wait("order", in_state("confirmed")).data
    assert (order["attempt"], order["email"]) == (2, "ada@example.org")


def test_an_order_of_another_room_is_looked_up(stack_factory, voice):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "ordered")
    visitors = [stack.join("ordered") for _ in range(2)]
    streams = open_streams(stack, "ordered", visitors)
    place_orders(stack, "ordered", [1, 2], tell=False)
    voice(stack).ordered("ordered", 1, 2, 999)
    for stream in streams:
        stream.wait("order", in_state("placed"))
        assert told(stream) == [("placed", 1, 1)]


def test_two_tabs_on_two_rooms_see_one_order(stack_factory):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "tabs")
    visitor = stack.join("tabs")
    tabs = [stack.pool(room).event_stream("tabs", visitor) for room in (0, 0, 0, 1, 1)]
    for tab in tabs:
        tab.wait("served")
    client = stack.client()
    wanted = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}
    answer = client.put("/v1/events/tabs/order", json=wanted, headers=visitor.headers)
    assert answer.status_code == 202, answer.text
    for tab in tabs:
        assert tab.wait("order", in_state("placed"), 20 * PATIENCE).data["amount"] == 9000
    answer = client.put("/v1/events/tabs/order", json=wanted | {"quantity": 3}, headers=visitor.headers)
    assert answer.status_code == 202, answer.text
    for tab in tabs:
        tab.wait("order", lambda data: data["amount"] == 13500, 20 * PATIENCE)
    assert client.delete("/v1/events/tabs/order", headers=visitor.headers).status_code == 200
    for tab in tabs:
        tab.wait("order", in_state("cancelled"), 20 * PATIENCE)
        revisions = [revision for _, _, revision in told(tab)]
        assert revisions == sorted(set(revisions))


def test_three_hundred_are_told_at_once(stack_factory, voice):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "crowd")
    clients = [bare_client(stack, room) for room in stack.rooms]
    visitors = [stack.join("crowd", client=clients[number % 2]) for number in range(300)]
    places = [visitor.place for visitor in visitors]
    place_orders(stack, "crowd", places)
    pools = [stack.pool(room) for room in (0, 1)]
    streams = [pools[number % 2].event_stream("crowd", visitor) for number, visitor in enumerate(visitors)]
    for stream in streams:
        stream.wait("order", in_state("placed"), 20 * PATIENCE)
    outcomes = book(stack, "crowd", places)
    reference = {outcome["place"]: outcome["reference"] for outcome in outcomes}
    voice(stack).outcomes("crowd", outcomes)
    for stream, visitor in zip(streams, visitors):
        frame = stream.wait("order", in_state("confirmed"), 20 * PATIENCE)
        assert frame.data["reference"] == reference[visitor.place]
    # They were heard, each in both rooms, and not looked up: that would be for who missed them.
    for room in stack.rooms:
        assert room.metrics()["onsale_feed_outcomes_total"] == len(outcomes)
        assert room.metrics()["onsale_feed_outcome_gaps_total"] == 0
    assert all(len(told(stream)) == 2 for stream in streams)


def test_rabbitmq_away(stack_factory, voice):
    stack = stack_factory(proxied=True).start()
    ready_event(stack, "norabbit")
    visitors = [stack.join("norabbit") for _ in range(4)]
    place_orders(stack, "norabbit", [1, 2, 4])
    streams = open_streams(stack, "norabbit", visitors)
    say = voice(stack)
    stack.amqp_proxy.cut()
    stack.rooms[0].wait_log("feed_away", 20 * PATIENCE)
    say.outcomes("norabbit", book(stack, "norabbit", [1, 4]))
    place_orders(stack, "norabbit", [3], tell=False)
    say.ordered("norabbit", 3)
    late = streams[3].pool.event_stream("norabbit", visitors[3])  # on a connection that has known the order
    late.wait("served")
    assert told(late) == [("confirmed", 1, 3)]
    stack.amqp_proxy.mend()
    streams[0].wait("order", in_state("confirmed"), 20 * PATIENCE)
    streams[2].wait("order", in_state("placed"), 20 * PATIENCE)
    say.outcomes("norabbit", book(stack, "norabbit", [2]))
    streams[1].wait("order", in_state("confirmed"), 20 * PATIENCE)
    assert [len(told(stream)) for stream in streams] == [2, 2, 1, 2]


def test_a_stream_that_opens_while_mysql_is_away(stack_factory, voice):
    stack = stack_factory(proxied=True).start()
    stack.expect_errors("mysql_away")
    ready_event(stack, "nodb")
    visitor = stack.join("nodb")
    place_orders(stack, "nodb", [1])
    outcomes = book(stack, "nodb", [1])
    stack.mysql_proxy.cut()
    stack.rooms[0].wait_not_ready()
    [stream] = open_streams(stack, "nodb", [visitor])  # another connection than that of the join
    assert stream.latest("order") is None
    voice(stack).outcomes("nodb", outcomes)
    stack.mysql_proxy.mend()
    order = stream.wait("order", in_state("confirmed"), 20 * PATIENCE).data
    assert order["email"] == "ada@example.org"


def test_stock_four_times_a_second(stack, voice):
    ready_event(stack, "stock")
    [stream] = open_streams(stack, "stock", [stack.join("stock")])
    say = voice(stack)
    now_us = int(stack.sql("SELECT CAST(UNIX_TIMESTAMP(UTC_TIMESTAMP(6)) * 1000000 AS UNSIGNED)")[0][0]) + 3600 * 10**6
    since, step = time.monotonic(), 0
    while step < 60 or len(stream.frames("stock")) < 6:
        assert step < 1000, "what is told is not passed on"
        step += 1
        say.stock("stock", 2000 - step, step, now_us + step)
        say.connection.sleep(0.03)
    say.stock("stock", 7, 7, now_us)  # late
    last = stream.wait("stock", lambda data: data["tiers"]["floor"]["asked"] == step).data
    assert last["tiers"]["floor"] == {"left": 2000 - step, "asked": step}
    say.stock("stock", 1, 1, now_us + 2000)
    stream.wait("stock", lambda data: data["tiers"]["floor"]["left"] == 1)
    frames = stream.frames("stock")
    assert_at_most_four_a_second([frame for frame in frames if frame.at > since], since)
    asked = [frame.data["tiers"]["floor"]["asked"] for frame in frames[:-1]]
    assert asked == sorted(asked)
    document = stack.client().get("/v1/events/stock").json()
    assert [(tier["left"], tier["asked"]) for tier in document["tiers"] if tier["code"] == "floor"] == [(1, 1)]


def test_stock_is_counted_without_a_notifier(stack, voice):
    ready_event(stack, "count")
    [stream] = open_streams(stack, "count", [stack.join("count")])
    for _ in range(2):
        stack.join("count")
    place_orders(stack, "count", [2, 3])
    stack.sql("UPDATE tiers SET sold = 5 WHERE code = 'floor'")
    stream.wait("stock", lambda data: data["tiers"]["floor"] == {"left": 1995, "asked": 4}, 20 * PATIENCE)
    room = stack.rooms[0]
    seen = time.monotonic()
    counts = room.metrics()["onsale_stock_counts_total"]
    wait_until(lambda: room.metrics()["onsale_stock_counts_total"] >= counts + 4, "more counts", 20 * PATIENCE)
    # Once a second at most: the first may have been on its way, and from the beginning of the second to that of the fourth it takes two.
    assert time.monotonic() - seen >= 2
    say = voice(stack)
    at_us = 4 * 10**15

    def speaks():
        nonlocal at_us
        at_us += 1
        say.stock("count", 9, 9, at_us)
        return stream.latest("stock")["tiers"]["floor"]["left"] == 9

    wait_until(speaks, "the notifier to be heard", 20)
    counts = room.metrics()["onsale_stock_counts_total"]
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        speaks()
        say.connection.sleep(0.2)
    assert room.metrics()["onsale_stock_counts_total"] <= counts + 1  # one may have been on its way


def test_stock_is_counted_for_readers_too(stack):
    ready_event(stack, "readers")
    stack.join("readers")
    place_orders(stack, "readers", [1])
    client = stack.client()
    wait_until(lambda: client.get("/v1/events/readers").json()["tiers"][0]["asked"] == 2, "the orders to be counted",
               10 * PATIENCE)
