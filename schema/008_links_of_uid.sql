-- How many links a user has made that are open is asked whenever one more is to be made.

CREATE INDEX links_of_uid ON links (uid) WHERE ending = 0;
