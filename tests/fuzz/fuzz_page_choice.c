// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// A form as anybody may send it: what is read of it is UTF-8, what was chosen in it is one JSON object with each name once, and what
// of it goes into an address is plain there and reads back as the same choice.
#include "common/json.h"
#include "tests/fuzz/fuzz.h"
#include "waiting-room/page_choice.h"

static struct snapshot_price prices[] = {{.code = "full"}, {.code = "child"}};
static struct snapshot_tier tiers[] = {{.code = "floor", .price_count = 1, .prices = prices},
                                       {.code = "stalls", .price_count = 2, .prices = prices}};
static const struct snapshot event = {.slug = "gala", .tier_count = 2, .tiers = tiers};

static void check_query(const struct form *form)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.=&%";
    struct buffer query = BUFFER_INIT, again = BUFFER_INIT;
    struct form read;
    page_choice_query(form, &query);
    if (query.bytes > 0) {
        FUZZ_CHECK(strspn(query.data, allowed) == query.bytes && query.data[0] == '&');
        FUZZ_CHECK(form_read(query.data, query.bytes, &read) == 0);
        page_choice_query(&read, &again);
        FUZZ_CHECK(strcmp(again.data, query.data) == 0);
        form_done(&read);
    }
    buffer_done(&query);
    buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct form form;
    char *body = fuzz_text(data, bytes);
    int error = form_read(body, strlen(body), &form);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID || error == ERROR_LIMIT);
    free(body);
    if (error < 0)
        return 0;
    struct buffer json = BUFFER_INIT;
    json_t *object = NULL;
    page_choice_json(&form, &event, &json);
    FUZZ_CHECK(!json.failed);
    FUZZ_CHECK(json_read_object(json.data, json.bytes, 1 << 20, NULL, 0, &object) == 0);
    json_decref(object);
    buffer_done(&json);
    check_query(&form);
    form_done(&form);
    return 0;
}
