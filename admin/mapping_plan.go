package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A MappingDraft is what one mapping is to become.
type MappingDraft struct {
	Name string       // of the mapping that is there; empty: a new one
	To   *MappingSpec // nil: it goes
}

// A MappingPlan is what a draft would lead to.
type MappingPlan struct {
	PolicyPlan
	Groups []MappedGroup `json:"groups"` // that the draft matches now
}

// file is the whole section of mappings with the draft in it: an apply of that
// file is an apply of the draft.
func (d MappingDraft) file(p directory.Policy) (string, error) {
	next := slices.Clone(p.Mappings)
	names := keysOf(next, mappingKey)
	switch {
	case d.Name != "" && !slices.Contains(names, d.Name):
		return "", notFound("no mapping %q%s", d.Name, didYouMean(d.Name, names))
	case d.To == nil:
		next, _ = drop(next, "mapping", d.Name, mappingKey)
	case d.Name == "" && slices.Contains(names, d.To.Name):
		return "", alreadyThere("a mapping", d.To.Name)
	case d.Name != "" && d.To.Name != d.Name:
		return "", invalid("a mapping keeps its name; make another one and delete %s", d.Name)
	case d.To.Name == "":
		return "", invalid("give the mapping a name")
	default:
		made, err := d.To.mapping(&p)
		if err != nil {
			return "", err
		}
		next = put(next, made, Keep, mappingKey)
	}
	return string(mappingsFile(next)), nil
}

// mappingsFile is a policy file of mappings alone. Without any it says so: a
// section that is not there is left as it is.
func mappingsFile(all []directory.Mapping) []byte {
	text := authz.Export(directory.Policy{Mappings: all})
	if len(all) == 0 {
		text = append(bytes.TrimRight(text, "\n"), "\nmappings: []\n"...)
	}
	return text
}

// PlanMapping previews a draft: who gains and loses what, in seats and money
// too, and how the tests of the policy end. Nothing is altered.
func (s *Service) PlanMapping(ctx context.Context, d MappingDraft) (MappingPlan, error) {
	a, err := s.reads(ctx, WritePolicy)
	if err != nil {
		return MappingPlan{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return MappingPlan{}, fmt.Errorf("reading policy: %w", err)
	}
	text, err := d.file(facts.Policy)
	if err != nil {
		return MappingPlan{}, err
	}
	out := MappingPlan{Groups: []MappedGroup{}}
	if out.PolicyPlan, err = s.PlanPolicy(ctx, PolicyFile{Name: "mapping", Text: text}); err != nil {
		return MappingPlan{}, unplaced(err)
	}
	if d.To == nil {
		return out, nil
	}
	for _, g := range directory.IndexGroups(a.view.Groups()).Matching(d.To.When) {
		out.Groups = append(out.Groups, mappedGroup(g, directory.Bound))
	}
	return out, nil
}

// unplaced takes places out of faults: nobody wrote the file.
func unplaced(err error) error {
	if list, ok := errors.AsType[*FaultsError](err); ok {
		for i := range list.Faults {
			list.Faults[i].File, list.Faults[i].Line, list.Faults[i].Column = "", 0, 0
		}
	}
	return err
}

// ApplyMapping makes a draft the policy, as its plan showed it. It is
// [ErrStale], with the difference, if the draft is not the planned one, if the
// policy has changed since, or if somebody would gain something that the plan
// did not show.
func (s *Service) ApplyMapping(ctx context.Context, by directory.Actor, d MappingDraft, plan string) (AppliedPolicy, error) {
	if _, err := s.allowed(ctx, by, WritePolicy, ""); err != nil {
		return AppliedPolicy{}, err
	}
	revision, _, _ := strings.Cut(plan, ".")
	at, err := directory.ParseStamp(revision)
	if err != nil {
		return AppliedPolicy{}, fmt.Errorf("%w: look at the preview first", ErrStale)
	}
	then, err := s.Store.Facts(ctx, at.Revision)
	if err != nil {
		return AppliedPolicy{}, fmt.Errorf("%w: the preview is too old; look again", ErrStale)
	}
	text, err := d.file(then.Policy.Policy)
	if err != nil {
		return AppliedPolicy{}, err
	}
	done, err := s.ApplyPolicy(ctx, by, PolicyFile{Name: "mapping", Text: text, Plan: plan})
	return done, unplaced(err)
}

// ExportMappings writes mappings as a policy file: all, or the named ones.
func (s *Service) ExportMappings(ctx context.Context, names ...string) (string, error) {
	p, err := s.ExportPolicy(ctx)
	if err != nil {
		return "", err
	}
	all := p.Policy.Mappings
	if len(names) > 0 {
		all = slices.DeleteFunc(slices.Clone(all), func(m directory.Mapping) bool { return !slices.Contains(names, m.Name) })
	}
	return string(mappingsFile(all)), nil
}
