package ldapsync

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// secretFile writes a password where settings name it.
func secretFile(tb testing.TB, password string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "password")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// settingsOf are the settings of a reader of s.
func settingsOf(tb testing.TB, s *ldaptest.Slapd) Settings {
	tb.Helper()
	return Settings{
		URLs: []string{s.URL}, AllowPlaintextBind: true, BindDN: s.BindDN, PasswordFile: secretFile(tb, s.Password),
		Template: "openldap", Base: []string{s.Base},
	}.withDefaults()
}

// collect reads, and fails the test if the read is not complete.
func collect(t *testing.T, s Settings) *Snapshot {
	t.Helper()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	snap, err := Collect(t.Context(), s, time.Now(), nil)
	if err != nil {
		t.Fatalf("Collect: %v", err)
	}
	return snap
}

func nobodyBefore(dnKey) (string, bool, error) { return "", false, nil }

func resolved(t *testing.T, s *Snapshot) edges {
	t.Helper()
	e, err := resolve(s, nobodyBefore)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// peopleOf lists the people of a snapshot.
func peopleOf(t *testing.T, s *Snapshot) []Person {
	t.Helper()
	var out []Person
	for i := range int32(s.people.len()) {
		p, err := s.person(i)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// membersOf lists the direct members of the group of that name: userNames, and
// group names with @ in front.
func membersOf(t *testing.T, s *Snapshot, e edges, name string) []string {
	t.Helper()
	i := slices.IndexFunc(s.Groups, func(g Group) bool { return g.Name == name })
	if i < 0 {
		t.Fatalf("no group %q in the snapshot", name)
	}
	people := peopleOf(t, s)
	var out []string
	for _, m := range e.of[i] {
		if m.group {
			out = append(out, "@"+s.Groups[m.at].Name)
		} else {
			out = append(out, people[m.at].Profile.UserName)
		}
	}
	slices.Sort(out)
	return out
}

func TestSlapdIsReadWhole(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{Users: 120, Groups: 3})
	s := settingsOf(t, server)
	s.PageSize, s.GroupPageSize = 50, 2
	snap := collect(t, s)
	if got, want := snap.people.len(), 5+120; got != want {
		t.Errorf("read %d people, want %d", got, want)
	}
	people := map[string]Person{}
	for _, p := range peopleOf(t, snap) {
		people[p.Profile.UserName] = p
	}
	for name, active := range map[string]bool{"alice": true, "bob": true, "zoe": true, "carol": false, "dave": false, "u0001": true} {
		if got := people[name].Profile.Active; got != active {
			t.Errorf("%s is active = %v, want %v", name, got, active)
		}
	}
	if got, want := people["zoe"].Profile.DN, `cn=Duval\, Zoë *(temp),ou=Finance,`+ldaptest.People; got != want {
		t.Errorf("DN of zoe is %q, want %q", got, want)
	}
	e := resolved(t, snap)
	for group, want := range map[string][]string{
		"backend": {"alice", "bob"}, "engineering": {"@backend", "dave"}, "all-staff": {"@engineering", "@finance"},
		"finance": {"@all-staff", "carol", "zoe"}, "posix-eng": {"alice", "bob"}, "unique-fin": {"carol"},
		"dyn-eng": {"alice", "bob", "dave"}, "platform team": {"bob"},
	} {
		if got := membersOf(t, snap, e, group); !slices.Equal(got, want) {
			t.Errorf("members of %q = %v, want %v", group, got, want)
		}
	}
	for i, n := range e.unresolved {
		if n != 0 {
			t.Errorf("group %q has %d unresolved members, want none", snap.Groups[i].Name, n)
		}
	}
}

func TestAliceHasTheMappedFields(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{})
	snap := collect(t, settingsOf(t, server))
	people := peopleOf(t, snap)
	p := people[slices.IndexFunc(people, func(p Person) bool { return p.Profile.UserName == "alice" })].Profile
	want := `{"active":true,"displayName":"Alice Ansel","emails":[{"value":"alice@example.test","type":"work","primary":true}],"externalId":"` + p.ExternalID +
		`","name":{"familyName":"Ansel","formatted":"Alice Ansel","givenName":"Alice"},"schemas":["` + userSchema + `","` + enterpriseSchema +
		`"],"title":"Engineer","` + enterpriseSchema + `":{"department":"Engineering","organization":"Example GmbH"},"userName":"alice"}`
	if got := string(p.Attributes); got != want {
		t.Errorf("attributes of alice\n got %s\nwant %s", got, want)
	}
	if len(p.ExternalID) != 36 {
		t.Errorf("stable id of alice is %q, want an entryUUID", p.ExternalID)
	}
	if want := (directory.Email{Value: "alice@example.test", Type: "work", Primary: true}); len(p.Emails) != 1 || p.Emails[0] != want {
		t.Errorf("emails of alice = %v, want %v", p.Emails, want)
	}
}

func TestIncompleteReadsSayWhatToDo(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{Users: 100, Referral: true})
	quiet := settingsOf(t, server)
	quiet.IgnoreReferrals = []string{"dc=other,dc=test"}
	for _, c := range []struct {
		name  string
		alter func(*Settings)
		cause Cause
		says  string
	}{
		{"a size limit names the setting of each server", func(s *Settings) { s.BindDN = ldaptest.LimitedDN }, CauseLimit, `dn.exact="` + ldaptest.LimitedDN + `" size=unlimited size.prtotal=unlimited`},
		{"a wrong base names what the server holds", func(s *Settings) { s.UserBase = []string{"ou=nope," + ldaptest.Base} }, CauseBase, "the server holds " + ldaptest.Base},
		{"a base elsewhere", func(s *Settings) { s.UserBase = []string{"dc=elsewhere"} }, CauseBase, "does not exist"},
		{"a wrong password is not tried again", func(s *Settings) { s.PasswordFile = secretFile(t, "wrong") }, CauseBind, "Check bindDN and the password"},
		{"an empty password is never sent", func(s *Settings) { s.PasswordFile = secretFile(t, " \n") }, CauseConfig, "passwordFile"},
		{"a missing password file", func(s *Settings) { s.PasswordFile = "/nowhere/at/all" }, CauseConfig, "passwordFile"},
		{"a referral under the base", func(s *Settings) { s.IgnoreReferrals = nil }, CauseReferral, "ignoreReferrals"},
		{"nobody listens", func(s *Settings) { s.URLs = []string{"ldap://127.0.0.1:1"} }, CauseConnect, "See whether the server runs"},
		{"an id attribute that entries lack", func(s *Settings) { s.Attributes = &Mapping{ID: "employeeType"} }, CauseIdentity, "employeeType"},
		{"one id on two entries", func(s *Settings) { s.Attributes = &Mapping{ID: "structuralObjectClass"} }, CauseDuplicate, "came twice"},
		{"our own cap", func(s *Settings) { s.MaxEntries = 104 }, CauseLimit, "maxEntries"},
		{"a group above max_members", func(s *Settings) { s.MaxMembers = 1 }, CauseLimit, "maxMembers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := quiet
			c.alter(&s)
			snap, err := Collect(t.Context(), s, time.Now(), nil)
			var in *IncompleteError
			if snap != nil || !errors.Is(err, ErrIncomplete) || !errors.As(err, &in) {
				t.Fatalf("Collect = %v, %v, want nothing and an incomplete read", snap, err)
			}
			if in.Cause != c.cause || !strings.Contains(err.Error(), c.says) {
				t.Errorf("cause %q, text %q; want cause %q and a text with %q", in.Cause, err, c.cause, c.says)
			}
		})
	}
	if snap := collect(t, quiet); snap.people.len() != 105 {
		t.Errorf("with the referral ignored: %d people, want 105", snap.people.len())
	}
}

// TestMemberOfIsNotBelieved: where the server keeps memberOf, also stale ones,
// memberships still come from the groups.
func TestMemberOfIsNotBelieved(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20, MemberOf: true})
	bob, carol := "uid=bob,ou=Engineering,"+ldaptest.People, "uid=carol,ou=Finance,"+ldaptest.People
	server.Add("cn=kept,"+ldaptest.Groups, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {"kept"}, "member": {bob, carol}})
	server.Replace("cn=kept,"+ldaptest.Groups, "member", carol)
	s := settingsOf(t, server)
	s.UserFilter = "(|(objectClass=inetOrgPerson)(memberOf=cn=kept," + ldaptest.Groups + "))"
	snap := collect(t, s)
	if got := membersOf(t, snap, resolved(t, snap), "kept"); !slices.Equal(got, []string{"carol"}) {
		t.Errorf("members of kept = %v, want carol", got)
	}
}

func TestTheNextServerIsTried(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{})
	s := settingsOf(t, server)
	s.URLs = append([]string{"ldap://127.0.0.1:1"}, s.URLs...)
	if snap := collect(t, s); snap.Server != server.URL {
		t.Errorf("read from %s, want %s", snap.Server, server.URL)
	}
}

func TestTLS(t *testing.T) {
	server := ldaptest.Start(t, ldaptest.Config{TLS: true})
	base := settingsOf(t, server)
	base.AllowPlaintextBind, base.CAFile = false, server.Certs.CA
	for _, c := range []struct {
		name  string
		alter func(*Settings)
		cause Cause // empty: complete
	}{
		{"ldaps", func(s *Settings) { s.URLs = []string{server.TLSURL} }, ""},
		{"StartTLS", func(s *Settings) { s.StartTLS = true }, ""},
		{"a client certificate", func(s *Settings) {
			s.StartTLS, s.External, s.BindDN, s.CertFile, s.KeyFile = true, true, "", server.Certs.Client, server.Certs.ClientKey
		}, ""},
		{"an unknown authority is refused", func(s *Settings) { s.URLs, s.CAFile = []string{server.TLSURL}, "" }, CauseTLS},
		{"another name is refused", func(s *Settings) { s.StartTLS, s.ServerName = true, "ldap.example.com" }, CauseTLS},
		{"ldaps to a port without TLS", func(s *Settings) { s.URLs = []string{"ldaps" + strings.TrimPrefix(server.URL, "ldap")} }, CauseConnect},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := base
			c.alter(&s)
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			_, err := Collect(t.Context(), s, time.Now(), nil)
			var in *IncompleteError
			if c.cause == "" && err != nil {
				t.Errorf("Collect: %v, want a complete read", err)
			}
			if c.cause != "" && (!errors.As(err, &in) || in.Cause != c.cause) {
				t.Errorf("Collect: %v, want cause %q", err, c.cause)
			}
		})
	}
}
