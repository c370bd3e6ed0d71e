package console_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/usherd/usherd/directory"
)

// tick ticks the row of somebody.
func (b *browser) tick(id string) {
	b.t.Helper()
	b.click(`input[name="id"][value="` + id + `"]`)
}

// done waits for a job, which a notice or, if it takes its time, its own page
// tells of.
func (b *browser) done(notice, page string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`[%q, %q].some((t) => document.body.innerText.includes(t))`, notice, page), notice)
}

func TestRowU3EditPermissionsOfSelectedUsers(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)

	t.Run("unique permissions replace what they have, and hide the directory", func(t *testing.T) {
		b.open("/users")
		b.tick(string(w.ana))
		b.tick(string(w.ben))
		b.sees("2 selected")
		b.shoot("users-ticked")
		b.press("Edit permissions")
		b.sees("Edit permissions of 2 users")
		b.until(`document.querySelector('input[name="g"][value="access:viewer-3d"]').checked`, "what they share")
		b.look("permissions")
		b.click(`input[name="g"][value="access:viewer-3d"]`)
		b.click(`input[name="g"][value="access:part-list"]`)
		b.fill("#reason", "moved to the site")
		b.press("Preview")
		b.sees("This raises the bill: +2 seats of part-list; +8.00 EUR a month.")
		b.sees("Memberships that stay in the directory and are hidden")
		b.until(`document.querySelector('[aria-label="Hidden memberships"]').innerText.includes("Engineering")`, "the hidden membership")
		b.look("permissions-preview")
		eval[bool](b, `(fetch("/users/bulk/permissions", {method: "POST", body: new URLSearchParams([
			...new FormData(document.querySelector("form.panel"), document.querySelector("button[value=csv]"))])})
			.then((r) => r.text()).then((text) => { window.file = text; }), true)`)
		const file = "User,Gains,Loses,Hidden memberships\nAna Ng,access part-list,access viewer-3d,okta/Engineering\nBen <b>Bold</b>,access part-list,access viewer-3d,okta/Engineering\n"
		b.until(fmt.Sprintf("window.file === %q", file), "the preview as CSV")
		b.press("Apply")
		b.sees("Permissions of 2 users were replaced.")
		if w.can(w.ana, "access", "feature/viewer-3d", "") || !w.can(w.ana, "access", "feature/part-list", "") {
			t.Error("ana does not have exactly what was chosen")
		}
	})
	t.Run("says who, when, why and what is hidden, and follows the directory again", func(t *testing.T) {
		b.open("/users/" + string(w.ana) + "/access")
		b.sees(", by olga@example.com. Reason: moved to the site. A directory")
		b.sees("okta/Engineering")
		b.look("user-override")
		b.press("Follow the directory again")
		b.sees("What the edit brought is taken back")
		b.look("user-follow")
		b.click("form.confirm button.danger")
		b.sees("This user follows the directory again.")
		if !w.can(w.ana, "access", "feature/viewer-3d", "") || w.can(w.ana, "access", "feature/part-list", "") {
			t.Error("ana does not have what the directory says")
		}
	})
	t.Run("makes a new user group of them", func(t *testing.T) {
		b.open("/users/" + string(w.ana))
		b.press("Edit permissions")
		b.sees("Edit permissions of 1 user")
		b.click(`input[name="how"][value="group"]`)
		b.press("Preview")
		b.sees("Give the new user group a name.")
		b.fill("#new_group", "Designers")
		b.press("Preview")
		b.sees("They become members of the new group Designers")
		b.press("Back")
		b.until(`document.querySelector("#new_group").value === "Designers"`, "what was typed")
		b.press("Preview")
		b.press("Apply")
		b.sees("Permissions of 1 user were replaced.")
		b.open("/groups?q=Designers")
		b.sees("1 group")
	})
}

func TestRowU1AndU2ProjectAdministrator(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	boss := w.user("boss@example.com")
	w.apply(directory.PutGrant{Grant: directory.Grant{User: boss, Project: "alpha", Role: directory.RoleProjectAdmin, Origin: directory.ByHand}})
	w.apply(directory.PutGrant{Grant: directory.Grant{User: w.eve, Project: "alpha", Role: directory.RoleProjectViewer, Origin: directory.ByHand}})
	b := w.browse()
	w.enter(b, w.owner)
	t.Run("sorts projects by name, users and groups", func(t *testing.T) {
		for sort, first := range map[string]string{"-name": "Beta bridge", "users": "Beta bridge", "-users": "Alpha tower"} {
			b.open("/projects?sort=" + sort)
			b.until(`document.querySelector("tbody tr").innerText.includes("`+first+`")`, first+" first, by "+sort)
		}
	})
	b = w.browse()
	w.enter(b, boss)

	t.Run("row U1: makes a user group from the page of the project, and a notice confirms", func(t *testing.T) {
		b.open("/projects")
		b.sees("1 project")
		b.look("projects")
		b.press("Alpha tower")
		b.until(`location.pathname === "/projects/alpha"`, "the project") // the list has a column of that name too
		b.press("User groups")
		b.sees("This project has no user groups yet.")
		b.press("Add user group")
		b.fill("#name", "Alpha cutters")
		b.press("Access")
		b.click(`input[name="g"][value="access:part-list"]`)
		b.look("group-new")
		b.click("form.stack button.primary")
		b.sees("User group Alpha cutters was added.")
		b.look("project-groups")
	})
	t.Run("row U2: assigns a group to selected users, which replaces what they had there", func(t *testing.T) {
		b.open("/projects/alpha")
		b.look("project-users")
		b.tick(string(w.eve))
		b.press("Edit permissions")
		b.click(`input[name="how"][value="assign"]`)
		b.choose("#assign", "Alpha cutters – Alpha tower")
		b.press("Preview")
		b.sees("They have what group Alpha cutters")
		b.press("Apply")
		b.sees("Permissions of 1 user were replaced.")
		if !w.can(w.eve, "access", "feature/part-list", "alpha") || w.can(w.eve, "access", "feature/part-list", "") {
			t.Error("eve does not have exactly what the group gives in alpha")
		}
	})
	t.Run("shows Roles and activity of the project, and nothing outside", func(t *testing.T) {
		b.open("/projects/alpha/roles")
		b.sees("project-admin")
		b.look("project-roles")
		b.open("/projects/beta")
		b.sees("Not found")
		b.open("/users/" + string(w.ana))
		b.sees("Not found")
		b.open("/users/" + string(w.eve) + "/access")
		b.sees("part-list")
		b.open("/groups")
		b.sees("1 group")
	})
}

func TestProjectsAreMadeRenamedAndDeleted(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)
	b.open("/projects/new")
	b.fill("#key", "gamma")
	b.fill("#title", "Gamma hall")
	b.click("form.stack button.primary")
	b.sees("Project Gamma hall was added.")
	b.press("Rename and delete")
	b.fill("#title", "Gamma house")
	b.press("Save")
	b.sees("Renamed.")
	b.open("/projects/gamma/edit")
	b.look("project-edit")
	b.press("Delete")
	b.sees("Project Gamma house was deleted.")
	w.group("Beta crew", "beta")
	b.open("/projects/beta/edit")
	b.sees("It can be deleted when nothing does.")
	b.open("/projects/beta/activity")
	b.look("project-activity")
}

func TestBulkActionsOnUsersAndGroups(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.crowd(w.crew, 3)
	b := w.browse()
	w.enter(b, w.owner)

	t.Run("disables all that match after a preview", func(t *testing.T) {
		b.open("/users?q=crowd&size=25")
		b.click("input[data-all]")
		b.sees("3 selected")
		b.press("Disable")
		b.sees("Disable 3 users")
		b.look("bulk-disable")
		b.click("form.panel button[type=submit]")
		b.done("3 users disabled.", "3 of 3 users disabled")
		b.open("/users?status=blocked")
		b.sees("3 users")
	})
	t.Run("adds users to a group", func(t *testing.T) {
		b.open("/users")
		b.tick(string(w.ana))
		b.press("Add to a group")
		b.choose("#group", "Site crew – Organization")
		b.press("Preview")
		b.click("form.panel button[type=submit]")
		b.done("1 user added.", "1 of 1 users added")
	})
	t.Run("lists what fails on the page of the job", func(t *testing.T) {
		b.open("/groups")
		b.tick(string(w.engineering))
		b.tick(string(w.crew))
		b.press("Delete")
		b.sees("1 can't be done")
		b.click("form.panel button[type=submit]")
		b.sees("1 of 2 groups deleted, 1 failed")
		b.look("job")
	})
	t.Run("asks for the number where an administrator loses a right", func(t *testing.T) {
		second := w.user("second@example.com", directory.RoleAdmin)
		b.open("/users")
		b.tick(string(second))
		b.press("Disable")
		b.sees("the number of people that this touches")
		b.fill("#count", "1")
		b.click("form.panel button[type=submit]")
		b.done("1 user disabled.", "1 of 1 users disabled")
	})
}

func TestRowI4HomePage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	t.Run("is empty, with one sentence, without groups", func(t *testing.T) {
		w.enter(b, w.eve)
		b.open("/home")
		b.sees("There is no feature here yet: ask an administrator for access.")
		b.look("home-empty")
	})
	t.Run("has the features in the order of the catalogue", func(t *testing.T) {
		for _, key := range []string{"viewer-3d", "part-list"} {
			w.apply(directory.PutGrant{Grant: directory.Grant{
				Group: w.crew, Privilege: directory.Privilege{Kind: directory.Access, Key: key}, Origin: directory.ByHand,
			}})
		}
		b.open("/home")
		b.until(`document.querySelector("ol.features").innerText.indexOf("Part list") < document.querySelector("ol.features").innerText.indexOf("3D viewer")`, "the order")
		b.look("home")
	})
}

func TestRowL5FilterColumnsCSVAndRefresh(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)
	b.open("/users?type=service")
	b.sees("No users match.")
	b.press("Clear filters")
	b.sees("4 users")
	b.open("/users?group=okta%2FEngineering")
	b.sees("2 users")
	b.open("/users?cols=name&cols=groups&cols=roles&cols=source&cols=seats")
	b.sees("owner")
	b.sees("SCIM: okta")
	b.shoot("users-columns")
	b.open("/users")
	b.until(`document.querySelector("thead").innerText.includes("Seats")`, "the columns, remembered")
	b.press("Refresh")
	b.sees("4 users")
	b.open("/users")
	const title = `document.querySelector("h1").getBoundingClientRect().top`
	before := eval[float64](b, title)
	w.apply(directory.SetGroupDescription{Group: w.crew, Description: "of the site"})
	b.sees("refresh (r)") // how many changes it counts depends on what else was just made
	if now := eval[float64](b, title); now != before {
		t.Errorf("telling of a change moved the page from %v to %v", before, now)
	}
	b.axe()

	client := w.signedIn(w.owner)
	instant := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	for path, want := range map[string]string{
		"/users?q=ana&format=csv":                             "Name,Type,E-mail / unique ID,Last login,Status\nAna Ng,Standard,ana@example.com,,Active\n",
		"/groups?q=crew&format=csv&cols=name&cols=members":    "Name,Members\nSite crew,eve@example.com\n",
		"/groups/" + string(w.engineering) + "?format=csv":    "Name,Type,userName,Status,Source,Added\nAna Ng,Standard,ana@example.com,Active,SCIM: okta,TIME\nBen <b>Bold</b>,Standard,ben@example.com,Active,SCIM: okta,TIME\n",
		"/projects?format=csv&cols=key&cols=users&cols=title": "Title,Key,Users\nAlpha tower,alpha,0\nBeta bridge,beta,0\n",
	} {
		if got := instant.ReplaceAllString(fetched(t, client, w.url+path), "TIME"); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
}
