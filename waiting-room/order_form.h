// SPDX-License-Identifier: Apache-2.0
// What a visitor asks for: the body of PUT /v1/events/SLUG/order, read, judged against what is on sale, and priced. Pure.
#ifndef WAITING_ROOM_ORDER_FORM_H
#define WAITING_ROOM_ORDER_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/customer.h"
#include "common/error.h"
#include "common/slug.h"
#include "waiting-room/snapshot.h"

#define ORDER_FORM_ALTERNATIVES_MAX 3
#define ORDER_FORM_EMAIL_BYTES_MAX 254 // RFC 5321, 4.5.3.1.3: a path of 256 with its angle brackets
#define ORDER_FORM_NAME_BYTES_MAX 200
#define ORDER_FORM_LANG_BYTES_MAX 35 // RFC 5646, 4.4.1
#define ORDER_FORM_PROBLEMS_MAX 16

struct order_form {
    char tier[SLUG_BYTES]; // the first choice
    uint32_t quantity;
    uint64_t amount; // by the prices of the snapshot; what will be charged
    char currency[4];
    char *tickets; // JSON object {CODE: n, …} of the first choice
    char *choices; // JSON array of all choices, the first one too, as orders.choices has it
    char *alternatives; // JSON array of the others; NULL: none
    char *seats; // JSON array of the seats that the first choice names, as the hall spells them; NULL: any
    uint32_t wheelchair, companion; // what is needed in each seated tier
    char *email, *name, *lang; // name, lang NULL: not given
    char *payment_method; // what it is to be paid with, in the provider's words; NULL: not given
    uint8_t customer[CUSTOMER_BYTES]; // who, by e-mail
};

struct order_form_problem {
    char field[160]; // "tickets.child", "alternatives.0.tier"
    char detail[160];
};

struct order_form_problems {
    size_t count;
    struct order_form_problem items[ORDER_FORM_PROBLEMS_MAX];
    char malformed[256]; // when it is no JSON object: why
};

// ERROR_INVALID: no JSON object (ret_problems->malformed). ERROR_CONFLICT: understood, but not to be had like this (ret_problems->items).
// ERROR_MEMORY. Otherwise *ret is to be freed with order_form_done().
int order_form_read(const char *body, size_t bytes, const struct snapshot *event, struct order_form *ret,
                    struct order_form_problems *ret_problems) MUST_USE;
void order_form_done(struct order_form *form); // accepts NULL and an empty one

#endif
