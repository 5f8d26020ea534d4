// SPDX-License-Identifier: Apache-2.0
// One configuration value: from text to its type, and what is allowed in words. Pure; config.c knows where texts come from.
#ifndef COMMON_CONFIG_VALUE_H
#define COMMON_CONFIG_VALUE_H

#include "common/buffer.h"
#include "common/config.h"

union config_value {
    int64_t number; // CONFIG_INT, CONFIG_CHOICE
    bool truth;
    struct config_rate rate;
    // Strings and addresses are taken as they are.
};

// ERROR_INVALID when the text is not allowed for the key. Never shows the text of a secret, as it shows none.
int config_value_parse(const struct config_key *key, const char *text, union config_value *ret) MUST_USE;

// Appends what is allowed: "a whole number of seconds, 1 to 3600", "logfmt or json", …
void config_value_allowed(const struct config_key *key, struct buffer *text);

// The one of `count` words that is close enough to `word` to be meant by it (a letter or two different), or NULL.
const char *config_nearest(const char *word, const char *const *words, size_t count);

#endif
