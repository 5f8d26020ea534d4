-- SPDX-License-Identifier: Apache-2.0
-- The line: events and their tiers, arrivals, what was let in and when, who leads. Times are UTC.

CREATE TABLE events (
    id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    slug VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name VARCHAR(200) NOT NULL,
    venue VARCHAR(200) NOT NULL,
    timezone VARCHAR(64) NOT NULL,
    starts_at DATETIME(6) NULL,
    lobby_opens_at DATETIME(6) NULL,
    opens_at DATETIME(6) NULL,
    closes_at DATETIME(6) NULL,
    currency CHAR(3) CHARACTER SET ascii NOT NULL,
    max_per_order INT UNSIGNED NOT NULL,
    max_per_customer INT UNSIGNED NOT NULL,
    turn_seconds INT UNSIGNED NOT NULL,
    absent_seconds INT UNSIGNED NOT NULL,
    hold_seconds INT UNSIGNED NOT NULL,
    max_active INT UNSIGNED NULL,
    pace VARCHAR(32) NOT NULL,
    state VARCHAR(16) NOT NULL DEFAULT 'draft',
    state_before_stop VARCHAR(16) NULL,
    stop_reason VARCHAR(500) NULL,
    stopped_at DATETIME(6) NULL,
    -- How long the event's clock has stood still so far; holds and turns count without it.
    stopped_us BIGINT UNSIGNED NOT NULL DEFAULT 0,
    -- How many arrivals the lobby had when it closed; NULL until the event was opened.
    lobby_size BIGINT UNSIGNED NULL,
    notice VARCHAR(1000) NULL,
    notice_at DATETIME(6) NULL,
    -- Raised by every change, so that a program sees at a glance whether to read again.
    version BIGINT UNSIGNED NOT NULL DEFAULT 1,
    -- The event file as it was last applied: pace and opens_at act only when they change in it.
    file LONGTEXT NOT NULL,
    created_at DATETIME(6) NOT NULL,
    UNIQUE KEY events_slug (slug),
    CONSTRAINT events_state CHECK (state IN ('draft', 'lobby', 'open', 'paused', 'stopped', 'sold_out', 'closed'))
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE tiers (
    event_id INT UNSIGNED NOT NULL,
    code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    position INT UNSIGNED NOT NULL,
    name VARCHAR(200) NOT NULL,
    kind VARCHAR(8) NOT NULL,
    -- Seated: the seats that may be sold.
    capacity INT UNSIGNED NOT NULL,
    held INT UNSIGNED NOT NULL DEFAULT 0,
    sold INT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, code),
    CONSTRAINT tiers_kind CHECK (kind IN ('standing', 'seated')),
    CONSTRAINT tiers_never_oversold CHECK (held + sold <= capacity),
    CONSTRAINT tiers_event FOREIGN KEY (event_id) REFERENCES events (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE tier_prices (
    event_id INT UNSIGNED NOT NULL,
    tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    code VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    position INT UNSIGNED NOT NULL,
    name VARCHAR(200) NOT NULL,
    amount BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, tier, code),
    CONSTRAINT tier_prices_tier FOREIGN KEY (event_id, tier) REFERENCES tiers (event_id, code)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

CREATE TABLE seats (
    event_id INT UNSIGNED NOT NULL,
    tier VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    row_name VARCHAR(16) NOT NULL,
    seat_name VARCHAR(8) NOT NULL,
    row_position INT UNSIGNED NOT NULL,
    -- The seat's number: neighbours differ by one, so a gap in the numbers is an aisle.
    seat_position INT UNSIGNED NOT NULL,
    wheelchair TINYINT UNSIGNED NOT NULL DEFAULT 0,
    companion TINYINT UNSIGNED NOT NULL DEFAULT 0,
    blocked TINYINT UNSIGNED NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, tier, row_name, seat_name),
    CONSTRAINT seats_tier FOREIGN KEY (event_id, tier) REFERENCES tiers (event_id, code)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The last number given in an event. Only joining locks it (and opening, to close the lobby): `served` lives elsewhere.
CREATE TABLE line_counters (
    event_id INT UNSIGNED NOT NULL PRIMARY KEY,
    last BIGINT UNSIGNED NOT NULL DEFAULT 0,
    CONSTRAINT line_counters_event FOREIGN KEY (event_id) REFERENCES events (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Written by joins, a row each, never removed. No foreign key: a check per row on the hottest insert there is.
CREATE TABLE arrivals (
    event_id INT UNSIGNED NOT NULL,
    number BIGINT UNSIGNED NOT NULL,
    visitor BINARY(16) NOT NULL,
    joined_at DATETIME(6) NOT NULL,
    left_at DATETIME(6) NULL,
    PRIMARY KEY (event_id, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- The line's head. Only the leading admission writes it.
CREATE TABLE line_served (
    event_id INT UNSIGNED NOT NULL PRIMARY KEY,
    served BIGINT UNSIGNED NOT NULL DEFAULT 0,
    epoch BIGINT UNSIGNED NOT NULL DEFAULT 0,
    -- How long one place takes, in microseconds, as the line really moves; NULL: nobody can say.
    us_per_place_low BIGINT UNSIGNED NULL,
    us_per_place_high BIGINT UNSIGNED NULL,
    CONSTRAINT line_served_event FOREIGN KEY (event_id) REFERENCES events (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- A row for each step of `served`: the turn of place p began with the first row whose served >= p.
CREATE TABLE served_log (
    event_id INT UNSIGNED NOT NULL,
    served BIGINT UNSIGNED NOT NULL,
    at DATETIME(6) NOT NULL,
    epoch BIGINT UNSIGNED NOT NULL,
    -- events.stopped_us at that time.
    stopped_us BIGINT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, served),
    KEY served_log_at (event_id, at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- A row for each time the count of the pace began anew. Between two rows, let in <= pace x elapsed + 1.
CREATE TABLE pace_log (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id INT UNSIGNED NOT NULL,
    -- The count started at this time or later.
    at DATETIME(6) NOT NULL,
    served BIGINT UNSIGNED NOT NULL,
    epoch BIGINT UNSIGNED NOT NULL,
    pace VARCHAR(32) NOT NULL,
    -- What was really applied: visitors per so many seconds; count 0 lets nobody in.
    rate_count BIGINT UNSIGNED NOT NULL,
    rate_seconds INT UNSIGNED NOT NULL,
    reason VARCHAR(16) NOT NULL,
    KEY pace_log_event (event_id, id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- When a visitor's turn began who was seen in it: at letting in for those who were there, on coming back for those who
-- were not. No row: not seen since.
CREATE TABLE turns (
    event_id INT UNSIGNED NOT NULL,
    place BIGINT UNSIGNED NOT NULL,
    began_at DATETIME(6) NOT NULL,
    stopped_us BIGINT UNSIGNED NOT NULL,
    came_back TINYINT UNSIGNED NOT NULL,
    PRIMARY KEY (event_id, place)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Who leads. Expiry is judged by this server's clock; the epoch rises with every change of leader.
CREATE TABLE leaders (
    name VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    holder VARCHAR(128) NOT NULL,
    connection_id BIGINT UNSIGNED NOT NULL,
    epoch BIGINT UNSIGNED NOT NULL,
    expires_at DATETIME(6) NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

INSERT INTO leaders (name, holder, connection_id, epoch, expires_at) VALUES ('admission', '', 0, 0, '1970-01-01 00:00:00');

-- How many visitors of an event each waiting room has on a stream, reported every second.
CREATE TABLE presence (
    room VARCHAR(128) NOT NULL,
    event_id INT UNSIGNED NOT NULL,
    present INT UNSIGNED NOT NULL,
    reported_at DATETIME(6) NOT NULL,
    PRIMARY KEY (room, event_id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;

-- Who did what to an event, and when.
CREATE TABLE event_log (
    id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    event_id INT UNSIGNED NOT NULL,
    at DATETIME(6) NOT NULL,
    actor VARCHAR(128) NOT NULL,
    action VARCHAR(32) NOT NULL,
    detail TEXT NULL,
    KEY event_log_event (event_id, id),
    KEY event_log_action (event_id, action, at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
