// SPDX-License-Identifier: Apache-2.0
// The visitor at the bank: answers its question, on a thread of the loop's pool, because a bank takes its time and speaks HTTP/1.1. And the
// bank's ledger, for who looks at it in the end.
#ifndef BENCH_CROWD_BANK_H
#define BENCH_CROWD_BANK_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/error.h"

struct bank { // how to reach it; borrowed by all that is asked
    uv_loop_t *loop;
    const char *ca; // PEM file with who must have signed its certificate; NULL: the system's
    bool insecure, elsewhere; // takes any certificate; an address that is not on this machine
};

// Answers with yes or no. `answered` is called on the loop, once: 0, or ERROR_TRANSIENT (nobody knows: answer again), ERROR_PERMANENT (what the bank
// said is no good answer; `status` tells), ERROR_NOT_FOUND (the bank does not ask any more).
typedef void bank_answered(void *context, int error, int status);
// The loop must run until `answered` was called. ERROR_MEMORY, ERROR_INVALID (no address): it was not begun.
int bank_answer(const struct bank *bank, const char *url, bool yes, bank_answered *answered, void *context) MUST_USE;

// GET; blocks. The caller frees *ret. ERROR_TRANSIENT, ERROR_PERMANENT with the reason in `problem`, ERROR_LIMIT, ERROR_MEMORY.
int bank_get(const struct bank *bank, const char *url, size_t bytes_max, char **ret, size_t *ret_bytes, char *problem,
             size_t problem_bytes) MUST_USE;

#endif
