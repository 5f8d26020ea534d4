# SPDX-License-Identifier: Apache-2.0
"""Starting processes that never outlive whoever started them, waiting with a limit, finding free ports.

Everything that the tools and the tests start goes through `spawn`: the kernel kills the child when its parent dies,
whatever the parent died of, so nothing is left running even after `kill -9`. Standard library only.
"""

import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """Something could not be done; the text says what and why, for a person."""


def _die_with_parent(parent, number):
    def prepare():
        if _libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
            os._exit(127)
        # The parent may have died before the line above took effect.
        if os.getppid() != parent:
            os._exit(127)
        # Python ignores SIGPIPE, and a starter may ignore or block more; programs are to start as from a shell.
        for each in (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    return prepare


def spawn(command, log=None, env=None, cwd=None, death_signal=signal.SIGKILL, **more):
    """Starts a process in a session of its own, so that Ctrl-C reaches only the starter, who then stops it in order.

    `log` is a path that standard output and error are appended to; without it they are the starter's. Call it from a
    thread that lives as long as the process should: the kernel watches the thread.
    """
    out = open(log, "ab") if log is not None else None
    try:
        if out is not None:
            more.update(stdout=out, stderr=subprocess.STDOUT)
        more.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            [str(part) for part in command],
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid(), death_signal),
            **more,
        )
    except FileNotFoundError as error:
        raise Failed(f"{command[0]}: no such program ({error.strerror})") from error
    finally:
        if out is not None:
            out.close()


def stop(process, grace_seconds=20.0, first=signal.SIGTERM):
    """Asks a process to end and waits; after the grace it is killed. Returns its exit status (negative: signal)."""
    if process.poll() is None:
        process.send_signal(first)
        # A frozen process takes note of nothing but this.
        process.send_signal(signal.SIGCONT)
        try:
            return process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def wait_until(condition, what, seconds, pause=0.02):
    """Calls `condition` until it returns something true, and returns that. Failed after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failed(f"waited {seconds:g} s in vain for {what}")
        time.sleep(pause)


def port_is_free(port, address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_ports(count, wanted=()):
    """Ports on the loopback that nobody listens on: those wanted where they are free, others where not.

    Between this and their use somebody else may take one: whoever uses them must be ready to try again.
    """
    ports = [port for port in wanted if port and port_is_free(port)][:count]
    probes = []
    try:
        while len(ports) < count:
            probe = socket.socket()
            probes.append(probe)
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port not in ports:
                ports.append(port)
    finally:
        for probe in probes:
            probe.close()
    return ports


class Lock:
    """FOLDER/lock: held by who looks after the folder as long as they live, so never stale. Its content is their pid."""

    def __init__(self, folder):
        self.path = folder / "lock"
        self.file = None

    def take(self):
        self.file = open(self.path, "a+", encoding="ascii")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            return False
        self.file.truncate(0)
        self.file.write(f"{os.getpid()}\n")
        self.file.flush()
        return True

    def holder(self):
        """The pid of who holds it, or None."""
        try:
            with open(self.path, encoding="ascii") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return None
                except BlockingIOError:
                    return int(file.read() or 0) or None
        except OSError:
            return None


def tail(path, lines=15):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.path.getsize(path) - 16384))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
