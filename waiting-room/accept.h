// SPDX-License-Identifier: Apache-2.0
// What a client wants to get (RFC 9110, 12.5.1), as far as there is a choice: JSON or the stream. Pure.
#ifndef WAITING_ROOM_ACCEPT_H
#define WAITING_ROOM_ACCEPT_H

#include <stdbool.h>

enum accept { ACCEPT_JSON, ACCEPT_STREAM, ACCEPT_NEITHER };

// `field` NULL or empty: anything will do. The stream is sent only to who names it: a wildcard means JSON.
enum accept accept_choose(const char *field);

// Whether a Content-Type says JSON; parameters do not matter. NULL: it says nothing.
bool accept_is_json_body(const char *content_type);

#endif
