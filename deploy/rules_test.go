package deploy_test

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/deploy"
	"github.com/usherd/usherd/directory"
)

// An example is one example policy with the groups that it speaks of.
type example struct {
	file  *authz.File
	facts directory.Facts
}

// examples reads all of them; each must be valid.
func examples(t *testing.T) map[string]example {
	t.Helper()
	paths, err := fs.Glob(deploy.Examples, "examples/*.yaml")
	if err != nil || len(paths) != 4 {
		t.Fatalf("Glob = %v, %v, want one policy for each product", paths, err)
	}
	all := map[string]example{}
	for _, path := range paths {
		text, err := deploy.Examples.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := authz.Parse(path, text)
		if err != nil {
			t.Fatal(err)
		}
		e := example{file: f}
		e.facts.Policy.Revision = 1
		e.facts.Policy.Sources = []directory.Source{{Name: directory.Local, State: directory.SourceActive}}
		for _, m := range f.Policy.Mappings {
			if !slices.ContainsFunc(e.facts.Policy.Sources, func(s directory.Source) bool { return s.Name == m.When.Source }) {
				e.facts.Policy.Sources = append(e.facts.Policy.Sources, directory.Source{Name: m.When.Source, State: directory.SourceActive})
			}
		}
		if err := f.Validate(e.facts.Policy); err != nil {
			t.Errorf("%s:\n%v", path, err)
		}
		e.groups(t)
		all[strings.TrimSuffix(strings.TrimPrefix(path, "examples/"), ".yaml")] = e
	}
	return all
}

// groups makes the groups that tests name.
func (e *example) groups(t *testing.T) {
	t.Helper()
	seen := map[string]bool{}
	for _, test := range e.file.Tests {
		for _, g := range test.Groups {
			if seen[g.String()] {
				continue
			}
			seen[g.String()] = true
			num := directory.GroupNum(len(e.facts.Groups) + 1)
			name := g.Name
			if name == "" {
				name = fmt.Sprint("group ", num)
			}
			key, err := directory.KeyOf(name)
			if err != nil {
				t.Fatal(err)
			}
			e.facts.Groups = append(e.facts.Groups, directory.GroupFacts{
				ID: directory.GroupID(fmt.Sprint("id ", num)), Num: num, Source: g.Source, Name: name, NameKey: key, DN: g.DN, ExternalID: g.ID,
			})
		}
	}
}

// failing runs the tests of an example under a policy and returns what failed.
func (e *example) failing(p directory.Policy) (failed []string) {
	snapshot := authz.Compile(authz.After(e.facts, p, e.file.Sections))
	for _, r := range authz.RunTests(e.file.Tests, snapshot, nil) {
		if r.Status != authz.Passed {
			failed = append(failed, fmt.Sprintf("%s: test %d: %s: %v", e.file.Name, r.Index, r.Status, r.Messages))
		}
	}
	return failed
}

func TestExamplesPassTheirTests(t *testing.T) {
	for name, e := range examples(t) {
		t.Run(name, func(t *testing.T) {
			for _, f := range e.failing(e.file.Policy) {
				t.Error(f)
			}
		})
	}
}

// Whatever is taken out of an example, one of its own tests notices.
func TestExamplesTestEveryRule(t *testing.T) {
	for name, e := range examples(t) {
		t.Run(name, func(t *testing.T) {
			for what, p := range without(e.file.Policy) {
				if len(e.failing(p)) == 0 {
					t.Errorf("without %s no test of the example fails", what)
				}
			}
		})
	}
}

// without returns policies that each lack one thing.
func without(p directory.Policy) map[string]directory.Policy {
	all := map[string]directory.Policy{}
	for i, m := range p.Mappings {
		q := p
		q.Mappings = slices.Delete(slices.Clone(p.Mappings), i, i+1)
		all["mapping "+m.Name] = q
		for j, set := range m.Grants {
			alter := func(what string, f func(*directory.GrantSet)) {
				q := p
				q.Mappings = slices.Clone(p.Mappings)
				q.Mappings[i].Grants = slices.Clone(m.Grants)
				f(&q.Mappings[i].Grants[j])
				all[fmt.Sprintf("%s of mapping %s", what, m.Name)] = q
			}
			for k, role := range set.Roles {
				if role != "guest" { // its one right is no question of a check
					alter("Role "+string(role), func(s *directory.GrantSet) { s.Roles = slices.Delete(slices.Clone(s.Roles), k, k+1) })
				}
			}
			for k, x := range set.Privileges {
				if x.Kind == directory.IntegrationLevel && x.Level == directory.NoLevel {
					continue // without effect, which is the point
				}
				alter(x.String(), func(s *directory.GrantSet) { s.Privileges = slices.Delete(slices.Clone(s.Privileges), k, k+1) })
			}
			if set.Project != "" {
				alter("the project", func(s *directory.GrantSet) { s.Project = "" })
			}
		}
	}
	for i, r := range p.Roles {
		alter := func(what string, f func(*directory.Role)) {
			q := p
			q.Roles = slices.Clone(p.Roles)
			f(&q.Roles[i])
			all[fmt.Sprintf("%s of Role %s", what, r.Name)] = q
		}
		for k, x := range r.Privileges {
			alter(x.String(), func(r *directory.Role) { r.Privileges = slices.Delete(slices.Clone(r.Privileges), k, k+1) })
		}
		for k, right := range r.Rights {
			if right != directory.DirectoryRead {
				alter(string(right), func(r *directory.Role) { r.Rights = slices.Delete(slices.Clone(r.Rights), k, k+1) })
			}
		}
	}
	for i, o := range p.Outputs {
		if o.Feature != "" {
			q := p
			q.Outputs = slices.Clone(p.Outputs)
			q.Outputs[i].Feature = ""
			all["the feature of output "+o.Key] = q
		}
	}
	if p.DefaultRole != "" {
		q := p
		q.DefaultRole = ""
		all["the default Role"] = q
	}
	return all
}
