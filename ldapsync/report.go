package ldapsync

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

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

// Close ends the report: its plan cannot be looked at any more.
func (r *Report) Close() { r.have.spool.close() }

// Plan reads the directory and says what a run would do. It does nothing.
func (p *Poller) Plan(ctx context.Context) (*Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(p.cfg.Settings.RunTimeout), errRunTimeout)
	defer cancel()
	return p.look(ctx, request{full: true, asked: true})
}

// A request says how a run is to read.
type request struct {
	full  bool                // everything, not only what changed
	asked bool                // by somebody, not by the schedule
	last  directory.RunResult // of the run before
	told  *chronicle          // nil if it is no run
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
	q.told.enter(directory.PhaseConnect)
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
	snap, err := readAll(ctx, reading{Settings: p.cfg.Settings, now: now, have: have, asked: q.asked, told: q.told})
	if err != nil {
		return nil, err
	}
	if snap.people.len() == 0 && have.people.len() == 0 {
		t, _ := TemplateNamed(p.cfg.Settings.Template)
		return nil, incomplete(CauseEmpty, "Check userBase, userFilter and what the bind account may see",
			"%s matches nobody under %s", t.with(p.cfg.Settings).UserFilter, strings.Join(p.cfg.Settings.UserBase, " and "))
	}
	q.told.enter(directory.PhaseCompare)
	plan, err := p.diff(ctx, have, snap, now)
	if err != nil {
		return nil, err
	}
	q.told.count("changes", plan.len())
	q.told.enter(directory.PhaseJudge)
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
