// links: admin
// SPDX-License-Identifier: Apache-2.0
// The event file: what is right is read to the last seat, and every mistake is named by its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "admin/event_file.h"

#define HEAD "\"slug\":\"gala\",\"name\":\"Gala\",\"timezone\":\"Europe/Berlin\",\"pace\":\"600/min\""
#define FLOOR "{\"code\":\"floor\",\"name\":\"Floor\",\"price\":4500,\"capacity\":2000}"

static int zone_exists(const char *name)
{
    return strcmp(name, "Europe/Berlin") == 0;
}

static int no_zones(const char *name)
{
    (void)name;
    return -1;
}

static struct event_file *read_good(const char *text)
{
    struct event_file *file = NULL;
    struct event_problems problems;
    int r = event_file_read(text, strlen(text), zone_exists, &file, &problems);
    if (r != 0)
        print_error("%s %s\n", problems.items[0].field, problems.items[0].detail);
    assert_int_equal(r, 0);
    assert_non_null(file);
    return file;
}

// The text must be refused for just one thing: that field, with these words in its detail.
static void assert_problem(const char *text, const char *field, const char *words)
{
    struct event_file *file = NULL;
    struct event_problems problems;
    assert_int_equal(event_file_read(text, strlen(text), zone_exists, &file, &problems), ERROR_INVALID);
    assert_null(file);
    if (problems.count != 1 || strcmp(problems.items[0].field, field) != 0 ||
        !strstr(problems.items[0].detail, words)) {
        print_error("in %.200s\n", text);
        for (size_t i = 0; i < problems.count; i++)
            print_error("  '%s': %s\n", problems.items[i].field, problems.items[i].detail);
    }
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.items[0].field, field);
    assert_non_null(strstr(problems.items[0].detail, words));
}

static void test_usual(void **state)
{
    (void)state;
    struct event_file *file = read_good(
        "{" HEAD ",\"venue\":\"City Hall\",\"starts_at\":\"2027-05-01T21:30:00+02:00\",\"opens_at\":null,"
        "\"currency\":\"EUR\",\"max_per_order\":4,\"turn_seconds\":300,\"max_active\":50,\"tiers\":[" FLOOR
        ",{\"code\":\"stalls\",\"name\":\"Stalls\",\"prices\":[{\"code\":\"adult\",\"name\":\"Adult\",\"amount\":7500},"
        "{\"code\":\"child\",\"name\":\"Child\",\"amount\":0}],\"rows\":[{\"row\":\"A\",\"seats\":\"17-30,1-14\","
        "\"wheelchair\":[\"1\"],\"companion\":[\"2\"],\"blocked\":[\"30\"]},{\"row\":\"B-1\",\"seats\":\"7\"}]}]}");
    assert_string_equal(file->slug, "gala");
    assert_string_equal(file->venue, "City Hall");
    assert_string_equal(file->pace, "600/min");
    assert_true(file->starts_at_us == INT64_C(1809199800) * 1000000);
    assert_true(file->opens_at_us == EVENT_FILE_NO_TIME && file->closes_at_us == EVENT_FILE_NO_TIME);
    assert_int_equal(file->max_per_order, 4);
    assert_int_equal(file->max_per_customer, 4);
    assert_int_equal(file->turn_seconds, 300);
    assert_int_equal(file->absent_seconds, 1800);
    assert_int_equal(file->max_active, 50);
    assert_int_equal(file->tier_count, 2);
    assert_false(file->tiers[0].seated);
    assert_int_equal(file->tiers[0].capacity, 2000);
    assert_int_equal(file->tiers[0].price_count, 1);
    assert_string_equal(file->tiers[0].prices[0].code, "full");
    assert_int_equal(file->tiers[0].prices[0].amount, 4500);
    const struct event_tier *stalls = &file->tiers[1];
    assert_true(stalls->seated);
    assert_int_equal(stalls->capacity, 28); // 28 + 1 seats, one of them blocked
    assert_int_equal(stalls->price_count, 2);
    assert_int_equal(stalls->row_count, 2);
    const struct event_row *row = &stalls->rows[0];
    assert_int_equal(row->seat_count, 28);
    assert_true(row->seats[0].number == 1 && row->seats[0].wheelchair && !row->seats[0].companion);
    assert_true(row->seats[1].companion && !row->seats[1].wheelchair);
    assert_int_equal(row->seats[14].number, 17);
    assert_true(row->seats[27].number == 30 && row->seats[27].blocked);
    assert_string_equal(stalls->rows[1].name, "B-1");
    event_file_free(file);
}

static void test_least(void **state)
{
    (void)state;
    struct event_file *file = read_good("{" HEAD "}");
    assert_int_equal(file->tier_count, 0);
    assert_string_equal(file->currency, "XXX");
    assert_string_equal(file->venue, "");
    assert_int_equal(file->max_active, 0);
    event_file_free(file);
    // null is the same as absent wherever absent is allowed.
    file = read_good("{" HEAD ",\"venue\":null,\"currency\":null,\"max_per_order\":null,\"tiers\":null}");
    assert_int_equal(file->max_per_order, 6);
    event_file_free(file);
    event_file_free(NULL);
}

static void test_event_members(void **state)
{
    (void)state;
    assert_problem("{\"slug\":\"Gala\",\"name\":\"Gala\",\"timezone\":\"Europe/Berlin\",\"pace\":\"1/s\"}", "/slug",
                   "a-z");
    assert_problem("{\"name\":\"Gala\",\"timezone\":\"Europe/Berlin\",\"pace\":\"1/s\"}", "/slug", "missing");
    assert_problem("{\"slug\":\"g\",\"name\":\"\",\"timezone\":\"Europe/Berlin\",\"pace\":\"1/s\"}", "/name",
                   "0 characters");
    assert_problem("{\"slug\":\"g\",\"name\":7,\"timezone\":\"Europe/Berlin\",\"pace\":\"1/s\"}", "/name", "text");
    assert_problem("{\"slug\":\"g\",\"name\":\"a\\nb\",\"timezone\":\"Europe/Berlin\",\"pace\":\"1/s\"}", "/name",
                   "control");
    assert_problem("{\"slug\":\"g\",\"name\":\"G\",\"timezone\":\"Mars/Base\",\"pace\":\"1/s\"}", "/timezone",
                   "Mars/Base");
    assert_problem("{\"slug\":\"g\",\"name\":\"G\",\"timezone\":\"Europe/Berlin\"}", "/pace", "missing");
    assert_problem("{\"slug\":\"g\",\"name\":\"G\",\"timezone\":\"Europe/Berlin\",\"pace\":\"1e9/s\"}", "/pace",
                   "100000");
    assert_problem("{\"slug\":\"g\",\"name\":\"G\",\"timezone\":\"Europe/Berlin\",\"pace\":10}", "/pace", "COUNT/s");
    assert_problem("{" HEAD ",\"colour\":\"red\"}", "/colour", "no such member");
    assert_problem("{" HEAD ",\"max_per_order\":0}", "/max_per_order", "1 to 100");
    assert_problem("{" HEAD ",\"max_per_order\":6.5}", "/max_per_order", "whole");
    assert_problem("{" HEAD ",\"max_per_order\":6,\"max_per_customer\":5}", "/max_per_customer", "below");
    assert_problem("{" HEAD ",\"turn_seconds\":0}", "/turn_seconds", "1 to 86400");
    assert_problem("{" HEAD ",\"max_active\":0}", "/max_active", "1 to");
    assert_problem("{" HEAD ",\"tiers\":{}}", "/tiers", "list");
}

static void test_times(void **state)
{
    (void)state;
    assert_problem("{" HEAD ",\"opens_at\":\"tomorrow\"}", "/opens_at", "2027-05-01T19:30:00Z");
    assert_problem("{" HEAD ",\"opens_at\":\"2027-05-01T19:30:00\"}", "/opens_at", "time");
    assert_problem("{" HEAD ",\"opens_at\":1234}", "/opens_at", "time");
    assert_problem("{" HEAD ",\"lobby_opens_at\":\"2027-05-01T10:00:01Z\",\"opens_at\":\"2027-05-01T10:00:00Z\"}",
                   "/lobby_opens_at", "after opens_at");
    assert_problem("{" HEAD ",\"opens_at\":\"2027-05-01T10:00:00Z\",\"closes_at\":\"2027-05-01T10:00:00Z\"}",
                   "/closes_at", "not after opens_at");
    event_file_free(read_good("{" HEAD
                              ",\"lobby_opens_at\":\"2027-05-01T10:00:00Z\",\"opens_at\":\"2027-05-01T10:00:00Z\","
                              "\"closes_at\":\"2027-05-01T10:00:01Z\"}"));
}

static void test_currency(void **state)
{
    (void)state;
    assert_problem("{" HEAD ",\"tiers\":[" FLOOR "]}", "/currency", "missing");
    assert_problem("{" HEAD ",\"currency\":\"EURO\",\"tiers\":[" FLOOR "]}", "/currency", "EURO");
    assert_problem("{" HEAD ",\"currency\":\"eur\",\"tiers\":[" FLOOR "]}", "/currency", "ISO 4217");
    assert_problem("{" HEAD ",\"currency\":\"XXX\",\"tiers\":[" FLOOR "]}", "/currency", "ISO 4217");
    assert_problem("{" HEAD ",\"currency\":\"D E\",\"tiers\":[" FLOOR "]}", "/currency", "ISO 4217");
}

// A file with one tier, of whose members `members` are given.
static const char *with_tier(const char *members)
{
    static char text[4096];
    snprintf(text, sizeof(text), "{" HEAD ",\"currency\":\"EUR\",\"tiers\":[{\"code\":\"a\",\"name\":\"A\",%s}]}",
             members);
    return text;
}

static void test_tiers(void **state)
{
    (void)state;
    assert_problem("{" HEAD ",\"currency\":\"EUR\",\"tiers\":[" FLOOR "," FLOOR "]}", "/tiers/1/code", "twice");
    assert_problem("{" HEAD ",\"currency\":\"EUR\",\"tiers\":[7]}", "/tiers/0", "object");
    assert_problem(with_tier("\"capacity\":10"), "/tiers/0/price", "missing");
    assert_problem(with_tier("\"capacity\":10,\"price\":1,\"prices\":[]"), "/tiers/0/prices", "only one");
    assert_problem(with_tier("\"capacity\":10,\"prices\":[]"), "/tiers/0/prices", "at least one");
    assert_problem(with_tier("\"capacity\":10,\"price\":1000000001"), "/tiers/0/price", "1000000000");
    assert_problem(with_tier("\"capacity\":10,\"price\":-1"), "/tiers/0/price", "0 to");
    assert_problem(with_tier("\"capacity\":10,\"price\":45.5"), "/tiers/0/price", "whole");
    assert_problem(with_tier("\"capacity\":10,\"price\":\"4500\""), "/tiers/0/price", "whole");
    assert_problem(with_tier("\"capacity\":0,\"price\":1"), "/tiers/0/capacity", "1 to 10000000");
    assert_problem(with_tier("\"capacity\":10000001,\"price\":1"), "/tiers/0/capacity", "1 to 10000000");
    assert_problem(with_tier("\"price\":1"), "/tiers/0/capacity", "missing");
    assert_problem(with_tier("\"price\":1,\"capacity\":5,\"rows\":[]"), "/tiers/0/rows", "as well");
    assert_problem(with_tier("\"price\":1,\"rows\":[]"), "/tiers/0/rows", "at least one");
    assert_problem(with_tier("\"price\":1,\"capacity\":5,\"extra\":1"), "/tiers/0/extra", "no such member");
    assert_problem(with_tier("\"capacity\":5,\"prices\":[{\"code\":\"x\",\"name\":\"X\",\"amount\":1},{\"code\":\"x\","
                             "\"name\":\"Y\",\"amount\":2}]"),
                   "/tiers/0/prices/1/code", "twice");
    assert_problem(with_tier("\"capacity\":5,\"prices\":[{\"code\":\"x\",\"name\":\"X\"}]"), "/tiers/0/prices/0/amount",
                   "missing");
    // Beyond 64 bits: the JSON itself is refused.
    struct event_file *file = NULL;
    struct event_problems problems;
    const char *huge = with_tier("\"capacity\":10,\"price\":99999999999999999999999");
    assert_int_equal(event_file_read(huge, strlen(huge), zone_exists, &file, &problems), ERROR_INVALID);
    assert_int_equal(problems.count, 1);
}

static void test_rows(void **state)
{
    (void)state;
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-5,5-9\"}]"), "/tiers/0/rows/0/seats",
                   "seat 5");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"9-1\"}]"), "/tiers/0/rows/0/seats",
                   "backwards");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-2000\"}]"), "/tiers/0/rows/0/seats",
                   "at most 1000");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":5}]"), "/tiers/0/rows/0/seats", "text");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1\"},{\"row\":\"a\",\"seats\":\"2\"}]"),
                   "/tiers/0/rows/1/row", "twice");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"\",\"seats\":\"1\"}]"), "/tiers/0/rows/0/row",
                   "1 to 16");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"12345678901234567\",\"seats\":\"1\"}]"),
                   "/tiers/0/rows/0/row", "16");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"wheelchair\":[\"4\"]}]"),
                   "/tiers/0/rows/0/wheelchair/0", "no seat '4'");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"companion\":[\"01\"]}]"),
                   "/tiers/0/rows/0/companion/0", "no seat");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"blocked\":[1]}]"),
                   "/tiers/0/rows/0/blocked/0", "text");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"blocked\":[\"1\",\"1\"]}]"),
                   "/tiers/0/rows/0/blocked/1", "twice");
    assert_problem(
        with_tier(
            "\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"wheelchair\":[\"1\"],\"companion\":[\"1\"]}]"),
        "/tiers/0/rows/0/companion/0", "cannot be");
    assert_problem(with_tier("\"price\":1,\"rows\":[{\"row\":\"A\",\"seats\":\"1-3\",\"aisle\":2}]"),
                   "/tiers/0/rows/0/aisle", "no such member");
}

static void test_garbage(void **state)
{
    (void)state;
    assert_problem("", "", "");
    assert_problem("[]", "", "");
    assert_problem("{\"slug\":", "", "");
    assert_problem("{\"slug\":\"a\",\"slug\":\"b\"}", "", "");
    char *large = malloc(EVENT_FILE_BYTES_MAX + 2);
    assert_non_null(large);
    memset(large, ' ', EVENT_FILE_BYTES_MAX + 1);
    large[EVENT_FILE_BYTES_MAX + 1] = '\0';
    assert_problem(large, "", "longer than");
    free(large);
    struct event_file *file = NULL;
    struct event_problems problems;
    const char *text = "{" HEAD "}";
    assert_int_equal(event_file_read(text, strlen(text), no_zones, &file, &problems), ERROR_INVALID);
    assert_non_null(strstr(problems.items[0].detail, "tzdata"));
}

// Everything that is wrong is found in one go; what does not fit is counted.
static void test_many_problems(void **state)
{
    (void)state;
    struct event_file *file = NULL;
    struct event_problems problems;
    const char *text = "{\"slug\":\"A B\",\"name\":\"\",\"timezone\":\"x\",\"pace\":\"abc\",\"x\":1}";
    assert_int_equal(event_file_read(text, strlen(text), zone_exists, &file, &problems), ERROR_INVALID);
    assert_int_equal(problems.count, 5);
    char many[4096] = "{" HEAD;
    for (int i = 0; i < 60; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), ",\"x%d\":1", i);
    snprintf(many + strlen(many), sizeof(many) - strlen(many), "}");
    assert_int_equal(event_file_read(many, strlen(many), zone_exists, &file, &problems), ERROR_INVALID);
    assert_int_equal(problems.count, EVENT_FILE_PROBLEMS_MAX);
    assert_int_equal(problems.more, 60 - EVENT_FILE_PROBLEMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual), cmocka_unit_test(test_least),    cmocka_unit_test(test_event_members),
        cmocka_unit_test(test_times), cmocka_unit_test(test_currency), cmocka_unit_test(test_tiers),
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_garbage),  cmocka_unit_test(test_many_problems),
    };
    return cmocka_run_group_tests_name("event_file", tests, NULL, NULL);
}
