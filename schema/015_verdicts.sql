-- What is counted towards a verdict on one account has counts of its own: an outage that all shared says
-- nothing of it. And under which set-up, by its fingerprint, a consent came to be wanted: where that is
-- another now, the verdict may have been the set-up's.

ALTER TABLE accounts ADD COLUMN failed_alone INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN suspect_tries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN refused_under TEXT NOT NULL DEFAULT '';

CREATE INDEX accounts_refused ON accounts (provider, label, refused_under, has_refresh_token, state)
    WHERE state = 2 AND has_refresh_token <> 0;
