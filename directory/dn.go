package directory

import (
	"slices"
	"strings"
)

// EqualDN reports whether two distinguished names are written alike up to case
// and white space around separators. Package ldapsync stores DNs in one
// spelling and compares structurally; here it is enough that a DN typed into a
// policy finds the group that was read.
func EqualDN(a, b string) bool { return dnKey(a) == dnKey(b) }

// DNKey returns the form by which DNs are compared and indexed.
func DNKey(dn string) string { return dnKey(dn) }

func dnKey(dn string) string {
	var out strings.Builder
	for i, part := range splitUnescaped(dn, ',') {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(foldRDN(part))
	}
	return out.String()
}

// foldRDN folds the attributes of an RDN and puts them in order: where it has
// several, their order says nothing (RFC 4514, section 2.2).
func foldRDN(rdn string) string {
	parts := splitUnescaped(rdn, '+')
	for i, part := range parts {
		attr, value, _ := strings.Cut(part, "=")
		parts[i] = strings.ToLower(strings.TrimSpace(attr)) + "=" + foldDNValue(value)
	}
	slices.Sort(parts)
	return strings.Join(parts, "+")
}

// splitUnescaped splits at separators that no backslash precedes.
func splitUnescaped(s string, sep byte) []string {
	var parts []string
	start := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case sep:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// foldDNValue decodes the escapes of RFC 4514, section 2.4, folds, and escapes
// again the characters that separate.
func foldDNValue(value string) string {
	var raw []byte
	value = strings.TrimSpace(value)
	for i := 0; i < len(value); i++ {
		if value[i] != '\\' || i+1 == len(value) {
			raw = append(raw, value[i])
			continue
		}
		if hi := unhex(value[i+1]); hi >= 0 && i+2 < len(value) {
			if lo := unhex(value[i+2]); lo >= 0 {
				raw = append(raw, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		raw = append(raw, value[i+1])
		i++
	}
	folded := fold(strings.ToValidUTF8(string(raw), "\ufffd"))
	return strings.NewReplacer(`\`, `\\`, `,`, `\,`, `+`, `\+`).Replace(folded)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
