// SPDX-License-Identifier: Apache-2.0
// See letter.h.
#include "notifier/letter.h"

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/outcome.h"
#include "common/topology.h"
#include "common/utf8.h"

#define BODY_BYTES_MAX (1024 * 1024) // the bus gives no more

static void say(struct dead_letter *dead, const char *queue, const char *reason, const char *detail)
{
    snprintf(dead->queue, sizeof(dead->queue), "%s", queue);
    snprintf(dead->reason, sizeof(dead->reason), "%s", reason);
    snprintf(dead->detail, sizeof(dead->detail), "%s", detail);
    utf8_mend(dead->detail); // it may quote what was sent
}

static void take_body(const struct bus_delivery *delivery, struct dead_letter *dead)
{
    dead->body = delivery->body;
    dead->body_bytes =
        delivery->body_bytes < DEAD_LETTER_BODY_BYTES_MAX ? delivery->body_bytes : DEAD_LETTER_BODY_BYTES_MAX;
    dead_letter_digest(delivery->body, delivery->body_bytes, dead->digest);
}

// A message as it was in the queue where RabbitMQ gave up on it.
static void read_returned(const struct bus_delivery *delivery, const json_t *object, struct message *scratch,
                          struct letter *ret)
{
    static const char given_up[] = "RabbitMQ gave up on this message";
    const char *queue = delivery->died_in[0] ? delivery->died_in : TOPOLOGY_DEAD, *type;
    if (object && json_read_string(object, "type", 32, &type) == 0 && strcmp(type, OUTCOMES_TYPE) == 0 &&
        !delivery->died_in[0])
        queue = TOPOLOGY_OUTCOMES;
    if (message_read(delivery->body, delivery->body_bytes, scratch, NULL, 0) == 0 && scratch->type == MESSAGE_BOOK) {
        queue = topology_booking_queue_of(scratch->book.event_id);
        ret->is_returned_book = true;
        ret->release = scratch->book.release;
        ret->dead.event_id = scratch->book.event_id;
        ret->dead.place = scratch->book.place;
        ret->dead.attempt = scratch->book.attempt;
    }
    say(&ret->dead, queue, "returned", given_up);
}

int letter_read(const struct bus_delivery *delivery, struct message *scratch, struct letter *ret)
{
    struct letter letter = {0};
    json_t *object CLEANUP(json_cleanup) = NULL;
    char problem[128] = "";
    const char *type = "";
    int result =
        json_read_object(delivery->body, delivery->body_bytes, BODY_BYTES_MAX, problem, sizeof(problem), &object);
    if (result == ERROR_MEMORY)
        return result;
    if (object && json_read_string(object, "type", 32, &type))
        type = "";
    bool is_dead = strcmp(type, DEAD_LETTER_TYPE) == 0;
    if (is_dead) {
        result = dead_letter_read(delivery->body, delivery->body_bytes, &letter.dead, problem, sizeof(problem));
        if (result == ERROR_MEMORY)
            return result;
        if (result == 0) {
            *ret = letter;
            return 0;
        }
    }
    take_body(delivery, &letter.dead);
    if (!object && !delivery->died_in[0])
        say(&letter.dead, TOPOLOGY_DEAD, "not_json", problem);
    else if (is_dead && !delivery->died_in[0])
        say(&letter.dead, TOPOLOGY_DEAD, "version", problem);
    else
        read_returned(delivery, object, scratch, &letter);
    *ret = letter;
    return 0;
}

void letter_reduce(struct letter *letter, const char *detail)
{
    letter->is_returned_book = false;
    letter->dead.event_id = letter->dead.place = 0;
    letter->dead.attempt = 0;
    say(&letter->dead, TOPOLOGY_DEAD, "version", detail);
}

void letter_done(struct letter *letter)
{
    dead_letter_done(&letter->dead);
    *letter = (struct letter){0};
}
