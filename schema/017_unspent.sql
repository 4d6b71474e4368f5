-- Of what an account was imported with, that which nothing came of when another import took its place: it may
-- come back as long as nothing came of that one either.

ALTER TABLE imports ADD COLUMN unspent INTEGER NOT NULL DEFAULT 0;
