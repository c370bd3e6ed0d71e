package directory

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// notListed are attributes that no list shows as columns: those that lists have
// anyway, what only machines read, and what must never be shown although no
// source may deliver it.
var notListed = map[string]bool{
	"schemas": true, "id": true, "meta": true, "groups": true, "username": true, "displayname": true, "formatted": true, "active": true,
	"emails": true, "externalid": true, "organization": true, "photos": true, "x509certificates": true,
}

// listable reports whether an attribute may be a column of a list. Nothing that
// sounds like a secret may.
func listable(name string) bool {
	low := strings.ToLower(name)
	if low == "" || notListed[low] || soundsSecret(name) {
		return false
	}
	return !strings.ContainsFunc(low, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '$'
	})
}

// secretParts are in no name of what may be shown; secretWords are too short for
// that, or mean something else within others: shipping is no pin.
var (
	secretParts = []string{"password", "passwd", "passphrase", "pwd", "secret", "credential", "token", "recovery"}
	secretWords = []string{"key", "pin", "otp", "ssn", "private"}
)

// soundsSecret reports whether a name in camel or snake case has a word that
// secrets are called by, in the plural too.
func soundsSecret(name string) bool {
	low := strings.ToLower(name)
	if slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(low, part) }) {
		return true
	}
	return slices.ContainsFunc(nameWords(name), func(word string) bool {
		return slices.Contains(secretWords, word) || slices.Contains(secretWords, strings.TrimSuffix(word, "s"))
	})
}

// nameWords are the words of a name in lower case: of userSSN2 and of user_ssn
// user and ssn. What is no letter of ASCII parts words, and so does a capital
// after a small letter, or before one that goes on with it: OTPCode is otp and
// code, OTPs is otps.
func nameWords(name string) (words []string) {
	begin := 0
	end := func(i int) {
		if i > begin {
			words = append(words, strings.ToLower(name[begin:i]))
		}
		begin = i
	}
	capital := func(i int) bool { return i < len(name) && 'A' <= name[i] && name[i] <= 'Z' }
	small := func(i int) bool { return i < len(name) && 'a' <= name[i] && name[i] <= 'z' }
	for i := range len(name) {
		switch {
		case !capital(i) && !small(i):
			end(i)
			begin = i + 1
		case i == begin || !capital(i):
		case small(i - 1), small(i+1) && (name[i+1] != 's' || small(i+2)):
			end(i)
		}
	}
	end(len(name))
	return words
}

// AttributeNames lists what a source says of a person besides what every list of
// people shows, in alphabetical order. Those of extensions and the parts of the
// name have their own name alone: department, costCenter, familyName. Attributes
// is as in a [Profile]; what is no JSON object has none.
func AttributeNames(attributes json.RawMessage) []string {
	return slices.Sorted(maps.Keys(ListedAttributes(attributes)))
}

// Attributes are those that [AttributeNames] lists, with what the source says.
type Attributes map[string]json.RawMessage

// Text is the text of an attribute, or nothing: values are joined by commas, and
// of one with parts the part for people is told.
func (a Attributes) Text(name string) string {
	raw, ok := a[name]
	if !ok {
		return ""
	}
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	return attributeText(v)
}

// ListedAttributes are the attributes that [AttributeNames] lists. Of two of one
// name that of the core schema is listed, then that of the first extension.
func ListedAttributes(attributes json.RawMessage) Attributes {
	var all map[string]json.RawMessage
	if len(attributes) == 0 || json.Unmarshal(attributes, &all) != nil {
		return nil
	}
	out := make(Attributes, len(all))
	add := func(from map[string]json.RawMessage) {
		for name, raw := range from {
			if _, taken := out[name]; !taken && listable(name) && !empty(raw) {
				out[name] = raw
			}
		}
	}
	var inside []string
	for name := range all {
		if name == "name" || strings.HasPrefix(name, "urn:") {
			inside = append(inside, name)
		}
	}
	slices.Sort(inside)
	parts := make([]map[string]json.RawMessage, len(inside))
	for i, name := range inside {
		if json.Unmarshal(all[name], &parts[i]) != nil {
			parts[i] = nil
		}
		delete(all, name)
	}
	add(all)
	for _, part := range parts {
		add(part)
	}
	return out
}

func empty(raw json.RawMessage) bool {
	switch strings.TrimSpace(string(raw)) {
	case "", "null", `""`, "[]", "{}":
		return true
	}
	return false
}

// partsForPeople are the parts of a value that say what it is, the best first
// (RFC 7643, sections 2.4, 4.1.2 and 4.3).
var partsForPeople = []string{"displayName", "display", "formatted", "value"}

func attributeText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		var parts []string
		for _, item := range v {
			if text := attributeText(item); text != "" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		for _, name := range partsForPeople {
			if text := attributeText(v[name]); text != "" {
				return text
			}
		}
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			if text := attributeText(v[name]); text != "" && listable(name) && name != "type" && name != "primary" {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, ", ")
	case nil:
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
