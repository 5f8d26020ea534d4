// SPDX-License-Identifier: Apache-2.0
// Tickets: what a visitor shows at the door. A JSON Web Token (RFC 7519), ES256 with a `kid`, typed "onsale-ticket+jwt", so that a scanner
// needs nothing but the public keys. It says what was booked when it was signed; whether that still stands, MySQL knows. Pure: keys and time come
// from the caller.
#ifndef COMMON_TICKET_H
#define COMMON_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/outcome.h"
#include "common/slug.h"
#include "common/ticket_keys.h"

#define TICKET_TYP "onsale-ticket+jwt"
#define TICKET_BYTES_MAX 1024 // with the NUL; anything longer is no ticket of ours
// Of the seats' JSON array, with NUL. Longer ones are left out, as a code that is too fine cannot be read from a screen; the reference finds them.
#define TICKET_SEATS_BYTES 257

struct ticket {
    char event[SLUG_BYTES]; // aud
    char reference[OUTCOME_REFERENCE_BYTES]; // sub
    uint64_t place;
    char tier[SLUG_BYTES];
    uint32_t quantity;
    char seats[TICKET_SEATS_BYTES]; // JSON array of names; "": none, or too many to be said
    int64_t issued_at; // iat: seconds since 1970
};

// Takes seats over as far as they fit. NULL: none.
void ticket_set_seats(struct ticket *ticket, const char *seats);

// ERROR_INVALID for a ticket that ticket_verify() would refuse; ERROR_MEMORY stands for whatever OpenSSL could not do.
int ticket_sign(const struct ticket *ticket, const struct ticket_key *key, char ret[static TICKET_BYTES_MAX]) MUST_USE;

// Verifies: the key is chosen by `kid`, the algorithm must be ES256 (so `none` and HS256 with a public key fail), then signature, typ, iss and the
// claims' shapes. The audience and the time are left to the caller. ERROR_INVALID with a constant reason in *ret_reason: length, form, header,
// algorithm, type, key, signature, claims, issuer, audience, reference, place, tier, quantity, seats, time.
int ticket_verify(const char *text, size_t bytes, const struct ticket_keys *keys, struct ticket *ret,
                  const char **ret_reason) MUST_USE;

#endif
