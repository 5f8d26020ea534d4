// SPDX-License-Identifier: Apache-2.0
// See store.h: halls and who has which seat. A row of taken_seats is for a seat that somebody has; its key is the last word.
#include <stdio.h>
#include <stdlib.h>

#include "booking-worker/store_internal.h"

#define NUMBER_BYTES 8

int store_give_seats(struct db *db, uint64_t event_id, const struct store_seat *seats, size_t count)
{
    if (count == 0)
        return 0;
    struct db_value *values = calloc(count, 6 * sizeof(*values));
    char(*numbers)[NUMBER_BYTES] = calloc(count, sizeof(*numbers));
    int result = values && numbers ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++) {
        snprintf(numbers[i], sizeof(numbers[i]), "%u", (unsigned)seats[i].number);
        struct db_value *row = &values[6 * i];
        row[0] = DB_U(event_id);
        row[1] = db_text(seats[i].tier);
        row[2] = db_text(seats[i].row);
        row[3] = db_text(numbers[i]);
        row[4] = DB_U(seats[i].place);
        row[5] = DB_U(seats[i].attempt);
    }
    if (result == 0)
        result =
            db_write_many(db, "INSERT INTO taken_seats (event_id, tier, row_name, seat_name, place, attempt) VALUES ",
                          "(?, ?, ?, ?, ?, ?)", "", values, 6, count);
    free(values);
    free(numbers);
    return result;
}

int store_take_seats_back(struct db *db, uint64_t event_id, const struct store_seat *seats, size_t count)
{
    struct buffer keys CLEANUP(buffer_done) = BUFFER_INIT;
    if (count == 0)
        return 0;
    buffer_text(&keys, "[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(&keys, i ? ",[" : "[");
        buffer_json_string(&keys, seats[i].tier);
        buffer_text(&keys, ",");
        buffer_json_string(&keys, seats[i].row);
        buffer_text(&keys, ",\"");
        buffer_number(&keys, seats[i].number);
        buffer_text(&keys, "\",");
        buffer_number(&keys, seats[i].place);
        buffer_text(&keys, ",");
        buffer_number(&keys, seats[i].attempt);
        buffer_text(&keys, "]");
    }
    buffer_text(&keys, "]");
    if (keys.failed)
        return ERROR_MEMORY;
    return db_write(db,
                    "DELETE t FROM JSON_TABLE(?, '$[*]' COLUMNS (tier VARCHAR(64) CHARACTER SET ascii PATH '$[0]',"
                    " row_name VARCHAR(16) PATH '$[1]', seat_name VARCHAR(8) PATH '$[2]',"
                    " place BIGINT UNSIGNED PATH '$[3]', attempt INT UNSIGNED PATH '$[4]')) AS k"
                    " STRAIGHT_JOIN taken_seats t FORCE INDEX (PRIMARY) ON t.event_id = ? AND t.tier = k.tier"
                    " AND t.row_name = k.row_name AND t.seat_name = k.seat_name"
                    " WHERE t.place = k.place AND t.attempt = k.attempt",
                    (struct db_value[]){db_text(keys.data), DB_U(event_id)}, 2, NULL);
}

static enum seat_kind kind_of(const struct db_rows *rows, size_t row)
{
    if (db_u64(rows, row, 5))
        return SEAT_BLOCKED;
    if (db_u64(rows, row, 3))
        return SEAT_WHEELCHAIR;
    return db_u64(rows, row, 4) ? SEAT_COMPANION : SEAT_ORDINARY;
}

int store_read_seating(struct db *db, uint64_t event_id, const char *tier, struct seating **ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db,
                         "SELECT row_name, row_position, seat_position, wheelchair, companion, blocked FROM seats"
                         " WHERE event_id = ? AND tier = ? ORDER BY row_position, seat_position",
                         (struct db_value[]){DB_U(event_id), db_text(tier)}, 2, STORE_SEATS_MAX, &rows);
    if (result)
        return result;
    size_t count = db_rows_count(rows);
    struct seating_seat *seats = calloc(count + 1, sizeof(*seats));
    if (!seats)
        return ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        seats[i] = (struct seating_seat){
            .row = db_string(rows, i, 0),
            .row_position = (uint32_t)db_u64(rows, i, 1),
            .number = (uint16_t)db_u64(rows, i, 2),
            .kind = kind_of(rows, i),
        };
    result = seating_new(seats, count, ret);
    free(seats);
    return result == ERROR_INVALID ? ERROR_PERMANENT : result; // it is nothing that an order said
}

// A seat that the hall does not have is nothing that could be given, so nothing is lost when it is left out.
int store_read_taken(struct db *db, uint64_t event_id, const char *tier, struct seating *seating)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int result = db_read(db, "SELECT row_name, seat_name FROM taken_seats WHERE event_id = ? AND tier = ?",
                         (struct db_value[]){DB_U(event_id), db_text(tier)}, 2, STORE_SEATS_MAX, &rows);
    for (size_t i = 0; i < db_rows_count(rows) && result == 0; i++) {
        unsigned long number = strtoul(db_string(rows, i, 1), NULL, 10);
        if (number > SEAT_NUMBER_MAX)
            continue;
        uint32_t seat = seating_find(seating, db_string(rows, i, 0), (uint16_t)number);
        if (seat != SEATING_NO_SEAT)
            (void)seating_take(seating, seat);
    }
    return result;
}
