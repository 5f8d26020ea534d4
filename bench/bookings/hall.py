# SPDX-License-Identifier: Apache-2.0
"""A hall for measuring: 400 rows of 50 seats with an aisle, and what was made of it, judged from the bookings alone, one after the other."""

ROWS = 400
SEATS = "1-24,27-52"
RUNS = (range(1, 25), range(27, 53))
COUNT = ROWS * sum(len(run) for run in RUNS)


def tier(code, amount):
    """As in an event file. Rows are named by numbers: R1 is the best."""
    return {"code": code, "name": "Hall", "price": amount, "rows": [{"row": f"R{row}", "seats": SEATS} for row in range(1, ROWS + 1)]}


def runs_of(free):
    """The lengths of the runs of free neighbours among these numbers."""
    lengths, last = [], None
    for number in sorted(free):
        if last is not None and number == last + 1:
            lengths[-1] += 1
        else:
            lengths.append(1)
        last = number
    return lengths


def is_together(seats):
    """Whether seats (row, number) are neighbours of one row."""
    numbers = sorted(number for _, number in seats)
    return len({row for row, _ in seats}) == 1 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


class Hall:
    """Takes the bookings in the sequence in which they were decided, and keeps what is free."""

    def __init__(self):
        self.free = {f"R{row}": {number for run in RUNS for number in run} for row in range(1, ROWS + 1)}
        self.alone = dict.fromkeys(self.free, 0)
        self.parties = self.split = self.split_in_vain = self.most_alone = 0

    def take(self, names):
        """A party's seats by name. Raises ValueError for one that is not there or not free any more."""
        seats = [(row, int(number)) for row, number in (name.rsplit("-", 1) for name in names)]
        if not is_together(seats):
            self.split += 1
            # Nobody had to be split while there was a run.
            self.split_in_vain += any(max(runs_of(free), default=0) >= len(seats) for free in self.free.values())
        self.parties += 1
        for row, number in seats:
            if number not in self.free[row]:
                raise ValueError(f"seat {row}-{number} was given twice, or is none")
            self.free[row].remove(number)
        for row in {row for row, _ in seats}:
            self.alone[row] = runs_of(self.free[row]).count(1)
        self.most_alone = max(self.most_alone, self.stranded)

    @property
    def stranded(self):
        """Free seats with no free neighbour."""
        return sum(self.alone.values())

    @property
    def left(self):
        return sum(len(free) for free in self.free.values())
