package ldapsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func ds389Settings(t *testing.T, s *ldaptest.DS389) Settings {
	return Settings{
		URLs: []string{s.TLSURL}, CAFile: s.CA, BindDN: s.BindDN, PasswordFile: secretFile(t, s.Password),
		Template: "389ds", Base: []string{s.Base},
	}.withDefaults()
}

// Test389DirectoryServer runs one server through all that is particular to its
// kind; starting it takes most of the time.
func Test389DirectoryServer(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start389(t)
	s := ds389Settings(t, server)
	snap := collect(t, s)
	people := map[string]Person{}
	for _, p := range peopleOf(t, snap) {
		people[p.Profile.UserName] = p
	}
	for name, active := range map[string]bool{"alice": true, "bob": true, "carol": false, "zoe": true} {
		p, there := people[name]
		if !there || p.Profile.Active != active {
			t.Errorf("%s is there = %v and active = %v, want active = %v", name, there, p.Profile.Active, active)
		}
		if len(p.Profile.ExternalID) != 35 || strings.Count(p.Profile.ExternalID, "-") != 3 {
			t.Errorf("stable id of %s is %q, want an nsUniqueId", name, p.Profile.ExternalID)
		}
	}
	e := resolved(t, snap)
	for group, want := range map[string][]string{
		"backend": {"alice", "bob"}, "engineering": {"@backend"}, "finance": {"carol", "zoe"}, "platform team": {"bob"},
	} {
		if got := membersOf(t, snap, e, group); !slices.Equal(got, want) {
			t.Errorf("members of %q = %v, want %v", group, got, want)
		}
	}

	store := newMapStore()
	p := pollerOf(t, s, store)
	runs(t, p, directory.RunApplied)
	runs(t, p, directory.RunUnchanged)
	lock := ldap.NewModifyRequest("uid=alice,"+ldaptest.DSPeople, nil)
	lock.Replace("nsAccountLock", []string{"true"})
	admin := server.Admin()
	if err := admin.Modify(lock); err != nil {
		t.Fatal(err)
	}
	if err := admin.ModifyDN(ldap.NewModifyDNRequest("uid=bob,"+ldaptest.DSPeople, "uid=robert", true, "")); err != nil {
		t.Fatal(err)
	}
	runs(t, p, directory.RunApplied)
	if store.disabled != 1 || store.gone != 0 || store.deleted != 0 {
		t.Errorf("one locked and one renamed: %d disabled, %d gone, %d deleted", store.disabled, store.gone, store.deleted)
	}
	if err := admin.Del(ldap.NewDelRequest(`cn=Duval\, Zoë *(temp),`+ldaptest.DSPeople, nil)); err != nil {
		t.Fatal(err)
	}
	runs(t, p, directory.RunApplied)
	if store.gone != 1 {
		t.Errorf("zoe was deleted: %d gone, want 1", store.gone)
	}

	t.Run("a server that lags behind", func(t *testing.T) { lagOf389(t, server, p, store) })
	probe := Try(t.Context(), s, time.Now())
	if !probe.OK() || probe.Vendor != "389 Directory Server" || !probe.Paging {
		t.Errorf("Try = %+v", probe)
	}
	wrong, untrusted := s, s
	wrong.PasswordFile = secretFile(t, "wrong")
	untrusted.CAFile = ""
	for name, c := range map[string]struct {
		s     Settings
		cause Cause
	}{"a wrong password": {wrong, CauseBind}, "an unknown authority": {untrusted, CauseTLS}} {
		_, err := Collect(t.Context(), c.s, time.Now(), nil)
		var in *IncompleteError
		if !asIncomplete(err, &in) || in.Cause != c.cause {
			t.Errorf("%s: %v, want cause %q", name, err, c.cause)
		}
	}
}
