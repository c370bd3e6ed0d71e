package directory

import (
	"context"
	"time"
)

// A MemberRow is one direct edge into a group and the revision at which it
// began. An edge that was taken away and came back began when it came back.
type MemberRow struct {
	Member
	Since Revision
}

// An Edge is a user or a group, by id, as a direct member of a group.
type Edge struct {
	Member string
	Group  GroupNum
}

// A PolicyItem names one item of a section of the policy by its key: a mapping
// or a Role by its name. The default Role has no key.
type PolicyItem struct {
	Section Section
	Key     string
}

// A BoundGroup is a group that a mapping is bound to.
type BoundGroup struct {
	Mapping string
	Group   GroupNum
}

// Links names what ways of access are made of, to ask since when it holds. Grants
// are none of it: they say themselves when they were made.
type Links struct {
	Members []string     // ids of users and groups: all direct memberships of these
	Items   []PolicyItem // items of the policy; of mappings also what they are bound to
}

// Beginnings are the revisions at which links that hold began to hold. What does
// not hold is in none of the maps.
type Beginnings struct {
	Edges    map[Edge]Revision       // of several edges between two the oldest
	Items    map[PolicyItem]Revision // as they are now, wherever they stand in their section
	Bindings map[BoundGroup]Revision // bound ones only, not suspended
}

// A Dater tells since when holds what holds now. Facts are dated by revisions;
// [Dater.TimesOf] makes times of them.
type Dater interface {
	// MemberRows returns direct edges into a group, ascending by value and via:
	// those of members that one of the ids names, the empty id meaning all who are
	// pending; with no id at all every edge. A group that is not there has none.
	MemberRows(ctx context.Context, group GroupID, ids ...string) ([]MemberRow, error)

	// Beginnings tells since when links hold, in one database snapshot.
	Beginnings(ctx context.Context, of Links) (Beginnings, error)

	// TimesOf returns when revisions were made. Those whose audit record is not
	// kept any more are not in the map: they were made at oldest or before, the
	// time of the oldest record that is kept.
	TimesOf(ctx context.Context, revisions ...Revision) (times map[Revision]time.Time, oldest time.Time, err error)
}
