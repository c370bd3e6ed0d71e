package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// Explanations name who did something as a colleague would, whichever way they
// came.
func TestExplainNamesWhoActed(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	w.user("ann")
	w.user("olga")
	w.grantUser("olga", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}})
	ann := directory.UserID(w.as("ann").Name)
	olga := w.as("olga")
	for want, by := range map[string]directory.Actor{
		"by olga on ":                         olga,
		"by somebody on the command line on ": {Kind: directory.ActorSocket, Name: "local"},
		"by the token ci on ":                 {Kind: directory.ActorToken, Name: "ci"},
		"by the daemon itself on ":            {Kind: directory.ActorSystem, Name: "configuration"},
	} {
		for _, blocked := range []bool{true, false} {
			if _, err := w.store.Apply(t.Context(), by, directory.SetBlock{User: ann, Blocked: blocked, Reason: "lost laptop"}); err != nil {
				t.Fatal(err)
			}
			e := must[admin.Explained](t)(w.Explain(t.Context(), question("ann", "access", "feature", "part-list", "")))
			if says := strings.Contains(e.Text, "they are blocked here, "+want) && strings.Contains(e.Text, ": lost laptop"); says != blocked {
				t.Errorf("blocked (%t) by %v, the text says:\n%s\nwant %q", blocked, by, e.Text, want)
			}
		}
	}
	w.made(admin.NewGroup{Name: "Crew", Members: []string{"ann"}, Grants: []admin.GrantSpec{{Project: "alpha", Access: []string{"drawing"}}}})
	must[admin.MadeOverride](t)(w.SetOverride(t.Context(), olga, admin.NewOverride{Users: []string{"ann"}, Project: "alpha", Reason: "on loan", Grants: []admin.GrantSpec{}}))
	q := question("ann", "access", "feature", "drawing", "")
	q.Project = "alpha"
	e := must[admin.Explained](t)(w.Explain(t.Context(), q))
	if !strings.Contains(e.Text, "an override hides that, made by olga on ") || !strings.Contains(e.Text, "(on loan)") {
		t.Errorf("overridden by olga, the text says:\n%s", e.Text)
	}
}

func TestExplainKnowsWhoWasMeant(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	for _, name := range []string{"ann@example.com", "ben@example.com", "benno@example.com", "zoe"} {
		w.user(name)
	}
	for asked, want := range map[string]string{
		"ann":                 "ann@example.com",
		"Ann@exmaple.com":     "ann@example.com",
		"anm@example.com":     "ann@example.com",
		"email:ann@exampl.co": "ann@example.com",
		"ben":                 "ben@example.com", // rather than benno
		"bennno@example.com":  "benno@example.com",
		"nobody@example.com":  "",
		"a":                   "ann@example.com",
	} {
		e := must[admin.Explained](t)(w.Explain(t.Context(), question(asked, "access", "feature", "part-list", "")))
		said := strings.Contains(e.Text, "Did you mean "+want+"?")
		if e.Answer.Decision || e.Meant != want || said != (want != "") {
			t.Errorf("asked about %s, %q is meant; want %q:\n%s", asked, e.Meant, want, e.Text)
		}
	}
	// Who may ask about nobody else is told of nobody else.
	ctx := admin.WithPrincipal(t.Context(), w.as("zoe"))
	_, err := w.Explain(ctx, question("ann", "access", "feature", "part-list", ""))
	wantErr(t, "Explain by somebody without rights", err, admin.ErrForbidden)
}

// What is over is told as over, before anything else.
func TestExplainSaysFirstThatItIsOver(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	w.user("ann")
	then := w.revision()
	w.user("ben")
	e := must[admin.Explained](t)(w.Explain(t.Context(), question("ann", "access", "feature", "part-list", "")))
	if !strings.HasPrefix(e.Text, "No - ann may not") || !strings.Contains(e.Text, ", current since ") {
		t.Errorf("of the present it says:\n%s", e.Text)
	}
	for _, at := range []directory.Revision{1, then} {
		e := must[admin.Explained](t)(w.Explain(t.Context(), question("ann", "access", "feature", "part-list", fmt.Sprint(at))))
		lines := strings.Split(e.Text, "\n")
		if !strings.HasPrefix(lines[0], "As it was at revision "+fmt.Sprint(at)+", current from ") || slices.Contains(lines, "Shortest step:") {
			t.Errorf("of revision %v it says:\n%s", at, e.Text)
		}
	}
}

func TestListedOverridesNameWhoMadeThem(t *testing.T) {
	w := newWorld(t)
	w.policy(questionsPolicy)
	w.user("ann")
	w.user("olga")
	w.grantUser("olga", admin.GrantSpec{Roles: []directory.RoleName{directory.RoleOwner}})
	must[admin.MadeOverride](t)(w.SetOverride(t.Context(), w.as("olga"), admin.NewOverride{Users: []string{"ann"}, Grants: []admin.GrantSpec{}}))
	list := call(t, w.server(true), "GET", "/api/v1/overrides", "")
	items, _ := list.body["items"].([]any)
	if len(items) != 1 || items[0].(map[string]any)["byName"] != "olga" {
		t.Errorf("overrides are listed as %v, want one by olga", list.body)
	}
}
