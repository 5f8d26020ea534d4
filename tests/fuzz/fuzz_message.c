// SPDX-License-Identifier: Apache-2.0
// Messages from RabbitMQ: what is read can be written, and what was written is read as the same.
#include "common/message.h"
#include "common/pace.h"
#include "tests/fuzz/fuzz.h"

static void check_served(const struct message *message)
{
    FUZZ_CHECK(message->served.event_count <= MESSAGE_EVENTS_MAX && message->served.seq >= 1);
    for (size_t i = 0; i < message->served.event_count; i++) {
        const struct message_served_event *event = &message->served.events[i];
        struct pace pace;
        FUZZ_CHECK(slug_is_valid(event->slug, strlen(event->slug)) && pace_parse(event->pace, &pace) == 0);
        FUZZ_CHECK(!event->has_wait ||
                   (event->us_per_place_low >= 0 && event->us_per_place_low <= event->us_per_place_high));
    }
}

static void check_orders(const struct message *message)
{
    if (message->type == MESSAGE_BOOK)
        FUZZ_CHECK(message->book.event_id >= 1 && message->book.place >= 1 && message->book.attempt >= 1 &&
                   message->book.attempt <= UINT16_MAX && message->book.release >= 1);
    if (message->type == MESSAGE_ORDERED)
        FUZZ_CHECK(message->ordered.number_count <= MESSAGE_NUMBERS_MAX);
    if (message->type == MESSAGE_STOCK)
        FUZZ_CHECK(message->stock.tier_count <= MESSAGE_TIERS_MAX && message->stock.at_us >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct message message, again;
    char problem[128] = "";
    if (message_read((const char *)data, bytes, &message, problem, sizeof problem) != 0) {
        FUZZ_CHECK(*problem && memchr(problem, '\0', sizeof problem));
        return 0;
    }
    if (message.type == MESSAGE_SERVED)
        check_served(&message);
    check_orders(&message);
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    message_write(&message, &first);
    FUZZ_CHECK(!first.failed);
    FUZZ_CHECK(message_read(first.data, first.bytes, &again, problem, sizeof problem) == 0);
    FUZZ_CHECK(again.type == message.type);
    message_write(&again, &second);
    FUZZ_CHECK(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0);
    buffer_done(&first);
    buffer_done(&second);
    return 0;
}
