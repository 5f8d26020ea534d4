// SPDX-License-Identifier: Apache-2.0
// Tickets, written and verified by hand over OpenSSL's ECDSA and jansson, as the queue tokens are and for the same reason
// (docs/decisions.md). Members stand in the order of their names.
#include "common/ticket.h"

#include <inttypes.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

#include "common/base64url.h"
#include "common/buffer.h"
#include "common/json.h"
#include "common/token.h"

#define ALGORITHM "ES256"
#define SIGNATURE_BYTES 64 // two numbers of 32 bytes (RFC 7518, 3.4)
#define NUMBER_MAX ((INT64_C(1) << 53) - 1)
#define QUANTITY_MAX 1000000

void ticket_set_seats(struct ticket *ticket, const char *seats)
{
    ticket->seats[0] = '\0';
    if (seats && strlen(seats) < sizeof(ticket->seats))
        memcpy(ticket->seats, seats, strlen(seats) + 1);
}

static void free_digest(EVP_MD_CTX **digest)
{
    EVP_MD_CTX_free(*digest);
}

static void free_signature(ECDSA_SIG **signature)
{
    ECDSA_SIG_free(*signature);
}

// ---------------------------------------------------------------- signing

// OpenSSL writes a signature as DER, JSON Web Signatures are the two numbers alone.
static int sign(const struct ticket_key *key, const char *text, size_t bytes, uint8_t ret[static SIGNATURE_BYTES])
{
    uint8_t der[128];
    size_t der_bytes = sizeof(der);
    EVP_MD_CTX *digest CLEANUP(free_digest) = EVP_MD_CTX_new();
    if (!digest || EVP_DigestSignInit(digest, NULL, EVP_sha256(), NULL, key->pair) != 1 ||
        EVP_DigestSign(digest, der, &der_bytes, (const uint8_t *)text, bytes) != 1)
        return ERROR_MEMORY;
    const uint8_t *rest = der;
    ECDSA_SIG *signature CLEANUP(free_signature) = d2i_ECDSA_SIG(NULL, &rest, (long)der_bytes);
    if (!signature || BN_bn2binpad(ECDSA_SIG_get0_r(signature), ret, SIGNATURE_BYTES / 2) < 0 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(signature), ret + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2) < 0)
        return ERROR_MEMORY;
    return 0;
}

static void write_claims(const struct ticket *ticket, struct buffer *text)
{
    buffer_format(text,
                  "{\"aud\":\"%s\",\"iat\":%" PRId64 ",\"iss\":\"" TOKEN_ISSUER "\",\"place\":%" PRIu64
                  ",\"quantity\":%" PRIu32,
                  ticket->event, ticket->issued_at, ticket->place, ticket->quantity);
    if (ticket->seats[0]) {
        buffer_text(text, ",\"seats\":");
        buffer_text(text, ticket->seats);
    }
    buffer_format(text, ",\"sub\":\"%s\",\"tier\":\"%s\"}", ticket->reference, ticket->tier);
}

static bool is_reference(const char *text)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // Crockford's, as references are made of
    return strlen(text) == 9 && strspn(text, digits) == 4 && text[4] == '-' && strspn(text + 5, digits) == 4;
}

static bool is_slug(const char *text)
{
    return slug_is_valid(text, strnlen(text, SLUG_BYTES));
}

static bool are_seats(const char *text)
{
    json_t *seats CLEANUP(json_cleanup) = *text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : json_array();
    for (size_t i = 0; i < json_array_size(seats); i++)
        if (!json_is_string(json_array_get(seats, i)))
            return false;
    return json_is_array(seats);
}

static bool is_ticket(const struct ticket *ticket)
{
    return is_slug(ticket->event) && is_reference(ticket->reference) && is_slug(ticket->tier) && ticket->place > 0 &&
           ticket->place <= NUMBER_MAX && ticket->quantity > 0 && ticket->quantity <= QUANTITY_MAX &&
           ticket->issued_at >= 0 && ticket->issued_at <= KEY_TIME_MAX && are_seats(ticket->seats);
}

int ticket_sign(const struct ticket *ticket, const struct ticket_key *key, char ret[static TICKET_BYTES_MAX])
{
    struct buffer header CLEANUP(buffer_done) = BUFFER_INIT, claims CLEANUP(buffer_done) = BUFFER_INIT;
    if (!is_ticket(ticket))
        return ERROR_INVALID;
    buffer_format(&header, "{\"alg\":\"" ALGORITHM "\",\"kid\":\"%s\",\"typ\":\"" TICKET_TYP "\"}", key->kid);
    write_claims(ticket, &claims);
    if (header.failed || claims.failed)
        return ERROR_MEMORY;
    if (BASE64URL_BYTES(header.bytes) + BASE64URL_BYTES(claims.bytes) + BASE64URL_BYTES(SIGNATURE_BYTES) >=
        TICKET_BYTES_MAX)
        return ERROR_LIMIT;
    size_t bytes = base64url_encode(header.data, header.bytes, ret);
    ret[bytes++] = '.';
    bytes += base64url_encode(claims.data, claims.bytes, ret + bytes);
    uint8_t signature[SIGNATURE_BYTES];
    int error = sign(key, ret, bytes, signature);
    if (error < 0)
        return error;
    ret[bytes++] = '.';
    base64url_encode(signature, sizeof(signature), ret + bytes);
    return 0;
}

// ---------------------------------------------------------------- verifying

struct part {
    const char *text;
    size_t bytes;
};

// A ticket's three parts, as they stand in its text.
static int split(const char *text, size_t bytes, struct part ret[static 3])
{
    const char *end = text + bytes;
    for (size_t i = 0; i < 3; i++) {
        const char *dot = i < 2 ? memchr(text, '.', (size_t)(end - text)) : end;
        if (!dot)
            return ERROR_INVALID;
        ret[i] = (struct part){text, (size_t)(dot - text)};
        text = i < 2 ? dot + 1 : end;
    }
    return memchr(ret[2].text, '.', ret[2].bytes) ? ERROR_INVALID : 0;
}

static int decode_object(const struct part *part, json_t **ret)
{
    uint8_t decoded[TICKET_BYTES_MAX];
    size_t bytes = 0;
    if (base64url_decode(part->text, part->bytes, decoded, sizeof(decoded), &bytes))
        return ERROR_INVALID;
    return json_read_object((const char *)decoded, bytes, sizeof(decoded), NULL, 0, ret);
}

static const char *check_header(const struct part *part, const struct ticket_keys *keys,
                                const struct ticket_key **ret_key)
{
    json_t *header CLEANUP(json_cleanup) = NULL;
    const char *algorithm, *typ, *kid;
    if (decode_object(part, &header))
        return "header";
    if (json_read_string(header, "alg", 16, &algorithm) || strcmp(algorithm, ALGORITHM) != 0)
        return "algorithm";
    if (json_read_string(header, "typ", 32, &typ) || strcmp(typ, TICKET_TYP) != 0)
        return "type";
    if (json_object_get(header, "crit")) // extensions that must be understood (RFC 7515, 4.1.11); we have none
        return "header";
    if (json_read_string(header, "kid", KEY_KID_BYTES, &kid))
        return "key";
    *ret_key = ticket_keys_find(keys, kid);
    return *ret_key ? NULL : "key";
}

static bool is_signed(const char *text, size_t bytes, const struct part *part, const struct ticket_key *key)
{
    uint8_t given[SIGNATURE_BYTES], *der = NULL;
    size_t given_bytes = 0;
    if (base64url_decode(part->text, part->bytes, given, sizeof(given), &given_bytes) || given_bytes != sizeof(given))
        return false;
    BIGNUM *r = BN_bin2bn(given, SIGNATURE_BYTES / 2, NULL);
    BIGNUM *s = BN_bin2bn(given + SIGNATURE_BYTES / 2, SIGNATURE_BYTES / 2, NULL);
    ECDSA_SIG *signature CLEANUP(free_signature) = ECDSA_SIG_new();
    if (!r || !s || !signature || ECDSA_SIG_set0(signature, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return false;
    }
    int der_bytes = i2d_ECDSA_SIG(signature, &der);
    EVP_MD_CTX *digest CLEANUP(free_digest) = EVP_MD_CTX_new();
    bool is_right = der_bytes > 0 && digest && EVP_DigestVerifyInit(digest, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
                    EVP_DigestVerify(digest, der, (size_t)der_bytes, (const uint8_t *)text, bytes) == 1;
    OPENSSL_free(der);
    return is_right;
}

static int read_slug(const json_t *claims, const char *name, char ret[static SLUG_BYTES])
{
    const char *text;
    if (json_read_string(claims, name, SLUG_BYTES, &text) || !is_slug(text))
        return ERROR_INVALID;
    memcpy(ret, text, strlen(text) + 1);
    return 0;
}

static int read_seats(const json_t *claims, struct ticket *ret)
{
    const json_t *seats = json_object_get(claims, "seats");
    if (!seats)
        return 0;
    if (json_dumpb(seats, NULL, 0, JSON_COMPACT) >= sizeof(ret->seats))
        return ERROR_INVALID;
    ret->seats[json_dumpb(seats, ret->seats, sizeof(ret->seats), JSON_COMPACT)] = '\0';
    return are_seats(ret->seats) ? 0 : ERROR_INVALID;
}

static const char *read_claims(const struct part *part, struct ticket *ret)
{
    json_t *claims CLEANUP(json_cleanup) = NULL;
    const char *text;
    int64_t place, quantity;
    if (decode_object(part, &claims))
        return "claims";
    if (json_read_string(claims, "iss", 32, &text) || strcmp(text, TOKEN_ISSUER) != 0)
        return "issuer";
    if (read_slug(claims, "aud", ret->event))
        return "audience";
    if (json_read_string(claims, "sub", sizeof(ret->reference), &text) || !is_reference(text))
        return "reference";
    memcpy(ret->reference, text, strlen(text) + 1);
    if (json_read_integer(claims, "place", 1, NUMBER_MAX, &place))
        return "place";
    if (read_slug(claims, "tier", ret->tier))
        return "tier";
    if (json_read_integer(claims, "quantity", 1, QUANTITY_MAX, &quantity))
        return "quantity";
    if (read_seats(claims, ret))
        return "seats";
    ret->place = (uint64_t)place;
    ret->quantity = (uint32_t)quantity;
    return json_read_integer(claims, "iat", 0, KEY_TIME_MAX, &ret->issued_at) ? "time" : NULL;
}

int ticket_verify(const char *text, size_t bytes, const struct ticket_keys *keys, struct ticket *ret,
                  const char **ret_reason)
{
    struct part parts[3];
    struct ticket ticket = {0};
    const struct ticket_key *key = NULL;
    const char *reason = NULL;
    if (bytes >= TICKET_BYTES_MAX)
        reason = "length";
    else if (split(text, bytes, parts))
        reason = "form";
    if (!reason)
        reason = check_header(&parts[0], keys, &key);
    if (!reason && !is_signed(text, parts[0].bytes + 1 + parts[1].bytes, &parts[2], key))
        reason = "signature";
    if (!reason)
        reason = read_claims(&parts[1], &ticket);
    if (reason) {
        *ret_reason = reason;
        return ERROR_INVALID;
    }
    *ret = ticket;
    return 0;
}
