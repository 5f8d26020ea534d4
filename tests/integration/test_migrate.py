# SPDX-License-Identifier: Apache-2.0
"""onsale migrate: versions, never back, the database and its users; the rights of each user are enough and no more."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pymysql
import pytest

from harness.stack import BIN, EVENT, ROOT

NEWEST = max(int(path.name[:4]) for path in (ROOT / "sql").glob("[0-9][0-9][0-9][0-9]_*.sql"))


@pytest.fixture
def bare(stack_factory):
    """A stack with nothing in it: no database, no users."""
    return stack_factory()


def test_from_nothing_to_the_newest_version(bare):
    first = bare.onsale_json("migrate")
    assert (first["from"], first["to"], first["database_created"]) == (0, NEWEST, True)
    assert [step["version"] for step in first["applied"]] == list(range(1, NEWEST + 1))
    again = bare.onsale_json("migrate")
    assert (again["from"], again["to"], again["applied"], again["database_created"]) == (NEWEST, NEWEST, [], False)
    assert f"version {NEWEST} already" in bare.onsale("migrate", expect=0).out
    rows = bare.sql("SELECT version, name, CHAR_LENGTH(checksum), applied_at IS NOT NULL FROM schema_migrations")
    assert rows[0] == (1, "line", 64, 1)


def test_a_newer_database_is_left_alone(bare):
    bare.onsale("migrate", expect=0)
    bare.sql("INSERT INTO schema_migrations VALUES (999, 'future', REPEAT('a', 64), 1, UTC_TIMESTAMP(6))")
    refused = bare.onsale("migrate", "--users", expect=1)
    assert "999 (future)" in refused.err and "no way back" in refused.err.replace("\n", " ")
    assert refused.out == ""


def test_another_text_under_the_same_version_is_refused(bare):
    bare.onsale("migrate", expect=0)
    bare.sql("UPDATE schema_migrations SET checksum = REPEAT('b', 64) WHERE version = 1")
    assert "checksum" in bare.onsale("migrate", expect=1).err


def test_what_broke_off_goes_on_from_there(bare):
    with bare.backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{bare.name}` CHARACTER SET utf8mb4")
        cursor.execute(f"CREATE TABLE `{bare.name}`.arrivals (in_the_way INT)")
    broken = bare.onsale("migrate", expect=1)
    assert "migration 1 (line)" in broken.err and "arrivals" in broken.err
    (version, statements, done), = bare.sql("SELECT version, statements, applied_at IS NOT NULL FROM schema_migrations")
    assert version == 1 and statements > 0 and not done
    bare.sql("DROP TABLE arrivals")
    assert bare.onsale_json("migrate")["from"] == 0
    assert bare.sql("SELECT COUNT(*) FROM arrivals") == ((0,),)
    assert bare.sql("SELECT name FROM leaders") == (("admission",),)


def test_many_at_once(bare):
    def migrate(_):
        done = subprocess.run([BIN / "onsale", "--config", bare.config_path, "--json", "migrate", "--users"],
                              capture_output=True, text=True, env=bare.environment(), timeout=120)
        return done.returncode, done.stdout, done.stderr

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(migrate, range(5)))
    assert [code for code, _, _ in results] == [0] * 5, results
    assert sum('"applied":[]' not in out for _, out, _ in results) == 1


def test_mysql_away_or_unwilling(stack_factory):
    bare = stack_factory(proxied=True)
    bare.mysql_proxy.cut()
    away = bare.onsale("migrate", expect=4, as_json=True)
    assert away.problem["type"] == "/problems/out-of-reach" and away.problem["exit"] == 4
    bare.mysql_proxy.mend()
    bare.config["mysql"]["password"] = "wrong"
    bare.write_config()
    refused = bare.onsale("migrate", expect=2)
    assert "refuses the user" in refused.err and "wrong" not in refused.err


def test_the_users_must_be_configured(stack_factory):
    bare = stack_factory(program_users=False)
    assert "[waiting-room] mysql_user is not set" in bare.onsale("migrate", "--users", expect=2).err
    mysql = bare.config["mysql"]["user"]
    for user, words in (("a b", "are allowed"), ("x" * 33, "are allowed"), ("o'x", "are allowed"),
                        (mysql, "of its own")):
        bare.config["waiting-room"]["mysql_user"] = user
        bare.config["admission"]["mysql_user"] = "never_made"
        bare.write_config()
        assert words in bare.onsale("migrate", "--users", expect=2).err
    bare.config["waiting-room"]["mysql_user"] = "never_made"
    bare.write_config()
    assert "the same mysql_user" in bare.onsale("migrate", "--users", expect=2).err
    with bare.backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM mysql.user WHERE user = 'never_made'")
        assert cursor.fetchone() == (0,)


def test_a_user_with_rights_of_its_own_is_somebody_elses(bare):
    user = bare.users["admission"]
    with bare.backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER `{user}`@`%` IDENTIFIED BY 'theirs'")
        cursor.execute(f"GRANT PROCESS ON *.* TO `{user}`@`%`")
    assert "rights of its own" in bare.onsale("migrate", "--users", expect=1).err
    with bare.backends.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"REVOKE PROCESS ON *.* FROM `{user}`@`%`")
        cursor.execute(f"GRANT SELECT ON `{bare.name}`.* TO `{user}`@`%`")
    assert "rights of its own" in bare.onsale("migrate", "--users", expect=1).err
    pymysql.connect(**(bare.backends.mysql | {"user": user, "password": "theirs"})).close()


def test_passwords_are_set_anew_and_never_shown(bare):
    secret = "it's \\ a \"secret\" `of` ours; -- %"
    bare.config["admission"]["mysql_password"] = secret
    bare.write_config()
    result = bare.onsale("migrate", "--users", expect=0)
    assert secret not in result.out + result.err
    pymysql.connect(**login(bare, "admission", secret)).close()
    bare.onsale("migrate", "--users", expect=0, environment={"ONSALE_ADMISSION_MYSQL_PASSWORD": "another"})
    pymysql.connect(**login(bare, "admission", "another")).close()
    with pytest.raises(pymysql.err.OperationalError):
        pymysql.connect(**login(bare, "admission", secret))


def test_a_right_that_is_not_in_the_file_is_taken_back(bare):
    bare.onsale("migrate", "--users", expect=0)
    user = bare.users["waiting-room"]
    for host in ("%", "localhost"):
        bare.sql(f"GRANT DELETE, UPDATE ON arrivals TO `{user}`@`{host}`")
        bare.sql(f"GRANT UPDATE (served) ON line_served TO `{user}`@`{host}`")
    bare.onsale("migrate", "--users", expect=0)
    denied(bare, "waiting-room", "DELETE FROM arrivals WHERE number = 0")
    denied(bare, "waiting-room", "UPDATE arrivals SET visitor = visitor")
    denied(bare, "waiting-room", "UPDATE line_served SET served = 0")
    allowed(bare, "waiting-room", "UPDATE arrivals SET left_at = UTC_TIMESTAMP(6) WHERE number = 0")


# The rights. What each program must be able to do, and what nobody but another one may.

ALLOWED = {
    "waiting-room": [
        "SELECT * FROM events", "SELECT * FROM tiers", "SELECT * FROM tier_prices", "SELECT * FROM line_served",
        "SELECT * FROM served_log", "UPDATE line_counters SET last = LAST_INSERT_ID(last + 1)",
        "INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES (1, 1, REPEAT('v', 16), UTC_TIMESTAMP(6))",
        "SELECT * FROM arrivals", "UPDATE arrivals SET left_at = UTC_TIMESTAMP(6) WHERE event_id = 1 AND number = 1",
        "INSERT IGNORE INTO turns VALUES (1, 1, UTC_TIMESTAMP(6), 0, 0)", "SELECT * FROM turns",
        "INSERT INTO presence VALUES ('r', 1, 2, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE present = 3",
        "SELECT event_id, SUM(present) FROM presence GROUP BY event_id",
        "DELETE FROM presence WHERE reported_at < UTC_TIMESTAMP(6) - INTERVAL 1 HOUR",
        "SELECT state FROM events WHERE id = 1 LOCK IN SHARE MODE", "SELECT left_at FROM arrivals WHERE number = 1 FOR UPDATE",
        "INSERT INTO orders (event_id, place, attempt, visitor, state, revision, tier, quantity, amount, currency, choices, email,"
        " customer, placed_at, changed_at) VALUES (1, 1, 1, REPEAT('v', 16), 'placed', 1, 'floor', 1, 1, 'EUR', '[]', 'a@b',"
        " REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE revision = revision + 1",
        "SELECT state FROM orders FOR UPDATE", "SELECT state, revision FROM bookings",
        "SELECT o.choices, b.pay_until FROM orders o LEFT JOIN bookings b USING (event_id, place, attempt) FOR UPDATE",
        "UPDATE bookings SET state = 'cancelled', revision = 4, pay_until = NULL, standby_tier = NULL, standby_quantity = 0,"
        " changed_at = UTC_TIMESTAMP(6)", "UPDATE bookings SET revision = 4, pay_until = UTC_TIMESTAMP(6), more_time = 1",
        "INSERT INTO freeings VALUES (1, 1, 1, 'held', 0, UTC_TIMESTAMP(6), 0)",
        "INSERT INTO payments (event_id, place, attempt, number, payment_method, amount, currency, idempotency_key, created_at,"
        " changed_at) VALUES (1, 1, 1, 1, 'pm_x', 1, 'EUR', REPEAT('a', 32), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        "UPDATE payments SET aim = 'give_back', next_attempt_at = UTC_TIMESTAMP(6)", "SELECT * FROM payments",
        "INSERT INTO cards (event_id, place, number, visitor, idempotency_key, created_at, changed_at)"
        " VALUES (1, 1, 1, REPEAT('v', 16), REPEAT('a', 32), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))", "SELECT * FROM cards",
        "UPDATE cards SET state = 'open', session = 'cs_x', url = 'https://x', next_attempt_at = NULL, changed_at = UTC_TIMESTAMP(6)",
        "INSERT IGNORE INTO provider_events (id, type, object, body, received_at) VALUES ('e', 't', 'o', '', UTC_TIMESTAMP(6))",
        "SELECT * FROM seats", "SELECT * FROM taken_seats",
        "UPDATE orders SET state = 'cancelled', revision = 2, changed_at = UTC_TIMESTAMP(6), ended_at = UTC_TIMESTAMP(6)",
        "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor, detail)"
        " VALUES (1, 1, 1, 1, 'placed', UTC_TIMESTAMP(6), 'visitor', NULL)",
    ],
    "admission": [
        "SELECT * FROM leaders WHERE name = 'admission' FOR UPDATE",
        "UPDATE leaders SET holder = 'h', epoch = epoch + 1, expires_at = UTC_TIMESTAMP(6)",
        "SELECT * FROM events", "SELECT version FROM events LOCK IN SHARE MODE", "SELECT state FROM events FOR UPDATE",
        "SELECT last FROM line_counters FOR UPDATE",
        "UPDATE events SET state = 'open', lobby_size = 0, version = version + 1",
        "UPDATE events SET state = 'stopped', state_before_stop = 'open', stop_reason = 'r', stopped_at = UTC_TIMESTAMP(6)",
        "UPDATE events SET state = 'open', state_before_stop = NULL, stop_reason = NULL, stopped_at = NULL, stopped_us = 1",
        "INSERT INTO event_log (event_id, at, actor, action) VALUES (1, UTC_TIMESTAMP(6), 'timetable', 'open')",
        "SELECT * FROM event_log",
        "INSERT INTO line_served (event_id) VALUES (1) ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)",
        "UPDATE line_served SET served = 1, epoch = 1", "SELECT * FROM line_served FOR UPDATE",
        "INSERT INTO served_log VALUES (1, 1, UTC_TIMESTAMP(6), 1, 0)", "SELECT * FROM served_log",
        "INSERT INTO pace_log (event_id, at, served, epoch, pace, rate_count, rate_seconds, reason) "
        "VALUES (1, UTC_TIMESTAMP(6), 0, 1, '1/s', 1, 1, 'pace')",
        "SELECT COUNT(*) FROM arrivals WHERE left_at IS NOT NULL", "SELECT COUNT(*) FROM bookings WHERE state = 'confirmed'",
        "SELECT 1 FROM tiers",
        "INSERT INTO release_fences (event_id, epoch) VALUES (1, 0) ON DUPLICATE KEY UPDATE event_id = VALUES(event_id)",
        "UPDATE release_fences SET epoch = 2 WHERE event_id = 1 AND epoch <= 2",
        "SELECT place, attempt, release_no, revision, visitor FROM orders FOR UPDATE",
        "UPDATE orders SET state = 'released', revision = revision + 1, published = 0, released_at = UTC_TIMESTAMP(6)",
        "UPDATE orders SET published = 1 WHERE release_no = 1",
        "UPDATE orders SET state = 'refused', reason = 'event_closed', revision = revision + 1, ended_at = UTC_TIMESTAMP(6)",
        "INSERT INTO outbox (queue, type, body, created_at) VALUES ('q', 't', '{}', UTC_TIMESTAMP(6))",
        "SELECT * FROM outbox FOR UPDATE", "DELETE FROM outbox",
    ],
    "booking-worker": [
        "SELECT slug, state FROM events LOCK IN SHARE MODE", "SELECT state FROM events FOR UPDATE",
        "SELECT last FROM line_counters FOR UPDATE", "UPDATE events SET state = 'sold_out', version = version + 1",
        "INSERT INTO event_log (event_id, at, actor, action) VALUES (1, UTC_TIMESTAMP(6), 'booking-worker', 'sell_out')",
        "SELECT * FROM tiers FOR UPDATE", "UPDATE tiers SET held = 0, sold = 1, standby = 0, taken_version = taken_version + 0"
        " WHERE code = 'floor'",
        "UPDATE events SET state_before_sold_out = 'open'", "SELECT * FROM seats",
        "INSERT INTO taken_seats VALUES (1, 'floor', 'A', '1', 1, 1)", "SELECT * FROM taken_seats", "DELETE FROM taken_seats",
        "SELECT * FROM freeings FOR UPDATE SKIP LOCKED", "DELETE FROM freeings",
        "INSERT INTO order_log (event_id, place, attempt, revision, state, at, actor) VALUES (1, 1, 1, 4, 'expired',"
        " UTC_TIMESTAMP(6), 'booking-worker')",
        "SELECT o.choices, b.state, c.booked FROM orders o LEFT JOIN bookings b USING (event_id, place, attempt)"
        " LEFT JOIN customers c ON c.customer = o.customer",
        "UPDATE orders SET published = 0, release_no = release_no + 1",
        "INSERT INTO bookings (event_id, place, attempt, state, revision, currency, customer, created_at, changed_at)"
        " VALUES (1, 1, 1, 'confirmed', 3, 'EUR', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        "UPDATE bookings SET state = 'failed', reason = 'broken', revision = 4, choice = 0, tier = NULL, quantity = 0,"
        " amount = 0, reference = NULL, seats = NULL, gone = NULL, pay_until = NULL, more_time = 0, standby_tier = NULL,"
        " standby_quantity = 0, changed_at = UTC_TIMESTAMP(6)",
        "INSERT INTO payments (event_id, place, attempt, number, payment_method, amount, currency, idempotency_key, created_at,"
        " changed_at) VALUES (1, 1, 1, 1, 'pm_x', 1, 'EUR', REPEAT('b', 32), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        "SELECT * FROM payments FOR UPDATE SKIP LOCKED", "UPDATE payments SET state = 'captured', aim = 'take', key_no = 1,"
        " intent = 'pi_x', refund = NULL, reason = NULL, provider_code = NULL, tries = 1, next_attempt_at = NULL, claim = 1, is_dead = 0,"
        " changed_at = UTC_TIMESTAMP(6), authorised_at = NULL, captured_at = NULL, returned_at = NULL",
        "SELECT * FROM cards FOR UPDATE SKIP LOCKED", "UPDATE cards SET state = 'kept', payment_method = 'pm_x', customer_id = NULL,"
        " label = 'visa 4242', tries = 1, next_attempt_at = NULL, changed_at = UTC_TIMESTAMP(6)",
        "SELECT * FROM provider_events FOR UPDATE SKIP LOCKED",
        "UPDATE provider_events SET next_look_at = UTC_TIMESTAMP(6), done_at = NULL, verdict = NULL",
        "UPDATE freeings SET payment_open = 0",
        "INSERT INTO customers VALUES (1, REPEAT('c', 16), 1) ON DUPLICATE KEY UPDATE booked = VALUES(booked)",
        "INSERT INTO delivery_attempts VALUES (REPEAT('d', 32), 'q', 1, UTC_TIMESTAMP(6))"
        " ON DUPLICATE KEY UPDATE attempts = attempts + 1, last_at = VALUES(last_at)",
        "SELECT attempts FROM delivery_attempts", "DELETE FROM delivery_attempts",
        "INSERT INTO outbox (queue, type, body, created_at) VALUES ('q', 't', '{}', UTC_TIMESTAMP(6))",
        "SELECT * FROM outbox FOR UPDATE", "DELETE FROM outbox",
    ],
    "notifier": [
        "SELECT slug FROM events", "SELECT code FROM tiers ORDER BY code FOR UPDATE", "SELECT * FROM orders",
        "SELECT state FROM bookings",
        "INSERT INTO bookings (event_id, place, attempt, state, reason, revision, currency, customer, created_at, changed_at)"
        " VALUES (1, 9, 1, 'failed', 'crashed', 3, 'EUR', REPEAT('c', 16), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))",
        "UPDATE bookings SET state = 'failed', reason = 'crashed', revision = 3, changed_at = UTC_TIMESTAMP(6) WHERE place = 9",
        "INSERT INTO dead_letters (digest, queue, reason, detail, body, died_at)"
        " VALUES (REPEAT('d', 32), 'q', 'crashed', '', '', UTC_TIMESTAMP(6))", "SELECT * FROM dead_letters",
        "INSERT INTO outbox (queue, type, body, created_at) VALUES ('q', 't', '{}', UTC_TIMESTAMP(6))",
        "SELECT * FROM outbox FOR UPDATE SKIP LOCKED", "DELETE FROM outbox",
    ],
}

DENIED = {
    "waiting-room": [
        "UPDATE line_served SET served = 1000000", "INSERT INTO served_log VALUES (1, 2, UTC_TIMESTAMP(6), 1, 0)",
        "DELETE FROM served_log", "UPDATE events SET pace = '0'", "UPDATE events SET state = 'open'",
        "DELETE FROM arrivals",
        "UPDATE arrivals SET visitor = REPEAT('w', 16)", "UPDATE arrivals SET number = 1", "DELETE FROM turns",
        "UPDATE turns SET began_at = UTC_TIMESTAMP(6)", "UPDATE leaders SET epoch = 0", "SELECT * FROM event_log",
        "INSERT INTO event_log (event_id, at, actor, action) VALUES (1, UTC_TIMESTAMP(6), 'x', 'open')",
        "UPDATE tiers SET sold = 0", "DELETE FROM line_counters", "SELECT * FROM pace_log",
        "SELECT * FROM schema_migrations", "DELETE FROM orders", "DELETE FROM bookings",
        "UPDATE bookings SET tier = 'stalls'", "UPDATE bookings SET quantity = 1", "UPDATE bookings SET amount = 0",
        "UPDATE bookings SET seats = NULL", "UPDATE bookings SET reference = NULL", "UPDATE bookings SET choice = 1",
        "UPDATE tiers SET held = 0", "UPDATE tiers SET standby = 0", "UPDATE seats SET blocked = 0", "DELETE FROM taken_seats",
        "INSERT INTO taken_seats VALUES (1, 'stalls', 'A', '1', 1, 1)", "SELECT * FROM freeings", "DELETE FROM freeings",
        "UPDATE freeings SET was = 'held'", "UPDATE payments SET state = 'captured'", "UPDATE payments SET intent = 'pi_x'",
        "UPDATE payments SET amount = 1", "DELETE FROM payments", "UPDATE cards SET payment_method = 'pm_x'", "DELETE FROM cards",
        "UPDATE provider_events SET done_at = UTC_TIMESTAMP(6)", "DELETE FROM provider_events",
        "SELECT * FROM order_log", "DELETE FROM order_log", "SELECT * FROM customers", "SELECT * FROM outbox", "SELECT * FROM dead_letters",
        "INSERT INTO bookings (event_id, place, attempt) VALUES (1, 1, 1)", "UPDATE release_fences SET epoch = 9",
        "DROP TABLE arrivals", "CREATE TABLE more (x INT)", "SELECT user FROM mysql.user",
    ],
    "admission": [
        "UPDATE line_counters SET last = 0", "DELETE FROM line_counters", "INSERT INTO line_counters VALUES (2, 0)",
        "INSERT INTO arrivals (event_id, number, visitor, joined_at) VALUES (1, 9, REPEAT('x', 16), UTC_TIMESTAMP(6))",
        "UPDATE arrivals SET left_at = NULL", "DELETE FROM arrivals", "UPDATE events SET pace = '0'",
        "DELETE FROM events",
        "UPDATE events SET file = ''", "UPDATE served_log SET at = UTC_TIMESTAMP(6)", "DELETE FROM served_log",
        "DELETE FROM pace_log", "UPDATE pace_log SET rate_count = 0", "DELETE FROM event_log",
        "UPDATE event_log SET actor = ''",
        "DELETE FROM leaders", "INSERT INTO leaders VALUES ('other', '', 0, 0, UTC_TIMESTAMP(6))",
        "INSERT INTO turns VALUES (1, 2, UTC_TIMESTAMP(6), 0, 0)", "SELECT * FROM schema_migrations",
        "DROP TABLE served_log",
        "INSERT INTO orders (event_id, place, attempt) VALUES (1, 1, 1)", "DELETE FROM orders", "UPDATE orders SET email = ''",
        "UPDATE orders SET quantity = 1", "UPDATE orders SET release_no = 2", "UPDATE orders SET visitor = REPEAT('x', 16)",
        "UPDATE bookings SET state = 'failed'", "DELETE FROM bookings", "UPDATE tiers SET sold = 0", "SELECT * FROM customers",
        "DELETE FROM release_fences", "UPDATE outbox SET body = ''", "SELECT * FROM dead_letters", "SELECT * FROM order_log",
        "CREATE TABLE more (x INT)",
    ],
    "booking-worker": [
        "UPDATE events SET pace = '0'", "UPDATE events SET max_per_customer = 100", "UPDATE line_counters SET last = 0",
        "UPDATE tiers SET capacity = 100000", "DELETE FROM tiers", "INSERT INTO orders (event_id, place, attempt) VALUES (1, 1, 1)",
        "UPDATE orders SET state = 'released'", "UPDATE orders SET choices = '[]'", "UPDATE orders SET quantity = 1",
        "DELETE FROM orders", "UPDATE bookings SET customer = REPEAT('x', 16)", "UPDATE bookings SET created_at = UTC_TIMESTAMP(6)",
        "DELETE FROM bookings", "DELETE FROM customers", "UPDATE outbox SET body = ''", "SELECT * FROM dead_letters",
        "UPDATE tiers SET layout = 2", "UPDATE seats SET blocked = 0", "DELETE FROM seats", "UPDATE taken_seats SET place = 2",
        "UPDATE freeings SET was = 'held'", "UPDATE freeings SET ended_at = UTC_TIMESTAMP(6)",
        "UPDATE payments SET amount = 1", "UPDATE payments SET currency = 'USD'", "UPDATE payments SET payment_method = 'pm_x'",
        "UPDATE payments SET idempotency_key = ''", "UPDATE cards SET visitor = ''", "UPDATE cards SET session = 'cs_x'",
        "DELETE FROM payments", "DELETE FROM cards", "UPDATE provider_events SET body = ''",
        "INSERT INTO provider_events (id, type, object, body, received_at) VALUES ('e', 't', 'o', '', UTC_TIMESTAMP(6))",
        "SELECT * FROM order_log", "DELETE FROM order_log",
        "SELECT * FROM arrivals", "UPDATE line_served SET served = 1", "SELECT * FROM leaders", "SELECT * FROM event_log",
        "INSERT INTO release_fences VALUES (1, 1)", "SELECT * FROM schema_migrations", "CREATE TABLE more (x INT)",
    ],
    "notifier": [
        "UPDATE events SET state = 'closed'", "UPDATE tiers SET sold = 0", "UPDATE tiers SET held = 0",
        "UPDATE orders SET state = 'placed'", "DELETE FROM orders", "DELETE FROM bookings", "UPDATE bookings SET quantity = 1",
        "UPDATE bookings SET customer = REPEAT('x', 16)", "SELECT * FROM customers", "SELECT * FROM arrivals",
        "UPDATE dead_letters SET state = 'discarded'", "DELETE FROM dead_letters", "UPDATE outbox SET body = ''",
        "INSERT INTO event_log (event_id, at, actor, action) VALUES (1, UTC_TIMESTAMP(6), 'x', 'open')",
        "SELECT * FROM schema_migrations", "CREATE TABLE more (x INT)",
    ],
}


def login(stack, program, password=None):
    user = stack.users[program]
    return stack.backends.mysql | {"user": user, "password": password or f"secret of {user}", "database": stack.name}


def allowed(stack, program, *statements):
    with pymysql.connect(**login(stack, program)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)  # rolled back at the end


def denied(stack, program, *statements):
    with pymysql.connect(**login(stack, program)) as connection, connection.cursor() as cursor:
        for statement in statements:
            with pytest.raises(pymysql.err.MySQLError) as error:
                cursor.execute(statement)
            assert error.value.args[0] in (1142, 1143, 1044), f"{statement}: {error.value}"


@pytest.fixture(scope="module")
def rights(module_stack_factory):
    stack = module_stack_factory().prepare()
    stack.apply(EVENT | {"slug": "gala"})
    return stack


@pytest.mark.parametrize("program", sorted(ALLOWED))
def test_the_rights_are_enough(rights, program):
    allowed(rights, program, *ALLOWED[program])


@pytest.mark.parametrize("program", sorted(DENIED))
def test_and_no_more(rights, program):
    denied(rights, program, *DENIED[program])


def test_another_database_is_out_of_bounds(rights, backends):
    with backends.connect() as connection, connection.cursor() as cursor:
        other = backends.new_name()
        cursor.execute(f"CREATE DATABASE `{other}`")
        try:
            with pytest.raises(pymysql.err.OperationalError):
                pymysql.connect(**(login(rights, "waiting-room") | {"database": other}))
        finally:
            cursor.execute(f"DROP DATABASE `{other}`")
