// links: booking-worker
// SPDX-License-Identifier: Apache-2.0
// An order's choices: whatever the scanner takes, a JSON library reads in the same way.
#include <jansson.h>

#include "booking-worker/choices.h"
#include "tests/fuzz/fuzz.h"

static void check_tickets(const struct choice *choice, const json_t *object)
{
    json_error_t error;
    json_t *tickets = json_loadb(choice->tickets, choice->tickets_bytes, JSON_REJECT_DUPLICATES, &error);
    FUZZ_CHECK(tickets && json_equal(tickets, json_object_get(object, "tickets")));
    json_int_t sum = 0;
    const char *code;
    json_t *number;
    json_object_foreach(tickets, code, number)
    {
        FUZZ_CHECK(slug_is_valid(code, strlen(code)) && json_is_integer(number) && json_integer_value(number) >= 0);
        sum += json_integer_value(number);
    }
    FUZZ_CHECK(sum > 0 && sum == (json_int_t)choice->quantity);
    json_decref(tickets);
}

// One by one they are the names of the array, and there are as many as tickets.
static void check_seats(const struct choice *choice, const json_t *names)
{
    char row[SEAT_ROW_NAME_BYTES], name[SEAT_NAME_BYTES];
    uint16_t number;
    size_t at = 0, count = 0;
    FUZZ_CHECK((names != NULL) == (choice->seats != NULL));
    while (choice_next_seat(choice, &at, row, &number)) {
        seat_name_write(row, number, name);
        FUZZ_CHECK(strcmp(json_string_value(json_array_get(names, count++)), name) == 0);
    }
    FUZZ_CHECK(count == json_array_size(names) && (!names || count == choice->quantity));
}

static void check_needs(const struct choice *choice, const json_t *object)
{
    FUZZ_CHECK(json_integer_value(json_object_get(object, "wheelchair")) == (json_int_t)choice->wheelchair);
    FUZZ_CHECK(json_integer_value(json_object_get(object, "companion")) == (json_int_t)choice->companion);
    FUZZ_CHECK((uint64_t)choice->wheelchair + choice->companion <= choice->quantity);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct choices choices;
    char *text = malloc(bytes ? bytes : 1); // no NUL behind it, as in a row of a result
    FUZZ_CHECK(text);
    memcpy(text, data, bytes);
    if (choices_read(text, bytes, &choices, NULL, 0) == 0) {
        json_error_t error;
        json_t *array = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
        FUZZ_CHECK(json_is_array(array));
        FUZZ_CHECK(choices.count >= 1 && choices.count <= CHOICES_MAX && choices.count == json_array_size(array));
        for (size_t i = 0; i < choices.count; i++) {
            const struct choice *choice = &choices.items[i];
            const json_t *object = json_array_get(array, i);
            FUZZ_CHECK(json_object_size(object) >= 4 && json_object_size(object) <= 7);
            FUZZ_CHECK(strcmp(json_string_value(json_object_get(object, "tier")), choice->tier) == 0);
            FUZZ_CHECK(json_integer_value(json_object_get(object, "quantity")) == (json_int_t)choice->quantity);
            FUZZ_CHECK((uint64_t)json_integer_value(json_object_get(object, "amount")) == choice->amount);
            check_tickets(choice, object);
            check_seats(choice, json_object_get(object, "seats"));
            check_needs(choice, object);
        }
        json_decref(array);
    }
    free(text);
    return 0;
}
