// SPDX-License-Identifier: Apache-2.0
// See gate.h. Reasons are given in the order in which somebody would have to act: open the event, have people in the
// line, bring RabbitMQ back, make room, wait for the clock.
#include "admission/gate.h"

// One row a state, so that a new state has to be decided here.
static const bool lets_in[LIFECYCLE_STATE_COUNT] = {
    [LIFECYCLE_DRAFT] = false,   [LIFECYCLE_LOBBY] = false,    [LIFECYCLE_OPEN] = true,    [LIFECYCLE_PAUSED] = false,
    [LIFECYCLE_STOPPED] = false, [LIFECYCLE_SOLD_OUT] = false, [LIFECYCLE_CLOSED] = false,
};

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t gate_let_in(const struct gate *gate, enum gate_reason *ret_reason)
{
    uint64_t waiting = gate->last > gate->served ? gate->last - gate->served : 0;
    uint64_t room = UINT64_MAX;
    if (gate->has_max_active) {
        room = gate->max_active > gate->active ? gate->max_active - gate->active : 0;
    }
    if (!lets_in[gate->state]) {
        *ret_reason = GATE_NOT_OPEN;
    } else if (waiting == 0) {
        *ret_reason = GATE_LINE_EMPTY;
    } else if (gate->cannot_release) {
        *ret_reason = GATE_NO_RELEASE;
    } else if (room == 0) {
        *ret_reason = GATE_FULL;
    } else if (gate->due == 0) {
        *ret_reason = GATE_NOT_DUE;
    } else {
        *ret_reason = GATE_LETS_IN;
        return least(gate->due, least(waiting, room));
    }
    return 0;
}
