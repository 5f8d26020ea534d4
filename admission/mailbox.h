// SPDX-License-Identifier: Apache-2.0
// What the threads of admission say to each other: the keeper of the lines, the courier with the news, the releaser with
// the orders. None ever waits for another: of a
// line only the newest state is kept, everything else stands in short queues. When one is full its oldest entry goes;
// all of them are courtesies that MySQL makes good for within a second. Every function may be called from any
// thread.
#ifndef ADMISSION_MAILBOX_H
#define ADMISSION_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bus.h"
#include "common/error.h"
#include "common/message.h"

#define MAILBOX_LINES_MAX 1024 // lines that are told about
#define MAILBOX_QUEUE_MAX 256
#define MAILBOX_HINTS_MAX 64 // events that the releaser is told of by name; more, and it looks at all
#define MAILBOX_NO_TROUBLE INT64_MAX

struct mailbox;

// Somebody changed an event, and perhaps waits for the answer.
struct mailbox_change {
    char slug[SLUG_BYTES];
    uint64_t version;
    char reply_to[BUS_NAME_BYTES]; // "" for nobody
    char correlation_id[64];
    uint64_t epoch; // of the leader that acted; for answers
};

int mailbox_new(struct mailbox **ret) MUST_USE; // ERROR_MEMORY, ERROR_PERMANENT (no descriptor left)
void mailbox_free(struct mailbox *mailbox); // accepts NULL

// To poll(2) on: readable when there is something for that side. Emptied with mailbox_clear_*() before taking.
int mailbox_keeper_fd(const struct mailbox *mailbox);
int mailbox_courier_fd(const struct mailbox *mailbox);
int mailbox_releaser_fd(const struct mailbox *mailbox);
void mailbox_clear_keeper(struct mailbox *mailbox);
void mailbox_clear_courier(struct mailbox *mailbox);
void mailbox_clear_releaser(struct mailbox *mailbox);
// Ends all threads' waits; mailbox_is_stopping() is true from then on.
void mailbox_stop(struct mailbox *mailbox);
bool mailbox_is_stopping(const struct mailbox *mailbox);

// Lines → RabbitMQ. `full`: these are all lines there are, and everybody shall hear of all of them.
void mailbox_put_served(struct mailbox *mailbox, uint64_t epoch, const struct message_served_event *events,
                        size_t count, bool full);
// Takes up to `max` of the lines that changed since they were last taken, of one epoch. 0: none.
size_t mailbox_take_served(struct mailbox *mailbox, struct message_served_event *ret, size_t max, uint64_t *ret_epoch,
                           bool *ret_full);
void mailbox_put_answer(struct mailbox *mailbox, const struct mailbox_change *answer); // → `acted`
bool mailbox_take_answer(struct mailbox *mailbox, struct mailbox_change *ret);
void mailbox_put_news(struct mailbox *mailbox,
                      const struct mailbox_change *change); // → `event_changed`, by the timetable
bool mailbox_take_news(struct mailbox *mailbox, struct mailbox_change *ret);

// RabbitMQ → lines.
void mailbox_put_change(struct mailbox *mailbox, const struct mailbox_change *change);
bool mailbox_take_change(struct mailbox *mailbox, struct mailbox_change *ret);

// Lines → releases. The epoch of this program's lead; 0: it does not lead.
void mailbox_set_lead(struct mailbox *mailbox, uint64_t epoch);
uint64_t mailbox_lead(const struct mailbox *mailbox);
// Lines and RabbitMQ → releases: something may be due in this event.
void mailbox_hint(struct mailbox *mailbox, const char *slug);
// Takes all of them; *ret_all: there were too many, look at every event. Returns how many are in `ret`.
size_t mailbox_take_hints(struct mailbox *mailbox, char ret[static MAILBOX_HINTS_MAX][SLUG_BYTES], bool *ret_all);

// Releases → lines: since when (monotonic) orders could not be released; MAILBOX_NO_TROUBLE: they can. `wakes`: the lines
// stood still for it, perhaps.
void mailbox_set_trouble(struct mailbox *mailbox, int64_t since_ns, bool wakes);
int64_t mailbox_trouble_ns(const struct mailbox *mailbox);

#endif
