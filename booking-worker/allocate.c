// SPDX-License-Identifier: Apache-2.0
// See allocate.h.
#include "booking-worker/allocate.h"

#include <string.h>

static struct allocate_tier *find_tier(struct allocate_event *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

static uint64_t places_left(const struct allocate_tier *tier)
{
    uint64_t taken = (uint64_t)tier->held + tier->sold;
    return taken < tier->capacity ? tier->capacity - taken : 0;
}

static bool wants_seats(struct allocate_event *event, const struct choices *choices)
{
    for (size_t i = 0; i < choices->count; i++) {
        const struct allocate_tier *tier = find_tier(event, choices->items[i].tier);
        if (tier && tier->is_seated)
            return true;
    }
    return false;
}

static struct allocate_verdict refused(enum order_reason reason)
{
    return (struct allocate_verdict){.state = ORDER_REFUSED, .reason = reason};
}

// The answer to one choice; confirmed ones are taken from the numbers.
static struct allocate_verdict try_choice(struct allocate_event *event, const struct choice *choice, size_t index,
                                          struct allocate_customer *customer)
{
    struct allocate_tier *tier = find_tier(event, choice->tier);
    if (!tier)
        return refused(ORDER_TIER_CLOSED);
    if ((uint64_t)customer->booked + choice->quantity > event->max_per_customer)
        return refused(ORDER_CUSTOMER_LIMIT);
    if (places_left(tier) < choice->quantity)
        return (struct allocate_verdict){.state = ORDER_SOLD_OUT};
    tier->sold += choice->quantity;
    customer->booked += choice->quantity;
    tier->is_changed = customer->is_changed = true;
    return (struct allocate_verdict){.state = ORDER_CONFIRMED, .choice = index};
}

struct allocate_verdict allocate_order(struct allocate_event *event, const struct choices *choices,
                                       struct allocate_customer *customer)
{
    if (event->state == LIFECYCLE_CLOSED)
        return refused(ORDER_EVENT_CLOSED);
    if (event->state != LIFECYCLE_OPEN && event->state != LIFECYCLE_PAUSED && event->state != LIFECYCLE_SOLD_OUT)
        return (struct allocate_verdict){.state = ORDER_RELEASED};
    if (!choices || wants_seats(event, choices))
        return (struct allocate_verdict){.state = ORDER_FAILED, .reason = ORDER_BROKEN};
    struct allocate_verdict answer = refused(ORDER_TIER_CLOSED);
    for (size_t i = 0; i < choices->count; i++) {
        struct allocate_verdict verdict = try_choice(event, &choices->items[i], i, customer);
        if (verdict.state == ORDER_CONFIRMED)
            return verdict;
        if (answer.reason == ORDER_TIER_CLOSED)
            answer = verdict;
    }
    return answer;
}

bool allocate_is_all_sold(const struct allocate_event *event)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (event->tiers[i].held > 0 || event->tiers[i].sold < event->tiers[i].capacity)
            return false;
    return event->tier_count > 0;
}
