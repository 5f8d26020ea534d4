// SPDX-License-Identifier: Apache-2.0
// See returns.h.
#include "booking-worker/returns.h"

#include <stdlib.h>
#include <string.h>

#include "booking-worker/give.h"
#include "booking-worker/tell.h"
#include "common/log.h"

// The bookings of some keys, as they stand. What they point to is kept with the changes.
struct standings {
    struct store_standing *items;
    size_t count;
};

static void standings_done(struct standings *standings)
{
    for (size_t i = 0; standings->items && i < standings->count; i++)
        free(standings->items[i].booking.seats);
    free(standings->items);
}

static int read_standings(struct changes *changes, struct db *db, uint64_t event_id, const struct store_key *keys,
                          size_t count, struct standings *ret)
{
    ret->items = calloc(count + 1, sizeof(*ret->items));
    if (!ret->items)
        return ERROR_MEMORY;
    ret->count = count;
    struct db_rows *rows = NULL;
    int result = store_read_bookings(db, event_id, keys, count, ret->items, &rows);
    int kept = changes_keep(changes, rows);
    return result ? result : kept;
}

static void free_keys(struct store_key **keys)
{
    free(*keys);
}

static struct allocate_tier *find_tier(struct store_event *event, const char *code)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++)
        if (strcmp(event->numbers.tiers[i].code, code) == 0)
            return &event->numbers.tiers[i];
    return NULL;
}

// Numbers that do not agree with a booking are left alone: the audit shows them.
static void say_disagreement(const struct store_event *event, const struct store_booking *booking)
{
    log_error("counters_disagree", LOG_S("slug", event->slug), LOG_U("place", booking->place),
              LOG_U("attempt", booking->attempt), LOG_S("was", order_state_name(booking->was)),
              LOG_S("tier", booking->tier), LOG_U("quantity", booking->quantity));
}

// ---------------------------------------------------------------- giving back

// The seats that a booking had: their rows go, and in the hall, where there is one, they are free again.
static int return_seats(struct changes *changes, const struct store_booking *booking, struct allocate_tier *tier,
                        uint32_t ret_seats[static SEATS_IN_ORDER_MAX], size_t *ret_count)
{
    const struct choice named = {.seats = booking->seats, .seats_bytes = booking->seats ? strlen(booking->seats) : 0};
    struct store_seat seat = {.place = booking->place, .attempt = booking->attempt};
    size_t at = 0, count = 0;
    memcpy(seat.tier, booking->tier, sizeof(seat.tier));
    while (booking->seats && count < SEATS_IN_ORDER_MAX && choice_next_seat(&named, &at, seat.row, &seat.number)) {
        if (changes_take_seat_back(changes, &seat))
            return ERROR_MEMORY;
        uint32_t number = tier->seating ? seating_find(tier->seating, seat.row, seat.number) : SEATING_NO_SEAT;
        if (number != SEATING_NO_SEAT)
            ret_seats[count++] = number;
        tier->has_changed_seats = true;
    }
    *ret_count = count;
    return 0;
}

// Standby leaves nothing in the booking's row, so the order's choice says what it counted for.
static void fill_what_was_waited_for(struct store_standing *standing)
{
    struct choices choices;
    struct store_booking *booking = &standing->booking;
    if (choices_read(standing->choices ? standing->choices : "", standing->choices_bytes, &choices, NULL, 0) ||
        booking->choice >= choices.count)
        return;
    memcpy(booking->standby_tier, choices.items[booking->choice].tier, sizeof(booking->standby_tier));
    booking->standby_quantity = choices.items[booking->choice].quantity;
}

static int give_back(struct changes *changes, struct store_event *event, struct store_standing *standing)
{
    struct store_booking *booking = &standing->booking;
    uint32_t seats[SEATS_IN_ORDER_MAX];
    size_t seat_count = 0;
    bool stood_by = booking->was == ORDER_STANDBY;
    if (stood_by)
        fill_what_was_waited_for(standing);
    struct allocate_tier *tier = find_tier(event, stood_by ? booking->standby_tier : booking->tier);
    struct allocate_customer *customer = changes_customer(changes, booking->customer, standing->customer_booked);
    if (!customer)
        return ERROR_MEMORY;
    int result = tier && !stood_by ? return_seats(changes, booking, tier, seats, &seat_count) : 0;
    const struct allocate_given given = {
        .was = booking->was,
        .tier = stood_by ? booking->standby_tier : booking->tier,
        .quantity = stood_by ? booking->standby_quantity : booking->quantity,
        .seat_count = seat_count,
        .seats = seats,
    };
    if (result == 0 && !allocate_free(&event->numbers, &given, customer))
        say_disagreement(event, booking);
    booking->standby_tier[0] = '\0';
    booking->standby_quantity = 0;
    return result;
}

static int free_one(struct changes *changes, struct store_event *event, const struct store_key *key,
                    struct store_standing *standing)
{
    if (!standing->is_there)
        return 0; // nothing is known of it, so nothing can be counted
    standing->booking.was = key->was;
    int result = give_back(changes, event, standing);
    if (!key->is_told)
        tell_fill_tickets(standing);
    return result ? result : changes_add(changes, &standing->booking, CHANGE_FREED, key->is_told);
}

int returns_free(struct changes *changes, struct db *db, struct store_event *event, bool *ret_more)
{
    struct standings standings CLEANUP(standings_done) = {0};
    struct store_key *keys CLEANUP(free_keys) = NULL;
    size_t count = 0;
    int result = store_lock_freeings(db, event->id, RETURNS_FREEINGS_MAX, &keys, &count);
    if (result || count == 0)
        return result;
    *ret_more = *ret_more || count == RETURNS_FREEINGS_MAX;
    result = read_standings(changes, db, event->id, keys, count, &standings);
    for (size_t i = 0; i < count && result == 0; i++)
        result = free_one(changes, event, &keys[i], &standings.items[i]);
    return result ? result : store_delete_freeings(db, event->id, keys, count);
}

static int lapse_one(struct changes *changes, struct store_event *event, struct store_standing *standing)
{
    struct store_booking *booking = &standing->booking;
    if (!standing->is_there || !order_may_lapse(booking->was))
        return 0;
    int result = give_back(changes, event, standing);
    tell_fill_tickets(standing);
    booking->state = ORDER_EXPIRED;
    booking->reason = ORDER_NO_REASON;
    booking->revision++;
    return result ? result : changes_add(changes, booking, CHANGE_LAPSED, false);
}

int returns_lapse(struct changes *changes, struct db *db, struct store_event *event, bool *ret_more)
{
    struct standings standings CLEANUP(standings_done) = {0};
    struct store_key *keys CLEANUP(free_keys) = NULL;
    size_t count = 0;
    int result = store_lock_lapsed(db, event, RETURNS_LAPSED_MAX, &keys, &count);
    if (result || count == 0)
        return result;
    *ret_more = *ret_more || count == RETURNS_LAPSED_MAX;
    result = read_standings(changes, db, event->id, keys, count, &standings);
    for (size_t i = 0; i < count && result == 0; i++)
        result = lapse_one(changes, event, &standings.items[i]);
    return result;
}

// ---------------------------------------------------------------- standby

static int serve_one(struct changes *changes, struct store_event *event, struct store_standing *standing)
{
    struct store_booking *booking = &standing->booking;
    struct choices choices;
    if (!standing->is_there || booking->was != ORDER_STANDBY)
        return 0;
    struct allocate_customer *customer = changes_customer(changes, booking->customer, standing->customer_booked);
    if (!customer)
        return ERROR_MEMORY;
    bool is_read =
        choices_read(standing->choices ? standing->choices : "", standing->choices_bytes, &choices, NULL, 0) == 0;
    struct allocate_verdict verdict = {.state = ORDER_FAILED};
    if (is_read)
        verdict = allocate_standby(&event->numbers, &choices, booking->choice, customer);
    if (verdict.state == ORDER_FAILED) {
        say_disagreement(event, booking);
        return 0;
    }
    if (verdict.state == ORDER_STANDBY && verdict.choice == booking->choice)
        return 0;
    return give(changes, event, booking, &choices, &verdict, CHANGE_SERVED);
}

bool returns_has_standby_work(const struct store_event *event)
{
    for (size_t i = 0; i < event->numbers.tier_count; i++)
        if (allocate_has_standby_work(&event->numbers, &event->numbers.tiers[i]))
            return true;
    return false;
}

static int serve_page(struct changes *changes, struct db *db, struct store_event *event, uint64_t *after)
{
    struct standings standings CLEANUP(standings_done) = {0};
    struct store_key *keys CLEANUP(free_keys) = NULL;
    size_t count = 0;
    int result = store_lock_standby(db, event, *after, RETURNS_STANDBY_PAGE, &keys, &count, after);
    if (result || count == 0)
        return result;
    result = read_standings(changes, db, event->id, keys, count, &standings);
    for (size_t i = 0; i < count && result == 0; i++)
        result = serve_one(changes, event, &standings.items[i]);
    return result;
}

int returns_serve(struct changes *changes, struct db *db, struct store_event *event)
{
    uint64_t after = 0;
    int result = 0;
    for (int page = 0; page < RETURNS_STANDBY_PAGES_MAX && result == 0; page++) {
        if (!returns_has_standby_work(event))
            break;
        result = serve_page(changes, db, event, &after);
        if (after == 0)
            break;
    }
    return result;
}
