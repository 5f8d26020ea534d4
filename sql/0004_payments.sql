-- SPDX-License-Identifier: Apache-2.0
-- Money: what visitors want to pay with, payment attempts, cards that were left for later, what the provider told us. Times are UTC.
-- docs/payments.md says who writes what; common/payment.h has the states of a payment.

ALTER TABLE orders
    -- What the visitor wants to pay with, in the provider's words. NULL: not said; a card that was left (`cards`) is used instead.
    ADD COLUMN payment_method VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL;

ALTER TABLE bookings
    -- Of `action_required`: where the bank asks. Means nothing in any other state.
    ADD COLUMN action_url VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NULL;

ALTER TABLE freeings
    -- 1: a payment of the booking may still be authorised, so its places are not free before the provider has said that it is not; the payer
    -- sets it to 0 then.
    ADD COLUMN payment_open TINYINT UNSIGNED NOT NULL DEFAULT 0;

-- One try to have a booking paid. Its key is written before the provider hears of it, its state before each call.
CREATE TABLE payments (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    attempt SMALLINT UNSIGNED NOT NULL,
    -- 1, 2, 3, … of the booking.
    number TINYINT UNSIGNED NOT NULL,
    state VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'created',
    -- take: the money is wanted. close: the hold ran out while the bank asked; what is authorised by now is taken, anything else is ended.
    -- give_back: whatever was taken goes back.
    aim VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'take',
    payment_method VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The provider's customer, for a card that was left; NULL: none.
    customer_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    amount BIGINT UNSIGNED NOT NULL,
    currency CHAR(3) CHARACTER SET ascii NOT NULL,
    -- Random; the provider's idempotency keys are made of it.
    idempotency_key CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Raised when the provider has answered a key with an error that it would repeat for ever.
    key_no SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    -- The provider's ids.
    intent VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    refund VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- Of `declined` and `failed`: why, in our word, and in the provider's.
    reason VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NULL,
    provider_code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- Calls without a definite answer since something was reached last.
    tries SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    -- When it is to be looked at next; while a payer has it: when somebody else may take it over. NULL: at an end.
    next_attempt_at DATETIME(6) NULL,
    -- Raised by each payer that takes it, and with each answer that is written. What an earlier payer is told is dropped, and so is an answer
    -- that was written already.
    claim BIGINT UNSIGNED NOT NULL DEFAULT 0,
    -- 1: a payer has it, until next_attempt_at at the latest. 0: it waits.
    is_claimed TINYINT UNSIGNED NOT NULL DEFAULT 0,
    -- 1: it went to the dead letters; it is still asked about.
    is_dead TINYINT UNSIGNED NOT NULL DEFAULT 0,
    created_at DATETIME(6) NOT NULL,
    changed_at DATETIME(6) NOT NULL,
    -- When the provider said so; NULL: it never did.
    authorised_at DATETIME(6) NULL,
    captured_at DATETIME(6) NULL,
    returned_at DATETIME(6) NULL,
    -- 1 while it is open, else NULL: so at most one of a booking is.
    open TINYINT UNSIGNED AS (IF(state IN ('declined', 'captured', 'voided', 'refunding', 'refunded', 'failed'), NULL, 1)) STORED,
    PRIMARY KEY (event_id, place, attempt, number),
    UNIQUE KEY payments_open (event_id, place, attempt, open),
    UNIQUE KEY payments_idempotency_key (idempotency_key),
    UNIQUE KEY payments_intent (intent),
    KEY payments_due (next_attempt_at),
    CONSTRAINT payments_state CHECK (state IN ('created', 'confirming', 'challenged', 'authorised', 'capturing', 'captured', 'declined',
        'voiding', 'voided', 'refunding', 'refunded', 'failed')),
    CONSTRAINT payments_aim CHECK (aim IN ('take', 'close', 'give_back')),
    CONSTRAINT payments_amount CHECK (amount > 0)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Cards that visitors left on the provider's hosted page. The newest of a place that is `kept` is the one that pays.
CREATE TABLE cards (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    -- 1, 2, 3, … of the place.
    number SMALLINT UNSIGNED NOT NULL,
    visitor BINARY(16) NOT NULL,
    -- asked: the page is being made. open: the visitor may be on it. kept: there is a card. gone: nobody came back in time.
    state VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'asked',
    idempotency_key CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    session VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    url VARCHAR(2000) CHARACTER SET ascii COLLATE ascii_bin NULL,
    customer_id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    payment_method VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NULL,
    -- What the visitor knows it by: "visa 4242".
    label VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin NULL,
    tries SMALLINT UNSIGNED NOT NULL DEFAULT 0,
    next_attempt_at DATETIME(6) NULL,
    created_at DATETIME(6) NOT NULL,
    changed_at DATETIME(6) NOT NULL,
    PRIMARY KEY (event_id, place, number),
    UNIQUE KEY cards_session (session),
    KEY cards_due (next_attempt_at),
    CONSTRAINT cards_state CHECK (state IN ('asked', 'open', 'kept', 'gone'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- What the provider told of its own accord, stored before it is thanked. Only what it is about is used; what is true is asked.
CREATE TABLE provider_events (
    -- The provider's id: told twice, it is kept once.
    id VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    type VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- The payment intent or the checkout session that it is about.
    object VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    body MEDIUMBLOB NOT NULL,
    received_at DATETIME(6) NOT NULL,
    -- Not before this it is looked at (again).
    next_look_at DATETIME(6) NOT NULL DEFAULT '1970-01-01 00:00:00',
    -- NULL: not looked at yet, or nothing has come of it.
    done_at DATETIME(6) NULL,
    -- What was made of it: asked, unknown, foreign.
    verdict VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NULL,
    KEY provider_events_waiting (done_at, next_look_at),
    KEY provider_events_object (object)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
