package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// Run reads the directory and applies what changed there. What became of it is
// in the run that is returned and kept: applied, unchanged, held, incomplete,
// failed or cancelled, with words that say why and what to do. It waits a little
// for a run that is under way; the error is ErrBusy if that does not end, or says
// that the run could not be kept.
func (p *Poller) Run(ctx context.Context) (directory.Run, error) { return p.RunFor(ctx, "") }

// RunFor is Run for somebody, who is kept with the run: as "kind:name".
func (p *Poller) RunFor(ctx context.Context, by string) (directory.Run, error) {
	return p.runUnless(ctx, time.Time{}, occasion{directory.TriggerManual, by, true})
}

// An occasion is why a run begins, and whether it reads everything.
type occasion struct {
	trigger directory.RunTrigger
	by      string
	full    bool
}

// Update runs as the schedule does: where Settings.FullEvery allows, it reads
// only what changed since the last run.
func (p *Poller) Update(ctx context.Context) (directory.Run, error) {
	return p.runUnless(ctx, time.Time{}, occasion{trigger: directory.TriggerManual})
}

// runUnless runs, but with a since, as the schedule does, not if any replica
// began a run at or after it, nor while the source rests from a refused bind.
func (p *Poller) runUnless(ctx context.Context, since time.Time, why occasion) (directory.Run, error) {
	ctx, guard, release, err := p.lease(ctx)
	if err != nil {
		return directory.Run{}, err
	}
	defer release()
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	before, err := p.settleRuns(ctx)
	if err != nil {
		return directory.Run{}, err
	}
	last := newest(before)
	// one that somebody cancelled says nothing of the account
	p.rest.learn(newest(slices.DeleteFunc(before, cancelled)), p.cfg.Settings, p.made)
	asked := since.IsZero()
	if !asked && (!last.Started.Before(since) || !p.rest.over(p.cfg.Settings, p.cfg.Now())) {
		return directory.Run{}, ErrBusy
	}
	run := directory.Run{
		ID: directory.NewID(), Source: p.cfg.Source, Started: p.cfg.Now(), Result: directory.RunRunning, Trigger: why.trigger, By: why.by,
	}
	if err := p.cfg.Store.PutRun(ctx, run); err != nil {
		return run, fmt.Errorf("keeping the run: %w", err)
	}
	p.attended(ctx, &run, func(ctx context.Context, told *chronicle) {
		p.run(ctx, &run, guard, request{full: why.full, asked: asked, last: last.Result, told: told})
	})
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

func cancelled(r directory.Run) bool { return r.Result == directory.RunCancelled }

// newest is the first of runs, or none.
func newest(runs []directory.Run) directory.Run {
	if len(runs) == 0 {
		return directory.Run{}
	}
	return runs[0]
}

// settleRuns returns the last runs, the newest first. We hold the lease, so a run
// that is still said to be under way broke off.
func (p *Poller) settleRuns(ctx context.Context) ([]directory.Run, error) {
	before, err := p.cfg.Store.Runs(ctx, p.cfg.Source, 5)
	if err != nil {
		return nil, fmt.Errorf("reading runs: %w", err)
	}
	for i, run := range before {
		if run.Result != directory.RunRunning {
			continue
		}
		run.Result, run.Ended = directory.RunFailed, p.cfg.Now()
		run.Message = "the daemon stopped, or lost its database, in the middle of it; what it had not applied, a later run applies"
		if err := p.cfg.Store.PutRun(ctx, run); err != nil {
			return nil, fmt.Errorf("keeping the run: %w", err)
		}
		before[i] = run
	}
	return before, nil
}

var errRunTimeout = errors.New("the run took longer than runTimeout")

// run does the work and writes what became of it into r.
func (p *Poller) run(ctx context.Context, r *directory.Run, guard []directory.Change, q request) {
	report, err := p.look(ctx, q)
	if err != nil && !stopped(ctx, r, "before anything was applied") {
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
		if !stopped(ctx, r, "before anything was applied") {
			r.Result, r.Message = directory.RunFailed, err.Error()
		}
		return
	}
	q.told.count("held", report.Verdict.Held)
	if report.Verdict.Whole && !hold.approved {
		r.Result, r.Plan, r.Message = directory.RunHeld, report.Verdict.Hash, hold.message
		p.tellIssues(ctx, report.Plan, false) // a read that is not to be believed ends nothing
		return
	}
	p.perform(ctx, r, report, hold, guard, q)
}

// perform applies what of a report may be, and writes what became of it into r.
func (p *Poller) perform(ctx context.Context, r *directory.Run, report *Report, hold settlement, guard []directory.Change, q request) {
	items := report.Verdict.pass()
	if hold.approved {
		items = everything
	}
	a := &applier{
		sink: p.cfg.Store, plan: report.Plan, cursor: report.Plan.underWay(), guard: guard, exempt: hold.approved && report.Verdict.Whole,
		actor: directory.Actor{Kind: "ldap", Name: string(p.cfg.Source), Source: p.cfg.Source, Request: r.ID, Reason: hold.reason},
		taken: Taken{Time: r.Started, Members: map[directory.GroupID]int{}}, told: q.told,
	}
	if !hold.approved {
		a.ready = func(ctx context.Context) error { return p.unchanged(ctx, report) }
	}
	q.told.enter(directory.PhaseApply)
	err := a.apply(ctx, items)
	r.Revision = a.revision
	report.Plan.refused(a.issues)
	p.tellIssues(ctx, report.Plan, err == nil)
	r.Message = join(report.passed(), report.Plan.message())
	if report.Verdict.takes && !hold.approved {
		r.Message = join(r.Message, report.waits())
	}
	if err != nil {
		switch {
		case !stopped(ctx, r, "what it had applied stays, "+restOf(hold.approved)):
			// of an approved plan, what is left is another one
			r.Result, r.Message = directory.RunFailed, brokeOff(ctx, err, hold.approved && a.changed)
		case hold.approved:
			p.withdraw(ctx, r, report.Verdict.Hash)
		}
		return
	}
	switch {
	case report.Verdict.Hash != "" && !hold.approved:
		r.Result, r.Plan, r.Message = directory.RunHeld, report.Verdict.Hash, join(hold.message, r.Message)
	case a.changed:
		r.Result = directory.RunApplied
	default:
		r.Result = directory.RunUnchanged
	}
	if err := p.noteLogins(ctx, report.Plan); err != nil {
		r.Message = join(r.Message, err.Error()+".")
	}
	if hold.approved {
		if err := p.cfg.Store.EndHold(ctx, p.cfg.Source, report.Verdict.Hash); err != nil {
			r.Message = join(r.Message, "the hold that was applied could not be ended: "+err.Error())
		}
	}
}

// stopped reports whether somebody cancelled the run, and writes that into r.
func stopped(ctx context.Context, r *directory.Run, says string) bool {
	by, ok := errors.AsType[*CancelledError](context.Cause(ctx))
	if ok {
		r.Result, r.CancelledBy, r.Message = directory.RunCancelled, by.By, "Cancelled: "+says+"."
	}
	return ok
}

// restOf says what becomes of what a run did not apply. again says that it was
// approved, but does not count as that any longer.
func restOf(again bool) string {
	if again {
		return "the rest needs approval again, unless it is within the thresholds by then"
	}
	return "the rest comes with the next run"
}

// withdraw ends the hold that somebody approved before the run that applied it
// was cancelled. The next run holds what is left.
func (p *Poller) withdraw(ctx context.Context, r *directory.Run, hash string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := p.cfg.Store.EndHold(ctx, p.cfg.Source, hash)
	if err != nil && !errors.Is(err, directory.ErrNotFound) { // somebody may have discarded it meanwhile
		r.Message = join(r.Message, "The approval could not be withdrawn: "+err.Error()+".")
	}
}

// brokeOff says why applying ended early and what happens next.
func brokeOff(ctx context.Context, err error, again bool) string {
	switch {
	case errors.Is(err, directory.ErrPaused):
		return "the source is paused: nothing was applied since"
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, errRights):
		return "applying broke off: " + err.Error()
	}
	if again {
		return fmt.Sprintf("applying broke off; what it had applied stays, %s: %v", restOf(again), err)
	}
	return fmt.Sprintf("applying broke off and goes on with the next run: %v", err)
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
