# SPDX-License-Identifier: Apache-2.0
"""onsale event apply while seats are held and sold: what nobody has may change, what somebody has stays, by name."""

import copy

import pytest

from harness.stack import EVENT

SEATED = {"row": "A", "seats": "1-12", "wheelchair": ["1"], "companion": ["2"], "blocked": ["12"]}
ROW_B = {"row": "B", "seats": "1-4"}


@pytest.fixture(scope="module")
def prepared(module_stack_factory):
    return module_stack_factory().prepare()


def document(slug, *rows, **more):
    tiers = copy.deepcopy(EVENT["tiers"])
    tiers[1]["rows"] = list(rows)
    return EVENT | {"slug": slug, "tiers": tiers} | more


@pytest.fixture
def slug(prepared, request):
    """A-1, A-3, A-4 and B-1 are somebody's."""
    slug = "h-" + "".join(c if c.isalnum() else "-" for c in request.node.name)[-60:].strip("-").lower()
    prepared.apply(document(slug, SEATED, ROW_B))
    for row, seat, place in (("A", 1, 1), ("A", 3, 2), ("A", 4, 2), ("B", 1, 3)):
        prepared.sql("INSERT INTO taken_seats SELECT id, 'stalls', %s, %s, %s, 1 FROM events WHERE slug = %s", row, seat, place, slug)
    prepared.sql("UPDATE tiers t JOIN events e ON e.id = t.event_id SET held = 2, sold = 2 WHERE e.slug = %s AND code = 'stalls'", slug)
    yield slug
    prepared.sql("DELETE FROM taken_seats")
    prepared.sql("UPDATE tiers SET held = 0, sold = 0")


def hall(prepared, slug):
    return prepared.sql("SELECT row_name, GROUP_CONCAT(CONCAT(seat_name, IF(wheelchair, 'w', ''), IF(companion, 'c', ''), IF(blocked, "
                        "'b', '')) ORDER BY seat_position) FROM seats s JOIN events e ON e.id = s.event_id WHERE e.slug = %s GROUP BY "
                        "row_name", slug)


def tier(prepared, slug):
    return prepared.sql("SELECT capacity, held, sold, layout, e.version FROM tiers t JOIN events e ON e.id = t.event_id WHERE "
                        "e.slug = %s AND code = 'stalls'", slug)[0]


@pytest.mark.parametrize("rows, said", [
    ([SEATED], "seat B-1 is held or sold: it cannot go away or be blocked"),
    ([SEATED | {"seats": "4-12", "wheelchair": [], "companion": []}, ROW_B], "seats A-1, A-3 are held or sold: they cannot go away"),
    ([SEATED | {"blocked": ["3", "4", "5"]}, ROW_B], "seats A-3, A-4 are held or sold: they cannot go away or be blocked"),
    ([{"row": "A", "seats": "1-3"}], "seats A-4, B-1 are held or sold: they cannot go away"),  # fewer seats than are somebody's
    ([SEATED | {"row": "C"}, ROW_B], "seats A-1, A-3, A-4 are held"),
    ([SEATED | {"row": "a"}, ROW_B], "seats A-1, A-3, A-4 are held"),
    ([SEATED | {"wheelchair": ["1", "3"]}, ROW_B], "seat A-3 is held or sold: it cannot be kept for wheelchairs or companions"),
    ([SEATED | {"wheelchair": [], "companion": ["1", "2"]}, ROW_B], "seat A-1 is held or sold: it cannot be kept for"),
])
def test_what_somebody_has_stays(prepared, slug, rows, said):
    before = hall(prepared, slug), tier(prepared, slug)
    for more in ([], ["--dry-run"]):
        assert said in prepared.apply(document(slug, *rows), 1, *more).err
    assert (hall(prepared, slug), tier(prepared, slug)) == before


@pytest.mark.parametrize("rows, capacity, after", [
    ([SEATED, ROW_B, {"row": "C", "seats": "1-2"}], 17, ("C", "1,2")),
    ([SEATED | {"blocked": []}, ROW_B], 16, ("A", "1w,2c,3,4,5,6,7,8,9,10,11,12")),
    ([SEATED | {"blocked": ["2", "5"], "companion": []}, ROW_B], 14, ("A", "1w,2b,3,4,5b,6,7,8,9,10,11,12")),
    ([SEATED | {"seats": "1,3-4,12", "companion": []}, {"row": "B", "seats": "1"}], 4, ("A", "1w,3,4,12b")),
    ([SEATED | {"wheelchair": ["1", "6"], "companion": ["2", "7"]}, ROW_B], 15, ("A", "1w,2c,3,4,5,6w,7c,8,9,10,11,12b")),
    ([SEATED | {"wheelchair": [], "companion": []}, ROW_B], 15, ("A", "1,2,3,4,5,6,7,8,9,10,11,12b")),
    ([ROW_B, SEATED], 15, ("B", "1,2,3,4")),
])
def test_what_nobody_has_may_change(prepared, slug, rows, capacity, after):
    layout, version = tier(prepared, slug)[3:]
    prepared.apply(document(slug, *rows))
    assert tier(prepared, slug) == (capacity, 2, 2, version + 1, version + 1) and layout <= version
    assert after in hall(prepared, slug)
    # What does not concern the seats leaves the layout alone: nobody reads the hall again.
    prepared.apply(document(slug, *rows, name="Renamed"))
    assert tier(prepared, slug)[3:] == (version + 1, version + 2)


def test_a_tier_that_comes_again_has_another_layout(prepared, slug):
    prepared.sql("DELETE FROM taken_seats")
    prepared.sql("UPDATE tiers SET held = 0, sold = 0")
    layout = tier(prepared, slug)[3]
    gone = document(slug, SEATED)
    prepared.apply(gone | {"tiers": gone["tiers"][:1]})
    prepared.apply(document(slug, ROW_B))
    assert tier(prepared, slug)[3] > layout


def test_many_seats_are_named_and_counted(prepared, slug):
    prepared.sql("INSERT INTO taken_seats SELECT s.event_id, tier, row_name, seat_name, 4, 1 FROM seats s JOIN events e ON e.id = "
                 "s.event_id WHERE e.slug = %s AND row_name = 'A' AND seat_name NOT IN ('1', '3', '4', '12')", slug)
    assert "seats A-1, A-2, A-3, A-4, A-5, A-6, A-7, A-8, A-9, A-10 and 1 more are held or sold" in prepared.apply(
        document(slug, {"row": "C", "seats": "1-20"}, ROW_B), 1).err


def test_who_stands_by_keeps_the_tier(prepared, slug):
    prepared.sql("DELETE FROM taken_seats")
    prepared.sql("UPDATE tiers t JOIN events e ON e.id = t.event_id SET held = 0, sold = 0, standby = 1 WHERE e.slug = %s AND "
                 "code = 'stalls'", slug)
    file = document(slug, SEATED)
    refused = prepared.apply(file | {"tiers": file["tiers"][:1]}, 1)
    assert "tier stalls has 0 places held and 0 sold, and 1 stand by: the tier goes away" in refused.err
    prepared.apply(document(slug, ROW_B))
    prepared.sql("UPDATE tiers SET standby = 0")


def test_more_in_an_order_than_seats_can_be_is_told(prepared, slug):
    assert "at most 64" in prepared.apply(document(slug, SEATED, ROW_B, max_per_order=65, max_per_customer=65)).err
    assert "at most" not in prepared.apply(document(slug, SEATED, ROW_B, max_per_order=64, max_per_customer=65)).err
    file = document("standing", SEATED, max_per_order=100, max_per_customer=100)
    assert "at most" not in prepared.apply(file | {"tiers": file["tiers"][:1]}).err
