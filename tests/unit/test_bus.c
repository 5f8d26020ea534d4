// SPDX-License-Identifier: Apache-2.0
// The pure parts of the connection to RabbitMQ: which publications are answered, and messages put together from frames.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/bus_confirms.h"
#include "common/bus_inbox.h"

static struct bus_confirms confirms;

static void publish(int count)
{
    for (int i = 0; i < count; i++)
        bus_confirms_published(&confirms);
}

static void answers_one_by_one_and_out_of_order(void **state)
{
    (void)state;
    memset(&confirms, 0, sizeof(confirms));
    assert_true(bus_confirms_is_empty(&confirms));
    assert_int_equal(bus_confirms_published(&confirms), 1);
    publish(4);
    bus_confirms_answer(&confirms, 5, false, false);
    bus_confirms_answer(&confirms, 2, false, false);
    assert_int_equal(confirms.answered, 0);
    bus_confirms_answer(&confirms, 1, false, false);
    assert_int_equal(confirms.answered, 2);
    publish(3);
    bus_confirms_answer(&confirms, 4, true, false); // everything up to 4; 5 came before
    assert_int_equal(confirms.answered, 5);
    bus_confirms_answer(&confirms, 7, true, false);
    assert_int_equal(confirms.answered, 7);
    bus_confirms_answer(&confirms, 8, true, false);
    assert_true(bus_confirms_is_empty(&confirms));
    assert_false(bus_confirms_take_refused(&confirms));
}

static void answers_to_nothing_are_ignored(void **state)
{
    (void)state;
    memset(&confirms, 0, sizeof(confirms));
    publish(2);
    bus_confirms_answer(&confirms, 3, true, true);
    assert_int_equal(confirms.answered, 0);
    assert_false(bus_confirms_take_refused(&confirms));
    bus_confirms_answer(&confirms, 2, true, false);
    bus_confirms_answer(&confirms, 1, false, true);
    assert_true(bus_confirms_is_empty(&confirms));
    assert_false(bus_confirms_take_refused(&confirms));
}

static void a_refusal_is_told_once(void **state)
{
    (void)state;
    memset(&confirms, 0, sizeof(confirms));
    publish(3);
    bus_confirms_answer(&confirms, 2, true, true);
    bus_confirms_answer(&confirms, 3, false, false);
    assert_true(bus_confirms_is_empty(&confirms));
    assert_true(bus_confirms_take_refused(&confirms));
    assert_false(bus_confirms_take_refused(&confirms));
}

// Several times around the ring, the answers always one window late and backwards.
static void the_ring_is_used_again(void **state)
{
    (void)state;
    memset(&confirms, 0, sizeof(confirms));
    for (int round = 0; round < 3; round++) {
        publish(BUS_CONFIRMS_MAX - 1);
        assert_false(bus_confirms_is_full(&confirms));
        publish(1);
        assert_true(bus_confirms_is_full(&confirms));
        uint64_t last = confirms.published;
        for (uint64_t i = 0; i < BUS_CONFIRMS_MAX - 1; i++)
            bus_confirms_answer(&confirms, last - i, false, false);
        assert_true(bus_confirms_is_full(&confirms)); // the first one is still missing
        bus_confirms_answer(&confirms, last - BUS_CONFIRMS_MAX + 1, false, false);
        assert_true(bus_confirms_is_empty(&confirms));
    }
    for (size_t i = 0; i < BUS_CONFIRMS_MAX / 64; i++)
        assert_int_equal(confirms.early[i], 0);
}

static amqp_basic_deliver_t deliver(uint64_t tag, const char *consumer)
{
    return (amqp_basic_deliver_t){.delivery_tag = tag,
                                  .redelivered = tag % 2 == 0,
                                  .consumer_tag = amqp_cstring_bytes(consumer),
                                  .exchange = amqp_cstring_bytes("onsale.feed")};
}

static void put(struct bus_inbox *inbox, uint64_t tag, const char *consumer, const char *body)
{
    amqp_basic_deliver_t method = deliver(tag, consumer);
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_TYPE_FLAG, .type = amqp_cstring_bytes("served")};
    bus_inbox_begin(inbox, &method);
    assert_int_equal(bus_inbox_header(inbox, &properties, strlen(body)), 0);
    if (body[0])
        assert_int_equal(bus_inbox_body(inbox, body, strlen(body)), 0);
}

static void a_message_in_pieces(void **state)
{
    (void)state;
    struct bus_inbox inbox;
    struct bus_inbox_entry entry;
    bus_inbox_init(&inbox);
    amqp_basic_deliver_t method = deliver(6, BUS_INBOX_TAG_ACK "1");
    char long_text[300];
    memset(long_text, 'r', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    amqp_basic_properties_t properties = {._flags = AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_REPLY_TO_FLAG |
                                                    AMQP_BASIC_CORRELATION_ID_FLAG,
                                          .type = amqp_cstring_bytes("event_changed"),
                                          .reply_to = amqp_cstring_bytes(long_text),
                                          .correlation_id = amqp_cstring_bytes("c-1")};
    bus_inbox_begin(&inbox, &method);
    assert_int_equal(bus_inbox_header(&inbox, &properties, 7), 0);
    assert_int_equal(bus_inbox_body(&inbox, "abc", 3), 0);
    assert_false(bus_inbox_take(&inbox, &entry));
    assert_int_equal(bus_inbox_body(&inbox, "", 0), 0);
    assert_int_equal(bus_inbox_body(&inbox, "defg", 4), 0);
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_string_equal(entry.delivery.body, "abcdefg");
    assert_int_equal(entry.delivery.body_bytes, 7);
    assert_int_equal(entry.delivery.tag, 6);
    assert_true(entry.delivery.redelivered);
    assert_false(entry.no_ack);
    assert_string_equal(entry.delivery.type, "event_changed");
    assert_string_equal(entry.delivery.correlation_id, "c-1");
    assert_string_equal(entry.delivery.exchange, "onsale.feed");
    assert_int_equal(strlen(entry.delivery.reply_to), BUS_NAME_BYTES - 1);
    bus_delivery_done(&entry.delivery);
    assert_false(bus_inbox_take(&inbox, &entry));
    bus_inbox_done(&inbox);
}

static void order_is_kept_and_what_is_foreign_goes(void **state)
{
    (void)state;
    struct bus_inbox inbox;
    struct bus_inbox_entry entry;
    bus_inbox_init(&inbox);
    put(&inbox, 1, BUS_INBOX_TAG_ACK "1", "one");
    bus_inbox_begin(&inbox, NULL); // a publication that came back
    amqp_basic_properties_t properties = {0};
    assert_int_equal(bus_inbox_header(&inbox, &properties, 5), 0);
    assert_int_equal(bus_inbox_body(&inbox, "other", 5), 0);
    put(&inbox, 2, BUS_INBOX_TAG_NO_ACK "2", "");
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_string_equal(entry.delivery.body, "one");
    bus_delivery_done(&entry.delivery);
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_string_equal(entry.delivery.body, "");
    assert_true(entry.no_ack);
    bus_delivery_done(&entry.delivery);
    assert_false(bus_inbox_take(&inbox, &entry));
    bus_inbox_done(&inbox);
}

static void pieces_that_do_not_fit(void **state)
{
    (void)state;
    struct bus_inbox inbox;
    bus_inbox_init(&inbox);
    amqp_basic_properties_t properties = {0};
    assert_int_equal(bus_inbox_body(&inbox, "x", 1), ERROR_TRANSIENT);
    assert_int_equal(bus_inbox_header(&inbox, &properties, 1), ERROR_TRANSIENT);
    amqp_basic_deliver_t method = deliver(1, BUS_INBOX_TAG_ACK "1");
    bus_inbox_begin(&inbox, &method);
    assert_int_equal(bus_inbox_body(&inbox, "x", 1), ERROR_TRANSIENT);
    assert_int_equal(bus_inbox_header(&inbox, &properties, 2), 0);
    assert_int_equal(bus_inbox_header(&inbox, &properties, 2), ERROR_TRANSIENT);
    assert_int_equal(bus_inbox_body(&inbox, "xyz", 3), ERROR_TRANSIENT);
    bus_inbox_done(&inbox); // with half a message in it
}

static void a_long_body_is_dropped_but_counted(void **state)
{
    (void)state;
    struct bus_inbox inbox;
    struct bus_inbox_entry entry;
    static char piece[BUS_INBOX_BODY_MAX];
    bus_inbox_init(&inbox);
    amqp_basic_properties_t properties = {0};
    amqp_basic_deliver_t method = deliver(9, BUS_INBOX_TAG_ACK "1");
    bus_inbox_begin(&inbox, &method);
    assert_int_equal(bus_inbox_header(&inbox, &properties, BUS_INBOX_BODY_MAX + 1), 0);
    assert_int_equal(bus_inbox_body(&inbox, piece, BUS_INBOX_BODY_MAX), 0);
    assert_int_equal(bus_inbox_body(&inbox, "x", 1), 0);
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_true(entry.is_dropped);
    assert_null(entry.delivery.body);
    assert_int_equal(entry.delivery.tag, 9);
    bus_inbox_begin(&inbox, &method);
    assert_int_equal(bus_inbox_header(&inbox, &properties, BUS_INBOX_BODY_MAX), 0);
    assert_int_equal(bus_inbox_body(&inbox, piece, BUS_INBOX_BODY_MAX), 0);
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_false(entry.is_dropped);
    assert_int_equal(entry.delivery.body_bytes, BUS_INBOX_BODY_MAX);
    bus_delivery_done(&entry.delivery);
    bus_inbox_done(&inbox);
}

static void the_oldest_of_a_feed_go(void **state)
{
    (void)state;
    struct bus_inbox inbox;
    struct bus_inbox_entry entry;
    bus_inbox_init(&inbox);
    put(&inbox, 1, BUS_INBOX_TAG_ACK "1", "work"); // must be acknowledged, so it stays
    for (uint64_t i = 2; i <= BUS_INBOX_NO_ACK_MAX + 4; i++)
        put(&inbox, i, BUS_INBOX_TAG_NO_ACK "2", "feed");
    assert_int_equal(inbox.no_ack_count, BUS_INBOX_NO_ACK_MAX);
    assert_int_equal(inbox.no_ack_bytes, 4 * BUS_INBOX_NO_ACK_MAX);
    assert_false(bus_inbox_has_room(&inbox));
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_int_equal(entry.delivery.tag, 1);
    bus_delivery_done(&entry.delivery);
    assert_true(bus_inbox_take(&inbox, &entry));
    assert_int_equal(entry.delivery.tag, 5);
    bus_delivery_done(&entry.delivery);
    uint64_t last = 0;
    while (bus_inbox_take(&inbox, &entry)) {
        last = entry.delivery.tag;
        bus_delivery_done(&entry.delivery);
    }
    assert_int_equal(last, BUS_INBOX_NO_ACK_MAX + 4);
    assert_int_equal(inbox.count, 0);
    assert_int_equal(inbox.no_ack_bytes, 0);
    put(&inbox, 7, BUS_INBOX_TAG_NO_ACK "2", "again");
    bus_inbox_done(&inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_one_by_one_and_out_of_order),
        cmocka_unit_test(answers_to_nothing_are_ignored),
        cmocka_unit_test(a_refusal_is_told_once),
        cmocka_unit_test(the_ring_is_used_again),
        cmocka_unit_test(a_message_in_pieces),
        cmocka_unit_test(order_is_kept_and_what_is_foreign_goes),
        cmocka_unit_test(pieces_that_do_not_fit),
        cmocka_unit_test(a_long_body_is_dropped_but_counted),
        cmocka_unit_test(the_oldest_of_a_feed_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
