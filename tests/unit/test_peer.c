// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Addresses of peers, networks that are trusted, the client behind proxies, and connections counted per address.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "waiting-room/http_limit.h"
#include "waiting-room/peer.h"

static struct peer_address address(const char *text)
{
    struct peer_address parsed = {{0}};
    assert_int_equal(peer_parse(text, strlen(text), &parsed), 0);
    return parsed;
}

static const char *client(const char *peer, const char *trusted, const char *forwarded_for)
{
    static char text[PEER_TEXT_BYTES];
    struct peer_networks networks;
    assert_int_equal(peer_networks_parse(trusted, &networks), 0);
    struct peer_address from = address(peer);
    struct peer_address found = peer_client(&from, &networks, forwarded_for);
    return peer_format(&found, text);
}

static void test_parse(void **state)
{
    (void)state;
    char text[PEER_TEXT_BYTES];
    static const char *const cases[][2] = {
        {"192.0.2.7", "192.0.2.7"},
        {"192.0.2.7:80", "192.0.2.7"},
        {"2001:db8::1", "2001:db8::1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:65535", "2001:db8::1"},
        {"::ffff:192.0.2.7", "192.0.2.7"},
        {"0.0.0.0", "0.0.0.0"},
        {"::", "::"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_address parsed = address(cases[i][0]);
        assert_string_equal(peer_format(&parsed, text), cases[i][1]);
    }
}

static void test_parse_garbage(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "unknown",
                                        "192.0.2",
                                        "192.0.2.256",
                                        "192.0.2.7:",
                                        "192.0.2.7:x",
                                        "192.0.2.7:123456",
                                        "[2001:db8::1",
                                        "[2001:db8::1]x",
                                        "[]",
                                        "[2001:db8::1]:",
                                        "2001:db8:::1",
                                        " 192.0.2.7",
                                        "_hidden",
                                        ":80",
                                        "1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333:4444"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_address untouched = {{7}};
        assert_int_equal(peer_parse(cases[i], strlen(cases[i]), &untouched), ERROR_INVALID);
        assert_int_equal(untouched.bytes[0], 7);
    }
}

static bool trusts(const char *networks_text, const char *text)
{
    struct peer_networks networks;
    assert_int_equal(peer_networks_parse(networks_text, &networks), 0);
    struct peer_address asked = address(text);
    return peer_networks_contain(&networks, &asked);
}

static void test_networks(void **state)
{
    (void)state;
    assert_true(trusts("10.0.0.0/8", "10.255.0.1"));
    assert_false(trusts("10.0.0.0/8", "11.0.0.1"));
    assert_true(trusts("192.168.4.0/22", "192.168.7.255"));
    assert_false(trusts("192.168.4.0/22", "192.168.8.0"));
    assert_true(trusts("192.0.2.1", "192.0.2.1"));
    assert_false(trusts("192.0.2.1", "192.0.2.2"));
    assert_true(trusts(" ::1,\tfd00::/8 , 127.0.0.1", "fdff::9"));
    assert_true(trusts("::1 127.0.0.1", "127.0.0.1"));
    assert_true(trusts("0.0.0.0/0", "203.0.113.9"));
    assert_false(trusts("0.0.0.0/0", "2001:db8::1")); // everybody of IPv4, nobody of IPv6
    assert_true(trusts("::/0", "203.0.113.9"));
    assert_true(trusts("::ffff:10.0.0.0/104", "10.1.2.3"));
    assert_false(trusts("", "127.0.0.1"));
    assert_false(trusts(NULL, "127.0.0.1"));
}

static void test_networks_garbage(void **state)
{
    (void)state;
    static const char *const cases[] = {"10.0.0.0/33",  "10.0.0.1/8",    "::/129",       "fd00::1/8",
                                        "10.0.0.0/",    "10.0.0.0/-1",   "/8",           "localhost",
                                        "10.0.0.0/8/8", "127.0.0.1;::1", "10.0.0.0/0008"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer_networks networks = {.count = 99};
        assert_int_equal(peer_networks_parse(cases[i], &networks), ERROR_INVALID);
        assert_int_equal(networks.count, 99);
    }
    char many[(PEER_NETWORKS_MAX + 1) * 4 + 1] = "";
    for (size_t i = 0; i <= PEER_NETWORKS_MAX; i++)
        memcpy(many + i * 4, "::1 ", 5);
    struct peer_networks networks;
    assert_int_equal(peer_networks_parse(many, &networks), ERROR_LIMIT);
    many[PEER_NETWORKS_MAX * 4] = '\0';
    assert_int_equal(peer_networks_parse(many, &networks), 0);
    assert_int_equal(networks.count, PEER_NETWORKS_MAX);
}

static void test_client(void **state)
{
    (void)state;
    assert_string_equal(client("198.51.100.1", "", "1.2.3.4"), "198.51.100.1");
    assert_string_equal(client("198.51.100.1", "10.0.0.0/8", "1.2.3.4"), "198.51.100.1");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", NULL), "10.0.0.1");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", ""), "10.0.0.1");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "203.0.113.9"), "203.0.113.9");
    // What a visitor wrote stands on the left and is not believed.
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "10.6.6.6, 1.1.1.1,203.0.113.9"), "203.0.113.9");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "203.0.113.9 ,10.0.0.2"), "203.0.113.9");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "[2001:db8::5]:4711"), "2001:db8::5");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "203.0.113.9, unknown"), "10.0.0.1");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", "203.0.113.9,,10.0.0.2"), "10.0.0.2");
    assert_string_equal(client("10.0.0.1", "10.0.0.0/8", ","), "10.0.0.1");
}

static void test_household(void **state)
{
    (void)state;
    char text[PEER_TEXT_BYTES];
    struct peer_address asked = address("2001:db8:1:2:3:4:5:6");
    struct peer_address household = peer_household(&asked);
    assert_string_equal(peer_format(&household, text), "2001:db8:1:2::");
    asked = address("192.0.2.200");
    household = peer_household(&asked);
    assert_string_equal(peer_format(&household, text), "192.0.2.200");
}

static void test_from_socket(void **state)
{
    (void)state;
    char text[PEER_TEXT_BYTES];
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    inet_pton(AF_INET, "192.0.2.1", &ipv4.sin_addr);
    struct peer_address found;
    assert_int_equal(peer_from_socket((struct sockaddr *)&ipv4, &found), 0);
    assert_string_equal(peer_format(&found, text), "192.0.2.1");
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    inet_pton(AF_INET6, "::ffff:192.0.2.1", &ipv6.sin6_addr);
    struct peer_address mapped;
    assert_int_equal(peer_from_socket((struct sockaddr *)&ipv6, &mapped), 0);
    assert_memory_equal(&found, &mapped, sizeof found);
    struct sockaddr other = {.sa_family = AF_UNIX};
    assert_int_equal(peer_from_socket(&other, &found), ERROR_INVALID);
}

static struct peer_address numbered(unsigned number)
{
    struct peer_address made = {{0x20, 0x01}};
    made.bytes[4] = (uint8_t)(number >> 8);
    made.bytes[5] = (uint8_t)number;
    return made;
}

static void test_limit(void **state)
{
    (void)state;
    struct http_limit *limit;
    assert_int_equal(http_limit_new(2, 1000, &limit), 0);
    // Full of neighbours, so that entries are pushed past each other.
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < 1000; i++) {
            struct peer_address each = numbered(i);
            assert_true(http_limit_take(limit, &each));
        }
    for (unsigned i = 0; i < 1000; i++) {
        struct peer_address each = numbered(i);
        assert_false(http_limit_take(limit, &each));
    }
    // Every third goes completely; the others must still be found, and be full.
    for (unsigned i = 0; i < 1000; i += 3) {
        struct peer_address each = numbered(i);
        http_limit_give(limit, &each);
        http_limit_give(limit, &each);
    }
    for (unsigned i = 0; i < 1000; i++) {
        struct peer_address each = numbered(i);
        assert_int_equal(http_limit_take(limit, &each), i % 3 == 0);
    }
    http_limit_free(limit);
}

static void test_limit_of_the_table(void **state)
{
    (void)state;
    struct http_limit *limit;
    assert_int_equal(http_limit_new(1, 1, &limit), 0);
    unsigned taken = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct peer_address each = numbered(i);
        taken += http_limit_take(limit, &each);
    }
    assert_int_equal(taken, 63); // the smallest table has 64 slots, and one stays free
    struct peer_address stranger = numbered(5000);
    http_limit_give(limit, &stranger); // somebody who was never counted changes nothing
    assert_false(http_limit_take(limit, &stranger));
    struct peer_address first = numbered(0);
    http_limit_give(limit, &first);
    assert_true(http_limit_take(limit, &stranger));
    http_limit_free(limit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_garbage),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_networks_garbage),
        cmocka_unit_test(test_client),
        cmocka_unit_test(test_household),
        cmocka_unit_test(test_from_socket),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
