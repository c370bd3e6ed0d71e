package console_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
)

// Find looks in a directory as the daemon does.
func (p pollers) Find(ctx context.Context, source directory.Source, name string) (out admin.LiveFound, err error) {
	settings, err := ldapsync.ParseSettings(source.Settings)
	if err != nil {
		return out, err
	}
	out.NextRun = nextRuns(source.Settings, 1)[0]
	found, more, err := ldapsync.Find(ctx, settings, name, time.Now())
	out.More = more
	for _, f := range found {
		out.Entries = append(out.Entries, admin.LiveEntry{
			DN: f.DN, UserName: f.UserName, DisplayName: f.DisplayName, ExternalID: f.ExternalID, Active: f.Active, Outside: f.Outside, Reason: f.Rejected,
		})
	}
	return out, err
}

// find sends the form that looks for somebody, and returns what the page says.
func find(t *testing.T, w *plant, client *http.Client, who string) string {
	t.Helper()
	res, err := client.PostForm(w.url+"/explain/find", url.Values{"user": {who}, "what": {"access part-list"}})
	must(t, err)
	return said(t, res)
}

// said is the body of an answer.
func said(t *testing.T, res *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	must(t, res.Body.Close())
	return string(text)
}

// TestSomebodyUnknownIsLookedForInTheDirectories is the whole way to a real
// server, which nobody has read yet.
func TestSomebodyUnknownIsLookedForInTheDirectories(t *testing.T) {
	t.Parallel()
	w := newPlant(t, 0)
	w.policy("features: [{key: part-list, title: Part list}]\n")
	settings, err := json.Marshal(ldapsync.Settings{
		URLs: []string{w.slapd.TLSURL}, CAFile: filepath.Join(w.SecretFolder, "ca.pem"), BindDN: w.slapd.BindDN, PasswordFile: w.password,
		Template: "openldap", Base: []string{w.slapd.Base}, UserFilter: "(&(objectClass=inetOrgPerson)(!(title=Engineer)))", Schedule: "0 4 * * *",
	})
	must(t, err)
	_, err = w.AddSource(t.Context(), root, admin.NewSource{Name: "corp", Kind: directory.KindLDAP, Settings: settings})
	must(t, err)
	_, err = w.AddSource(t.Context(), root, admin.NewSource{Name: "okta", Kind: directory.KindSCIM})
	must(t, err)
	owner := w.signedIn(w.owner)
	if got := fetched(t, owner, w.url+"/explain?user=alice&what=access+part-list"); !strings.Contains(got, "Look in the directories") {
		t.Errorf("nobody offers to look: %s", got)
	}
	for who, want := range map[string][]string{
		"alice":            {"outside the filter", "(!(title=Engineer))", "uid=alice,ou=Engineering"},
		"bob@example.test": {"not read yet", "the next run, at ", "uid=bob,ou=Engineering"},
		"dave":             {"disabled there", "uid=dave,"},
		"nobody":           {"No directory has them.", "not found", "can&#39;t be asked"},
		"*)(uid=*":         {"No directory has them.", "not found"},
	} {
		got := find(t, w, owner, who)
		for _, words := range want {
			if !strings.Contains(got, words) {
				t.Errorf("of %s the page does not say %q: %s", who, words, got)
			}
		}
		if strings.Contains(who, "*") && strings.Contains(got, "uid=bob") {
			t.Errorf("%s found others: %s", who, got)
		}
	}
	bounded := false
	for range 20 { // however slow they are, some more may be asked meanwhile
		if bounded = strings.Contains(find(t, w, owner, "one more"), "too many requests"); bounded {
			break
		}
	}
	if !bounded {
		t.Error("nothing bounds how often directories are asked")
	}
	auditor := w.signedIn(w.user("auditor@example.com", directory.RoleAuditor))
	if got := fetched(t, auditor, w.url+"/explain?user=alice&what=access+part-list"); strings.Contains(got, "Look in the directories") {
		t.Error("who does not operate sources is offered to look")
	}
	res, err := auditor.PostForm(w.url+"/explain/find", url.Values{"user": {"alice"}})
	must(t, err)
	if got := said(t, res); res.StatusCode != http.StatusForbidden || strings.Contains(got, "uid=") {
		t.Errorf("who does not operate sources is answered %d: %s", res.StatusCode, got)
	}
}

// TestSomebodyWhoIsHereIsFoundByTheirName: who has been read is told of by the
// name that they bear here, which is another one once the directory renames them.
func TestSomebodyWhoIsHereIsFoundByTheirName(t *testing.T) {
	t.Parallel()
	w := newPlant(t, 0)
	w.policy("features: [{key: part-list, title: Part list}]\n")
	settings, err := json.Marshal(ldapsync.Settings{
		URLs: []string{w.slapd.TLSURL}, CAFile: filepath.Join(w.SecretFolder, "ca.pem"), BindDN: w.slapd.BindDN, PasswordFile: w.password,
		Template: "openldap", Base: []string{w.slapd.Base}, Schedule: "0 4 * * *",
	})
	must(t, err)
	_, err = w.AddSource(t.Context(), root, admin.NewSource{Name: "corp", Kind: directory.KindLDAP, Settings: settings})
	must(t, err)
	run, err := w.RunSync(admin.WithPrincipal(t.Context(), root), root, "corp")
	must(t, err)
	if run.Result != directory.RunApplied {
		t.Fatalf("the run ended %s (%s)", run.Result, run.Message)
	}
	owner := w.signedIn(w.owner)
	for _, who := range []string{"bob", "bob@example.test"} {
		got := find(t, w, owner, who)
		if !strings.Contains(got, "is here already: bob<") || !strings.Contains(got, "who that is here") || strings.Contains(got, "by another name") {
			t.Errorf("of %s, who is here, the page says: %s", who, got)
		}
	}
	w.slapd.Replace("uid=bob,ou=Engineering,ou=people,"+w.slapd.Base, "mail", "robert@example.test")
	live, err := w.FindLive(admin.WithPrincipal(t.Context(), root), "robert@example.test")
	must(t, err)
	if live.Found != 1 {
		t.Fatalf("FindLive = %+v", live)
	}
	e := live.Sources[slices.IndexFunc(live.Sources, func(s admin.LiveSource) bool { return s.Source == "corp" })].Entries[0]
	e.UserName = "robert" // as if they were renamed there
	if got := e.Says(time.Time{}); got != "is here by another name: bob" || !e.Renamed() {
		t.Errorf("of somebody who was renamed it says %q", got)
	}
	e.UserName, e.HereAs = "bob", "" // as if the asker may not know
	if got := e.Says(time.Time{}); got != "is here already" || e.Renamed() {
		t.Errorf("to whom may not know more it says %q", got)
	}
}

// TestUsersShowWhatSourcesDeliver: the chooser offers attributes, the address
// keeps them, and CSV has them.
func TestUsersShowWhatSourcesDeliver(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.apply(directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: "okta", Profile: directory.Profile{
		UserName: "kim", ExternalID: "okta-kim", Active: true,
		Attributes: []byte(`{"title":"<i>Engineer","password":"hunter2","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"=Bridges"}}`),
	}})
	owner := w.signedIn(w.owner)
	page := fetched(t, owner, w.url+"/users?cols=name&cols=attr:department&cols=attr:title")
	for _, words := range []string{`value="attr:department" checked`, "=Bridges", "&lt;i&gt;Engineer", "Job title"} {
		if !strings.Contains(page, words) {
			t.Errorf("the page lacks %q: %s", words, page)
		}
	}
	if strings.Contains(page, "hunter2") || strings.Contains(page, "attr:password") {
		t.Error("a password is a column")
	}
	csv := fetched(t, owner, w.url+"/users?cols=name.attr:department&format=csv")
	if !strings.Contains(csv, "Name,Department\n") || !strings.Contains(csv, "kim,'=Bridges\n") {
		t.Errorf("the CSV is %s", csv)
	}
	if all := fetched(t, owner, w.url+"/users?format=csv&all=1"); !strings.Contains(all, "'=Bridges") || !strings.Contains(all, "<i>Engineer") {
		t.Errorf("the CSV of all columns is %s", all)
	}
}
