package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/directory"
)

// MappingSpec describes a mapping in the words of a policy file.
type MappingSpec struct {
	Name       string             `json:"name"`
	When       directory.Selector `json:"when"`
	AllowAdmin bool               `json:"allow_admin,omitempty"`
	Grant      []GrantSpec        `json:"grant"`
	Disabled   *bool              `json:"disabled,omitempty"` // absent: as it is; of a new one, false
}

func (m MappingSpec) mapping(p *directory.Policy) (directory.Mapping, error) {
	out := directory.Mapping{Name: m.Name, When: m.When, AllowAdmin: m.AllowAdmin}
	if m.Disabled != nil {
		out.Disabled = *m.Disabled
	} else if i := slices.IndexFunc(p.Mappings, func(old directory.Mapping) bool { return old.Name == m.Name }); i >= 0 {
		out.Disabled = p.Mappings[i].Disabled
	}
	if len(m.Grant) == 0 {
		return out, invalid("mapping %s: say what it grants", m.Name)
	}
	for _, spec := range m.Grant {
		set, err := spec.set(p)
		if err != nil {
			return out, err
		}
		out.Grants = append(out.Grants, set)
	}
	return out, nil
}

// CreateMapping adds a mapping.
func (s *Service) CreateMapping(ctx context.Context, by directory.Actor, m MappingSpec) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionMappings, 0, func(_ *Authority, p *directory.Policy) error {
		if slices.Contains(keysOf(p.Mappings, mappingKey), m.Name) {
			return alreadyThere("a mapping", m.Name)
		}
		made, err := m.mapping(p)
		p.Mappings = append(p.Mappings, made)
		return err
	}})
}

// EditMapping replaces what a mapping matches and grants. A changed mapping is
// bound anew.
func (s *Service) EditMapping(ctx context.Context, by directory.Actor, m MappingSpec, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionMappings, ifRevision, func(_ *Authority, p *directory.Policy) error {
		names := keysOf(p.Mappings, mappingKey)
		if !slices.Contains(names, m.Name) {
			return notFound("no mapping %q%s", m.Name, didYouMean(m.Name, names))
		}
		made, err := m.mapping(p)
		p.Mappings = put(p.Mappings, made, Keep, mappingKey)
		return err
	}})
}

// DeleteMapping removes a mapping: what it gave ends.
func (s *Service) DeleteMapping(ctx context.Context, by directory.Actor, name string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionMappings, ifRevision, func(_ *Authority, p *directory.Policy) (err error) {
		p.Mappings, err = drop(p.Mappings, "mapping", name, mappingKey)
		return err
	}})
}

// SetMappingEnabled makes a mapping give something, or nothing. What it is bound
// to stays, so that enabling it gives exactly what disabling took.
func (s *Service) SetMappingEnabled(ctx context.Context, by directory.Actor, name string, enabled bool, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionMappings, ifRevision, func(_ *Authority, p *directory.Policy) error {
		names := keysOf(p.Mappings, mappingKey)
		i := slices.Index(names, name)
		if i < 0 {
			return notFound("no mapping %q%s", name, didYouMean(name, names))
		}
		p.Mappings = slices.Clone(p.Mappings)
		p.Mappings[i].Disabled = !enabled
		return nil
	}})
}
