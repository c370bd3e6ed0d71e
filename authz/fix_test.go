package authz_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// fixStories are denials that what looks like the shortest step would not change,
// or would change at the cost of something else.
var fixStories = []struct {
	name, ask string
	build     func(w *world) *directory.Subject
	next      []string // the shortest step
	enough    []string // beginnings of what is said to be enough
	help      []string // beginnings of what else is listed
}{
	{
		"a blocked group with a Role that ends the default Role, which gives access", "export feature/part-list",
		func(w *world) *directory.Subject {
			w.planner()
			w.role("exporter", nil, "role part-list:export")
			w.group("ad/Sub").Blocked = true
			w.give("ad/Sub", "Role exporter")
			return w.user("ad/Sub")
		},
		[]string{"usherd user grant USER --privilege part-list:export"},
		[]string{"grant role part-list:export "},
		[]string{"unblock the group Sub (ad); that ends the default Role planner"},
	},
	{
		"a group with a Role that ends the default Role, which gives the other half", "create_sync integration/aws-prod in alpha",
		func(w *world) *directory.Subject {
			w.planner(directory.ManageSyncs)
			w.role("user of all", []directory.Right{directory.IntegrationsUseAll})
			w.group("ad/rel-a")
			w.give("ad/rel-a", "Role user of all")
			w.group("ad/rel-b@alpha")
			w.give("ad/rel-b", "integration aws-prod=consumer")
			return w.user()
		},
		[]string{"usherd user grant USER --integration aws-prod=consumer --project alpha"},
		[]string{"grant consumer on aws-prod in project alpha ", "put the user in rel-b (ad)"},
		nil,
	},
	{
		"one group of the project among many of others", "access feature/wiki in alpha",
		func(w *world) *directory.Subject {
			for i := range 120 {
				name := fmt.Sprintf("ad/elsewhere-%03d", i)
				w.group(name + "@beta")
				w.give(name, "access wiki")
			}
			w.group("ad/zz@alpha")
			w.give("ad/zz", "access wiki")
			return w.user()
		},
		[]string{"usherd user grant USER --access wiki --project alpha"},
		[]string{"grant access wiki in project alpha ", "put the user in zz (ad)"},
		nil,
	},
	{
		"an override that brought access", "edit feature/drawings",
		func(w *world) *directory.Subject {
			w.group("ad/eng")
			w.give("ad/eng", "role drawings:edit")
			s := w.own(w.user("ad/eng"), "access drawings")
			s.Grants[0].Origin = directory.ByOverride
			s.Overrides = []directory.ProjectKey{""}
			return s
		},
		[]string{"usherd user grant USER --privilege drawings:edit"},
		[]string{"grant role drawings:edit "},
		[]string{"end the override organization-wide, so that the user follows the directory again and loses what it brought"},
	},
	{
		"an override that may have brought the group that gives access", "edit feature/drawings",
		func(w *world) *directory.Subject {
			w.group("ad/eng")
			w.give("ad/eng", "role drawings:edit")
			w.group("local/ours")
			w.give("local/ours", "access drawings")
			s := w.user("ad/eng", "+local/ours")
			s.Overrides = []directory.ProjectKey{""}
			return s
		},
		[]string{"usherd user grant USER --privilege drawings:edit"},
		[]string{"grant role drawings:edit "},
		[]string{"end the override organization-wide"},
	},
	{
		"an override that hides all and brought nothing", "edit feature/drawings",
		func(w *world) *directory.Subject {
			w.group("ad/eng")
			w.give("ad/eng", "role drawings:edit", "access drawings")
			s := w.user("ad/eng")
			s.Overrides = []directory.ProjectKey{""}
			return s
		},
		[]string{"usherd user grant USER --privilege drawings:edit", "usherd user grant USER --access drawings"},
		[]string{"grant role drawings:edit ", "end the override organization-wide", "grant access drawings ", "end the override organization-wide"},
		nil,
	},
	{
		"blocked, with all it takes", "access feature/part-list",
		func(w *world) *directory.Subject {
			w.planner()
			s := w.user()
			s.Blocked = true
			return s
		},
		[]string{"usherd user unblock USER"},
		[]string{"unblock the user"},
		nil,
	},
	{
		"blocked, and without a right to it", "access feature/wiki",
		func(w *world) *directory.Subject {
			w.planner()
			s := w.user()
			s.Blocked = true
			return s
		},
		[]string{"usherd user unblock USER", "usherd user grant USER --access wiki"},
		[]string{"grant access wiki "},
		[]string{"unblock the user"},
	},
	{
		"blocked, in a blocked group and of a disabled source", "access feature/wiki",
		func(w *world) *directory.Subject {
			w.source("ad", directory.SourceDisabled)
			w.group("ad/eng").Blocked = true
			w.give("ad/eng", "access wiki")
			s := w.user("ad/eng")
			s.Blocked = true
			return s
		},
		[]string{"usherd user unblock USER", "usherd source enable ad", "usherd group unblock ad/eng"},
		[]string{"unblock the group eng (ad)", "grant access wiki "},
		[]string{"unblock the user", "enable the source ad"},
	},
	{
		"inactive elsewhere, and without a right to it", "access feature/wiki",
		func(w *world) *directory.Subject {
			s := w.user()
			s.Inactive = true
			return s
		},
		nil,
		[]string{"grant access wiki "},
		[]string{"activate the user in the source", "detach the identity"},
	},
	{
		"blocked, and there is no such feature", "access feature/wikki",
		func(w *world) *directory.Subject {
			s := w.user()
			s.Blocked = true
			return s
		},
		nil, nil,
		[]string{"add it to the policy", "unblock the user"},
	},
}

// planner makes a default Role with part-list.
func (w *world) planner(rights ...directory.Right) {
	w.role("planner", rights, "access part-list", "role part-list:edit")
	w.facts.Policy.Policy.DefaultRole = "planner"
}

func TestFixesSayWhatDecidingAgainSays(t *testing.T) {
	for _, story := range fixStories {
		t.Run(story.name, func(t *testing.T) {
			w := newWorld(t)
			s := story.build(w)
			e := authz.Compile(w.facts).Explain(s, ask(story.ask))
			if e.Decision.Allow {
				t.Fatal("allowed")
			}
			if got := e.Next(); !slices.Equal(got, story.next) {
				t.Errorf("shortest step = %q, want %q", got, story.next)
			}
			all := slices.Clone(e.Fixes)
			for _, part := range e.Parts {
				all = append(all, part.Fixes...)
			}
			var enough, help []string
			for _, f := range all {
				if f.Enough {
					enough = append(enough, f.Do)
				} else {
					help = append(help, f.Do)
				}
			}
			begins := func(do, beginning string) bool { return strings.HasPrefix(do, beginning) }
			if !slices.EqualFunc(enough, story.enough, begins) || !slices.EqualFunc(help, story.help, begins) {
				t.Errorf("enough: %q, want %q\nhelps: %q, want %q", enough, story.enough, help, story.help)
			}
		})
	}
}
