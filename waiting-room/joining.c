// SPDX-License-Identifier: Apache-2.0
// Who has a token keeps the place; a token that does not verify is refused and never gets a new one.
#include "waiting-room/joining.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

// A number without a token would be lost: without a key none is taken.
static void take_number(struct visit *visit, void (*then)(struct visit *visit))
{
    if (!keyring_signing_key(&visit->loop->keyring, clock_utc_us() / 1000000)) {
        visit->problem = &PROBLEM_NO_KEY;
        then(visit);
        return;
    }
    char address[HTTP_ADDRESS_BYTES];
    memcpy(address, visit->request.address, sizeof address);
    visit_join(visit, address, then);
}

static void after_facts(struct visit *visit)
{
    struct line_state state;
    int64_t now_us;
    if (visit->error == 0 && visit->again && visit_state(visit, &state, &now_us) &&
        (state.line == LINE_OVER || state.line == LINE_LEFT))
        take_number(visit, visit->joined);
    else
        visit->joined(visit);
}

void joining_begin(struct visit *visit, const char *address, void (*then)(struct visit *visit))
{
    visit->joined = then;
    snprintf(visit->request.address, sizeof visit->request.address, "%s", address);
    if (visit->identity == VISIT_VISITOR)
        visit_with_facts(visit, after_facts);
    else if (visit->identity != VISIT_NOBODY)
        then(visit);
    else
        take_number(visit, then);
}

bool joining_is_new(const struct visit *visit)
{
    return visit->request.kind == LINE_STORE_JOIN && visit->request.answered && visit->error == 0;
}

static const struct problem *problem_of_state(const struct visit *visit, struct problem_more *more)
{
    switch (visit->request.state) {
    case LIFECYCLE_DRAFT:
        more->with_opens_at = true;
        more->opens_at_us = visit->request.opens_at_us;
        return &PROBLEM_DRAFT;
    case LIFECYCLE_SOLD_OUT:
        return &PROBLEM_SOLD_OUT;
    case LIFECYCLE_CLOSED:
        return &PROBLEM_CLOSED;
    default:
        more->retry_after_seconds = visit->request.retry_after_seconds;
        return &PROBLEM_STOPPED;
    }
}

const struct problem *joining_problem(const struct visit *visit, struct problem_more *ret_more)
{
    *ret_more = (struct problem_more){0};
    if (visit->problem)
        return visit->problem;
    if (visit->request.answered && visit->request.kind == LINE_STORE_JOIN && visit->error == ERROR_CONFLICT)
        return problem_of_state(visit, ret_more);
    ret_more->retry_after_seconds = visit->request.retry_after_seconds;
    if (visit->error == ERROR_LIMIT)
        return &PROBLEM_TOO_MANY;
    struct line_state state;
    int64_t now_us;
    if (visit->error == ERROR_TRANSIENT && visit->visitor && visit->request.kind == LINE_STORE_LOOK_UP &&
        !visit->again && visit_state(visit, &state, &now_us))
        return NULL; // MySQL is away, but who waits still has the place that the token says
    return visit_problem(visit);
}
