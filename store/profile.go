package store

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
)

// A profile is a directory.Profile in the form in which it is kept.
type profile struct {
	userName, nameKey   string
	externalID          string
	dn, dnKey           string
	display, displayKey string
	kind                string // directory.UserType
	active              int64
	emails              string   // JSON
	emailKeys           []string // sorted, without repetition
	attributes          string   // JSON
}

// prepareProfile checks a profile. Addresses and display names that no one can
// be asked for by are kept as they are.
func prepareProfile(p directory.Profile) (profile, error) {
	key, err := directory.KeyOf(p.UserName)
	if err != nil {
		return profile{}, fmt.Errorf("userName: %w", err)
	}
	kind := p.Type
	switch kind {
	case "":
		kind = directory.Standard
	case directory.Standard, directory.Service:
	default:
		return profile{}, fmt.Errorf("user type %q: %w", kind, directory.ErrInvalid)
	}
	for _, text := range []struct {
		what, value string
		limit       int
	}{
		{"externalId", p.ExternalID, maxID},
		{"dn", p.DN, maxDN},
		{"displayName", p.DisplayName, maxString},
	} {
		if err := checkText(text.what, text.value, text.limit); err != nil {
			return profile{}, err
		}
	}
	attributes, err := compact("attributes", p.Attributes)
	if err != nil {
		return profile{}, err
	}
	out := profile{
		userName: p.UserName, nameKey: string(key), externalID: p.ExternalID, dn: p.DN, dnKey: dnKeyOf(p.DN),
		display: p.DisplayName, displayKey: keyOrNone(p.DisplayName), kind: string(kind), active: flag(p.Active),
		attributes: attributes,
	}
	out.emails, out.emailKeys, err = prepareEmails(p.Emails)
	return out, err
}

func prepareEmails(emails []directory.Email) (text string, keys []string, err error) {
	for _, m := range emails {
		if err := checkText("e-mail address", m.Value+m.Type, maxString); err != nil {
			return "", nil, err
		}
		if key := keyOrNone(m.Value); key != "" {
			keys = append(keys, key)
		}
	}
	b, err := json.Marshal(append([]directory.Email{}, emails...))
	if err != nil {
		return "", nil, fmt.Errorf("encoding e-mail addresses: %w", err)
	}
	slices.Sort(keys)
	return string(b), slices.Compact(keys), nil
}

func dnKeyOf(dn string) string {
	if dn == "" {
		return ""
	}
	return directory.DNKey(dn)
}

// differences names the attributes in which two profiles differ.
func (p profile) differences(q profile) []string {
	var names []string
	for _, a := range []struct {
		name string
		same bool
	}{
		{"userName", p.userName == q.userName},
		{"externalId", p.externalID == q.externalID},
		{"dn", p.dn == q.dn},
		{"displayName", p.display == q.display},
		{"type", p.kind == q.kind},
		{"active", p.active == q.active},
		{"emails", sameJSON(p.emails, q.emails)},
	} {
		if !a.same {
			names = append(names, a.name)
		}
	}
	for _, name := range differentMembers(p.attributes, q.attributes) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// differentMembers names the members in which two JSON objects differ; of
// values that are no objects it says "attributes".
func differentMembers(a, b string) []string {
	if sameJSON(a, b) {
		return nil
	}
	x, ok1 := object(a)
	y, ok2 := object(b)
	if !ok1 || !ok2 {
		return []string{"attributes"}
	}
	all := maps.Clone(x)
	maps.Copy(all, y)
	var names []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !sameJSON(string(x[name]), string(y[name])) {
			names = append(names, attributeName(name))
		}
	}
	return names
}

// object takes a JSON object apart; nothing is an empty one.
func object(text string) (map[string]json.RawMessage, bool) {
	if text == "" {
		return map[string]json.RawMessage{}, true
	}
	var out map[string]json.RawMessage
	err := json.Unmarshal([]byte(text), &out)
	return out, err == nil && out != nil
}

// attributeName keeps what a source made up out of the audit record: the names
// of the standards hold letters, digits and a few signs.
func attributeName(name string) string {
	const signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$.:"
	if len(name) > 128 || strings.Trim(name, signs) != "" {
		return "attributes"
	}
	return name
}
