// SPDX-License-Identifier: Apache-2.0
// When the crowd first heard that `served` had come so far. From it follows who should know of being let in, and how much
// later than the first who could tell a visitor heard of it. Pure.
#ifndef BENCH_CROWD_PASSING_H
#define BENCH_CROWD_PASSING_H

#include <stddef.h>
#include <stdint.h>

struct passing_step {
    uint64_t served;
    int64_t at_us;
};

struct passing {
    struct passing_step *steps; // both rise
    size_t count, capacity;
};

void passing_done(struct passing *passing); // accepts NULL and zeroes

// Somebody heard at that time (which never goes back) that `served` is at least so much. What is no news is ignored; so
// is what there is no memory for.
void passing_note(struct passing *passing, uint64_t served, int64_t at_us);

// When `served` was first heard to have reached the place; -1: not yet.
int64_t passing_at_us(const struct passing *passing, uint64_t place);

#endif
