# SPDX-License-Identifier: Apache-2.0
"""What happened to a hall, one change after the other, as the database saw it; and whether seats were given as they should be.

Triggers write each change of seats and bookings into a table of the test's own, in the transaction that makes it. All who change seats
hold the tiers' locks, so the rows' numbers tell the order of the transactions. The rules are judged from this alone: nothing that the programs
say about themselves is used.
"""

import json
from collections import defaultdict

_TABLE = """CREATE TABLE seat_history (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, connection BIGINT UNSIGNED NOT NULL, after_gtid VARCHAR(64) NOT NULL,
    what VARCHAR(8) NOT NULL, row_name VARCHAR(16), seat VARCHAR(8), place BIGINT UNSIGNED, attempt SMALLINT UNSIGNED,
    old VARCHAR(16), new VARCHAR(16), quantity INT UNSIGNED, late_us BIGINT) ENGINE = InnoDB"""

# A transaction is known by its connection and by the one that this connection committed before.
_TRIGGER = "CREATE TRIGGER seat_history_{name} AFTER {when} FOR EACH ROW INSERT INTO seat_history" \
    " (connection, after_gtid, what, row_name, seat, place, attempt, old, new, quantity, late_us)" \
    " SELECT CONNECTION_ID(), @@last_gtid, {values} FROM DUAL WHERE {condition}"

_LATE = "TIMESTAMPDIFF(MICROSECOND, OLD.pay_until, UTC_TIMESTAMP(6))"
_TRIGGERS = [
    ("taken", "INSERT ON taken_seats", "'taken', NEW.row_name, NEW.seat_name, NEW.place, NEW.attempt, NULL, NULL, NULL, NULL", "TRUE"),
    ("freed", "DELETE ON taken_seats", "'freed', OLD.row_name, OLD.seat_name, OLD.place, OLD.attempt, NULL, NULL, NULL, NULL", "TRUE"),
    ("booked", "INSERT ON bookings",
     "'state', NULL, NULL, NEW.place, NEW.attempt, NULL, NEW.state, GREATEST(NEW.quantity, NEW.standby_quantity), NULL", "TRUE"),
    ("changed", "UPDATE ON bookings",
     "'state', NULL, NULL, NEW.place, NEW.attempt, OLD.state, NEW.state, GREATEST(NEW.quantity, NEW.standby_quantity), " + _LATE,
     "OLD.state <> NEW.state"),
    ("layout", "UPDATE ON tiers", "'layout', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL", "OLD.layout <> NEW.layout"),
]


MARKS = ("wheelchair", "companion")
# Whether a hold has run out is decided when the booking is locked, and written later in the same transaction. That nobody is confirmed who
# paid too late is the crowd's to judge, which knows to the millisecond when somebody paid.
WRITTEN_US = 1_000_000


class Hall:
    """The seats of one tier as an event file has them, and which of them are free."""

    def __init__(self, rows, taken=()):
        self.row_of = {row["row"]: number for number, row in enumerate(rows)}
        self.kinds = {}
        for row in rows:
            for number in numbers(row["seats"]):
                name = str(number)
                kind = next((kind for kind in (*MARKS, "blocked") if name in row.get(kind, ())), "ordinary")
                self.kinds[row["row"], number] = kind
        self.taken = set(taken)

    def free(self):
        """The ordinary seats that nobody has."""
        return {seat for seat, kind in self.kinds.items() if kind == "ordinary" and seat not in self.taken}

    def longest_run(self):
        return max((len(run) for run in runs(self.free())), default=0)


def numbers(text):
    """ "1-3,7" as [1, 2, 3, 7]."""
    found = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def runs(seats):
    """Seats, as (row, number), in groups of neighbours."""
    found = []
    for row, number in sorted(seats):
        if found and found[-1][-1] == (row, number - 1):
            found[-1].append((row, number))
        else:
            found.append([(row, number)])
    return found


def transactions(rows):
    """The rows of each transaction, without what tells them apart. Visitors cancel without the tiers' locks, in the midst of a worker's
    transaction, so the rows of one need not stand together; a worker writes only after it has read all it decides from."""
    found = {}
    for connection, after_gtid, *row in rows:
        found.setdefault((connection, after_gtid), []).append(row)
    return found.values()


class SeatHistory:
    """Make it when the event is applied and nothing is booked yet. The event has one tier, and this is its hall."""

    def __init__(self, stack, slug, rows):
        self.stack, self.slug = stack, slug
        self.layouts = [rows]  # append what is applied later
        stack.sql(_TABLE)
        for name, when, values, condition in _TRIGGERS:
            stack.sql(_TRIGGER.format(name=name, when=when, values=values, condition=condition))

    def judge(self):
        """Replays it all; returns what is wrong, in words, and sums."""
        replay = Replay(self.layouts, self._orders())
        rows = self.stack.sql("SELECT connection, after_gtid, what, row_name, seat, place, attempt, old, new, quantity, late_us"
                              " FROM seat_history ORDER BY id")
        for transaction in transactions(rows):
            replay.transaction(transaction)
        return replay

    def _orders(self):
        """(place, attempt) of each order with what it asks for first: seats by name, places that are marked."""
        found = {}
        for place, attempt, choices in self.stack.sql(
                "SELECT o.place, o.attempt, o.choices FROM orders o JOIN events e ON e.id = o.event_id WHERE e.slug = %s", self.slug):
            choice = json.loads(choices)[0]
            found[place, attempt] = {"named": "seats" in choice, "needs": {kind: choice[kind] for kind in MARKS if kind in choice}}
        return found


class Replay:
    """The hall and its standby, transaction by transaction."""

    def __init__(self, layouts, orders):
        self.layouts, self.orders = list(layouts), orders
        self.hall = Hall(self.layouts.pop(0))
        self.standby = {}  # (place, attempt): quantity
        self.wrong = []
        self.sums = defaultdict(int)

    def transaction(self, rows):
        taken, states = defaultdict(list), []
        for what, row_name, seat, place, attempt, old, new, quantity, late_us in rows:
            if what == "freed":
                self.hall.taken.discard((row_name, int(seat)))
            elif what == "taken":
                taken[place, attempt].append((row_name, int(seat)))
            elif what == "state":
                states.append(((place, attempt), old, new, quantity, late_us))
            else:
                self.hall = Hall(self.layouts.pop(0), self.hall.taken)
        before = dict(self.standby)
        for booking, old, new, quantity, late_us in states:
            self._state(booking, old, new, quantity, late_us)
        passed_over = {booking: quantity for booking, quantity in before.items() if booking in self.standby}
        for booking, seats in taken.items():
            self._given(booking, seats, booking in before, passed_over)

    def _state(self, booking, old, new, quantity, late_us):
        self.sums[new] += 1
        self.standby.pop(booking, None)
        if new == "standby":
            self.standby[booking] = quantity
        if new == "confirmed" and late_us is not None and late_us >= WRITTEN_US:
            self.wrong.append(f"{booking} was confirmed {late_us / 1e6:.3f} s after the hold had run out")
        if new == "expired" and (late_us is None or late_us < 0):
            self.wrong.append(f"{booking} expired although its hold had not run out")

    def _given(self, booking, seats, stood_by, passed_over):
        """One party gets its seats. Those in `passed_over` stood by before the transaction and do so still."""
        order, free = self.orders[booking], self.hall.free()
        self.sums["served from standby" if stood_by else "served at once"] += 1
        for seat in seats:
            kind = self.hall.kinds.get(seat)
            if seat in self.hall.taken or kind in (None, "blocked"):
                self.wrong.append(f"{booking} got {seat}, which is {kind} or somebody's")
        kinds = [self.hall.kinds.get(seat) for seat in seats]
        given = {kind: kinds.count(kind) for kind in MARKS if kind in kinds}
        if given != order["needs"]:
            self.wrong.append(f"{booking} needs {order['needs']} and got {given}: {seats}")
        for other, quantity in passed_over.items():
            if not stood_by:
                self.wrong.append(f"{booking} came anew and got seats while {other} stood by for {quantity}")
            elif other < booking and quantity <= len(free) and not self.orders[other]["needs"]:
                self.wrong.append(f"{booking} was served before {other}, who would have fitted: {quantity} of {len(free)}")
        if len(seats) > 1 and not order["named"] and not order["needs"]:
            self.sums["parties"] += 1
            if len(runs(seats)) > 1:
                self.sums["split"] += 1
                if self.hall.longest_run() >= len(seats):
                    self.wrong.append(f"{booking} was split {runs(seats)} although {len(seats)} were free side by side")
        self.hall.taken.update(seats)
