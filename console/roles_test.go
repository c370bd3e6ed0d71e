package console_test

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

func TestRowL1RolesAndWhoHasThem(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply(directory.PutGrant{Grant: directory.Grant{User: s.ben, Role: directory.RoleProjectAdmin, Project: "alpha", Origin: directory.ByHand, By: "test"}})
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("a Role shows name, user groups and last updated or --", func(t *testing.T) {
		b.open("/roles")
		b.sees("11 Roles")
		got := eval[string](b, `[...document.querySelectorAll("tr[data-row]")].find(r => r.cells[0].innerText.startsWith("owner")).innerText`)
		if want := "owner\t0\t--\t1\tOrganization\t⋯"; got != want {
			t.Errorf("the row of owner is %q, want %q", got, want)
		}
		b.look("roles")
		b.click(`button[aria-label="Actions for Releaser"]`)
		b.until(`document.querySelector("#menu-releaser:popover-open a[href='/roles/new?like=releaser']")?.innerText === "Duplicate"`, "a copy from the row")
	})
	t.Run("its page shows its users with name, type, projects and via", func(t *testing.T) {
		b.press("project-admin")
		b.until(`document.querySelector("tr[data-row]")?.innerText === "Ben Ode\tStandard\talpha\tdirect"`, "Ben, limited to alpha")
		b.open("/roles/releaser")
		b.sees("group Engineering (okta)")
		b.open("/roles/releaser?via=direct")
		b.sees("No users match.")
		b.open("/roles/releaser?via=group&q=engin")
		b.sees("group Engineering (okta)")
		b.sees("1 user")
		b.look("role")
	})
	t.Run("it is duplicated, and edited after a look at who gains", func(t *testing.T) {
		b.press("Duplicate")
		b.fill("#name", "releaser-two")
		b.press("Save")
		b.sees("Role releaser-two saved.")
		b.sees("no grant and no mapping gives it")
		b.open("/roles/releaser/edit")
		b.click(`input[name="access"][value="reports"]`)
		b.press("Save")
		b.sees("access reports")
		b.sees("raises the bill")
		b.sees("+10.00")
		b.look("role-edit")
		b.press("Apply")
		b.sees("Role releaser saved.")
		b.open("/roles/releaser/permissions")
		b.sees("access reports")
		b.until(`!!document.querySelector("dd time")`, "a last update")
		b.open("/roles/releaser/activity")
		b.sees("Policy changed ~roles/releaser")
		b.look("role-activity")
	})
	t.Run("an edit of what somebody else changed shows theirs beside it", func(t *testing.T) {
		b.open("/roles/releaser-two/edit")
		s.policy("roles:\n  - {name: releaser, rights: [integrations.use_all]}\n  - {name: releaser-two, rights: [integrations.view_all]}\n")
		b.fill("#title", "Mine")
		b.press("Save")
		b.sees("The policy changed")
		b.sees("right integrations.view_all")
		b.until(`document.querySelector("#title").value === "Mine"`, "what was typed")
		b.look("role-theirs")
		b.resize(390)
		b.until(`document.querySelector("input[name=right]").checkVisibility()`, "rights on a phone")
		b.resize(1280)
	})
	t.Run("a Role in use is not deleted, and says by what", func(t *testing.T) {
		b.open("/roles/releaser")
		eval[bool](b, `(window.confirm = () => true)() `)
		b.press("Delete")
		b.sees("is given by mapping engineers")
		b.look("role-in-use")
		b.open("/roles/releaser-two")
		eval[bool](b, `(window.confirm = () => true)()`)
		b.press("Delete")
		b.sees("Role releaser-two deleted.")
	})
	t.Run("a built-in Role is read-only, with the reason", func(t *testing.T) {
		b.open("/roles/owner")
		b.sees("Built in; make a custom one like it")
	})
}
