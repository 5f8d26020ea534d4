// SPDX-License-Identifier: Apache-2.0
// Reading the arguments from one table.
#include "bench/crowd/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/crowd/told.h"
#include "common/seat.h"

#define CONNECT_TIMEOUT_MS 5000
// Each has a stream, and at times a request about the order; a waiting room allows 128 at once.
#define PER_CONNECTION_MAX 60

void options_help(void)
{
    (void)fputs(
        "Usage: crowd [OPTION]… https://HOST:PORT/e/SLUG…\n"
        "       crowd --check FILE [--ledger URL]\n\n"
        "Plays many visitors who join the line, open the stream, order, follow it until they are let in and told what\n"
        "became of the order, and go. Several addresses are several waiting rooms of one event. Ends with 0 when everybody\n"
        "was told what is right, 1 when not, 2 for wrong arguments.\n\n"
        "  --visitors N          how many (100; up to 1000000)\n"
        "  --rate N              so many arrive a second (0: all at once)\n"
        "  --leave N%            give their place up (0%)\n"
        "  --reconnect N%        drop their stream and come again with their token (0%)\n"
        "  --slow N%             read slowly (0%)\n"
        "  --orders N%           order (100%)\n"
        "  --tiers CODE,…        what is ordered, up to 4 tiers (the event's first)\n"
        "  --tickets N           1 to so many tickets an order (4)\n"
        "  --party N,N-N,…       or so many, each number as often as the others: 2,4-6\n"
        "  --order-within N      who waits orders within so many seconds (5)\n"
        "Of those who order:\n"
        "  --change N%           order other tickets after that (0%)\n"
        "  --take-back N%        take the order back, and order again (0%)\n"
        "  --in-turn N%          order only when they are let in (0%)\n"
        "  --alternatives N%     would take the other tiers too (0%)\n"
        "  --again N%            order once more if they got nothing and the turn still runs (0%)\n"
        "  --same-customer N%    share e-mail addresses, four of them one (0%)\n"
        "  --named N%            choose seats by name, from those that are free just then (0%)\n"
        "  --wheelchair N%       need a wheelchair place, and a companion's seat if they are not alone (0%)\n"
        "What they do about a hold:\n"
        "  --pay-to FILE         the seller's desk: the reference of what is paid for is written there, one a line.\n"
        "                        Without it nobody pays. With it nothing may be confirmed but what was paid for in time\n"
        "  --pay-by-card         they pay by card even if the event's document does not say that cards are taken\n"
        "  --declines N%         show a card first that is declined; most have another (0%)\n"
        "  --challenges N%       show a card about which the bank asks; most answer with yes, some with no or never (0%)\n"
        "  --time-outs N%        show a card with which the bank is slow, silent or broken at first (0%)\n"
        "  --card-with-order N%  of those who pay by card: name it in the order already (40%)\n"
        "  --pay-within N        they decide within so many seconds (2)\n"
        "  --never-pay N%        let it run out (0%)\n"
        "  --pay-late N%         pay when it has run out (0%)\n"
        "  --cancel N%           give back what they hold, or stand by for (0%)\n"
        "  --more-time N%        ask for more time first (0%)\n"
        "  --hold N              holds are so many seconds long; then the order of standby is judged too\n\n"
        "  --per-connection N    visitors on a connection (20; up to 60)\n"
        "  --seconds N           ends after that, whoever still waits (120; up to 1000000)\n"
        "  --patience N          nobody waits longer for an outcome, in seconds (30; up to 1000000)\n"
        "  --faults              interruptions are part of the test: visitors come again, and that is no fault\n"
        "  --seed N              who does what and when (1)\n"
        "  --ledger URL          the sandbox bank's ledger (or a file with it), with which what visitors were told is compared\n"
        "                        in the end, when nothing is under way any more: http://127.0.0.1:PORT/_sandbox/ledger\n"
        "  --record FILE         writes what each visitor was told, in order, as JSON lines\n"
        "  --ca FILE             PEM file with who must have signed the certificate\n"
        "  --insecure            takes any certificate\n"
        "  --elsewhere           allows addresses that are not on this machine\n"
        "  --check FILE          reads a record and says whether everybody was told what is right\n"
        "  --help                shows this\n",
        stdout);
}

static int read_number(const char *text, uint64_t min, uint64_t max, bool percent, uint64_t *ret)
{
    char *end;
    errno = 0;
    if (*text < '0' || *text > '9')
        return ERROR_INVALID;
    unsigned long long number = strtoull(text, &end, 10);
    if (percent && *end == '%')
        end++;
    if (errno != 0 || *end != '\0' || number < min || number > max)
        return ERROR_INVALID;
    *ret = number;
    return 0;
}

static int read_url(const char *url, struct options *options, char *problem, size_t problem_bytes)
{
    static const char scheme[] = "https://", page[] = "/e/";
    const char *host = url + sizeof scheme - 1;
    const char *path = strncmp(url, scheme, sizeof scheme - 1) == 0 ? strchr(host, '/') : NULL;
    const char *slug = path && strncmp(path, page, sizeof page - 1) == 0 ? path + sizeof page - 1 : NULL;
    char place[300];
    if (!slug || !slug_is_valid(slug, strlen(slug)) || (size_t)(path - host) >= sizeof place - 5) {
        (void)snprintf(problem, problem_bytes, "%s: an address is https://HOST:PORT/e/SLUG", url);
        return ERROR_INVALID;
    }
    memcpy(place, host, (size_t)(path - host));
    place[path - host] = '\0';
    const char *bracket = strrchr(place, ']');
    if (!strchr(bracket ? bracket : place, ':'))
        memcpy(place + strlen(place), ":443", sizeof ":443");
    if (options->room_count == OPTIONS_ROOMS_MAX) {
        (void)snprintf(problem, problem_bytes, "more than %d addresses", OPTIONS_ROOMS_MAX);
        return ERROR_INVALID;
    }
    if (options->room_count > 0 && strcmp(options->slug, slug) != 0) {
        (void)snprintf(problem, problem_bytes, "the addresses must be of one event, not %s and %s", options->slug,
                       slug);
        return ERROR_INVALID;
    }
    if (address_split(place, &options->rooms[options->room_count].address) != 0) {
        (void)snprintf(problem, problem_bytes, "%s: an address is https://HOST:PORT/e/SLUG", url);
        return ERROR_INVALID;
    }
    (void)snprintf(options->slug, sizeof options->slug, "%s", slug);
    options->room_count++;
    return 0;
}

struct option {
    const char *name;
    bool *flag; // without a value
    const char **text; // any value
    uint64_t *number; // min to max
    uint64_t min, max;
    bool percent;
};

static int read_option(const struct option *options, size_t count, int argc, char **argv, int *at, char *problem,
                       size_t problem_bytes)
{
    const struct option *option = NULL;
    for (size_t i = 0; i < count && !option; i++)
        if (strcmp(argv[*at], options[i].name) == 0)
            option = &options[i];
    if (!option) {
        (void)snprintf(problem, problem_bytes, "%s: there is no such option; see --help", argv[*at]);
        return ERROR_INVALID;
    }
    if (option->flag) {
        *option->flag = true;
        return 0;
    }
    if (*at + 1 == argc) {
        (void)snprintf(problem, problem_bytes, "%s needs a value", option->name);
        return ERROR_INVALID;
    }
    const char *value = argv[++*at];
    if (option->text) {
        *option->text = value;
        return 0;
    }
    if (read_number(value, option->min, option->max, option->percent, option->number) != 0) {
        (void)snprintf(problem, problem_bytes, "%s %s: a whole number from %llu to %llu is allowed%s", option->name,
                       value, (unsigned long long)option->min, (unsigned long long)option->max,
                       option->percent ? ", in percent" : "");
        return ERROR_INVALID;
    }
    return 0;
}

// The sizes of parties, as a list or as a highest one.
static int read_parties(const char *list, uint64_t highest, struct options *options, char *problem,
                        size_t problem_bytes)
{
    char why[200];
    if (!list) {
        while (options->party_count < highest) {
            options->parties[options->party_count] = (uint16_t)(options->party_count + 1);
            options->party_count++;
        }
    } else if (seat_range_read(list, options->parties, &options->party_count, why, sizeof why) != 0) {
        (void)snprintf(problem, problem_bytes, "--party: %s", why);
        return ERROR_INVALID;
    }
    return 0;
}

// What is wrong with the options together; NULL: nothing.
static const char *contradiction(const struct options *options, int argc)
{
    if (options->help)
        return NULL;
    if (options->check)
        return argc == (options->ledger ? 5 : 3) ? NULL : "--check goes alone, or with --ledger";
    if (options->room_count == 0)
        return "no address; see --help";
    if (options->leave_percent + options->reconnect_percent + options->slow_percent > 100)
        return "--leave, --reconnect and --slow are more than 100% together";
    if (options->change_percent + options->take_back_percent + options->in_turn_percent > 100)
        return "--change, --take-back and --in-turn are more than 100% together";
    if (options->named_percent + options->wheelchair_percent > 100)
        return "--named and --wheelchair are more than 100% together";
    if (options->never_pay_percent + options->pay_late_percent + options->cancel_percent + options->declines_percent +
            options->challenges_percent + options->time_outs_percent >
        100)
        return "--never-pay, --pay-late, --cancel, --declines, --challenges and --time-outs are more than 100% together";
    if (options->pay_by_card && options->pay_to)
        return "--pay-by-card and --pay-to exclude each other";
    if (options->insecure && options->ca)
        return "--insecure and --ca exclude each other";
    return NULL;
}

int options_read(int argc, char **argv, struct options *ret, char *problem, size_t problem_bytes)
{
    struct options options = {0};
    uint64_t visitors = 100, rate = 0, per_connection = 20, leave = 0, reconnect = 0, slow = 0, seconds = 120, seed = 1;
    uint64_t orders = 100, change = 0, take_back = 0, in_turn = 0, alternatives = 0, again = 0, same = 0, tickets = 4;
    uint64_t within = 5, patience = 30, named = 0, wheelchair = 0, never_pay = 0, pay_late = 0, cancel = 0;
    uint64_t more_time = 0, pay_within = 2, hold = 0, declines = 0, challenges = 0, time_outs = 0, with_order = 40;
    const char *party = NULL;
    const struct option table[] = {
        {.name = "--visitors", .number = &visitors, .min = 1, .max = TOLD_VISITORS_MAX},
        {.name = "--rate", .number = &rate, .max = 1000000},
        {.name = "--leave", .number = &leave, .max = 100, .percent = true},
        {.name = "--reconnect", .number = &reconnect, .max = 100, .percent = true},
        {.name = "--slow", .number = &slow, .max = 100, .percent = true},
        {.name = "--orders", .number = &orders, .max = 100, .percent = true},
        {.name = "--tiers", .text = &options.tiers},
        {.name = "--tickets", .number = &tickets, .min = 1, .max = OPTIONS_PARTIES_MAX},
        {.name = "--party", .text = &party},
        {.name = "--order-within", .number = &within, .max = 100000},
        {.name = "--change", .number = &change, .max = 100, .percent = true},
        {.name = "--take-back", .number = &take_back, .max = 100, .percent = true},
        {.name = "--in-turn", .number = &in_turn, .max = 100, .percent = true},
        {.name = "--alternatives", .number = &alternatives, .max = 100, .percent = true},
        {.name = "--again", .number = &again, .max = 100, .percent = true},
        {.name = "--same-customer", .number = &same, .max = 100, .percent = true},
        {.name = "--named", .number = &named, .max = 100, .percent = true},
        {.name = "--wheelchair", .number = &wheelchair, .max = 100, .percent = true},
        {.name = "--never-pay", .number = &never_pay, .max = 100, .percent = true},
        {.name = "--pay-late", .number = &pay_late, .max = 100, .percent = true},
        {.name = "--cancel", .number = &cancel, .max = 100, .percent = true},
        {.name = "--more-time", .number = &more_time, .max = 100, .percent = true},
        {.name = "--pay-to", .text = &options.pay_to},
        {.name = "--pay-by-card", .flag = &options.pay_by_card},
        {.name = "--declines", .number = &declines, .max = 100, .percent = true},
        {.name = "--challenges", .number = &challenges, .max = 100, .percent = true},
        {.name = "--time-outs", .number = &time_outs, .max = 100, .percent = true},
        {.name = "--card-with-order", .number = &with_order, .max = 100, .percent = true},
        {.name = "--pay-within", .number = &pay_within, .max = 100000},
        {.name = "--hold", .number = &hold, .max = TOLD_HOLD_MAX},
        {.name = "--per-connection", .number = &per_connection, .min = 1, .max = PER_CONNECTION_MAX},
        {.name = "--seconds", .number = &seconds, .min = 1, .max = 1000000},
        {.name = "--patience", .number = &patience, .min = 1, .max = TOLD_PATIENCE_MAX},
        {.name = "--seed", .number = &seed, .max = UINT32_MAX},
        {.name = "--record", .text = &options.record},
        {.name = "--check", .text = &options.check},
        {.name = "--ledger", .text = &options.ledger},
        {.name = "--ca", .text = &options.ca},
        {.name = "--insecure", .flag = &options.insecure},
        {.name = "--elsewhere", .flag = &options.elsewhere},
        {.name = "--faults", .flag = &options.faults},
        {.name = "--help", .flag = &options.help},
    };
    for (int i = 1; i < argc; i++) {
        int error = argv[i][0] == '-'
                        ? read_option(table, sizeof table / sizeof *table, argc, argv, &i, problem, problem_bytes)
                        : read_url(argv[i], &options, problem, problem_bytes);
        if (error != 0)
            return error;
    }
    options.visitors = (uint32_t)visitors;
    options.rate = (uint32_t)rate;
    options.per_connection = (uint32_t)per_connection;
    options.leave_percent = (uint32_t)leave;
    options.reconnect_percent = (uint32_t)reconnect;
    options.slow_percent = (uint32_t)slow;
    options.orders_percent = (uint32_t)orders;
    options.change_percent = (uint32_t)change;
    options.take_back_percent = (uint32_t)take_back;
    options.in_turn_percent = (uint32_t)in_turn;
    options.alternatives_percent = (uint32_t)alternatives;
    options.again_percent = (uint32_t)again;
    options.same_customer_percent = (uint32_t)same;
    options.named_percent = (uint32_t)named;
    options.wheelchair_percent = (uint32_t)wheelchair;
    options.never_pay_percent = (uint32_t)never_pay;
    options.pay_late_percent = (uint32_t)pay_late;
    options.cancel_percent = (uint32_t)cancel;
    options.more_time_percent = (uint32_t)more_time;
    options.declines_percent = (uint32_t)declines;
    options.challenges_percent = (uint32_t)challenges;
    options.time_outs_percent = (uint32_t)time_outs;
    options.with_order_percent = (uint32_t)with_order;
    options.pay_seconds = (int64_t)pay_within;
    options.hold_seconds = (int64_t)hold;
    options.order_seconds = (int64_t)within;
    options.patience_seconds = (int64_t)patience;
    options.seconds = (int64_t)seconds;
    options.seed = seed;
    if (read_parties(party, tickets, &options, problem, problem_bytes) != 0)
        return ERROR_INVALID;
    const char *wrong = contradiction(&options, argc);
    if (wrong) {
        (void)snprintf(problem, problem_bytes, "%s", wrong);
        return ERROR_INVALID;
    }
    *ret = options;
    return 0;
}

bool options_is_loopback(const struct sockaddr *address)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof v4);
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&v6, address, sizeof v6);
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) ||
           (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127);
}

// Whether somebody accepts connections there. A name may have several addresses of which the server has but one.
static bool answers(const struct addrinfo *info)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    int error = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    struct pollfd waiting = {.fd = fd, .events = POLLOUT};
    if (error == EINPROGRESS && poll(&waiting, 1, CONNECT_TIMEOUT_MS) == 1) {
        socklen_t bytes = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0)
            error = errno;
    }
    (void)close(fd);
    return error == 0;
}

static int find_room(struct options_room *room, bool elsewhere, char *problem, size_t problem_bytes)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(room->address.host, room->address.port, &hints, &found);
    if (error != 0) {
        (void)snprintf(problem, problem_bytes, "%s: %s", room->address.host, gai_strerror(error));
        return ERROR_PERMANENT;
    }
    for (const struct addrinfo *info = found; info && !elsewhere; info = info->ai_next)
        if (!options_is_loopback(info->ai_addr)) {
            freeaddrinfo(found);
            (void)snprintf(problem, problem_bytes,
                           "%s is not on this machine; if it is yours to be flooded, say --elsewhere",
                           room->address.host);
            return ERROR_INVALID;
        }
    const struct addrinfo *info = found;
    while (info && !answers(info))
        info = info->ai_next;
    if (info) {
        memcpy(&room->socket, info->ai_addr, info->ai_addrlen);
        room->socket_bytes = info->ai_addrlen;
    } else {
        (void)snprintf(problem, problem_bytes, "nobody answers at %s port %s", room->address.host, room->address.port);
    }
    freeaddrinfo(found);
    return info ? 0 : ERROR_TRANSIENT;
}

int options_find_rooms(struct options *options, char *problem, size_t problem_bytes)
{
    int error = 0;
    for (size_t i = 0; i < options->room_count && error == 0; i++)
        error = find_room(&options->rooms[i], options->elsewhere, problem, problem_bytes);
    return error;
}
