// SPDX-License-Identifier: Apache-2.0
// One request, at the beginning.
#include "bench/crowd/scout.h"

#include <stdio.h>

#define DOCUMENT_BYTES_MAX 65536

struct scout {
    struct exchange exchange;
    struct buffer body;
    bool done, complete;
};

static void on_data(struct exchange *exchange, const char *data, size_t bytes)
{
    struct scout *scout = (struct scout *)((char *)exchange - offsetof(struct scout, exchange));
    buffer_append(&scout->body, data, bytes);
}

static void on_end(struct exchange *exchange, enum exchange_end end)
{
    struct scout *scout = (struct scout *)((char *)exchange - offsetof(struct scout, exchange));
    scout->done = true;
    scout->complete = end == EXCHANGE_COMPLETE;
}

int scout_menu(struct stage *stage, const struct links *links, char *problem, size_t problem_bytes)
{
    struct scout scout = {.exchange = {.on_data = on_data, .on_end = on_end},
                          .body = {.bytes_max = DOCUMENT_BYTES_MAX}};
    char path[128];
    (void)snprintf(path, sizeof path, "/v1/events/%s", stage->options->slug);
    const struct request request = {.method = "GET", .path = path, .accept = "application/json"};
    for (size_t i = 0; i < stage->link_count && !scout.complete; i++) {
        scout.done = false;
        buffer_clear(&scout.body);
        if (link_ask(stage->links[i], &request, &scout.exchange) != 0)
            continue;
        while (!scout.done)
            (void)uv_run(&stage->loop, UV_RUN_ONCE);
    }
    int error = ERROR_TRANSIENT;
    if (!scout.complete)
        (void)snprintf(problem, problem_bytes, "%s", links_problem(links));
    else if (scout.exchange.status != 200)
        (void)snprintf(problem, problem_bytes, "the event's document was answered with status %d",
                       scout.exchange.status);
    else
        error = menu_read(scout.body.data ? scout.body.data : "", scout.body.bytes, stage->options->tiers, &stage->menu,
                          problem, problem_bytes);
    buffer_done(&scout.body);
    return error;
}
