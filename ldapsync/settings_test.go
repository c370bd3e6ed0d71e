package ldapsync

import (
	"encoding/json"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/ldapsync/ldaptest"
)

const goodSettings = `{"urls":["ldaps://ldap.example.com"],"bindDN":"cn=reader,dc=x","passwordFile":"/run/secrets/ldap","template":"openldap","base":["dc=x"]}`

func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name, set string // JSON put over good settings
		says      string // of the error; empty: good
	}{
		{"what is required is enough", `{}`, ""},
		{"a password in the clear is refused", `{"urls":["ldap://ldap.example.com"]}`, "in the clear"},
		{"unless it is asked for", `{"urls":["ldap://ldap.example.com"],"allowPlaintextBind":true}`, ""},
		{"on this machine it crosses no network", `{"urls":["ldap://127.0.0.1:389","ldap://localhost","ldap://[::1]:389"]}`, ""},
		{"one of the servers is elsewhere", `{"urls":["ldap://127.0.0.1","ldap://10.0.0.1"]}`, "in the clear"},
		{"a name that looks like this machine", `{"urls":["ldap://127.0.0.1.example.com"]}`, "in the clear"},
		{"DNS may name any machine", `{"urls":["ldap+srv://localhost"]}`, "in the clear"},
		{"StartTLS is not in the clear", `{"urls":["ldap://ldap.example.com"],"startTLS":true}`, ""},
		{"a unix socket is not in the clear", `{"urls":["ldapi:///run/slapd/ldapi"]}`, ""},
		{"StartTLS inside TLS", `{"startTLS":true}`, "TLS already"},
		{"DNS may name the servers", `{"urls":["ldaps+srv://example.com"]}`, ""},
		{"another scheme", `{"urls":["http://ldap.example.com"]}`, "scheme"},
		{"no server", `{"urls":[]}`, "at least one server"},
		{"a password in the URL", `{"urls":["ldaps://a:geheim@ldap.example.com"]}`, "no user or password"},
		{"anonymous", `{"bindDN":""}`, "anonymous"},
		{"a certificate for EXTERNAL", `{"bindDN":"","external":true,"certFile":"c","keyFile":"k"}`, ""},
		{"EXTERNAL without one", `{"bindDN":"","external":true}`, "certFile"},
		{"both kinds of bind", `{"external":true,"certFile":"c","keyFile":"k"}`, "exclude"},
		{"a certificate without a key", `{"certFile":"c"}`, "go together"},
		{"a template nobody knows", `{"template":"novell"}`, "active-directory"},
		{"no base", `{"base":[]}`, "userBase: required"},
		{"a base that is none", `{"base":["people"]}`, "not a distinguished name"},
		{"bases that overlap", `{"base":["dc=x","OU=people,DC=X"]}`, "overlaps"},
		{"bases side by side", `{"base":["ou=a,dc=x","ou=b,dc=x"]}`, ""},
		{"an id that changes", `{"attributes":{"id":"uid"}}`, "never does"},
		{"an attribute that is no name", `{"attributes":{"userName":["uid)(x=*"]}}`, "not the name of an attribute"},
		{"an attribute with what is to be made of it", `{"attributes":{"userName":["mail|local|lower"],"groupName":["cn|upper"]}}`, ""},
		{"what nobody knows to make", `{"attributes":{"userName":["mail|rot13"]}}`, "lower, upper, local or account"},
		{"nothing is made of an id", `{"attributes":{"id":"entryUUID|upper"}}`, "as it is"},
		{"nor of members", `{"attributes":{"members":["member|lower"]}}`, "as it is"},
		{"an attribute with options", `{"attributes":{"members":["member;range=0-10"]}}`, "not the name of an attribute"},
		{"a filter that is none", `{"userFilter":"uid=*"}`, "userFilter"},
		{"an unknown key", `{"urll":[]}`, "urll"},
		{"a schedule that never comes", `{"schedule":"0 0 31 2 *"}`, "never comes"},
		{"a page of nothing", `{"pageSize":-1}`, "pageSize"},
		{"a threshold above all", `{"thresholds":{"disabledPercent":101}}`, "percentage"},
		{"a duration", `{"requestTimeout":"1m30s","retention":{"reads":5,"for":"720h"}}`, ""},
		{"a duration that is none", `{"requestTimeout":"soon"}`, "soon"},
	} {
		var merged map[string]any
		if err := json.Unmarshal([]byte(goodSettings), &merged); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.set), &merged); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(merged)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseSettings(text)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: ParseSettings = %v, want an error with %q", c.name, err, c.says)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the error tells the password", c.name)
		}
	}
}

func TestSettingsSurviveTheStore(t *testing.T) {
	s, err := ParseSettings([]byte(goodSettings))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSettings(text)
	if err != nil {
		t.Fatalf("settings with defaults are refused: %v", err)
	}
	if b, _ := json.Marshal(again); string(b) != string(text) {
		t.Errorf("written %s, read %s", text, b)
	}
}

func TestServersOfADomain(t *testing.T) {
	records := []*net.SRV{
		{Target: "dc1.corp.example.", Port: 636},
		{Target: "DC2.corp.example.", Port: 3269},
		{Target: "evil.example.", Port: 636},
		{Target: "notcorp.example.", Port: 636},
	}
	got, err := targets("ldaps", "Corp.Example", records, "")
	if want := []string{"ldaps://dc1.corp.example:636", "ldaps://dc2.corp.example:3269"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("targets = %v, %v, want %v", got, err, want)
	}
	if got, err := targets("ldaps", "corp.example", records[2:], ""); err == nil {
		t.Errorf("targets outside the domain = %v, want an error", got)
	}
}

func TestTemplatesAreWhole(t *testing.T) {
	for _, name := range TemplateNames() {
		tmpl, _ := TemplateNamed(name)
		if err := tmpl.Mapping.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, filter := range []string{tmpl.UserFilter, tmpl.GroupFilter} {
			if err := checkFilter(filter); err != nil {
				t.Errorf("%s: %s: %v", name, filter, err)
			}
		}
		if attrs := tmpl.userAttributes(); slices.Contains(attrs, "*") || slices.Contains(attrs, "+") || !slices.Contains(attrs, tmpl.Mapping.ID) {
			t.Errorf("%s asks for %v", name, attrs)
		}
	}
}

// TestDirectoryServer389 reads what is particular to 389 Directory Server from
// the fake: ids, locks, and members by uniqueMember, with and without a
// placeholder.
func TestDirectoryServer389(t *testing.T) {
	person := func(uid, id, lock string) ldaptest.Entry {
		e := ldaptest.Entry{DN: "uid=" + uid + ",ou=people," + fakeBase, Attrs: map[string][]string{
			"objectClass": {"inetOrgPerson"}, "nsUniqueId": {id}, "uid": {uid}, "cn": {uid}, "entryUUID": {"another-id"},
		}}
		if lock != "" {
			e.Attrs["nsAccountLock"] = []string{lock}
		}
		return e
	}
	fake := ldaptest.StartFake(t, ldaptest.FakeConfig{Contexts: []string{fakeBase}, Entries: []ldaptest.Entry{
		person("ann", "B1C6AB01-1DD211B2-80F8-0001", ""), person("ben", "b1c6ab01-1dd211b2-80f8-0002", "true"),
		person("cleo", "b1c6ab01-1dd211b2-80f8-0003", "false"),
		{DN: "cn=team," + fakeBase, Attrs: map[string][]string{
			"objectClass": {"groupOfUniqueNames"}, "nsUniqueId": {"b1c6ab01-1dd211b2-80f8-0009"}, "cn": {"team"},
			"uniqueMember": {"", "UID=ann, ou=people, " + fakeBase + "#'0101'B", "uid=cleo,ou=people," + fakeBase, "uid=nobody," + fakeBase},
		}},
	}})
	s := fakeSettings(t, fake.URL)
	s.Template = "389ds"
	snap := collect(t, s)
	active := map[string]bool{}
	for _, p := range peopleOf(t, snap) {
		active[p.Profile.UserName+" "+p.Profile.ExternalID] = p.Profile.Active
	}
	for who, want := range map[string]bool{
		"ann b1c6ab01-1dd211b2-80f8-0001": true, "ben b1c6ab01-1dd211b2-80f8-0002": false, "cleo b1c6ab01-1dd211b2-80f8-0003": true,
	} {
		if got, there := active[who]; !there || got != want {
			t.Errorf("%s is there = %v and active = %v, want active = %v", who, there, got, want)
		}
	}
	e := resolved(t, snap)
	if got, want := membersOf(t, snap, e, "team"), []string{"ann", "cleo"}; !slices.Equal(got, want) || e.unresolved[0] != 1 {
		t.Errorf("members %v and %d unresolved, want %v and 1", got, e.unresolved[0], want)
	}
}

// TestTwinsGiveNothingByChance: DNs that fold alike but are two entries match
// only in their own spelling.
func TestTwinsGiveNothingByChance(t *testing.T) {
	w := newWorld()
	w.person("1", "anna", "a")
	w.person("2", "annb", "a")
	for id, dn := range map[string]string{"1": "cn=Straße,dc=x", "2": "cn=STRASSE,dc=x"} {
		p := w.people[id]
		p.DN = dn
		w.people[id] = p
	}
	w.group("g", "g", "cn=STRASSE,dc=x", "cn=strasse,dc=x")
	s := w.snapshot(t, newState(&spool{}))
	e := resolved(t, s)
	if got := membersOf(t, s, e, "g"); !slices.Equal(got, []string{"annb"}) || e.unresolved[0] != 1 {
		t.Errorf("members %v, %d unresolved; want the one in its own spelling, and one unresolved", got, e.unresolved[0])
	}
}

func TestSubtypesAreNotTheAttribute(t *testing.T) {
	e := &ldap.Entry{Attributes: []*ldap.EntryAttribute{
		{Name: "cn;lang-fr", ByteValues: [][]byte{[]byte("Aline")}}, {Name: "CN", ByteValues: [][]byte{[]byte("\xff"), []byte(" Alice ")}},
	}}
	if got := valuesOf(e).one("displayName", "cn"); got != "Alice" {
		t.Errorf("cn = %q, want Alice", got)
	}
}

func TestTransforms(t *testing.T) {
	e := &ldap.Entry{Attributes: []*ldap.EntryAttribute{
		{Name: "mail", ByteValues: [][]byte{[]byte("@corp.test"), []byte(" Alice.Ansel@Corp.test ")}},
		{Name: "login", ByteValues: [][]byte{[]byte(`CORP\Alice`)}},
		{Name: "uid", ByteValues: [][]byte{[]byte("Ålice")}},
	}}
	for mapped, want := range map[string]string{
		"mail|local": "Alice.Ansel", "mail|local|lower": "alice.ansel", "MAIL|upper": "@CORP.TEST", "login|account|lower": "alice", "uid|local|lower": "ålice",
		"uid": "Ålice", "gone|lower": "",
	} {
		if got := valuesOf(e).one(mapped); got != want {
			t.Errorf("%s is %q, want %q", mapped, got, want)
		}
	}
	if got := (Mapping{ID: "entryUUID", UserName: []string{"mail|local"}, Emails: []string{"mail"}}).userAttributes(); !slices.Equal(got, []string{"entryUUID", "mail"}) {
		t.Errorf("asked for %v, want each attribute once, by its name", got)
	}
}
