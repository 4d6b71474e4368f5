-- Which refresh token was imported last, by its fingerprint: it is not taken again once others came of it.

ALTER TABLE accounts ADD COLUMN imported TEXT NOT NULL DEFAULT '';
