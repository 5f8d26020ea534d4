# SPDX-License-Identifier: Apache-2.0
"""Seats, holds and standby on the booking worker's side: what is held runs out, what comes back goes to those who stand by, and nobody
has a seat twice, whoever dies and however many work on one event."""

import json
import threading
from datetime import timezone

import pytest
from harness.booth import choice, open_booth
from harness.stack import PATIENCE
from processes import wait_until

FLOOR = [{"code": "floor", "name": "Floor", "price": 4500, "capacity": 4}]
HALL = [{"code": "stalls", "name": "Stalls", "price": 4500, "rows": [
    {"row": "A", "seats": "1-6", "wheelchair": ["1"], "companion": ["2"], "blocked": ["6"]}, {"row": "B", "seats": "1-6"}]}]


@pytest.fixture
def booth_factory(stack_factory):
    """Workers alone, with an open event and a line of which everybody was let in. What costs something is held."""
    def make(tiers=FLOOR, provider="manual", line=60, **more):
        return open_booth(stack_factory, tiers=tiers, payment=provider, line=line, **more)
    return make


@pytest.fixture
def booth(booth_factory):
    return booth_factory()


def held_wide(booth, code="floor"):
    return booth.stack.sql("SELECT held, sold, standby FROM tiers WHERE code = %s", code)[0]


def stalls(quantity=1, **more):
    return choice("stalls", quantity, **more)


def wait_state(booth, state, seconds=5):
    wait_until(lambda: booth.stack.sql("SELECT state FROM events WHERE id = %s", booth.event_id)[0][0] == state,
               f"the event to be {state}", seconds * PATIENCE)


def rounds(worker):
    return worker.metrics()["onsale_booking_sweep_duration_seconds_count"]


def wait_rounds(worker, count=3):
    """Until the worker has looked at everything so many times from now on, from beginning to end."""
    until = rounds(worker) + count
    wait_until(lambda: rounds(worker) >= until, f"{count} rounds", 20 * PATIENCE)


# Holds

def test_what_is_not_paid_comes_back(booth):
    booth.book(1, choices=[choice(quantity=2)])
    assert booth.wait_booked(1) == {1: "held"}
    (pay_until, created_at, more_time, reference), = booth.stack.sql(
        "SELECT pay_until, created_at, more_time, reference FROM bookings")
    assert abs((pay_until - created_at).total_seconds() - 600) < 1 and more_time == 0 and len(reference) == 9
    assert held_wide(booth) == (2, 0, 0)
    told, = booth.outcomes()[1, 1]
    assert told["state"] == "held" and told["reference"] == reference and told["tickets"] == {"full": 2}
    assert told["pay_until_us"] == int(pay_until.replace(tzinfo=timezone.utc).timestamp() * 1_000_000 + 0.5)
    booth.lapse(1)
    booth.wait_states({1: "expired"})
    row = booth.booking(1)
    assert [row[key] for key in ("revision", "tier", "quantity", "amount", "reference")] == [4, "floor", 2, 9000, reference]
    assert booth.stack.sql("SELECT pay_until FROM bookings") == ((None,),)
    assert held_wide(booth) == (0, 0, 0)
    assert booth.stack.sql("SELECT booked FROM customers") == ((0,),)
    assert booth.stack.sql("SELECT revision, state, actor, detail FROM order_log") == ((4, "expired", "booking-worker", "was held"),)
    told, = booth.outcomes()[1, 1]
    assert (told["state"], told["revision"]) == ("expired", 4) and "pay_until_us" not in told
    worker = booth.stack.workers[0]
    assert worker.wait_log("hold_lapsed", place=1).fields["slug"] == "gala"
    assert worker.metrics()["onsale_holds_lapsed_total"] == 1
    booth.wait_outbox_empty()
    booth.audit()


def test_what_costs_nothing_is_not_held(booth):
    booth.book(1, choices=[choice(quantity=2, amount=0)])
    assert booth.wait_booked(1) == {1: "confirmed"}
    assert held_wide(booth) == (0, 2, 0)
    booth.check()


def test_without_a_provider_nothing_is_held(booth_factory):
    booth = booth_factory(provider="none", tiers=HALL)
    booth.book(1, choices=[stalls(2)])
    assert booth.wait_booked(1) == {1: "confirmed"}
    assert booth.stack.sql("SELECT pay_until FROM bookings") == ((None,),) and len(booth.seats(1)) == 2
    booth.audit()


def test_what_is_being_paid_does_not_lapse(booth):
    booth.book(1, 2)
    booth.wait_states({1: "held", 2: "held"})
    booth.stack.sql("UPDATE bookings SET state = 'paying', revision = revision + 1 WHERE place = 1")
    booth.lapse(1, 2)
    booth.wait_states({2: "expired"})
    wait_rounds(booth.stack.workers[0])
    assert booth.states() == {1: "paying", 2: "expired"}
    booth.check()


def test_more_time_while_it_lapses(booth):
    """What the table says is over already, but somebody has the row: the sweep lets it be, and then it is not over."""
    booth.book(1)
    booth.wait_states({1: "held"})
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) + INTERVAL 3 SECOND")
        cursor.execute("BEGIN")
        assert cursor.execute("UPDATE bookings SET pay_until = pay_until + INTERVAL 600 SECOND, more_time = 1, revision = revision + 1"
                              " WHERE place = 1 AND state = 'held'") == 1
        wait_until(lambda: booth.stack.sql("SELECT pay_until < UTC_TIMESTAMP(6) FROM bookings")[0][0], "the time to pass", 20)
        wait_rounds(booth.stack.workers[0])
        cursor.execute("COMMIT")
    wait_rounds(booth.stack.workers[0])
    assert booth.states() == {1: "held"} and booth.stack.sql("SELECT more_time FROM bookings") == ((1,),)
    booth.lapse(1)
    booth.wait_states({1: "expired"})
    booth.check()


def test_a_stop_lets_holds_stand_still(booth):
    booth.book(1)
    booth.wait_states({1: "held"})
    worker = booth.stack.workers[0]
    booth.stack.onsale("stop", "gala", "--reason", "a test", expect=0)
    # By the clock that stands still: 1.5 s more than have passed by it. Set now, for the stop takes a busy machine a while.
    booth.stack.sql("UPDATE bookings JOIN events ON id = event_id SET pay_until = stopped_at - INTERVAL stopped_us MICROSECOND"
                    " + INTERVAL 1500000 MICROSECOND WHERE bookings.state = 'held'")
    (pay_until,), = booth.stack.sql("SELECT pay_until FROM bookings WHERE state = 'held'")
    wait_until(lambda: booth.stack.sql("SELECT pay_until < UTC_TIMESTAMP(6) - INTERVAL 500000 MICROSECOND FROM bookings")[0][0],
               "more time than there was", 20)
    wait_rounds(worker)
    assert booth.states() == {1: "held"}
    booth.stack.onsale("start", "gala", expect=0)
    booth.wait_states({1: "expired"})
    (late_us, stopped_us), = booth.stack.sql(
        "SELECT TIMESTAMPDIFF(MICROSECOND, %s, changed_at), stopped_us FROM bookings JOIN events ON id = event_id", pay_until)
    assert 0 <= late_us - stopped_us < 2_000_000 * PATIENCE and stopped_us > 2_000_000
    # What is held from now on has its full time by the same clock, and nothing else that is to be done makes it run faster.
    booth.book(2, 3)
    booth.wait_states({2: "held", 3: "held"})
    (long_us,), = booth.stack.sql("SELECT TIMESTAMPDIFF(MICROSECOND, created_at, pay_until) + %s FROM bookings WHERE place = 2",
                                  stopped_us)
    assert abs(long_us - 600_000_000) < 1_000_000
    booth.stack.sql("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) - INTERVAL %s - 1000000 MICROSECOND WHERE place = 3", stopped_us)
    (pay_until,), = booth.stack.sql("SELECT pay_until FROM bookings WHERE place = 3")
    booth.end(2)
    booth.wait_states({3: "expired"})
    (late_us,), = booth.stack.sql("SELECT TIMESTAMPDIFF(MICROSECOND, %s, changed_at) FROM bookings WHERE place = 3", pay_until)
    assert late_us >= stopped_us
    booth.audit()


# What comes back

@pytest.mark.parametrize("provider, was", [("manual", "held"), ("none", "confirmed")])
def test_what_was_given_back_is_free_again(booth_factory, provider, was):
    booth = booth_factory(tiers=HALL, provider=provider)
    booth.book(1, choices=[stalls(2)])
    booth.book(2, choices=[stalls(1)])
    booth.wait_states({1: was, 2: was})
    seats = booth.seats(1)
    version = booth.stack.sql("SELECT taken_version FROM tiers")[0][0]
    booth.end(1)
    booth.end(2, told=1)
    booth.wait_freed()
    assert held_wide(booth, "stalls") == (0, 0, 0)
    assert booth.stack.sql("SELECT COUNT(*) FROM taken_seats") == ((0,),)
    assert booth.stack.sql("SELECT taken_version FROM tiers")[0][0] > version
    assert booth.seats(1) == seats  # which they were stays known
    booth.wait_outbox_empty()
    told = booth.outcomes()
    assert [each["state"] for each in told[1, 1]] == [was, "cancelled"] and told[1, 1][1]["revision"] == 4
    assert [each["state"] for each in told[2, 1]] == [was]  # whoever ended it has told
    assert booth.stack.workers[0].wait_log("freed", place=1).fields["was"] == was
    booth.book(3, choices=[stalls(seats=seats, quantity=2)])
    booth.wait_states({3: was})
    assert booth.seats(3) == seats
    booth.check()


def test_a_customer_who_gives_back_and_orders_again_at_once(booth_factory):
    """The limit counts what is not free yet; so what waits is freed before the newcomer is looked at."""
    booth = booth_factory(max_per_customer=4, max_per_order=4)
    booth.book(1, choices=[choice(quantity=4)], email="ann@example.org")
    booth.wait_states({1: "held"})
    for attempt in range(2, 7):
        booth.order(1, choices=[choice(quantity=4)], email="ann@example.org", attempt=attempt)
        booth.end(1, attempt=attempt - 1)
        booth.send(booth.message(1, attempt))
        wait_until(lambda: booth.booking(1, attempt), f"attempt {attempt}", 20)
        assert booth.booking(1, attempt)["state"] == "held", booth.booking(1, attempt)
    booth.check()


def test_sold_out_and_open_again(booth_factory):
    booth = booth_factory(provider="none")
    booth.stack.onsale("pause", "gala", expect=0)
    booth.book(1, 2, 3, 4)
    wait_state(booth, "sold_out")
    booth.end(3)
    wait_state(booth, "paused")  # a pause is the operators' and stays one
    booth.stack.onsale("resume", "gala", expect=0)
    booth.book(5)
    wait_state(booth, "sold_out")
    booth.end(1, 2)
    wait_state(booth, "open")
    assert [row[0] for row in booth.stack.sql("SELECT action FROM event_log WHERE actor = 'booking-worker' ORDER BY id")] == [
        "sell_out", "sell_again", "sell_out", "sell_again"]
    assert booth.stack.workers[0].wait_log("on_sale_again", state="open")
    booth.check()


def test_a_held_event_is_not_sold_out(booth):
    booth.book(1, choices=[choice(quantity=4)])
    booth.wait_states({1: "held"})
    wait_rounds(booth.stack.workers[0])
    assert booth.stack.sql("SELECT state FROM events") == (("open",),)
    booth.stack.onsale("booking", "confirm", "gala", "1", expect=0)
    wait_state(booth, "sold_out")  # nobody ordered anything: the sweep sees it
    booth.audit()


# Standby

def test_standby_goes_by_place_and_passes_over_who_does_not_fit(booth):
    booth.book(1, choices=[choice(quantity=4)])
    booth.wait_states({1: "held"})
    for place, quantity in ((4, 1), (2, 3), (3, 2)):
        booth.book(place, choices=[choice(quantity=quantity)])
        booth.wait_states({place: "standby"})
    assert held_wide(booth) == (4, 0, 3)
    assert booth.stack.sql("SELECT standby_tier, standby_quantity, tier, quantity FROM bookings WHERE place = 2") == (
        ("floor", 3, None, 0),)
    booth.lapse(1)
    booth.wait_states({1: "expired", 2: "held", 3: "standby", 4: "held"})
    assert held_wide(booth) == (4, 0, 1)
    assert booth.booking(2)["reference"] and booth.booking(2)["quantity"] == 3 and booth.booking(2)["revision"] == 4
    # While somebody stands by, newcomers join behind, even who would fit.
    booth.book(6, choices=[choice(quantity=1)])
    booth.book(7, choices=[choice(quantity=1)])
    booth.wait_states({6: "standby", 7: "standby"})
    booth.end(4)
    booth.wait_states({3: "standby", 6: "held", 7: "standby"})
    booth.lapse(2)
    booth.wait_states({3: "held", 7: "held"})
    assert held_wide(booth) == (4, 0, 0)
    told = booth.outcomes()
    assert [each["state"] for each in told[3, 1]] == ["standby", "held"]
    assert told[3, 1][0]["tier"] == "floor" and told[3, 1][0]["quantity"] == 2 and "pay_until_us" not in told[3, 1][0]
    assert [each["revision"] for each in told[3, 1]] == [3, 4] and "pay_until_us" in told[3, 1][1]
    assert booth.stack.sql("SELECT state, detail FROM order_log WHERE place = 3") == (("held", "was standby"),)
    booth.audit()


def test_standby_that_nothing_can_help_any_more(booth):
    """Who wants more than can ever come back hears so at once, the others when the last hold is over."""
    booth.book(1, choices=[choice(quantity=2)])
    booth.book(2, choices=[choice(quantity=2)])
    booth.wait_states({1: "held", 2: "held"})
    booth.book(3, choices=[choice(quantity=4)])
    booth.book(4, choices=[choice(quantity=2)])
    booth.wait_states({3: "standby", 4: "standby"})
    booth.stack.onsale("booking", "confirm", "gala", "1", expect=0)
    booth.wait_states({3: "sold_out", 4: "standby"})
    assert booth.stack.sql("SELECT state FROM events") == (("open",),)
    booth.stack.onsale("booking", "confirm", "gala", "2", expect=0)
    booth.wait_states({4: "sold_out"})
    wait_state(booth, "sold_out")
    assert held_wide(booth) == (0, 4, 0)
    assert booth.outcomes()[4, 1][-1]["state"] == "sold_out"
    booth.audit()


def test_closing_ends_standby_and_not_holds(booth):
    booth.book(1, choices=[choice(quantity=4)])
    booth.wait_states({1: "held"})
    booth.book(2, 3)
    booth.wait_states({2: "standby", 3: "standby"})
    booth.end(3)
    booth.stack.onsale("close", "gala", expect=0)
    booth.wait_states({1: "held", 2: "sold_out", 3: "cancelled"})
    booth.wait_freed()
    assert held_wide(booth) == (4, 0, 0)
    booth.lapse(1)
    booth.wait_states({1: "expired"})
    booth.audit()


def test_more_places_go_to_standby_first(booth):
    booth.book(1, choices=[choice(quantity=4)])
    booth.wait_states({1: "held"})
    booth.book(2, 3)
    booth.wait_states({2: "standby", 3: "standby"})
    booth.stack.apply(json.loads((booth.stack.folder / "event-gala.json").read_text()) | {
        "tiers": [FLOOR[0] | {"capacity": 5}]})
    booth.wait_states({2: "held", 3: "standby"})
    assert held_wide(booth) == (5, 0, 1)
    booth.check()


def test_a_tier_that_was_sold_out_gets_more_places(booth_factory):
    booth = booth_factory(provider="none")
    booth.book(1, 2, 3, 4)
    wait_state(booth, "sold_out")
    booth.stack.apply(json.loads((booth.stack.folder / "event-gala.json").read_text()) | {
        "tiers": [FLOOR[0] | {"capacity": 5}]})
    wait_state(booth, "open")
    booth.book(5)
    booth.wait_states({5: "confirmed"})
    booth.check()


def test_standby_for_wheelchair_places_holds_nobody_up(booth_factory):
    """Two seats are left that only some may have: those in front who cannot be given them are passed over."""
    booth = booth_factory(tiers=HALL)
    booth.book(1, choices=[stalls(6)])
    booth.book(2, choices=[stalls(3)])
    booth.wait_states({1: "held", 2: "held"})
    for place in range(3, 9):
        booth.book(place, choices=[stalls(1)])
        booth.wait_states({place: "standby"})
    booth.book(9, choices=[stalls(2, wheelchair=1, companion=1)])
    booth.wait_states({9: "held"} | {place: "standby" for place in range(3, 9)})
    assert booth.seats(9) == ["A-1", "A-2"]
    booth.audit()


# Seats

def test_best_seats_named_seats_and_gone_ones(booth_factory):
    booth = booth_factory(tiers=HALL, provider="none")
    booth.book(1, choices=[stalls(2)])
    booth.book(2, choices=[stalls(2, seats=["B-1", "B-2"])])
    booth.book(3, choices=[stalls(3, seats=["B-2", "A-3", "B-1"])])
    booth.book(4, choices=[stalls(2, seats=["Z-1", "A-6"])])  # a row that is not there any more, and a seat that is blocked
    booth.book(5, choices=[stalls(2, seats=["B-2", "A-3"]), stalls(1)])
    booth.wait_booked(5)
    assert booth.seats(1) == ["B-3", "B-4"]  # in the better row they would strand somebody
    assert booth.seats(2) == ["B-1", "B-2"]
    rows = {place: booth.booking(place) for place in range(1, 6)}
    assert [(row["state"], row["reason"]) for row in rows.values()] == [
        ("confirmed", None), ("confirmed", None), ("refused", "seats_taken"), ("refused", "seats_taken"), ("confirmed", None)]
    gone = dict(booth.stack.sql("SELECT place, gone FROM bookings WHERE gone IS NOT NULL"))
    assert {place: json.loads(text) for place, text in gone.items()} == {3: ["B-2", "B-1"], 4: ["Z-1", "A-6"]}
    told = booth.outcomes()
    assert told[3, 1][0]["gone"] == ["B-2", "B-1"] and "seats" not in told[3, 1][0]
    assert told[2, 1][0]["seats"] == ["B-1", "B-2"]
    booth.check()


def test_a_hall_that_changes_is_read_again(booth_factory):
    booth = booth_factory(tiers=HALL, provider="none", max_per_order=20, max_per_customer=20)
    booth.book(1, choices=[stalls(2)])
    booth.wait_states({1: "confirmed"})
    rows = HALL[0]["rows"] + [{"row": "C", "seats": "1-3"}]
    booth.stack.apply(json.loads((booth.stack.folder / "event-gala.json").read_text()) | {"tiers": [HALL[0] | {"rows": rows}]})
    booth.book(2, choices=[stalls(3, seats=["C-1", "C-2", "C-3"])])
    booth.wait_states({2: "confirmed"})
    booth.check()


def test_a_seat_that_somebody_took_without_a_word(booth_factory):
    """The key is the last word: the batch is undone, the hall read again, and others are given."""
    booth = booth_factory(tiers=HALL, provider="none")
    booth.book(1, choices=[stalls(1)])
    booth.wait_states({1: "confirmed"})
    free = [f"{row}-{seat}" for row, seat in booth.stack.sql(
        "SELECT s.row_name, s.seat_name FROM seats s LEFT JOIN taken_seats t USING (event_id, tier, row_name, seat_name)"
        " WHERE t.place IS NULL AND s.blocked + s.wheelchair + s.companion = 0")]
    # Not what any program does: rows that come without taken_version.
    for name in free[:-1]:
        booth.stack.sql("INSERT INTO taken_seats VALUES (%s, 'stalls', %s, %s, 60, 1)", booth.event_id, *name.split("-"))
    booth.book(2, choices=[stalls(1)])
    booth.wait_states({2: "confirmed"})
    assert booth.seats(2) == free[-1:]
    assert booth.stack.workers[0].metrics()["onsale_booking_repeats_total"] >= 1
    booth.stack.sql("DELETE FROM taken_seats WHERE place = 60")
    booth.check()


def test_a_retried_booking_of_seats(booth_factory):
    booth = booth_factory(tiers=HALL)
    booth.stack.expect_errors("condemned")
    booth.order(1, text="broken")
    booth.send(booth.message(1))
    booth.wait_states({1: "failed"})
    booth.stack.sql("UPDATE bookings SET state = 'released', reason = NULL, revision = revision + 1")
    booth.stack.sql("UPDATE orders SET choices = %s, release_no = 2", json.dumps([stalls(2)]))
    booth.send(booth.message(1, release=2))
    booth.wait_states({1: "held"})
    assert len(booth.seats(1)) == 2 and booth.stack.sql("SELECT pay_until > UTC_TIMESTAMP(6) FROM bookings") == ((1,),)
    booth.lapse(1)
    booth.wait_states({1: "expired"})
    booth.check()


# Several at once, and bad luck

def big_hall(rows=20, seats=20):
    return [{"code": "stalls", "name": "Stalls", "price": 4500,
             "rows": [{"row": f"R{n}", "seats": f"1-{seats}"} for n in range(rows)]}]


def test_two_workers_on_one_hall(booth_factory):
    """The same orders in three queues, so that three threads with three memories of the hall give its seats at once, while what they gave is
    given back and lapses: no seat twice, none lost."""
    booth = booth_factory(workers=2, tiers=big_hall(), config={"batch_max": 16}, line=400)
    for place in range(1, 401):
        booth.order(place, choices=[stalls(1 + place % 3)])
    bodies = [booth.message(place) for place in range(1, 401)]
    queues = [booth.queue, f"onsale.bookings.{(booth.event_id + 1) % 8}", f"onsale.bookings.{(booth.event_id + 2) % 8}"]
    senders = [threading.Thread(target=booth.send, args=bodies if n else bodies[::-1], kwargs={"queue": queue})
               for n, queue in enumerate(queues)]
    for sender in senders:
        sender.start()
    for place in range(1, 60):
        wait_until(lambda place=place: place in booth.states(), f"place {place}", 60 * PATIENCE)
        booth.lapse(place) if place % 2 else booth.end(place)
    for sender in senders:
        sender.join()
    booth.wait_booked(400, 60)
    for queue in queues:
        booth.wait_all_acknowledged(queue)
    wait_until(lambda: held_wide(booth, "stalls")[0] == 400, "every seat to be held", 20 * PATIENCE)
    booth.check()
    told = booth.outcomes()
    assert all(len({(each["revision"], each["state"]) for each in outcomes}) == len({each["revision"] for each in outcomes})
               for outcomes in told.values())
    assert booth.take("onsale.dead") == []


def test_two_workers_sweep_the_same_holds(booth_factory):
    booth = booth_factory(workers=2, tiers=[FLOOR[0] | {"capacity": 1500}], line=1500)
    booth.order(*range(1, 1501))
    booth.send(*[booth.message(place) for place in range(1, 1501)])
    wait_until(lambda: held_wide(booth) == (1500, 0, 0), "all to be held", 20 * PATIENCE)
    booth.outcomes()
    booth.stack.sql("UPDATE bookings SET pay_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
    wait_until(lambda: held_wide(booth) == (0, 0, 0), "all to lapse", 20 * PATIENCE)
    assert set(booth.states().values()) == {"expired"}
    assert booth.stack.sql("SELECT COUNT(*), COUNT(DISTINCT place) FROM order_log") == ((1500, 1500),)
    booth.wait_outbox_empty()
    assert sum(worker.metrics()["onsale_holds_lapsed_total"] for worker in booth.stack.workers) == 1500
    told = booth.outcomes()
    assert len(told) == 1500 and all({each["revision"] for each in outcomes} == {4} for outcomes in told.values())
    booth.audit()


def test_killed_in_the_middle_of_a_sweep(booth_factory):
    booth = booth_factory(tiers=HALL, config={"test_crash_sweep_place": 1})
    worker = booth.stack.workers[0]
    booth.book(1, choices=[stalls(6)])
    booth.book(2, choices=[stalls(3)])
    booth.wait_states({1: "held", 2: "held"})
    booth.book(3, choices=[stalls(4)])
    booth.wait_states({3: "standby"})
    before = booth.stack.sql("SELECT * FROM taken_seats")
    booth.lapse(1)
    wait_until(lambda: not worker.alive(), "the worker to end", 20 * PATIENCE)
    assert worker.process.returncode == -6
    assert booth.states() == {1: "held", 2: "held", 3: "standby"}
    assert booth.stack.sql("SELECT * FROM taken_seats") == before and held_wide(booth, "stalls") == (9, 0, 1)
    booth.stack.config["booking-worker"]["test_crash_sweep_place"] = 0
    booth.stack.write_config()
    worker.start().wait_ready()
    booth.wait_states({1: "expired", 3: "held"})
    assert len(booth.seats(3)) == 4
    booth.wait_outbox_empty(20)
    # What the dead worker had sent without knowing that it had arrived was sent once more, behind what is newer.
    told = {key: {each["revision"]: each["state"] for each in outcomes} for key, outcomes in booth.outcomes().items()}
    assert [told[1, 1][revision] for revision in sorted(told[1, 1])] == ["held", "expired"]
    assert [told[3, 1][revision] for revision in sorted(told[3, 1])] == ["standby", "held"]
    booth.audit()


def test_a_sweep_a_cancellation_and_a_newcomer_for_the_last_place(booth_factory):
    """At the same moment the hold of the last place runs out, its visitor gives it back, and somebody new orders, while somebody stands by.
    Whoever stands by has it in the end, the hold ends once, and the newcomer is behind."""
    booth = booth_factory(tiers=[FLOOR[0] | {"capacity": 1}], line=60)
    last = 0
    for turn in range(12):
        holder, waiting, newcomer = last + 1, last + 2, last + 3
        last += 3
        booth.book(holder)
        booth.wait_states({holder: "held"})
        booth.book(waiting)
        booth.wait_states({waiting: "standby"})
        booth.order(newcomer)
        message = booth.message(newcomer)
        together = threading.Barrier(3)
        acts = [lambda: booth.lapse(holder), lambda: booth.end(holder), lambda: booth.send(message)]
        def act(one):
            together.wait()
            one()
        threads = [threading.Thread(target=act, args=(one,)) for one in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        states = booth.wait_states({waiting: "held", newcomer: "standby"})
        assert states[holder] in ("expired", "cancelled")
        booth.check()
        booth.end(newcomer, waiting)
        booth.wait_freed()
    told = booth.outcomes()
    for turn in range(12):
        ends = {(each["revision"], each["state"]) for each in told[3 * turn + 1, 1]} - {(3, "held")}
        assert len(ends) == 1
    booth.audit()


def test_a_freeing_that_is_not_committed_is_not_waited_for(booth):
    booth.book(1, 2)
    booth.wait_states({1: "held", 2: "held"})
    with booth.stack.db() as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO freeings VALUES (%s, 1, 1, 'held', 0, UTC_TIMESTAMP(6), 0)", (booth.event_id,))
        booth.book(3)
        booth.end(2)
        booth.wait_states({3: "held"})
        cursor.execute("ROLLBACK")
    booth.wait_freed()
    booth.check()
