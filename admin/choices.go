package admin

import (
	"context"

	"github.com/usherd/usherd/directory"
)

// Choices are what there is to choose from where people and groups are shown:
// names for filters, and what can be granted.
type Choices struct {
	Catalogue
	Projects []directory.Project `json:"projects"` // that the asker may see into
	Roles    []directory.Role    `json:"roles"`    // built in, then custom
	Sources  []directory.Source  `json:"sources"`
	Default  directory.RoleName  `json:"default_role,omitempty"`
}

// Choices returns what there is to choose from. It counts nothing, and so costs
// next to nothing.
func (s *Service) Choices(ctx context.Context) (Choices, error) {
	a, err := s.reads(ctx, ReadDirectory)
	if err != nil {
		return Choices{}, err
	}
	facts := a.view.Policy()
	p := &facts.Policy
	out := Choices{
		Catalogue: Catalogue{
			Features: orEmpty(p.Features), Outputs: orEmpty(p.Outputs), Integrations: orEmpty(p.Integrations),
			Resources: orEmpty(p.Resources), Revision: facts.Revision,
		},
		Roles:   append(directory.BuiltinRoles(), p.Roles...),
		Default: p.DefaultRole,
	}
	for _, project := range p.Projects {
		if a.May(ReadDirectory, project.Key) {
			out.Projects = append(out.Projects, project)
		}
	}
	for _, src := range facts.Sources {
		out.Sources = append(out.Sources, directory.Source{Name: src.Name, Kind: src.Kind, State: src.State, Rank: src.Rank})
	}
	return out, nil
}
