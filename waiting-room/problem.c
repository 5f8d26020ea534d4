// SPDX-License-Identifier: Apache-2.0
// The table of problems and how one is written.
#include "waiting-room/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "waiting-room/snapshot.h"

const struct problem
    PROBLEM_MALFORMED = {400, "malformed", "The request is malformed", "The body must be empty or one JSON object."},
    PROBLEM_BAD_TOKEN = {401, "bad-token", "The queue token is not valid",
                         "It is forged, damaged or expired. Without a token you can join anew."},
    PROBLEM_NO_TOKEN = {401, "no-token", "A queue token is needed",
                        "Join the line first, and send the token as a bearer or in its cookie."},
    PROBLEM_WRONG_EVENT = {401, "wrong-event", "The queue token is another event's",
                           "Each event has a line of its own."},
    PROBLEM_FOREIGN_ORIGIN = {403, "foreign-origin", "Requests from other sites are not allowed",
                              "This can only be asked for from the event's own page."},
    PROBLEM_NOT_FOUND = {404, "not-found", "There is nothing here", "The address is not one of this service."},
    PROBLEM_NO_EVENT = {404, "no-event", "There is no such event", "Check the address."},
    PROBLEM_METHOD = {405, "method-not-allowed", "The method is not allowed here", "The field Allow says which are."},
    PROBLEM_NOT_ACCEPTABLE = {406, "not-acceptable", "Nothing here is of a kind that you accept",
                              "There is application/json and, for one's own place, text/event-stream."},
    PROBLEM_DRAFT = {409, "draft", "The event has not opened yet", "Come back when it opens."},
    PROBLEM_SOLD_OUT = {410, "sold-out", "The event is sold out",
                        "Nothing is left, so nobody can join the line any more."},
    PROBLEM_CLOSED = {410, "closed", "The event is closed", "Nobody can join the line any more."},
    PROBLEM_NO_ORDER = {404, "no-order", "There is no order", "Nothing was ordered with this place yet."},
    PROBLEM_NO_RECEIPT =
        {404, "no-receipt", "There is no ticket here",
         "This browser has nothing booked for this event. The event’s page says what became of an order."},
    PROBLEM_RELEASED = {409, "released", "It is too late to change the order",
                        "It was handed over to be booked. What becomes of it is told as soon as it is known."},
    PROBLEM_CONFIRMED = {409, "confirmed", "The tickets are booked",
                         "There is nothing left to order with this place. Only the seller can cancel a booking."},
    PROBLEM_ENDED = {409, "ended", "The order has ended", "It brought no tickets, so there is nothing to take back."},
    PROBLEM_NO_HOLD = {409, "no-hold", "Nothing is held", "There is nothing to pay, and no hold that could run out."},
    PROBLEM_MORE_TIME_GIVEN = {409, "more-time-given", "More time was given already",
                               "A hold can be prolonged once. The order says until when it lasts."},
    PROBLEM_HOLD_OVER = {409, "hold-over", "The time is over", "The hold has run out, so it cannot be prolonged."},
    PROBLEM_LEFT = {409, "left", "The place was given up", "Join again to order."},
    PROBLEM_TURN_OVER = {410, "turn-over", "The turn is over", "The time to order with this place has passed."},
    PROBLEM_TOO_OFTEN = {429, "too-many-changes", "The order was changed too often",
                         "It stays as it is now. It can still be taken back."},
    PROBLEM_NO_PAYMENT = {409, "no-payment", "Nothing is paid here",
                          "The seller takes the money elsewhere, or sells nothing here."},
    PROBLEM_PAYING = {409, "paying", "A payment is under way",
                      "What becomes of it is told as soon as it is known. Until then nothing else can be paid."},
    PROBLEM_TOO_MANY_TRIES = {409, "too-many-tries", "It was tried too often",
                              "Five payments did not go through. The places are kept until the hold runs out."},
    PROBLEM_TOO_MANY_CARDS = {429, "too-many-cards", "Too many pages were asked for",
                              "No more cards can be left for this place."},
    PROBLEM_PROVIDER_AWAY = {503, "provider-away", "The payment provider does not answer",
                             "Try again after the time in the field Retry-After. The place and what is held are kept."},
    PROBLEM_NO_WEBHOOK = {404, "no-webhook", "No webhooks are taken here",
                          "No secret is configured that they would be signed with."},
    PROBLEM_BAD_SIGNATURE = {400, "bad-signature", "The signature is missing or wrong",
                             "The field Stripe-Signature has to sign the body with a secret that is known here."},
    PROBLEM_SIGNATURE_TIME = {400, "signature-time", "The signature is too old, or of the future",
                              "It is good for five minutes. Check the clocks."},
    PROBLEM_MEDIA_TYPE = {415, "media-type", "The body is of a kind that is not understood", "Send application/json."},
    PROBLEM_INVALID = {422, "invalid", "The request is understood but not allowed",
                       "The member errors says what and why."},
    PROBLEM_TOO_MANY = {429, "too-many-joins", "Too many people join from your address",
                        "Try again after the time in the field Retry-After."},
    PROBLEM_STOPPED = {503, "stopped", "The event is stopped for the moment",
                       "Nobody can join until it goes on. Places that were given are kept."},
    PROBLEM_UNAVAILABLE = {503, "unavailable", "This does not work for the moment",
                           "Try again after the time in the field Retry-After. Places that were given are kept."},
    PROBLEM_NO_KEY = {503, "no-key", "Nobody can join for the moment",
                      "The service has no key to sign places with yet."};

static const struct problem *const all[] = {
    &PROBLEM_NO_RECEIPT,     &PROBLEM_MALFORMED,      &PROBLEM_BAD_TOKEN,  &PROBLEM_NO_TOKEN,
    &PROBLEM_WRONG_EVENT,    &PROBLEM_FOREIGN_ORIGIN, &PROBLEM_NOT_FOUND,  &PROBLEM_NO_EVENT,
    &PROBLEM_METHOD,         &PROBLEM_NOT_ACCEPTABLE, &PROBLEM_DRAFT,      &PROBLEM_SOLD_OUT,
    &PROBLEM_CLOSED,         &PROBLEM_MEDIA_TYPE,     &PROBLEM_INVALID,    &PROBLEM_TOO_MANY,
    &PROBLEM_STOPPED,        &PROBLEM_UNAVAILABLE,    &PROBLEM_NO_KEY,     &PROBLEM_NO_ORDER,
    &PROBLEM_RELEASED,       &PROBLEM_CONFIRMED,      &PROBLEM_LEFT,       &PROBLEM_TURN_OVER,
    &PROBLEM_TOO_OFTEN,      &PROBLEM_ENDED,          &PROBLEM_NO_HOLD,    &PROBLEM_MORE_TIME_GIVEN,
    &PROBLEM_HOLD_OVER,      &PROBLEM_NO_PAYMENT,     &PROBLEM_PAYING,     &PROBLEM_TOO_MANY_TRIES,
    &PROBLEM_TOO_MANY_CARDS, &PROBLEM_PROVIDER_AWAY,  &PROBLEM_NO_WEBHOOK, &PROBLEM_BAD_SIGNATURE,
    &PROBLEM_SIGNATURE_TIME,
};

const struct problem *problem_find(const char *type, size_t type_bytes)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strlen(all[i]->type) == type_bytes && memcmp(all[i]->type, type, type_bytes) == 0)
            return all[i];
    return NULL;
}

static void write_fields(struct buffer *text, const struct problem_more *more)
{
    const struct problem_field one = {more->field, more->field_detail};
    const struct problem_field *fields = more->field ? &one : more->fields;
    size_t count = more->field ? 1 : more->field_count;
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",{\"field\":" : ",\"errors\":[{\"field\":");
        buffer_json_string(text, fields[i].field);
        buffer_text(text, ",\"detail\":");
        buffer_json_string(text, fields[i].detail);
        buffer_text(text, "}");
    }
    if (count > 0)
        buffer_text(text, "]");
}

static void write_body(struct buffer *text, const struct problem *problem, const struct problem_more *more)
{
    buffer_format(text, "{\"type\":\"/problems/%s\",\"title\":", problem->type);
    buffer_json_string(text, problem->title);
    buffer_format(text, ",\"status\":%d,\"detail\":", problem->status);
    buffer_json_string(text, more->detail ? more->detail : problem->detail);
    write_fields(text, more);
    if (more->with_opens_at && more->opens_at_us == SNAPSHOT_NO_TIME) {
        buffer_text(text, ",\"opens_at\":null");
    } else if (more->with_opens_at) {
        char at[CLOCK_TEXT_BYTES];
        buffer_format(text, ",\"opens_at\":\"%s\"", clock_format(more->opens_at_us, at));
    }
    buffer_text(text, "}");
}

void problem_respond(struct http_exchange *exchange, const struct problem *problem, const struct problem_more *more)
{
    static const struct problem_more nothing;
    more = more ? more : &nothing;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    write_body(&text, problem, more);
    char retry_after[24];
    snprintf(retry_after, sizeof retry_after, "%" PRId64, more->retry_after_seconds);
    struct http_header headers[8] = {{"content-type", "application/problem+json"},
                                     {"cache-control", "no-store"},
                                     {"x-content-type-options", "nosniff"}};
    size_t count = 3;
    if (problem->status == 401)
        headers[count++] = (struct http_header){"www-authenticate", "Bearer"}; // RFC 9110, 11.6.1
    if (more->retry_after_seconds > 0)
        headers[count++] = (struct http_header){"retry-after", retry_after};
    if (more->allow)
        headers[count++] = (struct http_header){"allow", more->allow};
    if (more->set_cookie)
        headers[count++] = (struct http_header){"set-cookie", more->set_cookie};
    http_respond(exchange, problem->status, headers, count, text.data, text.bytes);
}
