package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// shown are what a record says: facts and changes.
const shown = `[...document.querySelectorAll("#record dl.pairs > *, #record td, #record pre")].map(e => e.innerText.replace(/\d+ \w+ ago|now/, "")).join("|")`

// inDrawer waits until the drawer shows the record of an address.
func (b *browser) inDrawer(at string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`document.querySelector("#drawer").open && location.pathname === %s && document.querySelector("#drawer #record")?.dataset.address === %[1]s`, quoted(at)), "the drawer with "+at)
}

// onList waits until the drawer is closed, and the row of a record has the focus.
func (b *browser) onList(address, at string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`!document.querySelector("#drawer").open && location.pathname + location.search === %s`, quoted(address)), "the list at "+address)
	b.until(fmt.Sprintf(`document.activeElement?.getAttribute("href") === %s`, quoted(at)), "the focus on the link to "+at)
}

// TestRecordOpensBesideTheList goes through the audit log by keys, with the
// drawer, and with what a browser does by itself: back, forward, reload.
func TestRecordOpensBesideTheList(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	h.policy("features: [{key: part-list, title: Part list}]\n")
	ana := h.user("ana@example.com", directory.RoleViewer)
	by := directory.Actor{Kind: directory.ActorUser, Name: string(owner), Address: "2001:db8:85a3:8d3:1319:8a2e:370:7348", Reason: "she builds it"}
	_, err := h.GrantToUser(t.Context(), by, string(ana), admin.GrantSpec{Access: []string{"part-list"}})
	must(t, err)
	b := h.browse()
	h.enter(b, owner)
	const list = "/audit?action=grant"
	b.open(list)
	records := eval[[]string](b, `[...document.querySelectorAll("[data-row] a[data-record]")].map(a => a.getAttribute("href"))`)
	if len(records) != 3 {
		t.Fatalf("the list has the records %q; want those of three grants", records)
	}
	on := func(t *testing.T) *browser { return &browser{t, b.ctx, b.url} }

	t.Run("without scripts the link leads to the page", func(t *testing.T) {
		if page := h.body(h.signedIn(owner), list, http.StatusOK); !strings.Contains(page, `<a href="`+records[0]+`"`) {
			t.Errorf("the list has no link to %s", records[0])
		}
	})
	t.Run("Enter opens the record, with what its page shows", func(t *testing.T) {
		b := on(t)
		b.open(records[0])
		b.until(`/ago|now/.test(document.querySelector("#record time").textContent)`, "times in words")
		want := eval[string](b, shown)
		b.open(list)
		eval[bool](b, `(document.querySelector("tbody").same = true)`)
		b.keys("j")
		b.keys(kb.Enter)
		b.inDrawer(records[0])
		b.until(`document.querySelector("#drawer").contains(document.activeElement)`, "the focus in the drawer")
		if got := eval[string](b, shown); got != want || !strings.Contains(got, by.Address) {
			t.Errorf("the drawer shows\n%s\nwant, as the page has it,\n%s", got, want)
		}
	})
	t.Run("it can be read in every look", func(t *testing.T) {
		b := on(t)
		b.look("audit-drawer")
		b.resize(390)
		if box := eval[[]float64](b, `(({left, width}) => [left, width])(document.querySelector("#drawer").getBoundingClientRect())`); box[0] != 0 || box[1] != 390 {
			t.Errorf("at 390 px the drawer begins at %v and is %v wide; want all of it", box[0], box[1])
		}
		if over := eval[float64](b, `(d => d.scrollWidth - d.clientWidth)(document.querySelector("#drawer"))`); over > 0 {
			t.Errorf("at 390 px what the drawer holds is %v px wider than it", over)
		}
		b.resize(1280)
		if !eval[bool](b, `[...document.styleSheets].flatMap(s => [...s.cssRules]).every(r => !r.style?.animationName)`) {
			t.Error("something moves also for those who prefer that nothing does")
		}
	})
	t.Run("before and after it go along the chain", func(t *testing.T) {
		b := on(t)
		var n int
		_, err := fmt.Sscanf(records[0], "/audit/%d", &n)
		must(t, err)
		b.reach("#record-before")
		b.keys(kb.Enter)
		b.inDrawer(fmt.Sprintf("/audit/%d", n-1))
		b.until(`document.activeElement?.id === "record-before"`, "the focus where it was")
		b.until(`document.querySelector("#drawer-said").textContent !== ""`, "that it is said")
		b.reach("#record-after")
		b.keys(kb.Enter)
		b.inDrawer(records[0])
	})
	t.Run("j and k go along the list, Escape back to its row", func(t *testing.T) {
		b := on(t)
		b.keys("j")
		b.inDrawer(records[1])
		b.keys("j")
		b.inDrawer(records[2])
		b.keys("k")
		b.inDrawer(records[1])
		b.keys(kb.Escape)
		b.onList(list, records[1])
		if !eval[bool](b, `document.querySelector("tbody").same === true && document.title.startsWith("Audit log")`) {
			t.Error("the list is not the one that was left")
		}
	})
	t.Run("forward opens it, back closes it", func(t *testing.T) {
		b := on(t)
		eval[bool](b, `(history.forward(), true)`)
		b.inDrawer(records[1])
		eval[bool](b, `(history.back(), true)`)
		b.onList(list, records[1])
	})
	t.Run("its address is that of the page, which a reload shows", func(t *testing.T) {
		b := on(t)
		b.click(`#list a[href="` + records[2] + `"]`)
		b.inDrawer(records[2])
		b.do(chromedp.Reload())
		b.until(`!document.querySelector("#drawer") && document.querySelector("main > #record")?.dataset.address === `+quoted(records[2]), "the page")
		eval[bool](b, `(history.back(), true)`)
		b.until(`document.querySelectorAll("[data-row] a[data-record]").length === 3 && location.search === "?action=grant"`, "the list")
		b.click(`#list a[href="` + records[0] + `"]`)
		b.inDrawer(records[0])
		b.press("Close")
		b.onList(list, records[0])
	})
	t.Run("another filter and back: the list is fetched", func(t *testing.T) {
		b := on(t)
		eval[bool](b, `((s) => { s.value = "user"; s.dispatchEvent(new Event("change", {bubbles: true})); return true; })(document.querySelector("select[name=action]"))`)
		b.until(`location.search.includes("action=user") && !document.querySelector('#list a[href="`+records[0]+`"]')`, "the records of users")
		eval[bool](b, `(history.back(), true)`)
		b.until(`location.search.includes("action=grant") && !!document.querySelector('#list a[href="`+records[0]+`"]')`, "those of grants")
	})
	t.Run("a click for another tab is left to the browser", func(t *testing.T) {
		b := on(t)
		b.open(list)
		b.until(`document.readyState === "complete"`, "its scripts")
		if !eval[bool](b, `(() => { let left = false;
			window.addEventListener("click", (e) => { left = !e.defaultPrevented; e.preventDefault(); }, {once: true});
			document.querySelector("[data-row] a[data-record]").dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, ctrlKey: true}));
			return left; })()`) {
			t.Error("Ctrl and a click do not open another tab")
		}
	})
	t.Run("what can't be shown there has a page that says so", func(t *testing.T) {
		b := on(t)
		eval[bool](b, `((a) => { a.setAttribute("href", "/audit/999999"); a.click(); return true; })(document.querySelector("[data-row] a[data-record]"))`)
		b.at("/audit/999999")
		b.sees("Status 404")
	})
	t.Run("addresses are a column that is asked for", func(t *testing.T) {
		b := on(t)
		b.open(list)
		if eval[bool](b, `document.body.innerText.includes("2001:db8")`) {
			t.Error("the address is shown to who did not ask for it")
		}
		b.open(list + "&cols=time.actor.action.target.address")
		b.sees(by.Address)
		b.look("audit-ip")
		b.open(records[0])
		b.sees(by.Address)
		b.look("audit-record-ip")
	})
}
