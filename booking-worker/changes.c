// SPDX-License-Identifier: Apache-2.0
// See changes.h. The memory is kept from one transaction to the next.
#include "booking-worker/changes.h"

#include <stdlib.h>
#include <string.h>

#include "booking-worker/begin_payments.h"
#include "booking-worker/meters.h"
#include "booking-worker/tell.h"
#include "common/log.h"
#include "common/outcome.h"
#include "common/random.h"
#include "common/topology.h"

struct change {
    enum change_why why;
    bool is_told;
};

struct seats {
    struct store_seat *items;
    size_t count, capacity;
};

struct changes {
    struct store_booking *bookings;
    struct change *whys; // beside the bookings
    size_t booking_count, booking_capacity;
    struct store_customer *customers;
    size_t customer_count, customer_capacity;
    uint32_t *slots; // open addressing: indices + 1 into customers, 0 is free; four times as many as customers
    struct seats given, back;
    struct db_rows *rows[CHANGES_ROWS_MAX];
    size_t rows_count;
    size_t begun_count; // payments
};

int changes_new(struct changes **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : ERROR_MEMORY;
}

static void free_texts(struct store_booking *booking)
{
    free(booking->seats);
    free(booking->gone);
    booking->seats = booking->gone = NULL;
}

void changes_clear(struct changes *changes)
{
    for (size_t i = 0; i < changes->booking_count; i++)
        free_texts(&changes->bookings[i]);
    for (size_t i = 0; i < changes->rows_count; i++)
        db_rows_free(changes->rows[i]);
    changes->rows_count = 0;
    if (changes->slots)
        memset(changes->slots, 0, 4 * changes->customer_capacity * sizeof(*changes->slots));
    changes->begun_count = 0;
    changes->booking_count = changes->customer_count = changes->given.count = changes->back.count = 0;
}

void changes_free(struct changes *changes)
{
    if (!changes)
        return;
    changes_clear(changes);
    free(changes->bookings);
    free(changes->whys);
    free(changes->customers);
    free(changes->slots);
    free(changes->given.items);
    free(changes->back.items);
    free(changes);
}

size_t changes_begun_count(const struct changes *changes)
{
    return changes->begun_count;
}

// ---------------------------------------------------------------- gathering

// Room for one more; the old items stay where that fails.
static int grow(void *items, size_t bytes, size_t count, size_t *capacity)
{
    void *old, *more;
    memcpy(&old, items, sizeof(old));
    if (count < *capacity)
        return 0;
    size_t larger = *capacity ? 2 * *capacity : 64;
    more = realloc(old, larger * bytes);
    if (!more)
        return ERROR_MEMORY;
    memcpy(items, &more, sizeof(more));
    *capacity = larger;
    // cppcheck-suppress memleak // it is in *items, whose type is not known here
    return 0;
}

static size_t slot_of(const struct changes *changes, const uint8_t hash[static STORE_HASH_BYTES])
{
    uint64_t number;
    size_t slot_count = 4 * changes->customer_capacity;
    memcpy(&number, hash, sizeof(number)); // of SHA-256: as good as any
    size_t slot = number & (slot_count - 1);
    for (; changes->slots[slot]; slot = (slot + 1) & (slot_count - 1))
        if (memcmp(changes->customers[changes->slots[slot] - 1].hash, hash, STORE_HASH_BYTES) == 0)
            break;
    return slot;
}

static int grow_customers(struct changes *changes)
{
    size_t capacity = changes->customer_capacity;
    if (changes->customer_count < capacity)
        return 0;
    int result = grow(&changes->customers, sizeof(*changes->customers), changes->customer_count, &capacity);
    uint32_t *slots = result ? NULL : calloc(4 * capacity, sizeof(*slots));
    if (!slots)
        return ERROR_MEMORY;
    free(changes->slots);
    changes->slots = slots;
    changes->customer_capacity = capacity;
    for (size_t i = 0; i < changes->customer_count; i++)
        slots[slot_of(changes, changes->customers[i].hash)] = (uint32_t)i + 1;
    return 0;
}

struct allocate_customer *changes_customer(struct changes *changes, const uint8_t hash[static STORE_HASH_BYTES],
                                           uint32_t booked)
{
    if (grow_customers(changes))
        return NULL;
    size_t slot = slot_of(changes, hash);
    if (!changes->slots[slot]) {
        struct store_customer *customer = &changes->customers[changes->customer_count++];
        *customer = (struct store_customer){.numbers.booked = booked};
        memcpy(customer->hash, hash, sizeof(customer->hash));
        changes->slots[slot] = (uint32_t)changes->customer_count;
    }
    return &changes->customers[changes->slots[slot] - 1].numbers;
}

int changes_keep(struct changes *changes, struct db_rows *rows)
{
    if (changes->rows_count == CHANGES_ROWS_MAX) {
        db_rows_free(rows);
        return ERROR_LIMIT;
    }
    changes->rows[changes->rows_count++] = rows;
    return 0;
}

int changes_add(struct changes *changes, struct store_booking *booking, enum change_why why, bool is_told)
{
    size_t capacity = changes->booking_capacity, beside = capacity;
    int result = grow(&changes->bookings, sizeof(*changes->bookings), changes->booking_count, &capacity);
    if (result == 0)
        result = grow(&changes->whys, sizeof(*changes->whys), changes->booking_count, &beside);
    if (result) {
        free_texts(booking);
        return result;
    }
    changes->booking_capacity = capacity;
    changes->whys[changes->booking_count] = (struct change){.why = why, .is_told = is_told};
    changes->bookings[changes->booking_count++] = *booking;
    booking->seats = booking->gone = NULL;
    return 0;
}

static int add_seat(struct seats *seats, const struct store_seat *seat)
{
    int result = grow(&seats->items, sizeof(*seats->items), seats->count, &seats->capacity);
    if (result == 0)
        seats->items[seats->count++] = *seat;
    return result;
}

int changes_give_seat(struct changes *changes, const struct store_seat *seat)
{
    return add_seat(&changes->given, seat);
}

int changes_take_seat_back(struct changes *changes, const struct store_seat *seat)
{
    return add_seat(&changes->back, seat);
}

bool changes_return_of(const struct changes *changes, uint64_t place)
{
    for (size_t i = 0; i < changes->booking_count; i++)
        if (changes->bookings[i].place == place && changes->whys[i].why != CHANGE_BOOKED)
            return true;
    return false;
}

// ---------------------------------------------------------------- writing

static bool wants_reference(const struct store_booking *booking)
{
    return order_has_places(booking->state) && !booking->reference[0];
}

// One call for all: each is a system call.
static int give_references(struct changes *changes)
{
    size_t count = changes->booking_count;
    if (!changes->bookings)
        return 0; // there were never any
    uint8_t *bytes = malloc(REFERENCE_RANDOM_BYTES * (count + 1));
    if (!bytes)
        return ERROR_MEMORY;
    random_bytes(bytes, REFERENCE_RANDOM_BYTES * count);
    for (size_t i = 0; i < count; i++)
        if (changes->whys[i].why != CHANGE_FREED && wants_reference(&changes->bookings[i]))
            reference_format(bytes + REFERENCE_RANDOM_BYTES * i, changes->bookings[i].reference);
    free(bytes);
    return 0;
}

// A hold that begins now. While it is being paid it cannot run out.
static void add_outcome(struct buffer *text, const struct store_event *event, const struct store_booking *booking)
{
    const struct tell_hold hold = {
        .pay_until_us = booking->state == ORDER_HELD ? event->hold_until_us : OUTCOME_NO_TIME,
    };
    tell_add(text, booking, &hold);
}

// In messages of OUTCOMES_MAX; a booking of another currency than the one before begins a new one.
static int write_outcomes(const struct changes *changes, struct db *db, struct outbox *outbox,
                          const struct store_event *event)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    const struct store_booking *last = NULL;
    size_t in_message = 0;
    int result = 0;
    for (size_t i = 0; i <= changes->booking_count && result == 0; i++) {
        const struct store_booking *booking = i < changes->booking_count ? &changes->bookings[i] : NULL;
        if (booking && changes->whys[i].is_told)
            continue;
        if (in_message > 0 &&
            (!booking || in_message == OUTCOMES_MAX || strcmp(last->currency, booking->currency) != 0)) {
            outcomes_end(&text);
            result = outbox_write(outbox, db, TOPOLOGY_OUTCOMES, OUTCOMES_TYPE, &text);
            in_message = 0;
        }
        if (!booking)
            break;
        if (in_message++ == 0) {
            buffer_clear(&text);
            outcomes_begin(&text, event->slug, booking->currency, NULL, 0);
        }
        add_outcome(&text, event, booking);
        last = booking;
    }
    return result;
}

// Bookings that were freed stand at the end of their story already. They were gathered first.
static size_t freed_count(const struct changes *changes)
{
    size_t count = 0;
    while (count < changes->booking_count && changes->whys[count].why == CHANGE_FREED)
        count++;
    return count;
}

int changes_write(struct changes *changes, struct db *db, struct outbox *outbox, const struct store_event *event)
{
    size_t freed = freed_count(changes);
    struct store_booking *bookings = changes->bookings ? changes->bookings + freed : NULL;
    size_t count = changes->booking_count - freed;
    struct begun_payments begun CLEANUP(begin_payments_done) = {0};
    int result = give_references(changes);
    if (result == 0 && event->takes_cards)
        result = begin_payments_find(db, event, bookings, count, &begun);
    changes->begun_count = begun.count;
    if (result == 0)
        result = store_write_customers(db, event->id, changes->customers, changes->customer_count);
    if (result == 0)
        result = store_write_bookings(db, event, bookings, count);
    if (result == 0)
        result = begin_payments_write(db, event, &begun);
    if (result == 0)
        result = store_take_seats_back(db, event->id, changes->back.items, changes->back.count);
    if (result == 0)
        result = store_give_seats(db, event->id, changes->given.items, changes->given.count);
    if (result == 0)
        result = store_write_tiers(db, event);
    if (result == 0)
        result = store_log_bookings(db, event->id, bookings, count);
    return result ? result : write_outcomes(changes, db, outbox, event);
}

// ---------------------------------------------------------------- saying

static const char *const words[] = {
    [CHANGE_BOOKED] = "booked",
    [CHANGE_SERVED] = "standby_answered",
    [CHANGE_LAPSED] = "hold_lapsed",
    [CHANGE_FREED] = "freed",
};

static void say_booking(const struct store_event *event, const struct store_booking *booking, enum change_why why)
{
    const char *reason = order_reason_name(booking->reason);
    const char *tier = booking->state == ORDER_STANDBY ? booking->standby_tier : booking->tier;
    struct log_field fields[7] = {
        LOG_S("slug", event->slug),
        LOG_U("place", booking->place),
        LOG_U("attempt", booking->attempt),
        LOG_S("state", order_state_name(booking->state)),
    };
    size_t count = 4;
    if (why == CHANGE_FREED)
        fields[count++] = LOG_S("was", order_state_name(booking->was));
    if (reason) {
        fields[count++] = LOG_S("reason", reason);
    } else if (tier[0]) {
        fields[count++] = LOG_S("tier", tier);
        fields[count++] =
            LOG_U("quantity", booking->state == ORDER_STANDBY ? booking->standby_quantity : booking->quantity);
    }
    log_emit(LOG_LEVEL_INFO, words[why], fields, count);
}

static void count_booking(const struct store_booking *booking, enum change_why why)
{
    if (why == CHANGE_BOOKED)
        meters_add_booking(booking->state);
    else if (why == CHANGE_FREED)
        metric_add(&meter_freed, 1);
    else if (why == CHANGE_LAPSED)
        metric_add(&meter_lapsed, 1);
    else if (order_has_places(booking->state))
        metric_add(&meter_served, 1);
}

void changes_say(const struct changes *changes, const struct store_event *event)
{
    for (size_t i = 0; i < changes->booking_count; i++) {
        const struct store_booking *booking = &changes->bookings[i];
        enum change_why why = changes->whys[i].why;
        count_booking(booking, why);
        say_booking(event, booking, why);
    }
}
