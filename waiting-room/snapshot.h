// SPDX-License-Identifier: Apache-2.0
// An event as MySQL had it at one moment: immutable and counted, so that every loop may hold the same one. Whoever reads a
// change makes a new one; nobody ever writes to one that was handed out. Each loop's view keeps a copy of its own, in which stock moves on.
#ifndef WAITING_ROOM_SNAPSHOT_H
#define WAITING_ROOM_SNAPSHOT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/lifecycle.h"
#include "common/pace.h"
#include "common/slug.h"
#include "waiting-room/hall.h"

#define SNAPSHOT_NO_TIME INT64_MIN // a time that is not set

struct snapshot_price {
    char code[SLUG_BYTES];
    char *name;
    uint64_t amount;
};

struct snapshot_tier {
    char code[SLUG_BYTES];
    char *name;
    bool seated;
    struct hall *hall; // of a seated tier; a reference
    uint64_t capacity;
    uint64_t left; // capacity − held − sold
    uint64_t asked; // what open orders in the line want
    uint64_t standby; // bookings that stand by for it
    size_t price_count;
    struct snapshot_price *prices;
};

struct snapshot {
    _Atomic unsigned references;
    uint32_t id;
    uint64_t version;
    char slug[SLUG_BYTES];
    char *name, *venue, *timezone;
    char currency[4];
    char pace[PACE_TEXT_BYTES];
    enum lifecycle_state state;
    bool opened; // the lobby is closed: places are known
    int64_t starts_at_us, lobby_opens_at_us, opens_at_us;
    int64_t turn_us, absent_us;
    int64_t stopped_us; // how long the event's clock has stood still before the present stop
    int64_t stopped_at_us; // when the present stop began
    char *stop_reason; // NULL: none
    uint32_t max_per_order, max_per_customer;
    uint32_t hold_seconds;
    char *notice; // NULL: none
    int64_t notice_at_us;
    size_t tier_count;
    struct snapshot_tier *tiers;
    int64_t counted_at_us; // MySQL's clock when `left` of the tiers was read; SNAPSHOT_NO_TIME: there are none
    // The line as it stood when the event was read; it moves on by news.
    uint64_t last, served;
    bool has_wait;
    int64_t us_per_place_low, us_per_place_high;
};

// A zeroed snapshot with one reference. NULL when out of memory.
struct snapshot *snapshot_new(void);
// A copy with one reference, which its owner may change. NULL when out of memory.
struct snapshot *snapshot_copy(const struct snapshot *snapshot);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); // frees it with the last reference; accepts NULL

#endif
