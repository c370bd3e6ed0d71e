-- Identities that an administrator linked before their source delivered them.

-- +goose Up
CREATE TABLE link (
    source    NAME   NOT NULL,
    value     NAME   NOT NULL, -- externalId or userName, as it was given
    value_key NAME   NOT NULL, -- of a userName
    user_id   NAME   NOT NULL,
    created   BIGINT NOT NULL,
    PRIMARY KEY (source, value)
);
CREATE INDEX link_user ON link (user_id);
