package console_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// body asks for a path as a signed-in client and returns what is answered.
func (h *house) body(client *http.Client, path string, want int) string {
	h.t.Helper()
	res, err := client.Get(h.url + path)
	must(h.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(h.t, err)
	if res.StatusCode != want {
		h.t.Fatalf("GET %s = %d; want %d\n%s", path, res.StatusCode, want, text)
	}
	return string(text)
}

// post sends a form as a signed-in client and returns the status and the body.
func (h *house) post(client *http.Client, path string, form url.Values) (int, string) {
	h.t.Helper()
	res, err := client.PostForm(h.url+path, form)
	must(h.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(h.t, err)
	return res.StatusCode, string(text)
}

func TestTokensAreShownOnceAndRotateAndEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	b := h.browse()
	h.enter(b, owner)
	b.open("/settings/tokens")
	b.sees("No tokens yet")
	b.press("New token")
	b.look("token-new")
	b.fill("#name", "billing app")
	b.fill("#days", "0")
	b.press("Make the token")
	b.sees("a token lives from 1 to 3650 days")
	b.fill("#days", "90")
	b.press("Make the token")
	b.sees("It is shown this once")
	first := eval[string](b, `document.querySelector("#token").value`)
	b.look("token-made")
	b.press("To the tokens")
	b.sees("billing app")
	b.look("tokens")
	b.press("Rotate")
	b.sees("Both count for a while")
	b.look("token-rotate")
	b.press("Make the new token")
	b.sees("The old token goes on for 7 days")
	if second := eval[string](b, `document.querySelector("#token").value`); second == first || second == "" {
		t.Error("rotating gives no new token")
	}
	b.press("To the tokens")
	b.sees("expires soon")
	b.press("Revoke")
	b.sees("This can't be taken back")
	b.press("Revoke the token")
	b.sees("Revoked. It opens nothing any more.")

	b.open("/settings/tokens/new?kind=admin")
	b.fill("#name", "deployer")
	b.press("Make the token")
	b.sees("It is shown this once")
}

func TestATokenIsLimitedToWhatWasTyped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.policy("features: [{key: part-list}]\nresources: {record: {actions: [read]}}\n")
	owner := h.signedIn(h.user("owner@example.com", directory.RoleOwner))
	form := url.Values{"kind": {"check"}, "name": {"parts"}, "days": {"3"}, "only": {"feature:partlist"}}
	status, text := h.post(owner, "/settings/tokens/new", form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "did you mean feature:part-list?") || !strings.Contains(text, `value="feature:partlist"`) {
		t.Errorf("a token of a feature that there is none of: status %d, %s; want what was meant, and what was typed kept", status, text)
	}
	form["only"] = []string{"feature:part-list, type:record"}
	h.post(owner, "/settings/tokens/new", form)
	tokens, err := h.Tokens(admin.WithPrincipal(t.Context(), root))
	want := []string{"evaluate", "feature:part-list", "type:record"}
	if i := slices.IndexFunc(tokens, func(l admin.ListedToken) bool { return l.Name == "parts" }); err != nil || i < 0 || !slices.Equal(tokens[i].Scopes, want) {
		t.Errorf("the tokens are %+v, %v; want one with the scopes %q", tokens, err, want)
	}
}

func TestNobodyMakesATokenThatHoldsMoreThanTheyDo(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.policy("roles: [{name: keyholder, rights: [directory.read, tokens.manage]}]\n")
	holder := h.signedIn(h.user("holder@example.com", "keyholder"))
	status, text := h.post(holder, "/settings/tokens/new", url.Values{"kind": {"admin"}, "name": {"x"}, "role": {"owner"}, "days": {"3"}})
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "never holds a right that its maker lacks") {
		t.Errorf("a token with the rights of owner: status %d, %s", status, text)
	}
	viewer := h.signedIn(h.user("viewer@example.com", directory.RoleViewer))
	h.body(viewer, "/settings/tokens", http.StatusForbidden)
	if status, _ := h.post(viewer, "/settings/tokens/new", url.Values{"kind": {"check"}, "name": {"x"}, "days": {"3"}}); status != http.StatusUnprocessableEntity {
		t.Errorf("a viewer makes a token: status %d; want it refused", status)
	}
	tokens, err := h.Tokens(admin.WithPrincipal(t.Context(), root))
	if err != nil || len(tokens) != 0 {
		t.Errorf("there are %d tokens, %v; want none", len(tokens), err)
	}
}

func TestAuditLogFindsShowsAndExports(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	h.tend()
	h.policy("features: [{key: part-list, title: Part list}]\n")
	ana := h.user("ana@example.com", directory.RoleViewer)
	by := directory.Actor{Kind: directory.ActorUser, Name: string(owner)}
	_, err := h.GrantToUser(t.Context(), by, string(ana), admin.GrantSpec{Access: []string{"part-list"}})
	must(t, err)
	b := h.browse()
	h.enter(b, owner)
	b.open("/audit")
	b.sees("grant")
	b.look("audit")
	b.open("/audit?actor=" + url.QueryEscape("owner@example.com"))
	b.until(`document.querySelectorAll("tbody tr").length === 1`, "the one record of the owner")
	b.fill("#view-name", "what the owner did")
	b.press("Save")
	b.sees("Saved the view what the owner did.")
	b.open("/audit")
	b.press("what the owner did")
	b.until(`document.querySelectorAll("tbody tr").length === 1`, "the saved view")
	b.sees("Records are kept for 400d.")
	b.look("audit-view")
	eval[bool](b, `(document.querySelector('td[data-label=Action] a').click(), true)`)
	b.sees("What it meant")
	b.sees("part-list")
	b.press("Whole page")
	b.until(`!!document.querySelector("main > #record")`, "the page of the record")
	b.look("audit-record")
	b.open("/audit")
	b.press("Verify the chain")
	b.sees("it holds")
	b.look("audit-verified")

	client := h.signedIn(owner)
	rows, err := csv.NewReader(strings.NewReader(h.body(client, "/audit?format=csv&target=ana@example.com", http.StatusOK))).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Errorf("the CSV of what concerns ana has %d lines, %v; want a head, her creation and two grants", len(rows), err)
	}
	n := 0
	for lines := bufio.NewScanner(strings.NewReader(h.body(client, "/audit?format=jsonl&action=grant", http.StatusOK))); lines.Scan(); n++ {
		var r directory.AuditRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil || r.Revision == 0 {
			t.Errorf("line %d of the export: %v", n, err)
		}
	}
	if n != 3 {
		t.Errorf("the export of grants has %d lines; want 3", n)
	}
	page, err := h.FindAudit(admin.WithPrincipal(t.Context(), root), admin.AuditQuery{Action: "export.read", Target: "audit"})
	if err != nil || len(page.Items) != 2 || page.Items[0].Actor.Name != string(owner) {
		t.Errorf("the two exports left the records %+v, %v", page.Items, err)
	}
	b.open("/audit")
	b.press("Forget it")
	b.sees("Forgot the view.")
	if eval[bool](b, `!!document.querySelector("#forget")`) {
		t.Error("a view that was forgotten is still offered")
	}
	h.body(h.signedIn(ana), "/audit", http.StatusForbidden)
	h.body(h.signedIn(ana), "/audit?format=csv", http.StatusForbidden)
}

func TestSettingsSayWhoAdministersAndWhatIsConfigured(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.tend()
	owner := h.user("owner@example.com", directory.RoleOwner)
	ana := h.user("ana@example.com", directory.RoleOperator)
	other := h.signedIn(owner)
	b := h.browse()
	h.enter(b, owner)
	b.open("/settings/admins")
	b.sees("ana@example.com")
	b.sees("sync.operate")
	b.sees("Login links only")
	b.look("admins")
	b.press("End it")
	b.sees("The session is over.")
	res, err := other.Get(h.url + "/settings/admins")
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusSeeOther {
		t.Errorf("an ended session still answers %d", res.StatusCode)
	}
	b.open("/settings/general")
	b.sees("/etc/usherd.yaml:3:1")
	b.look("general")
	b.open("/settings/diagnostics")
	b.sees("usherd token rotate ID")
	b.sees("Database answers in")
	eval[bool](b, `(document.querySelector("#level").value = "debug", true)`)
	b.press("Set")
	b.sees("The log has the level debug for 15 minutes.")
	b.sees("as configured again")
	b.look("diagnostics")

	theirs := h.signedIn(ana)
	h.body(theirs, "/settings/diagnostics", http.StatusOK)
	if got := h.body(theirs, "/settings/diagnostics/bundle", http.StatusOK); got != "an archive" {
		t.Errorf("the support bundle is %q", got)
	}
	auditor := h.signedIn(h.user("auditor@example.com", directory.RoleAuditor))
	h.body(auditor, "/settings/diagnostics/bundle", http.StatusForbidden)
	if status, _ := h.post(auditor, "/settings/diagnostics/level", url.Values{"level": {"debug"}}); status != http.StatusForbidden {
		t.Errorf("an auditor sets the log level: status %d; want 403", status)
	}
	key := sessionKey(t, h.body(h.signedIn(owner), "/settings/admins", http.StatusOK))
	if status, _ := h.post(theirs, "/settings/admins/sessions/"+key+"/end", nil); status != http.StatusNotFound {
		t.Errorf("ending somebody else's session: status %d; want 404", status)
	}
}

// sessionKey finds the key of a session that a page offers to end.
func sessionKey(t *testing.T, page string) string {
	t.Helper()
	_, after, ok := strings.Cut(page, "/settings/admins/sessions/")
	key, _, _ := strings.Cut(after, "/")
	if !ok || key == "" {
		t.Fatal("the page offers no session to end")
	}
	return key
}

func TestThePaletteFindsEverything(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	h.policy("integrations: [{key: aws-prod, title: AWS production}]\nroles: [{name: awsome, rights: [directory.read]}]\n")
	h.user("aws-bot@example.com")
	_, err := h.CreateGroup(t.Context(), root, admin.NewGroup{Name: "AWS team"})
	must(t, err)
	b := h.browse()
	h.enter(b, owner)
	b.open("/sources")
	eval[bool](b, `(document.dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true, cancelable: true})), true)`)
	b.until(`document.activeElement?.id === "palette-q"`, "the focus in the palette")
	b.keys("aws")
	for _, want := range []string{"aws-bot@example.com", "AWS team", "awsome", "AWS production"} {
		b.until("document.querySelector('#palette-results').innerText.includes("+quoted(want)+")", want)
	}
	b.axe()
	b.shoot("palette")
	b.keys(kb.ArrowDown)
	b.until(`document.activeElement?.closest("#palette-results") !== null`, "the focus in the results")
	b.keys("\r")
	b.until(`location.pathname !== "/sources"`, "another page")
	b.open("/search?q=audit")
	b.click(`#search-results a[href="/audit"]`)
	b.until(`location.pathname === "/audit"`, "the audit log")
}

func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}
