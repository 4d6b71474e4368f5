-- Who was given what, counted: one row for each account, uid, unit, verdict and token generation.
-- Ids are without gaps, because only the oldest rows ever go.

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    uid INTEGER NOT NULL,
    unit TEXT NOT NULL,
    verdict TEXT NOT NULL,
    generation INTEGER NOT NULL,
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX audit_what ON audit (account, generation, uid, unit, verdict);
CREATE INDEX audit_account ON audit (account);
