# SPDX-License-Identifier: Apache-2.0
"""The plan of the hall: how it is read, who pays for it, and what is told while MySQL is away."""

import socket
import ssl
import time
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings
from processes import wait_until

PATH = "/v1/events/gala/seats"


def get(client, path=PATH, **headers):
    return client.get(path, headers=headers)


def rows(answer, tier="stalls"):
    return {row["row"]: row for row in answer.json()["tiers"][tier]["rows"]}


def take(stack, *seats, slug="gala", place=1):
    """Writes as a booking worker does: the rows, and the version that says so, in one transaction."""
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        for seat in seats:
            row, _, number = seat.rpartition("-")
            cursor.execute("INSERT INTO taken_seats (event_id, tier, row_name, seat_name, place, attempt)"
                           " SELECT id, 'stalls', %s, %s, %s, 1 FROM events WHERE slug = %s", (row, number, place, slug))
        cursor.execute("UPDATE tiers SET taken_version = taken_version + 1 WHERE code = 'stalls' AND event_id ="
                       " (SELECT id FROM events WHERE slug = %s)", (slug,))
        connection.commit()


def test_the_plan_and_what_is_taken_of_it(stack):
    stack.event(pace="0")
    client = stack.client()
    answer = get(client)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "public, max-age=1"
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["slug"] == "gala" and document["now"] and list(document["tiers"]) == ["stalls"]
    assert rows(answer) == {
        "A": {"row": "A", "seats": "1-14,17-30", "wheelchair": ["1"], "companion": ["2"], "blocked": ["30"]},
        "B": {"row": "B", "seats": "1-32"}}
    take(stack, "A-3", "A-4", "A-10", "B-32")
    wait_until(lambda: "taken" in rows(get(client))["A"], "the taken seats", 20)
    later = get(client)
    assert rows(later)["A"]["taken"] == "3-4,10" and rows(later)["B"]["taken"] == "32"
    assert later.json()["tiers"]["stalls"]["version"] > document["tiers"]["stalls"]["version"]
    assert {tier["code"]: tier.get("seated") for tier in client.get("/v1/events/gala").json()["tiers"]} == {
        "floor": None, "stalls": True}


def test_who_has_it_is_told_so(stack):
    stack.event(pace="0")
    client = stack.client()
    tag = get(client).headers["etag"]
    same = get(client, **{"If-None-Match": tag})
    assert same.status_code == 304 and same.content == b"" and same.headers["etag"] == tag
    take(stack, "B-1")
    wait_until(lambda: get(client, **{"If-None-Match": tag}).status_code == 200, "another plan", 20)
    assert client.head(PATH).status_code == 200
    assert client.post(PATH).status_code == 405
    assert get(client, "/v1/events/none/seats").status_code == 404
    assert get(client, Accept="text/html").status_code == 406


def test_an_event_without_seats_has_an_empty_plan(stack):
    stack.event(pace="0", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 20}])
    assert get(stack.client()).json()["tiers"] == {}


def test_however_many_ask_mysql_is_asked_once_a_second(stack):
    stack.event(pace="0")
    clients = [stack.client() for _ in range(4)]
    get(clients[0])
    begin, asked = time.monotonic(), 0
    metrics = stack.rooms[0].metrics()
    while time.monotonic() - begin < 3 or asked <= 40:
        for client in clients:
            assert get(client).status_code == 200
            asked += 1
    after, seconds = stack.rooms[0].metrics(), time.monotonic() - begin
    # The first may have been on its way when the counting began.
    assert after["onsale_seats_looks_total"] - metrics["onsale_seats_looks_total"] <= seconds + 2
    assert after["onsale_seats_reads_total"] == metrics["onsale_seats_reads_total"]  # nothing changed


def memory(room):
    """Bytes that the program has in memory."""
    line = next(line for line in Path(f"/proc/{room.process.pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def unread(url, streams):
    """A connection that asks for the plan on all these streams, lets one byte of each answer come, and waits until they began."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    connection = context.wrap_socket(socket.create_connection((url.host, url.port), timeout=20))
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    client.initiate_connection()
    client.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1})
    for _ in range(streams):
        client.send_headers(client.get_next_available_stream_id(), [
            (":method", "GET"), (":path", PATH), (":scheme", "https"), (":authority", url.netloc.decode())], end_stream=True)
    connection.sendall(client.data_to_send())
    begun = set()
    while len(begun) < streams:
        begun |= {event.stream_id for event in client.receive_data(connection.recv(65536)) if isinstance(event, h2.events.DataReceived)}
        connection.sendall(client.data_to_send())
    return connection


def test_clients_that_do_not_read_hold_no_plan_of_their_own(stack):
    # Every second number, so that the plan is long.
    numbers = ",".join(str(n) for n in range(1, 400, 2))
    stack.event(pace="0", tiers=[{"code": "stalls", "name": "Stalls", "price": 7500,
                                  "rows": [{"row": f"R{i}", "seats": numbers} for i in range(80)]}])
    client, room = stack.client(), stack.rooms[0]
    bytes_each = len(get(client).content)
    assert bytes_each > 50_000
    before = memory(room)
    connections = [unread(client.base_url, 100) for _ in range(10)]
    grown = memory(room) - before
    for connection in connections:
        connection.close()
    assert grown < 1000 * bytes_each / 5, (grown, bytes_each)


def test_the_dial_does_not_read_the_hall_again(stack):
    stack.event(pace="0")
    client, room = stack.client(), stack.rooms[0]
    assert get(client).status_code == 200
    halls = room.metrics()["onsale_halls_read_total"]
    for pace in ("5/s", "6/s", "7/s"):
        stack.onsale("rate", "gala", pace, expect=0)
        wait_until(lambda: client.get("/v1/events/gala").json()["pace"] == pace, "the pace to be known", 20)
    assert room.metrics()["onsale_halls_read_total"] == halls
    # Another hall is read, and told.
    stack.sql("INSERT INTO seats (event_id, tier, row_name, seat_name, row_position, seat_position)"
              " SELECT id, 'stalls', 'C', '7', 2, 7 FROM events WHERE slug = 'gala'")
    stack.sql("UPDATE tiers SET layout = layout + 1 WHERE code = 'stalls'")
    stack.onsale("rate", "gala", "8/s", expect=0)
    wait_until(lambda: "C" in rows(get(client)), "the new row", 20)
    assert rows(get(client))["C"] == {"row": "C", "seats": "7"}
    assert room.metrics()["onsale_halls_read_total"] == halls + 1


def test_with_mysql_away_the_last_plan_is_told_with_its_age_and_then_none(stack_factory):
    stack = stack_factory(proxied=True).start(admissions=0)
    stack.event(pace="0")
    client = stack.client()
    take(stack, "A-3")
    wait_until(lambda: rows(get(client))["A"].get("taken") == "3", "the taken seat", 20)
    stack.mysql_proxy.cut()
    begin = time.monotonic()
    wait_until(lambda: int(get(client).headers.get("age", 0)) >= 2, "an age", 20)
    old = get(client)
    assert old.status_code == 200 and rows(old)["A"]["taken"] == "3"
    wait_until(lambda: get(client).status_code == 503, "a refusal", 20)
    assert time.monotonic() - begin > 8
    assert get(client).headers["retry-after"]
    stack.mysql_proxy.mend()
    wait_until(lambda: get(client).status_code == 200, "the plan again", 20)
    assert "age" not in get(client).headers
