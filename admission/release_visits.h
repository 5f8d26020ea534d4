// SPDX-License-Identifier: Apache-2.0
// The events that the releaser has to visit: something is due there, or what was published is still to be noted. Belongs
// to the releaser's thread.
#ifndef ADMISSION_RELEASE_VISITS_H
#define ADMISSION_RELEASE_VISITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admission/release_store.h"
#include "common/error.h"

struct release_visit {
    uint64_t event_id;
    bool is_due;
    bool is_confirmed; // what was sent: RabbitMQ has it
    size_t sent_count;
    struct release_row *sent; // published, to be noted; NULL: nothing
};

struct release_visits {
    size_t count;
    struct release_visit *items[RELEASE_EVENTS_MAX];
};

// Something is due in this event. When there are too many, or no memory, nothing happens: the next look finds it again.
void release_visits_add(struct release_visits *visits, uint64_t event_id);
void release_visits_clear(struct release_visits *visits); // forgets all
void release_visits_drop_done(struct release_visits *visits); // forgets those where nothing is due or to be noted
bool release_visits_wait(const struct release_visits *visits); // something can be done now

int release_visit_keep_sent(struct release_visit *visit, const struct release_row *rows, size_t count) MUST_USE;
void release_visit_forget_sent(struct release_visit *visit);
// RabbitMQ has confirmed everything that was sent; or the connection broke, and nobody knows: it is due again.
void release_visits_confirmed(struct release_visits *visits);
void release_visits_lost_bus(struct release_visits *visits);

#endif
