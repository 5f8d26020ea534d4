// SPDX-License-Identifier: Apache-2.0
// See mailbox.h. One mutex that is held for copies of some hundred bytes, and an eventfd for each thread.
#include "admission/mailbox.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
    struct mailbox_change items[MAILBOX_QUEUE_MAX]; // a ring
    size_t first, count;
};

struct told {
    struct message_served_event event;
    bool is_new; // not taken yet
};

struct mailbox {
    pthread_mutex_t mutex;
    int keeper_fd, courier_fd, releaser_fd;
    atomic_bool stopping;
    _Atomic uint64_t lead;
    _Atomic int64_t trouble_ns;
    struct queue changes, answers, news;
    size_t hint_count;
    bool hints_overflowed;
    char hints[MAILBOX_HINTS_MAX][SLUG_BYTES];
    uint64_t epoch;
    bool full;
    size_t told_count;
    struct told told[MAILBOX_LINES_MAX];
};

int mailbox_new(struct mailbox **ret)
{
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return ERROR_MEMORY;
    mailbox->keeper_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mailbox->courier_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mailbox->releaser_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    atomic_store(&mailbox->trouble_ns, MAILBOX_NO_TROUBLE);
    pthread_mutex_init(&mailbox->mutex, NULL);
    if (mailbox->keeper_fd < 0 || mailbox->courier_fd < 0 || mailbox->releaser_fd < 0) {
        mailbox_free(mailbox);
        return ERROR_PERMANENT;
    }
    *ret = mailbox;
    return 0;
}

void mailbox_free(struct mailbox *mailbox)
{
    if (!mailbox)
        return;
    if (mailbox->keeper_fd >= 0)
        close(mailbox->keeper_fd);
    if (mailbox->courier_fd >= 0)
        close(mailbox->courier_fd);
    if (mailbox->releaser_fd >= 0)
        close(mailbox->releaser_fd);
    pthread_mutex_destroy(&mailbox->mutex);
    free(mailbox);
}

int mailbox_keeper_fd(const struct mailbox *mailbox)
{
    return mailbox->keeper_fd;
}

int mailbox_courier_fd(const struct mailbox *mailbox)
{
    return mailbox->courier_fd;
}

int mailbox_releaser_fd(const struct mailbox *mailbox)
{
    return mailbox->releaser_fd;
}

// An eventfd that is full or empty already says what it should, so these cannot fail in a way that matters.
static void ring(int fd)
{
    ssize_t written = write(fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)written;
}

static void clear(int fd)
{
    uint64_t rings;
    ssize_t taken = read(fd, &rings, sizeof(rings));
    (void)taken;
}

void mailbox_clear_keeper(struct mailbox *mailbox)
{
    clear(mailbox->keeper_fd);
}

void mailbox_clear_courier(struct mailbox *mailbox)
{
    clear(mailbox->courier_fd);
}

void mailbox_clear_releaser(struct mailbox *mailbox)
{
    clear(mailbox->releaser_fd);
}

void mailbox_stop(struct mailbox *mailbox)
{
    atomic_store(&mailbox->stopping, true);
    ring(mailbox->keeper_fd);
    ring(mailbox->courier_fd);
    ring(mailbox->releaser_fd);
}

bool mailbox_is_stopping(const struct mailbox *mailbox)
{
    return atomic_load(&mailbox->stopping);
}

static void put(struct mailbox *mailbox, struct queue *queue, int fd, const struct mailbox_change *change)
{
    pthread_mutex_lock(&mailbox->mutex);
    if (queue->count == MAILBOX_QUEUE_MAX) {
        queue->first = (queue->first + 1) % MAILBOX_QUEUE_MAX;
        queue->count--;
    }
    queue->items[(queue->first + queue->count++) % MAILBOX_QUEUE_MAX] = *change;
    pthread_mutex_unlock(&mailbox->mutex);
    ring(fd);
}

static bool take(struct mailbox *mailbox, struct queue *queue, struct mailbox_change *ret)
{
    pthread_mutex_lock(&mailbox->mutex);
    bool any = queue->count > 0;
    if (any) {
        *ret = queue->items[queue->first];
        queue->first = (queue->first + 1) % MAILBOX_QUEUE_MAX;
        queue->count--;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return any;
}

void mailbox_put_answer(struct mailbox *mailbox, const struct mailbox_change *answer)
{
    put(mailbox, &mailbox->answers, mailbox->courier_fd, answer);
}

bool mailbox_take_answer(struct mailbox *mailbox, struct mailbox_change *ret)
{
    return take(mailbox, &mailbox->answers, ret);
}

void mailbox_put_news(struct mailbox *mailbox, const struct mailbox_change *change)
{
    put(mailbox, &mailbox->news, mailbox->courier_fd, change);
}

bool mailbox_take_news(struct mailbox *mailbox, struct mailbox_change *ret)
{
    return take(mailbox, &mailbox->news, ret);
}

void mailbox_put_change(struct mailbox *mailbox, const struct mailbox_change *change)
{
    put(mailbox, &mailbox->changes, mailbox->keeper_fd, change);
}

bool mailbox_take_change(struct mailbox *mailbox, struct mailbox_change *ret)
{
    return take(mailbox, &mailbox->changes, ret);
}

static struct told *find(struct mailbox *mailbox, const char *slug)
{
    for (size_t i = 0; i < mailbox->told_count; i++)
        if (strcmp(mailbox->told[i].event.slug, slug) == 0)
            return &mailbox->told[i];
    return NULL;
}

void mailbox_put_served(struct mailbox *mailbox, uint64_t epoch, const struct message_served_event *events,
                        size_t count, bool full)
{
    pthread_mutex_lock(&mailbox->mutex);
    // A full state replaces everything; so does another epoch, whose predecessor has nothing to say any more.
    if (full || mailbox->epoch != epoch)
        mailbox->told_count = 0;
    mailbox->full = full || (mailbox->full && mailbox->epoch == epoch);
    mailbox->epoch = epoch;
    for (size_t i = 0; i < count; i++) {
        struct told *told = full ? NULL : find(mailbox, events[i].slug);
        if (!told && mailbox->told_count < MAILBOX_LINES_MAX)
            told = &mailbox->told[mailbox->told_count++];
        if (told)
            *told = (struct told){.event = events[i], .is_new = true};
    }
    pthread_mutex_unlock(&mailbox->mutex);
    ring(mailbox->courier_fd);
}

size_t mailbox_take_served(struct mailbox *mailbox, struct message_served_event *ret, size_t max, uint64_t *ret_epoch,
                           bool *ret_full)
{
    size_t count = 0;
    pthread_mutex_lock(&mailbox->mutex);
    *ret_epoch = mailbox->epoch;
    *ret_full = mailbox->full;
    size_t i = 0;
    for (; i < mailbox->told_count && count < max; i++) {
        if (mailbox->told[i].is_new) {
            ret[count++] = mailbox->told[i].event;
            mailbox->told[i].is_new = false;
        }
    }
    if (i == mailbox->told_count) {
        // All taken: what comes next starts a new, smaller list.
        mailbox->told_count = 0;
        mailbox->full = false;
    }
    pthread_mutex_unlock(&mailbox->mutex);
    return count;
}

void mailbox_set_lead(struct mailbox *mailbox, uint64_t epoch)
{
    atomic_store(&mailbox->lead, epoch);
    ring(mailbox->releaser_fd);
}

uint64_t mailbox_lead(const struct mailbox *mailbox)
{
    return atomic_load(&mailbox->lead);
}

void mailbox_hint(struct mailbox *mailbox, const char *slug)
{
    pthread_mutex_lock(&mailbox->mutex);
    size_t i = 0;
    while (i < mailbox->hint_count && strcmp(mailbox->hints[i], slug) != 0)
        i++;
    if (i == MAILBOX_HINTS_MAX)
        mailbox->hints_overflowed = true;
    else if (i == mailbox->hint_count)
        snprintf(mailbox->hints[mailbox->hint_count++], SLUG_BYTES, "%s", slug);
    pthread_mutex_unlock(&mailbox->mutex);
    ring(mailbox->releaser_fd);
}

size_t mailbox_take_hints(struct mailbox *mailbox, char ret[static MAILBOX_HINTS_MAX][SLUG_BYTES], bool *ret_all)
{
    pthread_mutex_lock(&mailbox->mutex);
    size_t count = mailbox->hint_count;
    memcpy(ret, mailbox->hints, count * SLUG_BYTES);
    *ret_all = mailbox->hints_overflowed;
    mailbox->hint_count = 0;
    mailbox->hints_overflowed = false;
    pthread_mutex_unlock(&mailbox->mutex);
    return count;
}

void mailbox_set_trouble(struct mailbox *mailbox, int64_t since_ns, bool wakes)
{
    atomic_store(&mailbox->trouble_ns, since_ns);
    if (wakes)
        ring(mailbox->keeper_fd);
}

int64_t mailbox_trouble_ns(const struct mailbox *mailbox)
{
    return atomic_load(&mailbox->trouble_ns);
}
