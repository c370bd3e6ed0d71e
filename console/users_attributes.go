package console

import (
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
)

// attributeColumn begins the keys of columns that show what sources deliver of
// users: attr:department.
const attributeColumn = "attr:"

// attributeWords are what people call the attributes of RFC 7643; the others are
// called as the source calls them.
var attributeWords = map[string]string{
	"title": "Job title", "givenName": "First name", "middleName": "Middle name", "familyName": "Last name", "honorificPrefix": "Prefix",
	"honorificSuffix": "Suffix", "nickName": "Nickname", "department": "Department", "division": "Division", "costCenter": "Cost center",
	"employeeNumber": "Employee number", "manager": "Manager", "phoneNumbers": "Phone numbers", "addresses": "Addresses", "locale": "Locale",
	"timezone": "Time zone", "preferredLanguage": "Language", "userType": "User type", "profileUrl": "Profile page", "entitlements": "Entitlements",
	"roles": "Roles in the source", "ims": "Instant messaging",
}

// withAttributes adds a column of each attribute before the actions of a row, in
// the order of their titles.
func withAttributes(columns []Column, attributes []admin.AttributeUse) []Column {
	more := make([]Column, len(attributes))
	for i, use := range attributes {
		title := attributeWords[use.Name]
		if title == "" {
			title = use.Name
		}
		more[i] = Column{Key: attributeColumn + use.Name, Title: title}
	}
	slices.SortFunc(more, func(a, b Column) int { return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) })
	at := slices.IndexFunc(columns, func(col Column) bool { return col.Here })
	return slices.Insert(slices.Clone(columns), at, more...)
}

// attributes are those that a list shows, or of a CSV of all columns those that
// it could show.
func (l List) attributes(req request) (names []string) {
	all := l.CSV && req.URL.Query().Get("all") != ""
	for _, col := range l.Columns {
		if name, ok := strings.CutPrefix(col.Key, attributeColumn); ok && (all || l.shows(col.Key)) {
			names = append(names, name)
		}
	}
	return names
}
