package ldapsync

import (
	"fmt"
	"maps"
	"os"
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
	sizes := []int{1499, 1500, 1501}
	if os.Getenv("USHERD_SOAK_LDAP") != "" {
		sizes = append(sizes, 10_000) // making them takes Samba half a minute
	}
	server := ldaptest.StartSamba(t, ldaptest.SambaConfig{Sizes: sizes})
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

	t.Run("groups at the edges of what comes in one range", func(t *testing.T) { groupsOfSizes(t, s, sizes) })
	t.Run("what happens to accounts and groups", func(t *testing.T) { lifeOfADomain(t, server, pollerOf(t, s, store), store) })
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

// groupsOfSizes reads groups whole, as Samba answers, and by ranges, as it
// answers whoever asks for a range and as Active Directory answers always.
func groupsOfSizes(t *testing.T, s Settings, sizes []int) {
	s.UserFilter, s.Attributes = "(objectCategory=person)", &Mapping{UserName: []string{"sAMAccountName", "cn"}}
	snap := collect(t, s)
	e := resolved(t, snap)
	ses, err := connect(t.Context(), s, s.URLs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer ses.close()
	for _, n := range sizes {
		name := fmt.Sprintf("of %d", n)
		want := map[string]bool{}
		for i := 1; i <= n; i++ {
			want[ldaptest.SambaContact(i)] = true
		}
		whole, ranged := map[string]bool{}, map[string]bool{}
		i := slices.IndexFunc(snap.Groups, func(g Group) bool { return g.Name == name })
		for _, m := range e.of[i] {
			p, err := snap.person(m.at)
			if err != nil {
				t.Fatal(err)
			}
			whole[p.Profile.DN] = true
		}
		const first = 1500 // what Active Directory sends at once
		entry, err := ses.attributesOf("CN="+name+","+ldaptest.SambaGroups, fmt.Sprintf("member;range=0-%d", first-1))
		if err != nil || entry == nil || len(entry.Attributes) != 1 || len(entry.Attributes[0].Values) != min(n, first) {
			t.Fatalf("the first range of a group of %d: %v, %v; want %d values", n, entry, err, min(n, first))
		}
		values := 0
		err = ses.allValues(entry, "member", n, func(v []byte) error {
			values++
			ranged[string(v)] = true
			return nil
		})
		if err != nil || !maps.Equal(whole, want) || !maps.Equal(ranged, want) || len(e.of[i]) != n || values != n {
			t.Errorf("a group of %d: %d members whole and %d by ranges (%v)", n, len(e.of[i]), values, err)
		}
	}
}

// lifeOfADomain lets accounts and groups go through what they go through, after
// a first run.
func lifeOfADomain(t *testing.T, server *ldaptest.Samba, p *Poller, store *mapStore) {
	const people, groups = "OU=Engineering," + ldaptest.SambaStaff, ldaptest.SambaGroups
	user := func(name string) map[string][]string {
		return map[string][]string{"objectClass": {"user"}, "sAMAccountName": {name}, "userAccountControl": {"544"}}
	}
	server.Add("OU=Guests,"+ldaptest.SambaStaff, map[string][]string{"objectClass": {"organizationalUnit"}})
	server.Add(people, map[string][]string{"objectClass": {"organizationalUnit"}})
	for _, name := range []string{"fred", "gina", "hugo"} {
		server.Add("CN="+name+","+people, user(name))
	}
	server.Add("CN=inner,"+groups, map[string][]string{"objectClass": {"group"}, "sAMAccountName": {"inner"}, "member": {"CN=fred," + people, "CN=gina," + people}})
	server.Add("CN=outer,"+groups, map[string][]string{"objectClass": {"group"}, "sAMAccountName": {"outer"}, "member": {"CN=inner," + groups, "CN=hugo," + people}})
	server.Replace("CN=inner,"+groups, "member", "CN=fred,"+people, "CN=gina,"+people, "CN=outer,"+groups)
	idOf := func(name string) (id directory.UserID) {
		store.mu.Lock()
		defer store.mu.Unlock()
		for i, who := range store.people {
			if who.UserName == name && who.Presence == directory.Present {
				id = i
			}
		}
		return id
	}
	expect := func(what string, want map[string]string) {
		t.Helper()
		if r := runs(t, p, directory.RunApplied); r.Counts["issues"] != 0 {
			t.Errorf("%s: %s", what, r.Message)
		}
		for group, members := range want {
			if got := store.membersOf(group); got != members {
				t.Errorf("%s: members of %s are %q, want %q", what, group, got, members)
			}
		}
		runs(t, p, directory.RunUnchanged)
	}
	expect("two groups that contain each other", map[string]string{"inner": "@outer fred gina", "outer": "@inner hugo"})

	was := idOf("fred")
	server.Rename("CN=fred,"+people, "CN=Frederick", "OU=Guests,"+ldaptest.SambaStaff)
	server.Rename("CN=inner,"+groups, "CN=core", "")
	expect("an account that moved, a group that was renamed", map[string]string{"core": "@outer fred gina", "outer": "@core hugo", "inner": ""})
	if idOf("fred") != was {
		t.Error("an account that moved is somebody else")
	}

	gone := idOf("gina")
	server.Delete("CN=gina," + people)
	server.Add("CN=gina,"+people, user("gina"))
	expect("an account that was made again", map[string]string{"core": "@outer fred"})
	if now := idOf("gina"); now == gone || now == "" {
		t.Errorf("gina, made again, is %q and was %q: want somebody new, without what the old one had", now, gone)
	}

	server.Replace("CN=hugo,"+people, "accountExpires", "132000000000000000")
	server.Replace("CN=gina,"+people, "userAccountControl", "546")
	disabled := store.disabled
	expect("an account that expired, one that was disabled", map[string]string{"outer": "@core hugo"})
	if store.disabled != disabled+2 {
		t.Errorf("%d accounts disabled, want 2", store.disabled-disabled)
	}
}

// membersOf names the direct members of the group of a name, groups with @ in
// front.
func (s *mapStore) membersOf(group string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for id, g := range s.groups {
		if g.Name != group {
			continue
		}
		for m := range s.members[id] {
			if who, ok := s.people[directory.UserID(m.Value)]; ok {
				names = append(names, who.UserName)
			} else {
				names = append(names, "@"+s.groups[directory.GroupID(m.Value)].Name)
			}
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
