// SPDX-License-Identifier: Apache-2.0
// Addresses of peers, trusted networks, and who stands behind a proxy. See peer.h.
#include "waiting-room/peer.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static struct peer_address from_ipv4(const struct in_addr *address)
{
    struct peer_address mapped;
    memcpy(mapped.bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(mapped.bytes + sizeof mapped_prefix, address, 4);
    return mapped;
}

static bool is_ipv4(const struct peer_address *address)
{
    return memcmp(address->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

// Reads a bare address: no port, no brackets.
static int parse_bare(const char *text, size_t bytes, struct peer_address *ret)
{
    char copy[PEER_TEXT_BYTES];
    if (bytes == 0 || bytes >= sizeof copy)
        return ERROR_INVALID;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';

    struct in_addr ipv4;
    if (inet_pton(AF_INET, copy, &ipv4) == 1) {
        *ret = from_ipv4(&ipv4);
        return 0;
    }
    struct in6_addr ipv6;
    if (inet_pton(AF_INET6, copy, &ipv6) != 1)
        return ERROR_INVALID;
    memcpy(ret->bytes, &ipv6, sizeof ret->bytes);
    return 0;
}

static bool is_port(const char *text, size_t bytes)
{
    if (bytes == 0 || bytes > 5)
        return false;
    for (size_t i = 0; i < bytes; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

int peer_parse(const char *text, size_t bytes, struct peer_address *ret)
{
    if (bytes > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', bytes);
        if (end == NULL)
            return ERROR_INVALID;
        size_t rest = bytes - (size_t)(end + 1 - text);
        if (rest > 0 && (end[1] != ':' || !is_port(end + 2, rest - 1)))
            return ERROR_INVALID;
        return parse_bare(text + 1, (size_t)(end - text - 1), ret);
    }
    // One colon is a port behind an IPv4 address; more are an IPv6 address.
    const char *colon = memchr(text, ':', bytes);
    if (colon == NULL || memchr(colon + 1, ':', bytes - (size_t)(colon + 1 - text)) != NULL)
        return parse_bare(text, bytes, ret);
    if (!is_port(colon + 1, bytes - (size_t)(colon + 1 - text)))
        return ERROR_INVALID;
    return parse_bare(text, (size_t)(colon - text), ret);
}

static bool bits_equal(const struct peer_address *a, const struct peer_address *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

static int parse_network(const char *text, size_t bytes, struct peer_address *ret_address, unsigned *ret_bits)
{
    const char *slash = memchr(text, '/', bytes);
    struct peer_address address;
    int error = parse_bare(text, slash == NULL ? bytes : (size_t)(slash - text), &address);
    if (error != 0)
        return error;

    unsigned bits = 128;
    if (slash != NULL) {
        size_t digits = bytes - (size_t)(slash + 1 - text);
        if (digits > 3 || !is_port(slash + 1, digits))
            return ERROR_INVALID;
        bits = 0;
        for (size_t i = 0; i < digits; i++)
            bits = bits * 10 + (unsigned)(slash[1 + i] - '0');
        // A mapped address that was written with a dot counts its prefix from the 96 bits in front of it.
        if (memchr(text, ':', bytes) == NULL)
            bits += 96;
        if (bits > 128)
            return ERROR_INVALID;
    }
    struct peer_address masked = {{0}};
    for (unsigned i = 0; i < bits; i++)
        masked.bytes[i / 8] |= (uint8_t)(address.bytes[i / 8] & (0x80 >> i % 8));
    // 10.0.0.1/8 is most likely a slip; guessing which half was meant would be guessing whom to trust.
    if (memcmp(masked.bytes, address.bytes, sizeof masked.bytes) != 0)
        return ERROR_INVALID;
    *ret_address = address;
    *ret_bits = bits;
    return 0;
}

int peer_networks_parse(const char *text, struct peer_networks *ret)
{
    struct peer_networks networks = {.count = 0};
    const char *at = text == NULL ? "" : text;
    for (;;) {
        at += strspn(at, ", \t");
        size_t bytes = strcspn(at, ", \t");
        if (bytes == 0)
            break;
        if (networks.count == PEER_NETWORKS_MAX)
            return ERROR_LIMIT;
        int error =
            parse_network(at, bytes, &networks.items[networks.count].address, &networks.items[networks.count].bits);
        if (error != 0)
            return error;
        networks.count++;
        at += bytes;
    }
    *ret = networks;
    return 0;
}

bool peer_networks_contain(const struct peer_networks *networks, const struct peer_address *address)
{
    for (size_t i = 0; i < networks->count; i++)
        if (bits_equal(&networks->items[i].address, address, networks->items[i].bits))
            return true;
    return false;
}

int peer_from_socket(const struct sockaddr *socket_address, struct peer_address *ret)
{
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, socket_address, sizeof ipv4);
        *ret = from_ipv4(&ipv4.sin_addr);
        return 0;
    }
    if (socket_address->sa_family != AF_INET6)
        return ERROR_INVALID;
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, socket_address, sizeof ipv6);
    memcpy(ret->bytes, &ipv6.sin6_addr, sizeof ret->bytes);
    return 0;
}

const char *peer_format(const struct peer_address *address, char text[static PEER_TEXT_BYTES])
{
    const char *written = is_ipv4(address)
                              ? inet_ntop(AF_INET, address->bytes + sizeof mapped_prefix, text, PEER_TEXT_BYTES)
                              : inet_ntop(AF_INET6, address->bytes, text, PEER_TEXT_BYTES);
    if (written == NULL)
        text[0] = '\0';
    return text;
}

struct peer_address peer_household(const struct peer_address *address)
{
    struct peer_address household = *address;
    if (!is_ipv4(address))
        memset(household.bytes + 8, 0, 8);
    return household;
}

struct peer_address peer_client(const struct peer_address *peer, const struct peer_networks *trusted,
                                const char *forwarded_for)
{
    struct peer_address client = *peer;
    size_t end = forwarded_for == NULL ? 0 : strlen(forwarded_for);
    while (end > 0 && peer_networks_contain(trusted, &client)) {
        size_t start = end;
        while (start > 0 && forwarded_for[start - 1] != ',')
            start--;
        const char *entry = forwarded_for + start;
        size_t bytes = end - start;
        while (bytes > 0 && (entry[0] == ' ' || entry[0] == '\t')) {
            entry++;
            bytes--;
        }
        while (bytes > 0 && (entry[bytes - 1] == ' ' || entry[bytes - 1] == '\t'))
            bytes--;
        if (peer_parse(entry, bytes, &client) != 0)
            break;
        end = start > 0 ? start - 1 : 0;
    }
    return client;
}
