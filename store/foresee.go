package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/usherd/usherd/directory"
)

// Foresee performs changes, reads what they lead to and takes them back. See
// [directory.Foreseer]. What the people would be that are merely members of the
// groups it touches is for the caller to read: they are as they are.
func (s *Store) Foresee(ctx context.Context, each bool, changes ...directory.Change) (directory.Foresight, error) {
	g := &glimpse{}
	j := &job{by: directory.Actor{Kind: "system", Name: "preview"}, answer: make(chan answer, 1)}
	rows := 0
	var tried []*attempt
	for _, c := range changes {
		o, err := prepare(c)
		switch {
		case err != nil && each:
			tried = append(tried, &attempt{refused: err})
			continue
		case err != nil:
			return directory.Foresight{}, err
		}
		switch o := o.(type) {
		case requireVersion, requirePolicy, requireLease:
			continue
		case *changeMembers:
			rows += len(o.values)
		}
		if each {
			a := &attempt{op: o}
			tried, o = append(tried, a), a
		}
		j.ops = append(j.ops, o)
	}
	j.ops = append(j.ops, g)
	j.staged = rows > stagedRows
	if _, err := s.w.apply(ctx, j); !errors.Is(err, errSeen) {
		return directory.Foresight{}, s.full(err)
	}
	for _, a := range tried {
		if a.refused != nil {
			g.seen.Refused = append(g.seen.Refused, a.refused)
		}
	}
	return g.seen, nil
}

// errSeen takes a transaction back whose outcome was looked at.
var errSeen = errors.New("nothing is kept of a preview")

// A glimpse is the last op of a preview: it reads what the others did.
type glimpse struct{ seen directory.Foresight }

func (g *glimpse) run(ctx context.Context, e *edit) error {
	if err := e.finishMembers(ctx); err != nil {
		return err
	}
	if err := e.unused(ctx); err != nil {
		return err
	}
	next := directory.Stamp{Revision: directory.Revision(e.rev)}
	g.seen = directory.Foresight{} // it may run again
	g.seen.Base = directory.Stamp{Revision: next.Revision - 1, Fingerprint: directory.FingerprintOf(e.chain)}
	g.seen.Stretch.Head = g.seen.Base
	if len(e.effects) == 0 {
		return errSeen
	}
	p := point{at: next, head: next, policy: directory.Revision(e.policyAt), known: true}
	g.seen.Stretch.Head = next
	g.seen.Stretch.Records = []directory.FeedRecord{{
		Stamp: next, Groups: slices.Sorted(maps.Keys(e.nums)), Policy: e.feedPolicy, Time: fromMS(e.now),
	}}
	if err := readTouched(ctx, e.tx.tx, p, &g.seen.Stretch); err != nil {
		return err
	}
	for id := range e.users {
		g.seen.Touched = append(g.seen.Touched, directory.UserID(id))
	}
	slices.Sort(g.seen.Touched)
	for chunk := range slices.Chunk(g.seen.Touched, peopleChunk) {
		some, err := readChunk(ctx, e.tx.tx, e.d, chunk, next)
		if err != nil {
			return fmt.Errorf("reading what people would be: %w", err)
		}
		g.seen.People = append(g.seen.People, some...)
	}
	return errSeen
}

// An attempt is an op that leaves out what is refused.
type attempt struct {
	op
	refused error
}

func (a *attempt) run(ctx context.Context, e *edit) error {
	if err := e.exec(ctx, "SAVEPOINT attempt"); err != nil {
		return fmt.Errorf("beginning an attempt: %w", err)
	}
	a.refused = a.op.run(ctx, e)
	if a.refused != nil && !isRefusal(a.refused) {
		return a.refused
	}
	if a.refused != nil {
		e.rules = nil
		if err := e.exec(ctx, "ROLLBACK TO SAVEPOINT attempt"); err != nil {
			return fmt.Errorf("leaving out what is refused: %w", err)
		}
	}
	if err := e.exec(ctx, "RELEASE SAVEPOINT attempt"); err != nil {
		return fmt.Errorf("ending an attempt: %w", err)
	}
	return nil
}

// isRefusal reports whether the directory refuses a change, and not the machine.
func isRefusal(err error) bool {
	return slices.ContainsFunc([]error{
		directory.ErrNotFound, directory.ErrExists, directory.ErrInvalid, directory.ErrInUse, directory.ErrNotOwner,
		directory.ErrVersion, directory.ErrPaused,
	}, func(sentinel error) bool { return errors.Is(err, sentinel) })
}
