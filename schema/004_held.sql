-- Consents for another identity than the account's have a table of their own: at most one for each
-- account, with all that makes it the account's grant once it is accepted.

CREATE TABLE held (
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    lifetime_ms INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    refresh_at INTEGER NOT NULL,
    refresh_token_expires_at INTEGER NOT NULL,
    refresh_token_life_ms INTEGER NOT NULL,
    scope TEXT,
    identity TEXT,
    sealed BLOB,
    PRIMARY KEY (provider, label)
) STRICT;

-- Of those that were kept before, the newest; what was not noted of them is not known, and a refresh
-- that is due at once tells it.
INSERT OR REPLACE INTO held
    SELECT provider, label, created_at, 0, 0, 0, created_at, 0, 0, NULL, NULL, sealed
    FROM kept WHERE kind = 0 AND (provider, label) IN (SELECT provider, label FROM accounts)
    ORDER BY id;
DELETE FROM kept WHERE kind = 0;

CREATE TRIGGER accounts_deleted_held AFTER DELETE ON accounts BEGIN
    DELETE FROM held WHERE provider = old.provider AND label = old.label;
END;

-- How long the refresh token's life was when its end was last set further out; 0: not known.
ALTER TABLE accounts ADD COLUMN refresh_token_life_ms INTEGER NOT NULL DEFAULT 0;
