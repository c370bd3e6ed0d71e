package ldapsync

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
)

// A Person is one entry of the directory that stands for a person.
type Person struct {
	Profile directory.Profile // ExternalID is the stable id
	// Rejected says why the person cannot be taken over, such as a missing
	// userName. A rejected person is still there: nobody is removed for it.
	Rejected string

	uids    []string // values of uid, which memberUid refers to
	primary string   // SID of the primary group
	expiry  time.Time
	login   time.Time // the last one known; zero is none
}

// A values finds attribute values of one entry by name, whatever its case.
type values map[string][][]byte

func valuesOf(e *ldap.Entry) values {
	v := make(values, len(e.Attributes))
	for _, a := range e.Attributes {
		v[strings.ToLower(a.Name)] = a.ByteValues
	}
	return v
}

// all returns the values of the first of names that has any, as the names say
// that they are to be. Values that are not text are left out.
func (v values) all(names ...string) []string {
	for _, name := range names {
		var out []string
		for _, raw := range v[strings.ToLower(attribute(name))] {
			if !utf8.Valid(raw) {
				continue
			}
			if text := transformed(name, string(raw)); text != "" {
				out = append(out, text)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// one returns the first value of the first of names that has any.
func (v values) one(names ...string) string {
	if found := v.all(names...); len(found) > 0 {
		return found[0]
	}
	return ""
}

// id reads the stable id, which every entry must have.
func (v values) id(attribute string) (string, error) {
	raw := v[strings.ToLower(attribute)]
	if len(raw) != 1 {
		return "", errors.New("no value of " + attribute)
	}
	return stableID(attribute, raw[0])
}

// person reads a person from an entry, whose DN is given in its one spelling.
func (t Template) person(e *ldap.Entry, dn string, now time.Time) (Person, error) {
	v, m := valuesOf(e), t.Mapping
	id, err := v.id(m.ID)
	if err != nil {
		return Person{}, err
	}
	p := Person{uids: v.all("uid"), login: v.login(m.LastLogin, now)}
	p.Profile = directory.Profile{
		UserName: v.one(m.UserName...), ExternalID: id, DN: dn, DisplayName: v.one(m.DisplayName...),
		Active: t.active(v, now), Emails: emails(v.all(m.Emails...)),
	}
	if p.Profile.Attributes, err = t.attributes(v, p.Profile); err != nil {
		return Person{}, err
	}
	if p.Profile.Active {
		p.expiry = t.expiry(v)
	}
	if _, err := directory.KeyOf(p.Profile.UserName); err != nil {
		p.Rejected = "no usable userName (" + strings.Join(m.UserName, ", ") + "): " + err.Error()
	}
	if t.SIDs {
		p.primary = v.primaryGroup()
	}
	return p, nil
}

// group reads a group, but for its members, from an entry, whose DN is given in
// its one spelling.
func (t Template) group(e *ldap.Entry, dn string) (Group, error) {
	v := valuesOf(e)
	id, err := v.id(t.Mapping.ID)
	if err != nil {
		return Group{}, err
	}
	g := Group{ID: id, DN: dn, Name: v.one(t.Mapping.GroupName...)}
	if _, err := directory.KeyOf(g.Name); err != nil {
		g.Rejected = "no usable name (" + strings.Join(t.Mapping.GroupName, ", ") + "): " + err.Error()
	}
	if raw := v["objectsid"]; t.SIDs && len(raw) == 1 {
		if g.sid, err = sidString(raw[0]); err != nil {
			return Group{}, err
		}
	}
	return g, nil
}

func (t Template) active(v values, now time.Time) bool {
	for _, rule := range t.Status {
		value := v.one(rule.Attribute())
		if rule.disables(value, value == "", now) {
			return false
		}
	}
	return true
}

// expiry is when an account that is active now expires; zero is never.
func (t Template) expiry(v values) time.Time {
	var first time.Time
	for _, rule := range t.Status {
		at := rule.expires(v.one(rule.Attribute()))
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// primaryGroup is the SID of the group that primaryGroupID names, or "".
func (v values) primaryGroup() string {
	raw := v["objectsid"]
	rid := v.one("primaryGroupID")
	if len(raw) != 1 || rid == "" {
		return ""
	}
	sid, err := sidString(raw[0])
	if err != nil {
		return ""
	}
	if sid, err = primarySID(sid, rid); err != nil {
		return ""
	}
	return sid
}

func emails(found []string) []directory.Email {
	var out []directory.Email
	for i, address := range found {
		out = append(out, directory.Email{Value: address, Type: "work", Primary: i == 0})
	}
	return out
}

// Schemas of RFC 7643, sections 4.1 and 4.3.
const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

// attributes writes the person as an RFC 7643 User.
func (t Template) attributes(v values, p directory.Profile) (json.RawMessage, error) {
	m := t.Mapping
	user := map[string]any{"schemas": []string{userSchema}, "active": p.Active}
	put(user, "userName", p.UserName)
	put(user, "externalId", p.ExternalID)
	put(user, "displayName", p.DisplayName)
	put(user, "title", v.one(m.Title...))
	if len(p.Emails) > 0 {
		user["emails"] = p.Emails
	}
	name := map[string]any{}
	put(name, "formatted", v.one(m.Formatted...))
	put(name, "givenName", v.one(m.GivenName...))
	put(name, "familyName", v.one(m.FamilyName...))
	if len(name) > 0 {
		user["name"] = name
	}
	work := map[string]any{}
	put(work, "department", v.one(m.Department...))
	put(work, "organization", v.one(m.Organization...))
	put(work, "employeeNumber", v.one(m.EmployeeNumber...))
	if len(work) > 0 {
		user["schemas"] = []string{userSchema, enterpriseSchema}
		user[enterpriseSchema] = work
	}
	return json.Marshal(user)
}

func put(into map[string]any, key, value string) {
	if value != "" {
		into[key] = value
	}
}
