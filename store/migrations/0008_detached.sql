-- Users from whom an identity of a source was taken away by hand: no rule links
-- another one of that source to them. One that is linked by hand ends that.

-- +goose Up
CREATE TABLE detached (
    user_id NAME   NOT NULL,
    source  NAME   NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (user_id, source)
);
