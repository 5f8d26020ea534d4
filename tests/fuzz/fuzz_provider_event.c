// SPDX-License-Identifier: Apache-2.0
// The provider's webhooks: the first line is the signature header, the rest the body. Whatever is believed was signed with the secret, and what an event
// is about can be asked about.
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/buffer.h"
#include "common/provider_event.h"
#include "common/provider_stripe_answer.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1795470000)

static const struct provider_event_secrets secrets = {.count = 1, .items = {"whsec_fuzz"}};

// The digits after the "t=" that begins an element of the header, signed in the plain way, stand somewhere in it.
static bool is_really_signed(const char *header, const char *body)
{
    const char *at = header;
    while (at && strncmp(at, "t=", 2) != 0)
        at = (at = strpbrk(at, ", ")) ? at + 1 : NULL;
    if (!at)
        return false;
    struct buffer text = BUFFER_INIT;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    char hex[65] = "";
    buffer_append(&text, at + 2, strspn(at + 2, "0123456789"));
    buffer_text(&text, ".");
    buffer_text(&text, body);
    FUZZ_CHECK(HMAC(EVP_sha256(), secrets.items[0], (int)strlen(secrets.items[0]), (const unsigned char *)text.data,
                    text.bytes, digest, &bytes) &&
               bytes == 32);
    for (unsigned i = 0; i < bytes; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    buffer_done(&text);
    return strstr(header, hex) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    char *header = fuzz_line(&input), *body = fuzz_rest(&input);
    int error = provider_event_verify(&secrets, header, body, strlen(body), NOW);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID || error == ERROR_LIMIT);
    if (error != ERROR_INVALID)
        FUZZ_CHECK(is_really_signed(header, body));
    struct provider_event event;
    error = provider_event_read(body, strlen(body), &event);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID);
    if (!error) {
        FUZZ_CHECK(memchr(event.id, '\0', sizeof(event.id)) && *event.id && provider_stripe_is_id(event.id));
        FUZZ_CHECK(memchr(event.type, '\0', sizeof(event.type)) && *event.type);
        FUZZ_CHECK(memchr(event.object, '\0', sizeof(event.object)) && provider_stripe_is_id(event.object));
    }
    free(header);
    free(body);
    return 0;
}
