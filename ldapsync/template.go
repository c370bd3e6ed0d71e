package ldapsync

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Mapping names the LDAP attributes behind the fields of people and groups.
// Of several names, the first that an entry has counts. Behind the name of an
// attribute that holds text may stand what is to be made of its values: |lower,
// |upper, |local (what is before the last @), |account (what is behind the last
// backslash).
type Mapping struct {
	ID             string   `json:"id,omitempty"` // stable for the life of an entry
	UserName       []string `json:"userName,omitempty"`
	Formatted      []string `json:"formatted,omitempty"`
	GivenName      []string `json:"givenName,omitempty"`
	FamilyName     []string `json:"familyName,omitempty"`
	DisplayName    []string `json:"displayName,omitempty"`
	Emails         []string `json:"emails,omitempty"` // all values; the first is primary
	Title          []string `json:"title,omitempty"`
	Department     []string `json:"department,omitempty"`
	Organization   []string `json:"organization,omitempty"`
	EmployeeNumber []string `json:"employeeNumber,omitempty"`
	LastLogin      []string `json:"lastLogin,omitempty"` // when somebody last signed in; noted, and no part of a plan

	GroupName  []string `json:"groupName,omitempty"`
	Members    []string `json:"members,omitempty"`    // hold DNs; all are read
	MemberUIDs string   `json:"memberUIDs,omitempty"` // holds values of the people's uid
	MemberURLs string   `json:"memberURLs,omitempty"` // holds LDAP URLs, searched
}

// A Template is what is known of one kind of server.
type Template struct {
	Name        string
	UserFilter  string
	GroupFilter string
	Mapping     Mapping
	// Status names the rules that tell whether an account is disabled.
	Status []StatusRule
	// Stamp is the attribute that tells which entries changed.
	Stamp string
	// SIDs is set where primaryGroupID makes people members of a group.
	SIDs bool
	// Referrals are the parts of a directory that hold nobody. Below the base,
	// references to them do not make a read incomplete.
	Referrals []string
}

// templates are what ships. Each read asks for the attributes named here and
// for no other.
var templates = map[string]Template{
	"openldap": {
		UserFilter:  "(objectClass=inetOrgPerson)",
		GroupFilter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=groupOfURLs))",
		Mapping: Mapping{
			ID: "entryUUID", UserName: []string{"uid"},
			Formatted: []string{"cn"}, GivenName: []string{"givenName"}, FamilyName: []string{"sn"}, DisplayName: []string{"displayName", "cn"},
			Emails: []string{"mail"}, Title: []string{"title"}, Department: []string{"departmentNumber"}, Organization: []string{"o"},
			EmployeeNumber: []string{"employeeNumber"}, LastLogin: []string{"pwdLastSuccess", "authTimestamp"}, GroupName: []string{"cn"},
			Members: []string{"member", "uniqueMember"}, MemberUIDs: "memberUid", MemberURLs: "memberURL",
		},
		Stamp:  "entryCSN",
		Status: []StatusRule{PwdAccountLockedTime, ShadowExpire, LoginDisabled},
	},
	"active-directory": {
		UserFilter:  "(&(objectCategory=person)(objectClass=user))",
		GroupFilter: "(objectCategory=group)",
		Mapping: Mapping{
			ID: "objectGUID", UserName: []string{"sAMAccountName"},
			Formatted: []string{"cn"}, GivenName: []string{"givenName"}, FamilyName: []string{"sn"}, DisplayName: []string{"displayName", "cn"},
			Emails: []string{"mail"}, Title: []string{"title"}, Department: []string{"department"}, Organization: []string{"company", "o"},
			EmployeeNumber: []string{"employeeID"}, LastLogin: []string{"lastLogonTimestamp"}, GroupName: []string{"cn"}, Members: []string{"member"},
		},
		Status:    []StatusRule{UserAccountControl, AccountExpires},
		Stamp:     "uSNChanged",
		SIDs:      true,
		Referrals: []string{"CN=Configuration", "DC=DomainDnsZones", "DC=ForestDnsZones"},
	},
	"389ds": {
		UserFilter: "(objectClass=inetOrgPerson)",
		GroupFilter: "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup)(objectClass=ipausergroup)" +
			"(objectClass=groupOfURLs))",
		Mapping: Mapping{
			ID: "nsUniqueId", UserName: []string{"uid"},
			Formatted: []string{"cn"}, GivenName: []string{"givenName"}, FamilyName: []string{"sn"}, DisplayName: []string{"displayName", "cn"},
			Emails: []string{"mail"}, Title: []string{"title"}, Department: []string{"departmentNumber"}, Organization: []string{"o"},
			EmployeeNumber: []string{"employeeNumber"}, LastLogin: []string{"lastLoginTime", "krbLastSuccessfulAuth"}, GroupName: []string{"cn"},
			Members: []string{"member", "uniqueMember"}, MemberUIDs: "memberUid", MemberURLs: "memberURL",
		},
		Stamp:  "modifyTimestamp",
		Status: []StatusRule{NSAccountLock, ShadowExpire, LoginDisabled},
	},
}

// TemplateNames lists the templates.
func TemplateNames() []string { return slices.Sorted(maps.Keys(templates)) }

// TemplateNamed returns a template.
func TemplateNamed(name string) (Template, bool) {
	t, ok := templates[name]
	t.Name = name
	return t, ok
}

// with puts what s sets over the template.
func (t Template) with(s Settings) Template {
	if s.UserFilter != "" {
		t.UserFilter = s.UserFilter
	}
	if s.GroupFilter != "" {
		t.GroupFilter = s.GroupFilter
	}
	if s.Attributes != nil {
		t.Mapping = t.Mapping.over(*s.Attributes)
	}
	return t
}

// over returns m with the fields that by sets.
func (m Mapping) over(by Mapping) Mapping {
	for _, f := range []struct{ mine, theirs *[]string }{
		{&m.UserName, &by.UserName},
		{&m.Formatted, &by.Formatted},
		{&m.GivenName, &by.GivenName},
		{&m.FamilyName, &by.FamilyName},
		{&m.DisplayName, &by.DisplayName},
		{&m.Emails, &by.Emails},
		{&m.Title, &by.Title},
		{&m.Department, &by.Department},
		{&m.Organization, &by.Organization},
		{&m.EmployeeNumber, &by.EmployeeNumber},
		{&m.LastLogin, &by.LastLogin},
		{&m.GroupName, &by.GroupName},
		{&m.Members, &by.Members},
	} {
		if *f.theirs != nil {
			*f.mine = *f.theirs
		}
	}
	for _, f := range []struct{ mine, theirs *string }{{&m.ID, &by.ID}, {&m.MemberUIDs, &by.MemberUIDs}, {&m.MemberURLs, &by.MemberURLs}} {
		if *f.theirs != "" {
			*f.mine = *f.theirs
		}
	}
	return m
}

func (m Mapping) validate() error {
	var errs []error
	if len(m.UserName) == 0 || len(m.GroupName) == 0 {
		errs = append(errs, errors.New("attributes: userName and groupName must name an attribute"))
	}
	for _, name := range slices.Concat(m.userAttributes(), m.LastLogin, m.groupAttributes()) {
		if !isAttribute(name) {
			errs = append(errs, fmt.Errorf("attributes: %q is not the name of an attribute", name))
		}
	}
	switch strings.ToLower(m.ID) {
	case "", "dn", "uid", "cn", "mail", "samaccountname", "userprincipalname", "distinguishedname":
		errs = append(errs, fmt.Errorf("attributes: id: %q changes or is used again; name an attribute that never does, such as entryUUID", m.ID))
	}
	return errors.Join(append(errs, m.transformFaults()...)...)
}

// isAttribute accepts a descriptor or OID (RFC 4512, section 1.4), without
// options, so that nothing else gets into a request.
func isAttribute(name string) bool {
	for i := range len(name) {
		letter := name[i]|0x20 >= 'a' && name[i]|0x20 <= 'z'
		digit := name[i] >= '0' && name[i] <= '9'
		joins := i > 0 && (name[i] == '-' || name[i] == '.')
		if !letter && !digit && !joins {
			return false
		}
	}
	return name != ""
}

// userAttributes are what a read of people asks for, but for status and SIDs.
func (m Mapping) userAttributes() []string {
	all := slices.Concat([]string{m.ID}, m.UserName, m.Formatted, m.GivenName, m.FamilyName, m.DisplayName, m.Emails, m.Title,
		m.Department, m.Organization, m.EmployeeNumber)
	for i := range all {
		all[i] = attribute(all[i])
	}
	if m.MemberUIDs != "" {
		all = append(all, "uid")
	}
	return distinct(all)
}

func (m Mapping) groupAttributes() []string {
	all := slices.Concat([]string{m.ID}, m.GroupName, m.Members)
	for i := range all {
		all[i] = attribute(all[i])
	}
	for _, name := range []string{m.MemberUIDs, m.MemberURLs} {
		if name != "" {
			all = append(all, name)
		}
	}
	return distinct(all)
}

func (t Template) userAttributes() []string {
	all := t.Mapping.userAttributes()
	for _, rule := range t.Status {
		all = append(all, rule.Attribute())
	}
	if t.SIDs {
		all = append(all, "objectSid", "primaryGroupID")
	}
	return distinct(all)
}

func (t Template) groupAttributes() []string {
	all := t.Mapping.groupAttributes()
	if t.SIDs {
		all = append(all, "objectSid")
	}
	return distinct(all)
}

// distinct drops repeated names; attribute names fold.
func distinct(names []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(names, func(name string) bool {
		key := strings.ToLower(name)
		again := seen[key]
		seen[key] = true
		return again
	})
}
