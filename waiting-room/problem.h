// SPDX-License-Identifier: Apache-2.0
// The answers that are no: constant problem objects (RFC 9457), one for each type that visitors can meet.
#ifndef WAITING_ROOM_PROBLEM_H
#define WAITING_ROOM_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "waiting-room/http.h"

struct problem {
    int status;
    const char *type; // the last part of /problems/TYPE
    const char *title;
    const char *detail;
};

extern const struct problem PROBLEM_MALFORMED, PROBLEM_BAD_TOKEN, PROBLEM_NO_TOKEN, PROBLEM_WRONG_EVENT,
    PROBLEM_FOREIGN_ORIGIN, PROBLEM_NOT_FOUND, PROBLEM_NO_EVENT, PROBLEM_METHOD, PROBLEM_NOT_ACCEPTABLE, PROBLEM_DRAFT,
    PROBLEM_SOLD_OUT, PROBLEM_CLOSED, PROBLEM_MEDIA_TYPE, PROBLEM_INVALID, PROBLEM_TOO_MANY, PROBLEM_STOPPED,
    PROBLEM_UNAVAILABLE, PROBLEM_NO_KEY, PROBLEM_NO_ORDER, PROBLEM_RELEASED, PROBLEM_CONFIRMED, PROBLEM_ENDED,
    PROBLEM_NO_HOLD, PROBLEM_MORE_TIME_GIVEN, PROBLEM_HOLD_OVER, PROBLEM_LEFT, PROBLEM_TURN_OVER, PROBLEM_NO_RECEIPT,
    PROBLEM_TOO_OFTEN, PROBLEM_NO_PAYMENT, PROBLEM_PAYING, PROBLEM_TOO_MANY_TRIES, PROBLEM_TOO_MANY_CARDS,
    PROBLEM_PROVIDER_AWAY, PROBLEM_NO_WEBHOOK, PROBLEM_BAD_SIGNATURE, PROBLEM_SIGNATURE_TIME;

struct problem_field {
    const char *field, *detail;
};

// What one answer adds to its problem. All may be left zero.
struct problem_more {
    const char *field; // 422: errors [{field, field_detail}]
    const char *field_detail;
    const struct problem_field *fields; // 422: more of them, field_count
    size_t field_count;
    const char *detail; // instead of the problem's own
    bool with_opens_at; // 409 draft: opens_at
    int64_t opens_at_us; // may be SNAPSHOT_NO_TIME, then null
    int64_t retry_after_seconds; // 0: no Retry-After
    const char *allow; // 405: Allow
    const char *set_cookie; // takes a cookie away that did not verify
};

// Answers the exchange. `more` may be NULL.
void problem_respond(struct http_exchange *exchange, const struct problem *problem, const struct problem_more *more);

// The problem of that type, for showing it on the page. NULL: there is none.
const struct problem *problem_find(const char *type, size_t type_bytes);

#endif
