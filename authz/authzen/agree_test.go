package authzen

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// randomPrivileges are what random organizations grant.
var randomPrivileges = []directory.Privilege{
	{Kind: directory.Access, Key: "parts"},
	{Kind: directory.RolePrivilege, Key: "parts:edit"},
	{Kind: directory.RolePrivilege, Key: "record:*:read"},
	{Kind: directory.RolePrivilege, Key: "record:r1:write"},
	{Kind: directory.OutputPrivilege, Key: "list"},
	{Kind: directory.IntegrationLevel, Key: "aws", Level: directory.Consumer},
	{Kind: directory.IntegrationLevel, Key: "*", Level: directory.Viewer},
	{Kind: directory.IntegrationLevel, Key: "aws", Level: directory.NoLevel},
}

var randomScopes = []directory.ProjectKey{"", "", "alpha", "beta"}

func randomGrants(t *rapid.T, most int) (all []directory.Grant) {
	for range rapid.IntRange(0, most).Draw(t, "grants") {
		g := directory.Grant{Project: rapid.SampledFrom(randomScopes).Draw(t, "project"), Origin: directory.ByHand}
		if rapid.IntRange(0, 2).Draw(t, "kind") == 0 {
			g.Role = rapid.SampledFrom([]directory.RoleName{"clerk", directory.RoleCollaborator, directory.RoleProjectCollaborator}).Draw(t, "Role")
		} else {
			g.Privilege = rapid.SampledFrom(randomPrivileges).Draw(t, "privilege")
		}
		all = append(all, g)
	}
	return all
}

// randomWorld draws an organization with nested, blocked and project groups,
// overrides, a default Role, blocked people and service accounts.
func randomWorld(t *rapid.T) *world {
	f := directory.Facts{At: now.Stamp}
	f.Policy.Sources = []directory.Source{
		{Name: directory.Local, Kind: directory.KindLocal, State: directory.SourceActive},
		{Name: "ad", State: rapid.SampledFrom([]directory.SourceState{directory.SourceActive, directory.SourceActive, directory.SourceDisabled}).Draw(t, "source")},
	}
	f.Policy.Policy = directory.Policy{
		Projects:     []directory.Project{{Key: "alpha"}, {Key: "beta"}},
		Features:     []directory.Feature{{Key: "parts", Actions: []string{"edit"}}},
		Outputs:      []directory.Output{{Key: "list", Feature: "parts"}},
		Integrations: []directory.Integration{{Key: "aws"}, {Key: "gcp"}},
		Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read", "write"}, IDs: []string{"r1", "r2"}}},
		Roles:        []directory.Role{{Name: "clerk", Privileges: randomPrivileges[:3]}},
	}
	if rapid.IntRange(0, 3).Draw(t, "default") == 0 {
		f.Policy.Policy.DefaultRole = "clerk"
	}
	const groups = 6
	for n := 1; n <= groups; n++ {
		name := fmt.Sprint("g", n)
		g := directory.GroupFacts{
			ID: directory.GroupID(name), Num: directory.GroupNum(n), Source: rapid.SampledFrom([]directory.SourceName{directory.Local, "ad"}).Draw(t, "of"),
			Name: name, NameKey: directory.NameKey(name), Project: rapid.SampledFrom(randomScopes).Draw(t, "scope"),
			Blocked: rapid.IntRange(0, 5).Draw(t, "blocked") == 0, Grants: randomGrants(t, 3),
		}
		for parent := directory.GroupNum(1); parent <= groups; parent++ {
			if rapid.IntRange(0, 5).Draw(t, "nested") == 0 {
				g.Parents = append(g.Parents, parent)
			}
		}
		f.Groups = append(f.Groups, g)
	}
	w := &world{snapshot: authz.Compile(f), subjects: map[string]directory.Subject{}}
	for i := range 6 {
		w.add(fmt.Sprint("user", i), randomPerson(t, i, groups))
	}
	return w
}

func randomPerson(t *rapid.T, i, groups int) directory.Subject {
	s := directory.Subject{
		At: now.Stamp, Found: directory.One, ID: directory.UserID(fmt.Sprintf("0190f3a4-7c1e-7a2b-8c3d-%012d", i)),
		Type:    rapid.SampledFrom([]directory.UserType{directory.Standard, directory.Standard, directory.Service}).Draw(t, "type"),
		Sources: []directory.SourceName{directory.Local}, Blocked: rapid.IntRange(0, 6).Draw(t, "block") == 0, Grants: randomGrants(t, 2),
	}
	for n := 1; n <= groups; n++ {
		if rapid.IntRange(0, 2).Draw(t, "member") == 0 {
			s.Memberships = append(s.Memberships, directory.Membership{Group: directory.GroupNum(n), Local: rapid.Bool().Draw(t, "local")})
		}
	}
	for _, scope := range []directory.ProjectKey{"", "alpha"} {
		if rapid.IntRange(0, 4).Draw(t, "override") == 0 {
			s.Overrides = append(s.Overrides, scope)
		}
	}
	return s
}

// add takes a person into the world.
func (w *world) add(name string, s directory.Subject) {
	w.subjects[name], w.subjects[string(s.ID)] = s, s
	w.people = append(w.people, directory.Identity{
		ID: s.ID, User: s.ID, Source: directory.Local, Presence: directory.Present, Created: time.Unix(int64(len(w.people)), 0),
		Profile: directory.Profile{UserName: name, Type: s.Type, Active: true},
	})
}

// everyQuestion is all that can be asked of a random organization.
func everyQuestion(w *world) (all []authz.Request) {
	for _, typ := range []string{"feature", "output", "integration", "project", "record"} {
		ids, _ := w.snapshot.IDs(typ)
		for _, id := range ids {
			for _, action := range w.snapshot.Actions(typ, id) {
				for _, project := range []directory.ProjectKey{"", "alpha"} {
					all = append(all, authz.Request{Type: typ, ID: id, Action: action, Project: project})
				}
			}
		}
	}
	return all
}

// found reads the ids or names that a search has.
func found(t *rapid.T, text string) (all []string) {
	var a searchAnswer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for _, r := range a.Results {
		all = append(all, r.ID+r.Name)
	}
	return all
}

// Evaluation, evaluations and the three searches say what Decide says of each
// person alone.
func TestAllEndpointsAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := randomWorld(rt)
		h := serveWorld(t, w, nil)
		asked := everyQuestion(w)
		for range 4 {
			q := asked[rapid.IntRange(0, len(asked)-1).Draw(rt, "question")]
			agreeOn(t, rt, h, w, q)
		}
	})
}

func agreeOn(t *testing.T, rt *rapid.T, h http.Handler, w *world, q authz.Request) {
	action := fmt.Sprintf(`"action":{"name":%q}`, q.Action)
	thing := fmt.Sprintf(`"resource":{"type":%q,"id":%q,"properties":{"project":%q}}`, q.Type, q.ID, q.Project)
	things := fmt.Sprintf(`"resource":{"type":%q,"properties":{"project":%q}}`, q.Type, q.Project)
	may := map[string][]string{} // by type of subject
	var batch, said []string
	for _, p := range w.people {
		s := w.subjects[p.UserName]
		for _, typ := range []string{"user", "service"} {
			q.SubjectType = typ
			allow := w.snapshot.Decide(&s, &q).Allow
			subject := fmt.Sprintf(`"subject":{"type":%q,"id":%q}`, typ, p.UserName)
			if allow && (typ == "service") == (s.Type == directory.Service) {
				may[typ] = append(may[typ], p.UserName)
			}
			said = append(said, fmt.Sprintf(`{"decision":%v}`, allow))
			batch = append(batch, object(subject, action, thing))
			if got := post(t, h, PathEvaluation, object(subject, action, thing), nil).Body; got != said[len(said)-1] {
				rt.Fatalf("%s = %s, want %v", batch[len(batch)-1], got, allow)
			}
			_, text := search(t, h, PathResourceSearch, object(subject, action, things))
			if got := slices.Contains(found(rt, text), q.ID); got != allow {
				rt.Fatalf("resources for %s = %s, want %s in it: %v", batch[len(batch)-1], text, q.ID, allow)
			}
			_, text = search(t, h, PathActionSearch, object(subject, thing))
			if got := slices.Contains(found(rt, text), q.Action); got != allow {
				rt.Fatalf("actions for %s = %s, want %s in it: %v", batch[len(batch)-1], text, q.Action, allow)
			}
		}
	}
	if got, want := post(t, h, PathEvaluations, `{"evaluations":[`+strings.Join(batch, ",")+`]}`, nil).Body, answers(said...); got != want {
		rt.Fatalf("evaluations of %+v = %s, want %s", q, got, want)
	}
	for _, typ := range []string{"user", "service"} {
		body := object(fmt.Sprintf(`"subject":{"type":%q}`, typ), action, thing)
		if _, text := search(t, h, PathSubjectSearch, body); !slices.Equal(found(rt, text), may[typ]) {
			rt.Fatalf("POST %s = %s, want %v", body, text, may[typ])
		}
	}
}
