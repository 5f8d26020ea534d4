# SPDX-License-Identifier: Apache-2.0
"""Joining: dense places, each once and durable, whatever came along; refusals by the event's state."""

import concurrent.futures

import pytest
from harness.bare import bare_client
from harness.stack import Visitor
from processes import wait_until


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    return module_stack_factory().start(rooms=2)


def line(slug):
    return f"/v1/events/{slug}/line"


def event(stack, slug, **changes):
    """An event that both waiting rooms know."""
    state = changes.get("state", "open")
    stack.event(slug, **changes)
    for room in (0, 1):
        client = bare_client(stack, room)
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == state, f"room {room} to know {slug}", 20)


def test_an_answer_has_everything(stack):
    event(stack, "answer", pace="0")
    answer = bare_client(stack).post(line("answer"))
    assert answer.status_code == 201
    document = answer.json()
    assert set(document) == {"token", "line", "place", "ahead", "wait_seconds", "now"}
    assert (document["line"], document["place"], document["ahead"]) == ("waiting", 1, 0)
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"].split("; ")
    assert cookie[0] == f"__Host-onsale-answer={document['token']}"
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie)
    assert any(part.startswith("Max-Age=") and int(part[8:]) > 86400 for part in cookie)


def test_places_are_dense_over_two_rooms(stack):
    event(stack, "dense", pace="0")

    def join_some(number):
        client = bare_client(stack, number % 2)
        return [client.post(line("dense")).json()["place"] for _ in range(50)]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        places = [place for some in pool.map(join_some, range(8)) for place in some]
    assert sorted(places) == list(range(1, 401))
    rows = stack.sql("SELECT a.number, a.visitor FROM arrivals a JOIN events e ON e.id = a.event_id WHERE e.slug = 'dense'")
    assert sorted(row[0] for row in rows) == list(range(1, 401))
    assert len({row[1] for row in rows}) == 400
    document = bare_client(stack).get("/v1/events/dense").json()
    assert document["served"] == 0 and document["line"] <= 400


def test_the_same_place_again_by_bearer_and_by_cookie(stack):
    event(stack, "again", pace="0")
    visitor = stack.join("again")
    for room in (0, 1):
        client = bare_client(stack, room)
        by_bearer = client.post(line("again"), headers=visitor.headers)
        by_cookie = client.post(line("again"), headers={"Cookie": f"a=b; __Host-onsale-again={visitor.token}"})
        for answer in (by_bearer, by_cookie):
            assert answer.status_code == 200
            assert answer.json()["place"] == visitor.place
            again = Visitor(answer.json())
            assert client.get(line("again"), headers=again.headers).json()["place"] == visitor.place
    assert client.post(line("again"), headers=visitor.headers, json={"again": True}).json()["place"] == visitor.place
    assert stack.sql("SELECT COUNT(*) FROM arrivals a JOIN events e ON e.id = a.event_id WHERE e.slug = 'again'")[0][0] == 1


def test_states_that_refuse(stack):
    event(stack, "states", state="draft", opens_at="2031-01-01T10:00:00Z")
    client = bare_client(stack)

    def refused(status, kind):
        answer = client.post(line("states"))
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert "set-cookie" not in answer.headers
        return answer

    assert refused(409, "draft").json()["opens_at"] == "2031-01-01T10:00:00Z"
    stack.onsale("open", "states", expect=0)
    assert client.post(line("states")).status_code == 201
    stack.onsale("pause", "states", expect=0)
    assert client.post(line("states")).status_code == 201  # a pause lets nobody in, but people may line up
    stack.onsale("stop", "states", "--reason", "fire alarm", expect=0)
    assert int(refused(503, "stopped").headers["retry-after"]) >= 1
    stack.onsale("start", "states", expect=0)
    assert client.post(line("states")).json()["place"] == 3  # nobody's refusal has used up a number
    stack.onsale("close", "states", expect=0)
    refused(410, "closed")
    stack.sql("UPDATE events SET state = 'sold_out', version = version + 1 WHERE slug = 'states'")
    refused(410, "sold-out")


def test_the_lobby_gives_seats(stack):
    event(stack, "lobby", state="lobby", pace="0")
    client = bare_client(stack)
    visitor = stack.join("lobby")
    assert visitor.answer["line"] == "lobby"
    assert visitor.place is None and visitor.seat == 1
    assert visitor.answer["ahead"] is None and visitor.answer["wait_seconds"] is None
    stack.onsale("open", "lobby", expect=0)
    wait_until(lambda: client.get(line("lobby"), headers=visitor.headers).json()["line"] == "waiting", "the opening", 20)
    assert client.get(line("lobby"), headers=visitor.headers).json()["place"] == 1
    assert stack.join("lobby").place == 2


def test_a_restart_forgets_nothing(stack):
    event(stack, "restart", pace="0")
    visitor = stack.join("restart")
    room = stack.rooms[1]
    assert room.end() == 0
    room.start().wait_ready()
    state = bare_client(stack, 1).get(line("restart"), headers=visitor.headers)
    assert (state.status_code, state.json()["place"]) == (200, visitor.place)
    assert stack.join("restart", room=1).place == 2


def test_one_address_may_not_take_all(stack_factory):
    stack = stack_factory(config={"waiting-room": {"joins_per_address": "5/min"}}).start()
    stack.event("rate", pace="0")
    client = bare_client(stack)
    visitors = [Visitor(client.post(line("rate")).json()) for _ in range(5)]
    refused = client.post(line("rate"))
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-joins")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.post(line("rate"), headers=visitors[0].headers).status_code == 200  # who has a place is not counted
    stack.config["waiting-room"]["joins_per_address"] = 0
    stack.write_config()
    stack.rooms[0].hangup()
    stack.rooms[0].wait_log("reloaded")
    assert client.post(line("rate")).json()["place"] == 6


def test_mysql_away_and_back(stack_factory):
    stack = stack_factory(proxied=True)
    stack.expect_errors("mysql_away")
    stack.start()
    stack.event("away", pace="0")
    client = bare_client(stack)
    visitor = stack.join("away")
    stack.mysql_proxy.cut()
    refused = client.post(line("away"))
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/unavailable")
    assert int(refused.headers["retry-after"]) >= 1
    assert "mysql" in stack.rooms[0].wait_not_ready()
    # Who waits notices nothing, even on a connection that knows nothing of them.
    for one in (client, bare_client(stack)):
        state = one.get(line("away"), headers=visitor.headers)
        assert (state.status_code, state.json()["line"], state.json()["place"]) == (200, "waiting", 1)
    assert client.post(line("away"), headers=visitor.headers).json()["place"] == 1
    assert client.get("/v1/events/away").status_code == 200
    stack.mysql_proxy.mend()
    stack.rooms[0].wait_ready(30)
    places = [client.post(line("away")).json()["place"] for _ in range(3)]
    assert places == sorted(places) and places[0] >= 2
    assert len(stack.rooms[0].log_lines("mysql_away")) == 1


def test_both_servers_down_at_the_start(stack_factory):
    stack = stack_factory(proxied=True)
    stack.expect_errors("mysql_away")
    stack.prepare()
    stack.mysql_proxy.cut()
    stack.amqp_proxy.cut()
    room = stack.start_room(wait=False)
    missing = room.wait_not_ready()
    assert "mysql" in missing and "rabbitmq" in missing
    answer = bare_client(stack).post(line("early"))
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
    stack.mysql_proxy.mend()
    room.wait_ready(30)  # RabbitMQ alone is no reason to turn anybody away
    stack.event("early", pace="0")
    wait_until(lambda: bare_client(stack).post(line("early")).status_code == 201, "a join without RabbitMQ", 20)
    stack.amqp_proxy.mend()
    room.wait_log("feed_connected", seconds=20)


def test_without_a_key_nobody_joins(stack_factory):
    stack = stack_factory()
    stack.onsale("migrate", "--users", expect=0)
    room = stack.start_room(wait=False)
    assert "key" in room.wait_not_ready()
    stack.event("keyless", pace="0")
    client = bare_client(stack)
    wait_until(lambda: client.get("/v1/events/keyless").status_code == 200, "the event", 20)
    answer = client.post(line("keyless"))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/no-key")
    assert stack.sql("SELECT COUNT(*) FROM arrivals")[0][0] == 0
    stack.onsale("keys", "rotate", expect=0)
    room.hangup()
    room.wait_ready(30)
    assert stack.join("keyless").place == 1
