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

struct metric meter_payments_in_flight =
    METRIC_GAUGE("onsale_payment_calls_in_flight", "Calls to the payment provider that are under way.");
struct metric meter_provider_away =
    METRIC_GAUGE("onsale_payment_provider_away", "1 while the payment provider does not answer, or not our key.");
struct metric meter_payment_duration =
    METRIC_HISTOGRAM("onsale_payment_call_duration_seconds", "How long the payment provider took to answer.");
struct metric meter_payments_lost = METRIC_COUNTER(
    "onsale_payment_answers_dropped_total", "Answers about payments that somebody else had taken over meanwhile.");
struct metric meter_payments_dead =
    METRIC_COUNTER("onsale_payments_dead_total", "Payments that became dead letters; an operator has to look.");
struct metric meter_payment_settle_duration = METRIC_HISTOGRAM(
    "onsale_payment_settle_duration_seconds", "How long a transaction took that wrote what answers mean.");

#define ANSWERS(word)                                                                                                \
    {                                                                                                                \
        .name = "onsale_payment_answers_total", .labels = "result=\"" word "\"", .help = "Answers of the provider.", \
        .kind = METRIC_COUNTER                                                                                       \
    }
static struct metric answers[] = {
    [PROVIDER_DONE] = ANSWERS("done"),       [PROVIDER_DECLINED] = ANSWERS("declined"),
    [PROVIDER_REFUSED] = ANSWERS("refused"), [PROVIDER_BUSY] = ANSWERS("busy"),
    [PROVIDER_DENIED] = ANSWERS("denied"),   [PROVIDER_UNKNOWN] = ANSWERS("unknown"),
};

#define PAYMENTS(word)                                                                                             \
    {                                                                                                              \
        .name = "onsale_payments_total", .labels = "state=\"" word "\"", .help = "Payments that came to a state.", \
        .kind = METRIC_COUNTER                                                                                     \
    }
static struct metric payments[PAYMENT_STATE_COUNT] = {
    [PAYMENT_CONFIRMING] = PAYMENTS("confirming"), [PAYMENT_CHALLENGED] = PAYMENTS("challenged"),
    [PAYMENT_CAPTURING] = PAYMENTS("capturing"),   [PAYMENT_CAPTURED] = PAYMENTS("captured"),
    [PAYMENT_DECLINED] = PAYMENTS("declined"),     [PAYMENT_VOIDING] = PAYMENTS("voiding"),
    [PAYMENT_VOIDED] = PAYMENTS("voided"),         [PAYMENT_REFUNDING] = PAYMENTS("refunding"),
    [PAYMENT_REFUNDED] = PAYMENTS("refunded"),     [PAYMENT_FAILED] = PAYMENTS("failed"),
};

#define BOOKINGS(state)                                                                                           \
    {                                                                                                             \
        .name = "onsale_bookings_total", .labels = "state=\"" state "\"", .help = "Orders that became bookings.", \
        .kind = METRIC_COUNTER                                                                                    \
    }
static struct metric bookings[ORDER_STATE_COUNT] = {
    [ORDER_CONFIRMED] = BOOKINGS("confirmed"), [ORDER_HELD] = BOOKINGS("held"),
    [ORDER_PAYING] = BOOKINGS("paying"),       [ORDER_STANDBY] = BOOKINGS("standby"),
    [ORDER_SOLD_OUT] = BOOKINGS("sold_out"),   [ORDER_REFUSED] = BOOKINGS("refused"),
    [ORDER_FAILED] = BOOKINGS("failed"),
};

void meters_register(void)
{
    static struct metric *const all[] = {
        &meter_messages,
        &meter_batches,
        &meter_batch_duration,
        &meter_repeats,
        &meter_duplicates,
        &meter_condemned,
        &meter_given_back,
        &meter_freed,
        &meter_lapsed,
        &meter_served,
        &meter_sweep_duration,
        &sweeper_swept,
        &meter_payments_in_flight,
        &meter_provider_away,
        &meter_payment_duration,
        &meter_payments_lost,
        &meter_payments_dead,
        &meter_payment_settle_duration,
    };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        metrics_register(all[i]);
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        metrics_register(&answers[i]);
    for (size_t i = 0; i < PAYMENT_STATE_COUNT; i++)
        if (payments[i].name)
            metrics_register(&payments[i]);
    for (size_t i = 0; i < ORDER_STATE_COUNT; i++)
        if (bookings[i].name)
            metrics_register(&bookings[i]);
}

void meters_add_booking(enum order_state state)
{
    if ((unsigned)state < ORDER_STATE_COUNT && bookings[state].name)
        metric_add(&bookings[state], 1);
}

void meters_add_answer(enum provider_result result)
{
    if ((unsigned)result < sizeof(answers) / sizeof(answers[0]))
        metric_add(&answers[result], 1);
}

void meters_add_payment(enum payment_state state)
{
    if ((unsigned)state < PAYMENT_STATE_COUNT && payments[state].name)
        metric_add(&payments[state], 1);
}
