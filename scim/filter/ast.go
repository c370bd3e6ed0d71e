package filter

import (
	"encoding/json"
	"strings"
)

// An Expr is a filter: one of And, Or, Not, Compare, Present and Has.
//
//sumtype:decl
type Expr interface {
	// String prints the filter so that parsing it again gives the same tree.
	String() string
	expr()
}

// And holds when all of its two or more terms hold.
type And []Expr

// Or holds when at least one of its two or more terms holds.
type Or []Expr

// Not holds when X does not.
type Not struct{ X Expr }

// Compare relates an attribute to a literal. Value is a string, a bool, a
// json.Number or nil.
type Compare struct {
	Attr  AttrPath
	Op    Op
	Value any
}

// Present holds when the attribute has a value that is not empty ("pr").
type Present struct{ Attr AttrPath }

// Has holds when one value of the attribute satisfies X, as in
// emails[type eq "work"]. The attributes in X are sub-attributes of Attr.
type Has struct {
	Attr AttrPath
	X    Expr
}

func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (Compare) expr() {}
func (Present) expr() {}
func (Has) expr()     {}

// An Op is a comparison operator in lower case.
type Op string

// The operators of RFC 7644, table 3, but for "pr", which is Present.
const (
	Eq Op = "eq"
	Ne Op = "ne"
	Co Op = "co"
	Sw Op = "sw"
	Ew Op = "ew"
	Gt Op = "gt"
	Ge Op = "ge"
	Lt Op = "lt"
	Le Op = "le"
)

// An AttrPath names an attribute as the client spelled it: an optional schema
// URN, the attribute, an optional sub-attribute.
type AttrPath struct{ URN, Name, Sub string }

func (p AttrPath) String() string {
	s := p.Name
	if p.URN != "" {
		s = p.URN + ":" + s
	}
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

// A Path is the target of a PATCH operation: an attribute, the values of it
// that Filter selects (nil: all), and a sub-attribute of those. Attr.Sub is
// empty when Filter is not nil.
type Path struct {
	Attr   AttrPath
	Filter Expr
	Sub    string
}

func (p Path) String() string {
	s := p.Attr.String()
	if p.Filter != nil {
		s += "[" + p.Filter.String() + "]"
	}
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}

func (x And) String() string { return join(x, " and ") }
func (x Or) String() string  { return join(x, " or ") }
func (x Not) String() string { return "not (" + x.X.String() + ")" }

func (x Compare) String() string {
	return x.Attr.String() + " " + string(x.Op) + " " + literal(x.Value)
}
func (x Present) String() string { return x.Attr.String() + " pr" }
func (x Has) String() string     { return x.Attr.String() + "[" + x.X.String() + "]" }

// join puts parentheses around every nested And and Or, needed or not: it is
// what keeps the shape of the tree through a print and a parse.
func join(terms []Expr, sep string) string {
	parts := make([]string, len(terms))
	for i, t := range terms {
		parts[i] = t.String()
		switch t.(type) {
		case And, Or:
			parts[i] = "(" + parts[i] + ")"
		case Not, Compare, Present, Has:
		}
	}
	return strings.Join(parts, sep)
}

func literal(v any) string {
	switch v := v.(type) {
	case string:
		return quote(v)
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	}
	return "null"
}

func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""`
	}
	return strings.TrimSuffix(b.String(), "\n")
}
