// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// The body of POST payment as anybody may send it: what is taken could be an id of the provider's, and goes into an address of its API as it
// is; what is not is refused with a reason.
#include "tests/fuzz/fuzz.h"
#include "waiting-room/payment_form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct payment_form form = {.method = "before"};
    struct order_form_problems problems;
    char *body = malloc(bytes + 1);
    FUZZ_CHECK(body != NULL);
    if (bytes > 0)
        memcpy(body, data, bytes);
    body[bytes] = '\0';
    int error = payment_form_read(body, bytes, &form, &problems);
    free(body);
    if (error < 0) {
        FUZZ_CHECK(error == ERROR_INVALID || error == ERROR_CONFLICT);
        FUZZ_CHECK(error == ERROR_CONFLICT ? problems.count > 0 : problems.malformed[0] != '\0');
        FUZZ_CHECK(strcmp(form.method, "before") == 0);
        return 0;
    }
    FUZZ_CHECK(memchr(form.method, '\0', sizeof form.method));
    FUZZ_CHECK(!form.method[0] || !payment_method_problem(form.method));
    FUZZ_CHECK(!strpbrk(form.method, "/?&#%.\r\n "));
    return 0;
}
