// SPDX-License-Identifier: Apache-2.0
// A crowd of simulated visitors for a waiting room.
#include <curl/curl.h>
#include <signal.h>
#include <stdio.h>

#include "bench/crowd/crowd.h"
#include "bench/crowd/options.h"

int main(int argc, char **argv)
{
    struct options options;
    char problem[400] = "";
    // A connection that was closed by the other side is an error to handle, not a reason to die.
    (void)signal(SIGPIPE, SIG_IGN);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return 1;
    if (options_read(argc, argv, &options, problem, sizeof problem) != 0) {
        (void)fprintf(stderr, "crowd: %s\n", problem);
        return 2;
    }
    if (options.help) {
        options_help();
        return 0;
    }
    if (options.check)
        return crowd_check_file(&options);
    int error = options_find_rooms(&options, problem, sizeof problem);
    if (error != 0) {
        (void)fprintf(stderr, "crowd: %s\n", problem);
        return error == ERROR_INVALID ? 2 : 1;
    }
    return crowd_run(&options);
}
