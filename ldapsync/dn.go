package ldapsync

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// A dnKey stands for a distinguished name in maps: two DNs that a directory
// takes for the same have the same key. It is a hash, for names are long and
// groups are large; 16 bytes of SHA-256 are not forged.
type dnKey [16]byte

// String writes a key for the cursor.
func (k dnKey) String() string { return hex.EncodeToString(k[:]) }

// UnmarshalText reads what MarshalText writes.
func (k *dnKey) UnmarshalText(text []byte) error {
	_, err := hex.Decode(k[:], text[:min(len(text), 2*len(k))])
	return err
}

// MarshalText writes a key for the cursor.
func (k dnKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

func keyOfDN(dn string) dnKey { return keyOf(dn, parseDN(dn)) }

// parseDN returns nil for what is no DN. The parser of go-ldap takes anything
// for an attribute type.
func parseDN(dn string) *ldap.DN {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return nil
	}
	for _, rdn := range parsed.RDNs {
		for _, a := range rdn.Attributes {
			if !isAttribute(strings.TrimSpace(a.Type)) {
				return nil
			}
		}
	}
	return parsed
}

// readDN returns the key of a DN and its one spelling.
func readDN(dn string) (dnKey, string) {
	parsed := parseDN(dn)
	return keyOf(dn, parsed), spell(dn, parsed)
}

func keyOf(dn string, parsed *ldap.DN) dnKey {
	sum := sha256.Sum256([]byte(canonical(dn, parsed)))
	return dnKey(sum[:16])
}

// canonical writes a DN so that two spellings of one name are equal byte for
// byte: attribute types by one short name, values unescaped, folded and with
// single spaces, the parts of a multi-valued RDN in order (RFC 4514; RFC 4518
// for the folding). Each value is folded first and encoded after, so that no
// escape can imitate a separator. What is no DN, so that parsed is nil, stands
// for itself.
func canonical(dn string, parsed *ldap.DN) string {
	if parsed == nil {
		return "\x00" + dn
	}
	var b strings.Builder
	for _, rdn := range parsed.RDNs {
		parts := make([]string, len(rdn.Attributes))
		for i, a := range rdn.Attributes {
			parts[i] = attributeType(a.Type) + "=" + escapeSeparators(foldValue(a.Value))
		}
		slices.Sort(parts)
		b.WriteString(strings.Join(parts, "+"))
		b.WriteByte(',')
	}
	return b.String()
}

// attributeTypes gives one name to types that servers may write as OID or in
// full (RFC 4514, section 3; RFC 4519).
var attributeTypes = map[string]string{
	"2.5.4.3": "cn", "commonname": "cn", "2.5.4.4": "sn", "surname": "sn", "2.5.4.6": "c", "countryname": "c",
	"2.5.4.7": "l", "localityname": "l", "2.5.4.8": "st", "stateorprovincename": "st", "2.5.4.9": "street", "streetaddress": "street",
	"2.5.4.10": "o", "organizationname": "o", "2.5.4.11": "ou", "organizationalunitname": "ou",
	"0.9.2342.19200300.100.1.25": "dc", "domaincomponent": "dc", "0.9.2342.19200300.100.1.1": "uid", "userid": "uid",
	"0.9.2342.19200300.100.1.3": "mail", "rfc822mailbox": "mail", "1.2.840.113549.1.9.1": "emailaddress", "e": "emailaddress",
	"2.5.4.5": "serialnumber", "2.5.4.12": "title", "2.5.4.42": "givenname",
}

func attributeType(name string) string {
	name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "oid.")
	if short, ok := attributeTypes[name]; ok {
		return short
	}
	return name
}

// foldValue folds as caseIgnoreMatch does, and a little further: that two
// entries fall together is noticed (see peopleIndex), that one does not match
// itself is not.
func foldValue(v string) string {
	if isPlain(v) {
		return strings.Join(strings.Fields(strings.ToLower(v)), " ")
	}
	v = strings.ToValidUTF8(v, "\ufffd")
	for range 4 { // for a few characters one round opens the way for another
		next := norm.NFKC.String(cases.Fold().String(norm.NFKC.String(v)))
		next = strings.Join(strings.Fields(next), " ")
		if next == v {
			break
		}
		v = next
	}
	return v
}

func isPlain(v string) bool {
	for i := range len(v) {
		if v[i] < ' ' || v[i] >= 0x7f {
			return false
		}
	}
	return true
}

// escapeSeparators escapes what joins the parts of a canonical DN.
func escapeSeparators(v string) string {
	if !strings.ContainsAny(v, `\,+=`) {
		return v
	}
	return strings.NewReplacer(`\`, `\5c`, `,`, `\2c`, `+`, `\2b`, `=`, `\3d`).Replace(v)
}

func spellDN(dn string) string {
	_, spelled := readDN(dn)
	return spelled
}

// spell writes a DN in the one spelling that is stored and shown: types as
// the server writes them, values in UTF-8 with the escapes that RFC 4514,
// section 2.4, demands, no spaces around separators. What is no DN stays.
func spell(dn string, parsed *ldap.DN) string {
	if parsed == nil {
		return strings.ToValidUTF8(dn, "\ufffd")
	}
	rdns := make([]string, len(parsed.RDNs))
	for i, rdn := range parsed.RDNs {
		parts := make([]string, len(rdn.Attributes))
		for j, a := range rdn.Attributes {
			parts[j] = a.Type + "=" + ldap.EscapeDN(strings.ToValidUTF8(a.Value, "\ufffd"))
		}
		rdns[i] = strings.Join(parts, "+")
	}
	return strings.Join(rdns, ",")
}
