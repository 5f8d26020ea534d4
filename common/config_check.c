// SPDX-License-Identifier: Apache-2.0
// See config_check.h.
#include "common/config_check.h"

#include "common/authorities.h"
#include "common/bus.h"

static int check_file(const char *path, const char *section, const char *key, struct buffer *problems)
{
    char problem[256];
    if (!*path || authorities_check(path, problem, sizeof(problem)) == 0)
        return 0;
    buffer_format(problems, "[%s] %s: %s\n", section, key, problem);
    return ERROR_INVALID;
}

int config_check_common(const struct common_config *config, struct buffer *problems)
{
    int mysql = check_file(config->mysql_tls_ca, "mysql", "tls_ca", problems);
    int amqp = check_file(config->amqp_tls_ca, "amqp", "tls_ca", problems);
    int url = bus_check_url(config->amqp_url);
    if (url) // not said as it is: it holds a password
        buffer_text(problems, "[amqp] url: not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST\n");
    return mysql ? mysql : amqp ? amqp : url;
}
