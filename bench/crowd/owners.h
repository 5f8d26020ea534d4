// SPDX-License-Identifier: Apache-2.0
// Numbers (places, seats in the lobby, references) and which visitor each is. Pure.
#ifndef BENCH_CROWD_OWNERS_H
#define BENCH_CROWD_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct owners { // open addressing, at most half full
    struct owner {
        uint64_t number; // 0: empty
        uint32_t visitor;
    } * slots;
    size_t mask;
};

bool owners_init(struct owners *owners, uint32_t count); // for so many numbers; false: out of memory
void owners_done(struct owners *owners);

// 0: nobody's.
uint32_t owners_find(const struct owners *owners, uint64_t number);

// Whose the number (not 0) is; it becomes this visitor's if it is nobody's yet.
uint32_t owners_take(struct owners *owners, uint64_t number, uint32_t visitor);

#endif
