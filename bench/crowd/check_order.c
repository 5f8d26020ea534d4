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

// Wishes

static void add_wish(struct check_order *order, const struct told *told)
{
    struct check_wish wish = {.count = (uint8_t)told->choice_count};
    for (size_t i = 0; i < told->choice_count; i++)
        wish.choices[i] = fingerprint(told->choices[i].tier, told->choices[i].quantity, told->choices[i].amount);
    struct check_wish *last = order->wish_count > 0 ? &order->wishes[order->wish_count - 1] : NULL;
    if (last && !last->acknowledged && last->count == wish.count &&
        memcmp(last->choices, wish.choices, sizeof wish.choices) == 0) {
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
    if (told->revision == order->told.revision && (told->state != order->state || print != order->print))
        return complain(to, CHECK_ORDER_BACK, "revision %" PRIu32 " was %s before, and is %s now, or of other tickets",
                        told->revision, from, state);
    return CHECK_RULE_COUNT;
}

static enum check_rule take_told(struct check_order *order, const struct told_order *told, struct check_version floor,
                                 int64_t at_us, const struct complaint *to)
{
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
    if (late || broken == CHECK_FINAL_CHANGED)
        return broken;
    if (!order->known)
        order->changed_us = at_us;
    if (!order->known || told->attempt != order->told.attempt)
        order->asked_again = false;
    if (!order->known || is_below(order->told, version))
        order->told_us = at_us;
    order->known = true;
    order->state = told->state;
    order->quantity = told->quantity;
    order->print = print;
    order->told = version;
    return broken;
}

static enum check_rule take_answer(struct check_order *order, const struct told *told, const struct complaint *to)
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
    return take_told(order, &told->order, order->answer_floor, told->at_us, to);
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

enum check_rule check_order_take(struct check_order *order, const struct told *told, char *why, size_t why_bytes)
{
    const struct complaint to = {why, why_bytes};
    switch (told->kind) {
    case TOLD_ORDER_ASKED:
        if (told->verb == TOLD_PUT) {
            order->asked = order->asked_again = true;
            add_wish(order, told);
        }
        order->under_way = true;
        order->asked_us = told->at_us;
        order->answer_floor = order->told;
        return CHECK_RULE_COUNT;
    case TOLD_ORDER_ANSWER:
        return take_answer(order, told, &to);
    case TOLD_ORDER_REFUSED:
        return take_refusal(order, told, &to);
    case TOLD_ORDER: {
        struct check_version floor = is_below(order->framed, order->stream_floor) ? order->stream_floor : order->framed;
        const struct check_version version = {told->order.attempt, told->order.revision};
        enum check_rule broken = take_told(order, &told->order, floor, told->at_us, &to);
        if (is_below(order->framed, version))
            order->framed = version;
        return broken;
    }
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
