package console_test

import (
	"testing"

	"github.com/usherd/usherd/admin"
)

func TestRowL3UsersPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)

	t.Run("lists name, type, address, last login and status", func(t *testing.T) {
		b.open("/users")
		b.sees("4 users")
		for _, words := range []string{"Ana Ng", "ana@example.com", "Standard", "--", "Active", "Ben <b>Bold</b>"} {
			b.sees(words)
		}
		b.look("users")
	})
	t.Run("opens a user with address, company, groups and scope", func(t *testing.T) {
		b.open("/users")
		b.press("Ana Ng")
		b.sees("Managed by SCIM okta – change it there.")
		b.sees("Engineering")
		b.until(`document.querySelector("#email").readOnly && document.querySelector("#email").value === "ana@example.com"`, "a fixed address")
		b.until(`document.querySelector("#company").readOnly`, "a fixed company")
		b.look("user")
	})
	for _, tab := range []string{"groups", "access", "integrations", "identities", "home", "activity", "raw"} {
		t.Run("shows the tab "+tab, func(t *testing.T) {
			b.open("/users/" + string(w.ana) + "/" + tab)
			b.until(`document.querySelector(".tabs a[aria-current]") !== null`, "a tab")
			b.look("user-" + tab)
		})
	}
	t.Run("says by what somebody has something", func(t *testing.T) {
		b.open("/users/" + string(w.ana) + "/access")
		b.sees("viewer-3d")
		b.sees("group Engineering (okta)")
	})
}

func TestRowL4AddEditDisableDeleteAndRestoreAUser(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)

	t.Run("adds a user to a group", func(t *testing.T) {
		b.open("/users/new")
		b.look("user-new")
		b.fill("#name", "Ida Lund")
		b.fill("#email", "ida@example.com")
		b.fill("#company", "Lund AS")
		b.choose("#group", "Site crew – Organization")
		b.click("form.stack button.primary")
		b.sees("User added.")
		b.sees("Site crew")
		b.until(`document.querySelector("#company").value === "Lund AS" && document.querySelector("#company").readOnly`, "the company, fixed")
	})
	t.Run("shows the form again with what was typed", func(t *testing.T) {
		b.open("/users/new")
		b.fill("#name", "Again")
		b.fill("#userName", "ida@example.com")
		b.click("form.stack button.primary")
		b.sees("belongs to a user of source local")
		b.until(`document.querySelector("#name").value === "Again"`, "what was typed")
		b.until(`document.querySelector("#userName[aria-invalid]").getAttribute("aria-describedby") === document.querySelector("#userName + .problem").id`, "the message beside its field")
		b.look("user-new-fault")
	})
	t.Run("renames a local user and refuses an outdated form", func(t *testing.T) {
		b.open("/users/" + string(w.eve))
		b.fill("#name", "Eve Moss")
		b.click("form.stack button.primary")
		b.sees("Saved.")
		b.fill("#name", "Eve Late")
		name := "Eve Other"
		_, err := w.EditUser(t.Context(), root, string(w.eve), admin.UserEdit{Name: &name})
		must(t, err)
		b.click("form.stack button.primary")
		b.sees("Somebody changed this user meanwhile")
		b.sees("Eve Other")
		b.until(`document.querySelector("#name").value === "Eve Late"`, "what was typed")
		b.shoot("user-conflict")
		b.click("form.stack button.primary")
		b.sees("Saved.")
		b.sees("Eve Late")
	})
	t.Run("disables with a preview, and enables", func(t *testing.T) {
		b.open("/users/" + string(w.ana) + "/block")
		b.sees("People lose something")
		b.look("user-disable")
		b.click("form.confirm button.danger")
		b.sees("User disabled.")
		if w.can(w.ana, "access", "feature/viewer-3d", "") {
			t.Error("a disabled user has access")
		}
		b.look("user-blocked")
		b.press("Enable")
		b.sees("User enabled.")
		if !w.can(w.ana, "access", "feature/viewer-3d", "") {
			t.Error("an enabled user has no access")
		}
	})
	t.Run("deletes by typing the name, and restores", func(t *testing.T) {
		b.open("/users/" + string(w.ben) + "/delete")
		b.sees("will return at the next sync: disable instead")
		b.look("user-delete")
		b.fill("#typed", "Ben <b>Bold</b>")
		b.click("form.confirm button.danger")
		b.sees("can be restored for 30 days")
		b.open("/users?status=deleted")
		b.sees("1 user")
		b.press("Ben <b>Bold</b>")
		b.sees("This user was deleted")
		b.look("user-deleted")
		b.press("Restore")
		b.sees("User restored.")
	})
}
