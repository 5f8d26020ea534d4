// SPDX-License-Identifier: Apache-2.0
// The thread that keeps the lines: it leads or stands by, and while it leads it lets in what the pure modules say is
// due, one transaction a step. It owns the connection to MySQL.
#ifndef ADMISSION_KEEPER_H
#define ADMISSION_KEEPER_H

#include <stdbool.h>

#include "admission/mailbox.h"
#include "common/config.h"
#include "common/error.h"

struct keeper;

// Starts the thread. `config` and `mailbox` must outlive it; `holder` names this program in the leader's row.
int keeper_start(const struct common_config *config, const char *holder, struct mailbox *mailbox,
                 struct keeper **ret) MUST_USE;
// Waits for the thread to end after mailbox_stop() (it gives the lead up first), and frees. Accepts NULL.
void keeper_join(struct keeper *keeper);
// Leads, or stands by and sees who leads. Any thread.
bool keeper_sees_mysql(const struct keeper *keeper);

#endif
