// SPDX-License-Identifier: Apache-2.0
// Exchanges and private queues as docs/messages.md describes them.
#include "common/topology.h"

#include <stddef.h>

// What a program that fell behind may still find in its queue. Older news are worthless: a reader that sees a gap asks MySQL.
#define PRIVATE_QUEUE_LENGTH_MAX 10000

int topology_declare(struct bus *bus)
{
    static const char *const exchanges[] = {TOPOLOGY_FEED, TOPOLOGY_CONTROL};
    for (size_t i = 0; i < sizeof(exchanges) / sizeof(exchanges[0]); i++) {
        int result = bus_declare_exchange(bus, exchanges[i], "fanout", true);
        if (result)
            return result;
    }
    return 0;
}

// Coming back is counted by the broker for each message of a dead consumer, guilty or not; the worker finds the guilty one
// itself. The broker's own limit is just a last resort.
#define DELIVERY_LIMIT 1000000

static const char *const booking_queues[TOPOLOGY_BOOKING_QUEUES] = {
    "onsale.bookings.0", "onsale.bookings.1", "onsale.bookings.2", "onsale.bookings.3",
    "onsale.bookings.4", "onsale.bookings.5", "onsale.bookings.6", "onsale.bookings.7",
};

const char *topology_booking_queue(unsigned n)
{
    return booking_queues[n % TOPOLOGY_BOOKING_QUEUES];
}

const char *topology_booking_queue_of(uint64_t event_id)
{
    return booking_queues[event_id % TOPOLOGY_BOOKING_QUEUES];
}

static int declare_queue(struct bus *bus, const char *name, const char *dead_letters, bool single_active)
{
    char ret[BUS_NAME_BYTES];
    const struct bus_queue wanted = {
        .name = name,
        .durable = true,
        .quorum = true,
        .single_active = single_active,
        .delivery_limit = DELIVERY_LIMIT,
        .dead_letters = dead_letters,
    };
    return bus_declare_queue(bus, &wanted, ret);
}

int topology_declare_queues(struct bus *bus)
{
    int result = declare_queue(bus, TOPOLOGY_DEAD, NULL, true);
    if (!result)
        result = declare_queue(bus, TOPOLOGY_OUTCOMES, TOPOLOGY_DEAD, true);
    for (unsigned i = 0; i < TOPOLOGY_BOOKING_QUEUES && !result; i++)
        result = declare_queue(bus, booking_queues[i], TOPOLOGY_DEAD, true);
    if (!result)
        result = declare_queue(bus, TOPOLOGY_PAYMENTS, TOPOLOGY_DEAD, false);
    return result;
}

int topology_subscribe(struct bus *bus, const char *exchange)
{
    char queue[BUS_NAME_BYTES];
    const struct bus_queue wanted = {
        .name = "",
        .exclusive = true,
        .auto_delete = true,
        .length_max = PRIVATE_QUEUE_LENGTH_MAX,
        .drop_head = true,
    };
    int result = bus_declare_queue(bus, &wanted, queue);
    if (result)
        return result;
    result = bus_bind(bus, queue, exchange, "");
    if (result)
        return result;
    return bus_consume(bus, queue, 0, true);
}
