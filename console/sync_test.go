package console_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// look keeps screenshots of a page in every look and runs axe in both themes.
func (b *browser) look(name string) {
	b.t.Helper()
	b.everyLook(func(look string) {
		b.axe()
		b.fits()
		b.shoot(name + "-" + look)
	})
}

// fits fails the test if the page is wider than the window.
func (b *browser) fits() {
	b.t.Helper()
	if over := eval[float64](b, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); over > 0 {
		wide := eval[string](b, `[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, pre")).slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join("\n")`)
		b.t.Errorf("%s is %v px wider than the window: %s", eval[string](b, "location.pathname"), over, wide)
	}
}

func TestConnectAnIdentityProvider(t *testing.T) {
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	b := h.browse()
	h.enter(b, owner)

	b.open("/sources")
	b.sees("No source yet")
	b.look("sources-empty")
	b.press("Connect a source")
	b.sees("Where do people and groups come from?")
	b.look("sources-new")
	b.press("Okta")
	b.fill("#name", "Okta Prod")
	b.press("Add the source")
	b.sees("use lower-case letters")
	if got := eval[string](b, `document.querySelector("#name").value`); got != "Okta Prod" {
		t.Errorf("after a refusal the name is %q; want what was typed", got)
	}
	b.fill("#name", "okta-prod")
	b.press("Add the source")
	b.sees("It is shown this once")
	token := eval[string](b, `document.querySelector("#token").value`)
	if url := eval[string](b, `document.querySelector("#scim-url").value`); url != h.url+"/scim/okta-prod/v2" || !strings.HasPrefix(token, "ush_scim_") {
		t.Errorf("the wizard shows %q and a token that begins with %.12q", url, token)
	}
	b.look("sources-added")
	b.press("To the source")
	b.sees("The provider has sent nothing yet")
	if eval[bool](b, fmt.Sprintf("document.documentElement.outerHTML.includes(%q)", token)) {
		t.Error("the source's page shows the token again")
	}
	b.look("source-scim")

	ctx := admin.WithPrincipal(t.Context(), root)
	must(t, h.store.LogRequests(ctx, directory.Request{
		ID: "0199-req", Source: "okta-prod", Time: time.Now(), Method: "POST", Path: "/Users", Status: 400, Detail: "userName is missing",
		Body: []byte(`{"displayName":"Ana"}`), Quirks: []string{"manager string to value"}, Agent: "Okta/1",
	}))
	b.open("/sources/okta-prod")
	b.press("POST /Users")
	b.sees("userName is missing")
	b.sees("manager string to value")
	b.look("source-request")

	b.open("/sources/okta-prod")
	b.press("New token")
	b.fill("#name", "second")
	b.press("Make the token")
	b.sees("It is shown this once")
	b.open("/settings/tokens/new?kind=scim&source=okta-prod")
	b.fill("#name", "third")
	b.press("Make the token")
	b.sees("revoke one first")
}

func TestReadADirectoryFromTheConsole(t *testing.T) {
	p := newPlant(t, 120)
	b := p.browse()
	p.enter(b, p.owner)

	b.open("/sources/new?of=openldap")
	b.fill("#name", "corp")
	b.fill("#urls", p.slapd.TLSURL)
	b.fill("#bindDN", p.slapd.BindDN)
	b.fill("#base", p.slapd.Base)
	b.fill("#caFile", filepath.Join(p.SecretFolder, "ca.pem"))
	b.fill("#passwordFile", "/etc/shadow")
	b.look("sources-new-ldap")
	b.press("Add the source")
	b.sees("names a file of this machine")
	b.sees("usherd source add corp --kind ldap --template openldap --url " + p.slapd.TLSURL)
	b.look("sources-new-refused")
	b.fill("#passwordFile", p.password)
	b.press("Add the source")
	b.sees("Added source corp")
	b.sees("Next runs")

	b.press("Test")
	b.sees("can be read")
	b.sees("as they would be taken over")
	b.look("source-test")
	b.open("/sources/corp")
	b.press("Dry run")
	b.sees("Nothing was changed")
	b.look("source-plan")
	b.press("Sync now")
	b.sees("The run ended: applied")
	b.sees("What it changed")
	b.look("run")

	p.policy("features: [{key: part-list, title: Part list, seat: {monthly: 4.00, currency: EUR}}]\n" +
		"mappings: [{name: bulk, when: {source: corp, group: {name: g0001}}, grant: {access: [part-list]}}]\n")
	for i := range 40 {
		p.slapd.Delete(fmt.Sprintf("uid=u%04d,ou=bulk,%s", i+1, ldaptest.People))
	}
	b.open("/sources/corp")
	b.press("Sync now")
	b.sees("The run ended: held")
	if got := eval[string](b, `document.querySelector('#menu a[href="/holds"]').innerText`); !strings.Contains(got, "1") {
		t.Errorf("the menu says %q; want that one plan waits", got)
	}
	b.open("/holds")
	b.look("holds")
	b.press("Look at it")
	b.sees("Why it waits")
	b.look("hold")
	if eval[bool](b, `!!document.querySelector("#count")`) {
		b.press("Approve this plan") // the browser asks for the number itself
		b.fill("#count", eval[string](b, `document.querySelector("label[for=count]").innerText.match(/\d+/)[0]`))
	}
	b.press("Approve this plan")
	b.sees("Approved: the run ended as applied")
	b.open("/runs")
	b.sees("held")
	b.look("runs")
	b.open("/holds")
	b.sees("Nothing is held")

	b.open("/sources/corp")
	b.look("source-ldap")
	b.press("Pause")
	b.sees("Paused source corp")
	b.press("Resume")
	b.sees("Resumed source corp")
	b.press("Disable…")
	b.sees("Its groups give nothing")
	b.sees("Seats of part-list")
	b.look("source-disable")
	b.press("Disable the source")
	b.sees("Disabled source corp")
	b.press("Remove…")
	b.sees("Delete its people")
	b.press("Keep them as local users")
	b.sees("Nobody gains or loses anything")
	b.look("source-remove")
	b.press("Remove the source")
	b.sees("Removed source corp")
}
