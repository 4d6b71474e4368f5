-- The schedule, and who may serve as a canary, are read out of their index alone: a damaged page of accounts
-- is then the trouble of the accounts that lie on it, and of no others.

DROP INDEX accounts_due;
CREATE INDEX accounts_due ON accounts (provider, refresh_at, label) WHERE refresh_at > 0;

DROP INDEX accounts_canary;
CREATE INDEX accounts_canary ON accounts (provider, refreshed_at, label, has_refresh_token, state)
    WHERE has_refresh_token <> 0 AND state <> 2;
