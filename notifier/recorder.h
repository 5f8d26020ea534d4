// SPDX-License-Identifier: Apache-2.0
// The thread that records dead letters: from the queue onsale.dead into MySQL, each once. What it cannot record it keeps; with MySQL away
// it waits.
#ifndef NOTIFIER_RECORDER_H
#define NOTIFIER_RECORDER_H

#include <stdbool.h>

#include "common/error.h"
#include "common/stop.h"
#include "notifier/settings.h"

struct recorder;

int recorder_start(const struct settings *settings, const struct stop *stop, struct recorder **ret) MUST_USE;
void recorder_join(struct recorder *recorder); // after stop_ask(). Accepts NULL
// Any thread.
bool recorder_has_mysql(const struct recorder *recorder);
bool recorder_has_rabbitmq(const struct recorder *recorder);

#endif
