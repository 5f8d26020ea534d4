// SPDX-License-Identifier: Apache-2.0
// crowd --check FILE: the rules, from the record alone.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/crowd/account.h"
#include "bench/crowd/check.h"
#include "bench/crowd/crowd.h"
#include "bench/crowd/told.h"

#define SHOWN_MAX 50

static void report(void *data, const char *text)
{
    unsigned *shown = data;
    if ((*shown)++ < SHOWN_MAX)
        (void)printf("%s\n", text);
}

// Reads all lines. False: one of them is none.
static bool read_lines(FILE *file, struct check *check, uint64_t *ret_lines)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    bool good = true;
    while (good && (bytes = getline(&line, &capacity, file)) > 0) {
        struct told told;
        char problem[160];
        if (line[bytes - 1] == '\n')
            bytes--;
        ++*ret_lines;
        good = told_read(line, (size_t)bytes, &told, problem, sizeof problem) == 0;
        if (good)
            check_take(check, &told);
        else
            (void)printf("record: line %" PRIu64 ": %s\n", *ret_lines, problem);
    }
    free(line);
    return good;
}

int crowd_check_file(const struct options *options)
{
    const char *path = options->check;
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)fprintf(stderr, "crowd: %s: %s\n", path, strerror(errno));
        return 1;
    }
    unsigned shown = 0;
    uint64_t lines = 0;
    struct check *check = check_new(report, &shown);
    bool good = check && read_lines(file, check, &lines);
    if (ferror(file)) {
        (void)fprintf(stderr, "crowd: %s cannot be read\n", path);
        good = false;
    }
    (void)fclose(file);
    if (!good) {
        check_free(check);
        return 1;
    }
    check_end(check);
    const struct bank bank = {.elsewhere = options->elsewhere};
    if (options->ledger && account_settle(&bank, options->ledger, 0, check) != 0) {
        check_free(check);
        return 1;
    }
    struct check_counts counts;
    check_count(check, &counts);
    uint64_t violations = check_violations(check);
    if (shown > SHOWN_MAX)
        (void)printf("… and %u more\n", shown - SHOWN_MAX);
    (void)printf("%" PRIu64 " lines, %" PRIu64 " visitors: %" PRIu64 " joined, %" PRIu64 " let in, %" PRIu64
                 " left, %" PRIu64 " came back, %" PRIu64 " turned away, %" PRIu64 " ordered, %" PRIu64
                 " confirmed, %" PRIu64 " tickets sold, %" PRIu64 " violations\n",
                 lines, counts.visitors, counts.joined, counts.let_in, counts.left, counts.rejoined, counts.turned_away,
                 counts.ordered, counts.orders[ORDER_CONFIRMED], counts.sold, violations);
    check_free(check);
    return violations == 0 ? 0 : 1;
}
