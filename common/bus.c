// SPDX-License-Identifier: Apache-2.0
// The connection to RabbitMQ: opening, declaring, publishing, and the loop that takes frames as they come. Deliveries are
// put together in bus_inbox.c, confirms counted in bus_confirms.c.
//
// What the library leaves to us: its sockets do not block, but its publishing waits for room in the socket without a
// limit, so room is waited for here first and TCP_USER_TIMEOUT ends what still gets stuck; heartbeats are sent and
// missed only while it reads; a broker with a memory or disk alarm says `connection.blocked` only to who asked for it.
#include "common/bus.h"

#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "common/bus_confirms.h"
#include "common/bus_inbox.h"
#include "common/clock.h"

#define CHANNEL 1
#define FRAME_BYTES_MAX 131072
#define HEARTBEAT_SECONDS 4
#define RPC_TIMEOUT_MS 3000
#define ERROR_TEXT_BYTES 512
#define URL_BYTES_MAX 2048
#define CONSUMERS_MAX 32
// Frames taken off the wire before one message is published; more wait for bus_receive().
#define FRAMES_PER_PUBLISH_MAX 64
#define NS_PER_MS 1000000

struct bus {
    amqp_connection_state_t connection;
    int rpc_timeout_ms;
    bool logged_in; // worth a polite goodbye
    bool dead; // useless: every call fails until it is closed
    int dead_class;
    bool blocked; // the broker takes no publications
    bool confirms;
    struct bus_confirms outstanding;
    struct bus_inbox inbox;
    size_t consumer_count;
    char error_text[ERROR_TEXT_BYTES];
};

// Why the last bus_open() of this thread gave no handle.
static _Thread_local char open_error_text[ERROR_TEXT_BYTES];

// ---------------------------------------------------------------- errors

static int fail(struct bus *bus, int class, const char *doing, const char *why, size_t why_bytes)
{
    snprintf(bus->error_text, sizeof(bus->error_text), "%s: %.*s", doing,
             (int)(why_bytes < ERROR_TEXT_BYTES ? why_bytes : ERROR_TEXT_BYTES), why);
    bus->dead = true;
    bus->dead_class = class;
    return class;
}

static int fail_text(struct bus *bus, int class, const char *doing, const char *why)
{
    return fail(bus, class, doing, why, strlen(why));
}

static int fail_status(struct bus *bus, const char *doing, int status)
{
    int class = ERROR_TRANSIENT;
    switch (status) {
    case AMQP_STATUS_NO_MEMORY:
        class = ERROR_MEMORY;
        break;
    case AMQP_STATUS_BAD_URL:
        class = ERROR_INVALID;
        break;
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
    case AMQP_STATUS_SSL_ERROR: // the file with the authorities
        class = ERROR_PERMANENT;
        break;
    default:
        break;
    }
    return fail_text(bus, class, doing, amqp_error_string2(status));
}

// Reply codes of AMQP 0-9-1 that go away by themselves; what is not listed needs somebody: no rights (403), no such
// exchange (404), declared otherwise (406), …
static int class_of_code(int code)
{
    switch (code) {
    case 311: // content too large
        return ERROR_INVALID;
    case 320: // the operator or the broker's shutdown closed the connection
    case 405: // an exclusive queue whose owner is not quite gone
    case 501: // a frame that did not arrive whole
    case 504: // the channel is gone
    case 506: // resources
    case 541: // internal error, for instance a virtual host that is still starting
        return ERROR_TRANSIENT;
    default:
        return ERROR_PERMANENT;
    }
}

static int fail_closed(struct bus *bus, const char *doing, const amqp_method_t *method)
{
    if (method->id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = method->decoded;
        bus->logged_in = false; // what the broker closed is not closed again
        return fail(bus, class_of_code(close->reply_code), doing, close->reply_text.bytes, close->reply_text.len);
    }
    if (method->id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = method->decoded;
        return fail(bus, class_of_code(close->reply_code), doing, close->reply_text.bytes, close->reply_text.len);
    }
    return fail_text(bus, ERROR_TRANSIENT, doing, "an answer that was not expected");
}

static int check_reply(struct bus *bus, const char *doing, const amqp_rpc_reply_t *reply)
{
    switch (reply->reply_type) {
    case AMQP_RESPONSE_NORMAL:
        return 0;
    case AMQP_RESPONSE_SERVER_EXCEPTION:
        return fail_closed(bus, doing, &reply->reply);
    case AMQP_RESPONSE_LIBRARY_EXCEPTION:
        return fail_status(bus, doing, reply->library_error);
    case AMQP_RESPONSE_NONE:
        break;
    }
    return fail_text(bus, ERROR_TRANSIENT, doing, "no answer");
}

static int check_last_reply(struct bus *bus, const char *doing)
{
    amqp_rpc_reply_t reply = amqp_get_rpc_reply(bus->connection);
    int result = check_reply(bus, doing, &reply);
    amqp_maybe_release_buffers(bus->connection);
    return result;
}

const char *bus_error_text(const struct bus *bus)
{
    return bus ? bus->error_text : open_error_text;
}

int bus_fd(const struct bus *bus)
{
    return amqp_get_sockfd(bus->connection);
}

// ---------------------------------------------------------------- opening

static struct timeval timeval_from_ms(int milliseconds)
{
    return (struct timeval){.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
}

static int open_socket(struct bus *bus, const struct bus_options *options, const struct amqp_connection_info *info)
{
    amqp_socket_t *socket = info->ssl ? amqp_ssl_socket_new(bus->connection) : amqp_tcp_socket_new(bus->connection);
    if (!socket)
        return fail_text(bus, ERROR_MEMORY, "connect", "out of memory");
    if (info->ssl) {
        SSL_CTX *context = amqp_ssl_socket_get_context(socket);
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
        bool has_file = options->tls_ca && options->tls_ca[0];
        if (has_file && amqp_ssl_socket_set_cacert(socket, options->tls_ca) != AMQP_STATUS_OK)
            return fail_text(bus, ERROR_PERMANENT, "connect",
                             "the file with the certificate authorities cannot be read");
        if (!has_file)
            SSL_CTX_set_default_verify_paths(context);
        amqp_ssl_socket_set_verify_peer(socket, 1);
        amqp_ssl_socket_set_verify_hostname(socket, 1);
    }
    struct timeval timeout = timeval_from_ms(bus->rpc_timeout_ms);
    int status = amqp_socket_open_noblock(socket, info->host, info->port, &timeout);
    if (status != AMQP_STATUS_OK)
        return fail_status(bus, "connect", status);
    // The kernel gives the connection up when what we wrote stays unacknowledged, or finds no room, for that long.
    unsigned user_timeout_ms = (unsigned)bus->rpc_timeout_ms;
    setsockopt(amqp_get_sockfd(bus->connection), IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms,
               sizeof(user_timeout_ms));
    amqp_set_handshake_timeout(bus->connection, &timeout);
    amqp_set_rpc_timeout(bus->connection, &timeout);
    return 0;
}

static amqp_table_entry_t entry_bool(const char *key, bool value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = value}};
}

static amqp_table_entry_t entry_text(const char *key, const char *value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(value)}};
}

static amqp_table_entry_t entry_number(const char *key, int64_t value)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key),
                                .value = {.kind = AMQP_FIELD_KIND_I64, .value.i64 = value}};
}

static int log_in(struct bus *bus, const struct bus_options *options, const struct amqp_connection_info *info)
{
    // Without these the broker tells nobody that it blocks, or that a queue went away under its consumer.
    amqp_table_entry_t capabilities[] = {
        entry_bool("connection.blocked", true),
        entry_bool("consumer_cancel_notify", true),
    };
    amqp_table_entry_t properties[2] = {
        {.key = amqp_cstring_bytes("capabilities"),
         .value = {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {.num_entries = 2, .entries = capabilities}}},
    };
    amqp_table_t table = {.num_entries = 1, .entries = properties};
    if (options->name && options->name[0])
        properties[table.num_entries++] = entry_text("connection_name", options->name);
    int heartbeat = options->heartbeat_seconds > 0 ? options->heartbeat_seconds : HEARTBEAT_SECONDS;
    amqp_rpc_reply_t reply =
        amqp_login_with_properties(bus->connection, info->vhost, CHANNEL, FRAME_BYTES_MAX, heartbeat, &table,
                                   AMQP_SASL_METHOD_PLAIN, info->user, info->password);
    int result = check_reply(bus, "log in", &reply);
    if (result)
        return result;
    bus->logged_in = true;
    amqp_channel_open(bus->connection, CHANNEL);
    result = check_last_reply(bus, "open channel");
    if (result || !bus->confirms)
        return result;
    amqp_confirm_select(bus->connection, CHANNEL);
    return check_last_reply(bus, "ask for confirms");
}

// Copies the URL and cuts the copy in pieces; `info` points into it.
static int parse_url(const char *url, char copy[static URL_BYTES_MAX], struct amqp_connection_info *ret)
{
    size_t url_bytes = strlen(url);
    if (url_bytes >= URL_BYTES_MAX)
        return ERROR_INVALID;
    memcpy(copy, url, url_bytes + 1);
    return amqp_parse_url(copy, ret) == AMQP_STATUS_OK ? 0 : ERROR_INVALID;
}

int bus_check_url(const char *url)
{
    char copy[URL_BYTES_MAX];
    struct amqp_connection_info info;
    int result = parse_url(url, copy, &info);
    explicit_bzero(copy, sizeof(copy));
    return result;
}

static int open_connection(struct bus *bus, const struct bus_options *options)
{
    char url[URL_BYTES_MAX];
    struct amqp_connection_info info;
    if (parse_url(options->url, url, &info))
        return fail_text(bus, ERROR_INVALID, "URL", "not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST");
    bus->connection = amqp_new_connection();
    int result =
        bus->connection ? open_socket(bus, options, &info) : fail_text(bus, ERROR_MEMORY, "connect", "out of memory");
    if (result == 0)
        result = log_in(bus, options, &info);
    memset(url, 0, sizeof(url));
    return result;
}

int bus_open(const struct bus_options *options, bool confirms, struct bus **ret)
{
    struct bus *bus = calloc(1, sizeof(*bus));
    if (!bus)
        return ERROR_MEMORY;
    bus->rpc_timeout_ms = options->rpc_timeout_ms > 0 ? options->rpc_timeout_ms : RPC_TIMEOUT_MS;
    bus->confirms = confirms;
    bus_inbox_init(&bus->inbox);
    int result = open_connection(bus, options);
    if (result) {
        memcpy(open_error_text, bus->error_text, sizeof(open_error_text));
        bus_close(bus);
        return result;
    }
    *ret = bus;
    return 0;
}

void bus_close(struct bus *bus)
{
    if (!bus)
        return;
    // A broker that reads nothing would not hear the goodbye.
    if (bus->connection && bus->logged_in && !bus->blocked && !bus->dead)
        amqp_connection_close(bus->connection, AMQP_REPLY_SUCCESS);
    if (bus->connection)
        amqp_destroy_connection(bus->connection);
    bus_inbox_done(&bus->inbox);
    free(bus);
}

// ---------------------------------------------------------------- declaring

static int64_t deadline_in(int milliseconds)
{
    return clock_monotonic_ns() + (int64_t)(milliseconds > 0 ? milliseconds : 0) * NS_PER_MS;
}

// The library would wait for room in the socket for ever.
static int wait_for_room(struct bus *bus)
{
    int64_t deadline = deadline_in(bus->rpc_timeout_ms);
    struct pollfd room = {.fd = amqp_get_sockfd(bus->connection), .events = POLLOUT};
    for (;;) {
        int64_t left_ms = (deadline - clock_monotonic_ns()) / NS_PER_MS;
        int ready = poll(&room, 1, left_ms > 0 ? (int)left_ms : 0);
        if (ready > 0)
            return 0;
        if (ready == 0 || errno != EINTR)
            return fail_text(bus, ERROR_TRANSIENT, "send", "the broker takes nothing");
    }
}

static int begin(struct bus *bus)
{
    return bus->dead ? bus->dead_class : 0;
}

static int begin_sending(struct bus *bus)
{
    int result = begin(bus);
    return result ? result : wait_for_room(bus);
}

int bus_declare_exchange(struct bus *bus, const char *name, const char *type, bool durable)
{
    int result = begin_sending(bus);
    if (result)
        return result;
    amqp_exchange_declare(bus->connection, CHANNEL, amqp_cstring_bytes(name), amqp_cstring_bytes(type), 0, durable, 0,
                          0, amqp_empty_table);
    return check_last_reply(bus, "declare exchange");
}

static amqp_table_t queue_arguments(const struct bus_queue *queue, amqp_table_entry_t entries[static 8])
{
    int count = 0;
    if (queue->quorum)
        entries[count++] = entry_text("x-queue-type", "quorum");
    if (queue->single_active)
        entries[count++] = entry_bool("x-single-active-consumer", true);
    if (queue->length_max > 0) {
        entries[count++] = entry_number("x-max-length", queue->length_max);
        entries[count++] = entry_text("x-overflow", queue->drop_head ? "drop-head" : "reject-publish");
    }
    if (queue->delivery_limit > 0)
        entries[count++] = entry_number("x-delivery-limit", queue->delivery_limit);
    if (queue->dead_letters) {
        // At least once works only with a queue that refuses when it is full (RabbitMQ: Quorum queues, Dead lettering).
        entries[count++] = entry_text("x-dead-letter-exchange", "");
        entries[count++] = entry_text("x-dead-letter-routing-key", queue->dead_letters);
        entries[count++] = entry_text("x-dead-letter-strategy", "at-least-once");
        if (queue->length_max == 0)
            entries[count++] = entry_text("x-overflow", "reject-publish");
    }
    return (amqp_table_t){.num_entries = count, .entries = entries};
}

int bus_declare_queue(struct bus *bus, const struct bus_queue *queue, char ret_name[static BUS_NAME_BYTES])
{
    int result = begin_sending(bus);
    if (result)
        return result;
    amqp_table_entry_t entries[8];
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(bus->connection, CHANNEL, amqp_cstring_bytes(queue->name), 0, queue->durable,
                           queue->exclusive, queue->auto_delete, queue_arguments(queue, entries));
    // The answer lives in the library's buffers, which the check below may let go.
    char name[BUS_NAME_BYTES] = "";
    if (declared && declared->queue.len < sizeof(name)) {
        memcpy(name, declared->queue.bytes, declared->queue.len);
        name[declared->queue.len] = '\0';
    }
    result = check_last_reply(bus, "declare queue");
    if (result)
        return result;
    memcpy(ret_name, name, sizeof(name));
    return 0;
}

int bus_count_queue(struct bus *bus, const char *name, uint32_t *ret_messages, uint32_t *ret_consumers)
{
    int result = begin_sending(bus);
    if (result)
        return result;
    const amqp_queue_declare_ok_t *declared =
        amqp_queue_declare(bus->connection, CHANNEL, amqp_cstring_bytes(name), 1, 0, 0, 0, amqp_empty_table);
    const uint32_t messages = declared ? declared->message_count : 0,
                   consumers = declared ? declared->consumer_count : 0;
    result = check_last_reply(bus, "count queue");
    if (result)
        return result;
    *ret_messages = messages;
    *ret_consumers = consumers;
    return 0;
}

int bus_bind(struct bus *bus, const char *queue, const char *exchange, const char *routing_key)
{
    int result = begin_sending(bus);
    if (result)
        return result;
    amqp_queue_bind(bus->connection, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange),
                    amqp_cstring_bytes(routing_key), amqp_empty_table);
    return check_last_reply(bus, "bind");
}

int bus_consume(struct bus *bus, const char *queue, uint16_t prefetch, bool no_ack)
{
    int result = begin_sending(bus);
    if (result)
        return result;
    if (bus->consumer_count >= CONSUMERS_MAX)
        return ERROR_LIMIT;
    if (!no_ack) {
        // Per consumer: those that come after this call.
        amqp_basic_qos(bus->connection, CHANNEL, 0, prefetch, 0);
        result = check_last_reply(bus, "set prefetch");
        if (result)
            return result;
    }
    // The tag says how it consumes, so that a delivery does.
    char tag[32];
    snprintf(tag, sizeof(tag), "%s%zu", no_ack ? BUS_INBOX_TAG_NO_ACK : BUS_INBOX_TAG_ACK, ++bus->consumer_count);
    amqp_basic_consume(bus->connection, CHANNEL, amqp_cstring_bytes(queue), amqp_cstring_bytes(tag), 0, no_ack, 0,
                       amqp_empty_table);
    return check_last_reply(bus, "consume");
}

// ---------------------------------------------------------------- frames

static int take_method(struct bus *bus, const amqp_frame_t *frame)
{
    const amqp_method_t *method = &frame->payload.method;
    switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
        const amqp_basic_ack_t *ack = method->decoded;
        bus_confirms_answer(&bus->outstanding, ack->delivery_tag, ack->multiple, false);
        return 0;
    }
    case AMQP_BASIC_NACK_METHOD: {
        const amqp_basic_nack_t *nack = method->decoded;
        bus_confirms_answer(&bus->outstanding, nack->delivery_tag, nack->multiple, true);
        return 0;
    }
    case AMQP_BASIC_DELIVER_METHOD:
        bus_inbox_begin(&bus->inbox, method->decoded);
        return 0;
    case AMQP_BASIC_RETURN_METHOD:
        bus_inbox_begin(&bus->inbox, NULL); // its content follows and is not for us
        return 0;
    case AMQP_CONNECTION_BLOCKED_METHOD:
        bus->blocked = true;
        return 0;
    case AMQP_CONNECTION_UNBLOCKED_METHOD:
        bus->blocked = false;
        return 0;
    case AMQP_CHANNEL_CLOSE_METHOD:
    case AMQP_CONNECTION_CLOSE_METHOD:
        return fail_closed(bus, "closed by the broker", method);
    case AMQP_BASIC_CANCEL_METHOD:
        return fail_text(bus, ERROR_TRANSIENT, "consume", "the queue went away");
    default: // late answers to what was asked before
        return 0;
    }
}

static int take_frame(struct bus *bus, const amqp_frame_t *frame)
{
    int result = 0;
    switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
        return take_method(bus, frame);
    case AMQP_FRAME_HEADER:
        result = bus_inbox_header(&bus->inbox, frame->payload.properties.decoded, frame->payload.properties.body_size);
        break;
    case AMQP_FRAME_BODY:
        result = bus_inbox_body(&bus->inbox, frame->payload.body_fragment.bytes, frame->payload.body_fragment.len);
        break;
    default:
        return 0;
    }
    if (result == ERROR_MEMORY)
        return fail_text(bus, ERROR_MEMORY, "receive", "out of memory");
    if (result)
        return fail_text(bus, ERROR_TRANSIENT, "receive", "a message in pieces that do not belong together");
    return 0;
}

// Waits for one frame until `deadline_ns` at most (already past: takes what is there) and deals with it.
// ERROR_NOT_FOUND when none came.
static int take_next_frame(struct bus *bus, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - clock_monotonic_ns();
    if (left_ns < 0)
        left_ns = 0;
    // Rounded up: a wait of no time at all would turn the last millisecond into a busy loop.
    struct timeval timeout = timeval_from_ms((int)((left_ns + NS_PER_MS - 1) / NS_PER_MS));
    amqp_frame_t frame;
    amqp_maybe_release_buffers(bus->connection);
    int status = amqp_simple_wait_frame_noblock(bus->connection, &frame, &timeout);
    if (status == AMQP_STATUS_TIMEOUT)
        return ERROR_NOT_FOUND;
    if (status != AMQP_STATUS_OK)
        return fail_status(bus, "receive", status);
    return take_frame(bus, &frame);
}

// ---------------------------------------------------------------- publishing

// Takes the frames that have arrived, so that a block, a close or an acknowledgement is known before more is sent.
static int take_arrived(struct bus *bus)
{
    int result = 0;
    for (int i = 0; result == 0 && i < FRAMES_PER_PUBLISH_MAX && bus_inbox_has_room(&bus->inbox); i++)
        result = take_next_frame(bus, 0);
    return result == ERROR_NOT_FOUND ? 0 : result;
}

static amqp_bytes_t bytes_of(const void *data, size_t bytes)
{
    // The library does not write there, but its type has no const.
    union {
        const void *from;
        void *to;
    } either = {.from = data};
    return (amqp_bytes_t){.len = bytes, .bytes = either.to};
}

static void set_property(amqp_basic_properties_t *properties, amqp_bytes_t *field, amqp_flags_t flag, const char *text)
{
    if (!text)
        return;
    *field = amqp_cstring_bytes(text);
    properties->_flags |= flag;
}

static int send_message(struct bus *bus, const struct bus_message *message)
{
    amqp_basic_properties_t properties = {0};
    set_property(&properties, &properties.content_type, AMQP_BASIC_CONTENT_TYPE_FLAG, "application/json");
    set_property(&properties, &properties.type, AMQP_BASIC_TYPE_FLAG, message->type);
    set_property(&properties, &properties.reply_to, AMQP_BASIC_REPLY_TO_FLAG, message->reply_to);
    set_property(&properties, &properties.correlation_id, AMQP_BASIC_CORRELATION_ID_FLAG, message->correlation_id);
    set_property(&properties, &properties.message_id, AMQP_BASIC_MESSAGE_ID_FLAG, message->message_id);
    properties.delivery_mode = message->persistent ? AMQP_DELIVERY_PERSISTENT : AMQP_DELIVERY_NONPERSISTENT;
    properties._flags |= AMQP_BASIC_DELIVERY_MODE_FLAG;
    int status = amqp_basic_publish(bus->connection, CHANNEL, amqp_cstring_bytes(message->exchange),
                                    amqp_cstring_bytes(message->routing_key), 0, 0, &properties,
                                    bytes_of(message->body, message->body_bytes));
    return status == AMQP_STATUS_OK ? 0 : fail_status(bus, "publish", status);
}

int bus_publish(struct bus *bus, const struct bus_message *message, uint64_t *ret_number)
{
    int result = begin(bus);
    if (result == 0)
        result = take_arrived(bus);
    if (result)
        return result;
    if (bus->blocked) {
        snprintf(bus->error_text, sizeof(bus->error_text),
                 "publish: the broker blocks publishers (memory or disk alarm)");
        return ERROR_TRANSIENT;
    }
    if (bus->confirms && bus_confirms_is_full(&bus->outstanding)) {
        int64_t deadline = deadline_in(bus->rpc_timeout_ms);
        while (result == 0 && !bus->blocked && bus_confirms_is_full(&bus->outstanding))
            result = take_next_frame(bus, deadline);
        if (result == ERROR_NOT_FOUND || bus->blocked)
            return fail_text(bus, ERROR_TRANSIENT, "publish", "too much is unconfirmed");
        if (result)
            return result;
    }
    result = wait_for_room(bus);
    if (result == 0)
        result = send_message(bus, message);
    if (result)
        return result;
    if (bus->confirms) {
        uint64_t number = bus_confirms_published(&bus->outstanding);
        if (ret_number)
            *ret_number = number;
    }
    return 0;
}

int bus_wait_confirms(struct bus *bus, int timeout_ms)
{
    int result = begin(bus);
    int64_t deadline = deadline_in(timeout_ms);
    while (result == 0 && !bus_confirms_is_empty(&bus->outstanding)) {
        if (bus->blocked)
            return fail_text(bus, ERROR_TRANSIENT, "wait for confirms",
                             "the broker blocks publishers (memory or disk alarm)");
        result = take_next_frame(bus, deadline);
        if (result == ERROR_NOT_FOUND)
            return fail_text(bus, ERROR_TRANSIENT, "wait for confirms", "timed out");
    }
    if (result == 0 && bus_confirms_take_refused(&bus->outstanding)) {
        snprintf(bus->error_text, sizeof(bus->error_text), "wait for confirms: the broker refused a message");
        return ERROR_LIMIT;
    }
    return result;
}

// ---------------------------------------------------------------- receiving

int bus_receive(struct bus *bus, int timeout_ms, struct bus_delivery *ret)
{
    int64_t deadline = deadline_in(timeout_ms);
    struct bus_inbox_entry entry;
    while (!bus_inbox_take(&bus->inbox, &entry)) {
        int result = begin(bus);
        if (result == 0)
            result = take_next_frame(bus, deadline);
        if (result)
            return result;
    }
    if (!entry.is_dropped) {
        *ret = entry.delivery;
        return 0;
    }
    if (!entry.no_ack) {
        int result = bus_ack(bus, entry.delivery.tag, false);
        if (result)
            return result;
    }
    snprintf(bus->error_text, sizeof(bus->error_text), "receive: a message over %d bytes was dropped",
             BUS_INBOX_BODY_MAX);
    return ERROR_LIMIT;
}

void bus_delivery_done(struct bus_delivery *delivery)
{
    if (!delivery)
        return;
    free(delivery->body);
    memset(delivery, 0, sizeof(*delivery));
}

int bus_ack(struct bus *bus, uint64_t tag, bool multiple)
{
    int result = begin_sending(bus);
    if (result)
        return result;
    int status = amqp_basic_ack(bus->connection, CHANNEL, tag, multiple);
    return status == AMQP_STATUS_OK ? 0 : fail_status(bus, "acknowledge", status);
}
