package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// MaxPreview is how many changes of people and memberships a plan may have for
// its effects to be asked for. Of a larger plan only what it takes away is told,
// to see whether an owner stays: the first read of a large directory gives
// nobody anything that the policy does not say.
const MaxPreview = 20_000

// judge asks what the plan would mean, and the gate.
func (p *Poller) judge(ctx context.Context, r *Report, now time.Time) (err error) {
	gate := GateConfig{Thresholds: p.cfg.Settings.Thresholds, Now: now, Recent: r.have.Cursor.recent(now)}
	gate.behind, gate.unproven = r.Plan.want.standing.behind, r.Plan.want.unproven()
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
	if err != nil || p.cfg.Preview == nil || gate.NoOwner || r.Verdict.Hash == "" && !r.Verdict.takes || r.Verdict.Whole {
		return err
	}
	if gate.NoOwner, err = p.ownerWaits(ctx, r, gate.AdminGroups); err == nil && gate.NoOwner {
		r.Verdict, err = Gate(r.Plan, gate)
	}
	return err
}

// errRights says that a plan was judged by another policy.
var errRights = errors.New("which groups give administration rights has changed since the directory was read; the next run judges the changes anew")

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
