// SPDX-License-Identifier: Apache-2.0
// The thread that releases orders: while this program leads, it marks the orders of those who were let in, publishes them to
// the booking queues with confirms, and ends all that is left when an event is sold out or closed. It has connections of
// its own to MySQL and RabbitMQ, so neither many orders nor a broker that blocks ever hold up the thread of the lines.
#ifndef ADMISSION_RELEASER_H
#define ADMISSION_RELEASER_H

#include <stdbool.h>

#include "admission/mailbox.h"
#include "common/config.h"
#include "common/error.h"

struct releaser;

// Starts the thread. `config` and `mailbox` must outlive it.
int releaser_start(const struct common_config *config, struct mailbox *mailbox, struct releaser **ret) MUST_USE;
// Waits for the thread to end after mailbox_stop(), and frees. Accepts NULL.
void releaser_join(struct releaser *releaser);
bool releaser_is_connected(const struct releaser *releaser); // to RabbitMQ; any thread

#endif
