package admin_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

var update = flag.Bool("update", false, "write testdata/matrix.txt anew; then read what changed")

const matrixPolicy = `
projects: [{key: alpha}, {key: beta}]
features: [{key: part-list, actions: [edit]}]
outputs: [{key: cut-list}]
integrations: [{key: aws}]
resources: {record: {actions: [read]}}
roles: [{name: reader, rights: [directory.read]}, {name: lender, rights: [integrations.create]}, {name: clerk, rights: [users.manage, groups.manage, grants.manage, policy.manage, tokens.manage]}]
mappings:
  - {name: reading, when: {source: local, group: {pattern: "readers*"}}, grant: {roles: [reader]}}
  - {name: plain, when: {source: local, group: {name: Mapped}}, grant: {access: [part-list]}}
  - {name: ruling, when: {source: local, group: {name: Ruled}}, allow_admin: true, grant: {roles: [owner]}}
`

// A principal is who asks, and the column of the matrix.
type principal struct {
	name string
	by   *directory.Actor // nil: nobody
}

// A request is a row of the matrix. %s in path or body is the object.
type request struct{ pattern, object, path, body string }

// matrix is a world in which everybody may ask for everything. Changes are
// tried, not done, so that each question finds the same world.
func matrix(t *testing.T) (*world, []principal) {
	w := newWorld(t)
	w.policy(matrixPolicy)
	ids := map[string]directory.UserID{}
	for _, name := range []string{"owner", "admin", "clerk", "lender", "alpha-admin", "alpha-viewer", "auditor", "operator", "viewer", "nothing", "blocked", "ann", "bea", "boss"} {
		ids[name] = w.user(name)
	}
	for user, role := range map[string]directory.RoleName{
		"owner": "owner", "boss": "owner", "admin": "admin", "clerk": "clerk", "lender": "lender", "auditor": "auditor",
		"operator": "operator", "viewer": "viewer", "blocked": "owner",
	} {
		w.grantUser(user, admin.GrantSpec{Roles: []directory.RoleName{role}})
	}
	w.grantUser("alpha-admin", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-admin"}})
	w.grantUser("alpha-viewer", admin.GrantSpec{Project: "alpha", Roles: []directory.RoleName{"project-viewer"}})
	for _, g := range []struct {
		name    string
		project directory.ProjectKey
		member  string
	}{{"Org", "", "ann"}, {"Alpha", "alpha", "ann"}, {"Beta", "beta", "bea"}, {"Owners", "", "boss"}, {"Mapped", "", "ann"}, {"Ruled", "", "boss"}} {
		id := w.group(g.name, ids[g.member])
		if g.project != "" {
			w.apply(directory.SetGroupScope{Group: id, Project: g.project})
		}
	}
	w.policy(strings.Replace(matrixPolicy, "name: Ruled", "name: Ruled ", 1)) // binds anew
	if _, err := w.GrantToGroup(t.Context(), by, "local/Owners", admin.GrantSpec{Roles: []directory.RoleName{"owner"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM}); err != nil {
		t.Fatal(err)
	}
	w.apply(directory.SetBlock{User: ids["blocked"], Blocked: true})
	token := func(kind directory.TokenKind, source directory.SourceName, role directory.RoleName) *directory.Actor {
		made, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: kind, Name: "t", Source: source, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		return &directory.Actor{Kind: directory.ActorToken, Name: "t", Token: made.ID}
	}
	user := func(name string) *directory.Actor {
		return &directory.Actor{Kind: directory.ActorUser, Name: string(ids[name])}
	}
	return w, []principal{
		{"socket", &by},
		{"owner", user("owner")},
		{"admin", user("admin")},
		{"clerk", user("clerk")},
		{"lender", user("lender")},
		{"al.adm", user("alpha-admin")},
		{"al.vwr", user("alpha-viewer")},
		{"audit", user("auditor")},
		{"oper", user("operator")},
		{"viewer", user("viewer")},
		{"nobdy", user("nothing")},
		{"blockd", user("blocked")},
		{"tok", token(directory.TokenAdmin, "", "")},
		{"tokaud", token(directory.TokenAdmin, "", "auditor")},
		{"tokscm", token(directory.TokenSCIM, "okta", "")},
		{"tokchk", token(directory.TokenCheck, "", "")},
		{"gone", &directory.Actor{Kind: directory.ActorUser, Name: directory.NewID()}},
		{"none", nil},
	}
}

// grantUser grants something that must succeed.
func (w *world) grantUser(name string, spec admin.GrantSpec) {
	w.t.Helper()
	if _, err := w.GrantToUser(w.t.Context(), by, name, spec); err != nil {
		w.t.Fatalf("GrantToUser(%s, %v) = %v", name, spec, err)
	}
}

func requests() []request {
	var out []request
	add := func(pattern, object, path, body string) { out = append(out, request{pattern, object, path, body}) }
	each := func(pattern string, objects []string, body string) {
		for _, o := range objects {
			path := pattern[strings.IndexByte(pattern, ' ')+1:]
			path = strings.NewReplacer("{user}", o, "{group}", "local%2F"+o).Replace(path)
			add(pattern, o, path, body)
		}
	}
	users, groups := []string{"ann", "bea", "boss", "absent"}, []string{"Org", "Alpha", "Beta", "Owners", "Ruled", "Absent"}
	for _, pattern := range []string{
		"GET /api/v1/me", "GET /api/v1/users", "GET /api/v1/groups", "GET /api/v1/projects", "GET /api/v1/roles", "GET /api/v1/catalogue",
		"GET /api/v1/integrations", "GET /api/v1/mappings", "GET /api/v1/drafts", "GET /api/v1/policy", "GET /api/v1/sources", "GET /api/v1/sync", "GET /api/v1/holds",
		"GET /api/v1/tokens", "GET /api/v1/audit", "GET /api/v1/audit/verify", "GET /api/v1/audit/checkpoint", "GET /api/v1/overrides",
	} {
		each(pattern, []string{""}, "")
	}
	add("GET /api/v1/users", "in alpha", "/api/v1/users?project=alpha", "")
	add("GET /api/v1/users", "in beta", "/api/v1/users?project=beta", "")
	each("GET /api/v1/user-attributes", []string{""}, "")
	add("POST /api/v1/audit/reindex", "", "/api/v1/audit/reindex", "")
	add("POST /api/v1/explain/find", "nobody", "/api/v1/explain/find", `{"user":"nobody"}`)
	each("GET /api/v1/users/{user}", users, "")
	each("GET /api/v1/users/{user}/groups", users, "")
	each("GET /api/v1/users/{user}/permissions", users, "")
	add("GET /api/v1/users/{user}/permissions", "ann in alpha", "/api/v1/users/ann/permissions?project=alpha", "")
	add("GET /api/v1/users/{user}/permissions", "bea in alpha", "/api/v1/users/bea/permissions?project=alpha", "")
	add("POST /api/v1/users", "", "/api/v1/users", `{"userName":"new","email":"new@example.com"}`)
	add("POST /api/v1/users", "into Owners", "/api/v1/users", `{"userName":"new","groups":["local/Owners"]}`)
	each("PATCH /api/v1/users/{user}", users, `{"name":"Other"}`)
	each("DELETE /api/v1/users/{user}", users, "")
	each("PUT /api/v1/users/{user}/block", users, `{"blocked":true}`)
	each("DELETE /api/v1/users/{user}/sign-in", users, "")
	for _, verb := range []string{"grants", "revoke"} {
		for what, body := range map[string]string{
			"1 access": `{"access":["part-list"]}`, "2 access in alpha": `{"project":"alpha","access":["part-list"]}`, "3 access in beta": `{"project":"beta","access":["part-list"]}`,
			"4 Role reader": `{"roles":["reader"]}`, "5 Role admin": `{"roles":["admin"]}`, "6 Role owner": `{"roles":["owner"]}`,
			"7 project-admin of alpha": `{"project":"alpha","roles":["project-admin"]}`, "8 project-admin everywhere": `{"roles":["project-admin"]}`,
		} {
			if verb == "grants" {
				add("POST /api/v1/users/{user}/grants", "ann: "+what, "/api/v1/users/ann/grants", body)
			}
		}
	}
	add("POST /api/v1/users/{user}/revoke", "Role owner from boss", "/api/v1/users/boss/revoke", `{"roles":["owner"]}`)
	add("POST /api/v1/users/{user}/revoke", "project-viewer of alpha", "/api/v1/users/alpha-viewer/revoke", `{"project":"alpha","roles":["project-viewer"]}`)
	add("POST /api/v1/bulk", "block", "/api/v1/bulk", `{"do":"block","users":["ann"]}`)
	add("GET /api/v1/jobs", "", "/api/v1/jobs", "")
	add("POST /api/v1/jobs", "tried", "/api/v1/jobs", `{"do":"block","users":["ann"]}`)
	add("GET /api/v1/jobs/{id}", "unknown", "/api/v1/jobs/unknown", "")
	add("GET /api/v1/jobs/{id}/items", "unknown", "/api/v1/jobs/unknown/items", "")
	add("POST /api/v1/jobs/{id}/cancel", "unknown", "/api/v1/jobs/unknown/cancel", "")
	add("POST /api/v1/jobs/{id}/revert", "unknown", "/api/v1/jobs/unknown/revert", "")
	add("GET /api/v1/webhooks", "", "/api/v1/webhooks", "")
	add("POST /api/v1/webhooks", "", "/api/v1/webhooks", `{"url":"https://example.com/hook"}`)
	for _, pattern := range []string{
		"GET /api/v1/webhooks/{id}", "DELETE /api/v1/webhooks/{id}", "POST /api/v1/webhooks/{id}/rotate", "POST /api/v1/webhooks/{id}/test",
		"GET /api/v1/webhooks/{id}/deliveries",
	} {
		_, path, _ := strings.Cut(pattern, " ")
		add(pattern, "unknown", strings.Replace(path, "{id}", "wh_0", 1), "")
	}
	add("POST /api/v1/webhooks/{id}/state", "unknown", "/api/v1/webhooks/wh_0/state", `{"state":"active"}`)
	add("POST /api/v1/webhooks/{id}/deliveries", "unknown", "/api/v1/webhooks/wh_0/deliveries", `{"delivery":"wh_0/x"}`)
	each("GET /api/v1/groups/{group}", groups, "")
	each("GET /api/v1/groups/{group}/members", groups, "")
	add("POST /api/v1/groups", "organization", "/api/v1/groups", `{"name":"New"}`)
	add("POST /api/v1/groups", "in alpha", "/api/v1/groups", `{"name":"New","project":"alpha"}`)
	add("POST /api/v1/groups", "in beta", "/api/v1/groups", `{"name":"New","project":"beta"}`)
	add("POST /api/v1/groups", "by whose name a mapping gives directory.read", "/api/v1/groups", `{"name":"Readers 2"}`)
	add("PATCH /api/v1/groups/{group}", "Org, to such a name", "/api/v1/groups/local%2FOrg", `{"name":"Readers 3"}`)
	add("POST /api/v1/groups", "with owner", "/api/v1/groups", `{"name":"New","grants":[{"roles":["owner"]}]}`)
	add("POST /api/v1/groups", "in alpha, granting in beta", "/api/v1/groups", `{"name":"New","project":"alpha","grants":[{"project":"beta","access":["part-list"]}]}`)
	each("PATCH /api/v1/groups/{group}", groups, `{"description":"other"}`)
	add("PATCH /api/v1/groups/{group}", "Alpha to beta", "/api/v1/groups/local%2FAlpha", `{"project":"beta"}`)
	add("PATCH /api/v1/groups/{group}", "Alpha to all", "/api/v1/groups/local%2FAlpha", `{"project":""}`)
	add("PATCH /api/v1/groups/{group}", "Alpha blocked", "/api/v1/groups/local%2FAlpha", `{"status":"blocked"}`)
	each("DELETE /api/v1/groups/{group}", groups, "")
	each("POST /api/v1/groups/{group}/members", groups, `{"members":["viewer"]}`)
	add("POST /api/v1/groups/{group}/members/remove", "Alpha", "/api/v1/groups/local%2FAlpha/members/remove", `{"members":["ann"]}`)
	add("POST /api/v1/groups/{group}/members/remove", "Owners", "/api/v1/groups/local%2FOwners/members/remove", `{"members":["boss"]}`)
	each("PUT /api/v1/groups/{group}/status", groups, `{"status":"blocked"}`)
	add("PUT /api/v1/groups/{group}/scope", "Alpha to beta", "/api/v1/groups/local%2FAlpha/scope", `{"project":"beta"}`)
	add("PUT /api/v1/groups/{group}/scope", "Org to alpha", "/api/v1/groups/local%2FOrg/scope", `{"project":"alpha"}`)
	each("POST /api/v1/groups/{group}/grants", groups, `{"access":["part-list"]}`)
	each("POST /api/v1/groups/{group}/grants", []string{"Org", "Alpha", "Beta"}, `{"project":"alpha","access":["part-list"]}`)
	add("POST /api/v1/groups/{group}/grants", "Org: Role owner", "/api/v1/groups/local%2FOrg/grants", `{"roles":["owner"]}`)
	add("POST /api/v1/groups/{group}/revoke", "Owners: Role owner", "/api/v1/groups/local%2FOwners/revoke", `{"roles":["owner"]}`)
	add("POST /api/v1/overrides", "ann", "/api/v1/overrides", `{"users":["ann"],"grants":[{"access":["part-list"]}]}`)
	add("POST /api/v1/overrides", "ann in alpha", "/api/v1/overrides", `{"users":["ann"],"project":"alpha","grants":[{"access":["part-list"]}]}`)
	add("POST /api/v1/overrides", "bea in alpha", "/api/v1/overrides", `{"users":["bea"],"project":"alpha","grants":[{"access":["part-list"]}]}`)
	add("POST /api/v1/overrides", "ann in beta", "/api/v1/overrides", `{"users":["ann"],"project":"beta","grants":[{"access":["part-list"]}]}`)
	add("POST /api/v1/overrides", "boss", "/api/v1/overrides", `{"users":["boss"],"grants":[{"access":["part-list"]}]}`)
	add("POST /api/v1/overrides/end", "ann", "/api/v1/overrides/end", `{"user":"ann"}`)
	add("POST /api/v1/overrides/end", "ann everywhere", "/api/v1/overrides/end", `{"user":"ann","everywhere":true}`)
	add("POST /api/v1/projects", "", "/api/v1/projects", `{"key":"gamma"}`)
	add("PUT /api/v1/projects/{project}", "alpha", "/api/v1/projects/alpha", `{"title":"A"}`)
	add("DELETE /api/v1/projects/{project}", "unknown", "/api/v1/projects/gamma", "")
	add("GET /api/v1/roles/{role}", "admin", "/api/v1/roles/admin", "")
	add("POST /api/v1/roles", "plain", "/api/v1/roles", `{"name":"new","access":["part-list"]}`)
	add("POST /api/v1/roles", "owning", "/api/v1/roles", `{"name":"new","rights":["organization.own"]}`)
	add("POST /api/v1/roles", "auditing", "/api/v1/roles", `{"name":"new","rights":["audit.read"]}`)
	add("PUT /api/v1/roles/{role}", "reader", "/api/v1/roles/reader", `{"rights":["directory.read"],"title":"R"}`)
	add("PUT /api/v1/roles/{role}", "lender", "/api/v1/roles/lender", `{"rights":[]}`)
	add("DELETE /api/v1/roles/{role}", "reader", "/api/v1/roles/reader", "")
	add("PUT /api/v1/default-role", "project-none", "/api/v1/default-role", `{"role":"project-none"}`)
	add("PUT /api/v1/default-role", "owner", "/api/v1/default-role", `{"role":"owner"}`)
	for kind, body := range map[string]string{"features": `{"title":"T"}`, "outputs": `{"title":"T"}`, "resources": `{"actions":["a"]}`} {
		add("PUT /api/v1/catalogue/"+kind+"/{key}", "new", "/api/v1/catalogue/"+kind+"/new", body)
		add("DELETE /api/v1/catalogue/"+kind+"/{key}", "unknown", "/api/v1/catalogue/"+kind+"/none", "")
	}
	add("POST /api/v1/integrations", "new", "/api/v1/integrations", `{"key":"gcp"}`)
	add("PUT /api/v1/integrations/{key}", "aws", "/api/v1/integrations/aws", `{"title":"AWS"}`)
	add("DELETE /api/v1/integrations/{key}", "aws", "/api/v1/integrations/aws", "")
	add("GET /api/v1/integrations/{key}/members", "aws", "/api/v1/integrations/aws/members", "")
	add("PUT /api/v1/integrations/{key}/members", "ann", "/api/v1/integrations/aws/members", `{"member":"ann","level":"viewer"}`)
	add("POST /api/v1/integrations/{key}/members/reset", "ann", "/api/v1/integrations/aws/members/reset", `{"member":"ann"}`)
	add("POST /api/v1/integrations/{key}/members/remove", "boss", "/api/v1/integrations/aws/members/remove", `{"member":"boss"}`)
	add("POST /api/v1/mappings", "plain", "/api/v1/mappings", `{"name":"new","when":{"source":"local","name":"X"},"grant":[{"access":["part-list"]}]}`)
	add("POST /api/v1/mappings", "owning", "/api/v1/mappings", `{"name":"new","when":{"source":"local","name":"X"},"allow_admin":true,"grant":[{"roles":["owner"]}]}`)
	add("PUT /api/v1/mappings/{name}", "plain", "/api/v1/mappings/plain", `{"when":{"source":"local","name":"X"},"grant":[{"access":["part-list"]}]}`)
	add("PUT /api/v1/mappings/{name}", "ruling", "/api/v1/mappings/ruling", `{"when":{"source":"local","name":"X"},"grant":[{"access":["part-list"]}]}`)
	add("DELETE /api/v1/mappings/{name}", "plain", "/api/v1/mappings/plain", "")
	add("DELETE /api/v1/mappings/{name}", "ruling", "/api/v1/mappings/ruling", "")
	add("POST /api/v1/mappings/{name}/state", "plain", "/api/v1/mappings/plain/state", `{"enabled":false}`)
	add("POST /api/v1/mappings/{name}/state", "ruling", "/api/v1/mappings/ruling/state", `{"enabled":false}`)
	add("POST /api/v1/mappings/{name}/confirm", "ruling", "/api/v1/mappings/ruling/confirm", `{"group":"local/Ruled"}`)
	policy := `{"text":"apiVersion: usherd/v1\nprojects: [{key: alpha}, {key: beta}, {key: gamma}]\n"}`
	for _, verb := range []string{"plan", "test", "apply", "diff"} {
		add("POST /api/v1/policy/"+verb, "a project", "/api/v1/policy/"+verb, policy)
	}
	add("POST /api/v1/policy/apply", "without ruling", "/api/v1/policy/apply", `{"text":"apiVersion: usherd/v1\nmappings: []\n"}`)
	add("POST /api/v1/policy/apply", "default owner", "/api/v1/policy/apply", `{"text":"apiVersion: usherd/v1\ndefault_role: owner\n"}`)
	const draft = `"title":"t","text":"apiVersion: usherd/v1\nmappings: [{name: new, when: {source: local, group: {name: X}}%s, grant: {%s}}]\n"}`
	for object, body := range map[string]string{"plain": fmt.Sprintf(draft, "", "access: [part-list]"), "owning": fmt.Sprintf(draft, ", allow_admin: true", "roles: [owner]")} {
		add("POST /api/v1/drafts", object, "/api/v1/drafts", "{"+body)
		add("POST /api/v1/drafts/plan", object, "/api/v1/drafts/plan", "{"+body)
		add("PUT /api/v1/drafts/{id}", object, "/api/v1/drafts/unknown", "{"+body)
	}
	add("GET /api/v1/drafts/{id}", "unknown", "/api/v1/drafts/unknown", "")
	add("DELETE /api/v1/drafts/{id}", "unknown", "/api/v1/drafts/unknown", "")
	for _, verb := range []string{"plan", "rebase", "apply"} {
		add("POST /api/v1/drafts/{id}/"+verb, "unknown", "/api/v1/drafts/unknown/"+verb, "{}")
	}
	question := `{"user":"%s","action":"access","resource":{"type":"feature","id":"part-list"}%s}`
	for _, q := range []struct{ object, user, more string }{{"ann", "ann", ""}, {"ann in alpha", "ann", `,"project":"alpha"`}, {"bea in alpha", "bea", `,"project":"alpha"`}} {
		add("POST /api/v1/check", q.object, "/api/v1/check", fmt.Sprintf(question, q.user, q.more))
		add("POST /api/v1/explain", q.object, "/api/v1/explain", fmt.Sprintf(question, q.user, q.more))
	}
	add("POST /api/v1/sources", "scim", "/api/v1/sources", `{"name":"entra","kind":"scim"}`)
	add("POST /api/v1/sources", "ldap with a file", "/api/v1/sources", `{"name":"corp","kind":"ldap","settings":{"passwordFile":"/etc/passwd"}}`)
	add("POST /api/v1/sources/{source}/state", "okta", "/api/v1/sources/okta/state", `{"state":"paused"}`)
	add("DELETE /api/v1/sources/{source}", "okta", "/api/v1/sources/okta", "")
	add("GET /api/v1/sources/{source}/log", "okta", "/api/v1/sources/okta/log", "")
	for _, verb := range []string{"test", "sync", "plan"} {
		add("POST /api/v1/sources/{source}/"+verb, "okta", "/api/v1/sources/okta/"+verb, "")
	}
	add("POST /api/v1/sources/{source}/cancel", "okta", "/api/v1/sources/okta/cancel", "{}")
	for _, user := range []string{"ann", "boss"} {
		add("GET /api/v1/users/{user}/diff", user, "/api/v1/users/"+user+"/diff?with=viewer", "")
	}
	each("GET /api/v1/groups/{group}/permissions", groups, "")
	add("GET /api/v1/groups/{group}/permissions", "Alpha in alpha", "/api/v1/groups/local%2FAlpha/permissions?project=alpha", "")
	add("GET /api/v1/explain", "ann", "/api/v1/explain?user=ann&action=access&resource=feature%2Fpart-list", "")
	add("GET /api/v1/holders", "", "/api/v1/holders?action=access&resource=feature%2Fpart-list", "")
	add("GET /api/v1/integrations/{key}/access", "aws", "/api/v1/integrations/aws/access", "")
	add("GET /api/v1/holds/{source}", "okta", "/api/v1/holds/okta", "")
	add("POST /api/v1/holds/{source}/approve", "okta", "/api/v1/holds/okta/approve", "{}")
	add("POST /api/v1/holds/{source}/discard", "okta", "/api/v1/holds/okta/discard", "{}")
	add("POST /api/v1/tokens", "check", "/api/v1/tokens", `{"kind":"check","name":"a"}`)
	add("POST /api/v1/tokens", "admin", "/api/v1/tokens", `{"kind":"admin","name":"a"}`)
	add("POST /api/v1/tokens", "admin owning", "/api/v1/tokens", `{"kind":"admin","name":"a","role":"owner"}`)
	add("POST /api/v1/tokens", "admin auditing", "/api/v1/tokens", `{"kind":"admin","name":"a","scopes":["audit.read"]}`)
	add("DELETE /api/v1/tokens/{id}", "unknown", "/api/v1/tokens/unknown", "")
	const nobody = "0192f0a0-0000-7000-8000-000000000000"
	add("POST /api/v1/identities/link", "ann", "/api/v1/identities/link", `{"identity":"okta/00u1","user":"ann"}`)
	add("POST /api/v1/identities/link", "boss", "/api/v1/identities/link", `{"identity":"okta/00u1","user":"boss"}`)
	add("POST /api/v1/identities/detach", "unknown", "/api/v1/identities/detach", `{"identity":"okta/`+nobody+`"}`)
	for _, verb := range []string{"restore", "erase"} {
		add("POST /api/v1/users/{user}/"+verb, "unknown", "/api/v1/users/"+nobody+"/"+verb, "")
	}
	add("GET /api/v1/sources/{source}", "okta", "/api/v1/sources/okta", "")
	add("PATCH /api/v1/sources/{source}", "okta", "/api/v1/sources/okta", `{"settings":{"profile":"okta"}}`)
	add("GET /api/v1/sources/{source}/certificates", "okta", "/api/v1/sources/okta/certificates", "")
	each("GET /api/v1/users/{user}/freshness", users, "")
	each("POST /api/v1/users/{user}/forget", users, "")
	add("GET /api/v1/daemon/log-level", "", "/api/v1/daemon/log-level", "")
	add("PUT /api/v1/daemon/log-level", "debug", "/api/v1/daemon/log-level", `{"level":"debug"}`)
	add("GET /api/v1/daemon/support-bundle", "", "/api/v1/daemon/support-bundle", "")
	add("GET /api/v1/sources/{source}/errors", "okta", "/api/v1/sources/okta/errors", "")
	add("GET /api/v1/sources/{source}/log/{id}", "unknown", "/api/v1/sources/okta/log/unknown", "")
	add("POST /api/v1/sources/{source}/log/{id}/replay", "unknown", "/api/v1/sources/okta/log/unknown/replay", `{"trial":true}`)
	add("POST /api/v1/tokens/{id}/rotate", "unknown", "/api/v1/tokens/unknown/rotate", "")
	return out
}

// TestWhoMayDoWhat asks every route as everybody. What is in testdata/matrix.txt
// is what was decided; a change of it is a decision.
func TestWhoMayDoWhat(t *testing.T) {
	w, principals := matrix(t)
	mux := http.NewServeMux()
	api := &admin.API{Service: w.Service, Log: zap.NewNop()}
	api.Register(mux)
	rows := requests()
	slices.SortStableFunc(rows, func(a, b request) int {
		return strings.Compare(strings.SplitN(a.pattern, " ", 2)[1]+a.pattern+a.object, strings.SplitN(b.pattern, " ", 2)[1]+b.pattern+b.object)
	})
	var text strings.Builder
	for _, p := range principals {
		fmt.Fprintf(&text, "%-7s", p.name)
	}
	text.WriteString("\n")
	asked := map[string]bool{}
	answers, err := admin.NewAnswerSchema()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		asked[row.pattern] = true
		for _, p := range principals {
			fmt.Fprintf(&text, "%-7d", ask(t, mux, answers, row, p))
		}
		method, path, _ := strings.Cut(row.pattern, " ")
		fmt.Fprintf(&text, "%s\n", strings.TrimSpace(fmt.Sprintf("%-7s%s  %s", method, strings.TrimPrefix(path, "/api/v1"), row.object)))
	}
	for _, pattern := range api.Patterns() {
		if !asked[pattern] {
			t.Errorf("route %s is in no row: say who may use it", pattern)
		}
	}
	file := filepath.Join("testdata", "matrix.txt")
	if *update {
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(text.String(), "\n")); diff != "" {
		t.Errorf("who may do what differs (-want +got); if that is meant, run with -update:\n%s", diff)
	}
}

// ask asks, and checks that the answer is what the document says.
func ask(t *testing.T, mux http.Handler, answers *admin.AnswerSchema, row request, p principal) int {
	t.Helper()
	method, _, _ := strings.Cut(row.pattern, " ")
	path := row.path
	if method != http.MethodGet {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "dry_run=true"
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(row.body))
	if p.by != nil {
		r = r.WithContext(admin.WithPrincipal(r.Context(), *p.by))
	}
	if method == http.MethodPut {
		r.Header.Set("If-Match", "*")
	}
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	var body any
	if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
		t.Errorf("%s %s as %s = %d %s: %v", method, row.path, p.name, rec.Code, rec.Body, err)
	} else if err := answers.Check(row.pattern, rec.Code, body); err != nil {
		t.Errorf("%s %s as %s = %d %s: not what the document says: %v", method, row.path, p.name, rec.Code, rec.Body, err)
	}
	if rec.Code >= 500 && rec.Code != http.StatusServiceUnavailable { // what needs a daemon is refused after the right was asked for
		t.Errorf("%s %s (%s) as %s = %d %s", method, row.path, row.object, p.name, rec.Code, rec.Body)
	}
	return rec.Code
}
