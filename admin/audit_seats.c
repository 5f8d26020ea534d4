// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_seats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/seat.h"

#define TAKEN_MAX 1000000
#define TIERS_MAX 1000

enum { T_PLACE, T_ATTEMPT, T_TIER, T_ROW, T_SEAT, T_IS_THERE, T_BLOCKED, T_WHEELCHAIR, T_COMPANION };

int audit_seats_read(struct audit *audit, struct audit_seats *ret)
{
    const struct db_value id[] = {DB_U(audit->event_id)};
    int r = db_read(audit->db, "SELECT code FROM tiers WHERE event_id = ? AND kind = 'seated'", id, 1, TIERS_MAX,
                    &ret->tiers);
    if (r == 0)
        r = db_read(audit->db,
                    "SELECT t.place, t.attempt, t.tier, t.row_name, t.seat_name, s.seat_name IS NOT NULL, s.blocked, "
                    "s.wheelchair, s.companion FROM taken_seats t LEFT JOIN seats s ON s.event_id = t.event_id AND "
                    "s.tier = t.tier AND s.row_name = t.row_name AND s.seat_name = t.seat_name WHERE t.event_id = ? "
                    "ORDER BY t.place, t.attempt",
                    id, 1, TAKEN_MAX, &ret->taken);
    return r;
}

void audit_seats_done(struct audit_seats *seats)
{
    db_rows_free(seats->taken);
    db_rows_free(seats->tiers);
    *seats = (struct audit_seats){0};
}

static bool is_seated(const struct audit_seats *seats, const char *tier)
{
    for (size_t i = 0; tier && i < db_rows_count(seats->tiers); i++)
        if (strcmp(db_string(seats->tiers, i, 0), tier) == 0)
            return true;
    return false;
}

// Whether the next seat that is taken is of a booking before this one (-1), of this one (0), or of a later one.
static int compare(const struct audit_seats *seats, const struct audit_seated *booking)
{
    const uint64_t place = db_u64(seats->taken, seats->at, T_PLACE),
                   attempt = db_u64(seats->taken, seats->at, T_ATTEMPT);
    if (!booking || place < booking->place)
        return -1;
    if (place > booking->place)
        return 1;
    return (attempt > booking->attempt) - (attempt < booking->attempt);
}

static const char *name_of(const struct audit_seats *seats, size_t row, char name[static SEAT_NAME_BYTES + 8])
{
    snprintf(name, SEAT_NAME_BYTES + 8, "%.16s-%.8s", db_string(seats->taken, row, T_ROW),
             db_string(seats->taken, row, T_SEAT));
    return name;
}

static void break_of(struct audit *audit, const struct audit_seats *seats, size_t row, const char *what)
{
    char name[SEAT_NAME_BYTES + 8];
    audit_violation(audit, AUDIT_STOCK, "seat %s of the tier %s, place %" PRIu64 ": %s", name_of(seats, row, name),
                    db_string(seats->taken, row, T_TIER), db_u64(seats->taken, row, T_PLACE), what);
}

// How often a seat stands in the booking's list.
static size_t times_named(const json_t *names, const char *name)
{
    size_t times = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *one = json_string_value(json_array_get(names, i));
        times += one && strcmp(one, name) == 0;
    }
    return times;
}

// Seats for wheelchairs and companions are given to who asked for them, and to no more people than that.
static void check_needs(struct audit *audit, const struct audit_seated *booking, size_t wheelchairs, size_t companions)
{
    if (wheelchairs + companions == 0)
        return;
    json_t *choices = booking->choices ? json_loads(booking->choices, 0, NULL) : NULL;
    const json_t *choice = json_array_get(choices, booking->choice);
    if (json_integer_value(json_object_get(choice, "wheelchair")) < (json_int_t)wheelchairs ||
        json_integer_value(json_object_get(choice, "companion")) < (json_int_t)companions)
        audit_violation(audit, AUDIT_STOCK,
                        "place %" PRIu64 " has %zu wheelchair and %zu companion seats, and did not ask for so many",
                        booking->place, wheelchairs, companions);
    json_decref(choices);
}

static void check_own(const struct audit_seats *seats, struct audit *audit, const struct audit_seated *booking,
                      size_t first, size_t count)
{
    size_t wheelchairs = 0, companions = 0, named = 0;
    char name[SEAT_NAME_BYTES + 8];
    json_t *names = booking->seats ? json_loads(booking->seats, 0, NULL) : NULL;
    for (size_t row = first; row < first + count; row++) {
        if (strcmp(db_string(seats->taken, row, T_TIER), booking->tier ? booking->tier : "") != 0)
            break_of(audit, seats, row, "its booking is of another tier");
        else if (!db_u64(seats->taken, row, T_IS_THERE))
            break_of(audit, seats, row, "the hall has no such seat");
        else if (db_u64(seats->taken, row, T_BLOCKED))
            break_of(audit, seats, row, "it is blocked");
        named += times_named(names, name_of(seats, row, name)) == 1;
        wheelchairs += db_u64(seats->taken, row, T_WHEELCHAIR) != 0;
        companions += db_u64(seats->taken, row, T_COMPANION) != 0;
    }
    if (named != count || json_array_size(names) != count)
        audit_violation(audit, AUDIT_STOCK, "place %" PRIu64 ": the booking names other seats than those taken for it",
                        booking->place);
    if (count != booking->quantity)
        audit_violation(audit, AUDIT_STOCK, "place %" PRIu64 " has %zu seats for %" PRIu64 " tickets", booking->place,
                        count, booking->quantity);
    check_needs(audit, booking, wheelchairs, companions);
    json_decref(names);
}

void audit_seats_check(struct audit_seats *seats, struct audit *audit, const struct audit_seated *booking)
{
    const size_t all = db_rows_count(seats->taken);
    for (; seats->at < all && compare(seats, booking) < 0; seats->at++)
        break_of(audit, seats, seats->at, "it is taken, and there is no booking");
    const size_t first = seats->at;
    while (seats->at < all && booking && compare(seats, booking) == 0)
        seats->at++;
    if (!booking)
        return;
    if (booking->has_places && (is_seated(seats, booking->tier) || seats->at > first)) {
        check_own(seats, audit, booking, first, seats->at - first);
        return;
    }
    for (size_t row = first; row < seats->at; row++)
        break_of(audit, seats, row, "it is taken, and its booking has no places any more");
}
