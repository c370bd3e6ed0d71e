package filter

import (
	"encoding/json"
	"time"

	"github.com/usherd/usherd/directory"
)

// Lower turns x, which Compile accepts for r, into a condition that the store
// answers from its indexes and the rest that it cannot: a resource satisfies x
// if and only if it satisfies where and rest. Nil is true, so a nil where
// selects every resource, and with a nil rest nothing is left to evaluate.
//
// Only comparisons whose meaning in the store is beyond doubt are lowered; a
// part that narrows without deciding is lowered and also kept in rest.
func Lower(x Expr, r *Resource) (where directory.Expr, rest Expr) {
	switch x := x.(type) {
	case And:
		return lowerAnd(x, r)
	case Or:
		return lowerOr(x, r)
	case Compare:
		return lowerCompare(x, r)
	case Has:
		return lowerHas(x, r)
	case Not, Present:
	}
	return nil, x
}

func lowerAnd(x And, r *Resource) (directory.Expr, Expr) {
	var where directory.And
	var rest And
	for _, t := range x {
		w, left := Lower(t, r)
		if w != nil {
			where = append(where, w)
		}
		if left != nil {
			rest = append(rest, left)
		}
	}
	return single(where), remaining(rest)
}

func single(where directory.And) directory.Expr {
	switch len(where) {
	case 0:
		return nil
	case 1:
		return where[0]
	}
	return where
}

func remaining(rest And) Expr {
	switch len(rest) {
	case 0:
		return nil
	case 1:
		return rest[0]
	}
	return rest
}

func lowerOr(x Or, r *Resource) (directory.Expr, Expr) {
	where, exact := make(directory.Or, 0, len(x)), true
	for _, t := range x {
		w, left := Lower(t, r)
		if w == nil {
			return nil, x
		}
		where = append(where, w)
		exact = exact && left == nil
	}
	if exact {
		return where, nil
	}
	return where, x
}

// lowerHas narrows a value path by its comparison of "value", which it decides
// where there is nothing else in it.
func lowerHas(x Has, r *Resource) (directory.Expr, Expr) {
	switch inner := x.X.(type) {
	case Compare:
		where, rest := lowerCompare(inside(x.Attr, inner), r)
		if where == nil || rest != nil {
			return where, x
		}
		return where, nil
	case And:
		var where directory.And
		for _, t := range inner {
			if c, ok := t.(Compare); ok {
				if w, _ := lowerCompare(inside(x.Attr, c), r); w != nil {
					where = append(where, w)
				}
			}
		}
		return single(where), x
	case Or, Not, Present, Has:
	}
	return nil, x
}

// inside moves a comparison in a value path out of it.
func inside(attr AttrPath, c Compare) Compare {
	c.Attr = AttrPath{URN: attr.URN, Name: attr.Name, Sub: c.Attr.Name}
	return c
}

// indexed are the attributes of the core schemas that the store knows.
var indexed = map[string]directory.Attribute{
	"id":                directory.AttrID,
	"externalId":        directory.AttrExternalID,
	"userName":          directory.AttrUserName,
	"displayName":       directory.AttrName,
	"active":            directory.AttrActive,
	"emails.value":      directory.AttrEmail,
	"members.value":     directory.AttrMember,
	"groups.value":      directory.AttrMemberOf,
	"meta.created":      directory.AttrCreated,
	"meta.lastModified": directory.AttrModified,
}

// Indexed returns the store's name of an attribute of r, if it has one.
func Indexed(ref Ref) (directory.Attribute, bool) {
	if ref.Attr == nil || ref.Extension != "" {
		return "", false
	}
	name := ref.Attr.Name
	if ref.Sub != nil {
		name += "." + ref.Sub.Name
	} else if ref.Attr.Type == Complex {
		name += ".value"
	}
	a, ok := indexed[name]
	return a, ok
}

func lowerCompare(x Compare, r *Resource) (directory.Expr, Expr) {
	ref, err := r.Resolve(x.Attr)
	if err != nil {
		return nil, x
	}
	attr, ok := Indexed(ref)
	if !ok || x.Value == nil {
		return nil, x
	}
	switch attr {
	case directory.AttrActive:
		return lowerBool(attr, x)
	case directory.AttrCreated, directory.AttrModified:
		return lowerTime(attr, x)
	case directory.AttrUserName, directory.AttrName, directory.AttrEmail:
		// Of these, userName and a group's displayName always have a key.
		sure := attr == directory.AttrUserName || attr == directory.AttrName && r.Core.Attribute("userName") == nil
		return lowerName(attr, x, sure)
	case directory.AttrID, directory.AttrExternalID, directory.AttrMember, directory.AttrMemberOf,
		directory.AttrGroupStatus, directory.AttrProject, directory.AttrUserType:
	}
	text, ok := asText(x.Value)
	if x.Op != Eq || !ok {
		return nil, x
	}
	if leaf, err := ref.leaf(); err == nil && !leaf.CaseExact {
		text = foldKey(text) // ids, which are kept in this form
	}
	return directory.Compare{Attr: attr, Op: directory.Eq, Value: text}, nil
}

// asText is the literal of a comparison with a string.
func asText(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	}
	return "", false
}

func lowerBool(attr directory.Attribute, x Compare) (directory.Expr, Expr) {
	b, ok := x.Value.(bool)
	if s, isText := x.Value.(string); isText {
		b, ok = ParseBool(s)
	}
	if x.Op != Eq || !ok {
		return nil, x
	}
	where := directory.Compare{Attr: attr, Op: directory.Eq, Value: b}
	if !b {
		return where, x // for the store, what is absent is false
	}
	return where, nil
}

// lowerTime lowers comparisons with whole milliseconds: the store keeps no
// more, and rounding would move the border.
func lowerTime(attr directory.Attribute, x Compare) (directory.Expr, Expr) {
	s, _ := x.Value.(string)
	t, ok := parseTime(s)
	if !ok || !t.Equal(t.Truncate(time.Millisecond)) {
		return nil, x
	}
	switch x.Op {
	case Eq, Gt, Ge, Lt, Le:
		return directory.Compare{Attr: attr, Op: directory.Op(x.Op), Value: t}, nil
	case Ne, Co, Sw, Ew:
	}
	return nil, x
}

// lowerName lowers equality of names, which the store compares by the same
// key, and narrows by parts of names that folding leaves in one piece. Without
// a key for sure, the store would miss names that have none.
func lowerName(attr directory.Attribute, x Compare, sure bool) (directory.Expr, Expr) {
	text, ok := asText(x.Value)
	if !ok {
		return nil, x
	}
	if _, err := directory.KeyOf(text); err != nil {
		return nil, x
	}
	w := directory.Compare{Attr: attr, Op: directory.Op(x.Op), Value: text}
	switch x.Op {
	case Eq:
		return w, nil
	case Co, Sw, Ew:
		if sure && isPlain(text) {
			return w, x
		}
	case Ne, Gt, Ge, Lt, Le:
	}
	return nil, x
}

// Mentions reports whether x is about the core attribute of that name.
func Mentions(x Expr, r *Resource, name string) bool {
	is := func(p AttrPath) bool {
		ref, err := r.Resolve(p)
		return err == nil && ref.Extension == "" && ref.Attr.Name == name
	}
	switch x := x.(type) {
	case And:
		return anyOf(x, r, name)
	case Or:
		return anyOf(x, r, name)
	case Not:
		return Mentions(x.X, r, name)
	case Compare:
		return is(x.Attr)
	case Present:
		return is(x.Attr)
	case Has:
		return is(x.Attr)
	}
	return false
}

func anyOf(terms []Expr, r *Resource, name string) bool {
	for _, t := range terms {
		if Mentions(t, r, name) {
			return true
		}
	}
	return false
}
