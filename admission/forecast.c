// SPDX-License-Identifier: Apache-2.0
// See forecast.h. A window says something only when the dial lets at least ten places fall into it: with fewer, one
// place more or less at its edge would swing the answer.
#include "admission/forecast.h"

#define SECOND_US INT64_C(1000000)
#define PLACES_MIN 10

static const size_t windows[] = {10, 60, FORECAST_SECONDS};

void forecast_reset(struct forecast *forecast)
{
    *forecast = (struct forecast){0};
}

static void close_second(struct forecast *forecast)
{
    forecast->places[forecast->next] = forecast->let_in > UINT32_MAX ? UINT32_MAX : (uint32_t)forecast->let_in;
    forecast->next = (forecast->next + 1) % FORECAST_SECONDS;
    if (forecast->filled < FORECAST_SECONDS) {
        forecast->filled++;
    }
    forecast->let_in = 0;
}

void forecast_add(struct forecast *forecast, int64_t busy_us, uint64_t let_in)
{
    if (busy_us > FORECAST_SECONDS * SECOND_US) {
        busy_us = FORECAST_SECONDS * SECOND_US; // a longer stall fills every window just the same
    }
    if (busy_us > 0) {
        forecast->busy_us += busy_us;
    }
    // What was let in belongs to the end of this time: the line stood still before it.
    while (forecast->busy_us >= SECOND_US) {
        forecast->busy_us -= SECOND_US;
        if (forecast->busy_us < SECOND_US) {
            forecast->let_in += let_in;
            let_in = 0;
        }
        close_second(forecast);
    }
    forecast->let_in += let_in;
}

static uint64_t places_in(const struct forecast *forecast, size_t seconds)
{
    uint64_t sum = 0;
    for (size_t i = 1; i <= seconds; i++) {
        sum += forecast->places[(forecast->next + FORECAST_SECONDS - i) % FORECAST_SECONDS];
    }
    return sum;
}

bool forecast_range(const struct forecast *forecast, uint64_t rate_count, uint32_t rate_seconds, int64_t *ret_low_us,
                    int64_t *ret_high_us)
{
    if (rate_count == 0) {
        return false;
    }
    int64_t dial_us = (int64_t)((uint64_t)rate_seconds * (uint64_t)SECOND_US / rate_count);
    int64_t low_us = INT64_MAX;
    int64_t high_us = 0;
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        size_t seconds = windows[i] < forecast->filled ? windows[i] : forecast->filled;
        if (seconds < windows[0] || seconds * rate_count < (uint64_t)PLACES_MIN * rate_seconds) {
            continue;
        }
        uint64_t places = places_in(forecast, seconds);
        int64_t each_us = (int64_t)(seconds * (uint64_t)SECOND_US / (places > 0 ? places : 1));
        if (each_us < dial_us) {
            each_us = dial_us;
        }
        low_us = each_us < low_us ? each_us : low_us;
        high_us = each_us > high_us ? each_us : high_us;
    }
    if (high_us == 0) {
        low_us = high_us = dial_us;
    }
    *ret_low_us = low_us;
    *ret_high_us = high_us + high_us / 10;
    return true;
}
