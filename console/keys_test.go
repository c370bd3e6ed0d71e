package console_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/usherd/usherd/directory"
)

// reach presses Tab until the focus is on what a selector finds, as somebody
// without a mouse does, and makes sure that the focus can be seen.
func (b *browser) reach(sel string) {
	b.t.Helper()
	for range 150 {
		b.keys(kb.Tab)
		if !eval[bool](b, fmt.Sprintf("!!document.activeElement?.matches(%s)", quoted(sel))) {
			continue
		}
		if eval[string](b, "getComputedStyle(document.activeElement).outlineStyle") == "none" {
			b.t.Errorf("the focus on %s can't be seen", sel)
		}
		return
	}
	b.t.Fatalf("Tab does not reach %s\n%s", sel, b.page())
}

// at waits until the browser is at a path.
func (b *browser) at(path string) {
	b.t.Helper()
	b.until(fmt.Sprintf("location.pathname === %s && document.readyState === 'complete'", quoted(path)), "the page "+path)
}

// TestTheCommonTasksNeedNoMouse does the ten commonest tasks by keys alone.
func TestTheCommonTasksNeedNoMouse(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.tend()
	owner := h.user("owner@example.com", directory.RoleOwner)
	ana := h.user("ana@example.com")
	b := h.browse()
	h.enter(b, owner)
	b.open("/sources")
	on := func(t *testing.T) *browser { return &browser{t, b.ctx, b.url} }

	t.Run("go past the menu", func(t *testing.T) {
		b := on(t)
		b.keys(kb.Tab)
		b.keys(kb.Enter)
		b.until(`document.activeElement?.id === "main" || location.hash === "#main"`, "the content")
	})
	t.Run("go to a page by its letter", func(t *testing.T) {
		b := on(t)
		b.keys("g")
		b.keys("t")
		b.at("/settings/tokens")
	})
	t.Run("make a token", func(t *testing.T) {
		b := on(t)
		b.reach(`a[href="/settings/tokens/new"]`)
		b.keys(kb.Enter)
		b.at("/settings/tokens/new")
		b.reach("#name")
		b.keys("app")
		b.reach(`input[value="watch"]`)
		b.keys(" ")
		b.reach("form.stack button.primary")
		b.keys(kb.Enter)
		b.sees("It is shown this once")
	})
	t.Run("find a user in the palette", func(t *testing.T) {
		b := on(t)
		b.open("/sources")
		b.reach(`button[data-open="palette"]`)
		b.keys(kb.Enter)
		b.until(`document.activeElement?.id === "palette-q"`, "the palette")
		b.keys("ana@")
		b.until(`document.querySelector("#palette-results a")?.innerText.includes("ana@example.com")`, "ana")
		b.keys(kb.ArrowDown)
		b.keys(kb.Enter)
		b.at("/users/" + string(ana))
	})
	t.Run("connect a source", func(t *testing.T) {
		b := on(t)
		b.open("/sources")
		b.reach(`a[href="/sources/new"]`)
		b.keys(kb.Enter)
		b.at("/sources/new")
		b.reach(`a[href="/sources/new?of=okta"]`)
		b.keys(kb.Enter)
		b.until(`!!document.querySelector("#name")`, "the form")
		b.reach("form.stack button.primary")
		b.keys(kb.Enter)
		b.sees("Source okta added")
	})
	t.Run("go through a list and open a row", func(t *testing.T) {
		b := on(t)
		b.open("/audit")
		b.keys("j")
		b.keys("j")
		b.until(`[...document.querySelectorAll("[data-row]")].findIndex(r => r.hasAttribute("data-at")) === 1`, "the second row")
		b.keys(kb.Enter)
		b.until(`location.pathname !== "/audit"`, "another page")
	})
	t.Run("search a list", func(t *testing.T) {
		b := on(t)
		b.open("/sources")
		b.keys("/")
		b.until(`document.activeElement?.id === "q"`, "the search")
		b.keys("nothing-like-it")
		b.sees("No sources match")
	})
	t.Run("pause and resume a source", func(t *testing.T) {
		b := on(t)
		b.open("/sources/okta")
		for _, verb := range []string{"pause", "resume"} {
			b.reach(`form[action="/sources/okta/` + verb + `"] button`)
			b.keys(kb.Enter)
			b.until(fmt.Sprintf(`!document.querySelector('form[action="/sources/okta/%s"]') && document.readyState === "complete"`, verb), verb)
		}
	})
	t.Run("see what disabling does and do it", func(t *testing.T) {
		b := on(t)
		b.reach(`a[href="/sources/okta/disable"]`)
		b.keys(kb.Enter)
		b.at("/sources/okta/disable")
		b.reach("form.stack button.danger")
		b.keys(kb.Enter)
		b.sees("Disabled source okta")
	})
	t.Run("read the shortcuts and close them", func(t *testing.T) {
		b := on(t)
		b.until(`document.readyState === "complete"`, "the whole page, with its keys")
		b.keys("?")
		b.until(`document.querySelector("#shortcuts").open`, "the shortcuts")
		b.keys(kb.Escape)
		b.until(`!document.querySelector("#shortcuts").open`, "the page")
	})
	t.Run("sign out", func(t *testing.T) {
		b := on(t)
		b.open("/sources")
		b.reach("details.account summary")
		b.keys(kb.Enter)
		b.reach(`form[action="/logout"] button`)
		b.keys(kb.Enter)
		b.at("/login")
	})
}
