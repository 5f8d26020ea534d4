// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The body of PUT order as anybody may send it: what is taken is within the event's limits, costs what its prices say, and
// is read again from what would be stored; what is not is refused with at least one reason.
#include "common/json.h"
#include "tests/fuzz/fuzz.h"
#include "waiting-room/order_facts.h"
#include "waiting-room/order_form.h"

static struct snapshot_price prices[] = {{.code = "full", .amount = 4500}, {.code = "child", .amount = 0}};
static struct snapshot_tier tiers[] = {{.code = "floor", .price_count = 2, .prices = prices},
                                       {.code = "balcony", .price_count = 1, .prices = prices},
                                       {.code = "stalls", .seated = true, .price_count = 1, .prices = prices}};
static const struct snapshot event = {
    .slug = "gala", .currency = "EUR", .max_per_order = 6, .tier_count = 3, .tiers = tiers};

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
}

static void check_form(const struct order_form *form)
{
    json_t *choices = json_loads(form->choices, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_array_size(choices) >= 1 &&
               json_array_size(choices) <= 3); // as many tiers as can be ordered, once each
    for (size_t i = 0; i < json_array_size(choices); i++)
        check_choice(json_array_get(choices, i));
    const json_t *first = json_array_get(choices, 0);
    FUZZ_CHECK(strcmp(json_string_value(json_object_get(first, "tier")), form->tier) == 0);
    FUZZ_CHECK(json_integer_value(json_object_get(first, "quantity")) == form->quantity);
    FUZZ_CHECK(json_integer_value(json_object_get(first, "amount")) == (json_int_t)form->amount);
    json_decref(choices);
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
