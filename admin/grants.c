// SPDX-License-Identifier: Apache-2.0
// Reading sql/grants.sql. Only plain words are let through: what is read here becomes part of a statement, where names
// cannot be parameters.
#include "admin/grants.h"

#include <string.h>
#include <strings.h>

__asm__(".section .rodata\n"
        ".globl grants_text\n.hidden grants_text\n"
        ".globl grants_text_end\n.hidden grants_text_end\n"
        "grants_text:\n.incbin \"sql/grants.sql\"\n"
        "grants_text_end:\n.byte 0\n"
        ".previous\n");

struct reader {
    const char *at, *end; // of the line
};

static void skip_blanks(struct reader *reader)
{
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
        reader->at++;
}

static bool is_word(char c, bool dash)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (dash && c == '-');
}

static bool read_word(struct reader *reader, bool dash, char ret[static GRANT_NAME_BYTES])
{
    skip_blanks(reader);
    size_t bytes = 0;
    while (reader->at + bytes < reader->end && is_word(reader->at[bytes], dash))
        bytes++;
    if (bytes == 0 || bytes >= GRANT_NAME_BYTES)
        return false;
    memcpy(ret, reader->at, bytes);
    ret[bytes] = '\0';
    reader->at += bytes;
    return true;
}

static bool take(struct reader *reader, char c)
{
    skip_blanks(reader);
    if (reader->at == reader->end || *reader->at != c)
        return false;
    reader->at++;
    return true;
}

static int add(struct grants *grants, const char *program, const char *privilege, const char *column)
{
    if (grants->count == GRANTS_MAX)
        return ERROR_LIMIT;
    struct grant *grant = &grants->items[grants->count++];
    *grant = (struct grant){0};
    memcpy(grant->program, program, GRANT_NAME_BYTES);
    memcpy(grant->privilege, privilege, GRANT_NAME_BYTES);
    memcpy(grant->column, column, GRANT_NAME_BYTES);
    return 0;
}

// "SELECT, UPDATE (left_at)" up to ON, one right an entry. The table is not known yet.
static int read_privileges(struct reader *reader, const char *program, struct grants *grants)
{
    do {
        char privilege[GRANT_NAME_BYTES] = "", column[GRANT_NAME_BYTES] = "";
        if (!read_word(reader, false, privilege))
            return ERROR_INVALID;
        bool columns = take(reader, '(');
        do {
            if (columns && !read_word(reader, false, column))
                return ERROR_INVALID;
            int r = add(grants, program, privilege, column);
            if (r < 0)
                return r;
        } while (columns && take(reader, ','));
        if (columns && !take(reader, ')'))
            return ERROR_INVALID;
    } while (take(reader, ','));
    return 0;
}

static int read_grant(struct reader *reader, const char *program, struct grants *grants)
{
    char word[GRANT_NAME_BYTES];
    size_t first = grants->count;
    if (!*program || !read_word(reader, false, word) || strcmp(word, "GRANT") != 0)
        return ERROR_INVALID;
    int r = read_privileges(reader, program, grants);
    if (r < 0)
        return r;
    char table[GRANT_NAME_BYTES] = "";
    if (!read_word(reader, false, word) || strcmp(word, "ON") != 0 || !read_word(reader, false, table) ||
        !take(reader, ';'))
        return ERROR_INVALID;
    skip_blanks(reader);
    if (reader->at != reader->end)
        return ERROR_INVALID;
    for (size_t i = first; i < grants->count; i++)
        memcpy(grants->items[i].table, table, GRANT_NAME_BYTES);
    return 0;
}

int grants_read(const char *text, size_t bytes, struct grants *ret, size_t *ret_line)
{
    static const char marker[] = "-- program:";
    char program[GRANT_NAME_BYTES] = "";
    const char *end = text + bytes;
    ret->count = 0;
    for (size_t line = 1; text < end; line++) {
        const char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            line_end = end;
        struct reader reader = {text, line_end};
        int r = 0;
        skip_blanks(&reader);
        if (line_end - reader.at > (long)strlen(marker) && memcmp(reader.at, marker, strlen(marker)) == 0) {
            reader.at += strlen(marker);
            r = read_word(&reader, true, program) ? 0 : ERROR_INVALID;
        } else if (reader.at < line_end && !(line_end - reader.at >= 2 && memcmp(reader.at, "--", 2) == 0)) {
            r = read_grant(&reader, program, ret);
        }
        if (r < 0) {
            *ret_line = line;
            return r;
        }
        text = line_end < end ? line_end + 1 : end;
    }
    return 0;
}

bool grants_have(const struct grants *grants, const char *program, const char *table, const char *privilege,
                 const char *column)
{
    for (size_t i = 0; i < grants->count; i++) {
        const struct grant *grant = &grants->items[i];
        if (strcmp(grant->program, program) == 0 && strcmp(grant->table, table) == 0 &&
            strcasecmp(grant->privilege, privilege) == 0 && strcasecmp(grant->column, column) == 0)
            return true;
    }
    return false;
}

bool grants_know(const struct grants *grants, const char *program)
{
    for (size_t i = 0; i < grants->count; i++) {
        if (strcmp(grants->items[i].program, program) == 0)
            return true;
    }
    return false;
}
