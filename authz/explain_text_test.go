package authz_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// demoWorld is the organization of usherd demo, with a local group, a group of
// machinists inside Workshop and a suspended mapping besides.
func demoWorld(t *testing.T) *world {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "cmd", "usherd", "demo", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := authz.Parse("policy.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.facts.Policy.Policy = file.Over(directory.Policy{})
	w.facts.Policy.Sources = []directory.Source{
		{Name: directory.Local, State: directory.SourceActive}, {Name: "okta", State: directory.SourceActive},
	}
	w.group("okta/Engineering")
	w.group("okta/Workshop")
	w.group("okta/Alpha leads")
	w.group("okta/Machinists", "okta/Workshop")
	w.group("local/Release team")
	w.give("local/Release team", "role drawing:approve", "access drawing")
	w.group("okta/Admins")
	w.mapping(directory.Mapping{
		Name: "administrators", When: directory.Selector{Source: "okta", Name: "Admins"}, AllowAdmin: true,
		Grants: []directory.GrantSet{{Roles: []directory.RoleName{"admin"}}},
	}, "?okta/Admins")
	return w
}

// demoUser is one of the demo's people.
func (w *world) demoUser(groups ...string) *directory.Subject {
	s := w.user(groups...)
	s.Sources = []directory.SourceName{"okta"}
	return s
}

var explainStories = []struct {
	name, who, ask string
	groups         []string
	change         func(w *world, s *directory.Subject, p *authz.Person)
}{
	{"one path", "Ann Archer", "access feature/part-list", []string{"okta/Engineering"}, nil},
	{"a role in a feature takes access too", "Ann Archer", "edit feature/drawing", []string{"okta/Engineering"}, nil},
	{"several ways", "Ana Pérez", "read machine/saw-2", []string{"okta/Workshop", "okta/Machinists"}, func(w *world, s *directory.Subject, _ *authz.Person) {
		w.own(s, "role machine:saw-2:read")
	}},
	{"through a Role in a project", "Ann Archer", "create_sync integration/warehouse in alpha", []string{"okta/Alpha leads"}, nil},
	{"by default", "Dan Dyer", "view integration/warehouse", nil, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.facts.Policy.Policy.DefaultRole = "viewer"
	}},
	{"in no group", "Dan Dyer", "access feature/part-list", nil, nil},
	{"in another project only", "Ann Archer", "approve feature/drawing", []string{"okta/Engineering", "okta/Alpha leads"}, nil},
	{"level too low", "Ben Baker", "use integration/warehouse in beta", []string{"okta/Engineering"}, nil},
	{"a blocked group", "Cleo Carter", "operate machine/laser-1", []string{"okta/Machinists"}, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.at("okta/Workshop").Blocked = true
	}},
	{"a blocked group that gives both halves", "Ann Archer", "edit feature/drawing", []string{"okta/Engineering"}, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.at("okta/Engineering").Blocked = true
	}},
	{"nobody of that name", "Zoe", "edit feature/drawing", nil, func(_ *world, s *directory.Subject, p *authz.Person) {
		*s = directory.Subject{}
		p.Name, p.Handle = "zoe", "zoe"
	}},
	{"a time that is over, when commands are of no use", "Dan Dyer", "access feature/handbook-of-old", nil, func(w *world, _ *directory.Subject, p *authz.Person) {
		p.Past = true
		w.facts.Policy.Policy.Features = append(w.facts.Policy.Policy.Features, directory.Feature{Key: "handbook-of-old"})
	}},
	{"two of that name", "Zoe", "edit feature/drawing", nil, func(_ *world, s *directory.Subject, p *authz.Person) {
		*s = directory.Subject{Found: directory.Ambiguous}
		p.Name, p.Handle = "email:info@example.com", "info@example.com"
	}},
	{"hidden by an override", "Cleo Carter", "access feature/part-list", []string{"okta/Workshop"}, func(_ *world, s *directory.Subject, p *authz.Person) {
		s.Overrides = []directory.ProjectKey{""}
		p.Overrode = []directory.Override{{By: "root", Reason: "on loan", Created: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}}
	}},
	{"a suspended mapping", "Ann Archer", "create integration/*", []string{"okta/Admins"}, nil},
	{"groups that administer come last", "Dan Dyer", "access feature/part-list", nil, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.group("okta/Bosses")
		w.give("okta/Bosses", "Role owner", "access part-list")
		w.group("okta/Clerks")
		w.give("okta/Clerks", "access part-list", "access drawing", "Role viewer", "output cut-list-pdf")
	}},
	{"a right", "Dan Dyer", "manage project/alpha", nil, nil},
	{"a right that only administrators have", "Dan Dyer", "create integration/*", nil, nil},
	{"a right that a Role without administration has", "Dan Dyer", "create integration/*", nil, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.role("connector", []directory.Right{directory.IntegrationsCreate, directory.IntegrationsViewAll, directory.IntegrationsUseAll})
		w.role("two", []directory.Right{directory.IntegrationsCreate, directory.UsersManage})
	}},
	{"blocked", "Cleo Carter", "access feature/part-list", []string{"okta/Workshop"}, func(_ *world, s *directory.Subject, p *authz.Person) {
		s.Blocked = true
		p.Blocked = "by root on 2026-03-01: lost laptop"
	}},
	{"blocked, and without a right to it", "Dan Dyer", "edit feature/drawing", nil, func(_ *world, s *directory.Subject, p *authz.Person) {
		s.Blocked = true
		p.Blocked = "by root on 2026-03-01: lost laptop"
	}},
	{"blocked, and a slip of the pen", "Cleo Carter", "access feature/partlist", []string{"okta/Workshop"}, func(_ *world, s *directory.Subject, p *authz.Person) {
		s.Blocked = true
		p.Blocked = "by root on 2026-03-01: lost laptop"
	}},
	{"what ends the default Role", "Dan Dyer", "create integration/*", nil, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.role("planner", nil, "access part-list")
		w.facts.Policy.Policy.DefaultRole = "planner"
		w.role("connector", []directory.Right{directory.IntegrationsCreate})
	}},
	{"inactive in the directory", "Ben Baker", "access feature/part-list", []string{"okta/Workshop"}, func(_ *world, s *directory.Subject, p *authz.Person) {
		s.Inactive = true
		p.Inactive = []directory.Identity{{Source: "okta", Presence: directory.Present}}
	}},
	{"a disabled source", "Ben Baker", "access feature/part-list", []string{"okta/Workshop"}, func(w *world, _ *directory.Subject, _ *authz.Person) {
		w.source("okta", directory.SourceDisabled)
	}},
	{"a slip of the pen", "Ann Archer", "access feature/partlist", nil, nil},
	{"a slip in the action", "Ann Archer", "acess feature/part-list", nil, nil},
	{"an action of another type", "Ann Archer", "edit integration/warehouse", nil, nil},
	{"a project that is not there", "Ann Archer", "manage project/gamma", nil, nil},
	{"in a project that is not there", "Ann Archer", "access feature/part-list in alhpa", []string{"okta/Engineering"}, nil},
	{"a type that is not there", "Ann Archer", "read boat/1", nil, nil},
	{"no project", "Ann Archer", "create_sync integration/warehouse", []string{"okta/Alpha leads"}, nil},
}

// TestExplainReadsLikeAnAnswer compares texts over the demo's organization with
// testdata/explain.txt. USHERD_GOLDEN=write writes that file anew.
func TestExplainReadsLikeAnAnswer(t *testing.T) {
	var got strings.Builder
	for _, story := range explainStories {
		w := demoWorld(t)
		s := w.demoUser(story.groups...)
		handle, _, _ := strings.Cut(strings.ToLower(story.who), " ")
		who := authz.Person{Name: story.who, Handle: handle + "@example.com"}
		if story.change != nil {
			story.change(w, s, &who)
		}
		e := authz.Compile(w.facts).Explain(s, ask(story.ask))
		e.About(who)
		fmt.Fprintf(&got, "=== %s: %s?\n%s\n", story.name, story.ask, e.Text())
	}
	const golden = "testdata/explain.txt"
	if os.Getenv("USHERD_GOLDEN") == "write" {
		if err := os.WriteFile(golden, []byte(got.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
}

func TestCommandsQuoteWhatAShellWouldSplit(t *testing.T) {
	w := newWorld(t)
	w.group("ad/It's $HOME; rm").Blocked = true
	w.give("ad/It's $HOME; rm", "access wiki")
	e := authz.Compile(w.facts).Explain(w.user("ad/It's $HOME; rm"), ask("access feature/wiki"))
	e.About(authz.Person{Name: "Eve", Handle: "eve smith"})
	if got, want := e.Parts[0].Fixes[0].Command, `usherd group unblock 'ad/It'\''s $HOME; rm'`; got != want {
		t.Errorf("command = %s, want %s", got, want)
	}
	if got, want := e.Parts[0].Fixes[1].Command, `usherd user grant 'eve smith' --access wiki`; got != want {
		t.Errorf("command = %s, want %s", got, want)
	}
}
