// SPDX-License-Identifier: Apache-2.0
// Every exchange and queue, by name, in one place. docs/messages.md says what travels through them.
#ifndef COMMON_TOPOLOGY_H
#define COMMON_TOPOLOGY_H

#include <stdint.h>

#include "common/bus.h"
#include "common/error.h"

#define TOPOLOGY_FEED "onsale.feed" // fan-out, transient messages: what waiting rooms must hear
#define TOPOLOGY_CONTROL "onsale.control" // fan-out, transient messages: an operator changed an event, visitors ordered

// Durable quorum queues with a single active consumer. An event's orders all go to one of the first kind, so that order is kept.
#define TOPOLOGY_BOOKING_QUEUES 8
#define TOPOLOGY_OUTCOMES "onsale.outcomes"
#define TOPOLOGY_DEAD "onsale.dead"
// A durable quorum queue that all booking workers share: a bell for payers. What is to be done stands in `payments`.
#define TOPOLOGY_PAYMENTS "onsale.payments"

// Declares the exchanges; every program does so on connecting (declaring is idempotent).
int topology_declare(struct bus *bus) MUST_USE;

// Declares all work queues; programs that publish to one or consume one do so on connecting.
int topology_declare_queues(struct bus *bus) MUST_USE;

// The n-th booking queue's name ("onsale.bookings.3"), and which one carries an event. Constant strings.
const char *topology_booking_queue(unsigned n);
const char *topology_booking_queue_of(uint64_t event_id);

// Declares a private queue (exclusive, auto-delete, at most 10,000 messages, the oldest dropped) bound to an exchange, and
// consumes it without acknowledgements.
int topology_subscribe(struct bus *bus, const char *exchange) MUST_USE;

#endif
