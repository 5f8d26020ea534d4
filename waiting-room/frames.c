// SPDX-License-Identifier: Apache-2.0
// Writes the documents and frames. Members stand in the order of docs/openapi.yaml.
#include "waiting-room/frames.h"

#include <inttypes.h>

#include "common/clock.h"

#define RETRY_FIRST_MS 1000
#define RETRY_SPREAD_MS 3000

// A string that needs no escapes.
static void add_word(struct buffer *text, const char *word)
{
    buffer_text(text, "\"");
    buffer_text(text, word);
    buffer_text(text, "\"");
}

static void add_time(struct buffer *text, int64_t at_us)
{
    char at[CLOCK_TEXT_BYTES];
    if (at_us == SNAPSHOT_NO_TIME)
        buffer_text(text, "null");
    else
        add_word(text, clock_format(at_us, at));
}

static void add_seconds(struct buffer *text, int64_t us)
{
    buffer_format(text, "%" PRId64 ".%06" PRId64, us / 1000000, us % 1000000);
}

static void add_seconds_per_place(struct buffer *text, const struct frames_line *line)
{
    if (!line->has_wait) {
        buffer_text(text, "null");
        return;
    }
    buffer_text(text, "[");
    add_seconds(text, line->us_per_place_low);
    buffer_text(text, ",");
    add_seconds(text, line->us_per_place_high);
    buffer_text(text, "]");
}

static void add_tier(struct buffer *text, const struct snapshot_tier *tier)
{
    buffer_format(text, "{\"code\":\"%s\",\"name\":", tier->code);
    buffer_json_string(text, tier->name);
    buffer_text(text, ",\"prices\":[");
    for (size_t i = 0; i < tier->price_count; i++) {
        buffer_format(text, "%s{\"code\":\"%s\",\"name\":", i ? "," : "", tier->prices[i].code);
        buffer_json_string(text, tier->prices[i].name);
        buffer_format(text, ",\"amount\":%" PRIu64 "}", tier->prices[i].amount);
    }
    buffer_text(text, tier->seated ? "],\"seated\":true," : "],");
    buffer_format(text, "\"capacity\":%" PRIu64 ",\"left\":%" PRIu64 ",\"asked\":%" PRIu64 "}", tier->capacity,
                  tier->left, tier->asked);
}

// How visitors pay, whoever the provider is.
static const char *payment_word(enum payment_provider provider)
{
    if (provider == PAYMENT_STRIPE)
        return "card";
    return provider == PAYMENT_MANUAL ? "manual" : "none";
}

void frames_public(struct buffer *text, const struct snapshot *event, const struct frames_line *line,
                   enum payment_provider payment, int64_t now_us)
{
    buffer_format(text, "{\"slug\":\"%s\",\"name\":", event->slug);
    buffer_json_string(text, event->name);
    buffer_format(text, ",\"state\":\"%s\",\"now\":", lifecycle_state_name(event->state));
    add_time(text, now_us);
    buffer_text(text, ",\"starts_at\":");
    add_time(text, event->starts_at_us);
    buffer_text(text, ",\"opens_at\":");
    add_time(text, event->opens_at_us);
    buffer_text(text, ",\"timezone\":");
    buffer_json_string(text, event->timezone);
    buffer_format(text, ",\"currency\":\"%s\",\"served\":%" PRIu64 ",\"line\":%" PRIu64 ",\"pace\":\"%s\"",
                  event->currency, line->served, line->last, event->pace);
    buffer_text(text, ",\"seconds_per_place\":");
    add_seconds_per_place(text, line);
    buffer_format(text, ",\"max_per_order\":%" PRIu32 ",\"tiers\":[", event->max_per_order);
    for (size_t i = 0; i < event->tier_count; i++) {
        buffer_text(text, i ? "," : "");
        add_tier(text, &event->tiers[i]);
    }
    buffer_text(text, "],\"notice\":");
    if (event->notice)
        frames_notice(text, event);
    else
        buffer_text(text, "null");
    buffer_format(text, ",\"payment\":\"%s\",\"draw\":null}", payment_word(payment));
}

void frames_line(struct buffer *text, const struct line_state *state, uint64_t seat, const char *token, int64_t now_us)
{
    buffer_text(text, "{");
    if (token) {
        buffer_text(text, "\"token\":");
        add_word(text, token);
        buffer_text(text, ",");
    }
    buffer_text(text, "\"line\":");
    add_word(text, line_name(state->line));
    buffer_text(text, state->place ? ",\"place\":" : ",\"place\":null,\"seat\":");
    buffer_number(text, state->place ? state->place : seat);
    buffer_text(text, ",\"ahead\":");
    if (state->line == LINE_WAITING || state->line == LINE_TURN)
        buffer_number(text, state->ahead);
    else
        buffer_text(text, "null");
    buffer_text(text, ",\"wait_seconds\":");
    if (state->has_wait) {
        buffer_text(text, "[");
        buffer_number(text, (uint64_t)state->wait_low_seconds);
        buffer_text(text, ",");
        buffer_number(text, (uint64_t)state->wait_high_seconds);
        buffer_text(text, "]");
    } else {
        buffer_text(text, "null");
    }
    if (state->until_us != SNAPSHOT_NO_TIME) {
        buffer_text(text, ",\"until\":");
        add_time(text, state->until_us);
    }
    buffer_text(text, ",\"now\":");
    add_time(text, now_us);
    buffer_text(text, "}");
}

void frames_event(struct buffer *text, const struct snapshot *event)
{
    buffer_format(text, "{\"state\":\"%s\"", lifecycle_state_name(event->state));
    if (event->opens_at_us != SNAPSHOT_NO_TIME) {
        buffer_text(text, ",\"opens_at\":");
        add_time(text, event->opens_at_us);
    }
    buffer_text(text, "}");
}

void frames_stock(struct buffer *text, const struct snapshot *event)
{
    buffer_text(text, "{\"tiers\":{");
    for (size_t i = 0; i < event->tier_count; i++)
        buffer_format(text, "%s\"%s\":{\"left\":%" PRIu64 ",\"asked\":%" PRIu64 "}", i ? "," : "", event->tiers[i].code,
                      event->tiers[i].left, event->tiers[i].asked);
    buffer_text(text, "}}");
}

void frames_notice(struct buffer *text, const struct snapshot *event)
{
    buffer_text(text, "{\"text\":");
    if (event->notice)
        buffer_json_string(text, event->notice);
    else
        buffer_text(text, "null");
    buffer_text(text, ",\"at\":");
    add_time(text, event->notice ? event->notice_at_us : SNAPSHOT_NO_TIME);
    buffer_text(text, "}");
}

void frames_served(struct buffer *text, const struct snapshot *event, const struct frames_line *line)
{
    buffer_format(text, "{\"served\":%" PRIu64 ",\"pace\":\"%s\",\"seconds_per_place\":", line->served, event->pace);
    add_seconds_per_place(text, line);
    buffer_text(text, "}");
}

void frames_sse(struct buffer *text, const char *event, uint64_t id, const char *json)
{
    buffer_format(text, "event: %s\nid: %" PRIu64 "\ndata: %s\n\n", event, id, json);
}

void frames_sse_retry(struct buffer *text, uint64_t random)
{
    buffer_format(text, "retry: %u\n\n", (unsigned)(RETRY_FIRST_MS + random % RETRY_SPREAD_MS));
}
