// SPDX-License-Identifier: Apache-2.0
// One deck for the way in the line, and one for each thing about the order, so that they come in all combinations.
#include "bench/crowd/roles.h"

#include <stdlib.h>

#define GROUP 4 // visitors with one e-mail address

uint32_t roles_share(uint32_t visitors, uint32_t percent)
{
    return (uint32_t)(((uint64_t)visitors * percent + 50) / 100);
}

static void shuffle(struct stage *stage, uint32_t *deck, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint64_t other = stage_random(stage, i);
        uint32_t kept = deck[i - 1];
        deck[i - 1] = deck[other];
        deck[other] = kept;
    }
}

static void give_ways(const struct options *options, struct visitor *visitors, const uint32_t *deck)
{
    uint32_t count = options->visitors, next = 0;
    const struct {
        enum visitor_role role;
        uint32_t count;
    } shares[] = {
        {VISITOR_LEAVES, roles_share(count, options->leave_percent)},
        {VISITOR_RECONNECTS, roles_share(count, options->reconnect_percent)},
        {VISITOR_READS_SLOWLY, roles_share(count, options->slow_percent)},
    };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (uint32_t k = 0; k < shares[i].count && next < count; k++) {
            struct visitor *visitor = &visitors[deck[next++]];
            visitor->role = shares[i].role;
            visitor->slow_link = k / options->per_connection;
        }
}

static void give_orderings(const struct options *options, struct visitor *visitors, const uint32_t *deck,
                           uint32_t count)
{
    const struct {
        enum ordering ordering;
        uint32_t count;
    } shares[] = {
        {ORDERING_CHANGES, roles_share(count, options->change_percent)},
        {ORDERING_TAKES_BACK, roles_share(count, options->take_back_percent)},
        {ORDERING_IN_TURN, roles_share(count, options->in_turn_percent)},
        {ORDERING_ONCE, count},
    };
    uint32_t next = 0;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (uint32_t k = 0; k < shares[i].count && next < count; k++)
            visitors[deck[next++]].order.plan.ordering = shares[i].ordering;
}

static void give_needs(const struct options *options, struct visitor *visitors, const uint32_t *deck, uint32_t count)
{
    uint32_t named = roles_share(count, options->named_percent);
    for (uint32_t i = 0; i < named; i++)
        visitors[deck[i]].order.plan.named = true;
    for (uint32_t i = 0; i < roles_share(count, options->wheelchair_percent) && named + i < count; i++)
        visitors[deck[named + i]].order.plan.wheelchair = true;
}

static void give_holdings(const struct options *options, struct visitor *visitors, const uint32_t *deck, uint32_t count)
{
    const struct {
        enum holding holding;
        uint32_t count;
    } shares[] = {
        {HOLDING_GIVES_BACK, roles_share(count, options->cancel_percent)},
        {HOLDING_PAYS_LATE, options->pay_to ? roles_share(count, options->pay_late_percent) : 0},
        {HOLDING_LAPSES, options->pay_to ? roles_share(count, options->never_pay_percent) : count},
    };
    uint32_t next = 0;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (uint32_t k = 0; k < shares[i].count && next < count; k++)
            visitors[deck[next++]].order.plan.hold.holding = shares[i].holding;
}

int roles_give(struct stage *stage, struct visitor *visitors)
{
    const struct options *options = stage->options;
    uint32_t count = options->visitors;
    uint32_t *deck = calloc(count, sizeof *deck);
    if (!deck)
        return ERROR_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        deck[i] = i;
    shuffle(stage, deck, count);
    give_ways(options, visitors, deck);
    shuffle(stage, deck, count);
    // The first so many of the deck order, and are shuffled among themselves from here on.
    uint32_t ordering = stage->menu.tier_count > 0 ? roles_share(count, options->orders_percent) : 0;
    give_orderings(options, visitors, deck, ordering);
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->alternatives_percent); i++)
        visitors[deck[i]].order.plan.alternatives = true;
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->again_percent); i++)
        visitors[deck[i]].order.plan.again = true;
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->same_customer_percent); i++)
        visitors[deck[i]].order.plan.group = 1 + i / GROUP;
    shuffle(stage, deck, ordering);
    give_needs(options, visitors, deck, ordering);
    shuffle(stage, deck, ordering);
    give_holdings(options, visitors, deck, ordering);
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->more_time_percent); i++)
        visitors[deck[i]].order.plan.hold.more_time = true;
    free(deck);
    return 0;
}
