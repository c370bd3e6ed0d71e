package extauthz

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/usherd/usherd/directory"
)

// The most that is looked at of a request target.
const (
	maxTarget   = 8 << 10
	maxSegments = 128
)

// special are the characters of a decoded segment that some server takes for
// more than a character: separators, parameters, a second encoding.
const special = "/\\%;?#"

// segments splits the path of a request target (RFC 9112, section 3.2.1) and
// decodes each segment once. It reports false for a path that another reader
// might understand differently. The slash at the end and the query don't count.
func segments(target string) ([]string, bool) {
	path, _, _ := strings.Cut(target, "?")
	if len(target) > maxTarget || path == "" || path[0] != '/' {
		return nil, false
	}
	path = strings.TrimSuffix(path[1:], "/")
	if path == "" {
		// The root; but // is a path whose first segment is empty.
		return nil, !strings.HasPrefix(target, "//")
	}
	if strings.Count(path, "/") >= maxSegments {
		return nil, false
	}
	segs := strings.Split(path, "/")
	for i, raw := range segs {
		s, ok := decode(raw)
		if !ok || !plainSegment(s) {
			return nil, false
		}
		segs[i] = s
	}
	return segs, true
}

// decode resolves percent-encodings, once.
func decode(raw string) (string, bool) {
	for i := range len(raw) {
		if raw[i] <= ' ' || raw[i] >= 0x7f {
			return "", false // must be encoded (RFC 3986, section 2)
		}
	}
	if strings.IndexByte(raw, '%') < 0 {
		return raw, true
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		if i+2 >= len(raw) {
			return "", false
		}
		hi, lo := unhex(raw[i+1]), unhex(raw[i+2])
		if hi > 15 || lo > 15 {
			return "", false
		}
		b.WriteByte(hi<<4 | lo)
		i += 2
	}
	return b.String(), true
}

func unhex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// plainSegment reports whether every reader takes a decoded segment for the
// same name.
func plainSegment(s string) bool {
	ascii := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f || strings.IndexByte(special, s[i]) >= 0 {
			return false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if dots(s) {
		return false
	}
	return ascii || plainUnicode(s)
}

// dots reports whether nothing is left of s without dots and spaces: the dot
// segments, the empty segment, and what Windows takes for one.
func dots(s string) bool { return strings.Trim(s, ". ") == "" }

// plainUnicode holds for names that are valid, visible, composed, and in which
// no character stands for a special one.
func plainUnicode(s string) bool {
	if _, err := directory.KeyOf(s); err != nil || !norm.NFC.IsNormalString(s) {
		return false
	}
	plain := norm.NFKC.String(s)
	return !strings.ContainsAny(plain, special) && !dots(plain)
}

// near is what segments have in common that a careless reader may take for the
// same: case, width, trailing dots and spaces. Readers differ in how they compare
// case: folded is by folding (Unicode, section 3.13), mapped by the lower and
// upper letter of each character, which the dotted and the dotless i have in
// common with i. Segments are near if they share one of the two.
func near(s string) (folded, mapped string) {
	s = strings.TrimRight(s, ". ")
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return foldedKey(s), foldedKey(strings.Map(mappedCase, norm.NFKC.String(s)))
		}
	}
	s = strings.ToLower(s)
	return s, s
}

func foldedKey(s string) string {
	key, err := directory.KeyOf(s)
	if err != nil {
		return s
	}
	return strings.TrimRight(string(key), ". ")
}

// mappedCase is the same for characters that have a lower or an upper letter in
// common.
func mappedCase(r rune) rune {
	return unicode.ToLower(unicode.ToUpper(unicode.ToLower(r)))
}
