// SPDX-License-Identifier: Apache-2.0
// The commands' functions, for the table in command_table.c. Each takes what is in context->arguments and context->options,
// does the work, says what came of it, and returns the exit status.
#ifndef ADMIN_COMMANDS_H
#define ADMIN_COMMANDS_H

#include "admin/context.h"

int command_help(struct context *context);
int command_migrate(struct context *context);
int command_event_apply(struct context *context);
int command_event_list(struct context *context);
int command_event_show(struct context *context);
int command_event_refund(struct context *context);
int command_lifecycle(struct context *context); // lobby, open, pause, resume, stop, start, close: by the command's name
int command_say(struct context *context);
int command_rate(struct context *context);
int command_status(struct context *context);
int command_watch(struct context *context);
int command_log(struct context *context);
int command_audit(struct context *context);
int command_booking_show(struct context *context);
int command_booking_find(struct context *context);
int command_booking_list(struct context *context);
int command_booking_cancel(struct context *context);
int command_booking_confirm(struct context *context);
int command_dead_list(struct context *context);
int command_dead_show(struct context *context);
int command_dead_retry(struct context *context);
int command_dead_discard(struct context *context);
int command_ticket_check(struct context *context);
int command_keys_list(struct context *context);
int command_keys_rotate(struct context *context);

#endif
