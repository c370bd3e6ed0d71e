package storetest

import (
	"cmp"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// A resource is what a condition is about: the values of each attribute. An
// absent attribute has none.
type resource map[directory.Attribute][]any

// foldedAttrs are compared by their canonical keys.
var foldedAttrs = map[directory.Attribute]bool{directory.AttrUserName: true, directory.AttrName: true, directory.AttrEmail: true}

// holds evaluates a condition the simple way: what a query must agree with.
func holds(e directory.Expr, r resource) bool {
	switch e := e.(type) {
	case nil:
		return true
	case directory.And:
		for _, t := range e {
			if !holds(t, r) {
				return false
			}
		}
		return true
	case directory.Or:
		for _, t := range e {
			if holds(t, r) {
				return true
			}
		}
		return false
	case directory.Not:
		return !holds(e.Term, r)
	case directory.Compare:
		return compares(e, r[e.Attr])
	}
	panic("storetest: unknown condition")
}

// compares holds if one value does. What is absent differs from everything.
func compares(c directory.Compare, values []any) bool {
	if c.Op == directory.Pr {
		return len(values) > 0
	}
	if len(values) == 0 {
		return c.Op == directory.Ne
	}
	for _, v := range values {
		if one(c, v) {
			return true
		}
	}
	return false
}

func one(c directory.Compare, v any) bool {
	switch v := v.(type) {
	case bool:
		return (v == c.Value.(bool)) == (c.Op == directory.Eq)
	case time.Time:
		return ordered(c.Op, v.Compare(c.Value.(time.Time)))
	case string:
		want := c.Value.(string)
		if foldedAttrs[c.Attr] {
			had, _ := directory.KeyOf(v) // it was kept, so it has one
			v = string(had)
			key, err := directory.KeyOf(want)
			if err != nil && want != "" {
				return c.Op == directory.Ne
			}
			want = string(key)
		}
		return text(c.Op, v, want)
	}
	panic("storetest: unknown type of value")
}

func text(op directory.Op, v, want string) bool {
	switch op {
	case directory.Co:
		return strings.Contains(v, want)
	case directory.Sw:
		return strings.HasPrefix(v, want)
	case directory.Ew:
		return strings.HasSuffix(v, want)
	}
	return ordered(op, cmp.Compare(v, want))
}

func ordered(op directory.Op, c int) bool {
	switch op {
	case directory.Eq:
		return c == 0
	case directory.Ne:
		return c != 0
	case directory.Gt:
		return c > 0
	case directory.Ge:
		return c >= 0
	case directory.Lt:
		return c < 0
	case directory.Le:
		return c <= 0
	}
	panic("storetest: unknown operator")
}

// identityResource is an identity as conditions see it; groups are the ids of
// the groups that its source sees it in.
func identityResource(i directory.Identity, groups []directory.GroupRef) resource {
	r := resource{
		directory.AttrID: {string(i.ID)}, directory.AttrUserName: {i.UserName}, directory.AttrActive: {i.Active},
		directory.AttrCreated: {i.Created}, directory.AttrModified: {i.Modified}, directory.AttrUserType: {string(i.Type)},
	}
	r.add(directory.AttrName, i.DisplayName)
	r.add(directory.AttrExternalID, i.ExternalID)
	for _, e := range i.Emails {
		r.add(directory.AttrEmail, e.Value)
	}
	for _, g := range groups {
		r.add(directory.AttrMemberOf, string(g.ID))
	}
	return r
}

func groupResource(g directory.Group, members []directory.Member) resource {
	r := resource{
		directory.AttrID: {string(g.ID)}, directory.AttrName: {g.Name}, directory.AttrGroupStatus: {string(g.Status)},
		directory.AttrCreated: {g.Created}, directory.AttrModified: {g.Modified},
	}
	r.add(directory.AttrExternalID, g.ExternalID)
	r.add(directory.AttrProject, string(g.Project))
	for _, m := range members {
		r.add(directory.AttrMember, m.Value)
	}
	return r
}

// add adds a value unless it is absent.
func (r resource) add(attr directory.Attribute, value string) {
	if value != "" {
		r[attr] = append(r[attr], value)
	}
}
