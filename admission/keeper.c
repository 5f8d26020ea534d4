// SPDX-License-Identifier: Apache-2.0
// See keeper.h. The loop: news from the courier, then what the clock asks for (versions, counters, timetable), then a
// step, then what is to be told, then sleep until something is due. Whatever goes wrong in MySQL ends in one of two
// ways: the lines are read anew, or the lead is lost and everything with it. In both the counts begin anew, so
// nothing is made up for in a burst.
#define _GNU_SOURCE // ppoll
#include "admission/keeper.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "admission/leader.h"
#include "admission/lines.h"
#include "admission/meters.h"
#include "admission/step.h"
#include "admission/store.h"
#include "common/backoff.h"
#include "common/clock.h"
#include "common/db.h"
#include "common/log.h"
#include "common/random.h"

#define MS_NS INT64_C(1000000)
// A transaction that takes longer than this has lost the lead anyway.
#define IO_TIMEOUT_SECONDS 3
#define LOCK_WAIT_TIMEOUT_SECONDS 1
// How long the server keeps the locks of a leader that froze inside a transaction, if nobody ends its connection
// sooner.
#define WAIT_TIMEOUT_SECONDS 3
#define STAND_BY_NS (150 * MS_NS) // between two looks at who leads
#define BEAT_NS (500 * MS_NS) // renews the lease, tells of all lines
#define VERSIONS_NS (1000 * MS_NS)
#define COUNTERS_NS (20 * MS_NS) // at most this often the last place given is read, while somebody is about to reach it
#define ACTIVE_NS (100 * MS_NS) // between two looks at how many turns have ended, where that matters
#define STEP_GAP_NS (1 * MS_NS) // faster paces let in several at a step
// Orders that cannot be released for so long hold the lines of the events that sell.
#define HOLD_NS (1000 * MS_NS)
#define SEEN_NS (5000 * MS_NS) // MySQL has not answered for so long: not ready

#define ANSWERS_MAX 64
#define ANSWER_NS (10000 * MS_NS) // nobody waits for an answer longer than this

// Who waits for an answer, and until when.
struct asked {
    struct mailbox_change change;
    int64_t until_ns;
};

struct keeper {
    const struct common_config *config;
    struct mailbox *mailbox;
    pthread_t thread;
    struct db *db;
    struct leader leader;
    struct leader_view seen; // who led when this program stood by last
    struct lines lines;
    struct step step;
    struct backoff backoff;
    bool holds; // lines stand still because orders cannot be released
    int said_away; // the error that was said; 0: MySQL is there
    int64_t beat_at_ns, versions_at_ns, counters_at_ns, active_at_ns, step_at_ns;
    struct asked asked[ANSWERS_MAX];
    size_t asked_count;
    struct message_served_event told[MAILBOX_LINES_MAX];
    _Atomic int64_t seen_mysql_ns;
};

bool keeper_sees_mysql(const struct keeper *keeper)
{
    return clock_monotonic_ns() - atomic_load(&keeper->seen_mysql_ns) < SEEN_NS;
}

static void saw_mysql(struct keeper *keeper)
{
    atomic_store(&keeper->seen_mysql_ns, clock_monotonic_ns());
    backoff_reset(&keeper->backoff);
    if (keeper->said_away)
        log_info("mysql_back", LOG_S("holder", keeper->leader.holder));
    keeper->said_away = 0;
}

// Says once for each kind of error that MySQL is away, and how long to wait before asking again.
static int64_t mysql_is_away(struct keeper *keeper, const char *doing, int error)
{
    const struct log_field fields[] = {
        LOG_S("doing", doing),
        LOG_S("error", error_str(error)),
        LOG_U("number", keeper->db ? db_errno(keeper->db) : 0),
        LOG_S("text", db_error_text(keeper->db)),
    };
    // Rights, a missing database or table: it will not pass by itself.
    enum log_level level = error == ERROR_TRANSIENT ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR;
    if (keeper->said_away != error)
        log_emit(level, "mysql_away", fields, sizeof(fields) / sizeof(fields[0]));
    keeper->said_away = error;
    return clock_monotonic_ns() + backoff_next_ms(&keeper->backoff, random_u64()) * MS_NS;
}

static void lose_lead(struct keeper *keeper, const char *reason)
{
    log_warn("lost_leadership", LOG_U("epoch", keeper->leader.epoch), LOG_S("reason", reason));
    leader_lose(&keeper->leader);
    mailbox_set_lead(keeper->mailbox, 0);
    metric_set(&meter_leads, 0);
    keeper->asked_count = 0;
    keeper->seen.epoch = 0;
}

// ---------------------------------------------------------------- standing by

static int become_leader(struct keeper *keeper)
{
    int64_t now_ns = clock_monotonic_ns();
    lines_done(&keeper->lines);
    int result = lines_refresh(&keeper->lines, keeper->db);
    if (!result)
        result = lines_read_heads(&keeper->lines, keeper->db);
    if (result)
        return result;
    log_info("became_leader", LOG_U("epoch", keeper->leader.epoch), LOG_S("holder", keeper->leader.holder),
             LOG_U("events", keeper->lines.count));
    metric_set(&meter_leads, 1);
    metric_set(&meter_epoch, (int64_t)keeper->leader.epoch);
    mailbox_set_lead(keeper->mailbox, keeper->leader.epoch);
    keeper->beat_at_ns = keeper->counters_at_ns = keeper->active_at_ns = keeper->step_at_ns = now_ns;
    keeper->versions_at_ns = now_ns + VERSIONS_NS;
    return 0;
}

static void ignore_changes(struct keeper *keeper)
{
    struct mailbox_change change;
    while (mailbox_take_change(keeper->mailbox, &change))
        ; // the leader hears of it as well
}

// Returns when to look again.
static int64_t stand_by(struct keeper *keeper)
{
    struct leader_view view;
    ignore_changes(keeper);
    int result = leader_try(&keeper->leader, keeper->db, &view);
    if (result == 0)
        result = become_leader(keeper);
    else if (result == ERROR_CONFLICT) {
        saw_mysql(keeper);
        if (view.epoch != keeper->seen.epoch)
            log_info("standing_by", LOG_S("leader", view.holder), LOG_U("epoch", view.epoch));
        keeper->seen = view;
        int64_t wait_ns = view.expires_in_ms > 0 ? view.expires_in_ms * MS_NS : 0;
        return clock_monotonic_ns() + (wait_ns < STAND_BY_NS ? wait_ns : STAND_BY_NS);
    }
    if (result) {
        int64_t again_ns = mysql_is_away(keeper, "standing by", result);
        if (keeper->leader.leads) {
            leader_resign(&keeper->leader, keeper->db); // another may be able to
            lose_lead(keeper, "could not read the lines");
        }
        return again_ns;
    }
    saw_mysql(keeper);
    return clock_monotonic_ns();
}

// ---------------------------------------------------------------- telling

static void tell_of(const struct line *line, struct message_served_event *ret)
{
    *ret = (struct message_served_event){.served = line->served, .last = line->last};
    memcpy(ret->slug, line->event.slug, sizeof(ret->slug));
    pace_format(&line->event.pace, ret->pace);
    ret->has_wait = line_forecast(line, &ret->us_per_place_low, &ret->us_per_place_high);
}

static void tell_of_step(struct keeper *keeper)
{
    size_t count = keeper->step.moved_count < MAILBOX_LINES_MAX ? keeper->step.moved_count : MAILBOX_LINES_MAX;
    for (size_t i = 0; i < count; i++)
        tell_of(&keeper->step.moved[i].entry->line, &keeper->told[i]);
    if (count > 0)
        mailbox_put_served(keeper->mailbox, keeper->leader.epoch, keeper->told, count, false);
    for (size_t i = 0; i < count; i++)
        mailbox_hint(keeper->mailbox, keeper->told[i].slug);
}

static void tell_of_all(struct keeper *keeper)
{
    size_t count = 0;
    for (size_t i = 0; i < keeper->lines.count && count < MAILBOX_LINES_MAX; i++)
        if (lines_is_live(keeper->lines.entries[i]))
            tell_of(&keeper->lines.entries[i]->line, &keeper->told[count++]);
    mailbox_put_served(keeper->mailbox, keeper->leader.epoch, keeper->told, count, true);
}

// Who asked hears that this program acts on the version, once it does: the row is read, and the count runs by it.
static bool is_acted_on(struct keeper *keeper, const struct mailbox_change *change, uint64_t *ret_version)
{
    const struct lines_entry *entry = lines_find(&keeper->lines, change->slug);
    if (!entry || entry->is_stale || entry->line.event.version < change->version)
        return false;
    if (entry->line.event.state == LIFECYCLE_OPEN && entry->line.restart != LINE_RUNS)
        return false;
    *ret_version = entry->line.event.version;
    return true;
}

static void answer(struct keeper *keeper)
{
    size_t kept = 0;
    int64_t now_ns = clock_monotonic_ns();
    for (size_t i = 0; i < keeper->asked_count; i++) {
        struct asked *asked = &keeper->asked[i];
        if (is_acted_on(keeper, &asked->change, &asked->change.version)) {
            asked->change.epoch = keeper->leader.epoch;
            mailbox_put_answer(keeper->mailbox, &asked->change);
        } else if (now_ns < asked->until_ns) {
            keeper->asked[kept++] = *asked;
        }
    }
    keeper->asked_count = kept;
}

// ---------------------------------------------------------------- leading

static void take_changes(struct keeper *keeper, int64_t now_ns)
{
    struct mailbox_change change;
    while (mailbox_take_change(keeper->mailbox, &change)) {
        struct lines_entry *entry = lines_find(&keeper->lines, change.slug);
        if (!entry)
            keeper->versions_at_ns = now_ns; // a new event
        else if (entry->line.event.version < change.version)
            entry->is_stale = true;
        if (change.reply_to[0] && keeper->asked_count == ANSWERS_MAX) {
            // Nobody waits for long; the oldest has given up by now.
            memmove(keeper->asked, keeper->asked + 1, (ANSWERS_MAX - 1) * sizeof(keeper->asked[0]));
            keeper->asked_count--;
        }
        if (change.reply_to[0])
            keeper->asked[keeper->asked_count++] = (struct asked){change, now_ns + ANSWER_NS};
    }
}

// Whoever is let in may order at once and wait for the outcome: so nobody is, where orders go nowhere.
static void hold_lines(struct keeper *keeper, int64_t now_ns)
{
    int64_t since_ns = mailbox_trouble_ns(keeper->mailbox);
    bool holds = since_ns != MAILBOX_NO_TROUBLE && now_ns - since_ns > HOLD_NS;
    for (size_t i = 0; i < keeper->lines.count; i++)
        line_hold(&keeper->lines.entries[i]->line, holds);
    if (holds && !keeper->holds)
        log_warn("lines_held", LOG_S("reason", "orders cannot be released"));
    else if (!holds && keeper->holds)
        log_info("lines_go_on", LOG_S("reason", "orders can be released again"));
    keeper->holds = holds;
}

// Whether the line may reach the last place known before the counter is read again anyway.
static bool nears_its_end(const struct line *line)
{
    if (line->event.state != LIFECYCLE_OPEN || line->count.rate_count == 0)
        return false;
    uint64_t soon = line->count.rate_count / line->count.rate_seconds / 5 + 2;
    return line->last < line->served + soon;
}

static int read_counters(struct keeper *keeper, int64_t now_ns, bool all)
{
    for (size_t i = 0; i < keeper->lines.count; i++) {
        struct lines_entry *entry = keeper->lines.entries[i];
        if (!lines_is_live(entry) || !(all || nears_its_end(&entry->line)))
            continue;
        int result = store_read_last(keeper->db, entry->line.event.id, &entry->line.last);
        if (result)
            return result;
    }
    keeper->counters_at_ns = now_ns + COUNTERS_NS;
    return 0;
}

// Counting who left goes along everybody inside. With a hundred thousand of them it would take the thread's time from the
// lines, so a look that was long is followed by a longer wait: it never has more than a twentieth.
static int read_active(struct keeper *keeper, int64_t now_ns)
{
    int64_t began_ns = clock_monotonic_ns();
    for (size_t i = 0; i < keeper->lines.count; i++) {
        struct line *line = &keeper->lines.entries[i]->line;
        if (line->event.state != LIFECYCLE_OPEN || !line->event.has_max_active || line->last <= line->served)
            continue;
        int result = store_read_active(keeper->db, &line->event, line->served, &line->active);
        if (result)
            return result;
    }
    int64_t wait_ns = 20 * (clock_monotonic_ns() - began_ns);
    keeper->active_at_ns = now_ns + (wait_ns > ACTIVE_NS ? wait_ns : ACTIVE_NS);
    return 0;
}

static int keep_to_timetable(struct keeper *keeper, struct lines_entry *entry, enum lifecycle_action action)
{
    const struct line_event *event = &entry->line.event;
    struct lifecycle_change change = {0};
    int result = leader_hold(&keeper->leader, keeper->db);
    if (!result)
        result = lifecycle_apply(keeper->db, event->slug, action, "timetable", NULL, &change);
    if (result == ERROR_CONFLICT && keeper->leader.leads) {
        entry->refused_version = event->version; // asked again when it has changed
        entry->is_stale = true;
        log_warn("timetable_refused", LOG_S("slug", event->slug), LOG_S("action", lifecycle_action_name(action)),
                 LOG_S("state", lifecycle_state_name(change.before)));
        return 0;
    }
    if (result)
        return result;
    entry->is_stale = true;
    log_info("timetable", LOG_S("slug", event->slug), LOG_S("action", lifecycle_action_name(action)),
             LOG_S("state", lifecycle_state_name(change.after)), LOG_U("version", change.version));
    struct mailbox_change news = {.version = change.version};
    memcpy(news.slug, event->slug, sizeof(news.slug));
    mailbox_put_news(keeper->mailbox, &news);
    mailbox_hint(keeper->mailbox, event->slug);
    return 0;
}

static int keep_timetables(struct keeper *keeper, int64_t now_ns)
{
    int64_t mysql_us = lines_mysql_us(&keeper->lines, now_ns);
    for (size_t i = 0; i < keeper->lines.count; i++) {
        struct lines_entry *entry = keeper->lines.entries[i];
        const struct line_event *event = &entry->line.event;
        enum lifecycle_action action;
        if (entry->is_stale || entry->refused_version == event->version ||
            !timetable_due(&event->timetable, event->state, mysql_us, &action))
            continue;
        int result = keep_to_timetable(keeper, entry, action);
        if (result)
            return result;
    }
    return 0;
}

// Twice a second: the lease, and what has to be right even for lines that do not move.
static int beat(struct keeper *keeper, int64_t now_ns)
{
    int result = read_counters(keeper, now_ns, true);
    if (!result)
        result = step_keep_forecasts(&keeper->lines, &keeper->leader, keeper->db);
    if (result)
        return result;
    tell_of_all(keeper);
    keeper->beat_at_ns = now_ns + BEAT_NS;
    return 0;
}

static int make_step(struct keeper *keeper)
{
    int64_t now_ns = clock_monotonic_ns();
    if (now_ns < keeper->step_at_ns)
        return 0;
    int result = step_make(&keeper->step, &keeper->lines, &keeper->leader, keeper->db);
    if (result)
        return result;
    tell_of_step(keeper);
    if (keeper->step.moved_count > 0)
        keeper->step_at_ns = now_ns + STEP_GAP_NS;
    return 0;
}

static int lead_once(struct keeper *keeper)
{
    int64_t now_ns = clock_monotonic_ns();
    int result = 0;
    take_changes(keeper, now_ns);
    if (now_ns >= keeper->versions_at_ns) {
        result = lines_refresh(&keeper->lines, keeper->db);
        keeper->versions_at_ns = now_ns + VERSIONS_NS;
    }
    if (!result)
        result = keep_timetables(keeper, now_ns);
    if (!result)
        result = lines_read_stale(&keeper->lines, keeper->db);
    if (!result)
        result = lines_read_heads(&keeper->lines, keeper->db);
    if (!result && now_ns >= keeper->counters_at_ns)
        result = read_counters(keeper, now_ns, false);
    if (!result && now_ns >= keeper->active_at_ns)
        result = read_active(keeper, now_ns);
    hold_lines(keeper, clock_monotonic_ns());
    if (!result)
        result = make_step(keeper);
    if (!result && now_ns >= keeper->beat_at_ns)
        result = beat(keeper, now_ns);
    if (!result)
        answer(keeper);
    return result;
}

// When the leader has to do something again.
static int64_t next_ns(const struct keeper *keeper)
{
    int64_t next = keeper->beat_at_ns < keeper->versions_at_ns ? keeper->beat_at_ns : keeper->versions_at_ns;
    int64_t mysql_us = lines_mysql_us(&keeper->lines, clock_monotonic_ns());
    for (size_t i = 0; i < keeper->lines.count; i++) {
        const struct lines_entry *entry = keeper->lines.entries[i];
        if (entry->is_stale && !entry->is_broken)
            return INT64_MIN;
        int64_t step_ns = line_next_ns(&entry->line);
        step_ns = step_ns < keeper->step_at_ns ? keeper->step_at_ns : step_ns;
        int64_t timetable_us = timetable_next_us(&entry->line.event.timetable, mysql_us);
        int64_t timetable_ns =
            timetable_us == TIMETABLE_NEVER ? INT64_MAX : lines_monotonic_ns(&keeper->lines, timetable_us);
        next = step_ns < next ? step_ns : next;
        next = timetable_ns < next ? timetable_ns : next;
        if (nears_its_end(&entry->line) && keeper->counters_at_ns < next)
            next = keeper->counters_at_ns;
        if (entry->line.held_by == GATE_FULL && keeper->active_at_ns < next)
            next = keeper->active_at_ns;
    }
    return next;
}

// Returns when to come back.
static int64_t lead(struct keeper *keeper)
{
    int result = lead_once(keeper);
    if (result == 0) {
        saw_mysql(keeper);
        return next_ns(keeper);
    }
    if (!keeper->leader.leads) {
        lose_lead(keeper, "somebody else leads");
        return clock_monotonic_ns();
    }
    if (!db_is_connected(keeper->db)) {
        int64_t again_ns = mysql_is_away(keeper, "leading", result);
        lose_lead(keeper, "lost MySQL");
        return again_ns;
    }
    // A deadlock, a full disk, a row that is not as it should be: begin anew from what MySQL says.
    log_warn("step_failed", LOG_S("error", error_str(result)), LOG_U("number", db_errno(keeper->db)),
             LOG_S("text", db_error_text(keeper->db)));
    lines_forget_heads(&keeper->lines);
    return clock_monotonic_ns() + backoff_next_ms(&keeper->backoff, random_u64()) * MS_NS;
}

// ---------------------------------------------------------------- the thread

// 0 when there is a connection.
static int connect_mysql(struct keeper *keeper)
{
    if (keeper->db)
        return db_ensure(keeper->db);
    const struct db_options options = {
        .config = keeper->config,
        .program = "admission",
        .io_timeout_seconds = IO_TIMEOUT_SECONDS,
        .wait_timeout_seconds = WAIT_TIMEOUT_SECONDS,
        .lock_wait_timeout_seconds = LOCK_WAIT_TIMEOUT_SECONDS,
    };
    return db_open(&options, &keeper->db);
}

static int64_t work(struct keeper *keeper)
{
    int result = connect_mysql(keeper);
    if (result)
        return mysql_is_away(keeper, "connecting", result);
    return keeper->leader.leads ? lead(keeper) : stand_by(keeper);
}

static void wait_until(struct keeper *keeper, int64_t at_ns)
{
    int64_t wait_ns = at_ns == INT64_MIN ? 0 : at_ns - clock_monotonic_ns();
    if (wait_ns < 0)
        wait_ns = 0;
    if (wait_ns > 1000 * MS_NS)
        wait_ns = 1000 * MS_NS;
    struct pollfd fd = {.fd = mailbox_keeper_fd(keeper->mailbox), .events = POLLIN};
    const struct timespec timeout = {.tv_sec = wait_ns / 1000000000, .tv_nsec = wait_ns % 1000000000};
    if (ppoll(&fd, 1, &timeout, NULL) > 0)
        mailbox_clear_keeper(keeper->mailbox);
}

static void *run(void *context)
{
    struct keeper *keeper = context;
    // The kernel may round this thread's waits up by 50 µs otherwise.
    prctl(PR_SET_TIMERSLACK, 1UL);
    while (!mailbox_is_stopping(keeper->mailbox))
        wait_until(keeper, work(keeper));
    if (keeper->leader.leads) {
        mailbox_set_lead(keeper->mailbox, 0);
        leader_resign(&keeper->leader, keeper->db);
        metric_set(&meter_leads, 0);
        log_info("resigned", LOG_U("epoch", keeper->leader.epoch));
    }
    db_close(keeper->db);
    lines_done(&keeper->lines);
    step_done(&keeper->step);
    return NULL;
}

int keeper_start(const struct common_config *config, const char *holder, struct mailbox *mailbox, struct keeper **ret)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    if (!keeper)
        return ERROR_MEMORY;
    keeper->config = config;
    keeper->mailbox = mailbox;
    keeper->backoff = (struct backoff){.first_ms = 20, .most_ms = 500};
    atomic_store(&keeper->seen_mysql_ns, INT64_MIN / 2);
    snprintf(keeper->leader.holder, sizeof(keeper->leader.holder), "%s", holder);
    if (pthread_create(&keeper->thread, NULL, run, keeper)) {
        free(keeper);
        return ERROR_PERMANENT;
    }
    *ret = keeper;
    return 0;
}

void keeper_join(struct keeper *keeper)
{
    if (!keeper)
        return;
    pthread_join(keeper->thread, NULL);
    free(keeper);
}
