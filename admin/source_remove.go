package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// ErrUnconfirmed says that somebody gains something by an action that nobody
// takes for one that gives.
var ErrUnconfirmed = errors.New("not confirmed")

// A Removal says what becomes of whoever is in a source that is removed.
type Removal struct {
	// KeepPeople makes its people and groups local ones: they are active again,
	// as the source had them, and what mappings say of local groups counts for
	// the groups. Else they are deleted.
	KeepPeople bool
	// Gaining is how many people gain something by it, as a trial told whoever
	// asks. It has to be right.
	Gaining int
}

// RemoveSource ends a disabled source. If people gain something by it, they are
// counted anew, and unless that is the number that was confirmed, the error is
// [ErrUnconfirmed]. A right that the asker lacks is given to nobody.
func (s *Service) RemoveSource(ctx context.Context, by directory.Actor, name directory.SourceName, r Removal) (Outcome, error) {
	a, err := s.allowed(ctx, by, WriteSources, "")
	if err == nil {
		err = s.mayRemove(ctx, name)
	}
	if err != nil {
		return Outcome{}, err
	}
	change := directory.RemoveSource{Source: name, KeepPeople: r.KeepPeople}
	f, err := s.foresee(ctx, change)
	if err != nil {
		return Outcome{}, err
	}
	diff, err := s.difference(ctx, f, PeopleList{}, countedPeople)
	if err != nil {
		return Outcome{}, err
	}
	if err := a.mayGiveAll(diff); err != nil {
		return Outcome{}, err
	}
	if dryRun(ctx) {
		return s.tried(ctx, diff)
	}
	if diff.Gaining > 0 && diff.Gaining != r.Gaining {
		return Outcome{}, fmt.Errorf("%w: %d people would gain something by it; look at whom and what (usherd source remove %s%s --dry-run), then say so (--gaining %d)",
			ErrUnconfirmed, diff.Gaining, name, map[bool]string{true: " --keep-people"}[r.KeepPeople], diff.Gaining)
	}
	out, err := s.apply(ctx, by, directory.RequirePolicy{Revision: f.Base.Revision}, change)
	if err != nil {
		return out, err
	}
	return out, errors.Join(s.dropUsage(ctx, name), s.dropErrors(ctx, name))
}

func (s *Service) mayRemove(ctx context.Context, name directory.SourceName) error {
	if err := s.mayChangeSource(ctx, name); err != nil {
		return err
	}
	src, err := s.source(ctx, name)
	if err != nil {
		return err
	}
	if s.ManagedBy != nil && s.ManagedBy(name) != "" {
		return fmt.Errorf("%w: source %s is named in the %s; take it out there first", directory.ErrNotOwner, name, s.ManagedBy(name))
	}
	if src.State != directory.SourceDisabled {
		return fmt.Errorf("%w: source %s is %s; disable it first (usherd source disable %s)", directory.ErrInUse, name, src.State, name)
	}
	return nil
}

// mayGiveAll refuses a change by which somebody gains a right that a lacks.
func (a *Authority) mayGiveAll(d authz.Difference) error {
	for _, t := range d.Totals {
		if t.Right != "" && t.Gain > 0 && !a.Has(t.Right, t.Project) {
			return fmt.Errorf("%w: %d people would gain the right %s%s, and who does that must hold it too", ErrForbidden, t.Gain, t.Right, within(t.Right, t.Project))
		}
	}
	return nil
}
