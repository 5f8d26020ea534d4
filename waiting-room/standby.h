// SPDX-License-Identifier: Apache-2.0
// Tells visitors in standby who are on a stream how many stand by before them. There is no shared number for it that each could
// subtract from, so MySQL is asked about all of them at once, at most once a second while the stock says that somebody stands by.
#ifndef WAITING_ROOM_STANDBY_H
#define WAITING_ROOM_STANDBY_H

#include "waiting-room/room_loop.h"

// Asks if it is due. Call it often.
void standby_tend(struct room_loop *loop, struct event_view *view);

#endif
