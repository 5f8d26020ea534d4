// SPDX-License-Identifier: Apache-2.0
// Sets the stage, lets the visitors come, shows how it goes, and sums up.
#include "bench/crowd/crowd.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench/crowd/account.h"
#include "bench/crowd/roles.h"
#include "bench/crowd/scout.h"
#include "bench/crowd/stage.h"
#include "bench/crowd/visitor.h"
#include "common/clock.h"

#define SHOWN_MAX 20 // violations in words
#define LOOK_MS 100 // how often it looks whether all are done
#define TERMINAL_LOOKS 2 // looks between two lines: on a terminal, and elsewhere
#define ELSEWHERE_LOOKS 50
#define SPARE_DESCRIPTORS 32

struct crowd {
    struct stage stage;
    SSL_CTX *tls;
    struct links *links;
    struct visitor *visitors;
    uv_timer_t look;
    uv_signal_t interrupt, terminate;
    unsigned looks, shown;
    bool on_terminal, all_joined;
    const char *reason; // why it ended; NULL: it goes on
};

static void clear_line(const struct crowd *crowd)
{
    if (crowd->on_terminal)
        (void)fputs("\r\033[K", stdout);
}

static void report(void *data, const char *text)
{
    struct crowd *crowd = data;
    if (crowd->shown++ >= SHOWN_MAX)
        return;
    clear_line(crowd);
    (void)printf("%s\n", text);
}

static void show_progress(struct crowd *crowd)
{
    struct check_counts counts;
    check_count(crowd->stage.check, &counts);
    const struct stage *stage = &crowd->stage;
    const uint64_t *orders = counts.orders;
    clear_line(crowd);
    uint64_t gone = stage->done;
    (void)printf("%.1f s: %" PRIu64 " of %" PRIu32 " joined, %" PRIu64 " ordered, %" PRIu64 " let in, %" PRIu64
                 " confirmed, %" PRIu64 " sold out, %" PRIu64 " refused, %" PRIu64 " failed, %" PRIu64
                 " waiting; %" PRIu64 " put off, %" PRIu64 " broke off, %" PRIu64 " errors%s",
                 (double)stage_now_us(stage) / 1e6, counts.joined, stage->options->visitors, counts.ordered,
                 counts.let_in, orders[ORDER_CONFIRMED], orders[ORDER_SOLD_OUT], orders[ORDER_REFUSED],
                 orders[ORDER_FAILED], counts.joined > gone ? counts.joined - gone : 0, stage->put_off, stage->lost,
                 check_violations(stage->check), crowd->on_terminal ? "" : "\n");
    (void)fflush(stdout);
}

static void stop(struct crowd *crowd, const char *reason)
{
    if (!crowd->reason)
        crowd->reason = reason;
    uv_stop(&crowd->stage.loop);
}

// Nothing has moved anybody on for as long as anybody is to wait, and somebody should have had an outcome by now.
static bool is_stuck(const struct stage *stage)
{
    int64_t now_us = stage_now_us(stage);
    return now_us - stage->news_us > stage->options->patience_seconds * 1000000 &&
           check_overdue(stage->check, now_us) > 0;
}

static void on_look(uv_timer_t *timer)
{
    struct crowd *crowd = timer->data;
    struct stage *stage = &crowd->stage;
    if (!crowd->all_joined && stage->answered == stage->options->visitors) {
        struct check_counts counts;
        check_count(stage->check, &counts);
        crowd->all_joined = true;
        clear_line(crowd);
        // Who starts the crowd may wait for this line.
        (void)printf("joined %" PRIu64 " of %" PRIu32 "\n", counts.joined, stage->options->visitors);
        (void)fflush(stdout);
    }
    if (stage->done == stage->options->visitors)
        stop(crowd, "all are done");
    else if (stage_now_us(stage) >= stage->options->seconds * 1000000)
        stop(crowd, "time is up");
    else if (is_stuck(stage))
        stop(crowd, "nothing more happens");
    else if (crowd->looks++ % (crowd->on_terminal ? TERMINAL_LOOKS : ELSEWHERE_LOOKS) == 0)
        show_progress(crowd);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    stop(handle->data, "interrupted");
}

// Setting up

static int complain(const char *what, const char *why)
{
    (void)fprintf(stderr, "crowd: %s: %s\n", what, why);
    return ERROR_PERMANENT;
}

static int open_tls(struct crowd *crowd)
{
    const struct options *options = crowd->stage.options;
    static const unsigned char protocol[] = "\2h2";
    crowd->tls = SSL_CTX_new(TLS_client_method());
    if (!crowd->tls)
        return complain("TLS", "out of memory");
    SSL_CTX_set_mode(crowd->tls,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_min_proto_version(crowd->tls, TLS1_2_VERSION);
    if (SSL_CTX_set_alpn_protos(crowd->tls, protocol, sizeof protocol - 1) != 0)
        return complain("TLS", "out of memory");
    SSL_CTX_set_verify(crowd->tls, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->insecure)
        return 0;
    int good = options->ca ? SSL_CTX_load_verify_locations(crowd->tls, options->ca, NULL)
                           : SSL_CTX_set_default_verify_paths(crowd->tls);
    if (good == 1)
        return 0;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return complain(options->ca ? options->ca : "the system's authorities", reason ? reason : "cannot be used");
}

// As many descriptors as there are connections, and a few.
static int allow_descriptors(size_t connections)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || connections + SPARE_DESCRIPTORS <= limit.rlim_cur)
        return 0;
    return complain("too many connections for this process", "take more visitors --per-connection");
}

static struct link **make_links(struct crowd *crowd, size_t count, bool slow)
{
    const struct options *options = crowd->stage.options;
    struct link **made = calloc(count ? count : 1, sizeof(struct link *));
    for (size_t i = 0; made && i < count; i++) {
        made[i] = link_new(crowd->links, &options->rooms[i % options->room_count], slow);
        if (!made[i]) {
            free(made); // the links themselves are crowd->links'
            return NULL;
        }
    }
    return made;
}

static int set_stage(struct crowd *crowd)
{
    struct stage *stage = &crowd->stage;
    const struct options *options = stage->options;
    uint32_t per = options->per_connection;
    stage->random = options->seed;
    stage->link_count = (options->visitors + per - 1) / per;
    stage->slow_link_count = (roles_share(options->visitors, options->slow_percent) + per - 1) / per;
    // Somebody who comes back takes another connection, if possible to another waiting room.
    if (stage->link_count < options->room_count)
        stage->link_count = options->room_count;
    (void)snprintf(stage->path, sizeof stage->path, "/v1/events/%s/line", options->slug);
    (void)snprintf(stage->order_path, sizeof stage->order_path, "/v1/events/%s/order", options->slug);
    (void)snprintf(stage->more_time_path, sizeof stage->more_time_path, "%s/more-time", stage->order_path);
    (void)snprintf(stage->payment_path, sizeof stage->payment_path, "/v1/events/%s/payment", options->slug);
    (void)snprintf(stage->seats_path, sizeof stage->seats_path, "/v1/events/%s/seats", options->slug);
    stage->run = (uint64_t)clock_utc_us();
    if (allow_descriptors(stage->link_count + stage->slow_link_count) != 0 || open_tls(crowd) != 0)
        return ERROR_PERMANENT;
    if (options->record) {
        stage->record = fopen(options->record, "we");
        if (!stage->record)
            return complain(options->record, strerror(errno));
    }
    if (options->pay_to) {
        stage->desk = fopen(options->pay_to, "ae");
        if (!stage->desk)
            return complain(options->pay_to, strerror(errno));
    }
    stage->check = check_new(report, crowd);
    crowd->links = links_new(&stage->loop, crowd->tls);
    crowd->visitors = calloc(options->visitors, sizeof *crowd->visitors);
    if (!stage->check || !crowd->links || !crowd->visitors)
        return complain("the visitors", "out of memory");
    stage->links = make_links(crowd, stage->link_count, false);
    stage->slow_links = make_links(crowd, stage->slow_link_count, true);
    if (!stage->links || !stage->slow_links)
        return complain("the connections", "out of memory");
    char problem[400];
    if (options->orders_percent > 0 && scout_menu(stage, crowd->links, problem, sizeof problem) != 0)
        return complain("what can be ordered", problem);
    stage->by_card = stage->menu.takes_cards || options->pay_by_card;
    stage->bank = (struct bank){
        .loop = &stage->loop, .ca = options->ca, .insecure = options->insecure, .elsewhere = options->elsewhere};
    if (stage->by_card && stage->desk)
        return complain("--pay-to", "the event takes cards, and no money at a desk");
    return roles_give(stage, crowd->visitors) == 0 ? 0 : complain("the visitors", "out of memory");
}

static void begin_record(struct stage *stage)
{
    const struct options *options = stage->options;
    char data[400], at[CLOCK_TEXT_BYTES];
    struct told told = {.kind = TOLD_BEGIN,
                        .visitors = options->visitors,
                        .faults = options->faults,
                        .patience_seconds = options->patience_seconds,
                        .has_desk = stage->desk != NULL,
                        .has_cards = stage->by_card,
                        .hold_seconds = options->hold_seconds};
    stage->begun_ns = clock_monotonic_ns();
    told.began_us = clock_utc_us();
    (void)snprintf(data, sizeof data,
                   "{\"visitors\":%" PRIu32 ",\"faults\":%s,\"patience\":%" PRId64
                   ",\"event\":\"%s\",\"began\":\"%s\",\"desk\":%s,\"cards\":%s,\"hold\":%" PRId64 "}",
                   options->visitors, options->faults ? "true" : "false", options->patience_seconds, options->slug,
                   clock_format_us(told.began_us, at), stage->desk ? "true" : "false",
                   stage->by_card ? "true" : "false", options->hold_seconds);
    memcpy(told.event, options->slug, sizeof told.event);
    stage_told(stage, &told, data);
}

static void begin(struct crowd *crowd)
{
    struct stage *stage = &crowd->stage;
    const struct options *options = stage->options;
    begin_record(stage);
    uv_update_time(&stage->loop);
    for (uint32_t i = 0; i < options->visitors; i++) {
        crowd->visitors[i].link = i / options->per_connection;
        visitor_init(&crowd->visitors[i], stage, i + 1, options->rate ? (uint64_t)i * 1000 / options->rate : 0);
    }
    (void)uv_timer_init(&stage->loop, &crowd->look);
    (void)uv_signal_init(&stage->loop, &crowd->interrupt);
    (void)uv_signal_init(&stage->loop, &crowd->terminate);
    crowd->look.data = crowd->interrupt.data = crowd->terminate.data = crowd;
    (void)uv_timer_start(&crowd->look, on_look, LOOK_MS, LOOK_MS);
    (void)uv_signal_start(&crowd->interrupt, on_signal, SIGINT);
    (void)uv_signal_start(&crowd->terminate, on_signal, SIGTERM);
}

// The end

static void show_latency(const char *what, struct latency *latency)
{
    static const unsigned percents[] = {50, 90, 99, 100};
    (void)printf("%-16s", what);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
        (void)printf(" %10.1f", (double)latency_percentile(latency, percents[i]) / 1000);
    (void)printf(" %10zu\n", latency->count);
}

// "1000 orders: 800 confirmed, 200 sold_out; 800 tickets sold"
static void show_orders(const struct check_counts *counts)
{
    if (counts->ordered == 0)
        return;
    const char *before = ":";
    (void)printf("%" PRIu64 " visitors with an order", counts->ordered);
    for (enum order_state state = 0; state < ORDER_STATE_COUNT; state++)
        if (counts->orders[state] > 0) {
            (void)printf("%s %" PRIu64 " %s", before, counts->orders[state], order_state_name(state));
            before = ",";
        }
    (void)printf("; %" PRIu64 " tickets sold\n", counts->sold);
    if (counts->cards > 0 || counts->declined > 0)
        (void)printf("%" PRIu64 " cards given in holds, %" PRIu64 " visitors declined, %" PRIu64
                     " asked by the bank; %" PRIu64 " owed by those who are confirmed\n",
                     counts->cards, counts->declined, counts->challenged, counts->owed);
    if (counts->seated > 0)
        (void)printf("%" PRIu64 " parties with seats, %" PRIu64 " of them not all side by side\n", counts->seated,
                     counts->split);
}

static void sum_up(struct crowd *crowd)
{
    struct stage *stage = &crowd->stage;
    struct check_counts counts;
    check_count(stage->check, &counts);
    if (crowd->shown > SHOWN_MAX)
        (void)printf("… and %u more\n", crowd->shown - SHOWN_MAX);
    (void)printf("\n%s after %.1f s: %" PRIu64 " visitors joined, %" PRIu64 " let in, %" PRIu64 " left, %" PRIu64
                 " came back, %" PRIu64 " turned away, %" PRIu64 " over, %" PRIu64 " not done; %" PRIu64
                 " put off, %" PRIu64 " broke off, %" PRIu64 " connections\n",
                 crowd->reason, (double)stage_now_us(stage) / 1e6, counts.joined, counts.let_in, counts.left,
                 counts.rejoined, counts.turned_away, counts.over, stage->options->visitors - stage->done,
                 stage->put_off, stage->lost, links_opened(crowd->links));
    show_orders(&counts);
    (void)printf("\n%-16s %10s %10s %10s %10s %10s\n", "milliseconds", "50%", "90%", "99%", "most", "of");
    show_latency("join", &stage->join);
    show_latency("first frame", &stage->first_frame);
    show_latency("let-in lateness", &stage->let_in);
    if (counts.ordered > 0) {
        show_latency("order answer", &stage->order_answer);
        show_latency("turn to outcome", &stage->turn_to_outcome);
        show_latency("order to outcome", &stage->order_to_outcome);
        if (stage->by_card)
            show_latency("card to outcome", &stage->card_to_outcome);
        show_latency("end to outcome", &stage->end_to_outcome);
    }
    uint64_t violations = check_violations(stage->check);
    (void)printf("\n%s\n",
                 violations == 0 ? "Everybody was told what is right." : "Not everybody was told what is right:");
    for (enum check_rule rule = 0; rule < CHECK_RULE_COUNT; rule++)
        if (check_violations_of(stage->check, rule) > 0)
            (void)printf("  %-14s %" PRIu64 "\n", check_rule_name(rule), check_violations_of(stage->check, rule));
    if (stage->problem[0])
        (void)printf("The last answer that should not have come: %s\n", stage->problem);
    if (links_problem(crowd->links)[0])
        (void)printf("The last connection that was lost: %s\n", links_problem(crowd->links));
}

static bool close_record(struct crowd *crowd)
{
    FILE *record = crowd->stage.record;
    crowd->stage.record = NULL;
    if (!record)
        return true;
    bool failed = ferror(record) != 0;
    if (fclose(record) == 0 && !failed)
        return true;
    (void)complain(crowd->stage.options->record, "could not be written whole");
    return false;
}

// Judges, sums up, and lets go of everything on the loop. True: all was well.
static bool end(struct crowd *crowd)
{
    struct stage *stage = &crowd->stage;
    char data[80];
    struct told told = {.kind = TOLD_END, .interrupted = strcmp(crowd->reason, "interrupted") == 0};
    (void)snprintf(data, sizeof data, "{\"reason\":\"%s\"}", crowd->reason);
    stage_told(stage, &told, data);
    clear_line(crowd);
    check_end(stage->check);
    bool good = !stage->options->ledger || account_settle(&stage->bank, stage->options->ledger,
                                                          stage->options->patience_seconds, stage->check) == 0;
    sum_up(crowd);
    good = good && check_violations(stage->check) == 0;
    uv_close((uv_handle_t *)&crowd->look, NULL);
    uv_close((uv_handle_t *)&crowd->interrupt, NULL);
    uv_close((uv_handle_t *)&crowd->terminate, NULL);
    for (uint32_t i = 0; i < stage->options->visitors; i++)
        visitor_close(&crowd->visitors[i]);
    return close_record(crowd) && good;
}

static void let_go(struct crowd *crowd)
{
    struct stage *stage = &crowd->stage;
    links_done(crowd->links);
    (void)uv_run(&stage->loop, UV_RUN_DEFAULT); // what was closed is told to be
    links_free(crowd->links);
    for (uint32_t i = 0; crowd->visitors && i < stage->options->visitors; i++)
        visitor_done(&crowd->visitors[i]);
    free(crowd->visitors);
    free(stage->links);
    free(stage->slow_links);
    (void)close_record(crowd);
    if (stage->desk)
        (void)fclose(stage->desk);
    check_free(stage->check);
    latency_done(&stage->join);
    latency_done(&stage->first_frame);
    latency_done(&stage->let_in);
    latency_done(&stage->order_answer);
    latency_done(&stage->turn_to_outcome);
    latency_done(&stage->order_to_outcome);
    latency_done(&stage->card_to_outcome);
    latency_done(&stage->end_to_outcome);
    SSL_CTX_free(crowd->tls);
    (void)uv_loop_close(&stage->loop);
}

int crowd_run(const struct options *options)
{
    struct crowd crowd = {.stage = {.options = options}, .on_terminal = isatty(STDOUT_FILENO) == 1};
    if (uv_loop_init(&crowd.stage.loop) != 0)
        return 1;
    bool good = set_stage(&crowd) == 0;
    if (good) {
        begin(&crowd);
        (void)uv_run(&crowd.stage.loop, UV_RUN_DEFAULT);
        good = end(&crowd);
    }
    let_go(&crowd);
    return good ? 0 : 1;
}
