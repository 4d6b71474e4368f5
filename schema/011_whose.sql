-- Under which name a refresh token was imported, and who else is there under an identity.

CREATE INDEX accounts_imported ON accounts (provider, imported, label) WHERE imported <> '';

CREATE INDEX accounts_identity ON accounts (provider, identity) WHERE identity IS NOT NULL;
