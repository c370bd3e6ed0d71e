package directory

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// A Writer performs changes.
type Writer interface {
	// Apply performs changes in order, all or none, as one revision with one
	// feed record and one audit record, in one transaction. Changes that alter
	// nothing are dropped; if none remain, the revision does not move.
	//
	// Concurrent callers share a transaction; one that fails harms no other. A
	// caller whose ctx ends loses the answer, not the change. Apply returns
	// after the commit is on stable storage.
	//
	// The error wraps one of the sentinels of this package if the directory
	// refuses a change; anything else means that the outcome is an internal
	// failure or, after a broken connection, unknown.
	Apply(ctx context.Context, by Actor, changes ...Change) (Applied, error)
}

// A Rehearser tells what changes would do.
type Rehearser interface {
	// Rehearse performs changes as Apply does and takes them back. It returns
	// what Apply would have put into Changes of its audit record; an empty list
	// if they alter nothing. Errors are those of Apply.
	Rehearse(ctx context.Context, by Actor, changes ...Change) (json.RawMessage, error)
}

// A History is what a follower of the feed reads. Each method reads in one
// database snapshot.
type History interface {
	// Head returns the newest stamp and whether mine is a point of this
	// history. The zero stamp is a point of every history.
	Head(ctx context.Context, mine Stamp) (Head, error)

	// Stretch returns what came after since, at most limit records. It is
	// ErrHistoryLost if since is not a point of this history, or is older than
	// the feed goes.
	Stretch(ctx context.Context, since Stamp, limit int) (Stretch, error)

	// Recent returns the newest records, oldest first, at most limit, together
	// with the facts at the last of them: what a follower starts from.
	Recent(ctx context.Context, limit int) (Facts, []FeedRecord, error)

	// Facts returns everything that a snapshot of a revision is compiled from;
	// at 0 means the head. Past revisions may be ErrHistoryExpired.
	Facts(ctx context.Context, at Revision) (Facts, error)

	// Subject looks a subject up as of a stamp; the zero stamp means the head.
	// An unknown subject is no error. ErrHistoryLost if at is not a point of
	// this history, ErrHistoryExpired if it is too old.
	Subject(ctx context.Context, key SubjectKey, at Stamp) (Subject, error)

	// Subjects returns living users, ascending by ID, as of a stamp; the zero
	// stamp means the head. All are of one database snapshot, whose stamp each
	// has as At. Errors are those of Subject.
	Subjects(ctx context.Context, who People, at Stamp) ([]Subject, error)
}

// A Catalog reads present facts for protocols and people. A source of "" means
// any source. ErrNotFound means nothing living of that source has the id.
type Catalog interface {
	Identity(ctx context.Context, source SourceName, id UserID) (Identity, error)
	Identities(ctx context.Context, q Query) (Page[Identity], error)
	Group(ctx context.Context, source SourceName, id GroupID) (Group, error)
	Groups(ctx context.Context, q Query) (Page[Group], error)

	// Members yields the direct members of a group, in a stable order.
	Members(ctx context.Context, group GroupID) iter.Seq2[Member, error]

	// GroupsOf returns, for each identity, the groups of its source of which it
	// is a direct member, by name.
	GroupsOf(ctx context.Context, source SourceName, ids ...UserID) (map[UserID][]GroupRef, error)

	// User returns a user, living or deleted, with its identities.
	User(ctx context.Context, id UserID) (User, error)
	Sources(ctx context.Context) ([]Source, error)
	Policy(ctx context.Context) (PolicyFacts, error)
	Grants(ctx context.Context, user UserID, group GroupID) ([]Grant, error)
	Overrides(ctx context.Context, user UserID) ([]Override, error)
	Tokens(ctx context.Context) ([]Token, error)
	Cursor(ctx context.Context, source SourceName) ([]byte, error)
}

// A Journal keeps what are no facts: logs, runs, holds and leases. What it
// writes makes no revision and no audit record.
type Journal interface {
	LogRequests(ctx context.Context, entries ...Request) error
	Requests(ctx context.Context, source SourceName, limit int) ([]Request, error)
	// FindRequests returns entries of the provisioning log, the newest first.
	FindRequests(ctx context.Context, q RequestQuery) ([]Request, error)
	// EraseRequests takes body and detail out of the entries that are about
	// somebody: whose path, body or revision names one of the ids, or whose
	// body or detail has one of the texts as a whole value, in any case. It
	// returns how many.
	EraseRequests(ctx context.Context, ids []UserID, texts []string) (int, error)
	PutRun(ctx context.Context, run Run) error // by ID
	Runs(ctx context.Context, source SourceName, limit int) ([]Run, error)
	PutHold(ctx context.Context, hold Hold) error // at most one a source: replaces
	Holds(ctx context.Context) ([]Hold, error)
	EndHold(ctx context.Context, source SourceName, hash string) error
	// AcquireLease takes or renews a lease for ttl. ok is false if another
	// holds it. A new holder gets a higher epoch.
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (lease Lease, ok bool, err error)
	// RenewLease makes a lease end ttl from now, also when it ran out, as long
	// as nobody had it since: holder and epoch are those of lease. ok tells.
	RenewLease(ctx context.Context, lease Lease, ttl time.Duration) (ok bool, err error)
	ReleaseLease(ctx context.Context, name, holder string) error
	// NoteLogins says when people were last known to sign in, by the id of the
	// user or of one of its identities. The later of what is kept and what is
	// noted stays; an id that names no living user is passed over.
	NoteLogins(ctx context.Context, logins map[UserID]time.Time) error
	Audit(ctx context.Context, after Revision, limit int) ([]AuditRecord, error)
	// AuditHeads returns heads of audit records, without reading the records.
	AuditHeads(ctx context.Context, q AuditSearch) ([]AuditHead, error)
	// CheckAuditHeads works out anew what is kept beside audit records to list
	// and find them, and returns the first faults by revision; none if all is as
	// the records say. Records up to forgotten are being deleted: they may lack
	// it. The records themselves are taken for true: their chain tells.
	CheckAuditHeads(ctx context.Context, forgotten Revision) ([]AuditFault, error)
	// MendAuditHeads makes anew what CheckAuditHeads finds at fault, all of it,
	// and returns of how many revisions. Records and their chain stay as they
	// are. Any number of replicas may call it at once, and while others write.
	MendAuditHeads(ctx context.Context, forgotten Revision) (mended int, err error)
}

// A Timeline tells which revision was the present when. Audit records say when
// each was made.
type Timeline interface {
	// RevisionAt returns the last revision made at or before a time, in whole
	// milliseconds; 0 if there was none yet. It may be too old to be read.
	RevisionAt(ctx context.Context, at time.Time) (Revision, error)

	// Horizon returns the oldest revision that [History] can read; 0 if it can
	// read all.
	Horizon(ctx context.Context) (Revision, error)
}

// A Store keeps the directory on stable storage. Its methods are safe for
// concurrent use and share no memory with their callers. Package
// store/storetest checks every statement made here; change the two together.
type Store interface {
	Writer
	History
	Catalog
	Journal
	Keeper
	Lister
	Timeline
	Dater
	Rehearser
	Foreseer
	Claimer

	// RootKey returns the deployment's root key, 32 bytes, made at first start.
	RootKey(ctx context.Context) ([]byte, error)
	Close() error
}
