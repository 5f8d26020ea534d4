// SPDX-License-Identifier: Apache-2.0
// The keys that every program has, and the list of all keys that --help shows.
#include "common/config.h"

#include <string.h>

#include "common/config_value.h"
#include "common/log.h"

static const char *const log_levels[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
    NULL,
};
static const char *const log_formats[] = {[LOG_FORMAT_LOGFMT] = "logfmt", [LOG_FORMAT_JSON] = "json", NULL};

static const char *const payment_providers[] = {
    [PAYMENT_NONE] = "none",
    [PAYMENT_MANUAL] = "manual",
    [PAYMENT_STRIPE] = "stripe",
    NULL,
};

#define FIELD(member) .offset = offsetof(struct common_config, member)

const struct config_key config_common_keys[] = {
    {"mysql", "host", CONFIG_STRING, FIELD(mysql_host), .default_text = "127.0.0.1",
     .help = "Where MySQL or MariaDB is; empty: its socket."},
    {"mysql", "port", CONFIG_INT, FIELD(mysql_port), .default_text = "3306", .min = 1, .max = 65535,
     .help = "Its TCP port."},
    {"mysql", "socket", CONFIG_STRING, FIELD(mysql_socket), .default_text = "", .unit = "path",
     .help = "Its Unix socket, used when host is empty."},
    {"mysql", "user", CONFIG_STRING, FIELD(mysql_user), .default_text = "onsale",
     .help = "The user to connect as; mysql_user in a program's own section wins."},
    {"mysql", "password", CONFIG_STRING, FIELD(mysql_password), .default_text = "", .secret = true,
     .help = "That user's password; mysql_password in a program's own section wins."},
    {"mysql", "database", CONFIG_STRING, FIELD(mysql_database), .default_text = "onsale", .help = "The database."},
    {"mysql", "tls_ca", CONFIG_STRING, FIELD(mysql_tls_ca), .default_text = "", .unit = "path of a PEM file",
     .help = "Who must have signed the server's certificate; empty: no TLS."},
    {"amqp", "url", CONFIG_STRING, FIELD(amqp_url), .default_text = "amqp://guest:guest@127.0.0.1:5672/",
     .secret = true, .help = "amqp://USER:PASSWORD@HOST:PORT/VHOST, or amqps://; by default guest on this machine."},
    {"amqp", "tls_ca", CONFIG_STRING, FIELD(amqp_tls_ca), .default_text = "", .unit = "path of a PEM file",
     .help = "Who must have signed RabbitMQ's certificate with amqps; empty: the system's authorities."},
    {"tokens", "directory", CONFIG_STRING, FIELD(tokens_directory), .default_text = "var/tokens", .unit = "path",
     .help = "Where the keys of the tokens are."},
    {"tokens", "queue_lifetime_seconds", CONFIG_INT, FIELD(tokens_queue_lifetime_seconds), .default_text = "604800",
     .min = 3600, .max = 31536000, .unit = "seconds", .help = "How long a queue token is good for; renewed on use."},
    {"payment", "provider", CONFIG_CHOICE, FIELD(payment_provider), .default_text = "none",
     .choices = payment_providers,
     .help =
         "Who takes the money. none: it is due at the door, and bookings confirm at once. manual: the seller takes it elsewhere,"
         " and bookings are held until `onsale booking confirm`. stripe: cards, through Stripe's API."},
    {"payment", "base_url", CONFIG_STRING, FIELD(payment_base_url), .default_text = "https://api.stripe.com",
     .unit = "URL",
     .help = "Where the provider's API is: https, or http on this machine itself. Without a slash at the end."},
    {"payment", "secret_key_file", CONFIG_STRING, FIELD(payment_secret_key_file), .default_text = "", .unit = "path",
     .help = "The file with the provider's secret key, readable by nobody else. Needed with stripe."},
    {"payment", "webhook_secret_file", CONFIG_STRING, FIELD(payment_webhook_secret_file), .default_text = "",
     .unit = "path",
     .help =
         "The file with the secrets that the provider's webhooks are signed with, one a line. Empty: webhooks are refused."},
    {"payment", "tls_ca", CONFIG_STRING, FIELD(payment_tls_ca), .default_text = "", .unit = "path of a PEM file",
     .help = "Who must have signed the provider's certificate; empty: the system's authorities."},
    {"payment", "return_url", CONFIG_STRING, FIELD(payment_return_url), .default_text = "", .unit = "URL",
     .help =
         "Where visitors come back to from the provider's and their bank's pages: the address they know this site by,"
         " without a slash at the end. /e/SLUG is added. Needed with stripe."},
    {"payment", "timeout_seconds", CONFIG_INT, FIELD(payment_timeout_seconds), .default_text = "20", .min = 1,
     .max = 120, .unit = "seconds",
     .help = "How long one call to the provider may take. What comes later is asked about."},
    {"ops", "waiting_room_listen", CONFIG_ADDRESS, FIELD(ops_listen[CONFIG_WAITING_ROOM]),
     .default_text = "127.0.0.1:9101", .help = "The operators' port of the waiting room; empty: none."},
    {"ops", "admission_listen", CONFIG_ADDRESS, FIELD(ops_listen[CONFIG_ADMISSION]), .default_text = "127.0.0.1:9102",
     .help = "The operators' port of admission; empty: none."},
    {"ops", "booking_worker_listen", CONFIG_ADDRESS, FIELD(ops_listen[CONFIG_BOOKING_WORKER]),
     .default_text = "127.0.0.1:9103", .help = "The operators' port of the booking worker; empty: none."},
    {"ops", "notifier_listen", CONFIG_ADDRESS, FIELD(ops_listen[CONFIG_NOTIFIER]), .default_text = "127.0.0.1:9104",
     .help = "The operators' port of the notifier; empty: none."},
    {"log", "level", CONFIG_CHOICE, FIELD(log_level), .default_text = "info", .choices = log_levels, .reloadable = true,
     .help = "What is logged: this and what is graver."},
    {"log", "format", CONFIG_CHOICE, FIELD(log_format), .default_text = "logfmt", .choices = log_formats,
     .help = "How a line of the log is written."},
};
const size_t config_common_key_count = sizeof config_common_keys / sizeof config_common_keys[0];

static void describe_key(const struct config_key *key, struct buffer *text)
{
    buffer_format(text, "  %s", key->name);
    if (!key->secret)
        buffer_format(text, " =%s%s", *key->default_text ? " " : "", key->default_text);
    buffer_text(text, "\n      ");
    config_value_allowed(key, text);
    if (key->secret)
        buffer_text(text, "; secret");
    if (key->reloadable)
        buffer_text(text, "; taken over on SIGHUP");
    buffer_format(text, "\n      %s\n", key->help);
}

// Returns the last key's section.
static const char *describe_keys(const struct config_key *keys, size_t count, struct buffer *text)
{
    const char *section = "";
    for (size_t i = 0; i < count; i++) {
        if (strcmp(section, keys[i].section) != 0)
            buffer_format(text, "[%s]\n", keys[i].section);
        section = keys[i].section;
        describe_key(&keys[i], text);
    }
    return section;
}

void config_describe(const struct config_table *table, struct buffer *text)
{
    const char *section = describe_keys(table->keys, table->key_count, text);
    if (strcmp(section, table->program) != 0)
        buffer_format(text, "[%s]\n", table->program);
    buffer_text(text, "  mysql_user, mysql_password\n      text; the password is secret\n"
                      "      Whom this program is to MySQL, in place of user and password in [mysql].\n");
    (void)describe_keys(config_common_keys, config_common_key_count, text);
}
