// SPDX-License-Identifier: Apache-2.0
// Captures follow a confirmation by a moment, so the ledger is asked until nothing is under way; what it says then counts.
#include "bench/crowd/account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buffer.h"
#include "common/clock.h"

#define AGAIN_MS 500

static int read_file(const char *path, char **ret, size_t *ret_bytes, char *problem, size_t problem_bytes)
{
    struct buffer text CLEANUP(buffer_done) = {.bytes_max = LEDGER_BYTES_MAX};
    char chunk[65536];
    size_t bytes;
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(problem, problem_bytes, "%s: %s", path, strerror(errno));
        return ERROR_PERMANENT;
    }
    while ((bytes = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(&text, chunk, bytes);
    bool failed = ferror(file) != 0 || text.failed || !text.data;
    (void)fclose(file);
    if (failed) {
        (void)snprintf(problem, problem_bytes, "%s: cannot be read, or is too long or empty", path);
        return ERROR_PERMANENT;
    }
    *ret_bytes = text.bytes;
    *ret = buffer_take(&text);
    return 0;
}

static int get(const struct bank *bank, const char *source, const char *event, struct ledger *ret, char *problem,
               size_t problem_bytes)
{
    char *text = NULL;
    size_t bytes = 0;
    int error = strncmp(source, "http", 4) == 0
                    ? bank_get(bank, source, LEDGER_BYTES_MAX, &text, &bytes, problem, problem_bytes)
                    : read_file(source, &text, &bytes, problem, problem_bytes);
    if (error == 0)
        error = ledger_read(text, bytes, event, ret, problem, problem_bytes);
    free(text);
    return error;
}

static void show(const struct ledger *ledger, const struct check *check)
{
    struct ledger_sums sums = ledger_sum(ledger);
    struct check_counts counts;
    check_count(check, &counts);
    (void)printf("\nThe bank's ledger, in the minor unit: %" PRIu64 " taken in %zu payments (%" PRIu64
                 " owed by %" PRIu64 " visitors who are confirmed), %" PRIu64 " taken and given back in %zu, %" PRIu64
                 " still reserved in %zu\n",
                 sums.captured, sums.captured_count, counts.owed, counts.orders[ORDER_CONFIRMED], sums.returned,
                 sums.returned_count, sums.open, sums.open_count);
}

int account_settle(const struct bank *bank, const char *source, int64_t patience_seconds, struct check *check)
{
    const struct timespec again = {.tv_nsec = AGAIN_MS * 1000000L};
    int64_t until_ns = clock_monotonic_ns() + patience_seconds * INT64_C(1000000000);
    char problem[300] = "out of memory";
    struct ledger ledger = {0};
    int error;
    for (;;) {
        error = get(bank, source, check_event(check), &ledger, problem, sizeof problem);
        bool may_change = error == 0 ? ledger_sum(&ledger).open_count > 0 : error == ERROR_TRANSIENT;
        if (!may_change || clock_monotonic_ns() >= until_ns)
            break;
        ledger_done(&ledger);
        (void)nanosleep(&again, NULL);
    }
    if (error != 0) {
        (void)fprintf(stderr, "crowd: the ledger: %s\n", problem);
        return error;
    }
    show(&ledger, check);
    check_ledger(check, &ledger);
    ledger_done(&ledger);
    return 0;
}
