// SPDX-License-Identifier: Apache-2.0
// The programs' MySQL users: made, given their passwords and just the rights of sql/grants.sql.
#ifndef ADMIN_USERS_H
#define ADMIN_USERS_H

#include "admin/context.h"
#include "admin/grants.h"

// Makes or changes the user of every program that has a block in sql/grants.sql. Appends a JSON object {program, user}
// for each to `ret_users`. 0, or the exit status after saying what is wrong.
int users_apply(struct context *context, json_t *ret_users) MUST_USE;

#endif
