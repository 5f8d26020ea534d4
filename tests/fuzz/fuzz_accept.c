// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The Accept field: the stream is for who names it, and without weights and parameters a second, simpler reading agrees.
#include <stdbool.h>
#include <strings.h>

#include "tests/fuzz/fuzz.h"
#include "waiting-room/accept.h"

static bool names(const char *field, const char *type)
{
    for (; *field; field++)
        if (strncasecmp(field, type, strlen(type)) == 0)
            return true;
    return false;
}

// Without ";" the field is a list of words.
static enum accept expected(char *field)
{
    bool any = false, json = false, json_range = false, stream = false;
    char *rest = NULL;
    for (char *range = strtok_r(field, ",", &rest); range; range = strtok_r(NULL, ",", &rest)) {
        range += strspn(range, " \t");
        range[strcspn(range, " \t")] = '\0';
        any = any || *range;
        json = json || strcasecmp(range, "application/json") == 0;
        json_range = json_range || strcasecmp(range, "application/*") == 0 || strcmp(range, "*/*") == 0;
        stream = stream || strcasecmp(range, "text/event-stream") == 0;
    }
    if (!any || json)
        return ACCEPT_JSON;
    return stream ? ACCEPT_STREAM : json_range ? ACCEPT_JSON : ACCEPT_NEITHER;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *field = fuzz_text(data, bytes);
    enum accept accept = accept_choose(field);
    FUZZ_CHECK(accept == ACCEPT_JSON || accept == ACCEPT_STREAM || accept == ACCEPT_NEITHER);
    FUZZ_CHECK(accept != ACCEPT_STREAM || names(field, "text/event-stream"));
    FUZZ_CHECK(accept != ACCEPT_JSON || field[strspn(field, " \t,")] == '\0' || names(field, "application/") ||
               names(field, "*/*"));
    if (!strchr(field, ';'))
        FUZZ_CHECK(accept == expected(field));
    free(field);
    return 0;
}
