# SPDX-License-Identifier: Apache-2.0
"""Turns: when they begin, for who was there and who was not; when they end; and clocks that stand still."""

import datetime

from harness.bare import bare_client
from harness.stack import PATIENCE
from processes import wait_until


def line(slug):
    return f"/v1/events/{slug}/line"


def at(text):
    return datetime.datetime.fromisoformat(text)


def get(stack, slug, visitor, room=0):
    answer = bare_client(stack, room).get(line(slug), headers=visitor.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_served(stack, slug, served):
    wait_until(lambda: stack.sql("SELECT s.served FROM line_served s JOIN events e ON e.id = s.event_id WHERE e.slug = %s",
                                 slug)[0][0] >= served, f"{served} served", 20 * PATIENCE)


def turns(stack):
    return stack.sql("SELECT place, came_back FROM turns ORDER BY place")


def test_who_is_there_has_the_turn_from_being_let_in(stack):
    stack.event("there", pace="0", turn_seconds=600)
    visitor = stack.join("there")
    stream = stack.pool().event_stream("there", visitor)
    stream.wait("served")
    stack.onsale("rate", "there", "10/s", expect=0)
    turn = stream.wait("line", lambda data: data["line"] == "turn", 20 * PATIENCE).data
    let_in = stack.sql("SELECT MIN(at) FROM served_log WHERE served >= 1")[0][0].replace(tzinfo=datetime.timezone.utc)
    assert abs((at(turn["until"]) - let_in).total_seconds() - 600) < 0.01
    assert turns(stack) == ((1, 0),)
    assert get(stack, "there", visitor)["until"] == turn["until"]  # the same for everybody who asks, here and elsewhere
    assert stack.rooms[0].log_lines("turn_began", slug="there", place=1)


def test_who_was_away_and_comes_back_has_the_full_turn_once(stack):
    stack.event("back", pace="10/s", turn_seconds=600)
    visitors = [stack.join("back") for _ in range(2)]
    wait_served(stack, "back", 2)
    state = get(stack, "back", visitors[0])
    assert state["line"] == "turn"
    assert 595 < (at(state["until"]) - at(state["now"])).total_seconds() <= 600
    assert turns(stack) == ((1, 1),)
    assert get(stack, "back", visitors[0])["until"] == state["until"]  # coming back again moves nothing
    stream = stack.pool().event_stream("back", visitors[1])  # a stream is a way to come back, too
    assert stream.wait("line", lambda data: "until" in data).data["line"] == "turn"
    assert turns(stack) == ((1, 1), (2, 1))


def test_who_comes_back_too_late_has_missed_it(stack):
    stack.event("late", pace="10/s", absent_seconds=600)
    visitor = stack.join("late")
    wait_served(stack, "late", 1)
    stack.sql("UPDATE served_log SET at = at - INTERVAL 601 SECOND")
    state = get(stack, "late", visitor)
    assert (state["line"], state["ahead"]) == ("over", None) and "until" not in state
    assert turns(stack) == ()
    again = bare_client(stack).post(line("late"), headers=visitor.headers, json={"again": True})
    assert (again.status_code, again.json()["place"]) == (201, 2)


def test_a_turn_ends(stack):
    stack.event("ends", pace="10/s", turn_seconds=2)
    visitor = stack.join("ends")
    stream = stack.pool().event_stream("ends", visitor)
    turn = stream.wait("line", lambda data: "until" in data, 20 * PATIENCE)
    over = stream.wait("line", lambda data: data["line"] == "over", 20 * PATIENCE)
    assert (at(over.data["now"]) - at(turn.data["until"])).total_seconds() < 1 * PATIENCE
    assert at(over.data["now"]) >= at(turn.data["until"])
    assert get(stack, "ends", visitor)["line"] == "over"
    kept = bare_client(stack).post(line("ends"), headers=visitor.headers)
    assert (kept.status_code, kept.json()["line"]) == (200, "over")
    assert bare_client(stack).post(line("ends"), headers=visitor.headers, json={"again": True}).status_code == 201


def test_stop_and_start_move_the_end(stack):
    stack.event("still", pace="10/s", turn_seconds=600)
    visitor = stack.join("still")
    stream = stack.pool().event_stream("still", visitor)
    first = at(stream.wait("line", lambda data: "until" in data, 20 * PATIENCE).data["until"])
    stack.onsale("stop", "still", "--reason", "storm", expect=0)
    stream.wait("event", lambda data: data["state"] == "stopped")
    stack.sql("UPDATE events SET stopped_at = stopped_at - INTERVAL 100 SECOND, version = version + 1")
    wait_until(lambda: (at(get(stack, "still", visitor)["until"]) - first).total_seconds() >= 100, "the end to move on", 20 * PATIENCE)
    stack.onsale("start", "still", expect=0)
    moved = stream.wait("line", lambda data: "until" in data and (at(data["until"]) - first).total_seconds() >= 100).data
    stood_still = stack.sql("SELECT stopped_us FROM events WHERE slug = 'still'")[0][0]
    assert abs((at(moved["until"]) - first).total_seconds() - stood_still / 1e6) < 0.01
    assert moved["line"] == "turn"


def test_two_rooms_agree(stack_factory):
    stack = stack_factory().start(rooms=2)
    stack.event("agree", pace="0", turn_seconds=600)
    visitor = stack.join("agree")
    streams = [stack.pool(room).event_stream("agree", visitor) for room in (0, 1)]
    for stream in streams:
        stream.wait("served")
    stack.onsale("rate", "agree", "10/s", expect=0)
    ends = {stream.wait("line", lambda data: "until" in data, 20 * PATIENCE).data["until"] for stream in streams}
    assert len(ends) == 1 and turns(stack) == ((1, 0),)


def test_a_room_that_was_killed_costs_nobody_a_turn(stack_factory):
    stack = stack_factory().start(rooms=2)
    stack.event("killed", pace="0", turn_seconds=600)
    visitor = stack.join("killed")
    stack.pool(0).event_stream("killed", visitor).wait("served")
    stack.rooms[0].kill()
    stack.onsale("rate", "killed", "10/s", expect=0)
    wait_served(stack, "killed", 1)
    stream = stack.pool(1).event_stream("killed", visitor)
    assert stream.wait("line", lambda data: "until" in data).data["line"] == "turn"
    assert turns(stack) == ((1, 1),)
