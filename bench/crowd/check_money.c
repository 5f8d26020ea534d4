// SPDX-License-Identifier: Apache-2.0
// What visitors were told against what the bank says: who is confirmed has paid once, to the cent, and nobody else has paid.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd/check_internal.h"

// What is known of a visitor's money when the record ends. Who heard no end may have paid or not.
enum owing { OWES_NOTHING, OWES, MAY_OWE };

static enum owing owing_of(const struct check_order *order, uint32_t attempt)
{
    if (!order->known)
        return order->asked && order->under_way ? MAY_OWE : OWES_NOTHING;
    if (attempt != order->told.attempt)
        return attempt > order->told.attempt ? MAY_OWE : OWES_NOTHING;
    if (order->state == ORDER_CONFIRMED)
        return order->amount > 0 ? OWES : OWES_NOTHING;
    return order_is_final(order->state) ? OWES_NOTHING : MAY_OWE;
}

static void judge_captured(struct check *check, const struct ledger_intent *intent, uint32_t visitor, bool again)
{
    const struct check_order *order = visitor ? &check->visitors[visitor - 1].order : NULL;
    enum owing owing = order ? owing_of(order, intent->attempt) : OWES_NOTHING;
    if (owing == OWES_NOTHING)
        check_violation(check, CHECK_MONEY_TAKEN, visitor,
                        "%s took %" PRIu64 " %s for place %" PRIu64 ", attempt %" PRIu32 ", which is %s", intent->id,
                        intent->amount, intent->currency, intent->place, intent->attempt,
                        order && order->known ? order_state_name(order->state) : "nobody's in this crowd");
    else if (again)
        check_violation(check, CHECK_MONEY_TWICE, visitor, "place %" PRIu64 " paid more than once; %s as well",
                        intent->place, intent->id);
    else if (owing == OWES && (intent->amount != order->amount ||
                               strncmp(intent->currency, order->currency, sizeof intent->currency) != 0))
        check_violation(check, CHECK_MONEY_WRONG, visitor, "%s took %" PRIu64 " %s for %" PRIu64 " %s", intent->id,
                        intent->amount, intent->currency, order->amount, order->currency);
}

static void judge_missing(struct check *check, const struct check_visitor *visitor, uint32_t number)
{
    const struct check_order *order = &visitor->order;
    if (order->known && owing_of(order, order->told.attempt) == OWES)
        check_violation(check, CHECK_MONEY_MISSING, number,
                        "place %" PRIu64 " is confirmed, and the bank has no money for it", visitor->place);
}

void check_ledger(struct check *check, const struct ledger *ledger)
{
    // Who has paid for the attempt that counts.
    bool *paid = calloc((size_t)check->visitor_count + 1, sizeof *paid);
    if (!paid || !check->begun) {
        check_violation(check, CHECK_RECORD, 0, paid ? "there is no beginning" : "out of memory for the ledger");
        free(paid);
        return;
    }
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_intent *intent = &ledger->items[i];
        uint32_t visitor = intent->place ? owners_find(&check->places, intent->place) : 0;
        const struct check_order *order = visitor ? &check->visitors[visitor - 1].order : NULL;
        if (intent->state == LEDGER_AUTHORISED) {
            check_violation(check, CHECK_MONEY_OPEN, visitor, "%s still reserves %" PRIu64 " %s for place %" PRIu64,
                            intent->id, intent->amount, intent->currency, intent->place);
            // Not taken yet is a fault of its own, and not also missing.
            paid[visitor] = paid[visitor] || (order && order->known && intent->attempt == order->told.attempt);
        } else if (intent->state == LEDGER_CAPTURED) {
            bool counts = order && order->known && intent->attempt == order->told.attempt;
            judge_captured(check, intent, visitor, counts && paid[visitor]);
            paid[visitor] = paid[visitor] || counts;
        }
    }
    for (uint32_t i = 0; i < check->visitor_count; i++)
        if (!paid[i + 1])
            judge_missing(check, &check->visitors[i], i + 1);
    free(paid);
}

const char *check_event(const struct check *check)
{
    return check->event;
}
