package console

import (
	"encoding/json"
	"fmt"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// A holdView is a plan that waits.
type holdView struct {
	directory.Hold
	Plan    syncPlan
	Counts  []pair
	Effects effectsView
	Operate bool
	Manage  bool // may change the limits
	Places  []heldPlace
	Cause   string
	Problem string
}

func (c *Console) holds(req request) (templ.Component, error) {
	all, err := c.Service.Holds(req.Context())
	if err != nil {
		return nil, err
	}
	views := make([]holdView, len(all))
	for i, h := range all {
		views[i].Hold = h
		if err := json.Unmarshal(h.Plan, &views[i].Plan); err != nil {
			return nil, fmt.Errorf("reading the held plan of %s: %w", h.Source, err)
		}
	}
	return c.frame(req, "Held changes", holdsTemplate(views)), nil
}

func (c *Console) hold(req request) (templ.Component, error) { return c.showHold(req, "") }

func (c *Console) showHold(req request, problem string) (templ.Component, error) {
	h, err := c.Service.Hold(req.Context(), directory.SourceName(req.PathValue("name")))
	if err != nil {
		return nil, err
	}
	v := holdView{Hold: h, Operate: req.viewer.Can(admin.OperateSync), Manage: req.viewer.Can(admin.WriteSources), Problem: problem}
	if err := json.Unmarshal(h.Plan, &v.Plan); err != nil {
		return nil, fmt.Errorf("reading the held plan of %s: %w", h.Source, err)
	}
	v.Counts = countPairs(v.Plan.Counts)
	if v.Effects, err = c.planEffects(req.Context(), v.Plan.Effects); err != nil {
		return nil, err
	}
	if v.Effects.Unknown {
		v.Effects.Ask, v.Effects.Count = true, v.Plan.Total
	}
	v.Places, v.Cause = places(v.Plan.Items), likely(h.Reasons, v.Plan)
	v.Plan.Items = v.Plan.Items[:min(shownSyncItems, len(v.Plan.Items))]
	return c.frame(req, "Held changes of "+string(h.Source), holdTemplate(v)), nil
}

// approveHold applies what was looked at: the form says which plan that was, and
// the service refuses another.
func (c *Console) approveHold(req request) (templ.Component, error) {
	name, hash := directory.SourceName(req.PathValue("name")), req.PostForm.Get("hash")
	if hash == "" {
		return nil, errForm
	}
	h, err := c.Service.Hold(req.Context(), name)
	if err != nil {
		return nil, err
	}
	var plan syncPlan
	if err := json.Unmarshal(h.Plan, &plan); err != nil {
		return nil, fmt.Errorf("reading the held plan of %s: %w", name, err)
	}
	effects, err := c.planEffects(req.Context(), plan.Effects)
	if err != nil {
		return nil, err
	}
	if effects.Unknown {
		effects.Ask, effects.Count = true, plan.Total
	}
	if !effects.confirmed(req) {
		return c.showHold(req, "Type the number to approve this.")
	}
	run, err := c.Service.ApproveHold(req.Context(), req.by, name, hash)
	if err != nil {
		problem, err := asked(err)
		if err != nil {
			return nil, err
		}
		return c.showHold(req, problem)
	}
	return c.redirect(req, runPath(run.Run), "Approved: the run ended as "+string(run.Result)+".")
}

func (c *Console) discardHold(req request) (templ.Component, error) {
	name, hash := directory.SourceName(req.PathValue("name")), req.PostForm.Get("hash")
	if hash == "" {
		return nil, errForm
	}
	if err := c.Service.DiscardHold(req.Context(), name, hash); err != nil {
		return nil, err
	}
	return c.redirect(req, "/holds", "Discarded. If the directory still says so at the next run, it is held again.")
}
