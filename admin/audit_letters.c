// SPDX-License-Identifier: Apache-2.0
// The audit of what must be told: a failed booking, and a payment that cannot go on by itself, have a dead letter, or it is on its way through the outbox and RabbitMQ to the
// notifier; and news leave the outbox.
#include <inttypes.h>
#include <string.h>

#include "admin/audit.h"
#include "common/topology.h"

#define ROWS_MAX 100000

struct left {
    uint64_t letters; // dead letters among what is in the outbox
};

// What stands in the outbox of this event. A body that cannot be read is nobody's.
static int check_outbox(struct audit *audit, struct left *ret)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    int r = db_read(audit->db,
                    "SELECT o.id, o.queue, o.created_at FROM outbox o JOIN events e ON e.id = ? WHERE "
                    "IF(JSON_VALID(o.body), JSON_UNQUOTE(JSON_EXTRACT(o.body, '$.slug')), '') = e.slug OR "
                    "IF(JSON_VALID(o.body), JSON_EXTRACT(o.body, '$.event_id'), 0) = e.id ORDER BY o.id LIMIT 100000",
                    (struct db_value[]){DB_U(audit->event_id)}, 1, ROWS_MAX, &rows);
    if (r < 0)
        return r;
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        const int64_t age_us = audit->now_us - db_time_us(rows, i, 2);
        audit->news_waiting++;
        ret->letters += strcmp(db_string(rows, i, 1), TOPOLOGY_DEAD) == 0;
        if (audit->options.settled && age_us > AUDIT_SETTLED_US)
            audit_violation(audit, AUDIT_LETTERS, "message %" PRIu64 " for %s is in the outbox since %" PRId64 " s",
                            db_u64(rows, i, 0), db_string(rows, i, 1), age_us / 1000000);
    }
    return 0;
}

// Failed bookings (number 0), and payments that an operator must hear of. An order that is retried is booked again; that of a payment's letter is
// not, and stays failed.
#define WITHOUT_LETTER                                                                                                 \
    "SELECT b.place, 0, b.changed_at FROM bookings b LEFT JOIN (SELECT DISTINCT place, attempt FROM dead_letters "     \
    "WHERE event_id = ? AND (state IN ('open', 'discarded') OR queue = '" TOPOLOGY_PAYMENTS "')) AS d ON "             \
    "d.place = b.place AND d.attempt = b.attempt "                                                                     \
    "WHERE b.event_id = ? AND b.state = 'failed' AND d.place IS NULL UNION ALL "                                       \
    "SELECT p.place, p.number, p.changed_at FROM payments p LEFT JOIN (SELECT DISTINCT place, attempt FROM "           \
    "dead_letters WHERE event_id = ? AND state IN ('open', 'discarded') AND queue = '" TOPOLOGY_PAYMENTS "') AS d ON " \
    "d.place = p.place AND d.attempt = p.attempt WHERE p.event_id = ? AND (p.state = 'failed' OR p.is_dead = 1) AND "  \
    "d.place IS NULL ORDER BY 1, 2 LIMIT 100000"

static void break_without(struct audit *audit, uint64_t place, uint64_t payment)
{
    if (payment)
        audit_violation(audit, AUDIT_PAYMENTS,
                        "place %" PRIu64 ": payment %" PRIu64 " needs an operator, and there is no dead letter", place,
                        payment);
    else
        audit_violation(audit, AUDIT_LETTERS, "place %" PRIu64 ": the booking failed, and there is no dead letter",
                        place);
}

static int check_failed(struct audit *audit, const struct left *left)
{
    struct db_rows *rows CLEANUP(db_rows_cleanup) = NULL;
    const struct db_value id = DB_U(audit->event_id);
    int r = db_read(audit->db, WITHOUT_LETTER, (struct db_value[]){id, id, id, id}, 4, ROWS_MAX, &rows);
    if (r < 0 || db_rows_count(rows) == 0)
        return r;
    const int64_t patience_us = audit->options.settled ? AUDIT_SETTLED_US : AUDIT_OVERDUE_US;
    uint64_t waiting = left->letters, late = 0;
    for (size_t i = 0; i < db_rows_count(rows); i++)
        late += audit->now_us - db_time_us(rows, i, 2) > patience_us;
    if (late > waiting && audit->options.count_letters)
        waiting += audit->options.count_letters(audit->options.subject);
    for (size_t i = 0; i < db_rows_count(rows); i++) {
        if (late <= waiting || audit->now_us - db_time_us(rows, i, 2) <= patience_us)
            audit->letters_waiting++;
        else
            break_without(audit, db_u64(rows, i, 0), db_u64(rows, i, 1));
    }
    return 0;
}

int audit_letters(struct audit *audit)
{
    struct left left = {0};
    int r = check_outbox(audit, &left);
    return r < 0 ? r : check_failed(audit, &left);
}
