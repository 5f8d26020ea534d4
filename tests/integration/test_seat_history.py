# SPDX-License-Identifier: Apache-2.0
"""The judge of a hall's history notices what must not be. No program runs here."""

from harness.seat_history import Hall, Replay, numbers, runs, transactions

ROWS = [{"row": "A", "seats": "1-4,6-8", "wheelchair": ["1"], "companion": ["2"], "blocked": ["8"]}, {"row": "B", "seats": "1-3"}]
ANY, NAMED = ({"named": named, "needs": {}} for named in (False, True))
NEEDY = {"named": False, "needs": {"wheelchair": 1, "companion": 1}}


def took(place, *seats):
    return [("taken", row, str(number), place, 1, None, None, None, None) for row, number in seats]


def freed(place, *seats):
    return [("freed", row, str(number), place, 1, None, None, None, None) for row, number in seats]


def became(place, new, old=None, quantity=1, late_us=None):
    return [("state", None, None, place, 1, old, new, quantity, late_us)]


def wrong(*history, orders=None):
    """What is wrong with transactions one after the other; all orders are for any seats unless `orders` says otherwise."""
    replay = Replay([ROWS, [{"row": "A", "seats": "1-4"}]], {(place, 1): ANY for place in range(1, 10)} | (orders or {}))
    for rows in history:
        replay.transaction(rows)
    return replay.wrong


def one(found, words):
    assert len(found) == 1 and words in found[0], found


def test_a_hall():
    assert numbers("1-3,7") == [1, 2, 3, 7]
    assert runs({("B", 3), ("A", 6), ("A", 4), ("A", 3)}) == [[("A", 3), ("A", 4)], [("A", 6)], [("B", 3)]]
    hall = Hall(ROWS, {("B", 2)})
    assert hall.free() == {("A", 3), ("A", 4), ("A", 6), ("A", 7), ("B", 1), ("B", 3)}
    assert hall.longest_run() == 2


def test_seats_are_given_once_and_to_whom_they_are_for():
    assert not wrong(took(1, ("A", 3), ("A", 4)), freed(1, ("A", 3), ("A", 4)) + took(2, ("A", 4), ("A", 3)))
    one(wrong(took(1, ("A", 3)), took(2, ("A", 3))), "somebody's")
    one(wrong(took(1, ("A", 8))), "blocked")
    one(wrong(took(1, ("A", 5))), "None")
    one(wrong(took(1, ("A", 1))), "needs {} and got {'wheelchair': 1}")
    one(wrong(took(1, ("A", 1), ("A", 3)), orders={(1, 1): NEEDY}), "and got {'wheelchair': 1}")
    assert not wrong(took(1, ("A", 1), ("A", 2)), orders={(1, 1): NEEDY})
    # Whoever applies another hall changes what may be given.
    layout = [("layout", *[None] * 8)]
    assert not wrong(layout, took(1, ("A", 1)))
    one(wrong(took(1, ("A", 3)), layout, took(2, ("A", 3))), "somebody's")


def test_a_party_sits_together_while_it_can():
    one(wrong(took(1, ("A", 4), ("A", 6))), "was split")
    assert not wrong(took(1, ("A", 4), ("A", 6)), orders={(1, 1): NAMED})
    split = took(3, ("A", 7), ("B", 3))
    assert not wrong(took(1, ("B", 1), ("B", 2)), took(2, ("A", 3), ("A", 4)), took(4, ("A", 6)), split)
    # Also within one transaction: by what is free at that moment.
    assert not wrong(took(1, ("B", 1), ("B", 2)) + took(2, ("A", 3), ("A", 4)) + took(4, ("A", 6)) + split)
    one(wrong(took(1, ("B", 1), ("B", 2)) + took(2, ("A", 3), ("A", 4)) + split), "was split")


def test_standby_comes_first_and_in_the_order_of_places():
    full = [took(9, ("A", 3), ("A", 4), ("A", 6), ("A", 7)), took(8, ("B", 1), ("B", 2), ("B", 3))]
    stand_by = [became(2, "standby", quantity=2), became(3, "standby", quantity=1)]
    back = freed(8, ("B", 1), ("B", 2), ("B", 3))
    second, third = took(2, ("B", 1), ("B", 2)), took(3, ("B", 3))
    held = {place: became(place, "held", "standby") for place in (2, 3)}
    assert not wrong(*full, *stand_by, back + second + third + held[2] + held[3])
    one(wrong(*full, *stand_by, back + third + held[3]), "would have fitted")
    assert not wrong(*full, *stand_by, freed(8, ("B", 3)) + third + held[3])  # two would not have fitted
    assert not wrong(*full, *stand_by, became(2, "cancelled", "standby"), back + third + held[3])
    one(wrong(*full, stand_by[0], back + took(4, ("B", 1)) + became(4, "held")), "came anew")
    assert not wrong(*full, back + took(4, ("B", 1)) + became(4, "held") + stand_by[0])  # who stands by came after


def test_holds_end_by_the_clock():
    one(wrong(became(1, "held"), became(1, "confirmed", "held", late_us=1_000_000)), "after the hold had run out")
    assert not wrong(became(1, "held"), became(1, "confirmed", "held", late_us=999_999))
    one(wrong(became(1, "held"), became(1, "expired", "held", late_us=-1)), "had not run out")
    assert not wrong(became(1, "held"), became(1, "expired", "held", late_us=0))


def test_transactions_are_told_apart():
    rows = [(1, "a", "x"), (2, "a", "y"), (1, "a", "z"), (1, "b", "w")]
    assert list(transactions(rows)) == [[["x"], ["z"]], [["y"]], [["w"]]]
