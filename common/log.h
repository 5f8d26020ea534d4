// SPDX-License-Identifier: Apache-2.0
// The log: one line an event on standard error, logfmt or JSON, written with one write(2) so that lines of several
// threads never mix. Fields are typed, so that a value can never break out of its line.
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STRING, LOG_FIELD_SIGNED, LOG_FIELD_UNSIGNED, LOG_FIELD_REAL } type;
    union {
        const char *string; // NULL is written as an empty value
        int64_t i;
        uint64_t u;
        double real;
    };
};

#define LOG_S(name, value) ((struct log_field){.key = (name), .type = LOG_FIELD_STRING, .string = (value)})
#define LOG_I(name, value) ((struct log_field){.key = (name), .type = LOG_FIELD_SIGNED, .i = (value)})
#define LOG_U(name, value) ((struct log_field){.key = (name), .type = LOG_FIELD_UNSIGNED, .u = (value)})
#define LOG_F(name, value) ((struct log_field){.key = (name), .type = LOG_FIELD_REAL, .real = (value)})

// Says who writes and how. `program` must outlive the process. Call it before the first thread starts; the level may be
// changed later from any thread with log_set_level().
void log_init(const char *program, enum log_level level, enum log_format format);
void log_set_level(enum log_level level);

// Writes one line: time (UTC, microseconds), level, program, event, then the fields. `event` is a constant snake_case
// word. A line is at most 4 KiB; longer values are cut and end in "…". Never give it a token, an e-mail address or a key.
// Any thread. error = somebody must act; warn = it was handled but should not have happened; info = one visitor's or one
// operator's step; debug = everything else.
void log_emit(enum log_level level, const char *event, const struct log_field *fields, size_t field_count);

// Between these two, lines of this thread at level info or debug wait for others, so that a batch of like events costs one
// write(2) for every 4 KiB instead of one a line; a warning or an error takes along what waits. They pair, and do not nest.
// A process that is killed between the two loses those lines: release before anybody is told what they say.
void log_hold(void);
void log_release(void);

// Every line has at least one field, so these take an event and one field or more: log_info("joined", LOG_U("place", 7)).
#define LOG_AT(level, event, ...)                                       \
    log_emit((level), (event), (const struct log_field[]){__VA_ARGS__}, \
             sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warn(event, ...) LOG_AT(LOG_LEVEL_WARN, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#endif
