// SPDX-License-Identifier: Apache-2.0
// One message is put together at a time: the frames of a channel do not mix (AMQP 0-9-1, 2.3.5.2).
#include "common/bus_inbox.h"

#include <stdlib.h>
#include <string.h>

struct bus_inbox_node {
    struct bus_inbox_entry entry;
    struct bus_inbox_node *next;
};

void bus_inbox_init(struct bus_inbox *inbox)
{
    memset(inbox, 0, sizeof(*inbox));
}

static void node_free(struct bus_inbox_node *node)
{
    if (!node)
        return;
    bus_delivery_done(&node->entry.delivery);
    free(node);
}

void bus_inbox_done(struct bus_inbox *inbox)
{
    node_free(inbox->current);
    for (struct bus_inbox_node *node = inbox->first, *next; node; node = next) {
        next = node->next;
        node_free(node);
    }
    bus_inbox_init(inbox);
}

// Copies as much of a short string as fits. What we compare is never that long; a longer one is not ours.
static void copy_text(char *ret, size_t capacity, amqp_bytes_t text)
{
    size_t bytes = text.len < capacity - 1 ? text.len : capacity - 1;
    if (bytes)
        memcpy(ret, text.bytes, bytes);
    ret[bytes] = '\0';
}

void bus_inbox_begin(struct bus_inbox *inbox, const amqp_basic_deliver_t *deliver)
{
    node_free(inbox->current);
    inbox->current = NULL;
    inbox->expects = BUS_INBOX_HEADER;
    inbox->is_foreign = !deliver;
    if (!deliver)
        return;
    inbox->current = calloc(1, sizeof(*inbox->current));
    if (!inbox->current)
        return; // the header finds out
    struct bus_inbox_entry *entry = &inbox->current->entry;
    entry->delivery.tag = deliver->delivery_tag;
    entry->delivery.redelivered = deliver->redelivered;
    copy_text(entry->delivery.exchange, sizeof(entry->delivery.exchange), deliver->exchange);
    size_t prefix = strlen(BUS_INBOX_TAG_NO_ACK);
    entry->no_ack =
        deliver->consumer_tag.len > prefix && memcmp(deliver->consumer_tag.bytes, BUS_INBOX_TAG_NO_ACK, prefix) == 0;
}

// How often a quorum queue has given the message out before ("x-delivery-count"; absent the first time).
static uint64_t delivery_count(const amqp_basic_properties_t *properties)
{
    static const char name[] = "x-delivery-count";
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return 0;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len != sizeof(name) - 1 || memcmp(entry->key.bytes, name, sizeof(name) - 1) != 0)
            continue;
        int64_t count = 0;
        switch (entry->value.kind) {
        case AMQP_FIELD_KIND_I64:
            count = entry->value.value.i64;
            break;
        case AMQP_FIELD_KIND_I32:
            count = entry->value.value.i32;
            break;
        case AMQP_FIELD_KIND_I16:
            count = entry->value.value.i16;
            break;
        case AMQP_FIELD_KIND_I8:
            count = (int)entry->value.value.i8;
            break;
        case AMQP_FIELD_KIND_U8:
            count = entry->value.value.u8;
            break;
        default:
            break;
        }
        return count > 0 ? (uint64_t)count : 0;
    }
    return 0;
}

// Where a dead-lettered message was first given up.
static void copy_died_in(const amqp_basic_properties_t *properties, size_t capacity, char *ret)
{
    static const char name[] = "x-first-death-queue";
    if (!(properties->_flags & AMQP_BASIC_HEADERS_FLAG))
        return;
    for (int i = 0; i < properties->headers.num_entries; i++) {
        const amqp_table_entry_t *entry = &properties->headers.entries[i];
        if (entry->key.len == sizeof(name) - 1 && memcmp(entry->key.bytes, name, sizeof(name) - 1) == 0 &&
            entry->value.kind == AMQP_FIELD_KIND_UTF8)
            copy_text(ret, capacity, entry->value.value.bytes);
    }
}

static void pop(struct bus_inbox *inbox, struct bus_inbox_entry *ret)
{
    struct bus_inbox_node *node = inbox->first;
    inbox->first = node->next;
    if (!inbox->first)
        inbox->last = NULL;
    inbox->count--;
    if (node->entry.no_ack) {
        inbox->no_ack_count--;
        inbox->no_ack_bytes -= node->entry.delivery.body_bytes;
    }
    *ret = node->entry;
    free(node);
}

// The oldest go first, but only those that nobody must acknowledge.
static void drop_oldest_no_ack(struct bus_inbox *inbox)
{
    struct bus_inbox_node *before = NULL, *node = inbox->first;
    while (node && !node->entry.no_ack) {
        before = node;
        node = node->next;
    }
    if (!node)
        return;
    if (before)
        before->next = node->next;
    else
        inbox->first = node->next;
    if (inbox->last == node)
        inbox->last = before;
    inbox->count--;
    inbox->no_ack_count--;
    inbox->no_ack_bytes -= node->entry.delivery.body_bytes;
    node_free(node);
}

static void complete(struct bus_inbox *inbox)
{
    struct bus_inbox_node *node = inbox->current;
    inbox->current = NULL;
    inbox->expects = BUS_INBOX_IDLE;
    if (!node)
        return;
    if (inbox->last)
        inbox->last->next = node;
    else
        inbox->first = node;
    inbox->last = node;
    inbox->count++;
    if (!node->entry.no_ack)
        return;
    inbox->no_ack_count++;
    inbox->no_ack_bytes += node->entry.delivery.body_bytes;
    while (inbox->no_ack_count > BUS_INBOX_NO_ACK_MAX || inbox->no_ack_bytes > BUS_INBOX_NO_ACK_BYTES_MAX)
        drop_oldest_no_ack(inbox);
}

int bus_inbox_header(struct bus_inbox *inbox, const amqp_basic_properties_t *properties, uint64_t body_bytes)
{
    if (inbox->expects != BUS_INBOX_HEADER)
        return ERROR_TRANSIENT;
    if (!inbox->is_foreign && !inbox->current)
        return ERROR_MEMORY;
    inbox->expects = BUS_INBOX_BODY;
    inbox->body_bytes = body_bytes;
    inbox->body_taken = 0;
    if (inbox->current) {
        struct bus_delivery *delivery = &inbox->current->entry.delivery;
        if (properties->_flags & AMQP_BASIC_TYPE_FLAG)
            copy_text(delivery->type, sizeof(delivery->type), properties->type);
        if (properties->_flags & AMQP_BASIC_REPLY_TO_FLAG)
            copy_text(delivery->reply_to, sizeof(delivery->reply_to), properties->reply_to);
        if (properties->_flags & AMQP_BASIC_CORRELATION_ID_FLAG)
            copy_text(delivery->correlation_id, sizeof(delivery->correlation_id), properties->correlation_id);
        delivery->delivery_count = delivery_count(properties);
        copy_died_in(properties, sizeof(delivery->died_in), delivery->died_in);
        inbox->current->entry.is_dropped = body_bytes > BUS_INBOX_BODY_MAX;
        if (!inbox->current->entry.is_dropped) {
            delivery->body = malloc((size_t)body_bytes + 1);
            if (!delivery->body)
                return ERROR_MEMORY;
            delivery->body[body_bytes] = '\0';
            delivery->body_bytes = (size_t)body_bytes;
        }
    }
    if (body_bytes == 0)
        complete(inbox);
    return 0;
}

int bus_inbox_body(struct bus_inbox *inbox, const void *data, size_t bytes)
{
    if (inbox->expects != BUS_INBOX_BODY || bytes > inbox->body_bytes - inbox->body_taken)
        return ERROR_TRANSIENT;
    if (inbox->current && inbox->current->entry.delivery.body && bytes)
        memcpy(inbox->current->entry.delivery.body + inbox->body_taken, data, bytes);
    inbox->body_taken += bytes;
    if (inbox->body_taken == inbox->body_bytes)
        complete(inbox);
    return 0;
}

bool bus_inbox_take(struct bus_inbox *inbox, struct bus_inbox_entry *ret)
{
    if (!inbox->first)
        return false;
    pop(inbox, ret);
    return true;
}

bool bus_inbox_has_room(const struct bus_inbox *inbox)
{
    return inbox->count < BUS_INBOX_NO_ACK_MAX;
}
