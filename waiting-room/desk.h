// SPDX-License-Identifier: Apache-2.0
// The waiting room's thread for the payment provider: it has pages made on which visitors leave a card, many at once. Nothing else is asked
// of the provider here: money is the booking worker's. A provider that is slow or away keeps visitors waiting who want a card page, and
// nobody else.
#ifndef WAITING_ROOM_DESK_H
#define WAITING_ROOM_DESK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/payment.h"
#include "common/provider.h"
#include "waiting-room/loops.h"

#define DESK_IN_FLIGHT_MAX 128 // asked at once
#define DESK_QUEUE_MAX 1024 // waiting for that; more are refused

struct desk;

struct desk_job {
    struct http_loop *loop;
    void (*answered)(struct desk_job *job); // on the loop's thread; the job is the asker's again
    void (*dropped)(struct desk_job *job); // the loop is gone: just frees; any thread
    void *context; // the asker's
    // What is wanted.
    char slug[SLUG_BYTES], currency[4], key[PAYMENT_KEY_BYTES];
    uint64_t place;
    uint32_t number; // of the card
    // The answer. 0: session and url; ERROR_TRANSIENT: there is none.
    int error;
    bool is_key_spent; // with that key there will never be one
    char session[PROVIDER_ID_BYTES], url[PROVIDER_URL_BYTES];
    // The desk's.
    struct desk *desk;
    int64_t since_ns;
    struct desk_job *next;
};

// Connects to nothing yet. Errors as provider_open()'s, ERROR_LIMIT: no thread. `config` and `loops` must outlive it.
int desk_open(const struct common_config *config, struct loops *loops, struct desk **ret, char *problem,
              size_t problem_bytes) MUST_USE;
// Gives up what is under way, answers all that wait and ends the thread. What is asked afterwards is refused.
void desk_stop(struct desk *desk);
void desk_free(struct desk *desk); // once stopped, and when all loops have ended; accepts NULL

// ERROR_LIMIT: too many wait; the job is still the caller's. Any loop's thread.
int desk_ask(struct desk *desk, struct desk_job *job) MUST_USE;

void desk_register_metrics(void); // once, before threads start

#endif
