-- Small records that are no facts: sessions, jobs, webhooks, preferences.

-- +goose Up
CREATE TABLE kept (
    space    NAME   NOT NULL,
    key      NAME   NOT NULL,
    value    TEXT   NOT NULL, -- JSON
    version  BIGINT NOT NULL,
    expires  BIGINT NOT NULL, -- 0: never
    modified BIGINT NOT NULL,
    PRIMARY KEY (space, key)
);
CREATE INDEX kept_expires ON kept (expires) WHERE expires > 0;
