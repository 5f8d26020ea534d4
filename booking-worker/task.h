// SPDX-License-Identifier: Apache-2.0
// One message of a booking queue while this worker has it: what it says, or why it is condemned. A message is condemned only
// for what it says, never for what MySQL or RabbitMQ are doing.
#ifndef BOOKING_WORKER_TASK_H
#define BOOKING_WORKER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/error.h"
#include "common/message.h"

#define TASK_DETAIL_BYTES 200
// A message that came back so often is tried alone: one of those that came back with it may end the worker.
#define TASK_SUSPECT_COUNT 2

// The reasons of docs/messages.md.
#define TASK_NOT_JSON "not_json"
#define TASK_VERSION "version"
#define TASK_UNKNOWN_EVENT "unknown_event"
#define TASK_NO_SUCH_ORDER "no_such_order"
#define TASK_BROKEN_ORDER "broken_order"
#define TASK_CRASHED "crashed"

struct task {
    struct bus_delivery delivery; // owned
    const char *condemned; // one of the reasons; NULL: it is to be booked
    char detail[TASK_DETAIL_BYTES]; // of the reason, for the operator
    bool is_book; // it is a message `book`, and what follows is what it says
    uint64_t event_id, place;
    uint32_t attempt, release;
    bool is_noted; // in delivery_attempts: to be taken out when it is done
};

// Takes the delivery over and reads it; what is no message `book` comes out condemned. `scratch` is for the reading. ERROR_MEMORY:
// nothing is known of it, and the delivery is still the caller's.
int task_read(struct bus_delivery *delivery, struct message *scratch, struct task *ret) MUST_USE;
void task_done(struct task *task); // accepts NULL and an empty one
// Condemns it for what turned out later. `detail` is copied.
void task_condemn(struct task *task, const char *reason, const char *detail);

#endif
