-- Links by which a person elsewhere consents for an account: at most one is open for each account.
-- Those that are over are kept for a while, so that their page can say what became of them.

CREATE TABLE links (
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    label TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ending INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    forget_at INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    hour_began_at INTEGER NOT NULL,
    hour_clicks INTEGER NOT NULL,
    expect TEXT,
    scope TEXT,
    params TEXT,
    sealed BLOB
) STRICT;

CREATE UNIQUE INDEX links_digest ON links (digest);
CREATE UNIQUE INDEX links_open ON links (provider, label) WHERE ending = 0;
CREATE INDEX links_over ON links (id) WHERE ending <> 0;
CREATE INDEX links_forgotten ON links (forget_at);
