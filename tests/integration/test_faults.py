# SPDX-License-Identifier: Apache-2.0
"""A crowd while everything it stands on dies, freezes or is cut off, one after the other; then the checker and the audit."""

import subprocess

from harness.stack import BUILD, PATIENCE, ROOT
from processes import free_ports, wait_until

VISITORS = 400
PACE = 20  # a second


def start(stack):
    """Two waiting rooms that come back on the ports they had, two admissions, all ready."""
    stack.prepare()
    started = [stack.start_room(wait=False, environment={"ONSALE_WAITING_ROOM_LISTEN": f"127.0.0.1:{port}"})
               for port in free_ports(2)]
    started += [stack.start_admission(wait=False) for _ in range(2)]
    for program in started:
        program.wait_ready(30 * PATIENCE)


def served(stack):
    return stack.sql("SELECT served FROM line_served")[0][0]


def wait_for_the_line(stack, places=PACE):
    """The line moves on by so many places from where it stands."""
    goal = served(stack) + places
    wait_until(lambda: served(stack) >= goal, f"the line to reach place {goal}", 30 * PATIENCE)


def leader(stack):
    return wait_until(lambda: next((each for each in stack.admissions if each.metrics()["onsale_admission_leads"] == 1), None),
                      "an admission to lead", 10 * PATIENCE)


def test_a_crowd_through_every_fault(stack_factory):
    stack = stack_factory(proxied=True)
    stack.expect_errors("mysql_away")
    start(stack)
    stack.event("crowd", pace=f"{PACE}/s")
    addresses = [f"https://localhost:{room.port}/e/crowd" for room in stack.rooms]
    command = [ROOT / "build" / BUILD / "bench" / "crowd", "--faults", "--visitors", VISITORS, "--rate", 3 * PACE,
               "--leave", "5%", "--reconnect", "10%", "--seconds", 150 * PATIENCE, "--ca",
               stack.certificate / "certificate.pem", "--record", "record.jsonl", *addresses]
    crowd = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             env=stack.environment(), cwd=stack.folder)
    try:
        wait_for_the_line(stack)
        dead = leader(stack)
        dead.kill()
        wait_for_the_line(stack)
        dead.start().wait_ready()
        frozen = leader(stack)
        frozen.freeze()
        wait_for_the_line(stack)
        frozen.resume()

        room = stack.rooms[0]
        room.kill()
        wait_for_the_line(stack)
        room.start().wait_ready()
        other = stack.rooms[1]
        other.freeze()
        wait_for_the_line(stack)
        other.resume()

        stack.amqp_proxy.cut()
        wait_for_the_line(stack)
        stack.amqp_proxy.mend()
        stack.mysql_proxy.cut()
        assert "mysql" in room.wait_not_ready(20 * PATIENCE).lower()
        stack.mysql_proxy.mend()
        wait_for_the_line(stack)
        stack.mysql_proxy.hold()
        assert "mysql" in other.wait_not_ready(30 * PATIENCE).lower()
        stack.mysql_proxy.mend()
        wait_for_the_line(stack)
        told, _ = crowd.communicate(timeout=160 * PATIENCE)
    finally:
        crowd.kill()
        crowd.wait()
    assert crowd.returncode == 0, told[-3000:]
    assert "Everybody was told what is right." in told
    epochs = [row[0] for row in stack.sql("SELECT epoch FROM served_log ORDER BY served")]
    assert epochs == sorted(epochs) and len(set(epochs)) >= 3
    audit = stack.onsale_json("audit", "crowd")
    assert audit["ok"], audit
