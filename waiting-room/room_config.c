// SPDX-License-Identifier: Apache-2.0
// The table of a waiting room's settings; --help and --check-config are made from it.
#include "waiting-room/room_config.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/provider.h"
#include "common/provider_event.h"
#include "waiting-room/page_files.h"
#include "waiting-room/peer.h"
#include "waiting-room/tls.h"

#define FIELD(name) offsetof(struct room_config, name)
#define SECTION "waiting-room"

const struct config_key room_config_keys[] = {
    {.section = SECTION,
     .name = "listen",
     .type = CONFIG_ADDRESS,
     .offset = FIELD(listen),
     .default_text = "[::]:8443",
     .help = "Where visitors connect by TLS; empty for not at all."},
    {.section = SECTION,
     .name = "listen_cleartext",
     .type = CONFIG_ADDRESS,
     .offset = FIELD(listen_cleartext),
     .default_text = "",
     .help = "Where proxies connect by HTTP/2 without TLS; empty for not at all."},
    {.section = SECTION,
     .name = "certificate",
     .type = CONFIG_STRING,
     .offset = FIELD(certificate),
     .default_text = "",
     .help = "PEM file with the certificate and its chain; read again on SIGHUP."},
    {.section = SECTION,
     .name = "private_key",
     .type = CONFIG_STRING,
     .offset = FIELD(private_key),
     .default_text = "",
     .help = "PEM file with the certificate's private key; read again on SIGHUP."},
    {.section = SECTION,
     .name = "threads",
     .type = CONFIG_INT,
     .offset = FIELD(threads),
     .default_text = "1",
     .min = 1,
     .max = 64,
     .help = "Loops that serve visitors, a thread each."},
    {.section = SECTION,
     .name = "public_url",
     .type = CONFIG_STRING,
     .offset = FIELD(public_url),
     .default_text = "",
     .help =
         "How visitors reach this service, as https://HOST[:PORT]; only needed when a proxy changes the host name."},
    {.section = SECTION,
     .name = "page_directory",
     .type = CONFIG_STRING,
     .offset = FIELD(page_directory),
     .default_text = "",
     .help =
         "Folder with page.html, onsale.css and the scripts onsale.js, dom.js, network.js, walk.js, order.js, seats.js, hold.js and pay.js to use instead of the built-in ones; read again on SIGHUP."},
    {.section = SECTION,
     .name = "trusted_proxies",
     .type = CONFIG_STRING,
     .offset = FIELD(trusted_proxies),
     .default_text = "",
     .help = "Addresses and networks, separated by commas, whose X-Forwarded-For is believed."},
    {.section = SECTION,
     .name = "joins_per_address",
     .type = CONFIG_RATE,
     .offset = FIELD(joins_per_address),
     .default_text = "600/min",
     .reloadable = true,
     .help = "New places that one address (IPv6: one /64) may get; 0 for no limit."},
    {.section = SECTION,
     .name = "connections_max",
     .type = CONFIG_INT,
     .offset = FIELD(connections_max),
     .default_text = "15000",
     .min = 1,
     .max = 1000000,
     .help = "Connections at once; more are closed."},
    {.section = SECTION,
     .name = "connections_per_address",
     .type = CONFIG_INT,
     .offset = FIELD(connections_per_address),
     .default_text = "0",
     .min = 0,
     .max = 1000000,
     .help = "Connections at once from one address; 0 for no limit."},
    {.section = SECTION,
     .name = "idle_seconds",
     .type = CONFIG_INT,
     .offset = FIELD(idle_seconds),
     .default_text = "60",
     .min = 1,
     .max = 3600,
     .unit = "seconds",
     .help = "After how long a connection without a request is closed."},
    {.section = SECTION,
     .name = "drain_seconds",
     .type = CONFIG_INT,
     .offset = FIELD(drain_seconds),
     .default_text = "3",
     .min = 0,
     .max = 4,
     .unit = "seconds",
     .help = "How long connections have to finish after SIGTERM before they are cut."},
};

const size_t room_config_key_count = sizeof room_config_keys / sizeof *room_config_keys;

// Where visitors come from has to be written as browsers write it: only the scheme, the host, the port. An empty one is the address itself.
static bool is_origin(const char *url)
{
    size_t scheme = strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0;
    size_t host = strcspn(url + scheme, "/?#@ \\");
    const char *rest = url + scheme + host;
    return scheme > 0 && host > 0 && rest[strspn(rest, "/")] == '\0';
}

static int check_visitors(const struct room_config *room, struct buffer *problems)
{
    struct peer_networks networks;
    struct page_files *page = NULL;
    char problem[256] = "";
    int error = 0;
    if (peer_networks_parse(room->trusted_proxies, &networks) < 0) {
        buffer_format(
            problems,
            "[waiting-room] trusted_proxies: not a list of at most %d addresses and networks (10.0.0.0/8, ::1)\n",
            PEER_NETWORKS_MAX);
        error = ERROR_INVALID;
    }
    if (room->public_url[0] && !is_origin(room->public_url)) {
        buffer_text(problems, "[waiting-room] public_url: not of the form https://HOST[:PORT]\n");
        error = ERROR_INVALID;
    }
    if (page_files_load(room->page_directory, &page, problem, sizeof problem) < 0) {
        buffer_format(problems, "[waiting-room] page_directory: %s\n", problem);
        error = ERROR_INVALID;
    }
    page_files_unref(page);
    return error;
}

// To know whose webhooks they are.
static int check_webhooks(const struct common_config *config, struct buffer *problems)
{
    struct provider_event_secrets secrets;
    char problem[256] = "";
    if (config->payment_provider != PAYMENT_STRIPE)
        return 0;
    int read = provider_event_read_secrets(config->payment_webhook_secret_file, &secrets, problem, sizeof problem);
    explicit_bzero(&secrets, sizeof secrets);
    if (read == 0 || read == ERROR_NOT_FOUND)
        return 0;
    buffer_format(problems, "[payment] webhook_secret_file: %s\n", problem);
    return ERROR_INVALID;
}

static int check_certificate(const struct room_config *room, struct buffer *problems)
{
    SSL_CTX *context = NULL;
    char problem[256] = "";
    if (!room->listen[0])
        return 0;
    if (!room->certificate[0] || !room->private_key[0]) {
        buffer_format(problems,
                      "[waiting-room] certificate, private_key: both are needed to listen by TLS (listen = %s)\n",
                      room->listen);
        return ERROR_INVALID;
    }
    int error = tls_context_new(room->certificate, room->private_key, &context, problem, sizeof problem);
    if (error < 0) {
        buffer_format(problems, "[waiting-room] certificate, private_key: %s\n", problem);
        return ERROR_INVALID;
    }
    SSL_CTX_free(context);
    return 0;
}

int room_config_check(const void *config, struct buffer *problems)
{
    const struct room_config *room = config;
    int certificate = check_certificate(room, problems), visitors = check_visitors(room, problems),
        payment = provider_check(&room->common, problems), webhooks = check_webhooks(&room->common, problems);
    return certificate ? certificate : visitors ? visitors : payment ? payment : webhooks;
}
