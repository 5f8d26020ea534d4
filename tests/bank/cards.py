# SPDX-License-Identifier: Apache-2.0
"""The test cards: what each payment method of the sandbox does when it is charged. Pure.

Names that begin with `pm_card_` are Stripe's own and do what Stripe's do; those with `pm_sandbox_` are the sandbox's.
"""

import re
from dataclasses import dataclass

SAVED = re.compile(r"pm_saved_[0-9A-Za-z]{1,64}\Z")  # left on the hosted page; the ledger knows whose


@dataclass(frozen=True)
class Card:
    # pay, decline, ask (the bank asks the visitor first), riddle (it asks, and there is no page for it), later_yes, later_no (processing first), timeout (carried out, never answered),
    # error (500 once, not carried out), slow (carried out after a while).
    does: str
    brand: str = "visa"
    last4: str = "4242"
    code: str = "card_declined"  # of a decline
    decline_code: str = "generic_decline"
    message: str = "Your card was declined."
    capture: str = "works"  # or refused: the authorisation cannot be captured, now and later
    refund: str = "succeeded"  # or pending (done some seconds later), held (pending until a test decides), refused, or fails (some seconds later, the first one of an intent)


CARDS = {
    "pm_card_visa": Card("pay"),
    "pm_card_mastercard": Card("pay", "mastercard", "4444"),
    "pm_card_amex": Card("pay", "amex", "8431"),
    "pm_card_chargeDeclined": Card("decline", last4="0002"),
    "pm_card_chargeDeclinedInsufficientFunds": Card(
        "decline", last4="9995", decline_code="insufficient_funds", message="Your card has insufficient funds."),
    "pm_card_chargeDeclinedExpiredCard": Card(
        "decline", last4="0069", code="expired_card", decline_code="expired_card", message="Your card has expired."),
    "pm_card_chargeDeclinedIncorrectCvc": Card(
        "decline", last4="0127", code="incorrect_cvc", decline_code="incorrect_cvc",
        message="Your card's security code is incorrect."),
    "pm_card_chargeDeclinedProcessingError": Card(
        "decline", last4="0119", code="processing_error", decline_code="processing_error",
        message="An error occurred while processing your card. Try again in a little bit."),
    "pm_card_authenticationRequired": Card("ask", last4="3184"),
    "pm_card_pendingRefund": Card("pay", last4="7726", refund="pending"),
    "pm_card_refundFail": Card("pay", last4="5126", refund="fails"),
    "pm_sandbox_challenge": Card("ask", last4="3220"),
    "pm_sandbox_riddle": Card("riddle", last4="3230"),
    "pm_sandbox_timeout": Card("timeout", last4="1001"),
    "pm_sandbox_error": Card("error", last4="1002"),
    "pm_sandbox_slow": Card("slow", last4="1003"),
    "pm_sandbox_late_yes": Card("later_yes", last4="1004"),
    "pm_sandbox_late_no": Card("later_no", last4="1005"),
    "pm_sandbox_uncapturable": Card("pay", last4="1006", capture="refused"),
    "pm_sandbox_heldRefund": Card("pay", last4="1008", refund="held"),
    "pm_sandbox_unrefundable": Card("pay", last4="1007", refund="refused"),
}

# What the hosted page offers: its word, what it says of the card, which card it is.
PAGE_CARDS = (
    ("visa", "A card that pays", "pm_card_visa"),
    ("declined", "A card that is declined", "pm_card_chargeDeclined"),
    ("challenge", "A card whose bank asks first", "pm_sandbox_challenge"),
)


def page_card(word):
    """The card that somebody chose on the hosted page; programs may also name one of CARDS. None: no such card."""
    for known, _, name in PAGE_CARDS:
        if word == known:
            return name
    return word if word in CARDS else None
