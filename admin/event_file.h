// SPDX-License-Identifier: Apache-2.0
// The event file: JSON into a structure, with everything wrong in it found in one go and named by its place in the file
// ("/tiers/0/prices/1/amount"). Pure: whether a time zone exists is asked of the caller.
#ifndef ADMIN_EVENT_FILE_H
#define ADMIN_EVENT_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/pace.h"

#define EVENT_FILE_BYTES_MAX (1024 * 1024)
#define EVENT_FILE_PROBLEMS_MAX 40
#define EVENT_FILE_TIERS_MAX 100
#define EVENT_FILE_PRICES_MAX 20
#define EVENT_FILE_ROWS_MAX 2000
#define EVENT_FILE_SEATS_MAX 200000 // of one event
#define EVENT_FILE_ROW_BYTES 17 // a row's name with its NUL
#define EVENT_FILE_CAPACITY_MAX 10000000
#define EVENT_FILE_AMOUNT_MAX 1000000000
#define EVENT_FILE_PER_ORDER_MAX 100
#define EVENT_FILE_NO_TIME INT64_MIN // for times that are not given

struct event_price {
    const char *code, *name;
    int64_t amount; // in the currency's minor unit
};

struct event_seat {
    uint16_t number; // the seat's name and its position
    bool wheelchair, companion, blocked;
};

struct event_row {
    char name[EVENT_FILE_ROW_BYTES];
    struct event_seat *seats; // by number
    size_t seat_count;
};

struct event_tier {
    const char *code, *name;
    bool seated;
    uint32_t capacity; // seated: the seats that are not blocked
    struct event_price prices[EVENT_FILE_PRICES_MAX];
    size_t price_count;
    struct event_row *rows;
    size_t row_count;
};

struct event_file {
    json_t *json; // owned; all strings here are its
    const char *slug, *name, *venue, *timezone, *currency;
    int64_t starts_at_us, lobby_opens_at_us, opens_at_us, closes_at_us; // UTC, or EVENT_FILE_NO_TIME
    int64_t max_per_order, max_per_customer, turn_seconds, absent_seconds, hold_seconds;
    int64_t max_active; // 0: no bound
    char pace[PACE_TEXT_BYTES];
    struct event_tier *tiers;
    size_t tier_count;
};

struct event_problem {
    char field[128]; // "" for the whole file
    char detail[200];
};

struct event_problems {
    struct event_problem items[EVENT_FILE_PROBLEMS_MAX];
    size_t count;
    size_t more; // found, but not kept
};

// Says whether a time zone of that name exists: 1, 0, or -1 when nobody can say (no time zone data on this machine).
typedef int event_zone_fn(const char *name);

// Reads a file's text. 0, or ERROR_INVALID with one problem or more, or ERROR_MEMORY. On success the caller frees with
// event_file_free(). At most EVENT_FILE_BYTES_MAX bytes.
int event_file_read(const char *text, size_t bytes, event_zone_fn *zone_exists, struct event_file **ret,
                    struct event_problems *problems) MUST_USE;
void event_file_free(struct event_file *file); // accepts NULL
void event_file_cleanup(struct event_file **file); // for CLEANUP()

#endif
