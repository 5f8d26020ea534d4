// SPDX-License-Identifier: Apache-2.0
// The log. A line is built on the stack, piece by piece; a piece goes in whole or not at all, so that a line that is cut
// is still well-formed logfmt or JSON. A thread may hold lines back to write several at once.
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/utf8.h"

#define LINE_BYTES_MAX 4096 // also PIPE_BUF: what write(2) puts into a pipe in one piece
#define VALUE_BYTES_MAX 2048 // of one value, so that a long one leaves room for the others
#define CUT_MARK "\xE2\x80\xA6"
#define CUT_FIELD_BYTES 16 // room for the field that says that others are missing, and the end of the line

static struct {
    const char *program;
    _Atomic int level;
    enum log_format format;
} log_state = {.program = "onsale", .level = LOG_LEVEL_INFO, .format = LOG_FORMAT_LOGFMT};

// Lines that wait to be written together. As long as a line may be at most, for the same reason.
static _Thread_local struct {
    bool holds;
    size_t bytes;
    char text[LINE_BYTES_MAX];
} held;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_init(const char *program, enum log_level level, enum log_format format)
{
    log_state.program = program;
    log_state.format = format;
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

struct line {
    char text[LINE_BYTES_MAX];
    size_t bytes;
};

// Appends all of it, or nothing if it would pass `end`.
static bool put(struct line *line, size_t end, const char *text, size_t bytes)
{
    if (bytes > end - line->bytes)
        return false;
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += bytes;
    return true;
}

static bool put_text(struct line *line, size_t end, const char *text)
{
    return put(line, end, text, strlen(text));
}

// Whether a value may stand in logfmt without quotes.
static bool is_plain(const char *value)
{
    if (*value == '\0')
        return false;
    for (; *value; value++)
        if (*value <= ' ' || *value >= 0x7F || *value == '"' || *value == '=' || *value == '\\')
            return false;
    return true;
}

// What to write for the character of `bytes` bytes at `at` (0: it is no UTF-8): itself, or an escape that works in JSON
// and logfmt alike. The line separators of Unicode and the C1 controls are escaped, as some viewers break lines there.
static const char *escape(const char *at, size_t *bytes, char scratch[static 8])
{
    unsigned code = (unsigned char)at[0];
    if (*bytes == 2)
        code = (code & 0x1F) << 6 | ((unsigned char)at[1] & 0x3F);
    else if (*bytes == 3)
        code = (code & 0x0F) << 12 | ((unsigned)(unsigned char)at[1] & 0x3F) << 6 | ((unsigned char)at[2] & 0x3F);
    const char *instead = scratch;
    if (*bytes == 0)
        instead = UTF8_REPLACEMENT;
    else if (*bytes == 1 && (code == '"' || code == '\\'))
        (void)snprintf(scratch, 8, "\\%c", (int)code);
    else if (*bytes == 1 && code == '\n')
        instead = "\\n";
    else if (*bytes == 1 && code == '\t')
        instead = "\\t";
    else if (*bytes <= 3 && (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029))
        (void)snprintf(scratch, 8, "\\u%04x", code & 0xFFFF);
    else
        return at;
    *bytes = strlen(instead);
    return instead;
}

// A string in quotes, cut where it passes `end` or VALUE_BYTES_MAX. False if not even an empty one fits.
static bool put_quoted(struct line *line, size_t end, const char *value)
{
    const size_t closing = sizeof CUT_MARK - 1 + 1;
    if (!put(line, end, "\"", 1))
        return false;
    if (end - line->bytes < closing)
        return false;
    size_t value_end = end - closing;
    if (value_end - line->bytes > VALUE_BYTES_MAX)
        value_end = line->bytes + VALUE_BYTES_MAX;
    size_t left = strnlen(value, LINE_BYTES_MAX); // more than that is cut anyway
    while (left > 0) {
        char scratch[8];
        size_t length = utf8_character_bytes(value, left), bytes = length;
        const char *text = escape(value, &bytes, scratch);
        if (!put(line, value_end, text, bytes)) {
            (void)put_text(line, end, CUT_MARK);
            break;
        }
        value += length == 0 ? 1 : length;
        left -= length == 0 ? 1 : length;
    }
    return put(line, end, "\"", 1);
}

static bool put_number(struct line *line, size_t end, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do
        digits[--first] = (char)('0' + number % 10);
    while (number /= 10);
    return put(line, end, digits + first, sizeof digits - first);
}

static bool put_real(struct line *line, size_t end, double value)
{
    char text[32];
    if (log_state.format == LOG_FORMAT_JSON && !isfinite(value))
        return put_text(line, end, "null"); // JSON has no word for it
    (void)snprintf(text, sizeof text, "%.10g", value);
    return put_text(line, end, text);
}

static bool put_value(struct line *line, size_t end, const struct log_field *field)
{
    char text[24];
    switch (field->type) {
    case LOG_FIELD_STRING: {
        const char *value = field->string ? field->string : "";
        if (log_state.format == LOG_FORMAT_LOGFMT && is_plain(value) && strlen(value) <= VALUE_BYTES_MAX &&
            put_text(line, end, value))
            return true;
        if (log_state.format == LOG_FORMAT_LOGFMT && !field->string)
            return true;
        return put_quoted(line, end, value);
    }
    case LOG_FIELD_SIGNED:
        (void)snprintf(text, sizeof text, "%" PRId64, field->i);
        return put_text(line, end, text);
    case LOG_FIELD_UNSIGNED:
        return put_number(line, end, field->u);
    case LOG_FIELD_REAL:
        return put_real(line, end, field->real);
    }
    return false;
}

// A field whole, or nothing of it.
static bool put_field(struct line *line, size_t end, const struct log_field *field)
{
    bool json = log_state.format == LOG_FORMAT_JSON;
    size_t before = line->bytes;
    bool first = before == 0;
    if (put_text(line, end, json ? (first ? "{\"" : ",\"") : (first ? "" : " ")) && put_text(line, end, field->key) &&
        put_text(line, end, json ? "\":" : "=") && put_value(line, end, field))
        return true;
    line->bytes = before;
    return false;
}

static void write_all(const char *text, size_t bytes)
{
    size_t written = 0;
    while (written < bytes) {
        ssize_t n = write(STDERR_FILENO, text + written, bytes - written);
        if (n < 0 && errno != EINTR)
            return; // There is nobody to tell.
        if (n > 0)
            written += (size_t)n;
    }
}

static void write_held(void)
{
    write_all(held.text, held.bytes);
    held.bytes = 0;
}

static void write_line(enum log_level level, const struct line *line)
{
    if (line->bytes > sizeof held.text - held.bytes)
        write_held();
    if (!held.holds) {
        write_all(line->text, line->bytes);
        return;
    }
    memcpy(held.text + held.bytes, line->text, line->bytes);
    held.bytes += line->bytes;
    if (level <= LOG_LEVEL_WARN)
        write_held();
}

void log_hold(void)
{
    held.holds = true;
}

void log_release(void)
{
    held.holds = false;
    write_held();
}

// The time of a line. Formatting one is dear, and all but the last digits serve for a second.
static const char *format_now(char text[static CLOCK_TEXT_BYTES])
{
    static _Thread_local struct {
        int64_t second;
        char text[CLOCK_TEXT_BYTES];
    } last = {.second = -1};
    enum { FRACTION_AT = sizeof "2026-11-23T20:20:59." - 1, FRACTION_DIGITS = 6 };
    int64_t now_us = clock_utc_us();
    if (now_us / 1000000 != last.second) {
        (void)clock_format_us(now_us, last.text);
        last.second = now_us / 1000000;
    }
    memcpy(text, last.text, CLOCK_TEXT_BYTES);
    int64_t us = now_us % 1000000;
    for (int i = FRACTION_DIGITS - 1; i >= 0; i--, us /= 10)
        text[FRACTION_AT + i] = (char)('0' + us % 10);
    return text;
}

void log_emit(enum log_level level, const char *event, const struct log_field *fields, size_t field_count)
{
    if ((int)level > atomic_load_explicit(&log_state.level, memory_order_relaxed))
        return;
    int errno_before = errno;
    char time[CLOCK_TEXT_BYTES];
    const struct log_field head[] = {
        LOG_S("time", format_now(time)),
        LOG_S("level", level_names[level]),
        LOG_S("program", log_state.program),
        LOG_S("event", event),
    };
    struct line line;
    line.bytes = 0;
    const size_t end = LINE_BYTES_MAX - CUT_FIELD_BYTES;
    bool whole = true;
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        whole = put_field(&line, end, &head[i]) && whole;
    for (size_t i = 0; i < field_count; i++)
        whole = put_field(&line, end, &fields[i]) && whole;
    if (!whole)
        (void)put_field(&line, LINE_BYTES_MAX - 2, &LOG_I("cut", 1)); // some fields did not fit
    (void)put_text(&line, LINE_BYTES_MAX, log_state.format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(level, &line);
    errno = errno_before;
}
