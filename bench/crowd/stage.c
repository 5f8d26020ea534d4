// SPDX-License-Identifier: Apache-2.0
// The one place through which everything goes that a visitor is told.
#include "bench/crowd/stage.h"

#include "common/clock.h"

int64_t stage_now_us(const struct stage *stage)
{
    return (clock_monotonic_ns() - stage->begun_ns) / 1000;
}

// splitmix64: the same seed plays the same crowd.
uint64_t stage_random(struct stage *stage, uint64_t below)
{
    uint64_t x = stage->random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % below;
}

void stage_told(struct stage *stage, struct told *told, const char *data)
{
    told->at_us = stage_now_us(stage);
    if (stage->record)
        told_write(stage->record, told, data);
    // `served` is told again and again while nothing moves; who hears of the own place hears a line.
    if (told->kind != TOLD_SERVED && told->kind != TOLD_STOCK && told->kind != TOLD_ORDER_ASKED &&
        told->kind != TOLD_PUT_OFF && told->kind != TOLD_LOST)
        stage->news_us = told->at_us;
    check_take(stage->check, told);
}
