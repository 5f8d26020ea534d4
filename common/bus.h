// SPDX-License-Identifier: Apache-2.0
// RabbitMQ over one connection and one channel, which belong to one thread (rabbitmq-c is not thread-safe). Heartbeats and
// time-outs are always on; a blocked or dead broker makes calls fail with ERROR_TRANSIENT and never hang.
#ifndef COMMON_BUS_H
#define COMMON_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct bus;

struct bus_options {
    const char *url; // amqp:// or amqps://; borrowed for the call
    const char *tls_ca; // PEM file for amqps; "" or NULL: the system's
    const char *name; // connection name in RabbitMQ's management
    int heartbeat_seconds; // 0: 4
    int rpc_timeout_ms; // 0: 3000
};

// Whether the URL has the form that bus_open() takes. Pure. ERROR_INVALID
int bus_check_url(const char *url) MUST_USE;

// Connects, opens the channel, asks for publisher confirms if `confirms`. One attempt. On failure there is no handle.
// ERROR_TRANSIENT (not reachable, closing), ERROR_PERMANENT (refused: credentials, vhost), ERROR_INVALID (the URL).
int bus_open(const struct bus_options *options, bool confirms, struct bus **ret) MUST_USE;
void bus_close(struct bus *bus); // accepts NULL; never blocks for more than the RPC time-out
// The last error, for the log; never NULL. bus_error_text(NULL) says why the last bus_open() of this thread gave no handle.
const char *bus_error_text(const struct bus *bus);
int bus_fd(const struct bus *bus); // to wait on; data may already be buffered, so call bus_receive() with 0 first

// After any ERROR_TRANSIENT or ERROR_PERMANENT below the connection is useless: close and open anew (with a backoff).

int bus_declare_exchange(struct bus *bus, const char *name, const char *type, bool durable) MUST_USE;
struct bus_queue {
    const char *name; // "" for one that the server names
    bool durable, exclusive, auto_delete, quorum, single_active;
    int64_t length_max; // 0: none; with drop_head the oldest go, otherwise publishing is refused
    bool drop_head;
    int64_t delivery_limit; // 0: none
    const char
        *dead_letters; // quorum queues: the queue that takes what is over the delivery limit, at least once; NULL: none
};
#define BUS_NAME_BYTES 256
int bus_declare_queue(struct bus *bus, const struct bus_queue *queue, char ret_name[static BUS_NAME_BYTES]) MUST_USE;
// How many messages wait in a queue and how many consumers it has, without making it. A queue that is not there is ERROR_PERMANENT, and the
// connection is then useless.
int bus_count_queue(struct bus *bus, const char *name, uint32_t *ret_messages, uint32_t *ret_consumers) MUST_USE;
int bus_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key) MUST_USE;

struct bus_message {
    const char *exchange; // "" is the default exchange
    const char *routing_key;
    const void *body;
    size_t body_bytes;
    const char *type; // message type; NULL: none
    const char *reply_to, *correlation_id; // NULL: none
    const char *message_id; // NULL: none
    bool persistent;
};
// Sends one message (content type application/json). With confirms its number (1, 2, 3, … on this connection) is in
// *ret_number, which may be NULL. ERROR_TRANSIENT while the broker blocks publishers: nothing was sent.
int bus_publish(struct bus *bus, const struct bus_message *message, uint64_t *ret_number) MUST_USE;

// Waits until everything published so far is confirmed. ERROR_TRANSIENT on time-out or loss; ERROR_LIMIT when the broker
// refused (nack) one or more. Deliveries that come meanwhile are kept for bus_receive() (at most the prefetch).
int bus_wait_confirms(struct bus *bus, int timeout_ms) MUST_USE;

// Starts consuming. `prefetch` bounds what is unacknowledged. no_ack for fan-out feeds.
int bus_consume(struct bus *bus, const char *queue, uint16_t prefetch, bool no_ack) MUST_USE;

struct bus_delivery {
    uint64_t tag;
    bool redelivered;
    uint64_t
        delivery_count; // quorum queues: how often it was given to a consumer before and came back; 0 the first time
    char *body; // NUL-terminated beyond body_bytes
    size_t body_bytes;
    char type[64];
    char reply_to[BUS_NAME_BYTES];
    char correlation_id[64];
    char exchange[64];
    char died_in[65]; // the queue in which RabbitMQ gave it up (dead-lettered it); "": it did not
};
// Waits up to timeout_ms (0: does not wait) for one delivery, and services heartbeats. 0: *ret is filled, to be freed with
// bus_delivery_done(). ERROR_NOT_FOUND: none came. ERROR_LIMIT: a body over 1 MiB was dropped (and acknowledged).
// Call it at least every heartbeat_seconds / 2, or the broker closes the connection.
int bus_receive(struct bus *bus, int timeout_ms, struct bus_delivery *ret) MUST_USE;
void bus_delivery_done(struct bus_delivery *delivery); // accepts NULL and an empty one
int bus_ack(struct bus *bus, uint64_t tag, bool multiple) MUST_USE;

#endif
