// SPDX-License-Identifier: Apache-2.0
// What the values of the common sections do not show alone, and what would keep every program from doing its work: an address of the
// wrong form, a file that cannot be read.
#ifndef COMMON_CONFIG_CHECK_H
#define COMMON_CONFIG_CHECK_H

#include "common/buffer.h"
#include "common/config.h"
#include "common/error.h"

// Appends a line for each problem, which never holds a secret. Connects to nothing. 0 or ERROR_INVALID.
int config_check_common(const struct common_config *config, struct buffer *problems) MUST_USE;

#endif
