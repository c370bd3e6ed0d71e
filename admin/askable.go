package admin

import (
	"context"
	"slices"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// An Ask is something that can be asked of anybody: an action on a resource.
type Ask struct {
	Action string `json:"action"`
	Type   string `json:"type"`
	ID     string `json:"id"`
	Title  string `json:"title,omitempty"` // of the resource, in the catalogue
}

// String is the form of tests and links: "access feature/part-list".
func (a Ask) String() string { return a.Action + " " + a.Type + "/" + a.ID }

// Askable lists everything that can be asked under the present policy, in its
// order. Of projects it has those that the asker may see into.
func (s *Service) Askable(ctx context.Context) ([]Ask, error) {
	a, err := s.reads(ctx, AskChecks)
	if err != nil {
		return nil, err
	}
	p := &a.view.Policy().Policy
	titles := titlesOf(p)
	types := []string{authz.TypeFeature, authz.TypeOutput, authz.TypeIntegration, authz.TypeProject}
	for _, r := range p.Resources {
		types = append(types, r.Type)
	}
	var out []Ask
	for _, typ := range types {
		ids, _ := a.view.IDs(typ)
		if typ == authz.TypeIntegration {
			ids = append(slices.Clone(ids), authz.Every)
		}
		for _, id := range ids {
			if typ == authz.TypeProject && !a.May(AskChecks, directory.ProjectKey(id)) {
				continue
			}
			for _, action := range a.view.Actions(typ, id) {
				out = append(out, Ask{action, typ, id, titles[typ+"/"+id]})
			}
		}
	}
	return out, nil
}

// titlesOf are the titles of what the catalogue names, by "type/id".
func titlesOf(p *directory.Policy) map[string]string {
	out := map[string]string{}
	for _, f := range p.Features {
		out[authz.TypeFeature+"/"+f.Key] = f.Title
	}
	for _, o := range p.Outputs {
		out[authz.TypeOutput+"/"+o.Key] = o.Title
	}
	for _, i := range p.Integrations {
		out[authz.TypeIntegration+"/"+i.Key] = i.Title
	}
	for _, project := range p.Projects {
		out[authz.TypeProject+"/"+string(project.Key)] = project.Title
	}
	return out
}
