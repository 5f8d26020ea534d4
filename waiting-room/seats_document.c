// SPDX-License-Identifier: Apache-2.0
// See seats_document.h. Rows and codes hold nothing that JSON would escape, but what a database holds is not trusted to.
#include "waiting-room/seats_document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"

// The numbers of a row's seats that are of a kind.
static size_t numbers_of(const struct hall_row *row, enum seat_kind kind, uint16_t numbers[static SEAT_ROW_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < row->seat_count && count < SEAT_ROW_MAX; i++)
        if (row->seats[i].kind == kind)
            numbers[count++] = row->seats[i].number;
    return count;
}

static void write_list(struct buffer *text, const char *name, const struct hall_row *row, enum seat_kind kind)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t count = numbers_of(row, kind, numbers);
    if (count == 0)
        return;
    buffer_text(text, ",\"");
    buffer_text(text, name);
    buffer_text(text, "\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_text(text, i ? ",\"" : "\"");
        buffer_number(text, numbers[i]);
        buffer_text(text, "\"");
    }
    buffer_text(text, "]");
}

static void write_taken(struct buffer *text, const struct hall_row *row, const bool *taken)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t count = 0;
    for (size_t i = 0; i < row->seat_count && count < SEAT_ROW_MAX; i++)
        if (taken[i])
            numbers[count++] = row->seats[i].number;
    if (count == 0)
        return;
    buffer_text(text, ",\"taken\":\"");
    seat_range_write(numbers, count, text);
    buffer_text(text, "\"");
}

static void write_row(struct buffer *text, const struct hall_row *row, const bool *taken)
{
    uint16_t numbers[SEAT_ROW_MAX];
    size_t count = 0;
    for (size_t i = 0; i < row->seat_count && count < SEAT_ROW_MAX; i++)
        numbers[count++] = row->seats[i].number;
    buffer_text(text, "{\"row\":");
    buffer_json_string(text, row->name);
    buffer_text(text, ",\"seats\":\"");
    seat_range_write(numbers, count, text);
    buffer_text(text, "\"");
    write_list(text, "wheelchair", row, SEAT_WHEELCHAIR);
    write_list(text, "companion", row, SEAT_COMPANION);
    write_list(text, "blocked", row, SEAT_BLOCKED);
    write_taken(text, row, taken);
    buffer_text(text, "}");
}

void seats_tier_write(struct buffer *text, const struct hall *hall, uint64_t version, const bool *taken)
{
    buffer_text(text, "{\"version\":");
    buffer_number(text, version);
    buffer_text(text, ",\"rows\":[");
    for (size_t i = 0; i < hall->row_count; i++) {
        buffer_text(text, i ? "," : "");
        write_row(text, &hall->rows[i], taken);
        taken += hall->rows[i].seat_count;
    }
    buffer_text(text, "]}");
}

// FNV-1a: only tells versions of a document apart, for caches.
static void set_etag(struct seats_document *document)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < document->tiers_bytes; i++)
        hash = (hash ^ (unsigned char)document->tiers[i]) * UINT64_C(0x100000001b3);
    snprintf(document->etag, sizeof document->etag, "W/\"%016" PRIx64 "\"", hash);
}

struct seats_document *seats_document_new(struct buffer *tiers)
{
    struct seats_document *document = tiers->failed ? NULL : calloc(1, sizeof *document);
    if (!document)
        return NULL;
    document->references = 1;
    document->tiers_bytes = tiers->bytes;
    document->tiers = buffer_take(tiers);
    if (!document->tiers) {
        free(document);
        return NULL;
    }
    set_etag(document);
    return document;
}

struct seats_document *seats_document_ref(struct seats_document *document)
{
    if (document)
        document->references++;
    return document;
}

void seats_document_unref(struct seats_document *document)
{
    if (!document || --document->references > 0)
        return;
    free(document->tiers);
    free(document);
}

// A tag is quoted and of one length, so it can only be found as a whole; what is weak is compared without its mark.
bool seats_document_is_known(const struct seats_document *document, const char *if_none_match)
{
    return if_none_match && (strcmp(if_none_match, "*") == 0 || strstr(if_none_match, document->etag + strlen("W/")));
}

void seats_document_write(struct buffer *text, const char *slug, const struct seats_document *document, int64_t at_us)
{
    char at[CLOCK_TEXT_BYTES];
    buffer_text(text, "{\"slug\":\"");
    buffer_text(text, slug);
    buffer_text(text, "\",\"now\":\"");
    buffer_text(text, clock_format(at_us, at));
    buffer_text(text, "\",\"tiers\":");
    buffer_append(text, document->tiers, document->tiers_bytes);
    buffer_text(text, "}");
}
