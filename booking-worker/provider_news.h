// SPDX-License-Identifier: Apache-2.0
// What the provider told of its own accord (rows of provider_events, stored by waiting rooms): has the payments and card pages that it is about
// looked at. What it says is not believed, only taken as a reason to ask. A payment of this shop that no row knows of (its booking is gone, a
// backup was played back) gets a row by which its money goes back. A part of the payer, on its thread.
#ifndef BOOKING_WORKER_PROVIDER_NEWS_H
#define BOOKING_WORKER_PROVIDER_NEWS_H

#include "common/db.h"
#include "common/error.h"
#include "common/provider.h"

struct provider_news;

int provider_news_new(struct provider_news **ret) MUST_USE; // ERROR_MEMORY
void provider_news_free(struct provider_news *news); // after provider_close(); accepts NULL

// Works off what is new, in a transaction of its own, and asks about payments that nobody knows. Errors are db.h's.
int provider_news_take(struct provider_news *news, struct db *db, struct provider *provider) MUST_USE;
// Writes what was answered about those. Errors are db.h's; what was not written is kept for the next time.
int provider_news_settle(struct provider_news *news, struct db *db) MUST_USE;

#endif
