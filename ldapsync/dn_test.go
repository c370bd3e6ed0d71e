package ldapsync

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestDNsOfOneEntryHaveOneKey(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"case of types and values", "CN=Alice,OU=People,DC=x", "cn=alice,ou=people,dc=X", true},
		{"spaces around separators", "cn = Alice , ou=People,dc=x", "cn=Alice,ou=People,dc=x", true},
		{"an escaped comma, as hex or not", `cn=Duval\2C Zoë,dc=x`, `cn=Duval\, Zoë,dc=x`, true},
		{"case beyond ASCII", "cn=ZOË,dc=x", "cn=zoë,dc=x", true},
		{"UTF-8 in hex", `cn=Zo\c3\ab,dc=x`, "cn=Zoë,dc=x", true},
		{"composed and decomposed", "cn=Zoe\u0308,dc=x", "cn=Zoë,dc=x", true},
		{"double spaces inside a value", "cn=Alice  Ansel,dc=x", "cn=alice ansel,dc=x", true},
		{"order in a multi-valued RDN", "cn=a+uid=b,dc=x", "uid=B+CN=A,dc=x", true},
		{"an OID for a name", "2.5.4.3=alice,0.9.2342.19200300.100.1.25=x", "cn=alice,dc=x", true},
		{"a BER value", "cn=#0405616c696365,dc=x", "cn=alice,dc=x", true},
		{"an escaped separator is none", `cn=a\,cn=b,dc=x`, "cn=a,cn=b,dc=x", false},
		{"an escaped plus is none", `cn=a\+uid=b,dc=x`, "cn=a+uid=b,dc=x", false},
		{"an equals sign in a value", `cn=a\=b,dc=x`, "cn=a=b,dc=x", true},
		{"a backslash in a value", `cn=a\\2c,dc=x`, `cn=a\2c,dc=x`, false},
		{"other values", "cn=alice,dc=x", "cn=alicf,dc=x", false},
		{"other types", "cn=alice,dc=x", "uid=alice,dc=x", false},
		{"another depth", "cn=alice,dc=x", "cn=alice,ou=a,dc=x", false},
		{"what is no DN is itself", "no dn", "no dn", true},
		{"what is no DN is nothing else", "no dn", "No dn", false},
	} {
		if got := keyOfDN(c.a) == keyOfDN(c.b); got != c.same {
			t.Errorf("%s: %q and %q have one key = %v, want %v (%q, %q)", c.name, c.a, c.b, got, c.same, canonicalOf(c.a), canonicalOf(c.b))
		}
	}
}

func TestDNsAreStoredInOneSpelling(t *testing.T) {
	for dn, want := range map[string]string{
		`cn=Duval\2C Zoë *(temp),ou=Finance,dc=x`: `cn=Duval\, Zoë *(temp),ou=Finance,dc=x`,
		`CN = Alice , DC=x`:                       `CN=Alice,DC=x`,
		`no dn`:                                   `no dn`,
	} {
		if got := spellDN(dn); got != want {
			t.Errorf("spellDN(%q) = %q, want %q", dn, got, want)
		}
	}
}

func FuzzDN(f *testing.F) {
	for _, seed := range []string{
		"cn=alice,dc=x", `cn=Duval\2C Zo\c3\ab *(temp)+uid=1,dc=x`, `cn=\20 a \20,dc=x`, "cn=#0405616c696365", "a=\\,b", "2.5.4.3=ß", "cn=\u0130,o=ﬀ", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		parsed := parseDN(dn)
		if parsed == nil {
			if canonicalOf(dn) != "\x00"+dn {
				t.Errorf("canonicalOf(%q) = %q, want the text itself", dn, canonicalOf(dn))
			}
			return
		}
		if strings.ToValidUTF8(dn, "") != dn || strings.Contains(dn, `\`) && strings.ContainsRune(spellDN(dn), '\ufffd') || strings.Contains(dn, "#") {
			return // what is no text has no one spelling
		}
		spelled := spellDN(dn)
		if keyOfDN(spelled) != keyOfDN(dn) {
			t.Errorf("spellDN(%q) = %q changes the key: %q, %q", dn, spelled, canonicalOf(dn), canonicalOf(spelled))
		}
		if again := parseDN(spelled); again == nil || len(again.RDNs) != len(parsed.RDNs) {
			t.Errorf("spellDN(%q) = %q has another number of parts", dn, spelled)
		}
		if strings.ToUpper(dn) == dn && keyOfDN(strings.ToLower(dn)) != keyOfDN(dn) && isPlain(dn) {
			t.Errorf("the case of %q matters", dn)
		}
	})
}

func FuzzFilter(f *testing.F) {
	for _, seed := range []string{"(objectClass=*)", "(&(a=b)(|(c=d)(!(e=f))))", "((((", "(a=\\2a)", "(a=*b*c)"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		if checkFilter(filter) == nil {
			if _, err := ldap.CompileFilter(filter); err != nil {
				t.Errorf("checkFilter(%q) accepts what does not compile: %v", filter, err)
			}
		}
	})
}

// FuzzFilterEscape guards the escaping that every filter with a value relies on:
// the filter means exactly one equality with the literal.
func FuzzFilterEscape(f *testing.F) {
	for _, seed := range []string{"alice", "*)(uid=*", `\2a`, "a\x00b", "Zoë", "(", "#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		packet, err := ldap.CompileFilter("(uid=" + ldap.EscapeFilter(value) + ")")
		if err != nil {
			t.Fatalf("the escaped %q does not compile: %v", value, err)
		}
		if value == "" {
			return
		}
		if packet.Tag != ldap.FilterEqualityMatch || len(packet.Children) != 2 || packet.Children[1].Data.String() != value {
			t.Errorf("the filter with %q means something else", value)
		}
	})
}

func TestSettingsRefuseFilters(t *testing.T) {
	for name, filter := range map[string]string{
		"too long": "(cn=" + strings.Repeat("a", 5000) + ")", "too deep": strings.Repeat("(!", 40) + "(a=b)" + strings.Repeat(")", 40), "no filter": "objectClass=*",
	} {
		if err := checkFilter(filter); err == nil {
			t.Errorf("a filter that is %s is accepted", name)
		}
	}
}

func canonicalOf(dn string) string { return canonical(dn, parseDN(dn)) }
