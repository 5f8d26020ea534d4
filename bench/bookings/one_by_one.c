// SPDX-License-Identifier: Apache-2.0
// What bookings are measured against: one transaction for each, as a shop would write it first. So many connections at once lock the tier,
// count, insert the booking and commit, for so many seconds; printed is how many a second were committed. It does
// less than the booking worker: no customers, no outcomes, no messages.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/db.h"
#include "common/random.h"

#define CONNECTIONS_MAX 128

static struct common_config config;
static uint64_t event_id;
static _Atomic uint64_t next_place = 1, booked;
static atomic_bool is_over;

static int book(struct db *db, uint64_t place)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    char reference[] = "0000-0000";
    uint8_t customer[16];
    uint64_t random = random_u64();
    for (size_t i = 0; i < sizeof(reference) - 1; i++, random >>= 5)
        if (i != 4)
            reference[i] = digits[random & 31];
    random_bytes(customer, sizeof(customer));
    int result = db_read(db, "SELECT capacity, held, sold FROM tiers WHERE event_id = ? AND code = 'floor' FOR UPDATE",
                         (struct db_value[]){DB_U(event_id)}, 1, 1, &rows);
    if (result)
        return result;
    if (db_rows_count(rows) == 0 || db_u64(rows, 0, 1) + db_u64(rows, 0, 2) >= db_u64(rows, 0, 0))
        return ERROR_LIMIT;
    result = db_write(db, "UPDATE tiers SET sold = sold + 1 WHERE event_id = ? AND code = 'floor'",
                      (struct db_value[]){DB_U(event_id)}, 1, NULL);
    if (result)
        return result;
    return db_write(
        db,
        "INSERT INTO bookings (event_id, place, attempt, state, revision, tier, quantity, amount, currency,"
        " customer, reference, created_at, changed_at) VALUES (?, ?, 1, 'confirmed', 3, 'floor', 1, 4500,"
        " 'EUR', ?, ?, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        (struct db_value[]){DB_U(event_id), DB_U(place), DB_B(customer, sizeof(customer)), db_text(reference)}, 4,
        NULL);
}

static void *run(void *context)
{
    (void)context;
    const struct db_options options = {.config = &config, .program = "one-by-one"};
    struct db *db = NULL;
    int result = db_open(&options, &db);
    while (result == 0 && !atomic_load(&is_over)) {
        result = db_begin(db);
        if (result == 0)
            result = book(db, atomic_fetch_add(&next_place, 1));
        if (result == 0)
            result = db_commit(db);
        else
            db_rollback(db);
        if (result == 0)
            atomic_fetch_add(&booked, 1);
    }
    if (result) {
        fprintf(stderr, "one-by-one: %s: %s\n", error_str(result), db_error_text(db));
        exit(1);
    }
    db_close(db);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[CONNECTIONS_MAX];
    if (argc != 9) {
        fprintf(stderr, "usage: one-by-one HOST PORT USER PASSWORD DATABASE EVENT_ID CONNECTIONS SECONDS\n");
        return 2;
    }
    config.mysql_host = argv[1];
    config.mysql_port = strtol(argv[2], NULL, 10);
    config.mysql_user = argv[3];
    config.mysql_password = argv[4];
    config.mysql_database = argv[5];
    event_id = strtoull(argv[6], NULL, 10);
    long connections = strtol(argv[7], NULL, 10), seconds = strtol(argv[8], NULL, 10);
    if (connections < 1 || connections > CONNECTIONS_MAX || seconds < 1 || seconds > 3600)
        return 2;
    int64_t began_ns = clock_monotonic_ns();
    for (long i = 0; i < connections; i++)
        if (pthread_create(&threads[i], NULL, run, NULL))
            return 1;
    const struct timespec pause = {.tv_sec = seconds};
    nanosleep(&pause, NULL);
    uint64_t count = atomic_load(&booked);
    double took = (double)(clock_monotonic_ns() - began_ns) / 1e9;
    atomic_store(&is_over, true);
    for (long i = 0; i < connections; i++)
        pthread_join(threads[i], NULL);
    printf("%.1f\n", (double)count / took);
    return 0;
}
