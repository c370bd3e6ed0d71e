package directory

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxName is the longest name in bytes, after normalisation.
const MaxName = 256

// A NameKey is the canonical form of a name. Two names are the same name if
// their keys are equal byte for byte. Keys are computed here, once, and never
// by a database.
type NameKey string

// KeyOf returns the canonical key of a userName, group name or e-mail address:
// NFKC, full case fold, NFKC, with runs of white space as one space and none
// at the ends. Invisible characters that do not alter the meaning of a text
// (joiners, variation selectors, fillers) are left out of the key, so that no
// two names look alike and differ.
//
// Invalid UTF-8, control and format characters, an empty name and one of more
// than [MaxName] bytes are refused with an error that wraps [ErrInvalid].
func KeyOf(name string) (NameKey, error) {
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("name is not valid UTF-8: %w", ErrInvalid)
	}
	for _, r := range name {
		if refused(r) {
			return "", fmt.Errorf("name holds the character %U, which is not allowed in names: %w", r, ErrInvalid)
		}
	}
	key := fold(name)
	if key == "" {
		return "", fmt.Errorf("name is empty: %w", ErrInvalid)
	}
	if len(key) > MaxName {
		return "", fmt.Errorf("name is longer than %d bytes: %w", MaxName, ErrInvalid)
	}
	return NameKey(key), nil
}

// fold repeats the folding until it is stable: for a few characters one round
// of fold and NFKC opens the way for another.
func fold(s string) string {
	for range 4 {
		visible := strings.Map(func(r rune) rune {
			if ignorable(r) {
				return -1
			}
			return r
		}, norm.NFKC.String(s))
		next := norm.NFKC.String(cases.Fold().String(visible))
		next = strings.Join(strings.Fields(next), " ")
		if next == s {
			break
		}
		s = next
	}
	return s
}

func refused(r rune) bool {
	const joiner = '\u200d' // in emoji, and ignorable
	return r != joiner && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r))
}

// ignorable lists the default-ignorable characters that are not of category Cf
// (Unicode, DerivedCoreProperties), and the joiner.
func ignorable(r rune) bool {
	switch {
	case r == '\u200d', r == '\u034f', r == '\u115f', r == '\u1160', r == '\u17b4', r == '\u17b5',
		r >= '\u180b' && r <= '\u180f', r == '\u3164', r == '\uffa0',
		r >= '\ufe00' && r <= '\ufe0f', r >= 0xe0000 && r <= 0xe0fff:
		return true
	}
	return false
}

// MatchGlob reports whether the whole of key matches pattern, in which * stands
// for any run of characters and ? for one. The pattern is folded as names are.
func MatchGlob(pattern string, key NameKey) bool {
	return glob([]rune(fold(pattern)), []rune(string(key)))
}

// glob is linear in len(s) for each star: it backtracks to the last star only.
func glob(p, s []rune) bool {
	pi, si, star, mark := 0, 0, -1, 0
	for si < len(s) {
		switch {
		case pi < len(p) && p[pi] == '*':
			star, mark = pi, si
			pi++
		case pi < len(p) && (p[pi] == '?' || p[pi] == s[si]):
			pi++
			si++
		case star >= 0:
			mark++
			pi, si = star+1, mark
		default:
			return false
		}
	}
	for pi < len(p) && p[pi] == '*' {
		pi++
	}
	return pi == len(p)
}
