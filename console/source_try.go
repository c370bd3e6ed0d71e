package console

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A trial is what trying an LDAP source out showed, as the service tells it.
type trial struct {
	Source         directory.SourceName `json:"-"`
	OK             bool                 `json:"ok"`
	Server         string               `json:"server"`
	Vendor         string               `json:"vendor"`
	NamingContexts []string             `json:"namingContexts"`
	People         int                  `json:"people"`
	Inactive       int                  `json:"inactive"`
	Groups         int                  `json:"groups"`
	Rejected       int                  `json:"rejected"`
	Unresolved     int                  `json:"unresolved"`
	Took           time.Duration        `json:"took"`
	Steps          []struct {
		Name  string `json:"name"`
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	} `json:"steps"`
	Sample []struct {
		UserName   string `json:"userName"`
		ExternalID string `json:"externalId"`
		DN         string `json:"dn"`
		Active     bool   `json:"active"`
	} `json:"sample"`
}

// A syncPlan is what a run would do, or what is held.
type syncPlan struct {
	Counts     map[string]int64 `json:"counts"`
	Items      []syncItem       `json:"items"`
	Total      int              `json:"total"`
	Issues     []syncIssue      `json:"issues"`
	Effects    json.RawMessage  `json:"effects"` // of what is held
	Difference string           `json:"difference"`
}

// A syncItem is one thing that a plan does.
type syncItem struct {
	Op     string      `json:"op"`
	Kind   string      `json:"kind"`
	Name   string      `json:"name"`
	Was    string      `json:"was"`
	DN     string      `json:"dn"`
	Fields []string    `json:"fields"`
	Add    []syncNamed `json:"add"`
	Remove []syncNamed `json:"remove"`
}

type syncNamed struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type syncIssue struct {
	ExternalID string `json:"externalId"`
	What       string `json:"what"`
}

// shownSyncItems is how many things of a plan a page shows.
const shownSyncItems = 200

// A planView is the dry run of an LDAP source.
type planView struct {
	Source  directory.SourceName
	Server  string
	Plan    syncPlan
	Counts  []pair
	Reasons []string
	Hash    string
	Effects effectsView
}

// planEffects are the effects of a plan as they are kept with it.
type planEffects struct {
	authz.Difference
	Names map[directory.UserID]string `json:"names"`
}

// testSource connects to a source and reads it, and changes nothing.
func (c *Console) testSource(req request) (templ.Component, error) {
	name := directory.SourceName(req.PathValue("name"))
	text, err := c.Service.TestSource(req.Context(), name)
	if err != nil {
		return nil, err
	}
	t := trial{Source: name}
	if err := json.Unmarshal(text, &t); err != nil {
		return nil, fmt.Errorf("reading the test of %s: %w", name, err)
	}
	return c.frame(req, "Test of "+string(name), trialTemplate(t)), nil
}

// planSource reads a source and shows what a run would do.
func (c *Console) planSource(req request) (templ.Component, error) {
	name := directory.SourceName(req.PathValue("name"))
	text, err := c.Service.PlanSync(req.Context(), name)
	if err != nil {
		return nil, err
	}
	var report struct {
		Plan    syncPlan `json:"plan"`
		Verdict struct {
			Reasons []string `json:"reasons"`
			Hash    string   `json:"hash"`
		} `json:"verdict"`
		Effects json.RawMessage `json:"effects"`
		Server  string          `json:"server"`
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("reading the plan of %s: %w", name, err)
	}
	v := planView{Source: name, Server: report.Server, Plan: report.Plan, Counts: countPairs(report.Plan.Counts), Reasons: report.Verdict.Reasons, Hash: report.Verdict.Hash}
	if v.Effects, err = c.planEffects(req.Context(), report.Effects); err != nil {
		return nil, err
	}
	v.Plan.Items = v.Plan.Items[:min(shownSyncItems, len(v.Plan.Items))]
	return c.frame(req, "Plan of "+string(name), planTemplate(v)), nil
}

func (c *Console) planEffects(ctx context.Context, text json.RawMessage) (effectsView, error) {
	if len(text) == 0 {
		return effectsView{Unknown: true}, nil
	}
	var e planEffects
	if err := json.Unmarshal(text, &e); err != nil {
		return effectsView{}, fmt.Errorf("reading the effects of a plan: %w", err)
	}
	return c.effects(ctx, e.Difference, e.Names), nil
}

// syncSource runs a source now. The page of a run that takes long follows it.
func (c *Console) syncSource(req request) (templ.Component, error) {
	run, err := c.Service.BeginSync(req.Context(), req.by, directory.SourceName(req.PathValue("name")))
	switch {
	case err != nil:
		return nil, err
	case run.ID == "":
		return c.redirect(req, "/runs?source="+string(run.Source), "The run begins when another one of this source has ended.")
	case run.Result == directory.RunRunning:
		return c.redirect(req, "/runs/"+run.ID+"?source="+string(run.Source), "The run goes on, and this page follows it.")
	}
	return c.redirect(req, "/runs/"+run.ID+"?source="+string(run.Source), "The run ended: "+string(run.Result)+".")
}
