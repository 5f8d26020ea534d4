// SPDX-License-Identifier: Apache-2.0
// Who acts in the world. Each function is one step: at most one transaction, or something happening to a message or to a
// program. What a program keeps in its memory is in its struct, and goes when it dies.
#ifndef TESTS_SIMULATION_ACTORS_H
#define TESTS_SIMULATION_ACTORS_H

#include "tests/simulation/world.h"

// --- admission.c: two programs, one leads; the other may still believe that it does.
struct admission;
struct admission *admission_new(void);
void admission_free(struct admission *admission);
void admission_die(struct admission *admission);
void admission_lead(struct admission *admission, struct world *world);
void admission_let_in(struct admission *admission, struct world *world);
void admission_release(struct admission *admission, struct world *world); // note, mark, end: one transaction
void admission_publish(struct admission *admission, struct world *world); // one message
void admission_confirm(struct admission *admission); // RabbitMQ has confirmed what was published
void admission_lose_bus(struct admission *admission);

// --- booking.c: one transaction of a worker; without tasks it is a sweep, which any worker does at any time.
void booking_run(struct world *world, const struct world_task *tasks, size_t count);

// --- worker.c: two programs on one queue with a single active consumer, or, by force, with two; a frozen one may wake up and go on.
#define WORKER_BATCH 4
struct worker {
    bool consumes;
    size_t count;
    struct world_task tasks[WORKER_BATCH];
    bool committed; // they are done, and not acknowledged yet
};
void worker_take(struct worker *worker, struct worker *other, struct world *world);
void worker_book(struct worker *worker, struct world *world);
void worker_acknowledge(struct worker *worker);
void worker_lose_queue(struct worker *worker, struct world *world); // what it holds goes back; its memory stays
void worker_die(struct worker *worker, struct world *world);

// --- visitors.c: joining, ordering, giving back, leaving, in any tab.
void visitors_join(struct world *world);
void visitors_order(struct world *world, unsigned place);
void visitors_take_back(struct world *world, unsigned place); // before the release, or what is held, or standing by
void visitors_ask_for_time(struct world *world, unsigned place);
void visitors_leave(struct world *world, unsigned place);

// --- news.c: outbox, notifier, feed.
void news_publish(struct world *world);
void news_pass_on(struct world *world);
void news_deliver(struct world *world);
void news_read_again(struct world *world);

// --- operator.c
void operator_act(struct world *world);
void operator_let_run(struct world *world); // undoes pauses and stops, dials a fast pace
void operator_close(struct world *world);

// --- provider.c: who has a hold pays, and the provider accepts or declines.
void provider_act(struct world *world, unsigned place);
void provider_answer_all(struct world *world); // nobody is left in between

#endif
