// SPDX-License-Identifier: Apache-2.0
// The error classes that every fallible function here returns. A caller decides by class (try again, give up,
// refuse), never by text; the text is for the log.
#ifndef COMMON_ERROR_H
#define COMMON_ERROR_H

enum error {
    ERROR_TRANSIENT = -1, // May work later unchanged: connection lost, time-out, deadlock, read-only server, full disk.
    ERROR_PERMANENT = -2, // Will not work until somebody changes something: no rights, no such table, bad certificate.
    ERROR_DUPLICATE = -3, // It exists already (a unique key said so).
    ERROR_LIMIT = -4, // A bound of ours was reached.
    ERROR_INVALID = -5, // What was given is malformed or not allowed.
    ERROR_NOT_FOUND = -6, // There is no such thing.
    ERROR_CONFLICT = -7, // It exists but its state does not allow this (a lost epoch, a wrong state).
    ERROR_MEMORY = -8, // Out of memory.
    ERROR_BUG = -9, // Something that cannot happen did; look at the code.
};

// Returns a constant one-word name of an error class ("transient"), "ok" for 0, "unknown" for anything else.
const char *error_str(int error);

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define CLEANUP(function) __attribute__((cleanup(function)))

#endif
