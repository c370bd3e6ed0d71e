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

// A Dater tells since when holds what holds now. Facts are dated by revisions;
// [Dater.TimesOf] makes times of them.
type Dater interface {
	// MemberRows returns direct edges into a group, ascending by value and via:
	// those of members that one of the ids names, the empty id meaning all who are
	// pending; with no id at all every edge. A group that is not there has none.
	MemberRows(ctx context.Context, group GroupID, ids ...string) ([]MemberRow, error)

	// EdgesBegan returns, for all direct memberships of some users and groups, by
	// their ids, the revision at which each began; of several edges between two the
	// oldest counts.
	EdgesBegan(ctx context.Context, ids ...string) (map[Edge]Revision, error)

	// TimesOf returns when revisions were made. Those whose audit record is not
	// kept any more are not in the map: they were made at oldest or before, the
	// time of the oldest record that is kept.
	TimesOf(ctx context.Context, revisions ...Revision) (times map[Revision]time.Time, oldest time.Time, err error)
}
