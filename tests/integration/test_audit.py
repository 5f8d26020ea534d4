# SPDX-License-Identifier: Apache-2.0
"""onsale audit: a line that is in order holds; each thing that must hold is broken by hand, and just that check says so."""

import pytest
from processes import wait_until

NAMES = {1: "held and sold", 2: "one open or confirmed", 3: "nobody is let in", 4: "served never goes back", 5: "one end",
         6: "money is authorised", 7: "at most pace", 8: "no dead letter"}


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


@pytest.fixture
def line(prepared, request):
    """An event that opened at 10:00 and let in ten of its twelve visitors, one a second, from 10:00:01; paused at 10:01."""
    slug = "a-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[:60].strip("-").lower()
    prepared.event(slug, state="draft")
    (event, version), = prepared.sql("SELECT id, version FROM events WHERE slug = %s", slug)
    at = "TIMESTAMP('2026-11-23 10:{}')"
    with prepared.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("DELETE FROM event_log WHERE event_id = %s", (event,))
        for action, when in (("create", "00:00"), ("open", "00:00.5"), ("pause", "01:00")):
            cursor.execute(f"INSERT INTO event_log (event_id, at, actor, action) VALUES (%s, {at.format(when)}, 'a', %s)",
                           (event, action))
        cursor.execute("UPDATE events SET state = 'paused', lobby_size = 0 WHERE id = %s", (event,))
        cursor.execute("UPDATE line_counters SET last = 12 WHERE event_id = %s", (event,))
        cursor.execute("UPDATE leaders SET epoch = GREATEST(epoch, 5)")
        for number in range(1, 13):
            cursor.execute(f"INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES (%s, %s, "
                           f"UNHEX(MD5(CONCAT(%s, ':', %s))), {at.format('00:00.7')})", (event, number, event, number))
        cursor.execute(f"INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
                       f"VALUES (%s, {at.format('00:01')}, 0, 3, '1/s', 1, 1, 'open')", (event,))
        for served in range(1, 11):
            cursor.execute(f"INSERT INTO served_log VALUES (%s, %s, {at.format(f'00:{served:02}')}, 3, 0)",
                           (event, served))
        cursor.execute("UPDATE line_served SET served = 10, epoch = 3 WHERE event_id = %s", (event,))
        for place in (1, 10):
            cursor.execute(f"INSERT INTO turns VALUES (%s, %s, {at.format('00:10')}, 0, 0)", (event, place))
        connection.commit()
    assert prepared.onsale_json("audit", slug)["ok"]
    return slug, event


def broken(stack, slug):
    """The numbers of the checks that fail, and what they say."""
    result = stack.onsale("audit", slug, as_json=True)
    report = result.json
    assert report["ok"] == all(check["ok"] for check in report["checks"]) and result.code == (0 if report["ok"] else 1)
    for check in report["checks"]:
        assert NAMES[check["n"]] in check["name"]
        assert check["ok"] == (check["violations"] == [])
    assert [check["n"] for check in report["checks"]] == sorted(NAMES)
    return {check["n"]: check["violations"] for check in report["checks"] if not check["ok"]}


def test_what_is_in_order(prepared, line):
    slug, _ = line
    result = prepared.onsale("audit", slug, expect=0)
    assert [text.split()[:2] for text in result.out.splitlines()] == [[str(n), "holds"] for n in sorted(NAMES)]
    prepared.onsale("audit", "nobody", expect=3)


CASES = {
    "seats": (1, "UPDATE tiers SET capacity = capacity + 1 WHERE event_id = {e} AND code = 'stalls'", "can be sold"),
    "blocked": (1, "UPDATE seats SET blocked = 1 WHERE event_id = {e} AND row_name = 'B'", "can be sold"),
    "before opening": (3, "UPDATE event_log SET at = '2026-11-23 10:00:02.5' WHERE event_id = {e} AND action = 'open'",
                       "draft"),
    "never opened": (3, "DELETE FROM event_log WHERE event_id = {e} AND action = 'open'", "draft"),
    "in a pause": (3, "UPDATE event_log SET at = '2026-11-23 10:00:08.5' WHERE event_id = {e} AND action = 'pause'",
                   "paused"),
    "served over last": (4, "UPDATE line_counters SET last = 9 WHERE event_id = {e}; DELETE FROM arrivals WHERE event_id = {e} "
                            "AND number > 9", "last place given is 9"),
    "served back": (4, "UPDATE line_served SET served = 9 WHERE event_id = {e}; DELETE FROM turns WHERE event_id = {e}",
                    "its log ends at 10"),
    "time back": (4, "UPDATE served_log SET at = '2026-11-23 10:00:06.5' WHERE event_id = {e} AND served = 5",
                  "was before"),
    "epoch back": (4, "UPDATE served_log SET epoch = 2 WHERE event_id = {e} AND served = 5", "epoch 2"),
    "epoch of nobody": (4, "UPDATE served_log SET epoch = 9000000000 WHERE event_id = {e} AND served >= 10",
                        "no leader"),
    "clock back": (4, "UPDATE served_log SET stopped_us = 7 WHERE event_id = {e} AND served = 5", "gone back"),
    "a gap": (4, "DELETE FROM arrivals WHERE event_id = {e} AND number = 6", "11 arrivals"),
    "one too many": (4, "INSERT INTO arrivals VALUES ({e}, 13, UNHEX(MD5('{e}:13')), '2026-11-23 10:00:00', NULL)",
                     "to 13"),
    "place 0": (4, "UPDATE arrivals SET number = 0 WHERE event_id = {e} AND number = 1", "from 0"),
    "a twin": (4, "UPDATE arrivals SET visitor = UNHEX(MD5('{e}:1')) WHERE event_id = {e} AND number = 7", "1 and 7"),
    "lobby": (4, "UPDATE events SET lobby_size = 13 WHERE id = {e}", "the lobby had 13"),
    "turn too soon": (4, "INSERT INTO turns VALUES ({e}, 5, '2026-11-23 10:00:04.9', 0, 0)", "place 5"),
    "turn of nobody": (4, "INSERT INTO turns VALUES ({e}, 11, '2026-11-23 10:00:20', 0, 0)", "place 11"),
    "too fast": (7, "UPDATE served_log SET at = '2026-11-23 10:00:04.9' WHERE event_id = {e} AND served = 5",
                 "at most 4"),
    "burst": (7, "UPDATE pace_log SET at = '2026-11-23 10:00:01.000001' WHERE event_id = {e}", "at most"),
    "at 0": (7, "UPDATE pace_log SET rate_count = 0 WHERE event_id = {e}", "while the pace was 0"),
    "no count": (7, "DELETE FROM pace_log WHERE event_id = {e}", "has no count"),
    "count from nowhere": (7, "INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
                              "VALUES ({e}, '2026-11-23 10:00:03', 5, 3, '1/s', 1, 1, 'pace')", "before place 5"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_break_is_found_by_its_check(prepared, line, case):
    slug, event = line
    n, statements, words = CASES[case]
    for statement in statements.format(e=event).split("; "):
        prepared.sql(statement)
    found = broken(prepared, slug)
    assert list(found) == [n], found
    assert any(words in violation for violation in found[n]), found
    assert f"{n}  BROKEN" in prepared.onsale("audit", slug, expect=1).out


def test_oversold(prepared, line):
    slug, event = line
    with prepared.db() as connection, connection.cursor() as cursor:
        try:
            cursor.execute("SET check_constraint_checks = 0")  # the server itself would refuse it otherwise
        except Exception:
            pytest.skip("this server has no way around a CHECK")
        cursor.execute("UPDATE tiers SET sold = 1500, held = 501 WHERE event_id = %s AND code = 'floor'", (event,))
    found = broken(prepared, slug)
    assert list(found) == [1] and "501 held and 1500 sold of 2000" in found[1][0]


def test_a_change_of_the_dial_begins_a_new_stretch(prepared, line):
    """What is too fast for one stretch is right for the next, and what was saved in one is not carried over."""
    slug, event = line
    insert = ("INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
              "VALUES (%s, %s, %s, 3, %s, %s, %s, 'pace')")
    prepared.sql(insert, event, "2026-11-23 10:00:05.5", 5, "60/min", 60, 60)
    prepared.sql("UPDATE served_log SET at = '2026-11-23 10:00:05.500001' WHERE event_id = %s AND served = 6", event)
    assert broken(prepared, slug) == {}
    prepared.sql("UPDATE served_log SET at = '2026-11-23 10:00:06.499999' WHERE event_id = %s AND served = 7", event)
    assert list(broken(prepared, slug)) == [7]
    prepared.sql("UPDATE served_log SET at = '2026-11-23 10:00:06.5' WHERE event_id = %s AND served = 7", event)
    assert broken(prepared, slug) == {}


def test_many_violations_are_counted(prepared, line):
    slug, event = line
    prepared.sql("UPDATE served_log SET at = '2026-11-23 10:00:01' WHERE event_id = %s", event)
    prepared.sql("INSERT INTO served_log SELECT event_id, served + 100, at, epoch, stopped_us FROM served_log "
                 "WHERE event_id = %s", event)
    found = broken(prepared, slug)
    assert len(found[7]) == 11 and found[7][-1] == "and 9 more"


def test_a_real_line_holds(stack):
    """Real programs, and an operator who tries everything: whatever was done, all of it holds."""
    # Slow enough that somebody still waits at the end, however long the commands take.
    stack.event("real", state="lobby", pace="1/s")
    first = stack.join("real")
    for _ in range(39):
        stack.join("real")
    stream = stack.pool().event_stream("real", first)
    stream.wait("line", lambda line: line["line"] == "lobby", seconds=20)
    stack.onsale("open", "real", expect=0)

    def served():
        return stack.onsale_json("status", "real")["served"]

    def moves(after):
        wait_until(lambda reached=served() + 1: served() >= reached, f"somebody to be let in after {after}", 20)

    stream.wait("line", lambda line: line["line"] == "turn", seconds=20)
    for halt, go_on in ((["pause"], "resume"), (["stop", "--reason", "x"], "start"), (["close"], "open")):
        moves(halt)
        stack.onsale(halt[0], "real", *halt[1:], expect=0)
        before = served()
        stack.onsale("rate", "real", "1000/s", expect=0)  # waits for admission: it had every chance to let somebody in
        stack.onsale("rate", "real", "1/s", expect=0)
        assert served() == before
        stack.onsale(go_on, "real", expect=0)
    moves("open")
    stack.onsale("rate", "real", "auto:30/s", expect=0)
    wait_until(lambda: served() == 40, "all to be let in", 20)
    assert broken(stack, "real") == {}
    assert stack.sql("SELECT place, came_back FROM turns") == ((1, 0),)


def test_a_long_line(prepared):
    """More steps and more counts than one page holds."""
    prepared.event("long", state="draft")
    (event,), = prepared.sql("SELECT id FROM events WHERE slug = 'long'")
    steps = 11000
    with prepared.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("INSERT INTO event_log (event_id, at, actor, action) VALUES (%s, '2026-11-22 00:00:00', 'a', 'open')",
                       (event,))
        cursor.executemany("INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) VALUES "
                           "(%s, TIMESTAMPADD(SECOND, %s, '2026-11-22 01:00:00'), %s, 1, '1/s', 1, 1, 'empty')",
                           [(event, n, n) for n in range(steps)])
        cursor.executemany("INSERT INTO served_log VALUES (%s, %s, TIMESTAMPADD(SECOND, %s, '2026-11-22 01:00:00'), 1, 0)",
                           [(event, n, n - 1) for n in range(1, steps + 1)])
        cursor.executemany("INSERT INTO arrivals VALUES (%s, %s, UNHEX(MD5(CONCAT('long', %s))), '2026-11-22 00:30:00', NULL)",
                           [(event, n, n) for n in range(1, steps + 1)])
        cursor.execute("UPDATE line_counters SET last = %s WHERE event_id = %s", (steps, event))
        cursor.execute("UPDATE line_served SET served = %s, epoch = 1 WHERE event_id = %s", (steps, event))
        cursor.execute("UPDATE leaders SET epoch = GREATEST(epoch, 1)")
        connection.commit()
    assert broken(prepared, "long") == {}
    prepared.sql("UPDATE pace_log SET rate_count = 0 WHERE event_id = %s AND served = %s", event, steps - 1)
    assert list(broken(prepared, "long")) == [7]
