package main

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReason is how many bytes of a reason the daemon keeps.
const maxReason = 500

// checkReason refuses a reason that no audit record can have: it goes as a
// header, and stands in one line wherever records are listed.
func checkReason(text string) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return usage("--reason is one line of text, without control characters")
	case len(text) > maxReason:
		return usage("--reason is longer than %d bytes", maxReason)
	}
	return nil
}
