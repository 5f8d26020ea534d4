// SPDX-License-Identifier: Apache-2.0
// What the servers' main() functions have in common: arguments, configuration, log, signals.
#ifndef COMMON_PROGRAM_H
#define COMMON_PROGRAM_H

#include "common/config.h"

#define ONSALE_VERSION "0.1.0"

// Handles --help, --version, --config FILE, --check-config and mistakes; loads the configuration and starts the log.
// Returns -1 when the program should run (*ret_path is the configuration file, for reloading; may be NULL), else the exit
// status to return at once: 0, or 2 for usage or configuration with the reasons on standard error.
// Blocks SIGTERM, SIGINT and SIGHUP and ignores SIGPIPE in the calling thread, so in all threads started after it.
int program_start(const struct config_table *table, const char *summary, int argc, char **argv, const char **ret_path);

// What a main thread without a loop does while the parts work: says that the program has started, on SIGHUP takes over the settings that
// may change and says how it went, and returns when it is to stop. For programs whose settings need nothing but to be read again.
void program_serve(const struct config_table *table, const char *path);

// Waits for one of the blocked signals and returns it (SIGTERM, SIGINT, SIGHUP). For main threads that reload in a way of their own.
int program_wait_signal(void);

#endif
