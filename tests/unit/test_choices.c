// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// Reading what an order asks for: the form that is ours, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/choices.h"
#include "common/buffer.h"

static int read_text(const char *text, struct choices *ret, char *problem, size_t problem_bytes)
{
    // From memory that ends where the text does, so that a sanitizer sees a step too far.
    size_t bytes = strlen(text);
    static char *copy;
    free(copy);
    copy = malloc(bytes ? bytes : 1); // of the last text: the choices point into it
    assert_non_null(copy);
    memcpy(copy, text, bytes);
    return choices_read(copy, bytes, ret, problem, problem_bytes);
}

static void choices_are_read(void **state)
{
    (void)state;
    struct choices choices;
    assert_int_equal(read_text("[{\"tier\":\"floor\",\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":9000},"
                               " { \"amount\" : 0 , \"quantity\" : 3, \"tickets\" : { \"a\": 1, \"b\" :2,\"c\":0 } , "
                               "\"tier\" : \"balcony-2\" } ]\n",
                               &choices, NULL, 0),
                     0);
    assert_int_equal(choices.count, 2);
    assert_string_equal(choices.items[0].tier, "floor");
    assert_int_equal(choices.items[0].quantity, 2);
    assert_int_equal(choices.items[0].amount, 9000);
    assert_int_equal(choices.items[0].tickets_bytes, strlen("{\"full\":2}"));
    assert_memory_equal(choices.items[0].tickets, "{\"full\":2}", choices.items[0].tickets_bytes);
    assert_string_equal(choices.items[1].tier, "balcony-2");
    assert_int_equal(choices.items[1].quantity, 3);
    assert_memory_equal(choices.items[1].tickets, "{ \"a\": 1, \"b\" :2,\"c\":0 }", choices.items[1].tickets_bytes);
    for (size_t i = 0; i < 2; i++) {
        assert_null(choices.items[i].seats);
        assert_int_equal(choices.items[i].wheelchair + choices.items[i].companion, 0);
    }
}

#define ONE "{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}"

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[",
        "[]",
        "null",
        "{}",
        "[1]",
        "[{}]",
        ("[" ONE),
        ("[" ONE ",]"),
        ("[" ONE "]x"),
        ("[" ONE "][" ONE "]"),
        ("[" ONE "," ONE "," ONE "," ONE "," ONE "]"),
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1}]",
        "[{\"tier\":\"f\",\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1,\"row\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":2,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":0},\"quantity\":0,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{},\"quantity\":0,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1,\"x\":1},\"quantity\":2,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":-1},\"quantity\":-1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1.5},\"quantity\":1.5,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1e0},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":01},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1000001},\"quantity\":1000001,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":9223372036854775808}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":99999999999999999999999}]",
        "[{\"tier\":\"F\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\\u0000\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":7,\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":[1],\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f\",\"tickets\":{\"x\":\"1\"},\"quantity\":1,\"amount\":1}]",
        "[{\"tier\":\"f",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct choices choices;
        char problem[100] = "";
        if (read_text(bad[i], &choices, problem, sizeof(problem)) != ERROR_INVALID)
            fail_msg("%s", bad[i]);
        assert_true(strlen(problem) > strlen("choices, byte 0: "));
    }
    struct choices choices;
    assert_int_equal(read_text("[" ONE "," ONE "," ONE "," ONE "]", &choices, NULL, 0), 0);
    assert_int_equal(read_text("[{\"tier\":\"f\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":9223372036854775807}]",
                               &choices, NULL, 0),
                     0);
}

static void too_many_prices(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    buffer_text(&text, "[{\"tier\":\"f\",\"tickets\":{\"x\":1");
    for (int i = 0; i < CHOICES_CODES_MAX; i++)
        buffer_format(&text, ",\"x%d\":0", i);
    buffer_text(&text, "},\"quantity\":1,\"amount\":1}]");
    struct choices choices;
    assert_int_equal(read_text(text.data, &choices, NULL, 0), ERROR_INVALID);
    buffer_done(&text);
}

// ---------------------------------------------------------------- seats and needs

static void assert_next_seat(const struct choice *choice, size_t *at, const char *row, uint16_t number)
{
    char read_row[SEAT_ROW_NAME_BYTES] = "";
    uint16_t read_number = 0;
    assert_true(choice_next_seat(choice, at, read_row, &read_number));
    assert_string_equal(read_row, row);
    assert_int_equal(read_number, number);
}

static void seats_and_needs_are_read(void **state)
{
    (void)state;
    struct choices choices;
    // In any sequence; what is in one choice says nothing of the next.
    assert_int_equal(read_text("[{\"companion\":1,\"seats\":[\"A-1\" , \"Box 1-B-30\",\"b-9999\"],\"wheelchair\":2,"
                               "\"tier\":\"s\",\"tickets\":{\"x\":3},\"quantity\":3,\"amount\":1}," ONE ","
                               "{\"tier\":\"s\",\"tickets\":{\"x\":1},\"quantity\":1,\"amount\":1,\"wheelchair\":1}]",
                               &choices, NULL, 0),
                     0);
    const struct choice *choice = &choices.items[0];
    assert_int_equal(choice->wheelchair, 2);
    assert_int_equal(choice->companion, 1);
    size_t at = 0;
    assert_next_seat(choice, &at, "A", 1);
    assert_next_seat(choice, &at, "Box 1-B", 30);
    assert_next_seat(choice, &at, "b", 9999);
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    assert_false(choice_next_seat(choice, &at, row, &number));
    assert_false(choice_next_seat(choice, &at, row, &number)); // and there is nothing behind the end
    at = 0;
    assert_null(choices.items[1].seats);
    assert_false(choice_next_seat(&choices.items[1], &at, row, &number));
    assert_int_equal(choices.items[1].wheelchair, 0);
    assert_int_equal(choices.items[2].wheelchair, 1);
    assert_int_equal(choices.items[2].companion, 0);
}

// A choice of two tickets with `more` behind its members.
static int read_two(const char *more)
{
    struct choices choices;
    struct buffer text = BUFFER_INIT;
    buffer_format(&text, "[{\"tier\":\"f\",\"tickets\":{\"x\":2},\"quantity\":2,\"amount\":1,%s}]", more);
    int result = read_text(text.data, &choices, NULL, 0);
    buffer_done(&text);
    return result;
}

static void seats_and_needs_that_cannot_be(void **state)
{
    (void)state;
    static const char *const good[] = {
        "\"seats\":[\"A-1\",\"A-2\"]",
        "\"seats\":[\"A-1\",\"B-1\"]",
        "\"seats\":[\"a.b_c-1\",\"A--2\"]",
        "\"seats\":[\"0123456789ABCDEF-1\",\"A-2\"]",
        "\"wheelchair\":2",
        "\"wheelchair\":1,\"companion\":1",
        "\"wheelchair\":0,\"companion\":0",
    };
    static const char *const bad[] = {
        "\"seats\":[]",
        "\"seats\":[\"A-1\"]", // not as many as the tickets
        "\"seats\":[\"A-1\",\"A-2\",\"A-3\"]",
        "\"seats\":[\"A-1\",\"A-1\"]", // twice
        "\"seats\":[\"A-1\",\"a-1\"]",
        "\"seats\":[\"A-1\",\"A-2\",]",
        "\"seats\":[\"A-1\" \"A-2\"]",
        "\"seats\":[\"A-1\",\"A-2\"",
        "\"seats\":[\"A-1\",2]",
        "\"seats\":\"A-1\"",
        "\"seats\":null",
        "\"seats\":[\"A-1\",\"A-0\"]", // no such names
        "\"seats\":[\"A-1\",\"A-02\"]",
        "\"seats\":[\"A-1\",\"A-10000\"]",
        "\"seats\":[\"A-1\",\"A-\"]",
        "\"seats\":[\"A-1\",\"-2\"]",
        "\"seats\":[\"A-1\",\"A2\"]",
        "\"seats\":[\"A-1\",\"\"]",
        "\"seats\":[\"A-1\",\"0123456789ABCDEFG-1\"]",
        "\"seats\":[\"A-1\",\"A\\u0041-2\"]",
        "\"seats\":[\"A-1\",\"\xc3\x84-2\"]",
        "\"seats\":[\"A-1\",\"A\t-2\"]",
        "\"seats\":[\"A-1\",\"A-2\"],\"seats\":[\"A-1\",\"A-2\"]",
        "\"wheelchair\":3",
        "\"companion\":3",
        "\"wheelchair\":2,\"companion\":1",
        "\"wheelchair\":-1",
        "\"wheelchair\":true",
        "\"wheelchair\":4294967297",
        "\"wheelchair\":1,\"wheelchair\":1",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        if (read_two(good[i]))
            fail_msg("%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (read_two(bad[i]) != ERROR_INVALID)
            fail_msg("%s", bad[i]);
}

static int read_seats(unsigned count)
{
    struct choices choices;
    struct buffer text = BUFFER_INIT;
    buffer_format(&text, "[{\"tier\":\"f\",\"tickets\":{\"x\":%u},\"quantity\":%u,\"amount\":1,\"seats\":[", count,
                  count);
    for (unsigned i = 1; i <= count; i++)
        buffer_format(&text, "%s\"A-%u\"", i > 1 ? "," : "", i);
    buffer_text(&text, "]}]");
    int result = read_text(text.data, &choices, NULL, 0);
    buffer_done(&text);
    return result;
}

static void too_many_seats(void **state)
{
    (void)state;
    assert_int_equal(read_seats(SEATS_IN_ORDER_MAX), 0);
    assert_int_equal(read_seats(SEATS_IN_ORDER_MAX + 1), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_are_read),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(too_many_prices),
        cmocka_unit_test(seats_and_needs_are_read),
        cmocka_unit_test(seats_and_needs_that_cannot_be),
        cmocka_unit_test(too_many_seats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
