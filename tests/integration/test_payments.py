# SPDX-License-Identifier: Apache-2.0
"""The payer: what becomes of payments whatever the provider, the worker and the servers do. Every test ends with the ledger and the bookings
agreeing."""

import secrets
from datetime import datetime

import pytest
from harness.bank import assert_ledger_agrees
from harness.booth import Booth, choice, open_booth
from harness.stack import PATIENCE
from processes import wait_until

OPEN = ("created", "confirming", "challenged", "authorised", "capturing", "voiding", "refunding")


def booth_with_bank(stack_factory, **options):
    tiers = options.pop("tiers", [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 100}])
    return open_booth(stack_factory, bank=True, tiers=tiers, line=options.pop("line", 40), max_per_customer=100, **options)


@pytest.fixture
def booth(stack_factory):
    return booth_with_bank(stack_factory)


def payments(booth, place=None):
    """{(place, number): (state, aim, reason)}"""
    rows = booth.stack.sql("SELECT place, number, state, aim, reason FROM payments WHERE event_id = %s AND (%s IS NULL OR place = %s)",
                           booth.event_id, place, place)
    return {(where, number): rest for where, number, *rest in rows}


def wait_payment(booth, place, *states, number=1, seconds=20):
    wait_until(lambda: payments(booth, place).get((place, number), [None])[0] in states, f"payment {place} to be one of {states}",
               seconds * PATIENCE)


def wait_settled(booth, seconds=60):
    wait_until(lambda: not any(state in OPEN for state, *_ in payments(booth).values()), "all payments to come to an end",
               seconds * PATIENCE)


def agree(booth):
    """Nothing is under way any more; what was taken is what was booked."""
    wait_settled(booth)
    booth.check()
    assert_ledger_agrees(booth.stack, booth.slug, booth.stack.bank)


def pay_again(booth, place, method, number, attempt=1):
    """What a waiting room does when the visitor pays."""
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT amount, currency FROM bookings WHERE event_id = %s AND place = %s AND attempt = %s AND state IN"
                       " ('held', 'declined') FOR UPDATE", (booth.event_id, place, attempt))
        (amount, currency), = cursor.fetchall()
        cursor.execute("UPDATE bookings SET state = 'paying', reason = NULL, revision = revision + 1 WHERE event_id = %s AND place = %s"
                       " AND attempt = %s", (booth.event_id, place, attempt))
        cursor.execute("INSERT INTO payments (event_id, place, attempt, number, payment_method, amount, currency, idempotency_key,"
                       " next_attempt_at, created_at, changed_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6),"
                       " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
                       (booth.event_id, place, attempt, number, method, amount, currency, secrets.token_hex(16)))
        cursor.execute("COMMIT")


def unwanted(booth, place, **fields):
    """Somebody ends the booking: its money is to go back."""
    sets = "".join(f", {name} = {value!r}" for name, value in fields.items())
    booth.stack.sql("UPDATE bookings SET state = 'cancelled', revision = revision + 1, pay_until = NULL" + sets +
                    " WHERE event_id = %s AND place = %s", booth.event_id, place)
    booth.stack.sql("UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place = %s",
                    booth.event_id, place)


def test_an_order_with_a_payment_method_is_paid(booth):
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "confirmed"})
    agree(booth)
    assert payments(booth) == {(1, 1): ["captured", "take", None]}
    intent, = booth.stack.bank.intents(place=1)
    assert (intent["status"], intent["captured"], intent["currency"]) == ("succeeded", 4500, "EUR")
    told = [(outcome["state"], outcome["revision"]) for outcome in booth.outcomes()[1, 1]]
    assert told == [("paying", 4), ("confirmed", 5)]
    # What was free is confirmed at once, as ever; what nobody said how to pay is held.
    booth.book(2, choices=[choice(amount=0)], payment_method="pm_card_visa")
    booth.book(3)
    booth.wait_states({2: "confirmed", 3: "held"})
    assert set(payments(booth)) == {(1, 1)}
    booth.book(4, choices=[choice(quantity=3)], payment_method="pm_card_visa")
    booth.wait_states({4: "confirmed"})
    agree(booth)


def test_declines_leave_the_hold_and_another_payment_may_follow(booth):
    booth.book(1, payment_method="pm_card_chargeDeclinedInsufficientFunds")
    booth.book(2, payment_method="pm_nobody_knows")
    booth.book(3, payment_method="pm_card_chargeDeclined")
    booth.wait_states({1: "declined", 2: "declined", 3: "declined"})
    assert [booth.booking(place)["reason"] for place in (1, 2, 3)] == ["insufficient_funds", "payment_method_invalid", "card_declined"]
    for number in (2, 3, 4):
        pay_again(booth, 1, "pm_card_chargeDeclinedExpiredCard", number)
        wait_payment(booth, 1, "declined", number=number)
    booth.wait_states({1: "declined"})
    pay_again(booth, 1, "pm_card_visa", 5)
    booth.wait_states({1: "confirmed"})
    booth.lapse(2, 3)
    booth.wait_states({2: "expired", 3: "expired"})
    agree(booth)
    told = booth.outcomes()
    assert [outcome["state"] for outcome in told[2, 1]] == ["paying", "declined", "expired"]
    assert "pay_until_us" in told[2, 1][1] and "pay_until_us" not in told[2, 1][0]


def test_the_bank_asks(booth):
    bank = booth.stack.bank
    booth.book(*range(1, 6), payment_method="pm_sandbox_challenge")
    booth.wait_states({place: "action_required" for place in range(1, 6)})
    urls = dict(booth.stack.sql("SELECT place, action_url FROM bookings WHERE event_id = %s", booth.event_id))
    assert all("/challenge/" in url for url in urls.values())
    told = booth.outcomes()
    assert [outcome["state"] for outcome in told[1, 1]] == ["paying", "action_required"] and told[1, 1][1]["action_url"] == urls[1]
    def looks():
        return booth.stack.sql("SELECT claim FROM payments WHERE event_id = %s AND place = 3", booth.event_id)[0][0]
    before = looks()
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place = 3", booth.event_id)
    wait_until(lambda: looks() >= before + 2, "it to be asked about, and the answer to be written", 20 * PATIENCE)
    assert bank.answer_challenge(urls[1], yes=True) and bank.answer_challenge(urls[2], yes=False)
    # The provider says that there is news, or the page of the visitor who comes back does.
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) SELECT CONCAT('evt_', place),"
                    " 'payment_intent.processing', intent, '{}', UTC_TIMESTAMP(6) FROM payments WHERE event_id = %s AND place < 3",
                    booth.event_id)
    booth.wait_states({1: "confirmed", 2: "declined"})
    assert booth.booking(2)["reason"] == "authentication_failed"
    # 3 never answers, 4 answers in the last moment without anybody telling, 5 gives up.
    assert bank.answer_challenge(urls[4], yes=True)
    unwanted(booth, 5)
    booth.stack.sql("INSERT INTO freeings VALUES (%s, 5, 1, 'action_required', 0, UTC_TIMESTAMP(6), 1)", booth.event_id)
    booth.lapse(3, 4)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s AND place IN (3, 4)", booth.event_id)
    booth.wait_states({3: "expired", 4: "confirmed", 5: "cancelled"})
    agree(booth)
    assert [bank.intents(place=place)[0]["status"] for place in (3, 4, 5)] == ["canceled", "succeeded", "canceled"]
    assert booth.stack.sql("SELECT done_at IS NOT NULL, verdict FROM provider_events") == ((1, "asked"), (1, "asked"))
    # Its story is told, and that nothing had happened yet, every few seconds, is not.
    told = [(line.fields["call"], line.fields["state"]) for worker in booth.stack.workers for line in worker.log_lines("payment", place=3)
            if line.level != "debug"]
    assert ("confirm", "challenged") in told and told[-1][1] == "voided" and ("ask", "challenged") not in told, told


def test_many_questions_that_are_over_at_once(booth):
    """What the bank says of all of them comes together: each place is freed, and none of those that were paid in the last moment."""
    bank = booth.stack.bank
    places = range(1, 41)
    booth.book(*places, payment_method="pm_sandbox_challenge")
    booth.wait_states({place: "action_required" for place in places}, 30)
    urls = dict(booth.stack.sql("SELECT place, action_url FROM bookings WHERE event_id = %s", booth.event_id))
    paid = [place for place in places if place % 7 == 0]
    assert all(bank.answer_challenge(urls[place], yes=True) for place in paid)
    bank.freeze()
    booth.lapse(*places)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    wait_until(lambda: booth.stack.sql("SELECT COUNT(*) FROM payments WHERE aim = 'close' AND is_claimed = 1") == ((len(places),),),
               "all of them to be asked about", 20 * PATIENCE)
    bank.resume()
    booth.wait_states({place: "confirmed" if place in paid else "expired" for place in places}, 60)
    agree(booth)
    assert booth.stack.sql("SELECT held, sold FROM tiers") == ((0, len(paid)),)


def test_a_bank_that_is_away_when_the_hold_is_over_is_given_its_time(booth):
    """It is asked again after a second, after five, and so on; not as fast as it can be refused."""
    bank = booth.stack.bank
    booth.book(1, payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    bank.kill()
    booth.lapse(1)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)

    def looks():
        return [datetime.fromisoformat(line.time) for worker in booth.stack.workers
                for line in worker.log_lines("payment", place=1, call="ask", result="busy")]
    wait_until(lambda: len(looks()) >= 2, "it to be asked twice", 20 * PATIENCE)
    first, second = looks()[:2]
    assert (second - first).total_seconds() > 0.9
    bank.start()
    booth.wait_states({1: "expired"}, 20)
    agree(booth)


def test_nothing_is_free_before_the_provider_says_so(booth):
    """A hold runs out while the bank asks, and the provider is silent."""
    bank = booth.stack.bank
    booth.book(1, choices=[choice(quantity=100)], payment_method="pm_sandbox_challenge")
    booth.wait_states({1: "action_required"})
    booth.book(2, payment_method="pm_card_visa")
    booth.wait_states({2: "standby"})
    bank.behave(call="cancel", place=1, do="silence", executed=False, times=2)
    booth.lapse(1)
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    wait_payment(booth, 1, "voiding")
    wait_until(lambda: bank.calls()["counts"].get("cancel", 0) >= 2, "a second cancel", 30 * PATIENCE)
    assert booth.states() == {1: "action_required", 2: "standby"}
    booth.wait_states({1: "expired", 2: "confirmed"}, 40)
    agree(booth)


# What the provider does to a call, and what comes of it all the same.
MISDEEDS = [(call, deed) for call in ("create", "confirm", "capture") for deed in (
    {"do": "silence"}, {"do": "silence", "executed": False}, {"do": "cut"}, {"do": "cut", "executed": False}, {"do": "garbage"},
    {"do": "garbage", "executed": False}, {"do": "empty"}, {"do": "other_shape"}, {"do": "huge"}, {"do": "redirect"}, {"do": "error_inside"},
    {"do": "error_500"}, {"do": "error_500", "executed": True}, {"do": "busy_429"}, {"do": "wrong_id"}, {"do": "twice"})]


def test_whatever_an_answer_is_like(stack_factory):
    booth = booth_with_bank(stack_factory, line=len(MISDEEDS), hold_seconds=3600)
    for place, (call, deed) in enumerate(MISDEEDS, 1):
        booth.stack.bank.behave(call=call, place=place, times=1, **deed)
    booth.book(*range(1, len(MISDEEDS) + 1), payment_method="pm_card_visa")
    booth.wait_states({place: "confirmed" for place in range(1, len(MISDEEDS) + 1)}, 60)
    agree(booth)
    assert booth.stack.bank.calls()["redirects_followed"] == 0
    hits = [rule["hits"] for rule in booth.stack.bank.rules()]
    assert all(hits), hits
    assert all(len(booth.stack.bank.intents(place=place, status="succeeded")) == 1 for place in range(1, len(MISDEEDS) + 1))


@pytest.mark.parametrize("deed", ["wrong_amount", "wrong_currency"])
def test_another_amount_is_given_back_and_an_operator_told(booth, deed):
    bank = booth.stack.bank
    bank.behave(call="create", place=1, do=deed)
    bank.behave(call="confirm", place=2, do=deed)
    booth.book(1, 2, payment_method="pm_card_visa")
    booth.wait_states({1: "failed", 2: "failed"})
    agree(booth)
    assert booth.booking(1)["reason"] == "payment_failed"
    assert not bank.intents(status="succeeded") and not bank.intents(status="requires_capture")
    letters = booth.take("onsale.dead", 2)
    assert {letter["reason"] for letter in letters} == {"provider_wrong"} and {letter["place"] for letter in letters} == {1, 2}


def test_a_silent_provider_is_asked_until_it_answers_and_an_operator_is_called(booth):
    bank = booth.stack.bank
    bank.behave(call="confirm", place=1, do="silence", times=0)
    bank.behave(call="ask", place=1, do="garbage", times=0)
    booth.book(1, payment_method="pm_card_visa")
    wait_payment(booth, 1, "confirming")
    wait_until(lambda: bank.calls()["counts"].get("ask", 0) >= 1, "it to be asked about", 20 * PATIENCE)
    # An hour goes by.
    booth.stack.sql("UPDATE payments SET tries = 9, next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    letter, = booth.take("onsale.dead", 1, seconds=20)
    assert (letter["reason"], letter["place"], letter["queue"]) == ("payment_unknown", 1, "onsale.payments")
    assert booth.booking(1)["state"] == "paying" and booth.booking(1)["reason"] == "payment_unknown"
    assert [outcome["state"] for outcome in booth.outcomes()[1, 1]] == ["paying", "paying"]
    booth.lapse(1)  # the hold cannot run out meanwhile
    bank.clear()
    booth.stack.sql("UPDATE payments SET next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s", booth.event_id)
    booth.wait_states({1: "confirmed"})
    agree(booth)
    assert booth.booking(1)["reason"] is None


def test_what_cannot_be_captured_or_refunded_is_an_operators(booth):
    booth.book(1, payment_method="pm_sandbox_uncapturable")
    booth.book(2, payment_method="pm_sandbox_unrefundable")
    wait_payment(booth, 1, "failed")
    wait_payment(booth, 2, "captured")
    assert booth.states() == {1: "confirmed", 2: "confirmed"}
    unwanted(booth, 2, refund="pending")
    wait_payment(booth, 2, "failed")
    assert booth.stack.sql("SELECT refund FROM bookings WHERE event_id = %s AND place = 2", booth.event_id) == (("failed",),)
    letters = {letter["reason"]: letter for letter in booth.take("onsale.dead", 2)}
    assert sorted(letters) == ["capture_failed", "refund_failed"]
    # What the provider refused is what the operator reads, although it was asked once more since.
    assert "charge_expired_for_capture" in letters["capture_failed"]["detail"]
    assert "charge_disputed" in letters["refund_failed"]["detail"] and "captured" in letters["refund_failed"]["detail"]
    assert booth.outcomes()[2, 1][-1]["refund"] == "failed"


def test_an_authorisation_that_runs_out_is_an_operators(booth):
    """A week without a capture: the provider ends it by itself. The ticket is kept, and somebody hears of it."""
    bank = booth.stack.bank
    bank.behave(call="capture", do="busy_429", times=0)
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "confirmed"})
    intent, = bank.intents(place=1)
    wait_until(lambda: bank.calls()["counts"].get("capture", 0) >= 1, "a capture", 20 * PATIENCE)
    bank.lapse(intent["id"])
    bank.clear()
    wait_payment(booth, 1, "failed", seconds=60)
    letter, = booth.take("onsale.dead", 1)
    assert letter["reason"] == "capture_failed" and "cancelled, 4500 EUR, captured 0" in letter["detail"]
    assert booth.states() == {1: "confirmed"}
    # Taking the ticket back finds nothing to give.
    unwanted(booth, 1, refund="pending")
    booth.stack.sql("UPDATE payments SET state = 'voiding', claim = claim + 1, next_attempt_at = UTC_TIMESTAMP(6) WHERE event_id = %s",
                    booth.event_id)
    wait_payment(booth, 1, "voided")
    assert bank.ledger()["totals"] | {"by_currency": None} == {"authorised_open": 0, "captured": 0, "refunded": 0, "by_currency": None}


def test_a_question_that_nobody_can_answer_keeps_no_places(booth):
    booth.book(1, payment_method="pm_sandbox_riddle")
    booth.wait_states({1: "declined"})
    assert payments(booth)[1, 1] == ["voided", "take", "card_declined"]
    assert [intent["status"] for intent in booth.stack.bank.intents(place=1)] == ["canceled"]
    pay_again(booth, 1, "pm_card_visa", 2)
    booth.wait_states({1: "confirmed"})
    agree(booth)


def test_what_everybody_is_refused_for_is_an_operators(stack_factory):
    """An amount beyond the provider's, as one below its least: whoever pays is refused, whatever the card. That is no visitor's affair."""
    booth = booth_with_bank(stack_factory, tiers=[{"code": "floor", "name": "Floor", "price": 100_000_000, "capacity": 10}])
    booth.stack.expect_errors("payment")
    booth.book(1, choices=[choice(amount=100_000_000)], payment_method="pm_card_visa")
    booth.wait_states({1: "declined"})
    line, = booth.stack.workers[0].log_lines("payment", place=1, call="create")
    assert (line.level, *(line.fields[name] for name in ("result", "param", "code"))) == ("error", "refused", "amount", "amount_too_large")
    booth.book(2, payment_method="pm_nobody_knows")
    booth.wait_states({1: "declined", 2: "declined"})
    line, = booth.stack.workers[0].log_lines("payment", place=2, call="create")
    assert (line.level, *(line.fields[name] for name in ("result", "param"))) == ("info", "refused", "payment_method")


def test_money_goes_back_whatever_is_under_way(booth):
    bank = booth.stack.bank
    bank.behave(call="capture", place=1, do="slow", seconds=2)
    bank.behave(call="capture", place=2, do="slow", seconds=2, executed=True)
    booth.book(1, 2, 3, payment_method="pm_card_visa")
    booth.book(4, payment_method="pm_card_pendingRefund")
    booth.wait_states({1: "confirmed", 2: "confirmed", 3: "confirmed", 4: "confirmed"})
    wait_payment(booth, 3, "captured")
    wait_payment(booth, 4, "captured")
    for place in (1, 2, 3, 4):
        unwanted(booth, place, refund="pending")
    booth.stack.sql("INSERT INTO freeings SELECT event_id, place, attempt, 'confirmed', 1, UTC_TIMESTAMP(6), 0 FROM bookings"
                    " WHERE event_id = %s", booth.event_id)
    wait_until(lambda: booth.stack.sql("SELECT COUNT(*) FROM bookings WHERE event_id = %s AND refund = 'done'",
                                       booth.event_id)[0][0] == 4, "four refunds", 40 * PATIENCE)
    agree(booth)
    assert sum(intent["captured"] - intent["refunded"] for intent in bank.ledger()["intents"]) == 0
    told = booth.outcomes()
    assert all(told[place, 1][-1]["refund"] == "done" for place in (1, 2, 3, 4))


@pytest.mark.parametrize("after", ["false", "true"], ids=["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6], ids=["create", "confirm", "ask", "capture", "cancel", "refund"])
def test_a_worker_that_dies_at_a_call(stack_factory, call, after):
    booth = booth_with_bank(stack_factory)
    bank, worker = booth.stack.bank, booth.stack.workers[0]
    if call == 3:
        bank.behave(call="confirm", place=1, do="cut")
    if call in (5, 6):  # they need somebody who does not want it any more
        booth.book(1, payment_method="pm_sandbox_challenge" if call == 5 else "pm_card_visa")
        wait_payment(booth, 1, "challenged" if call == 5 else "captured")
        worker.end()
    else:
        worker.end()
        booth.book(1, payment_method="pm_card_visa")
    mean = booth.stack.start_program("booking-worker", wait=False, environment={
        "ONSALE_BOOKING_WORKER_TEST_CRASH_PAYMENT_CALL": str(call), "ONSALE_BOOKING_WORKER_TEST_CRASH_AFTER": after})
    if call in (5, 6):
        unwanted(booth, 1, refund="pending")
    wait_until(lambda: not mean.alive(), "the worker to die", 20 * PATIENCE)
    mean.killed = True
    worker.start()
    worker.wait_ready(30 * PATIENCE)
    wait_payment(booth, 1, "captured" if call < 5 else "voided" if call == 5 else "refunded", seconds=40)
    if call in (5, 6):
        booth.stack.sql("INSERT INTO freeings VALUES (%s, 1, 1, %s, 1, UTC_TIMESTAMP(6), 0)", booth.event_id,
                        "action_required" if call == 5 else "confirmed")
    agree(booth)
    assert len(bank.intents(place=1)) == 1
    assert booth.states() == {1: "confirmed" if call < 5 else "cancelled"}


@pytest.mark.parametrize("rule", [{"die": "before"}, {"die": "after_executing"}], ids=["before", "after"])
@pytest.mark.parametrize("call", ["create", "confirm", "capture"])
def test_a_bank_that_dies_at_a_call(booth, call, rule):
    bank = booth.stack.bank
    bank.behave(call=call, place=1, **rule)
    booth.book(1, 2, 3, payment_method="pm_card_visa")
    bank.wait_dead()
    bank.start()
    booth.wait_states({1: "confirmed", 2: "confirmed", 3: "confirmed"}, 40)
    agree(booth)
    assert all(len(bank.intents(place=place)) == 1 for place in (1, 2, 3))


def test_a_frozen_payer_changes_nothing_when_it_wakes(stack_factory):
    booth = booth_with_bank(stack_factory, workers=2)
    bank = booth.stack.bank
    bank.behave(call="confirm", do="slow", seconds=1, times=0)
    booth.book(*range(1, 21), payment_method="pm_card_visa")
    wait_until(lambda: bank.calls()["in_flight"] >= 20, "20 calls under way", 20 * PATIENCE)
    frozen = max(booth.stack.workers, key=lambda worker: worker.metrics()["onsale_payment_calls_in_flight"])
    frozen.freeze()
    booth.wait_states({place: "confirmed" for place in range(1, 21)}, 60)
    wait_settled(booth)
    frozen.resume()
    frozen.wait_ready(30 * PATIENCE)
    agree(booth)
    assert all(bank.ledger()["confirms"].values())
    assert len(bank.ledger()["intents"]) == 20


def test_mysql_goes_away_just_after_an_authorisation(stack_factory):
    booth = booth_with_bank(stack_factory, proxied=True)
    bank = booth.stack.bank
    bank.behave(call="confirm", place=1, do="slow", seconds=1, executed=True)
    booth.book(1, payment_method="pm_card_visa")
    wait_until(lambda: bank.intents(place=1, status="requires_capture"), "the authorisation", 20 * PATIENCE)
    booth.stack.mysql_proxy.cut()
    booth.stack.expect_errors("mysql_away")
    wait_until(lambda: not bank.calls()["in_flight"], "the answer", 20 * PATIENCE)
    wait_until(lambda: booth.stack.workers[0].log_lines("mysql_away"), "the worker to notice", 20 * PATIENCE)
    assert booth.states() == {1: "paying"}
    booth.stack.mysql_proxy.mend()
    booth.wait_states({1: "confirmed"}, 40)
    agree(booth)
    assert bank.ledger()["confirms"][bank.intents(place=1)[0]["id"]] == 1


def test_a_key_that_is_not_accepted_is_said_and_tried_again(booth):
    bank = booth.stack.bank
    booth.stack.expect_errors("payment")
    bank.behave(call="any", do="denied_401", times=0)
    booth.book(1, payment_method="pm_card_visa")
    wait_until(lambda: any(line.level == "error" for line in booth.stack.workers[0].log_lines("payment")), "an error", 20 * PATIENCE)
    assert booth.states() == {1: "paying"}
    bank.clear()
    booth.wait_states({1: "confirmed"}, 40)
    agree(booth)


def test_a_stopped_event_authorises_nothing(booth):
    bank = booth.stack.bank
    bank.behave(call="create", place=1, do="slow", seconds=2)
    booth.book(1, payment_method="pm_card_visa")
    wait_until(lambda: bank.calls()["in_flight"] == 1, "the call", 20 * PATIENCE)
    booth.stack.onsale("stop", "gala", "--reason", "fire", expect=0)
    intent = "SELECT intent IS NOT NULL FROM payments WHERE event_id = %s"
    wait_until(lambda: booth.stack.sql(intent, booth.event_id) == ((1,),), "the answer", 20 * PATIENCE)
    # It looks again every second, three looks change nothing, and the provider is not asked each time.
    asked = bank.calls()["counts"]
    before = booth.stack.sql("SELECT next_attempt_at FROM payments WHERE event_id = %s", booth.event_id)
    for _ in range(3):
        wait_until(lambda: booth.stack.sql("SELECT next_attempt_at FROM payments WHERE event_id = %s", booth.event_id) != before,
                   "the next look", 20 * PATIENCE)
        before = booth.stack.sql("SELECT next_attempt_at FROM payments WHERE event_id = %s", booth.event_id)
    assert bank.intents(place=1)[0]["status"] == "requires_confirmation" and booth.states() == {1: "paying"}
    assert bank.calls()["counts"] == asked
    booth.stack.onsale("start", "gala", expect=0)
    booth.wait_states({1: "confirmed"}, 20)
    agree(booth)


def test_money_of_nobody_goes_back(booth):
    """The provider tells of payments whose bookings are gone, and of one that had come to its end here."""
    bank = booth.stack.bank
    ids = []
    for place, captured in ((7, False), (8, True)):
        created = bank.call("POST", "/v1/payment_intents", key=f"k{place}", amount=4500, currency="eur", capture_method="manual",
                            payment_method="pm_card_visa", metadata={"onsale_event": "gala", "onsale_place": place, "onsale_attempt": 1,
                                                                     "onsale_number": 1})
        ids.append(created.json()["id"])
        assert bank.call("POST", f"/v1/payment_intents/{ids[-1]}/confirm", key=f"c{place}", return_url="https://localhost/e/gala").status_code == 200
        if captured:
            assert bank.call("POST", f"/v1/payment_intents/{ids[-1]}/capture", key=f"t{place}").status_code == 200
    for number, (intent, kind) in enumerate(((ids[0], "amount_capturable_updated"), (ids[1], "succeeded"), (ids[0], "canceled"),
                                             ("pi_of_somebody_else", "succeeded"))):
        booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES (%s, %s, %s, '{}', UTC_TIMESTAMP(6))",
                        f"evt_{number}", f"payment_intent.{kind}", intent)
    wait_payment(booth, 7, "voided")
    wait_payment(booth, 8, "refunded")
    agree(booth)
    wait_until(lambda: booth.stack.sql("SELECT COUNT(*) FROM provider_events WHERE done_at IS NULL")[0][0] == 0, "all news to be done",
               20 * PATIENCE)
    verdicts = dict(booth.stack.sql("SELECT id, verdict FROM provider_events"))
    assert verdicts.pop("evt_2") in ("asked", "unknown")  # whether its payment had a row by then
    assert verdicts == {"evt_0": "asked", "evt_1": "asked", "evt_3": "foreign"}


def test_a_card_that_was_left_pays(booth):
    bank = booth.stack.bank
    made = bank.call("POST", "/v1/checkout/sessions", key="s1", mode="setup", currency="eur", customer_creation="always",
                     success_url="https://localhost/e/gala?card=back", cancel_url="https://localhost/e/gala")
    session = made.json()
    booth.stack.sql("INSERT INTO cards (event_id, place, number, visitor, state, idempotency_key, session, url, next_attempt_at,"
                    " created_at, changed_at) VALUES (%s, 1, 1, REPEAT('v', 16), 'open', 'k', %s, %s, UTC_TIMESTAMP(6) + INTERVAL 1 HOUR,"
                    " UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", booth.event_id, session["id"], session["url"])
    assert bank.leave_card(session["url"], "visa")
    booth.stack.sql("INSERT INTO provider_events (id, type, object, body, received_at) VALUES ('evt_1', 'checkout.session.completed', %s,"
                    " '{}', UTC_TIMESTAMP(6))", session["id"])
    wait_until(lambda: booth.stack.sql("SELECT state FROM cards") == (("kept",),), "the card", 20 * PATIENCE)
    (label, customer), = booth.stack.sql("SELECT label, customer_id FROM cards")
    assert "4242" in label and customer
    booth.book(1)
    booth.wait_states({1: "confirmed"})
    agree(booth)


def test_many_at_once_at_a_slow_bank(stack_factory):
    booth = booth_with_bank(stack_factory, line=500, tiers=[{"code": "floor", "name": "Floor", "price": 4500, "capacity": 1000}])
    bank = booth.stack.bank
    bank.behave(call="confirm", do="slow", seconds=2, times=0)
    booth.book(*range(1, 301), payment_method="pm_card_visa")
    wait_until(lambda: bank.calls()["in_flight_max"] >= 300, "300 calls at once", 30 * PATIENCE)
    # Bookings go on meanwhile.
    booth.book(*range(301, 401))
    booth.wait_states({place: "held" for place in range(301, 401)}, 20)
    booth.wait_states({place: "confirmed" for place in range(1, 301)}, 60)
    agree(booth)


def test_a_payment_goes_on_at_another_worker_when_this_one_is_stopped(stack_factory):
    booth = booth_with_bank(stack_factory, workers=1)
    bank = booth.stack.bank
    bank.behave(call="confirm", do="silence", times=1)
    booth.book(1, payment_method="pm_card_visa")
    wait_until(lambda: bank.intents(place=1, status="requires_capture"), "the call", 20 * PATIENCE)
    other = booth.stack.start_program("booking-worker")
    assert booth.stack.workers[0].end() == 0
    assert other.alive()
    booth.wait_states({1: "confirmed"}, 20)
    agree(booth)


def test_a_retried_order_begins_a_payment_of_its_own(booth):
    booth.stack.bank.behave(call="create", place=1, do="wrong_amount", times=1)
    booth.book(1, payment_method="pm_card_visa")
    booth.wait_states({1: "failed"})
    booth.wait_freed()
    # An operator retries it.
    booth.stack.sql("UPDATE bookings SET state = 'released', revision = revision + 1, reason = NULL, tier = NULL, quantity = 0, amount = 0,"
                    " reference = NULL WHERE event_id = %s AND place = 1", booth.event_id)
    booth.send(booth.message(1, release=2))
    booth.wait_states({1: "confirmed"})
    agree(booth)
    assert {key: state for key, (state, *_) in payments(booth).items()} == {(1, 1): "voided", (1, 2): "captured"}


def test_the_provider_is_not_asked_faster_than_it_lets_itself_be_asked(stack_factory):
    booth = booth_with_bank(stack_factory, config={"payment_calls_per_second": 30})
    booth.book(*range(1, 41), payment_method="pm_card_visa")
    booth.wait_states({place: "confirmed" for place in range(1, 41)}, 40)
    agree(booth)
    times = sorted(call["at"] for call in booth.stack.bank.calls()["calls"])
    # 120 calls: 30 at once, and 30 a second from then on.
    assert len(times) == 120 and times[-1] - times[0] > 2, times[-1] - times[0]
    assert booth.outcomes()[1, 1][-1]["state"] == "confirmed"
