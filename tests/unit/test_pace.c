// SPDX-License-Identifier: Apache-2.0
// A pace is read strictly and written back as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/pace.h"

static void assert_pace(const char *text, bool is_auto, uint64_t count, uint32_t per_seconds)
{
    struct pace pace = {.count = 99, .per_seconds = 99};
    assert_int_equal(pace_parse(text, &pace), 0);
    assert_int_equal(pace.is_auto, is_auto);
    assert_int_equal(pace.count, count);
    assert_int_equal(pace.per_seconds, per_seconds);
}

static void assert_written(const char *text, const char *expected)
{
    struct pace pace;
    char written[PACE_TEXT_BYTES];
    assert_int_equal(pace_parse(text, &pace), 0);
    assert_ptr_equal(pace_format(&pace, written), written);
    assert_string_equal(written, expected);
}

static void test_usual(void **state)
{
    (void)state;
    assert_pace("10/s", false, 10, 1);
    assert_pace("600/min", false, 600, 60);
    assert_pace("5000/h", false, 5000, 3600);
    assert_pace("auto", true, 0, 1);
    assert_pace("auto:600/min", true, 600, 60);
    assert_pace("007/s", false, 7, 1);
}

static void test_zero(void **state)
{
    (void)state;
    assert_pace("0", false, 0, 1);
    assert_pace("0/s", false, 0, 1);
    assert_pace("0/min", false, 0, 1);
    assert_pace("0/h", false, 0, 1);
}

static void test_limits(void **state)
{
    (void)state;
    assert_pace("100000/s", false, 100000, 1);
    assert_pace("6000000/min", false, 6000000, 60);
    assert_pace("360000000/h", false, 360000000, 3600);
    assert_pace("auto:360000000/h", true, 360000000, 3600);
    assert_pace("1/h", false, 1, 3600);
}

static void test_writing(void **state)
{
    (void)state;
    const char *const same[] = {"1/s",  "10/s", "600/min",      "5000/h",           "0",
                                "auto", "1/h",  "auto:600/min", "auto:360000000/h", "100000/s"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_written(same[i], same[i]);
    assert_written("0/s", "0");
    assert_written("0/h", "0");
    assert_written("007/min", "7/min");
}

static void test_garbage(void **state)
{
    (void)state;
    const char *const bad[] = {
        "",
        "abc",
        "1e9/s",
        "-1",
        "-1/s",
        "+5/s",
        " 5/s",
        "5/s ",
        "5/S",
        "5 /s",
        "5/ s",
        "5",
        "5/",
        "/s",
        "5/sec",
        "5/m",
        "5/minute",
        "5/d",
        "0.5/s",
        "5,0/s",
        "0x5/s",
        "AUTO",
        "Auto",
        "auto ",
        "auto:",
        "auto:0",
        "auto:0/s",
        "autos",
        "auto5/s",
        "auto:auto",
        "auto:5",
        "auto:-5/s",
        "auto: 5/s",
        "5/s5/s",
        "5/s\n",
        "inf/s",
        "nan/s",
        "100001/s",
        "6000001/min",
        "360000001/h",
        "auto:100001/s",
        "18446744073709551617/s",
        "18446744073709551616/h",
        "99999999999999999999999999/s",
        "0000000000000000000000000000000005/s",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pace pace = {.is_auto = true, .count = 77, .per_seconds = 77};
        if (pace_parse(bad[i], &pace) != ERROR_INVALID)
            fail_msg("\"%s\" was taken for a pace", bad[i]);
        assert_int_equal(pace.count, 77); // untouched on failure
    }
    struct pace pace;
    assert_int_equal(pace_parse(NULL, &pace), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usual),   cmocka_unit_test(test_zero),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_writing), cmocka_unit_test(test_garbage),
    };
    return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
