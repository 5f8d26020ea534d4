// links: admin
// SPDX-License-Identifier: Apache-2.0
// What changes from one event file to the next, and which seats a change keeps.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/event_diff.h"

static int any_zone(const char *name)
{
    (void)name;
    return 1;
}

static struct event_file *file_of(const char *members, const char *tiers)
{
    char text[4096];
    snprintf(
        text, sizeof(text),
        "{\"slug\":\"gala\",\"name\":\"Gala\",\"timezone\":\"Europe/Berlin\",\"currency\":\"EUR\"%s,\"tiers\":[%s]}",
        members, tiers);
    struct event_file *file = NULL;
    struct event_problems problems;
    int r = event_file_read(text, strlen(text), any_zone, &file, &problems);
    if (r < 0)
        print_error("%s %s\n", problems.items[0].field, problems.items[0].detail);
    assert_int_equal(r, 0);
    return file;
}

#define PACE ",\"pace\":\"10/s\""
#define FLOOR "{\"code\":\"floor\",\"name\":\"Floor\",\"price\":4500,\"capacity\":100}"
#define STALLS(rows) "{\"code\":\"stalls\",\"name\":\"Stalls\",\"price\":1,\"rows\":[" rows "]}"
#define ROW(name, seats) "{\"row\":\"" name "\",\"seats\":\"" seats "\"}"

// The changes as "field: before > after" lines.
static void assert_changes(struct event_file *before, struct event_file *after, const char *expected)
{
    struct event_changes changes = {0};
    event_diff(before, after, &changes);
    assert_false(changes.failed);
    char text[4096] = "";
    for (size_t i = 0; i < changes.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s: %s > %s\n", changes.items[i].field,
                 changes.items[i].before ? changes.items[i].before : "-",
                 changes.items[i].after ? changes.items[i].after : "-");
    assert_string_equal(text, expected);
    event_changes_done(&changes);
    event_file_free(before);
    event_file_free(after);
}

static void test_nothing(void **state)
{
    (void)state;
    assert_changes(file_of(PACE, FLOOR), file_of(PACE, FLOOR), "");
    // The same in other words.
    assert_changes(file_of(PACE, FLOOR),
                   file_of(",\"pace\":\"010/s\",\"venue\":\"\",\"max_per_order\":6",
                           "{\"capacity\":100,\"name\":\"Floor\",\"code\":\"floor\",\"prices\":[{\"code\":\"full\","
                           "\"name\":\"Full price\","
                           "\"amount\":4500}]}"),
                   "");
}

static void test_members(void **state)
{
    (void)state;
    assert_changes(
        file_of(PACE, FLOOR),
        file_of(",\"pace\":\"600/min\",\"venue\":\"Hall\",\"opens_at\":\"2027-05-01T10:00:00Z\",\"max_active\":7",
                FLOOR),
        "venue:  > Hall\nopens_at: - > 2027-05-01T10:00:00Z\nmax_active: - > 7\npace: 10/s > 600/min\n");
    assert_changes(file_of(",\"pace\":\"10/s\",\"opens_at\":\"2027-05-01T10:00:00Z\",\"max_active\":7", ""),
                   file_of(PACE, ""), "opens_at: 2027-05-01T10:00:00Z > -\nmax_active: 7 > -\n");
}

static void test_tiers(void **state)
{
    (void)state;
    assert_changes(file_of(PACE, FLOOR),
                   file_of(PACE, "{\"code\":\"floor\",\"name\":\"Floor\",\"price\":5000,\"capacity\":90}"),
                   "tiers.floor.capacity: 100 > 90\ntiers.floor.prices.full.amount: 4500 > 5000\n");
    assert_changes(
        file_of(PACE, FLOOR), file_of(PACE, ""),
        "tiers: floor > -\ntiers.floor.name: Floor > -\ntiers.floor.kind: standing > -\ntiers.floor.capacity: 100 > -\n"
        "tiers.floor.prices.full.name: Full price > -\ntiers.floor.prices.full.amount: 4500 > -\n");
    assert_changes(file_of(PACE, FLOOR "," STALLS(ROW("A", "1-3"))), file_of(PACE, STALLS(ROW("A", "1-3")) "," FLOOR),
                   "tiers: floor stalls > stalls floor\n");
}

static void test_rows(void **state)
{
    (void)state;
    assert_changes(file_of(PACE, STALLS(ROW("A", "1-3"))), file_of(PACE, STALLS(ROW("A", "1-2,4") "," ROW("B", "7"))),
                   "tiers.stalls.rows: A > A B\ntiers.stalls.capacity: 3 > 4\ntiers.stalls.rows.A.seats: 1-3 > 1-2,4\n"
                   "tiers.stalls.rows.B.seats: - > 7\n");
    assert_changes(file_of(PACE, STALLS(ROW("A", "1-3"))),
                   file_of(PACE, STALLS("{\"row\":\"A\",\"seats\":\"1-3\",\"blocked\":[\"2\"]}")),
                   "tiers.stalls.capacity: 3 > 2\ntiers.stalls.rows.A.blocked: - > 2\n");
}

// What becomes of seat 1 of row A, and whether the halls are equal.
static void assert_fate(const char *before_rows, const char *after_rows, enum event_seat_fate fate, bool equal)
{
    char before_tier[512], after_tier[512];
    snprintf(before_tier, sizeof(before_tier), "{\"code\":\"s\",\"name\":\"S\",\"price\":1,\"rows\":[%s]}",
             before_rows);
    snprintf(after_tier, sizeof(after_tier), "{\"code\":\"s\",\"name\":\"S\",\"price\":1,\"rows\":[%s]}", after_rows);
    struct event_file *before = file_of(PACE, before_tier), *after = file_of(PACE, after_tier);
    assert_int_equal(event_tier_seat_fate(&before->tiers[0], &after->tiers[0], "A", "1"), fate);
    assert_int_equal(event_tier_seats_equal(&before->tiers[0], &after->tiers[0]), equal);
    event_file_free(before);
    event_file_free(after);
}

#define MARKED(name, seats, mark) "{\"row\":\"" name "\",\"seats\":\"" seats "\",\"" mark "\":[\"1\"]}"

static void test_fate_of_a_seat(void **state)
{
    (void)state;
    assert_fate(ROW("A", "1-3"), ROW("A", "1-3"), EVENT_SEAT_STAYS, true);
    assert_fate(ROW("A", "1-3"), ROW("A", "1-4") "," ROW("B", "1"), EVENT_SEAT_STAYS, false);
    assert_fate(ROW("A", "1-3"), ROW("A", "1-2"), EVENT_SEAT_STAYS, false);
    assert_fate(ROW("A", "1") "," ROW("B", "1"), ROW("B", "1") "," ROW("A", "1"), EVENT_SEAT_STAYS, false);
    assert_fate(ROW("A", "1-3"), ROW("A", "2-31"), EVENT_SEAT_GOES, false);
    assert_fate(ROW("A", "1-3"), ROW("B", "1-3"), EVENT_SEAT_GOES, false);
    assert_fate(ROW("A", "1-3"), ROW("a", "1-3"), EVENT_SEAT_GOES, false);
    assert_fate(ROW("A", "1-3"), MARKED("A", "1-3", "blocked"), EVENT_SEAT_GOES, false);
    assert_fate(ROW("A", "1-3"), MARKED("A", "1-3", "wheelchair"), EVENT_SEAT_MARKED, false);
    assert_fate(ROW("A", "1-3"), MARKED("A", "1-3", "companion"), EVENT_SEAT_MARKED, false);
    assert_fate(MARKED("A", "1-3", "wheelchair"), MARKED("A", "1-3", "companion"), EVENT_SEAT_MARKED, false);
    assert_fate(MARKED("A", "1-3", "wheelchair"), MARKED("A", "1-4", "wheelchair"), EVENT_SEAT_STAYS, false);
    assert_fate(MARKED("A", "1-3", "wheelchair"), ROW("A", "1-3"), EVENT_SEAT_STAYS, false);
    assert_fate(MARKED("A", "1-3", "companion"), ROW("A", "1-3"), EVENT_SEAT_STAYS, false);
}

static void test_find(void **state)
{
    (void)state;
    struct event_file *file = file_of(PACE, FLOOR);
    assert_ptr_equal(event_file_tier(file, "floor"), &file->tiers[0]);
    assert_null(event_file_tier(file, "flo"));
    assert_null(event_file_tier(NULL, "floor"));
    assert_ptr_equal(event_tier_price(&file->tiers[0], "full"), &file->tiers[0].prices[0]);
    assert_null(event_tier_price(NULL, "full"));
    event_file_free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing), cmocka_unit_test(test_members),        cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_fate_of_a_seat), cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests_name("event_diff", tests, NULL, NULL);
}
