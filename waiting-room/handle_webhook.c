// SPDX-License-Identifier: Apache-2.0
// POST /v1/payments/webhook: what the payment provider tells of its own accord. It is believed for its signature over the raw body, and only
// that there may be news: what is true is asked by a booking worker. It is thanked once it is stored, and else sends it again.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/provider_event.h"
#include "waiting-room/handle.h"
#include "waiting-room/owner.h"

#define WAITING_MAX 1024 // for the store, each with its body
#define RETRY_AFTER_SECONDS 5

struct webhook {
    struct owner owner; // first
    struct http_exchange *exchange; // NULL: the provider is gone
    struct room_loop *loop;
    struct line_store_request request;
    struct line_store_told told;
    char body[];
};

static _Atomic unsigned waiting;

static struct metric taken =
    METRIC_COUNTER("onsale_webhooks_total", "Webhooks of the payment provider with a good signature.");
static struct metric refused = METRIC_COUNTER("onsale_webhooks_refused_total",
                                              "Webhooks whose signature was missing, wrong, too old or of the future.");

void handle_webhook_register_metrics(void)
{
    metrics_register(&taken);
    metrics_register(&refused);
}

static void on_closed(struct owner *owner)
{
    ((struct webhook *)owner)->exchange = NULL;
}

static void free_webhook(struct webhook *webhook)
{
    free(webhook);
    atomic_fetch_sub(&waiting, 1);
}

static struct webhook *webhook_of(struct line_store_request *request)
{
    return (struct webhook *)((char *)request - offsetof(struct webhook, request));
}

static void thank(struct http_exchange *exchange)
{
    static const struct http_header headers[] = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
    http_respond(exchange, 200, headers, sizeof headers / sizeof *headers, "{}", 2);
}

static void refuse(struct http_exchange *exchange, const struct problem *problem)
{
    problem_respond(exchange, problem,
                    &(struct problem_more){.retry_after_seconds = problem->status == 503 ? RETRY_AFTER_SECONDS : 0});
}

static void on_stored(struct line_store_request *request)
{
    struct webhook *webhook = webhook_of(request);
    struct http_exchange *exchange = webhook->exchange;
    if (request->error == 0) {
        log_info("webhook_stored", LOG_S("id", webhook->told.event.id), LOG_S("type", webhook->told.event.type));
        room_ring(webhook->loop->room, "", 0);
    }
    if (exchange) {
        http_set_data(exchange, NULL);
        if (request->error == 0)
            thank(exchange);
        else
            refuse(exchange, &PROBLEM_UNAVAILABLE);
    }
    free_webhook(webhook);
}

static void on_dropped(struct line_store_request *request)
{
    free_webhook(webhook_of(request));
}

static void store(struct http_exchange *exchange, const struct http_request *request,
                  const struct provider_event *event)
{
    struct webhook *webhook = NULL;
    if (atomic_fetch_add(&waiting, 1) < WAITING_MAX)
        webhook = calloc(1, sizeof *webhook + request->body_bytes);
    if (!webhook) {
        atomic_fetch_sub(&waiting, 1);
        refuse(exchange, &PROBLEM_UNAVAILABLE);
        return;
    }
    webhook->owner.closed = on_closed;
    webhook->exchange = exchange;
    webhook->loop = http_loop_data(http_exchange_loop(exchange));
    memcpy(webhook->body, request->body, request->body_bytes);
    webhook->told = (struct line_store_told){*event, webhook->body, request->body_bytes};
    webhook->request = (struct line_store_request){.kind = LINE_STORE_TOLD,
                                                   .loop = webhook->loop->http,
                                                   .answered = on_stored,
                                                   .dropped = on_dropped,
                                                   .told = &webhook->told};
    http_set_data(exchange, webhook);
    if (line_store_ask(webhook->loop->room->store, &webhook->request) == 0)
        return;
    http_set_data(exchange, NULL);
    refuse(exchange, &PROBLEM_UNAVAILABLE);
    free_webhook(webhook);
}

// NULL: it is the provider who speaks.
static const struct problem *verify(const struct room_loop *loop, const struct http_request *request)
{
    struct provider_event_secrets secrets;
    room_webhook_secrets(loop->room, &secrets);
    if (secrets.count == 0)
        return &PROBLEM_NO_WEBHOOK;
    int error = provider_event_verify(&secrets, request->stripe_signature, request->body, request->body_bytes,
                                      clock_utc_us() / 1000000);
    explicit_bzero(&secrets, sizeof secrets);
    if (error == 0)
        return NULL;
    if (error == ERROR_MEMORY)
        return &PROBLEM_UNAVAILABLE;
    metric_add(&refused, 1);
    log_warn("webhook_refused", LOG_S("address", request->address), LOG_S("class", error_str(error)));
    return error == ERROR_LIMIT ? &PROBLEM_SIGNATURE_TIME : &PROBLEM_BAD_SIGNATURE;
}

void handle_webhook(struct http_exchange *exchange, const struct http_request *request)
{
    struct provider_event event;
    const struct problem *problem = verify(http_loop_data(http_exchange_loop(exchange)), request);
    if (problem) {
        refuse(exchange, problem);
        return;
    }
    metric_add(&taken, 1);
    if (provider_event_read(request->body, request->body_bytes, &event) < 0) {
        log_warn("webhook_not_read", LOG_S("address", request->address));
        problem_respond(exchange, &PROBLEM_MALFORMED, &(struct problem_more){.detail = "It is no event."});
    } else if (!event.object[0]) {
        thank(exchange); // about nothing that concerns us
    } else {
        store(exchange, request, &event);
    }
}
