// SPDX-License-Identifier: Apache-2.0
// What a visitor is told of an order may skip steps and come twice, but never contradict what was told before.
#include "bench/crowd/check_order.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct complaint {
    char *why;
    size_t why_bytes;
};

PRINTF_LIKE(3, 4)
static enum check_rule complain(const struct complaint *to, enum check_rule rule, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(to->why, to->why_bytes, format, arguments);
    va_end(arguments);
    return rule;
}

static bool is_below(struct check_version a, struct check_version b)
{
    return a.attempt != b.attempt ? a.attempt < b.attempt : a.revision < b.revision;
}

// FNV-1a over what a choice is.
static uint64_t fingerprint(const char *tier, uint64_t quantity, uint64_t amount)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    char text[SLUG_BYTES + 48];
    (void)snprintf(text, sizeof text, "%s %" PRIu64 " %" PRIu64, tier, quantity, amount);
    for (const char *at = text; *at; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    return hash;
}

// FNV-1a over the name of a tier.
static uint64_t print_tier(const char *tier)
{
    return fingerprint(tier, 0, 0);
}

// Wishes

static void add_wish(struct check_order *order, const struct told *told)
{
    struct check_wish wish = {.count = (uint8_t)told->choice_count};
    for (size_t i = 0; i < told->choice_count; i++) {
        wish.choices[i] = fingerprint(told->choices[i].tier, told->choices[i].quantity, told->choices[i].amount);
        wish.seats[i] = told->choices[i].seats;
    }
    order->has_needs = order->has_needs || told->has_needs;
    order->has_alternatives = order->has_alternatives || told->choice_count > 1;
    struct check_wish *last = order->wish_count > 0 ? &order->wishes[order->wish_count - 1] : NULL;
    if (last && !last->acknowledged && last->count == wish.count &&
        memcmp(last->choices, wish.choices, sizeof wish.choices) == 0 &&
        memcmp(last->seats, wish.seats, sizeof wish.seats) == 0) {
        last->again = true;
        return;
    }
    if (order->wish_count == CHECK_WISHES_MAX) {
        order->forgot = true;
        memmove(order->wishes, order->wishes + 1, sizeof order->wishes - sizeof *order->wishes);
        order->wish_count--;
    }
    order->wishes[order->wish_count++] = wish;
}

// The last wish was granted: what was acknowledged before it holds no more.
static void grant_wish(struct check_order *order)
{
    uint8_t kept = 0;
    for (uint8_t i = 0; i < order->wish_count; i++)
        if (i + 1 == order->wish_count || !order->wishes[i].acknowledged)
            order->wishes[kept++] = order->wishes[i];
    order->wish_count = kept;
    if (kept > 0)
        order->wishes[kept - 1].acknowledged = true;
}

static bool is_wished(const struct check_order *order, uint64_t print, bool first_only)
{
    for (size_t i = 0; i < order->wish_count; i++) {
        size_t count = first_only ? 1 : order->wishes[i].count;
        for (size_t k = 0; k < count; k++)
            if (order->wishes[i].choices[k] == print)
                return true;
    }
    return order->forgot;
}

// Who named seats gets these and no others; who named none is told of none before some are given.
static bool are_seats_wished(const struct check_order *order, const struct told_order *told, uint64_t print, bool given)
{
    for (size_t i = 0; i < order->wish_count; i++) {
        size_t count = given ? order->wishes[i].count : 1;
        for (size_t k = 0; k < count; k++)
            if (order->wishes[i].choices[k] == print &&
                (order->wishes[i].seats[k] == told->seats || (given && order->wishes[i].seats[k] == 0)))
                return true;
    }
    return order->forgot;
}

// What is told

static enum check_rule judge_content(const struct check_order *order, const struct told_order *told, uint64_t print,
                                     const struct complaint *to)
{
    bool given = order_has_places(told->state);
    if (!given && told->state != ORDER_PLACED && told->state != ORDER_RELEASED)
        return CHECK_RULE_COUNT;
    if (!is_wished(order, print, !given))
        return complain(to, CHECK_ORDER_WRONG, "is told %s %" PRIu64 " × %s for %" PRIu64 ", which was not asked for",
                        order_state_name(told->state), told->quantity, told->tier, told->amount);
    if (given && !told->reference[0])
        return complain(to, CHECK_ORDER_WRONG, "is told %s without a reference", order_state_name(told->state));
    if (!are_seats_wished(order, told, print, given))
        return complain(to, CHECK_SEAT_WRONG, "is told %s with other seats than were asked for",
                        order_state_name(told->state));
    if (told->seat_count > 0 && told->seat_count != told->quantity)
        return complain(to, CHECK_SEAT_WRONG, "is told %s with %" PRIu32 " seats for %" PRIu64 " tickets",
                        order_state_name(told->state), told->seat_count, told->quantity);
    return CHECK_RULE_COUNT;
}

// Whether one state leads to the other, by whatever way, without an operator.
static bool may_come_to(enum order_state from, enum order_state to)
{
    unsigned reached = 1u << from, before = 0;
    while (reached != before) {
        before = reached;
        for (enum order_state state = 0; state < ORDER_STATE_COUNT; state++)
            for (enum order_state next = 0; next < ORDER_STATE_COUNT; next++)
                if ((before & 1u << state) && order_may_become(state, next, ORDER_BY_SYSTEM))
                    reached |= 1u << next;
    }
    return (reached & 1u << to) != 0;
}

static enum check_rule judge_hold(const struct check_order *order, const struct told_order *told,
                                  const struct complaint *to)
{
    bool same_attempt = order->known && told->attempt == order->told.attempt;
    if (order_may_lapse(told->state) != (told->pay_until_us != TOLD_NO_TIME))
        return complain(to, CHECK_HOLD_WRONG, "is told %s %s a time to pay until", order_state_name(told->state),
                        told->pay_until_us == TOLD_NO_TIME ? "without" : "with");
    if (!same_attempt || told->pay_until_us == TOLD_NO_TIME || order->pay_until_us == TOLD_NO_TIME)
        return CHECK_RULE_COUNT;
    if (told->pay_until_us < order->pay_until_us)
        return complain(to, CHECK_HOLD_WRONG, "may pay %.3f s less long than before",
                        (double)(order->pay_until_us - told->pay_until_us) / 1e6);
    return CHECK_RULE_COUNT;
}

static unsigned bit_of(enum told_card card)
{
    return 1u << card;
}

// What the bank says, as far as it follows from the cards that it was shown.
static enum check_rule judge_payment(const struct check_order *order, const struct told_order *told,
                                     const struct complaint *to)
{
    unsigned cards = order->ordered_cards;
    if (order->known && told->attempt == order->told.attempt)
        cards |= order->cards;
    if (told->has_action_url != (told->state == ORDER_ACTION_REQUIRED))
        return complain(to, CHECK_CHALLENGE_WRONG, "is told %s %s an address to answer the bank at",
                        order_state_name(told->state), told->has_action_url ? "with" : "without");
    if (told->state == ORDER_ACTION_REQUIRED && !(cards & bit_of(TOLD_CARD_CHALLENGED)))
        return complain(to, CHECK_CHALLENGE_WRONG, "is to answer the bank, and gave no card about which it asks");
    if (told->state != ORDER_DECLINED)
        return CHECK_RULE_COUNT;
    if (told->reason == ORDER_NO_REASON)
        return complain(to, CHECK_DECLINED_WRONG, "is told declined, and not why");
    if (!(cards & (bit_of(TOLD_CARD_DECLINED) | bit_of(TOLD_CARD_CHALLENGED) | bit_of(TOLD_CARD_UNSURE))))
        return complain(to, CHECK_DECLINED_WRONG, "is told declined (%s), and gave no card that can be",
                        order_reason_name(told->reason));
    return CHECK_RULE_COUNT;
}

// Against the last thing told that was not older.
static enum check_rule judge_change(const struct check_order *order, const struct told_order *told, uint64_t print,
                                    const struct complaint *to)
{
    const char *from = order_state_name(order->state), *state = order_state_name(told->state);
    if (told->attempt != order->told.attempt) {
        // An order may have ended without its visitor knowing, when a change came and became the next attempt.
        bool may = order_is_final(order->state) ? order_allows_another(order->state) : order->asked_again;
        return may ? CHECK_RULE_COUNT
                   : complain(to, CHECK_FINAL_CHANGED, "attempt %" PRIu32 " was %s, and now there is attempt %" PRIu32,
                              order->told.attempt, from, told->attempt);
    }
    if (order_is_final(order->state) && told->state != order->state)
        return complain(to, CHECK_FINAL_CHANGED, "was told %s, and now %s", from, state);
    if (!may_come_to(order->state, told->state))
        return complain(to, CHECK_STATE_WRONG, "was told %s, and now %s", from, state);
    if (order_has_places(order->state) && order_has_places(told->state) && order->seats != told->seats)
        return complain(to, CHECK_SEAT_WRONG, "was told %s, and is now told %s with other seats", from, state);
    // Which choice somebody stands by for is known to MySQL, and not to the news of it.
    bool same_tickets = print == order->print || told->state == ORDER_STANDBY;
    if (told->revision == order->told.revision && (told->state != order->state || !same_tickets))
        return complain(to, CHECK_ORDER_BACK, "revision %" PRIu32 " was %s before, and is %s now, or of other tickets",
                        told->revision, from, state);
    return CHECK_RULE_COUNT;
}

// What is remembered for one attempt only.
static void begin_attempt(struct check_order *order)
{
    order->asked_again = order->gives_back = false;
    order->cards = 0;
    order->answered_yes = false;
    order->stands_by_us = order->first_pay_until_us = order->pay_until_us = order->paid_us = TOLD_NO_TIME;
}

static enum check_rule take_told(struct check_order *order, const struct told *line, struct check_version floor,
                                 int64_t utc_us, const struct complaint *to)
{
    const struct told_order *told = &line->order;
    int64_t at_us = line->at_us;
    const struct check_version version = {told->attempt, told->revision};
    uint64_t print = fingerprint(told->tier, told->quantity, told->amount);
    if (!order->asked)
        return complain(to, CHECK_ORDER_UNASKED, "is told of an order (%s), and never gave one",
                        order_state_name(told->state));
    if (is_below(version, floor))
        return complain(to, CHECK_ORDER_BACK,
                        "is told revision %" PRIu32 " of attempt %" PRIu32 ", and knew %" PRIu32 " of %" PRIu32,
                        version.revision, version.attempt, floor.revision, floor.attempt);
    // News that crossed with an answer, from another connection: older, and no fault.
    bool late = order->known && is_below(version, order->told);
    enum check_rule broken = late ? CHECK_RULE_COUNT : judge_content(order, told, print, to);
    if (broken == CHECK_RULE_COUNT && order->known && !late)
        broken = judge_change(order, told, print, to);
    if (broken == CHECK_RULE_COUNT && !late)
        broken = judge_hold(order, told, to);
    if (broken == CHECK_RULE_COUNT && !late)
        broken = judge_payment(order, told, to);
    if (late || broken == CHECK_FINAL_CHANGED)
        return broken;
    if (!order->known)
        order->changed_us = at_us;
    if (!order->known || told->attempt != order->told.attempt)
        begin_attempt(order);
    if (!order->known || is_below(order->told, version))
        order->told_us = at_us;
    order->known = true;
    order->state = told->state;
    order->quantity = told->quantity;
    order->amount = told->amount;
    memcpy(order->currency, told->currency, sizeof order->currency);
    order->print = print;
    order->tier = print_tier(told->tier);
    order->seat_count = told->seat_count;
    order->groups = told->groups;
    order->seats = told->seats;
    if (told->state == ORDER_STANDBY && order->stands_by_us == TOLD_NO_TIME)
        order->stands_by_us = utc_us;
    // After a decline it may have been put off.
    if (told->state == ORDER_HELD && order->first_pay_until_us == TOLD_NO_TIME)
        order->first_pay_until_us = told->pay_until_us;
    if (told->pay_until_us != TOLD_NO_TIME)
        order->pay_until_us = told->pay_until_us;
    order->told = version;
    return broken;
}

static enum check_rule take_answer(struct check_order *order, const struct told *told, int64_t utc_us,
                                   const struct complaint *to)
{
    order->under_way = false;
    if (told->verb == TOLD_PUT) {
        if (told->order.state != ORDER_PLACED)
            return complain(to, CHECK_ORDER_WRONG, "ordered, and the answer is %s",
                            order_state_name(told->order.state));
        uint64_t print = fingerprint(told->order.tier, told->order.quantity, told->order.amount);
        if (order->wish_count == 0 || order->wishes[order->wish_count - 1].choices[0] != print)
            return complain(to, CHECK_ORDER_WRONG,
                            "the answer to ordering says other tickets, or another amount: %" PRIu64,
                            told->order.amount);
        grant_wish(order);
        order->changed_us = told->at_us;
    }
    if (told->verb == TOLD_DELETE && told->order.state != ORDER_CANCELLED)
        return complain(to, CHECK_ORDER_WRONG, "took the order back, and it is %s",
                        order_state_name(told->order.state));
    // More time may have been given by the time of the answer, and heard of on the stream.
    if (told->verb == TOLD_MORE_TIME &&
        (!order_may_lapse(told->order.state) || told->order.may_have_more_time ||
         (told->order.attempt == order->told.attempt && told->order.pay_until_us <= order->first_pay_until_us)))
        return complain(to, CHECK_HOLD_WRONG, "asked for more time, and is told %s without any",
                        order_state_name(told->order.state));
    return take_told(order, told, order->answer_floor, utc_us, to);
}

// A card given in the hold counts if it came in time. What is shown has milliseconds, and may be as much too early.
static void take_card(struct check_order *order, const struct told *told, int64_t utc_us)
{
    bool in_time =
        order->pay_until_us == TOLD_NO_TIME || utc_us == TOLD_NO_TIME || utc_us <= order->pay_until_us + 1000;
    if (told->card == TOLD_NO_CARD)
        return;
    if (told->verb == TOLD_PUT)
        order->ordered_cards |= bit_of(told->card);
    else if (in_time)
        order->cards |= bit_of(told->card);
}

bool check_order_has_paid_by_card(const struct check_order *order)
{
    unsigned cards = order->ordered_cards | order->cards;
    return (cards & (bit_of(TOLD_CARD_GOOD) | bit_of(TOLD_CARD_UNSURE))) != 0 ||
           ((cards & bit_of(TOLD_CARD_CHALLENGED)) != 0 && order->answered_yes);
}

static enum check_rule take_refusal(struct check_order *order, const struct told *told, const struct complaint *to)
{
    order->under_way = false;
    // A refusal is certain: this PUT will never be done. An earlier one of the same may have been.
    if (told->verb == TOLD_PUT && order->wish_count > 0 && !order->wishes[order->wish_count - 1].again)
        order->wish_count--;
    if (told->verb == TOLD_GET && told->status == 404 && order->known)
        return complain(to, CHECK_ORDER_LOST, "has an order (%s), and is told that there is none",
                        order_state_name(order->state));
    return CHECK_RULE_COUNT;
}

enum check_rule check_order_take(struct check_order *order, const struct told *told, int64_t utc_us, char *why,
                                 size_t why_bytes)
{
    const struct complaint to = {why, why_bytes};
    switch (told->kind) {
    case TOLD_ORDER_ASKED:
        if (told->verb == TOLD_PUT) {
            order->asked = order->asked_again = true;
            add_wish(order, told);
        }
        take_card(order, told, utc_us);
        order->gives_back = order->gives_back || told->verb == TOLD_DELETE;
        order->under_way = true;
        order->asked_us = told->at_us;
        order->answer_floor = order->told;
        return CHECK_RULE_COUNT;
    case TOLD_ORDER_ANSWER:
        return take_answer(order, told, utc_us, &to);
    case TOLD_ORDER_REFUSED:
        return take_refusal(order, told, &to);
    case TOLD_ORDER: {
        struct check_version floor = is_below(order->framed, order->stream_floor) ? order->stream_floor : order->framed;
        const struct check_version version = {told->order.attempt, told->order.revision};
        enum check_rule broken = take_told(order, told, floor, utc_us, &to);
        if (is_below(order->framed, version))
            order->framed = version;
        return broken;
    }
    case TOLD_PAYS:
        order->paid_us = utc_us;
        return CHECK_RULE_COUNT;
    case TOLD_ANSWERS:
        order->answered_yes = order->answered_yes || told->says_yes;
        return CHECK_RULE_COUNT;
    case TOLD_CLOSED:
    case TOLD_LOST:
        // The next stream begins with what is known by now, or something newer.
        if (!told->about_order)
            order->stream_floor = order->told;
        return CHECK_RULE_COUNT;
    default:
        return CHECK_RULE_COUNT;
    }
}
