// SPDX-License-Identifier: Apache-2.0
// Starting, reloading and ending the parts in the right order: the server is the last to start and the first to end.
#include "waiting-room/room.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "waiting-room/desk.h"
#include "waiting-room/handle.h"
#include "waiting-room/keys.h"
#include "waiting-room/page_files.h"
#include "waiting-room/room_loop.h"
#include "waiting-room/router.h"
#include "waiting-room/stream.h"
#include "waiting-room/visit.h"

#define EXIT_FAILED 1
#define EXIT_CONFIGURATION 2

static void load_queue_keys(struct room *room)
{
    struct keys *keys = NULL;
    char problem[256] = "";
    int error = keys_load(room->config->common.tokens_directory, &keys, problem, sizeof problem);
    bool signs = error == 0 && keyring_signing_key(&keys->keyring, clock_utc_us() / 1000000);
    bool signed_before = atomic_exchange(&room->has_key, signs);
    if (error < 0) {
        // A directory that cannot be read for a moment takes no key away from the loops.
        if (!atomic_exchange(&room->keys_failed, true))
            log_warn("keys_not_read", LOG_S("class", error_str(error)), LOG_S("problem", problem));
        pthread_mutex_lock(&room->lock);
        atomic_store(&room->has_key, room->keys != NULL);
        pthread_mutex_unlock(&room->lock);
        return;
    }
    if (atomic_exchange(&room->keys_failed, false) || signs != signed_before)
        log_info("keys_read", LOG_U("count", keys->keyring.key_count));
    loops_post_all(&room->loops, room_loop_on_keyring, keys, keys_hold);
    pthread_mutex_lock(&room->lock);
    struct keys *old = room->keys;
    room->keys = keys;
    pthread_mutex_unlock(&room->lock);
    keys_unref(old);
}

// Without these keys tickets have no code; all else goes on.
static void load_ticket_keys(struct room *room)
{
    struct ticket_keys *keys = NULL, *old = NULL;
    char problem[256] = "";
    int error = ticket_keys_load(room->config->common.tokens_directory, &keys, problem, sizeof problem);
    pthread_mutex_lock(&room->lock);
    size_t count = keys ? keys->count : 0;
    bool failed_before = room->tickets_failed, is_first = !room->tickets && error == 0;
    room->tickets_failed = error < 0;
    if (error == 0) {
        old = room->tickets;
        room->tickets = keys;
        loops_post_all(&room->loops, room_loop_on_tickets, keys, ticket_keys_hold);
    }
    pthread_mutex_unlock(&room->lock);
    ticket_keys_unref(old);
    if (error < 0 && !failed_before)
        log_warn("ticket_keys_not_read", LOG_S("class", error_str(error)), LOG_S("problem", problem));
    else if (error == 0 && (failed_before || is_first))
        log_info("ticket_keys_read", LOG_U("count", count));
}

void room_load_keys(struct room *room)
{
    load_queue_keys(room);
    load_ticket_keys(room);
}

static int load_page(struct room *room)
{
    struct page_files *page = NULL;
    char problem[256] = "";
    int error = page_files_load(room->config->page_directory, &page, problem, sizeof problem);
    if (error < 0) {
        log_error("page_not_read", LOG_S("class", error_str(error)), LOG_S("problem", problem));
        return error;
    }
    loops_post_all(&room->loops, room_loop_on_page, page, page_files_hold);
    pthread_mutex_lock(&room->lock);
    struct page_files *old = room->page;
    room->page = page;
    pthread_mutex_unlock(&room->lock);
    page_files_unref(old);
    return 0;
}

// What cannot be read stays.
static void load_secrets(struct room *room)
{
    struct provider_event_secrets secrets = {0};
    char problem[256] = "";
    if (room->config->common.payment_provider != PAYMENT_STRIPE)
        return;
    int error = provider_event_read_secrets(room->config->common.payment_webhook_secret_file, &secrets, problem,
                                            sizeof problem);
    if (error < 0 && error != ERROR_NOT_FOUND) {
        log_error("webhook_secrets_not_read", LOG_S("class", error_str(error)), LOG_S("problem", problem));
        return;
    }
    if (error == ERROR_NOT_FOUND)
        log_warn("no_webhooks", LOG_S("reason", "no webhook_secret_file: news of payments are asked for instead"));
    pthread_mutex_lock(&room->lock);
    room->secrets = secrets;
    pthread_mutex_unlock(&room->lock);
    explicit_bzero(&secrets, sizeof secrets);
}

void room_webhook_secrets(struct room *room, struct provider_event_secrets *ret)
{
    pthread_mutex_lock(&room->lock);
    *ret = room->secrets;
    pthread_mutex_unlock(&room->lock);
}

static void name_room(struct room *room)
{
    char host[64] = "";
    if (gethostname(host, sizeof host - 1) < 0 || !*host)
        snprintf(host, sizeof host, "localhost");
    snprintf(room->name, sizeof room->name, "%s:%ld", host, (long)getpid());
}

static int open_threads(struct room *room)
{
    const char *doing = "open MySQL's thread", *why = "";
    int error = line_store_open(&(struct line_store_options){.config = room->config,
                                                             .loops = &room->loops,
                                                             .room = room->name,
                                                             .on_snapshot = room_loop_on_snapshot,
                                                             .on_served = room_loop_on_served,
                                                             .on_stock = room_loop_on_stock,
                                                             .on_ready = room_loop_on_ready},
                                &room->store);
    if (error < 0)
        why = db_error_text(NULL); // a server that refuses us; one that is away is waited for
    else
        doing = "open RabbitMQ's thread";
    if (error == 0)
        error = feed_open(&(struct feed_options){.config = room->config,
                                                 .room = room->name,
                                                 .loops = &room->loops,
                                                 .store = room->store,
                                                 .on_served = room_loop_on_served,
                                                 .on_left = room_loop_on_left,
                                                 .on_ordered = room_loop_on_ordered,
                                                 .on_outcomes = room_loop_on_outcomes,
                                                 .on_outcomes_missed = room_loop_on_outcomes_missed,
                                                 .on_stock = room_loop_on_stock,
                                                 .on_back = room_loop_on_feed_back},
                          &room->feed);
    char problem[256] = "";
    if (error == 0 && room->config->common.payment_provider == PAYMENT_STRIPE) {
        doing = "open the payment provider's thread";
        error = desk_open(&room->config->common, &room->loops, &room->desk, problem, sizeof problem);
        why = problem;
    }
    if (error < 0)
        log_error("start_failed", LOG_S("doing", doing), LOG_S("class", error_str(error)), LOG_S("error", why));
    return error;
}

static int open_server(struct room *room)
{
    const struct room_config *config = room->config;
    struct http_server_options options = {
        .listen = config->listen,
        .listen_cleartext = config->listen_cleartext,
        .certificate = config->certificate,
        .private_key = config->private_key,
        .trusted_proxies = config->trusted_proxies,
        .threads = config->threads,
        .connections_max = config->connections_max,
        .connections_per_address_max = config->connections_per_address,
        .idle_seconds = config->idle_seconds,
        .handler = {router_request, router_closed, router_body_bytes_max},
        .context = room,
    };
    char problem[256] = "";
    int error = http_server_open(&options, room_loop_start, room_loop_stop, &room->server, problem, sizeof problem);
    if (error < 0)
        log_error("cannot_listen", LOG_S("class", error_str(error)), LOG_S("problem", problem));
    return error;
}

int room_open(struct room *room, struct room_config *config, const struct config_table *table, const char *config_path)
{
    *room =
        (struct room){.config = config, .table = table, .config_path = config_path, .lock = PTHREAD_MUTEX_INITIALIZER};
    line_store_register_metrics();
    feed_register_metrics();
    stream_register_metrics();
    visit_register_metrics();
    desk_register_metrics();
    handle_webhook_register_metrics();
    name_room(room);
    loops_init(&room->loops);
    room_load_keys(room);
    load_secrets(room);
    int error = load_page(room);
    if (error < 0)
        return EXIT_CONFIGURATION;
    error = open_threads(room);
    if (error < 0) {
        room_close(room);
        return EXIT_FAILED;
    }
    error = open_server(room);
    if (error < 0) {
        room_close(room);
        return error == ERROR_INVALID ? EXIT_CONFIGURATION : EXIT_FAILED;
    }
    log_info("listening", LOG_U("tls_port", http_server_port(room->server, true)),
             LOG_U("cleartext_port", http_server_port(room->server, false)), LOG_S("room", room->name));
    return 0;
}

void room_close(struct room *room)
{
    if (room->server)
        http_server_drain(room->server, room->config->drain_seconds * 1000);
    if (room->feed)
        feed_stop(room->feed);
    if (room->desk) // before the store, which its jobs go to next
        desk_stop(room->desk);
    if (room->store)
        line_store_stop(room->store);
    // Nobody posts to the loops any more, but until their end they still look at both.
    if (room->server)
        http_server_close(room->server, 0);
    feed_free(room->feed);
    desk_free(room->desk);
    line_store_free(room->store);
    keys_unref(room->keys);
    page_files_unref(room->page);
    ticket_keys_unref(room->tickets);
    loops_done(&room->loops);
    explicit_bzero(&room->secrets, sizeof room->secrets);
    pthread_mutex_destroy(&room->lock);
}

void room_reload(struct room *room)
{
    struct buffer problems CLEANUP(buffer_done) = BUFFER_INIT;
    char problem[256] = "";
    if (config_reload(room->table, room->config_path, &problems) < 0)
        log_error("reload_failed", LOG_S("problem", problems.data));
    log_set_level((enum log_level)room->config->common.log_level);
    line_store_set_joins_per_address(room->store, room->config->joins_per_address);
    if (http_server_reload(room->server, problem, sizeof problem) < 0)
        log_error("certificate_not_read", LOG_S("problem", problem));
    room_load_keys(room);
    load_secrets(room);
    if (load_page(room) == 0)
        log_info("reloaded", LOG_S("room", room->name));
}

void room_tell_left(struct room *room, const char *slug, uint64_t number)
{
    struct left_news *news = left_news_new(slug, number);
    if (news) {
        loops_post_all(&room->loops, room_loop_on_left, news, news_hold);
        news_unref(news);
    }
    feed_publish_left(room->feed, slug, number);
}

void room_tell_ordered(struct room *room, const char *slug, uint64_t number, bool due)
{
    struct ordered_news *news = ordered_news_new(slug, &number, 1);
    if (news) {
        news->by_loop = true;
        news->loop_thread = pthread_self();
        loops_post_all(&room->loops, room_loop_on_ordered, news, news_hold);
        news_unref(news);
    }
    feed_publish_ordered(room->feed, slug, number, due);
}

void room_ring(struct room *room, const char *slug, uint64_t number)
{
    feed_ring(room->feed, slug, number);
}

bool room_is_ready(void *argument, struct buffer *missing)
{
    struct room *room = argument;
    bool ready = true;
    if (!line_store_is_ready(room->store)) {
        buffer_text(missing, "mysql: not reachable, or the database is not migrated\n");
        ready = false;
    }
    if (!atomic_load(&room->has_key)) {
        buffer_text(missing, "key: no key signs queue tokens; `onsale keys rotate` makes one\n");
        ready = false;
    }
    if (!feed_is_connected(room->feed))
        buffer_text(missing, "rabbitmq: not reachable; the line is read from MySQL once a second\n");
    return ready;
}
