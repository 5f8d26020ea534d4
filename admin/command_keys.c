// SPDX-License-Identifier: Apache-2.0
// onsale keys list, keys rotate: the keys of the queue tokens and of the tickets. Secrets never leave their files.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/commands.h"
#include "admin/table.h"
#include "common/clock.h"
#include "common/keyring.h"
#include "common/ticket_keys.h"

#define STATE_BYTES 64
#define KEYS_MAX (KEYRING_KEYS_MAX + TICKET_KEYS_MAX)
#define COLUMNS 4

static int64_t now_seconds(void)
{
    return clock_utc_us() / 1000000;
}

static void time_text(int64_t seconds, char text[static CLOCK_TEXT_BYTES])
{
    clock_format(seconds * 1000000, text);
}

// What is told of a key, whatever it signs.
struct item {
    char kid[KEY_KID_BYTES];
    const char *kind, *algorithm;
    const char *state; // one word for programs: signs, verifies, or waits (it verifies already and will sign)
    char created[CLOCK_TEXT_BYTES], signs_from[CLOCK_TEXT_BYTES];
};

struct items {
    size_t count;
    struct item items[KEYS_MAX];
};

static void add_item(struct items *items, const char *kid, const char *kind, const char *algorithm, int64_t created_at,
                     int64_t signs_from, bool signs)
{
    struct item *item = &items->items[items->count++];
    *item = (struct item){.kind = kind,
                          .algorithm = algorithm,
                          .state = signs                        ? "signs"
                                   : signs_from > now_seconds() ? "waits"
                                                                : "verifies"};
    snprintf(item->kid, sizeof(item->kid), "%s", kid);
    time_text(created_at, item->created);
    time_text(signs_from, item->signs_from);
}

static int read_queue_keys(const struct context *context, const char *directory, struct items *items)
{
    struct keyring keyring = {0};
    char problem[256] = "";
    int r = keyring_load(directory, &keyring, problem, sizeof(problem));
    if (r == ERROR_NOT_FOUND)
        context_note(context, "there is no key for queue tokens in %s yet; `onsale keys rotate` makes the first",
                     directory);
    else if (r < 0)
        return context_fail(context, EXIT_FAILED, "the keys cannot be read: %s", problem);
    const struct keyring_key *signing = keyring_signing_key(&keyring, now_seconds());
    for (size_t i = 0; i < keyring.key_count; i++) {
        const struct keyring_key *key = &keyring.keys[i];
        add_item(items, key->kid, "queue", "HS256", key->created_at, key->signs_from, key == signing);
    }
    explicit_bzero(&keyring, sizeof(keyring));
    return EXIT_DONE;
}

static int read_ticket_keys(const struct context *context, const char *directory, struct items *items)
{
    struct ticket_keys *keys = NULL;
    char problem[256] = "";
    int r = ticket_keys_load(directory, &keys, problem, sizeof(problem));
    if (r == ERROR_NOT_FOUND)
        context_note(context, "there is no key for tickets in %s/%s yet; `onsale keys rotate` makes the first",
                     directory, TICKET_KEYS_FOLDER);
    else if (r < 0)
        return context_fail(context, EXIT_FAILED, "the keys cannot be read: %s", problem);
    const struct ticket_key *signing = ticket_keys_signing(keys, now_seconds());
    for (size_t i = 0; keys && i < keys->count; i++) {
        const struct ticket_key *key = &keys->keys[i];
        add_item(items, key->kid, "ticket", "ES256", key->created_at, key->signs_from, key == signing);
    }
    ticket_keys_unref(keys);
    return EXIT_DONE;
}

static int print_list_json(const struct context *context, const struct items *items, size_t from, size_t count)
{
    json_t *list = json_array();
    for (size_t i = from; i < from + count; i++) {
        const struct item *item = &items->items[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kid", item->kid, "kind", item->kind,
                                              "algorithm", item->algorithm, "state", item->state, "created_at",
                                              item->created, "signs_from", item->signs_from));
    }
    bool more = from + count < items->count;
    return context_print_json(
        context, json_pack("{s:o, s:s?}", "items", list, "next", more ? items->items[from + count - 1].kid : NULL));
}

static int print_list_text(const struct context *context, const struct items *items, size_t from, size_t count)
{
    const char *cells[COLUMNS * (KEYS_MAX + 1)] = {"KEY", "KIND", "STATE", "MADE"};
    char states[KEYS_MAX][STATE_BYTES];
    for (size_t i = 0; i < count; i++) {
        const struct item *item = &items->items[from + i];
        if (strcmp(item->state, "waits") == 0)
            snprintf(states[i], STATE_BYTES, "verifies, signs from %s", item->signs_from);
        else
            snprintf(states[i], STATE_BYTES, "%s", item->state);
        const char **row = &cells[COLUMNS * (i + 1)];
        row[0] = item->kid;
        row[1] = item->kind;
        row[2] = states[i];
        row[3] = item->created;
    }
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    table_write(cells, COLUMNS, count + 1, &text);
    return context_print_text(context, &text);
}

int command_keys_list(struct context *context)
{
    struct items items = {0};
    const char *directory = context->config->common.tokens_directory;
    size_t limit, from = 0;
    int status = context_limit(context, &limit);
    if (status == EXIT_DONE)
        status = read_queue_keys(context, directory, &items);
    if (status == EXIT_DONE)
        status = read_ticket_keys(context, directory, &items);
    if (status != EXIT_DONE)
        return status;
    const char *after = context_option(context, "after");
    if (after) {
        while (from < items.count && strcmp(items.items[from].kid, after) != 0)
            from++;
        if (from++ == items.count)
            return context_fail(context, EXIT_NOT_FOUND, "--after: there is no key '%.40s'", after);
    }
    size_t count = items.count - from < limit ? items.count - from : limit;
    return context->json ? print_list_json(context, &items, from, count)
                         : print_list_text(context, &items, from, count);
}

// ---------------------------------------------------------------- rotate

struct made {
    const char *kind;
    char kid[KEY_KID_BYTES];
    int64_t created_at, signs_from;
};

static int rotate_queue(const struct context *context, int64_t now, struct made *ret)
{
    const struct common_config *config = &context->config->common;
    struct keyring_key key;
    char problem[256] = "";
    int r = keyring_rotate(config->tokens_directory, now, config->tokens_queue_lifetime_seconds, &key, problem,
                           sizeof(problem));
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "no key for queue tokens was made: %s",
                            *problem ? problem : error_str(r));
    *ret = (struct made){.kind = "queue", .created_at = key.created_at, .signs_from = key.signs_from};
    memcpy(ret->kid, key.kid, sizeof(ret->kid));
    explicit_bzero(key.secret, sizeof(key.secret));
    return EXIT_DONE;
}

static int rotate_ticket(const struct context *context, int64_t now, struct made *ret)
{
    struct ticket_key_made key;
    char problem[256] = "";
    int r = ticket_keys_rotate(context->config->common.tokens_directory, now, &key, problem, sizeof(problem));
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "no key for tickets was made: %s", *problem ? problem : error_str(r));
    *ret = (struct made){.kind = "ticket", .created_at = key.created_at, .signs_from = key.signs_from};
    memcpy(ret->kid, key.kid, sizeof(ret->kid));
    return EXIT_DONE;
}

static int print_made(const struct context *context, const struct made *made, size_t count, int64_t now)
{
    json_t *items = json_array();
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    for (size_t i = 0; i < count; i++) {
        char created[CLOCK_TEXT_BYTES], signs_from[CLOCK_TEXT_BYTES];
        time_text(made[i].created_at, created);
        time_text(made[i].signs_from, signs_from);
        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s}", "kid", made[i].kid, "kind", made[i].kind,
                                               "created_at", created, "signs_from", signs_from));
        buffer_format(&text, "made the key %s for %s, ", made[i].kid,
                      strcmp(made[i].kind, "queue") == 0 ? "queue tokens" : "tickets");
        if (made[i].signs_from <= now)
            buffer_text(&text, "which signs at once\n");
        else
            buffer_format(&text, "which verifies now and signs from %s\n", signs_from);
    }
    if (context->json)
        return context_print_json(context, json_pack("{s:o}", "items", items));
    json_decref(items);
    return context_print_text(context, &text);
}

int command_keys_rotate(struct context *context)
{
    const char *kind = context_option(context, "kind");
    if (kind && strcmp(kind, "queue") != 0 && strcmp(kind, "ticket") != 0)
        return context_fail(context, EXIT_USAGE, "--kind: '%.40s' is none; there are queue and ticket", kind);
    struct made made[2] = {{.kind = ""}, {.kind = ""}};
    size_t count = 0;
    int64_t now = now_seconds();
    int status = EXIT_DONE;
    if (!kind || strcmp(kind, "queue") == 0)
        status = rotate_queue(context, now, &made[count++]);
    if (status == EXIT_DONE && (!kind || strcmp(kind, "ticket") == 0))
        status = rotate_ticket(context, now, &made[count++]);
    return status == EXIT_DONE ? print_made(context, made, count, now) : status;
}
