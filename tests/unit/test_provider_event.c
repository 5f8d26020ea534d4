// SPDX-License-Identifier: Apache-2.0
// The provider's webhooks: signatures made elsewhere (openssl dgst -sha256 -hmac) are believed, others not, and what an event is about is found.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/provider_event.h"

#define NOW INT64_C(1795470000)
#define BODY "{\"id\":\"evt_1\"}"
// Over "1795470000." BODY, of whsec_one, whsec_two, and 255 times 'x'; over nothing but "1795470000.", of whsec_one; over "01795470000." BODY.
#define SIGNED_ONE "fa83e6df0ebf927bcfc2996bbdb31bbc0fde02adbd3c7bb0721870bfd06d63e2"
#define SIGNED_TWO "9db3a2b8c9cd7761c81dd2d61bab71eef5b873bc1e01bfaea8c7fb0ada302096"
#define SIGNED_LONG "52447298964b92c118f41416413165673cf08330eda3d316d99597fa49f9565b"
#define SIGNED_EMPTY "d34d3596edeb06eadf5f17937ce4d262a8b2622686133e3084866e93ef579807"
#define SIGNED_ZERO "ca514940a9f301b2f1a13a1a992d1cbe704770c4e12478608b6169bb6c064833"
#define FORGED "0000000000000000000000000000000000000000000000000000000000000000"

static const struct provider_event_secrets one = {.count = 1, .items = {"whsec_one"}};
static const struct provider_event_secrets two = {.count = 2, .items = {"whsec_two", "whsec_one"}};

static int verify(const struct provider_event_secrets *secrets, const char *header, const char *body, int64_t now)
{
    return provider_event_verify(secrets, header, body, strlen(body), now);
}

static void what_is_signed_is_believed(void **state)
{
    (void)state;
    struct provider_event_secrets long_secret = {.count = 1};
    memset(long_secret.items[0], 'x', PROVIDER_EVENT_SECRET_BYTES - 1);
    assert_int_equal(verify(&one, "t=1795470000,v1=" SIGNED_ONE, BODY, NOW), 0);
    assert_int_equal(verify(&two, "t=1795470000,v1=" SIGNED_ONE, BODY, NOW), 0);
    assert_int_equal(verify(&two, "t=1795470000,v1=" SIGNED_TWO, BODY, NOW), 0);
    assert_int_equal(verify(&one, "t=1795470000,v1=" SIGNED_TWO ",v1=" SIGNED_ONE ",v0=" FORGED, BODY, NOW), 0);
    assert_int_equal(verify(&one, "v1=" SIGNED_ONE ",t=1795470000", BODY, NOW), 0);
    assert_int_equal(verify(&one, "t=1795470000, v1=" SIGNED_ONE, BODY, NOW), 0);
    assert_int_equal(verify(&one, "t=1795470000,v2=x,v1=short,v1=" SIGNED_ONE ",", BODY, NOW), 0);
    assert_int_equal(verify(&long_secret, "t=1795470000,v1=" SIGNED_LONG, BODY, NOW), 0);
    assert_int_equal(verify(&one, "t=1795470000,v1=" SIGNED_EMPTY, "", NOW), 0);
    assert_int_equal(verify(&one, "t=01795470000,v1=" SIGNED_ZERO, BODY, NOW), 0); // signed as it is written
}

static void what_is_not_is_not(void **state)
{
    (void)state;
    static const char *const headers[] = {
        NULL,
        "",
        "t=1795470000",
        "v1=" SIGNED_ONE,
        "t=1795470000,v1=" FORGED,
        "t=1795470000,v1=" SIGNED_TWO,
        "t=1795470000,v0=" SIGNED_ONE, // another scheme
        "t=1795470000,v1=" SIGNED_ONE "00",
        "t=1795470000,v1=FA83E6DF0EBF927BCFC2996BBDB31BBC0FDE02ADBD3C7BB0721870BFD06D63E2",
        "t=1795470001,v1=" SIGNED_ONE, // another time
        "t=01795470000,v1=" SIGNED_ONE, // the same, and yet not what was signed
        "t=1795470000,t=1795470000,v1=" SIGNED_ONE,
        "t=,v1=" SIGNED_ONE,
        "t=-1795470000,v1=" SIGNED_ONE,
        "t=1795470000.0,v1=" SIGNED_ONE,
        "t=1795470000795470000795470000,v1=" SIGNED_ONE,
        "t=1795470000;v1=" SIGNED_ONE,
    };
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        if (verify(&one, headers[i], BODY, NOW) != ERROR_INVALID)
            fail_msg("believed: %s", headers[i]);
    }
    assert_int_equal(verify(&one, "t=1795470000,v1=" SIGNED_ONE, "{\"id\":\"evt_2\"}", NOW), ERROR_INVALID);
    assert_int_equal(verify(&one, "t=1795470000,v1=" SIGNED_ONE, BODY " ", NOW), ERROR_INVALID);
    const struct provider_event_secrets none = {.count = 0};
    assert_int_equal(verify(&none, "t=1795470000,v1=" SIGNED_ONE, BODY, NOW), ERROR_INVALID);
    // Each single bit counts.
    for (size_t i = 0; i < 64; i++) {
        char header[128] = "t=1795470000,v1=" SIGNED_ONE;
        header[16 + i] = header[16 + i] == '0' ? '1' : '0';
        assert_int_equal(verify(&one, header, BODY, NOW), ERROR_INVALID);
    }
}

static void more_signatures_than_anybody_sends(void **state)
{
    (void)state;
    char header[32 * 70] = "t=1795470000";
    for (unsigned i = 0; i < 15; i++)
        strncat(header, ",v1=" FORGED, sizeof(header) - strlen(header) - 1);
    size_t at = strlen(header);
    strncat(header, ",v1=" SIGNED_ONE, sizeof(header) - at - 1);
    assert_int_equal(verify(&one, header, BODY, NOW), 0); // the sixteenth
    header[at] = '\0';
    strncat(header, ",v1=" FORGED ",v1=" SIGNED_ONE, sizeof(header) - at - 1);
    assert_int_equal(verify(&one, header, BODY, NOW), ERROR_INVALID);
}

static void old_ones_and_those_of_the_future(void **state)
{
    (void)state;
    static const char header[] = "t=1795470000,v1=" SIGNED_ONE, forged[] = "t=1795470000,v1=" FORGED;
    assert_int_equal(verify(&one, header, BODY, NOW + 300), 0);
    assert_int_equal(verify(&one, header, BODY, NOW - 300), 0);
    assert_int_equal(verify(&one, header, BODY, NOW + 301), ERROR_LIMIT);
    assert_int_equal(verify(&one, header, BODY, NOW - 301), ERROR_LIMIT);
    assert_int_equal(verify(&one, header, BODY, 0), ERROR_LIMIT);
    // Of what nobody signed the time says nothing.
    assert_int_equal(verify(&one, forged, BODY, NOW + 301), ERROR_INVALID);
}

// ---------------------------------------------------------------- secrets

struct place {
    char folder[64], path[80], problem[256];
};

static int make_place(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    if (!place)
        return -1;
    (void)snprintf(place->folder, sizeof(place->folder), "/tmp/provider-event-XXXXXX");
    if (!mkdtemp(place->folder))
        return -1;
    (void)snprintf(place->path, sizeof(place->path), "%s/secrets", place->folder);
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

static int read_text(struct place *place, const char *text, size_t bytes, mode_t mode,
                     struct provider_event_secrets *ret)
{
    (void)unlink(place->path);
    int file = open(place->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(file >= 0 && write(file, text, bytes) == (ssize_t)bytes && fchmod(file, mode) == 0 && close(file) == 0);
    place->problem[0] = '\0';
    return provider_event_read_secrets(place->path, ret, place->problem, sizeof(place->problem));
}

static void secrets_are_read(void **state)
{
    struct place *place = *state;
    struct provider_event_secrets secrets = {0};
    static const char text[] = "\n  whsec_two\t\r\n\nwhsec_one";
    assert_int_equal(read_text(place, text, strlen(text), 0600, &secrets), 0);
    assert_int_equal(secrets.count, 2);
    assert_string_equal(secrets.items[0], "whsec_two");
    assert_string_equal(secrets.items[1], "whsec_one");
    assert_int_equal(verify(&secrets, "t=1795470000,v1=" SIGNED_ONE, BODY, NOW), 0);
    char longest[PROVIDER_EVENT_SECRET_BYTES];
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(read_text(place, longest, sizeof(longest) - 1, 0400, &secrets), 0);
    assert_int_equal(secrets.count, 1);
    assert_int_equal(read_text(place, "a\nb\nc\nd\n", 8, 0600, &secrets), 0);
    assert_int_equal(secrets.count, PROVIDER_EVENT_SECRETS_MAX);
}

static void secrets_that_are_none(void **state)
{
    struct place *place = *state;
    struct provider_event_secrets secrets = {.count = 3}, untouched = secrets;
    char longer[PROVIDER_EVENT_SECRET_BYTES], much[4096];
    memset(longer, 'x', sizeof(longer));
    memset(much, '\n', sizeof(much));
    assert_int_equal(provider_event_read_secrets("", &secrets, place->problem, sizeof(place->problem)),
                     ERROR_NOT_FOUND);
    assert_int_equal(provider_event_read_secrets(place->path, &secrets, place->problem, sizeof(place->problem)),
                     ERROR_PERMANENT);
    assert_int_equal(provider_event_read_secrets(place->folder, &secrets, place->problem, sizeof(place->problem)),
                     ERROR_INVALID);
    static const mode_t modes[] = {0640, 0604, 0660, 0610, 0601};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        assert_int_equal(read_text(place, "whsec_one", 9, modes[i], &secrets), ERROR_PERMANENT);
        assert_non_null(strstr(place->problem, "0600"));
    }
    assert_int_equal(read_text(place, "", 0, 0600, &secrets), ERROR_INVALID);
    assert_int_equal(read_text(place, " \n\t\n", 4, 0600, &secrets), ERROR_INVALID);
    assert_int_equal(read_text(place, "whsec\0one", 9, 0600, &secrets), ERROR_INVALID);
    assert_int_equal(read_text(place, longer, sizeof(longer), 0600, &secrets), ERROR_INVALID);
    assert_int_equal(read_text(place, "a\nb\nc\nd\ne", 9, 0600, &secrets), ERROR_INVALID);
    assert_int_equal(read_text(place, much, sizeof(much), 0600, &secrets), ERROR_INVALID);
    assert_null(strstr(place->problem, "whsec"));
    assert_memory_equal(&secrets, &untouched, sizeof(secrets));
}

// ---------------------------------------------------------------- events

static int read_event(const char *body, struct provider_event *ret)
{
    return provider_event_read(body, strlen(body), ret);
}

#define EVENT(type, object) \
    "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"" type "\",\"data\":{\"object\":" object "},\"livemode\":false}"

static void what_they_are_about(void **state)
{
    (void)state;
    static const struct {
        const char *body, *type, *object;
    } cases[] = {
        {EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\",\"object\":\"payment_intent\"}"),
         "payment_intent.succeeded", "pi_1"},
        {EVENT("payment_intent.amount_capturable_updated", "{\"id\":\"pi_1\",\"object\":\"payment_intent\"}"),
         "payment_intent.amount_capturable_updated", "pi_1"},
        {EVENT("checkout.session.completed",
               "{\"id\":\"cs_1\",\"object\":\"checkout.session\",\"payment_intent\":null}"),
         "checkout.session.completed", "cs_1"},
        {EVENT("charge.refunded", "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":\"pi_1\"}"),
         "charge.refunded", "pi_1"},
        {EVENT("charge.refund.updated", "{\"id\":\"re_1\",\"object\":\"refund\",\"payment_intent\":\"pi_1\"}"),
         "charge.refund.updated", "pi_1"},
        {EVENT("charge.dispute.created", "{\"id\":\"dp_1\",\"object\":\"dispute\",\"payment_intent\":\"pi_1\"}"),
         "charge.dispute.created", "pi_1"},
        {EVENT("refund.failed", "{\"id\":\"re_1\",\"object\":\"refund\",\"payment_intent\":{\"id\":\"pi_1\"}}"),
         "refund.failed", "pi_1"},
        {EVENT("charge.succeeded", "{\"id\":\"ch_1\",\"object\":\"charge\",\"payment_intent\":null}"),
         "charge.succeeded", ""},
        {EVENT("charge.succeeded", "{\"id\":\"ch_1\",\"object\":\"charge\"}"), "charge.succeeded", ""},
        {EVENT("customer.created", "{\"id\":\"cus_1\",\"object\":\"customer\"}"), "customer.created", ""},
        {EVENT("payment_intents.odd", "{\"id\":\"pi_1\",\"object\":\"payment_intent\"}"), "payment_intents.odd", ""},
        {EVENT("v2.new.thing", "{}"), "v2.new.thing", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct provider_event event;
        memset(&event, 0x5a, sizeof(event));
        if (read_event(cases[i].body, &event) != 0)
            fail_msg("%s", cases[i].body);
        assert_string_equal(event.id, "evt_1");
        assert_string_equal(event.type, cases[i].type);
        assert_string_equal(event.object, cases[i].object);
    }
}

static void what_is_no_event(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "[]",
        "{}",
        "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"a\"}",
        "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"a\",\"data\":[]}",
        "{\"id\":\"evt_1\",\"object\":\"event\",\"type\":\"a\",\"data\":{\"object\":\"pi_1\"}}",
        "{\"id\":\"evt_1\",\"object\":\"charge\",\"type\":\"a\",\"data\":{\"object\":{}}}",
        "{\"object\":\"event\",\"type\":\"a\",\"data\":{\"object\":{}}}",
        "{\"id\":\"\",\"object\":\"event\",\"type\":\"a\",\"data\":{\"object\":{}}}",
        "{\"id\":\"evt 1\",\"object\":\"event\",\"type\":\"a\",\"data\":{\"object\":{}}}",
        "{\"id\":7,\"object\":\"event\",\"type\":\"a\",\"data\":{\"object\":{}}}",
        EVENT("", "{}"),
        EVENT("A b", "{}"),
        EVENT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "{}"), // 65
        EVENT("payment_intent.succeeded", "{\"id\":\"pi_1\",\"object\":\"charge\"}"),
        EVENT("payment_intent.succeeded", "{\"object\":\"payment_intent\"}"),
        EVENT("payment_intent.succeeded", "{\"id\":\"pi/1\",\"object\":\"payment_intent\"}"),
        EVENT("checkout.session.completed", "{\"id\":\"pi_1\",\"object\":\"payment_intent\"}"),
        EVENT("charge.refunded", "{\"payment_intent\":7}"),
        EVENT("charge.refunded", "{\"payment_intent\":{\"id\":null}}"),
        EVENT("a", "{}") "x",
        EVENT("a", "{\"id\":1,\"id\":2}"),
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        struct provider_event event, untouched;
        memset(&event, 0x5a, sizeof(event));
        memset(&untouched, 0x5a, sizeof(untouched));
        if (read_event(bodies[i], &event) != ERROR_INVALID)
            fail_msg("read: %s", bodies[i]);
        assert_memory_equal(&event, &untouched, sizeof(event));
    }
}

static void the_largest(void **state)
{
    (void)state;
    static char body[PROVIDER_EVENT_BYTES_MAX + 2];
    struct provider_event event;
    static const char text[] = EVENT("a", "{}");
    memset(body, ' ', sizeof(body));
    memcpy(body, text, sizeof(text) - 1);
    assert_int_equal(provider_event_read(body, PROVIDER_EVENT_BYTES_MAX, &event), 0);
    assert_int_equal(provider_event_read(body, PROVIDER_EVENT_BYTES_MAX + 1, &event), ERROR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_believed),
        cmocka_unit_test(what_is_not_is_not),
        cmocka_unit_test(more_signatures_than_anybody_sends),
        cmocka_unit_test(old_ones_and_those_of_the_future),
        cmocka_unit_test_setup_teardown(secrets_are_read, make_place, remove_place),
        cmocka_unit_test_setup_teardown(secrets_that_are_none, make_place, remove_place),
        cmocka_unit_test(what_they_are_about),
        cmocka_unit_test(what_is_no_event),
        cmocka_unit_test(the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
