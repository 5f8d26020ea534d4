# SPDX-License-Identifier: Apache-2.0
"""How the bank's records look from outside: Stripe's JSON, as far as it is used, and Stripe's errors. Pure.

`version` is the caller's Stripe-Version. It matters in one place: until 2025-03-31 an authorisation that was cancelled looked like a
charge that was refunded.
"""

import json

from cards import CARDS

CANCELLED_WITHOUT_REFUND = "2025-03-31"
REFUNDS_SHOWN = 10  # with their charge


class Refused(Exception):
    """An error as the API answers it. `is_stored`: it came of carrying the call out, so its idempotency key repeats it."""

    def __init__(self, status, kind, message, code=None, is_stored=True, headers=None, **more):
        super().__init__(message)
        self.status = status
        self.is_stored = is_stored
        self.headers = headers or {}
        self.error = {"message": message, "type": kind} | more
        if code is not None:
            self.error |= {"code": code, "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"}

    def body(self):
        return encode({"error": self.error})


def encode(document):
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def not_valid(message, code=None, param=None):
    """Something that is seen before anything is carried out."""
    return Refused(400, "invalid_request_error", message, code, is_stored=False, **({"param": param} if param else {}))


def method_json(method):
    card = CARDS[method["card"]]
    return {
        "id": method["id"], "object": "payment_method", "allow_redisplay": "unspecified",
        "billing_details": {"address": None, "email": None, "name": None, "phone": None},
        "card": {"brand": card.brand, "country": "US", "exp_month": 12, "exp_year": 2034, "fingerprint": None, "funding": "credit",
                 "last4": card.last4},
        "created": method["created"], "customer": method["customer"], "livemode": False, "metadata": {}, "type": "card",
    }


def charge_json(intent, version, refunds=None):
    """`refunds`: those of it, oldest first, where they are asked for. Its sum has those that wait in it, and no more those that failed."""
    charge = intent["charge"]
    refunded = intent["refunded"] + intent["refunding"]
    if intent["voided"] and version < CANCELLED_WITHOUT_REFUND:
        refunded = intent["voided"]
    return {
        "id": charge["id"], "object": "charge", "amount": intent["amount"], "amount_captured": intent["captured"],
        "amount_refunded": refunded, "captured": intent["captured"] > 0, "created": charge["created"], "currency": intent["currency"],
        "customer": intent["customer"], "disputed": False, "failure_code": charge["failure_code"],
        "failure_message": charge["failure_message"], "livemode": False, "metadata": intent["metadata"],
        "outcome": {"network_status": "approved_by_network" if charge["paid"] else "declined_by_network",
                    "type": "authorized" if charge["paid"] else "issuer_declined"},
        "paid": charge["paid"], "payment_intent": intent["id"], "payment_method": charge["payment_method"],
        "refunded": refunded == intent["amount"], "status": "succeeded" if charge["paid"] else "failed",
    } | ({} if refunds is None else {"refunds": list_json(f"/v1/charges/{charge['id']}/refunds",
                                                          [refund_json(refund) for refund in reversed(refunds[-REFUNDS_SHOWN:])],
                                                          len(refunds) > REFUNDS_SHOWN)})


def next_action_json(intent, base_url):
    if intent["status"] != "requires_action":
        return None
    if intent["return_url"] is None or intent["challenge"] is None:
        return {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": intent["return_url"],
                                                           "url": f"{base_url}/challenge/{intent['challenge']}"}}


def intent_json(intent, base_url, version, expand=(), refunds=()):
    charge = intent["charge"]
    latest = None
    if charge is not None and "latest_charge.refunds" in expand:
        latest = charge_json(intent, version, refunds)
    elif charge is not None:
        latest = charge_json(intent, version) if "latest_charge" in expand else charge["id"]
    is_open = intent["status"] == "requires_capture"
    return {
        "id": intent["id"], "object": "payment_intent", "amount": intent["amount"],
        "amount_capturable": intent["amount"] if is_open else 0, "amount_details": {"tip": {}}, "amount_received": intent["captured"],
        "application": None, "application_fee_amount": None, "automatic_payment_methods": intent["automatic_payment_methods"],
        "canceled_at": intent["canceled_at"], "cancellation_reason": intent["cancellation_reason"],
        "capture_method": intent["capture_method"], "client_secret": intent["client_secret"],
        "confirmation_method": "automatic", "created": intent["created"], "currency": intent["currency"],
        "customer": intent["customer"], "description": intent["description"], "last_payment_error": intent["last_payment_error"],
        "latest_charge": latest, "livemode": False, "metadata": intent["metadata"],
        "next_action": next_action_json(intent, base_url), "on_behalf_of": None, "payment_method": intent["payment_method"],
        "payment_method_types": ["card"], "processing": None, "receipt_email": None, "review": None, "setup_future_usage": None,
        "shipping": None, "statement_descriptor": None, "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": intent["status"], "transfer_data": None, "transfer_group": None,
    }


def refund_json(refund):
    failed = {"failure_balance_transaction": None, "failure_reason": refund["failure_reason"]} if refund["failure_reason"] else {}
    return failed | {
        "id": refund["id"], "object": "refund", "amount": refund["amount"], "charge": refund["charge"], "created": refund["created"],
        "currency": refund["currency"], "metadata": refund["metadata"], "payment_intent": refund["intent"], "reason": refund["reason"],
        "receipt_number": None, "status": refund["status"],
    }


def setup_intent_json(session, method, expand=()):
    """`method` is the record of the card that was left, or None."""
    shown = None
    if method is not None:
        shown = method_json(method) if "payment_method" in expand else method["id"]
    return {
        "id": session["setup_intent"], "object": "setup_intent", "created": session["created"], "customer": session["customer"],
        "livemode": False, "metadata": session["setup_metadata"], "payment_method": shown, "payment_method_types": ["card"],
        "status": "succeeded" if method is not None else "requires_payment_method", "usage": "off_session",
    }


def session_json(session, method, base_url, expand=()):
    setup_intent = session["setup_intent"]
    inner = [word.removeprefix("setup_intent.") for word in expand if word.startswith("setup_intent.")]
    if inner or "setup_intent" in expand:
        setup_intent = setup_intent_json(session, method, inner)
    return {
        "id": session["id"], "object": "checkout.session", "amount_subtotal": None, "amount_total": None,
        "cancel_url": session["cancel_url"], "client_reference_id": session["client_reference_id"], "created": session["created"],
        "currency": session["currency"], "customer": session["customer"], "customer_creation": session["customer_creation"],
        "expires_at": session["expires_at"], "livemode": False, "metadata": session["metadata"], "mode": "setup",
        "payment_intent": None, "payment_method_types": ["card"], "payment_status": "no_payment_required",
        "setup_intent": setup_intent, "status": session["status"], "success_url": session["success_url"],
        "url": f"{base_url}/pay/{session['id']}" if session["status"] == "open" else None,
    }


def list_json(url, data, has_more):
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
