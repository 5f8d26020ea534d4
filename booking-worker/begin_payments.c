// SPDX-License-Identifier: Apache-2.0
// See begin_payments.h.
#include "booking-worker/begin_payments.h"

#include <assert.h>
#include <stdlib.h>

#include "common/order_state.h"

void begin_payments_done(struct begun_payments *begun)
{
    free(begun->means);
    free(begun->items);
    *begun = (struct begun_payments){0};
}

int begin_payments_find(struct db *db, const struct store_event *event, struct store_booking *bookings, size_t count,
                        struct begun_payments *ret)
{
    struct store_key *keys = calloc(count + 1, sizeof(*keys));
    struct begun_payments begun = {
        .means = calloc(count + 1, sizeof(*begun.means)),
        .items = calloc(count + 1, sizeof(*begun.items)),
    };
    size_t held = 0;
    int result = keys && begun.means && begun.items ? 0 : ERROR_MEMORY;
    for (size_t i = 0; i < count && result == 0; i++)
        if (bookings[i].state == ORDER_HELD)
            keys[held++] = (struct store_key){.place = bookings[i].place, .attempt = bookings[i].attempt};
    if (result == 0)
        result = store_read_means(db, event->id, keys, held, begun.means);
    free(keys);
    held = 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        struct store_booking *booking = &bookings[i];
        if (booking->state != ORDER_HELD)
            continue;
        const struct store_means *means = &begun.means[held++];
        if (!means->payment_method[0] || booking->amount == 0)
            continue;
        assert(order_may_become(ORDER_HELD, ORDER_PAYING, ORDER_BY_SYSTEM));
        booking->state = ORDER_PAYING;
        booking->revision++; // held, and paying
        begun.items[begun.count++] = (struct store_new_payment){
            .place = booking->place,
            .attempt = booking->attempt,
            .amount = booking->amount,
            .currency = booking->currency,
            .means = means,
        };
    }
    if (result)
        begin_payments_done(&begun);
    else
        *ret = begun;
    return result;
}

int begin_payments_write(struct db *db, const struct store_event *event, const struct begun_payments *begun)
{
    return begun->count > 0 ? store_begin_payments(db, event->id, begun->items, begun->count) : 0;
}
