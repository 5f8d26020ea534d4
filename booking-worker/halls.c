// SPDX-License-Identifier: Apache-2.0
// See halls.h.
#include "booking-worker/halls.h"

#include <stdlib.h>
#include <string.h>

struct hall {
    char tier[SLUG_BYTES];
    uint64_t layout;
    uint64_t taken_version; // 0: not known, the seats that are taken have to be read
    struct seating *seating;
};

struct hall_event {
    uint64_t id; // 0: free
    uint64_t used; // the higher, the later
    size_t hall_count;
    struct hall *halls;
};

struct halls {
    uint64_t uses;
    struct hall_event events[HALLS_EVENTS_MAX];
};

int halls_new(struct halls **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : ERROR_MEMORY;
}

static void forget_event(struct hall_event *event)
{
    for (size_t i = 0; i < event->hall_count; i++)
        seating_free(event->halls[i].seating);
    free(event->halls);
    *event = (struct hall_event){0};
}

void halls_free(struct halls *halls)
{
    if (!halls)
        return;
    for (size_t i = 0; i < HALLS_EVENTS_MAX; i++)
        forget_event(&halls->events[i]);
    free(halls);
}

static struct hall_event *find_event(struct halls *halls, uint64_t id)
{
    for (size_t i = 0; i < HALLS_EVENTS_MAX; i++)
        if (halls->events[i].id == id)
            return &halls->events[i];
    return NULL;
}

// That of the event, or a free one, in place of the one that was not used for longest.
static struct hall_event *take_event(struct halls *halls, uint64_t id)
{
    struct hall_event *event = find_event(halls, id);
    if (!event) {
        event = &halls->events[0];
        for (size_t i = 1; i < HALLS_EVENTS_MAX; i++)
            if (halls->events[i].used < event->used)
                event = &halls->events[i];
        forget_event(event);
        event->id = id;
    }
    event->used = ++halls->uses;
    return event;
}

static struct hall *find_hall(const struct hall_event *event, const char *tier)
{
    for (size_t i = 0; i < event->hall_count; i++)
        if (strcmp(event->halls[i].tier, tier) == 0)
            return &event->halls[i];
    return NULL;
}

static int take_hall(struct hall_event *event, const char *tier, struct hall **ret)
{
    *ret = find_hall(event, tier);
    if (*ret)
        return 0;
    struct hall *halls = realloc(event->halls, (event->hall_count + 1) * sizeof(*halls));
    if (!halls)
        return ERROR_MEMORY;
    event->halls = halls;
    *ret = &halls[event->hall_count++];
    **ret = (struct hall){0};
    memcpy((*ret)->tier, tier, strlen(tier) + 1);
    return 0;
}

static int bring_up_to_date(struct hall *hall, struct db *db, uint64_t event_id, const struct store_tier *now)
{
    int result = 0;
    if (!hall->seating || hall->layout != now->layout) {
        struct seating *seating = NULL;
        result = store_read_seating(db, event_id, hall->tier, &seating);
        if (result)
            return result;
        seating_free(hall->seating);
        hall->seating = seating;
        hall->layout = now->layout;
        hall->taken_version = 0;
    }
    if (hall->taken_version == now->taken_version)
        return 0;
    hall->taken_version = 0; // in case that this fails half-way
    seating_clear(hall->seating);
    result = store_read_taken(db, event_id, hall->tier, hall->seating);
    if (result == 0)
        hall->taken_version = now->taken_version;
    return result;
}

static bool has_seats(const struct store_event *event)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++)
        if (event->numbers.tiers[i].is_seated)
            return true;
    return false;
}

int halls_use(struct halls *halls, struct db *db, struct store_event *event)
{
    if (!has_seats(event))
        return 0;
    struct hall_event *own = take_event(halls, event->id);
    for (size_t i = 0; i < event->numbers.tier_count; i++) {
        struct allocate_tier *tier = &event->numbers.tiers[i];
        struct hall *hall = NULL;
        if (!tier->is_seated)
            continue;
        int result = take_hall(own, tier->code, &hall);
        if (result == 0)
            result = bring_up_to_date(hall, db, event->id, &event->tiers[i]);
        if (result)
            return result;
        tier->seating = hall->seating;
    }
    return 0;
}

void halls_committed(struct halls *halls, const struct store_event *event)
{
    struct hall_event *own = find_event(halls, event->id);
    for (size_t i = 0; own && i < event->numbers.tier_count; i++) {
        const struct allocate_tier *tier = &event->numbers.tiers[i];
        struct hall *hall = tier->seating && tier->has_changed_seats ? find_hall(own, tier->code) : NULL;
        if (hall)
            hall->taken_version = event->tiers[i].taken_version + 1;
    }
}

void halls_rolled_back(struct halls *halls, uint64_t event_id)
{
    struct hall_event *own = event_id ? find_event(halls, event_id) : NULL;
    for (size_t i = 0; own && i < own->hall_count; i++)
        own->halls[i].taken_version = 0;
}
