package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A ListedMapping is a mapping with the groups that it reaches.
type ListedMapping struct {
	directory.Mapping
	Groups []MappedGroup `json:"groups"`
	Note   string        `json:"note,omitempty"` // what is wrong, if anything
}

// A MappedGroup is a group that a mapping reaches, or for which it waits.
type MappedGroup struct {
	ID        directory.GroupID      `json:"id"`
	Name      string                 `json:"name"` // SOURCE/NAME
	State     directory.BindingState `json:"state"`
	NoMatch   bool                   `json:"no_longer_matches,omitempty"`
	Following bool                   `json:"follows_name,omitempty"` // by name; no binding
}

// Mappings lists the mappings in the order of the policy.
func (s *Service) Mappings(ctx context.Context) ([]ListedMapping, error) {
	a, err := s.Authority(ctx)
	if err == nil {
		err = a.require(ReadPolicy, "")
	}
	if err != nil {
		return nil, err
	}
	if have := s.mapped.Load(); have != nil && have.of == a.view {
		return slices.Clone(have.list), nil
	}
	made := mappedIn{a.view, listMappings(a.view)}
	s.mapped.Store(&made)
	return slices.Clone(made.list), nil
}

// mappedIn are the mappings of a view: finding what each reaches looks at every
// group.
type mappedIn struct {
	of   *authz.Snapshot
	list []ListedMapping
}

func listMappings(view *authz.Snapshot) []ListedMapping {
	facts := view.Policy()
	index := directory.IndexGroups(view.Groups())
	living := map[directory.GroupID]*directory.GroupFacts{}
	for g := range view.Groups() {
		living[g.ID] = g
	}
	bound := map[string][]MappedGroup{}
	for _, b := range facts.Bindings {
		if g := living[b.Group]; g != nil {
			bound[b.Mapping] = append(bound[b.Mapping], mappedGroup(g, b.State))
		}
	}
	out := make([]ListedMapping, len(facts.Policy.Mappings))
	for i, m := range facts.Policy.Mappings {
		out[i] = ListedMapping{Mapping: m, Groups: []MappedGroup{}}
		if facts.Policy.Binds(m) {
			for _, mapped := range bound[m.Name] {
				g := living[mapped.ID]
				mapped.NoMatch = !m.When.Matches(g.Source, g.ExternalID, g.DN, g.NameKey)
				out[i].Groups = append(out[i].Groups, mapped)
			}
		} else {
			for _, g := range index.Matching(m.When) {
				mapped := mappedGroup(g, directory.Bound)
				mapped.Following = true
				out[i].Groups = append(out[i].Groups, mapped)
			}
		}
		out[i].Note = mappingNote(m, out[i].Groups)
	}
	return out
}

func mappedGroup(g *directory.GroupFacts, state directory.BindingState) MappedGroup {
	return MappedGroup{ID: g.ID, Name: string(g.Source) + "/" + g.Name, State: state}
}

func mappingNote(m directory.Mapping, groups []MappedGroup) string {
	waiting := slices.ContainsFunc(groups, func(g MappedGroup) bool { return g.State == directory.Suspended })
	switch {
	case m.Disabled:
		return "disabled: it gives nothing (usherd mapping enable " + m.Name + ")"
	case m.When.Name != "" && len(groups) > 1:
		return fmt.Sprintf("%d groups have this name, so it gives nothing; say which by id or dn", len(groups))
	case waiting:
		return "waits for a confirmation (usherd mapping confirm " + m.Name + " GROUP)"
	case len(groups) == 0:
		return "no group matches yet"
	}
	return ""
}

// ConfirmMapping lets a mapping reach a group for which it was suspended.
func (s *Service) ConfirmMapping(ctx context.Context, by directory.Actor, mapping, group string) (Outcome, error) {
	a, err := s.allowed(ctx, by, WritePolicy, "")
	if err != nil {
		return Outcome{}, err
	}
	g, err := s.seenGroup(ctx, a, group)
	if err != nil {
		return Outcome{}, err
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return Outcome{}, fmt.Errorf("reading policy: %w", err)
	}
	names := keysOf(facts.Policy.Mappings, func(m directory.Mapping) string { return m.Name })
	if !slices.Contains(names, mapping) {
		return Outcome{}, notFound("no mapping %q%s", mapping, didYouMean(mapping, names))
	}
	if err := a.mayChangeMapping(&facts.Policy, facts.Policy.Mappings[slices.Index(names, mapping)]); err != nil {
		return Outcome{}, err
	}
	out, err := s.keepingAnOwner(ctx, by, directory.ConfirmMapping{Mapping: mapping, Group: g.ID})
	if errors.Is(err, directory.ErrNotFound) {
		return Outcome{}, notFound("mapping %s does not wait for group %s", mapping, group)
	}
	if err != nil {
		return Outcome{}, fmt.Errorf("mapping %s, group %s: %w", mapping, group, err)
	}
	return out, nil
}
