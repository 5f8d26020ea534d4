// SPDX-License-Identifier: Apache-2.0
// The comparison of an event's payments with the provider's own list, both ways, to the minor unit (check 6). It comes after the snapshot:
// no transaction is open while the provider is asked, and what seems to disagree is looked at once more, for it may have moved on.
#ifndef ADMIN_AUDIT_PROVIDER_H
#define ADMIN_AUDIT_PROVIDER_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/audit.h"
#include "common/config.h"

// Compares, and notes what breaks in `audit`, which audit_run() has filled; that the provider cannot be asked breaks it, too. What was
// found is in audit->provider. Errors are db.h's.
int audit_provider(struct audit *audit, const char *slug, const struct common_config *config) MUST_USE;

#endif
