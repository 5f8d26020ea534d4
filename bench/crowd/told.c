// SPDX-License-Identifier: Apache-2.0
// The lines of the record: {"at_us":…,"visitor":…,"kind":"line","data":{…}}, `data` being what the waiting room said.
#include "bench/crowd/told.h"

#include <inttypes.h>
#include <string.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/payment.h"

static const char *const kinds[] = {
    [TOLD_BEGIN] = "begin",
    [TOLD_ASKED] = "asked",
    [TOLD_JOIN] = "join",
    [TOLD_REJOIN] = "rejoin",
    [TOLD_OPENED] = "opened",
    [TOLD_LINE] = "line",
    [TOLD_SERVED] = "served",
    [TOLD_EVENT] = "event",
    [TOLD_STOCK] = "stock",
    [TOLD_NOTICE] = "notice",
    [TOLD_ORDER] = "order",
    [TOLD_OTHER] = "other",
    [TOLD_CLOSED] = "closed",
    [TOLD_LOST] = "lost",
    [TOLD_PUT_OFF] = "put_off",
    [TOLD_LEFT] = "left",
    [TOLD_FAILED] = "failed",
    [TOLD_TURNED_AWAY] = "turned_away",
    [TOLD_ORDER_ASKED] = "order_asked",
    [TOLD_ORDER_ANSWER] = "order_answer",
    [TOLD_ORDER_REFUSED] = "order_refused",
    [TOLD_PAYS] = "pays",
    [TOLD_ANSWERS] = "answers",
    [TOLD_END] = "end",
};

static const char *const verbs[] = {
    [TOLD_PUT] = "PUT", [TOLD_DELETE] = "DELETE", [TOLD_GET] = "GET", [TOLD_MORE_TIME] = "POST", [TOLD_PAY] = "PAY"};

static const char *const lines[] = {
    [TOLD_LINE_NONE] = "", [TOLD_LOBBY] = "lobby", [TOLD_WAITING] = "waiting",
    [TOLD_TURN] = "turn",  [TOLD_OVER] = "over",   [TOLD_HAS_LEFT] = "left",
};

const char *told_kind_name(enum told_kind kind)
{
    return kinds[kind];
}

const char *told_verb_name(enum told_verb verb)
{
    return verbs[verb];
}

enum told_card told_card_of(const char *payment_method)
{
    if (strncmp(payment_method, "pm_card_chargeDeclined", sizeof "pm_card_chargeDeclined" - 1) == 0)
        return TOLD_CARD_DECLINED;
    if (strcmp(payment_method, "pm_sandbox_challenge") == 0)
        return TOLD_CARD_CHALLENGED;
    return strncmp(payment_method, "pm_sandbox_", sizeof "pm_sandbox_" - 1) == 0 ? TOLD_CARD_UNSURE : TOLD_CARD_GOOD;
}

enum told_kind told_kind_of_frame(const char *event)
{
    for (enum told_kind kind = TOLD_LINE; kind < TOLD_OTHER; kind++)
        if (strcmp(kinds[kind], event) == 0)
            return kind;
    return TOLD_OTHER;
}

static int wrong(char *problem, size_t problem_bytes, const char *key)
{
    (void)snprintf(problem, problem_bytes, "\"%s\" is not there or not as it should be", key);
    return ERROR_INVALID;
}

// A member that is a number from `min` on, or, where that is allowed, null or not there at all.
static int read_number(const json_t *data, const char *key, bool needed, int64_t min, bool *ret_there, uint64_t *ret)
{
    int64_t number = 0;
    int error = json_read_integer(data, key, min, INT64_MAX, &number);
    if (error != 0 && (needed || error != ERROR_NOT_FOUND))
        return ERROR_INVALID;
    *ret_there = error == 0;
    if (error == 0)
        *ret = (uint64_t)number;
    return 0;
}

static int read_line(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    const char *name;
    if (json_read_string(data, "line", 16, &name) != 0)
        return wrong(problem, problem_bytes, "line");
    for (enum told_line line = TOLD_LOBBY; line <= TOLD_HAS_LEFT; line++)
        if (strcmp(lines[line], name) == 0)
            ret->line = line;
    if (ret->line == TOLD_LINE_NONE)
        return wrong(problem, problem_bytes, "line");
    bool has_place, has_seat;
    if (read_number(data, "place", false, 1, &has_place, &ret->place) != 0)
        return wrong(problem, problem_bytes, "place");
    if (read_number(data, "seat", !has_place, 1, &has_seat, &ret->seat) != 0)
        return wrong(problem, problem_bytes, "seat");
    bool needed = ret->line == TOLD_WAITING || ret->line == TOLD_TURN;
    if (read_number(data, "ahead", needed, 0, &ret->has_ahead, &ret->ahead) != 0)
        return wrong(problem, problem_bytes, "ahead");
    if (needed && !has_place)
        return wrong(problem, problem_bytes, "place");
    return 0;
}

static int read_event(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    const char *state;
    if (json_read_string(data, "state", 32, &state) != 0)
        return wrong(problem, problem_bytes, "state");
    ret->at_end = strcmp(state, "closed") == 0 || strcmp(state, "sold_out") == 0;
    return 0;
}

// A member that may be missing: then it stays as it is.
static int read_flag(const json_t *data, const char *key, bool *ret)
{
    int error = json_read_bool(data, key, ret);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

// A text that may be missing: then it stays as it is.
static int read_text(const json_t *data, const char *key, size_t bytes_max, char *ret)
{
    const char *text;
    int error = json_read_string(data, key, bytes_max - 1, &text);
    if (error == 0)
        memcpy(ret, text, strlen(text) + 1);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_time(const json_t *data, const char *key, int64_t *ret)
{
    const char *text;
    *ret = TOLD_NO_TIME;
    int error = json_read_string(data, key, CLOCK_TEXT_BYTES, &text);
    if (error == 0)
        error = clock_parse(text, ret);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

static int read_begin(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    bool there;
    uint64_t hold_seconds = 0;
    if (read_time(data, "began", &ret->began_us) != 0)
        return wrong(problem, problem_bytes, "began");
    if (read_text(data, "event", sizeof ret->event, ret->event) != 0)
        return wrong(problem, problem_bytes, "event");
    if (read_flag(data, "desk", &ret->has_desk) != 0)
        return wrong(problem, problem_bytes, "desk");
    if (read_flag(data, "cards", &ret->has_cards) != 0)
        return wrong(problem, problem_bytes, "cards");
    if (read_number(data, "hold", false, 0, &there, &hold_seconds) != 0 || hold_seconds > TOLD_HOLD_MAX)
        return wrong(problem, problem_bytes, "hold");
    ret->hold_seconds = (int64_t)hold_seconds;
    if (json_read_integer(data, "visitors", 1, TOLD_VISITORS_MAX, &ret->visitors) != 0)
        return wrong(problem, problem_bytes, "visitors");
    if (json_read_bool(data, "faults", &ret->faults) != 0)
        return wrong(problem, problem_bytes, "faults");
    if (json_read_integer(data, "patience", 0, TOLD_PATIENCE_MAX, &ret->patience_seconds) != 0)
        return wrong(problem, problem_bytes, "patience");
    return 0;
}

static int read_verb(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    const char *name;
    if (json_read_string(data, "method", 8, &name) != 0)
        return wrong(problem, problem_bytes, "method");
    for (enum told_verb verb = TOLD_PUT; verb <= TOLD_PAY; verb++)
        if (strcmp(verbs[verb], name) == 0) {
            ret->verb = verb;
            return 0;
        }
    return wrong(problem, problem_bytes, "method");
}

static uint64_t hash(uint64_t from, const char *text)
{
    for (; *text; text++)
        from = (from ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return from;
}

uint64_t told_seat_print(const char *tier, const char *seat)
{
    // FNV-1a, and mixed once more, because prints are added up.
    uint64_t print = hash(hash(hash(UINT64_C(0xcbf29ce484222325), tier), " "), seat);
    print = (print ^ print >> 32) * UINT64_C(0xd6e8feb86659fd93);
    print ^= print >> 32;
    return print ? print : 1;
}

struct seat {
    char row[SEAT_ROW_NAME_BYTES];
    uint16_t number;
};

// How many of the seats have no neighbour on their left: so many groups they are.
static uint32_t count_groups(const struct seat *seats, size_t count)
{
    uint32_t groups = 0;
    for (size_t i = 0; i < count; i++) {
        bool alone = true;
        for (size_t k = 0; k < count && alone; k++)
            alone = seats[k].number + 1 != seats[i].number || strcmp(seats[k].row, seats[i].row) != 0;
        groups += alone;
    }
    return groups;
}

// A list of names of seats. No list is no seats; one that is empty, or has a seat twice, is wrong.
static int read_seats(const json_t *list, const char *tier, uint64_t *ret_prints, struct told_order *ret)
{
    struct seat seats[SEATS_IN_ORDER_MAX];
    size_t count = json_array_size(list);
    if (!list)
        return 0;
    if (count < 1 || count > SEATS_IN_ORDER_MAX)
        return ERROR_INVALID;
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || seat_name_read(name, strlen(name), seats[i].row, &seats[i].number) != 0)
            return ERROR_INVALID;
        ret_prints[i] = told_seat_print(tier, name);
        ret->seats += ret_prints[i];
        for (size_t k = 0; k < i; k++)
            if (ret_prints[k] == ret_prints[i])
                return ERROR_INVALID;
    }
    ret->seat_count = (uint32_t)count;
    ret->groups = count_groups(seats, count);
    return 0;
}

static int read_choices(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    const json_t *choices = json_object_get(data, "choices");
    size_t count = json_array_size(choices);
    if (count < 1 || count > TOLD_CHOICES_MAX)
        return wrong(problem, problem_bytes, "choices");
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(choices, i);
        struct told_choice *choice = &ret->choices[i];
        const char *tier;
        bool there;
        if (!json_is_object(item) || json_read_string(item, "tier", SLUG_BYTES - 1, &tier) != 0 ||
            read_number(item, "quantity", true, 1, &there, &choice->quantity) != 0 ||
            read_number(item, "amount", true, 0, &there, &choice->amount) != 0)
            return wrong(problem, problem_bytes, "choices");
        memcpy(choice->tier, tier, strlen(tier) + 1);
        struct told_order asked = {0};
        uint64_t prints[SEATS_IN_ORDER_MAX];
        if (read_seats(json_object_get(item, "seats"), tier, prints, &asked) != 0)
            return wrong(problem, problem_bytes, "seats");
        choice->seats = asked.seats;
    }
    ret->choice_count = count;
    ret->has_needs = json_object_get(data, "needs") != NULL;
    return 0;
}

// What of the order is about paying for it.
static int read_money(const json_t *data, struct told_order *ret, char *problem, size_t problem_bytes)
{
    const char *text;
    if (read_text(data, "currency", sizeof ret->currency, ret->currency) != 0)
        return wrong(problem, problem_bytes, "currency");
    int error = json_read_string(data, "reason", 64, &text);
    if (error != ERROR_NOT_FOUND && (error != 0 || order_reason_parse(text, &ret->reason) != 0))
        return wrong(problem, problem_bytes, "reason");
    error = json_read_string(data, "action_url", TOLD_URL_BYTES - 1, &text);
    if (error != ERROR_NOT_FOUND && (error != 0 || !*text))
        return wrong(problem, problem_bytes, "action_url");
    ret->has_action_url = error == 0;
    return 0;
}

// What the visitor would pay with; none need be said.
static int read_card(const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    const char *method;
    int error = json_read_string(data, "payment_method", PAYMENT_METHOD_BYTES - 1, &method);
    if (error == 0)
        ret->card = told_card_of(method);
    else if (error != ERROR_NOT_FOUND || ret->verb == TOLD_PAY)
        return wrong(problem, problem_bytes, "payment_method");
    return 0;
}

// The document of GET order. How many tickets it is for is the sum over its prices.
static int read_order(const json_t *data, struct told *told, char *problem, size_t problem_bytes)
{
    struct told_order *ret = &told->order;
    const char *state, *code;
    int64_t attempt, revision;
    json_t *tickets = json_object_get(data, "tickets"), *number;
    bool there;
    if (json_read_string(data, "state", 32, &state) != 0 || order_state_parse(state, &ret->state) != 0)
        return wrong(problem, problem_bytes, "state");
    if (json_read_integer(data, "attempt", 1, UINT16_MAX, &attempt) != 0)
        return wrong(problem, problem_bytes, "attempt");
    if (json_read_integer(data, "revision", 1, UINT32_MAX, &revision) != 0)
        return wrong(problem, problem_bytes, "revision");
    ret->attempt = (uint32_t)attempt;
    ret->revision = (uint32_t)revision;
    if (read_text(data, "reference", sizeof ret->reference, ret->reference) != 0)
        return wrong(problem, problem_bytes, "reference");
    if (read_text(data, "tier", sizeof ret->tier, ret->tier) != 0)
        return wrong(problem, problem_bytes, "tier");
    if (read_number(data, "amount", false, 0, &there, &ret->amount) != 0)
        return wrong(problem, problem_bytes, "amount");
    json_object_foreach(tickets, code, number)
    {
        if (!json_is_integer(number) || json_integer_value(number) < 1)
            return wrong(problem, problem_bytes, "tickets");
        ret->quantity += (uint64_t)json_integer_value(number);
    }
    if (read_seats(json_object_get(data, "seats"), ret->tier, told->seats, ret) != 0)
        return wrong(problem, problem_bytes, "seats");
    if (read_time(data, "pay_until", &ret->pay_until_us) != 0)
        return wrong(problem, problem_bytes, "pay_until");
    if (read_flag(data, "more_time", &ret->may_have_more_time) != 0)
        return wrong(problem, problem_bytes, "more_time");
    return read_money(data, ret, problem, problem_bytes);
}

int told_read_data(enum told_kind kind, const json_t *data, struct told *ret, char *problem, size_t problem_bytes)
{
    struct told told = {.kind = kind};
    bool there;
    int error = 0;
    const char *reason;
    switch (kind) {
    case TOLD_BEGIN:
        error = read_begin(data, &told, problem, problem_bytes);
        break;
    case TOLD_JOIN:
    case TOLD_REJOIN:
    case TOLD_LINE:
        if (kind != TOLD_LINE && json_read_integer(data, "status", 100, 599, &told.status) != 0)
            error = wrong(problem, problem_bytes, "status");
        else
            error = read_line(data, &told, problem, problem_bytes);
        break;
    case TOLD_SERVED:
        if (read_number(data, "served", true, 0, &there, &told.served) != 0)
            error = wrong(problem, problem_bytes, "served");
        break;
    case TOLD_EVENT:
        error = read_event(data, &told, problem, problem_bytes);
        break;
    case TOLD_LOST:
    case TOLD_PUT_OFF:
        told.about_order = json_read_string(data, "during", 16, &reason) == 0 && strcmp(reason, "order") == 0;
        break;
    case TOLD_ORDER:
        error = read_order(data, &told, problem, problem_bytes);
        break;
    case TOLD_ORDER_ASKED:
    case TOLD_ORDER_ANSWER:
    case TOLD_ORDER_REFUSED:
        error = read_verb(data, &told, problem, problem_bytes);
        if (error == 0 && kind != TOLD_ORDER_ASKED && json_read_integer(data, "status", 100, 599, &told.status) != 0)
            error = wrong(problem, problem_bytes, "status");
        if (error == 0 && kind == TOLD_ORDER_ASKED && told.verb == TOLD_PUT)
            error = read_choices(data, &told, problem, problem_bytes);
        if (error == 0 && kind == TOLD_ORDER_ASKED && (told.verb == TOLD_PUT || told.verb == TOLD_PAY))
            error = read_card(data, &told, problem, problem_bytes);
        if (error == 0 && kind == TOLD_ORDER_ANSWER)
            error = read_order(data, &told, problem, problem_bytes);
        break;
    case TOLD_ANSWERS:
        if (json_read_string(data, "answer", 16, &reason) != 0)
            error = wrong(problem, problem_bytes, "answer");
        else
            told.says_yes = strcmp(reason, "yes") == 0;
        break;
    case TOLD_TURNED_AWAY:
    case TOLD_FAILED:
        // 0: there was a head that was right, and what followed was not.
        if (json_read_integer(data, "status", 0, 599, &told.status) != 0)
            error = wrong(problem, problem_bytes, "status");
        break;
    case TOLD_END:
        if (json_read_string(data, "reason", 64, &reason) != 0)
            error = wrong(problem, problem_bytes, "reason");
        else
            told.interrupted = strcmp(reason, "interrupted") == 0;
        break;
    default:
        break;
    }
    if (error == 0)
        *ret = told;
    return error;
}

int told_read(const char *text, size_t bytes, struct told *ret, char *problem, size_t problem_bytes)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    if (json_read_object(text, bytes, TOLD_LINE_BYTES_MAX, problem, problem_bytes, &object) != 0)
        return ERROR_INVALID;
    const char *name;
    int64_t at_us, visitor;
    if (json_read_string(object, "kind", 16, &name) != 0)
        return wrong(problem, problem_bytes, "kind");
    enum told_kind kind = TOLD_BEGIN;
    while (kind < TOLD_KIND_COUNT && strcmp(kinds[kind], name) != 0)
        kind++;
    if (kind == TOLD_KIND_COUNT)
        return wrong(problem, problem_bytes, "kind");
    if (json_read_integer(object, "at_us", 0, INT64_MAX, &at_us) != 0)
        return wrong(problem, problem_bytes, "at_us");
    bool is_frame_of_record = kind == TOLD_BEGIN || kind == TOLD_END;
    if (json_read_integer(object, "visitor", is_frame_of_record ? 0 : 1, is_frame_of_record ? 0 : TOLD_VISITORS_MAX,
                          &visitor) != 0)
        return wrong(problem, problem_bytes, "visitor");
    const json_t *data = json_object_get(object, "data");
    if (!json_is_object(data))
        return wrong(problem, problem_bytes, "data");
    struct told told;
    if (told_read_data(kind, data, &told, problem, problem_bytes) != 0)
        return ERROR_INVALID;
    told.at_us = at_us;
    told.visitor = (uint32_t)visitor;
    *ret = told;
    return 0;
}

void told_write(FILE *file, const struct told *told, const char *data)
{
    (void)fprintf(file, "{\"at_us\":%" PRId64 ",\"visitor\":%" PRIu32 ",\"kind\":\"%s\",\"data\":%s}\n", told->at_us,
                  told->visitor, kinds[told->kind], data ? data : "{}");
}
