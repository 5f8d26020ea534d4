# SPDX-License-Identifier: Apache-2.0
"""A private MariaDB and RabbitMQ in a folder: data, logs, passwords, ports of their own, nothing of the system's.

Used by `tools/servers` (command line), `tools/run` (make run) and the tests. Whoever calls start() is the parent of the
servers, and they end with it. Works as root and as an ordinary user, in paths with spaces. Standard library only.

Ports are kept from one start to the next where they are still free. Durability is that of production: a commit is on
the disk, in the log of transactions and in the binary log, before it is acknowledged.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from processes import Failed, free_ports, spawn, stop, tail, wait_until

START_ATTEMPTS = 3  # a port may be taken between being chosen and being used


def program(name, *folders):
    """Where a program is; an ordinary user's PATH has no sbin folders."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/rabbitmq/bin", *folders])
    found = shutil.which(name, path=path)
    if found is None:
        raise Failed(f"{name} is not installed; tools/packages names what is needed")
    return found


def write_private(path, text):
    """A file that only its owner can read, there completely or not at all."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


class MariaDB:
    """One mariadbd. `url` is for root, who can do everything in it."""

    name = "mysql"

    def __init__(self, folder):
        self.folder = Path(folder).resolve() / "mysql"
        self.data = self.folder / "data"
        self.log = self.folder / "mariadb.log"
        self.process = None
        self.port = None
        self.password = None

    @property
    def url(self):
        return f"mysql://root:{self.password}@127.0.0.1:{self.port}"

    def _spawn(self, command):
        """A mariadbd that starts removes what it takes for left-over temporary tables of its own, by their names alone:
        in a folder shared with another server, such as /tmp, it takes away that one's. So each has its own."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        return spawn(command, log=self.log, env=os.environ | {"TMPDIR": str(temporary)})

    def initialise(self):
        if (self.data / "mysql").is_dir() and not (self.folder / "installing").exists():
            return
        # An interrupted installation is begun anew.
        shutil.rmtree(self.data, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.folder / "installing").touch()
        command = [program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                   "--auth-root-authentication-method=normal",
                   "--force"]  # even where this machine's own name cannot be looked up; it is not needed
        if os.geteuid() == 0:
            # For the server alone. With --user the script would change owners, and it takes a path with a space apart.
            command.append("--loose-user=root")
        process = self._spawn(command)
        if process.wait(120) != 0:
            raise Failed(f"mariadb-install-db failed:\n{tail(self.log)}")
        (self.folder / "installing").unlink()

    def start(self, port, password):
        self.initialise()
        self.password = password
        self.port = port
        # Run before the first connection is accepted: nobody ever meets a server without a password.
        init = self.folder / "init.sql"
        write_private(init, "".join(line + "\n" for line in (
            "DELETE FROM mysql.global_priv WHERE User = '' OR (User = 'root' AND Host NOT IN ('localhost', '127.0.0.1'));",
            "FLUSH PRIVILEGES;",
            f"CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '{password}';",
            "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
            f"ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}', 'root'@'localhost' IDENTIFIED BY '{password}';",
        )))
        command = [
            program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--port={port}", "--bind-address=127.0.0.1",
            # Relative to the data folder, because an absolute path may be longer than a socket's may be (107 bytes).
            "--socket=mysql.sock", f"--pid-file={self.folder / 'mariadb.pid'}", f"--init-file={init}",
            "--skip-name-resolve", "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", f"--log-bin={self.folder / 'binlog'}",
            "--binlog-format=ROW", "--server-id=1", "--expire-logs-days=1", "--max-binlog-size=256M",
            "--binlog-cache-size=2M",  # the rows of a batch of bookings; what is more goes through a file
            "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=128M", "--max-connections=400",
        ]
        if os.geteuid() == 0:
            command.append("--user=root")
        self.process = self._spawn(command)
        wait_until(self.answers, f"MariaDB on port {port}", 60)

    def answers(self):
        """True once the server greets, which it does after the init file."""
        if self.process.poll() is not None:
            raise Failed(f"MariaDB ended with status {self.process.returncode}:\n{tail(self.log)}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.settimeout(5)
                greeting = connection.recv(5)
                return len(greeting) == 5 and greeting[4] == 10
        except OSError:
            return False

    def stop(self, now=False):
        if self.process is not None:
            stop(self.process, first=signal.SIGKILL if now else signal.SIGTERM)
            self.process = None

    def running(self):
        return self.process is not None and self.process.poll() is None


class RabbitMQ:
    """One RabbitMQ node with an epmd, a cookie and a HOME of its own."""

    name = "amqp"

    def __init__(self, folder, management=False):
        self.folder = Path(folder).resolve() / "rabbitmq"
        self.log = self.folder / "rabbitmq.log"
        self.management = management
        self.process = None
        self.epmd = None
        self.port = None
        self.ports = None
        self.password = None

    @property
    def url(self):
        return f"amqp://onsale:{self.password}@127.0.0.1:{self.port}/%2F"

    @property
    def management_url(self):
        return f"http://127.0.0.1:{self.ports[3]}" if self.management else None

    def environment(self):
        port, dist_port, epmd_port, _ = self.ports
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in os.environ}
        return kept | {
            "HOME": str(self.folder),  # the cookie is in it
            "LANG": kept.get("LANG", "C.UTF-8"),
            # The script then becomes the server, instead of starting it as a child that would outlive it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": "onsale@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
        }

    def start(self, ports, password, meanwhile=lambda: None):
        """Starts the node; `meanwhile` is called while it comes up, which takes some eight seconds."""
        self.ports = ports
        self.port = ports[0]
        self.password = password
        for folder in (self.folder, self.folder / "mnesia", self.folder / "log"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = ["default_user = onsale", f"default_pass = {password}", "log.file.level = warning",
                 "disk_free_limit.absolute = 200MB", "vm_memory_high_watermark.relative = 0.3"]
        if self.management:
            lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {ports[3]}"]
        write_private(self.folder / "rabbitmq.conf", "\n".join(lines) + "\n")
        plugins = "[rabbitmq_management]." if self.management else "[]."
        write_private(self.folder / "enabled_plugins", plugins + "\n")

        env = self.environment()
        epmd = ports[2]
        # In the foreground, as a child; the one that Erlang would start by itself outlives the node.
        self.epmd = spawn([program("epmd"), "-address", "127.0.0.1", "-port", str(epmd)], log=self.log, env=env)
        wait_until(lambda: _connects(epmd), f"epmd on port {epmd}", 20)
        if self.epmd.poll() is not None:
            raise Failed(f"epmd ended with status {self.epmd.returncode}:\n{tail(self.log)}")
        # Not the wrapper in /usr/sbin, which switches to the system's user.
        server = program("rabbitmq-server", "") if not os.path.exists("/usr/lib/rabbitmq/bin/rabbitmq-server") \
            else "/usr/lib/rabbitmq/bin/rabbitmq-server"
        self.process = spawn([server], log=self.log, env=env, cwd=self.folder)
        meanwhile()
        wait_until(self.answers, f"RabbitMQ on port {self.port}", 120, pause=0.1)

    def answers(self):
        """True once the broker answers the protocol header, which begins after everything else has started."""
        if self.process.poll() is not None:
            raise Failed(f"RabbitMQ ended with status {self.process.returncode}:\n{tail(self.log)}")
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.settimeout(5)
                connection.sendall(b"AMQP\0\0\x09\x01")
                # A method frame: connection.start.
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self, now=False):
        if self.process is not None:
            stop(self.process, first=signal.SIGKILL if now else signal.SIGTERM, grace_seconds=30)
            self.process = None
        if self.epmd is not None:
            stop(self.epmd, first=signal.SIGKILL)
            self.epmd = None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def control(self, *arguments, seconds=60):
        """Runs rabbitmqctl against this node and returns what it prints. Takes one to two seconds."""
        done = subprocess.run([program("rabbitmqctl", "/usr/lib/rabbitmq/bin"), "--quiet", *arguments],
                              env=self.environment(), capture_output=True, text=True, timeout=seconds)
        if done.returncode != 0:
            raise Failed(f"rabbitmqctl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout


def _connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Servers:
    """Both servers in one folder. What is needed to reach them is in servers.json and servers.env there."""

    def __init__(self, folder, management=False):
        self.folder = Path(folder).resolve()
        self.mysql = MariaDB(self.folder)
        self.amqp = RabbitMQ(self.folder, management)
        self.file = self.folder / "servers.json"
        self.kept = {}

    def start(self):
        """Starts both, side by side; raises Failed, with nothing left running, when one does not come up."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder.chmod(0o700)
        try:
            self.kept = json.loads(self.file.read_text())
        except (OSError, ValueError):
            self.kept = {}
        self.kept.setdefault("mysql_password", secrets.token_hex(16))
        self.kept.setdefault("amqp_password", secrets.token_hex(16))
        # Before the first start, or a broker that was interrupted on it would have a password that nobody knows.
        write_private(self.file, json.dumps(self.kept, indent=2) + "\n")
        try:
            self.start_amqp(meanwhile=self.start_mysql)
        except BaseException:
            self.stop(now=True)
            raise
        self.publish()
        return self

    def _attempt(self, begin, wanted, count, end):
        for attempt in range(START_ATTEMPTS):
            ports = free_ports(count, wanted if attempt == 0 else ())
            try:
                return begin(ports)
            except Failed:
                end(now=True)
                # With its ports still free it was something else, and trying again would hide it.
                if attempt + 1 == START_ATTEMPTS or set(free_ports(count, ports)) == set(ports):
                    raise

    def start_mysql(self):
        self._attempt(lambda ports: self.mysql.start(ports[0], self.kept["mysql_password"]),
                      [self.mysql.port or self.kept.get("mysql_port")], 1, self.mysql.stop)

    def start_amqp(self, meanwhile=lambda: None):
        once = [meanwhile]
        wanted = self.amqp.ports or self.kept.get("amqp_ports") or []
        self._attempt(lambda ports: self.amqp.start(ports, self.kept["amqp_password"],
                                                    lambda: once.pop()() if once else None), wanted, 4, self.amqp.stop)

    def publish(self):
        self.kept.update(mysql_port=self.mysql.port, mysql_url=self.mysql.url, amqp_port=self.amqp.port,
                         amqp_ports=self.amqp.ports, amqp_url=self.amqp.url,
                         management_url=self.amqp.management_url, pids=self.pids())
        write_private(self.file, json.dumps(self.kept, indent=2) + "\n")
        write_private(self.folder / "servers.env", "".join(f"{key}={value}\n" for key, value in self.variables().items()))

    def variables(self):
        """What programs and tests take from the environment."""
        management = {"AMQP_MANAGEMENT_URL": self.amqp.management_url} if self.amqp.management else {}
        return management | {
            "MYSQL_URL": self.mysql.url,
            "AMQP_URL": self.amqp.url,
            "ONSALE_MYSQL_HOST": "127.0.0.1",
            "ONSALE_MYSQL_PORT": str(self.mysql.port),
            "ONSALE_MYSQL_USER": "root",
            "ONSALE_MYSQL_PASSWORD": self.mysql.password,
            "ONSALE_AMQP_URL": self.amqp.url,
        }

    def pids(self):
        children = {"mariadbd": self.mysql.process, "rabbitmq": self.amqp.process, "epmd": self.amqp.epmd}
        return {name: process.pid for name, process in children.items() if process is not None}

    def died(self):
        """The servers that should run and do not."""
        dead = [server for server in (self.mysql, self.amqp) if server.process is not None and not server.running()]
        if self.amqp not in dead and self.amqp.epmd is not None and self.amqp.epmd.poll() is not None:
            dead.append(self.amqp)
        return dead

    def restart(self, server):
        server.stop()
        if server is self.mysql:
            self.start_mysql()
        else:
            self.start_amqp()
        self.publish()

    def stop(self, now=False):
        # Both are asked before either is waited for.
        if not now:
            for server in (self.mysql, self.amqp):
                if server.running():
                    server.process.terminate()
        self.mysql.stop(now)
        self.amqp.stop(now)
