// SPDX-License-Identifier: Apache-2.0
// What a message of the queue onsale.dead becomes: a dead letter that somebody wrote, or one made here of what RabbitMQ gave up on or
// nobody can read. Pure.
#ifndef NOTIFIER_LETTER_H
#define NOTIFIER_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/dead_letter.h"
#include "common/error.h"
#include "common/message.h"

struct letter {
    struct dead_letter dead; // its body may borrow from the delivery
    bool is_returned_book; // RabbitMQ gave up on the release of an order, and so its visitor waits for an answer
    uint32_t release; // then: orders.release_no
};

// `scratch` is for the reading. ERROR_MEMORY. Freed with letter_done(), before the delivery.
int letter_read(const struct bus_delivery *delivery, struct message *scratch, struct letter *ret) MUST_USE;
void letter_done(struct letter *letter);
// Takes away all that it says, but not its body: for what MySQL cannot hold. `detail` says why.
void letter_reduce(struct letter *letter, const char *detail);

#endif
