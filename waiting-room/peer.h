// SPDX-License-Identifier: Apache-2.0
// Who is at the other end: addresses as bytes, the networks of trusted proxies, and the client's address behind them.
// Pure.
#ifndef WAITING_ROOM_PEER_H
#define WAITING_ROOM_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/error.h"

// IPv6, or IPv4 mapped into it (RFC 4291, 2.5.5.2), so that there is one kind of address to compare.
struct peer_address {
    uint8_t bytes[16];
};

#define PEER_TEXT_BYTES INET6_ADDRSTRLEN
#define PEER_NETWORKS_MAX 64

struct peer_networks {
    struct {
        struct peer_address address;
        unsigned bits; // of 128
    } items[PEER_NETWORKS_MAX];
    size_t count;
};

// Reads "10.0.0.0/8, 127.0.0.1 ::1 fd00::/8": addresses and networks, separated by commas or blanks; "" or NULL is
// none. ERROR_INVALID: one of them is malformed or has bits set behind its prefix; ERROR_LIMIT: more than
// PEER_NETWORKS_MAX.
int peer_networks_parse(const char *text, struct peer_networks *ret) MUST_USE;
bool peer_networks_contain(const struct peer_networks *networks, const struct peer_address *address);

// ERROR_INVALID for a family other than IPv4 and IPv6.
int peer_from_socket(const struct sockaddr *socket_address, struct peer_address *ret) MUST_USE;
// One address as it stands in X-Forwarded-For: with or without a port, IPv6 with or without brackets.
int peer_parse(const char *text, size_t bytes, struct peer_address *ret) MUST_USE;
// An IPv4 address is written as one. Returns `text`.
const char *peer_format(const struct peer_address *address, char text[static PEER_TEXT_BYTES]);
// What shares a limit: an IPv4 address, or a /64 of IPv6, which is what one household has.
struct peer_address peer_household(const struct peer_address *address);

// The client behind trusted proxies. Each proxy appends the address it was called from, so the list is read from the
// right, for as long as the one who wrote an entry is trusted; what stands to the left of that anybody may have made
// up. `forwarded_for` may be NULL. An entry that is no address ends the reading.
struct peer_address peer_client(const struct peer_address *peer, const struct peer_networks *trusted,
                                const char *forwarded_for);

#endif
