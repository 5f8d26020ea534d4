// SPDX-License-Identifier: Apache-2.0
// Choosing seats by name: from the seats document, some free ordinary ones that are side by side, anywhere in the hall. Pure.
#ifndef BENCH_CROWD_SEATS_H
#define BENCH_CROWD_SEATS_H

#include <stddef.h>
#include <stdint.h>

#include "bench/crowd/menu.h"
#include "common/error.h"
#include "common/seat.h"

#define SEATS_DOCUMENT_BYTES_MAX (4 << 20)

struct seats {
    size_t tier; // of the menu
    size_t count; // 0: nowhere in the hall are that many side by side
    char names[SEATS_IN_ORDER_MAX][SEAT_NAME_BYTES];
};

// Reads the document and takes `count` seats of a tier that the menu has, all places in the hall alike, by `random`. ERROR_INVALID with
// the reason in `problem`.
int seats_choose(const char *text, size_t bytes, const struct menu *menu, uint64_t count, uint64_t random,
                 struct seats *ret, char *problem, size_t problem_bytes) MUST_USE;

#endif
