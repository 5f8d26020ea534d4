// SPDX-License-Identifier: Apache-2.0
// See lines.h.
#include "admission/lines.h"

#include <stdlib.h>
#include <string.h>

#include "admission/store.h"
#include "common/clock.h"
#include "common/log.h"

void lines_done(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->entries[i]);
    free(lines->entries);
    *lines = (struct lines){0};
}

bool lines_is_live(const struct lines_entry *entry)
{
    enum lifecycle_state state = entry->line.event.state;
    return entry->line.event.version > 0 && state != LIFECYCLE_DRAFT && state != LIFECYCLE_CLOSED;
}

int64_t lines_mysql_us(const struct lines *lines, int64_t now_ns)
{
    return now_ns / 1000 + lines->mysql_ahead_us;
}

int64_t lines_monotonic_ns(const struct lines *lines, int64_t mysql_us)
{
    int64_t us = mysql_us - lines->mysql_ahead_us;
    // A timetable may reach to the year 9999, the clock's nanoseconds only 292 years.
    return us > INT64_MAX / 1000 - 1000 ? INT64_MAX : (us + 1) * 1000;
}

struct lines_entry *lines_find(struct lines *lines, const char *slug)
{
    for (size_t i = 0; i < lines->count; i++)
        if (strcmp(lines->entries[i]->line.event.slug, slug) == 0)
            return lines->entries[i];
    return NULL;
}

// The entry with this id, made at its place if it is new. NULL: out of memory.
static struct lines_entry *entry_of(struct lines *lines, uint64_t id)
{
    size_t low = 0, high = lines->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lines->entries[middle]->line.event.id < id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < lines->count && lines->entries[low]->line.event.id == id)
        return lines->entries[low];
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity ? lines->capacity * 2 : 16;
        struct lines_entry **entries = realloc(lines->entries, capacity * sizeof(struct lines_entry *));
        if (!entries)
            return NULL;
        lines->entries = entries;
        lines->capacity = capacity;
    }
    struct lines_entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        return NULL;
    const struct line_event unknown = {.id = id, .state = LIFECYCLE_DRAFT, .pace = {.per_seconds = 1}};
    line_init(&entry->line, &unknown, 0, 0, COUNT_NEVER);
    memmove(lines->entries + low + 1, lines->entries + low, (lines->count - low) * sizeof(struct lines_entry *));
    lines->entries[low] = entry;
    lines->count++;
    return entry;
}

static int read_head(struct lines_entry *entry, struct db *db)
{
    struct line *line = &entry->line;
    uint64_t served, last;
    int64_t let_in_us_ago;
    int result = store_read_head(db, line->event.id, &served, &last, &let_in_us_ago);
    if (!result && line->event.has_max_active)
        result = store_read_active(db, &line->event, served, &line->active);
    if (result)
        return result;
    // Read after the answer, so it is later than the letting-in ever was, and the next is never too early.
    int64_t let_in_ns = let_in_us_ago < 0 ? COUNT_NEVER : clock_monotonic_ns() - let_in_us_ago * 1000;
    line_take_head(line, served, last, let_in_ns);
    entry->has_head = true;
    return 0;
}

int lines_read_heads(struct lines *lines, struct db *db)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct lines_entry *entry = lines->entries[i];
        int result = lines_is_live(entry) && !entry->has_head ? read_head(entry, db) : 0;
        if (result)
            return result;
    }
    return 0;
}

void lines_forget_heads(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        lines->entries[i]->has_head = false;
}

static void say_changes(const struct line *line, const struct line_event *event)
{
    if (line->event.version == 0)
        return; // seen for the first time
    char old[PACE_TEXT_BYTES], new[PACE_TEXT_BYTES];
    pace_format(&line->event.pace, old);
    pace_format(&event->pace, new);
    if (strcmp(old, new) != 0)
        log_info("pace_changed", LOG_S("slug", event->slug), LOG_S("old", old), LOG_S("new", new),
                 LOG_U("version", event->version));
    if (line->event.state != event->state)
        log_info("state_changed", LOG_S("slug", event->slug), LOG_S("old", lifecycle_state_name(line->event.state)),
                 LOG_S("new", lifecycle_state_name(event->state)), LOG_U("version", event->version));
}

static int read_entry(struct lines_entry *entry, struct db *db)
{
    struct line_event event;
    int result = store_read_event(db, entry->line.event.id, &event);
    if (result == ERROR_INVALID) {
        // One event that nobody understands must not stop the others; it lets nobody in until somebody mends it.
        if (!entry->is_broken)
            log_error("event_not_understood", LOG_U("id", entry->line.event.id));
        entry->is_broken = true;
        entry->is_stale = true;
        count_stop(&entry->line.count);
        entry->line.event.state = LIFECYCLE_DRAFT;
        return 0;
    }
    if (result == ERROR_NOT_FOUND) {
        entry->is_there = false;
        return 0;
    }
    if (result)
        return result;
    say_changes(&entry->line, &event);
    line_take_event(&entry->line, &event);
    entry->is_stale = false;
    entry->is_broken = false;
    if (!lines_is_live(entry))
        entry->has_head = false;
    else if (!entry->has_head)
        return read_head(entry, db);
    else if (event.has_max_active)
        return store_read_active(db, &event, entry->line.served, &entry->line.active);
    return 0;
}

int lines_read_stale(struct lines *lines, struct db *db)
{
    for (size_t i = 0; i < lines->count; i++) {
        int result =
            lines->entries[i]->is_stale && !lines->entries[i]->is_broken ? read_entry(lines->entries[i], db) : 0;
        if (result)
            return result;
    }
    return 0;
}

static void drop_gone(struct lines *lines)
{
    size_t kept = 0;
    for (size_t i = 0; i < lines->count; i++) {
        if (lines->entries[i]->is_there)
            lines->entries[kept++] = lines->entries[i];
        else
            free(lines->entries[i]);
    }
    lines->count = kept;
}

static void measure_clock(struct lines *lines, int64_t mysql_us)
{
    lines->mysql_ahead_us = mysql_us - clock_monotonic_ns() / 1000;
    lines->measured_us[lines->measured_count++ % LINES_MEASURED] = lines->mysql_ahead_us;
    if (lines->measured_count < LINES_MEASURED)
        return; // one slow answer among few would be taken for a slow clock
    int64_t ahead_us = lines->mysql_ahead_us;
    for (size_t i = 0; i < LINES_MEASURED; i++)
        ahead_us = lines->measured_us[i] > ahead_us ? lines->measured_us[i] : ahead_us;
    for (size_t i = 0; i < lines->count; i++)
        line_follow_clock(&lines->entries[i]->line, ahead_us);
}

int lines_refresh(struct lines *lines, struct db *db)
{
    struct store_version *versions;
    size_t count;
    int64_t mysql_us;
    int result = store_read_versions(db, &versions, &count, &mysql_us);
    if (result)
        return result;
    measure_clock(lines, mysql_us);
    for (size_t i = 0; i < lines->count; i++)
        lines->entries[i]->is_there = false;
    for (size_t i = 0; i < count && !result; i++) {
        struct lines_entry *entry = entry_of(lines, versions[i].id);
        if (!entry) {
            result = ERROR_MEMORY;
            break;
        }
        entry->is_there = true;
        if (entry->line.event.version != versions[i].version)
            result = read_entry(entry, db);
    }
    free(versions);
    if (!result)
        drop_gone(lines);
    return result;
}
