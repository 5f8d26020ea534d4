# SPDX-License-Identifier: Apache-2.0
"""onsale booking and dead: finding a visitor, the door list, cancelling, and sending on what had died."""

import csv
import io
import json

import pytest
from processes import wait_until

from integration.test_audit_orders import Rows
from integration.test_schemas import check

FORMULA = "=HYPERLINK(\"http://evil\")"


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def rows(prepared, request):
    """Places 1 to 9 were let in at 10:00:01 and on; 1 confirmed, 2 held, 3 sold out, 4 failed with a letter, 5 released,
    6 placed, 7 confirmed from an alternative, 8 never ordered."""
    slug = "b-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:].strip("-").lower()
    prepared.event(slug, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 2000},
                                {"code": "back", "name": "Back", "price": 2000, "capacity": 20}])
    rows = Rows(prepared, slug)
    rows.run("UPDATE line_counters SET last = 9 WHERE event_id = {e}",
             *(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES ({{e}}, {n}, "
               f"UNHEX(MD5(CONCAT({{e}}, ':', {n}))), '2026-11-23 10:00:00.7')" for n in range(1, 10)),
             *(f"INSERT INTO served_log VALUES ({{e}}, {n}, '2026-11-23 10:00:{n:02}', 3, 0)" for n in range(1, 10)),
             "INSERT INTO turns VALUES ({e}, 1, '2026-11-23 10:00:01', 0, 0)")
    for place in (1, 2, 3, 4, 5, 7):
        rows.order(place)
    rows.order(6, "placed")
    rows.booking(1)
    rows.booking(2, "held")
    rows.booking(3, "sold_out")
    rows.booking(4, "failed", reason="broken")
    rows.letter(4)
    rows.booking(7, tier="back", choice=1, quantity=1, amount=2000)
    yield rows
    prepared.sql("DELETE FROM dead_letters")
    prepared.sql("DELETE FROM outbox")


def reference(rows, place):
    (text,), = rows.stack.sql("SELECT reference FROM bookings WHERE event_id = %s AND place = %s", rows.event, place)
    return text


def steps(story):
    return [step["step"] for step in story["steps"]]


# One visitor

def test_show_tells_every_step(rows):
    story = rows.stack.onsale_json("booking", "show", rows.slug, "1")
    check("booking show", story)
    assert steps(story) == ["joined", "ordered", "let in", "turn began", "released", "confirmed"]
    assert [step["at"] for step in story["steps"]] == sorted(step["at"] for step in story["steps"])
    attempt, = story["attempts"]
    assert attempt["email"] == "v1@example.org" and attempt["booking"]["tickets"] == {"full": 2}
    text = rows.stack.onsale("booking", "show", rows.slug, "1", expect=0).out
    assert f"{rows.slug}, place 1: confirmed, reference {reference(rows, 1)}\n" in text
    assert "has 2 × floor (2 full), 90.00 EUR\nv1@example.org, Ada\n" in text and "turn began" in text


def test_show_of_those_who_have_less(rows):
    assert steps(rows.stack.onsale_json("booking", "show", rows.slug, "8")) == ["joined", "let in"]
    assert "no order" in rows.stack.onsale("booking", "show", rows.slug, "8", expect=0).out
    story = rows.stack.onsale_json("booking", "show", rows.slug, "4")
    check("booking show", story)
    assert steps(story)[-2:] == ["failed", "dead letter"]
    assert "wanted 2 × floor" in rows.stack.onsale("booking", "show", rows.slug, "3", expect=0).out
    assert rows.stack.onsale_json("booking", "show", rows.slug, "7")["attempts"][0]["booking"]["tickets"] == {"full": 1}
    for which in ("10", "0", "-1", "ABCD", "K7QM-4WDP", "K7QM-4WDPX", "K7QM-4WD*"):
        rows.stack.onsale("booking", "show", rows.slug, "--", which, expect=3)
    rows.stack.onsale("booking", "show", "nobody", "1", expect=3)


def test_show_tells_seats_holds_and_standby(rows):
    for place in (6, 8, 9):
        rows.order(place, attempt=2 if place == 6 else 1)
    rows.booking(8, "standby")
    rows.booking(9, "standby", quantity=3)
    rows.booking(6, "refused", attempt=2, reason="seats_taken")
    rows.run("UPDATE bookings SET seats = '[\"A-3\",\"A-4\"]', pay_until = '2026-11-23 11:00:00', more_time = 1 WHERE event_id = {e} "
             "AND place = 2", "UPDATE bookings SET gone = '[\"B 1-2\"]' WHERE event_id = {e} AND place = 6",
             "UPDATE events SET stopped_us = 90000000 WHERE id = {e}")

    def shown(place):
        story = rows.stack.onsale_json("booking", "show", rows.slug, str(place))
        check("booking show", story)
        return story["attempts"][-1]["booking"], rows.stack.onsale("booking", "show", rows.slug, str(place), expect=0).out

    booking, text = shown(2)
    assert (booking["seats"], booking["gone"], booking["had_more_time"], booking["standby"]) == (["A-3", "A-4"], None, True, None)
    assert booking["pay_until"] == "2026-11-23T11:01:30Z"  # the event's clock is a minute and a half behind
    assert "seats A-3, A-4\nheld until 2026-11-23T11:01:30Z, more time was given\n" in text and "90.00 EUR: A-3, A-4" in text
    booking, text = shown(9)
    assert booking["standby"] == {"tier": "floor", "quantity": 3, "ahead": 1} and booking["pay_until"] is None
    assert "stands by for 3 × floor, 1 ahead\n" in text
    assert shown(8)[0]["standby"]["ahead"] == 0
    booking, text = shown(6)
    assert booking["gone"] == ["B 1-2"] and "refused, seats_taken\n" in text and "others have B 1-2\n" in text
    rows.stack.onsale("stop", rows.slug, "--reason", "fire", expect=0)
    assert shown(2)[0]["pay_until"] != "2026-11-23T11:01:30Z"  # it moves on while the event is stopped
    rows.stack.onsale("start", rows.slug, expect=0)


def test_show_by_a_reference_as_it_was_heard(rows):
    rows.run("UPDATE bookings SET reference = 'K0QM-41DP' WHERE event_id = {e} AND place = 7",
             "UPDATE bookings SET reference = '1234-5678' WHERE event_id = {e} AND place = 1")
    for heard in ("K0QM-41DP", "koqm4ldp", "koqm 4idp"):
        assert rows.stack.onsale_json("booking", "show", rows.slug, heard)["place"] == 7
    assert rows.stack.onsale_json("booking", "show", rows.slug, "12345678")["place"] == 1
    rows.run("UPDATE bookings SET reference = NULL WHERE event_id = {e}")


def test_a_log_tells_what_the_rows_do_not(rows):
    rows.run("INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) VALUES "
             "({e}, 1, 1, 1, 'placed', '2026-11-23 10:00:00.8', 'visitor', NULL), "
             "({e}, 1, 1, 2, 'placed', '2026-11-23 10:00:00.9', 'visitor', '2 × floor')",
             "UPDATE orders SET revision = 3 WHERE event_id = {e} AND place = 1",
             "UPDATE bookings SET revision = 4 WHERE event_id = {e} AND place = 1")
    assert steps(rows.stack.onsale_json("booking", "show", rows.slug, "1")) == [
        "joined", "ordered", "changed", "let in", "turn began", "released", "confirmed"]


def test_the_story_of_a_booking_that_changed(rows):
    """From standby to a hold, prolonged, and over; confirmed; taken back: what it was at first, and what it still has."""
    log = "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail) VALUES "
    rows.order(8)
    rows.booking(8, "expired", counted=False, seats=["B-1", "B-2"], revision=6)
    rows.order(9)
    rows.booking(9, "standby", revision=3)
    rows.run(log + "({e}, 8, 1, 4, 'held', '2026-11-23 10:01:00', 'booking-worker', 'was standby'), "
             "({e}, 8, 1, 5, 'held', '2026-11-23 10:02:00', 'visitor', 'asked for more time'), "
             "({e}, 8, 1, 6, 'expired', '2026-11-23 10:03:00', 'booking-worker', 'was held')",
             log + "({e}, 9, 1, 4, 'cancelled', '2026-11-23 10:01:00', 'visitor', NULL)",
             "UPDATE bookings SET state = 'cancelled', standby_tier = NULL, standby_quantity = 0, revision = 4 "
             "WHERE event_id = {e} AND place = 9")

    def told(place):
        story = rows.stack.onsale_json("booking", "show", rows.slug, str(place))
        check("booking show", story)
        return [(step["step"], step["detail"]) for step in story["steps"] if step["revision"] and step["revision"] > 2], \
            rows.stack.onsale("booking", "show", rows.slug, str(place), expect=0).out

    steps, text = told(8)
    assert steps == [("standby", None), ("held", "was standby"), ("held", "asked for more time"), ("expired", "was held")]
    assert "had 2 × floor (2 full), 90.00 EUR\nseats B-1, B-2\n" in text  # and has no more
    steps, text = told(9)
    assert steps == [("standby", None), ("taken back", None)] and "wanted 2 × floor" in text
    # Operators' changes say what was before, too.
    rows.stack.onsale("booking", "confirm", rows.slug, "2", expect=0)
    rows.stack.onsale("booking", "cancel", rows.slug, "7", expect=0)
    steps, text = told(2)
    assert steps == [("held", None), ("confirmed", "2 × floor, 90.00 EUR; was held")] and "has 2 × floor" in text
    steps, text = told(7)
    assert steps == [("confirmed", None), ("cancelled", "was confirmed")] and "had 1 × back" in text
    # Failed, booked once more, and then too late.
    rows.run(log + "({e}, 4, 1, 4, 'released', '2026-11-23 10:01:00', 'onsale root@box', 'dead letter 1 retried'), "
             "({e}, 4, 1, 5, 'refused', '2026-11-23 10:01:01', 'booking-worker', 'was released')",
             "UPDATE bookings SET state = 'refused', reason = 'seats_taken', gone = '[\"A-3\"]', revision = 5 "
             "WHERE event_id = {e} AND place = 4")
    assert told(4)[0] == [("failed", None), ("released", "dead letter 1 retried"), ("refused", "seats_taken: A-3; was released")]
    rows.run("DELETE FROM taken_seats WHERE event_id = {e}", "DELETE FROM freeings WHERE event_id = {e}")


def test_find_by_an_address_however_it_is_written(rows):
    for email in ("v1@example.org", " V1@Example.ORG\t"):
        found = rows.stack.onsale_json("booking", "find", rows.slug, email)
        check("booking find", found)
        assert [item["place"] for item in found["items"]] == [1] and found["items"][0]["state"] == "confirmed"
    placed, = rows.stack.onsale_json("booking", "find", rows.slug, "v6@example.org")["items"]
    assert placed["state"] == "placed" and placed["reference"] is None and placed["quantity"] == 2
    assert reference(rows, 1) in rows.stack.onsale("booking", "find", rows.slug, "v1@example.org", expect=0).out
    rows.stack.onsale("booking", "find", rows.slug, "nobody@example.org", expect=3)


# The door list

def test_the_door_list(rows):
    listed = rows.stack.onsale_json("booking", "list", rows.slug)
    check("booking list", listed)
    assert [(item["place"], item["state"]) for item in listed["items"]] == [(1, "confirmed"), (2, "held"), (7, "confirmed")]
    assert listed["next"] is None and listed["items"][2]["tickets"] == {"full": 1}
    first = rows.stack.onsale_json("booking", "list", rows.slug, "--limit", "2")
    assert [item["place"] for item in first["items"]] == [1, 2] and first["next"] == "2"
    rest = rows.stack.onsale_json("booking", "list", rows.slug, "--limit", "2", "--after", first["next"])
    assert [item["place"] for item in rest["items"]] == [7] and rest["next"] is None
    text = rows.stack.onsale("booking", "list", rows.slug, "--limit", "2", expect=0).out
    assert reference(rows, 1) in text and "--after 2" in text
    rows.stack.onsale("booking", "list", rows.slug, "--after", "x", expect=2)
    rows.stack.onsale("booking", "list", rows.slug, "--csv", as_json=True, expect=2)
    rows.stack.onsale("booking", "list", "nobody", expect=3)


def test_lists_tell_seats_and_standby(rows):
    rows.order(8)
    rows.booking(8, "standby", quantity=3)
    rows.run("UPDATE bookings SET seats = '[\"A-3\",\"A-4\"]' WHERE event_id = {e} AND place = 2")
    listed = rows.stack.onsale_json("booking", "list", rows.slug)
    check("booking list", listed)
    assert [(item["tier"], item["quantity"], item["seats"]) for item in listed["items"]] == [
        ("floor", 2, None), ("floor", 2, ["A-3", "A-4"]), ("back", 1, None), ("floor", 3, None)]
    records = list(csv.DictReader(io.StringIO(rows.stack.onsale("booking", "list", rows.slug, "--csv", expect=0).out)))
    assert [(record["seats"], record["state"]) for record in records] == [("", "confirmed"), ("A-3, A-4", "held"), ("", "confirmed"),
                                                                          ("", "standby")]
    assert "A-3, A-4\n" in rows.stack.onsale("booking", "list", rows.slug, expect=0).out
    found = rows.stack.onsale_json("booking", "find", rows.slug, "v2@example.org")
    check("booking find", found)
    assert found["items"][0]["seats"] == ["A-3", "A-4"]
    assert "A-3, A-4\n" in rows.stack.onsale("booking", "find", rows.slug, "v2@example.org", expect=0).out
    waiting, = rows.stack.onsale_json("booking", "find", rows.slug, "v8@example.org")["items"]
    assert (waiting["state"], waiting["tier"], waiting["quantity"]) == ("standby", "floor", 3)


def test_the_csv_is_by_the_rfc_and_runs_nothing(rows):
    names = [FORMULA, "O\"Hara, Ada", "+49 30"]
    for place, name in zip((1, 2, 7), names):
        rows.stack.sql("UPDATE orders SET name = %s WHERE event_id = %s AND place = %s", name, rows.event, place)
    rows.run("UPDATE orders SET email = '@x' WHERE event_id = {e} AND place = 2; "
             "UPDATE orders SET email = '-a@b' WHERE event_id = {e} AND place = 7")
    out = rows.stack.onsale("booking", "list", rows.slug, "--csv", expect=0).out
    records = list(csv.DictReader(io.StringIO(out)))
    assert [record["name"] for record in records] == ["'" + FORMULA, names[1], "'" + names[2]]
    assert [record["email"] for record in records] == ["v1@example.org", "'@x", "'-a@b"]
    assert records[2] == {"reference": reference(rows, 7), "place": "7", "name": "'+49 30", "email": "'-a@b", "tier": "back",
                          "tickets": "1 full", "quantity": "1", "amount": "20.00", "currency": "EUR", "state": "confirmed",
                          "seats": "", "charged": "0.00"}


def test_the_csv_of_many(rows):
    """More than a few pages; as fast as a door needs it."""
    rows.stack.sql(
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices, email, "
        "customer, placed_at, changed_at, released_at) SELECT event_id, 1000 + seq, 1, visitor, state, revision, tier, quantity, "
        "amount, currency, choices, email, customer, placed_at, changed_at, released_at FROM orders JOIN "
        "(WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < 1000) SELECT a.seq + 1000 * (b.seq - 1) "
        "AS seq FROM s a JOIN s b ON b.seq <= 5) AS many WHERE event_id = %s AND place = 1", rows.event)
    rows.stack.sql(
        "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, currency, customer, created_at, "
        "changed_at) SELECT event_id, place, 1, 'confirmed', 3, tier, quantity, amount, currency, customer, placed_at, placed_at "
        "FROM orders WHERE event_id = %s AND place > 1000", rows.event)
    places = [int(record["place"]) for record in csv.DictReader(io.StringIO(
        rows.stack.onsale("booking", "list", rows.slug, "--csv", expect=0).out))]
    assert places == [1, 2, 7, *range(1001, 6001)]
    short = rows.stack.onsale("booking", "list", rows.slug, "--csv", "--limit", "4", "--after", "2", expect=0).out
    assert [record["place"] for record in csv.DictReader(io.StringIO(short))] == ["7", "1001", "1002", "1003"]


# Cancelling

def numbers(rows):
    return rows.stack.sql("SELECT code, held, sold FROM tiers WHERE event_id = %s ORDER BY code", rows.event)


@pytest.mark.parametrize("place, was", [(1, "confirmed"), (2, "held"), (7, "confirmed"), (8, "standby"), (9, "declined")])
def test_cancel_ends_the_booking_and_leaves_its_places_to_a_worker(rows, place, was):
    for other, state in ((8, "standby"), (9, "declined")):
        rows.order(other)
        rows.booking(other, state)
    counted = numbers(rows)
    answer = rows.stack.onsale_json("booking", "cancel", rows.slug, str(place))
    check("booking cancel", answer)
    assert (answer["old"], answer["revision"], answer["tier"]) == (was, 4, "back" if place == 7 else "floor")
    assert answer["quantity"] == (1 if place == 7 else 2)
    booking, = rows.stack.sql("SELECT state, revision, refund, pay_until, standby_tier, standby_quantity FROM bookings WHERE "
                              "event_id = %s AND place = %s", rows.event, place)
    assert booking == ("cancelled", 4, None, None, None, 0)
    assert rows.stack.sql("SELECT place, attempt, was, told FROM freeings WHERE event_id = %s", rows.event) == ((place, 1, was, 1),)
    # Nothing is free before who stands by has been looked at: everything is counted as it was, and the audit agrees.
    assert numbers(rows) == counted
    (booked,), = rows.stack.sql("SELECT booked FROM customers c JOIN bookings b USING (event_id, customer) WHERE event_id = %s AND "
                                "place = %s", rows.event, place)
    assert booked == (1 if place == 7 else 2)
    (actor, logged), = rows.stack.sql("SELECT actor, state FROM order_log WHERE event_id = %s", rows.event)
    assert actor.startswith("onsale ") and "@" in actor and logged == "cancelled"
    assert steps(rows.stack.onsale_json("booking", "show", rows.slug, str(place)))[-1] == "cancelled"
    # Once more changes nothing, and tells nobody.
    again = rows.stack.onsale_json("booking", "cancel", rows.slug, str(place))
    assert (again["old"], again["revision"]) == ("cancelled", 4)
    assert "cancelled already" in rows.stack.onsale("booking", "cancel", rows.slug, str(place), expect=0).out
    assert rows.stack.sql("SELECT COUNT(*) FROM freeings WHERE event_id = %s", rows.event) == ((1,),)
    assert rows.stack.sql("SELECT COUNT(*) FROM outbox") == ((0,),)


def test_cancel_says_what_happens_to_the_places(rows):
    rows.order(8)
    rows.booking(8, "standby")
    text = rows.stack.onsale("booking", "cancel", rows.slug, "2", expect=0).out
    assert "held → cancelled, 2 × floor go to standby or back on sale as soon as a booking worker has freed them" in text
    assert "standby → cancelled, 2 × floor are waited for no longer" in rows.stack.onsale(
        "booking", "cancel", rows.slug, "8", expect=0).out


def test_the_outcome_of_a_cancellation_names_what_it_was(rows):
    rows.run("UPDATE bookings SET seats = '[\"A-3\",\"A-4\"]' WHERE event_id = {e} AND place = 1")
    rows.order(8)
    rows.booking(8, "standby")
    for place in ("1", "8"):
        rows.stack.onsale("booking", "cancel", rows.slug, place, expect=0,
                          environment={"ONSALE_AMQP_URL": "amqp://guest:guest@127.0.0.1:9/"})
    given, stood_by = [json.loads(body)["outcomes"][0] for body, in rows.stack.sql("SELECT body FROM outbox ORDER BY id")]
    assert (given["state"], given["revision"], given["seats"], given["tickets"]) == ("cancelled", 4, ["A-3", "A-4"], {"full": 2})
    assert stood_by["state"] == "cancelled" and not {"tier", "seats", "quantity", "tickets", "pay_until_us"} & set(stood_by)


@pytest.mark.parametrize("place, words", [(3, "sold_out"), (4, "failed"), (5, "no booking yet, the order is released"),
                                          (6, "the order is placed"), (8, "it is being paid"), (9, "expired")])
def test_what_cannot_be_cancelled(rows, place, words):
    for other, state in ((8, "paying"), (9, "expired")):
        rows.order(other)
        rows.booking(other, state)
    before = rows.stack.sql("SELECT * FROM bookings WHERE event_id = %s", rows.event)
    assert words in rows.stack.onsale("booking", "cancel", rows.slug, str(place), expect=1).err
    assert rows.stack.sql("SELECT * FROM bookings WHERE event_id = %s", rows.event) == before
    assert rows.stack.sql("SELECT COUNT(*) FROM freeings WHERE event_id = %s", rows.event) == ((0,),)


def test_cancelling_nothing(rows):
    for nobodys in ("8", "99", "18446744073709551615"):
        assert f"nobody ordered at place {nobodys}" in rows.stack.onsale("booking", "cancel", rows.slug, nobodys, expect=3).err
    assert f"{rows.slug} has no reference 'ZZZZ-ZZZZ'" in rows.stack.onsale("booking", "cancel", rows.slug, "ZZZZ-ZZZZ", expect=3).err
    rows.stack.onsale("booking", "cancel", "nobody", "1", expect=3)
    for neither in ("x", "0", "-1", "", "1.5", "99999999999999999999", "K7QM-4WDPX", "K7QM-4WD*"):
        assert "neither a place nor a reference" in rows.stack.onsale("booking", "cancel", rows.slug, "--", neither, expect=2).err
    assert states(rows) == {1: "confirmed", 2: "held", 3: "sold_out", 4: "failed", 7: "confirmed"}


def states(rows):
    return dict(rows.stack.sql("SELECT place, state FROM bookings WHERE event_id = %s AND attempt = 1", rows.event))


def test_cancel_by_a_reference_as_it_was_heard(rows):
    rows.run("UPDATE bookings SET reference = 'K0QM-41DP' WHERE event_id = {e} AND place = 7",
             "UPDATE bookings SET reference = '1234-5678' WHERE event_id = {e} AND place = 1")
    answer = rows.stack.onsale_json("booking", "cancel", rows.slug, "koqm4ldp")
    check("booking cancel", answer)
    assert (answer["place"], answer["reference"], answer["old"]) == (7, "K0QM-41DP", "confirmed")
    text = rows.stack.onsale("booking", "cancel", rows.slug, "12345678", expect=0).out  # no place, so a reference
    assert f"{rows.slug}, place 1, reference 1234-5678: confirmed → cancelled" in text
    assert states(rows) == {1: "cancelled", 2: "held", 3: "sold_out", 4: "failed", 7: "cancelled"}
    assert "cancelled already" in rows.stack.onsale("booking", "cancel", rows.slug, "K0QM-41DP", expect=0).out
    rows.run("UPDATE bookings SET reference = NULL WHERE event_id = {e}")


def test_a_reference_of_before_does_not_cancel_what_was_ordered_since(rows):
    """A reference is one booking's. Its visitor ordered again when it had ended, and that other booking is not meant."""
    rows.run("UPDATE bookings SET reference = 'K0QM-41DP', state = 'expired', pay_until = NULL WHERE event_id = {e} AND place = 2")
    rows.order(2, attempt=2)
    rows.booking(2, "held", attempt=2)
    newest, = rows.stack.sql("SELECT reference FROM bookings WHERE event_id = %s AND place = 2 AND attempt = 2", rows.event)
    error = rows.stack.onsale("booking", "cancel", rows.slug, "K0QM-41DP", expect=1).err
    assert "the reference is of attempt 1, and the visitor has ordered again since (attempt 2)" in error
    assert rows.stack.sql("SELECT attempt, state FROM bookings WHERE event_id = %s AND place = 2 ORDER BY attempt", rows.event) == (
        (1, "expired"), (2, "held"))
    assert rows.stack.onsale_json("booking", "cancel", rows.slug, newest[0])["attempt"] == 2
    rows.run("UPDATE bookings SET reference = NULL WHERE event_id = {e}")


def test_a_reference_of_another_event_cancels_nothing(rows):
    rows.run("UPDATE bookings SET reference = 'K0QM-41DP' WHERE event_id = {e} AND place = 1")
    rows.stack.event(rows.slug[:60] + "-2")
    rows.stack.onsale("booking", "cancel", rows.slug[:60] + "-2", "K0QM-41DP", expect=3)
    assert states(rows)[1] == "confirmed"
    rows.run("UPDATE bookings SET reference = NULL WHERE event_id = {e}")


def test_prices_that_change_concern_later_orders_only(rows):
    before = rows.stack.sql("SELECT place, amount, choices FROM orders WHERE event_id = %s", rows.event)
    rows.stack.event(rows.slug, state="open", tiers=[{"code": "floor", "name": "Floor", "price": 9900, "capacity": 2000},
                                                     {"code": "back", "name": "Back", "price": 2000, "capacity": 20}])
    assert rows.stack.sql("SELECT place, amount, choices FROM orders WHERE event_id = %s", rows.event) == before
    refused = rows.stack.apply(json.loads((rows.stack.folder / f"event-{rows.slug}.json").read_text()) | {
        "tiers": [{"code": "floor", "name": "Floor", "price": 9900, "capacity": 3},
                  {"code": "back", "name": "Back", "price": 2000, "capacity": 20}]}, 1)
    assert "floor" in refused.err  # two held, two sold


# Dead letters

def letter_of(rows, place):
    (letter,), = rows.stack.sql("SELECT MAX(id) FROM dead_letters WHERE event_id = %s AND place = %s", rows.event, place)
    return str(letter)


def test_dead_letters_are_listed_and_shown(rows):
    rows.stack.sql("INSERT INTO dead_letters (digest, queue, reason, detail, body, died_at) VALUES (UNHEX(SHA2('x', 256)), "
                   "'onsale.bookings.2', 'not_json', 'no JSON: \\'[\\' expected', %s, '2026-11-23 10:00:31')", b"\xff\x00\x1b[2Jhello")
    listed = rows.stack.onsale_json("dead", "list")
    check("dead list", listed)
    assert [(item["event"], item["place"], item["order_state"]) for item in listed["items"]] == [
        (rows.slug, 4, "failed"), (None, None, None)]
    page = rows.stack.onsale_json("dead", "list", "--limit", "1")
    assert page["next"] == str(page["items"][0]["id"])
    rest = rows.stack.onsale_json("dead", "list", "--limit", "1", "--after", page["next"])
    assert [item["reason"] for item in rest["items"]] == ["not_json"] and rest["next"] is None
    shown = rows.stack.onsale_json("dead", "show", str(rest["items"][0]["id"]))
    check("dead show", shown)
    assert "hello" in shown["body"] and "\x1b" not in shown["body"]
    text = rows.stack.onsale("dead", "show", letter_of(rows, 4), expect=0).out
    assert f"{rows.slug}, place 4, attempt 1: failed" in text
    assert "broken_order" in rows.stack.onsale("dead", "list", expect=0).out
    rows.stack.onsale("dead", "show", "999999", expect=3)
    rows.stack.onsale("dead", "show", "x", expect=2)


def test_retry_releases_the_order_again(rows):
    letter = letter_of(rows, 4)
    answer = rows.stack.onsale_json("dead", "retry", letter)
    check("dead retry", answer)
    assert answer == {"retried": [int(letter)], "refused": []}
    assert rows.stack.sql("SELECT state, reason, revision FROM bookings WHERE event_id = %s AND place = 4", rows.event) == (
        ("released", None, 4),)
    assert rows.stack.sql("SELECT state, published, release_no, revision FROM orders WHERE event_id = %s AND place = 4",
                          rows.event) == (("released", 0, 2, 2),)
    (state, by, at), = rows.stack.sql("SELECT state, resolved_by, resolved_at FROM dead_letters WHERE id = %s", letter)
    assert state == "retried" and "@" in by and at
    assert steps(rows.stack.onsale_json("booking", "show", rows.slug, "4"))[-2:] in (["released", "retried"],
                                                                                    ["retried", "released"])
    # Once more: it is on its way.
    assert "retried already" in rows.stack.onsale("dead", "retry", letter, expect=0).out
    assert rows.stack.sql("SELECT release_no FROM orders WHERE event_id = %s AND place = 4", rows.event) == ((2,),)
    assert rows.stack.onsale_json("dead", "list")["items"] == []
    rows.stack.onsale("dead", "discard", letter, expect=1)


def test_what_cannot_be_retried(rows):
    rows.letter(1, reason="returned")
    rows.letter(5, reason="returned")
    rows.stack.sql("INSERT INTO dead_letters (digest, queue, reason, detail, body, died_at) VALUES (UNHEX(SHA2('x', 256)), "
                   "'onsale.bookings.2', 'not_json', '', '', '2026-11-23 10:00:31')")
    (orphan,), = rows.stack.sql("SELECT id FROM dead_letters WHERE event_id IS NULL")
    assert "is confirmed" in rows.stack.onsale("dead", "retry", letter_of(rows, 1), expect=1).out
    assert "belongs to no order" in rows.stack.onsale("dead", "retry", str(orphan), expect=1).out
    assert "there is none" in rows.stack.onsale("dead", "retry", "999999", expect=3).out
    rows.stack.sql("UPDATE dead_letters SET attempt = 9 WHERE id = %s", letter_of(rows, 5))
    assert "no such attempt" in rows.stack.onsale("dead", "retry", letter_of(rows, 5), expect=1).out
    for words in ([], ["--all", "1"], ["x"]):
        rows.stack.onsale("dead", "retry", *words, expect=2)
    rows.order(4, "placed", attempt=2, placed="00:30")
    assert "attempt 2" in rows.stack.onsale("dead", "retry", letter_of(rows, 4), expect=1).out
    rows.run("DELETE FROM orders WHERE event_id = {e} AND attempt = 2")
    result = rows.stack.onsale("dead", "retry", "--all", expect=0)
    assert result.out.endswith("1 retried, 3 skipped\n")
    assert rows.stack.sql("SELECT state FROM bookings WHERE event_id = %s AND place = 4", rows.event) == (("released",),)


def test_discard(rows):
    letter = letter_of(rows, 4)
    answer = rows.stack.onsale_json("dead", "discard", letter)
    check("dead discard", answer)
    assert answer == {"discarded": [int(letter)], "refused": []}
    rows.stack.onsale("dead", "discard", letter, expect=0)
    assert rows.stack.onsale_json("dead", "list")["items"] == []
    assert rows.stack.sql("SELECT state FROM bookings WHERE event_id = %s AND place = 4", rows.event) == (("failed",),)
    rows.stack.onsale("dead", "discard", "999999", expect=3)
    rows.stack.onsale("dead", "retry", letter, expect=0)  # on second thoughts
    assert rows.stack.sql("SELECT state FROM dead_letters WHERE id = %s", letter) == (("retried",),)


# Status

def test_status_counts_orders(rows):
    status = rows.stack.onsale_json("status", rows.slug)
    check("status", status)
    assert status["orders"] == {"placed": 1, "released": 1, "sold_out": 0, "refused": 0, "cancelled": 0}
    assert {state: count for state, count in status["bookings"].items() if count} == {"confirmed": 2, "held": 1, "sold_out": 1,
                                                                                      "failed": 1}
    assert status["dead_letters"] == {"event": 1, "no_event": 0} and status["oldest_unbooked_ms"] > 0
    floor = next(tier for tier in status["tiers"] if tier["code"] == "floor")
    assert (floor["capacity"], floor["held"], floor["sold"], floor["left"], floor["asked"]) == (2000, 2, 2, 1996, 2)
    text = rows.stack.onsale("status", rows.slug, expect=0).out
    assert "orders        1 placed, 1 released and not booked yet, the oldest for" in text
    assert "bookings      1 held, 2 confirmed, 1 sold_out, 1 failed\ndead letters  1 open\n" in text
    check("status", rows.stack.onsale_json("watch", rows.slug, "--count", "1"))
    rows.run("DELETE FROM orders WHERE event_id = {e} AND place = 5")
    assert rows.stack.onsale_json("status", rows.slug)["oldest_unbooked_ms"] is None


def test_status_counts_standby_and_what_is_to_be_freed(rows):
    rows.order(8)
    rows.booking(8, "standby")
    assert "not free yet" not in rows.stack.onsale("status", rows.slug, expect=0).out
    rows.stack.onsale("booking", "cancel", rows.slug, "2", expect=0)
    status = rows.stack.onsale_json("status", rows.slug)
    check("status", status)
    floor = next(tier for tier in status["tiers"] if tier["code"] == "floor")
    assert (floor["held"], floor["standby"], floor["left"], status["freeings"]) == (2, 1, 1996, 1)
    text = rows.stack.onsale("status", rows.slug, expect=0).out
    assert "; the places of 1 cancelled are not free yet\n" in text and "STANDBY" in text
    rows.run("DELETE FROM freeings")


def test_status_without_rabbitmq(rows):
    status = rows.stack.onsale("status", rows.slug, as_json=True, expect=0,
                               environment={"ONSALE_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}).json
    check("status", status)
    assert status["broker"] == "away" and status["queues"] is None
    rows.stack.onsale("booking", "cancel", rows.slug, "1", expect=0,
                      environment={"ONSALE_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"})
    assert rows.stack.sql("SELECT queue FROM outbox") == (("onsale.outcomes",),)  # a sweep tells it


def test_selling_out_is_in_the_log(rows):
    rows.run("INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6), 'booking-worker', 'sell_out')")
    assert "sell_out booking-worker\n" in rows.stack.onsale("log", rows.slug, expect=0).out


# With all programs

def order(client, visitor, slug, email):
    answer = client.put(f"/v1/events/{slug}/order", headers=visitor.headers,
                        json={"tier": "floor", "quantity": 2, "email": email})
    assert answer.status_code == 202, answer.text


def state_of(stack, slug, place):
    attempts = stack.onsale_json("booking", "show", slug, str(place))["attempts"]
    return attempts and (attempts[-1]["booking"] or attempts[-1])["state"]


def test_cancel_and_retry_reach_the_visitor(stack_factory):
    """One visitor's booking is cancelled; another's dies on the way, is mended, and is sent on."""
    stack = stack_factory().start(workers=1, notifiers=1)
    stack.event("gala", pace="0", tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 100}])
    ada, ben = stack.join("gala"), stack.join("gala")
    stream, client = stack.pool().event_stream("gala", ada), stack.client()
    bens = stack.pool().event_stream("gala", ben)
    order(client, ada, "gala", "ada@example.org")
    order(client, ben, "gala", "ben@example.org")
    good, = stack.sql("SELECT choices FROM orders WHERE place = %s", ben.place)
    stack.sql("UPDATE orders SET choices = '[]' WHERE place = %s", ben.place)
    stack.expect_errors("condemned", "dead_letter")
    stack.onsale("rate", "gala", "100/s", expect=0)

    stream.wait("order", lambda news: news["state"] == "confirmed", seconds=20)
    bens.wait("order", lambda news: news["state"] == "failed", seconds=20)
    letters = wait_until(lambda: stack.onsale_json("dead", "list")["items"], "the dead letter is recorded", 20)
    assert [(letter["event"], letter["place"], letter["reason"]) for letter in letters] == [("gala", ben.place, "broken_order")]
    assert stack.onsale_json("audit", "gala", "--settled")["ok"]

    stack.sql("UPDATE orders SET choices = %s WHERE place = %s", good[0], ben.place)
    stack.onsale("dead", "retry", "--all", expect=0)
    confirmed = bens.wait("order", lambda news: news["state"] == "confirmed", seconds=20)
    assert confirmed.data["attempt"] == 1 and state_of(stack, "gala", ben.place) == "confirmed"

    stack.onsale("booking", "cancel", "gala", str(ada.place), expect=0)
    cancelled = stream.wait("order", lambda news: news["state"] == "cancelled", seconds=20)
    assert cancelled.data["revision"] > 3
    wait_until(lambda: stack.sql("SELECT held, sold FROM tiers") == ((0, 2),), "a booking worker has freed the places", 20)
    status = stack.onsale_json("status", "gala")
    assert [queue["consumers"] for queue in status["queues"]] == [1, 1, 1]
    wait_until(lambda: stack.sql("SELECT COUNT(*) FROM outbox") == ((0,),), "the outbox is empty", 15)
    assert stack.onsale_json("audit", "gala", "--settled")["ok"]
