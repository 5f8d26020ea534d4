// SPDX-License-Identifier: Apache-2.0
// Foreign text on its way out: as a JSON string it is JSON whatever it was, as HTML it opens and closes nothing; mended
// it is UTF-8.
#include <jansson.h>
#include <stdbool.h>

#include "common/buffer.h"
#include "common/utf8.h"
#include "tests/fuzz/fuzz.h"

static bool is_utf8(const char *text)
{
    for (size_t left = strlen(text), taken; left > 0; left -= taken, text += taken)
        if ((taken = utf8_character_bytes(text, left)) == 0)
            return false;
    return true;
}

static void check_json(const char *text)
{
    struct buffer written = BUFFER_INIT;
    buffer_json_string(&written, text);
    FUZZ_CHECK(!written.failed);
    json_t *read = json_loadb(written.data, written.bytes, JSON_DECODE_ANY, NULL);
    FUZZ_CHECK(json_is_string(read));
    // jansson judges UTF-8 as well.
    json_t *direct = json_string(text);
    FUZZ_CHECK((direct != NULL) == is_utf8(text));
    if (direct)
        FUZZ_CHECK(strcmp(json_string_value(read), text) == 0);
    json_decref(direct);
    json_decref(read);
    buffer_done(&written);
}

// The text as a browser reads it.
static char *unescape(const char *html)
{
    static const struct {
        const char *name;
        char character;
    } names[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}, {"&#x27;", '\''}};
    char *text = malloc(strlen(html) + 1), *to = text;
    FUZZ_CHECK(text != NULL);
    while (*html) {
        size_t taken = 1;
        *to = *html;
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (strncmp(html, names[i].name, strlen(names[i].name)) == 0) {
                *to = names[i].character;
                taken = strlen(names[i].name);
                break;
            }
        FUZZ_CHECK(*html != '&' || taken > 1);
        html += taken;
        to++;
    }
    *to = '\0';
    return text;
}

static void check_html(const char *text)
{
    struct buffer written = BUFFER_INIT;
    buffer_html(&written, text);
    FUZZ_CHECK(!written.failed);
    const char *html = written.data ? written.data : "";
    FUZZ_CHECK(html[strcspn(html, "<>\"'")] == '\0');
    char *back = unescape(html);
    FUZZ_CHECK(strcmp(back, text) == 0);
    free(back);
    buffer_done(&written);
}

// What is left of any text is UTF-8, nothing well-formed is lost, and a cut leaves whole characters.
static void check_mended(const char *text)
{
    char *mended = fuzz_text((const uint8_t *)text, strlen(text));
    utf8_mend(mended);
    FUZZ_CHECK(is_utf8(mended) && (!is_utf8(text) || strcmp(mended, text) == 0));
    size_t half = strlen(mended) / 2, bytes = utf8_cut(mended, half);
    FUZZ_CHECK(bytes <= half && bytes + 3 >= half);
    mended[bytes] = '\0';
    FUZZ_CHECK(is_utf8(mended));
    free(mended);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    char *text = fuzz_text(data, bytes);
    check_json(text);
    check_html(text);
    check_mended(text);
    free(text);
    return 0;
}
