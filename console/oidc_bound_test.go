package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/console/oidctest"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// byName has people sign in by their userName, which providers give to others.
func byName(c *console.Config) { c.OIDC.Attribute, c.OIDC.Claim = "userName", "preferred_username" }

// come signs in as a subject whom the provider calls by a name, and returns the
// browser and what it is answered.
func (h *house) come(p *oidctest.Provider, subject, name string) (client *http.Client, status int, text string) {
	h.t.Helper()
	p.Claims = map[string]any{"sub": subject, "preferred_username": name}
	client = stranger(h.t)
	status, text = h.get(client, h.ask(p, client))
	return client, status, text
}

func (h *house) get(client *http.Client, address string) (int, string) {
	h.t.Helper()
	res, err := client.Get(address)
	must(h.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(h.t, err)
	return res.StatusCode, string(text)
}

// TestANameThatPassesOnSignsNobodyElseIn is the life of a userName that the
// provider takes from one person and gives to another.
func TestANameThatPassesOnSignsNobodyElseIn(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zapcore.InfoLevel)
	h, p := withOIDC(t, byName, func(c *console.Config) { c.Log = zap.New(core) })
	ana := h.person("ana@example.com", "00u1")
	owner := h.signedIn(h.user("owner@example.com", directory.RoleOwner))
	path := "/users/" + string(ana)
	if page := h.body(owner, path, http.StatusOK); strings.Contains(page, "Release") {
		t.Error("the page of who never signed in offers a release")
	}
	first, status, _ := h.come(p, "subject-1", "ana@example.com")
	if status != http.StatusSeeOther || !h.in(first) {
		t.Fatalf("the first sign-in: status %d", status)
	}

	second, status, text := h.come(p, "subject-2", "ana@example.com")
	if status != http.StatusForbidden || h.in(second) || !strings.Contains(text, "usherd user release-sign-in "+string(ana)) {
		t.Fatalf("the next person of that name: status %d, %s", status, text)
	}
	all := logged.FilterMessageSnippet("refused").All()
	if len(all) != 1 || all[0].ContextMap()["user"] != string(ana) {
		t.Errorf("logged is %v", all)
	}
	if line := fmt.Sprint(all); strings.Contains(line, "subject-") || strings.Contains(line, "ana@") {
		t.Errorf("the log tells who came: %s", line)
	}
	if again, status, _ := h.come(p, "subject-1", "ana.old@example.com"); status != http.StatusSeeOther || !h.in(again) {
		t.Errorf("who was bound, by another name now: status %d", status)
	}

	page := h.body(owner, path, http.StatusOK)
	if !strings.Contains(page, p.URL) || !strings.Contains(page, "another account was refused") || strings.Contains(page, "subject-") {
		t.Errorf("the page of the user does not tell of the account, or tells too much: %s", page)
	}
	if asked := h.body(owner, path+"/release-sign-in", http.StatusOK); !strings.Contains(asked, "correct the source first") || strings.Contains(asked, "The bill") {
		t.Error("the release does not say what it leads to")
	}
	linked := h.signedIn(ana)
	if status, _ := h.post(owner, path+"/release-sign-in", url.Values{}); status != http.StatusSeeOther {
		t.Fatalf("releasing: status %d", status)
	}
	if h.in(first) || !h.in(linked) {
		t.Errorf("after the release the session by the account goes on: %v, that by a link: %v; want only the latter", h.in(first), h.in(linked))
	}
	if page := h.body(owner, path, http.StatusOK); strings.Contains(page, "release-sign-in") {
		t.Error("the page offers to release what is released")
	}
	if next, status, _ := h.come(p, "subject-2", "ana@example.com"); status != http.StatusSeeOther || !h.in(next) {
		t.Errorf("after the release, the next person of that name: status %d", status)
	}
	if before, status, _ := h.come(p, "subject-1", "ana@example.com"); status != http.StatusForbidden || h.in(before) {
		t.Errorf("after the release, the person before: status %d", status)
	}
}

func TestOfTwoFirstSignInsOneIsBound(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t, byName)
	h.person("ana@example.com", "00u1")
	var backs []string
	var clients []*http.Client
	for i := range 6 {
		client := stranger(t)
		p.Claims = map[string]any{"sub": fmt.Sprint("subject-", i), "preferred_username": "ana@example.com"}
		backs, clients = append(backs, h.ask(p, client)), append(clients, client)
	}
	statuses := make([]int, len(backs))
	var wg sync.WaitGroup
	for i := range backs {
		wg.Go(func() {
			if res, err := clients[i].Get(backs[i]); err == nil {
				statuses[i] = res.StatusCode
				_ = res.Body.Close()
			}
		})
	}
	wg.Wait()
	in := 0
	for i, status := range statuses {
		signedIn := h.in(clients[i])
		if signedIn {
			in++
		}
		if signedIn && status != http.StatusSeeOther || !signedIn && status != http.StatusForbidden {
			t.Errorf("sign-in %d: status %d, signed in %v", i, status, signedIn)
		}
	}
	if in != 1 {
		t.Errorf("%d of %d accounts are signed in as one user; want 1", in, len(statuses))
	}
}

// TestABindingOfAnOlderVersionCounts and is shown once its account came again.
func TestABindingOfAnOlderVersionCounts(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t, byName)
	ana := h.person("ana@example.com", "00u1")
	h.come(p, "subject-1", "ana@example.com")
	records, err := h.store.ListKept(t.Context(), "console-subject", "", 10)
	must(t, err)
	if len(records) != 1 {
		t.Fatalf("%d accounts are kept; want 1", len(records))
	}
	records[0].Value, err = json.Marshal(ana) // as it was kept
	must(t, err)
	_, err = h.store.PutKept(t.Context(), records[0])
	must(t, err)
	must(t, h.store.DropKept(t.Context(), "console-signin", string(ana)+"/"+p.URL))
	if client, status, _ := h.come(p, "subject-1", "renamed@example.com"); status != http.StatusSeeOther || !h.in(client) {
		t.Errorf("whom an older version bound: status %d", status)
	}
	if _, status, _ := h.come(p, "subject-2", "ana@example.com"); status != http.StatusForbidden {
		t.Errorf("another account: status %d", status)
	}
}

// A releasing keeper releases a user right before a session of theirs is kept.
type releasing struct {
	directory.Keeper
	release func()
}

func (r *releasing) PutKept(ctx context.Context, k directory.Kept) (directory.Kept, error) {
	if k.Space == admin.SessionSpace && r.release != nil {
		r.release()
		r.release = nil
	}
	return r.Keeper.PutKept(ctx, k)
}

func TestASignInThatIsReleasedMeanwhileBeginsNoSession(t *testing.T) {
	t.Parallel()
	keeper := &releasing{}
	h, p := withOIDC(t, byName, func(c *console.Config) { keeper.Keeper, c.Keeper = c.Keeper, keeper })
	ana := h.person("ana@example.com", "00u1")
	keeper.release = func() {
		_, err := h.ReleaseSignIn(t.Context(), root, string(ana))
		must(t, err)
	}
	client, status, _ := h.come(p, "subject-1", "ana@example.com")
	if status != http.StatusBadRequest || h.in(client) {
		t.Errorf("status %d, signed in: %v", status, h.in(client))
	}
	if left, err := h.store.ListKept(t.Context(), admin.SessionSpace, "", 10); err != nil || len(left) > 0 {
		t.Errorf("%d sessions are kept, %v", len(left), err)
	}
}

func TestOnlyWhoMayEditAUserReleases(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t, byName)
	ana := h.person("ana@example.com", "00u1")
	h.come(p, "subject-1", "ana@example.com")
	path := "/users/" + string(ana)
	viewer := h.signedIn(h.user("viewer@example.com", "viewer"))
	if page := h.body(viewer, path, http.StatusOK); strings.Contains(page, p.URL) || strings.Contains(page, "release-sign-in") {
		t.Error("the page tells who may not release of the account")
	}
	h.body(viewer, path+"/release-sign-in", http.StatusForbidden)
	if status, _ := h.post(viewer, path+"/release-sign-in", url.Values{}); status != http.StatusForbidden {
		t.Errorf("releasing: status %d", status)
	}
	if client, status, _ := h.come(p, "subject-2", "ana@example.com"); status != http.StatusForbidden || h.in(client) {
		t.Errorf("after the refused release another account: status %d", status)
	}
}

func TestAnInactiveUserIsNotBound(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t, byName)
	ana := h.person("ana@example.com", "00u1")
	h.apply(directory.SetBlock{User: ana, Blocked: true, Reason: "away"})
	if _, status, _ := h.come(p, "subject-2", "ana@example.com"); status != http.StatusForbidden {
		t.Fatalf("as a blocked user: status %d", status)
	}
	h.apply(directory.SetBlock{User: ana})
	if _, status, _ := h.come(p, "subject-1", "ana@example.com"); status != http.StatusSeeOther {
		t.Errorf("once unblocked, another account: status %d; want it bound, since none was", status)
	}
}

func TestAnAdministratorReleasesASignInOnThePage(t *testing.T) {
	t.Parallel()
	h, p := withOIDC(t, byName)
	ana := h.person("ana@example.com", "00u1")
	h.come(p, "subject-1", "ana@example.com")
	h.come(p, "subject-2", "ana@example.com")
	b := h.browse()
	h.enter(b, h.user("owner@example.com", directory.RoleOwner))
	b.open("/users/" + string(ana))
	b.sees("another account was refused")
	b.look("user-signin")
	b.press("Release")
	b.sees("correct the source first")
	b.look("user-release")
	b.click("form.confirm button.danger")
	b.sees("Released, 1 session ended. Whoever signs in next as this user is bound.")
	if client, status, _ := h.come(p, "subject-2", "ana@example.com"); status != http.StatusSeeOther || !h.in(client) {
		t.Errorf("after the release, the person of that name: status %d", status)
	}
}
