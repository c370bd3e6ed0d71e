package admin_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestADisabledMappingGivesNothing(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	w.group("Planners", ann)
	w.policy(catalogue + `
roles: [{name: chief, rights: [users.manage]}]
mappings:
  - {name: planners, when: {source: local, group: {name: Planners}}, grant: {access: [part-list]}}
  - {name: chiefs, allow_admin: true, when: {source: local, group: {pattern: "Plan*"}}, grant: {roles: [chief]}}
`)
	w.group("Planets", w.user("bob")) // waits for a confirmation
	srv := w.server(true)
	set := func(name, body string) answer {
		t.Helper()
		a := call(t, srv, "POST", "/api/v1/mappings/"+name, body)
		if a.status != 200 {
			t.Fatalf("POST %s %s = %d %v", name, body, a.status, a.body)
		}
		return a
	}
	tried := set("planners/state?dry_run=true", `{"enabled":false}`)
	if preview, _ := tried.body["preview"].(map[string]any); preview == nil || preview["losing"] != 1.0 || !w.may("ann", "access", "feature", "part-list") {
		t.Errorf("the preview is %v, want one who loses, and nothing done", tried.body)
	}
	set("planners/state", `{"enabled":false}`)
	set("chiefs/state", `{"enabled":false}`)
	if w.may("ann", "access", "feature", "part-list") {
		t.Error("a disabled mapping gives access")
	}
	if roles := w.rolesOf("ann"); strings.Contains(roles, "chief") {
		t.Errorf("a disabled mapping gives %s", roles)
	}
	w.policy(w.exported()) // a round trip keeps it
	list, err := w.Mappings(t.Context())
	if err != nil || !list[0].Disabled || !list[1].Disabled || !strings.HasPrefix(list[0].Note, "disabled") {
		t.Errorf("Mappings = %+v, %v; want both disabled", list, err)
	}
	if _, err := w.EditMapping(t.Context(), by, admin.MappingSpec{Name: "planners", When: list[0].When, Grant: []admin.GrantSpec{{Access: []string{"part-list"}}}}, 0); err != nil {
		t.Fatal(err)
	}
	if w.may("ann", "access", "feature", "part-list") {
		t.Error("an edit that does not say so enabled the mapping")
	}
	set("planners/state", `{"enabled":true}`)
	set("chiefs/state", `{"enabled":true}`)
	if !w.may("ann", "access", "feature", "part-list") || !strings.Contains(w.rolesOf("ann"), "chief") {
		t.Errorf("enabled again, ann has %s", w.rolesOf("ann"))
	}
	if roles := w.rolesOf("bob"); strings.Contains(roles, "chief") {
		t.Errorf("enabling confirmed a group that waits: bob has %s", roles)
	}
	if a := call(t, srv, "POST", "/api/v1/mappings/planners/state", `{}`); a.status != 400 {
		t.Errorf("neither true nor false = %d %v, want 400", a.status, a.body)
	}
}

// rolesOf are the Roles that somebody holds in the whole organization.
func (w *world) rolesOf(name string) string {
	w.t.Helper()
	sub, err := w.store.Subject(w.t.Context(), directory.SubjectKey{Kind: directory.KeyUserName, Value: name}, directory.Stamp{})
	if err != nil {
		w.t.Fatal(err)
	}
	page, err := w.Users(w.t.Context(), admin.UserFilter{Role: "chief"})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range page.Items {
		if u.ID == sub.ID {
			return "chief"
		}
	}
	return ""
}

// exported is the policy as a file.
func (w *world) exported() string {
	w.t.Helper()
	p, err := w.ExportPolicy(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimPrefix(p.Text, "apiVersion: usherd/v1\n")
}
