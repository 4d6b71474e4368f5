-- Whose the grant was before a refresh told of another identity, and when it did: until a person was called
-- for it, then 0 and nobody's.

ALTER TABLE accounts ADD COLUMN identity_changed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN identity_before TEXT;
