// SPDX-License-Identifier: Apache-2.0
// Amounts are worked out here from the document's prices, so that what the waiting room answers is compared with something.
#include "bench/crowd/menu.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define DOCUMENT_BYTES_MAX 65536
#define QUANTITY_MAX 100000

static int wrong(char *problem, size_t problem_bytes, const char *what)
{
    (void)snprintf(problem, problem_bytes, "the event's document: %s", what);
    return ERROR_INVALID;
}

static bool read_code(const json_t *object, char *ret)
{
    const char *code;
    if (json_read_string(object, "code", SLUG_BYTES - 1, &code) != 0)
        return false;
    memcpy(ret, code, strlen(code) + 1);
    return true;
}

static int read_tier(const json_t *item, struct menu_tier *ret, char *problem, size_t problem_bytes)
{
    const json_t *prices = json_object_get(item, "prices");
    for (size_t i = 0; i < json_array_size(prices) && i < MENU_PRICES_MAX; i++) {
        const json_t *price = json_array_get(prices, i);
        int64_t amount;
        if (!json_is_object(price) || !read_code(price, ret->prices[i].code) ||
            json_read_integer(price, "amount", 0, INT32_MAX, &amount) != 0)
            return wrong(problem, problem_bytes, "a price that is none");
        ret->prices[i].amount = (uint64_t)amount;
        ret->price_count++;
    }
    return ret->price_count > 0 ? 0 : wrong(problem, problem_bytes, "a tier without prices");
}

// Whether the code is in the list "floor,balcony".
static bool is_in(const char *list, const char *code)
{
    size_t bytes = strlen(code);
    for (const char *at = list; at; at = strchr(at, ','), at = at ? at + 1 : NULL)
        if (strncmp(at, code, bytes) == 0 && (at[bytes] == ',' || at[bytes] == '\0'))
            return true;
    return false;
}

static size_t count_of(const char *list)
{
    size_t count = 1;
    for (const char *at = list; *at; at++)
        count += *at == ',';
    return count;
}

int menu_read(const char *text, size_t bytes, const char *wanted, struct menu *ret, char *problem, size_t problem_bytes)
{
    struct menu menu = {0};
    json_t *document CLEANUP(json_cleanup) = NULL;
    int64_t max_per_order;
    if (json_read_object(text, bytes, DOCUMENT_BYTES_MAX, problem, problem_bytes, &document) != 0)
        return ERROR_INVALID;
    if (json_read_integer(document, "max_per_order", 1, QUANTITY_MAX, &max_per_order) != 0)
        return wrong(problem, problem_bytes, "max_per_order");
    menu.max_per_order = (uint64_t)max_per_order;
    const char *payment = json_string_value(json_object_get(document, "payment"));
    menu.takes_cards = payment && strcmp(payment, "card") == 0;
    const json_t *tiers = json_object_get(document, "tiers");
    for (size_t i = 0; i < json_array_size(tiers) && menu.tier_count < MENU_TIERS_MAX; i++) {
        const json_t *item = json_array_get(tiers, i);
        struct menu_tier *tier = &menu.tiers[menu.tier_count];
        if (!json_is_object(item) || !read_code(item, tier->code))
            return wrong(problem, problem_bytes, "a tier that is none");
        if (wanted ? !is_in(wanted, tier->code) : menu.tier_count > 0)
            continue;
        if (read_tier(item, tier, problem, problem_bytes) != 0)
            return ERROR_INVALID;
        tier->is_seated = json_is_true(json_object_get(item, "seated"));
        menu.has_seats = menu.has_seats || tier->is_seated;
        menu.tier_count++;
    }
    if (wanted && menu.tier_count != count_of(wanted))
        return wrong(problem, problem_bytes, "not all the tiers that --tiers names are there");
    *ret = menu;
    return 0;
}

// One choice, as JSON: {"tier":…,"quantity":n} or {"tier":…,"tickets":{CODE: n, …}}.
static json_t *choose(const struct menu_tier *tier, uint64_t quantity, uint64_t random, struct told_choice *ret)
{
    *ret = (struct told_choice){.quantity = quantity};
    memcpy(ret->tier, tier->code, sizeof ret->tier);
    if (random % 2 == 0) {
        ret->amount = quantity * tier->prices[0].amount;
        return json_pack("{s:s,s:I}", "tier", tier->code, "quantity", (json_int_t)quantity);
    }
    // All of one price, or some of one and the rest of the next.
    size_t first = (size_t)(random / 2 % tier->price_count), second = (first + 1) % tier->price_count;
    uint64_t of_second = first == second ? 0 : random / 64 % quantity;
    ret->amount = (quantity - of_second) * tier->prices[first].amount + of_second * tier->prices[second].amount;
    json_t *tickets = json_pack("{s:I}", tier->prices[first].code, (json_int_t)(quantity - of_second));
    if (tickets && of_second > 0)
        (void)json_object_set_new(tickets, tier->prices[second].code, json_integer((json_int_t)of_second));
    return json_pack("{s:s,s:o}", "tier", tier->code, "tickets", tickets);
}

uint64_t menu_quantity(const struct menu *menu, const struct menu_wish *wish)
{
    if (wish->seat_count > 0)
        return wish->seat_count;
    return wish->quantity < menu->max_per_order ? wish->quantity : menu->max_per_order;
}

// Names the seats of the first choice. Who has named them need not say how many there are.
static int name_seats(const struct menu_wish *wish, json_t *body, struct told_choice *ret)
{
    json_t *seats = json_array();
    for (size_t i = 0; i < wish->seat_count; i++) {
        (void)json_array_append_new(seats, json_string(wish->seats[i]));
        ret->seats += told_seat_print(ret->tier, wish->seats[i]);
    }
    if (wish->random % 3 == 0)
        (void)json_object_del(body, "quantity");
    return json_object_set_new(body, "seats", seats) == 0 ? 0 : ERROR_MEMORY;
}

static json_t *make_needs(uint64_t quantity)
{
    return quantity > 1 ? json_pack("{s:i,s:i}", "wheelchair", 1, "companion", 1) : json_pack("{s:i}", "wheelchair", 1);
}

// What is recorded of an order: its choices with the amounts that are expected, its seats and needs.
static char *make_asked(const struct menu_order *order, const json_t *body)
{
    json_t *choices = json_array();
    json_t *asked CLEANUP(json_cleanup) =
        json_pack("{s:s,s:o}", "method", told_verb_name(TOLD_PUT), "choices", choices);
    for (size_t i = 0; i < order->choice_count; i++) {
        const struct told_choice *choice = &order->choices[i];
        json_t *item = json_pack("{s:s,s:I,s:I}", "tier", choice->tier, "quantity", (json_int_t)choice->quantity,
                                 "amount", (json_int_t)choice->amount);
        if (i == 0 && json_object_get(body, "seats"))
            (void)json_object_set(item, "seats", json_object_get(body, "seats"));
        (void)json_array_append_new(choices, item);
    }
    static const char *const as_they_are[] = {"needs", "payment_method"};
    for (size_t i = 0; i < sizeof as_they_are / sizeof *as_they_are; i++)
        if (json_object_get(body, as_they_are[i]))
            (void)json_object_set(asked, as_they_are[i], json_object_get(body, as_they_are[i]));
    return json_dumps(asked, JSON_COMPACT);
}

int menu_choose(const struct menu *menu, const struct menu_wish *wish, struct menu_order *ret)
{
    struct menu_order order = {0};
    uint64_t quantity = menu_quantity(menu, wish);
    size_t first = wish->seat_count > 0 ? wish->seat_tier : (size_t)(wish->random % menu->tier_count);
    json_t *body CLEANUP(json_cleanup) =
        choose(&menu->tiers[first], quantity, wish->random / 8, &order.choices[order.choice_count++]);
    if (wish->seat_count > 0 && name_seats(wish, body, &order.choices[0]) != 0)
        return ERROR_MEMORY;
    order.has_needs = wish->wheelchair && menu->tiers[first].is_seated;
    if (order.has_needs && json_object_set_new(body, "needs", make_needs(quantity)) != 0)
        return ERROR_MEMORY;
    if (wish->alternatives && (menu->tier_count > 1 || wish->seat_count > 0)) {
        json_t *others = json_array();
        for (size_t i = wish->seat_count > 0 ? 0 : 1; i < menu->tier_count && order.choice_count < TOLD_CHOICES_MAX;
             i++)
            (void)json_array_append_new(others, choose(&menu->tiers[(first + i) % menu->tier_count], quantity,
                                                       wish->random / 8 + i, &order.choices[order.choice_count++]));
        if (json_object_set_new(body, "alternatives", others) != 0)
            return ERROR_MEMORY;
    }
    if (json_object_set_new(body, "email", json_string(wish->email)) != 0 ||
        (wish->payment_method && json_object_set_new(body, "payment_method", json_string(wish->payment_method)) != 0))
        return ERROR_MEMORY;
    order.body = json_dumps(body, JSON_COMPACT);
    order.asked = make_asked(&order, body);
    if (!order.body || !order.asked) {
        menu_order_done(&order);
        return ERROR_MEMORY;
    }
    *ret = order;
    return 0;
}

void menu_order_done(struct menu_order *order)
{
    if (!order)
        return;
    free(order->body);
    free(order->asked);
    order->body = order->asked = NULL;
}
