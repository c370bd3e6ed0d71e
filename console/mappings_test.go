package console_test

import (
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestRowI5AMappingShowsWhatItWouldDoBeforeItDoesIt(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	t.Run("the list says if, then, matches and when", func(t *testing.T) {
		b.open("/mappings")
		b.sees("okta: name Engineering")
		b.sees("access part-list")
		b.sees("1 group")
		b.look("mappings")
	})
	t.Run("added access raises the bill, as somebody types", func(t *testing.T) {
		b.open("/mappings/new")
		b.fill("#name", "sellers")
		b.choose("#source", "okta")
		b.fill("#value", "Sales")
		b.click(`input[name="g0.access"][value="part-list"]`)
		b.until(`document.querySelector("#preview").innerText.includes("ben@example.com")`, "Ben in the preview")
		b.until(`document.querySelector("#preview").innerText.includes("raises the bill")`, "the bill")
		b.until(`document.querySelector("#preview").innerText.includes("+4.00")`, "the money")
		b.until(`document.querySelector("#preview").innerText.includes("tests pass")`, "the tests")
		b.look("mapping-editor")
	})
	t.Run("what would be more than the preview showed is refused, and said", func(t *testing.T) {
		cyd := s.pushed("cyd@example.com", "Cyd")
		sales, err := s.Groups(admin.WithPrincipal(t.Context(), root), admin.GroupFilter{Name: "Sales"})
		must(t, err)
		s.apply(directory.AddMembers{Group: sales.Items[0].ID, Source: "okta", Values: []string{string(cyd)}})
		b.press("Apply")
		b.sees("cyd@example.com would gain access part-list")
		b.shoot("mapping-stale")
	})
	t.Run("applied, it gives what it showed", func(t *testing.T) {
		b.press("Apply")
		b.sees("Mapping sellers applied.")
		b.sees("follows the name")
		b.look("mapping")
		b.open("/explain?user=ben%40example.com&what=access+feature%2Fpart-list")
		b.sees("to which mapping sellers gives access part-list")
	})
	t.Run("role privileges do not raise the bill", func(t *testing.T) {
		b.open("/mappings/sellers/edit")
		b.click(`input[name="g0.role"][value="part-list:edit"]`)
		b.until(`document.querySelector("#preview").innerText.includes("role part-list:edit")`, "the role privilege")
		b.until(`document.querySelector("#preview").innerText.includes("The bill does not rise")`, "the bill")
	})
	t.Run("a mapping that breaks a test can't go", func(t *testing.T) {
		b.open("/mappings/engineers/delete")
		b.sees("tests fail")
		b.press("Delete")
		b.sees("should be able to access feature/part-list")
	})
	t.Run("disabling shows who loses what, enabling gives the same back", func(t *testing.T) {
		b.open("/mappings/sellers")
		b.press("Disable…")
		b.sees("− access part-list")
		b.look("mapping-disable")
		b.press("Disable")
		b.sees("Disabled mapping sellers.")
		b.open("/mappings?state=disabled")
		b.sees("1 mapping")
		b.open("/mappings/sellers/enable")
		b.sees("access part-list")
		b.press("Enable")
		b.sees("Enabled mapping sellers.")
	})
	t.Run("deleting shows who loses what, and takes it", func(t *testing.T) {
		b.open("/mappings/sellers/delete")
		b.sees("− access part-list")
		b.look("mapping-delete")
		b.press("Delete")
		b.sees("Mapping sellers deleted.")
	})
}

func TestAnAdministrationRightIsTypedAndWaitsForConfirmation(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	b := s.browse()
	s.enter(b, s.owner)
	b.open("/mappings/new?source=okta&group=Sales")
	b.fill("#name", "auditors")
	b.click(`input[name="g0.roles"][value="auditor"]`)
	b.click(`input[name="allow_admin"]`)
	b.until(`!!document.querySelector("#preview #count")`, "the number to type")
	b.press("Apply")
	b.sees("Type the number of people that this touches, then apply.")
	b.fill("#count", "1")
	b.press("Apply")
	b.sees("Mapping auditors applied.")
	// The group goes and comes again: the new one waits.
	all, err := s.Groups(admin.WithPrincipal(t.Context(), root), admin.GroupFilter{Name: "Sales"})
	must(t, err)
	s.apply(directory.DeleteGroup{ID: all.Items[0].ID, Source: "okta"})
	s.grouped("Sales", s.ana)
	b.open("/mappings/auditors")
	b.sees("suspended: gives nothing until confirmed")
	b.press("Confirm")
	b.sees("Ana Pérez")
	b.fill("#count", "1")
	b.press("Confirm")
	b.sees("Mapping auditors confirmed.")
	b.until(`!document.body.innerText.includes("suspended: gives nothing")`, "the confirmed group")
}

func TestWhoMayNotChangeMappingsReadsThemWithTheReason(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	client := s.signedIn(s.user("reader@example.com", directory.RoleAuditor))
	for path, want := range map[string]string{
		"/mappings":                 "Needs the right policy.manage",
		"/mappings/engineers":       "Needs the right policy.manage",
		"/mappings/export":          "name: engineers",
		"/mappings?format=csv":      "engineers,okta: name Engineering",
		"/mappings?state=suspended": "No mappings match",
	} {
		if got := body(t, client, s.url+path); !strings.Contains(got, want) {
			t.Errorf("%s does not say %q:\n%s", path, want, got)
		}
	}
	res, err := client.PostForm(s.url+"/mappings/apply", nil)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != 403 {
		t.Errorf("applying without the right: status %d", res.StatusCode)
	}
}
