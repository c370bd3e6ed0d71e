-- Users from whom an identity was taken away by hand while its source still
-- delivered it: no rule links another one of that source to them. A link by
-- hand ends that.

-- +goose Up
CREATE TABLE detached (
    user_id NAME   NOT NULL,
    source  NAME   NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (user_id, source)
);
