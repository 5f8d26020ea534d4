# SPDX-License-Identifier: Apache-2.0
"""Streams: everything there is first, then only what is new, in order; a position never grows, whatever is taken away."""

import time

import pika
import pytest
from harness.bare import bare_client
from harness.stack import PATIENCE
from harness.streams import assert_at_most_four_a_second
from processes import wait_until


def line(slug):
    return f"/v1/events/{slug}/line"


def ready_event(stack, slug, **changes):
    stack.event(slug, **changes)
    for room in stack.rooms:
        client = bare_client(stack, room)
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == changes.get("state", "open"),
                   f"{room.name} to know {slug}", 20 * PATIENCE)


def assert_order(stream, place):
    """served only rises; so what a visitor is shown as being ahead only falls."""
    ahead, served = [], [frame.data["served"] for frame in stream.frames("served")]
    for frame in stream.frames():
        if frame.event == "line" and frame.data["line"] == "waiting":
            ahead.append(frame.data["ahead"])
        elif frame.event == "served":
            ahead.append(max(0, place - frame.data["served"] - 1))
    assert served == sorted(served)
    assert ahead == sorted(ahead, reverse=True), ahead


def test_everything_comes_first(stack):
    ready_event(stack, "first", pace="0")
    visitor = stack.join("first")
    pool = stack.pool()
    stream = pool.event_stream("first", visitor)
    stream.wait("served")
    assert stream.headers["content-type"] == "text/event-stream"
    assert stream.headers["x-content-type-options"] == "nosniff"
    assert stream.headers["cache-control"] == "no-store"
    assert [frame.event for frame in stream.frames()][:4] == ["event", "line", "stock", "served"]
    assert 1000 <= stream.retry_ms < 4000
    assert len({frame.id for frame in stream.frames()}) == 4 and all(frame.id for frame in stream.frames())
    assert stream.latest("event") == {"state": "open"}
    state = stream.latest("line")
    assert (state["line"], state["place"], state["ahead"]) == ("waiting", 1, 0)
    assert set(stream.latest("stock")["tiers"]) == {"floor", "stalls"}
    assert stream.latest("stock")["tiers"]["floor"] == {"left": 2000, "asked": 0}
    assert stream.latest("served")["served"] == 0
    stack.onsale("say", "first", "Doors open late", expect=0)
    assert stream.wait("notice").data["text"] == "Doors open late"
    late = pool.event_stream("first", visitor)
    late.wait("served")
    assert [frame.event for frame in late.frames()][:5] == ["event", "line", "stock", "notice", "served"]


def test_the_line_moves_in_order_in_both_rooms(stack_factory):
    stack = stack_factory().start(rooms=2)
    ready_event(stack, "moves", pace="0")
    visitors = [stack.join("moves", room=number % 2) for number in range(30)]
    streams = [stack.pool(number % 2).event_stream("moves", visitor) for number, visitor in enumerate(visitors)]
    for stream in streams:
        stream.wait("served")
    since = time.monotonic()
    stack.onsale("rate", "moves", "10/s", expect=0)
    for stream, visitor in zip(streams, visitors):
        turn = stream.wait("line", lambda data: data["line"] == "turn" and "until" in data, 20 * PATIENCE)
        assert turn.data["place"] == visitor.place and turn.data["ahead"] == 0
    for stream, visitor in zip(streams, visitors):
        assert_order(stream, visitor.place)
        lines = [frame.data["line"] for frame in stream.frames("line")]
        assert lines == ["waiting", "turn"]  # a personal frame for each own change, and no more
        assert_at_most_four_a_second([frame for frame in stream.frames("served") if frame.at > since], since)
    assert stack.sql("SELECT COUNT(*), MIN(came_back), MAX(came_back) FROM turns")[0] == (30, 0, 0)


def test_state_and_stock_come_as_they_change(stack):
    document = stack.event("changes", pace="0")
    visitor = stack.join("changes")
    stream = stack.pool().event_stream("changes", visitor)
    stream.wait("served")
    stack.onsale("pause", "changes", expect=0)
    stream.wait("event", lambda data: data["state"] == "paused", 20 * PATIENCE)
    document["tiers"][0]["capacity"] = 2500
    stack.apply(document)
    stream.wait("stock", lambda data: data["tiers"]["floor"]["left"] == 2500, 20 * PATIENCE)
    stack.onsale("say", "changes", "one", expect=0)
    stream.wait("notice", lambda data: data["text"] == "one")
    stack.onsale("say", "changes", "", expect=0)
    stream.wait("notice", lambda data: data["text"] is None)
    stack.onsale("close", "changes", expect=0)
    stream.wait("event", lambda data: data["state"] == "closed", 20 * PATIENCE)
    stream.wait("line", lambda data: data["line"] == "over")


def test_the_lobby_turns_into_a_line(stack):
    ready_event(stack, "opens", state="lobby", pace="0")
    visitors = [stack.join("opens") for _ in range(3)]
    streams = [stack.pool().event_stream("opens", visitor) for visitor in visitors]
    for stream in streams:
        assert stream.wait("line").data["line"] == "lobby"
    stack.onsale("open", "opens", expect=0)
    for number, stream in enumerate(streams):
        assert stream.wait("line", lambda data: data["line"] == "waiting").data["ahead"] == number


def test_presence_is_reported(stack):
    ready_event(stack, "presence", pace="0")
    visitors = [stack.join("presence") for _ in range(3)]
    pool = stack.pool()
    streams = [pool.event_stream("presence", visitor) for visitor in visitors + visitors[:1]]  # one of them has two tabs
    for stream in streams:
        stream.wait("served")

    def present():
        return stack.sql("SELECT SUM(present), MAX(reported_at) >= UTC_TIMESTAMP(6) - INTERVAL 5 SECOND FROM presence")[0]

    wait_until(lambda: present() == (3, 1), "three visitors present", 20 * PATIENCE)
    pool.drop()
    wait_until(lambda: present()[0] == 0, "nobody present", 20 * PATIENCE)


def test_rabbitmq_away(stack_factory):
    stack = stack_factory(proxied=True).start(rooms=2, admissions=0)
    amqp = stack.backends.amqp  # admission keeps it: without, it lets nobody in
    stack.start_admission(environment={
        "ONSALE_AMQP_URL": f"amqp://{amqp['user']}:{amqp['password']}@{amqp['host']}:{amqp['port']}/{stack.vhost}"})
    ready_event(stack, "nofeed", pace="2/s")
    visitors = [stack.join("nofeed") for _ in range(60)]
    streams = [stack.pool(number % 2).event_stream("nofeed", visitor) for number, visitor in enumerate(visitors[-4:])]
    for stream in streams:
        stream.wait("served")
    for take_away in (stack.amqp_proxy.cut, stack.amqp_proxy.hold):
        take_away()
        before = streams[0].latest("served")["served"]
        for stream in streams:  # moved on by reading MySQL
            stream.wait("served", lambda data: data["served"] >= before + 6, 20 * PATIENCE)
        assert all(room.ready() for room in stack.rooms)
        stack.amqp_proxy.mend()
        for room in stack.rooms:
            wait_until(lambda: "rabbitmq" not in room.ops("/readyz")[1], "the feed to be back", 20 * PATIENCE)
    before = time.monotonic()
    reads = [room.metrics()["onsale_line_reads_total"] for room in stack.rooms]
    wait_until(lambda: streams[0].frames("served")[-1].at > before + 3, "news by the feed", 20 * PATIENCE)
    for room, read in zip(stack.rooms, reads):
        more = room.metrics()["onsale_line_reads_total"] - read
        assert more <= time.monotonic() - before + 2  # once a second at most, and one may have been on its way
    for stream, visitor in zip(streams, visitors[-4:]):
        assert_order(stream, visitor.place)


def test_mysql_away(stack_factory):
    stack = stack_factory(proxied=True)
    stack.expect_errors("mysql_away")
    stack.start()
    ready_event(stack, "nodb", pace="0")
    visitors = [stack.join("nodb") for _ in range(40)]
    streams = [stack.pool().event_stream("nodb", visitor) for visitor in visitors]
    for stream in streams:
        stream.wait("served")
    stack.onsale("rate", "nodb", "5/s", expect=0)
    streams[-1].wait("served", lambda data: data["served"] >= 3, 20 * PATIENCE)
    stack.mysql_proxy.cut()
    stack.rooms[0].wait_not_ready()
    late = stack.pool().event_stream("nodb", visitors[-1])  # the token and the view are enough for who waits
    assert late.wait("line").data["place"] == 40
    assert all(stream.ended is None for stream in streams)
    stack.mysql_proxy.mend()
    for stream, visitor in zip(streams, visitors):
        stream.wait("line", lambda data: data["line"] == "turn" and "until" in data, 30 * PATIENCE)
        assert_order(stream, visitor.place)
    assert_order(late, 40)
    assert stack.sql("SELECT COUNT(*), MAX(came_back) FROM turns")[0] == (40, 0)


def publish(stack, body):
    """Says something on the feed, as another admission would."""
    connection = pika.BlockingConnection(pika.URLParameters(stack.config["amqp"]["url"]))
    connection.channel().basic_publish("onsale.feed", "", body, pika.BasicProperties(content_type="application/json"))
    connection.close()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"v":2,"type":"served"}', b'{"v":1,"type":"nothing"}', b"\xff" * 100,
                                  b'{"v":1,"type":"served","epoch":-1,"seq":1,"full":true,"events":[]}'])
def test_nonsense_on_the_feed(module_stack, body):
    stack = module_stack
    before = stack.rooms[0].metrics()["onsale_feed_malformed_total"]
    publish(stack, body)
    wait_until(lambda: stack.rooms[0].metrics()["onsale_feed_malformed_total"] == before + 1, "the message to be counted", 20)
    assert stack.rooms[0].ready()


def test_old_news_and_gaps(stack_factory):
    stack = stack_factory().start(admissions=0)
    ready_event(stack, "gaps", pace="0")
    visitors = [stack.join("gaps") for _ in range(20)]
    stream = stack.pool().event_stream("gaps", visitors[-1])
    stream.wait("served")
    room = stack.rooms[0]

    def say(epoch, seq, served):
        publish(stack, (f'{{"v":1,"type":"served","epoch":{epoch},"seq":{seq},"full":false,"events":[{{"slug":"gaps","served":{served},'
                        '"last":20,"pace":"1/s","us_per_place":[1000000,1000000]}]}').encode())

    say(5, 1, 3)
    stream.wait("served", lambda data: data["served"] == 3)
    say(4, 9, 7)  # an admission that was replaced
    say(5, 1, 8)  # twice
    say(5, 2, 2)  # one that goes back would be a mistake; nobody shall see it
    say(5, 3, 5)
    stream.wait("served", lambda data: data["served"] == 5)
    assert room.metrics()["onsale_feed_old_total"] == 2
    assert room.metrics()["onsale_feed_gaps_total"] == 0
    stack.sql("UPDATE line_served SET served = 9")
    say(5, 5, 6)  # the fourth was missed: MySQL knows better
    stream.wait("served", lambda data: data["served"] == 9)
    assert room.metrics()["onsale_feed_gaps_total"] == 1
    assert 7 not in [frame.data["served"] for frame in stream.frames("served")]
    assert_order(stream, 20)


def test_silence_is_bridged(stack_factory):
    stack = stack_factory().start(admissions=0)
    ready_event(stack, "silent", pace="0")
    stream = stack.pool().event_stream("silent", stack.join("silent"))
    stream.wait("served")
    stack.sql("UPDATE line_served SET served = 1")
    stream.wait("served", lambda data: data["served"] == 1, 20 * PATIENCE)


def test_a_comment_now_and_then(stack):
    ready_event(stack, "comment", pace="0")
    stream = stack.pool().event_stream("comment", stack.join("comment"))
    stream.wait("served")
    wait_until(lambda: stream.comments >= 1, "a comment", 20 * PATIENCE)


def test_sigterm_ends_streams_in_order(stack):
    ready_event(stack, "drain", pace="0")
    visitor = stack.join("drain")
    streams = [stack.pool().event_stream("drain", visitor) for _ in range(20)]
    for stream in streams:
        stream.wait("served")
    started = time.monotonic()
    assert stack.rooms[0].end() == 0
    assert time.monotonic() - started < 10
    for stream in streams:
        assert stream.wait_end()


def test_a_thousand_streams(stack):
    ready_event(stack, "thousand", pace="0")
    visitor = stack.join("thousand")
    visitors = [stack.join("thousand", client=bare) for bare in [bare_client(stack)] for _ in range(300)]
    pool = stack.pool()
    streams = [pool.event_stream("thousand", other) for other in visitors] + \
              [pool.event_stream("thousand", visitor) for _ in range(700)]
    for stream in streams:
        stream.wait("served", seconds=30 * PATIENCE)
    stack.onsale("rate", "thousand", "200/s", expect=0)
    for stream in streams:
        stream.wait("served", lambda data: data["served"] == 301, 30 * PATIENCE)
    for stream, other in zip(streams, visitors):
        stream.wait("line", lambda data: data["line"] == "turn", 20 * PATIENCE)
        assert_order(stream, other.place)
