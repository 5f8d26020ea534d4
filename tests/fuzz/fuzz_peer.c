// links: waiting-room
// SPDX-License-Identifier: Apache-2.0
// Three lines: trusted networks, the peer's address, X-Forwarded-For. Whom we do not trust cannot choose their address, and
// what stands left of the first stranger changes nothing.
#include "tests/fuzz/fuzz.h"
#include "waiting-room/peer.h"

static bool equal(const struct peer_address *a, const struct peer_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static void check_address(const struct peer_address *address)
{
    char text[PEER_TEXT_BYTES], with_port[PEER_TEXT_BYTES + 16];
    struct peer_address again;
    FUZZ_CHECK(peer_format(address, text) == text && *text);
    FUZZ_CHECK(peer_parse(text, strlen(text), &again) == 0 && equal(address, &again));
    snprintf(with_port, sizeof with_port, strchr(text, ':') ? "[%s]:65535" : "%s:65535", text);
    FUZZ_CHECK(peer_parse(with_port, strlen(with_port), &again) == 0 && equal(address, &again));
    struct peer_address household = peer_household(address), twice = peer_household(&household);
    FUZZ_CHECK(equal(&household, &twice) && memcmp(household.bytes, address->bytes, 8) == 0);
}

// Bit by bit, which is slow and plain.
static bool contains(const struct peer_networks *networks, const struct peer_address *address)
{
    for (size_t i = 0; i < networks->count; i++) {
        unsigned bit = 0;
        while (bit < networks->items[i].bits &&
               ((networks->items[i].address.bytes[bit / 8] ^ address->bytes[bit / 8]) >> (7 - bit % 8) & 1) == 0)
            bit++;
        if (bit == networks->items[i].bits)
            return true;
    }
    return false;
}

static void check_client(const struct peer_networks *trusted, const struct peer_address *peer, const char *forwarded)
{
    struct peer_address client = peer_client(peer, trusted, forwarded), alone = peer_client(peer, trusted, NULL);
    FUZZ_CHECK(equal(&alone, peer));
    FUZZ_CHECK(peer_networks_contain(trusted, peer) == contains(trusted, peer));
    FUZZ_CHECK(contains(trusted, peer) || equal(&client, peer));
    check_address(&client);
    if (contains(trusted, &client))
        return;
    size_t room = strlen(forwarded) + 32;
    char *longer = malloc(room);
    FUZZ_CHECK(longer != NULL);
    snprintf(longer, room, "203.0.113.66, %s", forwarded);
    struct peer_address same = peer_client(peer, trusted, longer);
    FUZZ_CHECK(equal(&client, &same));
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    char *networks = fuzz_line(&input), *address = fuzz_line(&input), *forwarded = fuzz_line(&input);
    struct peer_networks trusted = {.count = 0};
    struct peer_address peer = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}};
    int error = peer_networks_parse(networks, &trusted);
    FUZZ_CHECK(error == 0 || error == ERROR_INVALID || error == ERROR_LIMIT);
    FUZZ_CHECK(trusted.count <= PEER_NETWORKS_MAX && (error == 0 || trusted.count == 0));
    for (size_t i = 0; i < trusted.count; i++)
        FUZZ_CHECK(trusted.items[i].bits <= 128 && peer_networks_contain(&trusted, &trusted.items[i].address));
    if (peer_parse(address, strlen(address), &peer) == 0)
        check_address(&peer);
    check_client(&trusted, &peer, forwarded);
    free(networks);
    free(address);
    free(forwarded);
    return 0;
}
