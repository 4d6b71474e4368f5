-- Whose grant is to be revoked: where that person has consented anew it is left alone, as at many
-- providers one revocation ends all that a person has granted. What waits already does not say it.

ALTER TABLE kept ADD COLUMN identity TEXT;

CREATE INDEX kept_whose ON kept (kind, provider, label, identity);
