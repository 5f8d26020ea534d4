// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The page with hostile texts in every field: it has the same markup as with harmless texts of the same length, and the
// embedded documents stay JSON inside their elements. First byte: state and line; then a line for each field. With a first
// byte of 't' the rest is the template itself.
#include <stdbool.h>

#include "tests/fuzz/fuzz.h"
#include "waiting-room/page_files.h"
#include "waiting-room/page_render.h"

#define TEXTS 11

static char *texts[TEXTS];

static void render(unsigned choice, char *const fields[static TEXTS], struct buffer *html)
{
    static const char *const states[] = {"draft", "lobby", "open", "paused", "stopped", "sold_out", "closed", "?"};
    static struct page_files *files;
    char problem[128];
    if (!files)
        FUZZ_CHECK(page_files_load("", &files, problem, sizeof problem) == 0);
    struct page_price prices[] = {{fields[6], fields[7], fields[5], 1}, {fields[7], fields[6], fields[0], 0}};
    struct page_tier tier = {.code = fields[5],
                             .name = fields[4],
                             .kind = choice & 4 ? "seated" : "standing",
                             .seats = fields[9],
                             .prices = prices,
                             .price_count = 1 + (choice >> 5 & 1),
                             .capacity = 10,
                             .left = choice & 1,
                             .asked = choice & 2};
    const char *const alternatives[] = {fields[4], fields[8]};
    struct page_order order = {.state = (enum order_state)(choice * 5 % ORDER_STATE_COUNT),
                               .reason = (enum order_reason)(choice * 3 % ORDER_REASON_COUNT),
                               .tickets_text = fields[4],
                               .amount_text = fields[7],
                               .email = fields[2],
                               .reference = fields[3],
                               .refund = fields[0],
                               .seats_text = fields[9],
                               .gone_text = fields[10],
                               .needs_text = fields[8],
                               .pay_until_text = fields[1],
                               .may_have_more_time = choice & 8,
                               .alternatives = alternatives,
                               .alternative_count = choice & 3 ? 2 : 0};
    struct page_view view = {
        .lang = fields[0],
        .slug = fields[1],
        .name = fields[2],
        .venue = fields[3],
        .state = states[choice & 7],
        .starts_text = fields[8],
        .opens_text = fields[8],
        .until_text = fields[8],
        .notice = fields[9],
        .problem_text = fields[9],
        .tiers = &tier,
        .tier_count = choice >> 6 & 1,
        .line = (enum page_line)(choice >> 3 & 3),
        .place = choice,
        .ahead = choice,
        .order = choice % 3 ? &order : NULL,
        .choosing = choice & 4,
        .max_per_order = choice,
        .field = choice & 2 ? "email" : "tickets",
        .field_text = fields[9],
        .form_email = fields[2],
        .form_name = fields[1],
        .order_json = fields[10],
        .document_json = fields[10],
        .line_json = fields[10],
    };
    page_render(files->files[PAGE_HTML].data, files->files[PAGE_HTML].bytes, &view, html);
    FUZZ_CHECK(!html->failed && html->bytes > 0);
}

static size_t count(const char *text, char c)
{
    size_t found = 0;
    for (; (text = strchr(text, c)); text++)
        found++;
    return found;
}

// Whatever the fields hold, the tags are the same, one after the other.
static void check_tags(const char *hostile, const char *harmless)
{
    static const char marks[] = "<>\"'";
    for (size_t i = 0; i < sizeof marks - 1; i++)
        FUZZ_CHECK(count(hostile, marks[i]) == count(harmless, marks[i]));
    for (;;) {
        hostile = strchr(hostile, '<');
        harmless = strchr(harmless, '<');
        if (!hostile || !harmless)
            break;
        size_t name = strcspn(harmless, " >");
        FUZZ_CHECK(strncmp(hostile, harmless, name + 1) == 0);
        hostile++;
        harmless++;
    }
    FUZZ_CHECK(!hostile && !harmless);
}

static void check_fields(struct fuzz_input *input)
{
    unsigned choice = fuzz_byte(input);
    char *harmless[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = i + 1 < TEXTS ? fuzz_line(input) : fuzz_rest(input);
        harmless[i] = fuzz_text((const uint8_t *)texts[i], strlen(texts[i]));
        // A document may hold everything but "<"; other texts nothing that HTML knows.
        for (char *at = harmless[i]; *at; at++)
            if (i + 1 < TEXTS || *at == '<')
                *at = 'x';
    }
    struct buffer html = BUFFER_INIT, plain = BUFFER_INIT;
    render(choice, texts, &html);
    render(choice, harmless, &plain);
    check_tags(html.data, plain.data);
    buffer_done(&html);
    buffer_done(&plain);
    for (size_t i = 0; i < TEXTS; i++) {
        free(texts[i]);
        free(harmless[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    if (bytes == 0)
        return 0;
    if (data[0] != 't') {
        check_fields(&input);
        return 0;
    }
    struct buffer html = BUFFER_INIT;
    struct page_view view = {.slug = "gala", .name = "{{name}}", .state = "open"};
    page_render((const char *)data + 1, bytes - 1, &view, &html);
    FUZZ_CHECK(!html.failed);
    if (bytes > 1 && !memchr(data + 1, '{', bytes - 1))
        FUZZ_CHECK(html.bytes == bytes - 1 && memcmp(html.data, data + 1, bytes - 1) == 0);
    buffer_done(&html);
    return 0;
}
