// SPDX-License-Identifier: Apache-2.0
// What hangs on an exchange (http_data): a request that waits for MySQL or a stream. Both begin with this, so that
// the end of the exchange reaches whoever it is.
#ifndef WAITING_ROOM_OWNER_H
#define WAITING_ROOM_OWNER_H

struct owner {
    void (*closed)(struct owner *owner); // the exchange is gone
};

#endif
