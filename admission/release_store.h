// SPDX-License-Identifier: Apache-2.0
// What a release reads from MySQL and writes to it, statement by statement. No decisions here, and no transactions: the
// batch begins and ends them. Errors are db.h's.
#ifndef ADMISSION_RELEASE_STORE_H
#define ADMISSION_RELEASE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "admission/release.h"
#include "common/db.h"
#include "common/error.h"
#include "common/outcome.h"
#include "common/slug.h"

#define RELEASE_EVENTS_MAX 1024 // that one look finds; the others are found once these are done
#define RELEASE_ORDERS_MAX 500 // published in one batch
#define RELEASE_ENDS_MAX 1000 // ended in one batch

// An order as it is handed over, or ended.
struct release_row {
    struct release_order order;
    uint32_t release_no; // raised when it is given back
    uint32_t revision; // as it stands in MySQL
    uint8_t visitor[OUTCOME_VISITOR_BYTES];
};

// What an event has, seen without locking anything.
struct release_seen {
    uint64_t event_id;
    enum lifecycle_state state;
    uint64_t served;
    bool has_marked, has_placed;
    struct release_order marked, placed; // the first that is marked and not noted, the first that was not released
};
// One query over all events, or of one by its slug (NULL: all). At most RELEASE_EVENTS_MAX rows; the caller frees *ret.
int release_look(struct db *db, const char *slug, struct release_seen **ret, size_t *ret_count) MUST_USE;

// For how long the order of a place could have been released: since it was given or let in, whichever was later.
int release_read_waiting(struct db *db, uint64_t event_id, uint64_t place, int64_t *ret_waiting_us) MUST_USE;

// Locks the event's fence, which every release holds until its transaction ends, and writes the epoch into it.
// ERROR_CONFLICT: a later leader has released already.
int release_fence(struct db *db, uint64_t event_id, uint64_t epoch) MUST_USE;

struct release_event {
    uint64_t id;
    char slug[SLUG_BYTES];
    char currency[4];
    enum lifecycle_state state; // as long as the transaction holds it
    uint64_t served;
    uint64_t leader_epoch; // of whoever leads now
};
// Holds the event's row as it is until the transaction ends; call it after release_fence(). ERROR_NOT_FOUND: gone.
int release_hold(struct db *db, uint64_t event_id, struct release_event *ret) MUST_USE;

// Notes that RabbitMQ has these releases. What was given back since then is not concerned.
int release_note(struct db *db, uint64_t event_id, const struct release_row *rows, size_t count) MUST_USE;

// Locks and reads, in the order of places and attempts, into `ret` which has room for `max` (at most RELEASE_ENDS_MAX): what is
// marked and not noted; what was not released and has a place up to `place_max`.
int release_read_marked(struct db *db, uint64_t event_id, size_t max, struct release_row *ret,
                        size_t *ret_count) MUST_USE;
int release_read_placed(struct db *db, uint64_t event_id, uint64_t place_max, size_t max, struct release_row *ret,
                        size_t *ret_count) MUST_USE;

// Marks them as released. They are locked and placed; ERROR_BUG if one is not.
int release_mark(struct db *db, uint64_t event_id, const struct release_row *rows, size_t count) MUST_USE;
// Ends them. The same.
int release_end(struct db *db, uint64_t event_id, const struct release_plan *plan, const struct release_row *rows,
                size_t count) MUST_USE;

#endif
