package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/usherd/usherd/directory"
)

// horizonName names the oldest revision that can still be read, in meta.
const horizonName = "history_from"

// A point is the head and one revision of its history.
type point struct {
	head   directory.Stamp
	policy directory.Revision // when the policy or a binding last changed
	oldest directory.Revision // of rows that ended before, some are gone
	at     directory.Stamp    // the asked revision, if known
	known  bool               // whether there is such a revision and its fingerprint is kept
}

// pointTexts find the fingerprint of a revision, $1, in the feed, whose
// records are small; that of an older one is found in the audit trail.
const pointTexts = `h.chain,
	COALESCE((SELECT m.value FROM meta m WHERE m.name = '` + horizonName + `'), '0'),
	COALESCE((SELECT CAST(f.fingerprint AS TEXT) FROM feed f WHERE f.revision = CAST($1 AS BIGINT)), ''),
	COALESCE((SELECT a.hash FROM audit a WHERE a.revision = CAST($1 AS BIGINT)
		AND NOT EXISTS (SELECT 1 FROM feed f WHERE f.revision = CAST($1 AS BIGINT))), '')`

// A rawPoint is what the columns say.
type rawPoint struct {
	head, policy                 int64
	chain, horizon, feed, hashed string
}

// readPoint reads the head and a revision.
func readPoint(ctx context.Context, q querier, at directory.Revision) (point, error) {
	var raw rawPoint
	err := q.QueryRowContext(ctx, `SELECT h.revision, h.policy, `+pointTexts+` FROM head h WHERE h.id = 1`, int64(at)).
		Scan(&raw.head, &raw.policy, &raw.chain, &raw.horizon, &raw.feed, &raw.hashed)
	if err != nil {
		return point{}, fmt.Errorf("reading the head: %w", err)
	}
	return raw.point(at)
}

func (raw rawPoint) point(at directory.Revision) (p point, err error) {
	p.head.Revision, p.policy = directory.Revision(raw.head), directory.Revision(raw.policy)
	if p.head.Fingerprint, err = fingerprintOf(raw.chain); err != nil {
		return p, err
	}
	oldest, err := strconv.ParseInt(raw.horizon, 10, 64)
	if err != nil {
		return p, fmt.Errorf("the kept name %s is damaged", horizonName)
	}
	p.oldest, p.at.Revision, p.known = directory.Revision(oldest), at, true
	switch {
	case at == p.head.Revision:
		p.at = p.head
	case at < 0 || at > p.head.Revision:
		p.known = false
	case at == 0: // the beginning of every history
	case raw.feed != "":
		n, err := strconv.ParseInt(raw.feed, 10, 64)
		p.at.Fingerprint = directory.Fingerprint(n)
		return p, err
	case raw.hashed != "":
		p.at.Fingerprint, err = fingerprintOf(raw.hashed)
		return p, err
	default:
		p.known = false
	}
	return p, nil
}

// has reports whether stamp, whose revision was asked for, is a point of this
// history.
func (p point) has(stamp directory.Stamp) bool { return p.known && p.at == stamp }

// check returns why the asked revision can't be read, or nil.
func (p point) check() error {
	switch {
	case p.at.Revision > p.head.Revision || p.at.Revision < 0:
		return directory.ErrHistoryLost
	case !p.known || p.at.Revision < p.oldest:
		return directory.ErrHistoryExpired
	}
	return nil
}

// checkStamp returns why what stamp names can't be read, or nil.
func (p point) checkStamp(stamp directory.Stamp) error {
	if p.known && p.at != stamp {
		return directory.ErrHistoryLost
	}
	return p.check()
}

// Head returns the newest stamp and whether mine is a point of this history.
func (s *Store) Head(ctx context.Context, mine directory.Stamp) (directory.Head, error) {
	p, err := readPoint(ctx, s.read, mine.Revision)
	return directory.Head{Stamp: p.head, Known: err == nil && p.has(mine)}, err
}

// Facts returns everything that a snapshot of a revision is compiled from.
func (s *Store) Facts(ctx context.Context, at directory.Revision) (facts directory.Facts, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, at)
		if err != nil {
			return err
		}
		if at == 0 {
			p.at = p.head
		} else if err := p.check(); err != nil {
			return fmt.Errorf("revision %d: %w", at, err)
		}
		facts, err = readFacts(ctx, q, p)
		return err
	})
	return facts, err
}

// readFacts reads everything at p.at.
func readFacts(ctx context.Context, q querier, p point) (facts directory.Facts, err error) {
	facts.At = p.at
	if facts.Policy, err = readPolicy(ctx, q, p); err != nil {
		return facts, err
	}
	facts.Groups, err = readGroups(ctx, q, p.at.Revision)
	return facts, err
}

// Recent returns the newest records, oldest first, and the facts at the last.
func (s *Store) Recent(ctx context.Context, limit int) (facts directory.Facts, records []directory.FeedRecord, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, 0)
		if err != nil {
			return err
		}
		p.at = p.head
		from := p.head.Revision - directory.Revision(max(limit, 0))
		if records, err = readFeed(ctx, q, from, limit); err != nil {
			return err
		}
		facts, err = readFacts(ctx, q, p)
		return err
	})
	return facts, records, err
}

// Stretch returns what came after since.
func (s *Store) Stretch(ctx context.Context, since directory.Stamp, limit int) (st directory.Stretch, err error) {
	err = s.snapshot(ctx, func(q querier) error {
		p, err := readPoint(ctx, q, since.Revision)
		if err != nil {
			return err
		}
		if !p.has(since) {
			return fmt.Errorf("stamp %s: %w", since, directory.ErrHistoryLost)
		}
		st.Head = p.head
		if st.Records, err = readFeed(ctx, q, since.Revision, limit); err != nil || len(st.Records) == 0 {
			return err
		}
		if st.Records[0].Stamp.Revision != since.Revision+1 {
			return fmt.Errorf("stamp %s is older than the feed: %w", since, directory.ErrHistoryLost)
		}
		return readTouched(ctx, q, p, &st)
	})
	return st, err
}
