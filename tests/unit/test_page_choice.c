// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Forms as browsers send them without JavaScript, and what was chosen in them: as the document of PUT order and as a query.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "waiting-room/page_choice.h"
#include "waiting-room/page_seats.h"

static struct snapshot_price full[] = {{.code = "full"}};
static struct snapshot_price two[] = {{.code = "adult"}, {.code = "child"}};
static struct snapshot_tier tiers[] = {
    {.code = "floor", .price_count = 1, .prices = full},
    {.code = "stalls", .price_count = 2, .prices = two},
    {.code = "balcony", .price_count = 2, .prices = two},
};
static const struct snapshot event = {.slug = "gala", .tier_count = 3, .tiers = tiers};

static void assert_choice(const char *body, const char *json, const char *query)
{
    struct form form;
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT, link CLEANUP(buffer_done) = BUFFER_INIT;
    assert_int_equal(form_read(body, strlen(body), &form), 0);
    page_choice_json(&form, &event, &text);
    assert_string_equal(text.data, json);
    page_choice_query(&form, &link);
    assert_string_equal(link.data ? link.data : "", query);
    form_done(&form);
}

static void assert_fields(const char *body, size_t count, const char *name, const char *value)
{
    struct form form;
    assert_int_equal(form_read(body, strlen(body), &form), 0);
    assert_int_equal(form.count, count);
    const char *found = form_value(&form, name);
    if (value)
        assert_string_equal(found, value);
    else
        assert_null(found);
    form_done(&form);
}

static void forms_are_decoded(void **state)
{
    (void)state;
    assert_fields("", 0, "a", NULL);
    assert_fields("a=1&b=2", 2, "b", "2");
    assert_fields("a=1&a=2", 2, "a", "1");
    assert_fields("&&a&=x&", 2, "a", "");
    assert_fields("a=b=c", 1, "a", "b=c");
    assert_fields("n=Zo%C3%AB+M%2b%26", 1, "n", "Zoë M+&");
    assert_fields("%61=%e2%82%ac", 1, "a", "€");
    assert_fields("a=100%&b=%4&c=%zz", 3, "a", "100%");
}

static void broken_forms_are_refused(void **state)
{
    (void)state;
    static char many[4 * FORM_FIELDS_MAX + 8], fat[FORM_BYTES_MAX + 2];
    struct form form = {.count = 99};
    assert_int_equal(form_read("a=%00", 5, &form), ERROR_INVALID);
    assert_int_equal(form_read("a\0b", 3, &form), ERROR_INVALID);
    assert_int_equal(form_read("a=%ff", 5, &form), ERROR_INVALID);
    assert_int_equal(form_read("%c3=1", 5, &form), ERROR_INVALID);
    for (size_t i = 0; i <= FORM_FIELDS_MAX; i++)
        memcpy(many + 2 * i, "a&", 2);
    assert_int_equal(form_read(many, strlen(many), &form), ERROR_LIMIT);
    memset(fat, 'a', FORM_BYTES_MAX + 1);
    assert_int_equal(form_read(fat, FORM_BYTES_MAX + 1, &form), ERROR_LIMIT);
    assert_int_equal(form.count, 99); // untouched on failure
}

static void choices_become_orders(void **state)
{
    (void)state;
    assert_choice(
        "tier=floor&tickets.floor.full=2&tickets.stalls.adult=0&tickets.stalls.child=&email=a%40b.example&name=&do=order",
        "{\"tier\":\"floor\",\"tickets\":{\"full\":2},\"email\":\"a@b.example\"}", "&tier=floor&tickets.floor.full=2");
    assert_choice(
        "tier=stalls&tickets.floor.full=2&tickets.stalls.adult=02&tickets.stalls.child=1&email=x&name=Zo%C3%AB",
        "{\"tier\":\"stalls\",\"tickets\":{\"adult\":2,\"child\":1},\"email\":\"x\",\"name\":\"Zoë\"}",
        "&tier=stalls&tickets.floor.full=2&tickets.stalls.adult=02&tickets.stalls.child=1");
    assert_choice("tier=floor&tickets.full=1", "{\"tier\":\"floor\",\"tickets\":{\"full\":1},\"email\":\"\"}",
                  "&tier=floor&tickets.full=1");
    assert_choice("tier=floor&quantity=3&email=x", "{\"tier\":\"floor\",\"quantity\":3,\"email\":\"x\"}",
                  "&tier=floor&quantity=3");
    assert_choice("", "{\"tier\":\"\",\"tickets\":{},\"email\":\"\"}", "");
}

static void other_choices_have_as_many_tickets(void **state)
{
    (void)state;
    assert_choice(
        "tier=stalls&tickets.stalls.adult=2&tickets.stalls.child=1&alternative.1=balcony&alternative.2=&alternative.3=floor",
        "{\"tier\":\"stalls\",\"tickets\":{\"adult\":2,\"child\":1},\"alternatives\":[{\"tier\":\"balcony\",\"tickets\":{"
        "\"adult\":2,\"child\":1}},{\"tier\":\"floor\",\"quantity\":3}],\"email\":\"\"}",
        "&tier=stalls&tickets.stalls.adult=2&tickets.stalls.child=1&alternative.1=balcony&alternative.3=floor");
    assert_choice(
        "tier=floor&quantity=4&alternative.1=nowhere",
        "{\"tier\":\"floor\",\"quantity\":4,\"alternatives\":[{\"tier\":\"nowhere\",\"quantity\":4}],\"email\":\"\"}",
        "&tier=floor&quantity=4&alternative.1=nowhere");
}

// What is no number goes on as a string, for the rules to refuse; nothing but slugs and numbers gets into an address.
static void what_is_typed_is_not_trusted(void **state)
{
    (void)state;
    assert_choice("tier=floor&tickets.floor.full=-1&tickets.floor.full=5&email=%22%0a",
                  "{\"tier\":\"floor\",\"tickets\":{\"full\":\"-1\"},\"email\":\"\\\"\\n\"}",
                  "&tier=floor&tickets.floor.full=5");
    assert_choice("tier=%22%3Cb%3E&tickets.floor.full=1.5&quantity=99999999&alternative.1=%26x&email=",
                  "{\"tier\":\"\\\"<b>\",\"quantity\":\"99999999\",\"alternatives\":[{\"tier\":\"&x\","
                  "\"quantity\":\"99999999\"}],\"email\":\"\"}",
                  "");
}

static void counts_are_found_again(void **state)
{
    (void)state;
    static const char query[] = "tier=floor&tickets.floor.full=2&tickets.adult=3&tickets.stalls.child=x";
    struct form form;
    assert_int_equal(form_read(query, strlen(query), &form), 0);
    assert_int_equal(page_choice_count(&form, "floor", "full"), 2);
    assert_int_equal(page_choice_count(&form, "stalls", "adult"), 3);
    assert_int_equal(page_choice_count(&form, "stalls", "child"), 0);
    assert_int_equal(page_choice_count(&form, "stalls", "full"), 0);
    form_done(&form);
}

static void seats_and_needs_go_along(void **state)
{
    (void)state;
    assert_choice("tier=stalls&tickets.stalls.adult=2&seats.stalls=A-12,+A-13+&seats.balcony=X-1&email=a%40b",
                  "{\"tier\":\"stalls\",\"tickets\":{\"adult\":2},\"seats\":[\"A-12\",\"A-13\"],\"email\":\"a@b\"}",
                  "&tier=stalls&tickets.stalls.adult=2&seats.stalls=A-12%2C%20A-13%20");
    // Seats alone say how many, in other choices too.
    assert_choice(
        "tier=stalls&tickets.stalls.adult=0&seats.stalls=Box+2-1,A-3,,&alternative.1=floor&email=",
        "{\"tier\":\"stalls\",\"seats\":[\"Box 2-1\",\"A-3\"],\"alternatives\":[{\"tier\":\"floor\",\"quantity\":2}],"
        "\"email\":\"\"}",
        "&tier=stalls&alternative.1=floor&seats.stalls=Box%202-1%2CA-3%2C%2C");
    assert_choice("tier=stalls&tickets.stalls.adult=1&seats.stalls=+,+&wheelchair=1&companion=0&email=",
                  "{\"tier\":\"stalls\",\"tickets\":{\"adult\":1},\"needs\":{\"wheelchair\":1},\"email\":\"\"}",
                  "&tier=stalls&tickets.stalls.adult=1&wheelchair=1");
    assert_choice(
        "tier=stalls&quantity=1&wheelchair=x&companion=2&email=",
        "{\"tier\":\"stalls\",\"quantity\":1,\"needs\":{\"wheelchair\":\"x\",\"companion\":2},\"email\":\"\"}",
        "&tier=stalls&quantity=1&companion=2");
    // A name that no seat can have is cut, in the middle of no character.
    assert_choice(
        "tier=a&seats.a=%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC"
        "%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC"
        "%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC&wheelchair=0",
        "{\"tier\":\"a\",\"seats\":[\"€€€€€€€€€€€€€€€€€€€€€€€€€€€€€\"],\"email\":\"\"}",
        "&tier=a&seats.a=%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC"
        "%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC"
        "%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC%E2%82%AC");
}

static void assert_words(const char *json, const char *words)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    json_t *names = json_loads(json, 0, NULL);
    page_seats_text(names, &text);
    assert_string_equal(text.data ? text.data : "", words);
    json_decref(names);
}

static void seats_in_words(void **state)
{
    (void)state;
    assert_words("[\"A-12\"]", "Row A, seat 12");
    assert_words("[\"A-13\",\"A-12\"]", "Row A, seats 12 and 13");
    assert_words("[\"A-1\",\"A-2\",\"A-3\"]", "Row A, seats 1 to 3");
    assert_words("[\"A-1\",\"A-2\",\"A-5\"]", "Row A, seats 1, 2 and 5");
    assert_words("[\"A-7\",\"A-1\",\"A-2\",\"A-3\",\"A-9\"]", "Row A, seats 1 to 3, 7 and 9");
    assert_words("[\"Box 2-1\",\"A-3\",\"Box 2-4\"]", "Row Box 2, seats 1 and 4; row A, seat 3");
    assert_words("[\"A\",7,null,\"A-\",\"B-1\"]", "Row B, seat 1");
    assert_words("[]", "");
    assert_words("{}", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_decoded),
        cmocka_unit_test(broken_forms_are_refused),
        cmocka_unit_test(choices_become_orders),
        cmocka_unit_test(other_choices_have_as_many_tickets),
        cmocka_unit_test(what_is_typed_is_not_trusted),
        cmocka_unit_test(counts_are_found_again),
        cmocka_unit_test(seats_and_needs_go_along),
        cmocka_unit_test(seats_in_words),
    };
    return cmocka_run_group_tests_name("page_choice", tests, NULL, NULL);
}
