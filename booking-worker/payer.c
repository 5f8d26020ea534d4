// SPDX-License-Identifier: Apache-2.0
// See payer.h. One round: the bells that have rung, what the provider told, what is due; then calls go on, and answers are settled event by
// event, as many as have come.
#include "booking-worker/payer.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/card_desk.h"
#include "booking-worker/meters.h"
#include "booking-worker/payer_settle.h"
#include "booking-worker/provider_news.h"
#include "booking-worker/provider_watch.h"
#include "booking-worker/store_payments.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/outbox.h"
#include "common/provider.h"
#include "common/topology.h"

#define MS_NS INT64_C(1000000)
#define ROUND_MS 500 // without a bell
#define WORK_MS 50
#define PREFETCH 100
#define BELLS_MAX 1000 // taken in one go
#define CONFIRM_TIMEOUT_MS 3000
#define LEASE_MARGIN_SECONDS 5 // beyond a call's time-out
#define STOP_MS \
    4000 // for calls that are under way when the program stops; what it then waits for MySQL at most comes on top
#define RETRY_MS 50 // after a transaction that was undone
#define URL_BYTES 2100
#define KEY_INTENT_BYTES 8 // of an intent's id, in the keys of the calls about it
#define HOPS_MAX 10 // calls for one payment, one right after the other

struct payer {
    const struct settings *settings;
    const struct stop *stop;
    struct link link;
    struct outbox *outbox;
    struct provider *provider;
    struct card_desk *cards;
    struct provider_news *news;
    struct provider_watch watch;
    struct payer_call *calls; // payments_at_once of them
    struct payer_call *free, *answered;
    struct payer_call *held_back; // answers that could not be settled in this round
    struct payer_call *unsent; // calls that the provider's client had no room for
    size_t in_flight;
    int64_t lease_seconds;
    int64_t next_round_ns;
    int64_t calls_left, refilled_ns; // what the provider lets be asked; below 0 where payments went on that had begun
    int64_t card_calls_left; // a quarter of them, at most, is for card pages; in quarters of a call
    bool is_subscribed, has_unconfirmed, has_more, is_full;
    atomic_bool is_rung;
    pthread_t thread;
};

bool payer_has_mysql(const struct payer *payer)
{
    return atomic_load(&payer->link.has_db);
}

void payer_ring(struct payer *payer)
{
    if (!payer || atomic_exchange(&payer->is_rung, true))
        return;
    provider_wake(payer->provider);
}

// ---------------------------------------------------------------- RabbitMQ

static void lose_bus(struct payer *payer, int error)
{
    link_lose_bus(&payer->link, error);
    payer->is_subscribed = payer->has_unconfirmed = false;
    outbox_lost_bus(payer->outbox);
}

static int use_bus(struct payer *payer)
{
    int result = link_use_bus(&payer->link);
    if (result || payer->is_subscribed)
        return result;
    // Bells are acknowledged by being sent: one that is lost is made up for by the next round.
    result = bus_consume(payer->link.bus, TOPOLOGY_PAYMENTS, PREFETCH, true);
    if (result)
        lose_bus(payer, result);
    else
        payer->is_subscribed = true;
    return result;
}

static void hear_bells(struct payer *payer)
{
    int result = use_bus(payer);
    for (int i = 0; i < BELLS_MAX && result == 0; i++) {
        struct bus_delivery delivery = {0};
        result = bus_receive(payer->link.bus, 0, &delivery);
        bus_delivery_done(&delivery);
        if (result == 0)
            atomic_store(&payer->is_rung, true);
        else if (result == ERROR_LIMIT)
            result = 0; // too long for a bell, and dropped
    }
    if (result && result != ERROR_NOT_FOUND && payer->link.bus)
        lose_bus(payer, result);
}

static void publish(struct payer *payer)
{
    if (use_bus(payer))
        return; // what stands in the outbox is published later, by whoever can
    int result = outbox_publish(payer->outbox, payer->link.bus);
    payer->has_unconfirmed = payer->has_unconfirmed || outbox_pending(payer->outbox) > 0;
    if (result)
        lose_bus(payer, result);
}

static void take_confirms(struct payer *payer)
{
    if (!payer->has_unconfirmed || !payer->link.bus)
        return;
    int result = bus_wait_confirms(payer->link.bus, CONFIRM_TIMEOUT_MS);
    if (result) {
        lose_bus(payer, result);
        return;
    }
    outbox_confirmed(payer->outbox);
    payer->has_unconfirmed = false;
}

// ---------------------------------------------------------------- calling

// Payments that have begun go on; new ones are taken only as fast as the provider lets be called.
static void refill(struct payer *payer)
{
    int64_t rate = payer->settings->payment_calls_per_second, now_ns = clock_monotonic_ns();
    int64_t more = (now_ns - payer->refilled_ns) / MS_NS * rate / 1000;
    if (more <= 0)
        return;
    payer->refilled_ns = now_ns;
    payer->calls_left = payer->calls_left + more < rate ? payer->calls_left + more : rate;
    payer->card_calls_left = payer->card_calls_left + more < rate ? payer->card_calls_left + more : rate;
}

static size_t room_for_more(struct payer *payer)
{
    size_t room = (size_t)payer->settings->payments_at_once - payer->in_flight;
    if (room > PAYER_SETTLE_MAX)
        room = PAYER_SETTLE_MAX;
    if (payer->settings->payment_calls_per_second == 0)
        return room;
    refill(payer);
    if (payer->calls_left <= 0)
        return 0;
    return room < (size_t)payer->calls_left ? room : (size_t)payer->calls_left;
}

static struct payer_call *take_free(struct payer *payer)
{
    struct payer_call *call = payer->free;
    payer->free = call->next;
    *call = (struct payer_call){0};
    payer->in_flight++;
    return call;
}

static void give_back(struct payer *payer, struct payer_call *call)
{
    *call = (struct payer_call){.next = payer->free};
    payer->free = call;
    payer->in_flight--;
}

static void on_answer(void *context, const struct provider_answer *answer)
{
    struct payer_call *call = context;
    struct payer *payer = call->payer;
    call->answer = *answer;
    call->answer.intents = NULL;
    call->next = payer->answered;
    payer->answered = call;
    metric_add(&meter_payments_in_flight, -1);
    metric_observe_us(&meter_payment_duration, (clock_monotonic_ns() - call->began_ns) / 1000);
    meters_add_answer(answer->result);
    provider_watch_hear(&payer->watch, answer->result, clock_monotonic_ns());
}

// What cannot even be asked is as good as unanswered.
static void fail_to_ask(struct payer_call *call, int error)
{
    struct payer *payer = call->payer;
    call->answer = (struct provider_answer){.call = call->step.call,
                                            .result = error == ERROR_INVALID ? PROVIDER_REFUSED : PROVIDER_BUSY};
    snprintf(call->answer.detail, sizeof(call->answer.detail), "it could not be asked: %s", error_str(error));
    call->next = payer->answered;
    payer->answered = call;
}

// The same call about the same intent has the same key, as long as the provider has not spent it. The intent is in it because the id that came
// first may turn out to be wrong, and what was asked about that is another question.
static void write_key(const struct payer_call *call, char ret[static PROVIDER_KEY_BYTES])
{
    const struct store_payment *payment = &call->payment;
    size_t bytes = strlen(payment->intent);
    const char *last = bytes > KEY_INTENT_BYTES ? payment->intent + bytes - KEY_INTENT_BYTES : payment->intent;
    snprintf(ret, PROVIDER_KEY_BYTES, "%s-%s-%" PRIu32 "%s%s", payment->idempotency_key,
             provider_call_name(call->step.call), payment->key_no, bytes ? "-" : "", last);
}

static void begin_call(struct payer *payer, struct payer_call *call)
{
    const struct store_payment *payment = &call->payment;
    char key[PROVIDER_KEY_BYTES], url[URL_BYTES];
    write_key(call, key);
    snprintf(url, sizeof(url), "%s/e/%s", payer->settings->common.payment_return_url, payment->slug);
    const struct provider_request request = {
        .call = call->step.call,
        .idempotency_key = key,
        .intent = payment->intent[0] ? payment->intent : NULL,
        .amount = payment->facts.amount,
        .currency = payment->facts.currency,
        .payment_method = payment->payment_method,
        .customer = payment->customer_id[0] ? payment->customer_id : NULL,
        .slug = payment->slug,
        .reference = payment->reference,
        .place = payment->place,
        .attempt = payment->attempt,
        .number = payment->number,
        .return_url = url,
    };
    call->began_ns = clock_monotonic_ns();
    if (payer->settings->test_crash_payment_call == (int64_t)call->step.call + 1 && !payer->settings->test_crash_after)
        abort(); // a test wants to see what becomes of a payment whose payer dies before it asks
    int result = provider_begin(payer->provider, &request, on_answer, call);
    if (result == 0) {
        payer->calls_left--;
        metric_add(&meter_payments_in_flight, 1);
    } else if (result == ERROR_LIMIT) {
        call->next = payer->unsent;
        payer->unsent = call;
    } else {
        fail_to_ask(call, result);
    }
}

// Questions about cards, and about payments of nobody, may have been in the way.
static void begin_unsent(struct payer *payer)
{
    struct payer_call *unsent = payer->unsent;
    payer->unsent = NULL;
    while (unsent) {
        struct payer_call *call = unsent;
        unsent = call->next;
        begin_call(payer, call);
    }
}

// ---------------------------------------------------------------- what is due

static struct payment_step step_of(const struct store_payment *payment)
{
    struct payment_step step = payment_next(&payment->facts);
    bool is_over = payment->hold_left_us != STORE_NO_TIME && payment->hold_left_us <= 0;
    // The time is over while the bank asks its question: what it says now counts, and nothing after it.
    if (payment->facts.state == PAYMENT_CHALLENGED && payment->facts.aim == PAYMENT_TAKE && is_over)
        step.aim = PAYMENT_CLOSE;
    return step;
}

static int claim(struct payer *payer, size_t room, struct store_payment **ret, struct payment_step **ret_steps,
                 size_t *ret_count)
{
    struct db *db = payer->link.db;
    struct payment_step *steps = NULL;
    size_t count = 0;
    int result = db_begin(db);
    if (result == 0)
        result = store_lock_due_payments(db, room, ret, &count);
    if (result == 0 && !(steps = calloc(count + 1, sizeof(*steps))))
        result = ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++)
        steps[i] = step_of(&(*ret)[i]);
    if (result == 0)
        result = store_claim_payments(db, *ret, steps, count, payer->lease_seconds);
    if (result == 0)
        result = db_commit(db);
    if (result)
        db_rollback(db);
    *ret_steps = steps;
    *ret_count = result ? 0 : count;
    payer->has_more = count == room;
    return result;
}

static int take_due(struct payer *payer)
{
    struct store_payment *payments = NULL;
    struct payment_step *steps = NULL;
    size_t count = 0;
    size_t room = room_for_more(payer);
    payer->is_full = room == 0;
    if (room == 0) {
        payer->has_more = true;
        return 0;
    }
    int result = claim(payer, room, &payments, &steps, &count);
    for (size_t i = 0; i < count; i++) {
        if (!steps[i].has_call)
            continue;
        struct payer_call *call = take_free(payer);
        call->payer = payer;
        call->payment = payments[i];
        call->payment.facts.state = steps[i].state;
        call->payment.facts.aim = steps[i].aim;
        call->step = steps[i];
        begin_call(payer, call);
    }
    free(payments);
    free(steps);
    return result;
}

// However many pages are open, payments have their share.
static int take_cards(struct payer *payer)
{
    size_t room = SIZE_MAX, count = 0;
    if (payer->settings->payment_calls_per_second > 0) {
        refill(payer);
        room = payer->card_calls_left > 0 ? (size_t)(payer->card_calls_left + 3) / 4 : 0;
    }
    int result = card_desk_take(payer->cards, payer->link.db, payer->provider, room, &count);
    payer->card_calls_left -= 4 * (int64_t)count;
    payer->calls_left -= (int64_t)count;
    return result;
}

// ---------------------------------------------------------------- what was answered

// As rows are locked.
static int compare_calls(const void *a, const void *b)
{
    const struct store_payment *x = &(*(struct payer_call *const *)a)->payment;
    const struct store_payment *y = &(*(struct payer_call *const *)b)->payment;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

static bool is_of_booking(const struct payer_call *call, const struct payer_call *other)
{
    return call->payment.place == other->payment.place && call->payment.attempt == other->payment.attempt;
}

// Takes the answers of one event out of those that have come, the first one's event; of each booking one, since what it makes of the next is
// decided from what it is then.
static size_t take_answers(struct payer *payer, struct payer_call *ret[static PAYER_SETTLE_MAX])
{
    struct payer_call **at = &payer->answered;
    uint64_t event_id = payer->answered->payment.event_id;
    size_t count = 0;
    while (*at && count < PAYER_SETTLE_MAX) {
        bool is_wanted = (*at)->payment.event_id == event_id;
        for (size_t i = 0; i < count && is_wanted; i++)
            is_wanted = !is_of_booking(*at, ret[i]);
        if (is_wanted) {
            ret[count++] = *at;
            *at = (*at)->next;
        } else {
            at = &(*at)->next;
        }
    }
    qsort(ret, count, sizeof(ret[0]), compare_calls);
    return count;
}

static void hold_back(struct payer *payer, struct payer_call *call)
{
    call->next = payer->held_back;
    payer->held_back = call;
}

// No way to an end has so many steps. Should one turn in a circle all the same, it does so slowly: it is taken again when its lease is over.
static bool goes_on(struct payer_call *call)
{
    if (!call->step.has_call || ++call->hops < HOPS_MAX)
        return call->step.has_call;
    log_warn("payment_turns_in_circles", LOG_S("slug", call->payment.slug), LOG_U("place", call->payment.place),
             LOG_S("state", payment_state_name(call->payment.facts.state)),
             LOG_S("call", provider_call_name(call->step.call)));
    return false;
}

static void go_on(struct payer *payer, struct payer_call *const *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (goes_on(calls[i]))
            begin_call(payer, calls[i]);
        else
            give_back(payer, calls[i]);
    }
}

static int settle_together(struct payer *payer, struct payer_call *const *calls, size_t count)
{
    if (payer->settings->test_crash_after &&
        payer->settings->test_crash_payment_call == (int64_t)calls[0]->step.call + 1)
        abort(); // a test wants to see what becomes of an answer that nobody wrote down
    int result =
        payer_settle(payer->link.db, payer->outbox, calls[0]->payment.event_id, calls, count, payer->lease_seconds);
    if (result && result != ERROR_NOT_FOUND)
        return result;
    for (size_t i = 0; i < count && result; i++) // the event is gone, and its payments with it
        calls[i]->step = (struct payment_step){.is_end = true};
    publish(payer);
    go_on(payer, calls, count);
    return 0;
}

// Rows that cannot be: this one's answer is let go, and it is asked about again when its lease is over. The others need not wait for it.
static void set_aside(struct payer *payer, struct payer_call *call, int error)
{
    log_error("payment_not_settled", LOG_S("slug", call->payment.slug), LOG_U("place", call->payment.place),
              LOG_U("attempt", call->payment.attempt), LOG_U("payment", call->payment.number),
              LOG_S("call", provider_call_name(call->step.call)), LOG_S("error", error_str(error)),
              LOG_S("text", db_error_text(payer->link.db)));
    give_back(payer, call);
}

static bool is_about_answer(int error)
{
    return error == ERROR_INVALID || error == ERROR_DUPLICATE || error == ERROR_BUG;
}

static int settle_one(struct payer *payer, struct payer_call *call)
{
    int result = settle_together(payer, &call, 1);
    if (result && is_about_answer(result) && db_is_connected(payer->link.db)) {
        set_aside(payer, call, result);
        return 0;
    }
    if (result)
        hold_back(payer, call);
    return result;
}

// If what one of them says cannot be written, the others are written all the same.
static int settle_batch(struct payer *payer, struct payer_call *const *calls, size_t count)
{
    if (count == 1)
        return settle_one(payer, calls[0]);
    int result = settle_together(payer, calls, count);
    if (result == 0)
        return 0;
    int failed = is_about_answer(result) ? 0 : result;
    for (size_t i = 0; i < count; i++) {
        if (!is_about_answer(result) || !db_is_connected(payer->link.db)) {
            hold_back(payer, calls[i]);
            continue;
        }
        int alone = settle_one(payer, calls[i]);
        failed = alone ? alone : failed;
    }
    return failed;
}

// Tiers that somebody else has for long keep no other event waiting.
static int settle(struct payer *payer)
{
    struct payer_call *calls[PAYER_SETTLE_MAX];
    int failed = 0;
    while (payer->answered && (!failed || db_is_connected(payer->link.db))) {
        int result = settle_batch(payer, calls, take_answers(payer, calls));
        failed = result ? result : failed;
    }
    while (payer->held_back) {
        struct payer_call *call = payer->held_back;
        payer->held_back = call->next;
        call->next = payer->answered;
        payer->answered = call;
    }
    return failed;
}

// ---------------------------------------------------------------- the thread

static int go_round(struct payer *payer)
{
    int64_t now_ns = clock_monotonic_ns();
    bool is_rung = atomic_exchange(&payer->is_rung, false);
    // As long as there is no room for what is due, it need not be looked for all the time.
    payer->is_full = room_for_more(payer) == 0;
    if (!is_rung && (!payer->has_more || payer->is_full) && now_ns < payer->next_round_ns)
        return 0;
    payer->has_more = false;
    payer->next_round_ns = now_ns + ROUND_MS * MS_NS;
    int64_t begun = 0;
    int result = provider_watch_go(&payer->watch, payer->link.db, payer->provider, &begun);
    payer->calls_left -= begun;
    if (result == 0)
        result = provider_news_take(payer->news, payer->link.db, payer->provider);
    if (result == 0)
        result = take_cards(payer);
    if (result == 0)
        result = take_due(payer);
    return result;
}

static int work_on_db(struct payer *payer, bool takes_new)
{
    int result = link_use_db(&payer->link);
    if (result)
        return result;
    int failed = settle(payer);
    if (failed && !db_is_connected(payer->link.db))
        return failed;
    result = provider_news_settle(payer->news, payer->link.db);
    if (result == 0)
        result = card_desk_settle(payer->cards, payer->link.db);
    if (result == 0 && takes_new)
        result = go_round(payer);
    if (result == 0)
        result = outbox_tidy(payer->outbox, payer->link.db);
    return result ? result : failed;
}

static void work(struct payer *payer, bool takes_new)
{
    int result = clock_monotonic_ns() < payer->link.db_at_ns ? ERROR_TRANSIENT : work_on_db(payer, takes_new);
    if (result == 0)
        link_db_works(&payer->link);
    else if (clock_monotonic_ns() >= payer->link.db_at_ns)
        (void)link_db_fails(&payer->link, "paying", result);
    hear_bells(payer);
    bool is_busy = !payer->is_full && (atomic_load(&payer->is_rung) || payer->has_more);
    int wait_ms = result ? RETRY_MS : payer->answered || is_busy ? 0 : WORK_MS;
    provider_work(payer->provider, wait_ms, payer->link.bus ? bus_fd(payer->link.bus) : -1);
    begin_unsent(payer);
    take_confirms(payer);
}

static bool has_connection(const struct payer *payer)
{
    return payer->link.db && db_is_connected(payer->link.db);
}

// What is under way has a moment to end; the rest is for others, at once. Without MySQL nothing can be written down, so nothing is waited for:
// leases end by themselves.
static void wind_down(struct payer *payer, int64_t until_ns)
{
    while (payer->in_flight > 0 && has_connection(payer) && clock_monotonic_ns() < until_ns)
        work(payer, false);
    if (payer->in_flight == 0 || !has_connection(payer))
        return;
    struct store_payment *left = calloc(payer->in_flight + 1, sizeof(*left));
    size_t count = 0;
    for (int64_t i = 0; left && i < payer->settings->payments_at_once; i++)
        if (payer->calls[i].payment.is_there && count < payer->in_flight)
            left[count++] = payer->calls[i].payment;
    if (left && store_release_payments(payer->link.db, left, count) == 0)
        log_info("payments_left", LOG_U("count", count));
    free(left);
}

static void *run(void *argument)
{
    struct payer *payer = argument;
    int64_t began_ns = clock_monotonic_ns();
    while (!stop_was_asked(payer->stop)) {
        began_ns = clock_monotonic_ns();
        work(payer, true);
    }
    wind_down(payer, began_ns + STOP_MS * MS_NS); // since when it may have been asked to stop
    return NULL;
}

static void payer_free(struct payer *payer)
{
    provider_close(payer->provider);
    card_desk_free(payer->cards);
    provider_news_free(payer->news);
    outbox_free(payer->outbox);
    link_done(&payer->link);
    free(payer->calls);
    free(payer);
}

static int open_parts(struct payer *payer)
{
    char problem[200] = "";
    payer->calls = calloc((size_t)payer->settings->payments_at_once, sizeof(*payer->calls));
    int result = payer->calls ? outbox_new(&payer->outbox) : ERROR_MEMORY;
    for (int64_t i = 0; i < payer->settings->payments_at_once && result == 0; i++) {
        payer->calls[i].next = payer->free;
        payer->free = &payer->calls[i];
    }
    if (result == 0)
        result = card_desk_new(&payer->cards);
    if (result == 0)
        result = provider_news_new(&payer->news);
    if (result == 0)
        result = provider_open(&payer->settings->common, &payer->provider, problem, sizeof(problem));
    if (problem[0])
        log_error("provider_not_usable", LOG_S("problem", problem));
    return result;
}

int payer_start(const struct settings *settings, const struct stop *stop, struct payer **ret)
{
    struct payer *payer = calloc(1, sizeof(*payer));
    if (!payer)
        return ERROR_MEMORY;
    payer->settings = settings;
    payer->stop = stop;
    payer->lease_seconds = settings->common.payment_timeout_seconds + LEASE_MARGIN_SECONDS;
    link_init(&payer->link, &settings->common, "booking-worker", "payer");
    int result = open_parts(payer);
    if (result == 0 && pthread_create(&payer->thread, NULL, run, payer))
        result = ERROR_PERMANENT;
    if (result)
        payer_free(payer);
    else
        *ret = payer;
    return result;
}

void payer_join(struct payer *payer)
{
    if (!payer)
        return;
    pthread_join(payer->thread, NULL);
    payer_free(payer);
}
