// SPDX-License-Identifier: Apache-2.0
// The thread that publishes what stands in the outbox because its writer died: so that outcomes go out when no booking worker lives.
// Several sweepers do not disturb each other.
#ifndef NOTIFIER_SWEEPER_H
#define NOTIFIER_SWEEPER_H

#include "common/error.h"
#include "notifier/settings.h"
#include "notifier/stop.h"

struct sweeper;

int sweeper_start(const struct settings *settings, const struct stop *stop, struct sweeper **ret) MUST_USE;
void sweeper_join(struct sweeper *sweeper); // after stop_ask(). Accepts NULL

#endif
