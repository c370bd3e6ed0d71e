package ldapsync

import (
	"fmt"
	"slices"
	"strings"
)

// transforms are what may stand behind the name of an attribute of people, or of
// the name of groups, as in mail|local|lower. They are applied from left to
// right, to each value by itself; a value of which nothing is left counts as none.
var transforms = map[string]func(string) string{
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
	"local": func(v string) string { // of an e-mail address, or of a name such as alice@corp.example
		if i := strings.LastIndexByte(v, '@'); i >= 0 {
			return v[:i]
		}
		return v
	},
	"account": func(v string) string { // of a name such as CORP\alice
		return v[strings.LastIndexByte(v, '\\')+1:]
	},
}

// attribute is the name of the attribute that a mapping names.
func attribute(mapped string) string {
	name, _, _ := strings.Cut(mapped, "|")
	return name
}

// transformed applies what a mapping asks for to a value.
func transformed(mapped, value string) string {
	_, rest, some := strings.Cut(mapped, "|")
	for some {
		var name string
		name, rest, some = strings.Cut(rest, "|")
		value = transforms[name](value)
	}
	return strings.TrimSpace(value)
}

// transformFaults refuses transforms that nobody knows, and any where values are
// compared with those of other entries as they are.
func (m Mapping) transformFaults() (errs []error) {
	for _, mapped := range m.texts() {
		for _, name := range strings.Split(mapped, "|")[1:] {
			if transforms[name] == nil {
				errs = append(errs, fmt.Errorf("attributes: %q: after | comes lower, upper, local or account", mapped))
			}
		}
	}
	for _, mapped := range slices.Concat([]string{m.ID, m.MemberUIDs, m.MemberURLs}, m.Members, m.LastLogin) {
		if strings.Contains(mapped, "|") {
			errs = append(errs, fmt.Errorf("attributes: %q is taken as it is; nothing may follow it", mapped))
		}
	}
	return errs
}

// texts are the attributes whose values are text for people to read.
func (m Mapping) texts() []string {
	return slices.Concat(m.UserName, m.Formatted, m.GivenName, m.FamilyName, m.DisplayName, m.Emails, m.Title, m.Department,
		m.Organization, m.EmployeeNumber, m.GroupName)
}
