-- "CSGN": tells this file from any other program's database.
PRAGMA application_id = 1129531214;

-- Every statement ever accepted. Append-only; each row's hash covers the one before it.
CREATE TABLE statements (
    seq         INTEGER PRIMARY KEY CHECK (seq > 0),
    id          TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL,
    repository  TEXT NOT NULL,
    change      TEXT,
    payload     BLOB NOT NULL,
    signature   BLOB NOT NULL,
    received_at TEXT NOT NULL,
    prev_hash   TEXT NOT NULL,
    row_hash    TEXT NOT NULL UNIQUE
) STRICT;

CREATE INDEX statements_by_change ON statements (repository, change, seq);

CREATE TRIGGER statements_refuse_update BEFORE UPDATE ON statements
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

CREATE TRIGGER statements_refuse_delete BEFORE DELETE ON statements
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

-- Also refuses INSERT OR REPLACE on connections that left recursive_triggers off.
CREATE TRIGGER statements_refuse_gaps BEFORE INSERT ON statements
WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM statements)
  OR EXISTS (SELECT 1 FROM statements WHERE id = NEW.id OR row_hash = NEW.row_hash)
BEGIN SELECT RAISE(ABORT, 'statements are append-only'); END;

-- How long the chain is and how it ends, so that rows cut off its end are missed.
CREATE TABLE chain_head (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    count    INTEGER NOT NULL,
    row_hash TEXT NOT NULL
) STRICT;

INSERT INTO chain_head VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

CREATE TRIGGER chain_head_only_grows BEFORE UPDATE ON chain_head WHEN NEW.count <= OLD.count
BEGIN SELECT RAISE(ABORT, 'the chain only grows'); END;

CREATE TRIGGER chain_head_refuse_delete BEFORE DELETE ON chain_head
BEGIN SELECT RAISE(ABORT, 'the chain only grows'); END;

-- Statements made here that the repository's shared log does not have yet.
CREATE TABLE pending (
    statement  TEXT PRIMARY KEY REFERENCES statements (id),
    repository TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The newest commit seen of each shared log: it must never go back.
CREATE TABLE log_tips (
    repository TEXT NOT NULL,
    remote     TEXT NOT NULL,
    tip        TEXT NOT NULL,
    seen_at    TEXT NOT NULL,
    PRIMARY KEY (repository, remote)
) STRICT, WITHOUT ROWID;

CREATE TABLE clones (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    path     TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL CHECK (kind IN ('modules', 'live')),
    name     TEXT NOT NULL,
    remote   TEXT,
    added_at TEXT NOT NULL
) STRICT;

CREATE TABLE runs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT NOT NULL,
    repository TEXT NOT NULL,
    clone      INTEGER REFERENCES clones (id) ON DELETE SET NULL,
    change     TEXT,
    unit       TEXT,
    status     TEXT NOT NULL
        CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted')),
    queued_at  TEXT NOT NULL,
    started_at TEXT,
    ended_at   TEXT,
    exit       INTEGER,
    summary    TEXT,
    -- Ciphertext. A log in plain text never enters this file.
    sealed_log BLOB,
    -- The session that owns the run until it ends.
    session    TEXT NOT NULL
) STRICT;

CREATE INDEX runs_unfinished ON runs (status) WHERE status IN ('queued', 'running');
CREATE INDEX runs_by_change ON runs (repository, change, id);

-- Who looked at which sensitive value; never the value.
CREATE TABLE reveals (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          TEXT NOT NULL,
    person      TEXT NOT NULL,
    fingerprint TEXT,
    repository  TEXT NOT NULL,
    change      TEXT NOT NULL,
    unit        TEXT NOT NULL,
    address     TEXT NOT NULL,
    path        TEXT NOT NULL
) STRICT;

CREATE TRIGGER reveals_refuse_update BEFORE UPDATE ON reveals
BEGIN SELECT RAISE(ABORT, 'reveals are append-only'); END;

CREATE TRIGGER reveals_refuse_delete BEFORE DELETE ON reveals
BEGIN SELECT RAISE(ABORT, 'reveals are append-only'); END;

CREATE TRIGGER reveals_refuse_replace BEFORE INSERT ON reveals
WHEN EXISTS (SELECT 1 FROM reveals WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'reveals are append-only'); END;

CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What can be computed again.
CREATE TABLE cache (
    kind  TEXT NOT NULL,
    key   TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;

-- Which files of a change at which commit were looked at.
CREATE TABLE viewed (
    repository TEXT NOT NULL,
    change     TEXT NOT NULL,
    head       TEXT NOT NULL,
    file       TEXT NOT NULL,
    at         TEXT NOT NULL,
    PRIMARY KEY (repository, change, head, file)
) STRICT, WITHOUT ROWID;

-- Ciphertext only.
CREATE TABLE bundles (
    sha256     TEXT PRIMARY KEY,
    repository TEXT NOT NULL,
    change     TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    kept_at    TEXT NOT NULL
) STRICT;

CREATE INDEX bundles_by_change ON bundles (repository, change);
