# SPDX-License-Identifier: Apache-2.0
"""The tests in C that need MySQL and RabbitMQ (tests/backends/): what common/ does with them, without a program around it."""

import subprocess

import pytest
from harness import logs
from harness.stack import BUILD, PATIENCE, ROOT

NAMES = sorted(path.stem for path in (ROOT / "tests" / "backends").glob("test_*.c"))


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    """A stack without programs: the tables, the queues' virtual host, the users."""
    return module_stack_factory().prepare()


@pytest.mark.parametrize("name", NAMES)
def test_backends(prepared, name):
    done = subprocess.run([ROOT / "build" / BUILD / "tests" / "backends" / name], capture_output=True, text=True,
                          timeout=90 * PATIENCE, env=prepared.environment(ONSALE_CONFIG=str(prepared.config_path)))
    said = done.stdout + done.stderr
    assert done.returncode == 0 and not logs.SANITIZER.search(said), said
