// SPDX-License-Identifier: Apache-2.0
// The thread that tells waiting rooms what is left of each tier and what orders ask for: of every live event once a second, and up to
// four times a second of those whose outcomes go by.
#ifndef NOTIFIER_STOCK_H
#define NOTIFIER_STOCK_H

#include <stdbool.h>

#include "common/error.h"
#include "common/stop.h"
#include "notifier/settings.h"

struct stock;

int stock_start(const struct settings *settings, const struct stop *stop, struct stock **ret) MUST_USE;
void stock_join(struct stock *stock); // after stop_ask(). Accepts NULL
void stock_touch(struct stock *stock, const char *slug); // any thread: something of this event changed
// Any thread.
bool stock_has_mysql(const struct stock *stock);
bool stock_has_rabbitmq(const struct stock *stock);

#endif
