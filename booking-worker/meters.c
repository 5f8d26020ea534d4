// SPDX-License-Identifier: Apache-2.0
// See meters.h.
#include "booking-worker/meters.h"

#include <stddef.h>

#include "common/sweeper.h"

struct metric meter_messages =
    METRIC_COUNTER("onsale_book_messages_total", "Messages of the booking queues that were dealt with.");
struct metric meter_batches =
    METRIC_COUNTER("onsale_booking_batches_total", "Transactions that booked, each for one event.");
struct metric meter_batch_duration =
    METRIC_HISTOGRAM("onsale_booking_batch_duration_seconds", "How long such a transaction took.");
struct metric meter_repeats =
    METRIC_COUNTER("onsale_booking_repeats_total", "Such transactions that were undone and done again.");
struct metric meter_duplicates =
    METRIC_COUNTER("onsale_book_duplicates_total", "Messages whose order was booked already.");
struct metric meter_condemned =
    METRIC_COUNTER("onsale_condemned_total", "Messages that were condemned and became dead letters.");
struct metric meter_given_back =
    METRIC_COUNTER("onsale_given_back_total", "Orders given back to admission, because their event stands still.");
struct metric meter_freed =
    METRIC_COUNTER("onsale_freed_total", "Bookings that their visitor or an operator ended, whose places went back.");
struct metric meter_lapsed = METRIC_COUNTER("onsale_holds_lapsed_total", "Holds that ran out.");
struct metric meter_served =
    METRIC_COUNTER("onsale_standby_served_total", "Bookings in standby that were given places.");
struct metric meter_sweep_duration =
    METRIC_HISTOGRAM("onsale_booking_sweep_duration_seconds", "How long a round over all events took.");

#define BOOKINGS(state)                                                                                           \
    {                                                                                                             \
        .name = "onsale_bookings_total", .labels = "state=\"" state "\"", .help = "Orders that became bookings.", \
        .kind = METRIC_COUNTER                                                                                    \
    }
static struct metric bookings[ORDER_STATE_COUNT] = {
    [ORDER_CONFIRMED] = BOOKINGS("confirmed"), [ORDER_HELD] = BOOKINGS("held"),
    [ORDER_STANDBY] = BOOKINGS("standby"),     [ORDER_SOLD_OUT] = BOOKINGS("sold_out"),
    [ORDER_REFUSED] = BOOKINGS("refused"),     [ORDER_FAILED] = BOOKINGS("failed"),
};

void meters_register(void)
{
    static struct metric *const all[] = {
        &meter_messages,   &meter_batches,   &meter_batch_duration, &meter_repeats,
        &meter_duplicates, &meter_condemned, &meter_given_back,     &meter_freed,
        &meter_lapsed,     &meter_served,    &meter_sweep_duration, &sweeper_swept,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        metrics_register(all[i]);
    for (size_t i = 0; i < ORDER_STATE_COUNT; i++)
        if (bookings[i].name)
            metrics_register(&bookings[i]);
}

void meters_add_booking(enum order_state state)
{
    if ((unsigned)state < ORDER_STATE_COUNT && bookings[state].name)
        metric_add(&bookings[state], 1);
}
