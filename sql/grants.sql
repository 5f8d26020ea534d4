-- SPDX-License-Identifier: Apache-2.0
-- The rights of each program's MySQL user, for `onsale migrate --users`. A block begins with a line "program: NAME"; a
-- right that is not here is taken back. What a program must not be able to do, it is not granted: a waiting room cannot
-- let anybody in, admission cannot give a place, nobody can change an arrival or take back a step of `served`.

-- program: waiting-room
GRANT SELECT ON events;
GRANT SELECT ON tiers;
GRANT SELECT ON tier_prices;
-- The plan of the hall, and which seats are free.
GRANT SELECT ON seats;
GRANT SELECT ON taken_seats;
-- A join takes its numbers here ...
GRANT SELECT, UPDATE ON line_counters;
-- ... and logs its arrivals for good; leaving is the only thing that is ever written to one again.
GRANT SELECT, INSERT, UPDATE (left_at) ON arrivals;
GRANT SELECT ON line_served;
GRANT SELECT ON served_log;
GRANT SELECT, INSERT ON turns;
-- Each room its own rows; those of rooms that are gone are cleared away.
GRANT SELECT, INSERT, UPDATE, DELETE ON presence;
-- Orders are given, changed and taken back here, and what became of them is told.
GRANT SELECT, INSERT, UPDATE ON orders;
-- Visitors give back what they hold or wait for, ask for more time to pay, and pay; nothing else of a booking is theirs to change. Their places
-- are freed by a booking worker.
GRANT SELECT, UPDATE (state, reason, revision, pay_until, more_time, standby_tier, standby_quantity, changed_at) ON bookings;
GRANT INSERT ON freeings;
GRANT INSERT ON order_log;
-- A visitor pays: an attempt is begun here, and its money is no longer wanted when the booking is given up. The rest is the payer's.
GRANT SELECT, INSERT, UPDATE (aim, next_attempt_at) ON payments;
GRANT SELECT, INSERT, UPDATE (state, session, url, next_attempt_at, changed_at) ON cards;
-- What the provider says is stored before it is thanked.
GRANT SELECT, INSERT ON provider_events;

-- program: admission
GRANT SELECT, UPDATE ON leaders;
-- The timetable opens and closes events: their state and what goes with it, never their names, limits or pace.
GRANT SELECT, UPDATE (state, state_before_stop, stop_reason, stopped_at, stopped_us, lobby_size, version) ON events;
-- What an operator did by hand after a time of the timetable wins over it.
GRANT SELECT, INSERT ON event_log;
-- Opening closes the lobby under the counter's lock. MySQL allows FOR UPDATE only to who may change some column; the
-- number itself is the waiting rooms' alone.
GRANT SELECT, UPDATE (event_id) ON line_counters;
GRANT SELECT, INSERT, UPDATE ON line_served;
GRANT SELECT, INSERT ON served_log;
GRANT SELECT, INSERT ON pace_log;
-- An event without tiers is a gate only: its line does not depend on orders.
GRANT SELECT ON tiers;
-- Who left no longer counts as inside ...
GRANT SELECT ON arrivals;
-- ... nor does who has tickets.
GRANT SELECT ON bookings;
-- Releases: marks what is due, ends what cannot be served any more, never touches what was wanted.
GRANT SELECT, UPDATE (state, reason, revision, published, released_at, ended_at, changed_at) ON orders;
GRANT SELECT, INSERT, UPDATE ON release_fences;
GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON outbox;

-- program: booking-worker
-- The last place that is sold changes the event's state, under the locks that a join and an opening take.
GRANT SELECT, UPDATE (state, state_before_sold_out, version) ON events;
GRANT INSERT ON event_log;
GRANT SELECT, UPDATE (event_id) ON line_counters;
GRANT SELECT, UPDATE (held, sold, standby, taken_version) ON tiers;
GRANT SELECT ON seats;
GRANT SELECT, INSERT, DELETE ON taken_seats;
GRANT SELECT, INSERT, UPDATE (told, payment_open), DELETE ON freeings;
-- What becomes of a booking after it was made: held from standby, expired.
GRANT INSERT ON order_log;
-- Gives an order back for another release; never changes what was wanted.
GRANT SELECT, UPDATE (published, release_no) ON orders;
-- Whose a booking is never changes.
GRANT SELECT, INSERT, UPDATE (state, reason, revision, choice, tier, quantity, amount, reference, refund, seats, gone, pay_until, more_time, action_url, standby_tier, standby_quantity, changed_at) ON bookings;
-- Payments, from the first call to the last, but never how much and with what; cards that were left, but not whose; what the provider told.
GRANT SELECT, INSERT, UPDATE (state, aim, key_no, intent, refund, reason, provider_code, tries, next_attempt_at, claim, is_claimed, is_dead, changed_at, authorised_at, captured_at, returned_at) ON payments;
GRANT SELECT, UPDATE (state, payment_method, customer_id, label, tries, next_attempt_at, changed_at) ON cards;
-- What was worked off goes after three months.
GRANT SELECT, UPDATE (next_look_at, done_at, verdict), DELETE ON provider_events;
-- Whole, because MariaDB asks for it when many rows are upserted by a prepared statement.
GRANT SELECT, INSERT, UPDATE ON customers;
GRANT SELECT, INSERT, UPDATE, DELETE ON delivery_attempts;
GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON outbox;

-- program: notifier
GRANT SELECT ON events;
-- Whoever changes bookings locks the tiers first; MySQL allows that only to who may change some column.
GRANT SELECT, UPDATE (event_id) ON tiers;
GRANT SELECT ON orders;
-- Only for what RabbitMQ itself gave up on: its visitor must be told.
GRANT SELECT, INSERT, UPDATE (state, reason, revision, changed_at) ON bookings;
GRANT SELECT, INSERT ON dead_letters;
GRANT SELECT, INSERT, DELETE, UPDATE (created_at) ON outbox;
