package console_test

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

func TestRowD4CreatingASyncNeedsBothHalves(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	asks := func(project, want string) {
		b.open("/explain?user=ben%40example.com&what=create_sync+integration%2Faws-prod&project=" + project)
		b.sees(want)
	}
	asks("alpha", "Ben Ode may not")
	b.open("/integrations/aws-prod/add?q=ben")
	b.click("#found input[name=pick]")
	b.choose("#level", "Consumer")
	b.press("Add")
	b.sees("1 added as Consumer.")
	asks("alpha", "Ben Ode may not") // half of it
	b.look("create-sync-half")
	b.open("/users/" + string(s.ben))
	b.press("Edit permissions")
	b.choose("#scope", "Alpha tower")
	b.press("Show")
	b.until(`document.querySelector("input[name=scope]").value === "alpha"`, "the scope")
	eval[bool](b, `(document.querySelector('input[name="g"][value="roles:project-collaborator"]').click(), true)`)
	b.press("Preview")
	b.press("Apply")
	b.sees("Permissions of 1 user were replaced.")
	asks("alpha", "Ben Ode may create a sync")
	b.look("create-sync")
	asks("", "may not")
}

func TestRowsD1D2D3MemberAccessOfAnIntegration(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.apply(directory.PutGrant{Grant: directory.Grant{User: s.ben, Role: directory.RoleCollaborator, Origin: directory.ByHand, By: "test"}})
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("D1: the table of what Roles give on integrations", func(t *testing.T) {
		b.open("/integrations")
		b.sees("AWS production")
		b.look("integrations")
		b.press("AWS production")
		b.sees("What Roles give here")
		for role, want := range map[string]string{
			"owner": "Admin yes", "admin": "Admin yes", "collaborator": "Consumer no", "viewer": "Viewer no", "auditor": "None no",
			"operator": "None no", "project-admin": "None no", "releaser": "Consumer no",
		} {
			got := eval[string](b, `[...document.querySelectorAll("tbody tr")].filter(r => r.cells[0].innerText === "`+role+`").map(r => r.cells[2].innerText + " " + r.cells[3].innerText).join()`)
			if got != want {
				t.Errorf("Role %s gives %q, want %q", role, got, want)
			}
		}
		b.look("integration")
	})
	row := func(name string) string {
		return `[...document.querySelectorAll("tr[data-row]")].find(r => r.cells[0].innerText.includes("` + name + `"))`
	}
	t.Run("D2: users and groups are added with a role", func(t *testing.T) {
		b.open("/integrations/aws-prod/members")
		b.press("+ Add users or groups")
		b.fill("#q", "ana")
		b.until(`document.querySelectorAll("#found .choice").length === 1`, "Ana alone")
		b.click("#found input[name=pick]")
		b.fill("#q", "sales")
		b.until(`document.querySelectorAll("#found .choice").length === 2 && document.querySelector("#found .picked").innerText.includes("Ana")`, "Ana picked, Sales found")
		b.click("#found .choice:not(.picked) input[name=pick]")
		b.choose("#level", "Consumer")
		b.look("integration-add")
		b.press("Add")
		b.sees("2 added as Consumer.")
		b.until(row("Ana Pérez")+`.cells[2].innerText === "Consumer"`, "Ana's level")
		b.until(row("okta/Sales")+`.innerText.includes("Direct")`, "the group")
	})
	t.Run("D3: access from a Role can't be removed, and says where it is changed", func(t *testing.T) {
		b.until(row("Ben Ode")+`.querySelector('button[aria-label="Remove Ben Ode"]').getAttribute("aria-disabled") === "true"`, "Remove greyed out")
		b.until(row("Ben Ode")+`.innerText.includes("From Role collaborator")`, "the Role")
		b.until(row("Ben Ode")+`.innerText.includes("change it in Roles")`, "where it is changed")
		b.look("integration-members")
	})
	set := func(name, level string) {
		eval[bool](b, `((r) => { r.querySelector("select").value = "`+level+`"; r.querySelector("td button").click(); return true; })(`+row(name)+`)`)
	}
	t.Run("D3: lowering has no effect, and says so", func(t *testing.T) {
		set("Ben Ode", "viewer")
		b.until(row("Ben Ode")+`?.innerText.includes("no effect: still consumer")`, "the note")
		b.until(row("Ben Ode")+`.cells[2].innerText === "Consumer"`, "the level that stays")
	})
	t.Run("D3: raising has, and Reset undoes it", func(t *testing.T) {
		set("Ben Ode", "admin")
		b.until(row("Ben Ode")+`?.cells[2].innerText.includes("Admin")`, "the raised level")
		b.look("integration-raised")
		b.click(`button[aria-label="Reset Ben Ode"]`)
		b.until(row("Ben Ode")+`?.cells[2].innerText.includes("Consumer")`, "the level from the Role")
		b.until("!"+row("Ben Ode")+`.querySelector('button[aria-label="Reset Ben Ode"]')`, "nothing to reset")
	})
	t.Run("D2: what is assigned here is removed after a look", func(t *testing.T) {
		b.click(`a[aria-label="Remove okta/Sales"]`)
		b.sees("Remove okta/Sales from aws-prod?")
		b.sees("Nobody gains or loses anything.") // Ben has it from his Role
		b.look("integration-remove")
		b.press("Remove")
		b.sees("Removed.")
		b.until("!"+row("okta/Sales"), "the group gone")
	})
	t.Run("members are narrowed by level and by way", func(t *testing.T) {
		b.open("/integrations/aws-prod/members?role=consumer&via=direct")
		b.sees("1 member")
		b.until(row("Ana Pérez")+` && !`+row("Ben Ode"), "Ana, whose access is her own")
		b.open("/integrations/aws-prod/members?role=none")
		b.sees("No members match.")
		b.look("integration-nobody")
	})
	t.Run("a connection in use is not deleted, and says by what", func(t *testing.T) {
		b.open("/integrations/new")
		b.fill("#key", "jira")
		b.press("Add")
		b.sees("Integration jira added.")
		b.open("/integrations/aws-prod/activity")
		b.look("integration-activity")
	})
}
