// SPDX-License-Identifier: Apache-2.0
// Files of keys: one directory (0700) with a file for each key (0600), named KID.json. What the keyrings of the queue tokens and of the
// tickets have in common. `problem` is told in words which file and why.
#ifndef COMMON_KEY_FILES_H
#define COMMON_KEY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define KEY_FILE_BYTES_MAX 4096
#define KEY_KID_BYTES 33 // [a-z0-9]{1,32} and NUL
#define KEY_TIME_MAX INT64_C(253402300799) // the end of the year 9999, in seconds since 1970

// ERROR_NOT_FOUND: there is no such directory; ERROR_PERMANENT: it cannot be read, or others may look into it. The descriptor is the
// caller's to close.
int key_files_open(const char *directory, int *ret, char *problem, size_t problem_bytes) MUST_USE;
// Makes the directory if it must, opens it, and locks it for who is to write: ERROR_TRANSIENT while somebody else does.
int key_files_lock(const char *directory, int *ret, char *problem, size_t problem_bytes) MUST_USE;
void key_files_close(int *descriptor); // for CLEANUP(); accepts -1

// Calls `take` for each file; hidden ones are none, and neither is the folder named `but` (NULL: no such). It stops at what `take` returns below 0.
typedef int key_files_taker(void *context, const char *name, const char *text, size_t bytes, char *problem,
                            size_t problem_bytes);
int key_files_read_all(int directory, const char *but, key_files_taker *take, void *context, char *problem,
                       size_t problem_bytes) MUST_USE;

// Writes KID.json, whole or not at all.
int key_files_write(int directory, const char *kid, const char *text, size_t bytes, char *problem,
                    size_t problem_bytes) MUST_USE;
void key_files_remove(int directory, const char *kid);

// Whether `kid` can name a key and the file is named after it.
bool key_files_is_named(const char *file, const char *kid);
void key_files_new_kid(char ret[static KEY_KID_BYTES]); // random

void key_files_say(char *problem, size_t problem_bytes, const char *format, ...) PRINTF_LIKE(3, 4); // accepts NULL

#endif
