package console_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/scim"
)

func TestConnectAnIdentityProvider(t *testing.T) {
	t.Parallel()
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
	must(t, h.store.LogRequests(ctx, directory.Request{ID: "0199-get", Source: "okta-prod", Time: time.Now(), Method: "GET", Path: "/Groups", Status: 200}))
	b.open("/sources/okta-prod")
	b.press("The whole provisioning log")
	b.sees("GET /Groups")
	b.look("source-log")
	b.open("/sources/okta-prod/requests?result=failed")
	b.sees("1 request")
	b.open("/sources/okta-prod/requests?q=groups")
	b.sees("1 request")
	b.open("/sources/okta-prod")
	eval[bool](b, `(document.querySelector("#profile").value = "entra", true)`)
	b.press("Save")
	b.sees("Saved the profile")
	if got := eval[string](b, `document.querySelector("#profile").value`); got != "entra" {
		t.Errorf("the profile is shown as %q; want entra", got)
	}
	b.press("Errors (1)")
	b.sees("userName is missing")
	b.look("source-errors")
	b.press("POST /Users Ana")
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
	t.Parallel()
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
	b.sees("By hand")
	b.sees("Read people")
	b.look("run")
	p.exportsARun(eval[string](b, "location.pathname + location.search"))
	p.editsTheSource(b)

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
	b.sees("Likely cause")
	b.sees("40 in ou=bulk")
	b.look("hold")
	b.press("Raise the limit…")
	b.sees("What waits now")
	b.look("safeguards")
	b.fill("#disabledPercent", "101")
	b.press("Save the limits") // the browser refuses it itself
	b.fill("#disabledPercent", "6")
	b.press("Save the limits")
	b.sees("The limits count from the next run on")
	b.sees("6 %")
	b.open("/holds/corp")
	if eval[bool](b, `!!document.querySelector("#count")`) {
		b.press("Approve this plan") // the browser asks for the number itself
		b.fill("#count", eval[string](b, `document.querySelector("label[for=count]").innerText.match(/\d+/)[0]`))
	}
	b.press("Approve this plan")
	b.sees("Approved: the run ended as applied")
	b.open("/runs")
	b.sees("Held")
	b.look("runs")
	b.open("/runs?trigger=approval")
	b.sees("1 run")
	b.open("/holds")
	b.sees("Nothing is held")

	b.open("/sources")
	b.until(`document.querySelectorAll("svg.spark rect").length === 3`, "a bar for each run")
	b.look("sources")
	b.click(`button[aria-label="Actions for corp"]`)
	b.until(`[...document.querySelectorAll("#menu-corp:popover-open > *")].map(e => e.innerText).join() === "Open,Sync now,Pause"`, "what the source's page offers")
	b.press("Pause")
	b.sees("Paused source corp")
	b.look("source-paused")
	b.open("/sources")
	b.until(`[...document.querySelectorAll("#menu-corp > *")].map(e => e.textContent).join() === "Open,Resume"`, "no run of a paused source")
	b.click(`button[aria-label="Actions for corp"]`)
	b.press("Resume")
	b.sees("Resumed source corp")
	b.sees("yes, with TLS")
	b.look("source-ldap")
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
	p.policy("features: [{key: part-list, title: Part list, seat: {monthly: 4.00, currency: EUR}}]\n" +
		"mappings: [{name: local, when: {source: local, group: {pattern: \"g0001*\"}}, grant: {access: [part-list]}}]\n")
	b.press("Remove the source") // what it does has changed
	b.sees("People gain something by this")
	b.look("source-remove")
	b.fill("#count", eval[string](b, `document.querySelector("label[for=count]").innerText.match(/\d+/)[0]`))
	b.press("Remove the source")
	b.sees("Removed source corp")
}

// exportsARun reads what a run changed as CSV: a line for each object, with its
// name.
func (p *plant) exportsARun(path string) {
	p.t.Helper()
	lines := strings.Split(strings.TrimSpace(p.body(p.signedIn(p.owner), path+"&format=csv", http.StatusOK)), "\n")
	if lines[0] != "Time,Revision,Action,Target,Target's id,Attributes,Added,Removed" || len(lines) < 120 {
		p.t.Errorf("the CSV of the run has %d lines and begins %q", len(lines), lines[0])
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, ",user.created,") }) {
		p.t.Errorf("nobody is added by %q", lines[:3])
	}
}

// TestARunIsStoppedFromItsPage: the page of a run that a silent directory holds
// up tells where it is by itself, and stops it.
func TestARunIsStoppedFromItsPage(t *testing.T) {
	t.Parallel()
	p := newPlant(t, 60)
	proxy := ldaptest.StartProxy(t, p.slapd.Addr)
	settings, err := json.Marshal(map[string]any{
		"urls": []string{proxy.URL}, "allowPlaintextBind": true, "bindDN": p.slapd.BindDN, "passwordFile": p.password,
		"base": []string{p.slapd.Base}, "template": "openldap", "pageSize": 10,
	})
	must(t, err)
	p.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP, State: directory.SourceActive, Settings: settings}})
	proxy.CutAfter(8000, ldaptest.Stall)
	hit := proxy.Hit()
	by := directory.Actor{Kind: directory.ActorUser, Name: string(p.owner)}
	ended := make(chan admin.SyncRun, 1)
	go func() {
		defer close(ended)
		if run, err := p.RunSync(admin.WithPrincipal(t.Context(), root), by, "corp"); err == nil {
			ended <- run
		}
	}()
	<-hit

	b := p.browse()
	p.enter(b, p.owner)
	b.open("/runs?result=running&trigger=manual")
	b.sees("1 run")
	b.click("#list tbody a")
	b.sees("Cancel the run")
	b.sees("Read people")
	b.sees("Under way")
	before := eval[string](b, `document.querySelector("#course tbody tr:last-child").innerText`)
	b.until(fmt.Sprintf(`document.querySelector("#course tbody tr:last-child").innerText !== %q`, before), "how long it takes, by itself")
	b.look("run-under-way")
	eval[bool](b, "(window.confirm = () => true)()")
	b.press("Cancel the run")
	b.sees("The run was cancelled.")
	b.sees("before anything was applied")
	b.sees("Cancelled by")
	b.look("run-cancelled")
	if run := <-ended; run.Result != directory.RunCancelled || run.CancelledBy != directory.ActorUser+":"+string(p.owner) {
		t.Errorf("the run ended as %+v", run.Run)
	}
	b.open("/sources")
	b.sees("Cancelled")
	b.sees("Sync cancelled") // nothing says yet that the source can be read
	proxy.Heal()
	b.open("/sources/corp")
	b.press("Sync now")
	b.sees("The run ended: applied")

	// another run, which the page that asked for it follows to its end
	proxy.CutAfter(8000, ldaptest.Stall)
	b.open("/sources/corp")
	b.press("Sync now")
	b.sees("The run goes on")
	b.sees("Cancel the run")
	proxy.Heal()
	b.sees("Run again")
}

// editsTheSource changes settings in the console: refused while the directory
// can't be read by them, and never over somebody else's change.
func (p *plant) editsTheSource(b *browser) {
	b.open("/sources/corp/edit")
	b.look("source-edit")
	b.fill("#base", "dc=elsewhere,dc=example")
	b.press("Test and save")
	b.sees("Nothing was saved")
	b.sees("Save all the same")
	b.look("source-edit-refused")
	b.fill("#base", p.slapd.Base)
	b.fill("#schedule", "*/30 * * * *")
	b.press("Test only")
	b.sees("can be read")
	by := directory.Actor{Kind: directory.ActorUser, Name: string(p.owner)}
	if _, err := p.SetSource(p.t.Context(), by, "corp", map[string]json.RawMessage{"schedule": json.RawMessage(`"*/5 * * * *"`)}); err != nil {
		p.t.Fatal(err)
	}
	b.press("Test and save")
	b.sees("Somebody changed these settings")
	b.sees("*/5 * * * *")
	b.press("Test and save")
	b.sees("The next run reads by the new settings")
	b.sees("*/30 * * * *")
}

func TestSafeguardsAndProfilesAreWhatTheDaemonKnows(t *testing.T) {
	t.Parallel()
	// The console shows what counts where nothing is set.
	settings, err := ldapsync.ParseSettings([]byte(`{"urls":["ldaps://x"],"bindDN":"cn=a,dc=x","base":["dc=x"],"template":"openldap"}`))
	must(t, err)
	text, err := json.Marshal(settings.Thresholds)
	must(t, err)
	want := map[string]int{}
	must(t, json.Unmarshal(text, &want))
	if got := console.SafeguardDefaults(); !maps.Equal(got, want) {
		t.Errorf("the console shows the limits %v; the defaults are %v", got, want)
	}
	var names []string
	for _, p := range scim.Profiles {
		names = append(names, string(p))
	}
	if got := console.ProfileNames(); !slices.Equal(got, names) {
		t.Errorf("the console offers the profiles %q; there are %q", got, names)
	}
}
