// SPDX-License-Identifier: Apache-2.0
// The settings of a waiting room: section [waiting-room] beside what every program has.
#ifndef WAITING_ROOM_ROOM_CONFIG_H
#define WAITING_ROOM_ROOM_CONFIG_H

#include "common/config.h"

struct room_config {
    struct common_config common; // first: config.h wants it there
    char *listen;
    char *listen_cleartext;
    char *certificate;
    char *private_key;
    int64_t threads;
    char *public_url;
    char *page_directory;
    char *trusted_proxies;
    struct config_rate joins_per_address;
    int64_t connections_max;
    int64_t connections_per_address;
    int64_t idle_seconds;
    int64_t drain_seconds;
};

extern const struct config_key room_config_keys[];
extern const size_t room_config_key_count;

// For config_table.check: the certificate and its key can be read and belong together, and what paying by card needs is there.
int room_config_check(const void *config, struct buffer *problems);

#endif
