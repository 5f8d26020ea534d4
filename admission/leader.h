// SPDX-License-Identifier: Apache-2.0
// The leader's row: who leads, until when by MySQL's clock, in which epoch. An epoch belongs to one connection for
// life: who loses the connection leads no more, and takes the row again with a higher epoch. So a frozen or cut-off
// leader can never write anything, whatever it believes.
#ifndef ADMISSION_LEADER_H
#define ADMISSION_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/db.h"
#include "common/error.h"

#define LEADER_NAME "admission"
#define LEADER_LEASE_MS 2000 // as long as a silent leader keeps the row
#define LEADER_HOLDER_BYTES 129

struct leader {
    char holder[LEADER_HOLDER_BYTES]; // this program's name in the row
    bool leads;
    uint64_t epoch; // of the lead that it has, or had last; 0: never led
};

// What the row says, for those who stand by.
struct leader_view {
    char holder[LEADER_HOLDER_BYTES];
    uint64_t epoch;
    int64_t expires_in_ms; // at most 0: it may be taken
};

// Tries to take the lead: looks without locking, ends the connection of the leader before (whose locks go with it),
// then locks, looks again and raises the epoch. 0: leads now. ERROR_CONFLICT: somebody else does; *ret says who and
// for how long. ERROR_TRANSIENT and others: as db.h. `ret` is written for 0 and ERROR_CONFLICT.
int leader_try(struct leader *leader, struct db *db, struct leader_view *ret) MUST_USE;

// The fence: locks the row, checks the epoch, renews the lease, in one statement. Inside a transaction it holds until
// the end; outside it just renews. ERROR_CONFLICT: somebody else leads; leader->leads is false then, nothing may be
// written any more.
int leader_hold(struct leader *leader, struct db *db) MUST_USE;

// Gives the lead up, so that another takes it at once. Best effort.
void leader_resign(struct leader *leader, struct db *db);

// The connection is gone or somebody else leads.
void leader_lose(struct leader *leader);

#endif
