package admin

import (
	"reflect"
	"slices"

	"github.com/usherd/usherd/directory"
)

// A policySection is what there is to do with the items of one section.
type policySection interface {
	keyed() bool                                                                             // its items come and go one by one
	keys(p directory.Policy) []string                                                        // of its items; "" of a section that is one
	put(to *directory.Policy, from directory.Policy)                                         // each item in the place of that of its key
	drop(p *directory.Policy, key string)                                                    // an item that is not there is gone already
	pick(to *directory.Policy, from directory.Policy, key string)                            // that item alone
	changed(section directory.Section, old, next directory.Policy) (changes []PlannedChange) // from one to the other
}

// policySections has every section of [authz.Sections], in the order in which
// changes are told.
var policySections = []struct {
	name  directory.Section
	items policySection
}{
	{directory.SectionProjects, keyedSection[directory.Project]{func(p *directory.Policy) *[]directory.Project { return &p.Projects }, projectKey}},
	{directory.SectionFeatures, keyedSection[directory.Feature]{func(p *directory.Policy) *[]directory.Feature { return &p.Features }, featureKey}},
	{directory.SectionOutputs, keyedSection[directory.Output]{func(p *directory.Policy) *[]directory.Output { return &p.Outputs }, outputKey}},
	{directory.SectionIntegrations, keyedSection[directory.Integration]{func(p *directory.Policy) *[]directory.Integration { return &p.Integrations }, integrationKey}},
	{directory.SectionResources, keyedSection[directory.ResourceType]{func(p *directory.Policy) *[]directory.ResourceType { return &p.Resources }, resourceKey}},
	{directory.SectionRoles, keyedSection[directory.Role]{func(p *directory.Policy) *[]directory.Role { return &p.Roles }, roleKey}},
	{directory.SectionMappings, keyedSection[directory.Mapping]{func(p *directory.Policy) *[]directory.Mapping { return &p.Mappings }, mappingKey}},
	{directory.SectionDefaultRole, singleSection[directory.RoleName]{
		of:  func(p *directory.Policy) *directory.RoleName { return &p.DefaultRole },
		key: func(r directory.RoleName) string { return string(r) },
	}},
	{directory.SectionTests, singleSection[string]{
		of:  func(p *directory.Policy) *string { return &p.Tests },
		key: func(string) string { return "" },
	}},
}

// sectionNamed returns a section, or nil if there is none of that name.
func sectionNamed(name directory.Section) policySection {
	for _, s := range policySections {
		if s.name == name {
			return s.items
		}
	}
	return nil
}

// A keyedSection is a section of items with keys.
type keyedSection[T any] struct {
	of  func(*directory.Policy) *[]T
	key func(T) string
}

func (l keyedSection[T]) keyed() bool { return true }

func (l keyedSection[T]) keys(p directory.Policy) []string { return keysOf(*l.of(&p), l.key) }

func (l keyedSection[T]) put(to *directory.Policy, from directory.Policy) {
	items := l.of(to)
	for _, item := range *l.of(&from) {
		*items = put(*items, item, Keep, l.key)
	}
}

func (l keyedSection[T]) drop(p *directory.Policy, key string) {
	items := l.of(p)
	*items = slices.DeleteFunc(*items, func(item T) bool { return l.key(item) == key })
}

func (l keyedSection[T]) pick(to *directory.Policy, from directory.Policy, key string) {
	items := *l.of(&from)
	if i := l.find(items, key); i >= 0 {
		*l.of(to) = items[i : i+1]
	}
}

func (l keyedSection[T]) find(items []T, key string) int {
	return slices.IndexFunc(items, func(item T) bool { return l.key(item) == key })
}

func (l keyedSection[T]) changed(section directory.Section, before, after directory.Policy) (out []PlannedChange) {
	old, next := *l.of(&before), *l.of(&after)
	last, moved := -1, false // the order of features is that of the home page
	for _, item := range next {
		i := l.find(old, l.key(item))
		moved = moved || i >= 0 && i < last
		last = max(last, i)
		switch {
		case i < 0:
			out = append(out, PlannedChange{section, "added", l.key(item)})
		case !sameItem(old[i], item):
			out = append(out, PlannedChange{section, "changed", l.key(item)})
		}
	}
	for _, item := range old {
		if l.find(next, l.key(item)) < 0 {
			out = append(out, PlannedChange{section, "removed", l.key(item)})
		}
	}
	if moved {
		out = append(out, PlannedChange{section, "reordered", ""})
	}
	return out
}

// sameItem compares two items. When a Role was modified is not part of it.
func sameItem(a, b any) bool {
	if x, ok := a.(directory.Role); ok {
		y := b.(directory.Role)
		y.Modified = x.Modified
		return reflect.DeepEqual(x, y)
	}
	return reflect.DeepEqual(a, b)
}

// A singleSection is a section that is one item, which has no key.
type singleSection[T comparable] struct {
	of  func(*directory.Policy) *T
	key func(T) string // that a change to it is told with
}

func (s singleSection[T]) keyed() bool { return false }

func (s singleSection[T]) keys(directory.Policy) []string { return []string{""} }

func (s singleSection[T]) put(to *directory.Policy, from directory.Policy) { *s.of(to) = *s.of(&from) }

func (s singleSection[T]) drop(*directory.Policy, string) {} // it is not removed but put

func (s singleSection[T]) pick(to *directory.Policy, from directory.Policy, _ string) {
	s.put(to, from)
}

func (s singleSection[T]) changed(section directory.Section, old, next directory.Policy) []PlannedChange {
	if *s.of(&old) == *s.of(&next) {
		return nil
	}
	return []PlannedChange{{section, "changed", s.key(*s.of(&next))}}
}
