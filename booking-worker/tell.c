// SPDX-License-Identifier: Apache-2.0
// See tell.h.
#include "booking-worker/tell.h"

#include <stdio.h>
#include <string.h>

#include "common/outcome.h"

void tell_add(struct buffer *text, const struct store_booking *booking, const struct tell_hold *hold)
{
    char tickets[CHOICES_TICKETS_BYTES_MAX + 1];
    bool stands_by = booking->state == ORDER_STANDBY;
    struct outcome outcome = {
        .place = booking->place,
        .attempt = booking->attempt,
        .revision = booking->revision,
        .state = booking->state,
        .reason = booking->reason,
        // What is waited for is told as what is given is.
        .quantity = stands_by ? booking->standby_quantity : booking->quantity,
        .amount = stands_by ? booking->standby_amount : booking->amount,
        .seats = booking->seats,
        .gone = booking->gone,
        .pay_until_us = hold->pay_until_us,
        .had_more_time = hold->had_more_time,
        .action_url = hold->action_url,
    };
    memcpy(outcome.visitor, booking->visitor, sizeof(outcome.visitor));
    memcpy(outcome.reference, booking->reference, sizeof(outcome.reference));
    snprintf(outcome.refund, sizeof(outcome.refund), "%s", hold->refund ? hold->refund : "");
    memcpy(outcome.tier, stands_by ? booking->standby_tier : booking->tier, sizeof(outcome.tier));
    if (booking->tickets && booking->tickets_bytes < sizeof(tickets)) {
        memcpy(tickets, booking->tickets, booking->tickets_bytes);
        tickets[booking->tickets_bytes] = '\0';
        outcome.tickets = tickets;
    }
    outcomes_add(text, &outcome);
}

void tell_fill_tickets(struct store_standing *standing)
{
    struct choices choices;
    struct store_booking *booking = &standing->booking;
    if (!booking->tier[0] ||
        choices_read(standing->choices ? standing->choices : "", standing->choices_bytes, &choices, NULL, 0) ||
        booking->choice >= choices.count)
        return;
    booking->tickets = choices.items[booking->choice].tickets;
    booking->tickets_bytes = choices.items[booking->choice].tickets_bytes;
}
