// SPDX-License-Identifier: Apache-2.0
// onsale status and watch: the line, the pace that was asked for and the one that was had, who is there, who leads, orders and
// bookings, what is left. All but the depth of the queues is read from MySQL, so it is the truth also while RabbitMQ or admission is
// away.
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "admin/commands.h"
#include "admin/event_file.h"
#include "admin/status_orders.h"
#include "admin/table.h"
#include "common/buffer.h"
#include "common/bus.h"
#include "common/clock.h"

#define LEASE_US 2000000 // what the leader's row is renewed by
#define WATCH_INTERVAL_MS 1000
#define WATCH_SHARE 10 // counting the orders takes at most one part in so many of the time
#define WATCH_COUNT_MAX 1000000000
#define BAR_WIDTH 50

// What was served a while ago comes from the index on (event, at); the presence of a room that fell silent no longer
// counts.
#define SERVED_AGO(seconds)                                                                               \
    "COALESCE((SELECT l.served FROM served_log l WHERE l.event_id = e.id AND l.at <= UTC_TIMESTAMP(6) - " \
    "INTERVAL " seconds " SECOND ORDER BY l.at DESC, l.served DESC LIMIT 1), 0)"
// clang-format off
#define STATUS_COLUMNS                                                                                                 \
    "SELECT e.id, e.slug, e.name, e.state, e.pace, c.last, s.served, s.us_per_place_low, s.us_per_place_high, "        \
    "(SELECT COALESCE(SUM(p.present), 0) FROM presence p WHERE p.event_id = e.id "                                     \
    "AND p.reported_at > UTC_TIMESTAMP(6) - INTERVAL 10 SECOND), "                                                     \
    SERVED_AGO("10") ", " SERVED_AGO("60") ", UTC_TIMESTAMP(6), e.stop_reason, e.notice "                              \
    "FROM events e JOIN line_counters c ON c.event_id = e.id JOIN line_served s ON s.event_id = e.id "
// clang-format on
enum {
    STATUS_ID,
    STATUS_SLUG,
    STATUS_NAME,
    STATUS_STATE,
    STATUS_PACE,
    STATUS_LAST,
    STATUS_SERVED,
    STATUS_LOW,
    STATUS_HIGH,
    STATUS_PRESENT,
    STATUS_SERVED_10,
    STATUS_SERVED_60,
    STATUS_NOW,
    STATUS_STOP_REASON,
    STATUS_NOTICE,
};

struct status {
    struct db_rows *line; // STATUS_COLUMNS
    struct db_rows *tiers; // code, name, capacity, held, sold, standby
    struct db_rows *leader; // holder, epoch, alive, microseconds since it expired
    struct status_orders orders;
    const char *broker; // "reachable", "away"
    bool has_queues;
    struct status_queues queues;
};

static void status_done(struct status *status)
{
    db_rows_free(status->line);
    db_rows_free(status->tiers);
    db_rows_free(status->leader);
    status_orders_done(&status->orders);
    *status = (struct status){0};
}

// All but the orders, which may be dear to count.
static int status_read(struct db *db, const char *slug, struct status *ret)
{
    int r = db_read(db, STATUS_COLUMNS "WHERE e.slug = ?", (struct db_value[]){db_text(slug)}, 1, 1, &ret->line);
    if (r < 0 || db_rows_count(ret->line) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    r = db_read(db, "SELECT code, name, capacity, held, sold, standby FROM tiers WHERE event_id = ? ORDER BY position",
                (struct db_value[]){DB_U(db_u64(ret->line, 0, STATUS_ID))}, 1, EVENT_FILE_TIERS_MAX, &ret->tiers);
    if (r < 0)
        return r;
    return db_read(db,
                   "SELECT holder, epoch, expires_at > UTC_TIMESTAMP(6), TIMESTAMPDIFF(MICROSECOND, expires_at, "
                   "UTC_TIMESTAMP(6)) FROM leaders WHERE name = 'admission'",
                   NULL, 0, 1, &ret->leader);
}

static uint64_t waiting(const struct db_rows *rows, size_t row)
{
    uint64_t last = db_u64(rows, row, STATUS_LAST), served = db_u64(rows, row, STATUS_SERVED);
    return last > served ? last - served : 0;
}

static double had(const struct db_rows *rows, size_t row, size_t column, double seconds)
{
    uint64_t now = db_u64(rows, row, STATUS_SERVED), ago = db_u64(rows, row, column);
    return now > ago ? (double)(now - ago) / seconds : 0;
}

static json_t *line_json(const struct db_rows *rows, size_t row)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:{s:s, s:f, s:f}}", "event",
                     db_string(rows, row, STATUS_SLUG), "name", db_string(rows, row, STATUS_NAME), "state",
                     db_string(rows, row, STATUS_STATE), "line", (json_int_t)db_u64(rows, row, STATUS_LAST), "served",
                     (json_int_t)db_u64(rows, row, STATUS_SERVED), "waiting", (json_int_t)waiting(rows, row), "present",
                     (json_int_t)db_u64(rows, row, STATUS_PRESENT), "pace", "asked", db_string(rows, row, STATUS_PACE),
                     "had_per_second_10s", had(rows, row, STATUS_SERVED_10, 10), "had_per_second_60s",
                     had(rows, row, STATUS_SERVED_60, 60));
}

static int64_t leader_age_us(const struct db_rows *leader)
{
    int64_t age_us = db_i64(leader, 0, 3) + LEASE_US;
    return age_us > 0 ? age_us : 0;
}

static json_t *leader_json(const struct db_rows *leader)
{
    if (db_rows_count(leader) == 0 || !*db_string(leader, 0, 0))
        return json_null();
    return json_pack("{s:s, s:I, s:b, s:I}", "holder", db_string(leader, 0, 0), "epoch",
                     (json_int_t)db_u64(leader, 0, 1), "alive", (int)db_u64(leader, 0, 2), "age_ms",
                     (json_int_t)(leader_age_us(leader) / 1000));
}

static json_t *status_json(const struct status *status)
{
    const struct db_rows *line = status->line;
    json_t *json = line_json(line, 0), *tiers = json_array();
    char now[CLOCK_TEXT_BYTES];
    for (size_t i = 0; i < db_rows_count(status->tiers); i++) {
        uint64_t capacity = db_u64(status->tiers, i, 2), held = db_u64(status->tiers, i, 3),
                 sold = db_u64(status->tiers, i, 4);
        const char *code = db_string(status->tiers, i, 0);
        json_array_append_new(tiers, json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "code", code, "name",
                                               db_string(status->tiers, i, 1), "capacity", (json_int_t)capacity, "held",
                                               (json_int_t)held, "sold", (json_int_t)sold, "left",
                                               (json_int_t)(capacity - held - sold), "asked",
                                               (json_int_t)status_orders_asked(&status->orders, code), "standby",
                                               (json_int_t)db_u64(status->tiers, i, 5)));
    }
    json_object_set_new(json, "now", json_string(clock_format(db_time_us(line, 0, STATUS_NOW), now)));
    json_object_set_new(json, "seconds_per_place",
                        db_is_null(line, 0, STATUS_LOW) ? json_null()
                                                        : json_pack("[f, f]", (double)db_u64(line, 0, STATUS_LOW) / 1e6,
                                                                    (double)db_u64(line, 0, STATUS_HIGH) / 1e6));
    json_object_set_new(json, "stop_reason",
                        db_is_null(line, 0, STATUS_STOP_REASON) ? json_null()
                                                                : json_string(db_string(line, 0, STATUS_STOP_REASON)));
    json_object_set_new(json, "notice",
                        db_is_null(line, 0, STATUS_NOTICE) ? json_null()
                                                           : json_string(db_string(line, 0, STATUS_NOTICE)));
    json_object_set_new(json, "tiers", tiers);
    json_object_set_new(json, "leader", leader_json(status->leader));
    json_object_set_new(json, "broker", json_string(status->broker));
    status_orders_json(&status->orders, status->has_queues ? &status->queues : NULL, json);
    return json;
}

static void write_bar(uint64_t part, uint64_t whole, struct buffer *text)
{
    uint64_t filled = whole ? part * BAR_WIDTH / whole : 0;
    buffer_text(text, "              [");
    for (uint64_t i = 0; i < BAR_WIDTH; i++)
        buffer_text(text, i < filled ? "#" : ".");
    buffer_text(text, "]\n");
}

static void write_tiers(const struct status *status, struct buffer *text)
{
    const struct db_rows *tiers = status->tiers;
    size_t count = db_rows_count(tiers);
    enum { NUMBERS = 6, COLUMNS = NUMBERS + 2 };
    char(*numbers)[NUMBERS][24] = calloc(count + 1, sizeof(*numbers));
    const char **cells = calloc((count + 1) * COLUMNS, sizeof(*cells));
    if (count && numbers && cells) {
        const char *heads[] = {"TIER", ">LEFT", ">ASKED", ">HELD", ">SOLD", ">STANDBY", ">CAPACITY", "NAME"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < count; i++) {
            uint64_t capacity = db_u64(tiers, i, 2), held = db_u64(tiers, i, 3), sold = db_u64(tiers, i, 4);
            const uint64_t values[] = {capacity - held - sold,
                                       status_orders_asked(&status->orders, db_string(tiers, i, 0)),
                                       held,
                                       sold,
                                       db_u64(tiers, i, 5),
                                       capacity};
            const char **row = &cells[COLUMNS * (i + 1)];
            row[0] = db_string(tiers, i, 0);
            for (size_t v = 0; v < NUMBERS; v++) {
                snprintf(numbers[i][v], sizeof(numbers[i][v]), "%" PRIu64, values[v]);
                row[1 + v] = numbers[i][v];
            }
            row[COLUMNS - 1] = db_string(tiers, i, 1);
        }
        buffer_text(text, "\n");
        table_write(cells, COLUMNS, count + 1, text);
    }
    free(numbers);
    free(cells);
}

static void status_text(const struct status *status, bool bar, struct buffer *text)
{
    const struct db_rows *line = status->line, *leader = status->leader;
    char now[CLOCK_TEXT_BYTES];
    uint64_t last = db_u64(line, 0, STATUS_LAST), served = db_u64(line, 0, STATUS_SERVED);
    bool stopped = !db_is_null(line, 0, STATUS_STOP_REASON);
    buffer_format(text, "%s  %s  %s\n", db_string(line, 0, STATUS_SLUG), db_string(line, 0, STATUS_NAME),
                  clock_format(db_time_us(line, 0, STATUS_NOW), now));
    buffer_format(text, "state         %s%s%s\n", db_string(line, 0, STATUS_STATE), stopped ? ": " : "",
                  stopped ? db_string(line, 0, STATUS_STOP_REASON) : "");
    buffer_format(text, "line          %" PRIu64 " %s, %" PRIu64 " let in, %" PRIu64 " waiting\n", last,
                  last == 1 ? "place" : "places", served, waiting(line, 0));
    if (bar)
        write_bar(served, last, text);
    buffer_format(text, "present       %" PRIu64 "\n", db_u64(line, 0, STATUS_PRESENT));
    buffer_format(text, "pace          %s asked; had %.1f/s over 10 s, %.1f/s over 60 s\n",
                  db_string(line, 0, STATUS_PACE), had(line, 0, STATUS_SERVED_10, 10),
                  had(line, 0, STATUS_SERVED_60, 60));
    if (db_rows_count(leader) == 0 || !*db_string(leader, 0, 0))
        buffer_text(text, "admission     has not run yet\n");
    else
        buffer_format(text, "admission     %s%s, epoch %" PRIu64 ", heard of %.1f s ago\n", db_string(leader, 0, 0),
                      db_u64(leader, 0, 2) ? " leads" : " led and is away", db_u64(leader, 0, 1),
                      (double)leader_age_us(leader) / 1e6);
    buffer_format(text, "RabbitMQ      %s\n", status->broker);
    status_orders_text(&status->orders, status->has_queues ? &status->queues : NULL, text);
    if (!db_is_null(line, 0, STATUS_NOTICE))
        buffer_format(text, "notice        %s\n", db_string(line, 0, STATUS_NOTICE));
    write_tiers(status, text);
}

// Counts the queues over a connection that is kept, and made anew when it is gone. A queue that is missing costs it.
static void ask_broker(const struct context *context, struct bus **bus, struct status *status)
{
    const struct bus_options options = {.url = context->config->common.amqp_url,
                                        .tls_ca = context->config->common.amqp_tls_ca,
                                        .name = "onsale status",
                                        .rpc_timeout_ms = 1000};
    status->broker = "away";
    if (!*bus && bus_open(&options, false, bus) < 0) {
        *bus = NULL;
        return;
    }
    const bool has_payments =
        context->config->common.payment_provider == PAYMENT_STRIPE || status_orders_has_payments(&status->orders);
    int r = status_queues_read(*bus, db_u64(status->line, 0, STATUS_ID), has_payments, &status->queues);
    if (r == ERROR_TRANSIENT) { // it went away meanwhile
        bus_close(*bus);
        *bus = NULL;
        return;
    }
    status->broker = "reachable";
    status->has_queues = true;
    if (r < 0) {
        bus_close(*bus);
        *bus = NULL;
    }
}

static int show_one(struct context *context, const char *slug)
{
    struct status status = {0};
    struct bus *bus = NULL;
    int r = status_read(context->db, slug, &status), result;
    if (r == 0)
        r = status_orders_read(context->db, db_u64(status.line, 0, STATUS_ID), &status.orders);
    if (r == 0)
        ask_broker(context, &bus, &status);
    bus_close(bus);
    if (r == ERROR_NOT_FOUND) {
        result = context_no_event(context, slug);
    } else if (r < 0) {
        result = context_db_failed(context, r, "status");
    } else if (context->json) {
        result = context_print_json(context, status_json(&status));
    } else {
        struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
        status_text(&status, false, &text);
        result = context_print_text(context, &text);
    }
    status_done(&status);
    return result;
}

static int print_all(const struct context *context, const struct db_rows *rows, size_t count)
{
    bool more = db_rows_count(rows) > count;
    if (context->json)
        return context_print_items(context, rows, count, line_json,
                                   more ? db_string(rows, count - 1, STATUS_SLUG) : NULL);
    char(*numbers)[4][24] = calloc(count + 1, sizeof(*numbers));
    const char **cells = calloc((count + 1) * 8, sizeof(*cells));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    text.failed = !numbers || !cells;
    if (!text.failed) {
        const char *heads[] = {"EVENT", "STATE", ">LINE", ">LET IN", ">WAITING", ">PRESENT", ">PACE", "NAME"};
        memcpy(cells, heads, sizeof(heads));
        for (size_t i = 0; i < count; i++) {
            const uint64_t values[] = {db_u64(rows, i, STATUS_LAST), db_u64(rows, i, STATUS_SERVED), waiting(rows, i),
                                       db_u64(rows, i, STATUS_PRESENT)};
            const char **row = &cells[8 * (i + 1)];
            row[0] = db_string(rows, i, STATUS_SLUG);
            row[1] = db_string(rows, i, STATUS_STATE);
            for (size_t v = 0; v < 4; v++) {
                snprintf(numbers[i][v], sizeof(numbers[i][v]), "%" PRIu64, values[v]);
                row[2 + v] = numbers[i][v];
            }
            row[6] = db_string(rows, i, STATUS_PACE);
            row[7] = db_string(rows, i, STATUS_NAME);
        }
        table_write(cells, 8, count + 1, &text);
        if (more)
            buffer_format(&text, "more: onsale status --after %s\n", db_string(rows, count - 1, STATUS_SLUG));
    }
    free(numbers);
    free(cells);
    return context_print_text(context, &text);
}

static int show_all(struct context *context, size_t limit)
{
    const char *after = context_option(context, "after");
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(context->db, STATUS_COLUMNS "WHERE e.slug > ? ORDER BY e.slug LIMIT ?",
                    (struct db_value[]){db_text(after ? after : ""), DB_U(limit + 1)}, 2, limit + 1, &rows);
    if (r < 0)
        return context_db_failed(context, r, "status");
    return print_all(context, rows, db_rows_count(rows) < limit ? db_rows_count(rows) : limit);
}

int command_status(struct context *context)
{
    size_t limit;
    int status = context_limit(context, &limit);
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    return context->argument_count ? show_one(context, context->arguments[0]) : show_all(context, limit);
}

// What is kept from one drawing to the next.
struct watch {
    struct bus *bus;
    struct status_orders orders;
    int64_t orders_until_ns; // they are good enough until then
};

// Counting a million orders takes its time: it may take a tenth of it, so that who watches does not slow down what is watched.
static int watch_orders(struct context *context, struct watch *watch, uint64_t event_id)
{
    struct status_orders orders;
    if (clock_monotonic_ns() < watch->orders_until_ns)
        return 0;
    int r = status_orders_read(context->db, event_id, &orders);
    if (r < 0)
        return r;
    status_orders_done(&watch->orders);
    watch->orders = orders;
    watch->orders_until_ns = clock_monotonic_ns() + orders.cost_us * 1000 * WATCH_SHARE;
    return 0;
}

static int watch_once(struct context *context, struct watch *watch, const char *slug, bool terminal)
{
    struct status status = {0};
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    int result = EXIT_DONE, r = db_ensure(context->db);
    if (r == 0)
        r = status_read(context->db, slug, &status);
    if (r == 0)
        r = watch_orders(context, watch, db_u64(status.line, 0, STATUS_ID));
    if (r == 0) {
        status.orders = watch->orders; // lent
        ask_broker(context, &watch->bus, &status);
    }
    if (terminal)
        buffer_text(&text, "\033[H\033[J"); // home, and clear from there
    if (r == ERROR_NOT_FOUND) {
        result = context_no_event(context, slug);
    } else if (r == ERROR_TRANSIENT) {
        // It goes on by itself once MySQL is back.
        context_note(context, "MySQL is out of reach: %s", db_error_text(context->db));
    } else if (r < 0) {
        result = context_db_failed(context, r, "watch");
    } else if (context->json) {
        result = context_print_json(context, status_json(&status));
    } else {
        status_text(&status, true, &text);
        if (!terminal)
            buffer_text(&text, "\n");
        result = context_print_text(context, &text);
    }
    status.orders = (struct status_orders){0};
    status_done(&status);
    return result;
}

int command_watch(struct context *context)
{
    const char *count_text = context_option(context, "count");
    unsigned long count = WATCH_COUNT_MAX;
    if (count_text) {
        char *end;
        count = strtoul(count_text, &end, 10);
        if (*end || *count_text < '0' || *count_text > '9' || count < 1 || count > WATCH_COUNT_MAX)
            return context_fail(context, EXIT_USAGE, "--count is '%.20s'; 1 to %d are allowed", count_text,
                                WATCH_COUNT_MAX);
    }
    int result = context_database(context);
    if (result != EXIT_DONE)
        return result;
    // Ctrl-C is the usual end, not a failure.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    int signals = signalfd(-1, &ends, SFD_CLOEXEC);
    struct pollfd wait = {.fd = signals, .events = POLLIN};
    bool terminal = !context->json && isatty(STDOUT_FILENO);
    struct watch watch = {0};
    for (unsigned long i = 0; result == EXIT_DONE && i < count; i++) {
        if (i && poll(&wait, 1, WATCH_INTERVAL_MS) != 0)
            break;
        result = watch_once(context, &watch, context->arguments[0], terminal);
    }
    bus_close(watch.bus);
    status_orders_done(&watch.orders);
    close(signals);
    return result;
}
