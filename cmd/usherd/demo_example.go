package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/deploy"
	"github.com/usherd/usherd/directory"
	"go.yaml.in/yaml/v4"
)

// demoExamples are the stories of the example policies, under the names of
// those.
//
//go:embed demo/examples/*.yaml
var demoExamples embed.FS

// A demoExample is an organization around an example policy, and what happens
// in it.
type demoExample struct {
	Title  string               `yaml:"title"`
	Source directory.SourceName `yaml:"source"`
	People []string             `yaml:"people"` // "Ann Archer" has the userName ann@example.com
	Groups []struct {
		Name    string   `yaml:"name"`
		ID      string   `yaml:"id"`
		Members []string `yaml:"members"`
	} `yaml:"groups"`
	Acts []demoAct `yaml:"acts"`

	name, policy string
}

// A demoAct does one thing at most, and asks then. People are called by their
// given names, in small letters.
type demoAct struct {
	Title string `yaml:"title"`

	Add     map[string]string `yaml:"add"`     // who: to which group, by the identity provider
	Remove  map[string]string `yaml:"remove"`  // who: from which group, by the identity provider
	Active  map[string]bool   `yaml:"active"`  // who: as the identity provider says
	Delete  string            `yaml:"delete"`  // whom, by the identity provider
	Block   map[string]bool   `yaml:"block"`   // who: blocked by an administrator
	Grant   map[string]grant  `yaml:"grant"`   // who: what an administrator gives
	Revoke  map[string]grant  `yaml:"revoke"`  // who: what an administrator takes back
	Replace *demoReplacement  `yaml:"replace"` // a bulk edit
	Follow  map[string]string `yaml:"follow"`  // who: follows the directory again in which project

	Asks  []demoAsk           `yaml:"asks"`
	Homes map[string][]string `yaml:"homes"` // who: the features of the home page
	Seats map[string]int      `yaml:"seats"` // of each billable feature
}

type grant = admin.GrantSpec

// A demoReplacement is what selected users get in the place of what they have.
type demoReplacement struct {
	Users    []string             `yaml:"users"`
	Project  directory.ProjectKey `yaml:"project"`
	NewGroup string               `yaml:"new_group"`
	Grants   []grant              `yaml:"grants"`
}

// A demoAsk is several people's question, or several questions of one.
type demoAsk struct {
	Who     string `yaml:"who"`
	Project string `yaml:"project"`
	Can     string `yaml:"can"` // "view integration/aws-prod", or several with commas
	Cannot  string `yaml:"cannot"`
}

func exampleNames() []string {
	files, err := fs.Glob(demoExamples, "demo/examples/*.yaml")
	if err != nil {
		return nil // the pattern is not a bad one
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(strings.TrimPrefix(f, "demo/examples/"), ".yaml")
	}
	return files
}

// listExamples is the help on all of them.
func listExamples() string {
	var b strings.Builder
	for _, name := range exampleNames() {
		if e, err := readExample(name); err == nil {
			fmt.Fprintf(&b, "  %-14s %s\n", name, e.Title)
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func readExample(name string) (*demoExample, error) {
	if !slices.Contains(exampleNames(), name) {
		return nil, usage("no example %q; there are %s", name, strings.Join(exampleNames(), ", "))
	}
	text, err := demoExamples.ReadFile("demo/examples/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the example: %w", err)
	}
	policy, err := deploy.Examples.ReadFile("examples/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("reading the policy of the example: %w", err)
	}
	e := &demoExample{name: name, policy: string(policy)}
	if err := yaml.Load(text, e, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("example %s: %w", name, err)
	}
	return e, nil
}

// chapters is the story of an example.
func (e *demoExample) chapters(s *demonstration) []chapter {
	s.source = e.Source
	all := []chapter{
		s.connect,
		func(ctx context.Context) error { return s.pushAll(ctx, e.people(), e.groups()) },
		func(ctx context.Context) error { return s.applyFile(ctx, "deploy/examples/"+e.name+".yaml", e.policy) },
	}
	for i := range e.Acts {
		act := &e.Acts[i]
		all = append(all, func(ctx context.Context) error {
			s.say("\n%d. %s", i+4, act.Title)
			if err := s.perform(ctx, act); err != nil {
				return err
			}
			return s.verify(ctx, act)
		})
	}
	return all
}

func userName(given string) string { return strings.ToLower(given) + "@example.com" }

func (e *demoExample) people() (all []demoPerson) {
	for _, name := range e.People {
		given, family, _ := strings.Cut(name, " ")
		all = append(all, demoPerson{userName(given), given, family})
	}
	return all
}

func (e *demoExample) groups() (all []demoGroup) {
	for _, g := range e.Groups {
		group := demoGroup{Name: g.Name, ID: g.ID}
		for _, m := range g.Members {
			group.Members = append(group.Members, userName(m))
		}
		all = append(all, group)
	}
	return all
}

// perform does what an act is about.
func (s *demonstration) perform(ctx context.Context, act *demoAct) error {
	return errors.Join(
		each(act.Add, func(who, group string) error {
			s.say("   PATCH /Groups/… %q add %s", group, who)
			value := []any{map[string]any{"value": s.ids[userName(who)]}}
			return s.patch(ctx, "/Groups/", group, map[string]any{"op": "add", "path": "members", "value": value})
		}),
		each(act.Remove, func(who, group string) error {
			s.say("   PATCH /Groups/… %q remove %s", group, who)
			return s.patch(ctx, "/Groups/", group, map[string]any{"op": "remove", "path": fmt.Sprintf("members[value eq %q]", s.ids[userName(who)])})
		}),
		each(act.Active, func(who string, active bool) error {
			s.say("   PATCH /Users/… %s active %t", who, active)
			return s.patch(ctx, "/Users/", userName(who), map[string]any{"op": "replace", "path": "active", "value": active})
		}),
		s.leave(ctx, act.Delete),
		s.administer(ctx, act),
	)
}

// leave deletes somebody as the identity provider does.
func (s *demonstration) leave(ctx context.Context, who string) error {
	if who == "" {
		return nil
	}
	s.say("   DELETE /Users/… %s", who)
	_, err := s.scim.do(ctx, http.MethodDelete, "/Users/"+s.ids[userName(who)], nil, nil)
	return err
}

// administer does the part of an administrator.
func (s *demonstration) administer(ctx context.Context, act *demoAct) error {
	service := s.daemon.service
	err := errors.Join(
		each(act.Block, func(who string, blocked bool) error {
			s.say("   usherd user %s %s", map[bool]string{true: "block", false: "unblock"}[blocked], userName(who))
			_, err := service.SetBlock(ctx, byDemo, userName(who), blocked, "demo")
			return err
		}),
		each(act.Grant, func(who string, g grant) error {
			s.say("   usherd user grant %s%s", userName(who), grantText(g))
			_, err := service.GrantToUser(ctx, byDemo, userName(who), g)
			return err
		}),
		each(act.Revoke, func(who string, g grant) error {
			s.say("   usherd user revoke %s%s", userName(who), grantText(g))
			_, err := service.RevokeFromUser(ctx, byDemo, userName(who), g)
			return err
		}),
		each(act.Follow, func(who, project string) error {
			s.say("   usherd override end %s --project %s", userName(who), project)
			_, err := service.EndOverride(ctx, byDemo, userName(who), directory.ProjectKey(project))
			return err
		}),
	)
	if err != nil || act.Replace == nil {
		return err
	}
	edit := admin.NewOverride{Project: act.Replace.Project, NewGroup: act.Replace.NewGroup, Grants: act.Replace.Grants, Reason: "demo"}
	for _, who := range act.Replace.Users {
		edit.Users = append(edit.Users, userName(who))
	}
	s.say("   usherd override set %s --project %s …", strings.Join(edit.Users, " "), edit.Project)
	_, err = service.SetOverride(ctx, byDemo, edit)
	return err
}

// grantText are the flags of the commands that grant and revoke, to repeat them.
func grantText(g grant) string {
	var b strings.Builder
	flag := func(name string, values ...string) {
		for _, v := range values {
			fmt.Fprintf(&b, " --%s %s", name, v)
		}
	}
	for _, role := range g.Roles {
		flag("role", string(role))
	}
	flag("access", g.Access...)
	flag("privilege", g.Role...)
	flag("output", g.Output...)
	for _, key := range slices.Sorted(maps.Keys(g.Integration)) {
		flag("integration", key+"="+g.Integration[key])
	}
	if g.Project != "" {
		flag("project", string(g.Project))
	}
	return b.String()
}

// each calls f for each key in order, up to the first error.
func each[V any](m map[string]V, f func(string, V) error) error {
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if err := f(key, m[key]); err != nil {
			return err
		}
	}
	return nil
}

// verify asks what an act asks.
func (s *demonstration) verify(ctx context.Context, act *demoAct) error {
	var asked []demoCheck
	for _, ask := range act.Asks {
		asked = append(append(asked, ask.checks(ask.Can, true)...), ask.checks(ask.Cannot, false)...)
	}
	if len(asked) > 0 {
		s.try = asked // those of the last act still have the same answers
	}
	for _, c := range asked {
		if err := s.check(ctx, c); err != nil {
			return err
		}
	}
	if err := each(act.Homes, func(who string, want []string) error { return s.home(ctx, who, want) }); err != nil {
		return err
	}
	return s.seats(ctx, act.Seats)
}

// checks reads a list of questions.
func (a *demoAsk) checks(list string, want bool) (all []demoCheck) {
	for question := range strings.SplitSeq(list, ",") {
		action, thing, ok := strings.Cut(strings.TrimSpace(question), " ")
		if typ, id, _ := strings.Cut(thing, "/"); ok {
			all = append(all, demoCheck{userName(a.Who), action, typ, id, a.Project, want})
		}
	}
	return all
}

// home compares somebody's home page.
func (s *demonstration) home(ctx context.Context, who string, want []string) error {
	got, err := s.daemon.service.Permissions(admin.WithPrincipal(ctx, byDemo), userName(who), "")
	if err != nil {
		return fmt.Errorf("the home page of %s: %w", who, err)
	}
	s.expect(slices.Equal(got.Access, want), "%-20s home page   %s", userName(who), strings.Join(got.Access, ", "))
	return nil
}

// seats compares what is billed.
func (s *demonstration) seats(ctx context.Context, want map[string]int) error {
	if want == nil {
		return nil
	}
	got, err := s.daemon.service.Seats(admin.WithPrincipal(ctx, byDemo))
	if err != nil {
		return fmt.Errorf("counting seats: %w", err)
	}
	return each(want, func(feature string, n int) error {
		s.expect(got[feature] == n, "seats of %-11s %d", feature, got[feature])
		return nil
	})
}

// expect says something, and whether it is what was expected.
func (s *demonstration) expect(right bool, format string, args ...any) {
	s.asked++
	mark := "✓"
	if !right {
		s.wrong++
		mark = "✗ expected otherwise"
	}
	s.say("   "+format+" %s", append(args, mark)...)
}
