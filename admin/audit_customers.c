// SPDX-License-Identifier: Apache-2.0
#include "admin/audit_customers.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS 5000

struct limit {
    uint64_t tickets;
    int64_t since_us; // it may have been lowered then: what was booked before is not judged by it
};

int audit_customers_add(struct audit_customers *customers, const struct audit_kept *kept)
{
    if (customers->count == AUDIT_KEPT_MAX)
        return ERROR_LIMIT;
    if (customers->count == customers->capacity) {
        const size_t capacity = customers->capacity ? 2 * customers->capacity : 1024;
        struct audit_kept *items = realloc(customers->items, capacity * sizeof(*items));
        if (!items)
            return ERROR_MEMORY;
        customers->items = items;
        customers->capacity = capacity;
    }
    customers->items[customers->count++] = *kept;
    return 0;
}

void audit_customers_done(struct audit_customers *customers)
{
    free(customers->items);
    *customers = (struct audit_customers){0};
}

static int by_customer(const void *a, const void *b)
{
    return memcmp(((const struct audit_kept *)a)->customer, ((const struct audit_kept *)b)->customer, CUSTOMER_BYTES);
}

static const char *hex(const uint8_t customer[static CUSTOMER_BYTES], char text[static 2 * CUSTOMER_BYTES + 1])
{
    for (size_t i = 0; i < CUSTOMER_BYTES; i++) {
        text[2 * i] = "0123456789abcdef"[customer[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[customer[i] & 15];
    }
    text[2 * CUSTOMER_BYTES] = '\0';
    return text;
}

static int read_limit(struct audit *audit, struct limit *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(audit->db,
                    "SELECT e.max_per_customer, (SELECT MAX(l.at) FROM event_log l WHERE l.event_id = e.id "
                    "AND l.action = 'apply' AND (l.detail LIKE '%max_per_customer%' OR l.detail LIKE '%; and % more')) "
                    "FROM events e WHERE e.id = ?",
                    (struct db_value[]){DB_U(audit->event_id)}, 1, 1, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r < 0 ? r : ERROR_NOT_FOUND;
    *ret = (struct limit){.tickets = db_u64(rows, 0, 0), .since_us = db_time_us(rows, 0, 1)};
    return 0;
}

// Adds the bookings of one customer up, which stand together: into *ret_tickets. Returns the index after them.
static size_t add_up(struct audit *audit, const struct audit_customers *customers, size_t from,
                     const struct limit *limit, uint64_t *ret_tickets)
{
    const struct audit_kept *first = &customers->items[from];
    char text[2 * CUSTOMER_BYTES + 1];
    uint64_t tickets = 0;
    int64_t newest_us = 0;
    size_t i = from;
    for (; i < customers->count && by_customer(first, &customers->items[i]) == 0; i++) {
        tickets += customers->items[i].quantity;
        if (customers->items[i].booked_at_us > newest_us)
            newest_us = customers->items[i].booked_at_us;
    }
    if (tickets > limit->tickets && newest_us > limit->since_us)
        audit_violation(audit, AUDIT_CUSTOMERS, "customer %s has %" PRIu64 " tickets, and %" PRIu64 " are allowed",
                        hex(first->customer, text), tickets, limit->tickets);
    *ret_tickets = tickets;
    return i;
}

static void compare(struct audit *audit, const uint8_t customer[static CUSTOMER_BYTES], uint64_t counted, uint64_t has)
{
    char text[2 * CUSTOMER_BYTES + 1];
    if (counted != has)
        audit_violation(audit, AUDIT_CUSTOMERS,
                        "customer %s: %" PRIu64 " tickets are counted, the bookings have %" PRIu64, hex(customer, text),
                        counted, has);
}

// Goes along both, in the order of the customers. `customer` and `counted` are a counter's; NULL: there are no more.
static size_t catch_up(struct audit *audit, const struct audit_customers *customers, size_t at,
                       const struct limit *limit, const uint8_t *customer, uint64_t counted)
{
    uint64_t has = 0;
    while (at < customers->count &&
           (!customer || memcmp(customers->items[at].customer, customer, CUSTOMER_BYTES) < 0)) {
        const struct audit_kept *without = &customers->items[at];
        at = add_up(audit, customers, at, limit, &has);
        compare(audit, without->customer, 0, has);
    }
    has = 0;
    if (customer && at < customers->count && memcmp(customers->items[at].customer, customer, CUSTOMER_BYTES) == 0)
        at = add_up(audit, customers, at, limit, &has);
    if (customer)
        compare(audit, customer, counted, has);
    return at;
}

int audit_customers_check(struct audit_customers *customers, struct audit *audit)
{
    uint8_t after[CUSTOMER_BYTES] = {0};
    struct limit limit;
    size_t at = 0;
    int r = read_limit(audit, &limit);
    if (r < 0)
        return r;
    if (customers->count)
        qsort(customers->items, customers->count, sizeof(*customers->items), by_customer);
    for (bool more = true; more;) {
        struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
        r = db_read(
            audit->db,
            "SELECT customer, booked FROM customers WHERE event_id = ? AND customer > ? ORDER BY customer LIMIT ?",
            (struct db_value[]){DB_U(audit->event_id), DB_B(after, sizeof(after)), DB_U(PAGE_ROWS)}, 3, PAGE_ROWS,
            &rows);
        if (r < 0)
            return r;
        for (size_t i = 0; i < db_rows_count(rows); i++) {
            size_t bytes;
            const void *customer = db_bytes(rows, i, 0, &bytes);
            if (bytes != CUSTOMER_BYTES)
                return ERROR_BUG;
            memcpy(after, customer, CUSTOMER_BYTES);
            at = catch_up(audit, customers, at, &limit, after, db_u64(rows, i, 1));
        }
        more = db_rows_count(rows) == PAGE_ROWS;
    }
    (void)catch_up(audit, customers, at, &limit, NULL, 0);
    return 0;
}
