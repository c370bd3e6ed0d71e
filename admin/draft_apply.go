package admin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A DraftPlan is what applying a draft to the present policy would lead to.
type DraftPlan struct {
	PolicyPlan
	Draft      Draft             `json:"draft"`
	Touches    []DraftItem       `json:"touches"` // what the draft changes
	Assertions []AssertionResult `json:"assertions"`
	// Others are what others changed since the draft was written over the policy,
	// besides its own items; empty if history no longer goes back so far.
	Others []PlannedChange `json:"others"`
	Behind bool            `json:"behind"` // the policy changed since
}

// A DraftItem is one item that a draft changes, as a policy file writes it.
type DraftItem struct {
	Item  string `json:"item"`            // SECTION/KEY
	Was   string `json:"was,omitempty"`   // when the draft was written over it; empty: none
	Now   string `json:"now,omitempty"`   // in the present policy
	To    string `json:"to,omitempty"`    // in the draft; empty: it goes
	Moved bool   `json:"moved,omitempty"` // somebody else changed it: an apply is refused until the draft is rebased
}

// Holds reports whether no assertion fails.
func (p *DraftPlan) Holds() bool {
	for _, a := range p.Assertions {
		if a.Status == authz.Failed {
			return false
		}
	}
	return true
}

// Moved reports whether somebody else changed what the draft changes.
func (p *DraftPlan) Moved() bool {
	for _, i := range p.Touches {
		if i.Moved {
			return true
		}
	}
	return false
}

// PlanDraft previews a draft: who would gain and lose what, in seats and money
// too, how tests and assertions end, and what others changed since. Nothing is
// altered. list says which single people it lists.
func (s *Service) PlanDraft(ctx context.Context, id string, list PeopleList) (DraftPlan, error) {
	if _, err := s.reads(ctx, WritePolicy); err != nil {
		return DraftPlan{}, err
	}
	d, _, err := s.findDraft(ctx, id)
	if err != nil {
		return DraftPlan{}, err
	}
	return s.planDraft(ctx, &d, list)
}

// TryDraft is [Service.PlanDraft] of what a draft would be if it were saved; id
// may be empty. Nothing is kept.
func (s *Service) TryDraft(ctx context.Context, id string, spec DraftSpec, list PeopleList) (DraftPlan, error) {
	a, err := s.reads(ctx, WritePolicy)
	if err != nil {
		return DraftPlan{}, err
	}
	d := keptDraft{Draft: Draft{State: DraftOpen}}
	if id != "" {
		if d, _, err = s.findDraft(ctx, id); err != nil {
			return DraftPlan{}, err
		}
	}
	if err := s.writeDraft(ctx, a.Actor, &d, spec); err != nil {
		return DraftPlan{}, err
	}
	return s.planDraft(ctx, &d, list)
}

func (s *Service) planDraft(ctx context.Context, d *keptDraft, list PeopleList) (DraftPlan, error) {
	out := DraftPlan{Draft: d.Draft}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return out, fmt.Errorf("reading policy: %w", err)
	}
	file, err := d.file(facts.Policy)
	if err != nil {
		return out, err
	}
	file.List = list
	ready, err := s.prepare(ctx, file)
	if err != nil {
		return out, unplaced(err)
	}
	if out.PolicyPlan, err = s.planReadied(ctx, ready, file); err != nil {
		return out, err
	}
	if out.Assertions, err = s.checkAll(ctx, ready, d.Assertions); err != nil {
		return out, err
	}
	if out.Touches, err = d.compare(facts.Policy); err != nil {
		return out, err
	}
	out.Others, err = s.changedSince(ctx, d, facts)
	out.Behind = d.State == DraftOpen && facts.Revision > d.Base
	return out, err
}

// compare shows the items of a draft beside what they were and are.
func (d *keptDraft) compare(now directory.Policy) ([]DraftItem, error) {
	items, err := d.items()
	if err != nil {
		return nil, err
	}
	file, err := d.parsed()
	if err != nil {
		return nil, err
	}
	out := make([]DraftItem, len(items))
	for i, item := range items {
		out[i] = DraftItem{Item: item.name(), Was: d.Was[item.name()], Now: item.text(now), To: item.text(file.Policy)}
		out[i].Moved = d.State == DraftOpen && out[i].Was != out[i].Now && out[i].Now != out[i].To
	}
	return out, nil
}

// changedSince lists what others changed since a draft was written, besides its
// own items.
func (s *Service) changedSince(ctx context.Context, d *keptDraft, now directory.PolicyFacts) ([]PlannedChange, error) {
	out := []PlannedChange{}
	if d.State != DraftOpen || d.Base == 0 || now.Revision <= d.Base {
		return out, nil
	}
	then, err := s.Store.Facts(ctx, d.Base)
	if errors.Is(err, directory.ErrHistoryExpired) || errors.Is(err, directory.ErrHistoryLost) {
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the facts of the draft: %w", err)
	}
	for _, c := range changed(then.Policy.Policy, now.Policy) {
		if _, own := d.Was[c.item().name()]; !own {
			out = append(out, c)
		}
	}
	return out, nil
}

// ApplyDraft makes a draft the policy, as its plan showed it. It is [ErrStale],
// with the difference, if the draft is not the planned one, if the policy has
// changed since the plan, if somebody would gain something that the plan did not
// show, or if others changed what the draft changes; and [ErrAssertions] if an
// assertion would not hold. The audit record names the draft.
func (s *Service) ApplyDraft(ctx context.Context, by directory.Actor, id, plan string) (AppliedPolicy, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return AppliedPolicy{}, err
	}
	d, record, err := s.openDraft(ctx, id, 0)
	if err != nil {
		return AppliedPolicy{}, err
	}
	revision, _, _ := strings.Cut(plan, ".")
	at, err := directory.ParseStamp(revision)
	if err != nil {
		return AppliedPolicy{}, fmt.Errorf("%w: look at the preview of the draft first", ErrStale)
	}
	then, err := s.Store.Facts(ctx, at.Revision)
	if err != nil {
		return AppliedPolicy{}, fmt.Errorf("%w: the preview is too old; look again", ErrStale)
	}
	if err := d.unmoved(then.Policy.Policy); err != nil {
		return AppliedPolicy{}, err
	}
	file, err := d.file(then.Policy.Policy)
	if err != nil {
		return AppliedPolicy{}, err
	}
	if file.Plan = plan; by.Reason == "" {
		by.Reason = "draft: " + d.Title
	}
	done, err := s.ApplyPolicy(ctx, by, file)
	if err != nil || dryRun(ctx) {
		return done, unplaced(err)
	}
	d.State, d.Applied = DraftApplied, done.Revision
	if err := s.keepDraft(ctx, record, &d); err != nil {
		// The policy is applied; whoever edited the draft meanwhile has it open.
		done.Note = "the draft is still open: " + err.Error()
	}
	return done, nil
}

// unmoved refuses a draft whose items others changed.
func (d *keptDraft) unmoved(now directory.Policy) error {
	items, err := d.compare(now)
	if err != nil {
		return err
	}
	e := &FaultsError{Kind: ErrStale}
	for _, i := range items {
		if i.Moved {
			e.Faults = append(e.Faults, Fault{Detail: "somebody else changed " + i.Item + "; look at both, then rebase the draft"})
		}
	}
	if len(e.Faults) > 0 {
		return e
	}
	return nil
}
