-- When the grant came: consented to, or imported. What the configuration says of its life counts from then, and is
-- no fact of the row any more. An end that was noted was noted with the life that began then; else it is not known,
-- and no sooner than the account.

ALTER TABLE accounts ADD COLUMN granted_at INTEGER NOT NULL DEFAULT 0;
UPDATE accounts SET granted_at = CASE
    WHEN refresh_token_expires_at > 0 AND refresh_token_life_ms > 0
    THEN refresh_token_expires_at - refresh_token_life_ms
    ELSE created_at END;

-- Whether the access token's lifetime is the configuration's, as the reply did not say one.
ALTER TABLE accounts ADD COLUMN lifetime_assumed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN lifetime_assumed INTEGER NOT NULL DEFAULT 0;
