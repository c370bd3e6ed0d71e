package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

const catalogue = `
projects: [{key: alpha}, {key: beta}]
features: [{key: part-list, actions: [edit, export], seat: {monthly: 4.00, currency: EUR}}]
outputs: [{key: cut-list-pdf, feature: part-list}]
integrations: [{key: warehouse}]
resources: {record: {actions: [read]}}
`

func TestTokens(t *testing.T) {
	w := newWorld(t)
	src, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	if err != nil {
		t.Fatal(err)
	}
	if want := "https://usherd.example.com/scim/okta/v2"; src.URL != want {
		t.Errorf("AddSource has URL %s, want %s", src.URL, want)
	}
	for _, tt := range []struct {
		name string
		n    admin.NewToken
		want error
	}{
		{"a second token of a source", admin.NewToken{Kind: directory.TokenSCIM, Source: "okta"}, nil},
		{"a third one is refused", admin.NewToken{Kind: directory.TokenSCIM, Source: "okta"}, directory.ErrInUse},
		{"a scim token needs a source", admin.NewToken{Kind: directory.TokenSCIM}, directory.ErrInvalid},
		{"an unknown source", admin.NewToken{Kind: directory.TokenSCIM, Source: "octa"}, directory.ErrNotFound},
		{"a check token", admin.NewToken{Kind: directory.TokenCheck, Name: "shop", Scopes: []string{"search"}}, nil},
		{"a check token needs a name", admin.NewToken{Kind: directory.TokenCheck}, directory.ErrInvalid},
		{"a check token of a source", admin.NewToken{Kind: directory.TokenCheck, Name: "x", Source: "okta"}, directory.ErrInvalid},
		{"an unknown scope", admin.NewToken{Kind: directory.TokenCheck, Name: "x", Scopes: []string{"all"}}, directory.ErrInvalid},
		{"an admin token has no scopes", admin.NewToken{Kind: directory.TokenAdmin, Name: "x", Scopes: []string{"search"}}, directory.ErrInvalid},
		{"an unknown kind", admin.NewToken{Kind: "root", Name: "x"}, directory.ErrInvalid},
		{"one for ever", admin.NewToken{Kind: directory.TokenAdmin, Name: "x", Life: 20 * 365 * 24 * time.Hour}, directory.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, err := w.CreateToken(t.Context(), by, tt.n)
			wantErr(t, "CreateToken", err, tt.want)
			if err != nil {
				return
			}
			kind, id, _, err := directory.ParseToken(made.Token)
			if err != nil || kind != tt.n.Kind || id != made.ID {
				t.Errorf("the token reads as %s %s, %v; want %s %s", kind, id, err, tt.n.Kind, made.ID)
			}
			if life := made.Expires.Sub(w.now); life > admin.DefaultTokenLife || life < admin.DefaultTokenLife-time.Second {
				t.Errorf("the token lives for %v, want %v", life, admin.DefaultTokenLife)
			}
		})
	}
	list, err := w.Tokens(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("Tokens = %v, %v; want 3", list, err)
	}
	if _, err := w.RevokeToken(t.Context(), by, list[0].ID); err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(2 * admin.DefaultTokenLife)
	list, err = w.Tokens(t.Context())
	if err != nil || list[0].State != "revoked" || list[1].State != "expired" {
		t.Errorf("Tokens = %v, %v; want one revoked and one expired", list, err)
	}
}

func TestNames(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	id := w.user("ann@example.com")
	w.apply(directory.ReplaceUser{ID: id, Source: directory.Local, Profile: directory.Profile{
		UserName: "ann@example.com", ExternalID: "e1", Active: true, Emails: []directory.Email{{Value: "Ann@Example.org"}},
	}})
	other := w.user("ben")
	w.apply(directory.ReplaceUser{ID: other, Source: directory.Local, Profile: directory.Profile{
		UserName: "ben", Active: true, Emails: []directory.Email{{Value: "shared@example.org"}},
	}})
	third := w.user("cleo")
	w.apply(directory.ReplaceUser{ID: third, Source: directory.Local, Profile: directory.Profile{
		UserName: "cleo", Active: true, Emails: []directory.Email{{Value: "shared@example.org"}},
	}})
	for name, want := range map[string]error{
		string(id): nil, strings.ToUpper(string(id)): nil, "ANN@example.com": nil, "email:ann@example.org": nil,
		"external:local/e1": nil, "nobody": directory.ErrNotFound, "email:nobody@example.org": directory.ErrNotFound,
		"email:shared@example.org": directory.ErrInvalid, "external:e1": directory.ErrInvalid, "": directory.ErrInvalid,
		"01900000-0000-7000-8000-000000000000": directory.ErrNotFound,
	} {
		page, err := w.User(t.Context(), name)
		wantErr(t, "User("+name+")", err, want)
		if err == nil && page.ID != id {
			t.Errorf("User(%s) is %s, want %s", name, page.ID, id)
		}
	}
	group := w.group("Engineering")
	w.apply(directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: "Twice"},
		directory.CreateGroup{ID: directory.GroupID(directory.NewID()), Source: directory.Local, Name: "twice", Project: "alpha"})
	for name, want := range map[string]error{
		string(group): nil, "local/engineering": nil, "local/Nowhere": directory.ErrNotFound, "Engineering": directory.ErrInvalid,
		"octa/Engineering": directory.ErrNotFound, "local/Twice": directory.ErrInvalid, "local/": directory.ErrInvalid,
	} {
		page, err := w.Group(t.Context(), name, 10)
		wantErr(t, "Group("+name+")", err, want)
		if err == nil && page.ID != group {
			t.Errorf("Group(%s) is %s, want %s", name, page.ID, group)
		}
	}
	_, err := w.Group(t.Context(), "local/twice", 10)
	if err == nil || strings.Count(err.Error(), "\n") != 2 || !strings.Contains(err.Error(), "project alpha") {
		t.Errorf("Group(local/twice) = %v, want both listed with their projects", err)
	}
}

func TestGrantsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	w.user("ann")
	for _, tt := range []struct {
		name string
		spec admin.GrantSpec
		want string // in the error; empty: it is granted
	}{
		{"access to a feature", admin.GrantSpec{Access: []string{"part-list"}}, ""},
		{"all kinds at once", admin.GrantSpec{
			Project: "alpha", Roles: []directory.RoleName{"project-admin"}, Access: []string{"part-list"},
			Role: []string{"part-list:edit", "record:*:read", "record:a:b:read"}, Output: []string{"cut-list-pdf"}, Integration: map[string]string{"*": "viewer"},
		}, ""},
		{"nothing", admin.GrantSpec{}, "say what to grant"},
		{"an unknown feature", admin.GrantSpec{Access: []string{"part-lst"}}, `did you mean "part-list"`},
		{"an unknown action", admin.GrantSpec{Role: []string{"part-list:edt"}}, `did you mean "edit"`},
		{"an unknown type", admin.GrantSpec{Role: []string{"machine:1:read"}}, "no resource type"},
		{"no privilege at all", admin.GrantSpec{Role: []string{"edit"}}, "FEATURE:ACTION"},
		{"an unknown output", admin.GrantSpec{Output: []string{"x"}}, "no output"},
		{"an unknown connection", admin.GrantSpec{Integration: map[string]string{"x": "viewer"}}, "no integration"},
		{"an unknown level", admin.GrantSpec{Integration: map[string]string{"warehouse": "boss"}}, "none, viewer, consumer, admin"},
		{"an unknown Role", admin.GrantSpec{Roles: []directory.RoleName{"ownr"}}, `did you mean "owner"`},
		{"an organization Role in a project", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"collaborator"}}, "organization-wide only"},
		{"an unknown project", admin.GrantSpec{Project: "alpa", Access: []string{"part-list"}}, `did you mean "alpha"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.GrantToUser(t.Context(), by, "ann", tt.spec)
			if tt.want == "" {
				wantErr(t, "GrantToUser", err, nil)
				return
			}
			wantErr(t, "GrantToUser", err, directory.ErrInvalid)
			if err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("GrantToUser = %v, want it to say %s", err, tt.want)
			}
		})
	}
	_, err := w.RevokeFromUser(t.Context(), by, "ann", admin.GrantSpec{Access: []string{"drawing"}})
	wantErr(t, "revoking what was never granted", err, directory.ErrNotFound)
}

func TestPolicyPlan(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	ann, ben := w.user("ann"), w.user("ben")
	w.group("Engineering", ann)
	w.group("Workshop", ben)
	w.policy(`mappings:
  - {name: engineers, when: {source: local, group: {name: Engineering}}, grant: {access: [part-list]}}
`)
	if !w.may("ann", "access", "feature", "part-list") || w.may("ben", "access", "feature", "part-list") {
		t.Fatal("the mapping does not give what it says")
	}
	plan, err := w.PlanPolicy(t.Context(), admin.PolicyFile{Name: "p", Text: `apiVersion: usherd/v1
mappings:
  - {name: workshop, when: {source: local, group: {name: Workshop}}, grant: {access: [part-list], role: ["part-list:edit"]}}
`})
	if err != nil {
		t.Fatal(err)
	}
	wantChanges := []admin.PlannedChange{
		{Section: directory.SectionMappings, Change: "added", Key: "workshop"},
		{Section: directory.SectionMappings, Change: "removed", Key: "engineers"},
	}
	if diff := cmp.Diff(wantChanges, plan.Changes); diff != "" {
		t.Errorf("PlanPolicy has changes (-want +got)\n%s", diff)
	}
	got := map[string][2]string{}
	for _, p := range plan.People {
		got[p.UserName] = [2]string{strings.Join(p.Gains, ","), strings.Join(p.Loses, ",")}
	}
	want := map[string][2]string{"ann": {"", "access part-list"}, "ben": {"access part-list,role part-list:edit", ""}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("PlanPolicy has people (-want +got)\n%s", diff)
	}
	if len(plan.Seats) != 1 || plan.Seats[0].Before != 1 || plan.Seats[0].After != 1 || plan.Raises {
		t.Errorf("PlanPolicy has seats %v, raises %t; want one before and after", plan.Seats, plan.Raises)
	}
	if !w.may("ann", "access", "feature", "part-list") {
		t.Error("a plan changed something")
	}
}

func TestAStalePlanIsRefused(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	plan, err := w.PlanPolicy(t.Context(), admin.PolicyFile{Text: "apiVersion: usherd/v1\nmappings: []\n"})
	if err != nil {
		t.Fatal(err)
	}
	w.policy("projects: [{key: alpha}, {key: beta}, {key: gamma}]\n")
	_, err = w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: "apiVersion: usherd/v1\nmappings: []\n", IfRevision: plan.Revision})
	wantErr(t, "ApplyPolicy", err, admin.ErrStale)
}

func TestPreviewOfOneUser(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	ann := w.user("ann")
	group := w.group("Engineering", ann)
	if _, err := w.GrantToGroup(t.Context(), by, string(group), admin.GrantSpec{Access: []string{"part-list"}}); err != nil {
		t.Fatal(err)
	}
	made := directory.UserID(directory.NewID())
	for _, tt := range []struct {
		name    string
		changes []directory.Change
		gains   int
		loses   int
	}{
		{"blocked", []directory.Change{directory.SetBlock{User: ann, Blocked: true}}, 0, 1},
		{"gone", []directory.Change{directory.SetPresence{ID: ann, Source: directory.Local, Presence: directory.Gone}}, 0, 1},
		{"taken out", []directory.Change{directory.RemoveMembers{Group: group, Source: directory.Local, Values: []string{string(ann)}}}, 0, 1},
		{"nobody left in it", []directory.Change{directory.ReplaceMembers{Group: group, Source: directory.Local}}, 0, 1},
		{"the group is blocked", []directory.Change{directory.SetGroupStatus{Group: group, Status: directory.GroupBlocked}}, 0, 1},
		{"the group is deleted", []directory.Change{directory.DeleteGroup{ID: group, Source: directory.Local}}, 0, 1},
		{"the group is limited to a project", []directory.Change{directory.SetGroupScope{Group: group, Project: "alpha"}}, 0, 1},
		{"granted besides", []directory.Change{directory.PutGrant{Grant: directory.Grant{User: ann, Privilege: directory.Privilege{Kind: directory.OutputPrivilege, Key: "cut-list-pdf"}}}}, 1, 0},
		{"somebody new", []directory.Change{
			directory.CreateUser{ID: made, Source: directory.Local, Profile: directory.Profile{UserName: "new", Active: true}},
			directory.AddMembers{Group: group, Source: directory.Local, Values: []string{string(made)}},
		}, 1, 0},
		{"what is so already", []directory.Change{directory.AddMembers{Group: group, Source: directory.Local, Values: []string{string(ann)}}}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := w.Preview(t.Context(), tt.changes...)
			if err != nil {
				t.Fatal(err)
			}
			gains, loses := 0, 0
			for _, s := range d.Shifts {
				gains, loses = gains+len(s.Gains), loses+len(s.Loses)
			}
			if gains != tt.gains || loses != tt.loses {
				t.Errorf("Preview = %+v, want %d gained and %d lost", d.Shifts, tt.gains, tt.loses)
			}
		})
	}
}

func TestSettingsOfASource(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[directory.SourceName]error{
		"okta": nil, "": directory.ErrInvalid, "Okta": directory.ErrInvalid, "local": directory.ErrInvalid, "a b": directory.ErrInvalid, "-a": directory.ErrInvalid,
	} {
		_, err := w.AddSource(t.Context(), by, admin.NewSource{Name: name, Kind: directory.KindSCIM})
		wantErr(t, "AddSource("+string(name)+")", err, want)
	}
	_, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	wantErr(t, "AddSource(okta) again", err, directory.ErrExists)
	_, err = w.RemoveSource(t.Context(), by, "okta", admin.Removal{})
	wantErr(t, "RemoveSource of an active source", err, directory.ErrInUse)
	_, err = w.RunSync(t.Context(), by, "okta")
	wantErr(t, "RunSync of a scim source", err, directory.ErrInvalid)
}

func TestAuditVerifies(t *testing.T) {
	w := newWorld(t)
	w.policy(catalogue)
	for _, name := range []string{"ann", "ben", "cleo"} {
		w.user(name)
	}
	v, err := w.VerifyAudit(t.Context())
	if err != nil || !v.OK || v.Records != 4 {
		t.Errorf("VerifyAudit = %+v, %v; want 4 records that hold", v, err)
	}
}
