package admin_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// source adds a SCIM source.
func (w *world) source(name directory.SourceName, settings string) admin.MadeSource {
	w.t.Helper()
	made, err := w.AddSource(w.t.Context(), by, admin.NewSource{Name: name, Kind: directory.KindSCIM, Settings: []byte(settings)})
	if err != nil {
		w.t.Fatalf("AddSource(%s) = %v", name, err)
	}
	return made
}

// from makes an active user of a source.
func (w *world) from(source directory.SourceName, name string, emails ...string) directory.UserID {
	w.t.Helper()
	id := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: id, Source: source, Profile: person(name, emails...)})
	return id
}

// joined has a source deliver an identity of a user.
func (w *world) joined(source directory.SourceName, user directory.UserID, name string) string {
	w.t.Helper()
	id := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: id, Source: source, Profile: person(name), User: user})
	return string(id)
}

func person(name string, emails ...string) directory.Profile {
	p := directory.Profile{UserName: name, ExternalID: "x-" + name, Active: true}
	for _, e := range emails {
		p.Emails = append(p.Emails, directory.Email{Value: e})
	}
	return p
}

func TestWhoIsLinked(t *testing.T) {
	w := newWorld(t)
	w.source("corp", `{"link":{"domains":["corp.example"]}}`)
	w.source("hr", ``)
	w.source("okta", `{"link":{"with":["corp"],"by":"userName"}}`)
	w.source("entra", `{"link":{"with":["corp"],"by":"email","domains":["corp.example"]}}`)
	kim := w.from("corp", "kim", "kim@corp.example", "kim@other.example")
	w.from("hr", "lee", "lee@corp.example")
	boss := w.from("corp", "boss", "boss@corp.example")
	w.apply(directory.PutGrant{Grant: directory.Grant{User: boss, Role: directory.RoleAdmin}}, directory.SetBlock{User: boss, Blocked: true})
	for _, tt := range []struct {
		claim  string
		source directory.SourceName
		p      directory.Profile
		want   directory.UserID
	}{
		{"the same userName of a source that is named", "okta", person("KIM"), kim},
		{"another userName", "okta", person("kimberly", "kim@corp.example"), ""},
		{"the same userName of a source that is not named", "okta", person("lee"), ""},
		{"somebody with an administration right, though blocked", "okta", person("boss"), ""},
		{"a source without linking", "hr", person("kim"), ""},
		{"a source that only lists domains", "corp", person("lee", "lee@corp.example"), ""},
		{"an address of a domain of both", "entra", person("k", "Kim@Corp.example"), kim},
		{"the userName where it goes by address", "entra", person("kim"), ""},
		{"an address of a domain that is not both's", "entra", person("k", "kim@other.example"), ""},
		{"an address of a source that is not named", "entra", person("l", "lee@corp.example"), ""},
		{"addresses of two people", "entra", person("k", "kim@corp.example", "boss@corp.example"), ""},
		{"an address of somebody with an administration right", "entra", person("b", "boss@corp.example"), ""},
	} {
		if got, err := w.LinkFor(t.Context(), tt.source, tt.p); got != tt.want || err != nil {
			t.Errorf("%s: LinkFor(%s, %+v) = %q, %v; want %q", tt.claim, tt.source, tt.p, got, err, tt.want)
		}
	}
	w.apply(directory.DetachUser{Source: "okta", Value: w.joined("okta", kim, "kim")})
	for source, want := range map[directory.SourceName]directory.UserID{"okta": "", "entra": kim} {
		if got, err := w.LinkFor(t.Context(), source, person("kim", "kim@corp.example")); got != want || err != nil {
			t.Errorf("after okta's was detached LinkFor(%s, kim) = %q, %v; want %q", source, got, err, want)
		}
	}
	w.apply(directory.SetSourceState{Source: "corp", State: directory.SourceDisabled})
	if got, err := w.LinkFor(t.Context(), "okta", person("boss")); got != "" || err != nil {
		t.Errorf("LinkFor an administrator of a disabled source = %q, %v; want nobody", got, err)
	}
}

func TestLinkSettingsAreChecked(t *testing.T) {
	w := newWorld(t)
	w.source("corp", "")
	for _, bad := range []string{
		`{"with":["nosuch"]}`, `{"with":["okta"]}`, `{"with":["corp"],"by":"name"}`, `{"with":["corp"],"by":"email"}`,
		`{"with":["corp"],"by":"email","domains":["*"]}`, `{"with":["corp"],"by":"email","domains":["Corp.example"]}`, `[]`,
	} {
		_, err := w.AddSource(t.Context(), by, admin.NewSource{Name: "okta", Kind: directory.KindSCIM, Settings: []byte(`{"link":` + bad + `}`)})
		if err == nil {
			t.Fatalf("AddSource with link %s succeeds", bad)
		}
	}
	w.source("okta", `{"link":{"with":["corp"]}}`)
	change := map[string]json.RawMessage{"link": json.RawMessage("null"), "profile": json.RawMessage(`"okta"`)}
	if _, err := w.SetSource(t.Context(), by, "okta", change); err != nil {
		t.Fatal(err)
	}
	page, err := w.Source(t.Context(), "okta")
	if err != nil || string(page.Settings) != `{"profile":"okta"}` || page.Profile != "okta" || len(page.Tokens) != 1 {
		t.Errorf("Source = %+v, %v; want the profile set, and no link", page, err)
	}
	wantErr(t, "SetSource of a link to nobody", second(w.SetSource(t.Context(), by, "okta", map[string]json.RawMessage{"link": json.RawMessage(`{"with":["x"]}`)})), directory.ErrNotFound)
}

func second[T any](_ T, err error) error { return err }

func TestLinkDetachRestoreErase(t *testing.T) {
	w := newWorld(t)
	w.source("corp", "")
	w.source("okta", "")
	kim := w.from("corp", "kim", "kim@corp.example")
	out, err := w.LinkUser(t.Context(), by, "okta/00u1", "kim")
	if err != nil || !strings.Contains(out.Note, "okta") {
		t.Fatalf("LinkUser = %+v, %v", out, err)
	}
	own := directory.UserID(directory.NewID())
	w.apply(directory.CreateUser{ID: own, Source: "okta", Profile: directory.Profile{UserName: "kim", ExternalID: "00u1", Active: true}})
	page, err := w.User(t.Context(), string(own))
	if err != nil || page.ID != kim {
		t.Errorf("User(%s) = %+v, %v; want %s", own, page, err, kim)
	}
	wantErr(t, "a second link of one source", second(w.LinkUser(t.Context(), by, "okta/00u2", "kim")), directory.ErrExists)
	wantErr(t, "a link without source", second(w.LinkUser(t.Context(), by, "00u2", "kim")), directory.ErrInvalid)
	wantErr(t, "a link of an unknown source", second(w.LinkUser(t.Context(), by, "nosuch/00u2", "kim")), directory.ErrNotFound)
	wantErr(t, "erasing who is there", second(w.EraseUser(t.Context(), by, string(kim))), directory.ErrInUse)
	wantErr(t, "detaching", second(w.DetachUser(t.Context(), by, "okta/00u1")), nil)
	wantErr(t, "detaching the last", second(w.DetachUser(t.Context(), by, "corp/x-kim")), directory.ErrInUse)

	w.apply(directory.DeleteUser{ID: kim, Source: "corp"})
	wantErr(t, "restoring by name", second(w.RestoreUser(t.Context(), by, "kim")), directory.ErrInvalid)
	heir := w.from("okta", "kim")
	wantErr(t, "restoring while the name is taken", second(w.RestoreUser(t.Context(), by, string(kim))), directory.ErrExists)
	w.apply(directory.DeleteUser{ID: heir, Source: "okta"})
	out, err = w.RestoreUser(t.Context(), by, strings.ToUpper(string(kim)))
	if err != nil || out.Note == "" {
		t.Errorf("RestoreUser = %+v, %v; want it to say what did not come back", out, err)
	}
	err = w.store.LogRequests(t.Context(), directory.Request{ID: "r1", Source: "corp", Time: w.now, Path: "/scim/corp/v2/Users", Body: []byte(`{"userName":"Kim"}`)})
	if err != nil {
		t.Fatal(err)
	}
	w.apply(directory.DeleteUser{ID: kim, Source: "corp"})
	erased, err := w.EraseUser(t.Context(), by, string(kim))
	if err != nil || erased.Requests != 1 || !erased.Changed {
		t.Errorf("EraseUser = %+v, %v; want one log entry", erased, err)
	}
	records, err := w.store.Audit(t.Context(), 0, 1000)
	text, _ := json.Marshal(records)
	if err != nil || strings.Contains(string(text), "corp.example") || strings.Contains(strings.ToLower(string(text)), `"kim`) {
		t.Errorf("the audit trail holds personal data: %s, %v", text, err)
	}
	if v, err := w.VerifyAudit(t.Context()); err != nil || !v.OK {
		t.Errorf("VerifyAudit = %+v, %v; want the chain whole", v, err)
	}
	local := w.user("local-lee")
	if erased, err := w.EraseUser(t.Context(), by, string(local)); err != nil || !erased.Changed {
		t.Errorf("EraseUser of a local user = %+v, %v; want it deleted and erased", erased, err)
	}
}

func TestTheLastOwnerIsNotDetached(t *testing.T) {
	w := newWorld(t)
	w.source("corp", "")
	w.source("okta", "")
	kim := w.from("corp", "kim")
	own := directory.UserID(directory.NewID())
	group := directory.GroupID(directory.NewID())
	w.apply(directory.CreateUser{ID: own, Source: "okta", User: kim, Profile: person("kim")},
		directory.CreateGroup{ID: group, Source: "okta", Name: "owners"},
		directory.AddMembers{Group: group, Source: "okta", Values: []string{string(own)}},
		directory.PutGrant{Grant: directory.Grant{Group: group, Role: directory.RoleOwner}})
	wantErr(t, "detaching the identity that makes the last owner", second(w.DetachUser(t.Context(), by, "okta/"+string(own))), admin.ErrLastOwner)
	w.apply(directory.PutGrant{Grant: directory.Grant{User: kim, Role: directory.RoleOwner}})
	wantErr(t, "detaching it when there is another way", second(w.DetachUser(t.Context(), by, "okta/"+string(own))), nil)
}

func TestTokensAreRotated(t *testing.T) {
	w := newWorld(t)
	made := w.source("okta", "")
	next, err := w.RotateToken(t.Context(), by, made.TokenID, 72*time.Hour)
	if err != nil || next.Token == "" || next.ID == made.TokenID || next.Source != "okta" {
		t.Fatalf("RotateToken = %+v, %v", next, err)
	}
	state := func() map[string]admin.ListedToken {
		t.Helper()
		list, err := w.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]admin.ListedToken{}
		for _, tok := range list {
			out[tok.ID] = tok
		}
		return out
	}
	old := state()[made.TokenID]
	if old.State != "active" || old.Expires.After(w.now.Add(72*time.Hour)) || state()[next.ID].State != "active" {
		t.Errorf("after a rotation the tokens are %+v; want both active and the old one for three days", state())
	}
	wantErr(t, "rotating while two are active", second(w.RotateToken(t.Context(), by, next.ID, time.Hour)), directory.ErrInUse)
	again, err := w.RotateToken(t.Context(), by, next.ID, 0)
	if err != nil || state()[next.ID].State != "revoked" || state()[made.TokenID].State != "active" {
		t.Errorf("RotateToken without grace beside another = %+v, %v; want it to take the place of one", again, err)
	}
	next = again
	w.now = w.now.Add(73 * time.Hour)
	if got := state()[made.TokenID].State; got != "expired" {
		t.Errorf("after its grace the old token is %s", got)
	}
	wantErr(t, "rotating an expired one", second(w.RotateToken(t.Context(), by, made.TokenID, 0)), directory.ErrNotFound)
	last, err := w.RotateToken(t.Context(), by, next.ID, 0)
	if err != nil || state()[next.ID].State != "revoked" || state()[last.ID].State != "active" {
		t.Errorf("RotateToken without grace = %+v, %v, then %+v; want the old one revoked", last, err, state())
	}
	wantErr(t, "a grace of a year", second(w.RotateToken(t.Context(), by, last.ID, 365*24*time.Hour)), directory.ErrInvalid)
}

func TestUsageOfSources(t *testing.T) {
	w := newWorld(t)
	made := w.source("okta", "")
	detect := func(r directory.Request) string { return r.Agent }
	at := func(minute, status int, agent string, quirks ...string) directory.Request {
		return directory.Request{
			Source: "okta", Token: made.TokenID, Time: w.now.Add(time.Duration(minute) * time.Minute).UTC().Truncate(time.Millisecond),
			Status: status, Agent: agent, Quirks: quirks,
		}
	}
	first, last := at(1, 200, "okta", "a"), at(5, 201, "okta", "a", "b")
	replayed := at(9, 200, "okta", "c")
	replayed.Replays = "r"
	for _, batch := range [][]directory.Request{{first, at(3, 409, "entra")}, {last, replayed}} {
		if err := w.NoteRequests(t.Context(), detect, batch...); err != nil {
			t.Fatal(err)
		}
	}
	page, err := w.Source(t.Context(), "okta")
	if err != nil || page.Usage == nil {
		t.Fatalf("Source = %+v, %v", page, err)
	}
	u := page.Usage
	if u.Requests != 3 || u.Failed != 1 || u.Profile != "okta" || !u.Last.Equal(last.Time) || len(u.Quirks) != 2 ||
		u.Quirks["a"].Count != 2 || !u.Quirks["a"].Last.Equal(last.Time) || !u.Quirks["b"].Last.Equal(last.Time) {
		t.Errorf("usage = %+v, want three requests, one failed, quirks a twice and b once", u)
	}
	if len(page.Tokens) != 1 || !page.Tokens[0].LastUsed.Equal(last.Time) {
		t.Errorf("tokens = %+v, want one last used at %v", page.Tokens, last.Time)
	}
	list, err := w.Sources(t.Context())
	if err != nil || len(list) != 2 || list[1].Profile != "okta" || list[1].Quirks != 2 || list[1].TokenExpires.IsZero() {
		t.Errorf("Sources = %+v, %v; want okta with profile, quirks and expiry", list, err)
	}
	w.apply(directory.SetSourceState{Source: "okta", State: directory.SourceDisabled})
	wantErr(t, "RemoveSource", second(w.RemoveSource(t.Context(), by, "okta", admin.Removal{})), nil)
	w.source("okta", "")
	if page, err := w.Source(t.Context(), "okta"); err != nil || page.Usage != nil {
		t.Errorf("usage of a new source of the same name = %+v, %v; want none", page.Usage, err)
	}
}
