package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A bindingRow is a binding as it is kept. One of a mapping by id or dn outlives
// its group, so that whoever comes with that id or dn next waits for a
// confirmation.
type bindingRow struct {
	mapping, group string
	num            int64
	state          directory.BindingState
}

func scanBindingRow(row scanner) (b bindingRow, err error) {
	err = row.Scan(&b.mapping, &b.group, &b.num, &b.state)
	return b, err
}

func (e *edit) bindingsWhere(ctx context.Context, where string, args ...any) ([]bindingRow, error) {
	bindings, err := collect(ctx, e.tx, scanBindingRow, `SELECT mapping, group_id, group_num, state FROM binding
		WHERE `+isOpen+` AND `+where+` ORDER BY mapping, group_num`, args...)
	if err != nil {
		return nil, fmt.Errorf("reading bindings: %w", err)
	}
	return bindings, nil
}

// byID reports whether a mapping means one group by its stable id or its DN.
func byID(m directory.Mapping) bool { return m.When.ID != "" || m.When.DN != "" }

func matches(m directory.Mapping, g groupRow) bool {
	return m.When.Matches(directory.SourceName(g.source), g.externalID, g.dn, directory.NameKey(g.nameKey))
}

// bindGroup ties a group that came or was renamed to the mappings that bind. It
// is bound if it is the first that a mapping by id or dn ever matched, and else
// suspended. A bound group stays bound, whatever its names.
func (e *edit) bindGroup(ctx context.Context, g groupRow) error {
	all, err := e.policy(ctx)
	if err != nil {
		return err
	}
	have, err := e.bindingsWhere(ctx, `group_id = $1`, g.id)
	if err != nil {
		return err
	}
	for _, m := range all.policy.Mappings {
		if m.When.Source != directory.SourceName(g.source) || !all.policy.Binds(m) {
			continue
		}
		i := slices.IndexFunc(have, func(b bindingRow) bool { return b.mapping == m.Name })
		switch match := matches(m, g); {
		case match && i < 0:
			err = e.bindNew(ctx, m, g)
		case !match && i >= 0 && have[i].state == directory.Suspended:
			err = e.unbind(ctx, have[i])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bindNew ties a mapping to a group that matches it later than it was applied.
func (e *edit) bindNew(ctx context.Context, m directory.Mapping, g groupRow) error {
	state := directory.Suspended
	if byID(m) {
		earlier, err := e.bindingsWhere(ctx, `mapping = $1`, m.Name)
		if err != nil {
			return err
		}
		if len(earlier) == 0 {
			state = directory.Bound
		}
	}
	return e.bind(ctx, bindingRow{m.Name, g.id, g.num, state})
}

// bind writes a binding, in place of one of the same group.
func (e *edit) bind(ctx context.Context, b bindingRow) error {
	if err := e.end(ctx, "binding", "mapping = $1 AND group_id = $2", b.mapping, b.group); err != nil {
		return err
	}
	err := e.exec(ctx, `INSERT INTO binding (mapping, group_id, group_num, state, since, until) VALUES ($1, $2, $3, $4, $5, $6)`,
		b.mapping, b.group, b.num, string(b.state), e.rev, int64(forever))
	if err != nil {
		return fmt.Errorf("binding mapping %s: %w", b.mapping, err)
	}
	return e.noteBinding("mapping."+string(b.state), b)
}

// unbind ends a binding.
func (e *edit) unbind(ctx context.Context, b bindingRow) error {
	if err := e.end(ctx, "binding", "mapping = $1 AND group_id = $2", b.mapping, b.group); err != nil {
		return err
	}
	return e.noteBinding("mapping.unbound", b)
}

func (e *edit) noteBinding(what string, b bindingRow) error {
	e.feedPolicy, e.policyAt = true, e.rev
	e.touchGroup(b.num)
	return e.note(effect{Type: what, Target: b.mapping, Group: b.group}, []any{b.mapping, b.group, b.num, b.state})
}

// unbindGroup ends the bindings of a group that ended, but for those that keep
// a mapping from binding anew by itself.
func (e *edit) unbindGroup(ctx context.Context, g groupRow) error {
	return e.bindingsOf(ctx, g, func(b bindingRow, m *directory.Mapping) error {
		if m != nil && byID(*m) && (b.state == directory.Bound || string(m.When.Source) != g.source) {
			return nil
		}
		return e.unbind(ctx, b)
	})
}

// loosenGroup ends the bindings of a group that left its source. Where that was
// the group with an id or a dn, it is suspended: as if it had ended, the next one
// with that id or dn, in a source of that name, waits for a confirmation.
func (e *edit) loosenGroup(ctx context.Context, g groupRow) error {
	return e.bindingsOf(ctx, g, func(b bindingRow, m *directory.Mapping) error {
		was := b.state
		b.state = directory.Suspended
		if was == directory.Bound && m != nil && byID(*m) {
			return e.bind(ctx, b)
		}
		return e.unbind(ctx, b)
	})
}

// bindingsOf calls do for each binding of a group, with its mapping; nil if the
// policy has none of that name.
func (e *edit) bindingsOf(ctx context.Context, g groupRow, do func(bindingRow, *directory.Mapping) error) error {
	all, err := e.policy(ctx)
	if err != nil {
		return err
	}
	bindings, err := e.bindingsWhere(ctx, `group_id = $1`, g.id)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		var m *directory.Mapping
		if i := slices.IndexFunc(all.policy.Mappings, func(m directory.Mapping) bool { return m.Name == b.mapping }); i >= 0 {
			m = &all.policy.Mappings[i]
		}
		if err := do(b, m); err != nil {
			return err
		}
	}
	return nil
}

// sameRule reports whether two mappings match and give the same: to disable one
// and enable it again binds nothing anew.
func sameRule(a, b string) bool {
	var x, y directory.Mapping
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	x.Disabled, y.Disabled = false, false
	return reflect.DeepEqual(x, y)
}

// rebind computes the bindings after a change of policy. Those of mappings that
// are as they were stay. Bound limits the groups of administrators' mappings.
func (e *edit) rebind(ctx context.Context, old *rules, bound []directory.Binding) error {
	now, err := e.policy(ctx)
	if err != nil {
		return err
	}
	for _, m := range old.policy.Mappings {
		key := ruleKey{directory.SectionMappings, m.Name}
		kept, stays := now.items[key]
		if stays && sameRule(kept.body, old.items[key].body) && now.policy.Binds(m) {
			continue
		}
		if err := e.unbindMapping(ctx, m.Name); err != nil {
			return err
		}
	}
	for _, m := range now.policy.Mappings {
		key := ruleKey{directory.SectionMappings, m.Name}
		before, was := old.items[key]
		same := was && sameRule(before.body, now.items[key].body) && old.policy.Binds(m)
		if same || !now.policy.Binds(m) {
			continue
		}
		seen := func(groupRow) bool { return true }
		if bound != nil && now.policy.GivesAdministration(m) {
			seen = func(g groupRow) bool {
				return slices.ContainsFunc(bound, func(b directory.Binding) bool { return b.Mapping == m.Name && string(b.Group) == g.id })
			}
		}
		if err := e.bindAll(ctx, m, seen); err != nil {
			return err
		}
	}
	return nil
}

func (e *edit) unbindMapping(ctx context.Context, name string) error {
	bindings, err := e.bindingsWhere(ctx, `mapping = $1`, name)
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if err := e.unbind(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// bindAll binds a mapping to the groups that it matches as it is applied. If
// one group is meant and several match, each waits for a confirmation; so does a
// group that nobody has seen.
func (e *edit) bindAll(ctx context.Context, m directory.Mapping, seen func(groupRow) bool) error {
	groups, err := e.groupsWhere(ctx, `source = $1`, string(m.When.Source))
	if err != nil {
		return err
	}
	groups = slices.DeleteFunc(groups, func(g groupRow) bool { return !matches(m, g) })
	state := directory.Bound
	if m.When.Pattern == "" && len(groups) > 1 {
		state = directory.Suspended
	}
	for _, g := range groups {
		b := bindingRow{m.Name, g.id, g.num, state}
		if !seen(g) {
			b.state = directory.Suspended
		}
		if err := e.bind(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

type confirmMapping struct {
	mapping string
	group   directory.GroupID
}

func (o confirmMapping) run(ctx context.Context, e *edit) error {
	bindings, err := e.bindingsWhere(ctx, `mapping = $1`, o.mapping)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(bindings, func(b bindingRow) bool { return b.group == string(o.group) })
	if i < 0 {
		return fmt.Errorf("mapping %s does not wait for group %s: %w", o.mapping, o.group, directory.ErrNotFound)
	}
	g, err := e.group(ctx, o.group)
	if err != nil || bindings[i].state == directory.Bound {
		return err
	}
	bindings[i].state = directory.Bound
	if err := e.bind(ctx, bindings[i]); err != nil {
		return err
	}
	return e.unbindDead(ctx, slices.Delete(bindings, i, i+1), g.source)
}

// unbindDead ends bindings to groups that ended or left the source, which the
// binding of a living one replaces.
func (e *edit) unbindDead(ctx context.Context, bindings []bindingRow, source string) error {
	for _, b := range bindings {
		living, err := e.groupsWhere(ctx, `id = $1`, b.group)
		if err != nil {
			return err
		}
		if len(living) > 0 && (living[0].source == source || b.state == directory.Bound) {
			continue
		}
		if err := e.unbind(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
