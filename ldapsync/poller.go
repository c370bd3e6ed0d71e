package ldapsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// A Journal keeps what is told of runs, and the plans that wait. A
// directory.Store is one.
type Journal interface {
	PutRun(ctx context.Context, run directory.Run) error
	Runs(ctx context.Context, source directory.SourceName, limit int) ([]directory.Run, error) // the newest first
	PutHold(ctx context.Context, hold directory.Hold) error
	Holds(ctx context.Context) ([]directory.Hold, error)
	EndHold(ctx context.Context, source directory.SourceName, hash string) error
	NoteLogins(ctx context.Context, logins map[directory.UserID]time.Time) error
}

// Leases lets one replica poll a source. A directory.Store is one.
type Leases interface {
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (directory.Lease, bool, error)
	RenewLease(ctx context.Context, lease directory.Lease, ttl time.Duration) (bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
}

// A Store is what a poller needs of the store.
type Store interface {
	Facts
	Sink
	Journal
	Leases
}

// Effects is what a plan would mean for people.
type Effects struct {
	NoOwner bool            // nobody active would hold the Role owner
	Gains   map[string]int  // how many people gain each thing; whoever approves a held plan has seen that
	Detail  json.RawMessage // who gains and loses what; kept with a held plan
}

// Config is what a [Poller] works with.
type Config struct {
	Source   directory.SourceName // required
	Settings Settings             // required; see [ParseSettings]
	Store    Store                // required
	Holder   string               // names this replica in the lease, beside the poller; default nothing

	// AdminGroups returns the groups of the source that give an administration
	// right, by whatever path. Without it no group is known to.
	AdminGroups func(ctx context.Context, source directory.SourceName) (map[directory.GroupID]bool, error)
	// Link returns the user of other sources whom a new person of the source
	// joins, if linking allows it, or nobody. Without it nobody is linked, but
	// for those whom an administrator linked by hand.
	Link func(ctx context.Context, source directory.SourceName, p directory.Profile) (directory.UserID, error)
	// Preview tells what changes would mean. Without it plans do not say.
	Preview func(ctx context.Context, changes []directory.Change) (Effects, error)

	// Issues is told after each planned read what of it could not be taken over as
	// it is, at most 100. If complete, that is so of nothing else any more.
	Issues func(ctx context.Context, source directory.SourceName, issues []Issue, complete bool) error

	// Cancelled says who has cancelled a run, or nobody: "". It is asked once a
	// second while the run is under way. Without it no run is cancelled.
	Cancelled func(ctx context.Context, run string) (by string, err error)

	TempDir     string           // for the spool file of a run; default the system's
	LeaseTTL    time.Duration    // how long a replica that fell silent keeps others out; default Settings.Lease
	ApprovalFor time.Duration    // how long an approval of a held plan is good; default 24h
	Now         func() time.Time // default time.Now
	Log         *zap.Logger      // default none

	overlap time.Duration // of reads of what changed; default 5m
}

// A Poller keeps the directory in step with one LDAP source.
type Poller struct {
	cfg  Config
	turn chan struct{} // full while a run of this poller is under way
	made time.Time
	rest rest // belongs to that run
}

// ErrBusy says that a run of this source is under way, here or elsewhere, and
// did not end while we waited.
var ErrBusy = errors.New("a run of this source is under way")

// patience is how long a run waits for its turn after the lease of a replica
// that died would have ended.
const patience = 5 * time.Second

// New returns a poller for the source that c describes. It does not connect.
func New(c Config) (*Poller, error) {
	var errs []error
	if c.Source == "" {
		errs = append(errs, errors.New("missing Source"))
	}
	if c.Store == nil {
		errs = append(errs, errors.New("missing Store"))
	}
	c.Settings = c.Settings.withDefaults()
	if err := c.Settings.Validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("ldapsync: %w", errors.Join(errs...))
	}
	c.Holder = strings.TrimPrefix(c.Holder+"/"+directory.NewID(), "/") // two pollers of one source in one process exclude each other, too
	c.overlap = cmp.Or(c.overlap, defaultOverlap)
	c.LeaseTTL = cmp.Or(c.LeaseTTL, time.Duration(c.Settings.Lease))
	c.ApprovalFor = cmp.Or(c.ApprovalFor, 24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	c.Log = c.Log.With(zap.String("source", string(c.Source)))
	return &Poller{cfg: c, turn: make(chan struct{}, 1), made: c.Now()}, nil
}

// Settings returns the settings of the source, with defaults.
func (p *Poller) Settings() Settings { return p.cfg.Settings }

// Source returns the name of the source.
func (p *Poller) Source() directory.SourceName { return p.cfg.Source }
