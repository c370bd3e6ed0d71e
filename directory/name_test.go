package directory_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

func TestKeyOf(t *testing.T) {
	same := []struct{ claim, a, b string }{
		{"case does not count", "Kim@Corp.Test", "kim@corp.test"},
		{"the Kelvin sign is a k", "\u212aim", "kim"},
		{"long s is an s", "\u017fam", "sam"},
		{"sharp s is ss", "Stra\u00dfe", "strasse"},
		{"ligatures come apart", "o\ufb00ice", "office"},
		{"width does not count", "\uff4b\uff49\uff4d", "kim"},
		{"final sigma is a sigma", "\u03c3\u03c2", "\u03c3\u03c3"},
		{"composed and decomposed are one", "Zo\u00eb", "Zoe\u0308"},
		{"white space at the ends does not count", " kim ", "kim"},
		{"runs of white space are one space", "kim \u00a0 lee", "kim lee"},
		{"a variation selector does not count", "ops \u2764\ufe0f", "ops \u2764"},
		{"fillers do not count", "kim\u3164", "kim"},
		{"a joiner does not count", "kim\u200d", "kim"},
	}
	for _, tt := range same {
		t.Run(tt.claim, func(t *testing.T) {
			if a, b := key(t, tt.a), key(t, tt.b); a != b {
				t.Errorf("KeyOf(%q) = %q, KeyOf(%q) = %q, want the same", tt.a, a, tt.b, b)
			}
		})
	}
	different := [][2]string{{"\u0130lke", "ilke"}, {"\u0430dmin", "admin"}, {"kim", "kin"}, {"kim lee", "kimlee"}}
	for _, pair := range different {
		if a, b := key(t, pair[0]), key(t, pair[1]); a == b {
			t.Errorf("KeyOf(%q) = KeyOf(%q) = %q, want different keys", pair[0], pair[1], a)
		}
	}
}

func key(t *testing.T, name string) directory.NameKey {
	t.Helper()
	k, err := directory.KeyOf(name)
	if err != nil {
		t.Fatalf("KeyOf(%q) = %v", name, err)
	}
	return k
}

func TestKeyOfRefuses(t *testing.T) {
	tests := []struct{ claim, name string }{
		{"an empty name", ""},
		{"a blank name", " \t"},
		{"a name of invisible characters", "\ufe0f\u3164"},
		{"invalid UTF-8", "adm\xffin"},
		{"NUL", "a\x00b"},
		{"a line break", "a\r\nb"},
		{"an escape sequence", "\x1b[31mroot"},
		{"a right-to-left override", "nimda\u202e"},
		{"a zero-width space", "admin\u200b"},
		{"a private-use character", "a\ue000"},
		{"257 bytes", strings.Repeat("x", 257)},
		{"257 bytes after normalisation", strings.Repeat("\ufb00", 129)},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if k, err := directory.KeyOf(tt.name); !errors.Is(err, directory.ErrInvalid) {
				t.Errorf("KeyOf(%q) = %q, %v, want ErrInvalid", tt.name, k, err)
			}
		})
	}
	if _, err := directory.KeyOf(strings.Repeat("x", 256)); err != nil {
		t.Errorf("KeyOf of 256 bytes = %v, want it taken", err)
	}
}

func FuzzKeyOf(f *testing.F) {
	for _, s := range []string{"kim", "\u212a\u0345\u03b9", "a\u0345", "\u1e9e", "\u0130", " x  y "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := directory.KeyOf(s)
		if err != nil {
			return
		}
		again, err := directory.KeyOf(string(k))
		if err != nil || again != k {
			t.Errorf("KeyOf(KeyOf(%q)) = %q, %v, want %q: the key of a key is itself", s, again, err, k)
		}
	})
}

func TestMatchGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*?]{0,6}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "name")
		re := regexp.MustCompile("^" + strings.NewReplacer("*", ".*", "?", ".").Replace(pattern) + "$")
		if got, want := directory.MatchGlob(pattern, directory.NameKey(name)), re.MatchString(name); got != want {
			t.Errorf("MatchGlob(%q, %q) = %v, want %v as a regular expression says", pattern, name, got, want)
		}
	})
	if !directory.MatchGlob("ENG-*", "eng-backend") {
		t.Error("a pattern is not folded as names are")
	}
}

func TestEqualDN(t *testing.T) {
	tests := []struct {
		claim, a, b string
		want        bool
	}{
		{"case does not count", "CN=Eng,DC=corp,DC=test", "cn=eng,dc=CORP,dc=test", true},
		{"space around separators does not count", "CN=Eng, DC=corp", "CN = Eng,DC=corp", true},
		{"both escapes of a comma are one", `CN=Duval\2C Zo` + "\u00eb,DC=x", `cn=duval\, zo` + "\u00eb,dc=x", true},
		{"hexadecimal pairs are bytes", `CN=Zo\C3\AB`, "CN=Zo\u00eb", true},
		{"an escaped comma does not separate", `CN=a\,DC=b`, "CN=a,DC=b", false},
		{"the order of attributes in one component does not count", "CN=a+OU=b,DC=x", "ou=B + cn=A,dc=x", true},
		{"an escaped plus does not separate", `CN=a\+OU=b,DC=x`, "CN=a+OU=b,DC=x", false},
		{"both escapes of a plus are one", `CN=a\2BOU=b`, `cn=a\+ou=b`, true},
		{"another value is another name", "CN=a,DC=b", "CN=a,DC=c", false},
		{"order of components counts", "CN=a,OU=b", "OU=b,CN=a", false},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			if got := directory.EqualDN(tt.a, tt.b); got != tt.want {
				t.Errorf("EqualDN(%q, %q) = %v, want %v", tt.a, tt.b, got, tt.want)
			}
		})
	}
}
