-- SPDX-License-Identifier: Apache-2.0
-- Seats, holds and standby. Times are UTC; `pay_until` is by the event's own clock, which stands still while the event is stopped.

ALTER TABLE tiers
    -- How many bookings stand by for the tier.
    ADD COLUMN standby INT UNSIGNED NOT NULL DEFAULT 0,
    -- Raised whenever rows of `seats` change: who remembers the hall reads it again.
    ADD COLUMN layout BIGINT UNSIGNED NOT NULL DEFAULT 1,
    -- Raised whenever rows of `taken_seats` change, in the same transaction: who remembers which seats are free need not ask.
    ADD COLUMN taken_version BIGINT UNSIGNED NOT NULL DEFAULT 1;

-- A row for each seat that somebody has, held or sold. The key is the last word: a seat cannot be given twice.
CREATE TABLE taken_seats (
    event_id INT UNSIGNED NOT NULL,
    tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    row_name VARCHAR(16) NOT NULL,
    seat_name VARCHAR(8) NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, tier, row_name, seat_name)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

ALTER TABLE bookings
    -- The names of the seats that were given, ["A-12","A-13"]; they stay when the booking ends. NULL: standing, or nothing was given.
    ADD COLUMN seats TEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- Of `refused` with seats_taken: the seats asked for that others have.
    ADD COLUMN gone TEXT CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- When the hold runs out: UTC minus events.stopped_us. Set in `held` and what `held` leads to, NULL once it cannot lapse any more.
    ADD COLUMN pay_until DATETIME(6) NULL,
    -- 1: the visitor has asked for more time, which is given once.
    ADD COLUMN more_time TINYINT UNSIGNED NOT NULL DEFAULT 0,
    -- Of `standby`: the tier and how many of its places are waited for; `choice` says which choice of the order that is.
    ADD COLUMN standby_tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ADD COLUMN standby_quantity INT UNSIGNED NOT NULL DEFAULT 0,
    -- Holds that run out next.
    ADD KEY bookings_pay_until (pay_until, event_id),
    ADD CONSTRAINT bookings_pay_until CHECK ((pay_until IS NOT NULL) = (state IN ('held', 'paying', 'action_required', 'declined'))),
    ADD CONSTRAINT bookings_standby CHECK ((standby_tier IS NOT NULL) = (state = 'standby')
        AND (standby_quantity > 0) = (state = 'standby'));

-- Bookings that their visitor or an operator ended, whose places are not free yet. A booking worker frees them and serves standby in
-- one transaction, so that nobody can take them past those who stand by. Until then tiers and customers count them as before.
CREATE TABLE freeings (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    -- What the booking was: held (or what it led to), confirmed, standby.
    was VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- 1: its outcome is in the outbox already; 0: the worker that frees it tells.
    told TINYINT UNSIGNED NOT NULL,
    ended_at DATETIME(6) NOT NULL,
    PRIMARY KEY (event_id, place, attempt)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

ALTER TABLE events
    -- Where a sold-out event goes back to when something returns: open or paused.
    ADD COLUMN state_before_sold_out VARCHAR(16) NULL;
