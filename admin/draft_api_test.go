package admin_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
)

func TestADraftGoesThroughTheAPI(t *testing.T) {
	w := newWorld(t)
	w.policy(drafted)
	w.group("Engineering", w.user("ana"))
	srv := w.server(true)
	spec, err := json.Marshal(admin.DraftSpec{Title: "Engineers", Text: draftText("engineers", "Engineering"), Assertions: []string{"at most 0 hold access feature/part-list"}})
	if err != nil {
		t.Fatal(err)
	}
	made := call(t, srv, "POST", "/api/v1/drafts", string(spec))
	id, _ := made.body["id"].(string)
	if made.status != 201 || made.body["version"] != 1.0 || id == "" {
		t.Fatalf("creating: %d %v", made.status, made.body)
	}
	path := "/api/v1/drafts/" + id
	if shown := call(t, srv, "GET", path, ""); shown.header.Get("ETag") != `"1"` || shown.body["state"] != "open" || shown.body["author"] != "socket:local" {
		t.Errorf("showing: %v %v", shown.header, shown.body)
	}
	mended := strings.Replace(string(spec), "most 0", "most 1", 1)
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		"an edit names the version":       {"PUT", path, mended, nil, 428, "version-required"},
		"an edit of an older one is told": {"PUT", path, mended, []string{`If-Match: "7"`}, 412, "changed"},
		"so is a discard":                 {"DELETE", path, "", []string{`If-Match: "7"`}, 412, "changed"},
		"an apply needs a plan":           {"POST", path + "/apply", `{}`, nil, 409, "stale"},
		"a fault points at its line":      {"POST", "/api/v1/drafts/plan", `{"title":"t","text":"apiVersion: usherd/v1\nmapings: []"}`, nil, 422, `"line":2`},
		"a slip points at the assertion":  {"POST", "/api/v1/drafts", strings.Replace(string(spec), "access feature", "acess feature", 1), nil, 400, `"/assertions/0"`},
	} {
		t.Run(name, func(t *testing.T) {
			if status, _, body := send(t, srv, c.method, c.path, c.body, c.header...); status != c.status || !strings.Contains(body, c.says) {
				t.Errorf("%d %s, want %d %s", status, body, c.status, c.says)
			}
		})
	}
	plan := call(t, srv, "POST", path+"/plan", `{}`)
	assertion, _ := json.Marshal(plan.body["assertions"])
	if plan.body["gaining"] != 1.0 || !strings.Contains(string(assertion), `"1 would hold it"`) {
		t.Fatalf("planning: %d %v", plan.status, plan.body)
	}
	apply := `{"plan":"` + plan.body["plan"].(string) + `"}`
	if status, _, body := send(t, srv, "POST", path+"/apply", apply); status != 422 || !strings.Contains(body, "assertions-fail") {
		t.Errorf("applying what fails: %d %s", status, body)
	}
	if status, _, body := send(t, srv, "PUT", path, mended, `If-Match: "1"`); status != 200 || !strings.Contains(body, `"version":2`) {
		t.Fatalf("mending: %d %s", status, body)
	}
	if status, header, body := send(t, srv, "POST", path+"/apply", apply); status != 200 || header.Get("Usherd-Revision") == "" {
		t.Errorf("applying: %d %s", status, body)
	}
	if status, _, body := send(t, srv, "POST", path+"/rebase", ""); status != 409 || !strings.Contains(body, "in-use") {
		t.Errorf("rebasing an applied draft: %d %s", status, body)
	}
	if status, _, body := send(t, srv, "GET", "/api/v1/drafts?limit=5", ""); status != 200 || !strings.Contains(body, `"state":"applied"`) {
		t.Errorf("listing: %d %s", status, body)
	}
}
