package admin

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReason bounds a reason, in bytes.
const maxReason = 500

// ReasonFault says why no audit record can have a reason: it goes as a header,
// and stands in one line wherever records are listed. It is empty if one can.
func ReasonFault(text string) string {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "is one line of text, without control characters"
	case len(text) > maxReason:
		return fmt.Sprintf("is longer than %d bytes", maxReason)
	}
	return ""
}
