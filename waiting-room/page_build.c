// SPDX-License-Identifier: Apache-2.0
// Tickets in words: "2 × Floor", and "Stalls: 2 × Adult, 1 × Child" where a tier has several prices; order.js says the same.
#include "waiting-room/page_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "waiting-room/page_choice.h"
#include "waiting-room/page_seats.h"

// Keeps a text until page_build_done(). NULL when out of memory.
static const char *keep(struct page_build *build, struct buffer *text)
{
    if (build->text_count == build->text_capacity) {
        size_t capacity = build->text_capacity ? 2 * build->text_capacity : 64;
        char **texts = reallocarray(build->texts, capacity, sizeof *texts);
        if (!texts) {
            buffer_done(text);
            return NULL;
        }
        build->texts = texts;
        build->text_capacity = capacity;
    }
    char *kept = buffer_take(text);
    if (kept)
        build->texts[build->text_count++] = kept;
    return kept;
}

static const char *price_text(struct page_build *build, uint64_t amount, const char *currency)
{
    struct buffer text = BUFFER_INIT;
    page_price_text(amount, currency, &text);
    return keep(build, &text);
}

static void build_tiers(struct page_build *build, const struct snapshot *event, struct page_view *ret)
{
    size_t price_count = 0;
    for (size_t i = 0; i < event->tier_count; i++)
        price_count += event->tiers[i].price_count;
    build->tiers = calloc(event->tier_count + 1, sizeof *build->tiers);
    build->prices = calloc(price_count + 1, sizeof *build->prices);
    if (!build->tiers || !build->prices)
        return;
    struct page_price *price = build->prices;
    for (size_t i = 0; i < event->tier_count; i++) {
        const struct snapshot_tier *tier = &event->tiers[i];
        build->tiers[i] = (struct page_tier){.code = tier->code,
                                             .name = tier->name,
                                             .kind = tier->seated ? "seated" : "standing",
                                             .prices = price,
                                             .price_count = tier->price_count,
                                             .capacity = tier->capacity,
                                             .left = tier->left,
                                             .asked = tier->asked};
        for (size_t j = 0; j < tier->price_count; j++, price++)
            *price = (struct page_price){.name = tier->prices[j].name,
                                         .code = tier->prices[j].code,
                                         .price_text = price_text(build, tier->prices[j].amount, event->currency)};
    }
    ret->tiers = build->tiers;
    ret->tier_count = event->tier_count;
}

static const struct snapshot_tier *find_tier(const struct snapshot *event, const char *code)
{
    for (size_t i = 0; i < event->tier_count; i++)
        if (strcmp(event->tiers[i].code, code) == 0)
            return &event->tiers[i];
    return NULL;
}

static const char *price_name(const struct snapshot_tier *tier, const char *code)
{
    for (size_t i = 0; tier && i < tier->price_count; i++)
        if (strcmp(tier->prices[i].code, code) == 0)
            return tier->prices[i].name;
    return code;
}

// `tickets` may be NULL or anything else that MySQL holds: then the number alone is told.
static const char *tickets_text(struct page_build *build, const struct snapshot *event, const char *code,
                                uint64_t quantity, json_t *tickets)
{
    struct buffer text = BUFFER_INIT;
    const struct snapshot_tier *tier = find_tier(event, code);
    const char *name = tier ? tier->name : code, *price;
    json_t *count;
    if (!json_is_object(tickets) || json_object_size(tickets) == 0 || (tier && tier->price_count <= 1)) {
        buffer_format(&text, "%" PRIu64 " × %s", quantity, name);
        return keep(build, &text);
    }
    const char *before = ": ";
    buffer_text(&text, name);
    json_object_foreach(tickets, price, count)
    {
        buffer_format(&text, "%s%" JSON_INTEGER_FORMAT " × %s", before, json_integer_value(count),
                      price_name(tier, price));
        before = ", ";
    }
    return keep(build, &text);
}

// One of the order's other choices, as `choices` in MySQL has them.
static void add_alternative(struct page_build *build, const struct snapshot *event, const struct order_facts *order,
                            json_t *choice)
{
    const char *tier = json_string_value(json_object_get(choice, "tier"));
    if (!tier)
        return;
    if (order->state == ORDER_CONFIRMED && strcmp(tier, order->tier) == 0)
        build->order.other_choice = true;
    uint64_t quantity = (uint64_t)json_integer_value(json_object_get(choice, "quantity"));
    const char *text = tickets_text(build, event, tier, quantity, json_object_get(choice, "tickets"));
    if (text)
        build->alternatives[build->order.alternative_count++] = text;
}

static json_t *load(const char *text)
{
    return text ? json_loads(text, 0, NULL) : NULL;
}

// NULL: none are named.
static const char *seats_text(struct page_build *build, const char *names, void write(const json_t *, struct buffer *))
{
    json_t *array CLEANUP(json_cleanup) = load(names);
    struct buffer text = BUFFER_INIT;
    write(array, &text);
    return text.bytes > 0 ? keep(build, &text) : NULL;
}

static const char *needs_text(struct page_build *build, const struct order_facts *order)
{
    struct buffer text = BUFFER_INIT;
    if (order->wheelchair > 0)
        buffer_format(&text, "%" PRIu32 " for a wheelchair", order->wheelchair);
    if (order->companion > 0)
        buffer_format(&text, "%s%" PRIu32 " for a companion", text.bytes ? ", " : "", order->companion);
    return text.bytes > 0 ? keep(build, &text) : NULL;
}

static void build_order(struct page_build *build, const struct snapshot *event, const struct order_facts *order,
                        json_t *tickets, json_t *others)
{
    build->order = (struct page_order){
        .state = order->state,
        .reason = order->reason,
        .tickets_text = *order->tier ? tickets_text(build, event, order->tier, order->quantity, tickets) : NULL,
        .quantity = order->quantity,
        .amount_text = order->amount > 0 ? price_text(build, order->amount, order->currency) : NULL,
        .email = order->email,
        .reference = order->reference,
        .refund = order->refund,
        .tries_left = order->tries_left,
        .has_card = order->has_card,
        .card_label = order->card_label,
        .action_url = order->action_url,
        .seats_text = seats_text(build, order->seats, page_seats_text),
        .gone_text = seats_text(build, order->gone, page_seats_text),
        .needs_text = needs_text(build, order),
        .may_have_more_time = order_facts_may_ask_for_more_time(order),
        .ahead = order->ahead,
    };
    size_t count = json_array_size(others);
    build->alternatives = calloc(count + 1, sizeof *build->alternatives);
    for (size_t i = 0; build->alternatives && i < count; i++)
        add_alternative(build, event, order, json_array_get(others, i));
    build->order.alternatives = build->alternatives;
}

static const char *kept_copy(struct page_build *build, const char *text)
{
    struct buffer copy = BUFFER_INIT;
    if (!text)
        return NULL;
    buffer_text(&copy, text);
    return keep(build, &copy);
}

static void begin_with_order(struct page_build *build, const struct snapshot *event, const struct order_facts *order,
                             json_t *tickets, json_t *others, struct page_view *ret)
{
    struct page_price *price = build->prices;
    for (size_t i = 0; i < ret->tier_count; i++) {
        bool chosen = build->tiers[i].chosen = strcmp(event->tiers[i].code, order->tier) == 0;
        if (chosen)
            build->tiers[i].seats = seats_text(build, order->seats, page_seats_field);
        for (size_t j = 0; j < event->tiers[i].price_count; j++, price++)
            if (chosen)
                price->count = (uint32_t)json_integer_value(json_object_get(tickets, price->code));
    }
    for (size_t i = 0; i < PAGE_OTHERS_MAX; i++)
        ret->other_tiers[i] = kept_copy(build, json_string_value(json_object_get(json_array_get(others, i), "tier")));
    ret->form_wheelchair = order->wheelchair;
    ret->form_companion = order->companion;
}

static void begin_with_query(struct page_build *build, const struct snapshot *event, const struct form *query,
                             struct page_view *ret)
{
    static const char *const names[PAGE_OTHERS_MAX] = {"alternative.1", "alternative.2", "alternative.3"};
    const char *tier = form_value(query, "tier");
    struct page_price *price = build->prices;
    for (size_t i = 0; i < ret->tier_count; i++) {
        build->tiers[i].chosen = tier && strcmp(event->tiers[i].code, tier) == 0;
        build->tiers[i].seats = page_choice_seats(query, event->tiers[i].code);
        for (size_t j = 0; j < event->tiers[i].price_count; j++, price++)
            price->count = page_choice_count(query, event->tiers[i].code, price->code);
    }
    for (size_t i = 0; i < PAGE_OTHERS_MAX; i++)
        ret->other_tiers[i] = form_value(query, names[i]);
    ret->form_wheelchair = page_choice_need(query, "wheelchair");
    ret->form_companion = page_choice_need(query, "companion");
}

void page_build(struct page_build *build, const struct snapshot *event, const struct order_facts *order,
                const struct form *query, struct page_view *ret)
{
    *build = (struct page_build){0};
    build_tiers(build, event, ret);
    ret->max_per_order = event->max_per_order;
    ret->max_per_customer = event->max_per_customer;
    ret->hold_seconds = event->hold_seconds;
    for (size_t i = 0; i < event->tier_count; i++) {
        const struct hall *hall = event->tiers[i].hall;
        ret->asks_needs = ret->asks_needs || (hall && hall->wheelchair_count + hall->companion_count > 0);
    }
    json_t *tickets CLEANUP(json_cleanup) = order ? load(order->tickets) : NULL;
    json_t *others CLEANUP(json_cleanup) = order ? load(order->alternatives) : NULL;
    if (order) {
        build_order(build, event, order, tickets, others);
        ret->order = &build->order;
        ret->form_email = order->email;
        ret->form_name = order->name;
    }
    if (form_value(query, "tier"))
        begin_with_query(build, event, query, ret);
    else if (order && order->state == ORDER_PLACED)
        begin_with_order(build, event, order, tickets, others, ret);
}

void page_build_done(struct page_build *build)
{
    for (size_t i = 0; i < build->text_count; i++)
        free(build->texts[i]);
    free(build->texts);
    free(build->alternatives);
    free(build->prices);
    free(build->tiers);
    *build = (struct page_build){0};
}

const char *page_time_text(int64_t at_us, char text[static PAGE_TIME_BYTES])
{
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    struct tm at;
    time_t seconds = (time_t)(at_us / 1000000);
    if (at_us == SNAPSHOT_NO_TIME || !gmtime_r(&seconds, &at))
        return NULL;
    snprintf(text, PAGE_TIME_BYTES, "%d %s %d, %02d:%02d UTC", at.tm_mday, months[at.tm_mon], at.tm_year + 1900,
             at.tm_hour, at.tm_min);
    return text;
}

const char *page_deadline_text(int64_t at_us, int64_t now_us, char text[static PAGE_TIME_BYTES])
{
    static const struct {
        const char *name;
        int64_t seconds, until; // counted in these below so many seconds
    } units[] = {{"minute", 60, 90 * 60}, {"hour", 3600, 2 * 86400}, {"day", 86400, INT64_MAX}};
    const int64_t seconds = (at_us - now_us) / 1000000;
    if (!page_time_text(at_us, text))
        return NULL;
    const size_t bytes = strlen(text);
    size_t unit = 0;
    while (seconds >= units[unit].until)
        unit++;
    const int64_t count = seconds / units[unit].seconds;
    if (seconds > 0 && count == 0)
        snprintf(text + bytes, PAGE_TIME_BYTES - bytes, " (in less than a minute)");
    else if (seconds > 0)
        snprintf(text + bytes, PAGE_TIME_BYTES - bytes, " (in %" PRId64 " %s%s)", count, units[unit].name,
                 count == 1 ? "" : "s");
    return text;
}
