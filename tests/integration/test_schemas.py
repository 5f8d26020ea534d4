# SPDX-License-Identifier: Apache-2.0
"""docs/schemas: event files and the output of every command are what they say, to the last member."""

import copy
import json

import jsonschema
import pytest

from harness.page import Worker
from harness.schema import OUTPUT, check
from harness.stack import EVENT, ROOT

FILE = json.loads((ROOT / "docs/schemas/event-file.json").read_text())


@pytest.fixture(scope="module")
def running(module_stack_factory):
    stack = module_stack_factory().start(rooms=0, admissions=1)
    stack.event("gala", pace="5/s")
    return stack


@pytest.fixture(scope="module")
def ordered(module_stack_factory):
    """One order, of place 1."""
    stack = module_stack_factory().start(rooms=1, admissions=0)
    stack.event("gala", pace="0")
    visitor = stack.join("gala")
    with stack.client() as client:
        assert client.put("/v1/events/gala/order", headers=visitor.headers,
                          json={"tier": "floor", "quantity": 1, "email": "ada@example.org"}).status_code == 202
    return stack


def test_the_schemas_are_schemas():
    jsonschema.Draft202012Validator.check_schema(OUTPUT)
    jsonschema.Draft202012Validator.check_schema(FILE)


@pytest.mark.parametrize("name, words", [
    ("version", ["--version"]), ("migrate", ["migrate"]), ("migrate", ["migrate", "--users"]),
    ("event list", ["event", "list"]),
    ("event show", ["event", "show", "gala"]), ("lifecycle", ["open", "gala"]), ("say", ["say", "gala", "Hello"]),
    ("say", ["say", "gala", ""]),
    ("rate", ["rate", "gala"]), ("rate", ["rate", "gala", "6/s"]), ("status", ["status", "gala"]),
    ("status list", ["status"]),
    ("status", ["watch", "gala", "--count", "1"]), ("audit", ["audit", "gala"]), ("keys list", ["keys", "list"]),
    ("keys rotate", ["keys", "rotate"]),
])
def test_output(running, name, words):
    check(name, running.onsale_json(*words))


def test_output_of_apply_and_log(running):
    path = running.folder / "file.json"
    path.write_text(json.dumps(EVENT | {"slug": "other"}))
    check("event apply", running.onsale_json("event", "apply", path, "--dry-run"))
    check("event apply", running.onsale_json("event", "apply", path))
    with running.db() as connection, connection.cursor() as cursor:
        (event,), = running.sql("SELECT id FROM events WHERE slug = 'gala'")
        cursor.execute("INSERT INTO served_log VALUES (%s, 1, UTC_TIMESTAMP(6), 1, 0)", (event,))
        cursor.execute("INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
                       "VALUES (%s, UTC_TIMESTAMP(6), 0, 1, '1/s', 1, 1, 'pace')", (event,))
    entries = running.onsale("log", "gala", expect=0, as_json=True).json_lines
    for entry in entries:
        check("log", entry)
    assert {entry["kind"] for entry in entries} == {"action", "count", "let_in"}
    check("audit", running.onsale("audit", "gala", expect=1, as_json=True).json)


@pytest.mark.parametrize("state, reason", [
    ("refused", "customer_limit"), ("refused", "tier_closed"), ("refused", "event_closed"), ("refused", "seats_taken"),
    ("failed", "broken"), ("failed", "crashed"), ("failed", "payment_failed"), ("paying", "payment_unknown"),
    ("declined", "card_declined"), ("declined", "insufficient_funds"), ("declined", "expired_card"),
    ("declined", "authentication_failed"), ("declined", "payment_method_invalid")])
def test_every_reason_of_a_booking(ordered, state, reason):
    Worker(ordered).book("gala", state, pay_seconds=300 if state in ("declined", "paying") else None, reason=reason)
    story = ordered.onsale_json("booking", "show", "gala", "1")
    check("booking show", story)
    assert story["attempts"][0]["booking"]["reason"] == reason
    found = ordered.onsale_json("booking", "find", "gala", "ada@example.org")
    check("booking find", found)
    assert found["items"][0]["reason"] == reason


@pytest.mark.parametrize("words, status", [(["rate"], 2), (["status", "nobody"], 3), (["resume", "other-draft"], 1),
                                           (["event", "apply", "bad.json"], 1)])
def test_problems(running, words, status):
    running.apply(EVENT | {"slug": "other-draft"})
    (running.folder / "bad.json").write_text("{}")
    check("problem", running.onsale(*words, expect=status, as_json=True).problem)


def without(key):
    return {name: value for name, value in EVENT.items() if name != key}


@pytest.mark.parametrize("document, right", [
    (EVENT, True),
    ({key: EVENT[key] for key in ("slug", "name", "timezone", "pace")}, True),
    (EVENT | {"pace": "auto:10/s"}, True),
    (without("slug"), False), (without("name"), False), (without("timezone"), False), (without("pace"), False),
    (EVENT | {"more": 1}, False), (EVENT | {"slug": "A"}, False), (EVENT | {"pace": "10"}, False),
    (EVENT | {"pace": "-1"}, False), (EVENT | {"max_per_order": 101}, False), (EVENT | {"turn_seconds": 0}, False),
    (EVENT | {"max_active": 0}, False), (EVENT | {"currency": "euro"}, False), (EVENT | {"tiers": {}}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 1}]}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 1, "prices": [], "capacity": 1}]}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 10**9 + 1, "capacity": 1}]}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 1, "capacity": 10**7 + 1}]}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 1, "rows": [{"row": "A ", "seats": "1"}]}]}, False),
    (EVENT | {"tiers": [{"code": "x", "name": "X", "price": 1, "rows": [{"row": "A", "seats": "1-"}]}]}, False),
])
def test_the_schema_and_the_program_agree(running, document, right):
    """Whatever the schema refuses the program refuses too, and the other way round for what a schema can say."""
    assert jsonschema.Draft202012Validator(FILE).is_valid(document) == right
    path = running.folder / "agree.json"
    path.write_text(json.dumps(copy.deepcopy(document)))
    running.onsale("event", "apply", path, "--dry-run", expect=0 if right else 1)
