// SPDX-License-Identifier: Apache-2.0
// See task.h.
#include "booking-worker/task.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"

#define BODY_BYTES_MAX (1024 * 1024) // the bus gives no more

void task_condemn(struct task *task, const char *reason, const char *detail)
{
    task->condemned = reason;
    snprintf(task->detail, sizeof(task->detail), "%s", detail);
    utf8_mend(task->detail); // it may quote what was sent
}

// What cannot be read at all is told apart from what somebody else's version may have written.
static void condemn_unreadable(struct task *task, const char *problem)
{
    json_t *object CLEANUP(json_cleanup) = NULL;
    int result = json_read_object(task->delivery.body, task->delivery.body_bytes, BODY_BYTES_MAX, NULL, 0, &object);
    task_condemn(task, result ? TASK_NOT_JSON : TASK_VERSION, problem);
}

int task_read(struct bus_delivery *delivery, struct message *scratch, struct task *ret)
{
    char problem[TASK_DETAIL_BYTES] = "";
    int result = message_read(delivery->body, delivery->body_bytes, scratch, problem, sizeof(problem));
    if (result == ERROR_MEMORY)
        return result;
    *ret = (struct task){.delivery = *delivery};
    *delivery = (struct bus_delivery){0};
    if (result) {
        condemn_unreadable(ret, problem);
        return 0;
    }
    if (scratch->type != MESSAGE_BOOK) {
        snprintf(problem, sizeof(problem), "a message of type %s does not belong here",
                 message_type_name(scratch->type));
        task_condemn(ret, TASK_VERSION, problem);
        return 0;
    }
    ret->is_book = true;
    ret->event_id = scratch->book.event_id;
    ret->place = scratch->book.place;
    ret->attempt = scratch->book.attempt;
    ret->release = scratch->book.release;
    return 0;
}

void task_done(struct task *task)
{
    if (!task)
        return;
    bus_delivery_done(&task->delivery);
    *task = (struct task){0};
}
