// SPDX-License-Identifier: Apache-2.0
// The thread that owns the connection to RabbitMQ: carries the lines' news to the waiting rooms and operators'
// changes to the keeper. When RabbitMQ is away or blocked only this thread waits; the line goes on in MySQL.
#ifndef ADMISSION_COURIER_H
#define ADMISSION_COURIER_H

#include <stdbool.h>

#include "admission/mailbox.h"
#include "common/config.h"
#include "common/error.h"

struct courier;

// Starts the thread. `config` and `mailbox` must outlive it.
int courier_start(const struct common_config *config, struct mailbox *mailbox, struct courier **ret) MUST_USE;
// Waits for the thread to end after mailbox_stop(), and frees. Accepts NULL.
void courier_join(struct courier *courier);
bool courier_is_connected(const struct courier *courier); // any thread

#endif
