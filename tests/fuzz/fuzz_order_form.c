// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The body of PUT order as anybody may send it: what is taken is within the event's limits, costs what its prices say, and
// is read again from what would be stored; what is not is refused with at least one reason.
#include "common/json.h"
#include "common/seat.h"
#include "tests/fuzz/fuzz.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/order_form.h"
#include "waiting-room/payment_form.h"

static struct snapshot_price prices[] = {{.code = "full", .amount = 4500}, {.code = "child", .amount = 0}};
// Row A: a wheelchair place, a companion's seat, three for everybody, one that is not on sale.
static struct hall_seat seats[] = {{1, SEAT_WHEELCHAIR}, {2, SEAT_COMPANION}, {3, SEAT_ORDINARY},
                                   {4, SEAT_ORDINARY},   {5, SEAT_ORDINARY},  {6, SEAT_BLOCKED}};
static struct hall_row rows[] = {{.name = "A", .seat_count = 6, .seats = seats}};
static struct hall hall = {.references = 1, .row_count = 1, .wheelchair_count = 1, .companion_count = 1, .rows = rows};
static struct snapshot_tier tiers[] = {
    {.code = "floor", .price_count = 2, .prices = prices},
    {.code = "balcony", .price_count = 1, .prices = prices},
    {.code = "stalls", .seated = true, .hall = &hall, .price_count = 1, .prices = prices}};
static const struct snapshot event = {
    .slug = "gala", .currency = "EUR", .max_per_order = 6, .tier_count = 3, .tiers = tiers};

// Seats are as many as the tickets, each once, on sale, and in so far as the needs say so for everybody.
static void check_seats(const json_t *choice, json_int_t quantity)
{
    const json_t *names = json_object_get(choice, "seats");
    json_int_t kinds[SEAT_BLOCKED + 1] = {0}, wheelchair = json_integer_value(json_object_get(choice, "wheelchair")),
                                    companion = json_integer_value(json_object_get(choice, "companion"));
    bool seated = strcmp(json_string_value(json_object_get(choice, "tier")), "stalls") == 0;
    FUZZ_CHECK(wheelchair + companion <= quantity);
    FUZZ_CHECK(seated || (!names && wheelchair + companion == 0));
    if (!names) {
        FUZZ_CHECK(wheelchair <= 1 && companion <= 1);
        return;
    }
    FUZZ_CHECK((json_int_t)json_array_size(names) == quantity);
    unsigned named = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        char row[SEAT_ROW_NAME_BYTES];
        uint16_t number;
        const char *name = json_string_value(json_array_get(names, i));
        FUZZ_CHECK(name && seat_name_read(name, strlen(name), row, &number) == 0);
        FUZZ_CHECK(strcmp(row, "A") == 0 && number >= 1 && number <= 6 && !(named & 1u << number));
        named |= 1u << number;
        kinds[seats[number - 1].kind]++;
    }
    FUZZ_CHECK(kinds[SEAT_WHEELCHAIR] <= wheelchair && kinds[SEAT_COMPANION] <= companion && !kinds[SEAT_BLOCKED]);
}

static void check_choice(const json_t *choice)
{
    json_int_t quantity = 0, amount = 0;
    const char *code;
    json_t *count;
    json_object_foreach(json_object_get(choice, "tickets"), code, count)
    {
        FUZZ_CHECK(json_integer_value(count) >= 1);
        FUZZ_CHECK(strcmp(code, "full") == 0 || strcmp(code, "child") == 0);
        quantity += json_integer_value(count);
        amount += json_integer_value(count) * (strcmp(code, "full") == 0 ? 4500 : 0);
    }
    FUZZ_CHECK(quantity >= 1 && quantity <= 6 && quantity == json_integer_value(json_object_get(choice, "quantity")));
    FUZZ_CHECK(amount == json_integer_value(json_object_get(choice, "amount")));
    check_seats(choice, quantity);
}

static void check_form(const struct order_form *form)
{
    json_t *choices = json_loads(form->choices, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_array_size(choices) >= 1 &&
               json_array_size(choices) <= 4); // as many tiers as there are, and seats by name once more
    for (size_t i = 0; i < json_array_size(choices); i++)
        check_choice(json_array_get(choices, i));
    const json_t *first = json_array_get(choices, 0);
    FUZZ_CHECK(strcmp(json_string_value(json_object_get(first, "tier")), form->tier) == 0);
    FUZZ_CHECK(json_integer_value(json_object_get(first, "quantity")) == form->quantity);
    FUZZ_CHECK(json_integer_value(json_object_get(first, "amount")) == (json_int_t)form->amount);
    json_decref(choices);
    FUZZ_CHECK(!form->payment_method || !payment_method_problem(form->payment_method));
    FUZZ_CHECK(strlen(form->email) <= ORDER_FORM_EMAIL_BYTES_MAX && !strpbrk(form->email, "\r\n\t "));
    FUZZ_CHECK(strchr(form->email, '@') == strrchr(form->email, '@') && strchr(form->email, '@') > form->email);
    FUZZ_CHECK(!form->name || (strlen(form->name) <= ORDER_FORM_NAME_BYTES_MAX && !strpbrk(form->name, "\r\n\t")));
    struct order_facts *facts = order_facts_new();
    FUZZ_CHECK(facts && order_facts_take_choices(facts, form->choices, 0) == 0);
    order_facts_unref(facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct order_form form = {0};
    struct order_form_problems problems;
    int error = order_form_read((const char *)data, bytes, &event, &form, &problems);
    if (error == 0) {
        check_form(&form);
        order_form_done(&form);
        return 0;
    }
    FUZZ_CHECK(error == ERROR_CONFLICT || error == ERROR_INVALID);
    FUZZ_CHECK(error != ERROR_CONFLICT || (problems.count > 0 && problems.count <= ORDER_FORM_PROBLEMS_MAX));
    for (size_t i = 0; error == ERROR_CONFLICT && i < problems.count; i++)
        FUZZ_CHECK(problems.items[i].detail[0]);
    return 0;
}
