# SPDX-License-Identifier: Apache-2.0
"""Leaving: the place is given up for good, everywhere, and a new one is given only to who asks for it."""

import pytest
from harness.bare import bare_client
from harness.stack import PATIENCE
from processes import wait_until


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    return module_stack_factory().start(rooms=2)


def line(slug):
    return f"/v1/events/{slug}/line"


def ready_event(stack, slug, **changes):
    stack.event(slug, **({"pace": "0"} | changes))
    for room in stack.rooms:
        client = bare_client(stack, room)
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == changes.get("state", "open"),
                   f"{room.name} to know {slug}", 20 * PATIENCE)


def test_leaving(stack):
    ready_event(stack, "leave")
    visitor = stack.join("leave")
    client = bare_client(stack)
    answer = client.delete(line("leave"), headers={"Cookie": f"__Host-onsale-leave={visitor.token}"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["set-cookie"].startswith("__Host-onsale-leave=; Max-Age=0;")
    assert client.get(line("leave"), headers=visitor.headers).json()["line"] == "left"
    assert client.delete(line("leave"), headers=visitor.headers).status_code == 204  # twice: nothing else
    kept = client.post(line("leave"), headers=visitor.headers)
    assert (kept.status_code, kept.json()["line"]) == (200, "left")
    again = client.post(line("leave"), headers=visitor.headers, json={"again": True})
    assert (again.status_code, again.json()["line"]) == (201, "waiting")
    assert again.json()["place"] > visitor.place
    rows = stack.sql("SELECT number, left_at IS NOT NULL FROM arrivals a JOIN events e ON e.id = a.event_id "
                     "WHERE e.slug = 'leave' ORDER BY number")
    assert rows == ((1, 1), (2, 0))
    assert stack.rooms[0].log_lines("left", slug="leave", place=1)


def test_the_time_of_leaving_stays(stack):
    ready_event(stack, "time")
    visitor = stack.join("time")
    client = bare_client(stack)
    client.delete(line("time"), headers=visitor.headers)
    first = stack.sql("SELECT MAX(left_at) FROM arrivals")
    bare_client(stack, 1).delete(line("time"), headers=visitor.headers)
    assert stack.sql("SELECT MAX(left_at) FROM arrivals") == first


def test_all_streams_of_the_visitor_hear_of_it(stack):
    ready_event(stack, "hear")
    visitor, other = stack.join("hear"), stack.join("hear")
    streams = [stack.pool(room).event_stream("hear", visitor) for room in (0, 0, 1)]
    others = [stack.pool(room).event_stream("hear", other) for room in (0, 1)]
    for stream in streams + others:
        stream.wait("served")
    assert bare_client(stack).delete(line("hear"), headers=visitor.headers).status_code == 204
    for stream in streams:
        left = stream.wait("line", lambda data: data["line"] == "left", 20 * PATIENCE).data
        assert left["place"] == visitor.place and left["ahead"] is None
    for stream in others:
        assert [frame.data["line"] for frame in stream.frames("line")] == ["waiting"]
    # What other connections remembered is forgotten too.
    assert bare_client(stack, 1).get(line("hear"), headers=visitor.headers).json()["line"] == "left"


def test_a_connection_that_remembers_learns_it(stack):
    ready_event(stack, "learn")
    visitor = stack.join("learn")
    here, there = bare_client(stack, 0), bare_client(stack, 1)
    assert here.get(line("learn"), headers=visitor.headers).json()["line"] == "waiting"
    assert there.get(line("learn"), headers=visitor.headers).json()["line"] == "waiting"
    assert there.delete(line("learn"), headers=visitor.headers).status_code == 204
    wait_until(lambda: here.get(line("learn"), headers=visitor.headers).json()["line"] == "left", "the news", 20 * PATIENCE)


def test_leaving_the_lobby(stack):
    ready_event(stack, "lobby", state="lobby")
    visitor = stack.join("lobby")
    client = bare_client(stack)
    assert client.delete(line("lobby"), headers=visitor.headers).status_code == 204
    assert client.get(line("lobby"), headers=visitor.headers).json()["line"] == "left"


def test_mysql_away(stack_factory):
    stack = stack_factory(proxied=True)
    stack.expect_errors("mysql_away")
    stack.start()
    ready_event(stack, "away")
    visitor = stack.join("away")
    client = bare_client(stack)
    stack.mysql_proxy.cut()
    refused = client.delete(line("away"), headers=visitor.headers)
    assert refused.status_code == 503 and int(refused.headers["retry-after"]) >= 1
    assert "set-cookie" not in refused.headers
    stack.mysql_proxy.mend()
    stack.rooms[0].wait_ready(30)
    assert client.get(line("away"), headers=visitor.headers).json()["line"] == "waiting"
    assert client.delete(line("away"), headers=visitor.headers).status_code == 204


def test_the_feed_was_away_meanwhile(stack_factory):
    """`left` was lost: when the feed is back, waiting rooms ask MySQL about everybody who is connected."""
    stack = stack_factory(proxied=True).start(rooms=2)
    ready_event(stack, "lost")
    visitor = stack.join("lost")
    stream = stack.pool(1).event_stream("lost", visitor)
    stream.wait("served")
    stack.amqp_proxy.cut()
    for room in stack.rooms:
        wait_until(lambda: "rabbitmq" in room.ops("/readyz")[1], "the feed to be away", 20 * PATIENCE)
    assert bare_client(stack).delete(line("lost"), headers=visitor.headers).status_code == 204
    stack.amqp_proxy.mend()
    stream.wait("line", lambda data: data["line"] == "left", 20 * PATIENCE)


def test_one_room_s_feed_was_away(stack_factory):
    """Nobody else has a reason to ask MySQL again: what could not be told is told later."""
    stack = stack_factory(proxied=True).start(rooms=1)
    amqp = stack.backends.amqp
    direct = f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"
    other = stack.start_room(environment={"ONSALE_AMQP_URL": direct})
    ready_event(stack, "one")
    visitor = stack.join("one")
    stream = stack.pool(other).event_stream("one", visitor)
    stream.wait("served")
    stack.amqp_proxy.cut()
    wait_until(lambda: "rabbitmq" in stack.rooms[0].ops("/readyz")[1], "the feed to be away", 20 * PATIENCE)
    assert bare_client(stack).delete(line("one"), headers=visitor.headers).status_code == 204
    stack.amqp_proxy.mend()
    stream.wait("line", lambda data: data["line"] == "left", 20 * PATIENCE)
