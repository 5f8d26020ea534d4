// SPDX-License-Identifier: Apache-2.0
// What a browser sends of a form without JavaScript, and the query of an address: application/x-www-form-urlencoded (URL
// Standard, 5.1), bounded. Pure.
#ifndef WAITING_ROOM_FORM_H
#define WAITING_ROOM_FORM_H

#include <stddef.h>

#include "common/error.h"

#define FORM_FIELDS_MAX 512
#define FORM_BYTES_MAX 16384

struct form_field {
    const char *name, *value; // decoded UTF-8 without NUL; they live as long as the form
};

struct form {
    struct form_field *fields; // in the order of the form
    size_t count;
    char *text; // where they point to
};

// ERROR_LIMIT: longer or more fields than the above; ERROR_INVALID: something in it is no UTF-8 or holds a NUL; ERROR_MEMORY. A "%" that
// begins no escape stands for itself, as the standard says.
int form_read(const char *body, size_t bytes, struct form *ret) MUST_USE;
void form_done(struct form *form); // accepts NULL and an empty one

// The value of the first field of that name; NULL: there is none.
const char *form_value(const struct form *form, const char *name);

#endif
