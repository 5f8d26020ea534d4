// SPDX-License-Identifier: Apache-2.0
// See provider_watch.h. A probe that began before somebody else was answered says nothing about what is now, so each remembers how many
// answers there had been.
#include "booking-worker/provider_watch.h"

#include "booking-worker/meters.h"
#include "booking-worker/store_payments.h"
#include "common/clock.h"
#include "common/log.h"

#define HASTENED_MAX 1000 // payments in one transaction
#define US_PER_SECOND 1000000

static bool is_working(enum provider_result result)
{
    return result == PROVIDER_DONE || result == PROVIDER_DECLINED || result == PROVIDER_REFUSED;
}

static void hear_that_it_works(struct provider_watch *watch)
{
    watch->answers++;
    watch->is_back = watch->is_back || watch->is_away;
    watch->is_away = watch->is_doubted = false;
}

void provider_watch_hear(struct provider_watch *watch, enum provider_result result, int64_t now_ns)
{
    if (is_working(result)) {
        hear_that_it_works(watch);
    } else if (!watch->is_doubted) {
        watch->is_doubted = true;
        watch->probe_at_ns = now_ns;
    }
}

struct provider_probe *provider_watch_probe(struct provider_watch *watch, int64_t now_ns)
{
    if (!watch->is_doubted || now_ns < watch->probe_at_ns)
        return NULL;
    for (size_t i = 0; i < PROVIDER_WATCH_PROBES_MAX; i++) {
        struct provider_probe *probe = &watch->probes[i];
        if (probe->is_flying)
            continue;
        *probe = (struct provider_probe){.watch = watch, .is_flying = true, .answers = watch->answers};
        watch->probe_at_ns = now_ns + PROVIDER_WATCH_NS;
        return probe;
    }
    return NULL;
}

void provider_watch_hear_probe(struct provider_probe *probe, enum provider_result result, int64_t now_ns)
{
    struct provider_watch *watch = probe->watch;
    probe->is_flying = false;
    if (is_working(result))
        hear_that_it_works(watch);
    else if (probe->answers == watch->answers)
        watch->is_doubted = watch->is_away = true;
    else
        provider_watch_hear(watch, result, now_ns);
}

// ---------------------------------------------------------------- edge

static void on_answer(void *context, const struct provider_answer *answer)
{
    struct provider_probe *probe = context;
    bool was_away = probe->watch->is_away;
    provider_watch_hear_probe(probe, answer->result, clock_monotonic_ns());
    if (probe->watch->is_away && !was_away)
        log_warn("provider_away", LOG_S("result", provider_result_name(answer->result)),
                 LOG_I("status", answer->http_status), LOG_S("detail", answer->detail));
}

static int begin_probe(struct provider_watch *watch, struct provider *provider, int64_t *ret_begun)
{
    struct provider_probe *probe = provider_watch_probe(watch, clock_monotonic_ns());
    if (!probe)
        return 0;
    // What was created from now on: an answer that is always small, and changes nothing.
    const struct provider_request request = {.call = PROVIDER_LIST, .created_since = clock_utc_us() / US_PER_SECOND};
    int result = provider_begin(provider, &request, on_answer, probe);
    if (result == 0)
        ++*ret_begun;
    else
        probe->is_flying = false; // no room, no memory: the next one may have it
    return result == ERROR_MEMORY ? result : 0;
}

static int make_due(struct provider_watch *watch, struct db *db)
{
    size_t count = 0;
    int result = store_hasten_payments(db, HASTENED_MAX, &count);
    if (result)
        return result;
    log_warn("provider_back", LOG_U("hastened", count));
    watch->is_back = count == HASTENED_MAX;
    return 0;
}

int provider_watch_go(struct provider_watch *watch, struct db *db, struct provider *provider, int64_t *ret_begun)
{
    metric_set(&meter_provider_away, watch->is_away);
    int result = begin_probe(watch, provider, ret_begun);
    return result == 0 && watch->is_back ? make_due(watch, db) : result;
}
