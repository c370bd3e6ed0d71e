package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// crews is a world in which everybody has handbook by a group that hr owns,
// drawing by a local group, both organization-wide and in alpha, and ann has
// own grants, too. Dora and ed belong to hr.
func crews(t *testing.T) (*world, map[string]directory.UserID) {
	t.Helper()
	w, ids := rows(t)
	owned := directory.GroupID(directory.NewID())
	members := []string{}
	for _, who := range []string{"dora", "ed"} {
		members = append(members, string(ids[who]))
	}
	w.apply(
		directory.CreateGroup{ID: owned, Source: "hr", Name: "Owned"},
		directory.AddMembers{Group: owned, Source: "hr", Values: members},
	)
	for _, project := range []directory.ProjectKey{"", "alpha"} {
		must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, string(owned), admin.GrantSpec{Project: project, Access: []string{"handbook"}}))
		w.made(admin.NewGroup{
			Name: "Local" + string(project), Project: project, Members: []string{"ann", "ben", "dora"}, Grants: []admin.GrantSpec{{Access: []string{"drawing"}}},
		})
		must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "ann", admin.GrantSpec{Project: project, Output: []string{"cut-list"}, Access: []string{"part-list"}}))
	}
	return w, ids
}

// everything is what somebody has organization-wide and in the projects, of the
// paths that are limited to these.
func (w *world) everything(who string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, project := range []directory.ProjectKey{"", "alpha", "beta"} {
		p, err := w.Permissions(w.t.Context(), who, project)
		if err != nil {
			w.t.Fatal(err)
		}
		out[string(project)] = fmt.Sprint(p.Access, p.Output)
	}
	return out
}

func (w *world) wantEverything(what, who, organization, alpha string) {
	w.t.Helper()
	want := map[string]string{"": organization, "alpha": alpha, "beta": organization}
	if diff := cmp.Diff(want, w.everything(who)); diff != "" {
		w.t.Errorf("%s: %s has (-want +got)\n%s", what, who, diff)
	}
}

func (w *world) override(n admin.NewOverride) admin.MadeOverride {
	w.t.Helper()
	made, err := w.SetOverride(w.t.Context(), by, n)
	if err != nil {
		w.t.Fatalf("SetOverride(%+v) = %v", n, err)
	}
	return made
}

func TestOverrideReplacesInTheOrganization(t *testing.T) {
	for _, group := range []string{"", "Night crew"} {
		t.Run("new group "+group, func(t *testing.T) {
			w, _ := crews(t)
			w.wantEverything("before", "ann", "[part-list drawing] [cut-list]", "[part-list drawing] [cut-list]")
			w.wantEverything("before", "dora", "[drawing handbook] []", "[drawing handbook] []")
			w.override(admin.NewOverride{Users: []string{"ann", "dora", "ed"}, NewGroup: group, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
			// what is limited to alpha stays there: the edit is of the organization
			w.wantEverything("after", "ann", "[part-list] []", "[part-list drawing] [cut-list]")
			w.wantEverything("after", "dora", "[part-list] []", "[part-list drawing handbook] []")
			w.wantEverything("after", "ed", "[part-list] []", "[part-list handbook] []")
			w.wantEverything("somebody else", "ben", "[drawing] []", "[drawing] []")
		})
	}
}

func TestOverrideReplacesInOneProject(t *testing.T) {
	for _, group := range []string{"", "Night crew"} {
		t.Run("new group "+group, func(t *testing.T) {
			w, _ := crews(t)
			w.override(admin.NewOverride{Users: []string{"ann", "dora"}, Project: "alpha", NewGroup: group, Grants: []admin.GrantSpec{{Output: []string{"cut-list"}, Access: []string{"part-list"}}}})
			// organization-wide paths count in alpha as before: they are of another scope
			w.wantEverything("after", "ann", "[part-list drawing] [cut-list]", "[part-list drawing] [cut-list]")
			w.wantEverything("after", "dora", "[drawing handbook] []", "[part-list drawing handbook] [cut-list]")
		})
	}
}

func TestOverrideEverywhere(t *testing.T) {
	w, _ := crews(t)
	for _, scope := range []directory.ProjectKey{"", "alpha", "beta"} { // one override per scope
		w.override(admin.NewOverride{Users: []string{"ann", "dora"}, Project: scope, Grants: []admin.GrantSpec{}})
	}
	w.wantEverything("nothing everywhere", "ann", "[] []", "[] []")
	w.wantEverything("nothing everywhere", "dora", "[] []", "[] []")
	w.wantEverything("somebody else", "ben", "[drawing] []", "[drawing] []")
}

func TestOverrideHidesWhatComesLater(t *testing.T) {
	w, ids := crews(t)
	later := directory.GroupID(directory.NewID())
	w.apply(directory.CreateGroup{ID: later, Source: "hr", Name: "Later"})
	must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, string(later), admin.GrantSpec{Access: []string{"part-list"}}))
	w.override(admin.NewOverride{Users: []string{"dora"}, Grants: []admin.GrantSpec{{Output: []string{"cut-list"}}}})
	w.apply(directory.AddMembers{Group: later, Source: "hr", Values: []string{string(ids["dora"])}})
	w.wantEverything("a later membership of the directory is hidden", "dora", "[] []", "[drawing handbook] []")
	local := string(w.made(admin.NewGroup{Name: "Another", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}}))
	must[admin.Outcome](t)(w.AddMembers(t.Context(), by, local, []string{"dora"}))
	w.wantEverything("a later local one counts", "dora", "[part-list] [cut-list]", "[part-list drawing handbook] [cut-list]")
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "dora", admin.GrantSpec{Access: []string{"handbook"}}))
	w.wantEverything("so does a later own grant", "dora", "[part-list handbook] [cut-list]", "[part-list drawing handbook] [cut-list]")
}

// In a project a membership of an organization-wide group can't be taken away,
// so that what it gives in the project is hidden, also if it is local.
func TestOverrideOfAProjectHidesOrganizationWideGroups(t *testing.T) {
	w, _ := rows(t)
	id := string(w.made(admin.NewGroup{Name: "Wide", Members: []string{"ann"}}))
	must[admin.Outcome](t)(w.GrantToGroup(t.Context(), by, id, admin.GrantSpec{Project: "alpha", Access: []string{"drawing"}}))
	w.wantEverything("before", "ann", "[] []", "[drawing] []")
	w.override(admin.NewOverride{Users: []string{"ann"}, Project: "alpha", Grants: []admin.GrantSpec{{Access: []string{"handbook"}}}})
	w.wantEverything("after", "ann", "[] []", "[handbook] []")
	if page := must[admin.UserPage](t)(w.User(t.Context(), "ann")); len(page.Groups) != 1 {
		t.Errorf("ann is in %v, want the organization-wide group as before", page.Groups)
	}
	must[admin.Outcome](t)(w.EndOverride(t.Context(), by, "ann", "alpha"))
	w.wantEverything("ended", "ann", "[] []", "[drawing] []")
}

func TestFollowTheDirectoryAgain(t *testing.T) {
	for _, group := range []string{"", "Night crew"} {
		t.Run("new group "+group, func(t *testing.T) {
			w, ids := crews(t)
			made := w.override(admin.NewOverride{Users: []string{"ann", "dora", "ed"}, NewGroup: group, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
			// the preview of the end shows what comes back
			d, err := w.Preview(t.Context(), directory.EndOverride{User: ids["ed"]})
			if err != nil || len(d.Shifts) != 1 || len(d.Shifts[0].Gains) == 0 || len(d.Shifts[0].Loses) == 0 {
				t.Errorf("Preview(EndOverride) = %+v, %v; want handbook for part-list", d.Shifts, err)
			}
			for _, who := range []string{"ann", "dora", "ed"} {
				must[admin.Outcome](t)(w.EndOverride(t.Context(), by, who, ""))
				_, err := w.EndOverride(t.Context(), by, who, "")
				wantErr(t, "ending twice", err, directory.ErrNotFound)
			}
			w.wantEverything("ed", "ed", "[handbook] []", "[handbook] []")
			w.wantEverything("what was removed does not come back", "ann", "[] []", "[part-list drawing] [cut-list]")
			w.wantEverything("what was hidden does", "dora", "[handbook] []", "[drawing handbook] []")
			if made.Group != "" {
				if page := must[admin.GroupPage](t)(w.Group(t.Context(), string(made.Group), 10)); len(page.Members) != 0 {
					t.Errorf("the new group still holds %v", page.Members)
				}
			}
		})
	}
}

func TestOverridesEndEverywhereAtOnce(t *testing.T) {
	w, ids := crews(t)
	set := func() {
		w.override(admin.NewOverride{Users: []string{"dora"}, Everywhere: true, Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
		w.wantEverything("replaced", "dora", "[part-list] []", "[part-list] []")
	}
	set()
	out := must[admin.Outcome](t)(w.EndOverrides(t.Context(), by, "dora"))
	w.wantEverything("ended", "dora", "[handbook] []", "[handbook] []")
	record := must[directory.AuditRecord](t)(w.AuditRecord(t.Context(), out.Revision))
	if got := strings.Count(string(record.Changes), `"override.ended"`); got != 3 {
		t.Errorf("the record of the end has %d ends, want those of the organization and of two projects: %s", got, record.Changes)
	}
	_, err := w.EndOverrides(t.Context(), by, "dora")
	wantErr(t, "ending twice", err, directory.ErrNotFound)

	set()
	w.apply(directory.PutGrant{Grant: directory.Grant{User: ids["ben"], Role: "project-admin", Project: "alpha", Origin: directory.ByHand, By: "test"}})
	_, err = w.EndOverrides(t.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(ids["ben"])}, "dora")
	wantErr(t, "by who has no right over the organization", err, admin.ErrForbidden)
	w.wantEverything("still replaced", "dora", "[part-list] []", "[part-list] []")
}

// An override outranks neither a block nor a directory that says inactive.
func TestOverrideOutranksNothing(t *testing.T) {
	w, ids := crews(t)
	made := w.override(admin.NewOverride{Users: []string{"dora", "ed"}, NewGroup: "Night crew", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	must[admin.Outcome](t)(w.SetBlock(t.Context(), by, "dora", true, ""))
	w.wantEverything("blocked", "dora", "[] []", "[] []")
	w.apply(directory.ReplaceUser{ID: ids["ed"], Source: "hr", Profile: directory.Profile{UserName: "ed", ExternalID: "e-5"}})
	w.wantEverything("inactive in the directory", "ed", "[] []", "[] []")
	w.apply(directory.ReplaceUser{ID: ids["ed"], Source: "hr", Profile: directory.Profile{UserName: "ed", ExternalID: "e-5", Active: true}})
	must[admin.Outcome](t)(w.SetGroupStatus(t.Context(), by, string(made.Group), directory.GroupBlocked))
	w.wantEverything("the new group is blocked", "ed", "[] []", "[handbook] []")
}

func TestAnOverrideIsShown(t *testing.T) {
	w, ids := crews(t)
	w.override(admin.NewOverride{Users: []string{"ann", "dora"}, Project: "alpha", NewGroup: "Night crew", Reason: "night shift", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	list := must[[]directory.Override](t)(w.Overrides(t.Context(), ""))
	if len(list) != 2 {
		t.Fatalf("Overrides = %+v, want 2", list)
	}
	for _, o := range list {
		if o.Project != "alpha" || o.Reason != "night shift" || o.By == "" || o.Created.IsZero() || o.Group == "" {
			t.Errorf("an override is shown as %+v, want who, when and why", o)
		}
	}
	// what it hides is shown by explain
	q := admin.Question{User: "ed", Action: "access"}
	q.Resource.Type, q.Resource.ID = "feature", "handbook"
	w.override(admin.NewOverride{Users: []string{"ed"}, Grants: []admin.GrantSpec{}})
	e := must[admin.Explained](t)(w.Explain(t.Context(), q))
	hides := func(p authz.Path) bool { return p.Code == authz.HiddenByOverride }
	if e.Answer.Decision || len(e.Parts) == 0 || !slices.ContainsFunc(e.Parts[0].Misses, hides) {
		t.Errorf("Explain = %+v, want the path that the override hides", e.Answer)
	}
	users := must[admin.Listing[admin.ListedUser]](t)(w.Users(t.Context(), admin.UserFilter{Sort: "userName"}))
	for _, u := range users.Items {
		if want := slices.Contains([]string{"ann", "dora", "ed"}, u.UserName); u.Overridden != want {
			t.Errorf("%s (%s) is shown as overridden: %t, want %t", u.UserName, ids[u.UserName], u.Overridden, want)
		}
	}
}

func TestOverrideRefuses(t *testing.T) {
	w, ids := crews(t)
	must[admin.Outcome](t)(w.GrantToUser(t.Context(), by, "ben", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}}))
	grants := []admin.GrantSpec{{Access: []string{"part-list"}}}
	ben := directory.Actor{Kind: directory.ActorUser, Name: string(ids["ben"])}
	for _, tt := range []struct {
		name string
		by   directory.Actor
		n    admin.NewOverride
		want error
	}{
		{"nobody selected", by, admin.NewOverride{Grants: grants}, directory.ErrInvalid},
		{"somebody unknown, and then nothing is done", by, admin.NewOverride{Users: []string{"ann", "nobody"}, Grants: grants}, directory.ErrNotFound},
		{"an unknown project", by, admin.NewOverride{Users: []string{"ann"}, Project: "gamma", Grants: grants}, directory.ErrInvalid},
		{"a grant of another scope", by, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", Grants: []admin.GrantSpec{{Project: "beta", Access: []string{"part-list"}}}}, directory.ErrInvalid},
		{"an organization Role in a project", by, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", Grants: []admin.GrantSpec{{Roles: []directory.RoleName{"viewer"}}}}, directory.ErrInvalid},
		{"a name that is taken", by, admin.NewOverride{Users: []string{"ann"}, NewGroup: "Local", Grants: grants}, directory.ErrExists},
		{"another project, by a project administrator", ben, admin.NewOverride{Users: []string{"ann"}, Project: "beta", Grants: grants}, admin.ErrForbidden},
		{"the organization, by a project administrator", ben, admin.NewOverride{Users: []string{"ann"}, Grants: grants}, admin.ErrForbidden},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.SetOverride(t.Context(), tt.by, tt.n)
			wantErr(t, "SetOverride", err, tt.want)
			if list := must[[]directory.Override](t)(w.Overrides(t.Context(), "")); len(list) != 0 {
				t.Errorf("refused, and yet there are %+v", list)
			}
		})
	}
	if _, err := w.SetOverride(t.Context(), ben, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", Grants: grants}); err != nil {
		t.Errorf("a project administrator in the own project: %v", err)
	}
}

// Setting it again replaces what the first one brought.
func TestOverrideTwice(t *testing.T) {
	w, _ := crews(t)
	first := w.override(admin.NewOverride{Users: []string{"ed"}, NewGroup: "First", Grants: []admin.GrantSpec{{Access: []string{"part-list"}}}})
	w.wantEverything("first", "ed", "[part-list] []", "[part-list handbook] []")
	w.override(admin.NewOverride{Users: []string{"ed"}, Grants: []admin.GrantSpec{{Access: []string{"drawing"}}}})
	w.wantEverything("second", "ed", "[drawing] []", "[drawing handbook] []")
	if page := must[admin.GroupPage](t)(w.Group(t.Context(), string(first.Group), 10)); len(page.Members) != 0 {
		t.Errorf("ed is still in the first group: %v", page.Members)
	}
	must[admin.Outcome](t)(w.EndOverride(t.Context(), by, "ed", ""))
	w.wantEverything("ended", "ed", "[handbook] []", "[handbook] []")
}
