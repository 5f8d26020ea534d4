// SPDX-License-Identifier: Apache-2.0
// What must always hold (the numbered list in docs/invariants.md), checked against one consistent snapshot of the
// database. A check finds all violations and keeps the first few as samples.
#ifndef ADMIN_AUDIT_H
#define ADMIN_AUDIT_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"

#define AUDIT_SAMPLES_MAX 10

// The checks, in the order of their numbers.
enum audit_index { AUDIT_STOCK, AUDIT_OPENED, AUDIT_LINE, AUDIT_PACE, AUDIT_COUNT };

struct audit_check {
    int n;
    const char *name;
    uint64_t violation_count;
    json_t *samples; // texts
};

struct audit {
    struct db *db;
    uint64_t event_id;
    struct audit_check checks[AUDIT_COUNT];
};

// Runs all checks on an event. ERROR_NOT_FOUND: there is none of that name. The caller ends with audit_done() either
// way.
int audit_run(struct audit *audit, struct db *db, const char *slug) MUST_USE;
void audit_done(struct audit *audit);

// For the parts of the audit: notes a violation.
void audit_violation(struct audit *audit, enum audit_index check, const char *format, ...) PRINTF_LIKE(3, 4);

// Goes through served_log and pace_log, row by row (audit_served.c).
int audit_served_log(struct audit *audit) MUST_USE;

#endif
