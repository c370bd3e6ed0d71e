package admin

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A policyEdit is a change of one section of the policy, made by console, API
// or command line. ifRevision, if it is not 0, is the revision of the policy
// that was looked at.
type policyEdit struct {
	action     Action
	section    directory.Section
	ifRevision directory.Revision
	edit       func(a *Authority, p *directory.Policy) error
}

// editPolicy performs an edit as an apply of a policy file would be performed:
// the whole is validated, its tests run, and nobody gives a right they lack.
// What a file manages is refused with the file's name.
func (s *Service) editPolicy(ctx context.Context, by directory.Actor, e policyEdit) (Outcome, error) {
	a, err := s.allowed(ctx, by, e.action, "")
	if err != nil {
		return Outcome{}, err
	}
	if err := s.editable(by, e.section); err != nil {
		return Outcome{}, err
	}
	s.guard.Lock()
	defer s.guard.Unlock()
	facts, err := s.Store.Facts(ctx, 0)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading facts: %w", err)
	}
	if e.ifRevision > 0 && facts.Policy.Revision > e.ifRevision {
		return Outcome{}, fmt.Errorf("%w: the policy changed at revision %d, after %d; look at it again", directory.ErrVersion, facts.Policy.Revision, e.ifRevision)
	}
	old := facts.Policy.Policy
	next := clonePolicy(old)
	if err := e.edit(a, &next); err != nil {
		return Outcome{}, err
	}
	if reflect.DeepEqual(old, next) {
		return s.unchanged(ctx)
	}
	if err := validPolicy(facts, next); err != nil {
		return Outcome{}, err
	}
	if err := a.mayChangePolicy(&old, &next); err != nil {
		return Outcome{}, err
	}
	if err := s.passesTests(ctx, authz.After(facts, next, []directory.Section{e.section})); err != nil {
		return Outcome{}, err
	}
	return s.putPolicy(ctx, by, facts.Policy.Revision, directory.SetPolicy{Policy: next, Sections: []directory.Section{e.section}})
}

// putPolicy applies a change of the policy of a revision. The guard is held.
func (s *Service) putPolicy(ctx context.Context, by directory.Actor, at directory.Revision, change directory.SetPolicy) (Outcome, error) {
	out, err := s.keepOwner(ctx, by, directory.RequirePolicy{Revision: at}, change)
	if errors.Is(err, directory.ErrVersion) {
		err = fmt.Errorf("%w: the policy was changed at the same time; try again", directory.ErrVersion)
	}
	return out, err
}

func (s *Service) unchanged(ctx context.Context) (Outcome, error) {
	head, err := s.Store.Head(ctx, directory.Stamp{})
	if err != nil {
		return Outcome{}, fmt.Errorf("reading the revision: %w", err)
	}
	return Outcome{Revision: head.Stamp.Revision, Stamp: head.Stamp.String()}, nil
}

// editable refuses a section that a configured file manages.
func (s *Service) editable(by directory.Actor, section directory.Section) error {
	if name := s.managedBy(section); name != "" && by.Kind != directory.ActorSystem {
		return fmt.Errorf("%w: the section %s is managed by %s; change it there", directory.ErrNotOwner, section, name)
	}
	return nil
}

func (s *Service) managedBy(section directory.Section) string {
	if s.ManagedSections == nil {
		return ""
	}
	return s.ManagedSections()[section]
}

// validPolicy says everything that is wrong with a policy.
func validPolicy(facts directory.Facts, next directory.Policy) error {
	file, err := authz.Parse("policy", authz.Export(next))
	over := facts.Policy
	over.Policy = directory.Policy{}
	if verr := file.Validate(over); verr != nil {
		err = verr
	}
	if err == nil {
		return nil
	}
	faults := faultsOf(ErrPolicy, err)
	if list, ok := errors.AsType[*FaultsError](faults); ok {
		for i := range list.Faults { // there is no file to look into
			list.Faults[i].File, list.Faults[i].Line, list.Faults[i].Column = "", 0, 0
		}
	}
	return faults
}

// passesTests runs the tests that are kept with the policy.
func (s *Service) passesTests(ctx context.Context, next directory.Facts) error {
	tests, err := authz.Tests(next.Policy.Policy)
	if err != nil {
		return faultsOf(ErrPolicy, err)
	}
	results := authz.RunTests(tests, authz.Compile(next), s.lookup(ctx))
	if failed := testFaults("", results, authz.Failed); len(failed) > 0 {
		return &FaultsError{Kind: ErrTests, Faults: failed}
	}
	return nil
}

// clonePolicy returns a policy whose lists can be changed.
func clonePolicy(p directory.Policy) directory.Policy {
	p.Projects, p.Features, p.Outputs = slices.Clone(p.Projects), slices.Clone(p.Features), slices.Clone(p.Outputs)
	p.Integrations, p.Resources = slices.Clone(p.Integrations), slices.Clone(p.Resources)
	p.Roles, p.Mappings = slices.Clone(p.Roles), slices.Clone(p.Mappings)
	return p
}

// put replaces the item with a key, or adds it: at a place from 0, or at the end
// if the place is none of the list.
func put[T any](list []T, item T, place int, key func(T) string) []T {
	at := slices.IndexFunc(list, func(i T) bool { return key(i) == key(item) })
	if at >= 0 && place < 0 {
		list[at] = item
		return list
	}
	if at >= 0 {
		list = slices.Delete(list, at, at+1)
	}
	if place < 0 || place > len(list) {
		place = len(list)
	}
	return slices.Insert(list, place, item)
}

// drop removes the item with a key.
func drop[T any](list []T, what, k string, key func(T) string) ([]T, error) {
	at := slices.IndexFunc(list, func(i T) bool { return key(i) == k })
	if at < 0 {
		return list, notFound("no %s %q%s", what, k, didYouMean(k, keysOf(list, key)))
	}
	return slices.Delete(list, at, at+1), nil
}

func projectKey(p directory.Project) string         { return string(p.Key) }
func featureKey(f directory.Feature) string         { return f.Key }
func outputKey(o directory.Output) string           { return o.Key }
func integrationKey(i directory.Integration) string { return i.Key }
func resourceKey(r directory.ResourceType) string   { return r.Type }
func roleKey(r directory.Role) string               { return string(r.Name) }
func mappingKey(m directory.Mapping) string         { return m.Name }
