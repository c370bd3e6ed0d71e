package console_test

import (
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestTimesAreToldAsSomebodyLikes switches between how long ago, the clock here
// and the clock in UTC; the browser keeps it.
func TestTimesAreToldAsSomebodyLikes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	b := h.browse()
	h.enter(b, owner)
	b.open("/audit")
	const first = `document.querySelector("tbody time")`
	b.until(`/ago$|^now$/.test(`+first+`.textContent) && `+first+`.title.endsWith(" UTC")`, "how long ago, with the whole in the tooltip")
	b.press("Times: ago")
	b.until(`/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/.test(`+first+`.textContent)`, "the clock here")
	b.press("Times: local")
	b.until(`/^20\d\d-.* UTC$/.test(`+first+`.textContent) && /ago$|^now$/.test(`+first+`.title)`, "the clock in UTC")
	b.open("/settings/admins")
	b.until(first+`.textContent.endsWith(" UTC")`, "the same on another page")
	b.eachTimeIsReached()
}

// eachTimeIsReached makes sure that no time says more to a mouse than to keys:
// it can have the focus itself, or is shown whole with what is beside it.
func (b *browser) eachTimeIsReached() {
	b.t.Helper()
	b.until(`[...document.querySelectorAll("time")].every(e => e.tabIndex === 0 || e.closest("a, button, summary, tr"))`, "that each time can be reached")
}

func TestJobsAreListedTheNewestFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user("owner@example.com", directory.RoleOwner)
	owner, ana := h.user("second@example.com", directory.RoleOwner), h.user("ana@example.com")
	b := h.browse()
	h.enter(b, owner)
	b.open("/jobs")
	b.sees("No job yet.")
	job, err := h.StartBulk(t.Context(), root, admin.Bulk{Do: "block", Users: []string{string(ana)}})
	must(t, err)
	b.open("/jobs/" + job.ID)
	b.sees("1 of 1 users") // the page looks by itself
	b.press("All jobs")
	b.until(`document.querySelector("tbody")?.innerText.includes("Done")`, "that it is done")
	b.press("Block")
	b.sees("1 of 1 users")
	b.open("/jobs?state=failed")
	b.sees("No jobs match.")
}
