// SPDX-License-Identifier: Apache-2.0
// Several ways of counting bookings in MySQL, compared: so many connections at once book for so many seconds, on one row or spread over
// many, and what was committed is counted. Prints one line of CSV: bookings a second, the 50th and 99th percentile and the
// longest time of one in milliseconds (with all its tries), tries that were in vain, deadlocks, its own CPU time in microseconds a booking.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "bench/locking/way.h"
#include "common/clock.h"
#include "common/random.h"

#define CONNECTIONS_MAX 128
#define SAMPLES_MAX 200000 // times kept of one connection
#define PLACES_EACH UINT64_C(1000000000) // so that no two connections use the same
#define BACKOFF_MAX_US UINT64_C(20000)

struct booker {
    pthread_t thread;
    uint64_t number, booked, conflicts, deadlocks;
    size_t sample_count;
    uint32_t *samples_us; // from the first try to the commit
};

static struct common_config config;
static const struct way *way;
static uint64_t row_count;
static _Atomic bool is_counting, is_over;

// Before a try after others were faster: any time up to a bound that doubles.
static void pause_after(unsigned tries)
{
    uint64_t most_us = UINT64_C(100) << (tries < 8 ? tries : 8);
    uint64_t pause_us = random_u64() % (most_us < BACKOFF_MAX_US ? most_us : BACKOFF_MAX_US);
    const struct timespec pause = {.tv_nsec = (long)(pause_us * 1000)};
    nanosleep(&pause, NULL);
}

// Tries until it is committed, or the time is over.
static int book_once(struct booker *booker, struct db *db, uint64_t row, uint64_t place)
{
    int result = way->book(db, row, place);
    for (unsigned tries = 0; (result == ERROR_CONFLICT || result == ERROR_TRANSIENT) && db_is_connected(db); tries++) {
        if (atomic_load(&is_counting))
            *(result == ERROR_CONFLICT ? &booker->conflicts : &booker->deadlocks) += 1;
        if (atomic_load(&is_over))
            return result;
        pause_after(tries);
        result = way->book(db, row, place);
    }
    return result;
}

static void note(struct booker *booker, int64_t took_ns)
{
    booker->booked += way->bookings;
    if (booker->sample_count < SAMPLES_MAX)
        booker->samples_us[booker->sample_count++] = (uint32_t)(took_ns / 1000);
}

static void *run(void *context)
{
    struct booker *booker = context;
    const struct db_options options = {.config = &config, .program = "bench-locking"};
    struct db *db = NULL;
    int result = db_open(&options, &db);
    uint64_t place = booker->number * PLACES_EACH + 1;
    for (; result == 0 && !atomic_load(&is_over); place += way->bookings) {
        int64_t began_ns = clock_monotonic_ns();
        result = book_once(booker, db, 1 + random_u64() % row_count, place);
        // Whatever was begun before the time was over counts only when it was committed before.
        if (result == 0 && atomic_load(&is_counting) && !atomic_load(&is_over))
            note(booker, clock_monotonic_ns() - began_ns);
    }
    if (result && result != ERROR_CONFLICT && result != ERROR_TRANSIENT) {
        fprintf(stderr, "locking: %s: %s\n", error_str(result), db_error_text(db));
        exit(1);
    }
    db_close(db);
    return NULL;
}

// ---------------------------------------------------------------- the result

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

// Of sorted times, the one that so many of a hundred do not exceed.
static double percentile_ms(const uint32_t *times_us, size_t count, size_t percent)
{
    size_t index = (count - 1) * percent / 100;
    return times_us[index] / 1e3;
}

static int report(const struct booker *bookers, size_t count, double seconds, double used_cpu_us)
{
    uint64_t booked = 0, conflicts = 0, deadlocks = 0;
    size_t samples = 0;
    for (size_t i = 0; i < count; i++) {
        booked += bookers[i].booked;
        conflicts += bookers[i].conflicts;
        deadlocks += bookers[i].deadlocks;
        samples += bookers[i].sample_count;
    }
    uint32_t *times_us = samples > 0 ? calloc(samples, sizeof(*times_us)) : NULL;
    if (!times_us)
        return 1;
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < bookers[i].sample_count; k++)
            times_us[at++] = bookers[i].samples_us[k];
    qsort(times_us, samples, sizeof(*times_us), by_size);
    printf("%.0f,%.2f,%.2f,%.2f,%llu,%llu,%.1f\n", (double)booked / seconds, percentile_ms(times_us, samples, 50),
           percentile_ms(times_us, samples, 99), percentile_ms(times_us, samples, 100), (unsigned long long)conflicts,
           (unsigned long long)deadlocks, used_cpu_us / (double)booked);
    free(times_us);
    return 0;
}

static void wait_ms(long milliseconds)
{
    const struct timespec pause = {.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int measure(size_t connections, long warm_ms, long milliseconds)
{
    static struct booker bookers[CONNECTIONS_MAX];
    for (size_t i = 0; i < connections; i++) {
        bookers[i].number = i;
        bookers[i].samples_us = calloc(SAMPLES_MAX, sizeof(uint32_t));
        if (!bookers[i].samples_us || pthread_create(&bookers[i].thread, NULL, run, &bookers[i]))
            return 1;
    }
    wait_ms(warm_ms); // connecting, preparing statements
    double cpu_before_us = cpu_us();
    int64_t began_ns = clock_monotonic_ns();
    atomic_store(&is_counting, true);
    wait_ms(milliseconds);
    atomic_store(&is_over, true);
    double seconds = (double)(clock_monotonic_ns() - began_ns) / 1e9, used_cpu_us = cpu_us() - cpu_before_us;
    for (size_t i = 0; i < connections; i++)
        pthread_join(bookers[i].thread, NULL);
    int status = report(bookers, connections, seconds, used_cpu_us);
    for (size_t i = 0; i < connections; i++)
        free(bookers[i].samples_us);
    return status;
}

static int usage(void)
{
    fprintf(stderr, "usage: locking HOST PORT USER PASSWORD DATABASE WAY ROWS CONNECTIONS MILLISECONDS\n"
                    "`stock` has rows 1 to ROWS, `booked` is empty; bench/locking.py makes both. WAY is one of\n");
    for (size_t i = 0; i < way_count; i++)
        fprintf(stderr, "  %-17s %s\n", ways[i].name, ways[i].about);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc != 10 || !(way = way_find(argv[6])))
        return usage();
    config.mysql_host = argv[1];
    config.mysql_port = strtol(argv[2], NULL, 10);
    config.mysql_user = argv[3];
    config.mysql_password = argv[4];
    config.mysql_database = argv[5];
    row_count = strtoull(argv[7], NULL, 10);
    long connections = strtol(argv[8], NULL, 10), milliseconds = strtol(argv[9], NULL, 10);
    if (row_count < 1 || row_count > 10000 || connections < 1 || connections > CONNECTIONS_MAX || milliseconds < 100 ||
        milliseconds > 3600000)
        return usage();
    return measure((size_t)connections, 300, milliseconds);
}
