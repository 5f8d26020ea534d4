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

static const char *const good_cards[] = {"pm_card_visa", "pm_card_mastercard", "pm_card_amex"};
static const char *const bad_cards[] = {"pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds",
                                        "pm_card_chargeDeclinedExpiredCard"};
static const char *const unsure_cards[] = {"pm_sandbox_timeout", "pm_sandbox_error", "pm_sandbox_slow"};
#define ONE_OF(cards, k) (cards)[(k) % (sizeof(cards) / sizeof *(cards))]
#define OF_TEN 10

static void add_card(struct purse *purse, const char *card)
{
    purse->cards[purse->count++] = card;
}

// The purse of the kth visitor whose first card is one that is declined. Two of ten have no other, two a second one like it, too.
static void fill_with_declined(struct purse *purse, uint32_t k)
{
    add_card(purse, ONE_OF(bad_cards, k));
    if (k % OF_TEN >= 8)
        return;
    if (k % OF_TEN >= 6)
        add_card(purse, ONE_OF(bad_cards, k + 1));
    add_card(purse, ONE_OF(good_cards, k));
}

// Of ten who are asked by the bank one never answers, two say no, and one of these has another card.
static void fill_with_challenged(struct purse *purse, uint32_t k)
{
    add_card(purse, "pm_sandbox_challenge");
    purse->answers = k % OF_TEN == 9 ? ANSWERS_NEVER : k % OF_TEN >= 7 ? ANSWERS_NO : ANSWERS_YES;
    if (k % OF_TEN == 8)
        add_card(purse, ONE_OF(good_cards, k));
}

// Who changes their mind does so at once, after a decline, or when the bank asks.
static void fill_to_give_back(struct purse *purse, uint32_t k)
{
    if (k % 3 == 1)
        add_card(purse, ONE_OF(bad_cards, k));
    if (k % 3 == 2)
        add_card(purse, "pm_sandbox_challenge");
    purse->answers = ANSWERS_NEVER;
}

// `paying` are those who pay in time.
static void give_purses(const struct options *options, struct visitor *visitors, const uint32_t *paying,
                        uint32_t paying_count, uint32_t count)
{
    uint32_t declines = roles_share(count, options->declines_percent);
    uint32_t challenges = roles_share(count, options->challenges_percent);
    uint32_t time_outs = roles_share(count, options->time_outs_percent);
    for (uint32_t i = 0; i < paying_count; i++) {
        struct purse *purse = &visitors[paying[i]].order.plan.hold.purse;
        if (i < declines)
            fill_with_declined(purse, i);
        else if (i - declines < challenges)
            fill_with_challenged(purse, i - declines);
        else if (i - declines - challenges < time_outs)
            add_card(purse, ONE_OF(unsure_cards, i));
        else
            add_card(purse, ONE_OF(good_cards, i));
    }
}

static void give_holdings(const struct stage *stage, struct visitor *visitors, const uint32_t *deck, uint32_t count)
{
    const struct options *options = stage->options;
    const bool can_pay = options->pay_to || stage->by_card;
    const struct {
        enum holding holding;
        uint32_t count;
    } shares[] = {
        {HOLDING_GIVES_BACK, roles_share(count, options->cancel_percent)},
        {HOLDING_PAYS_LATE, can_pay ? roles_share(count, options->pay_late_percent) : 0},
        {HOLDING_LAPSES, can_pay ? roles_share(count, options->never_pay_percent) : count},
    };
    uint32_t next = 0;
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        for (uint32_t k = 0; k < shares[i].count && next < count; k++) {
            struct hold *hold = &visitors[deck[next++]].order.plan.hold;
            hold->holding = shares[i].holding;
            if (stage->by_card && hold->holding == HOLDING_GIVES_BACK)
                fill_to_give_back(&hold->purse, k);
            if (stage->by_card && hold->holding == HOLDING_PAYS_LATE)
                add_card(&hold->purse, ONE_OF(good_cards, k));
        }
    if (stage->by_card)
        give_purses(options, visitors, deck + next, count - next, count);
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
    give_holdings(stage, visitors, deck, ordering);
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->with_order_percent); i++) {
        struct hold *hold = &visitors[deck[i]].order.plan.hold;
        hold->purse.with_order = hold->holding == HOLDING_PAYS && hold->purse.count > 0;
    }
    shuffle(stage, deck, ordering);
    for (uint32_t i = 0; i < roles_share(ordering, options->more_time_percent); i++)
        visitors[deck[i]].order.plan.hold.more_time = true;
    free(deck);
    return 0;
}
