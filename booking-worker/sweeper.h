// SPDX-License-Identifier: Apache-2.0
// The thread that makes up for what somebody died over: messages of the outbox that their writer did not publish, and events that
// are sold to the last place without their state saying so.
#ifndef BOOKING_WORKER_SWEEPER_H
#define BOOKING_WORKER_SWEEPER_H

#include "booking-worker/settings.h"
#include "booking-worker/stop.h"
#include "common/error.h"

struct sweeper;

int sweeper_start(const struct settings *settings, const struct stop *stop, struct sweeper **ret) MUST_USE;
void sweeper_join(struct sweeper *sweeper); // after stop_ask(). Accepts NULL

#endif
