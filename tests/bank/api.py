# SPDX-License-Identifier: Apache-2.0
"""What the API's calls do to the ledger: intents, refunds, hosted pages for a card. Nothing here knows of HTTP or waits.

A call is checked first (`Refused` that is not stored), then carried out on a Change. Facts about Stripe that matter here, each as its
documentation or its answers have them: a confirm that is declined answers 402 and leaves the intent without a payment method; an intent of
another status than the call needs answers 400 with the intent inside the error; an unknown id in the path is 404, one among the
parameters 400.
"""

import re
import secrets
import time
from dataclasses import dataclass, field

from cards import CARDS, SAVED, page_card
from ledger import new_id
from shapes import (Refused, charge_json, encode, intent_json, list_json, method_json, not_valid, refund_json, session_json,
                    setup_intent_json)

AMOUNT_MAX = 99_999_999
# Amounts that Stripe wants to be divisible: three-decimal currencies end in 0; these two have no decimals, but are given with two.
STEPS = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}
SESSION_SECONDS = 86_400
SETTLE_SECONDS = 2  # until what is processing is decided
LIST_MAX = 100
EVENT_VERSION = "2025-03-31"  # the events' api_version

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELLABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")


@dataclass
class Answer:
    status: int
    body: bytes
    is_silent: bool = False  # it is carried out and never answered
    headers: dict = field(default_factory=dict)


class Api:
    def __init__(self, ledger, base_url, settle_seconds=SETTLE_SECONDS):
        self.ledger = ledger
        self.base_url = base_url
        self.settle_seconds = settle_seconds

    # Looking things up

    def _intent(self, change, intent_id, param="intent"):
        intent = change.get("intent", intent_id)
        if intent is None:
            raise Refused(404, "invalid_request_error", f"No such payment_intent: '{intent_id[:80]}'", "resource_missing", param=param)
        return intent

    def card_of(self, change, method_id, customer):
        """The card behind a payment method, as the one who calls may use it."""
        if method_id in CARDS:
            return CARDS[method_id]
        method = change.get("method", method_id) if SAVED.match(method_id) else None
        if method is None:
            raise Refused(400, "invalid_request_error", f"No such PaymentMethod: '{method_id[:80]}'", "resource_missing",
                          param="payment_method")
        if method["customer"] is None:
            raise Refused(400, "invalid_request_error", "This PaymentMethod was left without a customer and may not be used again. "
                          "To use a PaymentMethod multiple times, it must be attached to a Customer.", param="payment_method")
        if customer is None:
            raise Refused(400, "invalid_request_error", "The payment method you provided is attached to a customer so for security "
                          "purposes you must provide the customer in the request.", param="customer")
        if method["customer"] != customer:
            raise Refused(400, "invalid_request_error", f"The customer does not have a payment method with the ID {method_id}. The "
                          "payment method must be attached to the customer.", "resource_missing", param="payment_method")
        return CARDS[method["card"]]

    def _show(self, intent, version, params=None):
        return intent_json(intent, self.base_url, version, params.items("expand") if params is not None else (), self._refunds_of(intent))

    def _refunds_of(self, intent):
        return [self.ledger.of["refund"][each] for each in intent["refunds"]]

    def _unexpected(self, intent, version, message):
        return Refused(400, "invalid_request_error", message, "payment_intent_unexpected_state",
                       payment_intent=self._show(intent, version))

    def _tell(self, change, kind, document):
        """An event of what just changed. `document` is rendered now: an event shows how things were."""
        event = {"id": new_id("evt"), "object": "event", "api_version": EVENT_VERSION, "created": int(time.time()),
                 "data": {"object": document}, "livemode": False, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None},
                 "type": kind}
        change.tell({"id": event["id"], "type": kind, "object_id": document["id"], "created": event["created"],
                     "body": encode(event).decode().rstrip("\n"), "state": "waiting", "sends": 0})

    def _tell_intent(self, change, intent, kind):
        self._tell(change, f"payment_intent.{kind}", intent_json(intent, self.base_url, EVENT_VERSION))

    # Payment intents

    def check_create(self, params):
        params.allow("amount", "currency", "capture_method", "payment_method", "customer", "payment_method_types",
                     "automatic_payment_methods", "metadata", "description", "statement_descriptor_suffix", "receipt_email",
                     "off_session", "confirm", "setup_future_usage")
        params.required("amount")
        if params.integer("amount", 1, 10**15) > AMOUNT_MAX:
            raise not_valid("Amount must be no more than eight digits.", "amount_too_large", "amount")
        currency = params.required("currency").lower()
        if not re.fullmatch("[a-z]{3}", currency):
            raise not_valid(f"Invalid currency: {currency[:20]}", "parameter_invalid_string", "currency")
        if int(params.text("amount")) % STEPS.get(currency, 1):
            raise not_valid(f"Invalid amount: in {currency} it must be divisible by {STEPS[currency]}", "parameter_invalid_integer",
                            "amount")
        params.text("capture_method", choices=("automatic", "automatic_async", "manual"))
        params.text("statement_descriptor_suffix", bytes_max=22)
        params.text("description", bytes_max=1000)
        params.metadata()
        if params.boolean("confirm"):
            raise not_valid("This bank confirms in a call of its own only.", param="confirm")
        methods = params.map("automatic_payment_methods")
        if "payment_method_types" in params.values and methods:
            raise not_valid("You may only specify one of these parameters: automatic_payment_methods, payment_method_types.")
        if any(kind != "card" for kind in params.items("payment_method_types")):
            raise not_valid("This bank takes cards only.", param="payment_method_types")

    def create(self, change, params, version):
        customer = params.text("customer")
        if customer is not None and change.get("customer", customer) is None:
            raise Refused(400, "invalid_request_error", f"No such customer: '{customer[:80]}'", "resource_missing", param="customer")
        method = params.text("payment_method")
        if method is not None:
            self.card_of(change, method, customer)
        intent_id = new_id("pi")
        methods = params.map("automatic_payment_methods")
        is_automatic = methods.get("enabled") == "true" or (not methods and "payment_method_types" not in params.values)
        intent = change.add("intent", {
            "id": intent_id, "amount": int(params.text("amount")), "currency": params.text("currency").lower(),
            "status": "requires_payment_method" if method is None else "requires_confirmation",
            "capture_method": params.text("capture_method") or "automatic", "payment_method": method, "customer": customer,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": methods.get("allow_redirects", "always")}
            if is_automatic else None,
            "metadata": params.metadata(), "description": params.text("description"),
            "statement_descriptor_suffix": params.text("statement_descriptor_suffix"),
            "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}", "created": int(time.time()), "canceled_at": None,
            "cancellation_reason": None, "return_url": None, "last_payment_error": None, "charge": None, "challenge": None,
            # What only the bank knows.
            "confirms": 0, "authorised": 0, "captured": 0, "refunded": 0, "refunding": 0, "refunds": [], "voided": 0, "has_stumbled": False, "settles": None,
        })
        return Answer(200, encode(self._show(intent, version, params)))

    def check_confirm(self, params):
        params.allow("payment_method", "return_url", "capture_method", "off_session", "error_on_requires_action", "use_stripe_sdk",
                     "setup_future_usage", "receipt_email")
        url = params.text("return_url")
        if url is not None and not re.match(r"https?://[^/?#\s]+", url):
            raise not_valid("Invalid URL: an explicit scheme (such as https) must be provided.", "url_invalid", "return_url")

    def confirm_seconds(self, intent_id, slow_seconds):
        """How long the bank thinks before it carries a confirm out."""
        intent = self.ledger.of["intent"].get(intent_id)
        if intent is None or intent["status"] not in CONFIRMABLE or intent["payment_method"] is None:
            return 0
        method = self.ledger.of["method"].get(intent["payment_method"])
        card = CARDS.get(method["card"] if method else intent["payment_method"])
        return slow_seconds if card is not None and card.does == "slow" else 0

    def confirm(self, change, intent_id, params, version):
        intent = self._intent(change, intent_id)
        if intent["status"] == "succeeded":
            raise self._unexpected(intent, version, "You cannot confirm this PaymentIntent because it has already succeeded after being "
                                   "previously confirmed.")
        if intent["status"] not in CONFIRMABLE:
            raise self._unexpected(intent, version, f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. "
                                   "Only a PaymentIntent with one of the following statuses may be confirmed: "
                                   "requires_confirmation, requires_action.")
        method = params.text("payment_method") or intent["payment_method"]
        if method is None:
            raise self._unexpected(intent, version, "You cannot confirm this PaymentIntent because it's missing a payment method. "
                                   "Update the PaymentIntent with a payment method and then confirm it again.")
        card = self.card_of(change, method, intent["customer"])
        return_url = params.text("return_url")
        automatic = intent["automatic_payment_methods"]
        if return_url is None and automatic and automatic["allow_redirects"] != "never":
            raise Refused(400, "invalid_request_error", "This PaymentIntent is configured to accept payment methods enabled in your "
                          "Dashboard. Because some of these payment methods might redirect your customer off of your page, you must "
                          "provide a `return_url`.", param="return_url")
        intent["payment_method"] = method
        intent["confirms"] += 1
        if card.does == "error" and not intent["has_stumbled"]:
            intent["has_stumbled"] = True
            return Answer(500, encode({"error": {"message": "An unknown error occurred", "type": "api_error"}}))
        intent["return_url"] = return_url
        intent["last_payment_error"] = None
        if card.does == "decline":
            return self._declined(change, intent, card, version)
        if card.does in ("ask", "riddle"):
            intent["status"] = "requires_action"
            if card.does == "ask":
                intent["challenge"] = intent["challenge"] or secrets.token_hex(12)
            self._tell_intent(change, intent, "requires_action")
        elif card.does in ("later_yes", "later_no"):
            intent["status"] = "processing"
            intent["settles"] = {"at": time.time() + self.settle_seconds, "how": card.does}
            self._tell_intent(change, intent, "processing")
        else:
            self._authorise(change, intent)
        is_silent = card.does == "timeout" and not intent["has_stumbled"]
        intent["has_stumbled"] |= is_silent
        return Answer(200, encode(self._show(intent, version, params)), is_silent)

    def _charge(self, intent, paid, code=None, message=None):
        intent["charge"] = {"id": new_id("ch"), "created": int(time.time()), "paid": paid, "failure_code": code,
                            "failure_message": message, "payment_method": intent["payment_method"]}

    def _authorise(self, change, intent):
        self._charge(intent, True)
        intent["authorised"] = intent["amount"]
        if intent["capture_method"] == "manual":
            intent["status"] = "requires_capture"
            self._tell_intent(change, intent, "amount_capturable_updated")
        else:
            intent["status"] = "succeeded"
            intent["captured"] = intent["amount"]
            self._tell_intent(change, intent, "succeeded")

    def _decline(self, change, intent, error):
        """The bank said no: the intent is left without a payment method, and another may be tried."""
        intent["last_payment_error"] = error
        intent["payment_method"] = None
        intent["status"] = "requires_payment_method"
        self._tell_intent(change, intent, "payment_failed")

    def _card_error(self, intent, card):
        self._charge(intent, False, card.code, card.message)
        return {"type": "card_error", "code": card.code, "decline_code": card.decline_code, "message": card.message,
                "charge": intent["charge"]["id"], "doc_url": f"https://stripe.com/docs/error-codes/{card.code.replace('_', '-')}",
                "payment_method": {"id": intent["payment_method"], "object": "payment_method", "type": "card"}}

    def _declined(self, change, intent, card, version):
        error = self._card_error(intent, card)
        self._decline(change, intent, error)
        return Answer(402, encode({"error": error | {"payment_intent": self._show(intent, version)}}))

    def ask(self, change, intent_id, params, version):
        params.allow("client_secret")
        return Answer(200, encode(self._show(self._intent(change, intent_id), version, params)))

    def check_capture(self, params):
        params.allow("amount_to_capture", "metadata", "statement_descriptor_suffix", "final_capture")
        params.integer("amount_to_capture", 1, AMOUNT_MAX)

    def capture(self, change, intent_id, params, version):
        intent = self._intent(change, intent_id)
        if intent["status"] == "succeeded":
            raise self._unexpected(intent, version, "This PaymentIntent could not be captured because it has already been captured.")
        if intent["status"] != "requires_capture":
            raise self._unexpected(intent, version, f"This PaymentIntent could not be captured because it has a status of "
                                   f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be captured: "
                                   "requires_capture.")
        wanted = params.text("amount_to_capture")
        if wanted is not None and int(wanted) != intent["amount"]:
            raise Refused(400, "invalid_request_error", "This bank captures the whole amount only.", "amount_too_large"
                          if int(wanted) > intent["amount"] else None, param="amount_to_capture",
                          payment_intent=self._show(intent, version))
        if self._card(intent).capture == "refused":
            raise Refused(400, "invalid_request_error", f"Charge {intent['charge']['id']} has expired and cannot be captured.",
                          "charge_expired_for_capture", charge=intent["charge"]["id"], payment_intent=self._show(intent, version))
        intent["status"] = "succeeded"
        intent["captured"] = intent["amount"]
        self._tell_intent(change, intent, "succeeded")
        return Answer(200, encode(self._show(intent, version, params)))

    def _card(self, intent):
        """The card that an intent was authorised with. A card that was left may be gone from nowhere: nothing is ever removed."""
        method = self.ledger.of["method"].get(intent["payment_method"])
        return CARDS[method["card"] if method else intent["payment_method"]]

    def check_cancel(self, params):
        params.allow("cancellation_reason")
        params.text("cancellation_reason", choices=("duplicate", "fraudulent", "requested_by_customer", "abandoned"))

    def cancel(self, change, intent_id, params, version):
        intent = self._intent(change, intent_id)
        if intent["status"] not in CANCELLABLE:
            raise self._unexpected(intent, version, f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. "
                                   "Only a PaymentIntent with one of the following statuses may be canceled: "
                                   "requires_payment_method, requires_capture, requires_confirmation, requires_action.")
        if intent["status"] == "requires_capture":
            intent["voided"] = intent["amount"]
        intent["status"] = "canceled"
        intent["canceled_at"] = int(time.time())
        intent["cancellation_reason"] = params.text("cancellation_reason")
        self._tell_intent(change, intent, "canceled")
        return Answer(200, encode(self._show(intent, version, params)))

    def lapse(self, change, intent_id):
        """What was authorised and not captured in time is gone: Stripe ends the intent by itself. False: nothing is authorised there."""
        intent = change.get("intent", intent_id)
        if intent is None or intent["status"] != "requires_capture":
            return False
        intent["voided"] = intent["amount"]
        intent["status"] = "canceled"
        intent["canceled_at"] = int(time.time())
        intent["cancellation_reason"] = "automatic"
        self._tell(change, "charge.expired", charge_json(intent, EVENT_VERSION))
        self._tell_intent(change, intent, "canceled")
        return True

    def list_intents(self, change, params, version):
        params.allow("limit", "created", "starting_after", "ending_before", "customer")
        limit = params.integer("limit", 1, LIST_MAX) or 10
        bounds = {}
        for word, value in params.map("created").items():
            if word not in ("gt", "gte", "lt", "lte") or not re.fullmatch("[0-9]{1,12}", value):
                raise not_valid(f"Invalid created[{word[:20]}]", "parameter_invalid_integer", "created")
            bounds[word] = int(value)
        low = max(bounds.get("gte", 0), bounds.get("gt", -1) + 1)
        high = min(bounds.get("lte", 1 << 60), bounds.get("lt", 1 << 60) - 1)
        customer = params.text("customer")
        if params.text("ending_before") is not None:
            raise not_valid("This bank's lists go backwards in time only.", param="ending_before")
        after = params.text("starting_after")
        if after is not None:
            self._intent(change, after, "starting_after")
        expand = [word.removeprefix("data.") for word in params.items("expand") if word.startswith("data.")]
        found = []
        is_past = after is None
        for intent in reversed(self.ledger.of["intent"].values()):
            if not is_past:
                is_past = intent["id"] == after
            elif low <= intent["created"] <= high and customer in (None, intent["customer"]):
                found.append(intent)
                if len(found) > limit:
                    break
        data = [intent_json(intent, self.base_url, version, expand, self._refunds_of(intent)) for intent in found[:limit]]
        return Answer(200, encode(list_json("/v1/payment_intents", data, len(found) > limit)))

    # What is decided later: by the visitor on the bank's page, or by time

    def challenge_intent(self, challenge):
        """The intent that a challenge is about, as it is now; None: no such challenge."""
        return self.ledger.of["intent"].get(self.ledger.intents_of_challenge.get(challenge))

    def answer_challenge(self, change, intent_id, yes):
        """False: it is too late, nothing waits for this answer."""
        intent = change.get("intent", intent_id)
        if intent["status"] != "requires_action":
            return False
        if yes:
            self._authorise(change, intent)
        else:
            self._decline(change, intent, {
                "type": "invalid_request_error", "code": "payment_intent_authentication_failure",
                "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
                "message": "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
                           "PaymentMethod to attempt to fulfill this PaymentIntent again.",
                "payment_method": {"id": intent["payment_method"], "object": "payment_method", "type": "card"}})
        return True

    def settle(self, change, kind, record_id):
        """What was processing is decided."""
        record = change.get(kind, record_id)
        if record["settles"] is None:
            return
        how, record["settles"] = record["settles"]["how"], None
        if kind == "refund":
            self.decide_refund(change, record_id, how)
        elif how == "later_yes":
            self._authorise(change, record)
        else:
            self._decline(change, record, self._card_error(record, CARDS["pm_card_chargeDeclined"]))

    # Refunds

    def check_refund(self, params):
        params.allow("payment_intent", "charge", "amount", "reason", "metadata")
        if (params.text("payment_intent") is None) == (params.text("charge") is None):
            raise not_valid("One of the following params should be provided for this request: payment_intent or charge.",
                            "parameter_missing")
        params.integer("amount", 1, AMOUNT_MAX)
        params.text("reason", choices=("duplicate", "fraudulent", "requested_by_customer"))
        params.metadata()

    def refund(self, change, params, version):
        charge = params.text("charge")
        if charge is not None:
            known = [intent["id"] for intent in self.ledger.of["intent"].values() if (intent["charge"] or {}).get("id") == charge]
            if not known:
                raise Refused(404, "invalid_request_error", f"No such charge: '{charge[:80]}'", "resource_missing", param="charge")
            intent = change.get("intent", known[0])
        else:
            intent = self._intent(change, params.text("payment_intent"), "payment_intent")
        if not intent["captured"]:
            raise Refused(400, "invalid_request_error", f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                          "payment_intent_unexpected_state", param="payment_intent", payment_intent=self._show(intent, version))
        charge = intent["charge"]["id"]
        if intent["refunded"] or intent["refunding"]:
            raise Refused(400, "invalid_request_error", f"Charge {charge} has already been refunded.", "charge_already_refunded",
                          charge=charge)
        wanted = params.text("amount")
        if wanted is not None and int(wanted) != intent["amount"]:
            raise Refused(400, "invalid_request_error", "This bank refunds the whole amount only.", param="amount")
        card = self._card(intent)
        if card.refund == "refused":
            raise Refused(400, "invalid_request_error", f"Charge {charge} has been charged back; cannot issue a refund.",
                          "charge_disputed", charge=charge)
        is_pending = card.refund in ("pending", "held")
        # Some seconds later.
        decided = "succeeded" if card.refund == "pending" else "failed" if card.refund == "fails" and not intent["refunds"] else None
        refund = change.add("refund", {
            "id": new_id("re"), "intent": intent["id"], "charge": charge, "amount": intent["amount"], "currency": intent["currency"],
            "status": "pending" if is_pending else "succeeded", "created": int(time.time()), "metadata": params.metadata(),
            "reason": params.text("reason"), "failure_reason": None,
            "settles": {"at": time.time() + self.settle_seconds, "how": decided} if decided else None,
        })
        intent["refunding" if is_pending else "refunded"] = intent["amount"]
        intent["refunds"].append(refund["id"])
        self._tell(change, "charge.refunded", charge_json(intent, EVENT_VERSION))
        return Answer(200, encode(refund_json(refund)))

    def decide_refund(self, change, refund_id, status):
        """The customer's bank takes a refund, or sends it back, which it may even do after it was taken: then the money is the seller's again.

        False: that cannot become of it.
        """
        refund = change.get("refund", refund_id)
        waits = ("pending", "requires_action")
        known = {"pending": waits, "requires_action": waits, "succeeded": waits, "failed": (*waits, "succeeded"), "canceled": waits}
        if refund is None or refund["status"] not in known.get(status, ()):
            return False
        intent = change.get("intent", refund["intent"])
        intent["refunding"] = intent["amount"] if status in waits else 0
        intent["refunded"] = intent["amount"] if status == "succeeded" else 0
        refund["settles"] = None
        refund["status"] = status
        if status == "failed":
            refund["failure_reason"] = "expired_or_canceled_card"
            self._tell(change, "refund.failed", refund_json(refund))
        for kind in ("refund.updated", "charge.refund.updated"):
            self._tell(change, kind, refund_json(refund))
        return True

    def refund_ask(self, change, refund_id, params, version):
        params.allow()
        refund = change.get("refund", refund_id)
        if refund is None:
            raise Refused(404, "invalid_request_error", f"No such refund: '{refund_id[:80]}'", "resource_missing", param="id")
        return Answer(200, encode(refund_json(refund)))

    # Hosted pages on which a card is left

    def check_card_page(self, params):
        params.allow("mode", "currency", "payment_method_types", "success_url", "cancel_url", "customer", "customer_creation",
                     "client_reference_id", "metadata", "expires_at", "locale", "setup_intent_data", "ui_mode")
        if params.required("mode") != "setup":
            raise not_valid("This bank's hosted pages have the mode `setup` only.", param="mode")
        for name in ("success_url", "cancel_url"):
            url = params.required(name) if name == "success_url" else params.text(name)
            if url is not None and not re.match(r"https?://[^/?#\s]+", url):
                raise not_valid("Not a valid URL", "url_invalid", name)
        if params.text("currency") is None and "payment_method_types" not in params.values:
            raise not_valid("You must provide either `currency` or `payment_method_types` in setup mode.", "parameter_missing", "currency")
        if params.text("customer") is not None and params.text("customer_creation") is not None:
            raise not_valid("You may only specify one of these parameters: customer, customer_creation.")
        params.text("customer_creation", choices=("always", "if_required"))
        params.text("client_reference_id", bytes_max=200)
        params.metadata()
        now = int(time.time())
        if params.integer("expires_at", 0, 1 << 40) is not None:
            params.integer("expires_at", now + 1790, now + 86_410)  # 30 minutes to 24 hours

    def card_page(self, change, params, version):
        customer = params.text("customer")
        if customer is not None and change.get("customer", customer) is None:
            raise Refused(400, "invalid_request_error", f"No such customer: '{customer[:80]}'", "resource_missing", param="customer")
        now = int(time.time())
        setup_metadata = {key: value for name, key, value in params.values.get("setup_intent_data", ()) if name == "metadata" and key}
        session = change.add("session", {
            "id": f"cs_test_{secrets.token_hex(24)}", "status": "open", "currency": (params.text("currency") or "").lower() or None,
            "customer": customer, "customer_creation": params.text("customer_creation") or (None if customer else "if_required"),
            "success_url": params.text("success_url"), "cancel_url": params.text("cancel_url"),
            "client_reference_id": params.text("client_reference_id"), "metadata": params.metadata(), "created": now,
            "expires_at": params.integer("expires_at", 0, 1 << 40) or now + SESSION_SECONDS, "setup_intent": new_id("seti"),
            "setup_metadata": setup_metadata, "method": None,
        })
        return Answer(200, encode(self._show_session(change, session, params)))

    def _show_session(self, change, session, params=None):
        method = change.get("method", session["method"]) if session["method"] else None
        return session_json(session, method, self.base_url, params.items("expand") if params is not None else ())

    def _session(self, change, session_id):
        session = change.get("session", session_id)
        if session is None:
            raise Refused(404, "invalid_request_error", f"No such checkout.session: {session_id[:80]}", "resource_missing", param="session")
        return session

    def expire_if_due(self, change, session):
        if session["status"] == "open" and session["expires_at"] <= time.time():
            self._expire(change, session)

    def _expire(self, change, session):
        session["status"] = "expired"
        self._tell(change, "checkout.session.expired", self._show_session(change, session))

    def card_ask(self, change, session_id, params, version):
        params.allow()
        session = self._session(change, session_id)
        self.expire_if_due(change, session)
        return Answer(200, encode(self._show_session(change, session, params)))

    def card_expire(self, change, session_id, params, version):
        session = self._session(change, session_id)
        if session["status"] != "open":
            raise Refused(400, "invalid_request_error", "Only Checkout Sessions with a status in [\"open\"] can be expired. This Checkout "
                          f"Session has a status of `{session['status']}`.")
        self._expire(change, session)
        return Answer(200, encode(self._show_session(change, session, params)))

    def leave_card(self, change, session, word):
        """The visitor left a card on the hosted page. False: the page is not open any more, or there is no such card."""
        card = page_card(word)
        self.expire_if_due(change, session)
        if session["status"] != "open" or card is None:
            return False
        now = int(time.time())
        if session["customer"] is None and session["customer_creation"] == "always":
            session["customer"] = change.add("customer", {"id": new_id("cus"), "created": now, "metadata": {}})["id"]
        method = change.add("method", {"id": new_id("pm_saved"), "card": card, "customer": session["customer"], "created": now})
        session["method"] = method["id"]
        session["status"] = "complete"
        self._tell(change, "checkout.session.completed", self._show_session(change, session))
        return True

    # Small things around them

    def check_customer(self, params):
        params.allow("name", "email", "description", "metadata")
        params.metadata()

    def customer(self, change, params, version):
        made = change.add("customer", {"id": new_id("cus"), "created": int(time.time()), "metadata": params.metadata()})
        return Answer(200, encode({"id": made["id"], "object": "customer", "created": made["created"], "livemode": False,
                                   "metadata": made["metadata"]}))

    def method_ask(self, change, method_id, params, version):
        method = change.get("method", method_id)
        if method is None:
            raise Refused(404, "invalid_request_error", f"No such PaymentMethod: '{method_id[:80]}'", "resource_missing",
                          param="payment_method")
        return Answer(200, encode(method_json(method)))

    def setup_intent_ask(self, change, setup_intent_id, params, version):
        session = next((each for each in self.ledger.of["session"].values() if each["setup_intent"] == setup_intent_id), None)
        if session is None:
            raise Refused(404, "invalid_request_error", f"No such setupintent: '{setup_intent_id[:80]}'", "resource_missing",
                          param="intent")
        method = change.get("method", session["method"]) if session["method"] else None
        return Answer(200, encode(setup_intent_json(session, method, params.items("expand"))))
