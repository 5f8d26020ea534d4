// SPDX-License-Identifier: Apache-2.0
// See sell_out.h. Whether it is so is judged once more under the locks of the change.
#include "booking-worker/sell_out.h"

#include <string.h>

#include "common/buffer.h"
#include "common/lifecycle.h"
#include "common/log.h"
#include "common/topology.h"

#define ACTOR "booking-worker"

static int tell(struct bus *bus, struct message *message, const char *slug, uint64_t version)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    message->type = MESSAGE_EVENT_CHANGED;
    memcpy(message->event_changed.slug, slug, SLUG_BYTES);
    message->event_changed.version = version;
    message_write(message, &text);
    const struct bus_message out = {
        .exchange = TOPOLOGY_CONTROL,
        .routing_key = "",
        .body = text.data,
        .body_bytes = text.bytes,
        .type = message_type_name(message->type),
    };
    return text.failed ? ERROR_MEMORY : bus_publish(bus, &out, NULL);
}

int sell_out_or_again(struct db *db, struct bus *bus, struct message *scratch, const struct booker_result *found,
                      bool *ret_told, int *ret_bus)
{
    struct lifecycle_change change;
    *ret_told = false;
    *ret_bus = 0;
    if (!found->is_sold_out && !found->is_on_sale_again)
        return 0;
    int result = lifecycle_apply(db, found->slug, found->is_sold_out ? LIFECYCLE_DO_SELL_OUT : LIFECYCLE_DO_SELL_AGAIN,
                                 ACTOR, NULL, &change);
    if (result == ERROR_CONFLICT || result == ERROR_NOT_FOUND)
        return 0; // something has changed since
    if (result || change.before == change.after)
        return result;
    log_info(found->is_sold_out ? "sold_out" : "on_sale_again", LOG_S("slug", found->slug),
             LOG_S("state", lifecycle_state_name(change.after)), LOG_U("version", change.version));
    if (bus) {
        *ret_bus = tell(bus, scratch, found->slug, change.version);
        *ret_told = true;
    }
    return 0;
}
