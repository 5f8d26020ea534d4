// SPDX-License-Identifier: Apache-2.0
// A queue, and calls under way. What has waited for too long is not begun any more: its visitor has been told to try again, or has gone.
#include "waiting-room/desk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

#define WORK_MS 1000
#define WAIT_NS INT64_C(10000000000)

struct desk {
    const struct common_config *config;
    struct loops *loops;
    struct provider *provider;
    pthread_t thread;
    _Atomic bool stopping;

    pthread_mutex_t lock; // guards the queue
    struct desk_job *first, **last;
    size_t queued;

    struct desk_job *under_way; // the thread's own
};

static struct metric asked = METRIC_COUNTER("onsale_desk_asked_total", "Card pages that the provider was asked for.");
static struct metric failed = METRIC_COUNTER("onsale_desk_failed_total", "Card pages that there was no answer about.");
static struct metric refused = METRIC_COUNTER(
    "onsale_desk_refused_total", "Card pages that the provider was not asked for: too many waited, or too long.");

void desk_register_metrics(void)
{
    metrics_register(&asked);
    metrics_register(&failed);
    metrics_register(&refused);
}

static void deliver(struct http_loop *loop, void *argument)
{
    (void)loop;
    struct desk_job *job = argument;
    job->answered(job);
}

static void answer(struct desk *desk, struct desk_job *job)
{
    job->next = NULL;
    if (!loops_post(desk->loops, job->loop, deliver, job))
        job->dropped(job);
}

static void take_off(struct desk *desk, struct desk_job *job)
{
    struct desk_job **at = &desk->under_way;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
}

static void note_failure(const struct desk_job *job, const struct provider_answer *given)
{
    const struct log_field fields[] = {LOG_S("slug", job->slug),
                                       LOG_U("place", job->place),
                                       LOG_S("result", provider_result_name(given->result)),
                                       LOG_I("http_status", given->http_status),
                                       LOG_S("code", given->code),
                                       LOG_S("detail", given->detail)};
    // A key that is not accepted does not pass by itself.
    log_emit(given->result == PROVIDER_DENIED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN, "card_page_failed", fields,
             sizeof fields / sizeof *fields);
}

static void on_answered(void *context, const struct provider_answer *given)
{
    struct desk_job *job = context;
    struct desk *desk = job->desk;
    take_off(desk, job);
    if (given->result == PROVIDER_DONE) {
        job->error = 0;
        memcpy(job->session, given->card.session, sizeof job->session);
        memcpy(job->url, given->card.url, sizeof job->url);
    } else {
        job->is_key_spent =
            given->is_key_spent || given->result == PROVIDER_REFUSED || given->result == PROVIDER_DECLINED;
        metric_add(&failed, 1);
        note_failure(job, given);
    }
    answer(desk, job);
}

static int begin(struct desk *desk, struct desk_job *job)
{
    char return_url[PROVIDER_URL_BYTES];
    job->desk = desk;
    snprintf(return_url, sizeof return_url, "%s/e/%s", desk->config->payment_return_url, job->slug);
    return provider_begin(desk->provider,
                          &(struct provider_request){.call = PROVIDER_CARD_PAGE,
                                                     .idempotency_key = job->key,
                                                     .currency = job->currency,
                                                     .slug = job->slug,
                                                     .place = job->place,
                                                     .number = job->number,
                                                     .return_url = return_url},
                          on_answered, job);
}

static struct desk_job *take(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    struct desk_job *job = desk->first;
    if (job) {
        desk->first = job->next;
        desk->queued--;
    }
    if (!desk->first)
        desk->last = &desk->first;
    pthread_mutex_unlock(&desk->lock);
    return job;
}

static void begin_waiting(struct desk *desk)
{
    struct desk_job *job;
    while (provider_in_flight(desk->provider) < DESK_IN_FLIGHT_MAX && (job = take(desk))) {
        bool is_late = clock_monotonic_ns() - job->since_ns > WAIT_NS;
        job->error = ERROR_TRANSIENT;
        int error = is_late ? ERROR_LIMIT : begin(desk, job);
        if (error == 0) {
            job->next = desk->under_way;
            desk->under_way = job;
            metric_add(&asked, 1);
            continue;
        }
        if (!is_late)
            log_warn("card_page_not_begun", LOG_S("slug", job->slug), LOG_U("place", job->place),
                     LOG_S("class", error_str(error)));
        metric_add(&refused, 1);
        answer(desk, job);
    }
}

static void *run(void *argument)
{
    struct desk *desk = argument;
    while (!atomic_load(&desk->stopping)) {
        begin_waiting(desk);
        provider_work(desk->provider, WORK_MS, -1);
    }
    return NULL;
}

int desk_open(const struct common_config *config, struct loops *loops, struct desk **ret, char *problem,
              size_t problem_bytes)
{
    struct desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return ERROR_MEMORY;
    desk->config = config;
    desk->loops = loops;
    desk->last = &desk->first;
    int error = provider_open(config, &desk->provider, problem, problem_bytes);
    if (error < 0) {
        free(desk);
        return error;
    }
    pthread_mutex_init(&desk->lock, NULL);
    if (pthread_create(&desk->thread, NULL, run, desk) != 0) {
        snprintf(problem, problem_bytes, "no thread");
        pthread_mutex_destroy(&desk->lock);
        provider_close(desk->provider);
        free(desk);
        return ERROR_LIMIT;
    }
    *ret = desk;
    return 0;
}

void desk_stop(struct desk *desk)
{
    struct desk_job *job;
    pthread_mutex_lock(&desk->lock);
    atomic_store(&desk->stopping, true);
    pthread_mutex_unlock(&desk->lock);
    provider_wake(desk->provider);
    pthread_join(desk->thread, NULL);
    provider_close(desk->provider);
    desk->provider = NULL;
    while ((job = desk->under_way)) {
        desk->under_way = job->next;
        answer(desk, job);
    }
    while ((job = take(desk))) {
        job->error = ERROR_TRANSIENT;
        answer(desk, job);
    }
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

int desk_ask(struct desk *desk, struct desk_job *job)
{
    int error = 0;
    job->next = NULL;
    job->is_key_spent = false;
    job->since_ns = clock_monotonic_ns();
    pthread_mutex_lock(&desk->lock);
    if (desk->queued >= DESK_QUEUE_MAX || atomic_load(&desk->stopping)) {
        error = ERROR_LIMIT;
    } else {
        *desk->last = job;
        desk->last = &job->next;
        desk->queued++;
        provider_wake(desk->provider); // with the lock, so that it is still there
    }
    pthread_mutex_unlock(&desk->lock);
    if (error < 0)
        metric_add(&refused, 1);
    return error;
}
