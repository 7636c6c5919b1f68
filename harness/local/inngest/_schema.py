"""The tables of the journal and the statements that write them."""

SCHEMA_VERSION = 4

# Of version 1; a new database is upgraded like an old one.
TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE apps (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    sdk TEXT NOT NULL,
    functions BLOB NOT NULL,  -- the registered configurations, as JSON
    synced_at INTEGER NOT NULL
) WITHOUT ROWID;

-- A function that an app no longer has keeps its row: its unfinished runs still refer to it.
CREATE TABLE functions (
    id TEXT PRIMARY KEY,
    app_id TEXT NOT NULL,
    config BLOB NOT NULL,
    active INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    internal_id TEXT NOT NULL UNIQUE,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX events_by_id ON events (id, received_at);
CREATE INDEX events_by_name ON events (name, received_at);

CREATE TABLE runs (
    id TEXT NOT NULL UNIQUE,
    function_id TEXT NOT NULL,
    event_id TEXT NOT NULL,  -- internal
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    parallel INTEGER NOT NULL DEFAULT 0,
    race INTEGER NOT NULL DEFAULT 0,
    parent_run TEXT,
    parent_step TEXT,
    output BLOB
);
CREATE INDEX runs_by_event ON runs (event_id);
CREATE INDEX runs_by_function ON runs (function_id, created_at);
CREATE INDEX runs_unfinished ON runs (id) WHERE status = 'RUNNING';

-- The order of rowid is the order in which a run's steps finished.
CREATE TABLE steps (
    run_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    name TEXT NOT NULL,
    op TEXT NOT NULL,
    memo BLOB NOT NULL,
    failed INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER NOT NULL
);
CREATE INDEX steps_by_run ON steps (run_id);

CREATE TABLE pending (
    run_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    due_at INTEGER,
    attempt INTEGER NOT NULL,
    race INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (run_id, hash)
) WITHOUT ROWID;

-- Attempts that failed: the reason a run is late, or failed.
CREATE TABLE attempts (
    run_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    name TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER NOT NULL,
    error BLOB NOT NULL
);
CREATE INDEX attempts_by_run ON attempts (run_id);
"""

# What brings a database of an older version to the next one.
UPGRADES = {
    1: """
-- Throttles and rate limits: when the next of a key would come at an even pace, in microseconds.
CREATE TABLE limits (name TEXT PRIMARY KEY, arrival INTEGER NOT NULL) WITHOUT ROWID;

-- What the engine has to say of a run, beside what its steps did.
CREATE TABLE notes (
    run_id TEXT NOT NULL,
    hash TEXT NOT NULL,
    name TEXT NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX notes_by_run ON notes (run_id);
""",
    2: """
-- Whether its id was used within 24 hours before, so that it started nothing.
ALTER TABLE events ADD COLUMN repeated INTEGER NOT NULL DEFAULT 0;
""",
    3: """
-- Events that matched a function and started no run of it, because a setting of it kept them from.
CREATE TABLE skips (
    event_id TEXT NOT NULL,  -- internal
    function_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX skips_by_event ON skips (event_id);
""",
}

PUT_APP = "INSERT OR REPLACE INTO apps (id, url, sdk, functions, synced_at) VALUES (?, ?, ?, ?, ?)"
RETIRE_FUNCTIONS = "UPDATE functions SET active = 0 WHERE app_id = ?"
PUT_FUNCTION = "INSERT OR REPLACE INTO functions (id, app_id, config, active) VALUES (?, ?, ?, 1)"
ADD_EVENT = (
    "INSERT INTO events (internal_id, id, name, received_at, body, repeated)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
ADD_RUN = (
    "INSERT INTO runs (id, function_id, event_id, status, created_at, parent_run, parent_step)"
    " VALUES (?, ?, ?, 'RUNNING', ?, ?, ?)"
)
SET_PARALLEL = "UPDATE runs SET parallel = 1, race = race OR ? WHERE id = ?"
START_RUN = "UPDATE runs SET started_at = ? WHERE id = ?"
END_RUN = "UPDATE runs SET status = ?, started_at = ?, ended_at = ?, output = ? WHERE id = ?"
ADD_STEP = (
    "INSERT INTO steps (run_id, hash, name, op, memo, failed, attempts, queued_at, started_at,"
    " ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
PUT_PENDING = (
    "INSERT OR REPLACE INTO pending (run_id, hash, kind, name, due_at, attempt, race, queued_at,"
    " data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DROP_PENDING = "DELETE FROM pending WHERE run_id = ? AND hash = ?"
DROP_ALL_PENDING = "DELETE FROM pending WHERE run_id = ?"
ADD_ATTEMPT = (
    "INSERT INTO attempts (run_id, hash, name, attempt, started_at, ended_at, error)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
PUT_LIMIT = "INSERT OR REPLACE INTO limits (name, arrival) VALUES (?, ?)"
DROP_LIMITS = "DELETE FROM limits WHERE arrival < ?"
ADD_SKIP = "INSERT INTO skips (event_id, function_id, at, reason) VALUES (?, ?, ?, ?)"
ADD_NOTE = "INSERT INTO notes (run_id, hash, name, at, text) VALUES (?, ?, ?, ?, ?)"
