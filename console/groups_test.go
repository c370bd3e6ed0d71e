package console_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/usherd/usherd/directory"
)

func TestRowI1GroupsPage(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.crowd(w.crew, 7)
	b := w.browse()
	w.enter(b, w.owner)

	t.Run("shows every group with its first members, and users with their groups beside", func(t *testing.T) {
		b.open("/groups")
		b.sees("2 groups")
		b.sees("+3")
		b.sees("11 users, with their groups")
		b.until(`document.querySelector("section.pane").innerText.includes("Engineering")`, "a group beside a user")
		b.look("groups")
	})
	t.Run("searches both at once", func(t *testing.T) {
		b.open("/groups")
		b.fill("#q", "ana")
		b.sees("No groups match.")
		b.sees("1 user, with their groups")
		b.open("/groups?q=crew")
		b.sees("1 group")
		b.sees("No users match.")
	})
	t.Run("row L2: opens the privileges by links beside the name", func(t *testing.T) {
		b.open("/groups")
		b.click(`a[href$="` + string(w.engineering) + `/privileges/access"]`)
		b.sees("From mapping engineers – change it there")
		b.look("group-locked")
	})
}

func TestRowI2EditAGroup(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)
	at := "/groups/" + string(w.crew)

	t.Run("changes name and description", func(t *testing.T) {
		b.open(at + "/details")
		b.fill("#name", "Site team")
		b.fill("#description", "Everybody on site")
		b.click("form.stack button.primary")
		b.sees("Saved.")
		b.sees("Site team")
		b.look("group-details")
	})
	t.Run("narrows whom the selector finds, by type and source", func(t *testing.T) {
		b.open(at + "/add")
		b.choose("#pick-source", "SCIM okta")
		b.until(`document.querySelector("#found-title").innerText === "2 found"`, "those of okta")
		b.choose("#kind", "Service users")
		b.sees("Nobody matches.")
		b.choose("#kind", "Groups")
		b.until(`document.querySelector("#picking .picks").innerText.includes("Engineering")`, "the groups of okta")
	})
	t.Run("adds members by the selector, with the keyboard", func(t *testing.T) {
		b.open(at)
		b.press("Add members")
		b.sees("already in")
		b.do(chromedp.Focus(chromedp.CSS("#pick-q")))
		b.keys("ben")
		b.until(`document.querySelectorAll("#picking .picks input:not(:disabled)").length === 1`, "one found")
		b.keys(kb.ArrowDown)
		b.until(`document.activeElement.name === "pick"`, "the focus at the found one")
		b.keys(" ")
		b.sees("1 picked")
		b.look("group-selector")
		b.until(`document.activeElement.name === "pick"`, "the focus kept")
		b.keys(kb.Enter)
		b.sees("1 member added to Site team.")
		b.sees("Ben <b>Bold</b>")
	})
	t.Run("adds members by a pasted list, and names who is unknown", func(t *testing.T) {
		b.open(at + "/add")
		b.press("Paste a list")
		b.fill("#paste", "ana@example.com\nnobody@example.com")
		b.press("Pick these")
		b.sees("Not known here: nobody@example.com")
		b.sees("1 picked")
		b.press("Add 1")
		b.sees("1 member added")
	})
	t.Run("tells since when somebody is a member, sorts by it and narrows to a source", func(t *testing.T) {
		b.open(at + "?source=okta&sort=-added")
		b.sees("2 members")
		b.sees("Source: okta")
		b.until(`document.querySelector("tbody tr").innerText.includes("Ana Ng")`, "the newest one first")
		b.until(`document.querySelectorAll('td[data-label="Added"] time').length === 2`, "since when both are")
		b.until(`document.querySelector('th[aria-sort="descending"]').innerText.includes("Added")`, "the order")
		b.look("group-members-added")
		b.open("/users/" + string(w.ana) + "/groups")
		b.until(`document.querySelectorAll('td[data-label="Since"] time').length === 2`, "since when a user is in both groups")
		b.look("user-groups-since")
	})
	t.Run("removes a member after a preview", func(t *testing.T) {
		b.open(at)
		b.click(`button[aria-label="Remove Ana Ng"]`)
		b.sees("Remove 1 member from Site team?")
		b.click("form.confirm button.danger")
		b.sees("1 member removed from Site team.")
	})
	t.Run("row U4: blocks, and every member loses at once what it gave", func(t *testing.T) {
		w.apply(directory.PutGrant{Grant: directory.Grant{
			Group: w.crew, Privilege: directory.Privilege{Kind: directory.Access, Key: "part-list"}, Origin: directory.ByHand,
		}})
		if !w.can(w.eve, "access", "feature/part-list", "") {
			t.Fatal("a member has no access")
		}
		b.open(at + "/block")
		b.sees("This lowers the bill: -2 seats of part-list; -8.00 EUR a month.")
		b.look("group-block")
		b.click("form.confirm button.danger")
		b.sees("The group is blocked.")
		if w.can(w.eve, "access", "feature/part-list", "") {
			t.Error("a member of a blocked group has access")
		}
		b.press("Unblock")
		b.sees("gives again what it gave")
		if !w.can(w.eve, "access", "feature/part-list", "") {
			t.Error("a member of an unblocked group has no access")
		}
	})
	t.Run("deletes by typing the name", func(t *testing.T) {
		b.open(at + "/delete")
		b.fill("#typed", "Site team")
		b.click("form.confirm button.danger")
		b.sees("Group Site team was deleted.")
	})
	t.Run("locks what a directory owns, and says where to change it", func(t *testing.T) {
		b.open("/groups/" + string(w.engineering))
		b.sees("Members are managed by SCIM okta – change them there.")
		b.until(`document.querySelector('a[href$="/add"]') === null`, "no selector")
		b.look("group-members")
	})
}

func TestRowI3AndI5EditPrivilegesOfAGroup(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	b := w.browse()
	w.enter(b, w.owner)
	at := "/groups/" + string(w.crew) + "/privileges/"

	t.Run("counts what is not saved, previews the bill, and saves", func(t *testing.T) {
		b.open(at + "access")
		b.click(`input[name="g"][value="access:part-list"]`)
		b.sees("+1 −0 not saved")
		b.look("privileges-access")
		b.press("Preview and save")
		b.sees("This raises the bill: +1 seat of part-list; +4.00 EUR a month.")
		b.look("privileges-preview")
		b.press("Save")
		b.sees("Every member has it now.")
		if !w.can(w.eve, "access", "feature/part-list", "") {
			t.Error("a member has no access")
		}
	})
	t.Run("row I5: says that roles are not billed", func(t *testing.T) {
		b.open(at + "role")
		b.click(`li:first-child > label input[data-branch]`)
		b.sees("+2 −0 not saved")
		b.look("privileges-role")
		b.press("Preview and save")
		b.sees("Only access is billed")
		b.sees("The bill does not change.")
		b.press("Save")
		b.sees("Every member has it now.")
		if !w.can(w.eve, "edit", "feature/part-list", "") {
			t.Error("a member may not edit")
		}
	})
	t.Run("gives outputs and levels on integrations in a project", func(t *testing.T) {
		b.open(at + "output?project=alpha")
		b.click(`input[name="g"][value="output:cut-list-pdf"]`)
		b.press("Preview and save")
		b.press("Save")
		b.sees("Every member has it now.")
		b.open(at + "integration")
		b.choose(`select[name="integration:aws-prod"]`, "consumer")
		b.look("privileges-integration")
		b.press("Preview and save")
		b.sees("+ integration AWS production aws-prod: consumer")
		b.press("Save")
		b.sees("Every member has it now.")
		if !w.can(w.eve, "generate", "output/cut-list-pdf", "alpha") || w.can(w.eve, "generate", "output/cut-list-pdf", "beta") {
			t.Error("the output counts elsewhere than in alpha")
		}
	})
	t.Run("keeps what others did meanwhile, and says it", func(t *testing.T) {
		b.open(at + "roles")
		b.look("privileges-roles")
		w.apply(directory.PutGrant{Grant: directory.Grant{Group: w.crew, Role: directory.RoleViewer, Origin: directory.ByHand}})
		// Not by where it is: the pill that announces the change moves it.
		eval[bool](b, `(document.querySelector('input[name="g"][value="roles:releaser"]').click(), true)`)
		b.press("Preview and save")
		b.sees("somebody else granted Role viewer")
		b.press("Save")
		b.sees("Every member has it now.")
		b.until(`document.querySelector('input[name="g"][value="roles:viewer"]').checked && document.querySelector('input[name="g"][value="roles:releaser"]').checked`, "both")
	})
	t.Run("takes back", func(t *testing.T) {
		b.open(at + "access")
		b.click(`input[name="g"][value="access:part-list"]`)
		b.press("Preview and save")
		b.sees("− access Part list part-list")
		b.press("Save")
		b.sees("Every member has it now.")
		if w.can(w.eve, "access", "feature/part-list", "") {
			t.Error("a member has what was taken back")
		}
	})
	t.Run("lists all that it gives", func(t *testing.T) {
		b.open(at + "all")
		b.sees("aws-prod")
		b.look("privileges-all")
	})
}
