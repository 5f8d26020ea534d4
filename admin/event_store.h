// SPDX-License-Identifier: Apache-2.0
// Applying an event file to the database, in one transaction, or not at all.
#ifndef ADMIN_EVENT_STORE_H
#define ADMIN_EVENT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/event_diff.h"
#include "admin/event_file.h"
#include "common/db.h"
#include "common/error.h"

#define EVENT_REFUSAL_BYTES 300

struct event_applied {
    bool created;
    uint64_t version; // of the event afterwards
    struct event_changes changes; // done by the caller with event_changes_done(); empty: there was nothing to do
};

// Compares the file (`text` is what it was read from, to be kept) with what the event was last applied from, checks
// that no held or sold place breaks, and writes. With dry_run nothing is written. 0; ERROR_CONFLICT with the reason in
// ret_refusal when places would break; else a class of MySQL's. `actor` goes into the event's log.
int event_store_apply(struct db *db, const struct event_file *file, const char *text, size_t text_bytes, bool dry_run,
                      const char *actor, struct event_applied *ret,
                      char ret_refusal[static EVENT_REFUSAL_BYTES]) MUST_USE;

#endif
