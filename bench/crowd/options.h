// SPDX-License-Identifier: Apache-2.0
// The generator's arguments, and the guard that it is not pointed at other people's servers by mistake.
#ifndef BENCH_CROWD_OPTIONS_H
#define BENCH_CROWD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/address.h"
#include "common/error.h"
#include "common/slug.h"

#define OPTIONS_ROOMS_MAX 16
#define OPTIONS_PARTIES_MAX 1000

struct options_room { // a waiting room: where it is
    struct address address;
    struct sockaddr_storage socket; // after options_find_rooms()
    socklen_t socket_bytes;
};

struct options {
    struct options_room rooms[OPTIONS_ROOMS_MAX];
    size_t room_count;
    char slug[SLUG_BYTES];
    uint32_t visitors;
    uint32_t rate; // arrivals a second; 0: all at once
    uint32_t per_connection;
    uint32_t leave_percent, reconnect_percent, slow_percent;
    uint32_t orders_percent; // of all
    uint32_t change_percent, take_back_percent, in_turn_percent; // of those who order
    uint32_t alternatives_percent, again_percent, same_customer_percent; // of those who order
    uint32_t named_percent, wheelchair_percent; // of those who order
    uint32_t never_pay_percent, pay_late_percent, cancel_percent, more_time_percent; // of those who order
    uint32_t declines_percent, challenges_percent, time_outs_percent; // of those who order
    uint32_t with_order_percent; // of those who order and pay by card
    size_t party_count;
    uint16_t parties[OPTIONS_PARTIES_MAX]; // tickets in an order, each as often as the others
    int64_t order_seconds; // within which who waits gives the order
    int64_t pay_seconds; // within which who holds something decides
    int64_t hold_seconds; // how long a hold is; 0: not known
    int64_t patience_seconds;
    const char *tiers; // NULL: the first
    int64_t seconds;
    uint64_t seed;
    const char *ca, *record, *check, *pay_to, *ledger; // NULL: not given; borrowed from argv
    bool pay_by_card, insecure, elsewhere, faults, help;
};

// `problem` says what is wrong. ERROR_INVALID.
int options_read(int argc, char **argv, struct options *ret, char *problem, size_t problem_bytes) MUST_USE;
void options_help(void);

// An address in 127.0.0.0/8 or ::1, also when written as an IPv4 address within IPv6.
bool options_is_loopback(const struct sockaddr *address);

// Resolves the rooms and finds for each an address at which somebody answers. All addresses of a name must be loopback,
// unless `elsewhere`. ERROR_INVALID (not loopback), ERROR_PERMANENT (no such host), ERROR_TRANSIENT (nobody answers).
int options_find_rooms(struct options *options, char *problem, size_t problem_bytes) MUST_USE;

#endif
