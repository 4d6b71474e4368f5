-- Facts by name, accounts, and what providers were paused for.
-- Times are broker time in milliseconds, 0 where there is none.

CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Which store this is: a random UUID (RFC 9562, version 4).
INSERT INTO facts (name, value) VALUES ('uuid', lower(
    hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
    || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-'
    || hex(randomblob(6))));

-- The sealed bytes come last: SQLite does not read them for those who only want the facts.
CREATE TABLE accounts (
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    generation INTEGER NOT NULL,
    state INTEGER NOT NULL,
    has_refresh_token INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    lifetime_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    refresh_at INTEGER NOT NULL,
    refresh_token_expires_at INTEGER NOT NULL,
    refusals INTEGER NOT NULL,
    refused_at INTEGER NOT NULL,
    suspect_since INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    last_error TEXT,
    last_error_description TEXT,
    last_error_at INTEGER NOT NULL,
    scope TEXT,
    identity TEXT,
    sealed BLOB,
    PRIMARY KEY (provider, label)
) STRICT;

-- The schedule.
CREATE INDEX accounts_due ON accounts (provider, refresh_at) WHERE refresh_at > 0;

-- Who may serve as the canary of a paused provider: state 2 is "consent required".
CREATE INDEX accounts_canary ON accounts (provider, refreshed_at)
    WHERE has_refresh_token <> 0 AND state <> 2;

-- Counted as they change, so that asking does not take longer the more accounts there are.
CREATE TABLE account_counts (
    state INTEGER PRIMARY KEY,
    accounts INTEGER NOT NULL
) STRICT;

INSERT INTO account_counts (state, accounts) VALUES (0, 0), (1, 0), (2, 0);

CREATE TRIGGER accounts_inserted AFTER INSERT ON accounts BEGIN
    UPDATE account_counts SET accounts = accounts + 1 WHERE state = new.state;
END;

CREATE TRIGGER accounts_changed AFTER UPDATE OF state ON accounts WHEN old.state <> new.state BEGIN
    UPDATE account_counts SET accounts = accounts - 1 WHERE state = old.state;
    UPDATE account_counts SET accounts = accounts + 1 WHERE state = new.state;
END;

-- Whose current refresh token has which fingerprint.
CREATE TABLE token_owners (
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    PRIMARY KEY (provider, label)
) STRICT, WITHOUT ROWID;

CREATE INDEX token_owners_fingerprint ON token_owners (provider, fingerprint);

CREATE TRIGGER accounts_deleted AFTER DELETE ON accounts BEGIN
    UPDATE account_counts SET accounts = accounts - 1 WHERE state = old.state;
    DELETE FROM token_owners WHERE provider = old.provider AND label = old.label;
END;

CREATE TABLE pauses (
    provider TEXT PRIMARY KEY,
    paused_since INTEGER NOT NULL,
    probe_at INTEGER NOT NULL,
    probes INTEGER NOT NULL,
    reason TEXT NOT NULL,
    credentials TEXT NOT NULL
) STRICT, WITHOUT ROWID;
