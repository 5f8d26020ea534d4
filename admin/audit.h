// SPDX-License-Identifier: Apache-2.0
// What must always hold (the numbered list in docs/invariants.md), checked against one consistent snapshot of the
// database. A check finds all violations and keeps the first few as samples. What is merely on its way is counted apart.
#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"
#include "common/order_state.h"

#define AUDIT_SAMPLES_MAX 10
#define AUDIT_OVERDUE_US \
    (60 * INT64_C(1000000)) // on its way for longer than this is a violation where nothing stands in its way
#define AUDIT_SETTLED_US (15 * INT64_C(1000000)) // the same for letters and news when everything is said to be settled

// The checks, in the order of their numbers.
enum audit_index {
    AUDIT_STOCK,
    AUDIT_CUSTOMERS,
    AUDIT_RELEASES,
    AUDIT_LINE,
    AUDIT_ENDS,
    AUDIT_PAYMENTS,
    AUDIT_PACE,
    AUDIT_LETTERS,
    AUDIT_COUNT
};

struct audit_check {
    int n;
    const char *name;
    uint64_t violation_count;
    json_t *samples; // texts
};

#define AUDIT_WHY_BYTES 200
#define AUDIT_CURRENCIES_MAX 8

// Sums in one currency.
struct audit_money {
    char currency[4];
    uint64_t captured, refunded; // by the provider's list
    uint64_t booked; // confirmed bookings that a captured payment pays for
};

// What came of the comparison with the provider's list (audit_provider.h).
struct audit_provider {
    bool is_compared;
    char why[AUDIT_WHY_BYTES]; // if not
    uint64_t intents; // of this event
    size_t money_count;
    struct audit_money money[AUDIT_CURRENCIES_MAX];
};

struct audit_options {
    bool settled; // nothing may be on its way any more
    bool takes_money; // a payment provider takes it: what costs something is confirmed by a payment
    // Asked, at most once, when letters are missing: how many wait in RabbitMQ for the notifier. NULL: nobody can say.
    uint64_t (*count_letters)(void *subject);
    void *subject;
};

struct audit {
    struct db *db;
    struct audit_options options;
    uint64_t event_id;
    int64_t now_us;
    bool is_over; // the event is closed or sold out …
    int64_t over_since_us; // … since then
    bool is_stopped; // its clock stands still, at `stopped_us` behind UTC and counting
    int64_t stopped_us;
    int64_t changed_at_us; // when anything of it was done last, as far as its log and its bookings tell
    uint64_t open[ORDER_STATE_COUNT]; // orders and bookings by the state that their visitors see, where it is not final
    uint64_t news_waiting; // messages of the event in the outbox
    uint64_t freeings_waiting; // bookings that ended and whose places are not free yet
    int64_t first_payment_us; // when the event's first payment was begun; INT64_MIN: there is none
    uint64_t payments_waiting; // payments that somebody has still something to do about
    uint64_t letters_waiting; // failed bookings and payments whose dead letter is on its way
    struct audit_check checks[AUDIT_COUNT];
    struct audit_provider provider;
};

// Runs all checks on an event. ERROR_NOT_FOUND: there is none of that name. The caller ends with audit_done() either
// way.
int audit_run(struct audit *audit, struct db *db, const char *slug, const struct audit_options *options) MUST_USE;
void audit_done(struct audit *audit);

// For the parts of the audit: the sums in a currency, made when there are none yet; NULL: there are too many currencies.
struct audit_money *audit_money(struct audit *audit, const char *currency);
// Notes a violation.
void audit_violation(struct audit *audit, enum audit_index check, const char *format, ...) PRINTF_LIKE(3, 4);

// Goes through served_log and pace_log, row by row (audit_served.c).
int audit_served_log(struct audit *audit) MUST_USE;
// Goes along the places: orders, what became of them, and the steps that let them in (audit_orders.c).
int audit_orders(struct audit *audit) MUST_USE;
// Whether somebody stands by who could be served, or never will be (audit_standby.c).
int audit_standby(struct audit *audit) MUST_USE;
// Failed bookings and their letters, and what is left in the outbox (audit_letters.c).
int audit_letters(struct audit *audit) MUST_USE;

#endif
