// SPDX-License-Identifier: Apache-2.0
// What the provider tells of its own accord (webhooks in): whether it is really the provider, and what it is about. Pure. Nothing is decided
// by what such a message says; it is a reason to ask. Stripe: "Check the webhook signatures", scheme v1.
#ifndef COMMON_PROVIDER_EVENT_H
#define COMMON_PROVIDER_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/provider.h"

// Of a body. Stripe's are a few KiB; some beyond 16 were seen, of an account that sells other things as well. 256 of them fit into one statement.
#define PROVIDER_EVENT_BYTES_MAX (48 * 1024)
#define PROVIDER_EVENT_TOLERANCE_SECONDS 300 // how old, or how far in the future, a signature may be
#define PROVIDER_EVENT_SECRETS_MAX 4
#define PROVIDER_EVENT_SECRET_BYTES 256 // with NUL

struct provider_event_secrets {
    size_t count;
    char items[PROVIDER_EVENT_SECRETS_MAX][PROVIDER_EVENT_SECRET_BYTES];
};
// One a line; while a secret is changed two are good. ERROR_NOT_FOUND: path is ""; ERROR_PERMANENT (cannot be read, or group or others can read it
// too), ERROR_INVALID with the reason in `problem`.
int provider_event_read_secrets(const char *path, struct provider_event_secrets *ret, char *problem,
                                size_t problem_bytes) MUST_USE;

// Verifies the header over the raw body, `now` in seconds since 1970. 0; ERROR_INVALID: no such header, not signed by any of the secrets;
// ERROR_LIMIT: signed, but too long ago or in the future; ERROR_MEMORY. Takes the same time whatever is wrong with a signature.
int provider_event_verify(const struct provider_event_secrets *secrets, const char *header, const void *body,
                          size_t body_bytes, int64_t now) MUST_USE;

struct provider_event {
    char id[PROVIDER_ID_BYTES];
    char type[65];
    char object[PROVIDER_ID_BYTES]; // the intent or session that it is about; "": it is about nothing that concerns us
};
// ERROR_INVALID: it is no event.
int provider_event_read(const char *body, size_t body_bytes, struct provider_event *ret) MUST_USE;

#endif
