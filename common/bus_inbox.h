// SPDX-License-Identifier: Apache-2.0
// Deliveries: put together from their frames (method, header, bodies), then kept in order until somebody receives them.
// Bounded: by the prefetch where messages are acknowledged; where they are not, the oldest go when there are too many.
#ifndef COMMON_BUS_INBOX_H
#define COMMON_BUS_INBOX_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus.h"

#define BUS_INBOX_BODY_MAX (1024 * 1024)
// Kept at most where nothing is acknowledged. A reader of such a feed sees a gap and knows what to do.
#define BUS_INBOX_NO_ACK_MAX 10000
#define BUS_INBOX_NO_ACK_BYTES_MAX ((size_t)64 * 1024 * 1024)
// Consumer tags begin with one of these.
#define BUS_INBOX_TAG_NO_ACK "feed-"
#define BUS_INBOX_TAG_ACK "work-"

struct bus_inbox_entry {
    struct bus_delivery delivery;
    bool no_ack;
    bool is_dropped; // its body was too long and is not there
};

struct bus_inbox_node;

struct bus_inbox {
    struct bus_inbox_node *first, *last;
    size_t count, no_ack_count, no_ack_bytes;
    enum { BUS_INBOX_IDLE, BUS_INBOX_HEADER, BUS_INBOX_BODY } expects;
    bool is_foreign; // the content at hand is not a delivery: read and thrown away
    struct bus_inbox_node *current;
    uint64_t body_bytes, body_taken;
};

void bus_inbox_init(struct bus_inbox *inbox);
void bus_inbox_done(struct bus_inbox *inbox);

// The frames as they come. `deliver` NULL: content that nobody wants follows. ERROR_TRANSIENT when a piece does not fit.
void bus_inbox_begin(struct bus_inbox *inbox, const amqp_basic_deliver_t *deliver);
int bus_inbox_header(struct bus_inbox *inbox, const amqp_basic_properties_t *properties, uint64_t body_bytes) MUST_USE;
int bus_inbox_body(struct bus_inbox *inbox, const void *data, size_t bytes) MUST_USE;

// Moves the oldest complete delivery into *ret. False when there is none.
bool bus_inbox_take(struct bus_inbox *inbox, struct bus_inbox_entry *ret);
// Whether more may be taken off the wire by somebody who does not receive.
bool bus_inbox_has_room(const struct bus_inbox *inbox);

#endif
