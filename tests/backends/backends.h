// SPDX-License-Identifier: Apache-2.0
// What the tests of this folder share: the stack's configuration, connections, and a queue of a test's own that is read in order.
#ifndef TESTS_BACKENDS_BACKENDS_H
#define TESTS_BACKENDS_BACKENDS_H

#include <stdint.h>

#include "common/bus.h"
#include "common/config.h"
#include "common/db.h"

#define PATIENCE_MS 20000 // nothing takes so long; the tests wait for what is to happen

// As a cmocka group's setup and teardown. The file is named by ONSALE_CONFIG; the rights are the booking worker's.
int backends_begin(void **state);
int backends_end(void **state);

struct db *backends_db(void);
struct bus *backends_bus(void); // with publisher confirms

// Publishes a text of type "mark", and waits until it is confirmed.
void backends_publish(struct bus *bus, const char *queue, const char *text);
// One message, which must come.
void backends_take(struct bus *bus, struct bus_delivery *ret);
// One number of a query.
uint64_t backends_number(struct db *db, const char *sql);

#endif
