// SPDX-License-Identifier: Apache-2.0
// What stands around the calls: keys' files, addresses, waiting and waking. The calls themselves: tests/integration/test_provider.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/http_client.h"
#include "common/provider.h"

static void where_secrets_may_go(void **state)
{
    (void)state;
    static const struct {
        const char *url;
        bool is_url, is_base;
    } cases[] = {
        {"https://api.stripe.com", true, true},
        {"HTTPS://api.stripe.com:8443/stripe", true, true},
        {"https://api.stripe.com/", true, false},
        {"https://api.stripe.com?a=1", true, false},
        {"https://api.stripe.com/a#b", true, false},
        {"https://10.0.0.1", true, true},
        {"http://127.0.0.1:12111", true, true},
        {"http://127.9.8.7", true, true},
        {"http://localhost:1", true, true},
        {"http://LOCALHOST", true, true},
        {"http://[::1]:8080", true, true},
        {"http://127.1", true, true}, // libcurl goes to 127.0.0.1
        {"http://0x7f000001", true, true},
        {"http://api.stripe.com", false, false},
        {"http://10.0.0.1", false, false},
        {"http://128.0.0.1", false, false},
        {"http://127.0.0.1.evil.example", false, false},
        {"http://localhost.evil.example", false, false},
        {"http://localhost@evil.example", false, false},
        {"http://127.0.0.1:80@evil.example", false, false},
        {"https://user@api.stripe.com", false, false},
        {"https://user:password@api.stripe.com", false, false},
        {"http://[::2]", false, false},
        {"http://[::ffff:127.0.0.1]", false, false},
        {"ftp://localhost", false, false},
        {"file:///etc/passwd", false, false},
        {"javascript:alert(1)", false, false},
        {"api.stripe.com", false, false},
        {"https:/api.stripe.com", false, false},
        {"https:api.stripe.com", false, false},
        {"https:///api.stripe.com", false, false},
        {"http://127.0.0.1\\@evil.example", false, false},
        {"https://api.stripe.com/<script>", false, false},
        {"//api.stripe.com", false, false},
        {"https://", false, false},
        {"https://api.stripe.com:99999", false, false},
        {"https://a b", false, false},
        {"https://api.stripe.com/\r\nX: y", false, false},
        {"https://\xC3\xA9.example", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char problem[64] = "";
        int error = http_client_check_url(cases[i].url, problem, sizeof(problem));
        if ((error == 0) != cases[i].is_url)
            fail_msg("%s: %d %s", cases[i].url, error, problem);
        assert_true(error == 0 || *problem);
        error = http_client_check_base(cases[i].url, NULL, 0);
        if ((error == 0) != cases[i].is_base)
            fail_msg("%s as a base: %d", cases[i].url, error);
    }
}

struct place {
    char folder[64], path[80], problem[256];
    struct common_config config;
};

static char *base_url = (char[]){"http://127.0.0.1:9"}, *nothing = (char[]){""};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/provider-XXXXXX");
    if (!mkdtemp(place->folder))
        return -1;
    (void)snprintf(place->path, sizeof(place->path), "%s/key", place->folder);
    place->config.payment_provider = PAYMENT_STRIPE;
    place->config.payment_base_url = base_url;
    place->config.payment_secret_key_file = place->path;
    place->config.payment_tls_ca = nothing;
    place->config.payment_timeout_seconds = 20;
    *state = place;
    return 0;
}

static int remove_place(void **state)
{
    struct place *place = *state;
    (void)unlink(place->path);
    int result = rmdir(place->folder);
    free(place);
    return result;
}

static void write_key(struct place *place, const char *text, size_t bytes, mode_t mode)
{
    (void)unlink(place->path);
    int file = open(place->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0 && write(file, text, bytes) == (ssize_t)bytes && fchmod(file, mode) == 0 && close(file) == 0);
}

static int try_open(struct place *place)
{
    struct provider *provider = NULL;
    place->problem[0] = '\0';
    int error = provider_open(&place->config, &provider, place->problem, sizeof(place->problem));
    assert_int_equal(error != 0, *place->problem != '\0');
    assert_int_equal(error == 0, provider != NULL);
    assert_null(strstr(place->problem, "sk_test"));
    provider_close(provider);
    return error;
}

static void keys_are_read(void **state)
{
    struct place *place = *state;
    char key[256];
    memset(key, 'k', sizeof(key));
    assert_int_equal(try_open(place), ERROR_PERMANENT); // no file yet
    write_key(place, "  sk_test_1\r\n", 13, 0600);
    assert_int_equal(try_open(place), 0);
    write_key(place, key, 255, 0400);
    assert_int_equal(try_open(place), 0);
    static const mode_t modes[] = {0640, 0644, 0604, 0620, 0602};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_key(place, "sk_test_1", 9, modes[i]);
        assert_int_equal(try_open(place), ERROR_PERMANENT);
    }
    write_key(place, key, 256, 0600);
    assert_int_equal(try_open(place), ERROR_INVALID);
    static const char *const texts[] = {
        "", " \n", "sk_test_1\nsk_test_2", "sk_test 1", "sk_test\x01", "sk_test_\xC3\xA9", "sk_test\x7f"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        write_key(place, texts[i], strlen(texts[i]), 0600);
        assert_int_equal(try_open(place), ERROR_INVALID);
    }
    write_key(place, "sk\0test", 7, 0600);
    assert_int_equal(try_open(place), ERROR_INVALID);
    place->config.payment_secret_key_file = nothing;
    assert_int_equal(try_open(place), ERROR_INVALID);
    place->config.payment_secret_key_file = place->folder;
    assert_int_equal(try_open(place), ERROR_INVALID);
}

static void what_else_keeps_it_from_opening(void **state)
{
    struct place *place = *state;
    write_key(place, "sk_test_1", 9, 0600);
    assert_int_equal(try_open(place), 0);
    place->config.payment_base_url = (char[]){"http://api.stripe.com"};
    assert_int_equal(try_open(place), ERROR_INVALID);
    place->config.payment_base_url = (char[]){"https://api.stripe.com/"};
    assert_int_equal(try_open(place), ERROR_INVALID);
    place->config.payment_base_url = base_url;
    place->config.payment_tls_ca = (char[]){"/nowhere/ca.pem"};
    assert_int_equal(try_open(place), ERROR_PERMANENT);
    place->config.payment_tls_ca = nothing;
    place->config.payment_provider = PAYMENT_MANUAL;
    assert_int_equal(try_open(place), ERROR_INVALID);
    provider_close(NULL);
}

static void *wake(void *provider)
{
    provider_wake(provider);
    return NULL;
}

static int64_t work_ms(struct provider *provider, int timeout_ms, int fd)
{
    int64_t begun = clock_monotonic_ns();
    provider_work(provider, timeout_ms, fd);
    return (clock_monotonic_ns() - begun) / 1000000;
}

static void waiting_ends(void **state)
{
    struct place *place = *state;
    struct provider *provider;
    write_key(place, "sk_test_1", 9, 0600);
    assert_int_equal(provider_open(&place->config, &provider, place->problem, sizeof(place->problem)), 0);
    assert_int_equal(provider_in_flight(provider), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake, provider), 0);
    assert_true(work_ms(provider, 60000, -1) < 30000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_true(work_ms(provider, 50, ends[0]) >= 40); // nothing to read, and no wake left over
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(work_ms(provider, 60000, ends[0]) < 30000);
    close(ends[0]);
    close(ends[1]);
    provider_close(provider);
}

struct heard {
    unsigned count;
    struct provider_answer last;
};

static void on_answer(void *context, const struct provider_answer *answer)
{
    struct heard *heard = context;
    heard->count++;
    heard->last = *answer;
}

// No call gets so far that the network matters.
static void what_is_not_begun_or_given_up_calls_nobody(void **state)
{
    struct place *place = *state;
    struct provider *provider;
    struct heard heard = {0};
    write_key(place, "sk_test_1", 9, 0600);
    assert_int_equal(provider_open(&place->config, &provider, place->problem, sizeof(place->problem)), 0);
    struct provider_request request = {.call = PROVIDER_ASK, .intent = "pi/1"};
    assert_int_equal(provider_begin(provider, &request, on_answer, &heard), ERROR_INVALID);
    assert_int_equal(provider_in_flight(provider), 0);
    request.intent = "pi_1";
    for (unsigned i = 0; i < PROVIDER_IN_FLIGHT_MAX; i++)
        assert_int_equal(provider_begin(provider, &request, on_answer, &heard), 0);
    assert_int_equal(provider_begin(provider, &request, on_answer, &heard), ERROR_LIMIT);
    assert_int_equal(provider_in_flight(provider), PROVIDER_IN_FLIGHT_MAX);
    provider_close(provider);
    assert_int_equal(heard.count, 0);
}

static void names(void **state)
{
    (void)state;
    assert_string_equal(provider_call_name(PROVIDER_CREATE), "create");
    assert_string_equal(provider_call_name(PROVIDER_LIST), "list");
    assert_string_equal(provider_call_name(PROVIDER_CALL_COUNT), "unknown");
    assert_string_equal(provider_result_name(PROVIDER_DONE), "done");
    assert_string_equal(provider_result_name(PROVIDER_UNKNOWN), "unknown");
    assert_string_equal(provider_result_name((enum provider_result)99), "unknown");
    assert_string_equal(provider_status_name(PROVIDER_AUTHORISED), "authorised");
    assert_string_equal(provider_status_name((enum provider_status)99), "unknown");
    for (unsigned i = 0; i < PROVIDER_CALL_COUNT; i++)
        assert_non_null(provider_call_name((enum provider_call)i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_secrets_may_go),
        cmocka_unit_test_setup_teardown(keys_are_read, make_place, remove_place),
        cmocka_unit_test_setup_teardown(what_else_keeps_it_from_opening, make_place, remove_place),
        cmocka_unit_test_setup_teardown(waiting_ends, make_place, remove_place),
        cmocka_unit_test_setup_teardown(what_is_not_begun_or_given_up_calls_nobody, make_place, remove_place),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
