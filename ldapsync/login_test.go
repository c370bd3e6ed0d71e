package ldapsync

import (
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

func TestSignInsAreRead(t *testing.T) {
	now := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	for claim, tt := range map[string]struct {
		texts []string
		want  time.Time
	}{
		"a Windows file time":                 {[]string{"133485408000000000"}, time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		"a Generalized Time":                  {[]string{"20260102030405Z"}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"a Generalized Time with a fraction":  {[]string{"20260102030405.123456Z"}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		"the later of two":                    {[]string{"20260102030405Z", "20260103030405Z"}, time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC)},
		"never":                               {[]string{"0"}, time.Time{}},
		"never, otherwise":                    {[]string{"9223372036854775807"}, time.Time{}},
		"nothing":                             {[]string{""}, time.Time{}},
		"no time":                             {[]string{"yesterday"}, time.Time{}},
		"a date that is none":                 {[]string{"20261399999999Z"}, time.Time{}},
		"a time that has not come":            {[]string{"20260601000000Z"}, time.Time{}},
		"a time of a clock that is a bit off": {[]string{"20260506080000Z"}, time.Date(2026, 5, 6, 8, 0, 0, 0, time.UTC)},
		"a time before all computers":         {[]string{"19000101000000Z"}, time.Time{}},
	} {
		v := values{}
		var names []string
		for i, text := range tt.texts {
			name := string(rune('a' + i))
			names, v[name] = append(names, name), [][]byte{[]byte(text)}
		}
		if got := v.login(names, now); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", claim, got, tt.want)
		}
	}
}

func FuzzParseLogin(f *testing.F) {
	for _, text := range []string{"133485408000000000", "20260102030405Z", "20260102030405.1Z", "-1", "9223372036854775807", "Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := parseLogin(text); ok && (at.Unix() <= 0 || at.Year() > 60_000) {
			t.Errorf("parseLogin(%q) = %v", text, at)
		}
	})
}

// loginOf is when a person signed in, as a store has it.
func (s *mapStore) loginOf(userName string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, i := range s.people {
		if i.UserName == userName {
			return s.logins[id]
		}
	}
	return time.Time{}
}

// TestSignInsAreNoted: with the people who are new, and later alone; and they
// are no change.
func TestSignInsAreNoted(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 10})
	s := settingsOf(t, server)
	s.Attributes = &Mapping{LastLogin: []string{"description"}}
	alice := "uid=alice,ou=Engineering," + ldaptest.People
	server.Replace(alice, "description", "133485408000000000")
	store := newMapStore()
	p := pollerOf(t, s, store)
	runs(t, p, directory.RunApplied)
	first := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := store.loginOf("alice"); !got.Equal(first) {
		t.Errorf("last login of alice = %v, want %v", got, first)
	}
	if len(store.logins) != 1 {
		t.Errorf("%d sign-ins, want that of alice", len(store.logins))
	}
	server.Replace(alice, "description", "20250102030405Z")
	runs(t, p, directory.RunUnchanged)
	if got, want := store.loginOf("alice"), time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC); !got.Equal(want) {
		t.Errorf("last login of alice = %v, want %v", got, want)
	}
}
