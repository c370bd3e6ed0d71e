package authz_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// world builds an organization in a few words. The catalogue is that of the
// documentation, with a second of each thing.
type world struct {
	t     *testing.T
	facts directory.Facts
	nums  map[string]directory.GroupNum
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, nums: map[string]directory.GroupNum{}}
	w.facts.At.Revision = 1
	w.facts.Policy.Revision = 1
	w.facts.Policy.Sources = []directory.Source{
		{Name: directory.Local, State: directory.SourceActive},
		{Name: "ad", State: directory.SourceActive},
		{Name: "hr", State: directory.SourceActive},
	}
	w.facts.Policy.Policy = directory.Policy{
		Projects: []directory.Project{{Key: "alpha"}, {Key: "beta"}},
		Features: []directory.Feature{
			{Key: "part-list", Actions: []string{"edit", "export"}, Seat: &directory.Seat{Monthly: "4.00", Currency: "EUR"}},
			{Key: "drawings", Actions: []string{"edit"}, Seat: &directory.Seat{Monthly: "2.50", Currency: "EUR"}},
			{Key: "wiki"},
		},
		Outputs:      []directory.Output{{Key: "cut-list-pdf", Feature: "part-list"}, {Key: "report"}},
		Integrations: []directory.Integration{{Key: "aws-prod"}, {Key: "aws-test"}},
		Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read", "write"}, IDs: []string{"record-1"}}},
	}
	return w
}

// group adds a group named "source/name", or "source/name@project".
func (w *world) group(name string, nestedIn ...string) *directory.GroupFacts {
	name, project, _ := strings.Cut(name, "@")
	source, short, _ := strings.Cut(name, "/")
	key, err := directory.KeyOf(short)
	if err != nil {
		w.t.Fatal(err)
	}
	num := directory.GroupNum(len(w.facts.Groups) + 1)
	w.nums[name] = num
	g := directory.GroupFacts{
		ID: directory.GroupID("id of " + name), Num: num, Source: directory.SourceName(source), Name: short, NameKey: key,
		Project: directory.ProjectKey(project),
	}
	for _, parent := range nestedIn {
		g.Parents = append(g.Parents, w.num(parent))
	}
	w.facts.Groups = append(w.facts.Groups, g)
	return &w.facts.Groups[num-1]
}

func (w *world) num(name string) directory.GroupNum {
	num, ok := w.nums[name]
	if !ok {
		w.t.Fatalf("no group %s", name)
	}
	return num
}

func (w *world) at(name string) *directory.GroupFacts { return &w.facts.Groups[w.num(name)-1] }

// grant reads "access part-list", "role part-list:edit in alpha",
// "integration aws-prod=viewer", "Role viewer".
func (w *world) grant(text string) directory.Grant {
	text, project, _ := strings.Cut(text, " in ")
	kind, key, _ := strings.Cut(text, " ")
	g := directory.Grant{ID: text, Project: directory.ProjectKey(project), Origin: directory.ByHand}
	if kind == "Role" {
		g.Role = directory.RoleName(key)
		return g
	}
	key, level, _ := strings.Cut(key, "=")
	g.Privilege = directory.Privilege{Kind: directory.PrivilegeKind(kind), Key: key}
	if level != "" {
		l, err := directory.ParseLevel(level)
		if err != nil {
			w.t.Fatal(err)
		}
		g.Privilege.Level = l
	}
	return g
}

func (w *world) give(group string, grants ...string) {
	for _, text := range grants {
		g := w.at(group)
		g.Grants = append(g.Grants, w.grant(text))
	}
}

// user makes an active user who is a member as a directory says, or locally
// where a name begins with "+".
func (w *world) user(groups ...string) *directory.Subject {
	s := &directory.Subject{Found: directory.One, ID: "ann", Type: directory.Standard, Sources: []directory.SourceName{"ad"}}
	for _, name := range groups {
		name, local := strings.CutPrefix(name, "+")
		s.Memberships = append(s.Memberships, directory.Membership{Group: w.num(name), Local: local})
	}
	return s
}

// own gives a user own grants.
func (w *world) own(s *directory.Subject, grants ...string) *directory.Subject {
	for _, text := range grants {
		s.Grants = append(s.Grants, w.grant(text))
	}
	return s
}

// ask reads "access feature/part-list", or the same "in alpha".
func ask(text string) *authz.Request {
	text, project, _ := strings.Cut(text, " in ")
	action, resource, _ := strings.Cut(text, " ")
	typ, id, _ := strings.Cut(resource, "/")
	return &authz.Request{SubjectType: "user", Action: action, Type: typ, ID: id, Project: directory.ProjectKey(project)}
}

func (w *world) expect(s *directory.Subject, text string, want authz.Code) {
	w.t.Helper()
	got := authz.Compile(w.facts).Decide(s, ask(text))
	if got.Code != want || got.Allow != (want == authz.Granted) {
		w.t.Errorf("Decide(%s) = %+v, want %v", text, got, want)
	}
}

func (w *world) source(name directory.SourceName, state directory.SourceState) {
	for i := range w.facts.Policy.Sources {
		if w.facts.Policy.Sources[i].Name == name {
			w.facts.Policy.Sources[i].State = state
		}
	}
}

func (w *world) mapping(m directory.Mapping, groups ...string) {
	w.facts.Policy.Policy.Mappings = append(w.facts.Policy.Policy.Mappings, m)
	for _, name := range groups {
		state := directory.Bound
		name, waits := strings.CutPrefix(name, "?")
		if waits {
			state = directory.Suspended
		}
		g := w.at(name)
		w.facts.Policy.Bindings = append(w.facts.Policy.Bindings, directory.Binding{Mapping: m.Name, Group: g.ID, Num: g.Num, State: state})
	}
}

func (w *world) role(name string, rights []directory.Right, privileges ...string) {
	r := directory.Role{Name: directory.RoleName(name), Rights: rights}
	for _, text := range privileges {
		r.Privileges = append(r.Privileges, w.grant(text).Privilege)
	}
	w.facts.Policy.Policy.Roles = append(w.facts.Policy.Policy.Roles, r)
}
