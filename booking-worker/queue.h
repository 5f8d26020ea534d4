// SPDX-License-Identifier: Apache-2.0
// One booking queue and the thread that consumes it: takes what has arrived as a batch, books it event by event, publishes what
// the visitors must learn, acknowledges once.
#ifndef BOOKING_WORKER_QUEUE_H
#define BOOKING_WORKER_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "booking-worker/payer.h"
#include "booking-worker/settings.h"
#include "common/error.h"
#include "common/stop.h"

struct queue;

// Starts the thread. `name` is a constant text; everything given must outlive the thread. It subscribes after `delay_ms`, so that several
// workers that start at once share the queues. `payer` is rung when payments were begun; NULL: none.
int queue_start(const struct settings *settings, const char *name, int64_t delay_ms, const struct stop *stop,
                struct payer *payer, struct queue **ret) MUST_USE;
void queue_join(
    struct queue *queue); // after stop_ask(): waits until the batch at hand is done, and frees. Accepts NULL
// Any thread.
bool queue_has_mysql(const struct queue *queue);
bool queue_has_rabbitmq(const struct queue *queue);

#endif
