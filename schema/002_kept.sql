-- Sealed things that wait for somebody or for an hour: consents for another identity, replies that
-- could not be read, tokens still to be revoked. An id is never given twice.

CREATE TABLE kept (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    sealed BLOB
) STRICT;

CREATE INDEX kept_due ON kept (kind, due_at);
CREATE INDEX kept_kind ON kept (kind);
