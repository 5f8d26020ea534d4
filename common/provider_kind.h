// SPDX-License-Identifier: Apache-2.0
// What a payment provider is made of for common/provider.c: how a request is put into bytes, and what the bytes of an answer mean. Both are
// pure. Another provider is another table of these.
#ifndef COMMON_PROVIDER_KIND_H
#define COMMON_PROVIDER_KIND_H

#include <stddef.h>

#include "common/buffer.h"
#include "common/http_client.h"
#include "common/provider.h"

#define PROVIDER_SECRET_KEY_BYTES 256 // with NUL

// A request as it goes over the wire. Zeroed before it is written, and freed with provider_wire_done().
struct provider_wire {
    const char *method;
    struct buffer path; // with the query; appended to the base URL
    struct buffer body; // of POST
    size_t header_count;
    struct buffer headers[HTTP_CLIENT_HEADERS_MAX]; // "Name: value"
};
void provider_wire_done(struct provider_wire *wire); // also overwrites the headers, which hold the key

// What has to be known of a request when its answer comes, so that the answer to another (of a server, or of something between, that lost count on a
// connection) is never taken for this one's.
struct provider_asked {
    enum provider_call call;
    char id[PROVIDER_ID_BYTES]; // the intent or session that was asked for; "": one that is to be made, or a list
    // CREATE, CARD_PAGE (which has no attempt): whose it is to be. slug "": of the others.
    char slug[SLUG_BYTES];
    uint64_t place;
    uint32_t attempt, number;
};

struct provider_kind {
    const char *name;
    // ERROR_INVALID: something in the request cannot be said; ERROR_MEMORY.
    int (*write)(const struct provider_request *request, const char *secret_key, struct provider_wire *ret);
    // Makes something of whatever came. `listed` has room for PROVIDER_LIST_MAX intents, and is used by LIST alone (may be NULL for others).
    void (*read)(const struct provider_asked *asked, const struct http_client_answer *answer,
                 struct provider_intent *listed, struct provider_answer *ret);
};

#endif
