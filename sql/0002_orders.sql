-- SPDX-License-Identifier: Apache-2.0
-- From the order to the outcome: orders, what became of them, what their visitors must hear. Times are UTC.
-- States of orders and bookings are those of common/order_state.c; docs/states.md draws them.

-- What a visitor wants: one row per attempt, the outbox of the waiting rooms towards admission. Written by waiting rooms until
-- it is released; from then on only admission and what gives it back for another release touch it.
CREATE TABLE orders (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    visitor BINARY(16) NOT NULL,
    -- placed, released (what becomes of it is in `bookings`), or an end before the release: cancelled, refused, sold_out.
    state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    revision INT UNSIGNED NOT NULL,
    -- How often it was handed to admission to be published: raised when it is given back, so that a late note about an
    -- earlier publication changes nothing.
    release_no INT UNSIGNED NOT NULL DEFAULT 1,
    -- 1: RabbitMQ has confirmed release release_no.
    published TINYINT UNSIGNED NOT NULL DEFAULT 0,
    -- The first choice, for counting.
    tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    quantity INT UNSIGNED NOT NULL,
    amount BIGINT UNSIGNED NOT NULL,
    currency CHAR(3) CHARACTER SET ascii NOT NULL,
    -- All choices, the first one too, best first: [{"tier","tickets":{CODE:n},"quantity","amount"}, ...]
    choices TEXT NOT NULL,
    email VARCHAR(254) NOT NULL,
    -- The first 16 bytes of SHA-256 over the case-folded e-mail.
    customer BINARY(16) NOT NULL,
    name VARCHAR(200) NULL,
    lang VARCHAR(35) CHARACTER SET ascii NULL,
    placed_at DATETIME(6) NOT NULL,
    changed_at DATETIME(6) NOT NULL,
    released_at DATETIME(6) NULL,
    ended_at DATETIME(6) NULL,
    PRIMARY KEY (event_id, place, attempt),
    -- What is to be released or published next, in place order; tier and quantity so that `asked` is counted from it alone.
    KEY orders_due (event_id, state, published, place, attempt, tier, quantity),
    CONSTRAINT orders_state CHECK (state IN ('placed', 'released', 'cancelled', 'refused', 'sold_out')),
    -- An amount may be 0: there are free tickets.
    CONSTRAINT orders_quantity CHECK (quantity > 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- What became of a released order. The key makes booking idempotent.
CREATE TABLE bookings (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    revision INT UNSIGNED NOT NULL,
    -- Which of the order's choices was served, from 0; meaningless while tier is NULL (nothing was given).
    choice TINYINT UNSIGNED NOT NULL DEFAULT 0,
    tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    quantity INT UNSIGNED NOT NULL DEFAULT 0,
    amount BIGINT UNSIGNED NOT NULL DEFAULT 0,
    currency CHAR(3) CHARACTER SET ascii NOT NULL,
    customer BINARY(16) NOT NULL,
    -- What one says at the door or on the telephone. NULL while nothing was given.
    reference CHAR(9) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- After a cancellation of something confirmed: pending, done, failed.
    refund VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NULL,
    created_at DATETIME(6) NOT NULL,
    changed_at DATETIME(6) NOT NULL,
    PRIMARY KEY (event_id, place, attempt),
    UNIQUE KEY bookings_reference (reference),
    KEY bookings_state (event_id, state, place),
    -- All but `placed`; `released` is one that an operator sent on its way again.
    CONSTRAINT bookings_state_known CHECK (state IN ('released', 'held', 'paying', 'action_required', 'declined', 'standby',
        'confirmed', 'sold_out', 'refused', 'expired', 'failed', 'cancelled')),
    -- Something was given or nothing.
    CONSTRAINT bookings_given CHECK (IF(tier IS NULL, quantity = 0 AND amount = 0, quantity > 0))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- How many tickets a customer has over all bookings that are open or confirmed.
CREATE TABLE customers (
    event_id INT UNSIGNED NOT NULL,
    customer BINARY(16) NOT NULL,
    booked INT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, customer)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Steps of one order that its row does not keep: each PUT and DELETE, a retry, a cancellation.
CREATE TABLE order_log (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    revision INT UNSIGNED NOT NULL,
    state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at DATETIME(6) NOT NULL,
    -- visitor, onsale USER@HOST, booking-worker, ...
    actor VARCHAR(128) NOT NULL,
    detail VARCHAR(500) NULL,
    KEY order_log_order (event_id, place, attempt)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Messages that belong to a change: written in its transaction, published after it, removed once RabbitMQ has confirmed them.
CREATE TABLE outbox (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    type VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body MEDIUMTEXT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    KEY outbox_created (created_at, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- A message that came back for the third time is noted here before it is tried alone, so that one that ends the worker is found.
CREATE TABLE delivery_attempts (
    -- SHA-256 over the message's body.
    digest BINARY(32) NOT NULL PRIMARY KEY,
    queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    attempts INT UNSIGNED NOT NULL,
    last_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Messages that could not be processed, kept with their reason.
CREATE TABLE dead_letters (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    -- SHA-256 over the message's body: told twice, it is kept once.
    digest BINARY(32) NOT NULL,
    queue VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    detail VARCHAR(500) NOT NULL,
    -- Whose it was, as far as the message told.
    event_id INT UNSIGNED NULL,
    place BIGINT UNSIGNED NULL,
    attempt SMALLINT UNSIGNED NULL,
    body MEDIUMBLOB NOT NULL,
    died_at DATETIME(6) NOT NULL,
    -- open, retried, discarded
    state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'open',
    resolved_at DATETIME(6) NULL,
    resolved_by VARCHAR(128) NULL,
    UNIQUE KEY dead_letters_digest (digest),
    KEY dead_letters_event (event_id, state, id),
    CONSTRAINT dead_letters_state CHECK (state IN ('open', 'retried', 'discarded'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Which leader's releases count: the row that a release locks first.
CREATE TABLE release_fences (
    event_id INT UNSIGNED NOT NULL PRIMARY KEY,
    epoch BIGINT UNSIGNED NOT NULL DEFAULT 0,
    CONSTRAINT release_fences_event FOREIGN KEY (event_id) REFERENCES events (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
