package ldapsync

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Sink performs changes. A directory.Store is one.
type Sink interface {
	Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error)
}

const (
	batchMost   = 500  // changes in one Apply
	batchLeast  = 100  // however long they take
	memberChunk = 1000 // members in one change

	// An Apply keeps every other writer waiting, the renewal of the lease as well:
	// batches shrink when one takes longer than this, and grow when one takes less
	// than half. What a commit costs by itself is far below it.
	batchTime = 5 * time.Second
)

// An applier performs what passed the gate, in bounded batches. Each batch
// stands alone: a run that is killed between two leaves the rest to the next
// run, whose plan will hold exactly that.
type applier struct {
	sink   Sink
	actor  directory.Actor
	plan   *Plan
	cursor Cursor                      // to build on while the run goes on
	taken  Taken                       // by this run so far
	exempt bool                        // an administrator approved: nothing counts as taken
	guard  []directory.Change          // conditions of every batch
	ready  func(context.Context) error // asked before anybody is made a member; may be nil

	told     *chronicle      // may be nil
	limit    int             // changes in one Apply, for now
	done     int             // items
	failed   map[string]bool // ids that do not exist after all
	issues   []Issue
	changed  bool
	noted    bool // the cursor to build on is in the store
	revision directory.Revision
}

// A step is what one item does, or a part of it.
type step struct {
	item     Item // of a group without members
	changes  []directory.Change
	disables int
}

// The phases: access ends first; then people, so that groups find them; then
// groups, so that their members find them; then members; and what is deleted
// for good last, but for a deletion that frees a name for somebody new.
const (
	phaseEnd = iota
	phasePeople
	phaseGroups
	phaseMembers
	phaseDelete
	phases
)

func (i *personItem) phase() int {
	if i.ends() {
		return phaseEnd
	}
	return phasePeople
}

func (i *groupItem) phase() int {
	switch i.Op {
	case OpGone:
		return phaseEnd
	case OpMembers:
		return phaseMembers
	case OpDelete:
		return phaseDelete
	case OpCreate, OpUpdate, OpDisable, OpEnable, OpRestore:
	}
	return phaseGroups
}

// apply performs a part of the plan, and with the last batch moves the cursor.
func (a *applier) apply(ctx context.Context, of part) error {
	a.failed, a.limit = map[string]bool{}, batchMost
	a.told.count("total", a.plan.len())
	for n := range phases {
		if n == phaseMembers && a.ready != nil {
			if err := a.ready(ctx); err != nil {
				return err
			}
		}
		if err := a.phase(ctx, n, of); err != nil {
			return err
		}
	}
	return a.commit(ctx, a.plan.next)
}

// phase performs items that do not depend on one another, in batches. What the
// directory refuses because a name is taken is tried once more at the end:
// somebody in the same phase may have given that name up.
func (a *applier) phase(ctx context.Context, n int, of part) error {
	b := batch{applier: a}
	for i := range int32(a.plan.people.len()) {
		person := a.plan.people.at(i)
		if person.phase() != n || !of.person(person) {
			continue
		}
		item, err := a.plan.personItem(person)
		if err != nil {
			return err
		}
		s := step{item: item, changes: []directory.Change{userChange(a.plan.Source, &item)}, disables: a.plan.disables(person)}
		if err := b.add(ctx, s); err != nil {
			return err
		}
	}
	for i := range a.plan.groups {
		g := &a.plan.groups[i]
		if g.phase() != n {
			continue
		}
		kept, ok := of.group(g)
		if !ok {
			continue
		}
		for _, s := range a.groupSteps(&kept) {
			if err := b.add(ctx, s); err != nil {
				return err
			}
		}
	}
	return b.end(ctx)
}

// A batch gathers steps to be performed together.
type batch struct {
	*applier
	steps []step
	size  int
	again []step // refused once
}

func (b *batch) add(ctx context.Context, s step) error {
	b.steps = append(b.steps, s)
	b.done++
	b.told.count("applied", b.done)
	if b.size += weight(s); b.size < b.limit {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	begun := time.Now()
	refused, err := b.batch(ctx, b.steps)
	if len(refused) == 0 {
		b.limit = pace(b.limit, time.Since(begun))
	}
	b.again = append(b.again, refused...)
	b.steps, b.size = b.steps[:0], 0
	return err
}

// pace is how many changes a batch may have after one of limit took so long.
func pace(limit int, took time.Duration) int {
	switch {
	case took > batchTime:
		return max(limit/2, batchLeast)
	case took < batchTime/2:
		return min(limit*2, batchMost)
	}
	return limit
}

func (b *batch) end(ctx context.Context) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	for _, s := range b.again {
		if err := b.last(ctx, s); err != nil {
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
		return slices.Clone(steps), nil
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
	if taken, ok := errors.AsType[*directory.TakenError](err); ok && taken.Attribute == "userName" && s.item.Op != OpCreate {
		if again := a.underOldName(ctx, s); again == nil || !refused(again) {
			a.issues = append(a.issues, refusalOf(&s.item, err))
			return again
		}
	}
	if s.item.Op == OpCreate {
		a.failed[s.item.ID] = true
	}
	a.issues = append(a.issues, refusalOf(&s.item, err))
	return nil
}

// underOldName takes over all but the userName, which somebody has taken since
// the plan was made: above all, whether the account is disabled.
func (a *applier) underOldName(ctx context.Context, s step) error {
	row := a.plan.have.personOf(s.item.ExternalID)
	if row == nowhere {
		return directory.ErrNotFound
	}
	had, err := a.plan.have.known(row)
	if err != nil {
		return err
	}
	s.item.profile.UserName, s.item.present = had.UserName, false
	s.changes = []directory.Change{userChange(a.plan.Source, &s.item)}
	return a.do(ctx, []step{s})
}

// refused reports whether the store will not have a change, rather than could
// not perform it now.
func refused(err error) bool {
	return slices.ContainsFunc([]error{
		directory.ErrInvalid, directory.ErrNotFound, directory.ErrExists, directory.ErrVersion, directory.ErrNotOwner, directory.ErrInUse,
	}, func(e error) bool { return errors.Is(err, e) })
}

// refusalOf tells why the store would not have an item.
func refusalOf(i *Item, err error) Issue {
	issue := Issue{ExternalID: i.ExternalID, Kind: i.Kind, Name: i.Name, What: err.Error()}
	if taken, ok := errors.AsType[*directory.TakenError](err); ok {
		issue.Attribute, issue.What = taken.Attribute, takenElsewhere(taken.Attribute, directory.UserID(taken.Holder), taken.Source)
	}
	return issue
}

// do performs steps in one Apply. The first has the cursor with it, which says
// what was read. If they take something away, what this run
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
	if !a.noted || a.taken.Disabled > before.Disabled || a.taken.members() > before.members() {
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
	a.noted = true
	return nil
}

func (a *applier) take(s step) {
	if a.exempt {
		return
	}
	a.taken.Disabled += s.disables
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
