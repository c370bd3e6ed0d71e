package admin

import (
	"context"
	"fmt"
	"strings"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// A PolicyDiff is how a file differs from the policy that is stored, item by
// item, in the sections that the file contains.
type PolicyDiff struct {
	Same  bool       `json:"same"`
	Items []DiffItem `json:"items"`
}

// A DiffItem is one item that differs, as a policy file writes it.
type DiffItem struct {
	PlannedChange
	Before string `json:"before,omitempty"` // stored
	After  string `json:"after,omitempty"`  // in the file
}

// DiffPolicy compares a file with the policy that is stored. It looks at texts
// only: see [Service.PlanPolicy] for what they mean to people.
func (s *Service) DiffPolicy(ctx context.Context, p PolicyFile) (PolicyDiff, error) {
	if _, err := s.reads(ctx, ReadPolicy); err != nil {
		return PolicyDiff{}, err
	}
	if p.Name == "" {
		p.Name = "policy"
	}
	file, err := authz.Parse(p.Name, []byte(p.Text))
	if err != nil {
		return PolicyDiff{}, faultsOf(ErrPolicy, err)
	}
	facts, err := s.Store.Policy(ctx)
	if err != nil {
		return PolicyDiff{}, fmt.Errorf("reading policy: %w", err)
	}
	old, next := facts.Policy, file.Over(facts.Policy)
	out := PolicyDiff{Items: []DiffItem{}}
	for _, c := range changed(old, next) {
		item := DiffItem{PlannedChange: c}
		if c.Change == "reordered" {
			item.Before, item.After = keyList(old, c.Section), keyList(next, c.Section)
		} else {
			item.Before, item.After = c.item().text(old), c.item().text(next)
		}
		out.Items = append(out.Items, item)
	}
	out.Same = len(out.Items) == 0
	return out, nil
}

// keyList is the order of a section.
func keyList(p directory.Policy, section directory.Section) string {
	return string(section) + ": [" + strings.Join(sectionNamed(section).keys(p), ", ") + "]\n"
}

func (a *API) diffPolicy(c call) (answer, error) {
	var p PolicyFile
	if err := c.body(&p); err != nil {
		return answer{}, err
	}
	return outcome(a.Service.DiffPolicy(c.Context(), p))
}
