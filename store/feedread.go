package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// readFeed returns the records after a revision, at most limit, in order. They
// are dense from the first on.
func readFeed(ctx context.Context, q querier, after directory.Revision, limit int) ([]directory.FeedRecord, error) {
	records, err := collect(ctx, q, scanFeed, `SELECT revision, fingerprint, time, policy, body
		FROM feed WHERE revision > $1 ORDER BY revision LIMIT $2`, int64(after), max(limit, 0))
	if err != nil {
		return nil, fmt.Errorf("reading the feed: %w", err)
	}
	for i, r := range records {
		if want := records[0].Stamp.Revision + directory.Revision(i); r.Stamp.Revision != want {
			return nil, fmt.Errorf("the feed lacks revision %d", want)
		}
	}
	return records, nil
}

func scanFeed(row scanner) (r directory.FeedRecord, err error) {
	var fingerprint, at, policy int64
	var text string
	if err = row.Scan(&r.Stamp.Revision, &fingerprint, &at, &policy, &text); err != nil {
		return r, err
	}
	var body feedBody
	err = unmarshal("feed record", text, &body)
	r.Stamp.Fingerprint = directory.Fingerprint(fingerprint)
	r.Time, r.Policy, r.Keys, r.Groups = fromMS(at), policy != 0, body.Keys, body.Groups
	return r, err
}

// readTouched adds to st what the snapshot of its last record needs.
func readTouched(ctx context.Context, q querier, p point, st *directory.Stretch) error {
	var nums []directory.GroupNum
	policy := false
	for _, r := range st.Records {
		nums = append(nums, r.Groups...)
		policy = policy || r.Policy
	}
	slices.Sort(nums)
	nums = slices.Compact(nums)
	p.at = st.Records[len(st.Records)-1].Stamp
	if policy {
		facts, err := readPolicy(ctx, q, p)
		if err != nil {
			return err
		}
		st.Policy = &facts
	}
	for part := range slices.Chunk(nums, maxParams) {
		groups, err := readTheseGroups(ctx, q, p.at.Revision, part)
		if err != nil {
			return err
		}
		st.Groups = append(st.Groups, groups...)
	}
	for _, n := range nums {
		living := func(g directory.GroupFacts, n directory.GroupNum) int { return int(g.Num) - int(n) }
		if _, found := slices.BinarySearchFunc(st.Groups, n, living); !found {
			st.Ended = append(st.Ended, n)
		}
	}
	return nil
}
