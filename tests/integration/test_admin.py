# SPDX-License-Identifier: Apache-2.0
"""The command line: every command as it is meant, the mistakes people make with it, exit statuses, and servers that are away."""

import copy
import json
import re
import signal
import subprocess
import zlib

import pytest
from processes import wait_until

from harness.stack import BIN, EVENT


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    """A database, users and a key; no programs."""
    return module_stack_factory().prepare()


@pytest.fixture(scope="module")
def running(module_stack_factory):
    """With an admission, for what waits for its answer."""
    return module_stack_factory().start(rooms=0, admissions=1)


def document(slug, **changes):
    return copy.deepcopy(EVENT) | {"slug": slug} | changes


def fields(result):
    return [error["field"] for error in result.problem["errors"]]


# Help and mistakes

def test_help_and_version(prepared):
    overview = prepared.onsale("help", expect=0).out
    for command in ("migrate", "event apply", "lobby", "open", "close", "pause", "resume", "stop", "start", "say",
                    "rate", "status",
                    "watch", "log", "booking show", "booking find", "booking list", "booking cancel", "dead list",
                    "dead show", "dead retry", "dead discard", "audit", "ticket check", "keys list", "keys rotate", "help"):
        assert f"  {command}" in overview
        page = prepared.onsale("help", *command.split(), expect=0).out
        assert f"usage: onsale {command}" in page and f"  onsale {command}" in page
        assert prepared.onsale(*command.split(), "--help", expect=0).out == page
    assert prepared.onsale("--help", expect=0).out == overview
    assert prepared.onsale("help", "event", expect=0).out.count("usage:") == 4
    assert "mysql_password" in prepared.onsale("help", "config", expect=0).out
    assert re.fullmatch(r"onsale \d+\.\d+\.\d+\n", prepared.onsale("--version", expect=0).out)
    assert prepared.onsale_json("--version")["version"].count(".") == 2


@pytest.mark.parametrize("words, said", [
    ([], "onsale help"),
    (["sttus"], "did you mean `onsale status`"),
    (["event", "aply", "x"], "did you mean `onsale event apply`"),
    (["frobnicate"], "there is no command 'frobnicate'"),
    (["rate"], "usage: onsale rate SLUG [PACE]"),
    (["rate", "gala", "1/s", "more"], "too much: 'more'"),
    (["status", "--fast"], "no option '--fast'"),
    (["stop", "gala"], "--reason TEXT is needed"),
    (["stop", "gala", "--reason"], "needs a value: '--reason'"),
    (["event", "apply", "x", "--dry-run=yes"], "takes no value"),
    (["event", "list", "--limit", "0"], "1 to 10000"),
    (["event", "list", "--limit", "ten"], "1 to 10000"),
    (["watch", "gala", "--count", "-1"], "--count"),
    (["status", "--config"], "--config needs a file"),
    (["sta" + "ä" * 60], "there is no command 'staää"),  # cut where it is quoted, within a character
    (["rate", "gala", "\udcff1/s"], "'1/s' is no pace"),  # a byte that is no UTF-8
])
def test_wrong_usage(prepared, words, said):
    plain = prepared.onsale(*words, expect=2)
    assert said in plain.err and plain.out == "" and plain.err.startswith("onsale: ")
    if words[-1:] != ["--config"]:
        problem = prepared.onsale(*words, "--json", expect=2).problem
        assert said in problem["detail"] and problem["exit"] == 2 and problem["type"] == "/problems/usage"


def test_global_options_stand_anywhere(prepared):
    for words in (["--json", "event", "list"], ["event", "--json", "list"], ["event", "list", "--json"]):
        assert prepared.onsale(*words, expect=0).json["items"] is not None
    done = subprocess.run([BIN / "onsale", "event", "list", f"--config={prepared.config_path}"], capture_output=True,
                          env=prepared.environment(), timeout=60)
    assert done.returncode == 0


def test_configuration_mistakes(prepared, tmp_path):
    bad = tmp_path / "bad.ini"
    bad.write_text("[mysql]\nport = many\nprot = 1\n")
    result = prepared.onsale("--config", bad, "status", expect=2)
    assert "bad.ini:2" in result.err and "bad.ini:3" in result.err
    assert "nothing.ini" in prepared.onsale("--config", tmp_path / "nothing.ini", "status", expect=2).err
    prepared.onsale("--config", bad, "--check-config", expect=2)
    prepared.onsale("--check-config", expect=0)


def test_a_reader_that_went_away_is_a_failure_not_a_crash(prepared):
    with subprocess.Popen([BIN / "onsale", "--config", prepared.config_path, "help"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=prepared.environment()) as process:
        process.stdout.close()
        assert process.wait(60) in (0, 1)


# Event files

def test_apply_show_and_apply_again(prepared):
    made = prepared.apply(document("made"))
    assert "made is made:" in made.out and "+ pace: 600/min" in made.out
    shown = prepared.onsale_json("event", "show", "made")
    assert shown["state"] == "draft" and shown["version"] == 1 and shown["starts_at"] == "2031-05-01T19:30:00Z"
    assert [(tier["code"], tier["kind"], tier["capacity"]) for tier in shown["tiers"]] == [("floor", "standing", 2000),
                                                                                           ("stalls", "seated", 59)]
    assert shown["tiers"][1]["prices"] == [{"code": "adult", "name": "Adult", "amount": 7500},
                                           {"code": "child", "name": "Child", "amount": 3500}]
    assert "75.00 EUR" in prepared.onsale("event", "show", "made", expect=0).out
    assert "nothing changes" in prepared.apply(document("made")).out
    assert prepared.onsale_json("event", "show", "made")["version"] == 1
    assert prepared.sql("SELECT seat_name, seat_position, wheelchair, companion, blocked FROM seats s JOIN events e "
                        "ON e.id = s.event_id WHERE slug = 'made' AND row_name = 'A' AND seat_position IN (1, 2, 17, 30) "
                        "ORDER BY seat_position") == (("1", 1, 1, 0, 0), ("2", 2, 0, 1, 0), ("17", 17, 0, 0, 0),
                                                      ("30", 30, 0, 0, 1))
    prepared.onsale("event", "show", "nobody", expect=3)


def test_a_dry_run_changes_nothing(prepared):
    result = prepared.apply(document("dry"), 0, "--dry-run")
    assert "would dry be made" in result.out
    prepared.onsale("event", "show", "dry", expect=3)
    prepared.apply(document("dry"))
    assert "name: Gala → Other" in prepared.apply(document("dry", name="Other"), 0, "--dry-run").out
    assert prepared.onsale_json("event", "show", "dry")["name"] == "Gala"


def test_changes_are_told_field_by_field(prepared):
    prepared.apply(document("changes"))
    changed = document("changes", venue="Opera", closes_at="2031-01-01T00:00:00+01:00")
    changed["tiers"][0] |= {"price": 5000, "capacity": 1900}
    changed["tiers"][1]["rows"][1]["seats"] = "1-20"
    path = prepared.folder / "changed.json"
    path.write_text(json.dumps(changed))
    told = prepared.onsale_json("event", "apply", path)
    assert {(change["field"], change["old"], change["new"]) for change in told["changes"]} == {
        ("venue", "City Hall", "Opera"), ("closes_at", None, "2030-12-31T23:00:00Z"),
        ("tiers.floor.capacity", "2000", "1900"),
        ("tiers.floor.prices.full.amount", "4500", "5000"), ("tiers.stalls.capacity", "59", "47"),
        ("tiers.stalls.rows.B.seats", "1-32", "1-20")}
    assert told["version"] == 2 and not told["created"]
    last = prepared.onsale("log", "changes", expect=0, as_json=True).json_lines[-1]
    assert last["action"] == "apply" and "tiers.floor.capacity: 2000 → 1900" in last["detail"]
    assert prepared.onsale_json("audit", "changes")["ok"]


def test_long_names_in_any_script_may_change(prepared):
    prepared.apply(document("long", name="x" + "ä" * 199, venue="🎫" * 200))
    prepared.apply(document("long", name="y" + "ö" * 199, venue="y" + "漢" * 199))
    detail = prepared.onsale("log", "long", expect=0, as_json=True).json_lines[-1]["detail"]
    assert detail == f"name: x{'ä' * 99} → y{'ö' * 99}; venue: {'🎫' * 50} → y{'漢' * 66}"


def test_from_standard_input(prepared):
    prepared.onsale("event", "apply", "-", stdin=json.dumps(document("piped")), expect=0)
    assert prepared.onsale_json("event", "show", "piped")["state"] == "draft"


def test_pace_and_opening_act_only_when_changed_in_the_file(prepared):
    prepared.apply(document("dial", pace="5/s"))
    prepared.onsale("rate", "dial", "7/s", expect=0)
    prepared.apply(document("dial", pace="5/s", name="Renamed"))
    assert prepared.onsale_json("rate", "dial")["pace"] == "7/s"
    prepared.apply(document("dial", pace="6/s", name="Renamed", opens_at="2031-01-01T00:00:00Z"))
    assert prepared.onsale_json("rate", "dial")["pace"] == "6/s"
    prepared.sql("UPDATE events SET opens_at = '2031-02-02' WHERE slug = 'dial'")
    prepared.apply(document("dial", pace="6/s", name="Again", opens_at="2031-01-01T00:00:00Z"))
    assert prepared.onsale_json("event", "show", "dial")["opens_at"] == "2031-02-02T00:00:00Z"
    prepared.apply(document("dial", pace="6/s", name="Again", opens_at=None))
    assert prepared.onsale_json("event", "show", "dial")["opens_at"] is None


def change_tier(position, **changes):
    def change(file):
        file["tiers"][position] |= changes
        for key in [key for key, value in file["tiers"][position].items() if value is ...]:
            del file["tiers"][position][key]
    return change


SEATED = [{"row": "A", "seats": "1-14,17-30", "wheelchair": ["1"], "companion": ["2"], "blocked": ["30"]},
          {"row": "B", "seats": "1-32"}]


@pytest.mark.parametrize("tier, change, said", [
    ("floor", change_tier(0, capacity=29), "capacity would be below"),
    ("floor", lambda file: file["tiers"].pop(0), "the tier goes away"),
    ("floor", change_tier(0, price=..., prices=[{"code": "other", "name": "Other", "amount": 1}]), "a price goes away"),
    ("floor", change_tier(0, capacity=..., rows=SEATED), "become seated"),
    ("floor", lambda file: file.update(currency="USD"), "the currency changes"),
    ("stalls", change_tier(1, rows=..., capacity=500), "become standing"),
])
def test_what_would_break_places_is_refused(prepared, request, tier, change, said):
    slug = f"broken-{zlib.crc32(request.node.name.encode())}"
    prepared.apply(document(slug))
    prepared.sql("UPDATE tiers t JOIN events e ON e.id = t.event_id SET t.held = 10, t.sold = 20 WHERE e.slug = %s "
                 "AND t.code = %s", slug, tier)
    changed = document(slug, name="Never")
    change(changed)
    for more in ([], ["--dry-run"]):
        refused = prepared.apply(changed, 1, *more)
        assert said in refused.err and f"tier {tier} has 10 places held and 20 sold, and 0 stand by: " in refused.err
    assert prepared.onsale_json("event", "show", slug)["name"] == "Gala"
    # What breaks nothing goes through all the same: more seats, another price, another name.
    fine = document(slug, name="Renamed")
    fine["tiers"][0] |= {"price": 1, "capacity": 30}
    fine["tiers"][1]["rows"].append({"row": "C", "seats": "1-5"})
    prepared.apply(fine)
    # Places that no booking has were made up for this test; the audit would see that.
    prepared.sql("UPDATE tiers t JOIN events e ON e.id = t.event_id SET t.held = 0, t.sold = 0 WHERE e.slug = %s", slug)
    assert prepared.onsale_json("audit", slug)["ok"]


def tiers(*more):
    return list(copy.deepcopy(EVENT["tiers"])) + list(more)


def tier(**members):
    return {"code": "x", "name": "X", "price": 1} | members


@pytest.mark.parametrize("changes, field", [
    ({"slug": "Not A Slug"}, "/slug"),
    ({"name": None}, "/name"),
    ({"timezone": "Europe/Atlantis"}, "/timezone"),
    ({"timezone": "../../etc/passwd"}, "/timezone"),
    ({"timezone": "posix/Europe/Berlin"}, "/timezone"),
    ({"timezone": "Europe"}, "/timezone"),
    ({"timezone": "zone.tab"}, "/timezone"),
    ({"currency": "EURO"}, "/currency"),
    ({"pace": "abc"}, "/pace"),
    ({"pace": "-1"}, "/pace"),
    ({"pace": "1e9/s"}, "/pace"),
    ({"opens_at": "soon"}, "/opens_at"),
    ({"opens_at": "2031-01-02T00:00:00Z", "closes_at": "2031-01-01T00:00:00Z"}, "/closes_at"),
    ({"max_per_order": 0}, "/max_per_order"),
    ({"colour": "red"}, "/colour"),
    ({"tiers": tiers(EVENT["tiers"][0])}, "/tiers/2/code"),
    ({"tiers": tiers(tier(capacity=10**12))}, "/tiers/2/capacity"),
    ({"tiers": tiers(tier(capacity=5, price=10**9 + 1))}, "/tiers/2/price"),
    ({"tiers": tiers(tier(capacity=5, price=-5))}, "/tiers/2/price"),
    ({"tiers": tiers(tier(capacity=5, price=1.5))}, "/tiers/2/price"),
    ({"tiers": tiers(tier(capacity=5, rows=[]))}, "/tiers/2/rows"),
    ({"tiers": tiers(tier(rows=[{"row": "A", "seats": "1-9,5"}]))}, "/tiers/2/rows/0/seats"),
    ({"tiers": tiers(tier(rows=[{"row": "A", "seats": "9-1"}]))}, "/tiers/2/rows/0/seats"),
    ({"tiers": tiers(tier(rows=[{"row": "A", "seats": "1-3"}, {"row": "A", "seats": "4"}]))}, "/tiers/2/rows/1/row"),
    ({"tiers": tiers(tier(rows=[{"row": "A", "seats": "1-3", "wheelchair": ["4"]}]))}, "/tiers/2/rows/0/wheelchair/0"),
])
def test_bad_event_files_name_the_field(prepared, changes, field):
    path = prepared.folder / "bad.json"
    path.write_text(json.dumps(document("bad") | changes))
    refused = prepared.onsale("event", "apply", path, expect=1, as_json=True)
    assert fields(refused) == [field] and refused.problem["type"] == "/problems/event-file"
    assert f"  {field}: " in prepared.onsale("event", "apply", path, expect=1).err
    prepared.onsale("event", "show", "bad", expect=3)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"slug": "a", "slug": "b"}', '{"slug": "\\u0000"}', "{" * 100,
                                  "\xff\xfe",
                                  '{"tiers": [{"price": 99999999999999999999999999}]}', " " * (1024 * 1024 + 1)])
def test_what_is_no_event_file(prepared, text):
    path = prepared.folder / "garbage.json"
    path.write_bytes(text.encode("latin-1"))
    refused = prepared.onsale("event", "apply", path, expect=1, as_json=True)
    assert fields(refused) == [""]


def test_files_that_cannot_be_read(prepared):
    assert "nothing.json" in prepared.onsale("event", "apply", "nothing.json", expect=3).err
    assert "directory" in prepared.onsale("event", "apply", prepared.folder, expect=1).err


def test_lists_go_on_after_next(module_stack_factory):
    stack = module_stack_factory().prepare()
    for number in range(5):
        stack.apply(document(f"list-{number}"))
    for words in (["event", "list"], ["status"]):
        seen, after = [], []
        while True:
            page = stack.onsale_json(*words, "--limit", "2", *after)
            assert set(page) == {"items", "next"} and len(page["items"]) <= 2
            seen += [item.get("slug") or item["event"] for item in page["items"]]
            if page["next"] is None:
                break
            after = ["--after", page["next"]]
        assert seen == [f"list-{number}" for number in range(5)]
    assert "more: onsale event list --after list-1" in stack.onsale("event", "list", "--limit", "2", expect=0).out


# The life of an event

def test_the_life_of_an_event(prepared):
    prepared.apply(document("life"))
    for command, before, after in (("lobby", "draft", "lobby"), ("open", "lobby", "open"), ("pause", "open", "paused"),
                                   ("resume", "paused", "open"), ("close", "open", "closed"),
                                   ("open", "closed", "open")):
        told = prepared.onsale_json(command, "life")
        assert (told["event"], told["old"], told["new"]) == ("life", before, after)
        again = prepared.onsale_json(command, "life")
        assert (again["old"], again["new"], again["version"]) == (after, after, told["version"])
    assert prepared.onsale("stop", "life", "--reason", "Wrong prices: 5 €", expect=0).out == "life: open → stopped\n"
    assert prepared.onsale_json("status", "life")["stop_reason"] == "Wrong prices: 5 €"
    assert prepared.onsale_json("start", "life")["new"] == "open"
    entries = prepared.onsale("log", "life", expect=0, as_json=True).json_lines
    assert [entry["action"] for entry in entries] == ["create", "lobby", "open", "pause", "resume", "close", "open",
                                                      "stop", "start"]
    assert entries[7]["detail"] == "Wrong prices: 5 €"
    assert re.fullmatch(r"\S+@\S+", entries[0]["actor"])


@pytest.mark.parametrize("command", ["lobby", "open", "close", "pause", "resume", "start", "stop"])
def test_impossible_and_unknown(prepared, command):
    reason = ["--reason", "x"] if command == "stop" else []
    prepared.onsale(command, "nobody", *reason, expect=3)
    slug = f"impossible-{command}"
    prepared.apply(document(slug))
    impossible = {"lobby": ["open"], "open": ["open", "pause"], "pause": [], "resume": [], "start": [], "stop": []}
    if command not in impossible:
        return
    for step in impossible[command]:
        prepared.onsale(step, slug, expect=0)
    refused = prepared.onsale(command, slug, *reason, expect=1, as_json=True)
    assert "impossible" in refused.problem["detail"] and refused.problem["exit"] == 1


def test_who_did_it_is_the_one_behind_sudo(prepared):
    prepared.apply(document("who"))
    prepared.onsale("open", "who", expect=0, environment={"SUDO_USER": "maria\n\x1b[2J"})
    (actor,), = prepared.sql("SELECT actor FROM event_log l JOIN events e ON e.id = l.event_id WHERE slug = 'who' AND action = 'open'")
    assert re.fullmatch(r"maria\?\?\[2J@\S+", actor)


def test_a_notice(prepared):
    prepared.apply(document("notice"))
    prepared.onsale("say", "notice", "Türen um 18:30 ✨", expect=0)
    assert prepared.onsale_json("status", "notice")["notice"] == "Türen um 18:30 ✨"
    version = prepared.onsale_json("event", "show", "notice")["version"]
    assert not prepared.onsale_json("say", "notice", "Türen um 18:30 ✨")["changed"]
    assert prepared.onsale_json("event", "show", "notice")["version"] == version
    assert prepared.onsale_json("say", "notice", "")["notice"] is None
    assert prepared.sql("SELECT notice, notice_at FROM events WHERE slug = 'notice'") == ((None, None),)
    prepared.onsale("say", "notice", "é" * 500, expect=0)
    prepared.onsale("say", "notice", "é" * 501, expect=2)
    prepared.onsale("say", "notice", "\x1b[31m", expect=2)
    prepared.onsale("say", "nobody", "x", expect=3)
    done = subprocess.run([BIN / "onsale", "--config", str(prepared.config_path), "say", "notice", b"\xff\xfe"],
                          capture_output=True, env=prepared.environment(), timeout=60)
    assert done.returncode == 2 and b"UTF-8" in done.stderr
    # A text that looks like an option, behind --.
    prepared.onsale("say", "notice", "--", "--json", expect=0)
    assert prepared.onsale_json("event", "show", "notice")["notice"] == "--json"


# The dial

@pytest.mark.parametrize("pace", ["abc", "-1", "1e9/s", "", "10", "10/m", "+5/s", " 5/s", "5/s ", "100001/s", "auto:",
                                  "1.5/s",
                                  "99999999999999999999/s"])
def test_no_pace(prepared, pace):
    refused = prepared.onsale("rate", "whatever", pace, expect=2, as_json=True)
    assert "COUNT/s" in refused.problem["detail"] and "auto" in refused.problem["detail"]


def test_dialling_while_admission_is_away(prepared):
    prepared.apply(document("away", pace="1/s"))
    told = prepared.onsale_json("rate", "away", "020/s")
    assert told == {"event": "away", "old": "1/s", "new": "20/s", "acted_ms": None, "admission": "away"}
    assert "once it is back" in prepared.onsale("rate", "away", "auto:600/min", expect=0).out
    assert prepared.onsale("rate", "away", expect=0).out == "away: auto:600/min\n"
    prepared.onsale("rate", "nobody", "1/s", expect=3)
    prepared.onsale("rate", "nobody", expect=3)
    dialled = [entry for entry in prepared.onsale("log", "away", expect=0,
                                                  as_json=True).json_lines if entry["action"] == "pace"]
    assert [entry["detail"] for entry in dialled] == ["1/s → 20/s", "20/s → auto:600/min"]


def test_admission_answers_the_dial(running):
    running.event("answer", pace="1/s")
    told = running.onsale_json("rate", "answer", "50/s")
    assert told["admission"] == "acted" and 0 <= told["acted_ms"] < 2000 and told["old"] == "1/s"
    again = running.onsale_json("rate", "answer", "50/s")
    assert again["admission"] == "acted" and again["old"] == again["new"] == "50/s"
    assert "acted on it after" in running.onsale("rate", "answer", "0", expect=0).out
    leader = running.onsale_json("status", "answer")["leader"]
    assert leader["alive"] and leader["epoch"] >= 1 and leader["age_ms"] < 2500


# Looking

def test_status_and_log_of_a_line_that_moved(running):
    running.event("moved", pace="0")
    (event,), = running.sql("SELECT id FROM events WHERE slug = 'moved'")
    with running.db() as connection, connection.cursor() as cursor:
        connection.begin()
        cursor.execute("UPDATE line_counters SET last = LAST_INSERT_ID(last + 30) WHERE event_id = %s", (event,))
        cursor.executemany("INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES "
                           "(%s, %s, UNHEX(MD5(CONCAT('moved', %s))), UTC_TIMESTAMP(6))",
                           [(event, n, n) for n in range(1, 31)])
        cursor.execute("INSERT INTO presence VALUES ('a', %s, 20, UTC_TIMESTAMP(6)), ('b', %s, 5, UTC_TIMESTAMP(6)), "
                       "('gone', %s, 99, UTC_TIMESTAMP(6) - INTERVAL 11 SECOND)", (event, event, event))
        connection.commit()
    before = running.onsale_json("status", "moved")
    assert (before["line"], before["served"], before["waiting"], before["present"]) == (30, 0, 30, 25)
    assert before["seconds_per_place"] is None and before["broker"] == "reachable"
    running.onsale("rate", "moved", "100/s", expect=0)
    wait_until(lambda: running.onsale_json("status", "moved")["served"] == 30, "all to be let in", 20)
    after = running.onsale_json("status", "moved")
    assert after["waiting"] == 0 and after["pace"]["asked"] == "100/s" and after["state"] == "open"
    assert after["pace"]["had_per_second_10s"] == pytest.approx(3.0)
    assert after["pace"]["had_per_second_60s"] == pytest.approx(0.5)
    assert [tier["left"] for tier in after["tiers"]] == [2000, 59]
    text = running.onsale("status", "moved", expect=0).out
    assert "30 places, 30 let in, 0 waiting" in text and "leads, epoch" in text and "\x1b" not in text
    table = running.onsale("status", expect=0).out.splitlines()
    assert table[0].split()[:2] == ["EVENT", "STATE"] and any(line.startswith("moved ") for line in table)
    entries = running.onsale("log", "moved", expect=0, as_json=True).json_lines
    assert sum(entry["let_in"] for entry in entries if entry["kind"] == "let_in") == 30
    assert any(entry["kind"] == "count" and entry["pace"] == "100/s" for entry in entries)
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert "let in" in running.onsale("log", "moved", expect=0).out
    assert running.onsale_json("audit", "moved")["ok"]
    running.onsale("log", "nobody", expect=3)
    running.onsale("status", "nobody", expect=3)


def test_watch(running):
    running.event("watched", pace="0")
    lines = running.onsale("watch", "watched", "--count", "2", expect=0, as_json=True).json_lines
    assert [line["event"] for line in lines] == ["watched", "watched"] and lines[0]["now"] < lines[1]["now"]
    running.onsale("watch", "nobody", expect=3)
    with subprocess.Popen([BIN / "onsale", "--config", running.config_path, "watch", "watched"], stdout=subprocess.PIPE,
                          env=running.environment(), text=True) as process:
        assert process.stdout.readline().startswith("watched  Gala")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


# Keys

def test_keys(stack_factory):
    stack = stack_factory()
    empty = stack.onsale("keys", "list", expect=0, as_json=True)
    assert empty.json == {"items": [], "next": None} and "keys rotate" in empty.err
    first = stack.onsale_json("keys", "rotate")["items"]
    second = stack.onsale_json("keys", "rotate")["items"]
    assert [key["kind"] for key in first] == [key["kind"] for key in second] == ["queue", "ticket"]
    items = {item["kid"]: item for item in stack.onsale_json("keys", "list")["items"]}
    assert len(items) == 4
    assert all(items[key["kid"]]["state"] == "signs" for key in first)
    assert all(items[key["kid"]]["state"] == "waits" for key in second)
    assert [items[key["kid"]]["algorithm"] for key in first] == ["HS256", "ES256"]
    page = stack.onsale_json("keys", "list", "--limit", "3")
    rest = stack.onsale_json("keys", "list", "--after", page["next"])
    assert [len(page["items"]), len(rest["items"])] == [3, 1] and rest["next"] is None
    (third,) = stack.onsale_json("keys", "rotate", "--kind", "ticket")["items"]
    assert third["kind"] == "ticket" and len(stack.onsale_json("keys", "list")["items"]) == 5
    stack.onsale("keys", "rotate", "--kind", "pass", expect=2)
    stack.onsale("keys", "list", "--after", "nokey", expect=3)
    text = stack.onsale("keys", "list", expect=0).out
    assert "signs" in text and "verifies, signs from" in text
    folder = stack.folder / "tokens"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "tickets").stat().st_mode & 0o777 == 0o700
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    for path in files:
        assert path.stat().st_mode & 0o777 == 0o600
        for value in json.loads(path.read_text()).values():
            if isinstance(value, str) and len(value) > 32:
                assert value not in text + json.dumps(items)
    (folder / "broken.json").write_text("{")
    (folder / "broken.json").chmod(0o600)
    assert "broken.json" in stack.onsale("keys", "list", expect=1).err


# Servers that are away

def test_mysql_is_away(stack_factory):
    stack = stack_factory(proxied=True).prepare()
    stack.apply(document("gone"))
    stack.mysql_proxy.cut()
    for words in (["status"], ["status", "gone"], ["event", "list"], ["event", "show", "gone"], ["open", "gone"],
                  ["say", "gone", "x"],
                  ["rate", "gone", "1/s"], ["rate", "gone"], ["log", "gone"], ["audit", "gone"], ["watch", "gone"],
                  ["booking", "show", "gone", "1"], ["booking", "find", "gone", "a@b"], ["booking", "list", "gone"],
                  ["booking", "cancel", "gone", "1"], ["dead", "list"], ["dead", "show", "1"], ["dead", "retry", "1"],
                  ["dead", "discard", "1"],
                  ["migrate"],
                  ["event", "apply", stack.folder / "event-gone.json"]):
        away = stack.onsale(*words, expect=4, as_json=True)
        assert away.problem["type"] == "/problems/out-of-reach" and away.problem["status"] == 503 and away.out == ""
    stack.onsale("keys", "list", expect=0)
    stack.mysql_proxy.hold()
    stack.onsale("audit", "gone", expect=4, seconds=20)  # waits long for an answer, but not for a connection
    stack.mysql_proxy.mend()
    stack.onsale("status", "gone", expect=0)


def test_rabbitmq_is_away(stack_factory):
    stack = stack_factory(proxied=True).prepare()
    stack.amqp_proxy.cut()
    stack.apply(document("quiet", pace="1/s"))
    opened = stack.onsale("open", "quiet", expect=0)
    assert "open" in opened.out and "RabbitMQ is out of reach" in opened.err
    told = stack.onsale("rate", "quiet", "2/s", expect=0, as_json=True)
    assert told.json["admission"] == "away" and "RabbitMQ" in json.loads(told.err)["note"]
    assert stack.onsale_json("status", "quiet")["broker"] == "away"
    assert stack.onsale_json("rate", "quiet")["pace"] == "2/s"


def test_the_database_is_not_set_up(stack_factory):
    stack = stack_factory()
    assert "onsale migrate" in stack.onsale("status", expect=1).err
    with stack.backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{stack.name}`")
    assert "run `onsale migrate`" in stack.onsale("status", expect=1).err
