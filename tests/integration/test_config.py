# SPDX-License-Identifier: Apache-2.0
"""Configuration as operators meet it: every mistake is named with file, line, key and what is allowed; exit 2."""

import os
import socket
import subprocess

import pytest
from processes import Failed, wait_until

from harness.certificate import make_certificate
from harness.stack import BIN

PROGRAMS = ["waiting-room", "admission", "onsale"]
ALL_PROGRAMS = [*PROGRAMS, "booking-worker", "notifier"]
SERVERS = ["waiting-room", "admission"]


def run(program, *arguments, cwd=None, tls=False, **environment):
    """The program with nothing in its environment but what is given. Without `tls`, files need name no certificate."""
    no_tls = {} if tls else {"ONSALE_WAITING_ROOM_LISTEN": ""}
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd,
                          env={"PATH": os.environ["PATH"]} | no_tls | environment)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def ini(tmp_path):
    def write(text):
        path = tmp_path / "with a space.ini"
        path.write_text(text)
        return path
    return write


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_mistake_is_named_at_once(program, ini):
    path = ini("[mysql]\nprot = 3307\nport = abc\n\n[nobody]\nx = 1\n[log]\nlevel = loud\n[ops]\nadmission_listen = 127.0.0.1\n")
    code, _, err = run(program, "--config", path, "--check-config")
    assert code == 2
    for line, key in ((2, "prot"), (3, "port"), (5, "nobody"), (8, "level"), (10, "admission_listen")):
        said = [each for each in err.splitlines() if f"{path}:{line}:" in each]
        assert len(said) == 1 and key in said[0], err
    # What is allowed is said too.
    assert "65535" in err and "debug" in err and "HOST:PORT" in err
    # The same without asking for a check: it does not start.
    if program in SERVERS:
        assert run(program, "--config", path)[0] == 2


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("value, allowed", [("0", False), ("1", True), ("65535", True), ("65536", False), ("-1", False),
                                            ("99999999999999999999", False), ("3306x", False), ("", False), ("0x10", False)])
def test_numbers_have_limits(program, value, allowed, ini):
    code, _, err = run(program, "--config", ini(f"[mysql]\nport = {value}\n"), "--check-config")
    assert code == (0 if allowed else 2), err


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_good_file_is_said_to_be_good(program, ini):
    code, out, err = run(program, "--config", ini("; a comment\n[mysql]\nhost = db.example\n[waiting-room]\nmysql_user = w\n"),
                         "--check-config")
    assert (code, err) == (0, ""), out


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_named_file_that_is_not_there_is_a_mistake(program, tmp_path):
    missing = tmp_path / "missing.ini"
    code, _, err = run(program, "--config", missing, "--check-config")
    assert code == 2 and str(missing) in err
    code, _, err = run(program, "--check-config", ONSALE_CONFIG=str(missing))
    assert code == 2 and str(missing) in err


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_where_the_file_is_looked_for(program, tmp_path):
    """--config before $ONSALE_CONFIG before ./var/onsale.ini. Each file has a mistake that names it."""
    def bad(name):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("[mysql]\nport = bad\n")
        return path
    given, environment, local = bad("given.ini"), bad("environment.ini"), bad("var/onsale.ini")
    assert str(given) in run(program, "--config", given, "--check-config", cwd=tmp_path, ONSALE_CONFIG=str(environment))[2]
    assert str(environment) in run(program, "--check-config", cwd=tmp_path, ONSALE_CONFIG=str(environment))[2]
    assert "var/onsale.ini" in run(program, "--check-config", cwd=tmp_path)[2]
    local.unlink()
    assert run(program, "--check-config", cwd=tmp_path)[0] == 0


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_environment_is_checked_too(program, ini):
    code, _, err = run(program, "--check-config", "--config", ini(""), ONSALE_MYSQL_PORT="bad")
    assert code == 2 and "ONSALE_MYSQL_PORT" in err


@pytest.mark.quick
@pytest.mark.parametrize("program", ALL_PROGRAMS)
def test_a_misspelt_variable_is_a_mistake(program, ini):
    """As a misspelt key of the file is: else what it was to set would stay as it is, and nobody would know."""
    code, _, err = run(program, "--check-config", "--config", ini(""), ONSALE_PAYMENT_PROVDIER="stripe", ONSALE_MYSQL_PASWORD_FILE="/dev/null")
    assert code == 2
    assert "ONSALE_PAYMENT_PROVDIER: [payment] \"provdier\": no such key; did you mean provider?" in err, err
    assert "ONSALE_MYSQL_PASWORD_FILE: [mysql] \"pasword\": no such key; did you mean password?" in err, err


@pytest.mark.quick
@pytest.mark.parametrize("program", ALL_PROGRAMS)
def test_variables_of_others_are_none_of_our_business(program, ini):
    others = {f"ONSALE_{section}_SOMETHING": "1" for section in ("WAITING_ROOM", "ADMISSION", "BOOKING_WORKER", "NOTIFIER")
              if section != program.upper().replace("-", "_")}
    assert run(program, "--check-config", "--config", ini(""), ONSALE_HTTPS_PORT="443", ONSALE_MYSQL="1", **others)[0] == 0


def test_the_environment_wins(stack_factory):
    stack = stack_factory()
    port = stack.config["mysql"]["port"]
    stack.config["mysql"]["port"] = 1
    stack.write_config()
    assert stack.onsale("migrate").code == 4
    stack.onsale("migrate", expect=0, environment={"ONSALE_MYSQL_PORT": str(port)})


@pytest.mark.quick
def test_a_sections_dash_is_a_line_in_the_environment(ini):
    code, _, err = run("waiting-room", "--config", ini(""), "--check-config", ONSALE_WAITING_ROOM_THREADS="0")
    assert code == 2 and "threads" in err.lower()


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_secret_may_be_in_a_file(program, ini, tmp_path):
    """A file that is there is read, one that is not is a mistake; its content is never shown."""
    secret = tmp_path / "a secret"
    secret.write_text("hunter2\n")
    code, out, err = run(program, "--config", ini(""), "--check-config", ONSALE_MYSQL_PASSWORD_FILE=str(secret))
    assert code == 0 and "hunter2" not in out + err
    code, _, err = run(program, "--config", ini(""), "--check-config", ONSALE_MYSQL_PASSWORD_FILE=str(tmp_path / "none"))
    assert code == 2 and "ONSALE_MYSQL_PASSWORD_FILE" in err


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
def test_help_names_every_key_with_default_and_range(program):
    code, out, _ = run(program, "--help")
    if program == "onsale":
        assert code == 0 and "migrate" in out
        return
    assert code == 0
    for expected in ("[mysql]", "port = 3306", "1 to 65535", "[log]", "level = info", "error, warn, info or debug", "SIGHUP"):
        assert expected in out, expected
    # The password's key is there; whether it has a default is nobody's business.
    assert "\n  password\n" in out


@pytest.mark.quick
@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--config"]])
def test_wrong_arguments_are_usage(program, arguments):
    code, out, err = run(program, *arguments)
    assert (code, out) == (2, "")
    assert arguments[0] in err and program in err


def test_the_password_from_a_file_is_really_used(stack_factory):
    stack = stack_factory()
    password = stack.config["mysql"].pop("password")
    stack.write_config()
    secret = stack.folder / "password"
    secret.write_text(password + "\n")
    refused = stack.onsale("migrate")
    assert refused.code == 2 and "password" in refused.err
    stack.onsale("migrate", expect=0, environment={"ONSALE_MYSQL_PASSWORD_FILE": str(secret)})


@pytest.fixture
def stripe(tmp_path):
    """Good settings for paying by card, with changes; None leaves a key out."""
    def write(mode=0o600, secret="sk_test_1", webhook_secret="whsec_1", **changes):
        keys = {"secret_key_file": tmp_path / "key", "webhook_secret_file": tmp_path / "webhook", "return_url": "https://shop.example"}
        for name, text in (("key", secret), ("webhook", webhook_secret)):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(mode)
        path = tmp_path / "stripe.ini"
        path.write_text("[payment]\nprovider = stripe\n" + "".join(
            f"{key} = {value}\n" for key, value in (keys | changes).items() if value is not None))
        return path
    return write


@pytest.mark.quick
@pytest.mark.parametrize("program", ALL_PROGRAMS)
@pytest.mark.parametrize("text, said", [
    ("[amqp]\nurl = http://u:hunter2@broker\n", "[amqp] url"), ("[amqp]\nurl =\n", "[amqp] url"),
    ("[amqp]\nurl = amqp://u:hunter2@broker:port/\n", "[amqp] url"), ("[amqp]\ntls_ca = /nowhere/ca.pem\n", "[amqp] tls_ca: /nowhere/ca.pem"),
    ("[mysql]\ntls_ca = /nowhere/ca.pem\n", "[mysql] tls_ca: /nowhere/ca.pem")])
def test_a_check_says_what_would_never_work(program, text, said, ini):
    code, out, err = run(program, "--config", ini(text), "--check-config")
    assert code == 2 and said in err and "hunter2" not in out + err, err


@pytest.mark.quick
@pytest.mark.parametrize("program", ["waiting-room", "admission", "booking-worker", "notifier"])
def test_a_file_of_authorities_without_a_certificate_is_refused_by_a_start_too(ini, tmp_path, program):
    """It would be a handshake that fails again and again."""
    folder, path = tmp_path / "folder", tmp_path / "nonsense.pem"
    folder.mkdir()
    path.write_text("nonsense\n")
    config = ini(f"[mysql]\ntls_ca = {folder}\n[amqp]\nurl = amqps://broker/\ntls_ca = {path}\n")
    check, start = run(program, "--config", config, "--check-config"), run(program, "--config", config)
    assert check == start and check[0] == 2
    assert f"[mysql] tls_ca: {folder}: not a file\n" in check[2]
    assert f"[amqp] tls_ca: {path}: no certificate in it that can be used (PEM)\n" in check[2]
    good = make_certificate(tmp_path) / "certificate.pem"
    config = ini(f"[mysql]\ntls_ca = {good}\n[amqp]\nurl = amqps://broker/\ntls_ca = {good}\n")
    assert run(program, "--config", config, "--check-config")[0] == 0


@pytest.mark.quick
@pytest.mark.parametrize("text, said", [
    ("trusted_proxies = 10.0.0.0/33", "trusted_proxies"), ("trusted_proxies = proxy.example", "trusted_proxies"),
    ("page_directory = /nowhere/page", "/nowhere/page"), ("public_url = shop.example", "public_url"),
    ("public_url = https://shop.example/tickets", "public_url"), ("public_url = https://", "public_url"),
    ("public_url = https://u@shop.example", "public_url"), ("public_url = ftp://shop.example", "public_url")])
def test_a_waiting_rooms_check_says_all_that_keeps_it_from_starting(text, said, ini):
    # Beside another mistake: an operator corrects all at once.
    path = ini(f"[waiting-room]\n{text}\n[mysql]\ntls_ca = /nowhere/ca.pem\n")
    code, _, err = run("waiting-room", "--config", path, "--check-config")
    assert code == 2 and said in err and "/nowhere/ca.pem" in err, err


@pytest.mark.quick
@pytest.mark.parametrize("text", ["trusted_proxies = 10.0.0.0/8, ::1", "public_url = https://shop.example", "public_url = https://shop.example:8443/",
                                  "public_url = http://localhost:8080", "public_url = https://[::1]:8443", "public_url ="])
def test_what_a_waiting_room_may_be_given(text, ini):
    assert run("waiting-room", "--config", ini(f"[waiting-room]\n{text}\n"), "--check-config")[0] == 0


@pytest.mark.quick
def test_no_certificate_at_all_is_a_clear_error(ini):
    code, _, err = run("waiting-room", "--config", ini("[waiting-room]\nlisten = 127.0.0.1:0\n"), "--check-config", tls=True)
    assert code == 2 and "[waiting-room] certificate, private_key" in err and "listen" in err and "system lib" not in err, err


@pytest.mark.quick
@pytest.mark.parametrize("program", ["waiting-room", "booking-worker"])
@pytest.mark.parametrize("changes, said", [
    ({"secret_key_file": None}, "secret_key_file"), ({"secret_key_file": "/nowhere/key"}, "/nowhere/key"), ({"secret": " \n"}, "empty"),
    ({"mode": 0o644}, "key"), ({"return_url": None}, "return_url"), ({"return_url": "http://shop.example"}, "return_url"),
    ({"return_url": "shop.example"}, "return_url"), ({"return_url": "https://shop.example/"}, "return_url"),
    ({"base_url": "http://api.example"}, "base_url"), ({"tls_ca": "/nowhere/ca.pem"}, "/nowhere/ca.pem")])
def test_what_is_needed_for_cards(stripe, program, changes, said):
    path = stripe(**changes)
    code, _, err = run(program, "--config", path, "--check-config")
    assert (code, "", err) == run(program, "--config", path)  # a start has the same words
    assert code == 2 and any(said in line and line.count("[payment]") == 1 for line in err.splitlines()), err
    assert "sk_test_1" not in err and "whsec_1" not in err


@pytest.mark.quick
@pytest.mark.parametrize("changes, said", [({"webhook_secret_file": "/nowhere/webhook"}, "/nowhere/webhook"), ({"webhook_secret": "\n\n"}, "webhook")])
def test_what_a_waiting_room_needs_for_webhooks(stripe, changes, said):
    code, _, err = run("waiting-room", "--config", stripe(**changes), "--check-config")
    assert code == 2 and any(said in line for line in err.splitlines() if "[payment]" in line), err
    assert "sk_test_1" not in err and "whsec_1" not in err


@pytest.mark.quick
def test_what_suffices_for_cards(stripe):
    for changes in ({}, {"webhook_secret_file": None}, {"return_url": "http://localhost:8443"}, {"base_url": "http://127.0.0.1:9"}):
        assert run("waiting-room", "--config", stripe(**changes), "--check-config")[0] == 0, changes
    # Without cards nobody looks.
    path = stripe(return_url=None, secret_key_file=None)
    path.write_text(path.read_text().replace("stripe", "manual"))
    assert run("waiting-room", "--config", path, "--check-config")[0] == 0


@pytest.mark.parametrize("key, content", [("certificate", None), ("private_key", None), ("certificate", "not a certificate\n"),
                                          ("private_key", "not a key\n")])
def test_a_certificate_that_is_missing_or_none_is_a_clear_error(stack_factory, key, content):
    stack = stack_factory()
    stack.prepare()
    path = stack.folder / "bad.pem"
    if content is not None:
        path.write_text(content)
    stack.config["waiting-room"][key] = path
    stack.write_config()
    for check in ([], ["--check-config"]):
        code, _, err = run("waiting-room", "--config", stack.config_path, *check, tls=True)
        assert code == 2
        assert str(path) in err, err
        assert content is not None or "No such file or directory" in err, err


def test_a_key_that_belongs_to_another_certificate_is_a_clear_error(stack_factory, tmp_path):
    stack = stack_factory().prepare()
    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", other],
                   check=True, capture_output=True, timeout=30)
    stack.config["waiting-room"]["private_key"] = other
    stack.write_config()
    for check in ([], ["--check-config"]):
        code, _, err = run("waiting-room", "--config", stack.config_path, *check, tls=True)
        assert code == 2 and str(other) in err, err


def test_a_taken_port_is_a_clear_error(stack_factory):
    stack = stack_factory().prepare()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        stack.config["waiting-room"]["listen"] = address
        stack.config["ops"]["admission_listen"] = address
        stack.write_config()
        for program in SERVERS:
            code, _, err = run(program, "--config", stack.config_path, tls=True)
            assert code in (1, 2) and address in err, f"{program}: {err}"


def test_sighup_takes_over_what_is_reloadable_and_refuses_nonsense(stack_factory):
    stack = stack_factory().start()
    stack.expect_errors("reload_failed")
    stack.event("gala")
    room = stack.rooms[0]
    stack.config["waiting-room"]["joins_per_address"] = "nonsense"
    stack.write_config()
    room.hangup()
    # It says what is wrong and goes on as it was.
    assert "nonsense" in room.wait_log("reload_failed").text
    for _ in range(3):
        stack.join("gala")
    stack.config["waiting-room"]["joins_per_address"] = "1/h"
    stack.write_config()
    room.hangup()
    with stack.client() as client:
        def refused():
            client.cookies.clear()  # or it would be the same visitor again
            return client.post("/v1/events/gala/line").status_code == 429
        wait_until(refused, "the new limit to act", 20)


def test_a_user_that_mysql_refuses_is_said(stack_factory):
    stack = stack_factory().prepare()
    for program in SERVERS:
        stack.config[program]["mysql_password"] = "wrong"
    stack.write_config()
    stack.expect_errors("mysql_away", "start_failed", "mysql_refused", "mysql_failed")
    for kind in SERVERS:
        program = stack.start_program(kind, wait=False)
        program.killed = True  # whether it waits or ends is its own affair; that it says why is not
        wait_until(lambda program=program, kind=kind: stack.users[kind] in program.log_text(), f"{kind} to say who is refused", 20)
        try:
            assert "mysql" in program.wait_not_ready().lower()
            program.kill()
        except Failed:
            assert not program.alive()  # it has ended, at once or meanwhile
