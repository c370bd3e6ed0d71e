package ldapsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// maxHeldItems bounds what is kept of a held plan for people to look at; its
// hash covers all of it.
const maxHeldItems = 2000

// A HeldPlan is the shape of directory.Hold.Plan.
type HeldPlan struct {
	Counts     map[string]int64 `json:"counts"`
	Items      []Item           `json:"items"` // the first of what is held
	Total      int              `json:"total"` // how many there are
	Issues     []Issue          `json:"issues,omitempty"`
	Effects    json.RawMessage  `json:"effects,omitempty"`
	Gains      map[string]int   `json:"gains,omitempty"`      // how many people gain each thing
	Difference string           `json:"difference,omitempty"` // from the hold that this one replaced
}

// A settlement says what became of the hold of a source.
type settlement struct {
	approved bool
	message  string // for the run, if something is held
	reason   string // for the audit, if it was approved
}

// settleHold compares what is held now with what was held before. The same set
// stands, and is applied if it was approved; another set replaces it, with any
// approval, and so does the same one if it gives more than was shown, because
// the policy is another by now; and where nothing is held, nothing waits any longer.
func (p *Poller) settleHold(ctx context.Context, r *Report) (settlement, error) {
	before, err := p.hold(ctx)
	if err != nil {
		return settlement{}, err
	}
	if r.Verdict.Hash == "" {
		if before == nil {
			return settlement{}, nil
		}
		return settlement{}, p.cfg.Store.EndHold(ctx, p.cfg.Source, before.Hash)
	}
	message := "Held until approved (" + r.Verdict.Hash + "): " + strings.Join(r.Verdict.Reasons, "; ") + "."
	if before != nil && before.Hash == r.Verdict.Hash {
		if !givesMore(before, r.gains) {
			return p.standing(*before, message), nil
		}
		message += " It would give more by now than it did when it was held: look at it again before it is approved."
	}
	hold, err := p.newHold(r, before)
	if err != nil {
		return settlement{}, err
	}
	if err := p.cfg.Store.PutHold(ctx, hold); err != nil {
		return settlement{}, fmt.Errorf("keeping the held plan: %w", err)
	}
	return settlement{message: message}, nil
}

func (p *Poller) standing(hold directory.Hold, message string) settlement {
	switch {
	case hold.Approved.IsZero():
		return settlement{message: message}
	case p.cfg.Now().Sub(hold.Approved) > p.cfg.ApprovalFor:
		return settlement{message: message + " It was approved too long ago."}
	}
	return settlement{approved: true, reason: "held plan " + hold.Hash + " approved by " + hold.By}
}

// ErrNotHeld says that no plan of that hash waits for approval.
var ErrNotHeld = errors.New("no such plan is held")

// Approve marks the held plan of that hash as approved by somebody and runs:
// it is applied if a new complete read asks for exactly the same. The run tells
// what became of it.
func (p *Poller) Approve(ctx context.Context, hash, by string) (directory.Run, error) {
	hold, err := p.hold(ctx)
	if err != nil {
		return directory.Run{}, err
	}
	if hold == nil || hold.Hash != hash {
		return directory.Run{}, ErrNotHeld
	}
	hold.Approved, hold.By = p.cfg.Now(), by
	if err := p.cfg.Store.PutHold(ctx, *hold); err != nil {
		return directory.Run{}, fmt.Errorf("keeping the approval: %w", err)
	}
	return p.runUnless(ctx, time.Time{}, occasion{directory.TriggerApproval, by, true})
}

func (p *Poller) hold(ctx context.Context) (*directory.Hold, error) {
	holds, err := p.cfg.Store.Holds(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading held plans: %w", err)
	}
	i := slices.IndexFunc(holds, func(h directory.Hold) bool { return h.Source == p.cfg.Source })
	if i < 0 {
		return nil, nil
	}
	return &holds[i], nil
}

func (p *Poller) newHold(r *Report, before *directory.Hold) (directory.Hold, error) {
	items, err := first(r.Plan.held(r.Verdict), maxHeldItems)
	if err != nil {
		return directory.Hold{}, err
	}
	held := HeldPlan{
		Counts: r.Plan.Counts, Items: items, Total: r.Verdict.Held,
		Issues: r.Plan.Issues, Effects: r.Effects, Gains: r.gains,
	}
	if before != nil && before.Hash != r.Verdict.Hash {
		held.Difference = difference(before, r)
	}
	text, err := json.Marshal(held)
	if err != nil {
		return directory.Hold{}, fmt.Errorf("held plan: %w", err)
	}
	return directory.Hold{Source: p.cfg.Source, Hash: r.Verdict.Hash, Reasons: r.Verdict.Reasons, Plan: text, Created: p.cfg.Now()}, nil
}

// givesMore reports whether more people gain something than a hold shows. One
// that does not say is as it was.
func givesMore(before *directory.Hold, gains map[string]int) bool {
	var shown HeldPlan
	if json.Unmarshal(before.Plan, &shown) != nil || shown.Gains == nil && len(shown.Effects) == 0 {
		return false
	}
	for what, people := range gains {
		if people > shown.Gains[what] {
			return true
		}
	}
	return false
}

// difference says how a hold differs from the one it replaces.
func difference(before *directory.Hold, r *Report) string {
	var old HeldPlan
	if json.Unmarshal(before.Plan, &old) != nil {
		return "it replaces " + before.Hash
	}
	return fmt.Sprintf("it replaces %s, which held %d things; this one holds %d", before.Hash, old.Total, r.Verdict.Held)
}

// refused adds what the store would not have to the issues of a plan.
func (p *Plan) refused(issues []Issue) {
	for _, i := range issues {
		p.Counts["issues"]++
		if len(p.Issues) < maxIssues {
			p.Issues = append(p.Issues, i)
		}
	}
}

// message tells of what could not be taken over.
func (p *Plan) message() string {
	const shown = 5
	if len(p.Issues) == 0 {
		return ""
	}
	var parts []string
	for _, i := range p.Issues[:min(shown, len(p.Issues))] {
		parts = append(parts, i.ExternalID+": "+i.What)
	}
	return fmt.Sprintf("%d entries were not taken over as they are: %s.", p.Counts["issues"], strings.Join(parts, "; "))
}
