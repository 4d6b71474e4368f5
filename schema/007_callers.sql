-- Who asked under an access rule with approve: waiting (approved_at 0), or approved. An id is never
-- given twice, so that nobody approves another caller than the one that was read about.

CREATE TABLE callers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rule TEXT NOT NULL,
    uid INTEGER NOT NULL,
    unit TEXT NOT NULL,
    account TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    approved_at INTEGER NOT NULL,
    approved_by INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX callers_who ON callers (rule, uid, unit);
