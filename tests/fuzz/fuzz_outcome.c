// SPDX-License-Identifier: Apache-2.0
// Outcomes from RabbitMQ: what is read can be written, and what was written is read as the same.
#include "common/outcome.h"
#include "tests/fuzz/fuzz.h"

static void write(const struct outcomes *outcomes, struct buffer *text)
{
    outcomes_begin(text, outcomes->slug, outcomes->currency, outcomes->sender[0] ? outcomes->sender : NULL,
                   outcomes->seq);
    for (size_t i = 0; i < outcomes->count; i++)
        outcomes_add(text, &outcomes->items[i]);
    outcomes_end(text);
    FUZZ_CHECK(!text->failed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct outcomes outcomes = {0}, again = {0};
    struct buffer first = BUFFER_INIT, second = BUFFER_INIT;
    char problem[128] = "";
    if (outcomes_read((const char *)data, bytes, &outcomes, problem, sizeof problem) != 0) {
        FUZZ_CHECK(*problem && memchr(problem, '\0', sizeof problem) && !outcomes.items);
        return 0;
    }
    FUZZ_CHECK(outcomes.count <= OUTCOMES_MAX && slug_is_valid(outcomes.slug, strlen(outcomes.slug)));
    for (size_t i = 0; i < outcomes.count; i++) {
        const struct outcome *outcome = &outcomes.items[i];
        FUZZ_CHECK(outcome->place >= 1 && outcome->attempt >= 1 && outcome->revision >= 1);
        FUZZ_CHECK(!outcome->tickets || strlen(outcome->tickets) < OUTCOME_TICKETS_BYTES);
        FUZZ_CHECK(!outcome->action_url ||
                   (strlen(outcome->action_url) < OUTCOME_URL_BYTES && strncmp(outcome->action_url, "http", 4) == 0));
    }
    write(&outcomes, &first);
    FUZZ_CHECK(outcomes_read(first.data, first.bytes, &again, problem, sizeof problem) == 0);
    FUZZ_CHECK(again.count == outcomes.count);
    write(&again, &second);
    FUZZ_CHECK(first.bytes == second.bytes && memcmp(first.data, second.data, first.bytes) == 0);
    buffer_done(&first);
    buffer_done(&second);
    outcomes_done(&outcomes);
    outcomes_done(&again);
    return 0;
}
