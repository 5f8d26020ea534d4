// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The body of PUT order: what is taken from it, what it costs, and which field is said to be wrong.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/payment.h"
#include "common/seat.h"
#include "waiting-room/order_form.h"

static struct snapshot_price one[] = {{.code = "full", .amount = 1000000000}};
static struct snapshot_price two[] = {{.code = "adult", .amount = 7500}, {.code = "child", .amount = 3500}};
static struct snapshot_tier tiers[] = {
    {.code = "floor", .price_count = 1, .prices = one},
    {.code = "balcony", .price_count = 2, .prices = two},
    {.code = "stalls", .seated = true, .price_count = 2, .prices = two},
    {.code = "gallery", .seated = true, .price_count = 1, .prices = one},
};
static struct snapshot event = {.slug = "gala", .currency = "EUR", .max_per_order = 6, .tier_count = 4, .tiers = tiers};
static struct order_form_problems problems;

// Seats 1 … count of a row, all alike.
static void fill_row(struct hall_row *row, const char *name, size_t count)
{
    snprintf(row->name, sizeof row->name, "%s", name);
    row->seat_count = count;
    row->seats = calloc(count, sizeof *row->seats);
    assert_non_null(row->seats);
    for (size_t i = 0; i < count; i++)
        row->seats[i].number = (uint16_t)(i + 1);
}

// The stalls: row A with a wheelchair place, two companions' seats and one that is not on sale, and "Row-b" of 100. The gallery: row C
// with a wheelchair place.
static int build_halls(void **state)
{
    (void)state;
    tiers[2].hall = hall_new(2);
    tiers[3].hall = hall_new(1);
    assert_non_null(tiers[2].hall);
    assert_non_null(tiers[3].hall);
    tiers[2].hall->wheelchair_count = 1;
    tiers[2].hall->companion_count = 2;
    tiers[3].hall->wheelchair_count = 1;
    fill_row(&tiers[2].hall->rows[0], "A", 10);
    fill_row(&tiers[2].hall->rows[1], "Row-b", 100);
    fill_row(&tiers[3].hall->rows[0], "C", 5);
    tiers[3].hall->rows[0].seats[0].kind = SEAT_WHEELCHAIR;
    struct hall_seat *seats = tiers[2].hall->rows[0].seats;
    seats[0].kind = SEAT_WHEELCHAIR;
    seats[1].kind = seats[2].kind = SEAT_COMPANION;
    seats[9].kind = SEAT_BLOCKED;
    return 0;
}

static int free_halls(void **state)
{
    (void)state;
    hall_unref(tiers[2].hall);
    hall_unref(tiers[3].hall);
    return 0;
}

static int read_form(const char *body, struct order_form *ret)
{
    return order_form_read(body, strlen(body), &event, ret, &problems);
}

// `members` and an e-mail address are taken.
static void assert_form(const char *members, uint64_t quantity, uint64_t amount, const char *choices)
{
    char body[2048];
    struct order_form form;
    snprintf(body, sizeof body, "{\"email\":\"a@b\",%s}", members);
    assert_int_equal(read_form(body, &form), 0);
    assert_int_equal(form.quantity, quantity);
    assert_int_equal(form.amount, amount);
    assert_string_equal(form.choices, choices);
    assert_string_equal(form.currency, "EUR");
    order_form_done(&form);
}

// The fields that are wrong, in order, with blanks between.
static void assert_wrong(const char *body, const char *fields)
{
    struct order_form form;
    char found[4096] = "";
    assert_int_equal(read_form(body, &form), ERROR_CONFLICT);
    for (size_t i = 0; i < problems.count; i++) {
        assert_true(problems.items[i].detail[0] != '\0');
        size_t bytes = strlen(found);
        snprintf(found + bytes, sizeof found - bytes, "%s%s", i ? " " : "", problems.items[i].field);
    }
    assert_string_equal(found, fields);
}

static void assert_wrong_email(const char *email)
{
    char body[1024];
    snprintf(body, sizeof body, "{\"tier\":\"floor\",\"quantity\":1,\"email\":\"%s\"}", email);
    assert_wrong(body, "email");
}

static void tickets_are_priced(void **state)
{
    (void)state;
    assert_form("\"tier\":\"floor\",\"quantity\":6", 6, 6000000000,
                "[{\"tier\":\"floor\",\"tickets\":{\"full\":6},\"quantity\":6,\"amount\":6000000000}]");
    assert_form("\"tier\":\"balcony\",\"tickets\":{\"child\":2,\"adult\":1},\"seats\":null", 3, 14500,
                "[{\"tier\":\"balcony\",\"tickets\":{\"child\":2,\"adult\":1},\"quantity\":3,\"amount\":14500}]");
    assert_form("\"tier\":\"balcony\",\"quantity\":2,\"alternatives\":[{\"tier\":\"floor\",\"tickets\":{\"full\":1}}]",
                2, 15000,
                "[{\"tier\":\"balcony\",\"tickets\":{\"adult\":2},\"quantity\":2,\"amount\":15000},"
                "{\"tier\":\"floor\",\"tickets\":{\"full\":1},\"quantity\":1,\"amount\":1000000000}]");
}

static void a_person_is_read(void **state)
{
    (void)state;
    struct order_form form;
    assert_int_equal(
        read_form("{\"tier\":\"floor\",\"quantity\":1,\"email\":\" Ada@B.org\\t\",\"name\":\" Zo\\u00eb \","
                  "\"lang\":\"pt-BR\",\"payment_method\":\"pm_x\",\"alternatives\":[]}",
                  &form),
        ERROR_CONFLICT); // a tab is a control character, even where it would be trimmed
    assert_int_equal(
        read_form(
            "{\"tier\":\"floor\",\"quantity\":1,\"email\":\" Ada@B.org \",\"name\":\" Zo\\u00eb \",\"lang\":\"pt-BR\"}",
            &form),
        0);
    uint8_t customer[CUSTOMER_BYTES];
    customer_of_email("ada@b.ORG", customer);
    assert_memory_equal(form.customer, customer, sizeof customer);
    assert_string_equal(form.email, "Ada@B.org");
    assert_string_equal(form.name, "Zoë");
    assert_string_equal(form.lang, "pt-BR");
    assert_null(form.alternatives);
    assert_null(form.payment_method);
    order_form_done(&form);
    order_form_done(&form); // an empty one
    order_form_done(NULL);
}

static void a_payment_method_is_read(void **state)
{
    (void)state;
    static const char *const wrong[] = {"\"\"",        "\" pm_x\"", "\"pm_x \"", "\"pm-x\"", "\"pm_\\u00e4\"",
                                        "\"pm_x\\n\"", "\"../v1\"", "17",        "{}",       "[\"pm_x\"]",
                                        "true"};
    char body[PAYMENT_METHOD_BYTES + 1024], method[1025];
    struct order_form form;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(body, sizeof body, "{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"payment_method\":%s}",
                 wrong[i]);
        assert_wrong(body, "payment_method");
    }
    static const size_t lengths[] = {1, PAYMENT_METHOD_BYTES - 1, PAYMENT_METHOD_BYTES, 1024};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(method, 'x', sizeof method);
        method[lengths[i]] = '\0';
        snprintf(body, sizeof body, "{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"payment_method\":\"%s\"}",
                 method);
        if (lengths[i] >= PAYMENT_METHOD_BYTES) {
            assert_wrong(body, "payment_method");
            continue;
        }
        assert_int_equal(read_form(body, &form), 0);
        assert_string_equal(form.payment_method, method);
        order_form_done(&form);
    }
    assert_int_equal(read_form("{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"payment_method\":null}", &form),
                     0);
    assert_null(form.payment_method);
    order_form_done(&form);
}

static void wrong_numbers_are_said(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0",   "-1",    "7",    "1000000", "1.5",
                                          "1e0", "\"2\"", "true", "[]",      "9223372036854775807"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"tier\":\"floor\",\"quantity\":%s,\"email\":\"a@b\"}", numbers[i]);
        assert_wrong(body, "quantity");
    }
    assert_wrong("{\"tier\":\"balcony\",\"tickets\":{\"adult\":4,\"child\":3},\"email\":\"a@b\"}", "tickets");
    assert_wrong("{\"tier\":\"balcony\",\"tickets\":{\"adult\":9000000000,\"child\":0},\"email\":\"a@b\"}",
                 "tickets.child");
    assert_wrong("{\"tier\":\"balcony\",\"tickets\":{\"full\":1},\"email\":\"a@b\"}", "tickets.full");
    assert_wrong("{\"tier\":\"balcony\",\"tickets\":{},\"email\":\"a@b\"}", "tickets");
    assert_wrong("{\"tier\":\"balcony\",\"tickets\":{\"adult\":1},\"quantity\":1,\"email\":\"a@b\"}", "quantity");
    assert_wrong("{\"tier\":\"balcony\",\"email\":\"a@b\"}", "tickets");
}

static void wrong_choices_are_said(void **state)
{
    (void)state;
    assert_wrong("{}", "tier email");
    assert_wrong(
        "{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"alternatives\":[{\"tier\":\"floor\",\"quantity\":1}]}",
        "alternatives.0.tier");
    assert_wrong(
        "{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"alternatives\":[{\"tier\":\"balcony\",\"quantity\":1},3,"
        "{\"tier\":\"x\",\"quantity\":0,\"a\":1}]}",
        "alternatives.1 alternatives.2.a alternatives.2.tier");
    assert_wrong("{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"alternatives\":[{},{},{},{}]}",
                 "alternatives");
    assert_wrong("{\"tier\":\"floor\",\"quantity\":1,\"email\":\"a@b\",\"x\":1}", "x");
}

static void seats_are_named(void **state)
{
    (void)state;
    // Alone they say how many, at the first price; the rows are spelled as the hall spells them.
    assert_form("\"tier\":\"stalls\",\"seats\":[\"a-5\",\"ROW-B-7\"]", 2, 15000,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":2},\"quantity\":2,\"amount\":15000,"
                "\"seats\":[\"A-5\",\"Row-b-7\"]}]");
    assert_form("\"tier\":\"stalls\",\"seats\":[\"A-5\",\"A-6\"],\"tickets\":{\"child\":1,\"adult\":1}", 2, 11000,
                "[{\"tier\":\"stalls\",\"tickets\":{\"child\":1,\"adult\":1},\"quantity\":2,\"amount\":11000,"
                "\"seats\":[\"A-5\",\"A-6\"]}]");
    assert_form("\"tier\":\"stalls\",\"seats\":[\"A-5\"],\"quantity\":1", 1, 7500,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500,\"seats\":[\"A-5\"]}]");
    // These seats, or else any others of the tier.
    assert_form("\"tier\":\"stalls\",\"seats\":[\"A-5\"],\"alternatives\":[{\"tier\":\"stalls\",\"quantity\":1}]", 1,
                7500,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500,\"seats\":[\"A-5\"]},"
                "{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500}]");
}

static void needs_are_of_every_seated_choice(void **state)
{
    (void)state;
    assert_form("\"tier\":\"stalls\",\"quantity\":3,\"needs\":{\"wheelchair\":1,\"companion\":2}", 3, 22500,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":3},\"quantity\":3,\"amount\":22500,"
                "\"wheelchair\":1,\"companion\":2}]");
    assert_form(
        "\"tier\":\"stalls\",\"quantity\":1,\"needs\":{\"wheelchair\":true,\"companion\":false},"
        "\"alternatives\":[{\"tier\":\"balcony\",\"quantity\":1},{\"tier\":\"gallery\",\"quantity\":2}]",
        1, 7500,
        "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500,\"wheelchair\":1},"
        "{\"tier\":\"balcony\",\"tickets\":{\"adult\":1},\"quantity\":1,\"amount\":7500},"
        "{\"tier\":\"gallery\",\"tickets\":{\"full\":2},\"quantity\":2,\"amount\":2000000000,\"wheelchair\":1}]");
    assert_form("\"tier\":\"stalls\",\"seats\":[\"A-1\",\"A-2\"],\"needs\":{\"wheelchair\":1,\"companion\":1}", 2,
                15000,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":2},\"quantity\":2,\"amount\":15000,"
                "\"seats\":[\"A-1\",\"A-2\"],\"wheelchair\":1,\"companion\":1}]");
    // Who names ordinary seats has said where.
    assert_form("\"tier\":\"stalls\",\"seats\":[\"A-4\",\"A-5\"],\"needs\":{\"wheelchair\":2}", 2, 15000,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":2},\"quantity\":2,\"amount\":15000,"
                "\"seats\":[\"A-4\",\"A-5\"],\"wheelchair\":2}]");
    assert_form("\"tier\":\"floor\",\"quantity\":1,\"needs\":{\"wheelchair\":0,\"companion\":null}", 1, 1000000000,
                "[{\"tier\":\"floor\",\"tickets\":{\"full\":1},\"quantity\":1,\"amount\":1000000000}]");
}

static void wrong_seats_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *members, *fields;
    } cases[] = {
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\",\"A-11\",\"D-1\",\"C-1\"]", "seats.1 seats.2 seats.3"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\",\"A-5\",\"a-4\"]", "seats.2"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-10\"]", "seats.0"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-1\"]", "seats.0"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-2\",\"A-3\"],\"needs\":{\"companion\":1}", "seats.1"},
        {"\"tier\":\"stalls\",\"seats\":[\"A\",\"A-0\",\"A-04\",4,\"A-\",\"-4\"]",
         "seats.0 seats.1 seats.2 seats.3 seats.4 seats.5"},
        {"\"tier\":\"stalls\",\"seats\":[]", "seats"},
        {"\"tier\":\"stalls\",\"seats\":\"A-4\"", "seats"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\",\"A-5\",\"A-6\",\"A-7\",\"A-8\",\"A-9\",\"Row-b-1\"]", "seats"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\"],\"quantity\":2", "seats"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\",\"A-5\"],\"tickets\":{\"adult\":1}", "seats"},
        {"\"tier\":\"floor\",\"seats\":[\"A-4\"]", "seats"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\"],\"quantity\":1,\"alternatives\":[{\"tier\":\"gallery\",\"seats\":[\"A-4\"]}]",
         "alternatives.0.seats.0"},
        {"\"tier\":\"stalls\",\"quantity\":1,\"alternatives\":[{\"tier\":\"stalls\",\"seats\":[\"A-4\"]}]",
         "alternatives.0.tier"},
        {"\"tier\":\"stalls\",\"seats\":[\"A-4\"],\"alternatives\":[{\"tier\":\"stalls\",\"seats\":[\"A-5\"]}]",
         "alternatives.0.tier"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"email\":\"a@b\",%s}", cases[i].members);
        assert_wrong(body, cases[i].fields);
    }
}

static void wrong_needs_are_said(void **state)
{
    (void)state;
    static const struct {
        const char *members, *fields;
    } cases[] = {
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"wheelchair\":2,\"companion\":1}", "needs"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"wheelchair\":1,\"companion\":1},\"alternatives\":[{\"tier\":\"gallery\",\"quantity\":1}]",
         "needs"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"wheelchair\":-1,\"companion\":\"1\"}",
         "needs.wheelchair needs.companion"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"wheelchair\":9223372036854775807,\"companion\":65}",
         "needs.wheelchair needs.companion"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"dog\":1}", "needs.dog"},
        // More than there are in the hall, at any time.
        {"\"tier\":\"stalls\",\"quantity\":6,\"needs\":{\"wheelchair\":2,\"companion\":3}",
         "needs.wheelchair needs.companion"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":{\"companion\":1},\"alternatives\":[{\"tier\":\"gallery\",\"quantity\":2}]",
         "alternatives.0.tier"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"needs\":[1]", "needs"},
        {"\"tier\":\"floor\",\"quantity\":2,\"needs\":{\"wheelchair\":1}", "needs"},
        {"\"tier\":\"stalls\",\"quantity\":2,\"alternatives\":[{\"tier\":\"gallery\",\"quantity\":1,\"needs\":{}}]",
         "alternatives.0.needs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"email\":\"a@b\",%s}", cases[i].members);
        assert_wrong(body, cases[i].fields);
    }
}

// One order has no more than 64 seats, whatever the event allows; standing places have no such bound.
static void a_seated_order_has_a_bound(void **state)
{
    (void)state;
    event.max_per_order = 100;
    assert_wrong("{\"tier\":\"stalls\",\"quantity\":65,\"email\":\"a@b\"}", "quantity");
    assert_form("\"tier\":\"stalls\",\"quantity\":64", 64, 480000,
                "[{\"tier\":\"stalls\",\"tickets\":{\"adult\":64},\"quantity\":64,\"amount\":480000}]");
    assert_form("\"tier\":\"balcony\",\"quantity\":65", 65, 487500,
                "[{\"tier\":\"balcony\",\"tickets\":{\"adult\":65},\"quantity\":65,\"amount\":487500}]");
    char body[2048] = "{\"tier\":\"stalls\",\"email\":\"a@b\",\"seats\":[\"Row-b-1\"";
    for (int i = 2; i <= 65; i++) {
        size_t bytes = strlen(body);
        snprintf(body + bytes, sizeof body - bytes, ",\"Row-b-%d\"", i);
    }
    strncat(body, "]}", sizeof body - strlen(body) - 1);
    assert_wrong(body, "seats");
    event.max_per_order = 6;
}

static void more_problems_than_there_is_room_for(void **state)
{
    (void)state;
    char body[2048] = "{\"tier\":\"floor\",\"email\":\"a@b\",\"tickets\":{\"p0\":1";
    struct order_form form;
    for (int i = 1; i < 40; i++) {
        size_t bytes = strlen(body);
        snprintf(body + bytes, sizeof body - bytes, ",\"p%d\":1", i);
    }
    strncat(body, "}}", sizeof body - strlen(body) - 1);
    assert_int_equal(read_form(body, &form), ERROR_CONFLICT);
    assert_int_equal(problems.count, ORDER_FORM_PROBLEMS_MAX);
}

static void wrong_addresses_are_said(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",       "a",      "@b",     "a@",         "a@b@c",   "a b@c", "a@b c",      "a@.b",        "a@b.",
        "a@b..c", "a@b\\n", "a\\r@b", "a@b\\u0085", "a@b,c@d", "<a@b>", "a@b\\u007f", "a@b\\u2028c", "a\\u0001@b"};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        assert_wrong_email(addresses[i]);
    char longest[400] = "a@";
    memset(longest + 2, 'b', ORDER_FORM_EMAIL_BYTES_MAX - 1);
    assert_wrong_email(longest);
    memset(longest, 'a', 65);
    longest[65] = '@';
    longest[70] = '\0';
    assert_wrong_email(longest);
}

static void what_is_no_object_is_malformed(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "{", "[]", "1", "null", "{\"a\":1,\"a\":2}", "{\"a\":\"\xff\"}", "{} x"};
    struct order_form form;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_equal(read_form(bodies[i], &form), ERROR_INVALID);
        assert_true(problems.malformed[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tickets_are_priced),
        cmocka_unit_test(a_person_is_read),
        cmocka_unit_test(a_payment_method_is_read),
        cmocka_unit_test(wrong_numbers_are_said),
        cmocka_unit_test(wrong_choices_are_said),
        cmocka_unit_test(seats_are_named),
        cmocka_unit_test(needs_are_of_every_seated_choice),
        cmocka_unit_test(wrong_seats_are_said),
        cmocka_unit_test(wrong_needs_are_said),
        cmocka_unit_test(a_seated_order_has_a_bound),
        cmocka_unit_test(more_problems_than_there_is_room_for),
        cmocka_unit_test(wrong_addresses_are_said),
        cmocka_unit_test(what_is_no_object_is_malformed),
    };
    return cmocka_run_group_tests(tests, build_halls, free_halls);
}
