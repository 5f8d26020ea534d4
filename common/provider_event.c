// SPDX-License-Identifier: Apache-2.0
// See provider_event.h. https://docs.stripe.com/webhooks, "Verify webhook signatures manually"; https://docs.stripe.com/api/events/object.
#include "common/provider_event.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/provider_stripe_object.h"
#include "common/secret_file.h"

#define SIGNATURE_BYTES 32 // of SHA-256
#define SIGNATURES_MAX 16 // in one header
#define TIME_DIGITS_MAX 12

static PRINTF_LIKE(3, 4) int refuse(char *problem, size_t problem_bytes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(problem, problem_bytes, format, arguments);
    va_end(arguments);
    return ERROR_INVALID;
}

// ---------------------------------------------------------------- secrets

static int add_secret(struct provider_event_secrets *secrets, const char *path, const char *line, size_t bytes,
                      char *problem, size_t problem_bytes)
{
    while (bytes > 0 && strchr(" \t\r", line[bytes - 1]))
        bytes--;
    while (bytes > 0 && strchr(" \t", *line)) {
        line++;
        bytes--;
    }
    if (bytes == 0)
        return 0;
    if (secrets->count == PROVIDER_EVENT_SECRETS_MAX)
        return refuse(problem, problem_bytes, "%s: more than %d secrets", path, PROVIDER_EVENT_SECRETS_MAX);
    if (bytes >= PROVIDER_EVENT_SECRET_BYTES)
        return refuse(problem, problem_bytes, "%s: a secret of more than %d bytes", path,
                      PROVIDER_EVENT_SECRET_BYTES - 1);
    memcpy(secrets->items[secrets->count], line, bytes);
    secrets->items[secrets->count++][bytes] = '\0';
    return 0;
}

int provider_event_read_secrets(const char *path, struct provider_event_secrets *ret, char *problem,
                                size_t problem_bytes)
{
    char text[2 * PROVIDER_EVENT_SECRETS_MAX * PROVIDER_EVENT_SECRET_BYTES];
    struct provider_event_secrets secrets = {0};
    size_t bytes;
    if (!*path)
        return ERROR_NOT_FOUND;
    int error = secret_file_read(path, text, sizeof(text), &bytes, problem, problem_bytes);
    for (const char *line = text; !error && *line;) {
        size_t line_bytes = strcspn(line, "\n");
        error = add_secret(&secrets, path, line, line_bytes, problem, problem_bytes);
        line += line_bytes + (line[line_bytes] == '\n');
    }
    if (!error && secrets.count == 0)
        error = refuse(problem, problem_bytes, "%s: no secret in it", path);
    if (!error)
        *ret = secrets;
    OPENSSL_cleanse(text, sizeof(text));
    OPENSSL_cleanse(&secrets, sizeof(secrets));
    return error;
}

// ---------------------------------------------------------------- signatures

struct signature_header {
    const char *time; // its digits, as they were signed
    size_t time_digits;
    int64_t at;
    size_t count;
    uint8_t signatures[SIGNATURES_MAX][SIGNATURE_BYTES];
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_signature(const char *text, size_t bytes, struct signature_header *ret)
{
    uint8_t signature[SIGNATURE_BYTES];
    if (bytes != sizeof(signature) * 2 || ret->count == SIGNATURES_MAX)
        return;
    for (size_t i = 0; i < sizeof(signature); i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return;
        signature[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret->signatures[ret->count++], signature, sizeof(signature));
}

static int read_time(const char *text, size_t bytes, struct signature_header *ret)
{
    if (ret->time || bytes == 0 || bytes > TIME_DIGITS_MAX)
        return ERROR_INVALID;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERROR_INVALID;
        ret->at = ret->at * 10 + (text[i] - '0');
    }
    ret->time = text;
    ret->time_digits = bytes;
    return 0;
}

// "t=1492774577,v1=5257…,v1=…,v0=…": the time once, signatures of the scheme v1, and others that are passed over.
static int read_signature_header(const char *header, struct signature_header *ret)
{
    for (const char *at = header; *at;) {
        at += strspn(at, ", ");
        size_t bytes = strcspn(at, ", ");
        if (bytes >= 2 && strncmp(at, "t=", 2) == 0) {
            if (read_time(at + 2, bytes - 2, ret))
                return ERROR_INVALID;
        } else if (bytes >= 3 && strncmp(at, "v1=", 3) == 0) {
            read_signature(at + 3, bytes - 3, ret);
        }
        at += bytes;
    }
    return ret->time && ret->count > 0 ? 0 : ERROR_INVALID;
}

static bool sign(const char *secret, const struct signature_header *header, const void *body, size_t body_bytes,
                 uint8_t ret[static SIGNATURE_BYTES])
{
    bool done = false;
    size_t bytes = 0;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, (const unsigned char *)secret, strlen(secret));
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    if (key && state && EVP_DigestSignInit(state, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSignUpdate(state, header->time, header->time_digits) == 1 &&
        EVP_DigestSignUpdate(state, ".", 1) == 1 && EVP_DigestSignUpdate(state, body, body_bytes) == 1) {
        bytes = SIGNATURE_BYTES;
        done = EVP_DigestSignFinal(state, ret, &bytes) == 1 && bytes == SIGNATURE_BYTES;
    }
    EVP_MD_CTX_free(state);
    EVP_PKEY_free(key);
    return done;
}

int provider_event_verify(const struct provider_event_secrets *secrets, const char *header, const void *body,
                          size_t body_bytes, int64_t now)
{
    struct signature_header read = {0};
    if (!header || read_signature_header(header, &read))
        return ERROR_INVALID;
    unsigned matches = 0;
    for (size_t i = 0; i < secrets->count; i++) {
        uint8_t expected[SIGNATURE_BYTES];
        if (!sign(secrets->items[i], &read, body, body_bytes, expected))
            return ERROR_MEMORY;
        // All are compared, whichever fits, so that nobody learns from the time how near a guess was.
        for (size_t j = 0; j < read.count; j++)
            matches += CRYPTO_memcmp(expected, read.signatures[j], sizeof(expected)) == 0;
        OPENSSL_cleanse(expected, sizeof(expected));
    }
    if (matches == 0)
        return ERROR_INVALID;
    int64_t age = now - read.at;
    return age > PROVIDER_EVENT_TOLERANCE_SECONDS || age < -PROVIDER_EVENT_TOLERANCE_SECONDS ? ERROR_LIMIT : 0;
}

// ---------------------------------------------------------------- events

static bool is_type(const char *text)
{
    return *text && !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.")];
}

static bool begins_with(const char *text, const char *begin)
{
    return strncmp(text, begin, strlen(begin)) == 0;
}

// What is asked about on account of this event. A payment may be without an intent (null): then it is none of ours.
static int read_object(const char *type, const json_t *object, char ret[static PROVIDER_ID_BYTES])
{
    int error = ERROR_NOT_FOUND;
    if (begins_with(type, "payment_intent."))
        error =
            stripe_is_object(object, "payment_intent") && stripe_read_id(object, "id", ret) == 0 ? 0 : ERROR_INVALID;
    else if (begins_with(type, "checkout.session."))
        error =
            stripe_is_object(object, "checkout.session") && stripe_read_id(object, "id", ret) == 0 ? 0 : ERROR_INVALID;
    else if (begins_with(type, "charge.") || begins_with(type, "refund."))
        error = stripe_read_id_of(object, "payment_intent", ret);
    return error == ERROR_NOT_FOUND ? 0 : error;
}

int provider_event_read(const char *body, size_t body_bytes, struct provider_event *ret)
{
    struct provider_event event = {0};
    const char *type;
    json_t *json CLEANUP(json_cleanup) = NULL;
    if (json_read_object(body, body_bytes, PROVIDER_EVENT_BYTES_MAX, NULL, 0, &json))
        return ERROR_INVALID;
    if (!stripe_is_object(json, "event") || stripe_read_id(json, "id", event.id) ||
        json_read_string(json, "type", sizeof(event.type) - 1, &type) || !is_type(type))
        return ERROR_INVALID;
    memcpy(event.type, type, strlen(type) + 1);
    const json_t *object = json_object_get(json_object_get(json, "data"), "object");
    if (!json_is_object(object) || read_object(type, object, event.object))
        return ERROR_INVALID;
    *ret = event;
    return 0;
}
