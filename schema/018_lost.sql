-- Whose refresh token was sent without a usable answer: while their provider pauses, each has a last try before
-- that provider's grace ends. They are read out of their index alone, as the schedule is.

CREATE INDEX accounts_lost ON accounts (provider, lost_at, label, last_error_at, has_refresh_token, state)
    WHERE lost_at <> 0 AND has_refresh_token <> 0 AND state <> 2;
