// SPDX-License-Identifier: Apache-2.0
// onsale event refund: a show is off. Every booking of a closed event that has places or waits for some is cancelled, in batches of one
// transaction each, and what was paid goes back. It is what `booking cancel` does, many times: each batch stands when it is committed, and
// whoever runs the command again goes on with what is left. The money itself is returned by the payers.
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "admin/commands.h"
#include "admin/currency.h"
#include "admin/notify.h"
#include "admin/order_change.h"
#include "common/clock.h"
#include "common/lifecycle.h"

#define CURRENCIES_MAX 200
#define WAIT_SECONDS_MAX 86400
#define LOOK_MS 500 // between two looks while it waits

// What an operator may cancel. What is being paid may not be: it is waited for.
#define CANCELLABLE "('held', 'action_required', 'declined', 'standby', 'confirmed')"

struct refund {
    struct context *context;
    const char *slug;
    uint64_t event_id;
    struct outbox *outbox;
    char actor[CONTEXT_ACTOR_BYTES];
    uint64_t wanted, cancelled, elsewhere; // by this run; elsewhere: confirmed, and paid to somebody else
    uint64_t confirmed, others, paying; // as they stand
    uint64_t pending, done, failed; // refunds of the event, whoever asked for them
    uint64_t with_bank; // of the pending ones: nothing is to be done here any more
    struct db_rows *sums; // currency, pending, done, failed, confirmed: amounts
};

static int find_event(struct refund *refund)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(refund->context->db, "SELECT id, state FROM events WHERE slug = ?",
                    (struct db_value[]){db_text(refund->slug)}, 1, 1, &rows);
    if (r < 0)
        return context_db_failed(refund->context, r, "event refund");
    if (db_rows_count(rows) == 0)
        return context_no_event(refund->context, refund->slug);
    refund->event_id = db_u64(rows, 0, 0);
    if (strcmp(db_string(rows, 0, 1), lifecycle_state_name(LIFECYCLE_CLOSED)) != 0)
        return context_fail(refund->context, EXIT_FAILED,
                            "event refund: %s is %s, and would be sold on; `onsale close %s` first", refund->slug,
                            db_string(rows, 0, 1), refund->slug);
    return EXIT_DONE;
}

// ---------------------------------------------------------------- how it stands

static int look(struct refund *refund)
{
    const struct db_value id[] = {DB_U(refund->event_id)};
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    struct db_rows *sums = NULL;
    int r = db_read(refund->context->db,
                    "SELECT COALESCE(SUM(state = 'confirmed'), 0), COALESCE(SUM(state IN " CANCELLABLE
                    " AND state <> 'confirmed'), 0), COALESCE(SUM(state = 'paying'), 0), COALESCE(SUM(refund = "
                    "'pending'), 0), COALESCE(SUM(refund = 'done'), 0), COALESCE(SUM(refund = 'failed'), 0), (SELECT "
                    "COUNT(DISTINCT p.place, p.attempt) FROM payments p JOIN bookings b ON b.event_id = p.event_id AND "
                    "b.place = p.place AND b.attempt = p.attempt WHERE p.event_id = ? AND p.state = 'refunding' AND "
                    "p.refund IS NOT NULL AND b.refund = 'pending') FROM bookings WHERE event_id = ?",
                    (struct db_value[]){id[0], id[0]}, 2, 1, &rows);
    if (r == 0)
        r = db_read(refund->context->db,
                    "SELECT currency, CAST(SUM(IF(refund = 'pending', amount, 0)) AS UNSIGNED), CAST(SUM(IF(refund = "
                    "'done', amount, 0)) AS UNSIGNED), CAST(SUM(IF(refund = 'failed', amount, 0)) AS UNSIGNED), "
                    "CAST(SUM(IF(state = 'confirmed', amount, 0)) AS UNSIGNED) FROM bookings WHERE event_id = ? AND "
                    "(refund IS NOT NULL OR state = 'confirmed') GROUP BY currency ORDER BY currency",
                    id, 1, CURRENCIES_MAX, &sums);
    if (r < 0)
        return context_db_failed(refund->context, r, "event refund");
    refund->confirmed = db_u64(rows, 0, 0);
    refund->others = db_u64(rows, 0, 1);
    refund->paying = db_u64(rows, 0, 2);
    refund->pending = db_u64(rows, 0, 3);
    refund->done = db_u64(rows, 0, 4);
    refund->failed = db_u64(rows, 0, 5);
    refund->with_bank = db_u64(rows, 0, 6);
    db_rows_free(refund->sums);
    refund->sums = sums;
    return EXIT_DONE;
}

static bool is_through(const struct refund *refund)
{
    return refund->confirmed + refund->others + refund->paying + refund->pending == 0;
}

// ---------------------------------------------------------------- cancelling

static void count_batch(struct refund *refund, const struct order_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (changes[i].before == changes[i].after)
            continue;
        refund->cancelled++;
        refund->elsewhere += changes[i].before == ORDER_CONFIRMED && changes[i].amount && !changes[i].refund;
    }
}

static int cancel_batch(struct refund *refund, const struct db_rows *rows)
{
    static struct order_change changes[ORDER_CHANGE_MANY_MAX];
    uint64_t places[ORDER_CHANGE_MANY_MAX];
    const size_t count = db_rows_count(rows);
    for (size_t i = 0; i < count; i++)
        places[i] = db_u64(rows, i, 0);
    int r = order_change_cancel_many(refund->context->db, refund->outbox, refund->slug, places, count, refund->actor,
                                     changes);
    if (r == ERROR_CONFLICT)
        return context_fail(refund->context, EXIT_FAILED, "event refund: %s", changes[0].why);
    if (r < 0)
        return context_db_failed(refund->context, r, "event refund");
    count_batch(refund, changes, count);
    notify_outbox(refund->context, refund->outbox);
    return EXIT_DONE;
}

static int say_progress(const struct refund *refund)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (refund->context->json)
        return EXIT_DONE;
    buffer_format(&text, "%" PRIu64 " of %" PRIu64 " cancelled\n", refund->cancelled, refund->wanted);
    return context_print_text(refund->context, &text);
}

// Goes through the places once.
static int cancel_all(struct refund *refund)
{
    uint64_t after = 0, before = refund->cancelled;
    int status = EXIT_DONE;
    for (size_t count = ORDER_CHANGE_MANY_MAX; status == EXIT_DONE && count == ORDER_CHANGE_MANY_MAX;) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        int r = db_read(refund->context->db,
                        "SELECT DISTINCT place FROM bookings WHERE event_id = ? AND place > ? AND state IN " CANCELLABLE
                        " ORDER BY place LIMIT ?",
                        (struct db_value[]){DB_U(refund->event_id), DB_U(after), DB_U(ORDER_CHANGE_MANY_MAX)}, 3,
                        ORDER_CHANGE_MANY_MAX, &rows);
        if (r < 0)
            return context_db_failed(refund->context, r, "event refund");
        count = db_rows_count(rows);
        if (count == 0)
            break;
        after = db_u64(rows, count - 1, 0);
        status = cancel_batch(refund, rows);
        if (status == EXIT_DONE)
            status = say_progress(refund);
    }
    if (refund->cancelled != before)
        notify_pay(refund->context, refund->slug, 0);
    return status;
}

// Again, as long as something is being paid or given back, and there is time.
static int wait_for_the_rest(struct refund *refund, int64_t seconds)
{
    const int64_t until_ns = clock_monotonic_ns() + seconds * 1000000000;
    int status = look(refund);
    while (status == EXIT_DONE && !is_through(refund) && clock_monotonic_ns() < until_ns) {
        (void)poll(NULL, 0, LOOK_MS);
        if (refund->confirmed + refund->others) {
            refund->wanted = refund->cancelled + refund->confirmed + refund->others;
            status = cancel_all(refund);
        }
        if (status == EXIT_DONE)
            status = look(refund);
    }
    return status;
}

// ---------------------------------------------------------------- telling

static json_t *sums_json(const struct refund *refund)
{
    json_t *items = json_array();
    for (size_t i = 0; i < db_rows_count(refund->sums); i++)
        json_array_append_new(items, json_pack("{s:s, s:I, s:I, s:I, s:I}", "currency", db_string(refund->sums, i, 0),
                                               "pending", (json_int_t)db_u64(refund->sums, i, 1), "done",
                                               (json_int_t)db_u64(refund->sums, i, 2), "failed",
                                               (json_int_t)db_u64(refund->sums, i, 3), "confirmed",
                                               (json_int_t)db_u64(refund->sums, i, 4)));
    return items;
}

static json_t *refund_json(const struct refund *refund, bool is_dry_run)
{
    return json_pack("{s:s, s:b, s:I, s:I, s:{s:I, s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:o}", "event", refund->slug,
                     "dry_run", (int)is_dry_run, "cancelled", (json_int_t)refund->cancelled, "paid_elsewhere",
                     (json_int_t)refund->elsewhere, "left", "confirmed", (json_int_t)refund->confirmed, "unpaid",
                     (json_int_t)refund->others, "paying", (json_int_t)refund->paying, "refunds", "pending",
                     (json_int_t)refund->pending, "with_bank", (json_int_t)refund->with_bank, "done",
                     (json_int_t)refund->done, "failed", (json_int_t)refund->failed, "amounts", sums_json(refund));
}

// "refunds pending: 12, 540.00 EUR"; nothing for none.
static void write_refunds(const struct refund *refund, const char *what, uint64_t count, size_t column,
                          struct buffer *text)
{
    char money[CURRENCY_AMOUNT_BYTES];
    if (count == 0)
        return;
    buffer_format(text, "%s: %" PRIu64, what, count);
    for (size_t i = 0; i < db_rows_count(refund->sums); i++) {
        const uint64_t amount = db_u64(refund->sums, i, column);
        if (amount)
            buffer_format(text, ", %s", currency_format(amount, db_string(refund->sums, i, 0), money));
    }
    buffer_text(text, "\n");
}

static void refund_text(const struct refund *refund, bool is_dry_run, struct buffer *text)
{
    if (is_dry_run) {
        write_refunds(refund, "confirmed, would be cancelled", refund->confirmed, 4, text);
        if (refund->others)
            buffer_format(text, "not paid, would be cancelled: %" PRIu64 "\n", refund->others);
    } else {
        buffer_format(text, "cancelled by this run: %" PRIu64 "\n", refund->cancelled);
        if (refund->elsewhere)
            buffer_format(text, "of them paid elsewhere: %" PRIu64 "; give that back where it was taken\n",
                          refund->elsewhere);
    }
    write_refunds(refund, "refunds pending", refund->pending, 1, text);
    if (refund->with_bank)
        buffer_format(text,
                      "of them with the bank: %" PRIu64
                      "; that may take days and goes on by itself, run it again to see "
                      "how they stand\n",
                      refund->with_bank);
    write_refunds(refund, "refunds done", refund->done, 2, text);
    write_refunds(refund, "refunds failed (see `onsale dead list`)", refund->failed, 3, text);
    if (refund->paying)
        buffer_format(text, "being paid: %" PRIu64 "; run it again once that has come to its end\n", refund->paying);
}

static int tell(const struct refund *refund, bool is_dry_run)
{
    struct buffer text CLEANUP(buffer_done) = BUFFER_INIT;
    if (refund->context->json)
        return context_print_json(refund->context, refund_json(refund, is_dry_run));
    refund_text(refund, is_dry_run, &text);
    return context_print_text(refund->context, &text);
}

static int run(struct refund *refund, int64_t wait_seconds)
{
    const bool is_dry_run = context_option(refund->context, "dry-run") != NULL;
    int status = find_event(refund);
    if (status == EXIT_DONE)
        status = look(refund);
    if (status == EXIT_DONE && !is_dry_run) {
        refund->wanted = refund->confirmed + refund->others;
        status = cancel_all(refund);
        if (status == EXIT_DONE)
            status = wait_for_the_rest(refund, wait_seconds);
    }
    if (status != EXIT_DONE)
        return status;
    status = tell(refund, is_dry_run);
    if (status != EXIT_DONE || is_dry_run)
        return status;
    // Asked to wait, it is done when the money is back; else when everybody's is on its way.
    const bool is_done = wait_seconds ? is_through(refund) : refund->confirmed + refund->others + refund->paying == 0;
    return is_done && refund->failed == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int read_wait(const struct context *context, int64_t *ret)
{
    const char *text = context_option(context, "wait");
    char *end;
    if (!text) {
        *ret = 0;
        return EXIT_DONE;
    }
    const unsigned long seconds = strtoul(text, &end, 10);
    if (*end || *text < '0' || *text > '9' || seconds < 1 || seconds > WAIT_SECONDS_MAX)
        return context_fail(context, EXIT_USAGE, "--wait is '%.20s'; 1 to %d seconds are allowed", text,
                            WAIT_SECONDS_MAX);
    *ret = (int64_t)seconds;
    return EXIT_DONE;
}

int command_event_refund(struct context *context)
{
    struct refund refund = {.context = context, .slug = context->arguments[0]};
    int64_t wait_seconds = 0;
    int status = read_wait(context, &wait_seconds);
    if (status == EXIT_DONE)
        status = context_database(context);
    if (status != EXIT_DONE)
        return status;
    if (outbox_new(&refund.outbox) < 0)
        return context_fail(context, EXIT_FAILED, "out of memory");
    context_actor(refund.actor);
    status = run(&refund, wait_seconds);
    db_rows_free(refund.sums);
    outbox_free(refund.outbox);
    return status;
}
