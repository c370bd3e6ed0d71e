package admin

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// planOf names a plan: the revision that it was made at, and its file. What it
// showed is not part of the name: it is worked out again, from the history.
func planOf(at directory.Stamp, text string) string {
	sum := sha256.Sum256([]byte(text))
	return at.String() + "." + hex.EncodeToString(sum[:])
}

// saidStale is how many differences a refused apply lists.
const saidStale = 50

// asPlanned refuses an apply that is not what its plan showed.
func (s *Service) asPlanned(ctx context.Context, d readied, p PolicyFile) error {
	revision, _, _ := strings.Cut(p.Plan, ".")
	at, err := directory.ParseStamp(revision)
	if err != nil {
		return invalid("%q is not a plan (usherd policy plan FILE -o json)", p.Plan)
	}
	if p.Plan != planOf(at, p.Text) {
		return fmt.Errorf("%w: the plan is of another file; plan again", ErrStale)
	}
	if at == d.facts.At {
		return nil
	}
	then, err := s.Store.Facts(ctx, at.Revision)
	switch {
	case errors.Is(err, directory.ErrHistoryExpired), errors.Is(err, directory.ErrHistoryLost), err == nil && then.At != at:
		return fmt.Errorf("%w: the plan is too old, or of another history; plan again", ErrStale)
	case err != nil:
		return fmt.Errorf("reading the facts of the plan: %w", err)
	}
	if d.facts.Policy.Revision > at.Revision {
		return policyMoved(then.Policy.Policy, d.facts.Policy)
	}
	return s.nothingMore(ctx, d, then)
}

// policyMoved says what changed in the policy since a plan.
func policyMoved(then directory.Policy, now directory.PolicyFacts) error {
	e := &FaultsError{Kind: ErrStale, Faults: []Fault{{
		Detail: fmt.Sprintf("the policy changed at revision %d, after the plan; plan again", now.Revision),
	}}}
	for _, c := range changed(then, now.Policy) {
		e.Faults = append(e.Faults, Fault{Detail: strings.TrimSpace(fmt.Sprintf("%s %s %s", c.Change, c.Section, c.Key))})
	}
	if len(e.Faults) == 1 {
		e.Faults = append(e.Faults, Fault{Detail: "groups were bound to mappings, or are so no more"})
	}
	return e
}

// nothingMore refuses if applying now gives anybody something that applying at
// the time of the plan did not give, or binds a group to an administrators'
// mapping that it did not. Who and what came since was not shown.
func (s *Service) nothingMore(ctx context.Context, d readied, then directory.Facts) error {
	after := authz.After(then, d.file.Policy, d.file.Sections)
	if more := boundMore(newBindings(then, after), newBindings(d.facts, d.next)); len(more) > 0 {
		e := &FaultsError{Kind: ErrStale, Faults: []Fault{{Detail: "groups came since the plan that the policy would bind; plan again"}}}
		for _, b := range more[:min(saidStale, len(more))] {
			e.Faults = append(e.Faults, Fault{Detail: b.String()})
		}
		return e
	}
	now := authz.Compare(authz.Compile(d.facts), d.snapshot)
	planned := authz.Compare(authz.Compile(then), authz.Compile(after))
	e := &FaultsError{Kind: ErrStale}
	people := 0
	check := func(gaining []directory.Subject) error {
		ids := make([]directory.UserID, len(gaining))
		for i := range gaining {
			ids[i] = gaining[i].ID
		}
		old, err := s.Store.Subjects(ctx, directory.People{IDs: ids}, then.At)
		if err != nil {
			return fmt.Errorf("reading the people of the plan: %w", err)
		}
		for i := range gaining {
			more := now.Weigh(&gaining[i], &gaining[i]).Gains
			if j, found := slices.BinarySearchFunc(old, gaining[i].ID, compareID); found {
				shown := planned.Weigh(&old[j], &old[j]).Gains
				more = slices.DeleteFunc(slices.Clone(more), func(h authz.Holding) bool { return slices.Contains(shown, h) })
			}
			if len(more) == 0 {
				continue
			}
			if people++; people <= saidStale {
				names, _ := spelled(more, nil)
				e.Faults = append(e.Faults, Fault{Detail: s.called(ctx, gaining[i].ID) + " would gain " + strings.Join(names, ", ")})
			}
		}
		return nil
	}
	if err := s.gaining(ctx, now, d.facts.At, check); err != nil || people == 0 {
		return err
	}
	who := fmt.Sprintf("%d people", people)
	if people == 1 {
		who = "1 person"
	}
	e.Faults = append([]Fault{{Detail: who + " would gain something that the plan did not show; plan again"}}, e.Faults...)
	return e
}

func compareID(sub directory.Subject, id directory.UserID) int {
	return strings.Compare(string(sub.ID), string(id))
}

// gaining calls check with everybody who gains something, some at a time.
func (s *Service) gaining(ctx context.Context, c *authz.Comparison, at directory.Stamp, check func([]directory.Subject) error) error {
	const most = 5_000
	var some []directory.Subject
	if !selectsAnybody(c.People()) {
		return nil
	}
	var failed error
	err := s.pages(ctx, c.People(), at, peoplePage, func(sub *directory.Subject) bool {
		if len(c.Weigh(sub, sub).Gains) > 0 {
			some = append(some, *sub)
		}
		if len(some) == most {
			failed, some = check(some), nil
		}
		return failed == nil
	})
	if err := cmp.Or(err, failed); err != nil || len(some) == 0 {
		return err
	}
	return check(some)
}

// called is what people call a user.
func (s *Service) called(ctx context.Context, id directory.UserID) string {
	if u, err := s.Store.User(ctx, id); err == nil && u.Shown() != nil {
		return u.Shown().UserName
	}
	return string(id)
}
