package admin_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestAParameterThatNobodyReadsIsRefused(t *testing.T) {
	w := newWorld(t)
	ann := w.user("ann")
	srv := w.server(true)
	for _, tt := range []struct{ claim, method, path, parameter, detail string }{
		{"a misspelt filter", "GET", "/api/v1/users?statuss=blocked", "statuss", `"statuss" is no parameter here; did you mean "status"?`},
		{"one of another list", "GET", "/api/v1/groups?company=acme", "company", "is no parameter here"},
		{"one more than is known", "GET", "/api/v1/audit?limit=1&actro=okta", "actro", `did you mean "actor"?`},
		{"one in other letters", "GET", "/api/v1/users?Status=blocked", "Status", `did you mean "status"?`},
		{"a misspelt dry run", "DELETE", "/api/v1/users/" + string(ann) + "?dryrun=true", "dryrun", `did you mean "dry_run"?`},
		{"a dry run of what changes nothing", "GET", "/api/v1/me?dry_run=true", "dry_run", "there are none"},
		{"one with hostile text", "GET", "/api/v1/users?%25s%0A=1", "%s\n", `"%s\n" is no parameter`},
		{"a query that does not read", "GET", "/api/v1/users?status=blocked;q=a", "", "does not read"},
		{"one in an export", "GET", "/api/v1/users?format=csv&statuss=blocked", "statuss", "did you mean"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			a := call(t, srv, tt.method, tt.path, "")
			detail, _ := a.body["detail"].(string)
			if a.status != 400 || !strings.Contains(detail, tt.detail) {
				t.Fatalf("%s %s = %d %v; want 400 with %q", tt.method, tt.path, a.status, a.body, tt.detail)
			}
			fault := a.body["errors"].([]any)[0].(map[string]any)
			if tt.parameter != "" && fault["parameter"] != tt.parameter {
				t.Errorf("the fault is of %v; want %q", fault["parameter"], tt.parameter)
			}
		})
	}
	if _, err := w.User(t.Context(), string(ann)); err != nil {
		t.Errorf("User after a misspelt dry run = %v", err)
	}
	if a := call(t, w.server(false), "GET", "/api/v1/users?statuss=blocked", ""); a.status != 403 {
		t.Errorf("somebody unknown with a wrong parameter = %d; want 403", a.status)
	}
}

// TestTheDocumentHasAllParameters looks for names of parameters in the text of
// handlers: each is in the table of some route.
func TestTheDocumentHasAllParameters(t *testing.T) {
	known := map[string]bool{"dry_run": true}
	for _, methods := range (&admin.API{}).Document().Paths {
		for _, route := range methods {
			for _, p := range route.Parameters {
				known[p.Name] = true
			}
		}
	}
	read := regexp.MustCompile(`(?:\b[qv]|URL\.Query\(\))\.(?:Get|Has)\("(\w+)"\)|\bc\.(?:number|flag|moment)\("(\w+)"\)`)
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range read.FindAllStringSubmatch(string(text), -1) {
			found++
			if name := m[1] + m[2]; !known[name] {
				t.Errorf("%s reads %q, which no route takes: say so in openapi_table.go", file.Name(), name)
			}
		}
	}
	if found < 40 {
		t.Errorf("found %d reads of parameters: the pattern is too old", found)
	}
}

// TestACursorIsOfOneListAndOrder asks each list with cursors of all others.
func TestACursorIsOfOneListAndOrder(t *testing.T) {
	w := newWorld(t)
	w.policy("projects: [{key: a}, {key: b}, {key: c}]\nroles: [{name: one}, {name: two}]\nintegrations: [{key: git}, {key: cd}]")
	var ids []directory.UserID
	for i := range 4 {
		ids = append(ids, w.user(fmt.Sprint("user", i)))
	}
	staff, crew := w.group("Staff", ids...), w.group("Crew", ids...)
	w.group("Third", ids...)
	w.grantGroup("local/Staff", admin.GrantSpec{
		Roles: []directory.RoleName{"one", "two"}, Integration: map[string]string{"git": "viewer", "cd": "viewer"},
	})
	srv := w.server(true)
	lists := []string{
		"/api/v1/users?limit=1", "/api/v1/users?limit=1&sort=name", "/api/v1/users?limit=1&sort=-name",
		"/api/v1/groups?limit=1", "/api/v1/groups?limit=1&sort=name", "/api/v1/groups?limit=1&sort=-name",
		"/api/v1/groups/" + string(staff) + "/members?limit=1", "/api/v1/groups/" + string(crew) + "/members?limit=1",
		"/api/v1/audit?limit=1", "/api/v1/projects?limit=1", "/api/v1/roles?limit=1",
		"/api/v1/holders?limit=1&role=one", "/api/v1/holders?limit=1&role=two", "/api/v1/holders?limit=1&action=view&resource=integration/git",
		"/api/v1/integrations/git/access?limit=1", "/api/v1/integrations/cd/access?limit=1",
	}
	for _, from := range lists {
		page := call(t, srv, "GET", from, "")
		next, _ := page.body["next_cursor"].(string)
		if page.status != 200 || next == "" {
			t.Fatalf("GET %s = %d %v; want a cursor", from, page.status, page.body)
		}
		for _, to := range lists {
			a := call(t, srv, "GET", to+"&cursor="+next, "")
			detail, _ := a.body["detail"].(string)
			if from == to && a.status != 200 || from != to && (a.status != 400 || !strings.Contains(detail, "cursor is of another list or order")) {
				t.Errorf("GET %s with a cursor of %s = %d %v", to, from, a.status, a.body)
			}
		}
	}
	page := call(t, srv, "GET", lists[2], "")
	if a := call(t, srv, "GET", "/api/v1/users?sort=-name&q=user&cursor="+page.body["next_cursor"].(string), ""); a.status != 200 || !slices.ContainsFunc(a.body["items"].([]any), func(any) bool { return true }) {
		t.Errorf("another filter with a cursor = %d %v; want the rest", a.status, a.body)
	}
}
