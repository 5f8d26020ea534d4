// links: notifier
// SPDX-License-Identifier: Apache-2.0
// Dead letters as messages, and what the notifier makes of whatever stands in their queue.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/dead_letter.h"
#include "common/topology.h"
#include "notifier/letter.h"

static struct dead_letter make(const void *body, size_t bytes)
{
    struct dead_letter letter = {.queue = "onsale.bookings.1",
                                 .reason = "broken_order",
                                 .detail = "ein Größenfehler \"x\"",
                                 .event_id = UINT32_MAX,
                                 .place = INT64_MAX,
                                 .attempt = UINT16_MAX,
                                 .body = body,
                                 .body_bytes = bytes};
    dead_letter_digest(body, bytes, letter.digest);
    return letter;
}

static void they_go_there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 3, 1000, DEAD_LETTER_BODY_BYTES_MAX - 1, DEAD_LETTER_BODY_BYTES_MAX};
    uint8_t *body = malloc(DEAD_LETTER_BODY_BYTES_MAX);
    assert_non_null(body);
    for (size_t i = 0; i < DEAD_LETTER_BODY_BYTES_MAX; i++)
        body[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct dead_letter letter = make(body, sizes[i]), back;
        struct buffer text = BUFFER_INIT;
        dead_letter_write(&letter, &text);
        assert_int_equal(dead_letter_read(text.data, text.bytes, &back, NULL, 0), 0);
        assert_string_equal(back.queue, letter.queue);
        assert_string_equal(back.reason, letter.reason);
        assert_string_equal(back.detail, letter.detail);
        assert_memory_equal(back.digest, letter.digest, sizeof(letter.digest));
        assert_int_equal(back.event_id, UINT32_MAX);
        assert_int_equal(back.place, INT64_MAX);
        assert_int_equal(back.attempt, UINT16_MAX);
        assert_int_equal(back.body_bytes, sizes[i]);
        assert_memory_equal(back.body, body, sizes[i]);
        dead_letter_done(&back);
        dead_letter_done(&back);
        buffer_done(&text);
    }
    dead_letter_done(NULL);
    free(body);
}

static void a_long_body_is_cut_but_its_digest_is_whole(void **state)
{
    (void)state;
    size_t bytes = (size_t)3 * DEAD_LETTER_BODY_BYTES_MAX;
    char *body = calloc(1, bytes);
    assert_non_null(body);
    struct dead_letter letter = make(body, bytes), back;
    struct buffer text = BUFFER_INIT;
    dead_letter_write(&letter, &text);
    assert_int_equal(dead_letter_read(text.data, text.bytes, &back, NULL, 0), 0);
    assert_int_equal(back.body_bytes, DEAD_LETTER_BODY_BYTES_MAX);
    assert_memory_equal(back.digest, letter.digest, sizeof(letter.digest));
    dead_letter_done(&back);
    buffer_done(&text);
    free(body);
}

// ---------------------------------------------------------------- in the queue

static struct letter read_letter(const char *body, const char *died_in)
{
    static struct message scratch;
    char copy[1024];
    struct bus_delivery delivery = {.body = copy, .body_bytes = strlen(body)};
    struct letter letter;
    snprintf(copy, sizeof(copy), "%s", body);
    snprintf(delivery.died_in, sizeof(delivery.died_in), "%s", died_in);
    assert_int_equal(letter_read(&delivery, &scratch, &letter), 0);
    return letter;
}

static void assert_letter(const char *body, const char *died_in, const char *queue, const char *reason)
{
    struct letter letter = read_letter(body, died_in);
    assert_string_equal(letter.dead.queue, queue);
    assert_string_equal(letter.dead.reason, reason);
    assert_true(letter.dead.detail[0] != '\0');
    letter_done(&letter);
}

static void what_is_no_dead_letter_becomes_one(void **state)
{
    (void)state;
    assert_letter("nonsense", "", TOPOLOGY_DEAD, "not_json");
    assert_letter("nonsense", "onsale.bookings.3", "onsale.bookings.3", "returned");
    assert_letter("{\"v\":1,\"type\":\"dead\"}", "", TOPOLOGY_DEAD, "version");
    assert_letter("{\"v\":1,\"type\":\"outcomes\"}", "", TOPOLOGY_OUTCOMES, "returned");
    assert_letter("{\"v\":1,\"type\":\"outcomes\"}", TOPOLOGY_OUTCOMES, TOPOLOGY_OUTCOMES, "returned");
    assert_letter("{\"v\":1,\"type\":\"book\"}", "", TOPOLOGY_DEAD, "returned");
    assert_letter("{}", "", TOPOLOGY_DEAD, "returned");
}

static void a_returned_release_names_its_order(void **state)
{
    (void)state;
    struct letter letter =
        read_letter("{\"v\":1,\"type\":\"book\",\"slug\":\"a\",\"event_id\":11,\"place\":5,\"attempt\":2,"
                    "\"release\":3}",
                    "");
    assert_true(letter.is_returned_book);
    assert_int_equal(letter.release, 3);
    assert_int_equal(letter.dead.event_id, 11);
    assert_int_equal(letter.dead.place, 5);
    assert_int_equal(letter.dead.attempt, 2);
    assert_string_equal(letter.dead.queue, topology_booking_queue_of(11));
    assert_string_equal(letter.dead.reason, "returned");
    letter_reduce(&letter, "too much");
    assert_false(letter.is_returned_book);
    assert_int_equal(letter.dead.place, 0);
    assert_string_equal(letter.dead.detail, "too much");
    letter_done(&letter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_go_there_and_back),
        cmocka_unit_test(a_long_body_is_cut_but_its_digest_is_whole),
        cmocka_unit_test(what_is_no_dead_letter_becomes_one),
        cmocka_unit_test(a_returned_release_names_its_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
