// SPDX-License-Identifier: Apache-2.0
// A connection to a waiting room, HTTP/2 over TLS, that several visitors share; and one request on it. It connects when it
// is first asked for something, and anew when it was lost. All of it belongs to one loop's thread.
#ifndef BENCH_CROWD_LINK_H
#define BENCH_CROWD_LINK_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "bench/crowd/options.h"
#include "common/error.h"

struct link;
struct links;

enum exchange_end {
    EXCHANGE_COMPLETE, // the whole answer is there
    EXCHANGE_REFUSED, // nothing was done with it: ask again
    EXCHANGE_LOST, // it broke off, and whether anything was done is unknown
};

// One request and its answer. It lives in whoever asks, at least until on_end or exchange_cancel(). The callbacks may ask
// again, also with this same exchange from on_end on.
struct exchange {
    int status; // 0 until the head of the answer is there
    int64_t retry_after; // seconds; -1: not said
    void (*on_head)(struct exchange *exchange); // NULL: not wanted
    void (*on_data)(struct exchange *exchange, const char *data, size_t bytes);
    void (*on_end)(struct exchange *exchange, enum exchange_end end); // once, unless cancelled before
    // The link's:
    struct link *link; // NULL: none under way
    struct exchange *previous, *next;
    int32_t stream;
    const char *body; // what of the request's is not sent yet
    size_t body_bytes;
    bool open; // on its link's list
    size_t unread; // of a slow link: bytes that are not acknowledged yet
};

struct request {
    const char *method, *path, *accept;
    const char *token; // NULL: none
    // JSON; NULL: none. Borrowed until the exchange has ended or was cancelled.
    const char *body;
};

// The links of a run. `links_done()` closes them all without calling anybody; the loop must then run once more.
struct links *links_new(uv_loop_t *loop, SSL_CTX *tls);
void links_done(struct links *links); // accepts NULL
void links_free(struct links *links); // after the loop has run; accepts NULL
uint64_t links_opened(const struct links *links); // connections made so far
const char *links_problem(const struct links *links); // why the last connection failed or was lost; "" if none was

// A link to a room. A slow one reads its streams in sips, once a second, so that the room meets a full window.
struct link *link_new(struct links *links, const struct options_room *room,
                      bool slow); // owned by links; NULL: no memory

// Sends the request. ERROR_MEMORY: on_end is not called. A link that cannot connect ends its exchanges as lost.
int link_ask(struct link *link, const struct request *request, struct exchange *exchange) MUST_USE;

// Resets the stream. No callback of the exchange is called any more. Nothing happens when none is under way.
void exchange_cancel(struct exchange *exchange);

#endif
