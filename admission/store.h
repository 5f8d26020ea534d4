// SPDX-License-Identifier: Apache-2.0
// What admission reads from MySQL and writes to it, statement by statement. No decisions here, and no transactions: the
// keeper begins and ends them. Errors are db.h's.
#ifndef ADMISSION_STORE_H
#define ADMISSION_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "admission/line.h"
#include "common/db.h"
#include "common/error.h"

#define STORE_EVENTS_MAX 10000

struct store_version {
    uint64_t id, version;
};
// All events with their versions, and what MySQL's clock says. The caller frees *ret with free().
int store_read_versions(struct db *db, struct store_version **ret, size_t *ret_count, int64_t *ret_now_us) MUST_USE;

// An event's row. ERROR_NOT_FOUND: gone. ERROR_INVALID: a state or pace that is none.
int store_read_event(struct db *db, uint64_t id, struct line_event *ret) MUST_USE;

// Where the line is, and how long ago somebody was let in last (-1: nobody ever was). Makes the line's row if it is
// not there yet.
int store_read_head(struct db *db, uint64_t id, uint64_t *ret_served, uint64_t *ret_last,
                    int64_t *ret_let_in_us_ago) MUST_USE;

// The last place given.
int store_read_last(struct db *db, uint64_t id, uint64_t *ret_last) MUST_USE;

// How many turns run: places let in, without those whose turn has ended by the event's clock, those who left and those
// who have their tickets. It counts everybody, whether they were there or not.
int store_read_active(struct db *db, const struct line_event *event, uint64_t served, uint64_t *ret_active) MUST_USE;

// Holds the event's row as it is until the transaction ends, so that a change by an operator comes before or after the
// step and never in between. ERROR_CONFLICT: it has another version already, read it again.
int store_hold_event(struct db *db, const struct line_event *event) MUST_USE;

// Logs that the count begins anew. The count must start after this.
int store_log_restart(struct db *db, const struct line *line, uint64_t epoch) MUST_USE;

// Moves the line's head by so many places and logs the step. ERROR_CONFLICT: `served` was not what this program
// believed.
int store_let_in(struct db *db, const struct line *line, uint64_t places, uint64_t epoch) MUST_USE;

// Keeps the forecast for those who read it from MySQL.
int store_forecast(struct db *db, const struct line *line) MUST_USE;

#endif
