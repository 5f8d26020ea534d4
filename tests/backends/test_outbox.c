// SPDX-License-Identifier: Apache-2.0
// The outbox between a real MySQL and a real RabbitMQ: nothing goes out that was not committed, nothing that was committed
// is lost, and nothing is removed that was not confirmed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/outbox.h"
#include "tests/backends/backends.h"

#define ROWS "SELECT COUNT(*) FROM outbox"

// What one test works with. The queue belongs to the reader's connection and goes with it.
static struct {
    struct db *db;
    struct bus *bus, *reader;
    struct outbox *outbox;
    char queue[BUS_NAME_BYTES];
} at;

static int begin(void **state)
{
    (void)state;
    const struct bus_queue wanted = {.name = "", .exclusive = true, .auto_delete = true};
    at.db = backends_db();
    at.bus = backends_bus();
    at.reader = backends_bus();
    assert_int_equal(outbox_new(&at.outbox), 0);
    assert_int_equal(bus_declare_queue(at.reader, &wanted, at.queue), 0);
    assert_int_equal(bus_consume(at.reader, at.queue, 0, true), 0);
    assert_int_equal(db_exec(at.db, "DELETE FROM outbox"), 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    outbox_free(at.outbox);
    bus_close(at.reader);
    bus_close(at.bus);
    db_close(at.db);
    return 0;
}

static void write_text(const char *text)
{
    struct buffer body CLEANUP(buffer_done) = BUFFER_INIT;
    buffer_text(&body, text);
    assert_int_equal(outbox_write(at.outbox, at.db, at.queue, "outcomes", &body), 0);
}

static void commit_text(const char *text)
{
    assert_int_equal(db_begin(at.db), 0);
    write_text(text);
    assert_int_equal(db_commit(at.db), 0);
    outbox_committed(at.outbox);
}

static void publish_and_confirm(void)
{
    assert_int_equal(outbox_publish(at.outbox, at.bus), 0);
    assert_int_equal(bus_wait_confirms(at.bus, PATIENCE_MS), 0);
    outbox_confirmed(at.outbox);
}

// Nothing else came before the next of them.
static void expect(const char *text, const char *type)
{
    struct bus_delivery delivery;
    backends_take(at.reader, &delivery);
    assert_string_equal(delivery.body, text);
    assert_string_equal(delivery.type, type);
    bus_delivery_done(&delivery);
}

// The queue keeps the order, so what is here before the mark is all that was sent.
static void expect_no_more(void)
{
    backends_publish(at.bus, at.queue, "\"mark\"");
    expect("\"mark\"", "mark");
}

static void assert_counts(size_t pending, size_t confirmed, uint64_t rows)
{
    assert_int_equal(outbox_pending(at.outbox), pending);
    assert_int_equal(outbox_confirmed_count(at.outbox), confirmed);
    assert_int_equal(backends_number(at.db, ROWS), rows);
}

static void what_was_committed_goes_out_once(void **state)
{
    (void)state;
    assert_int_equal(db_begin(at.db), 0);
    write_text("\"one\"");
    write_text("\"zwei \\u00fc ü\"");
    publish_and_confirm(); // too early: not committed
    assert_counts(0, 0, 2);
    expect_no_more();
    assert_int_equal(db_commit(at.db), 0);
    outbox_committed(at.outbox);
    assert_counts(2, 0, 2);
    assert_int_equal(outbox_publish(at.outbox, at.bus), 0);
    assert_int_equal(outbox_remove(at.outbox, at.db), 0); // too early: not confirmed
    assert_counts(2, 0, 2);
    publish_and_confirm();
    assert_counts(2, 2, 2);
    expect("\"one\"", "outcomes");
    expect("\"zwei \\u00fc ü\"", "outcomes");
    expect_no_more();
    assert_int_equal(outbox_remove(at.outbox, at.db), 0);
    outbox_committed(at.outbox);
    assert_counts(0, 0, 0);
}

static void what_was_rolled_back_is_forgotten(void **state)
{
    (void)state;
    commit_text("\"before\"");
    assert_int_equal(db_begin(at.db), 0);
    write_text("\"never\"");
    db_rollback(at.db);
    outbox_rolled_back(at.outbox);
    outbox_committed(at.outbox);
    assert_counts(1, 0, 1);
    publish_and_confirm();
    expect("\"before\"", "outcomes");
    expect_no_more();
    // The removal is undone with its transaction too.
    assert_int_equal(db_begin(at.db), 0);
    assert_int_equal(outbox_remove(at.outbox, at.db), 0);
    assert_counts(0, 0, 0);
    db_rollback(at.db);
    outbox_rolled_back(at.outbox);
    assert_counts(1, 1, 1);
    assert_int_equal(outbox_remove(at.outbox, at.db), 0);
    outbox_committed(at.outbox);
    assert_counts(0, 0, 0);
}

// Cuts the connection behind everybody's back. The first to use it may not notice, for what was sent is just not answered.
static void cut_bus(void)
{
    assert_int_equal(shutdown(bus_fd(at.bus), SHUT_RDWR), 0);
}

static void mend_bus(void)
{
    bus_close(at.bus);
    at.bus = backends_bus();
    outbox_lost_bus(at.outbox);
}

static void a_lost_connection_loses_nothing(void **state)
{
    (void)state;
    commit_text("\"confirmed\"");
    publish_and_confirm();
    commit_text("\"unsaid\"");
    cut_bus();
    int result = outbox_publish(at.outbox, at.bus);
    if (!result)
        result = bus_wait_confirms(at.bus, PATIENCE_MS);
    assert_int_equal(result, ERROR_TRANSIENT);
    assert_counts(2, 1, 2);
    mend_bus();
    publish_and_confirm();
    assert_counts(2, 2, 2);
    expect("\"confirmed\"", "outcomes"); // and not again
    expect("\"unsaid\"", "outcomes");
    expect_no_more();
}

static void what_was_sent_without_an_answer_is_sent_again(void **state)
{
    (void)state;
    commit_text("\"double\"");
    assert_int_equal(outbox_publish(at.outbox, at.bus), 0);
    assert_int_equal(bus_wait_confirms(at.bus, PATIENCE_MS), 0); // an answer that the writer did not live to note
    mend_bus();
    outbox_confirmed(at.outbox); // of nothing: all is to be sent anew
    assert_counts(1, 0, 1);
    publish_and_confirm();
    assert_counts(1, 1, 1);
    expect("\"double\"", "outcomes");
    expect("\"double\"", "outcomes");
    expect_no_more();
}

static void what_does_not_fit_is_left_to_the_sweep(void **state)
{
    (void)state;
    enum { OVER = 3 };
    char text[32];
    assert_int_equal(db_begin(at.db), 0);
    for (int i = 0; i < OUTBOX_PENDING_MAX + OVER; i++) {
        snprintf(text, sizeof(text), "%d", i);
        write_text(text);
    }
    assert_int_equal(db_commit(at.db), 0);
    outbox_committed(at.outbox);
    assert_counts(OUTBOX_PENDING_MAX, 0, OUTBOX_PENDING_MAX + OVER);
    publish_and_confirm();
    for (int i = 0; i < OUTBOX_PENDING_MAX; i++) {
        snprintf(text, sizeof(text), "%d", i);
        expect(text, "outcomes");
    }
    expect_no_more();
    for (int i = 0; i < OUTBOX_PENDING_MAX && outbox_pending(at.outbox); i++) {
        assert_int_equal(outbox_remove(at.outbox, at.db), 0);
        outbox_committed(at.outbox);
    }
    assert_counts(0, 0, OVER);
    commit_text("\"room again\"");
    assert_counts(1, 0, OVER + 1);
}

// ---------------------------------------------------------------- the sweep

// Rows of somebody who is gone, so many seconds old; the first is the oldest.
static void leave_behind(int count, int seconds)
{
    for (int i = 0; i < count; i++) {
        char text[32];
        snprintf(text, sizeof(text), "%d", i);
        assert_int_equal(db_write(at.db,
                                  "INSERT INTO outbox (queue, type, body, created_at) VALUES (?, 'outcomes', ?,"
                                  " UTC_TIMESTAMP(6) - INTERVAL ? SECOND)",
                                  (struct db_value[]){db_text(at.queue), db_text(text), DB_I(seconds)}, 3, NULL),
                         0);
    }
}

static size_t sweep(void)
{
    size_t count = SIZE_MAX;
    assert_int_equal(outbox_sweep(at.db, at.bus, &count), 0);
    return count;
}

static void expect_numbers(int from, int to)
{
    char text[32];
    for (int i = from; i < to; i++) {
        snprintf(text, sizeof(text), "%d", i);
        expect(text, "outcomes");
    }
}

static void the_sweep_takes_what_is_old(void **state)
{
    (void)state;
    leave_behind(OUTBOX_SWEEP_MAX + 5, 60);
    commit_text("\"young\"");
    assert_int_equal(sweep(), OUTBOX_SWEEP_MAX);
    assert_int_equal(backends_number(at.db, ROWS), 6);
    assert_int_equal(sweep(), 5);
    assert_int_equal(sweep(), 0);
    expect_numbers(0, OUTBOX_SWEEP_MAX + 5);
    expect_no_more();
    assert_counts(1, 0, 1); // its writer lives
}

// The other one is in the middle of its sweep, with as many rows as one takes.
static void two_sweepers_take_different_rows(void **state)
{
    (void)state;
    struct db *other = backends_db();
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    leave_behind(OUTBOX_SWEEP_MAX + 5, 60);
    assert_int_equal(db_begin(other), 0);
    assert_int_equal(db_read(other, "SELECT id FROM outbox ORDER BY created_at, id LIMIT 100 FOR UPDATE SKIP LOCKED",
                             NULL, 0, OUTBOX_SWEEP_MAX, &rows),
                     0);
    assert_int_equal(sweep(), 5);
    assert_int_equal(sweep(), 0);
    expect_numbers(OUTBOX_SWEEP_MAX, OUTBOX_SWEEP_MAX + 5);
    db_close(other); // it died, and what it held is free
    size_t count = 0;
    for (int i = 0; i < 1000 && count == 0; i++) // MySQL notices in a moment
        count = sweep();
    while (count < OUTBOX_SWEEP_MAX) {
        size_t more = sweep();
        assert_true(more > 0);
        count += more;
    }
    expect_numbers(0, OUTBOX_SWEEP_MAX);
    expect_no_more();
    assert_counts(0, 0, 0);
}

static void what_is_confirmed_is_tidied_away(void **state)
{
    (void)state;
    commit_text("\"first\"");
    assert_int_equal(outbox_tidy(at.outbox, at.db), 0);
    assert_counts(1, 0, 1); // not confirmed yet
    publish_and_confirm();
    assert_counts(1, 1, 1);
    assert_int_equal(outbox_tidy(at.outbox, at.db), 0);
    assert_counts(0, 0, 0);
    assert_int_equal(outbox_tidy(at.outbox, at.db), 0);
    commit_text("\"second\"");
    publish_and_confirm();
    assert_int_equal(db_write(at.db, "SET SESSION TRANSACTION READ ONLY", NULL, 0, NULL), 0);
    assert_int_not_equal(outbox_tidy(at.outbox, at.db), 0);
    assert_counts(1, 1, 1); // kept for another time
    assert_int_equal(db_write(at.db, "SET SESSION TRANSACTION READ WRITE", NULL, 0, NULL), 0);
    assert_int_equal(outbox_tidy(at.outbox, at.db), 0);
    assert_counts(0, 0, 0);
    expect("\"first\"", "outcomes");
    expect("\"second\"", "outcomes");
    expect_no_more();
}

static void a_sweep_without_rabbitmq_removes_nothing(void **state)
{
    (void)state;
    size_t count = SIZE_MAX;
    struct db *other = backends_db();
    leave_behind(5, 60);
    cut_bus();
    assert_int_equal(outbox_sweep(at.db, at.bus, &count), ERROR_TRANSIENT);
    assert_int_equal(count, SIZE_MAX);
    assert_int_equal(backends_number(at.db, ROWS), 5);
    mend_bus();
    assert_int_equal(outbox_sweep(other, at.bus, &count), 0);
    assert_int_equal(count, 5); // nothing is held any more
    db_close(other);
    expect_numbers(0, 5);
    expect_no_more();
    assert_counts(0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_committed_goes_out_once, begin, end),
        cmocka_unit_test_setup_teardown(what_was_rolled_back_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(a_lost_connection_loses_nothing, begin, end),
        cmocka_unit_test_setup_teardown(what_was_sent_without_an_answer_is_sent_again, begin, end),
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_left_to_the_sweep, begin, end),
        cmocka_unit_test_setup_teardown(the_sweep_takes_what_is_old, begin, end),
        cmocka_unit_test_setup_teardown(two_sweepers_take_different_rows, begin, end),
        cmocka_unit_test_setup_teardown(what_is_confirmed_is_tidied_away, begin, end),
        cmocka_unit_test_setup_teardown(a_sweep_without_rabbitmq_removes_nothing, begin, end),
    };
    return cmocka_run_group_tests(tests, backends_begin, backends_end);
}
