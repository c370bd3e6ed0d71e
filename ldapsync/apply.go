package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A Sink performs changes. A directory.Store is one.
type Sink interface {
	Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error)
}

const (
	batchSize   = 500  // changes in one Apply
	memberChunk = 1000 // members in one change
)

// An applier performs what passed the gate, in bounded batches. Each batch
// stands alone: a run that is killed between two leaves the rest to the next
// run, whose plan will hold exactly that.
type applier struct {
	sink   Sink
	actor  directory.Actor
	plan   *Plan
	cursor Cursor             // to build on while the run goes on
	taken  Taken              // by this run so far
	exempt bool               // an administrator approved: nothing counts as taken
	guard  []directory.Change // conditions of every batch

	failed   map[string]bool // ids that do not exist after all
	issues   []Issue
	changed  bool
	revision directory.Revision
}

// A step is what one item does, or a part of it.
type step struct {
	item    *Item
	changes []directory.Change
}

// apply performs items, and with the last batch moves the cursor.
func (a *applier) apply(ctx context.Context, items []Item) error {
	a.failed = map[string]bool{}
	for _, phase := range phases(items) {
		if err := a.phase(ctx, phase); err != nil {
			return err
		}
	}
	return a.commit(ctx, a.plan.next)
}

// phases orders items: access ends first; then people, so that groups find
// them; then groups, so that their members find them; then members; and what is
// deleted for good last, but for a deletion that frees a name for somebody new.
func phases(items []Item) [][]Item {
	all := make([][]Item, 5)
	for _, i := range items {
		n := 4
		switch {
		case i.Op == OpGone, i.Op == OpDisable, i.Op == OpDelete && i.Kind == KindUser:
			n = 0
		case i.Op == OpMembers:
			n = 3
		case i.Kind == KindGroup && i.Op != OpDelete:
			n = 2
		case i.Kind == KindUser:
			n = 1
		}
		all[n] = append(all[n], i)
	}
	return all
}

// phase performs items that do not depend on one another, in batches. What the
// directory refuses because a name is taken is tried once more at the end:
// somebody in the same phase may have given that name up.
func (a *applier) phase(ctx context.Context, items []Item) error {
	var again []step
	var batch []step
	size := 0
	flush := func() error {
		refused, err := a.batch(ctx, batch)
		again = append(again, refused...)
		batch, size = nil, 0
		return err
	}
	for i := range items {
		for _, s := range a.steps(&items[i]) {
			batch = append(batch, s)
			if size += weight(s); size >= batchSize {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	for _, s := range again {
		if err := a.last(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// weight counts a step in changes; members weigh as well.
func weight(s step) int {
	n := len(s.changes)
	for _, c := range s.changes {
		switch c := c.(type) {
		case directory.AddMembers:
			n += len(c.Values) / 4
		case directory.RemoveMembers:
			n += len(c.Values) / 4
		}
	}
	return n
}

// batch performs steps together, or, if one of them is refused, in ever smaller
// parts: one bad entry does not keep the others out. It returns the steps that
// were refused.
func (a *applier) batch(ctx context.Context, steps []step) ([]step, error) {
	if len(steps) == 0 {
		return nil, nil
	}
	err := a.do(ctx, steps)
	if err == nil || !refused(err) {
		return nil, err
	}
	if len(steps) == 1 {
		return steps, nil
	}
	left, err := a.batch(ctx, steps[:len(steps)/2])
	if err != nil {
		return nil, err
	}
	right, err := a.batch(ctx, steps[len(steps)/2:])
	return append(left, right...), err
}

// last performs a step that was refused before; now a refusal is an issue.
func (a *applier) last(ctx context.Context, s step) error {
	err := a.do(ctx, []step{s})
	if err == nil || !refused(err) {
		return err
	}
	if s.item.Op == OpCreate {
		a.failed[s.item.ID] = true
	}
	a.issues = append(a.issues, Issue{ExternalID: s.item.ExternalID, What: explainRefusal(err)})
	return nil
}

// refused reports whether the store will not have a change, rather than could
// not perform it now.
func refused(err error) bool {
	return slices.ContainsFunc([]error{
		directory.ErrInvalid, directory.ErrNotFound, directory.ErrExists, directory.ErrVersion, directory.ErrNotOwner, directory.ErrInUse,
	}, func(e error) bool { return errors.Is(err, e) })
}

func explainRefusal(err error) string {
	var taken *directory.TakenError
	if errors.As(err, &taken) {
		return fmt.Sprintf("its %s is taken by %s of source %s: rename one of them, or link the two sources", taken.Attribute, taken.Holder, taken.Source)
	}
	return err.Error()
}

// do performs steps in one Apply. If they take something away, what this run
// has taken so far is kept with them, so that a run which is killed and begun
// again cannot take more than the thresholds allow.
func (a *applier) do(ctx context.Context, steps []step) error {
	changes := slices.Clone(a.guard)
	before := a.taken
	a.taken = a.taken.clone()
	for _, s := range steps {
		changes = append(changes, s.changes...)
		a.take(s)
	}
	if a.taken.Disabled > before.Disabled || a.taken.members() > before.members() {
		set, err := a.setCursor(a.cursor.with(a.taken))
		if err != nil {
			return err
		}
		changes = append(changes, set)
	}
	if err := a.send(ctx, changes); err != nil {
		a.taken = before
		return err
	}
	return nil
}

func (a *applier) take(s step) {
	if a.exempt {
		return
	}
	a.taken.Disabled += a.plan.disables(*s.item)
	for _, c := range s.changes {
		if r, ok := c.(directory.RemoveMembers); ok {
			a.taken.Members[r.Group] += len(r.Values)
		}
	}
}

func (a *applier) setCursor(c Cursor) (directory.Change, error) {
	text, err := c.encode()
	return directory.SetCursor{Source: a.plan.Source, Cursor: text}, err
}

func (a *applier) send(ctx context.Context, changes []directory.Change) error {
	applied, err := a.sink.Apply(ctx, a.actor, changes...)
	if err != nil {
		return err
	}
	if applied.Changed {
		a.changed, a.revision = true, applied.Stamp.Revision
	}
	return nil
}

// commit moves the cursor: the read that led to it has been dealt with.
func (a *applier) commit(ctx context.Context, next Cursor) error {
	set, err := a.setCursor(next.with(a.taken))
	if err != nil {
		return err
	}
	return a.send(ctx, append(slices.Clone(a.guard), set))
}
