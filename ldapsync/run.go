package ldapsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// Run reads the directory and applies what changed there. What became of it is
// in the run that is returned and kept: applied, unchanged, held, incomplete or
// failed, with words that say why and what to do. It waits a little for a run
// that is under way; the error is ErrBusy if that does not end, or says that the
// run could not be kept.
func (p *Poller) Run(ctx context.Context) (directory.Run, error) {
	return p.runUnless(ctx, time.Time{}, true)
}

// Update runs as the schedule does: where Settings.FullEvery allows, it reads
// only what changed since the last run.
func (p *Poller) Update(ctx context.Context) (directory.Run, error) {
	return p.runUnless(ctx, time.Time{}, false)
}

// runUnless runs, but with a since, as the schedule does, not if any replica
// began a run at or after it, nor while the source rests from a refused bind.
// full makes the read a complete one.
func (p *Poller) runUnless(ctx context.Context, since time.Time, full bool) (directory.Run, error) {
	ctx, guard, release, err := p.lease(ctx)
	if err != nil {
		return directory.Run{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	last, err := p.settleRuns(ctx)
	if err != nil {
		return directory.Run{}, err
	}
	p.rest.learn(last, p.cfg.Settings, p.made)
	asked := since.IsZero()
	if !asked && (!last.Started.Before(since) || !p.rest.over(p.cfg.Settings, p.cfg.Now())) {
		return directory.Run{}, ErrBusy
	}
	run := directory.Run{ID: directory.NewID(), Source: p.cfg.Source, Started: p.cfg.Now(), Result: directory.RunRunning}
	if err := p.cfg.Store.PutRun(ctx, run); err != nil {
		return run, fmt.Errorf("keeping the run: %w", err)
	}
	p.run(ctx, &run, guard, request{full: full, asked: asked, last: last.Result, told: p.progress(ctx, run)})
	run.Ended = p.cfg.Now()
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	p.cfg.Log.Info("synchronisation run", zap.String("run_id", run.ID), zap.String("result", string(run.Result)),
		zap.String("message", run.Message), zap.Duration("took", run.Ended.Sub(run.Started)))
	if err := p.cfg.Store.PutRun(keep, run); err != nil {
		return run, fmt.Errorf("keeping the run: %w", err)
	}
	return run, nil
}

// settleRuns returns the last run, if there was one. We hold the lease, so a run that
// is still said to be under way broke off.
func (p *Poller) settleRuns(ctx context.Context) (directory.Run, error) {
	before, err := p.cfg.Store.Runs(ctx, p.cfg.Source, 5)
	if err != nil {
		return directory.Run{}, fmt.Errorf("reading runs: %w", err)
	}
	for i, run := range before {
		if run.Result != directory.RunRunning {
			continue
		}
		run.Result, run.Ended = directory.RunFailed, p.cfg.Now()
		run.Message = "the daemon stopped, or lost its database, in the middle of it; what it had not applied, a later run applies"
		if err := p.cfg.Store.PutRun(ctx, run); err != nil {
			return directory.Run{}, fmt.Errorf("keeping the run: %w", err)
		}
		before[i] = run
	}
	if len(before) == 0 {
		return directory.Run{}, nil
	}
	return before[0], nil
}

var errRunTimeout = errors.New("the run took longer than runTimeout")

// run does the work and writes what became of it into r.
func (p *Poller) run(ctx context.Context, r *directory.Run, guard []directory.Change, q request) {
	report, err := p.look(ctx, q)
	if err != nil {
		r.Result, r.Message = resultOf(err), err.Error()
	}
	p.rest.note(r, err, p.cfg.Settings, q.asked, p.cfg.Now())
	if err != nil {
		return
	}
	defer report.Close()
	r.Counts = report.Plan.Counts
	hold, err := p.settleHold(ctx, report)
	if err != nil {
		r.Result, r.Message = directory.RunFailed, err.Error()
		return
	}
	if report.Verdict.Whole && !hold.approved {
		r.Result, r.Plan, r.Message = directory.RunHeld, report.Verdict.Hash, hold.message
		p.tellIssues(ctx, report.Plan, false) // a read that is not to be believed ends nothing
		return
	}
	items := report.Verdict.pass()
	if hold.approved {
		items = everything
	}
	a := &applier{
		sink: p.cfg.Store, plan: report.Plan, cursor: report.have.Cursor, guard: guard, exempt: hold.approved && report.Verdict.Whole,
		actor: directory.Actor{Kind: "ldap", Name: string(p.cfg.Source), Source: p.cfg.Source, Request: r.ID, Reason: hold.reason},
		taken: Taken{Time: r.Started, Members: map[directory.GroupID]int{}}, told: q.told,
	}
	if !hold.approved {
		a.ready = func(ctx context.Context) error { return p.unchanged(ctx, report) }
	}
	err = a.apply(ctx, items)
	r.Revision = a.revision
	report.Plan.refused(a.issues)
	p.tellIssues(ctx, report.Plan, err == nil)
	r.Message = join(report.passed(), report.Plan.message())
	switch {
	case errors.Is(err, directory.ErrPaused):
		r.Result, r.Message = directory.RunFailed, "the source is paused: nothing was applied since"
	case err != nil:
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		r.Result, r.Message = directory.RunFailed, fmt.Sprintf("applying broke off and goes on with the next run: %v", err)
	case report.Verdict.Hash != "" && !hold.approved:
		r.Result, r.Plan, r.Message = directory.RunHeld, report.Verdict.Hash, join(hold.message, r.Message)
	case a.changed:
		r.Result = directory.RunApplied
	default:
		r.Result = directory.RunUnchanged
	}
	if err == nil {
		if err := p.noteLogins(ctx, report.Plan); err != nil {
			r.Message = join(r.Message, err.Error()+".")
		}
	}
	if err == nil && hold.approved {
		if err := p.cfg.Store.EndHold(ctx, p.cfg.Source, report.Verdict.Hash); err != nil {
			r.Message = join(r.Message, "the hold that was applied could not be ended: "+err.Error())
		}
	}
}

// tellIssues hands on what could not be taken over. ended says that the plan was
// performed as far as it may be.
func (p *Poller) tellIssues(ctx context.Context, plan *Plan, ended bool) {
	if p.cfg.Issues == nil {
		return
	}
	if err := p.cfg.Issues(ctx, p.cfg.Source, plan.Issues, ended && !plan.want.partial); err != nil {
		p.cfg.Log.Warn("what could not be taken over is not kept", zap.Error(err)) // the run tells of it
	}
}

func resultOf(err error) directory.RunResult {
	if errors.Is(err, ErrIncomplete) {
		return directory.RunIncomplete
	}
	return directory.RunFailed
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// A Report is what a run would do and what the gate says to it.
type Report struct {
	Plan    *Plan           `json:"plan"`
	Verdict Verdict         `json:"verdict"`
	Effects json.RawMessage `json:"effects,omitempty"`
	Server  string          `json:"server"`

	have  *State
	gains map[string]int
	gate  GateConfig // that the verdict depends on
}

// passed tells of servers that could not be read.
func (r *Report) passed() string {
	if r.Plan == nil || len(r.Plan.want.Passed) == 0 {
		return ""
	}
	return "Read from " + r.Server + ", for others could not be: " + strings.Join(r.Plan.want.Passed, "; ") + "."
}

// MaxPreview is how many changes of people and memberships a plan may have for
// its effects to be asked for. Of a larger plan only what it takes away is told,
// to see whether an owner stays: the first read of a large directory gives
// nobody anything that the policy does not say.
const MaxPreview = 20_000

// Close ends the report: its plan cannot be looked at any more.
func (r *Report) Close() { r.have.spool.close() }

// Plan reads the directory and says what a run would do. It does nothing.
func (p *Poller) Plan(ctx context.Context) (*Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	return p.look(ctx, request{full: true})
}

// A request says how a run is to read.
type request struct {
	full  bool                           // everything, not only what changed
	asked bool                           // by somebody, not by the schedule
	last  directory.RunResult            // of the run before
	told  func(kind string, entries int) // of progress; may be nil
}

// progressEvery is how often the progress of a run is kept.
const progressEvery = time.Second

// progress returns a function that is told how far a run has come and keeps
// that with the run, now and then, under names of their own in its counts.
func (p *Poller) progress(ctx context.Context, run directory.Run) func(string, int) {
	kept := p.cfg.Now()
	counts := map[string]int64{}
	return func(kind string, n int) {
		counts["progress."+kind] = int64(n)
		if now := p.cfg.Now(); now.Sub(kept) >= progressEvery {
			kept = now
			run.Counts = maps.Clone(counts)
			_ = p.cfg.Store.PutRun(ctx, run) // it is told again
		}
	}
}

// look reads, plans and judges. Whoever gets the report closes it.
func (p *Poller) look(ctx context.Context, q request) (*Report, error) {
	sp, err := newSpool(p.cfg.TempDir)
	if err != nil {
		return nil, err
	}
	report, err := p.report(ctx, sp, q)
	if err != nil {
		sp.close()
	}
	return report, err
}

func (p *Poller) report(ctx context.Context, sp *spool, q request) (*Report, error) {
	now := p.cfg.Now()
	have, err := readState(ctx, p.cfg.Store, p.cfg.Source, sp)
	if err != nil {
		return nil, err
	}
	if !q.full {
		held, err := p.hold(ctx)
		if err != nil {
			return nil, err
		}
		why := p.needsFull(have, q.last, held != nil, now)
		if why == "" {
			var report *Report
			if report, why, err = p.increment(ctx, have, now, q.told); why == "" {
				return report, err
			}
		}
		p.why(why)
	}
	snap, err := readAll(ctx, reading{Settings: p.cfg.Settings, now: now, have: have, told: q.told})
	if err != nil {
		return nil, err
	}
	if snap.people.len() == 0 && have.people.len() == 0 {
		t, _ := TemplateNamed(p.cfg.Settings.Template)
		return nil, incomplete(CauseEmpty, "Check userBase, userFilter and what the bind account may see",
			"%s matches nobody under %s", t.with(p.cfg.Settings).UserFilter, strings.Join(p.cfg.Settings.UserBase, " and "))
	}
	plan, err := p.diff(ctx, have, snap, now)
	if err != nil {
		return nil, err
	}
	report := &Report{Plan: plan, Server: snap.Server, have: have}
	return report, p.judge(ctx, report, now)
}

// diff asks what other sources have to say, and plans.
func (p *Poller) diff(ctx context.Context, have *State, snap *Snapshot, now time.Time) (*Plan, error) {
	c := &claimer{store: p.cfg.Store, source: p.cfg.Source, link: p.cfg.Link}
	claims, err := c.claims(ctx, have, snap)
	if err != nil {
		return nil, err
	}
	return Diff(have, snap, DiffConfig{
		Source: p.cfg.Source, Now: now, Retention: p.cfg.Settings.Retention, NewID: directory.NewID, claims: claims,
	})
}

// judge asks what the plan would mean, and the gate.
func (p *Poller) judge(ctx context.Context, r *Report, now time.Time) (err error) {
	gate := GateConfig{Thresholds: p.cfg.Settings.Thresholds, Now: now, Recent: r.have.Cursor.recent(now)}
	if p.cfg.AdminGroups != nil {
		if gate.AdminGroups, err = p.cfg.AdminGroups(ctx, p.cfg.Source); err != nil {
			return fmt.Errorf("asking which groups give administration rights: %w", err)
		}
	}
	if p.cfg.Preview != nil && r.Plan.len() > 0 {
		of := everything
		if r.Plan.len()+r.Plan.edges() > MaxPreview {
			of = r.Plan.lessening(gate.AdminGroups)
		}
		changes, err := r.Plan.changes(of)
		if err != nil {
			return err
		}
		effects, err := p.cfg.Preview(ctx, changes)
		if err != nil {
			return fmt.Errorf("asking what the plan would mean: %w", err)
		}
		gate.NoOwner, r.Effects, r.gains = effects.NoOwner, effects.Detail, effects.Gains
	}
	defer func() { r.gate = gate }()
	r.Verdict, err = Gate(r.Plan, gate)
	if err != nil || p.cfg.Preview == nil || gate.NoOwner || r.Verdict.Hash == "" || r.Verdict.Whole {
		return err
	}
	if gate.NoOwner, err = p.ownerWaits(ctx, r, gate.AdminGroups); err == nil && gate.NoOwner {
		r.Verdict, err = Gate(r.Plan, gate)
	}
	return err
}

// errRights says that a plan was judged by another policy.
var errRights = errors.New("which groups give administration rights has changed since the directory was read")

// unchanged refuses to make people members by a verdict that the policy has
// overtaken: reading and applying may take minutes, and a group that is new since
// the first read may be one that a mapping waited for. The next run judges it.
func (p *Poller) unchanged(ctx context.Context, r *Report) error {
	if p.cfg.AdminGroups == nil {
		return nil
	}
	groups, err := p.cfg.AdminGroups(ctx, p.cfg.Source)
	if err != nil {
		return fmt.Errorf("asking which groups give administration rights: %w", err)
	}
	if maps.Equal(groups, r.gate.AdminGroups) {
		return nil
	}
	if !r.have.Cursor.LastComplete.IsZero() && r.Plan.manyNewAdmins(groups, r.gate.Thresholds.AdminGrowth) {
		return errRights
	}
	now := r.gate
	now.AdminGroups = groups
	v, err := Gate(r.Plan, now)
	if err == nil && v.Hash != r.Verdict.Hash {
		err = errRights
	}
	return err
}

// ownerWaits reports whether the part of a plan that does not wait leaves nobody
// who owns the organization: the next owner may be among the additions that do.
func (p *Poller) ownerWaits(ctx context.Context, r *Report, admins map[directory.GroupID]bool) (bool, error) {
	of := r.Verdict.pass()
	if r.Plan.len()+r.Plan.edges() > MaxPreview {
		of = of.and(r.Plan.lessening(admins))
	}
	changes, err := r.Plan.changes(of)
	if err != nil || len(changes) == 0 {
		return false, err
	}
	effects, err := p.cfg.Preview(ctx, changes)
	if err != nil {
		return false, fmt.Errorf("asking what the part that does not wait would mean: %w", err)
	}
	return effects.NoOwner, nil
}

// lessening is what takes something from somebody, and what happens to the
// groups that give administration rights.
func (p *Plan) lessening(admins map[directory.GroupID]bool) part {
	return part{
		func(i *personItem) bool { return p.disables(i) > 0 },
		func(g *groupItem) (groupItem, bool) {
			kept := *g
			if !admins[directory.GroupID(g.ID)] {
				kept.add = nil
			}
			kept.add = slices.DeleteFunc(slices.Clone(kept.add), func(r ref) bool { return r.kind != refPerson })
			return kept, len(kept.add)+len(kept.remove) > 0
		},
	}
}
