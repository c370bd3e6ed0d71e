package admin_test

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// A fate makes random changes over a few people, groups and names.
type fate struct {
	*rapid.T
	w      *world
	users  []directory.UserID
	groups []directory.GroupID
	of     map[string]directory.SourceName
}

// n draws a number below most, evenly: rapid prefers small ones.
func (f *fate) n(most int) int {
	v := rapid.Uint64().Draw(f.T, "n") * 0x9e3779b97f4a7c15
	v ^= v >> 32
	v *= 0xd1b54a32d192ed03
	return int((v >> 33) % uint64(most))
}

func one[T any](f *fate, from ...T) T { return from[f.n(len(from))] }

const fateCatalogue = `projects: [{key: alpha}, {key: beta}]
features:
  - {key: part-list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}
  - {key: drawings, seat: {monthly: 1.50, currency: USD}}
outputs: [{key: cut-list-pdf, feature: part-list}]
integrations: [{key: aws-prod}]
resources: {record: {actions: [read]}}
roles: [{name: releaser, rights: [integrations.use_all], access: [drawings]}]
`

func (f *fate) grant() directory.Grant {
	g := directory.Grant{Project: one[directory.ProjectKey](f, "", "", "alpha"), Origin: directory.ByHand}
	switch f.n(6) {
	case 0:
		g.Role = one[directory.RoleName](f, "project-viewer", "project-admin")
	case 1:
		g.Role, g.Project = one[directory.RoleName](f, "releaser", "auditor", "owner"), ""
	case 2:
		g.Privilege = directory.Privilege{Kind: directory.RolePrivilege, Key: one(f, "part-list:edit", "record:*:read", "record:r1:read")}
	case 3:
		g.Privilege = directory.Privilege{Kind: directory.IntegrationLevel, Key: one(f, "aws-prod", "*"), Level: one(f, directory.Viewer, directory.Admin)}
	default:
		g.Privilege = directory.Privilege{Kind: directory.Access, Key: one(f, "part-list", "drawings")}
	}
	if f.n(2) == 0 {
		g.User = one(f, f.users...)
	} else {
		g.Group = one(f, f.groups...)
	}
	return g
}

func (f *fate) profile() directory.Profile {
	return directory.Profile{
		UserName: "user" + strconv.Itoa(f.n(1_000_000)), ExternalID: one(f, "", "x1", "x2", "x3"), Active: f.n(3) > 0,
		Type: one(f, directory.Standard, directory.Standard, directory.Service),
	}
}

func (f *fate) values() (out []string) {
	for range 1 + f.n(3) {
		out = append(out, one(f, string(one(f, f.users...)), string(one(f, f.groups...)), "x1", "x2", "x3"))
	}
	return out
}

// policyText is a mutation of the policy.
func (f *fate) policyText() string {
	mapping := func(name string) string {
		when := one(f, "name: g1", `pattern: "g*"`, `id: x2`, "name: g2")
		grant := one(f, "access: [part-list]", "roles: [releaser]", "project: alpha, access: [drawings], role: [\"part-list:edit\"]", "output: [cut-list-pdf]", "roles: [auditor]")
		return fmt.Sprintf("  - {name: %s, when: {source: %s, group: {%s}}, allow_admin: true, grant: {%s}}\n", name, one(f, "okta", "local", "corp"), when, grant)
	}
	switch f.n(4) {
	case 0:
		return "default_role: " + one(f, "viewer", "releaser", "project-none") + "\n"
	case 1:
		return "roles: [{name: releaser, rights: [" + one(f, "integrations.view_all", "audit.read", "integrations.use_all") + "], access: [" + one(f, "drawings", "part-list") + "]}]\n"
	}
	return "mappings:\n" + mapping("m1") + mapping("m2")
}

func (f *fate) change() directory.Change {
	user, group := one(f, f.users...), one(f, f.groups...)
	switch f.n(18) {
	case 0:
		id, source := directory.UserID(directory.NewID()), one[directory.SourceName](f, "okta", "corp", directory.Local)
		f.users, f.of[string(id)] = append(f.users, id), source
		return directory.CreateUser{ID: id, Source: source, Profile: f.profile()}
	case 1:
		id, source := directory.GroupID(directory.NewID()), one[directory.SourceName](f, "okta", "corp", directory.Local)
		f.groups, f.of[string(id)] = append(f.groups, id), source
		return directory.CreateGroup{ID: id, Source: source, Name: one(f, "g1", "g2", "g3"), ExternalID: one(f, "", "x1", "x2", "x3")}
	case 2:
		return directory.ReplaceUser{ID: user, Source: f.of[string(user)], Profile: f.profile()}
	case 3:
		return directory.DeleteUser{ID: user, Source: f.of[string(user)]}
	case 4:
		return directory.SetPresence{ID: user, Source: f.of[string(user)], Presence: one(f, directory.Present, directory.Gone)}
	case 5:
		return directory.SetBlock{User: user, Blocked: f.n(2) == 0}
	case 6:
		return directory.UpdateGroup{ID: group, Source: f.of[string(group)], Name: new(one(f, "g1", "g2", "g3"))}
	case 7:
		return directory.DeleteGroup{ID: group, Source: f.of[string(group)]}
	case 8:
		return directory.SetGroupStatus{Group: group, Status: one(f, directory.GroupActive, directory.GroupBlocked)}
	case 9:
		return directory.SetGroupScope{Group: group, Project: one[directory.ProjectKey](f, "", "alpha", "beta")}
	case 10:
		return directory.AddMembers{Group: group, Source: f.of[string(group)], Values: f.values()}
	case 11:
		return directory.RemoveMembers{Group: group, Source: f.of[string(group)], Values: f.values()}
	case 12:
		return directory.ReplaceMembers{Group: group, Source: f.of[string(group)], Values: f.values()}
	case 13:
		return directory.EndGrant{Grant: f.grant()}
	case 14:
		if f.n(2) == 0 {
			return directory.EndOverride{User: user, Project: one[directory.ProjectKey](f, "", "alpha")}
		}
		return directory.SetOverride{User: user, Project: one[directory.ProjectKey](f, "", "alpha"), Grants: []directory.GrantSet{
			{Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}},
		}}
	case 15:
		source := one[directory.SourceName](f, "okta", "corp")
		if f.n(4) == 0 {
			return directory.RemoveSource{Source: source, KeepPeople: f.n(2) == 0}
		}
		return directory.SetSourceState{Source: source, State: one(f, directory.SourceActive, directory.SourceDisabled)}
	}
	return directory.PutGrant{Grant: f.grant()}
}

// state is everything that decisions depend on.
func (w *world) state(t *rapid.T) (*authz.Snapshot, []directory.Subject) {
	facts, err := w.store.Facts(w.t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	people, err := w.store.Subjects(w.t.Context(), directory.People{Everyone: true}, facts.At)
	if err != nil {
		t.Fatal(err)
	}
	return authz.Compile(facts), people
}

// pairs are people as they were and as they are.
func pairs(old, now []directory.Subject) iter.Seq2[directory.Subject, directory.Subject] {
	return func(yield func(directory.Subject, directory.Subject) bool) {
		both := map[directory.UserID][2]directory.Subject{}
		for side, list := range [][]directory.Subject{old, now} {
			for _, sub := range list {
				p := both[sub.ID]
				p[side] = sub
				both[sub.ID] = p
			}
		}
		for _, p := range both {
			if !yield(p[0], p[1]) {
				return
			}
		}
	}
}

// TestAPreviewIsWhatHappens previews random changes, performs them and measures
// what became different by deciding everything for everybody.
func TestAPreviewIsWhatHappens(t *testing.T) {
	base := newWorld(t)
	base.policy(fateCatalogue)
	altered, refused, round := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		if round++; raceEnabled && round > 20 {
			return // everything is several times slower, and races show in few rounds
		}
		f := &fate{T: rt, w: base, of: map[string]directory.SourceName{}}
		f.begin(round)
		for range 2 {
			old, were := base.state(rt)
			var changes []directory.Change
			if f.n(5) == 0 {
				file, err := authz.Parse("p", []byte("apiVersion: usherd/v1\n"+f.policyText()))
				if err != nil {
					rt.Fatal(err)
				}
				changes = append(changes, directory.SetPolicy{Policy: file.Policy, Sections: file.Sections})
			}
			for range 1 + f.n(3) {
				changes = append(changes, f.change())
			}
			got, perr := base.Preview(t.Context(), changes...)
			if now, _ := base.state(rt); now.At() != old.At() {
				rt.Fatalf("a preview moved the revision from %v to %v", old.At(), now.At())
			}
			_, aerr := base.store.Apply(t.Context(), by, changes...)
			if aerr != nil {
				if perr == nil && len(got.Refused) == 0 {
					rt.Fatalf("Preview(%+v) refuses nothing; Apply = %v", changes, aerr)
				}
				refused++
				continue
			}
			if perr != nil {
				rt.Fatalf("Preview(%+v) = %v, and Apply succeeds", changes, perr)
			}
			now, are := base.state(rt)
			want := authz.DiffPairs(old, now, pairs(were, are))
			if len(want.Shifts) > 0 {
				altered++
			}
			ignore := cmp.Options{
				cmpopts.IgnoreFields(authz.Shift{}, "WhyGains", "WhyLoses"), cmpopts.IgnoreFields(authz.Total{}, "Causes"), cmpopts.EquateEmpty(),
			}
			if diff := cmp.Diff(want, got, ignore); diff != "" {
				rt.Fatalf("%+v (-measured +previewed):\n%s", changes, diff)
			}
		}
	})
	if !raceEnabled && (altered < 20 || refused < 5) {
		t.Errorf("%d changes altered what people hold, %d were refused: too few to tell", altered, refused)
	}
}

// begin makes the sources and a few people and groups of each.
func (f *fate) begin(round int) {
	changes := []directory.Change{}
	for _, source := range []directory.SourceName{"okta", "corp"} {
		kind := map[directory.SourceName]directory.SourceKind{"okta": directory.KindSCIM, "corp": directory.KindLDAP}[source]
		changes = append(changes, directory.PutSource{Source: directory.Source{Name: source, Kind: kind}})
	}
	for i, source := range []directory.SourceName{"okta", "corp", directory.Local, "okta", directory.Local} {
		user, group := directory.UserID(directory.NewID()), directory.GroupID(directory.NewID())
		f.users, f.groups = append(f.users, user), append(f.groups, group)
		f.of[string(user)], f.of[string(group)] = source, source
		changes = append(changes,
			directory.CreateUser{ID: user, Source: source, Profile: directory.Profile{UserName: fmt.Sprint("first", round, "-", i), Active: true}},
			directory.CreateGroup{ID: group, Source: source, Name: fmt.Sprint("first", round, "-", i)},
			directory.AddMembers{Group: group, Source: source, Values: []string{string(user)}},
		)
	}
	if _, err := f.w.store.Apply(f.w.t.Context(), by, changes...); err != nil {
		f.Fatal(err)
	}
}

func TestAPreviewListsSomePeopleAndCountsAll(t *testing.T) {
	w := newWorld(t)
	w.policy(fateCatalogue)
	var ids []directory.UserID
	for i := range 7 {
		ids = append(ids, w.user(fmt.Sprint("user", i)))
	}
	group := w.group("g", ids...)
	grant := directory.PutGrant{Grant: directory.Grant{Group: group, Role: directory.RoleAuditor, Origin: directory.ByHand}}
	access := directory.PutGrant{Grant: directory.Grant{Group: group, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand}}
	slices.Sort(ids)
	d, err := w.PreviewPage(t.Context(), admin.PeopleList{Limit: 2, After: ids[2]}, grant, access)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Shifts) != 2 || d.Shifts[0].User != ids[3] || d.More != 2 || d.People != 7 || len(d.Administrators) != 7 {
		t.Errorf("Preview lists %d people from %s, %d more, of %d, and %d administrators", len(d.Shifts), d.Shifts[0].User, d.More, d.People, len(d.Administrators))
	}
	if !d.GivesRights() || d.Totals[0].Right != directory.AuditRead || d.Totals[0].Causes[0].Text != "grant of Role auditor to group local/g" {
		t.Errorf("Totals = %+v, want the administration right first, with its cause", d.Totals)
	}
	seats := []authz.SeatShift{{Feature: "part-list", Monthly: "4.00", Currency: "EUR", After: 7, Delta: 7, Total: true}}
	money := []authz.Money{{Currency: "EUR", Before: "0.00", After: "28.00", Delta: "+28.00", Total: true}}
	if diff := cmp.Diff(seats, d.Seats) + cmp.Diff(money, d.Money); diff != "" {
		t.Errorf("seats and money (-want +got):\n%s", diff)
	}
}
