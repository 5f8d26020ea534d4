# SPDX-License-Identifier: Apache-2.0
"""onsale and money, as far as it is the command line's: what it writes so that the payer gives back, and what it tells of payments."""

import csv
import io
import json
import subprocess

import pika
import pytest
from processes import wait_until

from harness.stack import BIN
from integration.test_audit_orders import broken
from integration.test_audit_payments import LOG, Paid, make_event
from integration.test_schemas import check


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def rows(prepared, request):
    """Place 1 has paid, 2 is just being charged, 3 holds, 4 is being paid, 5 was asked by the bank, 6 was declined, 7 has paid at the
    desk, 8 stands by, 9 has a capture that failed."""
    rows = make_event(prepared, request.node.name, 12)
    for place in range(1, 10):
        rows.order(place)
    rows.booking(1, revision=5)
    rows.payment(1)
    rows.booking(2, revision=5)
    rows.payment(2, "capturing")
    rows.booking(3, "held")
    rows.booking(4, "paying", revision=4)
    rows.payment(4, "confirming")
    rows.booking(5, "action_required", revision=5)
    rows.payment(5, "challenged")
    rows.booking(6, "declined", revision=5)
    rows.payment(6, "declined")
    rows.booking(7, revision=5)
    rows.run(LOG.format(7, 5, "confirmed", "onsale ada@desk", "was held"))
    rows.booking(8, "standby")
    rows.booking(9, revision=5)
    rows.payment(9, "failed")
    rows.pay_letter(9)
    rows.run("UPDATE tiers SET capacity = 17 WHERE event_id = {e}")
    assert broken(rows) == {}
    yield rows
    drain(prepared)
    prepared.sql("DELETE FROM outbox")
    prepared.sql("DELETE FROM freeings")
    prepared.sql("DELETE FROM dead_letters")


def drain(stack):
    """The bells that were rung since the last time."""
    rung = []
    connection = pika.BlockingConnection(pika.URLParameters(stack.config["amqp"]["url"]))
    try:
        channel = connection.channel()
        while True:
            try:
                frame, _, body = channel.basic_get("onsale.payments", auto_ack=True)
            except pika.exceptions.ChannelClosedByBroker:  # nobody has declared the queue yet
                return rung
            if frame is None:
                return rung
            rung.append(json.loads(body))
    finally:
        connection.close()


def payment(rows, place, number=1):
    row, = rows.stack.sql("SELECT state, aim, next_attempt_at <= UTC_TIMESTAMP(6), tries, is_dead, claim FROM payments WHERE event_id = %s "
                          "AND place = %s AND number = %s", rows.event, place, number)
    return row


def booking(rows, place):
    row, = rows.stack.sql("SELECT state, revision, refund FROM bookings WHERE event_id = %s AND place = %s", rows.event, place)
    return row


def freeings(rows):
    return rows.stack.sql("SELECT place, was, payment_open FROM freeings WHERE event_id = %s ORDER BY place", rows.event)


def told(rows):
    """The outcomes of all that the outbox holds."""
    return [outcome for (body,) in rows.stack.sql("SELECT body FROM outbox WHERE queue = 'onsale.outcomes' ORDER BY id")
            for outcome in json.loads(body)["outcomes"]]


AWAY = {"ONSALE_AMQP_URL": "amqp://guest:guest@127.0.0.1:9/"}


def cancel(rows, place, **more):
    answer = rows.stack.onsale("booking", "cancel", rows.slug, str(place), as_json=True, **more)
    if answer.code == 0:
        check("booking cancel", answer.json)
    return answer


# Cancelling

@pytest.mark.parametrize("place, state", [(1, "captured"), (2, "capturing")])
def test_what_was_paid_is_asked_back(rows, place, state):
    answer = cancel(rows, place, expect=0).json
    assert (answer["new"], answer["refund"], answer["revision"]) == ("cancelled", "pending", 6)
    assert booking(rows, place) == ("cancelled", 6, "pending")
    assert payment(rows, place) == (state, "give_back", 1, 0, 0, 0)
    assert freeings(rows) == ((place, "confirmed", 0),)  # what was sold goes back on sale whatever becomes of the money
    assert drain(rows.stack) == [{"v": 1, "type": "pay", "slug": rows.slug, "place": place}]
    assert broken(rows) == {}
    again = cancel(rows, place, expect=0).json
    assert (again["old"], again["refund"], again["revision"]) == ("cancelled", "pending", 6) and drain(rows.stack) == []


def test_a_cancellation_is_told_with_its_refund(rows):
    cancel(rows, 1, expect=0, environment=AWAY)  # the bell is a courtesy
    outcome, = told(rows)
    assert (outcome["place"], outcome["state"], outcome["refund"]) == (1, "cancelled", "pending")
    text = rows.stack.onsale("booking", "cancel", rows.slug, "2", expect=0).out
    assert f"90.00 EUR go back: refund pending, see `onsale booking show {rows.slug} 2`" in text
    assert rows.stack.onsale("booking", "cancel", rows.slug, "2", expect=0).out.endswith("cancelled already, refund pending\n")


def test_places_wait_while_the_bank_may_still_let_it_through(rows):
    answer = cancel(rows, 5, expect=0).json
    assert answer["refund"] is None and payment(rows, 5)[:3] == ("challenged", "give_back", 1)
    assert freeings(rows) == ((5, "action_required", 1),) and len(drain(rows.stack)) == 1
    assert broken(rows) == {}


def test_where_nothing_was_paid_nothing_goes_back(rows):
    for place, was in ((3, "held"), (6, "declined"), (7, "confirmed"), (8, "standby")):
        answer = cancel(rows, place, expect=0).json
        assert answer["refund"] is None and freeings(rows)[-1] == (place, was, 0)
    assert payment(rows, 6) == ("declined", "take", None, 0, 0, 0)
    assert broken(rows) == {}


def test_what_could_not_be_captured_is_let_go(rows):
    """The reservation may still stand; the letter is settled by it."""
    letter = letter_of(rows, 9)
    answer = cancel(rows, 9, expect=0).json
    assert answer["refund"] == "pending" and payment(rows, 9) == ("voiding", "give_back", 1, 0, 0, 1)
    assert rows.stack.sql("SELECT state FROM dead_letters WHERE id = %s", letter) == (("retried",),)
    assert freeings(rows) == ((9, "confirmed", 0),) and len(drain(rows.stack)) == 1 and broken(rows) == {}


def test_what_is_being_paid_is_not_cancelled(rows):
    assert "it is being paid" in cancel(rows, 4, expect=1).problem["detail"]
    assert payment(rows, 4)[:2] == ("confirming", "take") and freeings(rows) == ()


# A desk beside the provider

STRIPE = {"ONSALE_PAYMENT_PROVIDER": "stripe"}


def test_a_desk_may_sell_what_is_held(rows):
    answer = rows.stack.onsale("booking", "confirm", rows.slug, "3", "6", "4", "5", expect=1, as_json=True, environment=STRIPE).json
    check("booking confirm", answer)
    assert [(item["place"], item["confirmed"], item["why"]) for item in answer["items"]] == [
        (3, True, None), (6, True, None), (4, False, "it is being paid"), (5, False, "a payment of it is under way")]
    assert broken(rows) == {}


def test_a_desk_does_not_take_what_the_provider_may_still_take(rows):
    """The provider told of money of a declined payment: it goes back first."""
    rows.run("UPDATE payments SET state = 'voiding', next_attempt_at = '2099-01-01' WHERE event_id = {e} AND place = 6")
    item, = rows.stack.onsale("booking", "confirm", rows.slug, "6", expect=1, as_json=True).json["items"]
    assert item["why"] == "a payment of it is under way" and booking(rows, 6)[0] == "declined"


# Dead letters

def letter_of(rows, place):
    (number,), = rows.stack.sql("SELECT MAX(id) FROM dead_letters WHERE event_id = %s AND place = %s", rows.event, place)
    return str(number)


def body_of(rows, place, number=1):
    rows.stack.sql("UPDATE dead_letters SET body = %s WHERE event_id = %s AND place = %s",
                   json.dumps({"payment": {"event_id": rows.event, "place": place, "attempt": 1, "number": number}}), rows.event, place)


def retry(rows, *letters, expect=0):
    result = rows.stack.onsale("dead", "retry", *letters, expect=expect, as_json=True)
    check("dead retry", result.json)
    return result.json


def test_a_capture_is_tried_again(rows):
    letter = letter_of(rows, 9)
    assert retry(rows, letter)["retried"] == [int(letter)]
    assert payment(rows, 9) == ("capturing", "take", 1, 0, 0, 1) and booking(rows, 9) == ("confirmed", 5, None)
    assert rows.stack.sql("SELECT state FROM dead_letters WHERE id = %s", letter) == (("retried",),)
    assert drain(rows.stack) == [{"v": 1, "type": "pay", "slug": rows.slug, "place": 9}] and broken(rows) == {}
    retry(rows, letter)  # already
    assert payment(rows, 9) == ("capturing", "take", 1, 0, 0, 1) and drain(rows.stack) == []


@pytest.mark.parametrize("captured, goes_on_as", [("created_at", "refunding"), ("NULL", "voiding")])
def test_money_that_could_not_be_given_back_is_tried_again_and_its_visitor_is_told(rows, captured, goes_on_as):
    rows.run(f"UPDATE payments SET aim = 'give_back', captured_at = {captured} WHERE event_id = {{e}} AND place = 9",
             "UPDATE bookings SET state = 'cancelled', refund = 'failed', revision = 7, pay_until = NULL WHERE event_id = {e} AND place = 9",
             "UPDATE tiers SET sold = sold - 2, capacity = 15 WHERE event_id = {e}",
             "DELETE c FROM customers c JOIN orders o ON o.event_id = c.event_id AND o.customer = c.customer WHERE o.event_id = {e} AND "
             "o.place = 9")
    assert broken(rows) == {}
    result = rows.stack.onsale("dead", "retry", letter_of(rows, 9), expect=0)
    assert f"payment 1 of place 9 at {rows.slug} is given back again" in result.out
    assert payment(rows, 9)[:3] == (goes_on_as, "give_back", 1) and booking(rows, 9) == ("cancelled", 8, "pending")
    assert [(outcome["state"], outcome["refund"]) for outcome in told(rows)] in ([("cancelled", "pending")], [])
    assert broken(rows) == {}


def test_what_nobody_knows_is_asked_about_at_once(rows):
    rows.run("UPDATE payments SET is_dead = 1, tries = 12, next_attempt_at = '2099-01-01' WHERE event_id = {e} AND place = 4")
    rows.pay_letter(4, "payment_unknown")
    result = rows.stack.onsale("dead", "retry", letter_of(rows, 4), expect=0)
    assert "is asked about again" in result.out and payment(rows, 4) == ("confirming", "take", 1, 0, 0, 1)
    assert booking(rows, 4)[0] == "paying" and broken(rows) == {}


def test_letters_that_a_retry_cannot_help(rows):
    rows.run("UPDATE payments SET aim = 'give_back' WHERE event_id = {e} AND place = 9",
             "UPDATE payments SET is_dead = 1 WHERE event_id = {e} AND place = 1")  # nobody knew for long, and then it was through
    rows.pay_letter(1, "payment_unknown")
    for place, words in ((9, "something else for this payment"), (1, "nothing is left to be done")):
        refused, = retry(rows, letter_of(rows, place), expect=1)["refused"]
        assert words in refused["reason"]
    assert payment(rows, 9)[0] == "failed" and payment(rows, 1)[0] == "captured" and broken(rows) == {}
    rows.stack.onsale("dead", "discard", letter_of(rows, 9), expect=0)
    assert broken(rows) == {}


@pytest.mark.parametrize("captured, goes_on_as", [("created_at", "refunding"), ("NULL", "voiding")])
def test_what_a_ticket_does_not_need_goes_back(rows, captured, goes_on_as):
    """Late money of an earlier payment, and money that was found at the provider: the booking stays as it is."""
    rows.payment(1, "failed", number=2, aim="give_back")
    rows.run(f"UPDATE payments SET captured_at = {captured} WHERE event_id = {{e}} AND place = 1 AND number = 2",
             f"UPDATE payments SET aim = 'give_back', payment_method = '', captured_at = {captured} WHERE event_id = {{e}} AND place = 9")
    rows.pay_letter(1, "refund_failed")
    for place, number in ((1, 2), (9, 1)):
        retry(rows, letter_of(rows, place))
        assert payment(rows, place, number)[:3] == (goes_on_as, "give_back", 1)
    assert payment(rows, 1)[:2] == ("captured", "take") and booking(rows, 1) == ("confirmed", 5, None)


def test_money_that_goes_back_pays_for_no_ticket(rows):
    """So what could not be captured is wanted still."""
    rows.payment(9, "captured", number=2, aim="give_back")
    retry(rows, letter_of(rows, 9))
    assert payment(rows, 9)[:3] == ("capturing", "take", 1) and booking(rows, 9) == ("confirmed", 5, None)


def test_an_earlier_attempts_payment_is_taken_up_too(rows):
    rows.run("UPDATE payments SET aim = 'give_back', captured_at = created_at WHERE event_id = {e} AND place = 9",
             "UPDATE bookings SET state = 'cancelled', refund = 'failed', revision = 7 WHERE event_id = {e} AND place = 9",
             "UPDATE tiers SET sold = sold - 2, capacity = 15 WHERE event_id = {e}",
             "DELETE c FROM customers c JOIN orders o ON o.event_id = c.event_id AND o.customer = c.customer WHERE o.event_id = {e} AND "
             "o.place = 9")
    rows.order(9, "cancelled", attempt=2, placed="00:40")
    retry(rows, letter_of(rows, 9))
    assert payment(rows, 9)[0] == "refunding" and booking(rows, 9) == ("cancelled", 8, "pending") and broken(rows) == {}


def test_a_letter_tells_its_payment(rows):
    body_of(rows, 9)
    letter = rows.stack.onsale_json("dead", "show", letter_of(rows, 9))
    check("dead show", letter)
    intent = f"pi_{rows.event}_9_1_1"
    assert letter["payment"] == {"number": 1, "state": "failed", "intent": intent, "amount": 9000, "currency": "EUR"}
    text = rows.stack.onsale("dead", "show", letter_of(rows, 9), expect=0).out
    assert f"payment      1 of 90.00 EUR, now failed; intent {intent}\n" in text
    rows.letter(1)
    rows.stack.sql("UPDATE dead_letters SET body = %s WHERE event_id = %s AND place = 1", b"\xff\xfe no text", rows.event)
    listed = rows.stack.onsale_json("dead", "list")
    check("dead list", listed)
    assert [(item["place"], item["payment"] and item["payment"]["number"]) for item in listed["items"]] == [(9, 1), (1, None)]


# One visitor's story

def test_the_story_of_a_visitor_who_paid(rows):
    rows.run("UPDATE payments SET number = 2 WHERE event_id = {e} AND place = 1")
    rows.payment(1, "declined", at="20", intent=f"pi_{rows.event}_first")
    intent = f"pi_{rows.event}_1_1_1"
    rows.run("INSERT INTO provider_events (id, type, object, body, received_at, done_at, verdict) VALUES (CONCAT('evt_', {e}), "
             f"'payment_intent.amount_capturable_updated', '{intent}', '{{}}', '2026-11-23 10:00:31', '2026-11-23 10:00:32', 'asked')",
             "INSERT INTO cards (event_id, place, number, visitor, state, idempotency_key, label, created_at, changed_at) VALUES ({e}, 1, "
             "1, UNHEX(MD5('x')), 'kept', MD5(UUID()), 'visa 4242', '2026-11-23 10:00:00.75', '2026-11-23 10:00:00.78')")
    story = rows.stack.onsale_json("booking", "show", rows.slug, "1")
    check("booking show", story)
    steps = [(step["step"], step["detail"]) for step in story["steps"]]
    assert steps == sorted(steps, key=lambda step: [s["at"] for s in story["steps"]][steps.index(step)])
    assert ("card left", "card 1: visa 4242") in steps and ("payment declined", "payment 1: card_declined") in steps
    assert ("payment begun", f"payment 2, 90.00 EUR, {intent}") in steps
    assert ("authorised", "payment 2") in steps and ("captured", "payment 2") in steps
    assert ("provider told", f"payment 2: payment_intent.amount_capturable_updated, evt_{rows.event}, asked") in steps
    first, second = story["attempts"][0]["payments"]
    assert (first["state"], first["reason"], first["told"]) == ("declined", "card_declined", [])
    assert (second["intent"], second["captured_at"], [event["id"] for event in second["told"]]) == (
        intent, "2026-11-23T10:00:30Z", [f"evt_{rows.event}"])
    assert [card["label"] for card in story["cards"]] == ["visa 4242"]
    text = rows.stack.onsale("booking", "show", rows.slug, "1", expect=0).out
    assert f"payment 1: declined, 90.00 EUR, card_declined, pi_{rows.event}_first\npayment 2: captured, 90.00 EUR, {intent}\n" in text


def test_the_story_of_money_that_goes_back(rows):
    cancel(rows, 1, expect=0)
    text = rows.stack.onsale("booking", "show", rows.slug, "1", expect=0).out
    assert "payment 1: captured (give back), 90.00 EUR" in text and "\nrefund pending\n" in text
    assert "payment 1, is given back, 0 looks without an answer, the next at" in text
    rows.run("UPDATE payments SET state = 'refunded', refund = 're_1', returned_at = UTC_TIMESTAMP(6), next_attempt_at = NULL WHERE "
             "event_id = {e} AND place = 1", "UPDATE bookings SET refund = 'done', revision = 7 WHERE event_id = {e} AND place = 1")
    story = rows.stack.onsale_json("booking", "show", rows.slug, "1")
    check("booking show", story)
    assert [step["step"] for step in story["steps"]][-2:] == ["cancelled", "payment refunded"]
    assert story["attempts"][0]["payments"][0]["refund"] == "re_1" and story["attempts"][0]["booking"]["refund"] == "done"
    text = rows.stack.onsale("booking", "show", rows.slug, "4", expect=0).out
    assert "confirming" in text and "payment 1, 0 looks without an answer, the next at 2099-01-01T00:00:00Z" in text


# A show that is off

def close(rows):
    rows.run("UPDATE events SET state = 'closed' WHERE id = {e}",
             "INSERT INTO event_log (event_id, at, actor, action) VALUES ({e}, UTC_TIMESTAMP(6), 'a', 'close')")


def refund(rows, *more, expect=0, seconds=60):
    answer = rows.stack.onsale("event", "refund", rows.slug, *more, expect=expect, as_json=True, seconds=seconds).json
    check("event refund", answer)
    return answer


def refund_command(rows, *more):
    return [str(BIN / "onsale"), "--config", str(rows.stack.config_path), "event", "refund", rows.slug, *more]


def states(rows):
    return dict(rows.stack.sql("SELECT state, COUNT(*) FROM bookings WHERE event_id = %s GROUP BY state", rows.event))


def test_only_what_is_closed_is_refunded(rows):
    result = rows.stack.onsale("event", "refund", rows.slug, expect=1)
    assert f"`onsale close {rows.slug}` first" in result.err and booking(rows, 1)[0] == "confirmed"
    rows.stack.onsale("event", "refund", "nobody", expect=3)
    for wait in ("0", "-1", "x", "86401", ""):
        rows.stack.onsale("event", "refund", rows.slug, f"--wait={wait}", expect=2)


def test_an_event_that_is_opened_again_meanwhile_is_not_refunded(rows):
    """What was read without a lock only says that it is worth trying."""
    close(rows)
    with rows.stack.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("SELECT state FROM events WHERE id = %s FOR UPDATE", (rows.event,))
        command = subprocess.Popen(refund_command(rows), stderr=subprocess.PIPE, text=True, env=rows.stack.environment(),
                                   cwd=rows.stack.folder)
        wait_until(lambda: rows.stack.sql("SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
                                          " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.db = %s",
                                          rows.stack.name)[0][0] > 0, "the command to wait for the event", 20, pause=0.25)
        cursor.execute("UPDATE events SET state = 'open' WHERE id = %s", (rows.event,))
        connection.commit()
    _, error = command.communicate(timeout=60)
    assert command.returncode == 1 and "the event is not closed" in error, error
    assert booking(rows, 1) == ("confirmed", 5, None) and freeings(rows) == ()


def test_a_show_that_is_off(rows):
    close(rows)
    dry = refund(rows, "--dry-run")
    assert dry["left"] == {"confirmed": 4, "unpaid": 4, "paying": 1} and dry["cancelled"] == 0
    assert dry["amounts"] == [{"currency": "EUR", "pending": 0, "done": 0, "failed": 0, "confirmed": 36000}]
    assert booking(rows, 1)[0] == "confirmed"
    answer = refund(rows, expect=1)  # somebody is paying
    assert answer["cancelled"] == 8 and answer["left"] == {"confirmed": 0, "unpaid": 0, "paying": 1}
    assert answer["refunds"] == {"pending": 3, "with_bank": 0, "done": 0, "failed": 0} and answer["paid_elsewhere"] == 1
    assert answer["amounts"] == [{"currency": "EUR", "pending": 27000, "done": 0, "failed": 0, "confirmed": 0}]
    assert states(rows) == {"cancelled": 8, "paying": 1} and drain(rows.stack) == [{"v": 1, "type": "pay", "slug": rows.slug, "place": 0}]
    assert payment(rows, 1)[:3] == ("captured", "give_back", 1) and payment(rows, 5)[:3] == ("challenged", "give_back", 1)
    assert {(place, waits) for place, _, waits in freeings(rows)} == {(n, int(n == 5)) for n in (1, 2, 3, 5, 6, 7, 8, 9)}
    assert {(outcome["place"], outcome["state"]) for outcome in told(rows)} <= {(n, "cancelled") for n in range(1, 10)}
    assert refund(rows, expect=1)["cancelled"] == 0  # and again
    assert broken(rows) == {}


def test_waiting_for_the_money(rows):
    """Somebody who was paying gets the ticket meanwhile, and it is cancelled as well; then the payer comes to an end."""
    close(rows)
    refund(rows, expect=1)
    assert refund(rows, "--wait", "1", expect=1)["refunds"]["pending"] == 3
    command = subprocess.Popen(refund_command(rows, "--wait", "60"), stdout=subprocess.PIPE, text=True,
                               env=rows.stack.environment(), cwd=rows.stack.folder)
    try:
        rows.run("UPDATE bookings SET state = 'confirmed', revision = revision + 1, pay_until = NULL WHERE event_id = {e} AND place = 4",
                 "UPDATE payments SET state = 'captured', captured_at = UTC_TIMESTAMP(6), next_attempt_at = NULL WHERE event_id = {e} AND "
                 "place = 4", "UPDATE tiers SET held = held - 2, sold = sold + 2 WHERE event_id = {e}")
        wait_until(lambda: booking(rows, 4)[0] == "cancelled", "place 4 to be cancelled", 20)
        assert command.poll() is None
        rows.run("UPDATE payments SET state = 'refunded', returned_at = UTC_TIMESTAMP(6), next_attempt_at = NULL WHERE event_id = {e} AND "
                 "aim = 'give_back' AND state = 'captured'", "UPDATE payments SET state = 'voided', returned_at = UTC_TIMESTAMP(6), "
                 "next_attempt_at = NULL WHERE event_id = {e} AND aim = 'give_back' AND state IN ('capturing', 'challenged', 'voiding')",
                 "UPDATE freeings SET payment_open = 0 WHERE event_id = {e}",
                 "UPDATE bookings SET refund = 'done', revision = revision + 1 WHERE event_id = {e} AND refund = 'pending'")
        out, _ = command.communicate(timeout=30)
        assert command.returncode == 0 and "refunds done: 4, 360.00 EUR\n" in out, out
    finally:
        command.kill()
        command.wait()
    assert broken(rows) == {}


def test_a_refund_that_failed_is_not_done(rows):
    close(rows)
    refund(rows, expect=1)
    rows.run("UPDATE payments SET state = 'voided', next_attempt_at = NULL WHERE event_id = {e} AND state <> 'declined'",
             "UPDATE bookings SET state = 'expired', pay_until = NULL WHERE event_id = {e} AND place = 4",
             "UPDATE bookings SET refund = 'done' WHERE event_id = {e} AND refund = 'pending'")
    assert refund(rows)["refunds"] == {"pending": 0, "with_bank": 0, "done": 3, "failed": 0}
    rows.run("UPDATE bookings SET refund = 'failed' WHERE event_id = {e} AND place = 1")
    assert refund(rows, expect=1)["refunds"] == {"pending": 0, "with_bank": 0, "done": 2, "failed": 1}
    assert "refunds failed (see `onsale dead list`): 1, 90.00 EUR\n" in rows.stack.onsale("event", "refund", rows.slug, expect=1).out


MANY = 1000
DIGITS = "(" + " UNION ALL ".join(f"SELECT {n} AS n" for n in range(10)) + ")"
PLACES = f"(SELECT 101 + a.n + 10 * b.n + 100 * c.n AS place FROM {DIGITS} a, {DIGITS} b, {DIGITS} c) AS p"


def test_killed_in_the_middle_it_goes_on(prepared, request):
    """Nothing is lost or doubled: each booking is cancelled once, told once, and its payment asked back once."""
    rows = make_event(prepared, request.node.name, 12)
    at = "'2026-11-23 10:00:20'"
    choices = json.dumps([{"tier": "floor", "tickets": {"full": 1}, "quantity": 1, "amount": 4500}])
    rows.run(
        f"INSERT INTO arrivals (event_id, number, visitor, joined_at) SELECT {{e}}, place, UNHEX(MD5(place)), {at} FROM {PLACES}",
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, published, tier, quantity, amount, currency, choices, "
        f"email, customer, placed_at, changed_at, released_at) SELECT {{e}}, place, 1, UNHEX(MD5(place)), 'released', 2, 1, 'floor', 1, "
        f"4500, 'EUR', '{choices}', CONCAT(place, '@x'), UNHEX(MD5(place)), {at}, {at}, {at} FROM {PLACES}",
        "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, currency, customer, reference, "
        f"created_at, changed_at) SELECT {{e}}, place, 1, 'confirmed', 5, 'floor', 1, 4500, 'EUR', UNHEX(MD5(place)), "
        f"LPAD(place, 9, 'K'), {at}, {at} FROM {PLACES}",
        "INSERT INTO payments (event_id, place, attempt, number, state, payment_method, amount, currency, idempotency_key, intent, "
        "created_at, changed_at, captured_at) SELECT {e}, place, 1, 1, 'captured', 'x', 4500, 'EUR', MD5(UUID()), "
        f"CONCAT('pi_', {{e}}, '_', place), {at}, {at}, {at} FROM {PLACES}")
    close(rows)
    command = subprocess.Popen(refund_command(rows), stdout=subprocess.PIPE, text=True, env=prepared.environment(),
                               cwd=prepared.folder)
    assert command.stdout.readline() == f"128 of {MANY} cancelled\n"
    command.kill()
    command.wait()
    done = states(rows).get("cancelled", 0)
    assert 128 <= done < MANY
    answer = refund(rows)
    assert answer["cancelled"] == MANY - done and answer["refunds"]["pending"] == MANY and states(rows) == {"cancelled": MANY}
    assert prepared.sql("SELECT COUNT(*), COUNT(DISTINCT place) FROM order_log WHERE event_id = %s AND state = 'cancelled'",
                        rows.event) == ((MANY, MANY),)
    assert prepared.sql("SELECT COUNT(*) FROM payments WHERE event_id = %s AND aim = 'give_back' AND next_attempt_at IS NOT NULL",
                        rows.event) == ((MANY,),)
    assert prepared.sql("SELECT DISTINCT revision FROM bookings WHERE event_id = %s", rows.event) == ((6,),)
    assert prepared.sql("SELECT COUNT(*) FROM freeings WHERE event_id = %s", rows.event) == ((MANY,),)


# Lists and the status

def test_the_door_list_says_what_was_charged(rows):
    listed = rows.stack.onsale_json("booking", "list", rows.slug)
    check("booking list", listed)
    assert [(item["place"], item["amount"], item["charged"]) for item in listed["items"]][:4] == [
        (1, 9000, 9000), (2, 9000, 0), (3, 9000, 0), (4, 9000, 0)]
    records = list(csv.DictReader(io.StringIO(rows.stack.onsale("booking", "list", rows.slug, "--csv", expect=0).out)))
    assert list(records[0])[-2:] == ["seats", "charged"]
    assert [(record["amount"], record["charged"]) for record in records[:2]] == [("90.00", "90.00"), ("90.00", "0.00")]


def test_the_status_tells_how_payments_stand(rows):
    status = rows.stack.onsale_json("status", rows.slug)
    check("status", status)
    assert {state: count for state, count in status["payments"].items() if count} == {
        "captured": 1, "capturing": 1, "confirming": 1, "challenged": 1, "declined": 1, "failed": 1}
    rows.run("UPDATE payments SET created_at = UTC_TIMESTAMP(6) - INTERVAL 90 SECOND, changed_at = UTC_TIMESTAMP(6) WHERE event_id = {e}",
             "UPDATE payments SET created_at = UTC_TIMESTAMP(6) - INTERVAL 900 SECOND WHERE event_id = {e} AND state = 'captured'",
             "UPDATE payments SET created_at = UTC_TIMESTAMP(6) - INTERVAL 80 SECOND WHERE event_id = {e} AND place = 5")
    assert 90000 <= rows.stack.onsale_json("status", rows.slug)["oldest_payment_ms"] < 120000
    text = rows.stack.onsale("status", rows.slug, expect=0).out
    assert "payments      1 confirming, 1 challenged, 1 capturing, 1 captured, 1 declined, 1 failed; the oldest under way for 9" in text
    # Whose the oldest is, so that its story can be looked at, and whether it is the provider who does not answer.
    assert " s, at place 4\n" in text and status["payments_unanswered"] == 0
    rows.run("UPDATE payments SET tries = 3 WHERE event_id = {e} AND place IN (1, 2, 4, 9)")  # 1 and 9 are at their ends
    status = rows.stack.onsale_json("status", rows.slug)
    check("status", status)
    assert (status["oldest_payment_place"], status["payments_unanswered"]) == (4, 2)
    assert " s, at place 4; 2 wait for the provider to answer\n" in rows.stack.onsale("status", rows.slug, expect=0).out
    # What was paid long ago and goes back now has been on its way for as long as it has been going back.
    rows.run("UPDATE payments SET state = 'refunding', created_at = UTC_TIMESTAMP(6) - INTERVAL 9 DAY, changed_at = UTC_TIMESTAMP(6) - "
             "INTERVAL 30 SECOND WHERE event_id = {e}")
    rows.run("UPDATE payments SET changed_at = UTC_TIMESTAMP(6) - INTERVAL 40 SECOND WHERE event_id = {e} AND place = 5")
    status = rows.stack.onsale_json("status", rows.slug)
    assert 40000 <= status["oldest_payment_ms"] < 70000 and status["oldest_payment_place"] == 5
    rows.run("UPDATE payments SET state = 'voided', next_attempt_at = NULL WHERE event_id = {e}")
    status = rows.stack.onsale_json("status", rows.slug)
    check("status", status)
    assert (status["oldest_payment_ms"], status["oldest_payment_place"], status["payments_unanswered"]) == (None, None, 0)
    rows.run("DELETE FROM payments WHERE event_id = {e}")
    assert "\npayments " not in rows.stack.onsale("status", rows.slug, expect=0).out


def test_the_status_tells_of_the_payers_bell(paying_stack):
    """Who takes cards sees whether payers hear: the queue, and that somebody reads it."""
    stack = paying_stack
    stack.event("gala")
    queues = {queue["name"]: queue for queue in stack.onsale_json("status", "gala")["queues"]}
    assert queues["onsale.payments"] == {"name": "onsale.payments", "messages": 0, "consumers": 1}
    assert "onsale.payments: 0 waiting, 1 consumer\n" in stack.onsale("status", "gala", expect=0).out
    worker, = stack.workers
    worker.end(10)
    connection = pika.BlockingConnection(pika.URLParameters(stack.config["amqp"]["url"]))
    connection.channel().basic_publish("", "onsale.payments", b"{}")
    connection.close()
    wait_until(lambda: "onsale.payments: 1 waiting, 0 consumers\n" in stack.onsale("status", "gala", expect=0).out,
               "the status tells that no payer hears", 10)


def test_the_status_leaves_out_the_bell_where_no_card_is_taken(rows):
    def names():
        return [queue["name"] for queue in rows.stack.onsale_json("status", rows.slug)["queues"]]

    cancel(rows, 1)  # it tells and rings, and so makes the queues
    assert names()[-1] == "onsale.payments"  # no card is taken now, but this event has payments
    rows.run("DELETE FROM payments WHERE event_id = {e}")
    assert names() == [f"onsale.bookings.{rows.event % 8}", "onsale.outcomes", "onsale.dead"]
