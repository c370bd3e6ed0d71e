package ldapsync

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// TestLookingForSomebodyLive asks a real server for people whom no run may have
// read.
func TestLookingForSomebodyLive(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{})
	s := settingsOf(t, server)
	s.UserFilter = "(&(objectClass=inetOrgPerson)(departmentNumber=Engineering)(!(title=Engineer)))"
	find := func(name string) []Found {
		t.Helper()
		found, more, err := Find(t.Context(), s, name, time.Now())
		if err != nil || more {
			t.Fatalf("Find(%q) = %v, more %v", name, err, more)
		}
		return found
	}
	bob := find("BOB@example.test")
	if len(bob) != 1 || bob[0].DN != "uid=bob,ou=Engineering,ou=people,"+server.Base || bob[0].UserName != "bob" || bob[0].ExternalID == "" || !bob[0].Active || bob[0].Outside != nil {
		t.Errorf("bob is %+v, want one whom the filter selects", bob)
	}
	for name, parts := range map[string][]string{
		"alice": {"(!(title=Engineer))"}, "zoe": {"(departmentNumber=Engineering)"}, "zoe@example.test": {"(departmentNumber=Engineering)"},
	} {
		if got := find(name); len(got) != 1 || !slices.Equal(got[0].Outside, parts) {
			t.Errorf("%s is %+v, want one outside %v", name, got, parts)
		}
	}
	if got := find("dave"); len(got) != 1 || got[0].Active || len(got[0].Outside) != 1 {
		t.Errorf("dave is %+v, want one who is disabled and in no department", got)
	}
	for _, name := range []string{"nobody", "*", "*)(uid=*", "bob)(|(uid=*", `\2a`, "ali*", "a\x00b", "", "é" + strings.Repeat("x", 300)} {
		if got := find(name); len(got) != 0 {
			t.Errorf("%q is %+v, want nobody", name, got)
		}
	}
	s.UserFilter = ""
	server.Replace("uid=bob,ou=Engineering,ou=people,"+server.Base, "mail", "alice@example.test")
	if got := find("alice@example.test"); len(got) != 2 {
		t.Errorf("of an address of two people: %+v", got)
	}
}

func TestManyOfOneNameAreNotAllTold(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20})
	s := settingsOf(t, server)
	s.Attributes = &Mapping{UserName: []string{"objectClass"}} // which all have
	found, more, err := Find(t.Context(), s, "inetOrgPerson", time.Now())
	if err != nil || len(found) != MaxFound || !more {
		t.Errorf("Find = %d entries, more %v, %v; want %d and more", len(found), more, err, MaxFound)
	}
}

// TestLookingEndsSoon: a server that takes the connection and says nothing keeps
// nobody waiting, and who asks is told why.
func TestLookingEndsSoon(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	s := Settings{
		URLs: []string{"ldap://" + silent.Addr().String()}, BindDN: "cn=x", PasswordFile: secretFile(t, "x"), Template: "openldap", Base: []string{"dc=x"},
	}.withDefaults()
	begun := time.Now()
	_, _, err = Find(t.Context(), s, "ann", begun)
	if took := time.Since(begun); err == nil || took > 2*findTime {
		t.Errorf("Find = %v after %v", err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = Find(ctx, s, "ann", begun); err == nil || errors.Is(err, errFindTime) {
		t.Errorf("of somebody who left: Find = %v", err)
	}
}

func FuzzBearing(f *testing.F) {
	for _, name := range []string{"ann", "*)(uid=*", `\`, "(", "\x00", "\xff"} {
		f.Add(name)
	}
	t := templates["openldap"]
	want := len(terms("(&" + t.bearing("ann") + t.bearing("ann") + ")"))
	f.Fuzz(func(tt *testing.T, name string) {
		filter := "(&" + t.bearing(name) + t.bearing("ann") + ")"
		if err := checkFilter(filter); len(name) < 500 && (err != nil || len(terms(filter)) != want) {
			tt.Errorf("%q makes %s: %v", name, filter, err)
		}
	})
}
