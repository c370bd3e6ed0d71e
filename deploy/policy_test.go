package deploy_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// policy is the shape of a policy file, for what can be told without the
// engine: that what a mapping or a test names is in the catalogue.
type policy struct {
	APIVersion string `yaml:"apiVersion"`
	Projects   []struct{ Key, Title string }
	Features   []struct {
		Key, Title string
		Actions    []string
		Seat       struct{ Monthly, Currency string }
	}
	Outputs      []struct{ Key, Title, Feature string }
	Integrations []struct{ Key, Title string }
	Resources    map[string]struct{ Actions, IDs []string }
	Roles        []struct {
		Name, Title string
		Rights      []string
		grants      `yaml:",inline"`
	}
	DefaultRole string `yaml:"default_role"`
	Mappings    []struct {
		Name string
		When struct {
			Source string
			Group  map[string]string
		}
		AllowAdmin bool `yaml:"allow_admin"`
		Grant      yaml.Node
	}
	Tests []struct {
		As          struct{ Groups []any } // source/name, or {source, id or dn}
		Project     string
		Can, Cannot []string
	}
}

type grants struct {
	Access, Role, Output []string
	Integration          map[string]string
}

// grant is one item under grant.
type grant struct {
	Project string
	Roles   []string
	grants  `yaml:",inline"`
}

func examplePolicies(t *testing.T) map[string]policy {
	t.Helper()
	paths, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(paths) < 4 {
		t.Fatalf("Glob = %v, %v, want one policy for each product", paths, err)
	}
	all := map[string]policy{}
	for _, path := range paths {
		var p policy
		if err := yaml.Load([]byte(read(t, path)), &p, yaml.WithKnownFields()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		all[path] = p
	}
	return all
}

// given lists what the mappings of p grant.
func (p policy) given(t *testing.T) []grant {
	t.Helper()
	var all []grant
	for _, m := range p.Mappings {
		list := m.Grant.Content
		if m.Grant.Kind == yaml.MappingNode {
			list = []*yaml.Node{&m.Grant}
		}
		for _, n := range list {
			var g grant
			text, err := yaml.Dump(n)
			if err == nil {
				err = yaml.Load(text, &g, yaml.WithKnownFields())
			}
			if err != nil {
				t.Errorf("mapping %s: %v", m.Name, err)
			}
			all = append(all, g)
		}
	}
	return all
}

var builtIn = []string{
	"owner", "admin", "collaborator", "viewer", "auditor", "operator",
	"project-none", "project-viewer", "project-collaborator", "project-admin",
}

func TestExamplePoliciesNameWhatTheyHave(t *testing.T) {
	for path, p := range examplePolicies(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			known := p.things()
			roles := slices.Clone(builtIn)
			all := p.given(t)
			for _, r := range p.Roles {
				roles = append(roles, r.Name)
				all = append(all, grant{grants: r.grants})
			}
			for _, g := range all {
				for _, r := range g.Roles {
					if !slices.Contains(roles, r) {
						t.Errorf("no Role %s", r)
					}
				}
				for _, thing := range g.things() {
					if !known[thing] {
						t.Errorf("%s is granted and not in the catalogue", thing)
					}
				}
			}
			if p.APIVersion != "usherd/v1" || len(p.Tests) == 0 {
				t.Errorf("apiVersion %q, %d tests", p.APIVersion, len(p.Tests))
			}
			for _, test := range p.Tests {
				for _, question := range slices.Concat(test.Can, test.Cannot) {
					_, thing, ok := strings.Cut(question, " ")
					typ, _, _ := strings.Cut(thing, "/")
					if !ok || !known[thing] && !known["type/"+typ] {
						t.Errorf("test asks %q, which is not in the catalogue", question)
					}
				}
			}
		})
	}
}

// things are the catalogue of p as type/id.
func (p policy) things() map[string]bool {
	all := map[string]bool{"integration/*": true}
	for _, f := range p.Features {
		all["feature/"+f.Key] = true
	}
	for _, o := range p.Outputs {
		all["output/"+o.Key] = true
	}
	for _, i := range p.Integrations {
		all["integration/"+i.Key] = true
	}
	for _, x := range p.Projects {
		all["project/"+x.Key] = true
	}
	for name := range p.Resources {
		all["type/"+name] = true
	}
	return all
}

// things are what g grants on, as type/id; other resources by their type.
func (g grant) things() []string {
	var all []string
	for _, a := range g.Access {
		all = append(all, "feature/"+a)
	}
	for _, r := range g.Role {
		if typ, _, other := strings.Cut(r, ":"); strings.Count(r, ":") == 2 && other {
			all = append(all, "type/"+typ)
		} else {
			all = append(all, "feature/"+typ)
		}
	}
	for _, o := range g.Output {
		all = append(all, "output/"+o)
	}
	for i := range g.Integration {
		all = append(all, "integration/"+i)
	}
	if g.Project != "" {
		all = append(all, "project/"+g.Project)
	}
	return all
}
