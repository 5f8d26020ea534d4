// SPDX-License-Identifier: Apache-2.0
// The loops that are running, for threads that have something to tell them. A loop enters when it starts and leaves before
// it ends, so nobody ever posts to one that is gone.
#ifndef WAITING_ROOM_LOOPS_H
#define WAITING_ROOM_LOOPS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "waiting-room/http.h"

#define LOOPS_MAX 256

struct loops {
    pthread_mutex_t lock;
    size_t count;
    struct http_loop *loops[LOOPS_MAX];
};

void loops_init(struct loops *loops);
void loops_done(struct loops *loops);
void loops_enter(struct loops *loops, struct http_loop *loop); // on the loop's thread
void loops_leave(struct loops *loops, struct http_loop *loop); // on the loop's thread; afterwards nobody posts to it

// Runs fn(loop, argument) on that loop soon. False: the loop is gone and fn will not run. Any thread.
bool loops_post(struct loops *loops, struct http_loop *loop, void (*fn)(struct http_loop *loop, void *argument),
                void *argument);

// Posts to every loop; `hold` is called with the argument once for each, for fn to let go again. Any thread.
void loops_post_all(struct loops *loops, void (*fn)(struct http_loop *loop, void *argument), void *argument,
                    void (*hold)(void *argument));

#endif
