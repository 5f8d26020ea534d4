// SPDX-License-Identifier: Apache-2.0
// Messages: what is written is read back the same, and what another program could get wrong is refused with its field.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/message.h"

static int read_text(const char *text, struct message *ret)
{
    char problem[128];
    return message_read(text, strlen(text), ret, problem, sizeof(problem));
}

static void assert_written(const struct message *message, const char *expected)
{
    struct buffer text = BUFFER_INIT;
    message_write(message, &text);
    assert_false(text.failed);
    assert_string_equal(text.data, expected);
    buffer_done(&text);
}

static const char served_text[] =
    "{\"v\":1,\"type\":\"served\",\"epoch\":3,\"seq\":812,\"full\":false,\"events\":[{\"slug\":"
    "\"spring-gala\",\"served\":4210,\"last\":9120,\"pace\":\"600/min\",\"us_per_place\":"
    "[95000,110000]},{\"slug\":\"b\",\"served\":0,\"last\":0,\"pace\":\"0\","
    "\"us_per_place\":null}]}";

static void served_goes_there_and_back(void **state)
{
    (void)state;
    struct message message = {0}, back = {0};
    assert_int_equal(read_text(served_text, &message), 0);
    assert_int_equal(message.type, MESSAGE_SERVED);
    assert_int_equal(message.served.epoch, 3);
    assert_int_equal(message.served.seq, 812);
    assert_false(message.served.full);
    assert_int_equal(message.served.event_count, 2);
    const struct message_served_event *event = &message.served.events[0];
    assert_string_equal(event->slug, "spring-gala");
    assert_int_equal(event->served, 4210);
    assert_int_equal(event->last, 9120);
    assert_string_equal(event->pace, "600/min");
    assert_true(event->has_wait);
    assert_int_equal(event->us_per_place_low, 95000);
    assert_int_equal(event->us_per_place_high, 110000);
    assert_false(message.served.events[1].has_wait);
    assert_written(&message, served_text);
    message.served.full = true;
    message.served.event_count = 0;
    assert_written(&message, "{\"v\":1,\"type\":\"served\",\"epoch\":3,\"seq\":812,\"full\":true,\"events\":[]}");
    assert_int_equal(
        read_text("{\"v\":1,\"type\":\"served\",\"epoch\":3,\"seq\":812,\"full\":true,\"events\":[]}", &back), 0);
    assert_true(back.served.full);
}

static void the_small_ones_go_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"v\":1,\"type\":\"event_changed\",\"slug\":\"spring-gala\",\"version\":17}",
        "{\"v\":1,\"type\":\"acted\",\"slug\":\"spring-gala\",\"version\":17,\"epoch\":3}",
        "{\"v\":1,\"type\":\"left\",\"slug\":\"spring-gala\",\"number\":4211}",
    };
    static const enum message_type types[] = {MESSAGE_EVENT_CHANGED, MESSAGE_ACTED, MESSAGE_LEFT};
    for (size_t i = 0; i < 3; i++) {
        struct message message = {0};
        assert_int_equal(read_text(texts[i], &message), 0);
        assert_int_equal(message.type, types[i]);
        assert_written(&message, texts[i]);
    }
    assert_string_equal(message_type_name(MESSAGE_EVENT_CHANGED), "event_changed");
    assert_string_equal(message_type_name((enum message_type)99), "unknown");
}

// As many events as fit, with everything as long as it can be.
static void the_largest_fits(void **state)
{
    (void)state;
    struct message *message = calloc(1, sizeof(*message)), *back = calloc(1, sizeof(*back));
    assert_non_null(message);
    assert_non_null(back);
    message->type = MESSAGE_SERVED;
    message->served.epoch = message->served.seq = INT64_MAX;
    message->served.event_count = MESSAGE_EVENTS_MAX;
    for (size_t i = 0; i < MESSAGE_EVENTS_MAX; i++) {
        struct message_served_event *event = &message->served.events[i];
        memset(event->slug, 'a', sizeof(event->slug) - 1);
        event->served = event->last = INT64_MAX;
        snprintf(event->pace, sizeof(event->pace), "auto:360000000/h");
        event->has_wait = true;
        event->us_per_place_low = event->us_per_place_high = INT64_MAX;
    }
    struct buffer text = BUFFER_INIT;
    message_write(message, &text);
    assert_int_equal(message_read(text.data, text.bytes, back, NULL, 0), 0);
    assert_int_equal(back->served.event_count, MESSAGE_EVENTS_MAX);
    assert_written(back, text.data);
    buffer_done(&text);
    free(message);
    free(back);
}

static void unknown_members_are_ignored(void **state)
{
    (void)state;
    struct message message;
    assert_int_equal(
        read_text("{\"later\":[{}],\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":1,\"x\":null}", &message), 0);
    assert_int_equal(message.left.number, 1);
}

static void assert_refused(const char *text, const char *field)
{
    struct message message, untouched;
    memset(&message, 0x5a, sizeof(message));
    memset(&untouched, 0x5a, sizeof(untouched));
    char problem[128] = "";
    if (message_read(text, strlen(text), &message, problem, sizeof(problem)) != ERROR_INVALID)
        fail_msg("was read: %s", text);
    if (!strstr(problem, field))
        fail_msg("%s: the problem is said to be: %s", text, problem);
    assert_memory_equal(&message, &untouched, sizeof(message));
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"[]", ""},
        {"\"served\"", ""},
        {"{\"v\":1,", ""},
        {"{\"v\":1,\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":1}", ""},
        {"{\"type\":\"left\",\"slug\":\"a\",\"number\":1}", "v:"},
        {"{\"v\":2,\"type\":\"left\",\"slug\":\"a\",\"number\":1}", "v:"},
        {"{\"v\":\"1\",\"type\":\"left\",\"slug\":\"a\",\"number\":1}", "v:"},
        {"{\"v\":1,\"slug\":\"a\",\"number\":1}", "type"},
        {"{\"v\":1,\"type\":\"gone\",\"slug\":\"a\",\"number\":1}", "type"},
        {"{\"v\":1,\"type\":7,\"slug\":\"a\",\"number\":1}", "type"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"A\",\"number\":1}", "slug"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"\",\"number\":1}", "slug"},
        {"{\"v\":1,\"type\":\"left\",\"number\":1}", "slug"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"number\":1}",
         "slug"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":0}", "number"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":-1}", "number"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":1.0}", "number"},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":9223372036854775808}", ""},
        {"{\"v\":1,\"type\":\"left\",\"slug\":\"a\"}", "number"},
        {"{\"v\":1,\"type\":\"event_changed\",\"slug\":\"a\",\"version\":null}", "version"},
        {"{\"v\":1,\"type\":\"acted\",\"slug\":\"a\",\"version\":1}", "epoch"},
        {"{\"v\":1,\"type\":\"served\",\"seq\":1,\"full\":true,\"events\":[]}", "epoch"},
        {"{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":0,\"full\":true,\"events\":[]}", "seq"},
        {"{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":1,\"events\":[]}", "full"},
        {"{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":true,\"events\":{}}", "events"},
        {"{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":true}", "events"},
        {"{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":true,\"events\":[7]}", "events"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i][0], cases[i][1]);
}

static void garbage_in_an_event_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":null", "events.slug"},
        {"\"slug\":\"a\",\"served\":-1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":null", "events.served"},
        {"\"slug\":\"a\",\"served\":1,\"last\":\"1\",\"pace\":\"1/s\",\"us_per_place\":null", "events.last"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"fast\",\"us_per_place\":null", "events.pace"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"00000000000000000000000000000001/s\",\"us_per_place\":null",
         "events.pace"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\"", "events.us_per_place"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":[1]", "events.us_per_place"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":[1,2,3]", "events.us_per_place"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":[2,1]", "events.us_per_place"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":[-1,1]", "events.us_per_place"},
        {"\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":[1,null]", "events.us_per_place"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":true,\"events\":[{%s}]}", cases[i][0]);
        assert_refused(text, cases[i][1]);
    }
}

static void those_of_orders_go_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"v\":1,\"type\":\"book\",\"slug\":\"gala\",\"event_id\":4294967295,\"place\":4211,\"attempt\":65535,"
        "\"release\":4294967295}",
        "{\"v\":1,\"type\":\"ordered\",\"slug\":\"gala\",\"due\":true,\"numbers\":[4211,4212]}",
        "{\"v\":1,\"type\":\"ordered\",\"slug\":\"gala\",\"due\":false,\"numbers\":[]}",
        "{\"v\":1,\"type\":\"stock\",\"slug\":\"gala\",\"at_us\":1795470000000000,\"tiers\":[{\"code\":\"floor\",\"left\":1200,"
        "\"asked\":800,\"standby\":3},{\"code\":\"b\",\"left\":0,\"asked\":0,\"standby\":0}]}",
        "{\"v\":1,\"type\":\"stock\",\"slug\":\"gala\",\"at_us\":0,\"tiers\":[]}",
    };
    static const enum message_type types[] = {MESSAGE_BOOK, MESSAGE_ORDERED, MESSAGE_ORDERED, MESSAGE_STOCK,
                                              MESSAGE_STOCK};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct message message;
        assert_int_equal(read_text(texts[i], &message), 0);
        assert_int_equal(message.type, types[i]);
        assert_written(&message, texts[i]);
    }
}

static void the_bell_goes_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"v\":1,\"type\":\"pay\",\"slug\":\"gala\",\"place\":4211}",
        "{\"v\":1,\"type\":\"pay\",\"slug\":\"gala\",\"place\":0}",
        "{\"v\":1,\"type\":\"pay\",\"slug\":\"gala\",\"place\":9223372036854775807}",
    };
    static const uint64_t places[] = {4211, 0, INT64_MAX};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct message message;
        assert_int_equal(read_text(texts[i], &message), 0);
        assert_int_equal(message.type, MESSAGE_PAY);
        assert_string_equal(message.pay.slug, "gala");
        assert_true(message.pay.place == places[i]);
        assert_written(&message, texts[i]);
    }
    assert_string_equal(message_type_name(MESSAGE_PAY), "pay");
    static const char *const wrong[][2] = {
        {"\"place\":1", "slug"},
        {"\"slug\":\"A\",\"place\":1", "slug"},
        {"\"slug\":\"a\"", "place"},
        {"\"slug\":\"a\",\"place\":null", "place"},
        {"\"slug\":\"a\",\"place\":-1", "place"},
        {"\"slug\":\"a\",\"place\":1.0", "place"},
        {"\"slug\":\"a\",\"place\":\"1\"", "place"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"v\":1,\"type\":\"pay\",%s}", wrong[i][0]);
        assert_refused(text, wrong[i][1]);
    }
}

static void stock_of_a_notifier_that_knows_no_standby_is_read(void **state)
{
    (void)state;
    struct message message;
    memset(&message, 0xff, sizeof(message));
    assert_int_equal(
        read_text("{\"v\":1,\"type\":\"stock\",\"slug\":\"gala\",\"at_us\":1,\"tiers\":[{\"code\":\"floor\","
                  "\"left\":1,\"asked\":2}]}",
                  &message),
        0);
    assert_int_equal(message.stock.tiers[0].standby, 0);
}

static void garbage_about_orders_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"\"book\",\"event_id\":1,\"place\":1,\"attempt\":1,\"release\":1", "slug"},
        {"\"book\",\"slug\":\"a\",\"event_id\":0,\"place\":1,\"attempt\":1,\"release\":1", "event_id"},
        {"\"book\",\"slug\":\"a\",\"event_id\":4294967296,\"place\":1,\"attempt\":1,\"release\":1", "event_id"},
        {"\"book\",\"slug\":\"a\",\"event_id\":1,\"place\":0,\"attempt\":1,\"release\":1", "place"},
        {"\"book\",\"slug\":\"a\",\"event_id\":1,\"place\":1,\"attempt\":65536,\"release\":1", "attempt"},
        {"\"book\",\"slug\":\"a\",\"event_id\":1,\"place\":1,\"attempt\":1.5,\"release\":1", "attempt"},
        {"\"book\",\"slug\":\"a\",\"event_id\":1,\"place\":1,\"attempt\":1", "release"},
        {"\"ordered\",\"slug\":\"a\",\"numbers\":[1]", "due"},
        {"\"ordered\",\"slug\":\"a\",\"due\":true", "numbers"},
        {"\"ordered\",\"slug\":\"a\",\"due\":true,\"numbers\":[0]", "numbers"},
        {"\"ordered\",\"slug\":\"a\",\"due\":true,\"numbers\":[\"1\"]", "numbers"},
        {"\"stock\",\"slug\":\"a\",\"tiers\":[]", "at_us"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":-1,\"tiers\":[]", "at_us"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1", "tiers"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[{\"code\":\"A\",\"left\":1,\"asked\":1}]", "tiers"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[{\"code\":\"a\",\"left\":-1,\"asked\":1}]", "tiers"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[{\"code\":\"a\",\"left\":1}]", "tiers"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[{\"code\":\"a\",\"left\":1,\"asked\":1,\"standby\":-1}]",
         "tiers"},
        {"\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[{\"code\":\"a\",\"left\":1,\"asked\":1,\"standby\":\"1\"}]",
         "tiers"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        snprintf(text, sizeof(text), "{\"v\":1,\"type\":%s}", cases[i][0]);
        assert_refused(text, cases[i][1]);
    }
}

static void too_many_numbers_and_tiers_are_refused(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    struct message message;
    for (unsigned count = MESSAGE_NUMBERS_MAX; count <= MESSAGE_NUMBERS_MAX + 1; count++) {
        buffer_clear(&text);
        buffer_text(&text,
                    "{\"v\":1,\"type\":\"ordered\",\"slug\":\"a\",\"due\":true,\"numbers\":[9223372036854775807");
        for (unsigned i = 1; i < count; i++)
            buffer_text(&text, ",9223372036854775807");
        buffer_text(&text, "]}");
        assert_int_equal(read_text(text.data, &message), count > MESSAGE_NUMBERS_MAX ? ERROR_INVALID : 0);
    }
    for (unsigned count = MESSAGE_TIERS_MAX; count <= MESSAGE_TIERS_MAX + 1; count++) {
        buffer_clear(&text);
        buffer_text(&text, "{\"v\":1,\"type\":\"stock\",\"slug\":\"a\",\"at_us\":1,\"tiers\":[");
        for (unsigned i = 0; i < count; i++)
            buffer_format(&text, "%s{\"code\":\"tier%u\",\"left\":9223372036854775807,\"asked\":0}", i ? "," : "", i);
        buffer_text(&text, "]}");
        assert_int_equal(read_text(text.data, &message), count > MESSAGE_TIERS_MAX ? ERROR_INVALID : 0);
    }
    buffer_done(&text);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT;
    buffer_text(&text, "{\"v\":1,\"type\":\"served\",\"epoch\":1,\"seq\":1,\"full\":true,\"events\":[");
    for (int i = 0; i <= MESSAGE_EVENTS_MAX; i++)
        buffer_format(&text, "%s{\"slug\":\"a\",\"served\":1,\"last\":1,\"pace\":\"1/s\",\"us_per_place\":null}",
                      i ? "," : "");
    buffer_text(&text, "]}");
    assert_refused(text.data, "events");
    buffer_clear(&text);
    buffer_text(&text, "{\"v\":1,\"type\":\"left\",\"slug\":\"a\",\"number\":1,\"x\":\"");
    while (text.bytes < 70000)
        buffer_text(&text, "xxxxxxxxxxxxxxxx");
    buffer_text(&text, "\"}");
    assert_refused(text.data, "longer");
    buffer_done(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(served_goes_there_and_back),
        cmocka_unit_test(the_small_ones_go_there_and_back),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(garbage_in_an_event_is_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(those_of_orders_go_there_and_back),
        cmocka_unit_test(the_bell_goes_there_and_back),
        cmocka_unit_test(stock_of_a_notifier_that_knows_no_standby_is_read),
        cmocka_unit_test(garbage_about_orders_is_refused),
        cmocka_unit_test(too_many_numbers_and_tiers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
