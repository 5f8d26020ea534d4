// SPDX-License-Identifier: Apache-2.0
// Base64 for addresses: the vectors of RFC 4648, 10, and that each byte string has one text only.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/base64url.h"

static void there_and_back(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[16];
        uint8_t data[16];
        size_t bytes = 99;
        assert_int_equal(base64url_encode(cases[i][0], strlen(cases[i][0]), text), strlen(cases[i][1]));
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(base64url_decode(text, strlen(text), data, strlen(cases[i][0]), &bytes), 0);
        assert_int_equal(bytes, strlen(cases[i][0]));
        assert_memory_equal(data, cases[i][0], bytes);
    }
}

static void only_what_the_encoder_writes(void **state)
{
    (void)state;
    static const char *const cases[] = {"Z", "Zg==", "Zm8=", "Zh", "Zm9", "Zm9vY", "+//+", "Zm 8", "Zm8\n", "Zm9v."};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t data[16];
        size_t bytes = 99;
        if (base64url_decode(cases[i], strlen(cases[i]), data, sizeof(data), &bytes) != ERROR_INVALID)
            fail_msg("was read: %s", cases[i]);
        assert_int_equal(bytes, 99);
    }
}

static void never_more_than_there_is_room_for(void **state)
{
    (void)state;
    uint8_t data[4] = {0, 0, 0, 77};
    size_t bytes;
    assert_int_equal(base64url_decode("Zm9vYg", 6, data, 3, &bytes), ERROR_LIMIT);
    assert_int_equal(base64url_decode("Zm9v", 4, data, 3, &bytes), 0);
    assert_int_equal(data[3], 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(only_what_the_encoder_writes),
        cmocka_unit_test(never_more_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
