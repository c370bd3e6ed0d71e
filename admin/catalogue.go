package admin

import (
	"context"

	"github.com/usherd/usherd/directory"
)

// A Catalogue is what applications protect, with what manages it.
type Catalogue struct {
	Features     []directory.Feature          `json:"features"` // in home-page order
	Outputs      []directory.Output           `json:"outputs"`
	Integrations []directory.Integration      `json:"integrations"`
	Resources    []directory.ResourceType     `json:"resources"`
	ManagedBy    map[directory.Section]string `json:"managed_by,omitempty"` // the file that manages a section
	Revision     directory.Revision           `json:"policy_revision"`      // when the policy last changed
}

// Catalogue returns the catalogue. Whoever administers something may read it: it
// says what there is to grant.
func (s *Service) Catalogue(ctx context.Context) (Catalogue, error) {
	a, err := s.reads(ctx, ReadPolicy)
	if err != nil {
		return Catalogue{}, err
	}
	facts := a.view.Policy()
	p := &facts.Policy
	out := Catalogue{
		Features: orEmpty(p.Features), Outputs: orEmpty(p.Outputs), Integrations: orEmpty(p.Integrations),
		Resources: orEmpty(p.Resources), Revision: facts.Revision,
	}
	if s.ManagedSections != nil {
		out.ManagedBy = s.ManagedSections()
	}
	return out, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Keep is the place of an item that stays where it is, or goes to the end if it
// is new.
const Keep = -1

// PutFeature adds a feature or changes it: title, actions and seat price. place
// is where on the home page it is to be, from 0, or [Keep].
func (s *Service) PutFeature(ctx context.Context, by directory.Actor, f directory.Feature, place int, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionFeatures, ifRevision, func(_ *Authority, p *directory.Policy) error {
		p.Features = put(p.Features, f, place, featureKey)
		return nil
	}})
}

// DeleteFeature removes a feature that nothing uses.
func (s *Service) DeleteFeature(ctx context.Context, by directory.Actor, key string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionFeatures, ifRevision, func(_ *Authority, p *directory.Policy) (err error) {
		p.Features, err = drop(p.Features, "feature", key, featureKey)
		return err
	}})
}

// PutOutput adds an output or changes it.
func (s *Service) PutOutput(ctx context.Context, by directory.Actor, o directory.Output, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionOutputs, ifRevision, func(_ *Authority, p *directory.Policy) error {
		p.Outputs = put(p.Outputs, o, Keep, outputKey)
		return nil
	}})
}

// DeleteOutput removes an output that nothing uses.
func (s *Service) DeleteOutput(ctx context.Context, by directory.Actor, key string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionOutputs, ifRevision, func(_ *Authority, p *directory.Policy) (err error) {
		p.Outputs, err = drop(p.Outputs, "output", key, outputKey)
		return err
	}})
}

// PutResource adds a type of resource or changes its actions and ids.
func (s *Service) PutResource(ctx context.Context, by directory.Actor, r directory.ResourceType, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionResources, ifRevision, func(_ *Authority, p *directory.Policy) error {
		p.Resources = put(p.Resources, r, Keep, resourceKey)
		return nil
	}})
}

// DeleteResource removes a type of resource that nothing uses.
func (s *Service) DeleteResource(ctx context.Context, by directory.Actor, typ string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{WritePolicy, directory.SectionResources, ifRevision, func(_ *Authority, p *directory.Policy) (err error) {
		p.Resources, err = drop(p.Resources, "resource type", typ, resourceKey)
		return err
	}})
}

// AddIntegration adds a connection.
func (s *Service) AddIntegration(ctx context.Context, by directory.Actor, i directory.Integration) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{AddConnection, directory.SectionIntegrations, 0, func(_ *Authority, p *directory.Policy) error {
		if known("integration", i.Key, keysOf(p.Integrations, integrationKey)) == nil {
			return alreadyThere("an integration", i.Key)
		}
		p.Integrations = put(p.Integrations, i, Keep, integrationKey)
		return nil
	}})
}

// RenameIntegration changes the title of a connection. Who manages the
// connection may do it.
func (s *Service) RenameIntegration(ctx context.Context, by directory.Actor, key, title string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{SignedIn, directory.SectionIntegrations, ifRevision, func(a *Authority, p *directory.Policy) error {
		if err := a.managesConnection(p, key); err != nil {
			return err
		}
		p.Integrations = put(p.Integrations, directory.Integration{Key: key, Title: title}, Keep, integrationKey)
		return nil
	}})
}

// DeleteIntegration removes a connection that nothing uses.
func (s *Service) DeleteIntegration(ctx context.Context, by directory.Actor, key string, ifRevision directory.Revision) (Outcome, error) {
	return s.editPolicy(ctx, by, policyEdit{SignedIn, directory.SectionIntegrations, ifRevision, func(a *Authority, p *directory.Policy) (err error) {
		if err := a.managesConnection(p, key); err != nil {
			return err
		}
		p.Integrations, err = drop(p.Integrations, "integration", key, integrationKey)
		return err
	}})
}
