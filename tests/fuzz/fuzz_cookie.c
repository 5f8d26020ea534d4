// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Three lines: the event's slug, a Cookie field, an Authorization field. What is found lies in the field, behind the right
// name, and is one word; the cookie that we give is found again among others.
#include <stdbool.h>

#include "common/slug.h"
#include "tests/fuzz/fuzz.h"
#include "waiting-room/cookie.h"

#define PREFIX "__Host-onsale-"

// The place of the value of the first pair with that name; NULL: none.
static const char *expected_value(const char *field, const char *slug)
{
    char name[256];
    snprintf(name, sizeof name, PREFIX "%s=", slug);
    for (const char *pair = field; pair; pair = strchr(pair, ';')) {
        pair += strspn(pair, "; \t");
        if (strncmp(pair, name, strlen(name)) == 0)
            return pair + strlen(name);
        if (!*pair)
            break;
    }
    return NULL;
}

static void check_found(const char *field, const char *slug)
{
    const char *value, *expected = expected_value(field, slug);
    size_t bytes;
    int error = cookie_find(field, slug, &value, &bytes);
    FUZZ_CHECK(error == (expected ? 0 : ERROR_NOT_FOUND));
    if (error)
        return;
    FUZZ_CHECK(value == expected && value + bytes <= field + strlen(field) && !memchr(value, ';', bytes));
    FUZZ_CHECK(bytes == 0 || (value[bytes - 1] != ' ' && value[bytes - 1] != '\t'));
    FUZZ_CHECK(value[bytes + strspn(value + bytes, " \t")] == '\0' ||
               value[bytes + strspn(value + bytes, " \t")] == ';');
}

// Behind the fields that came, the browser sends back what cookie_give() said, up to its first semicolon.
static void check_given(const char *field, const char *slug)
{
    static const char token[] = "abc.def-_.123";
    struct buffer text = BUFFER_INIT, sent = BUFFER_INIT;
    const char *value;
    size_t bytes;
    cookie_give(&text, slug, token, 60);
    FUZZ_CHECK(!text.failed && text.data[strcspn(text.data, "\r\n")] == '\0');
    buffer_format(&sent, "%s; %.*s", field, (int)strcspn(text.data, ";"), text.data);
    FUZZ_CHECK(cookie_find(sent.data, slug, &value, &bytes) == 0);
    if (!expected_value(field, slug))
        FUZZ_CHECK(bytes == strlen(token) && memcmp(value, token, bytes) == 0);
    buffer_done(&text);
    buffer_done(&sent);
}

static void check_bearer(const char *field)
{
    const char *token;
    size_t bytes;
    int error = bearer_find(field, &token, &bytes);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID || error == ERROR_NOT_FOUND);
    if (error)
        return;
    FUZZ_CHECK(token >= field + 7 && bytes > 0 && token + bytes <= field + strlen(field));
    for (size_t i = 0; i < bytes; i++)
        FUZZ_CHECK(token[i] != ' ' && token[i] != '\t' && token[i] != ',');
    FUZZ_CHECK(token[bytes + strspn(token + bytes, " ")] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    char *slug = fuzz_line(&input), *field = fuzz_line(&input), *authorization = fuzz_line(&input);
    // Only slugs of events that are there come this far.
    if (slug_is_valid(slug, strlen(slug))) {
        check_found(field, slug);
        check_given(field, slug);
    }
    check_bearer(authorization);
    free(slug);
    free(field);
    free(authorization);
    return 0;
}
