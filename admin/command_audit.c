// SPDX-License-Identifier: Apache-2.0
// onsale audit: a line for each check, and what breaks it.
#include <inttypes.h>

#include "admin/audit.h"
#include "admin/audit_provider.h"
#include "admin/commands.h"
#include "admin/currency.h"
#include "common/buffer.h"
#include "common/bus.h"
#include "common/topology.h"

#define READ_TIMEOUT_SECONDS 600 // a million arrivals are read more than once

// Orders that their visitors still wait for, by state, and what is on its way to them.
static json_t *open_json(const struct audit *audit)
{
    json_t *open = json_object();
    for (int state = 0; state < ORDER_STATE_COUNT; state++)
        if (!order_is_final((enum order_state)state))
            json_object_set_new(open, order_state_name((enum order_state)state),
                                json_integer((json_int_t)audit->open[state]));
    json_object_set_new(open, "freeings", json_integer((json_int_t)audit->freeings_waiting));
    json_object_set_new(open, "payments", json_integer((json_int_t)audit->payments_waiting));
    json_object_set_new(open, "outbox", json_integer((json_int_t)audit->news_waiting));
    json_object_set_new(open, "dead_letters", json_integer((json_int_t)audit->letters_waiting));
    return open;
}

static void write_open(const struct audit *audit, struct buffer *text)
{
    json_t *open = open_json(audit);
    const char *name;
    json_t *count;
    bool first = true;
    json_object_foreach(open, name, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        buffer_format(text, "%s%" JSON_INTEGER_FORMAT " %s", first ? "still on its way: " : ", ",
                      json_integer_value(count), name);
        first = false;
    }
    buffer_text(text, first ? "" : "\n");
    json_decref(open);
}

// Null: no provider takes the money.
static json_t *provider_json(const struct audit *audit)
{
    const struct audit_provider *provider = &audit->provider;
    if (!audit->options.takes_money)
        return json_null();
    json_t *money = json_array();
    for (size_t i = 0; i < provider->money_count && provider->is_compared; i++)
        json_array_append_new(money, json_pack("{s:s, s:I, s:I, s:I}", "currency", provider->money[i].currency,
                                               "captured", (json_int_t)provider->money[i].captured, "refunded",
                                               (json_int_t)provider->money[i].refunded, "booked",
                                               (json_int_t)provider->money[i].booked));
    return json_pack("{s:b, s:s?, s:I, s:o}", "compared", (int)provider->is_compared, "why",
                     provider->is_compared ? NULL : provider->why, "intents", (json_int_t)provider->intents, "money",
                     money);
}

static void write_provider(const struct audit *audit, struct buffer *text)
{
    const struct audit_provider *provider = &audit->provider;
    char captured[CURRENCY_AMOUNT_BYTES], refunded[CURRENCY_AMOUNT_BYTES];
    if (!audit->options.takes_money)
        return;
    if (!provider->is_compared) {
        buffer_format(text, "provider: not compared: %s\n", provider->why);
        return;
    }
    buffer_format(text, "provider: %" PRIu64 " payments compared", provider->intents);
    for (size_t i = 0; i < provider->money_count; i++)
        buffer_format(text, "%s%s taken, %s of it given back", i ? ", " : ": ",
                      currency_format(provider->money[i].captured, provider->money[i].currency, captured),
                      currency_format(provider->money[i].refunded, provider->money[i].currency, refunded));
    buffer_text(text, "\n");
}

static int report_json(const struct context *context, const struct audit *audit, const char *slug, bool ok)
{
    json_t *checks = json_array();
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const struct audit_check *check = &audit->checks[i];
        json_t *violations = json_copy(check->samples);
        uint64_t more = check->violation_count - json_array_size(check->samples);
        if (more) {
            char text[64];
            snprintf(text, sizeof(text), "and %" PRIu64 " more", more);
            json_array_append_new(violations, json_string(text));
        }
        json_array_append_new(checks, json_pack("{s:i, s:s, s:b, s:o}", "n", check->n, "name", check->name, "ok",
                                                (int)(check->violation_count == 0), "violations", violations));
    }
    return context_print_json(context, json_pack("{s:s, s:b, s:o, s:o, s:o}", "event", slug, "ok", (int)ok, "open",
                                                 open_json(audit), "provider", provider_json(audit), "checks", checks));
}

static int report_text(const struct context *context, const struct audit *audit)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    for (int i = 0; i < AUDIT_COUNT; i++) {
        const struct audit_check *check = &audit->checks[i];
        buffer_format(&text, "%d  %-6s  %s\n", check->n, check->violation_count ? "BROKEN" : "holds", check->name);
        for (size_t s = 0; s < json_array_size(check->samples); s++)
            buffer_format(&text, "             %s\n", json_string_value(json_array_get(check->samples, s)));
        if (check->violation_count > json_array_size(check->samples))
            buffer_format(&text, "             and %" PRIu64 " more\n",
                          check->violation_count - json_array_size(check->samples));
    }
    write_open(audit, &text);
    write_provider(audit, &text);
    return context_print_text(context, &text);
}

// How many dead letters wait for a notifier.
static uint64_t count_letters(void *subject)
{
    const struct context *context = subject;
    const struct bus_options options = {.url = context->config->common.amqp_url,
                                        .tls_ca = context->config->common.amqp_tls_ca,
                                        .name = "onsale audit",
                                        .rpc_timeout_ms = 1000};
    struct bus *bus = NULL;
    uint32_t messages = 0, consumers;
    if (bus_open(&options, false, &bus) < 0 || bus_count_queue(bus, TOPOLOGY_DEAD, &messages, &consumers) < 0)
        context_note(context, "RabbitMQ cannot say how many dead letters are on their way: %s", bus_error_text(bus));
    bus_close(bus);
    return messages;
}

int command_audit(struct context *context)
{
    const char *slug = context->arguments[0];
    const struct db_options options = {
        .config = &context->config->common, .program = "onsale", .io_timeout_seconds = READ_TIMEOUT_SECONDS};
    int status = context_connect(context, &options);
    if (status != EXIT_DONE)
        return status;
    struct audit audit;
    const struct audit_options how = {.settled = context_option(context, "settled") != NULL,
                                      .takes_money = context->config->common.payment_provider == PAYMENT_STRIPE,
                                      .count_letters = count_letters,
                                      .subject = context};
    int r = audit_run(&audit, context->db, slug, &how);
    if (r == 0 && how.takes_money && context_option(context, "without-provider"))
        snprintf(audit.provider.why, sizeof(audit.provider.why), "--without-provider");
    else if (r == 0 && how.takes_money)
        r = audit_provider(&audit, slug, &context->config->common);
    if (r == ERROR_NOT_FOUND) {
        status = context_no_event(context, slug);
    } else if (r < 0) {
        status = context_db_failed(context, r, "audit");
    } else {
        bool ok = true;
        for (int i = 0; i < AUDIT_COUNT; i++)
            ok = ok && audit.checks[i].violation_count == 0;
        status = context->json ? report_json(context, &audit, slug, ok) : report_text(context, &audit);
        if (status == EXIT_DONE && !ok)
            status = EXIT_FAILED;
    }
    audit_done(&audit);
    return status;
}
