// SPDX-License-Identifier: Apache-2.0
// Knows just enough of SQL to find where a statement ends: quotes ('…', "…", `…`, doubled or escaped inside) and
// comments from `-- ` to the end of the line. Our own files need no more.
#include "admin/sql_text.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_comment(const char *at, const char *end)
{
    return end - at >= 2 && at[0] == '-' && at[1] == '-' && (end - at == 2 || is_blank(at[2]));
}

static const char *skip_line(const char *at, const char *end)
{
    while (at < end && *at != '\n')
        at++;
    return at;
}

// `at` is on the opening quote. Returns what comes after the closing one, or the end.
static const char *skip_quoted(const char *at, const char *end)
{
    char quote = *at++;
    for (; at < end; at++) {
        if (*at == '\\' && quote != '`' && at + 1 < end)
            at++;
        else if (*at == quote)
            return at + 1; // a doubled quote simply opens the next piece
    }
    return end;
}

bool sql_text_next(const char **at, size_t *bytes, const char **ret, size_t *ret_bytes)
{
    const char *from = *at, *end = *at + *bytes;
    while (from < end && (is_blank(*from) || *from == ';' || is_comment(from, end)))
        from = is_comment(from, end) ? skip_line(from, end) : from + 1;
    const char *to = from;
    while (to < end && *to != ';') {
        if (*to == '\'' || *to == '"' || *to == '`')
            to = skip_quoted(to, end);
        else if (is_comment(to, end))
            to = skip_line(to, end);
        else
            to++;
    }
    *at = to;
    *bytes = (size_t)(end - to);
    while (to > from && is_blank(to[-1]))
        to--;
    *ret = from;
    *ret_bytes = (size_t)(to - from);
    return to > from;
}
