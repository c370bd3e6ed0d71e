package directory

import (
	"iter"
	"time"
)

// A FeedRecord tells what one revision touched, so that caches know what to
// forget.
//
// Keys holds, of every touched subject, the ids of the user and of its
// identities; and wherever a key came to name somebody else, or nobody, or
// stopped doing so, that key, before and after. A cache drops what it holds
// under any of them and admits nothing older.
type FeedRecord struct {
	Stamp  Stamp
	Keys   []SubjectKey
	Groups []GroupNum // groups whose own facts changed: state, scope, name, nesting, grants, binding, or that began or ended
	Policy bool       // policy, a binding, a token or a source changed
	Time   time.Time
}

// A Head is the newest revision, and whether the asker's history is part of
// this one.
type Head struct {
	Stamp Stamp
	Known bool // the stamp that was asked with is a point of this history
}

// A Stretch continues a history: the records after a stamp in order, and what
// the snapshot of the last of them needs, all read in one database snapshot.
type Stretch struct {
	Head    Stamp
	Records []FeedRecord
	// Policy is set if any record says that policy changed.
	Policy *PolicyFacts
	// Groups has the facts, at the last record's revision, of the living groups
	// that records name; Ended are those no longer living.
	Groups []GroupFacts
	Ended  []GroupNum
}

// PolicyFacts is everything but groups that a snapshot is compiled from.
type PolicyFacts struct {
	Policy   Policy
	Bindings []Binding
	Sources  []Source // all but removed ones
	Tokens   []KeptToken
	Revision Revision // when the policy or a binding last changed
}

// GroupFacts is what a snapshot knows of one living group.
type GroupFacts struct {
	ID         GroupID
	Num        GroupNum
	Source     SourceName
	Name       string
	NameKey    NameKey
	ExternalID string
	DN         string
	Project    ProjectKey
	Blocked    bool       // by status; that of the source is in PolicyFacts
	Parents    []GroupNum // groups of which this one is a direct member, ascending
	Grants     []Grant
}

// Facts is everything that a snapshot is compiled from, at one revision.
type Facts struct {
	At     Stamp
	Policy PolicyFacts
	Groups []GroupFacts // living groups, ascending by Num
}

// Living yields the groups.
func (f *Facts) Living() iter.Seq[*GroupFacts] {
	return func(yield func(*GroupFacts) bool) {
		for i := range f.Groups {
			if !yield(&f.Groups[i]) {
				return
			}
		}
	}
}
