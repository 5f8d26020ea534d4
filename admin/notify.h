// SPDX-License-Identifier: Apache-2.0
// Telling the other programs what has changed, after MySQL has it. A courtesy: they look by themselves once a
// second, and what stands in the outbox is swept, so a RabbitMQ out of reach is a note, not a failure.
#ifndef ADMIN_NOTIFY_H
#define ADMIN_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/context.h"
#include "common/outbox.h"

struct notify;

// Connects, so that nothing but sending is left to do once the change stands. NULL when RabbitMQ is out of reach: then
// a note was written, and the functions below, which accept NULL, do nothing. With `wants_answer` admission is asked to
// answer.
struct notify *notify_open(const struct context *context, bool wants_answer);
void notify_close(struct notify *notify); // accepts NULL

// Says that the event has this version now.
void notify_send(struct notify *notify, const char *slug, uint64_t version);

// Waits until admission has acted on this version or a later one, or timeout_ms have passed. True when it has.
bool notify_wait_acted(struct notify *notify, const char *slug, uint64_t version, int timeout_ms);

// All in one, without an answer: for commands that change an event.
void notify_changed(const struct context *context, const char *slug, uint64_t version);

// Rings for the payers: something about a payment of the event (of that place; 0: of many) is due. Lost: they look twice a second anyway.
void notify_pay(const struct context *context, const char *slug, uint64_t place);

// Publishes what was committed to the outbox and removes it. What cannot be published now, a sweep tells.
void notify_outbox(const struct context *context, struct outbox *outbox);

#endif
