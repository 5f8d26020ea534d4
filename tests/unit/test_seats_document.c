// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The document of the seats: what stands in it, what is left out of it, and by what a browser knows that it has it already.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/seats_document.h"

static struct hall *hall_of(size_t row_count, const size_t *seat_counts)
{
    static const char *const names[] = {"A", "Box \"2\""};
    struct hall *hall = hall_new(row_count);
    assert_non_null(hall);
    for (size_t i = 0; i < row_count; i++) {
        struct hall_row *row = &hall->rows[i];
        snprintf(row->name, sizeof row->name, "%s", names[i]);
        row->seat_count = seat_counts[i];
        row->seats = calloc(seat_counts[i], sizeof *row->seats);
        for (size_t j = 0; j < seat_counts[i]; j++)
            row->seats[j].number = (uint16_t)(j + 1 + (j >= 4 ? 2 : 0)); // an aisle behind the fourth
        hall->seat_count += seat_counts[i];
    }
    return hall;
}

static void test_a_tier_says_what_its_rows_have(void **state)
{
    (void)state;
    struct hall *hall = hall_of(2, (size_t[]){6, 2});
    bool taken[8] = {[2] = true, [3] = true, [4] = true, [7] = true};
    hall->rows[0].seats[0].kind = SEAT_WHEELCHAIR;
    hall->rows[0].seats[1].kind = SEAT_COMPANION;
    hall->rows[0].seats[4].kind = SEAT_BLOCKED;
    hall->rows[0].seats[5].kind = SEAT_BLOCKED;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    seats_tier_write(&text, hall, 41, taken);
    assert_string_equal(text.data, "{\"version\":41,\"rows\":["
                                   "{\"row\":\"A\",\"seats\":\"1-4,7-8\",\"wheelchair\":[\"1\"],\"companion\":[\"2\"],"
                                   "\"blocked\":[\"7\",\"8\"],\"taken\":\"3-4,7\"},"
                                   "{\"row\":\"Box \\\"2\\\"\",\"seats\":\"1-2\",\"taken\":\"2\"}]}");
    hall_unref(hall);
}

static void test_a_hall_without_rows(void **state)
{
    (void)state;
    struct hall *hall = hall_new(0);
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    seats_tier_write(&text, hall, 1, &(bool){false});
    assert_string_equal(text.data, "{\"version\":1,\"rows\":[]}");
    hall_unref(hall);
}

static struct seats_document *document_of(const char *tiers)
{
    struct buffer text = BUFFER_INIT;
    buffer_text(&text, tiers);
    struct seats_document *document = seats_document_new(&text);
    assert_non_null(document);
    return document;
}

static void test_the_tag_is_of_the_tiers_alone(void **state)
{
    (void)state;
    struct seats_document *one = document_of("{\"a\":1}"), *same = document_of("{\"a\":1}"),
                          *other = document_of("{\"a\":2}");
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    assert_string_equal(one->etag, same->etag);
    assert_string_not_equal(one->etag, other->etag);
    assert_memory_equal(one->etag, "W/\"", 3);
    assert_true(seats_document_is_known(one, same->etag));
    assert_true(seats_document_is_known(one, same->etag + 2)); // compared weakly
    assert_true(seats_document_is_known(one, "*"));
    char both[64];
    snprintf(both, sizeof both, "%s, %s", other->etag, one->etag);
    assert_true(seats_document_is_known(one, both));
    assert_false(seats_document_is_known(one, other->etag));
    assert_false(seats_document_is_known(one, ""));
    assert_false(seats_document_is_known(one, NULL));
    seats_document_write(&text, "gala", one, INT64_C(1795470000000000));
    assert_string_equal(text.data, "{\"slug\":\"gala\",\"now\":\"2026-11-23T21:40:00Z\",\"tiers\":{\"a\":1}}");
    seats_document_unref(one);
    seats_document_unref(seats_document_ref(same));
    seats_document_unref(same);
    seats_document_unref(other);
}

static void test_what_could_not_be_written_is_no_document(void **state)
{
    (void)state;
    struct buffer text = {.bytes_max = 4};
    buffer_text(&text, "{\"a\":1}");
    assert_null(seats_document_new(&text));
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tier_says_what_its_rows_have),
        cmocka_unit_test(test_a_hall_without_rows),
        cmocka_unit_test(test_the_tag_is_of_the_tiers_alone),
        cmocka_unit_test(test_what_could_not_be_written_is_no_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
