# SPDX-License-Identifier: Apache-2.0
"""tools/servers: the private MariaDB and RabbitMQ that make run and the tests stand on."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pika
import pymysql
import pytest
from processes import wait_until

TOOL = Path(__file__).resolve().parents[2] / "tools" / "servers"


def servers(*arguments, expect=0, **options):
    done = subprocess.run([TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=120, **options)
    assert done.returncode == expect, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def kept(folder):
    return json.loads((folder / "servers.json").read_text())


def guardian(folder):
    return int((folder / "lock").read_text())


def gone(pid):
    """True when a process has ended, whether or not its parent has taken note."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def all_gone(pids):
    wait_until(lambda: all(gone(pid) for pid in pids), f"the end of {pids}", 30)


def sql(folder, statement):
    url = urlsplit(kept(folder)["mysql_url"])
    with pymysql.connect(host=url.hostname, port=url.port, user=url.username, password=url.password,
                         autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def queue(folder, **options):
    """Declares a durable queue, or, with passive=True, looks for it."""
    connection = pika.BlockingConnection(pika.URLParameters(kept(folder)["amqp_url"]))
    connection.channel().queue_declare("kept", durable=True, **options)
    connection.close()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "a folder, with spaces and ä"
    yield folder
    subprocess.run([TOOL, "stop", "--now", folder], check=True, timeout=120)


def test_start_finds_data_and_ports_again_and_stop_leaves_nothing(folder):
    said = servers("start", folder)
    assert "AMQP_URL=amqp://onsale:" in said and "MYSQL_URL=mysql://root:" in said
    first, pids = kept(folder), [guardian(folder), *kept(folder)["pids"].values()]
    assert sql(folder, "SELECT @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@log_bin, @@binlog_format") == (
        (1, 1, 1, "ROW"),)
    sql(folder, "CREATE DATABASE kept")
    queue(folder)
    # A second start says the same and starts nothing.
    assert servers("start", folder) == said
    assert servers("status", folder) == said
    servers("stop", folder)
    all_gone(pids)
    assert "not running" in servers("status", folder, expect=3)
    servers("stop", folder)

    servers("start", folder)
    second = kept(folder)
    for name in ("mysql_port", "amqp_ports", "mysql_password", "amqp_password"):
        assert second[name] == first[name]
    assert sql(folder, "SHOW DATABASES LIKE 'kept'") == (("kept",),)
    queue(folder, passive=True)
    pids = [guardian(folder), *second["pids"].values()]
    servers("stop", "--now", folder)
    all_gone(pids)


def test_a_port_that_was_taken_meanwhile_is_replaced(folder):
    servers("start", folder)
    before = kept(folder)
    servers("stop", folder)
    with socket.create_server(("127.0.0.1", before["mysql_port"])), socket.create_server(("127.0.0.1", before["amqp_port"])):
        servers("start", folder)
        after = kept(folder)
        assert after["mysql_port"] != before["mysql_port"] and after["amqp_port"] != before["amqp_port"]
        assert sql(folder, "SELECT 1") == ((1,),)
        queue(folder)


def test_nobody_gets_in_without_the_password_and_what_dies_is_started_again(folder):
    servers("start", folder)
    now = kept(folder)
    for user in ("root", "", "nobody"):
        with pytest.raises(pymysql.err.OperationalError) as refused:
            pymysql.connect(host="127.0.0.1", port=now["mysql_port"], user=user)
        assert refused.value.args[0] == 1045
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(pika.URLParameters(f"amqp://guest:guest@127.0.0.1:{now['amqp_port']}/"))
    for name in ("servers.json", "servers.env", "rabbitmq/rabbitmq.conf", "mysql/init.sql"):
        assert (folder / name).stat().st_mode & 0o077 == 0, name

    before = now
    for name, works in (("mariadbd", lambda: sql(folder, "SELECT 1")), ("rabbitmq", lambda: queue(folder))):
        os.kill(before["pids"][name], signal.SIGKILL)
        wait_until(lambda name=name: kept(folder)["pids"][name] != before["pids"][name], f"{name} to come again", 60)
        works()
    after = kept(folder)
    assert after["mysql_port"] == before["mysql_port"] and after["amqp_port"] == before["amqp_port"]


@pytest.mark.parametrize("end", ["the guardian is killed", "the owner ends", "the folder is removed"])
def test_nothing_stays_whatever_the_end(folder, end):
    owner = subprocess.Popen(["sleep", "300"])
    try:
        servers("start", folder, "--owner", owner.pid)
        pids = [guardian(folder), *kept(folder)["pids"].values()]
        if end == "the guardian is killed":
            os.kill(pids[0], signal.SIGKILL)
        elif end == "the owner ends":
            owner.kill()
            owner.wait()
        else:
            (folder / "servers.json").unlink()
        all_gone(pids)
    finally:
        owner.kill()
        owner.wait()


def test_run_gives_a_command_the_servers_and_its_exit_status_back(folder):
    script = "import os, sys; print(os.environ['AMQP_URL'], os.environ['ONSALE_MYSQL_PORT']); sys.exit(7)"
    said = servers("run", folder, sys.executable, "-c", script, expect=7)
    assert said.split() == [kept(folder)["amqp_url"], str(kept(folder)["mysql_port"])]
    all_gone(kept(folder)["pids"].values())


def test_an_ordinary_user_can(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    # pytest's own folders are closed to others.
    place = Path(tempfile.mkdtemp(prefix="onsale-user-", dir="/var/tmp"))
    try:
        place.chmod(0o755)
        tools = place / "tools"
        shutil.copytree(TOOL.parent, tools, ignore=shutil.ignore_patterns("__pycache__"))
        folder = place / ("long " + "x" * 90)
        folder.mkdir()
        os.chown(folder, 65534, 65534)
        # An ordinary user's PATH: no sbin in it.
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
        for command, expect in ((["start"], 0), (["status"], 0), (["stop"], 0), (["status"], 3)):
            done = subprocess.run([tools / "servers", *command, folder / "servers"], env=environment, user=65534,
                                  group=65534, extra_groups=[], capture_output=True, text=True, timeout=120, cwd="/")
            assert done.returncode == expect, f"{command}: {done.stdout}\n{done.stderr}"
    finally:
        subprocess.run([TOOL, "stop", "--now", folder / "servers"], check=True, timeout=60)
        shutil.rmtree(place)


def test_a_server_that_cannot_start_is_said_and_nothing_stays(folder):
    folder.mkdir(parents=True)
    (folder / "rabbitmq").write_text("not a folder\n")
    begun = time.monotonic()
    done = subprocess.run([TOOL, "start", folder], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1 and done.stdout == ""
    assert "rabbitmq" in done.stderr
    assert time.monotonic() - begun < 60
    assert "not running" in servers("status", folder, expect=3)
