-- When a token of the account was last asked for, when a reply to its current refresh token was first
-- lost, and how near its end was when somebody was last told.

ALTER TABLE accounts ADD COLUMN asked_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN lost_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN warned_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN warned_days INTEGER NOT NULL DEFAULT 0;

UPDATE accounts SET asked_at = coalesce((SELECT max(last_at) FROM audit
    WHERE account = accounts.provider || '/' || accounts.label AND verdict = 'token'), 0);
