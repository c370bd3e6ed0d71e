-- The members of a group in the order of their ids, at any revision: pages of
-- people who may have something begin in the middle of a large group.

-- +goose Up
CREATE INDEX membership_people ON membership (group_num, member_id, until, since) WHERE kind = 'user';
