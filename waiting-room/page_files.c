// SPDX-License-Identifier: Apache-2.0
// The built-in files are put into the program by the assembler; a seller's folder replaces them file by file.
#include "waiting-room/page_files.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (1024 * 1024)

#define BUILT_IN(name, path)               \
    __asm__(".section .rodata\n"           \
            ".global page_" #name "\n"     \
            "page_" #name ":\n"            \
            ".incbin \"" path "\"\n"       \
            ".global page_" #name "_end\n" \
            "page_" #name "_end:\n"        \
            ".byte 0\n"                    \
            ".previous\n");                \
    extern const char page_##name[], page_##name##_end[]

BUILT_IN(html, "waiting-room/page/page.html");
BUILT_IN(css, "waiting-room/page/onsale.css");
BUILT_IN(js, "waiting-room/page/onsale.js");
BUILT_IN(dom_js, "waiting-room/page/dom.js");
BUILT_IN(network_js, "waiting-room/page/network.js");
BUILT_IN(walk_js, "waiting-room/page/walk.js");
BUILT_IN(order_js, "waiting-room/page/order.js");
BUILT_IN(seats_js, "waiting-room/page/seats.js");
BUILT_IN(hold_js, "waiting-room/page/hold.js");
BUILT_IN(pay_js, "waiting-room/page/pay.js");
BUILT_IN(receipt_html, "waiting-room/page/receipt.html");
BUILT_IN(receipt_js, "waiting-room/page/receipt.js");
BUILT_IN(icon, "waiting-room/page/icon.svg");

static const struct {
    const char *name, *content_type, *data, *end;
} built_in[PAGE_FILE_COUNT] = {
    [PAGE_HTML] = {"page.html", "text/html; charset=utf-8", page_html, page_html_end},
    [PAGE_CSS] = {"onsale.css", "text/css; charset=utf-8", page_css, page_css_end},
    [PAGE_JS] = {"onsale.js", "text/javascript; charset=utf-8", page_js, page_js_end},
    [PAGE_DOM_JS] = {"dom.js", "text/javascript; charset=utf-8", page_dom_js, page_dom_js_end},
    [PAGE_NETWORK_JS] = {"network.js", "text/javascript; charset=utf-8", page_network_js, page_network_js_end},
    [PAGE_WALK_JS] = {"walk.js", "text/javascript; charset=utf-8", page_walk_js, page_walk_js_end},
    [PAGE_ORDER_JS] = {"order.js", "text/javascript; charset=utf-8", page_order_js, page_order_js_end},
    [PAGE_SEATS_JS] = {"seats.js", "text/javascript; charset=utf-8", page_seats_js, page_seats_js_end},
    [PAGE_HOLD_JS] = {"hold.js", "text/javascript; charset=utf-8", page_hold_js, page_hold_js_end},
    [PAGE_PAY_JS] = {"pay.js", "text/javascript; charset=utf-8", page_pay_js, page_pay_js_end},
    [PAGE_RECEIPT_HTML] = {"receipt.html", "text/html; charset=utf-8", page_receipt_html, page_receipt_html_end},
    [PAGE_RECEIPT_JS] = {"receipt.js", "text/javascript; charset=utf-8", page_receipt_js, page_receipt_js_end},
    [PAGE_ICON] = {"icon.svg", "image/svg+xml", page_icon, page_icon_end},
};

// FNV-1a: only tells versions of a file apart, for caches.
static void set_etag(struct page_file *file)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < file->bytes; i++)
        hash = (hash ^ (unsigned char)file->data[i]) * UINT64_C(0x100000001b3);
    snprintf(file->etag, sizeof file->etag, "\"%016" PRIx64 "\"", hash);
}

static int read_whole(FILE *stream, struct page_file *file)
{
    char *data = malloc(FILE_BYTES_MAX + 1);
    if (!data)
        return ERROR_MEMORY;
    size_t bytes = fread(data, 1, FILE_BYTES_MAX + 1, stream);
    int error = ferror(stream) ? ERROR_PERMANENT : bytes > FILE_BYTES_MAX ? ERROR_LIMIT : 0;
    if (error < 0) {
        free(data);
        return error;
    }
    char *smaller = realloc(data, bytes + 1);
    file->owned = smaller ? smaller : data;
    file->owned[bytes] = '\0';
    file->data = file->owned;
    file->bytes = bytes;
    return 0;
}

static int load_file(const char *directory, const char *name, struct page_file *file, char *problem,
                     size_t problem_bytes)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) {
        snprintf(problem, problem_bytes, "the path is too long");
        return ERROR_LIMIT;
    }
    FILE *stream = fopen(path, "re");
    if (!stream && errno == ENOENT)
        return 0;
    int error = stream ? read_whole(stream, file) : ERROR_PERMANENT;
    if (error < 0)
        snprintf(problem, problem_bytes, "%s: %s", path, error == ERROR_LIMIT ? "longer than 1 MiB" : strerror(errno));
    if (stream)
        fclose(stream);
    return error;
}

int page_files_load(const char *directory, struct page_files **ret, char *problem, size_t problem_bytes)
{
    struct stat folder;
    if (*directory && (stat(directory, &folder) < 0 || !S_ISDIR(folder.st_mode))) {
        snprintf(problem, problem_bytes, "%s: not a folder", directory);
        return ERROR_PERMANENT;
    }
    struct page_files *files = calloc(1, sizeof *files);
    if (!files)
        return ERROR_MEMORY;
    atomic_init(&files->references, 1);
    for (size_t i = 0; i < PAGE_FILE_COUNT; i++) {
        struct page_file *file = &files->files[i];
        *file = (struct page_file){.content_type = built_in[i].content_type,
                                   .data = built_in[i].data,
                                   .bytes = (size_t)(built_in[i].end - built_in[i].data)};
        int error = *directory ? load_file(directory, built_in[i].name, file, problem, problem_bytes) : 0;
        if (error < 0) {
            page_files_unref(files);
            return error;
        }
        set_etag(file);
    }
    *ret = files;
    return 0;
}

void page_files_hold(void *files)
{
    atomic_fetch_add_explicit(&((struct page_files *)files)->references, 1, memory_order_relaxed);
}

void page_files_unref(struct page_files *files)
{
    if (!files || atomic_fetch_sub_explicit(&files->references, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < PAGE_FILE_COUNT; i++)
        free(files->files[i].owned);
    free(files);
}
