package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A Moment is one revision and when it was the present.
type Moment struct {
	Revision directory.Revision `json:"revision"`
	Stamp    string             `json:"stamp"`
	Since    time.Time          `json:"since,omitzero"` // when it was made
	Until    time.Time          `json:"until,omitzero"` // when the next was made; zero if it is the present
}

// String tells people of the moment.
func (m Moment) String() string {
	const form = "2006-01-02 15:04:05 MST"
	text := fmt.Sprintf("revision %d", m.Revision)
	switch {
	case !m.Until.IsZero():
		return text + ", current from " + m.Since.UTC().Format(form) + " to " + m.Until.UTC().Format(form)
	case !m.Since.IsZero():
		return text + ", current since " + m.Since.UTC().Format(form)
	}
	return text
}

// When finds the revision that people mean by a text: a number is a revision; a
// time is RFC 3339 or a day (its beginning, in UTC) and means what was the
// present then; a duration such as 30m, 36h or 7d, with or without "ago", means
// so long before now. The empty text is the present, as revision 0.
//
// What is older than history is kept is [directory.ErrHistoryExpired], and the
// error says how far back one can ask.
func (s *Service) When(ctx context.Context, text string) (directory.Revision, error) {
	text = strings.TrimSpace(text)
	if text == "" || text == "now" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return s.checkRevision(ctx, directory.Revision(n))
	}
	at, err := s.parseTime(text)
	if err != nil {
		return 0, err
	}
	if at.After(s.Now()) {
		return 0, invalid("%s is in the future", at.UTC().Format(time.RFC3339))
	}
	revision, err := s.Store.RevisionAt(ctx, at)
	if err != nil {
		return 0, fmt.Errorf("finding the revision: %w", err)
	}
	if revision == 0 {
		return 0, notFound("nothing was recorded yet at %s", at.UTC().Format(time.RFC3339))
	}
	return s.checkRevision(ctx, revision)
}

// parseTime reads a time, a day or a duration before now.
func (s *Service) parseTime(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04", "2006-01-02 15:04", time.DateTime, time.DateOnly} {
		if at, err := time.Parse(form, text); err == nil {
			return at, nil
		}
	}
	ago := strings.TrimSpace(strings.TrimSuffix(text, "ago"))
	if days, err := strconv.ParseUint(strings.TrimSuffix(ago, "d"), 10, 16); err == nil && strings.HasSuffix(ago, "d") {
		return s.Now().AddDate(0, 0, -int(days)), nil
	}
	if d, err := time.ParseDuration(ago); err == nil && d >= 0 {
		return s.Now().Add(-d), nil
	}
	return time.Time{}, invalid("%q is neither a revision, nor a time such as 2026-03-01T09:30:00Z, nor a duration such as 30m or 7d", text)
}

// checkRevision refuses a revision that can't be read.
func (s *Service) checkRevision(ctx context.Context, at directory.Revision) (directory.Revision, error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return 0, fmt.Errorf("reading the revision: %w", err)
	}
	if at < 1 || at > head.Stamp.Revision {
		return 0, invalid("there is no revision %d; the newest is %d", at, head.Stamp.Revision)
	}
	horizon, err := s.Store.Horizon(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading how far history goes: %w", err)
	}
	if at < horizon {
		return 0, s.expired(ctx, at, horizon)
	}
	return at, nil
}

// expired says how far back one can ask.
func (s *Service) expired(ctx context.Context, at, horizon directory.Revision) error {
	since := ""
	if m, err := s.moment(ctx, directory.Stamp{Revision: horizon}); err == nil && !m.Since.IsZero() {
		since = " of " + m.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Errorf("revision %d is older than what is kept: %w; history goes back to revision %d%s (history.keep in the configuration)",
		at, directory.ErrHistoryExpired, horizon, since)
}

// moment tells when a revision was the present.
func (s *Service) moment(ctx context.Context, at directory.Stamp) (Moment, error) {
	m := Moment{Revision: at.Revision, Stamp: at.String()}
	records, err := s.Store.Audit(ctx, max(at.Revision-1, 0), 2)
	if err != nil {
		return m, fmt.Errorf("reading when revision %d was made: %w", at.Revision, err)
	}
	for _, r := range records {
		switch r.Revision {
		case at.Revision:
			m.Since = r.Time
		case at.Revision + 1:
			m.Until = r.Time
		}
	}
	return m, nil
}

// lookAt looks a subject up as of a revision; 0 is the present, in the view that
// applications are answered from.
func (s *Service) lookAt(ctx context.Context, key directory.SubjectKey, at directory.Revision) (Look, error) {
	if at == 0 {
		return s.lookUp(ctx, key)
	}
	snapshot, err := s.past(ctx, at)
	if err != nil {
		return Look{}, err
	}
	subject, err := s.Store.Subject(ctx, key, snapshot.At())
	if err != nil {
		return Look{}, s.whenPruned(ctx, at, fmt.Errorf("looking up user: %w", err))
	}
	return Look{snapshot, &subject, snapshot.At()}, nil
}

// viewAt is the policy and the groups as of a revision; 0 is the present.
func (s *Service) viewAt(ctx context.Context, at directory.Revision) (*authz.Snapshot, error) {
	if at == 0 {
		return s.present(ctx)
	}
	return s.past(ctx, at)
}

// past compiles what held at a revision.
func (s *Service) past(ctx context.Context, at directory.Revision) (*authz.Snapshot, error) {
	facts, err := s.Store.Facts(ctx, at)
	if err != nil {
		return nil, s.whenPruned(ctx, at, fmt.Errorf("reading facts: %w", err))
	}
	return authz.Compile(facts), nil
}

// whenPruned says how far back one can ask if history went while it was read.
func (s *Service) whenPruned(ctx context.Context, at directory.Revision, err error) error {
	if !errors.Is(err, directory.ErrHistoryExpired) {
		return err
	}
	horizon, herr := s.Store.Horizon(ctx)
	if herr != nil {
		return err
	}
	return s.expired(ctx, at, horizon)
}
