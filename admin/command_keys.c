// SPDX-License-Identifier: Apache-2.0
// onsale keys list, keys rotate: the keys of the queue tokens. Secrets never leave their files.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/commands.h"
#include "admin/table.h"
#include "common/clock.h"
#include "common/keyring.h"

#define STATE_BYTES 64

static int64_t now_seconds(void)
{
    return clock_utc_us() / 1000000;
}

static void time_text(int64_t seconds, char text[static CLOCK_TEXT_BYTES])
{
    clock_format(seconds * 1000000, text);
}

// One word for programs: signs, verifies, or waits (it verifies already and will sign).
static const char *state_of(const struct keyring *keyring, const struct keyring_key *key, int64_t now)
{
    if (key == keyring_signing_key(keyring, now))
        return "signs";
    return key->signs_from > now ? "waits" : "verifies";
}

static json_t *key_json(const struct keyring *keyring, const struct keyring_key *key, int64_t now)
{
    char created[CLOCK_TEXT_BYTES], signs_from[CLOCK_TEXT_BYTES];
    time_text(key->created_at, created);
    time_text(key->signs_from, signs_from);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kid", key->kid, "kind", "queue", "algorithm", "HS256", "state",
                     state_of(keyring, key, now), "created_at", created, "signs_from", signs_from);
}

static int print_list_json(const struct context *context, const struct keyring *keyring, size_t from, size_t count)
{
    int64_t now = now_seconds();
    json_t *items = json_array();
    for (size_t i = from; i < from + count; i++)
        json_array_append_new(items, key_json(keyring, &keyring->keys[i], now));
    bool more = from + count < keyring->key_count;
    return context_print_json(
        context, json_pack("{s:o, s:s?}", "items", items, "next", more ? keyring->keys[from + count - 1].kid : NULL));
}

static int print_list_text(const struct context *context, const struct keyring *keyring, size_t from, size_t count)
{
    const char *cells[4 * (KEYRING_KEYS_MAX + 1)] = {"KEY", "KIND", "STATE", "MADE"};
    char states[KEYRING_KEYS_MAX][STATE_BYTES], created[KEYRING_KEYS_MAX][CLOCK_TEXT_BYTES];
    int64_t now = now_seconds();
    for (size_t i = 0; i < count; i++) {
        const struct keyring_key *key = &keyring->keys[from + i];
        char signs_from[CLOCK_TEXT_BYTES];
        time_text(key->created_at, created[i]);
        time_text(key->signs_from, signs_from);
        const char *state = state_of(keyring, key, now);
        if (strcmp(state, "waits") == 0)
            snprintf(states[i], STATE_BYTES, "verifies, signs from %s", signs_from);
        else
            snprintf(states[i], STATE_BYTES, "%s", state);
        cells[4 * (i + 1)] = key->kid;
        cells[4 * (i + 1) + 1] = "queue";
        cells[4 * (i + 1) + 2] = states[i];
        cells[4 * (i + 1) + 3] = created[i];
    }
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    table_write(cells, 4, count + 1, &text);
    return context_print_text(context, &text);
}

int command_keys_list(struct context *context)
{
    struct keyring keyring = {0};
    char problem[256] = "";
    size_t limit, from = 0;
    int status = context_limit(context, &limit);
    if (status != EXIT_DONE)
        return status;
    const char *directory = context->config->common.tokens_directory;
    int r = keyring_load(directory, &keyring, problem, sizeof(problem));
    if (r == ERROR_NOT_FOUND)
        context_note(context, "there is no key in %s yet; `onsale keys rotate` makes the first", directory);
    else if (r < 0)
        return context_fail(context, EXIT_FAILED, "the keys cannot be read: %s", problem);
    const char *after = context_option(context, "after");
    if (after) {
        const struct keyring_key *key = keyring_find(&keyring, after, strlen(after));
        if (!key)
            return context_fail(context, EXIT_NOT_FOUND, "--after: there is no key '%.40s'", after);
        from = (size_t)(key - keyring.keys) + 1;
    }
    size_t count = keyring.key_count - from < limit ? keyring.key_count - from : limit;
    status = context->json ? print_list_json(context, &keyring, from, count)
                           : print_list_text(context, &keyring, from, count);
    explicit_bzero(&keyring, sizeof(keyring));
    return status;
}

int command_keys_rotate(struct context *context)
{
    const struct common_config *config = &context->config->common;
    struct keyring_key key;
    char problem[256] = "";
    int64_t now = now_seconds();
    int r = keyring_rotate(config->tokens_directory, now, config->tokens_queue_lifetime_seconds, &key, problem,
                           sizeof(problem));
    if (r < 0)
        return context_fail(context, EXIT_FAILED, "no key was made: %s", *problem ? problem : error_str(r));
    explicit_bzero(key.secret, sizeof(key.secret));
    char created[CLOCK_TEXT_BYTES], signs_from[CLOCK_TEXT_BYTES];
    time_text(key.created_at, created);
    time_text(key.signs_from, signs_from);
    if (context->json)
        return context_print_json(context, json_pack("{s:s, s:s, s:s, s:s}", "kid", key.kid, "kind", "queue",
                                                     "created_at", created, "signs_from", signs_from));
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (key.signs_from <= now)
        buffer_format(&text, "made the key %s, which signs at once\n", key.kid);
    else
        buffer_format(&text, "made the key %s, which verifies now and signs from %s\n", key.kid, signs_from);
    return context_print_text(context, &text);
}
