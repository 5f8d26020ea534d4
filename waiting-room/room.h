// SPDX-License-Identifier: Apache-2.0
// The waiting room as a whole: its threads and what they are told at start, every half minute and on SIGHUP.
#ifndef WAITING_ROOM_ROOM_H
#define WAITING_ROOM_ROOM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/provider_event.h"
#include "waiting-room/feed.h"
#include "waiting-room/http.h"
#include "waiting-room/line_store.h"
#include "waiting-room/loops.h"
#include "waiting-room/room_config.h"

struct desk;
struct keys;
struct page_files;
struct ticket_keys;

struct room {
    struct room_config *config; // changes only in room_reload()
    const struct config_table *table;
    const char *config_path; // NULL: none
    char name[128]; // host:pid
    struct loops loops;
    struct line_store *store;
    struct feed *feed;
    struct desk *desk; // NULL: visitors do not pay by card
    struct http_server *server;
    _Atomic bool has_key; // one that signs
    _Atomic bool keys_failed; // said so in the log
    pthread_mutex_t lock; // guards what is below
    struct keys *keys; // the newest; NULL: none yet
    struct page_files *page;
    struct ticket_keys *tickets; // the newest; NULL: none yet
    bool tickets_failed; // said so in the log
    struct provider_event_secrets secrets; // count 0: no webhooks are taken
};

// Starts everything. MySQL and RabbitMQ may be away. 0, or the exit status to end with; the reason is in the log.
int room_open(struct room *room, struct room_config *config, const struct config_table *table,
              const char *config_path) MUST_USE;
void room_close(struct room *room); // drains

// What SIGHUP asks for: reloadable keys of the configuration, certificate, token keys, webhook secrets, page. What cannot be read stays.
void room_reload(struct room *room);

// Looks at the token keys again. Any thread.
void room_load_keys(struct room *room);

// What the payment provider's webhooks are signed with. Any thread.
void room_webhook_secrets(struct room *room, struct provider_event_secrets *ret);

// Tells every loop here, and the other waiting rooms, that somebody left. Any thread.
void room_tell_left(struct room *room, const char *slug, uint64_t number);

// Tells every other loop here, the other waiting rooms and admission that the order of a place was given, changed or taken back
// (already committed). `due`: the visitor is in their turn. A loop's thread.
void room_tell_ordered(struct room *room, const char *slug, uint64_t number, bool due);

// Tells payers that there is something to do for that place; slug "": for nobody knows whom. It is committed already. Any thread.
void room_ring(struct room *room, const char *slug, uint64_t number);

// For the operators' port.
bool room_is_ready(void *room, struct buffer *missing);

#endif
