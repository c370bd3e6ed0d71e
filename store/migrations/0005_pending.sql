-- Only those who wait are looked for by the value that was sent: the index need
-- not have a row for every membership, which made it as large as the table.

-- +goose Up
DROP INDEX membership_pending;
CREATE INDEX membership_pending ON membership (source, value, until) WHERE kind = 'pending';
