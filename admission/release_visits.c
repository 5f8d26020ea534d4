// SPDX-License-Identifier: Apache-2.0
// See release_visits.h.
#include "admission/release_visits.h"

#include <stdlib.h>
#include <string.h>

void release_visit_forget_sent(struct release_visit *visit)
{
    free(visit->sent);
    visit->sent = NULL;
    visit->sent_count = 0;
    visit->is_confirmed = false;
}

int release_visit_keep_sent(struct release_visit *visit, const struct release_row *rows, size_t count)
{
    struct release_row *sent = malloc(count * sizeof(*sent));
    if (!sent)
        return ERROR_MEMORY;
    memcpy(sent, rows, count * sizeof(*sent));
    release_visit_forget_sent(visit);
    visit->sent = sent;
    visit->sent_count = count;
    return 0;
}

void release_visits_add(struct release_visits *visits, uint64_t event_id)
{
    for (size_t i = 0; i < visits->count; i++) {
        if (visits->items[i]->event_id == event_id) {
            visits->items[i]->is_due = true;
            return;
        }
    }
    struct release_visit *visit = visits->count < RELEASE_EVENTS_MAX ? calloc(1, sizeof(*visit)) : NULL;
    if (!visit)
        return;
    visit->event_id = event_id;
    visit->is_due = true;
    visits->items[visits->count++] = visit;
}

static void drop(struct release_visits *visits, size_t i)
{
    release_visit_forget_sent(visits->items[i]);
    free(visits->items[i]);
    visits->items[i] = visits->items[--visits->count];
}

void release_visits_clear(struct release_visits *visits)
{
    while (visits->count > 0)
        drop(visits, visits->count - 1);
}

void release_visits_drop_done(struct release_visits *visits)
{
    for (size_t i = visits->count; i-- > 0;)
        if (!visits->items[i]->is_due && !visits->items[i]->sent)
            drop(visits, i);
}

bool release_visits_wait(const struct release_visits *visits)
{
    for (size_t i = 0; i < visits->count; i++)
        if (visits->items[i]->is_due || visits->items[i]->is_confirmed)
            return true;
    return false;
}

void release_visits_confirmed(struct release_visits *visits)
{
    for (size_t i = 0; i < visits->count; i++)
        visits->items[i]->is_confirmed = visits->items[i]->sent != NULL;
}

void release_visits_lost_bus(struct release_visits *visits)
{
    for (size_t i = 0; i < visits->count; i++) {
        struct release_visit *visit = visits->items[i];
        if (visit->sent && !visit->is_confirmed) {
            release_visit_forget_sent(visit);
            visit->is_due = true;
        }
    }
}
