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
