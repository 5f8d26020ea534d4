// SPDX-License-Identifier: Apache-2.0
// Tickets. The first byte chooses: '0' the rest is a ticket; '1' two lines are header and claims, signed with a right key (%k in the header is
// its kid), so that what stands behind the signature is reached; '2' a right ticket with a piece of it replaced.
#define _GNU_SOURCE // mkdtemp()
#include <dirent.h>
#include <unistd.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "common/base64url.h"
#include "common/ticket.h"
#include "tests/fuzz/fuzz.h"

#define NOW INT64_C(1800000000)

static struct ticket_keys *keys;

// A pair of the process's own: what is accepted does not depend on which.
static void make_keys(void)
{
    char folder[256], file[512];
    const char *parent = getenv("TMPDIR");
    struct ticket_key_made made;
    snprintf(folder, sizeof folder, "%.200s/onsale-fuzz-XXXXXX", parent && *parent ? parent : "/tmp");
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    FUZZ_CHECK(ticket_keys_rotate(folder, NOW, &made, NULL, 0) == 0);
    FUZZ_CHECK(ticket_keys_load(folder, &keys, NULL, 0) == 0);
    snprintf(file, sizeof file, "%s/" TICKET_KEYS_FOLDER "/%s.json", folder, made.kid);
    (void)unlink(file);
    snprintf(file, sizeof file, "%s/" TICKET_KEYS_FOLDER, folder);
    (void)rmdir(file);
    (void)rmdir(folder);
}

static const struct ticket usual = {.event = "spring-gala",
                                    .reference = "K7QM-4WDP",
                                    .place = 42,
                                    .tier = "stalls",
                                    .quantity = 2,
                                    .seats = "[\"A-12\",\"A-13\"]",
                                    .issued_at = NOW};

static bool equal(const struct ticket *a, const struct ticket *b)
{
    return strcmp(a->event, b->event) == 0 && strcmp(a->reference, b->reference) == 0 && a->place == b->place &&
           strcmp(a->tier, b->tier) == 0 && a->quantity == b->quantity && strcmp(a->seats, b->seats) == 0 &&
           a->issued_at == b->issued_at;
}

// Verifies; what is accepted comes back when it is signed anew.
static bool verify(const char *text, size_t bytes, struct ticket *ret)
{
    struct ticket ticket, second;
    const char *reason = NULL;
    char again[TICKET_BYTES_MAX];
    if (ticket_verify(text, bytes, keys, &ticket, &reason) != 0) {
        FUZZ_CHECK(reason != NULL && *reason);
        return false;
    }
    FUZZ_CHECK(bytes < TICKET_BYTES_MAX && ticket.place > 0 && ticket.quantity > 0 &&
               slug_is_valid(ticket.event, strlen(ticket.event)) && slug_is_valid(ticket.tier, strlen(ticket.tier)));
    if (ticket_sign(&ticket, &keys->keys[0], again) == 0)
        FUZZ_CHECK(ticket_verify(again, strlen(again), keys, &second, &reason) == 0 && equal(&ticket, &second));
    *ret = ticket;
    return true;
}

static size_t sign(char *text, size_t bytes)
{
    uint8_t der[128], raw[64];
    size_t der_bytes = sizeof der;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    FUZZ_CHECK(digest && EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, keys->keys[0].pair) == 1 &&
               EVP_DigestSign(digest, der, &der_bytes, (const uint8_t *)text, bytes) == 1);
    EVP_MD_CTX_free(digest);
    const uint8_t *rest = der;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &rest, (long)der_bytes);
    FUZZ_CHECK(signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32) == 32 &&
               BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32) == 32);
    ECDSA_SIG_free(signature);
    text[bytes++] = '.';
    return bytes + base64url_encode(raw, sizeof raw, text + bytes);
}

static void verify_signed(struct fuzz_input *input)
{
    char *header = fuzz_line(input), *claims = fuzz_line(input), *kid = strstr(header, "%k");
    char *whole = malloc(strlen(header) + KEY_KID_BYTES);
    FUZZ_CHECK(whole != NULL);
    snprintf(whole, strlen(header) + KEY_KID_BYTES, "%.*s%s%s", kid ? (int)(kid - header) : (int)strlen(header), header,
             kid ? keys->keys[0].kid : "", kid ? kid + 2 : "");
    char *text = malloc(BASE64URL_BYTES(strlen(whole)) + BASE64URL_BYTES(strlen(claims)) + BASE64URL_BYTES(64) + 3);
    FUZZ_CHECK(text != NULL);
    size_t bytes = base64url_encode(whole, strlen(whole), text);
    text[bytes++] = '.';
    bytes += base64url_encode(claims, strlen(claims), text + bytes);
    bytes = sign(text, bytes);
    struct ticket ticket;
    (void)verify(text, bytes, &ticket);
    free(text);
    free(whole);
    free(claims);
    free(header);
}

// Whatever is changed, it is refused, but for the signature, of which there may be another right one.
static void verify_changed(struct fuzz_input *input)
{
    char right[TICKET_BYTES_MAX], changed[2 * TICKET_BYTES_MAX];
    FUZZ_CHECK(ticket_sign(&usual, &keys->keys[0], right) == 0);
    size_t bytes = strlen(right);
    size_t from = (fuzz_byte(input) << 8 | fuzz_byte(input)) % (bytes + 1);
    size_t removed = fuzz_byte(input) % (bytes - from + 1);
    size_t added = input->bytes < TICKET_BYTES_MAX ? input->bytes : TICKET_BYTES_MAX;
    memcpy(changed, right, from);
    if (added)
        memcpy(changed + from, input->data, added);
    memcpy(changed + from + added, right + from + removed, bytes - from - removed);
    struct ticket ticket;
    if (verify(changed, bytes - removed + added, &ticket))
        FUZZ_CHECK(equal(&ticket, &usual));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    struct ticket ticket;
    if (!keys)
        make_keys();
    if (bytes == 0)
        return 0;
    switch (fuzz_byte(&input)) {
    case '1':
        verify_signed(&input);
        break;
    case '2':
        verify_changed(&input);
        break;
    default:
        (void)verify((const char *)input.data, input.bytes, &ticket);
        break;
    }
    return 0;
}
