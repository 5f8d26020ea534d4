// SPDX-License-Identifier: Apache-2.0
// The files of the page: carried in the program, or read from a folder of the seller's. A set is immutable and counted.
#ifndef WAITING_ROOM_PAGE_FILES_H
#define WAITING_ROOM_PAGE_FILES_H

#include <stdatomic.h>
#include <stddef.h>

#include "common/error.h"

enum page_file_name {
    PAGE_HTML,
    PAGE_CSS,
    PAGE_JS,
    PAGE_DOM_JS,
    PAGE_NETWORK_JS,
    PAGE_WALK_JS,
    PAGE_ORDER_JS,
    PAGE_SEATS_JS,
    PAGE_HOLD_JS,
    PAGE_PAY_JS,
    PAGE_RECEIPT_HTML,
    PAGE_RECEIPT_JS,
    PAGE_ICON,
    PAGE_FILE_COUNT
};

struct page_file {
    const char *content_type;
    const char *data;
    size_t bytes;
    char etag[24]; // with its quotes
    char *owned; // NULL: built in
};

struct page_files {
    _Atomic unsigned references;
    struct page_file files[PAGE_FILE_COUNT];
};

// The set with one reference. `directory` "": the built-in files; otherwise a file that the folder lacks is the built-in
// one. ERROR_PERMANENT: no such folder, a file that cannot be read; ERROR_LIMIT: one over 1 MiB; `problem` says which.
int page_files_load(const char *directory, struct page_files **ret, char *problem, size_t problem_bytes) MUST_USE;
void page_files_hold(void *files);
void page_files_unref(struct page_files *files); // accepts NULL

#endif
