-- One text for SQLite and PostgreSQL. NAME stands for the engine's text type
-- that is compared bytewise. Times are milliseconds since 1970, flags 0 or 1.
-- Rows that decide hold for the revisions since <= r < until; until is
-- 9223372036854775807 while they hold.

-- +goose Up
CREATE TABLE head (
    id        BIGINT PRIMARY KEY, -- always 1
    revision  BIGINT NOT NULL,
    chain     TEXT   NOT NULL,    -- hex of the audit chain's newest hash
    group_num BIGINT NOT NULL,    -- the last number given to a group
    policy    BIGINT NOT NULL     -- revision at which policy or a binding last changed
);
INSERT INTO head (id, revision, chain, group_num, policy)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 0);

CREATE TABLE meta (
    name  NAME PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE feed (
    revision    BIGINT PRIMARY KEY,
    fingerprint BIGINT NOT NULL, -- the unsigned number in two's complement
    time        BIGINT NOT NULL,
    policy      BIGINT NOT NULL,
    body        TEXT   NOT NULL  -- JSON: keys and group numbers
);

CREATE TABLE audit (
    revision BIGINT PRIMARY KEY,
    time     BIGINT NOT NULL,
    actor    TEXT   NOT NULL,
    changes  TEXT   NOT NULL,
    hash     TEXT   NOT NULL
);

CREATE TABLE source (
    name     NAME   PRIMARY KEY,
    kind     TEXT   NOT NULL,
    state    TEXT   NOT NULL,
    rank     BIGINT NOT NULL,
    settings TEXT   NOT NULL,
    created  BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE TABLE source_fact (
    name  NAME   NOT NULL,
    kind  TEXT   NOT NULL,
    state TEXT   NOT NULL,
    rank  BIGINT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL,
    PRIMARY KEY (name, since)
);
-- What is made here has a source too. It is never removed.
INSERT INTO source (name, kind, state, rank, settings, created, modified)
VALUES ('local', 'local', 'active', 0, '', 0, 0);
INSERT INTO source_fact (name, kind, state, rank, since, until)
VALUES ('local', 'local', 'active', 0, 0, 9223372036854775807);

CREATE TABLE users (
    id           NAME   PRIMARY KEY,
    type         TEXT   NOT NULL,
    blocked      BIGINT NOT NULL,
    block_reason TEXT   NOT NULL,
    last_login   BIGINT NOT NULL,
    created      BIGINT NOT NULL,
    deleted      BIGINT NOT NULL  -- 0 while living
);
CREATE TABLE user_fact (
    user_id NAME   NOT NULL,
    type    TEXT   NOT NULL,
    blocked BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (user_id, since)
);

CREATE TABLE identity (
    id            NAME   PRIMARY KEY,
    user_id       NAME   NOT NULL,
    source        NAME   NOT NULL,
    presence      TEXT   NOT NULL,
    user_name     TEXT   NOT NULL,
    user_name_key NAME   NOT NULL,
    external_id   NAME   NOT NULL,
    dn            TEXT   NOT NULL,
    dn_key        NAME   NOT NULL,
    display_name  TEXT   NOT NULL,
    display_key   NAME   NOT NULL,
    type          TEXT   NOT NULL,
    active        BIGINT NOT NULL,
    emails        TEXT   NOT NULL, -- JSON
    attributes    TEXT   NOT NULL, -- JSON
    gone_since    BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    modified      BIGINT NOT NULL,
    version       BIGINT NOT NULL
);
CREATE INDEX identity_user ON identity (user_id);
CREATE INDEX identity_user_name ON identity (user_name_key);
CREATE INDEX identity_external ON identity (source, external_id);
CREATE INDEX identity_display ON identity (source, display_key);
CREATE INDEX identity_dn ON identity (source, dn_key);
CREATE INDEX identity_order ON identity (source, created, id, presence); -- counts without the rows
CREATE INDEX identity_created ON identity (created, id, presence);
CREATE TABLE identity_fact (
    identity_id   NAME   NOT NULL,
    user_id       NAME   NOT NULL,
    source        NAME   NOT NULL,
    user_name_key NAME   NOT NULL,
    external_id   NAME   NOT NULL,
    active        BIGINT NOT NULL,
    presence      TEXT   NOT NULL,
    since         BIGINT NOT NULL,
    until         BIGINT NOT NULL,
    PRIMARY KEY (identity_id, since)
);
CREATE INDEX identity_fact_closed ON identity_fact (until) WHERE until < 9223372036854775807;
CREATE INDEX identity_fact_user ON identity_fact (user_id, until);
CREATE INDEX identity_fact_name ON identity_fact (user_name_key, until);
CREATE INDEX identity_fact_external ON identity_fact (source, external_id, until);

CREATE TABLE email (
    identity_id NAME   NOT NULL,
    user_id     NAME   NOT NULL,
    source      NAME   NOT NULL,
    value_key   NAME   NOT NULL,
    since       BIGINT NOT NULL,
    until       BIGINT NOT NULL,
    PRIMARY KEY (identity_id, value_key, since)
);
CREATE INDEX email_value ON email (value_key, until);
CREATE INDEX email_closed ON email (until) WHERE until < 9223372036854775807;

CREATE TABLE groups (
    id            NAME   PRIMARY KEY,
    num           BIGINT NOT NULL UNIQUE,
    source        NAME   NOT NULL,
    name          TEXT   NOT NULL,
    name_key      NAME   NOT NULL,
    external_id   NAME   NOT NULL,
    dn            TEXT   NOT NULL,
    dn_key        NAME   NOT NULL,
    project       NAME   NOT NULL,
    status        TEXT   NOT NULL,
    description   TEXT   NOT NULL,
    attributes    TEXT   NOT NULL,
    member_count  BIGINT NOT NULL,
    pending_count BIGINT NOT NULL,
    created       BIGINT NOT NULL,
    modified      BIGINT NOT NULL,
    version       BIGINT NOT NULL,
    deleted       BIGINT NOT NULL
);
CREATE INDEX groups_name ON groups (source, name_key);
CREATE INDEX groups_external ON groups (source, external_id);
CREATE INDEX groups_dn ON groups (source, dn_key);
CREATE INDEX groups_order ON groups (source, created, id);
CREATE TABLE group_fact (
    group_id    NAME   NOT NULL,
    num         BIGINT NOT NULL,
    source      NAME   NOT NULL,
    name        TEXT   NOT NULL,
    name_key    NAME   NOT NULL,
    external_id NAME   NOT NULL,
    dn          TEXT   NOT NULL,
    project     NAME   NOT NULL,
    status      TEXT   NOT NULL,
    since       BIGINT NOT NULL,
    until       BIGINT NOT NULL,
    PRIMARY KEY (group_id, since)
);
CREATE INDEX group_fact_num ON group_fact (num, until);

-- kind is user, group or pending. member_id is the user's or group's id, and
-- empty while pending; value is how the source names the member.
CREATE TABLE membership (
    group_id   NAME   NOT NULL,
    group_num  BIGINT NOT NULL,
    source     NAME   NOT NULL,
    kind       TEXT   NOT NULL,
    member_id  NAME   NOT NULL,
    member_num BIGINT NOT NULL, -- of a group, else 0
    value      NAME   NOT NULL,
    via        TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    PRIMARY KEY (group_id, value, via, since)
);
CREATE INDEX membership_member ON membership (member_id, until, since, kind, group_num); -- a check that misses reads it alone
CREATE INDEX membership_nesting ON membership (member_num, until, since, group_num) WHERE kind = 'group';
CREATE INDEX membership_group ON membership (group_id, until, value);
CREATE INDEX membership_closed ON membership (until) WHERE until < 9223372036854775807; -- to be forgotten one day
CREATE INDEX membership_pending ON membership (source, value, until, kind);

-- holder is "user" or "group"; role or kind+key is set.
CREATE TABLE grants (
    id        NAME   NOT NULL,
    holder    TEXT   NOT NULL,
    holder_id NAME   NOT NULL,
    project   NAME   NOT NULL,
    role      NAME   NOT NULL,
    kind      TEXT   NOT NULL,
    key       NAME   NOT NULL,
    level     BIGINT NOT NULL,
    origin    TEXT   NOT NULL,
    by_actor  TEXT   NOT NULL,
    created   BIGINT NOT NULL,
    since     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    PRIMARY KEY (id, since)
);
CREATE INDEX grants_holder ON grants (holder_id, until);
CREATE INDEX grants_group ON grants (holder_id, until) WHERE holder = 'group';

CREATE TABLE overrides (
    user_id  NAME   NOT NULL,
    project  NAME   NOT NULL,
    group_id NAME   NOT NULL,
    by_actor TEXT   NOT NULL,
    reason   TEXT   NOT NULL,
    created  BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    until    BIGINT NOT NULL,
    PRIMARY KEY (user_id, project, since)
);

-- section as in the policy file; body is JSON, and the plain text for
-- default_role and tests.
CREATE TABLE policy_item (
    section NAME   NOT NULL,
    key     NAME   NOT NULL,
    place   BIGINT NOT NULL,
    body    TEXT   NOT NULL,
    since   BIGINT NOT NULL,
    until   BIGINT NOT NULL,
    PRIMARY KEY (section, key, since)
);
CREATE TABLE binding (
    mapping   NAME   NOT NULL,
    group_id  NAME   NOT NULL,
    group_num BIGINT NOT NULL,
    state     TEXT   NOT NULL,
    since     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    PRIMARY KEY (mapping, group_id, since)
);

CREATE TABLE token (
    id      NAME   PRIMARY KEY,
    kind    TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    source  NAME   NOT NULL,
    scopes  TEXT   NOT NULL, -- JSON
    hash    TEXT   NOT NULL, -- hex
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    revoked BIGINT NOT NULL  -- 0 while it counts
);

CREATE TABLE source_cursor (
    source NAME PRIMARY KEY,
    body   TEXT NOT NULL
);
CREATE TABLE request_log (
    id     NAME   NOT NULL,
    source NAME   NOT NULL,
    time   BIGINT NOT NULL,
    body   TEXT   NOT NULL,
    PRIMARY KEY (source, time, id)
);
CREATE INDEX request_log_time ON request_log (time, id);
CREATE TABLE sync_run (
    id      NAME   PRIMARY KEY,
    source  NAME   NOT NULL,
    started BIGINT NOT NULL,
    body    TEXT   NOT NULL
);
CREATE INDEX sync_run_order ON sync_run (source, started);
CREATE TABLE hold (
    source NAME PRIMARY KEY,
    hash   TEXT NOT NULL,
    body   TEXT NOT NULL
);
CREATE TABLE lease (
    name    NAME   PRIMARY KEY,
    holder  TEXT   NOT NULL,
    epoch   BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
