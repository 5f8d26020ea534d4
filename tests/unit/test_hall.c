// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The hall: rows and seats are found by name and number, and a copy of a snapshot shares it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/hall.h"
#include "waiting-room/snapshot.h"

static void add_row(struct hall_row *row, const char *name, size_t count, const uint16_t *numbers)
{
    snprintf(row->name, sizeof row->name, "%s", name);
    row->seats = calloc(count, sizeof *row->seats);
    assert_non_null(row->seats);
    row->seat_count = count;
    for (size_t i = 0; i < count; i++)
        row->seats[i].number = numbers[i];
}

static struct hall *two_rows(void)
{
    struct hall *hall = hall_new(2);
    assert_non_null(hall);
    add_row(&hall->rows[0], "A", 4, (uint16_t[]){1, 2, 14, 17});
    add_row(&hall->rows[1], "Box 2", 1, (uint16_t[]){9999});
    hall->rows[0].seats[3].kind = SEAT_BLOCKED;
    return hall;
}

static void test_a_row_is_found_whatever_the_case(void **state)
{
    (void)state;
    struct hall *hall = two_rows();
    assert_ptr_equal(hall_find_row(hall, "a"), &hall->rows[0]);
    assert_ptr_equal(hall_find_row(hall, "BOX 2"), &hall->rows[1]);
    assert_null(hall_find_row(hall, "B"));
    assert_null(hall_find_row(hall, ""));
    assert_null(hall_find_row(NULL, "A"));
    hall_unref(hall);
}

static void test_a_seat_is_found_by_its_number(void **state)
{
    (void)state;
    struct hall *hall = two_rows();
    const struct hall_row *row = &hall->rows[0];
    for (size_t i = 0; i < row->seat_count; i++)
        assert_ptr_equal(hall_find_seat(row, row->seats[i].number), &row->seats[i]);
    const uint16_t none[] = {0, 3, 13, 15, 16, 18, UINT16_MAX};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_null(hall_find_seat(row, none[i]));
    assert_ptr_equal(hall_find_seat(&hall->rows[1], 9999), hall->rows[1].seats);
    assert_null(hall_find_seat(NULL, 1));
    hall_unref(hall);
}

static void test_copies_of_a_snapshot_share_the_hall(void **state)
{
    (void)state;
    struct snapshot *event = snapshot_new();
    event->tiers = calloc(1, sizeof *event->tiers);
    event->tier_count = 1;
    event->tiers[0] = (struct snapshot_tier){.seated = true, .hall = two_rows(), .standby = 3};
    struct hall *hall = event->tiers[0].hall;
    struct snapshot *copy = snapshot_copy(event);
    assert_non_null(copy);
    assert_ptr_equal(copy->tiers[0].hall, hall);
    assert_int_equal(hall->references, 2);
    assert_int_equal(copy->tiers[0].standby, 3);
    snapshot_unref(event);
    assert_int_equal(hall->references, 1);
    assert_string_equal(hall_find_row(copy->tiers[0].hall, "a")->name, "A");
    snapshot_unref(copy); // the address sanitizer tells when something is left, or freed twice
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_row_is_found_whatever_the_case),
        cmocka_unit_test(test_a_seat_is_found_by_its_number),
        cmocka_unit_test(test_copies_of_a_snapshot_share_the_hall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
