# SPDX-License-Identifier: Apache-2.0
"""What a waiting room takes of payments: what to pay with, paying for what is held, the bell that payers hear.

Nobody pays here: no worker runs, and the rows of bookings are written as a worker would."""

import re
import threading

import pytest
from harness.bare import bare_client
from harness.orders import in_event, problem, url, wait_state, waits_for_a_lock
from harness.payment import Bell, payment_config
from harness.stack import PATIENCE
from harness.voice import Voice
from processes import wait_until

GOOD = {"tier": "floor", "quantity": 2, "email": "ada@example.org"}
HELD = ("held", "declined", "action_required", "paying")
SHAPES = ["", " ", "x" * 256, "k" * 1024, "pm-card", "pm card", "pm_ä", "pm_\n", "pm_'--", "../v1", 7, True, ["pm_x"], {}]


@pytest.fixture(scope="module")
def stack(module_stack_factory, tmp_path_factory):
    return module_stack_factory(config={"payment": payment_config(tmp_path_factory.mktemp("payment"))}).start(rooms=2)


@pytest.fixture(scope="module")
def door(module_stack_factory):
    return module_stack_factory().start(rooms=1)


@pytest.fixture(scope="module")
def bell(stack):
    bell = Bell(stack)
    yield bell
    bell.connection.close()


def ready_event(stack, slug, **changes):
    tiers = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000}]
    stack.event(slug, **({"pace": "0", "tiers": tiers} | changes))
    wait_state(stack, slug, "open")


def pay_url(slug):
    return f"/v1/events/{slug}/payment"


def book(stack, slug, place, state, seconds=300, amount=9000, reason=None, action_url=None):
    """The rows after a release and what a worker made of it, of which waiting rooms are told; a hold runs out in so many seconds."""
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE orders SET state = 'released', revision = revision + 1, published = 1 WHERE place = %s AND"
                       " event_id = (SELECT id FROM events WHERE slug = %s)", (place, slug))
        cursor.execute(
            "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, tier, quantity, amount, reference,"
            " currency, customer, pay_until, action_url, created_at, changed_at) SELECT event_id, place, attempt, %s, %s,"
            " revision + 1, 'floor', 2, %s, CONCAT('PAY', LPAD(event_id, 3, '0'), LPAD(place, 3, '0')), currency, customer,"
            " IF(%s, UTC_TIMESTAMP(6) + INTERVAL %s SECOND, NULL), %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)"
            " FROM orders WHERE place = %s AND event_id = (SELECT id FROM events WHERE slug = %s)",
            (state, reason, amount, state in HELD, seconds, action_url, place, slug))
        connection.commit()
    say = Voice(stack)
    say.ordered(slug, place)
    say.connection.close()


def visitor_with(stack, slug, state, order=None, **how):
    visitor = stack.join(slug)
    answer = bare_client(stack).put(url(slug), headers=visitor.headers, json=order or GOOD)
    assert answer.status_code == 202, answer.text
    book(stack, slug, visitor.place, state, **how)
    return visitor


def add_payment(stack, slug, place, number, state):
    stack.sql("INSERT INTO payments (event_id, place, attempt, number, state, payment_method, amount, currency, idempotency_key,"
              " created_at, changed_at) VALUES ((SELECT id FROM events WHERE slug = %s), %s, 1, %s, %s, 'pm_x', 9000, 'EUR',"
              " MD5(RAND()), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", slug, place, number, state)


def add_card(stack, slug, place, number, state, method="pm_left", label="visa 4242"):
    stack.sql("INSERT INTO cards (event_id, place, number, visitor, state, idempotency_key, customer_id, payment_method, label,"
              " created_at, changed_at) SELECT event_id, number, %s, visitor, %s, MD5(RAND()), 'cus_1', %s, %s, UTC_TIMESTAMP(6),"
              " UTC_TIMESTAMP(6) FROM arrivals WHERE number = %s AND event_id = (SELECT id FROM events WHERE slug = %s)",
              number, state, method, label, place, slug)


def payments(stack, slug, columns="number, state, aim, payment_method, customer_id, amount, currency"):
    return in_event(stack, "payments", slug, columns)


# ---------------------------------------------------------------- an order says what to pay with

def test_an_order_keeps_what_to_pay_with(stack):
    ready_event(stack, "method")
    visitor = stack.join("method")
    client = bare_client(stack)
    placed = client.put(url("method"), headers=visitor.headers, json=GOOD | {"payment_method": "pm_card_visa"})
    assert (placed.status_code, placed.json()["has_payment_method"]) == (202, True)
    assert "pm_card_visa" not in placed.text
    assert in_event(stack, "orders", "method", "payment_method") == (("pm_card_visa",),)
    for room in (0, 1):
        got = bare_client(stack, room).get(url("method"), headers=visitor.headers)
        assert got.json()["has_payment_method"] is True and "pm_card_visa" not in got.text
    again = client.put(url("method"), headers=visitor.headers, json=GOOD)  # what is not said again is not wanted any more
    assert again.status_code == 202 and "has_payment_method" not in again.json()
    assert in_event(stack, "orders", "method", "payment_method") == ((None,),)


def test_a_payment_method_of_another_shape(stack):
    ready_event(stack, "shape")
    visitor = visitor_with(stack, "shape", "held")
    other = stack.join("shape")
    client = bare_client(stack)
    for value in SHAPES:
        for answer in (client.put(url("shape"), headers=other.headers, json=GOOD | {"payment_method": value}),
                       client.post(pay_url("shape"), headers=visitor.headers, json={"payment_method": value})):
            assert [entry["field"] for entry in problem(answer, 422, "invalid")["errors"]] == ["payment_method"], value
    assert in_event(stack, "orders", "shape", "COUNT(*)") == ((1,),)
    assert in_event(stack, "bookings", "shape", "state, revision") == (("held", 3),)
    assert payments(stack, "shape") == ()
    longest = client.put(url("shape"), headers=other.headers, json=GOOD | {"payment_method": "x" * 255})
    assert longest.status_code == 202, longest.text


def test_where_no_cards_are_taken_it_is_ignored(door):
    ready_event(door, "ignored")
    visitor = door.join("ignored")
    client = bare_client(door)
    placed = client.put(url("ignored"), headers=visitor.headers, json=GOOD | {"payment_method": "pm_card_visa"})
    assert placed.status_code == 202 and "has_payment_method" not in placed.json()
    assert in_event(door, "orders", "ignored", "payment_method") == ((None,),)
    problem(client.post(pay_url("ignored"), headers=visitor.headers, json={"payment_method": "pm_card_visa"}), 409, "no-payment")
    assert client.get("/v1/events/ignored").json()["payment"] == "none"


# ---------------------------------------------------------------- paying

@pytest.mark.parametrize("state, reason", [("held", None), ("declined", "card_declined")])
def test_what_is_held_is_paid(stack, bell, state, reason):
    slug = f"pays-{state}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, state, reason=reason)
    client = bare_client(stack)
    assert client.get(f"/v1/events/{slug}").json()["payment"] == "card"
    streams = [stack.pool(room).event_stream(slug, visitor) for room in (0, 1)]
    for stream in streams:
        assert stream.wait("order", lambda data: data["state"] == state).data.get("reason") == reason
    answer = client.post(pay_url(slug), headers=visitor.headers, json={"payment_method": "pm_card_visa"})
    assert answer.status_code == 202, answer.text
    document = answer.json()
    assert (document["state"], document["revision"], document["amount"], document["currency"]) == ("paying", 4, 9000, "EUR")
    assert not {"reason", "pay_until", "more_time"} & document.keys()
    for stream in streams:  # on the other waiting room as well
        assert stream.wait("order", lambda data: data["state"] == "paying").data["revision"] == 4
    assert bell.wait(slug) == {"v": 1, "type": "pay", "slug": slug, "place": visitor.place}
    assert payments(stack, slug) == ((1, "created", "take", "pm_card_visa", None, 9000, "EUR"),)
    (key, attempt, due), = payments(stack, slug, "idempotency_key, attempt, next_attempt_at <= UTC_TIMESTAMP(6)")
    assert re.fullmatch(r"[0-9a-f]{32}", key) and (attempt, due) == (1, 1)
    assert in_event(stack, "bookings", slug, "state, reason, pay_until IS NOT NULL") == (("paying", None, 1),)
    assert in_event(stack, "order_log", slug, "revision, state, actor, detail")[-1] == (4, "paying", "visitor", "began to pay")
    problem(client.post(pay_url(slug), headers=visitor.headers, json={"payment_method": "pm_card_visa"}), 409, "paying")
    problem(client.delete(url(slug), headers=visitor.headers), 409, "released")
    problem(client.post(url(slug) + "/more-time", headers=visitor.headers), 409, "no-hold")


def test_who_may_pay(stack):
    ready_event(stack, "who")
    visitor = visitor_with(stack, "who", "held")
    client = bare_client(stack)
    body = {"payment_method": "pm_card_visa"}
    problem(client.post(pay_url("who"), json=body), 401, "no-token")
    problem(client.post(pay_url("who"), headers={"Authorization": "Bearer x"}, json=body), 401, "bad-token")
    problem(client.post(pay_url("who"), headers=visitor.headers | {"Origin": "https://evil.example"}, json=body), 403,
            "foreign-origin")
    problem(client.post(pay_url("who"), headers=visitor.headers, content=b"payment_method=x"), 415, "media-type")
    problem(client.post(pay_url("who"), headers=visitor.headers | {"Content-Type": "application/json"}, content=b"{"), 400,
            "malformed")
    problem(client.get(pay_url("who"), headers=visitor.headers), 405, "method-not-allowed")
    problem(client.post(pay_url("nowhere"), headers=visitor.headers, json=body), 404, "no-event")
    assert payments(stack, "who") == ()


@pytest.mark.parametrize("state, status, kind", [
    ("paying", 409, "paying"), ("action_required", 409, "paying"), ("confirmed", 409, "confirmed"), ("expired", 409, "no-hold"),
    ("failed", 409, "no-hold"), ("cancelled", 409, "no-hold")])
def test_what_cannot_be_paid(stack, state, status, kind):
    slug = f"not-{state.replace('_', '-')}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, state)
    problem(bare_client(stack).post(pay_url(slug), headers=visitor.headers, json={"payment_method": "pm_x"}), status, kind)
    assert in_event(stack, "bookings", slug, "state, revision") == ((state, 3),)
    assert payments(stack, slug) == ()


def test_what_is_not_held_yet_cannot_be_paid(stack):
    ready_event(stack, "early")
    visitor = stack.join("early")
    client = bare_client(stack)
    problem(client.post(pay_url("early"), headers=visitor.headers, json={"payment_method": "pm_x"}), 404, "no-order")
    assert client.put(url("early"), headers=visitor.headers, json=GOOD).status_code == 202
    problem(client.post(pay_url("early"), headers=visitor.headers, json={"payment_method": "pm_x"}), 409, "no-hold")


def test_a_second_before_and_after_the_end_of_the_hold(stack):
    ready_event(stack, "second")
    client = bare_client(stack)
    late = visitor_with(stack, "second", "held", seconds=-1)
    problem(client.post(pay_url("second"), headers=late.headers, json={"payment_method": "pm_x"}), 409, "hold-over")
    assert payments(stack, "second") == ()
    # The clock of a machine under load runs on while a test asks: within a minute, but by a second of MySQL's clock in time.
    early = visitor_with(stack, "second", "held", seconds=60)
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("SELECT state FROM bookings WHERE place = %s AND event_id = (SELECT id FROM events WHERE slug = 'second')"
                       " FOR UPDATE", early.place)
        answers = []
        asking = threading.Thread(target=lambda: answers.append(
            client.post(pay_url("second"), headers=early.headers, json={"payment_method": "pm_x"})))
        asking.start()
        wait_until(lambda: waits_for_a_lock(stack), "the visitor to wait for the booking", 5 * PATIENCE, pause=0.1)
        # It is judged once its row is locked: the moment before the end is the one in which the lock is let go.
        cursor.execute("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) + INTERVAL 1 SECOND WHERE place = %s AND event_id ="
                       " (SELECT id FROM events WHERE slug = 'second')", early.place)
        connection.commit()
    asking.join()
    assert answers[0].status_code == 202, answers[0].text
    assert payments(stack, "second", "place, number") == ((early.place, 1),)


def test_a_hold_that_runs_out_while_its_visitor_waits_for_the_row(stack):
    ready_event(stack, "waits")
    visitor = visitor_with(stack, "waits", "held")
    client, answers = bare_client(stack), []
    asking = threading.Thread(target=lambda: answers.append(
        client.post(pay_url("waits"), headers=visitor.headers, json={"payment_method": "pm_x"})))
    with stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND WHERE event_id ="
                       " (SELECT id FROM events WHERE slug = 'waits')")
        asking.start()
        wait_until(lambda: waits_for_a_lock(stack), "the visitor to wait for the booking", 5 * PATIENCE, pause=0.1)
        connection.commit()
    asking.join()
    problem(answers[0], 409, "hold-over")
    assert payments(stack, "waits") == ()


def test_two_tabs_pay_at_the_same_moment(stack):
    ready_event(stack, "tabs")
    visitors = [visitor_with(stack, "tabs", "held") for _ in range(8)]
    answers = {visitor.place: [] for visitor in visitors}
    start = threading.Barrier(4)

    def tab(client):
        for visitor in visitors:
            start.wait()
            answer = client.post(pay_url("tabs"), headers=visitor.headers, json={"payment_method": "pm_card_visa"})
            answers[visitor.place].append((answer.status_code, answer.json().get("type")))

    threads = [threading.Thread(target=tab, args=(bare_client(stack, number % 2),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for given in answers.values():
        assert sorted(given, key=str) == [(202, None)] + [(409, "/problems/paying")] * 3
    assert payments(stack, "tabs", "place, number, state") == tuple((visitor.place, 1, "created") for visitor in visitors)
    assert set(in_event(stack, "bookings", "tabs", "state, revision")) == {("paying", 4)}


def test_tabs_that_pay_and_give_back_at_once(stack):
    """One of them wins, and the other hears of it: nobody pays for what was given back."""
    ready_event(stack, "both")
    visitors = [visitor_with(stack, "both", "held") for _ in range(12)]
    answers = {visitor.place: {} for visitor in visitors}
    start = threading.Barrier(2)

    def tab(client, how):
        for visitor in visitors:
            start.wait()
            if how == "pay":
                answer = client.post(pay_url("both"), headers=visitor.headers, json={"payment_method": "pm_card_visa"})
            else:
                answer = client.delete(url("both"), headers=visitor.headers)
            answers[visitor.place][how] = (answer.status_code, answer.json().get("type"))

    threads = [threading.Thread(target=tab, args=(bare_client(stack, number), how)) for number, how in enumerate(("pay", "back"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    states = dict(in_event(stack, "bookings", "both", "place, state"))
    paid = {place for place, in payments(stack, "both", "place")}
    freed = {place for place, in in_event(stack, "freeings", "both", "place")}
    for place, given in answers.items():
        if states[place] == "paying":
            assert given == {"pay": (202, None), "back": (409, "/problems/released")} and place in paid - freed
        else:
            assert states[place] == "cancelled"
            assert given == {"pay": (409, "/problems/no-hold"), "back": (200, None)} and place in freed - paid


def test_after_five_payments_no_more(stack):
    ready_event(stack, "five")
    visitor = visitor_with(stack, "five", "declined", reason="card_declined")
    client = bare_client(stack)
    for number in range(1, 5):
        add_payment(stack, "five", visitor.place, number, "declined")
    assert client.post(pay_url("five"), headers=visitor.headers, json={"payment_method": "pm_x"}).status_code == 202
    assert payments(stack, "five", "number, state")[-1] == (5, "created")
    stack.sql("UPDATE payments SET state = 'declined' WHERE number = 5 AND event_id = (SELECT id FROM events WHERE slug = 'five')")
    stack.sql("UPDATE bookings SET state = 'declined', revision = 5 WHERE event_id = (SELECT id FROM events WHERE slug = 'five')")
    problem(client.post(pay_url("five"), headers=visitor.headers, json={"payment_method": "pm_x"}), 409, "too-many-tries")
    assert payments(stack, "five", "COUNT(*)") == ((5,),)


def test_money_of_nobody_is_no_try_of_the_visitors(stack):
    """What was found at the provider and given back has a row without a payment method. It takes no try away, and its number is not given twice."""
    ready_event(stack, "found")
    visitor = visitor_with(stack, "found", "declined", reason="card_declined")
    for number in range(1, 6):
        add_payment(stack, "found", visitor.place, number, "declined" if number < 5 else "voided")
    stack.sql("UPDATE payments SET payment_method = '' WHERE number = 5 AND event_id = (SELECT id FROM events WHERE slug = 'found')")
    assert bare_client(stack).post(pay_url("found"), headers=visitor.headers, json={"payment_method": "pm_x"}).status_code == 202
    assert payments(stack, "found", "number, state")[-1] == (6, "created")


def test_one_payment_at_a_time(stack):
    """Money of an earlier payment turned up and is still to go back."""
    ready_event(stack, "open")
    visitor = visitor_with(stack, "open", "declined")
    add_payment(stack, "open", visitor.place, 1, "voiding")
    client = bare_client(stack)
    problem(client.post(pay_url("open"), headers=visitor.headers, json={"payment_method": "pm_x"}), 409, "paying")
    stack.sql("UPDATE payments SET state = 'voided' WHERE event_id = (SELECT id FROM events WHERE slug = 'open')")
    assert client.post(pay_url("open"), headers=visitor.headers, json={"payment_method": "pm_x"}).status_code == 202
    assert payments(stack, "open", "number, state") == ((1, "voided"), (2, "created"))


def test_with_the_card_that_was_left(stack):
    ready_event(stack, "card")
    visitor, other = visitor_with(stack, "card", "held"), visitor_with(stack, "card", "held")
    client = bare_client(stack)
    refused = problem(client.post(pay_url("card"), headers=visitor.headers), 422, "invalid")
    assert refused["errors"][0]["field"] == "payment_method"
    problem(client.post(pay_url("card"), headers=visitor.headers, json={}), 422, "invalid")
    add_card(stack, "card", visitor.place, 1, "kept", "pm_old", "visa 1111")
    add_card(stack, "card", visitor.place, 2, "kept", "pm_newer", "visa 2222")
    add_card(stack, "card", visitor.place, 3, "open", None, None)
    assert client.get(url("card"), headers=visitor.headers).json()["card"] == {"label": "visa 2222"}
    assert "card" not in client.get(url("card"), headers=other.headers).json()
    answer = client.post(pay_url("card"), headers=visitor.headers, json={})
    assert (answer.status_code, answer.json()["card"]) == (202, {"label": "visa 2222"})
    assert payments(stack, "card", "place, payment_method, customer_id") == ((visitor.place, "pm_newer", "cus_1"),)
    problem(client.post(pay_url("card"), headers=other.headers), 422, "invalid")  # it is nobody else's


def test_a_card_is_known_with_the_order(stack):
    ready_event(stack, "known")
    visitor = stack.join("known")
    add_card(stack, "known", visitor.place, 1, "kept")
    client = bare_client(stack)
    placed = client.put(url("known"), headers=visitor.headers, json=GOOD).json()
    assert placed["card"] == {"label": "visa 4242"}
    stream = stack.pool(1).event_stream("known", visitor)
    assert stream.wait("order").data["card"] == {"label": "visa 4242"}


def test_what_costs_nothing_needs_no_payment(stack):
    ready_event(stack, "gift")
    visitor = visitor_with(stack, "gift", "held", amount=0)
    problem(bare_client(stack).post(pay_url("gift"), headers=visitor.headers, json={"payment_method": "pm_x"}), 409, "no-payment")
    assert payments(stack, "gift") == ()


def test_nothing_is_paid_while_the_event_is_stopped(stack):
    ready_event(stack, "stopped")
    visitor = visitor_with(stack, "stopped", "held")
    client = bare_client(stack)
    stack.onsale("stop", "stopped", "--reason", "fire", expect=0)
    answer = client.post(pay_url("stopped"), headers=visitor.headers, json={"payment_method": "pm_x"})
    problem(answer, 503, "stopped")
    assert int(answer.headers["retry-after"]) > 0
    assert payments(stack, "stopped") == ()
    stack.onsale("start", "stopped", expect=0)
    assert client.post(pay_url("stopped"), headers=visitor.headers, json={"payment_method": "pm_x"}).status_code == 202


def test_holds_of_a_closed_event_are_paid(stack):
    ready_event(stack, "closed")
    visitor = visitor_with(stack, "closed", "held")
    stack.onsale("close", "closed", expect=0)
    wait_state(stack, "closed", "closed")
    answer = bare_client(stack).post(pay_url("closed"), headers=visitor.headers, json={"payment_method": "pm_x"})
    assert answer.status_code == 202, answer.text


# ---------------------------------------------------------------- the bank asks

def test_the_bank_s_question(stack, bell):
    ready_event(stack, "asks")
    address = "https://bank.example/challenge?id=1"
    visitor = visitor_with(stack, "asks", "action_required", action_url=address)
    add_payment(stack, "asks", visitor.place, 1, "challenged")
    client = bare_client(stack)
    order = client.get(url("asks"), headers=visitor.headers).json()
    assert (order["state"], order["action_url"]) == ("action_required", address) and "pay_until" in order
    problem(client.post(pay_url("asks"), headers=visitor.headers, json={"payment_method": "pm_x"}), 409, "paying")
    back = client.delete(url("asks"), headers=visitor.headers)
    assert (back.status_code, back.json()["state"]) == (200, "cancelled")
    assert "action_url" not in back.json()
    # Its places are free when the payer has the provider's word; what the bank may let through goes back.
    assert in_event(stack, "freeings", "asks", "was, payment_open") == (("action_required", 1),)
    assert payments(stack, "asks", "state, aim, next_attempt_at <= UTC_TIMESTAMP(6)") == (("challenged", "give_back", 1),)
    assert bell.wait("asks") == {"v": 1, "type": "pay", "slug": "asks", "place": visitor.place}
    assert client.delete(url("asks"), headers=visitor.headers).status_code == 200  # twice: nothing else
    assert in_event(stack, "freeings", "asks", "COUNT(*)") == ((1,),)


@pytest.mark.parametrize("state", ["held", "declined"])
def test_what_is_given_back_without_a_payment_is_free_at_once(stack, state):
    slug = f"free-{state}"
    ready_event(stack, slug)
    visitor = visitor_with(stack, slug, state)
    add_payment(stack, slug, visitor.place, 1, "declined")
    assert bare_client(stack).delete(url(slug), headers=visitor.headers).status_code == 200
    assert in_event(stack, "freeings", slug, "was, payment_open") == ((state, 0),)
    assert payments(stack, slug, "state, aim, next_attempt_at") == (("declined", "take", None),)


def test_a_stream_hears_the_bank_s_question_without_asking(stack):
    ready_event(stack, "hears")
    visitor = visitor_with(stack, "hears", "paying")
    stream = stack.pool(1).event_stream("hears", visitor)
    stream.wait("order", lambda data: data["state"] == "paying")
    say = Voice(stack)
    visitor_id = in_event(stack, "arrivals", "hears", "visitor")[0][0].hex()
    booking = {"place": visitor.place, "attempt": 1, "visitor": visitor_id, "tier": "floor", "quantity": 2, "amount": 9000}
    address = "https://bank.example/" + "a" * (2000 - 21)
    say.outcomes("hears", [booking | {"revision": 4, "state": "action_required", "action_url": address,
                                      "pay_until_us": 4102444800000000}])
    assert stream.wait("order", lambda data: data["revision"] == 4).data["action_url"] == address
    say.outcomes("hears", [booking | {"revision": 5, "state": "declined", "reason": "authentication_failed",
                                      "pay_until_us": 4102444800000000}])
    declined = stream.wait("order", lambda data: data["revision"] == 5).data
    assert declined["reason"] == "authentication_failed" and "action_url" not in declined
    say.outcomes("hears", [booking | {"revision": 6, "state": "cancelled", "refund": "pending"}])
    assert stream.wait("order", lambda data: data["revision"] == 6).data["refund"] == "pending"
    say.connection.close()


# ---------------------------------------------------------------- MySQL away

def test_with_mysql_away_nothing_is_begun(stack_factory, tmp_path):
    away = stack_factory(config={"payment": payment_config(tmp_path)}, proxied=True).start(rooms=1)
    ready_event(away, "away")
    visitor = visitor_with(away, "away", "held")
    client = bare_client(away)
    away.expect_errors("mysql_away")
    away.mysql_proxy.cut()
    answer = client.post(pay_url("away"), headers=visitor.headers, json={"payment_method": "pm_x"})
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    away.mysql_proxy.mend()
    away.rooms[0].wait_ready()
    assert payments(away, "away") == ()
    answer = client.post(pay_url("away"), headers=visitor.headers, json={"payment_method": "pm_x"})
    assert answer.status_code == 202, answer.text
