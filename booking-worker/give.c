// SPDX-License-Identifier: Apache-2.0
// See give.h.
#include "booking-worker/give.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"

static void add_name(struct buffer *text, const char *row, uint16_t number)
{
    char name[SEAT_NAME_BYTES];
    seat_name_write(row, number, name);
    buffer_text(text, text->bytes ? "," : "[");
    buffer_json_string(text, name);
}

static const struct seating *seating_of(const struct store_event *event, const char *tier)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++)
        if (strcmp(event->numbers.tiers[i].code, tier) == 0)
            return event->numbers.tiers[i].seating;
    return NULL;
}

// The seats that were found, by name, and that they are somebody's now.
static int give_seats(struct changes *changes, const struct store_event *event, struct store_booking *booking,
                      const struct allocate_verdict *verdict)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    const struct seating *seating = seating_of(event, booking->tier);
    if (verdict->seat_count == 0)
        return 0;
    assert(seating);
    for (size_t i = 0; i < verdict->seat_count; i++) {
        struct store_seat seat = {
            .place = booking->place, .attempt = booking->attempt, .number = seating_number(seating, verdict->seats[i])};
        const char *row = seating_row(seating, verdict->seats[i]);
        memcpy(seat.tier, booking->tier, sizeof(seat.tier));
        memcpy(seat.row, row, strlen(row) + 1);
        add_name(&text, seat.row, seat.number);
        if (changes_give_seat(changes, &seat))
            return ERROR_MEMORY;
    }
    buffer_text(&text, "]");
    booking->seats = buffer_take(&text);
    return booking->seats ? 0 : ERROR_MEMORY;
}

// Those of the seats asked for that others have: the verdict says which of the list.
static int name_gone(struct store_booking *booking, const struct choice *choice, const struct allocate_verdict *verdict)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
    size_t at = 0, taken = 0;
    for (uint32_t position = 0; taken < verdict->seat_count && choice_next_seat(choice, &at, row, &number);
         position++) {
        if (verdict->seats[taken] != position)
            continue;
        add_name(&text, row, number);
        taken++;
    }
    if (taken == 0)
        return 0;
    buffer_text(&text, "]");
    booking->gone = buffer_take(&text);
    return booking->gone ? 0 : ERROR_MEMORY;
}

static int give_choice(struct changes *changes, const struct store_event *event, struct store_booking *booking,
                       const struct choice *choice, const struct allocate_verdict *verdict)
{
    if (verdict->reason == ORDER_SEATS_TAKEN)
        return name_gone(booking, choice, verdict);
    if (verdict->state != ORDER_STANDBY && !order_has_places(verdict->state))
        return 0;
    booking->choice = (uint32_t)verdict->choice;
    booking->tickets = choice->tickets;
    booking->tickets_bytes = choice->tickets_bytes;
    if (verdict->state == ORDER_STANDBY) {
        memcpy(booking->standby_tier, choice->tier, sizeof(booking->standby_tier));
        booking->standby_quantity = choice->quantity;
        booking->standby_amount = choice->amount;
        return 0;
    }
    memcpy(booking->tier, choice->tier, sizeof(booking->tier));
    booking->quantity = choice->quantity;
    booking->amount = choice->amount;
    return give_seats(changes, event, booking, verdict);
}

int give(struct changes *changes, const struct store_event *event, struct store_booking *booking,
         const struct choices *choices, const struct allocate_verdict *verdict, enum change_why why)
{
    struct store_booking next = *booking;
    // Whatever the row said before is over; what is written is all that it says from now on.
    free(booking->seats);
    free(booking->gone);
    booking->seats = booking->gone = next.seats = next.gone = NULL;
    next.revision++;
    next.state = verdict->state;
    next.reason = verdict->reason;
    next.choice = next.quantity = next.standby_quantity = 0;
    next.amount = next.standby_amount = 0;
    next.tier[0] = next.standby_tier[0] = next.reference[0] = '\0';
    int result = choices && verdict->choice < choices->count
                     ? give_choice(changes, event, &next, &choices->items[verdict->choice], verdict)
                     : 0;
    if (result) {
        free(next.seats);
        free(next.gone);
        return result;
    }
    return changes_add(changes, &next, why, false);
}
