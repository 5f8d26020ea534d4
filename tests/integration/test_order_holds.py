# SPDX-License-Identifier: Apache-2.0
"""What visitors do to what is held for them: they give it back, ask for more time once, see how many stand by before them.

No worker runs but where a test starts one: the rows are written as a worker would."""

import threading
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from harness.bare import bare_client
from harness.orders import in_event, problem, url, wait_state, waits_for_a_lock
from harness.stack import PATIENCE
from harness.voice import Voice, told
from processes import wait_until

HELD = ("held", "declined", "action_required", "paying")
GOOD = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}


@pytest.fixture(scope="module")
def stack(module_stack_factory):
    return module_stack_factory().start(rooms=2)


def ready_event(stack, slug, **changes):
    tiers = [{"code": code, "name": code.title(), "price": 4500 if code == "floor" else 3000, "capacity": 2000}
             for code in ("floor", "balcony", "stalls")]
    stack.event(slug, **({"pace": "0", "tiers": tiers} | changes))
    wait_state(stack, slug, "open")


def more_time_url(slug):
    return url(slug) + "/more-time"


def book(stack, slug, place, state, seconds=300, tier="floor", choice=0, tell=True):
    """The rows after a release and what a worker made of it, of which waiting rooms are told; a hold runs out in so many seconds."""
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE orders SET state = 'released', revision = revision + 1, published = 1 WHERE place = %s AND"
                       " event_id = (SELECT id FROM events WHERE slug = %s)", (place, slug))
        gives = state in HELD or state in ("confirmed", "expired")
        cursor.execute(
            "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, reference, currency,"
            " customer, pay_until, choice, standby_tier, standby_quantity, created_at, changed_at) SELECT event_id, place,"
            " attempt, %s, revision + 1, %s, %s, %s, %s, currency, customer,"
            " IF(%s, UTC_TIMESTAMP(6) + INTERVAL %s SECOND, NULL), %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
            " FROM orders WHERE place = %s AND event_id = (SELECT id FROM events WHERE slug = %s)",
            (state, tier if gives else None, 2 if gives else 0, 9000 if gives else 0,
             f"{uuid.uuid4().hex[:4].upper()}-TEST" if gives else None, state in HELD, seconds,
             choice, tier if state == "standby" else None, 2 + choice if state == "standby" else 0, place, slug))
        connection.commit()
    if tell:
        say = Voice(stack)
        say.ordered(slug, place)
        say.connection.close()


def visitor_with(stack, slug, state, **how):
    """Somebody new whose order came to this."""
    visitor = stack.join(slug)
    answer = bare_client(stack).put(url(slug), headers=visitor.headers, json=GOOD)
    assert answer.status_code == 202, answer.text
    book(stack, slug, visitor.place, state, **how)
    return visitor


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def told_of_booking(stream):
    """A stream may open before its waiting room hears of the booking; then it begins with the order."""
    return [entry for entry in told(stream) if entry[0] != "placed"]


def in_state(state):
    return lambda data: data["state"] == state


@pytest.mark.parametrize("state", ["held", "declined", "action_required", "standby"])
def test_what_is_held_is_given_back(stack, state):
    slug = f"back-{state.replace('_', '-')}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, state)
    one, other = bare_client(stack, 0), bare_client(stack, 1)
    stream = stack.pool(1).event_stream(slug, visitor)
    stream.wait("order", in_state(state))
    # What is said must be so: it cannot be changed, and the next request takes it back.
    assert "taken back" not in problem(one.put(url(slug), headers=visitor.headers, json=GOOD), 409, "released")["detail"]
    back = one.delete(url(slug), headers=visitor.headers)
    assert back.status_code == 200, back.text
    document = back.json()
    assert (document["state"], document["revision"], document["tier"]) == ("cancelled", 4, "floor")
    assert not {"pay_until", "more_time", "ahead"} & document.keys()
    stream.wait("order", in_state("cancelled"))  # on the other waiting room
    rows = (("cancelled", 4, None, None, 0),)
    assert in_event(stack, "bookings", slug, "state, revision, pay_until, standby_tier, standby_quantity") == rows
    # A worker frees the places; nobody here has touched the tiers.
    assert in_event(stack, "freeings", slug, "place, attempt, was, told") == ((1, 1, state, 0),)
    assert in_event(stack, "order_log", slug, "revision, state, actor")[-1] == (4, "cancelled", "visitor")
    again = other.delete(url(slug), headers=visitor.headers)  # twice: nothing else
    assert (again.status_code, again.json()["revision"]) == (200, 4)
    assert in_event(stack, "freeings", slug, "COUNT(*)") == ((1,),)
    assert other.get(url(slug), headers=visitor.headers).json() | {"now": 0} == document | {"now": 0}
    anew = one.put(url(slug), headers=visitor.headers, json=GOOD)
    assert (anew.status_code, anew.json()["attempt"]) == (202, 2), anew.text


@pytest.mark.parametrize("state, kind", [("paying", "released"), ("confirmed", "confirmed"), ("expired", "ended"),
                                         ("sold_out", "ended"), ("refused", "ended")])
def test_what_cannot_be_given_back(stack, state, kind):
    slug = f"stays-{state.replace('_', '-')}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, state)
    client = bare_client(stack)
    said = problem(client.delete(url(slug), headers=visitor.headers), 409, kind)["detail"]
    assert ("cannot be taken back at the moment" in said) == (kind == "released"), said
    problem(client.post(more_time_url(slug), headers=visitor.headers), 409, "no-hold")
    assert in_event(stack, "bookings", slug, "state, revision") == ((state, 3),)
    assert in_event(stack, "freeings", slug, "COUNT(*)") == ((0,),)


def test_who_gives_the_place_up_keeps_what_is_held(stack):
    ready_event(stack, "leaves")
    visitor = visitor_with(stack, "leaves", "held")
    client = bare_client(stack)
    assert client.delete("/v1/events/leaves/line", headers=visitor.headers).status_code == 204
    assert in_event(stack, "bookings", "leaves", "state, revision") == (("held", 3),)
    assert client.delete(url("leaves"), headers=visitor.headers).json()["state"] == "cancelled"  # and may still give it back


def test_more_time_is_given_once(stack):
    ready_event(stack, "more", hold_seconds=120)
    visitor = visitor_with(stack, "more", "held")
    one, other = bare_client(stack, 0), bare_client(stack, 1)
    streams = [stack.pool(room).event_stream("more", visitor) for room in (0, 1)]
    held = [stream.wait("order", in_state("held")).data for stream in streams][0]
    assert held["more_time"] is True
    assert 250 < (time_of(held["pay_until"]) - time_of(held["now"])).total_seconds() <= 300
    problem(one.post(more_time_url("more"), headers=visitor.headers | {"Sec-Fetch-Site": "cross-site"}), 403, "foreign-origin")
    problem(one.post(more_time_url("more")), 401, "no-token")
    assert one.get(more_time_url("more"), headers=visitor.headers).status_code == 405
    answer = one.post(more_time_url("more"), headers=visitor.headers)
    assert answer.status_code == 200, answer.text
    document = answer.json()
    assert (document["state"], document["revision"], document["more_time"]) == ("held", 4, False)
    assert time_of(document["pay_until"]) - time_of(held["pay_until"]) == timedelta(seconds=120)
    for stream in streams:
        order = stream.wait("order", lambda data: data["revision"] == 4).data
        assert (order["pay_until"], order["more_time"]) == (document["pay_until"], False)
    problem(other.post(more_time_url("more"), headers=visitor.headers), 409, "more-time-given")
    assert in_event(stack, "bookings", "more", "revision, more_time") == ((4, 1),)
    assert in_event(stack, "order_log", "more", "revision, state, actor, detail")[-1] == (
        4, "held", "visitor", "asked for more time")
    assert all(told_of_booking(stream) == [("held", 1, 3), ("held", 1, 4)] for stream in streams)


def test_more_time_for_what_was_declined_and_by_the_page_s_form(stack):
    ready_event(stack, "form")
    visitor = visitor_with(stack, "form", "declined")
    client = bare_client(stack)
    cookie = {"Cookie": f"__Host-onsale-form={visitor.token}", "Content-Type": "application/x-www-form-urlencoded"}
    for problem_of in ("", "?problem=more-time-given"):
        back = client.post("/e/form/more-time", headers=cookie, content=b"")
        assert (back.status_code, back.headers["location"].split("#")[0]) == (303, "/e/form" + problem_of)
    assert in_event(stack, "bookings", "form", "state, revision, more_time") == (("declined", 4, 1),)
    given_back = client.post("/e/form/order", headers=cookie, content=b"do=take_back")
    assert (given_back.status_code, given_back.headers["location"]) == (303, "/e/form#order")
    assert in_event(stack, "freeings", "form", "was") == (("declined",),)
    anybody = client.post("/e/form/more-time", headers={"Content-Type": "application/x-www-form-urlencoded"}, content=b"")
    assert anybody.headers["location"] == "/e/form?problem=no-token"


def test_what_has_no_hold_gets_no_time(stack):
    ready_event(stack, "none")
    visitor = stack.join("none")
    client = bare_client(stack)
    problem(client.post(more_time_url("none"), headers=visitor.headers), 404, "no-order")
    assert client.put(url("none"), headers=visitor.headers, json=GOOD).status_code == 202
    problem(client.post(more_time_url("none"), headers=visitor.headers), 409, "no-hold")
    standing_by = visitor_with(stack, "none", "standby")
    problem(client.post(more_time_url("none"), headers=standing_by.headers), 409, "no-hold")


def test_a_hold_that_is_over_but_not_swept(stack):
    """It is too late for more time; given back it may still be, which makes no difference."""
    ready_event(stack, "over")
    visitor = visitor_with(stack, "over", "held", seconds=-1)
    client = bare_client(stack)
    problem(client.post(more_time_url("over"), headers=visitor.headers), 409, "hold-over")
    assert client.delete(url("over"), headers=visitor.headers).json()["state"] == "cancelled"


@pytest.mark.parametrize("how, state, kind", [("delete", "expired", "ended"), ("delete", "confirmed", "confirmed"),
                                              ("post", "expired", "no-hold"), ("post", "confirmed", "no-hold")])
def test_whoever_locks_the_booking_first_wins(stack, how, state, kind):
    slug = f"first-{how}-{state}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, "held")
    client, answers = bare_client(stack), []
    path = url(slug) if how == "delete" else more_time_url(slug)
    asking = threading.Thread(target=lambda: answers.append(client.request(how, path, headers=visitor.headers)))
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE bookings SET state = %s, revision = revision + 1, pay_until = NULL WHERE event_id ="
                       " (SELECT id FROM events WHERE slug = %s)", (state, slug))
        asking.start()
        wait_until(lambda: waits_for_a_lock(stack), "the visitor to wait for the booking", 5 * PATIENCE, pause=0.25)
        connection.commit()
    asking.join()
    problem(answers[0], 409, kind)
    assert in_event(stack, "bookings", slug, "state, revision, more_time") == ((state, 4, 0),)
    assert in_event(stack, "freeings", slug, "COUNT(*)") == ((0,),)


def test_tabs_that_give_back_and_ask_for_more_time_at_once(stack):
    """Each is told what came of it, and the rows say the same."""
    ready_event(stack, "tabs")
    visitors = [visitor_with(stack, "tabs", "held") for _ in range(8)]
    answers = {visitor.place: [] for visitor in visitors}
    start = threading.Barrier(4)

    def tab(client, how):
        start.wait()
        for visitor in visitors:
            path = url("tabs") if how == "delete" else more_time_url("tabs")
            answer = client.request(how, path, headers=visitor.headers)
            answers[visitor.place].append((how, answer.status_code, answer.json().get("type")))

    threads = [threading.Thread(target=tab, args=(bare_client(stack, number % 2), how))
               for number, how in enumerate(("delete", "post", "post", "delete"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    more_time = dict(in_event(stack, "bookings", "tabs", "place, more_time"))
    for place, given in answers.items():
        assert [answer for answer in given if answer[0] == "delete"] == [("delete", 200, None)] * 2
        posted = sorted(answer[1:] for answer in given if answer[0] == "post")
        late = {(409, "/problems/no-hold"), (409, "/problems/more-time-given")}
        assert posted.count((200, None)) == more_time[place] and set(posted) <= late | {(200, None)}
    assert in_event(stack, "bookings", "tabs", "DISTINCT state") == (("cancelled",),)
    assert in_event(stack, "freeings", "tabs", "COUNT(*), MIN(was)") == ((8, "held"),)


def test_how_many_stand_by_before(stack):
    ready_event(stack, "ahead")
    say = Voice(stack)
    now_us = int(stack.sql("SELECT CAST(UNIX_TIMESTAMP(UTC_TIMESTAMP(6)) * 1000000 AS UNSIGNED)")[0][0]) + 3600 * 10**6
    stalls = visitor_with(stack, "ahead", "standby", tier="stalls")
    visitors = [visitor_with(stack, "ahead", "standby") for _ in range(3)]
    client = bare_client(stack)
    get = [client.get(url("ahead"), headers=visitor.headers).json() for visitor in [stalls] + visitors]
    assert [order["ahead"] for order in get] == [0, 0, 1, 2]  # each tier has a standby of its own
    assert {order["tier"] for order in get} == {"floor"}  # the choice that is waited for; here there is one
    streams = [stack.pool(number % 2).event_stream("ahead", visitor) for number, visitor in enumerate(visitors)]
    for stream, ahead in zip(streams, (0, 1, 2)):
        stream.wait("order", lambda data, ahead=ahead: data.get("ahead") == ahead)
    # The first one is served; what is told of it says nothing about the others.
    stack.sql("UPDATE bookings SET state = 'confirmed', revision = 4, standby_tier = NULL, standby_quantity = 0, tier = 'floor',"
              " quantity = 2, amount = 9000 WHERE place = %s AND event_id = (SELECT id FROM events WHERE slug = 'ahead')",
              visitors[0].place)
    for step in range(2):
        say.say("onsale.feed", "stock", slug="ahead", at_us=now_us + step,
                tiers=[{"code": "floor", "left": 0, "asked": 0, "standby": 2}])
    streams[0].wait("order", in_state("confirmed"), 20 * PATIENCE)  # it is not in standby: it was asked about
    for stream, ahead in zip(streams[1:], (0, 1)):
        stream.wait("order", lambda data, ahead=ahead: data["ahead"] == ahead, 20 * PATIENCE)
        frames = [(frame.data["revision"], frame.data["ahead"]) for frame in stream.frames("order") if "ahead" in frame.data]
        assert frames == [(3, ahead + 1), (3, ahead)]
    # Nothing has changed: nothing is told, however often the stock is.
    asked = sum(room.metrics()["onsale_standby_asked_total"] for room in stack.rooms)
    for step in range(2, 60):
        say.say("onsale.feed", "stock", slug="ahead", at_us=now_us + step,
                tiers=[{"code": "floor", "left": 0, "asked": 0, "standby": 2}])
    wait_until(lambda: sum(room.metrics()["onsale_standby_asked_total"] for room in stack.rooms) > asked, "to be asked again",
               5 * PATIENCE)
    assert [len(told_of_booking(stream)) for stream in streams[1:]] == [2, 2]
    say.connection.close()


def test_who_joins_the_standby_hears_how_many_are_before(stack):
    """The outcome cannot say; MySQL is asked."""
    ready_event(stack, "joins")
    visitor = stack.join("joins")
    stream = stack.pool().event_stream("joins", visitor)
    client = bare_client(stack)
    wanted = GOOD | {"alternatives": [{"tier": "balcony", "quantity": 3}]}
    assert client.put(url("joins"), headers=visitor.headers, json=wanted).status_code == 202
    stream.wait("order", in_state("placed"))
    book(stack, "joins", 1, "standby", tier="balcony", choice=1, tell=False)
    say = Voice(stack)
    visitor_id = in_event(stack, "arrivals", "joins", "visitor")[0][0].hex()
    say.outcomes("joins", [{"place": 1, "attempt": 1, "revision": 3, "visitor": visitor_id, "state": "standby",
                            "tier": "balcony", "quantity": 3, "amount": 9000, "tickets": {"full": 3}}])
    say.connection.close()
    order = stream.wait("order", lambda data: data.get("ahead") == 0).data
    assert (order["state"], order["tier"], order["quantity"], order["amount"]) == ("standby", "balcony", 3, 9000)
    assert client.get(url("joins"), headers=visitor.headers).json() | {"now": 0} == order | {"now": 0}


def test_holds_stand_still_with_the_event(stack):
    ready_event(stack, "still")
    visitor = visitor_with(stack, "still", "held")
    client = bare_client(stack)
    stream = stack.pool().event_stream("still", visitor)
    before = stream.wait("order", in_state("held")).data
    stack.onsale("stop", "still", "--reason", "fire", expect=0)
    stream.wait("event", in_state("stopped"))
    first = client.get(url("still"), headers=visitor.headers).json()
    wait_until(lambda: time_of(client.get(url("still"), headers=visitor.headers).json()["pay_until"])
               > time_of(first["pay_until"]), "the end to move on while the clock stands still", 5 * PATIENCE)
    assert len(told_of_booking(stream)) == 1  # that alone is no news
    stack.onsale("start", "still", expect=0)
    after = stream.wait("order", lambda data: data["pay_until"] != before["pay_until"]).data
    assert after["revision"] == 3
    (stopped_us,), = stack.sql("SELECT stopped_us FROM events WHERE slug = 'still'")
    assert stopped_us > 0
    moved = time_of(after["pay_until"]) - time_of(before["pay_until"])
    assert abs(moved - timedelta(microseconds=stopped_us)) < timedelta(milliseconds=2)
    assert client.get(url("still"), headers=visitor.headers).json()["pay_until"] == after["pay_until"]
    assert len(told_of_booking(stream)) == 2


# With a booking worker, and what is ordered held until it is paid elsewhere.


@pytest.fixture(scope="module")
def shop(module_stack_factory):
    return module_stack_factory(config={"payment": {"provider": "manual"}}).start(rooms=2, admissions=1, workers=1, notifiers=1)


def few(shop, slug, capacity, **changes):
    shop.event(slug, **({"pace": "100/s", "tiers": [{"code": "floor", "name": "Floor", "price": 4500, "capacity": capacity}]}
                        | changes))
    wait_state(shop, slug, "open")


def ordered(shop, slug, email=None, quantity=2, number=0):
    """Somebody new with an order, on a stream of one waiting room or the other."""
    visitor = shop.join(slug)
    stream = shop.pool(number % 2).event_stream(slug, visitor)
    body = GOOD | {"quantity": quantity, "email": email or f"{slug}-{visitor.place}@example.org"}
    answer = bare_client(shop).put(url(slug), headers=visitor.headers, json=body)
    assert answer.status_code == 202, answer.text
    return visitor, stream


def test_what_is_given_back_goes_to_who_stands_by(shop):
    few(shop, "chain", 2)
    people = []
    for number in range(4):
        visitor, stream = ordered(shop, "chain", number=number)
        stream.wait("order", in_state("held" if number == 0 else "standby"), 20 * PATIENCE)
        people.append((visitor, stream))
    for number, (visitor, stream) in enumerate(people[1:]):
        stream.wait("order", lambda data, number=number: data.get("ahead") == number, 20 * PATIENCE)
    client = bare_client(shop, 1)
    assert client.delete(url("chain"), headers=people[0][0].headers).json()["state"] == "cancelled"
    held = people[1][1].wait("order", in_state("held"), 20 * PATIENCE).data
    assert (held["tier"], held["quantity"], held["more_time"]) == ("floor", 2, True) and "ahead" not in held
    for number, (_, stream) in enumerate(people[2:]):
        stream.wait("order", lambda data, number=number: data.get("ahead") == number, 20 * PATIENCE)
    assert client.delete(url("chain"), headers=people[2][0].headers).json()["state"] == "cancelled"  # stands by no longer
    people[3][1].wait("order", lambda data: data.get("ahead") == 0, 20 * PATIENCE)
    shop.onsale("booking", "confirm", "chain", people[1][0].place, expect=0)
    people[1][1].wait("order", in_state("confirmed"), 20 * PATIENCE)
    people[3][1].wait("order", in_state("sold_out"), 20 * PATIENCE)  # nothing can come back any more
    assert shop.onsale_json("audit", "chain")["ok"]


def test_who_gives_back_may_order_again_at_once(shop):
    """What they gave back counts no longer, however soon the next order comes."""
    few(shop, "again", 100, max_per_order=2, max_per_customer=2)
    visitor, stream = ordered(shop, "again", email="ada@example.org")
    stream.wait("order", in_state("held"), 20 * PATIENCE)
    client = bare_client(shop, 1)
    for attempt in range(2, 8):
        assert client.delete(url("again"), headers=visitor.headers).json()["state"] == "cancelled"
        placed = client.put(url("again"), headers=visitor.headers, json=GOOD)
        assert (placed.status_code, placed.json()["attempt"]) == (202, attempt), placed.text
        came = stream.wait("order", lambda data, attempt=attempt: data["attempt"] == attempt and
                           data["state"] not in ("placed", "released"), 10 * PATIENCE).data
        assert came["state"] == "held", came
    assert shop.onsale_json("audit", "again")["ok"]


def test_holds_that_run_out_while_their_visitors_ask_for_more_time(shop):
    """Either it was in time and was given, once, or it was not; and what was given is kept to."""
    few(shop, "lapse", 100, hold_seconds=5 * PATIENCE)
    # The last two ask as soon as they can, the others around the end of their hold: so many milliseconds before it or after. Those who
    # come late are judged by it all the same; so those who are to be in time come last.
    leads = [40, 20, 10, 5, 0, -5, None, None]
    clients = [bare_client(shop, number % 2) for number in range(len(leads))]
    people = [ordered(shop, "lapse", number=number) for number in range(len(leads))]
    ends = [time_of(stream.wait("order", in_state("held"), 20 * PATIENCE).data["pay_until"]) for _, stream in people]
    answers = [[] for _ in leads]

    def ask(number):
        visitor, client = people[number][0], clients[number]
        if leads[number] is not None:
            begin = ends[number] - timedelta(milliseconds=leads[number])
            wait_until(lambda: datetime.now(timezone.utc) >= begin, "the hold to be nearly over", 10 * PATIENCE, pause=0.001)
        while not answers[number] or answers[number][-1] != "/problems/no-hold":  # it has ended
            document = client.post(more_time_url("lapse"), headers=visitor.headers).json()
            answers[number].append(document.get("type", document.get("pay_until")))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(leads))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (visitor, stream), given in zip(people, answers):
        stream.wait("order", in_state("expired"), 20 * PATIENCE)
        times = [time_of(answer) for answer in given if not answer.startswith("/problems/")]
        assert {answer for answer in given if answer.startswith("/")} <= {
            "/problems/no-hold", "/problems/more-time-given", "/problems/hold-over"}, given
        log = shop.sql("SELECT detail = 'asked for more time', l.at FROM order_log l JOIN events e ON e.id = l.event_id"
                       " WHERE e.slug = 'lapse' AND place = %s AND revision > 3 ORDER BY l.id", visitor.place)
        assert [more for more, _ in log] == [1] * len(times) + [0] and len(times) <= 1, (given, log)
        if times:
            assert log[-1][1].replace(tzinfo=timezone.utc) >= times[0]
    assert all(not given[0].startswith("/problems/") for given in answers[-2:])
    wait_until(lambda: in_event(shop, "tiers", "lapse", "held, sold") == ((0, 0),), "all places to be free", 20 * PATIENCE)
    assert shop.onsale_json("audit", "lapse")["ok"]


def test_holds_that_run_out_while_their_visitors_give_them_back(shop):
    """Each ends once, as its visitor was told, and what it held is one place more for who stands by, not two."""
    leads = [60, 30, 20, 15, 10, 5, 0, -5]
    few(shop, "race", 2 * len(leads))
    people = [ordered(shop, "race", number=number) for number in range(len(leads))]
    for _, stream in people:
        stream.wait("order", in_state("held"), 20 * PATIENCE)
    waiting = [ordered(shop, "race", number=number) for number in range(len(leads))]
    for _, stream in waiting:
        stream.wait("order", in_state("standby"), 20 * PATIENCE)
    clients = [bare_client(shop, number % 2) for number in range(len(leads))]
    answers = [None] * len(leads)
    # Only now do they run out soon: it took its time until all were there.
    over_at = datetime.now(timezone.utc) + timedelta(seconds=2)
    shop.sql("UPDATE bookings b JOIN events e ON e.id = b.event_id SET b.pay_until = %s WHERE e.slug = 'race' AND b.state = 'held'",
             over_at.replace(tzinfo=None))

    def give_back(number):
        begin = over_at - timedelta(milliseconds=leads[number])
        wait_until(lambda: datetime.now(timezone.utc) >= begin, "the hold to be nearly over", 10 * PATIENCE, pause=0.001)
        answers[number] = clients[number].delete(url("race"), headers=people[number][0].headers).json()

    threads = [threading.Thread(target=give_back, args=(number,)) for number in range(len(leads))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for (visitor, stream), answer in zip(people, answers):
        end = "expired" if answer.get("type") == "/problems/ended" else answer["state"]
        assert end in ("expired", "cancelled"), answer
        stream.wait("order", in_state(end), 20 * PATIENCE)
        assert shop.sql("SELECT COUNT(*) FROM order_log l JOIN events e ON e.id = l.event_id WHERE e.slug = 'race' AND place = %s"
                        " AND revision > 3", visitor.place) == ((1,),)
    for visitor, stream in waiting:
        stream.wait("order", in_state("held"), 20 * PATIENCE)
    wait_until(lambda: in_event(shop, "freeings", "race", "COUNT(*)") == ((0,),), "everything to be freed", 20 * PATIENCE)
    assert shop.onsale_json("audit", "race")["ok"]
