// SPDX-License-Identifier: Apache-2.0
// The list of loops under a lock that is held only for posting, which never blocks.
#include "waiting-room/loops.h"

#include <assert.h>

void loops_init(struct loops *loops)
{
    *loops = (struct loops){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void loops_done(struct loops *loops)
{
    assert(loops->count == 0);
    pthread_mutex_destroy(&loops->lock);
}

void loops_enter(struct loops *loops, struct http_loop *loop)
{
    pthread_mutex_lock(&loops->lock);
    assert(loops->count < LOOPS_MAX);
    loops->loops[loops->count++] = loop;
    pthread_mutex_unlock(&loops->lock);
}

void loops_leave(struct loops *loops, struct http_loop *loop)
{
    pthread_mutex_lock(&loops->lock);
    for (size_t i = 0; i < loops->count; i++) {
        if (loops->loops[i] == loop) {
            loops->loops[i] = loops->loops[--loops->count];
            break;
        }
    }
    pthread_mutex_unlock(&loops->lock);
}

bool loops_post(struct loops *loops, struct http_loop *loop, void (*fn)(struct http_loop *loop, void *argument),
                void *argument)
{
    bool found = false;
    pthread_mutex_lock(&loops->lock);
    for (size_t i = 0; i < loops->count && !found; i++)
        found = loops->loops[i] == loop;
    if (found)
        http_loop_post(loop, fn, argument);
    pthread_mutex_unlock(&loops->lock);
    return found;
}

void loops_post_all(struct loops *loops, void (*fn)(struct http_loop *loop, void *argument), void *argument,
                    void (*hold)(void *argument))
{
    pthread_mutex_lock(&loops->lock);
    for (size_t i = 0; i < loops->count; i++) {
        hold(argument);
        http_loop_post(loops->loops[i], fn, argument);
    }
    pthread_mutex_unlock(&loops->lock);
}
