package directory_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

func TestStampRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := directory.Stamp{
			Revision:    directory.Revision(rapid.Int64Range(0, math.MaxInt64).Draw(t, "revision")),
			Fingerprint: directory.Fingerprint(rapid.Uint64().Draw(t, "fingerprint")),
		}
		if got, err := directory.ParseStamp(s.String()); err != nil || got != s {
			t.Errorf("ParseStamp(%q) = %v, %v, want %v", s.String(), got, err, s)
		}
	})
}

func TestParseStampIsStrict(t *testing.T) {
	for _, text := range []string{
		"", "7", "7-", "-7-0000000000000000", "+7-0000000000000000", "07-0000000000000000",
		"7-00000000000000", "7-000000000000000G", "7-000000000000000A", "7-+00000000000000a", " 7-0000000000000000",
		"9223372036854775808-0000000000000000",
	} {
		if s, err := directory.ParseStamp(text); err == nil {
			t.Errorf("ParseStamp(%q) = %v, want an error", text, s)
		}
	}
}

func TestEncodedKeysAreInjective(t *testing.T) {
	draw := func(t *rapid.T, name string) directory.SubjectKey {
		return directory.SubjectKey{
			Kind:   directory.KeyKind(rapid.IntRange(1, 4).Draw(t, name+" kind")),
			Source: directory.SourceName(rapid.StringMatching(`[a:/\x01\x02]{0,3}`).Draw(t, name+" source")),
			Value:  rapid.StringMatching(`[a:/\x01\x02]{0,3}`).Draw(t, name+" value"),
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := draw(t, "a"), draw(t, "b")
		if same := bytes.Equal(a.Encode(), b.Encode()); same != (a == b) {
			t.Errorf("%#v and %#v: equal encodings %v, equal keys %v", a, b, same, a == b)
		}
	})
}

func TestTokenRoundTrip(t *testing.T) {
	for _, kind := range []directory.TokenKind{directory.TokenSCIM, directory.TokenCheck, directory.TokenAdmin} {
		id, secret, text := directory.NewToken(kind)
		k, i, s, err := directory.ParseToken(text)
		if err != nil || k != kind || i != id || s != secret {
			t.Errorf("ParseToken(NewToken(%s)) = %s, %s, …, %v", kind, k, i, err)
		}
	}
}

func TestOnlyTheExactTokenIsTaken(t *testing.T) {
	_, _, text := directory.NewToken(directory.TokenSCIM)
	for i := range text {
		if _, _, _, err := directory.ParseToken(text[:i]); err == nil {
			t.Errorf("the first %d characters are taken as a token", i)
		}
		for _, c := range []byte{'a', 'Z', '0', '_', ' ', 0} {
			if text[i] == c {
				continue
			}
			mutant := []byte(text)
			mutant[i] = c
			if _, _, _, err := directory.ParseToken(string(mutant)); err == nil {
				t.Errorf("a token with %q at %d is taken", c, i)
			}
		}
	}
	for _, mutant := range []string{text + "x", " " + text, text + "\n", ""} {
		if _, _, _, err := directory.ParseToken(mutant); err == nil {
			t.Errorf("%d bytes are taken as a token", len(mutant))
		}
	}
}

func TestHashTokenBindsEveryPart(t *testing.T) {
	k := []byte("key")
	base := directory.HashToken(k, directory.TokenSCIM, "id", "secret")
	for _, other := range [][]byte{
		directory.HashToken([]byte("other"), directory.TokenSCIM, "id", "secret"),
		directory.HashToken(k, directory.TokenCheck, "id", "secret"),
		directory.HashToken(k, directory.TokenSCIM, "ids", "ecret"),
		directory.HashToken(k, directory.TokenSCIM, "id", "secret2"),
	} {
		if bytes.Equal(base, other) {
			t.Error("two different tokens have one hash")
		}
	}
}

func TestSplitRoleKey(t *testing.T) {
	tests := []struct {
		key             string
		typ, id, action string
		ok              bool
	}{
		{"part-list:edit", "feature", "part-list", "edit", true},
		{"record:record-1:read", "record", "record-1", "read", true},
		{"record:a:b:c:read", "record", "a:b:c", "read", true},
		{"record:*:read", "record", "*", "read", true},
		{"edit", "", "", "", false},
		{":edit", "", "", "", false},
		{"part-list:", "", "", "", false},
		{"record::read", "", "", "", false},
		{"", "", "", "", false},
	}
	for _, tt := range tests {
		typ, id, action, ok := directory.SplitRoleKey(tt.key)
		if typ != tt.typ || id != tt.id || action != tt.action || ok != tt.ok {
			t.Errorf("SplitRoleKey(%q) = %q, %q, %q, %v, want %q, %q, %q, %v",
				tt.key, typ, id, action, ok, tt.typ, tt.id, tt.action, tt.ok)
		}
	}
}

func TestRoleKeyHasOneSpelling(t *testing.T) {
	for key, want := range map[string]string{
		"part-list:edit": "part-list:edit", "feature:part-list:edit": "part-list:edit",
		"record:*:read": "record:*:read", "nonsense": "nonsense",
	} {
		if got := directory.RoleKey(key); got != want {
			t.Errorf("RoleKey(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestBuiltinRoles(t *testing.T) {
	rights := map[directory.RoleName][]directory.Right{}
	for _, r := range directory.BuiltinRoles() {
		rights[r.Name] = r.Rights
	}
	if got := len(rights); got != 10 {
		t.Errorf("there are %d built-in Roles, want 10", got)
	}
	if n := len(rights[directory.RoleOwner]); n != 17 {
		t.Errorf("owner has %d rights, want all 17", n)
	}
	if slices.Contains(rights[directory.RoleAdmin], directory.OrganizationOwn) || len(rights[directory.RoleAdmin]) != 16 {
		t.Errorf("admin has %v, want all but organization.own", rights[directory.RoleAdmin])
	}
	admins := map[directory.RoleName]bool{"owner": true, "admin": true, "auditor": true, "operator": true, "project-admin": true}
	for _, r := range directory.BuiltinRoles() {
		if got, want := r.HasAdministrationRight(), admins[r.Name]; got != want {
			t.Errorf("%s has an administration right: %v, want %v", r.Name, got, want)
		}
	}
}

func BenchmarkParseToken(b *testing.B) {
	_, _, text := directory.NewToken(directory.TokenCheck)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, _, err := directory.ParseToken(text); err != nil {
			b.Fatal(err)
		}
	}
}
