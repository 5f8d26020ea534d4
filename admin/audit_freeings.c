// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_freeings.h"

#include <inttypes.h>

enum { F_PLACE, F_ATTEMPT, F_WAS, F_ENDED_AT, F_PAYMENT_OPEN };

void audit_freeings_init(struct audit_freeings *freeings)
{
    *freeings = (struct audit_freeings){
        .pages = {
            .has_attempt = true,
            .sql =
                "SELECT place, attempt, was, ended_at, payment_open FROM freeings WHERE event_id = ? AND place >= ? AND NOT "
                "(place = ? AND attempt <= ?) ORDER BY place, attempt LIMIT ?"}};
}

void audit_freeings_done(struct audit_freeings *freeings)
{
    audit_pages_done(&freeings->pages);
}

// A worker that runs frees within a second; while the event is stopped none does, nor while a payment may still be authorised, for which
// check 6 sees to it that somebody looks after it.
static void check_wait(struct audit *audit, const struct audit_freeings *freeings)
{
    const struct audit_pages *pages = &freeings->pages;
    const uint64_t place = db_u64(pages->rows, pages->row, F_PLACE);
    const int64_t ended_at_us = db_time_us(pages->rows, pages->row, F_ENDED_AT);
    audit->freeings_waiting++;
    const bool may_wait = audit->is_stopped || db_u64(pages->rows, pages->row, F_PAYMENT_OPEN);
    if (audit->options.settled || (!may_wait && audit->now_us - ended_at_us > AUDIT_OVERDUE_US))
        audit_violation(audit, AUDIT_ENDS, "place %" PRIu64 ": the booking has ended, and its places are not free yet",
                        place);
}

// Whether the row is of an earlier place or attempt (-1), of this one (0), or of a later one.
static int compare(const struct audit_pages *pages, uint64_t place, uint64_t attempt)
{
    const uint64_t row_place = db_u64(pages->rows, pages->row, F_PLACE),
                   row_attempt = db_u64(pages->rows, pages->row, F_ATTEMPT);
    if (row_place != place)
        return row_place < place ? -1 : 1;
    return (row_attempt > attempt) - (row_attempt < attempt);
}

int audit_freeings_find(struct audit_freeings *freeings, struct audit *audit, uint64_t place, uint64_t attempt,
                        enum order_state state, struct audit_freeing *ret)
{
    struct audit_pages *pages = &freeings->pages;
    *ret = (struct audit_freeing){.was = ORDER_CANCELLED};
    for (;;) {
        bool is_there;
        int r = audit_pages_look(audit->db, audit->event_id, pages, &is_there);
        if (r < 0 || !is_there)
            return r;
        const int side = compare(pages, place, attempt);
        if (side > 0)
            return 0;
        enum order_state was;
        // Visitors and operators cancel; a payment that came to nothing expires or fails what was being paid.
        const bool is_end = state == ORDER_CANCELLED || state == ORDER_EXPIRED || state == ORDER_FAILED;
        const bool is_right = is_end && order_state_parse(db_string(pages->rows, pages->row, F_WAS), &was) == 0 &&
                              order_may_become(was, state, ORDER_BY_OPERATOR) && order_is_counted(was);
        check_wait(audit, freeings);
        if (side < 0)
            audit_violation(audit, AUDIT_ENDS, "place %" PRIu64 " is to be freed, and has no booking",
                            db_u64(pages->rows, pages->row, F_PLACE));
        else if (!is_right)
            audit_violation(audit, AUDIT_ENDS, "place %" PRIu64 " is to be freed from %s, and its booking is %s", place,
                            db_string(pages->rows, pages->row, F_WAS), order_state_name(state));
        if (side == 0 && is_right)
            *ret = (struct audit_freeing){
                .waits = true, .waits_for_payment = db_u64(pages->rows, pages->row, F_PAYMENT_OPEN) != 0, .was = was};
        audit_pages_take(pages);
        if (side == 0)
            return 0;
    }
}

int audit_freeings_end(struct audit_freeings *freeings, struct audit *audit)
{
    struct audit_freeing none;
    return audit_freeings_find(freeings, audit, UINT64_MAX, UINT64_MAX, ORDER_PLACED, &none);
}
