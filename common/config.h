// SPDX-License-Identifier: Apache-2.0
// Configuration from one table per program: the INI file, the environment above it, files for secrets. The same table
// makes --help and --check-config, so a key that is not described cannot be read.
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/error.h"

enum config_type {
    CONFIG_STRING, // char *   owned by the configuration; "" when empty
    CONFIG_INT, // int64_t  within min … max
    CONFIG_BOOL, // bool     true, false, yes, no, on, off, 1, 0
    CONFIG_CHOICE, // int64_t  index into choices
    CONFIG_ADDRESS, // char *   HOST:PORT, [V6]:PORT or empty; port 0 means any free one
    CONFIG_RATE, // struct config_rate  COUNT/s, COUNT/min, COUNT/h; 0 is off
};

struct config_rate {
    int64_t count; // 0: off
    int64_t per_seconds;
};

struct config_key {
    const char *section;
    const char *name;
    enum config_type type;
    size_t offset; // of the field in the program's configuration structure
    const char *default_text; // as it would stand in the file
    int64_t min, max; // CONFIG_INT
    const char *const *choices; // CONFIG_CHOICE, NULL-terminated
    const char *unit; // "seconds", "bytes", …; NULL: none
    bool reloadable; // taken over on SIGHUP
    bool secret; // never shown; ONSALE_SECTION_NAME_FILE is the usual way to give it
    const char *help; // one sentence
};

// The keys that every program has. A program's configuration structure begins with one of these (offset 0).
struct common_config {
    char *mysql_host; // empty: the socket
    int64_t mysql_port;
    char *mysql_socket;
    char *mysql_user;
    char *mysql_password;
    char *mysql_database;
    char *mysql_tls_ca; // empty: no TLS
    char *amqp_url; // amqp://user:password@host:port/vhost, or amqps://
    char *amqp_tls_ca;
    char *ops_listen[5]; // operators' ports by enum config_program
    int64_t log_level;
    int64_t log_format;
    char *tokens_directory;
    int64_t tokens_queue_lifetime_seconds;
    int64_t payment_provider; // enum payment_provider
    char *payment_base_url; // of the provider's API, without a slash at its end
    char *payment_secret_key_file, *payment_webhook_secret_file; // paths; empty: none
    char *payment_tls_ca; // empty: the system's authorities
    char *payment_return_url; // where visitors come back to, without a slash at its end; /e/SLUG is added
    int64_t payment_timeout_seconds; // for one call
};

// Who takes the money.
enum payment_provider {
    PAYMENT_NONE, // it is due at the door: bookings confirm at once
    PAYMENT_MANUAL, // the seller, elsewhere: bookings are held until an operator confirms them
    PAYMENT_STRIPE,
};

// The programs in the order of common_config.ops_listen.
enum config_program {
    CONFIG_WAITING_ROOM,
    CONFIG_ADMISSION,
    CONFIG_BOOKING_WORKER,
    CONFIG_NOTIFIER,
    CONFIG_ADMIN,
};

extern const struct config_key config_common_keys[];
extern const size_t config_common_key_count;

struct config_table {
    const struct config_key *keys; // the program's own, beside the common ones
    size_t key_count;
    void *config; // the program's structure, zeroed, beginning with struct common_config
    const char
        *program; // "waiting-room"; its section may hold mysql_user and mysql_password, which then win over [mysql]
    // What values alone do not show, such as a certificate that cannot be read; NULL: nothing. Called by config_load() when all
    // values are right. Appends a line for each problem, without the file's name, and returns 0 or ERROR_INVALID.
    int (*check)(const void *config, struct buffer *problems);
};

// Reads `path` (NULL: defaults and environment only), then the environment, and fills the structure. Every value is checked.
// On ERROR_INVALID every problem found is in `problems`, one a line: "FILE:LINE: [section] key: what is wrong; what is allowed".
// A section that belongs to another program is not judged; a section that belongs to nobody is a problem.
// Reads the environment and files; call it from one thread. The structure is freed with config_done().
int config_load(const struct config_table *table, const char *path, struct buffer *problems) MUST_USE;
void config_done(const struct config_table *table);

// Reads again and takes over just the reloadable keys. On a problem nothing changes.
// Only the thread that calls this may read reloadable keys: a reloadable string's old text is freed.
int config_reload(const struct config_table *table, const char *path, struct buffer *problems) MUST_USE;

// Finds the file: `given` (from --config) if not NULL, else $ONSALE_CONFIG, ./var/onsale.ini, /etc/onsale/onsale.ini.
// NULL if there is none; a file that was named is returned whether it exists or not. The string is constant or from outside.
const char *config_find(const char *given);

// Appends the list of keys for --help: section, name, type, default, range, unit, whether reloadable.
void config_describe(const struct config_table *table, struct buffer *text);

#endif
