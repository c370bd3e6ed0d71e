package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A ruleKey names one item of the policy.
type ruleKey struct {
	section directory.Section
	key     string
}

func (k ruleKey) String() string { return string(k.section) + "/" + k.key }

// A rule is one item of the policy as it is kept.
type rule struct {
	ruleKey
	place int
	body  string
}

func scanRule(row scanner) (r rule, err error) {
	err = row.Scan(&r.section, &r.key, &r.place, &r.body)
	return r, err
}

// rules is the policy, as items and as a whole.
type rules struct {
	items  map[ruleKey]rule
	policy directory.Policy
}

// policy returns the policy as it is now.
func (e *edit) policy(ctx context.Context) (*rules, error) {
	if e.rules != nil {
		return e.rules, nil
	}
	items, err := collect(ctx, e.tx, scanRule, `SELECT section, key, place, body FROM policy_item
		WHERE `+isOpen+` ORDER BY section, place, key`)
	if err != nil {
		return nil, fmt.Errorf("reading the policy: %w", err)
	}
	all := &rules{items: make(map[ruleKey]rule, len(items))}
	for _, r := range items {
		all.items[r.ruleKey] = r
		if err := (policyItem{r.section, r.key, r.body}).addTo(&all.policy); err != nil {
			return nil, err
		}
	}
	e.rules = all
	return all, nil
}

type setPolicy struct {
	sections []directory.Section
	items    []rule
	roles    map[string]directory.Role // as given, to compare
	bound    []directory.Binding       // see [directory.SetPolicy]; nil: any
}

func prepareSetPolicy(c directory.SetPolicy) (op, error) {
	o := setPolicy{roles: map[string]directory.Role{}, bound: c.Bound}
	for _, s := range c.Sections {
		if slices.Contains(o.sections, s) {
			continue
		}
		o.sections = append(o.sections, s)
		items, err := sectionItems(s, &c.Policy)
		if err != nil {
			return nil, err
		}
		o.items = append(o.items, items...)
	}
	seen := map[ruleKey]struct{}{}
	for _, r := range o.items {
		if _, again := seen[r.ruleKey]; again {
			return nil, fmt.Errorf("%s is there twice: %w", r.ruleKey, directory.ErrInvalid)
		}
		seen[r.ruleKey] = struct{}{}
		if err := checkText(string(r.section), r.key, maxID); err != nil {
			return nil, err
		}
		if err := checkText(string(r.section), r.body, 1<<24); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// sectionItems returns the items of one section in order.
func sectionItems(s directory.Section, p *directory.Policy) ([]rule, error) {
	switch s {
	case directory.SectionProjects:
		return itemsOf(s, p.Projects, func(v directory.Project) string { return string(v.Key) })
	case directory.SectionFeatures:
		return itemsOf(s, p.Features, func(v directory.Feature) string { return v.Key })
	case directory.SectionOutputs:
		return itemsOf(s, p.Outputs, func(v directory.Output) string { return v.Key })
	case directory.SectionIntegrations:
		return itemsOf(s, p.Integrations, func(v directory.Integration) string { return v.Key })
	case directory.SectionResources:
		return itemsOf(s, p.Resources, func(v directory.ResourceType) string { return v.Type })
	case directory.SectionRoles:
		return itemsOf(s, p.Roles, func(v directory.Role) string { return string(v.Name) })
	case directory.SectionMappings:
		return itemsOf(s, p.Mappings, func(v directory.Mapping) string { return v.Name })
	case directory.SectionDefaultRole:
		return textItem(s, string(p.DefaultRole)), nil
	case directory.SectionTests:
		return textItem(s, p.Tests), nil
	}
	return nil, fmt.Errorf("policy section %q: %w", s, directory.ErrInvalid)
}

func itemsOf[T any](s directory.Section, all []T, key func(T) string) ([]rule, error) {
	var items []rule
	for i, v := range all {
		body, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encoding %s: %w", s, err)
		}
		if key(v) == "" {
			return nil, fmt.Errorf("%s has an item without a key: %w", s, directory.ErrInvalid)
		}
		items = append(items, rule{ruleKey{s, key(v)}, i, string(body)})
	}
	return items, nil
}

func textItem(s directory.Section, text string) []rule {
	if text == "" {
		return nil
	}
	return []rule{{ruleKey{section: s}, 0, text}}
}

func (o setPolicy) run(ctx context.Context, e *edit) error {
	old, err := e.policy(ctx)
	if err != nil {
		return err
	}
	items, err := e.stampRoles(old, o.items)
	if err != nil {
		return err
	}
	var did policyDiff
	want := map[ruleKey]struct{}{}
	for _, r := range items {
		want[r.ruleKey] = struct{}{}
		if err := e.putRule(ctx, old, r, &did); err != nil {
			return err
		}
	}
	for key := range old.items {
		if _, stays := want[key]; stays || !slices.Contains(o.sections, key.section) {
			continue
		}
		if err := e.end(ctx, "policy_item", "section = $1 AND key = $2", string(key.section), key.key); err != nil {
			return err
		}
		did.removed = append(did.removed, key.String())
		e.removed = append(e.removed, key)
	}
	if did.none() {
		return nil
	}
	e.touchPolicy()
	if err := e.note(did.effect(), []any{items, did.removed}); err != nil {
		return err
	}
	return e.rebind(ctx, old, o.bound)
}

// stampRoles keeps when a Role was last changed: what is new has not been
// changed yet, and what callers say of it does not count.
func (e *edit) stampRoles(old *rules, items []rule) ([]rule, error) {
	items = slices.Clone(items)
	for i, r := range items {
		if r.section != directory.SectionRoles {
			continue
		}
		var role, before directory.Role
		if err := unmarshal("Role", r.body, &role); err != nil {
			return nil, err
		}
		role.Modified = fromMS(0)
		if kept, found := old.items[r.ruleKey]; found {
			if err := unmarshal("Role", kept.body, &before); err != nil {
				return nil, err
			}
			role.Modified = before.Modified
		}
		body, err := json.Marshal(role)
		if err == nil && before.Name != "" && !sameJSON(string(body), old.items[r.ruleKey].body) {
			role.Modified = fromMS(e.now)
			body, err = json.Marshal(role)
		}
		if err != nil {
			return nil, fmt.Errorf("encoding Role %s: %w", r.key, err)
		}
		items[i].body = string(body)
	}
	return items, nil
}

// putRule writes an item that is new or changed. One that only moved keeps its
// history: its place decides nothing.
func (e *edit) putRule(ctx context.Context, old *rules, r rule, did *policyDiff) error {
	kept, found := old.items[r.ruleKey]
	switch {
	case !found:
		did.added = append(did.added, r.String())
	case !sameJSON(kept.body, r.body):
		did.changed = append(did.changed, r.String())
		if err := e.end(ctx, "policy_item", "section = $1 AND key = $2", string(r.section), r.key); err != nil {
			return err
		}
	case kept.place != r.place:
		did.moved = true
		err := e.exec(ctx, `UPDATE policy_item SET place = $3 WHERE section = $1 AND key = $2 AND `+isOpen,
			string(r.section), r.key, r.place)
		if err != nil {
			return fmt.Errorf("moving %s: %w", r.ruleKey, err)
		}
		return nil
	default:
		return nil
	}
	err := e.exec(ctx, `INSERT INTO policy_item (section, key, place, body, since, until) VALUES ($1, $2, $3, $4, $5, $6)`,
		string(r.section), r.key, r.place, r.body, e.rev, int64(forever))
	if err != nil {
		return fmt.Errorf("writing %s: %w", r.ruleKey, err)
	}
	return nil
}

// A policyDiff names what a change of policy altered.
type policyDiff struct {
	added, changed, removed []string
	moved                   bool
}

func (d *policyDiff) none() bool {
	return len(d.added)+len(d.changed)+len(d.removed) == 0 && !d.moved
}

func (d *policyDiff) effect() effect {
	slices.Sort(d.removed)
	f := effect{Type: "policy.set", Added: d.added, Removed: d.removed, Attributes: d.changed}
	if d.moved {
		f.Value = "reordered"
	}
	return f
}
