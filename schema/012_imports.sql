-- Which refresh tokens an account was imported with, by their fingerprints: none of them is taken again
-- once others came of it, whichever was brought last.

CREATE TABLE imports (
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    imported_at INTEGER NOT NULL,
    PRIMARY KEY (provider, label, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE INDEX imports_fingerprint ON imports (provider, fingerprint, label);

INSERT INTO imports (provider, label, fingerprint, imported_at)
    SELECT provider, label, imported, 0 FROM accounts WHERE imported <> '';

DROP INDEX accounts_imported;

CREATE TRIGGER accounts_deleted_imports AFTER DELETE ON accounts BEGIN
    DELETE FROM imports WHERE provider = old.provider AND label = old.label;
END;
