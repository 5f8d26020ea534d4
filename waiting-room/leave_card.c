// SPDX-License-Identifier: Apache-2.0
// See leave_card.h.
#include "waiting-room/leave_card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "waiting-room/desk.h"
#include "waiting-room/ordering.h"

#define RETRY_AFTER_SECONDS 5

// What hangs on the visit, freed with it.
struct visit_card {
    struct line_store_card card; // first
    struct desk_job job;
};

static struct desk_job *job_of(const struct visit *visit)
{
    return &((struct visit_card *)visit->card)->job;
}

static bool takes_cards(const struct visit *visit)
{
    return visit->loop->room->desk != NULL && visit->view->event->tier_count > 0; // a gate sells nothing
}

static void end_with(struct visit *visit, const struct problem *problem)
{
    visit->problem = problem;
    visit->joined(visit);
}

// False: it has ended.
static bool make_room(struct visit *visit, void (*then)(struct visit *visit))
{
    visit->joined = then;
    visit->problem = NULL;
    visit->error = 0;
    if (takes_cards(visit) && !visit->card) {
        struct visit_card *card = calloc(1, sizeof *card);
        visit->card = (struct line_store_card *)card; // its first member
    }
    if (takes_cards(visit) && visit->card)
        return true;
    end_with(visit, takes_cards(visit) ? &PROBLEM_UNAVAILABLE : &PROBLEM_NO_PAYMENT);
    return false;
}

static void after_spoilt(struct visit *visit)
{
    end_with(visit, &PROBLEM_PROVIDER_AWAY);
}

static void after_opened(struct visit *visit)
{
    if (visit->error == 0)
        log_info("card_page_given", LOG_S("slug", visit->view->event->slug),
                 LOG_U("place", visit->visitor->facts.number), LOG_U("number", visit->card->number));
    visit->joined(visit);
}

// The desk's answer, on the loop. Without a client nobody needs the page; the row stays, and the next one asks for it again.
static void on_made(struct desk_job *job)
{
    struct visit *visit = job->context;
    if (!visit->exchange) {
        visit_free(visit);
        return;
    }
    http_set_data(visit->exchange, NULL);
    if (job->error == 0) {
        memcpy(visit->card->session, job->session, sizeof visit->card->session);
        memcpy(visit->card->url, job->url, sizeof visit->card->url);
        visit_ask_card(visit, LINE_STORE_CARD_OPEN, after_opened);
    } else if (job->is_key_spent) {
        visit_ask_card(visit, LINE_STORE_CARD_SPOIL, after_spoilt);
    } else {
        end_with(visit, &PROBLEM_PROVIDER_AWAY);
    }
}

static void on_dropped(struct desk_job *job)
{
    visit_drop(job->context);
}

static void after_begun(struct visit *visit)
{
    struct desk_job *job = job_of(visit);
    if (visit->error < 0) {
        visit->joined(visit);
        return;
    }
    const struct snapshot *event = visit->view->event;
    *job = (struct desk_job){.loop = visit->loop->http,
                             .answered = on_made,
                             .dropped = on_dropped,
                             .context = visit,
                             .place = visit->visitor->facts.number,
                             .number = visit->card->number};
    memcpy(job->slug, event->slug, sizeof job->slug);
    memcpy(job->currency, event->currency, sizeof job->currency);
    memcpy(job->key, visit->card->key, sizeof job->key);
    http_set_data(visit->exchange, visit);
    if (desk_ask(visit->loop->room->desk, job) == 0)
        return;
    http_set_data(visit->exchange, NULL);
    end_with(visit, &PROBLEM_PROVIDER_AWAY);
}

static void after_facts(struct visit *visit)
{
    struct line_state state;
    int64_t now_us;
    if (visit->error < 0 || !visit_state(visit, &state, &now_us)) {
        const struct problem *problem = visit_problem(visit);
        end_with(visit, problem ? problem : &PROBLEM_UNAVAILABLE);
        return;
    }
    visit->card->is_turn_over = state.line == LINE_OVER;
    visit_ask_card(visit, LINE_STORE_CARD_BEGIN, after_begun);
}

void leave_card_begin(struct visit *visit, void (*then)(struct visit *visit))
{
    if (make_room(visit, then))
        visit_with_facts(visit, after_facts);
}

const struct problem *leave_card_problem(const struct visit *visit, struct problem_more *ret_more)
{
    const struct problem *problem = ordering_problem(visit, ret_more);
    if (problem == &PROBLEM_PROVIDER_AWAY)
        ret_more->retry_after_seconds = RETRY_AFTER_SECONDS;
    return problem;
}

const char *leave_card_url(const struct visit *visit)
{
    return visit->card->url;
}

void leave_card_look(struct visit *visit, bool is_back, void (*then)(struct visit *visit))
{
    if (make_room(visit, then))
        visit_ask_card(visit, is_back ? LINE_STORE_CARD_BACK : LINE_STORE_CARD_LOOK, then);
}

const struct line_store_card *leave_card_known(const struct visit *visit)
{
    return visit->card;
}
