package ldapsync

import (
	"testing"
	"time"
)

func TestStableIDs(t *testing.T) {
	guid := "\x10\x32\x54\x76\x98\xba\xdc\xfe\x01\x23\x45\x67\x89\xab\xcd\xef"
	for _, c := range []struct{ name, attribute, value, want string }{
		{"the first fields of a GUID are little-endian", "objectGUID", guid, "76543210-ba98-fedc-0123-456789abcdef"},
		{"the name of the attribute folds", "OBJECTGUID", guid, "76543210-ba98-fedc-0123-456789abcdef"},
		{"a short GUID is none", "objectGUID", guid[1:], ""},
		{"an entryUUID is folded", "entryUUID", "AAAAAAAA-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000001"},
		{"an nsUniqueId stays", "nsUniqueId", "b1c6ab01-1dd211b2-80f8-0000", "b1c6ab01-1dd211b2-80f8-0000"},
		{"an empty id is none", "entryUUID", " ", ""},
		{"bytes are no id", "employeeNumber", "\xff\xfe", ""},
	} {
		got, err := stableID(c.attribute, []byte(c.value))
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: stableID = %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

func TestSIDs(t *testing.T) {
	raw := []byte{1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x51, 4, 0, 0}
	sid, err := sidString(raw)
	if want := "S-1-5-21-1-2-3-1105"; sid != want || err != nil {
		t.Fatalf("sidString = %q, %v, want %q", sid, err, want)
	}
	if got, err := primarySID(sid, "513"); got != "S-1-5-21-1-2-3-513" || err != nil {
		t.Errorf("primarySID(%q, 513) = %q, %v", sid, got, err)
	}
	if _, err := primarySID(sid, "x"); err == nil {
		t.Error("a primaryGroupID that is no number is taken")
	}
	for i := range raw {
		if _, err := sidString(raw[:i]); err == nil {
			t.Errorf("sidString takes the first %d bytes", i)
		}
	}
}

func TestStatusRules(t *testing.T) {
	now := time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		rule     StatusRule
		value    string
		disabled bool
	}{
		{"a normal account of Active Directory", UserAccountControl, "512", false},
		{"ACCOUNTDISABLE", UserAccountControl, "514", true},
		{"a locked-out account is not disabled", UserAccountControl, "528", false},
		{"an account that we may not see into", UserAccountControl, "", true},
		{"flags that are no number", UserAccountControl, "x", true},
		{"accountExpires 0 is never", AccountExpires, "0", false},
		{"accountExpires at the maximum is never", AccountExpires, "9223372036854775807", false},
		{"accountExpires in 2019", AccountExpires, "132000000000000000", true},
		{"accountExpires in 2035", AccountExpires, "137000000000000000", false},
		{"no accountExpires", AccountExpires, "", false},
		{"accountExpires that is no number", AccountExpires, "soon", true},
		{"nsAccountLock true", NSAccountLock, "true", true},
		{"nsAccountLock FALSE", NSAccountLock, "FALSE", false},
		{"no nsAccountLock", NSAccountLock, "", false},
		{"locked for good", PwdAccountLockedTime, "000001010000Z", true},
		{"locked for a while", PwdAccountLockedTime, "20250301115900Z", false},
		{"shadowExpire yesterday", ShadowExpire, "20147", true},
		{"shadowExpire today", ShadowExpire, "20148", false},
		{"shadowExpire -1 is never", ShadowExpire, "-1", false},
		{"loginDisabled", LoginDisabled, "TRUE", true},
		{"a rule nobody knows", "other", "1", true},
	} {
		if got := c.rule.disables(c.value, c.value == "", now); got != c.disabled {
			t.Errorf("%s: %s %q disables = %v, want %v", c.name, c.rule, c.value, got, c.disabled)
		}
	}
}
