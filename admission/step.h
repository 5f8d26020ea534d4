// SPDX-License-Identifier: Apache-2.0
// A step: one transaction that lets in what is due in all lines at once. It begins by locking the leader's row and
// checking the epoch, and holds each event's row, so that it comes wholly before or after whatever an operator does.
#ifndef ADMISSION_STEP_H
#define ADMISSION_STEP_H

#include <stddef.h>
#include <stdint.h>

#include "admission/leader.h"
#include "admission/lines.h"
#include "common/db.h"
#include "common/error.h"

struct step_move {
    struct lines_entry *entry;
    enum line_restart restart; // of the count, in this step
    uint64_t places; // let in; 0: only the count began anew
    int64_t at_ns; // when that was decided
    int64_t late_ns; // behind the clock
};

struct step {
    struct step_move *moved; // what the last step did; points into the lines
    size_t moved_count, capacity;
};

// Makes a step if anything is due; then step->moved says what. Events whose row has changed meanwhile become stale
// and are left out. On an error nothing has happened (or, after a lost connection, nobody knows) and the heads have
// to be read anew; ERROR_CONFLICT with leader->leads false: somebody else leads.
int step_make(struct step *step, struct lines *lines, struct leader *leader, struct db *db) MUST_USE;
void step_done(struct step *step);

// Renews the lease and, in the same transaction, writes the forecasts that are no longer what MySQL was told.
int step_keep_forecasts(struct lines *lines, struct leader *leader, struct db *db) MUST_USE;

#endif
