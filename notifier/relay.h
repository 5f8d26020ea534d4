// SPDX-License-Identifier: Apache-2.0
// The thread that passes outcomes on: from the queue onsale.outcomes, in order, to every waiting room. Of several notifiers one has the
// queue; when it dies, what it had not acknowledged comes to the next.
#ifndef NOTIFIER_RELAY_H
#define NOTIFIER_RELAY_H

#include <stdbool.h>

#include "common/error.h"
#include "common/stop.h"
#include "notifier/settings.h"
#include "notifier/stock.h"

struct relay;

// Everything given must outlive the thread. `stock` is told whose outcomes went by.
int relay_start(const struct settings *settings, const struct stop *stop, struct stock *stock,
                struct relay **ret) MUST_USE;
void relay_join(struct relay *relay); // after stop_ask(): waits until the batch at hand is passed on. Accepts NULL
bool relay_has_rabbitmq(const struct relay *relay); // any thread

#endif
