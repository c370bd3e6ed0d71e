package console_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

const walkPolicy = `projects: [{key: alpha, title: Alpha tower}]
features:
  - {key: part-list, title: Part list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}
outputs: [{key: cut-list-pdf, title: Cut list (PDF), feature: part-list}]
integrations: [{key: aws-prod, title: AWS production}]
roles: [{name: releaser, rights: [integrations.use_all]}]
`

// TestEveryPageOfTheMenuIsClean walks all pages of the menu in every look: no
// violation of accessibility or of the policy, no error in the browser, nothing
// wider than the window.
func TestEveryPageOfTheMenuIsClean(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.tend()
	h.policy(walkPolicy)
	h.apply(directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive, Rank: 1}})
	owner := h.user("owner@example.com", directory.RoleOwner)
	h.person("ana@example.com", "1")
	b := h.browse()
	said := b.listen()
	h.enter(b, owner)
	// The reference of the API is no page of the console.
	paths := eval[[]string](b, `[...document.querySelectorAll("#menu a")].map(a => a.getAttribute("href")).filter(p => p !== "/docs/api")`)
	if len(paths) < 10 {
		t.Fatalf("the menu has %d pages: %q", len(paths), paths)
	}
	said.take() // of the way here
	for _, path := range paths {
		t.Run(strings.ReplaceAll(path, "/", "_"), func(t *testing.T) {
			on := &browser{t, b.ctx, b.url}
			on.open(path)
			if eval[bool](on, `!!document.querySelector("section.problem")`) {
				t.Fatalf("%s is a problem:\n%s", path, eval[string](on, `document.querySelector("section.problem").innerText`))
			}
			if got := eval[int](on, `document.querySelectorAll("main h1").length`); got != 1 {
				t.Errorf("%s has %d main headings; want 1", path, got)
			}
			on.everyLook(func(look string) {
				on.axe()
				on.fits()
				on.shoot("walk" + strings.ReplaceAll(path, "/", "-") + "-" + look)
			})
			if all := said.take(); len(all) > 0 {
				t.Errorf("at %s the browser says: %s", path, strings.Join(all, "\n"))
			}
		})
	}
}

// TestTheWalkHearsWhatIsWrong: the collector of the test above is not deaf.
func TestTheWalkHearsWhatIsWrong(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	b := h.browse()
	said := b.listen()
	h.enter(b, h.user("owner@example.com", directory.RoleOwner))
	b.open("/sources")
	eval[bool](b, `(() => { const s = document.createElement("style"); s.textContent = "b{}"; document.head.append(s); return true; })()`)
	eval[bool](b, `(console.error("heard"), true)`)
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	var all []string
	for ctx.Err() == nil && (!contains(all, "heard") || !contains(all, "Content Security Policy")) {
		all = append(all, said.take()...)
		eval[bool](b, "true")
	}
	if ctx.Err() != nil {
		t.Errorf("heard only %q", all)
	}
}

func contains(all []string, part string) bool {
	return slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, part) })
}
