# SPDX-License-Identifier: Apache-2.0
"""onsale booking confirm: what was paid elsewhere becomes confirmed, each for itself, and everything else says why not."""

import json

import pytest
from processes import wait_until

from integration.test_audit_orders import Rows
from integration.test_schemas import check

NOBODY = {"ONSALE_AMQP_URL": "amqp://guest:guest@127.0.0.1:9/"}


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def rows(prepared, request):
    """Places 1 to 3 are held, 4 is declined, 5 confirmed, 6 paying, 7 expired, 8 released, 9 never ordered."""
    slug = "c-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:].strip("-").lower()
    prepared.event(slug, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
                                {"code": "back", "name": "Back", "price": 2000, "capacity": 2000}])
    rows = Rows(prepared, slug)
    rows.run("UPDATE line_counters SET last = 9 WHERE event_id = {e}",
             *(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ({{e}}, {n}, "
               f"UNHEX(MD5(CONCAT({{e}}, ':', {n}))), '2026-11-23 10:00:00.7')" for n in range(1, 10)))
    for place in range(1, 9):
        rows.order(place)
    for place, state in ((1, "held"), (4, "declined"), (5, "confirmed"), (6, "paying"), (7, "expired")):
        rows.booking(place, state, counted=state != "expired")
    rows.booking(2, "held", seats=["A-3", "A-4"])
    rows.booking(3, "held", tier="back", choice=1, quantity=1, amount=2000)
    yield rows
    prepared.sql("DELETE FROM outbox")
    prepared.sql("DELETE FROM taken_seats")


def numbers(rows):
    return rows.stack.sql("SELECT code, held, sold FROM tiers WHERE event_id = %s ORDER BY code", rows.event)


def booking(rows, place):
    row, = rows.stack.sql("SELECT state, revision, pay_until FROM bookings WHERE event_id = %s AND place = %s", rows.event, place)
    return row


def reference(rows, place):
    (text,), = rows.stack.sql("SELECT reference FROM bookings WHERE event_id = %s AND place = %s", rows.event, place)
    return text


def confirm(rows, *given, expect=0, stdin=None, **more):
    answer = rows.stack.onsale("booking", "confirm", rows.slug, *given, expect=expect, as_json=True, stdin=stdin, **more).json
    check("booking confirm", answer)
    assert answer["confirmed"] + answer["refused"] == len(answer["items"])
    assert [item["confirmed"] for item in answer["items"]] == [item["why"] is None for item in answer["items"]]
    return answer


def test_what_is_held_is_confirmed(rows):
    assert numbers(rows) == (("back", 1, 0), ("floor", 8, 2))
    answer = confirm(rows, "3", "1", "4", environment=NOBODY)
    assert [(item["place"], item["old"], item["new"], item["revision"]) for item in answer["items"]] == [
        (3, "held", "confirmed", 5), (1, "held", "confirmed", 5), (4, "declined", "confirmed", 5)]
    assert [booking(rows, place) for place in (1, 3, 4)] == [("confirmed", 5, None)] * 3
    assert booking(rows, 2)[0] == "held" and numbers(rows) == (("back", 0, 1), ("floor", 4, 6))
    assert rows.stack.sql("SELECT COUNT(*) FROM freeings") == ((0,),)
    log = rows.stack.sql("SELECT place, revision, state FROM order_log WHERE event_id = %s AND actor LIKE 'onsale %%@%%' ORDER BY "
                         "place", rows.event)
    assert log == ((1, 5, "confirmed"), (3, 5, "confirmed"), (4, 5, "confirmed"))
    (body,), = rows.stack.sql("SELECT body FROM outbox")
    first, third, fourth = json.loads(body)["outcomes"]
    assert (first["place"], first["state"], first["revision"], first["tickets"], first["tier"], first["quantity"],
            first["amount"]) == (1, "confirmed", 5, {"full": 2}, "floor", 2, 9000)
    assert first["reference"] == reference(rows, 1) and "pay_until_us" not in first and "seats" not in first
    assert (third["place"], third["tickets"], third["tier"]) == (3, {"full": 1}, "back") and fourth["place"] == 4
    # Once more is fine, and changes nothing.
    again = confirm(rows, "1", "3", "4")
    assert [(item["old"], item["revision"]) for item in again["items"]] == [("confirmed", 5)] * 3
    assert numbers(rows) == (("back", 0, 1), ("floor", 4, 6)) and rows.stack.sql("SELECT COUNT(*) FROM outbox") == ((1,),)


def test_seats_are_told_and_stay_taken(rows):
    confirm(rows, "2", environment=NOBODY)
    (body,), = rows.stack.sql("SELECT body FROM outbox")
    assert json.loads(body)["outcomes"][0]["seats"] == ["A-3", "A-4"]
    assert rows.stack.sql("SELECT COUNT(*) FROM taken_seats WHERE event_id = %s", rows.event) == ((2,),)


def test_a_list_with_all_sorts_of_lines(rows):
    heard = reference(rows, 2).replace("-", " ").lower()
    answer = confirm(rows, "-", expect=1, stdin=f"# paid by transfer\n\n 1 \n{heard}\t# Ada\n2\n1\n\r\n0\nx{'y' * 3000}\n-1\n\xe4\n3")
    places = [(item["place"], item["old"], item["confirmed"]) for item in answer["items"]]
    assert places == [(1, "held", True), (2, "held", True), (2, "confirmed", True), (1, "confirmed", True)] + [
        (None, None, False)] * 4 + [(3, "held", True)]
    assert (answer["confirmed"], answer["refused"]) == (5, 4) and numbers(rows) == (("back", 0, 1), ("floor", 4, 6))
    again = rows.stack.onsale("booking", "confirm", rows.slug, "1", "3", expect=0).out
    assert "place 1: confirmed already, reference" in again and "2 confirmed, 0 not\n" in again
    assert confirm(rows, "-", stdin="")["items"] == []


def test_no_line_of_a_list_gets_lost(rows):
    """A list that an editor wrote: with a byte order mark, in UTF-16, with a zero byte, with many blanks."""
    answer = confirm(rows, "-", stdin="\ufeff1\r\n")
    assert [(item["given"], item["place"]) for item in answer["items"]] == [("1", 1)]
    answer = confirm(rows, "-", expect=1, stdin="\0 of a list\n2\n" + " " * 600 + "3\n4\0\n\ufeff4")
    assert [(item["place"], item["confirmed"]) for item in answer["items"]] == [
        (None, False), (2, True), (3, True), (None, False), (None, False)]
    assert booking(rows, 4)[0] == "declined"
    wide = rows.stack.onsale("booking", "confirm", rows.slug, "-", expect=1, stdin="1\n4\n".encode("utf-16-le").decode("ascii")).out
    assert wide.startswith("'1?': not confirmed: nobody ordered") and wide.endswith("0 confirmed, 3 not\n")


@pytest.mark.parametrize("place, status, words", [
    ("6", 1, "it is being paid"), ("7", 1, "the booking is expired"), ("8", 1, "no booking yet, the order is released"),
    ("9", 3, "nobody ordered"), ("99", 3, "nobody ordered"), ("K7QM-4WDP", 3, "no reference"), ("x", 3, "nobody ordered")])
def test_what_cannot_be_confirmed(rows, place, status, words):
    before = numbers(rows), rows.stack.sql("SELECT * FROM bookings WHERE event_id = %s", rows.event)
    text = rows.stack.onsale("booking", "confirm", rows.slug, place, expect=status).out
    assert "not confirmed: " in text and words in text
    # Whoever gave a list of references finds them again.
    if place in ("6", "7"):
        assert text.startswith(f"place {place}, reference {reference(rows, place)}: not confirmed: ")
    assert before == (numbers(rows), rows.stack.sql("SELECT * FROM bookings WHERE event_id = %s", rows.event))
    # Beside others it does not hold them up, and is not a matter of not finding anything.
    assert "1 confirmed, 1 not" in rows.stack.onsale("booking", "confirm", rows.slug, place, "1", expect=1).out
    assert booking(rows, 1)[0] == "confirmed"


def test_time_is_judged_by_the_events_clock(rows):
    """The clock stood still for an hour: a hold that ran out half an hour ago by the wall has half an hour left."""
    rows.run("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) - INTERVAL 30 MINUTE WHERE event_id = {e} AND place IN (1, 2)")
    assert confirm(rows, "1", expect=1)["items"][0]["why"] == "its time has run out"
    assert booking(rows, 1)[:2] == ("held", 3)
    rows.run("UPDATE events SET stopped_us = 3600000000 WHERE id = {e}")
    confirm(rows, "1")
    rows.run("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) - INTERVAL 3601 SECOND WHERE event_id = {e} AND place = 2")
    assert confirm(rows, "2", "3", expect=1)["confirmed"] == 1 and booking(rows, 2)[0] == "held"


def test_nothing_is_confirmed_while_the_event_is_stopped(rows):
    rows.stack.onsale("stop", rows.slug, "--reason", "fire", expect=0)
    answer = confirm(rows, "1", "5", expect=1)
    assert "is stopped" in answer["items"][0]["why"] and answer["items"][1]["confirmed"] and booking(rows, 1)[:2] == ("held", 3)
    rows.stack.onsale("start", rows.slug, expect=0)
    rows.stack.onsale("close", rows.slug, expect=0)
    confirm(rows, "1")  # holds may finish


def test_counters_that_do_not_agree_stop_it(rows):
    rows.run("UPDATE tiers SET held = 1 WHERE event_id = {e} AND code = 'floor'")
    answer = confirm(rows, "1", "3", "1", "5", expect=1)
    assert [item["confirmed"] for item in answer["items"]] == [False, False, False, True]
    assert all("onsale audit" in item["why"] and item["revision"] == 3 for item in answer["items"][:3])
    assert booking(rows, 1)[:2] == booking(rows, 3)[:2] == ("held", 3)
    assert rows.stack.sql("SELECT COUNT(*) FROM order_log WHERE event_id = %s", rows.event) == ((0,),)


def test_eight_digits_may_be_a_reference(rows):
    rows.run("UPDATE bookings SET reference = '0000-0004' WHERE event_id = {e} AND place = 1",
             "UPDATE bookings SET reference = '1234-5678' WHERE event_id = {e} AND place = 2")
    assert [item["place"] for item in confirm(rows, "12345678", "00000004")["items"]] == [2, 4]  # place 4 is there, and comes first
    rows.run("UPDATE bookings SET reference = NULL WHERE event_id = {e} AND place IN (1, 2)")


def test_a_reference_of_another_attempt_or_event_is_not_this_one(rows):
    rows.order(7, attempt=2)
    rows.booking(7, "held", attempt=2)
    old, = rows.stack.sql("SELECT reference FROM bookings WHERE event_id = %s AND place = 7 AND attempt = 1", rows.event)
    assert confirm(rows, old[0], expect=1)["items"][0]["why"] == "the booking is expired"
    item, = confirm(rows, "7")["items"]
    assert item["attempt"] == 2
    rows.stack.event("elsewhere")
    rows.stack.onsale("booking", "confirm", "elsewhere", reference(rows, 1), expect=3)


def test_thousands_in_batches(rows):
    many = "(WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 650) SELECT n FROM s) AS many"
    rows.run("INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices, "
             "email, customer, placed_at, changed_at, released_at) SELECT event_id, 1000 + n, 1, visitor, state, revision, tier, "
             "quantity, amount, currency, choices, email, customer, placed_at, changed_at, released_at FROM orders JOIN " + many +
             " WHERE event_id = {e} AND place = 1",
             "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, currency, customer, reference, "
             "created_at, changed_at, pay_until) SELECT event_id, place, 1, 'held', 3, tier, quantity, amount, currency, customer, "
             "CONCAT(LPAD(event_id, 4, 'X'), '-', place), placed_at, placed_at, '2099-01-01' FROM orders WHERE event_id = {e} AND "
             "place > 1000",
             "UPDATE tiers SET held = held + 1300 WHERE event_id = {e} AND code = 'floor'",
             "UPDATE bookings SET pay_until = '2026-01-01' WHERE event_id = {e} AND place = 1333")
    answer = confirm(rows, "-", expect=1, stdin="".join(f"{place}\n" for place in range(1650, 1000, -1)), environment=NOBODY)
    assert (answer["confirmed"], answer["refused"]) == (649, 1)
    assert [item["place"] for item in answer["items"]] == list(range(1650, 1000, -1))
    told = [outcome["place"] for body, in rows.stack.sql("SELECT body FROM outbox ORDER BY id")
            for outcome in json.loads(body)["outcomes"]]
    assert sorted(told) == [place for place in range(1001, 1651) if place != 1333]
    assert numbers(rows)[1] == ("floor", 10, 1300)


def test_usage(rows):
    rows.stack.onsale("booking", "confirm", rows.slug, expect=2)
    rows.stack.onsale("booking", "confirm", "nobody", "1", expect=3)


def test_confirming_and_running_out_at_the_same_moment(stack_factory):
    """Holds run out five milliseconds apart while two workers sweep and the list of who paid is worked through from its end: each is
    either confirmed or expired, and what was told is so."""
    stack = stack_factory().start(rooms=0, admissions=0, workers=2)
    stack.event("gala", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000}])
    rows, last = Rows(stack, "gala"), 240
    numbered = f"(WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS many"
    rows.run(f"UPDATE line_counters SET last = {last} WHERE event_id = {{e}}",
             "INSERT INTO arrivals (event_id, number, visitor, joined_at) SELECT {e}, n, UNHEX(MD5(CONCAT({e}, ':', n))), "
             "UTC_TIMESTAMP(6) FROM " + numbered)
    rows.order(1)
    rows.run("UPDATE orders SET placed_at = UTC_TIMESTAMP(6), changed_at = UTC_TIMESTAMP(6)",
             f"INSERT INTO served_log VALUES ({{e}}, {last}, UTC_TIMESTAMP(6), 0, 0)",
             "INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) VALUES ({e}, "
             f"UTC_TIMESTAMP(6) - INTERVAL 1 SECOND, 0, 0, '1000/s', 1000, 1, 'open')",
             f"UPDATE line_served SET served = {last} WHERE event_id = {{e}}",
             "UPDATE orders SET released_at = UTC_TIMESTAMP(6)",
             "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, published, tier, quantity, amount, currency, "
             "choices, email, customer, placed_at, changed_at, released_at) SELECT event_id, n, 1, UNHEX(MD5(CONCAT({e}, ':', n))), "
             "state, revision, 1, tier, quantity, amount, currency, choices, email, UNHEX(MD5(n)), placed_at, changed_at, released_at "
             "FROM orders JOIN " + numbered + " WHERE place = 1 AND n > 1",
             "START TRANSACTION",
             f"UPDATE tiers SET held = {2 * last}",
             "INSERT INTO customers SELECT event_id, customer, 2 FROM orders",
             "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, currency, customer, reference, "
             "created_at, changed_at, pay_until) SELECT event_id, place, 1, 'held', 3, tier, quantity, amount, currency, customer, "
             "CONCAT('2222-', 1000 + place), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL 300000 + 5000 * place "
             "MICROSECOND FROM orders", "COMMIT")
    told = {}
    for first in range(last - 19, 0, -20):
        answer = stack.onsale("booking", "confirm", "gala", "-", as_json=True, stdin="\n".join(map(str, range(first, first + 20)))).json
        told |= {item["place"]: item["confirmed"] for item in answer["items"]}
    wait_until(lambda: stack.sql("SELECT COUNT(*) FROM bookings WHERE state = 'held'") == ((0,),), "every hold has ended", 20)
    states = dict(stack.sql("SELECT place, state FROM bookings"))
    assert {place: state == "confirmed" for place, state in states.items()} == told
    assert set(states.values()) <= {"confirmed", "expired"} and states[last] == "confirmed"
    assert stack.sql("SELECT held, sold FROM tiers") == ((0, 2 * list(told.values()).count(True)),)
    report = stack.onsale_json("audit", "gala")
    assert report["ok"], report
