package authz_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// This file makes random organizations, small enough for every rule to meet
// every other in some of them.

// upTo draws a number below n. Rapid prefers small numbers, so that most users
// would be unknown and most groups blocked; mixing spreads them, and leaves 0,
// to which it shrinks, where it is.
func upTo(t *rapid.T, n int, what string) int {
	v := rapid.Uint64().Draw(t, what)
	v *= 0x9e3779b97f4a7c15
	v ^= v >> 32
	v *= 0xd1b54a32d192ed03
	return int((v >> 33) % uint64(n))
}

func pick[T any](t *rapid.T, from ...T) T { return from[upTo(t, len(from), "pick")] }

func chance(t *rapid.T, percent int) bool { return upTo(t, 100, "chance") >= 100-percent }

func several[T any](t *rapid.T, most int, one func() T) (out []T) {
	for range upTo(t, most+1, "several") {
		out = append(out, one())
	}
	return out
}

var randomRights = []directory.Right{
	directory.IntegrationsViewAll, directory.IntegrationsUseAll, directory.IntegrationsManageAll, directory.IntegrationsCreate,
	directory.ManageSyncs, directory.ProjectRead, directory.ProjectManage, directory.UsersManage,
}

func randomPrivilege(t *rapid.T) directory.Privilege {
	switch upTo(t, 10, "kind") {
	case 0, 1:
		return directory.Privilege{Kind: directory.Access, Key: pick(t, "f1", "f1", "f2", "gone")}
	case 2, 3:
		return directory.Privilege{Kind: directory.RolePrivilege, Key: pick(t, "f1:edit", "f1:edit", "f1:export", "f2:edit", "f2:lost", "gone:edit")}
	case 4:
		return directory.Privilege{Kind: directory.RolePrivilege, Key: pick(t, "record:r1:read", "record:*:read", "record:a:b:write", "lost:x:read", "record:r1:burn")}
	case 5:
		return directory.Privilege{Kind: directory.OutputPrivilege, Key: pick(t, "o1", "o2", "gone")}
	}
	return directory.Privilege{
		Kind: directory.IntegrationLevel, Key: pick(t, "c1", "c2", "*"),
		Level: pick(t, directory.NoLevel, directory.Viewer, directory.Consumer, directory.Admin),
	}
}

func randomRole(t *rapid.T) directory.RoleName {
	return pick(t, "r1", "r2", directory.RoleViewer, directory.RoleCollaborator, directory.RoleAdmin,
		directory.RoleProjectCollaborator, directory.RoleProjectNone, "no-such-role")
}

func randomProject(t *rapid.T) directory.ProjectKey {
	return pick[directory.ProjectKey](t, "", "", "", "p", "p", "q", "gone")
}

func randomGrant(t *rapid.T) directory.Grant {
	g := directory.Grant{Project: randomProject(t)}
	if chance(t, 35) {
		g.Role = randomRole(t)
	} else {
		g.Privilege = randomPrivilege(t)
	}
	return g
}

func randomPolicy(t *rapid.T) directory.PolicyFacts {
	privileges := func() directory.Privilege { return randomPrivilege(t) }
	rights := func() directory.Right { return pick(t, randomRights...) }
	f := directory.PolicyFacts{
		Sources: []directory.Source{
			{Name: directory.Local, Kind: directory.KindLocal, State: directory.SourceActive},
			{Name: "hr", State: pick(t, directory.SourceActive, directory.SourceActive, directory.SourcePaused)},
			{Name: "ad", State: pick(t, directory.SourceActive, directory.SourceActive, directory.SourceDisabled)},
		},
		Policy: directory.Policy{
			Projects:     []directory.Project{{Key: "p"}, {Key: "q"}},
			Features:     []directory.Feature{{Key: "f1", Actions: []string{"edit", "export"}}, {Key: "f2", Actions: []string{"edit"}}},
			Outputs:      []directory.Output{{Key: "o1", Feature: "f1"}, {Key: "o2"}},
			Integrations: []directory.Integration{{Key: "c1"}, {Key: "c2"}},
			Resources:    []directory.ResourceType{{Type: "record", Actions: []string{"read", "write"}}},
			Roles: []directory.Role{
				{Name: "r1", Rights: several(t, 2, rights), Privileges: several(t, 3, privileges)},
				{Name: "r2", Rights: several(t, 1, rights), Privileges: several(t, 3, privileges)},
			},
		},
	}
	if chance(t, 30) {
		f.Policy.DefaultRole = randomRole(t)
	}
	for i := range upTo(t, 5, "mappings") {
		m := directory.Mapping{Name: fmt.Sprint("m", i), When: randomSelector(t), AllowAdmin: true}
		m.Grants = several(t, 2, func() directory.GrantSet {
			return directory.GrantSet{
				Project:    randomProject(t),
				Roles:      several(t, 1, func() directory.RoleName { return randomRole(t) }),
				Privileges: several(t, 2, privileges),
			}
		})
		f.Policy.Mappings = append(f.Policy.Mappings, m)
	}
	return f
}

func randomSelector(t *rapid.T) directory.Selector {
	s := directory.Selector{Source: randomSource(t)}
	switch upTo(t, 4, "selector") {
	case 0:
		s.ID = "some"
	case 1:
		s.DN = "cn=some"
	case 2:
		s.Name = pick(t, "Eng", "ops", "EN-a")
	case 3:
		s.Pattern = pick(t, "en*", "*", "?ng", "EN-?", "o*s", "x*", "*-*")
	}
	return s
}

func randomSource(t *rapid.T) directory.SourceName {
	return pick(t, directory.Local, directory.SourceName("hr"), "hr", "ad")
}

var randomNums = []directory.GroupNum{1, 2, 3, 63, 64, 65, 700}

func randomGroup(t *rapid.T, num directory.GroupNum) directory.GroupFacts {
	name := pick(t, "eng", "Eng", "ops", "en-a", "EN-b")
	key, err := directory.KeyOf(name)
	if err != nil {
		t.Fatal(err)
	}
	g := directory.GroupFacts{
		ID: directory.GroupID(fmt.Sprint("g", num)), Num: num, Source: randomSource(t), Name: name, NameKey: key,
		Project: randomProject(t), Blocked: chance(t, 10),
		Grants: several(t, 4, func() directory.Grant { return randomGrant(t) }),
	}
	for _, parent := range randomNums {
		if chance(t, 14) {
			g.Parents = append(g.Parents, parent)
		}
	}
	return g
}

// randomBindings ties mappings to groups, sometimes ones that no mapping means.
func randomBindings(t *rapid.T, p directory.Policy) (out []directory.Binding) {
	for _, m := range p.Mappings {
		for _, num := range randomNums {
			if chance(t, 25) {
				out = append(out, directory.Binding{
					Mapping: m.Name, Group: directory.GroupID(fmt.Sprint("g", num)), Num: num,
					State: pick(t, directory.Bound, directory.Suspended),
				})
			}
		}
	}
	return out
}

func randomFacts(t *rapid.T) directory.Facts {
	f := directory.Facts{At: directory.Stamp{Revision: 1}, Policy: randomPolicy(t)}
	f.Policy.Revision = 1
	f.Policy.Bindings = randomBindings(t, f.Policy.Policy)
	for _, num := range randomNums {
		if chance(t, 80) {
			f.Groups = append(f.Groups, randomGroup(t, num))
		}
	}
	return f
}

func randomSubject(t *rapid.T) directory.Subject {
	s := directory.Subject{
		Found: directory.One, ID: "ann", Type: pick(t, directory.Standard, directory.Standard, directory.Service),
		Sources: several(t, 1, func() directory.SourceName { return randomSource(t) }),
		Grants:  several(t, 2, func() directory.Grant { return randomGrant(t) }),
	}
	switch upTo(t, 40, "state") {
	case 39:
		s.Found = directory.Unknown
	case 1:
		s.Found = directory.Ambiguous
	case 2:
		s.Blocked = true
	case 3:
		s.Inactive, s.Blocked = true, chance(t, 30)
	}
	for _, num := range append(slices.Clone(randomNums), 9999) {
		if chance(t, 45) {
			s.Memberships = append(s.Memberships, directory.Membership{Group: num, Local: chance(t, 40)})
		}
	}
	for _, scope := range []directory.ProjectKey{"", "p"} {
		if chance(t, 35) {
			s.Overrides = append(s.Overrides, scope)
		}
	}
	return s
}

// everyAsk lists everything that can be asked in a random organization, and a
// good deal that can't.
func everyAsk() (out []authz.Request) {
	add := func(typ string, ids, actions []string) {
		for _, id := range ids {
			for _, action := range actions {
				out = append(out, authz.Request{SubjectType: "user", Type: typ, ID: id, Action: action})
			}
		}
	}
	add("feature", []string{"f1", "f2", "none"}, []string{"access", "edit", "export", "lost"})
	add("output", []string{"o1", "o2", "none"}, []string{"generate", "access"})
	add("integration", []string{"c1", "c2", "*", "none"}, []string{"view", "use", "manage", "create_sync", "create"})
	add("project", []string{"p", "q", "none"}, []string{"read", "manage_syncs", "manage", "write"})
	add("record", []string{"r1", "r2", "a:b", "*"}, []string{"read", "write", "burn"})
	add("user", []string{"ann"}, []string{"read"})
	add("", []string{""}, []string{""})
	return out
}

var asked = everyAsk()

var randomProjects = [][2]directory.ProjectKey{{"", ""}, {"p", ""}, {"", "q"}, {"p", "p"}, {"p", "q"}, {"gone", ""}, {"p", "gone"}}

func text(v any) string {
	b, err := json.Marshal(v)
	return fmt.Sprint(string(b), err)
}

// compare decides everything twice.
func compare(t *rapid.T, f directory.Facts, snap *authz.Snapshot, s *directory.Subject) {
	world := newRefWorld(f)
	second := newRef(world, s)
	for i, q := range asked {
		// every ask without a project and inside p, and one of the odd ways
		for _, in := range append(randomProjects[:2:2], randomProjects[2+i%5]) {
			q.Project, q.AlsoProject = in[0], in[1]
			got, want := snap.Decide(s, &q), second.decide(q)
			if got.Code != want || got.Allow != (want == authz.Granted) {
				t.Fatalf("Decide(%+v) = %+v, want %v\nsubject: %s\nfacts: %s", q, got, want, text(s), text(f))
			}
		}
	}
	for _, typ := range []string{"", "service", "email", "external", "group"} {
		q := authz.Request{SubjectType: typ, Type: "feature", ID: "f1", Action: "access"}
		if got, want := snap.Decide(s, &q).Code, second.decide(q); got != want {
			t.Fatalf("Decide(%+v) = %v, want %v", q, got, want)
		}
	}
}

// organizations runs a property on so many hundreds of random organizations.
func organizations(t *testing.T, hundreds int, property func(*rapid.T)) {
	for i := range hundreds { // rapid checks 100 at a time
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, property)
		})
	}
}

func TestDecideEqualsTheReference(t *testing.T) {
	organizations(t, 20, func(t *rapid.T) {
		f := randomFacts(t)
		s := randomSubject(t)
		compare(t, f, authz.Compile(f), &s)
	})
}

// alter makes a random stretch and the facts that it leads to.
func alter(t *rapid.T, f directory.Facts) (directory.Facts, directory.Stretch) {
	f.At.Revision++
	st := directory.Stretch{Records: []directory.FeedRecord{{Stamp: f.At}}}
	f.Groups = slices.Clone(f.Groups)
	for _, num := range randomNums {
		if !chance(t, 25) {
			continue
		}
		f.Groups = slices.DeleteFunc(f.Groups, func(g directory.GroupFacts) bool { return g.Num == num })
		if chance(t, 25) {
			st.Ended = append(st.Ended, num)
		} else {
			g := randomGroup(t, num)
			st.Groups = append(st.Groups, g)
			f.Groups = append(f.Groups, g)
		}
	}
	switch upTo(t, 10, "policy") {
	case 0:
		p := randomPolicy(t)
		p.Bindings, p.Revision = f.Policy.Bindings, f.At.Revision
		f.Policy, st.Policy = p, &p
	case 1:
		p := f.Policy
		p.Bindings, p.Revision = randomBindings(t, p.Policy), f.At.Revision
		f.Policy, st.Policy = p, &p
	case 2:
		p := f.Policy
		p.Sources = randomPolicy(t).Sources
		p.Tokens = []directory.KeptToken{{}}
		f.Policy, st.Policy = p, &p
	}
	slices.SortFunc(f.Groups, func(a, b directory.GroupFacts) int { return int(a.Num) - int(b.Num) })
	return f, st
}

// answers are all decisions on a subject, in one line.
func answers(snap *authz.Snapshot, s *directory.Subject) string {
	var b strings.Builder
	for _, q := range asked {
		for _, project := range []directory.ProjectKey{"", "p"} {
			q.Project = project
			b.WriteByte('a' + byte(snap.Decide(s, &q).Code))
		}
	}
	return b.String()
}

func TestUpdateEqualsCompile(t *testing.T) {
	organizations(t, 4, func(t *rapid.T) {
		f := randomFacts(t)
		snap := authz.Compile(f)
		s := randomSubject(t)
		for range 3 {
			before, said := snap, answers(snap, &s)
			next, st := alter(t, f)
			f, snap = next, snap.Update(st)
			if snap.At() != f.At || snap.Len() != len(f.Groups) || !reflect.DeepEqual(*snap.Policy(), f.Policy) {
				t.Fatalf("Update: at %v with %d groups, want %v with %d; same policy: %v",
					snap.At(), snap.Len(), f.At, len(f.Groups), reflect.DeepEqual(*snap.Policy(), f.Policy))
			}
			if got, want := answers(snap, &s), answers(authz.Compile(f), &s); got != want {
				t.Fatalf("Update says\n%s\nCompile says\n%s\nsubject: %s\nstretch: %s\nfacts: %s", got, want, text(s), text(st), text(f))
			}
			if again := answers(before, &s); again != said {
				t.Fatalf("the snapshot before says\n%s\nafter the update, and said\n%s", again, said)
			}
		}
	})
}
