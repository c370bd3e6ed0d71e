package ldapsync

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// remark alters the mark in the cursor that a store has.
func (s *mapStore) remark(t *testing.T, alter func(*Cursor)) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := parseCursor(s.cursor)
	if err != nil || c.Mark == nil {
		t.Fatalf("cursor: %v, mark %v", err, c.Mark)
	}
	alter(&c)
	if s.cursor, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
}

// updated runs as the schedule does and reports whether it read only what
// changed.
func updated(t *testing.T, p *Poller) bool {
	t.Helper()
	r, err := p.Update(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r.Counts["incremental"] == 1
}

// TestWhateverIsInDoubtIsReadWhole names every reason for a complete read.
func TestWhateverIsInDoubtIsReadWhole(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 30})
	s := settingsOf(t, server)
	s.FullEvery = Duration(time.Hour)
	proxy := ldaptest.StartProxy(t, server.Addr)
	proxy.Heal()
	for name, c := range map[string]struct {
		settings func(*Settings)
		store    func(*testing.T, *mapStore)
		later    time.Duration
		partial  bool
	}{
		"nothing": {partial: true},
		"another schedule and other thresholds": {partial: true, settings: func(s *Settings) {
			s.Schedule, s.Thresholds.DisabledPercent = "* * * * *", 50
		}},
		"incremental reads are not wanted":   {settings: func(s *Settings) { s.FullEvery = 0 }},
		"another filter":                     {settings: func(s *Settings) { s.UserFilter = "(uid=*)" }},
		"another mapping":                    {settings: func(s *Settings) { s.Attributes = &Mapping{Title: []string{"sn"}} }},
		"another account":                    {settings: func(s *Settings) { s.BindDN = ldaptest.AdminDN; s.PasswordFile = secretFile(t, "secret") }},
		"another server":                     {settings: func(s *Settings) { s.URLs = []string{proxy.URL} }},
		"the last complete read is long ago": {later: time.Hour},
		"an account has expired since": {store: func(t *testing.T, s *mapStore) {
			s.remark(t, func(c *Cursor) { c.Mark.Expiry = noon })
		}},
		"a plan is held": {store: func(_ *testing.T, s *mapStore) {
			s.holds["corp"] = directory.Hold{Source: "corp", Hash: "x", Plan: json.RawMessage(`{}`)}
		}},
		"the last run failed": {store: func(_ *testing.T, s *mapStore) {
			s.runs["z"] = directory.Run{ID: "z", Source: "corp", Started: time.Now().Add(time.Minute), Result: directory.RunFailed}
		}},
		"the last run broke off": {store: func(_ *testing.T, s *mapStore) {
			s.runs["z"] = directory.Run{ID: "z", Source: "corp", Started: time.Now().Add(time.Minute), Result: directory.RunRunning}
		}},
		"the server's time went back": {store: func(t *testing.T, s *mapStore) {
			s.remark(t, func(c *Cursor) { c.Mark.Value = "20990101000000.000000Z#000000#000#000000" })
		}},
		"a mark that cannot be read": {store: func(t *testing.T, s *mapStore) {
			s.remark(t, func(c *Cursor) { c.Mark.Value = "yesterday" })
		}},
		"a cursor without a mark": {store: func(t *testing.T, s *mapStore) { s.remark(t, func(c *Cursor) { c.Mark = nil }) }},
	} {
		t.Run(name, func(t *testing.T) {
			store := newMapStore()
			runs(t, pollerOf(t, s, store), directory.RunApplied)
			s := s
			if c.settings != nil {
				c.settings(&s)
			}
			if c.store != nil {
				c.store(t, store)
			}
			p, err := New(Config{Source: "corp", Settings: s, Store: store, Now: func() time.Time { return time.Now().Add(c.later) }})
			if err != nil {
				t.Fatal(err)
			}
			if got := updated(t, p); got != c.partial {
				t.Errorf("read only what changed = %v, want %v", got, c.partial)
			}
		})
	}
}

// TestWhatWouldBeHeldIsReadWhole: a wave of locked accounts is seen by a read of
// what changed, and judged by a complete one.
func TestWhatWouldBeHeldIsReadWhole(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 100})
	s := settingsOf(t, server)
	s.FullEvery = Duration(time.Hour)
	store := newMapStore()
	p := pollerOf(t, s, store)
	runs(t, p, directory.RunApplied)
	server.Replace(ldaptest.UserDN(1), "pwdAccountLockedTime", "000001010000Z")
	if !updated(t, p) || store.disabled != 1 {
		t.Errorf("one locked account: %d disabled, want 1 by a read of what changed", store.disabled)
	}
	for i := 2; i <= 40; i++ {
		server.Replace(ldaptest.UserDN(i), "pwdAccountLockedTime", "000001010000Z")
	}
	r, err := p.Update(t.Context())
	if err != nil || r.Result != directory.RunHeld || r.Counts["incremental"] != 0 || store.disabled != 1 {
		t.Errorf("39 locked accounts: %+v, %v, %d disabled; want a complete read that is held", r, err, store.disabled)
	}
}

// TestADNUsedAgainGivesNothing: the store knows somebody under a DN that names
// something else by now; a read of what changed does not make him a member.
func TestADNUsedAgainGivesNothing(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 3})
	s := settingsOf(t, server)
	s.FullEvery = Duration(time.Hour)
	store := newMapStore()
	p := pollerOf(t, s, store)
	p.cfg.overlap = time.Second
	// nobody of the bulk is in a read of what changed, nor are they after their OU was renamed
	runs(t, p, directory.RunApplied)
	store.remark(t, func(c *Cursor) {
		c.Mark.Value = time.Now().UTC().Add(-time.Second).Format("20060102150405") + ".000000Z#000000#000#000000"
	})
	server.Rename("ou=bulk,"+ldaptest.People, "ou=moved", "")
	server.Add("ou=bulk,"+ldaptest.People, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {"bulk"}})
	server.Add(ldaptest.UserDN(1), map[string][]string{"objectClass": {"account"}, "uid": {"u0001"}}) // no person to us
	server.AddValues("cn=backend,"+ldaptest.Groups, "member", ldaptest.UserDN(1))
	if !updated(t, p) {
		t.Fatal("everything was read")
	}
	check := func(what string) {
		t.Helper()
		for id, members := range store.members {
			for m := range members {
				if store.people[directory.UserID(m.Value)].UserName == "u0001" {
					t.Errorf("%s made u0001 a member of %s by the DN of something else", what, store.groups[id].Name)
				}
			}
		}
	}
	check("a read of what changed")
	runs(t, p, directory.RunApplied, directory.RunUnchanged)
	check("a complete read")
}
