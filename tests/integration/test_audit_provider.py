# SPDX-License-Identifier: Apache-2.0
"""onsale audit, check 6, against the provider's list: both ways, to the minor unit, page by page, and with a provider that cannot be asked."""

import subprocess

import pytest
from processes import wait_until

from harness.stack import BIN
from integration.test_audit_orders import broken
from integration.test_audit_payments import make_event
from integration.test_schemas import check


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory(bank=True).prepare()


class Till:
    """Pays at the bank as the payer does, and writes the rows as it would."""

    def __init__(self, rows):
        self.rows, self.bank, self.keys = rows, rows.stack.bank, 0

    def call(self, path, **form):
        self.keys += 1
        answer = self.bank.call("POST", f"/v1/{path}", key=f"{self.rows.slug}-{self.keys}", **form)
        assert answer.status_code in (200, 402), answer.text
        return answer.json()

    def intent(self, place, number=1, amount=9000, method="pm_card_visa", currency="eur", slug=None):
        return self.call("payment_intents", amount=amount, currency=currency, capture_method="manual", confirm="false",
                         payment_method=method, **{"payment_method_types[]": "card"}, metadata={
                             "onsale_event": slug or self.rows.slug, "onsale_place": place, "onsale_attempt": 1, "onsale_number": number,
                             "onsale_reference": "x"})["id"]

    def confirm(self, intent):
        self.call(f"payment_intents/{intent}/confirm", return_url="https://example.org/")
        return intent

    def capture(self, intent):
        self.call(f"payment_intents/{intent}/capture")
        return intent

    def cancel(self, intent):
        self.call(f"payment_intents/{intent}/cancel")
        return intent

    def refund(self, intent):
        self.call("refunds", payment_intent=intent)
        return intent

    def sell(self, place, intent=None):
        """A booking that was paid as it should be."""
        self.rows.order(place)
        self.rows.booking(place, revision=5)
        intent = intent or self.capture(self.confirm(self.intent(place)))
        self.rows.payment(place, intent=intent)
        return intent


@pytest.fixture
def till(prepared, request):
    """Every end a payment may come to, and every state on the way."""
    rows = make_event(prepared, request.node.name, 20)
    till = Till(rows)
    till.sold = till.sell(1)
    rows.order(2)  # declined, then authorised and about to be captured
    rows.booking(2, revision=7)
    till.declined = till.confirm(till.intent(2, method="pm_card_chargeDeclined"))
    rows.payment(2, "declined", intent=till.declined)
    till.authorised = till.confirm(till.intent(2, number=2))
    rows.payment(2, "capturing", number=2, intent=till.authorised)
    rows.order(3)
    rows.booking(3, "paying", revision=4)
    rows.payment(3, "created")
    till.intent(3)  # which the answer that was lost told
    rows.order(4)
    rows.booking(4, "action_required", revision=5)
    till.asked = till.confirm(till.intent(4, method="pm_sandbox_challenge"))
    rows.payment(4, "challenged", intent=till.asked)
    rows.order(5)
    rows.booking(5, "expired", revision=5, counted=False)
    till.voided = till.cancel(till.confirm(till.intent(5)))
    rows.payment(5, "voided", aim="close", intent=till.voided)
    rows.order(6)
    rows.booking(6, "cancelled", revision=7, counted=False)
    till.refunded = till.refund(till.capture(till.confirm(till.intent(6))))
    rows.payment(6, "refunded", aim="give_back", intent=till.refunded)
    rows.run("UPDATE bookings SET refund = 'done' WHERE event_id = {e} AND place = 6")
    rows.order(7)  # `create` was answered twice; the first intent was never heard of again
    rows.booking(7, "declined", revision=5)
    till.intent(7)
    rows.payment(7, "declined", intent=till.confirm(till.intent(7, method="pm_card_chargeDeclined")))
    report = rows.stack.onsale_json("audit", rows.slug)
    check("audit", report)
    assert report["ok"] and report["provider"] == {"compared": True, "why": None, "intents": 9, "money": [
        {"currency": "EUR", "captured": 18000, "refunded": 9000, "booked": 9000}]}, report
    return till


def violations(till, *flags):
    found = broken(till.rows, *flags)
    assert set(found) <= {6}, found
    return found.get(6, [])


def test_it_tells_what_was_taken(till):
    text = till.rows.stack.onsale("audit", till.rows.slug, expect=0).out
    assert text.endswith("provider: 9 payments compared: 180.00 EUR taken, 90.00 EUR of it given back\n")
    # What nothing was taken of is of no account, and so is another event's.
    till.capture(till.confirm(till.intent(1, slug="another")))
    assert violations(till) == []


def test_money_of_which_we_know_nothing(till):
    intent = till.capture(till.confirm(till.intent(9)))
    assert violations(till) == [f"place 9: payment 1 ({intent}): the provider has it as captured, 9000 EUR, and there is no such payment"]


def test_money_that_was_found_and_goes_back(till):
    """The payer has made a row of its own for it, with another number than the one that it was asked for with."""
    intent = till.capture(till.confirm(till.intent(1)))
    till.refund(intent)
    till.rows.payment(1, "refunded", number=2, aim="give_back", intent=intent)
    till.rows.run("UPDATE payments SET payment_method = '' WHERE event_id = {e} AND place = 1 AND number = 2")
    assert violations(till) == []
    till.rows.run("UPDATE payments SET state = 'voided' WHERE event_id = {e} AND place = 1 AND number = 2")
    assert violations(till) == [f"place 1: payment 2 ({intent}): is voided, and the provider says captured"]


def test_even_an_intent_that_took_nothing_is_somebodys(till):
    intent = till.intent(1, number=3)
    assert violations(till) == [f"place 1: payment 3 ({intent}): the provider has it as unconfirmed, 9000 EUR, and there is no such payment"]


def test_a_second_intent_with_money(till):
    intent = till.confirm(till.intent(1))
    assert violations(till) == [f"place 1: payment 1 ({intent}): the provider has a second intent of it, authorised, 9000 EUR"]


@pytest.mark.parametrize("amount, currency", [(9001, "eur"), (9000, "usd")])
def test_another_amount(till, amount, currency):
    till.sell(8, till.capture(till.confirm(till.intent(8, amount=amount, currency=currency))))
    violation, = violations(till)
    assert violation.endswith(f"the provider has it with {amount} {currency.upper()}, and we asked for 9000 EUR")


def test_what_was_found_wrong_and_given_up_is_no_news(till):
    till.rows.order(8)
    till.rows.booking(8, "failed", revision=5, reason="payment_failed")
    till.rows.payment(8, "voided", aim="give_back", intent=till.cancel(till.confirm(till.intent(8, amount=9001))))
    till.rows.pay_letter(8, "provider_wrong")
    assert violations(till) == []


def test_given_back_by_hand(till):
    till.refund(till.sold)
    assert violations(till) == [f"place 1: payment 1 ({till.sold}): is captured with 9000 EUR, and the provider has taken 9000 and given "
                                "back 9000"]


ROW = "UPDATE payments SET {} WHERE event_id = {{e}} AND place = {} AND number = {}"


@pytest.mark.parametrize("place, number, statement, words", [
    (1, 1, "state = 'refunded', returned_at = captured_at", "is refunded with 9000 EUR, and the provider has taken 9000 and given back 0"),
    (1, 1, "state = 'voided'", "is voided, and the provider says captured"),
    (1, 1, "state = 'declined'", "is declined, and the provider says captured"),
    (2, 2, "state = 'captured', captured_at = created_at, next_attempt_at = NULL", "is captured, and the provider says authorised"),
    (2, 2, "state = 'declined', next_attempt_at = NULL", "is declined, and the provider says authorised"),
    (2, 1, "state = 'captured', captured_at = created_at", "is captured, and the provider says failed"),
    (4, 1, "state = 'voided', next_attempt_at = NULL", "is voided, and the provider says action_required"),
    (5, 1, "state = 'capturing', next_attempt_at = '2099-01-01'", "is capturing, and the provider says cancelled"),
    (6, 1, "state = 'captured', aim = 'take'", "is captured with 9000 EUR, and the provider has taken 9000 and given back 9000"),
])
def test_each_state_against_what_the_provider_says(till, place, number, statement, words):
    till.rows.run(ROW.format(statement, place, number))
    assert any(violation.startswith(f"place {place}: payment {number} (pi_") and violation.endswith(words) for violation in violations(till))


def test_a_payment_that_the_provider_does_not_know(till):
    till.rows.run(ROW.format("intent = 'pi_nobody'", 1, 1))
    found = violations(till)
    assert f"place 1: payment 1 (pi_nobody): the provider knows of no such payment" in found
    assert f"place 1: payment 1 ({till.sold}): the provider has a second intent of it, captured, 9000 EUR" in found and len(found) == 2


def test_an_id_that_was_never_stored(till):
    """With money, that is more than an answer that was lost."""
    till.rows.run(ROW.format("intent = NULL", 2, 2))
    assert any("(" + till.authorised + ")" in violation for violation in violations(till)) is False  # capturing and authorised agree
    till.rows.run(ROW.format("intent = NULL, state = 'created'", 2, 2))
    assert any(violation.endswith("is created, and the provider says authorised") for violation in violations(till))


def test_several_pages(till):
    """What is wrong is on the last page: the provider lists the newest first."""
    till.refund(till.sold)
    for place in range(9, 21):
        till.sell(place)
    for n in range(200):
        till.intent(n + 1, slug="another")
    calls = till.bank.calls()["counts"].get("list", 0)
    report = till.rows.stack.onsale("audit", till.rows.slug, expect=1, as_json=True).json
    assert till.bank.calls()["counts"]["list"] - calls >= 3
    assert report["provider"]["intents"] == 9 + 12 and report["provider"]["money"][0]["booked"] == 13 * 9000
    violation, = report["checks"][5]["violations"]
    assert till.sold in violation


def audit_meanwhile(till, rule, meanwhile):
    """An audit during which something happens, while the bank keeps it waiting; its exit status and what it said."""
    till.bank.behave(**rule)
    audit = subprocess.Popen([str(BIN / "onsale"), "--config", str(till.rows.stack.config_path), "--json", "audit", till.rows.slug],
                             stdout=subprocess.PIPE, text=True, env=till.rows.stack.environment())
    try:
        wait_until(lambda: till.bank.rules()[0]["hits"] == 1 if till.bank.rules() else False, "the bank to be asked", 20)
        meanwhile()
        out, _ = audit.communicate(timeout=60)
    finally:
        audit.kill()
        audit.wait()
        till.bank.clear()
    return audit.returncode, out


def test_what_moves_on_while_the_list_comes(till):
    """Rows are read first; what is given back before the list comes disagrees with them, and not with the rows as they are by then."""
    def meanwhile():
        till.rows.run("UPDATE bookings SET state = 'cancelled', refund = 'pending', revision = 6 WHERE event_id = {e} AND place = 1",
                      ROW.format("state = 'refunding', aim = 'give_back', next_attempt_at = '2099-01-01', claim = 1, changed_at = "
                                 "UTC_TIMESTAMP(6)", 1, 1))
        till.refund(till.sold)

    status, out = audit_meanwhile(till, {"call": "list", "do": "slow", "seconds": 2}, meanwhile)
    assert status == 0, out


def test_what_moves_on_while_it_is_looked_at_once_more(till):
    """An answer is held against a row only where that stood still: this one is of before the money went back, the row of after it."""
    till.rows.run(ROW.format("state = 'declined'", 6, 1))
    till.rows.run("UPDATE bookings SET refund = NULL WHERE event_id = {e} AND place = 6")
    till.rows.run(ROW.format("state = 'declined'", 1, 1))

    def meanwhile():
        till.refund(till.sold)
        till.rows.run(ROW.format("state = 'refunded', returned_at = captured_at, claim = 1", 1, 1))

    _, out = audit_meanwhile(till, {"call": "ask", "do": "slow", "seconds": 2, "executed": True, "intent": till.sold}, meanwhile)
    assert till.sold not in out and till.refunded in out, out


def test_without_the_provider(till):
    asked = till.bank.calls()["counts"]
    report = till.rows.stack.onsale_json("audit", till.rows.slug, "--without-provider")
    check("audit", report)
    assert report["provider"] == {"compared": False, "why": "--without-provider", "intents": 0, "money": []}
    assert "provider: not compared: --without-provider\n" in till.rows.stack.onsale("audit", till.rows.slug, "--without-provider").out
    assert till.bank.calls()["counts"] == asked


@pytest.mark.parametrize("rule", [{"do": "denied_401"}, {"do": "garbage"}, {"do": "silence", "seconds": 30}, {"do": "error_500"}])
def test_a_provider_that_cannot_be_asked_is_no_agreement(till, rule):
    till.bank.behave(call="list", times=0, **rule)
    try:
        violation, = violations(till)
        assert violation.startswith("could not be compared with the provider: the provider's answer is ")
    finally:
        till.bank.clear()
    assert violations(till) == []


def test_a_busy_provider_is_asked_again(till):
    till.bank.behave(call="list", do="busy_429", times=2, retry_after=1)
    assert violations(till) == []


def test_a_provider_that_is_away(till):
    till.bank.kill()
    try:
        violation, = violations(till)
        assert violation.startswith("could not be compared with the provider: the provider's answer is busy: not sent")
        assert till.rows.stack.onsale_json("audit", till.rows.slug, "--without-provider")["ok"]
    finally:
        till.bank.start()


def test_without_its_key(till):
    result = till.rows.stack.onsale("audit", till.rows.slug, expect=1, as_json=True,
                                    environment={"ONSALE_PAYMENT_SECRET_KEY_FILE": "/nonexistent"})
    violation, = result.json["checks"][5]["violations"]
    assert violation.startswith("could not be compared with the provider: ") and "/nonexistent" in violation
