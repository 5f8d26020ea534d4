// SPDX-License-Identifier: Apache-2.0
// A table that only grows in what it holds, never in size.
#include "bench/crowd/owners.h"

#include <stdlib.h>

bool owners_init(struct owners *owners, uint32_t count)
{
    size_t size = 16;
    while (size < (size_t)count * 2)
        size *= 2;
    owners->slots = calloc(size, sizeof *owners->slots);
    owners->mask = size - 1;
    return owners->slots != NULL;
}

void owners_done(struct owners *owners)
{
    free(owners->slots);
    *owners = (struct owners){0};
}

// The slot of the number, or the empty one where it belongs.
static struct owner *find(const struct owners *owners, uint64_t number)
{
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15) >> 20) & owners->mask;
    while (owners->slots[at].number != 0 && owners->slots[at].number != number)
        at = (at + 1) & owners->mask;
    return &owners->slots[at];
}

uint32_t owners_find(const struct owners *owners, uint64_t number)
{
    return find(owners, number)->visitor;
}

uint32_t owners_take(struct owners *owners, uint64_t number, uint32_t visitor)
{
    struct owner *slot = find(owners, number);
    if (slot->number == 0)
        *slot = (struct owner){number, visitor};
    return slot->visitor;
}
