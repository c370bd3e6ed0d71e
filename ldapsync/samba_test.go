package ldapsync

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func sambaSettings(t *testing.T, s *ldaptest.Samba) Settings {
	return Settings{
		URLs: []string{s.URL}, CAFile: s.Certs.CA, BindDN: s.BindDN, PasswordFile: secretFile(t, s.Password),
		Template: "active-directory", Base: []string{s.Base},
	}.withDefaults()
}

// TestActiveDirectory runs one domain controller through all that is particular
// to its kind; starting it takes most of the time.
func TestActiveDirectory(t *testing.T) {
	t.Parallel()
	server := ldaptest.StartSamba(t, ldaptest.SambaConfig{})
	s := sambaSettings(t, server)
	snap := collect(t, s)
	people := map[string]Person{}
	for _, p := range peopleOf(t, snap) {
		people[p.Profile.UserName] = p
	}
	for name, active := range map[string]bool{"alice": true, "bob": true, "carol": false, "zoe": true, "erin": false, "svc-sync": true, "Guest": false} {
		p, there := people[name]
		if !there || p.Profile.Active != active {
			t.Errorf("%s is there = %v and active = %v, want active = %v", name, there, p.Profile.Active, active)
		}
		if len(p.Profile.ExternalID) != 36 || strings.Count(p.Profile.ExternalID, "-") != 4 {
			t.Errorf("stable id of %s is %q, want a GUID", name, p.Profile.ExternalID)
		}
	}
	if got := string(people["alice"].Profile.Attributes); !strings.Contains(got, `"organization":"Example GmbH"`) {
		t.Errorf("attributes of alice: %s, want company as organization", got)
	}
	e := resolved(t, snap)
	for group, want := range map[string][]string{
		"backend": {"alice", "bob"}, "engineering": {"@backend"}, "finance": {"carol", "erin", "zoe"}, "all-staff": {"@engineering", "@finance"},
		"primarygrp": {"bob"},
	} {
		if got := membersOf(t, snap, e, group); !slices.Equal(got, want) {
			t.Errorf("members of %q = %v, want %v", group, got, want)
		}
	}
	i := slices.IndexFunc(snap.Groups, func(g Group) bool { return g.Name == "primarygrp" })
	if len(e.of[i]) != 1 || e.of[i][0].via != viaPrimary {
		t.Errorf("edges of primarygrp = %v, want one by primaryGroupID", e.of[i])
	}

	store := newMapStore()
	p := pollerOf(t, s, store)
	runs(t, p, directory.RunApplied)
	if got := store.loginOf("svc-sync"); time.Since(got) > time.Hour || time.Since(got) < -time.Hour {
		t.Errorf("last login of the account that reads = %v, want about now", got) // it has bound
	}
	if got := store.loginOf("zoe"); !got.IsZero() {
		t.Errorf("last login of zoe = %v, want none", got)
	}
	server.Rename("OU=Engineering,"+ldaptest.SambaStaff, "OU=Development", "")
	runs(t, p, directory.RunApplied)
	if n := store.removals(); n != 0 {
		t.Errorf("renaming an OU took %d things away", n)
	}
	runs(t, p, directory.RunUnchanged)
	server.Delete(`CN=Duval\, Zoë *(temp),OU=Finance,` + ldaptest.SambaStaff)
	server.Replace("CN=Alice Ansel,OU=Development,"+ldaptest.SambaStaff, "userAccountControl", "514")
	runs(t, p, directory.RunApplied)
	if store.gone != 1 || store.disabled != 1 || store.membersTaken != 2 { // of finance, and of the primary group Domain Users
		t.Errorf("one deleted and one disabled: %d gone, %d disabled, %d members taken", store.gone, store.disabled, store.membersTaken)
	}

	t.Run("what is read of a domain controller that was restored", func(t *testing.T) {
		s := s
		s.FullEvery = Duration(time.Hour)
		for name, alter := range map[string]func(*Mark){
			"":                          nil,
			"another invocation":        func(m *Mark) { m.Instance = "00" },
			"a counter that went back":  func(m *Mark) { m.Value = "99999999999" },
			"a counter that is no such": func(m *Mark) { m.Value = "x" },
		} {
			store := newMapStore()
			p := pollerOf(t, s, store)
			runs(t, p, directory.RunApplied)
			store.remark(t, func(c *Cursor) {
				if c.Mark.Instance == "" {
					t.Error("no invocation id")
				}
				if alter != nil {
					alter(c.Mark)
				}
			})
			if got := updated(t, p); got != (alter == nil) {
				t.Errorf("%s: read only what changed = %v", name, got)
			}
		}
	})
	probe := Try(t.Context(), s, time.Now())
	if !probe.OK() || !strings.Contains(probe.Vendor, "Active Directory") || !probe.Paging {
		t.Errorf("Try = %+v", probe)
	}
	for _, c := range []struct {
		name  string
		alter func(*Settings)
		cause Cause
		says  string
	}{
		{"a wrong password", func(s *Settings) { s.PasswordFile = secretFile(t, "wrong") }, CauseBind, "bindDN"},
		{"a password in the clear", func(s *Settings) {
			s.URLs, s.AllowPlaintextBind = []string{strings.Replace(server.URL, "ldaps", "ldap", 1)}, true
		}, CauseTLS, "TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s
			c.alter(&s)
			_, err := Collect(t.Context(), s, time.Now(), nil)
			var in *IncompleteError
			if !asIncomplete(err, &in) || in.Cause != c.cause || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Collect: %v, want cause %q and %q", err, c.cause, c.says)
			}
		})
	}
}
