# SPDX-License-Identifier: Apache-2.0
"""The fixtures of all tests. tests/README.md shows how to use them."""

import shutil
import tempfile
from pathlib import Path

import pytest

from harness.broker import Backends
from harness.certificate import make_certificate
from harness.stack import BIN, Stack

_stacks = []  # those that stand now, for the reports of failures


@pytest.fixture(scope="session")
def session_folder():
    """A folder for the session's files, short enough for everything, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="onsale-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def backends(session_folder):
    """MySQL and RabbitMQ: private ones, or those given by MYSQL_URL and AMQP_URL."""
    backends = Backends(session_folder / "servers")
    yield backends
    backends.close()


@pytest.fixture(scope="session")
def certificate(session_folder):
    """A folder with certificate.pem and key.pem for localhost and 127.0.0.1, self-signed."""
    folder = session_folder / "certificate"
    folder.mkdir()
    return make_certificate(folder)


def _factory(request, backends, certificate, folder):
    made = []

    def make(**options):
        missing = [name for name in ("onsale", "waiting-room", "admission") if not (BIN / name).exists()]
        assert not missing, f"not built: {', '.join(missing)} in {BIN}"
        own = folder / f"stack {len(made) + 1}"  # every test runs in a path with a space
        own.mkdir()
        stack = Stack(backends, own, certificate, **options)
        made.append(stack)
        _stacks.append(stack)
        return stack

    def finish():
        problems = []
        for stack in reversed(made):
            _stacks.remove(stack)
            try:
                stack.close()
            except Exception as error:  # noqa: BLE001: the next stack must be closed all the same
                problems.append(error)
        if problems:
            raise problems[0]

    request.addfinalizer(finish)
    return make


@pytest.fixture
def stack_factory(request, backends, certificate, tmp_path):
    """Makes stacks: stack_factory(config={…}, proxied=True). Nothing is started before .start() or .start_room()."""
    return _factory(request, backends, certificate, tmp_path)


@pytest.fixture
def stack(stack_factory):
    """A fresh stack with one waiting room and one admission, ready, without events."""
    return stack_factory().start()


@pytest.fixture
def paying_stack(stack_factory):
    """A fresh stack that is paid through the sandbox bank (`.bank`): a waiting room, an admission, a booking worker, a notifier."""
    return stack_factory(bank=True).start(workers=1, notifiers=1)


@pytest.fixture(scope="module")
def module_stack_factory(request, backends, certificate, tmp_path_factory):
    return _factory(request, backends, certificate, tmp_path_factory.mktemp("module"))


@pytest.fixture(scope="module")
def module_stack(module_stack_factory):
    """As `stack`, but one for all tests of a file: let each use an event of its own."""
    return module_stack_factory().start()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for stack in _stacks:
            report.sections.extend(stack.reports())
