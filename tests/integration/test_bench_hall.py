# SPDX-License-Identifier: Apache-2.0
"""What `make bench-booking` says of a hall that was sold: bench/bookings/hall.py finds what it looks for."""

import sys

import pytest
from harness.stack import ROOT

sys.path.append(str(ROOT / "bench" / "bookings"))

from hall import COUNT, ROWS, SEATS, Hall, is_together, runs_of, tier  # noqa: E402

pytestmark = pytest.mark.quick


def names(row, *numbers):
    return [f"{row}-{number}" for number in numbers]


def test_the_hall_is_the_one_of_the_event_file():
    first, last = (tuple(int(number) for number in part.split("-")) for part in SEATS.split(","))
    seats = [*range(first[0], first[1] + 1), *range(last[0], last[1] + 1)]
    hall = Hall()
    assert hall.left == COUNT == 20_000
    assert len(tier("hall", 1)["rows"]) == ROWS
    assert all(sorted(free) == seats for free in hall.free.values())


def test_neighbours():
    assert runs_of({1, 2, 4, 7, 8, 9}) == [2, 1, 3]
    assert is_together([("R1", 3), ("R1", 2)])
    assert not is_together([("R1", 24), ("R1", 27)]), "the aisle is between them"
    assert not is_together([("R1", 2), ("R2", 3)])


def test_who_is_split_while_a_run_exists():
    hall = Hall()
    hall.take(names("R1", 1, 2))
    assert (hall.split, hall.split_in_vain) == (0, 0)
    hall.take([*names("R1", 3), *names("R2", 1)])
    assert (hall.split, hall.split_in_vain) == (1, 1)
    for row in list(hall.free):
        hall.free[row] = {1, 3} if row == "R9" else set()
    hall.take(names("R9", 1, 3))
    assert (hall.parties, hall.split, hall.split_in_vain) == (3, 2, 1), "there was no run left"


def test_seats_that_are_left_alone():
    hall = Hall()
    hall.take(names("R1", 2, 3))
    assert hall.stranded == 1
    hall.take(names("R1", 1))
    assert (hall.stranded, hall.most_alone) == (0, 1)


def test_a_seat_given_twice():
    hall = Hall()
    hall.take(names("R1", 1, 2))
    with pytest.raises(ValueError, match="R1-2"):
        hall.take(names("R1", 2, 3))
    with pytest.raises(ValueError, match="R1-25"):
        hall.take(names("R1", 25))
