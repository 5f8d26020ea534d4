// SPDX-License-Identifier: Apache-2.0
// See release_batch.h. Locks are taken in the order that all programs keep: the fence, the event, orders by place, the outbox.
//
// The fence: a leader that was frozen wakes up and believes that it leads. It cannot harm the order, because it reads the
// leaders' row after it has the fence: if that shows a later epoch it stops; if it does not, the later leader came after
// that, has to wait for this transaction at the same fence, and then finds what was marked here and publishes it first.
#include "admission/release_batch.h"

#include <string.h>

#include "common/outcome.h"
#include "common/topology.h"

// Keeps of what was read what the pure core says is to be done so; the statements ask for nothing else.
static int check_rows(const struct release_event *event, const struct release_row *rows, size_t count,
                      enum release_act act)
{
    for (size_t i = 0; i < count; i++)
        if (release_decide(event->state, event->served, &rows[i].order) != act ||
            (i > 0 && release_compare(act, &rows[i - 1].order, act, &rows[i].order) >= 0))
            return ERROR_BUG;
    return 0;
}

static int read_marked(struct db *db, struct release_batch *batch)
{
    int result = release_read_marked(db, batch->event.id, RELEASE_ORDERS_MAX, batch->rows, &batch->again_count);
    if (!result)
        result = check_rows(&batch->event, batch->rows, batch->again_count, RELEASE_PUBLISH);
    batch->row_count = batch->again_count;
    return result;
}

static int mark_due(struct db *db, struct release_batch *batch)
{
    size_t count, room = RELEASE_ORDERS_MAX - batch->row_count;
    struct release_row *rows = batch->rows + batch->row_count;
    if (room == 0)
        return 0;
    int result = release_read_placed(db, batch->event.id, batch->event.served, room, rows, &count);
    if (!result)
        result = check_rows(&batch->event, rows, count, RELEASE_MARK);
    if (!result && count > 0)
        result = release_mark(db, batch->event.id, rows, count);
    if (!result)
        batch->row_count += count;
    return result;
}

static int tell_ended(struct db *db, struct outbox *outbox, const struct release_batch *batch,
                      const struct release_plan *plan)
{
    for (size_t from = 0; from < batch->ended_count; from += OUTCOMES_MAX) {
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        outcomes_begin(&text, batch->event.slug, batch->event.currency, NULL, 0);
        for (size_t i = from; i < batch->ended_count && i < from + OUTCOMES_MAX; i++) {
            const struct release_row *row = &batch->ended[i];
            struct outcome outcome = {.place = row->order.place,
                                      .attempt = row->order.attempt,
                                      .revision = row->revision + 1,
                                      .state = plan->end_state,
                                      .reason = plan->end_reason};
            memcpy(outcome.visitor, row->visitor, sizeof(outcome.visitor));
            outcomes_add(&text, &outcome);
        }
        outcomes_end(&text);
        int result = outbox_write(outbox, db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
        if (result)
            return result;
    }
    return 0;
}

static int end_placed(struct db *db, struct outbox *outbox, struct release_batch *batch)
{
    const struct release_plan *plan = release_plan(batch->event.state);
    int result =
        release_read_placed(db, batch->event.id, UINT64_MAX, RELEASE_ENDS_MAX, batch->ended, &batch->ended_count);
    if (!result)
        result = check_rows(&batch->event, batch->ended, batch->ended_count, RELEASE_END);
    if (result || batch->ended_count == 0)
        return result;
    result = release_end(db, batch->event.id, plan, batch->ended, batch->ended_count);
    return result ? result : tell_ended(db, outbox, batch, plan);
}

static int transact(struct db *db, struct outbox *outbox, const struct release_wish *wish, struct release_batch *batch)
{
    int result = release_fence(db, wish->event_id, wish->epoch);
    if (!result)
        result = release_hold(db, wish->event_id, &batch->event);
    if (!result && batch->event.leader_epoch > wish->epoch)
        result = ERROR_CONFLICT;
    if (!result)
        result = release_note(db, wish->event_id, wish->noted, wish->noted_count);
    if (result)
        return result;
    const struct release_plan *plan = release_plan(batch->event.state);
    if (plan->publishes && wish->can_publish)
        result = read_marked(db, batch);
    if (!result && plan->releases && wish->can_publish)
        result = mark_due(db, batch);
    if (!result && plan->ends)
        result = end_placed(db, outbox, batch);
    if (!result)
        result = outbox_remove(outbox, db);
    return result ? result : db_commit(db);
}

int release_batch_make(struct db *db, struct outbox *outbox, const struct release_wish *wish, struct release_batch *ret)
{
    ret->row_count = ret->again_count = ret->ended_count = 0;
    int result = db_begin(db);
    if (result)
        return result;
    result = transact(db, outbox, wish, ret);
    if (result) {
        db_rollback(db);
        outbox_rolled_back(outbox);
        ret->row_count = ret->again_count = ret->ended_count = 0;
        return result;
    }
    outbox_committed(outbox);
    ret->has_more = ret->row_count == RELEASE_ORDERS_MAX || ret->ended_count == RELEASE_ENDS_MAX;
    return 0;
}
