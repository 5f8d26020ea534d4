// SPDX-License-Identifier: Apache-2.0
// Decodes in place in one copy of the body: what is decoded is never longer than what was sent.
#include "waiting-room/form.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// False: it holds a NUL or is no UTF-8.
static bool decode(char *text)
{
    char *to = text;
    for (const char *at = text; *at; at++) {
        char c = *at == '+' ? ' ' : *at;
        int high = c == '%' ? hex(at[1]) : -1, low = high >= 0 ? hex(at[2]) : -1;
        if (low >= 0) {
            c = (char)(high << 4 | low);
            at += 2;
        }
        if (c == '\0')
            return false;
        *to++ = c;
    }
    *to = '\0';
    for (size_t bytes; text < to; text += bytes) {
        bytes = utf8_character_bytes(text, (size_t)(to - text));
        if (bytes == 0)
            return false;
    }
    return true;
}

static int split(struct form *form)
{
    char *rest = form->text;
    while (rest) {
        char *pair = strsep(&rest, "&");
        char *value = strchr(pair, '=');
        if (!*pair)
            continue;
        if (form->count == FORM_FIELDS_MAX)
            return ERROR_LIMIT;
        if (value)
            *value++ = '\0';
        else
            value = pair + strlen(pair);
        if (!decode(pair) || !decode(value))
            return ERROR_INVALID;
        form->fields[form->count++] = (struct form_field){pair, value};
    }
    return 0;
}

int form_read(const char *body, size_t bytes, struct form *ret)
{
    if (bytes > FORM_BYTES_MAX)
        return ERROR_LIMIT;
    if (memchr(body, '\0', bytes))
        return ERROR_INVALID;
    struct form form = {.text = strndup(body, bytes), .fields = calloc(FORM_FIELDS_MAX, sizeof *form.fields)};
    int error = form.text && form.fields ? split(&form) : ERROR_MEMORY;
    if (error < 0) {
        form_done(&form);
        return error;
    }
    *ret = form;
    return 0;
}

void form_done(struct form *form)
{
    if (!form)
        return;
    free(form->text);
    free(form->fields);
    *form = (struct form){0};
}

const char *form_value(const struct form *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->fields[i].name, name) == 0)
            return form->fields[i].value;
    return NULL;
}
