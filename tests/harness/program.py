# SPDX-License-Identifier: Apache-2.0
"""One running program: its process, its log, its operators' port; killing, freezing and ending it."""

import json
import re
import signal
import urllib.error
import urllib.request
from datetime import datetime, timezone

from processes import Failed, spawn, stop, tail, wait_until

from harness import logs


class Program:
    """A server program under test. Made by Stack.start_room() and Stack.start_admission()."""

    def __init__(self, name, command, environment, log_path, cwd):
        self.name = name
        self.command = command
        self.environment = environment
        self.log_path = log_path
        self.cwd = cwd
        self.process = None
        self.started_at = None  # in UTC, as its log has it: not later than anything that it does
        self.killed = False
        self._log_start = 0

    def start(self):
        """Starts it, again if it ran before. Ports it was given as 0 may differ then."""
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        self.started_at = datetime.now(timezone.utc)
        self.process = spawn(self.command, log=self.log_path, env=self.environment, cwd=self.cwd)
        self.killed = False
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    # What it says

    def log_text(self):
        """What it wrote since its latest start."""
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def log_lines(self, event=None, **fields):
        """Its log lines, of one event word, with these fields if some are given."""
        return [line for line in logs.parse(self.log_text())
                if (event is None or line.event == event)
                and all(line.fields.get(key) == str(value) for key, value in fields.items())]

    def wait_log(self, event, seconds=20, **fields):
        """Waits for such a log line; returns the last one."""
        def found():
            lines = self.log_lines(event, **fields)
            if not lines and not self.alive():
                raise Failed(f"{self.name} ended with status {self.process.returncode}:\n{tail(self.log_path)}")
            return lines
        return wait_until(found, f"{event} {fields or ''} in the log of {self.name}", seconds)[-1]

    # Where it is

    @property
    def ops_port(self):
        return int(self.wait_log("ops_listening").fields["port"])

    @property
    def port(self):
        """The waiting room's TLS port."""
        return int(self.wait_log("listening").fields["tls_port"])

    @property
    def cleartext_port(self):
        return int(self.wait_log("listening").fields["cleartext_port"])

    # The operators' port

    def ops(self, path, seconds=5):
        """Asks the operators' port; returns the status and the text."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ops_port}{path}", timeout=seconds) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self):
        try:
            return self.ops("/readyz")[0] == 200
        except OSError:
            return False

    def wait_ready(self, seconds=30):
        def ready():
            if not self.alive():
                raise Failed(f"{self.name} ended with status {self.process.returncode}:\n{tail(self.log_path)}")
            return self.ready()
        wait_until(ready, f"{self.name} to be ready", seconds)
        return self

    def wait_not_ready(self, seconds=30):
        """Waits until it says that it cannot do its work; returns what it says is missing."""
        wait_until(lambda: self.ops("/readyz")[0] == 503, f"{self.name} to say that it is not ready", seconds)
        return self.ops("/readyz")[1]

    def metrics(self):
        """Its metrics as {'name{label="x"}': value}."""
        text = self.ops("/metrics")[1]
        return {match[1]: float(match[2])
                for match in re.finditer(r"^([a-z_:][^\s{]*(?:\{[^}]*\})?) (\S+)", text, re.MULTILINE)}

    def wait_metric(self, name, value, seconds=20):
        """Waits until a metric has this value: what a program did can be seen in the database before it has counted it."""
        seen = None

        def reached():
            nonlocal seen
            seen = self.metrics().get(name, 0)
            return seen == value
        try:
            wait_until(reached, name, seconds)
        except Failed as error:
            raise Failed(f"{name} of {self.name} is {seen:g}, not {value:g}") from error

    def cpu_seconds(self):
        """Processor time it has used so far."""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    # Hurting it

    def kill(self):
        """kill -9, and waits until it is gone."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def freeze(self):
        """SIGSTOP: it is there, holds what it holds, and does nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def hangup(self):
        self.process.send_signal(signal.SIGHUP)

    def end(self, seconds=12):
        """SIGTERM, as an operator would; returns the exit status, which should be 0, within 10 seconds."""
        if self.alive():
            return stop(self.process, grace_seconds=seconds)
        return self.process.returncode


class Result:
    """What a command of `onsale` did."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    @property
    def problem(self):
        return json.loads(self.err)

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"
