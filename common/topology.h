// SPDX-License-Identifier: Apache-2.0
// Every exchange and queue, by name, in one place. docs/messages.md says what travels through them.
#ifndef COMMON_TOPOLOGY_H
#define COMMON_TOPOLOGY_H

#include "common/bus.h"
#include "common/error.h"

#define TOPOLOGY_FEED "onsale.feed"       // fan-out, transient messages: what waiting rooms must hear
#define TOPOLOGY_CONTROL "onsale.control" // fan-out, transient messages: an operator changed an event

// Declares the exchanges; every program does so on connecting (declaring is idempotent).
int topology_declare(struct bus *bus) MUST_USE;

// Declares a private queue (exclusive, auto-delete, at most 10,000 messages, the oldest dropped) bound to an exchange, and
// consumes it without acknowledgements.
int topology_subscribe(struct bus *bus, const char *exchange) MUST_USE;

#endif
