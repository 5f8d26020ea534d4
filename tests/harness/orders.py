# SPDX-License-Identifier: Apache-2.0
"""What tests about orders ask and look at."""

from processes import wait_until

from harness.bare import bare_client
from harness.stack import PATIENCE


def url(slug):
    return f"/v1/events/{slug}/order"


def wait_state(stack, slug, state):
    for room in stack.rooms:
        client = bare_client(stack, room)
        wait_until(lambda: client.get(f"/v1/events/{slug}").json().get("state") == state, f"{room.name} to know {slug}",
                   5 * PATIENCE)


def in_event(stack, table, slug, columns):
    return stack.sql(f"SELECT {columns} FROM {table} WHERE event_id = (SELECT id FROM events WHERE slug = %s)", slug)


def problem(answer, status, kind):
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    return answer.json()


def waits_for_a_lock(stack):
    """A waiting room waits for a row that somebody else holds."""
    return stack.sql("SELECT COUNT(*) FROM information_schema.innodb_trx t JOIN information_schema.processlist p"
                     " ON p.id = t.trx_mysql_thread_id WHERE t.trx_state = 'LOCK WAIT' AND p.user = %s",
                     stack.users["waiting-room"])[0][0] > 0
