-- What lists show of an audit record, and the names that it mentions: beside the
-- record, because a record of thousands of changes is read from its first page
-- to its last to come to a column behind them. Neither is part of the hash
-- chain: both can be made anew of the records. Records of before have none, nor
-- have those that a replica of an older version still writes; the index knows
-- them until Prune has made up for it.

-- +goose Up
ALTER TABLE audit ADD COLUMN headed BIGINT;
CREATE INDEX audit_headless ON audit (revision) WHERE headed IS NULL;

CREATE TABLE audit_head (
    revision BIGINT PRIMARY KEY,
    types    TEXT   NOT NULL, -- of the changes, each behind a space
    changes  BIGINT NOT NULL, -- how many
    listed   BIGINT NOT NULL, -- entries of the first one's lists
    first    TEXT   NOT NULL  -- the first one, its lists cut
);

CREATE TABLE audit_name (
    name     NAME   NOT NULL, -- or its digest, if it is long
    revision BIGINT NOT NULL
);
CREATE INDEX audit_name_revision ON audit_name (name, revision);
