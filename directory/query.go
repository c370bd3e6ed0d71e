package directory

import "time"

// An Attribute is one that the store can search and sort by.
type Attribute string

// The indexed attributes. Multi-valued ones (emails, members, memberships)
// match if any value does.
const (
	AttrID          Attribute = "id"
	AttrUserName    Attribute = "userName"    // users; compared canonically
	AttrName        Attribute = "displayName" // users and groups; compared canonically
	AttrExternalID  Attribute = "externalId"  // case-exact
	AttrActive      Attribute = "active"      // users
	AttrEmail       Attribute = "emails.value"
	AttrMember      Attribute = "members.value" // groups: id of a member in the source
	AttrMemberOf    Attribute = "groups.value"  // users: id of a group
	AttrCreated     Attribute = "meta.created"
	AttrModified    Attribute = "meta.lastModified"
	AttrGroupStatus Attribute = "status"  // groups
	AttrProject     Attribute = "project" // groups
	AttrUserType    Attribute = "type"    // users
)

// An Op compares an attribute with a value (RFC 7644, section 3.4.2.2).
type Op string

// The operators.
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
	Pr Op = "pr" // present; Value is not used
)

// An Expr is a condition that the store evaluates. The set is closed; a nil
// Expr holds for everything.
//
//sumtype:decl
type Expr interface{ expr() }

// The expressions.
type (
	// And holds if all of its terms do; the empty And holds.
	And []Expr
	// Or holds if one of its terms does; the empty Or does not.
	Or []Expr
	// Not holds if its term does not.
	Not struct{ Term Expr }
	// Compare compares an attribute. Value is a string, bool or time.Time as
	// the attribute asks; names and addresses are folded by the store.
	Compare struct {
		Attr  Attribute
		Op    Op
		Value any
	}
)

func (And) expr()     {}
func (Or) expr()      {}
func (Not) expr()     {}
func (Compare) expr() {}

// A Query selects identities or groups of one source, or of all if Source is
// empty. The order is Sort and then (created, id), or (created, id) alone.
type Query struct {
	Source SourceName
	Where  Expr
	Sort   Attribute
	Desc   bool
	Offset int    // how many to leave out; used if After is nil
	After  *Place // continue after this place; Sort must be empty
	Limit  int    // at most so many; 0 means none, only Total
	Total  bool   // whether to count all matches
}

// A Place is a position in the order (created, id).
type Place struct {
	Created time.Time
	ID      string
}

// A Page is a part of an answer. Total is -1 if it was not asked for.
type Page[T any] struct {
	Items []T
	Total int
}
