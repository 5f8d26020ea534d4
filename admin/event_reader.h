// SPDX-License-Identifier: Apache-2.0
// What the readers of the event file share: how a problem is noted and how members of plain types are read. Only
// event_file.c and event_tiers.c include it.
#ifndef ADMIN_EVENT_READER_H
#define ADMIN_EVENT_READER_H

#include "admin/event_file.h"

#define PACE_ALLOWED "a pace is COUNT/s, COUNT/min or COUNT/h (at most 100000 a second), auto, auto:COUNT/min, or 0"

struct event_reader {
    struct event_problems *problems;
    char path[128]; // what reader_path() returned last
    size_t seat_count; // of all tiers so far
    bool out_of_memory;
};

// Notes a problem; beyond EVENT_FILE_PROBLEMS_MAX they are only counted.
void reader_problem(struct event_reader *reader, const char *field, const char *format, ...) PRINTF_LIKE(3, 4);

// "PARENT/KEY", valid until the next call.
const char *reader_path(struct event_reader *reader, const char *parent, const char *key);

// Notes every member that is not in `known` (NULL-terminated).
void reader_known(struct event_reader *reader, const char *parent, const json_t *object, const char *const *known);

// Members of an object. Absent or null gives the fallback, or is a problem when that is NULL. After a problem something
// harmless is returned, so that reading can go on. Strings belong to the JSON.
const char *reader_text(struct event_reader *reader, const char *parent, const json_t *object, const char *key,
                        size_t characters_min, size_t characters_max, const char *fallback);
const char *reader_slug(struct event_reader *reader, const char *parent, const json_t *object, const char *key);
int64_t reader_integer(struct event_reader *reader, const char *parent, const json_t *object, const char *key,
                       int64_t min, int64_t max, const int64_t *fallback);

// Reads file->json's tiers.
void event_tiers_read(struct event_reader *reader, struct event_file *file);

#endif
