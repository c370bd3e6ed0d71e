package authz_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// The ten rules of the decision, each with the claims that it makes.

func TestRule1DenyByDefault(t *testing.T) {
	w := newWorld(t)
	w.group("ad/empty")
	snap := authz.Compile(w.facts)
	for _, s := range []*directory.Subject{w.user(), w.user("ad/empty")} {
		w.expect(s, "access feature/part-list", authz.NoGrant)
		w.expect(s, "create integration/*", authz.NoGrant)
		p := snap.Permissions(s, "")
		if p.Code != authz.Granted || len(p.Access)+len(p.Role)+len(p.Output)+len(p.Integration)+len(p.Rights) != 0 {
			t.Errorf("Permissions = %+v, want an empty home page and no error", p)
		}
	}
	t.Run("zero values deny", func(t *testing.T) {
		var none *authz.Snapshot
		for _, d := range []authz.Decision{{}, none.Decide(w.user(), ask("access feature/wiki")), snap.Decide(nil, nil), snap.Decide(&directory.Subject{}, &authz.Request{})} {
			if d.Allow {
				t.Errorf("%+v allows", d)
			}
		}
	})
	t.Run("a number unknown to the snapshot gives nothing", func(t *testing.T) {
		s := w.user()
		s.Memberships = []directory.Membership{{Group: 0}, {Group: 99_999}}
		w.expect(s, "access feature/part-list", authz.NoGrant)
	})
}

func TestRule2UnionOverAllPaths(t *testing.T) {
	w := newWorld(t)
	w.group("ad/all")
	w.group("ad/engineers", "ad/all")
	w.group("ad/steel", "ad/engineers")
	w.group("ad/other")
	w.give("ad/all", "access part-list")
	w.give("ad/other", "access drawings")
	w.expect(w.user("ad/steel"), "access feature/part-list", authz.Granted)
	w.expect(w.user("ad/steel"), "access feature/drawings", authz.NoGrant)
	w.expect(w.user("ad/steel", "ad/other"), "access feature/drawings", authz.Granted)
	w.expect(w.own(w.user("ad/other"), "access wiki"), "access feature/wiki", authz.Granted)
	t.Run("a member of the outer group gets nothing from the inner one", func(t *testing.T) {
		w.give("ad/steel", "access wiki")
		w.expect(w.user("ad/all"), "access feature/wiki", authz.NoGrant)
	})
	t.Run("a cycle is legal and ends", func(t *testing.T) {
		w.at("ad/all").Parents = []directory.GroupNum{w.num("ad/steel")}
		w.expect(w.user("ad/all"), "access feature/wiki", authz.Granted)
		w.expect(w.user("ad/steel"), "access feature/part-list", authz.Granted)
		w.expect(w.user("ad/all"), "access feature/drawings", authz.NoGrant)
	})
}

func TestRule3HighestLevelWins(t *testing.T) {
	levels := []string{"none", "viewer", "consumer", "admin"}
	actions := []string{"view", "use", "manage"}
	rolesLevel := map[string]int{"": 0, "viewer": 1, "collaborator": 2, "admin": 3}
	for role, fromRole := range rolesLevel {
		for fromGroup := range levels {
			for own := range levels {
				w := newWorld(t)
				w.group("ad/g")
				w.give("ad/g", "integration aws-prod="+levels[fromGroup])
				if role != "" {
					w.give("ad/g", "Role "+role)
				}
				s := w.own(w.user("ad/g"), "integration aws-prod="+levels[own])
				best := max(fromRole, fromGroup, own)
				for i, action := range actions {
					want := authz.Granted
					switch {
					case best >= i+1:
					case best >= 1:
						want = authz.LevelTooLow
					default:
						want = authz.NoGrant
					}
					w.expect(s, action+" integration/aws-prod", want)
				}
			}
		}
	}
	t.Run("* covers every connection of the catalogue, also later ones", func(t *testing.T) {
		w := newWorld(t)
		s := w.own(w.user(), "integration *=consumer")
		w.facts.Policy.Policy.Integrations = append(w.facts.Policy.Policy.Integrations, directory.Integration{Key: "later"})
		w.expect(s, "use integration/later", authz.Granted)
		w.expect(s, "use integration/unknown", authz.UnknownResource)
	})
}

func TestRule4BlockedGroupsGiveNothing(t *testing.T) {
	build := func(t *testing.T) *world {
		w := newWorld(t)
		w.group("hr/outer")
		w.group("ad/middle", "hr/outer")
		w.group("ad/inner", "ad/middle")
		w.give("hr/outer", "access part-list")
		w.give("ad/middle", "access drawings")
		return w
	}
	w := build(t)
	w.expect(w.user("ad/inner"), "access feature/part-list", authz.Granted)
	for _, blocked := range []string{"hr/outer", "ad/middle", "ad/inner"} {
		t.Run(blocked+" cuts every path through it", func(t *testing.T) {
			w := build(t)
			w.at(blocked).Blocked = true
			w.expect(w.user("ad/inner"), "access feature/part-list", authz.BlockedGroup)
			w.at(blocked).Blocked = false
			w.expect(w.user("ad/inner"), "access feature/part-list", authz.Granted)
		})
	}
	t.Run("its own members get nothing", func(t *testing.T) {
		w := build(t)
		w.at("ad/middle").Blocked = true
		w.expect(w.user("ad/middle"), "access feature/drawings", authz.BlockedGroup)
		w.expect(w.user("ad/middle"), "access feature/part-list", authz.BlockedGroup)
		w.expect(w.user("hr/outer"), "access feature/part-list", authz.Granted)
	})
	t.Run("another path remains", func(t *testing.T) {
		w := build(t)
		w.group("ad/side", "hr/outer")
		w.at("ad/middle").Blocked = true
		w.expect(w.user("ad/inner", "ad/side"), "access feature/part-list", authz.Granted)
	})
	t.Run("a group of a disabled source counts as blocked", func(t *testing.T) {
		w := build(t)
		w.source("hr", directory.SourceDisabled)
		w.expect(w.user("ad/inner"), "access feature/part-list", authz.BlockedGroup)
		w.expect(w.user("ad/inner"), "access feature/drawings", authz.Granted)
		w.source("hr", directory.SourcePaused)
		w.expect(w.user("ad/inner"), "access feature/part-list", authz.Granted)
	})
}

func TestRule5OnlyActiveUsersHoldAnything(t *testing.T) {
	w := newWorld(t)
	with := func(f func(*directory.Subject)) *directory.Subject {
		s := w.own(w.user(), "Role owner", "access part-list")
		f(s)
		return s
	}
	const open = "access feature/part-list"
	w.expect(with(func(*directory.Subject) {}), open, authz.Granted)
	w.expect(with(func(s *directory.Subject) { s.Blocked = true }), open, authz.BlockedUser)
	w.expect(with(func(s *directory.Subject) { s.Inactive = true }), open, authz.InactiveUser)
	w.expect(with(func(s *directory.Subject) { s.Blocked, s.Inactive = true, true }), open, authz.BlockedUser)
	w.expect(with(func(s *directory.Subject) { s.Sources = []directory.SourceName{"ad", "unheard-of"} }), open, authz.InactiveUser)
	w.source("hr", directory.SourceDisabled)
	w.expect(with(func(s *directory.Subject) { s.Sources = []directory.SourceName{"ad", "hr"} }), open, authz.InactiveUser)
	w.expect(with(func(s *directory.Subject) { s.Sources = nil }), open, authz.Granted) // made here
	snap := authz.Compile(w.facts)
	blocked := with(func(s *directory.Subject) { s.Blocked = true })
	if d := snap.Has(blocked, directory.OrganizationOwn, ""); d.Allow || d.Code != authz.BlockedUser {
		t.Errorf("Has(blocked owner) = %+v, want blocked_user", d)
	}
	if p := snap.Permissions(blocked, ""); p.Code != authz.BlockedUser || len(p.Access)+len(p.Rights) > 0 {
		t.Errorf("Permissions(blocked owner) = %+v, want nothing", p)
	}
}

func TestRule6GrantsOfAGroupReachEveryMember(t *testing.T) {
	w := newWorld(t)
	w.group("ad/outer")
	w.group("ad/inner", "ad/outer")
	before := authz.Compile(w.facts)
	members := []*directory.Subject{w.user("ad/outer"), w.user("ad/inner"), w.user("ad/inner", "ad/outer")}
	changed := *w.at("ad/outer")
	changed.Grants = []directory.Grant{w.grant("access part-list")}
	after := before.Update(directory.Stretch{
		Records: []directory.FeedRecord{{Stamp: directory.Stamp{Revision: 2}}},
		Groups:  []directory.GroupFacts{changed},
	})
	for i, s := range members {
		if d := before.Decide(s, ask("access feature/part-list")); d.Allow {
			t.Errorf("member %d before: %+v", i, d)
		}
		if d := after.Decide(s, ask("access feature/part-list")); !d.Allow {
			t.Errorf("member %d after: %+v", i, d)
		}
	}
}

func TestRule7Scope(t *testing.T) {
	tests := []struct {
		name  string
		build func(*world) *directory.Subject
		none  authz.Code // in a check that names no project
		alpha authz.Code
		beta  authz.Code
	}{
		{"a path without a project counts in every check", func(w *world) *directory.Subject {
			w.group("ad/g")
			w.give("ad/g", "access part-list")
			return w.user("ad/g")
		}, authz.Granted, authz.Granted, authz.Granted},
		{"a grant limits", func(w *world) *directory.Subject {
			w.group("ad/g")
			w.give("ad/g", "access part-list in alpha")
			return w.user("ad/g")
		}, authz.OtherProject, authz.Granted, authz.OtherProject},
		{"a direct group limits", func(w *world) *directory.Subject {
			w.group("ad/g@alpha")
			w.give("ad/g", "access part-list")
			return w.user("ad/g")
		}, authz.OtherProject, authz.Granted, authz.OtherProject},
		{"a nested group limits", func(w *world) *directory.Subject {
			w.group("ad/top")
			w.group("ad/mid@alpha", "ad/top")
			w.group("ad/low", "ad/mid")
			w.give("ad/top", "access part-list")
			return w.user("ad/low")
		}, authz.OtherProject, authz.Granted, authz.OtherProject},
		{"the same project twice is one", func(w *world) *directory.Subject {
			w.group("ad/g@alpha")
			w.give("ad/g", "access part-list in alpha")
			return w.user("ad/g")
		}, authz.OtherProject, authz.Granted, authz.OtherProject},
		{"two projects on one path give nothing", func(w *world) *directory.Subject {
			w.group("ad/g@alpha")
			w.give("ad/g", "access part-list in beta")
			return w.user("ad/g")
		}, authz.OtherProject, authz.OtherProject, authz.OtherProject},
		{"two projects on two paths are two", func(w *world) *directory.Subject {
			return w.own(w.user(), "access part-list in alpha", "access part-list in beta")
		}, authz.OtherProject, authz.Granted, authz.Granted},
		{"a mapping's grant limits", func(w *world) *directory.Subject {
			w.group("ad/g")
			set := directory.GrantSet{Project: "alpha", Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}}
			w.mapping(directory.Mapping{Name: "m", When: directory.Selector{Source: "ad", Name: "G"}, Grants: []directory.GrantSet{set}})
			return w.user("ad/g")
		}, authz.OtherProject, authz.Granted, authz.OtherProject},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			s := tt.build(w)
			w.expect(s, "access feature/part-list", tt.none)
			w.expect(s, "access feature/part-list in alpha", tt.alpha)
			w.expect(s, "access feature/part-list in beta", tt.beta)
		})
	}
	t.Run("all places that name a project must agree", func(t *testing.T) {
		w := newWorld(t)
		snap := authz.Compile(w.facts)
		s := w.own(w.user(), "Role owner")
		for _, tt := range []struct {
			project, also directory.ProjectKey
			id            string
			want          authz.Code
		}{
			{"", "", "alpha", authz.Granted},
			{"alpha", "alpha", "alpha", authz.Granted},
			{"beta", "", "alpha", authz.AmbiguousProject},
			{"", "beta", "alpha", authz.AmbiguousProject},
			{"gone", "beta", "alpha", authz.UnknownProject},
			{"alpha", "", "gone", authz.UnknownResource},
		} {
			q := &authz.Request{SubjectType: "user", Action: "read", Type: "project", ID: tt.id, Project: tt.project, AlsoProject: tt.also}
			if got := snap.Decide(s, q); got.Code != tt.want {
				t.Errorf("Decide(%+v) = %v, want %v", q, got.Code, tt.want)
			}
		}
	})
}

func TestRule8UnknownIsDenied(t *testing.T) {
	w := newWorld(t)
	w.role("everything", nil, "integration *=admin", "role record:*:read")
	s := w.own(w.user(), "Role owner", "Role everything", "access part-list", "role part-list:edit", "output report")
	for text, want := range map[string]authz.Code{
		"access feature/none":              authz.UnknownResource,
		"edit feature/none":                authz.UnknownResource,
		"fly feature/part-list":            authz.UnknownAction,
		"generate output/none":             authz.UnknownResource,
		"access output/report":             authz.UnknownAction,
		"manage integration/none":          authz.UnknownResource,
		"fly integration/aws-prod":         authz.UnknownAction,
		"create integration/aws-prod":      authz.UnknownAction,
		"view integration/*":               authz.UnknownResource,
		"create integration/*":             authz.Granted,
		"read project/none":                authz.UnknownResource,
		"fly project/alpha":                authz.UnknownAction,
		"read record/anything":             authz.Granted,
		"fly record/anything":              authz.UnknownAction,
		"read record/*":                    authz.UnknownResource,
		"read email/x":                     authz.UnknownType,
		"read user/x":                      authz.UnknownType,
		"read nothing/x":                   authz.UnknownType,
		"access feature/part-list in x":    authz.UnknownProject,
		"access feature/none in x":         authz.UnknownResource,
		"create_sync integration/aws-prod": authz.ProjectRequired,
	} {
		w.expect(s, text, want)
	}
	snap := authz.Compile(w.facts)
	for typ, want := range map[string]authz.Code{
		"": authz.UnknownSubjectType, "group": authz.UnknownSubjectType, "User": authz.UnknownSubjectType,
		"service": authz.UnknownSubject, "email": authz.Granted, "external": authz.Granted, "user": authz.Granted,
	} {
		q := ask("access feature/part-list")
		q.SubjectType = typ
		if got := snap.Decide(s, q).Code; got != want {
			t.Errorf("Decide(subject type %q) = %v, want %v", typ, got, want)
		}
	}
	w.expect(&directory.Subject{}, "access feature/part-list", authz.UnknownSubject)
	w.expect(&directory.Subject{Found: directory.Ambiguous}, "access feature/part-list", authz.AmbiguousSubject)
}

func TestRule9Overrides(t *testing.T) {
	build := func(t *testing.T) *world {
		w := newWorld(t)
		w.group("ad/org")
		w.group("local/here")
		w.group("local/team@alpha")
		w.group("ad/crew@alpha")
		w.give("ad/org", "access part-list", "access drawings in alpha")
		w.give("local/here", "access wiki", "role part-list:edit in alpha")
		w.give("local/team", "output report")
		w.give("ad/crew", "integration aws-prod=admin")
		return w
	}
	member := func(w *world, scopes ...directory.ProjectKey) *directory.Subject {
		s := w.own(w.user("ad/org", "+local/here", "+local/team", "ad/crew"), "role drawings:edit in alpha")
		s.Overrides = scopes
		return s
	}
	asks := []string{
		"access feature/part-list in alpha", "access feature/drawings in alpha", "access feature/wiki in alpha",
		"edit feature/part-list in alpha", "generate output/report in alpha", "manage integration/aws-prod in alpha",
		"edit feature/drawings in alpha",
	}
	hid, ok := authz.HiddenByOverride, authz.Granted
	for _, tt := range []struct {
		name   string
		scopes []directory.ProjectKey
		want   []authz.Code
	}{
		{"without one everything counts", nil, []authz.Code{ok, ok, ok, ok, ok, ok, ok}},
		{
			"of the organization hides organization-wide paths from directories",
			[]directory.ProjectKey{""},
			[]authz.Code{hid, ok, ok, authz.MissingAccess, ok, ok, ok},
		},
		{
			"of a project hides its paths from directories and from organization-wide groups",
			[]directory.ProjectKey{"alpha"},
			[]authz.Code{ok, hid, ok, hid, ok, hid, authz.MissingAccess},
		},
		{"of another project hides nothing here", []directory.ProjectKey{"beta"}, []authz.Code{ok, ok, ok, ok, ok, ok, ok}},
		{
			"everywhere is one for each scope",
			[]directory.ProjectKey{"", "alpha"},
			[]authz.Code{hid, hid, ok, hid, ok, hid, authz.MissingAccess},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := build(t)
			for i, text := range asks {
				w.expect(member(w, tt.scopes...), text, tt.want[i])
			}
		})
	}
	t.Run("outranks neither a blocked group nor inactivity", func(t *testing.T) {
		w := build(t)
		w.at("local/team").Blocked = true
		w.expect(member(w, "", "alpha"), "generate output/report in alpha", authz.BlockedGroup)
		s := member(w, "", "alpha")
		s.Inactive = true
		w.expect(s, "access feature/wiki in alpha", authz.InactiveUser)
	})
	t.Run("a detour through a project on a cycle brings nothing back", func(t *testing.T) {
		w := newWorld(t)
		w.group("ad/a")
		w.group("ad/b@alpha", "ad/a")
		w.at("ad/a").Parents = []directory.GroupNum{w.num("ad/b")}
		w.give("ad/a", "access part-list")
		s := w.user("ad/a")
		w.expect(s, "access feature/part-list in alpha", authz.Granted)
		s.Overrides = []directory.ProjectKey{""}
		w.expect(s, "access feature/part-list in alpha", authz.HiddenByOverride)
	})
}

func TestRule10EveryDecisionIsExplained(t *testing.T) {
	w := newWorld(t)
	w.group("hr/staff")
	w.group("ad/Engineering", "hr/staff")
	w.at("ad/Engineering").DN = "CN=Engineering,DC=example"
	w.give("hr/staff", "Role viewer", "access part-list")
	w.mapping(directory.Mapping{Name: "engineers", When: directory.Selector{Source: "ad", DN: "cn=engineering, dc=example"}, Grants: []directory.GrantSet{
		{Privileges: []directory.Privilege{{Kind: directory.IntegrationLevel, Key: "aws-prod", Level: directory.Consumer}}},
	}}, "ad/Engineering")
	snap := authz.Compile(w.facts)
	s := w.user("ad/Engineering")

	t.Run("an allow by all its paths, the highest level first", func(t *testing.T) {
		e := snap.Explain(s, ask("view integration/aws-prod"))
		if len(e.Parts) != 1 || len(e.Parts[0].Paths) != 2 {
			t.Fatalf("Explain = %+v, want one part with two paths", e)
		}
		first, second := e.Parts[0].Paths[0], e.Parts[0].Paths[1]
		if !first.Wins || first.Mapping != "engineers" || first.Groups[0].DN != "CN=Engineering,DC=example" {
			t.Errorf("winner = %+v, want the mapping's consumer", first)
		}
		if second.Wins || second.Role != "viewer" || second.Right != directory.IntegrationsViewAll || len(second.Groups) != 2 {
			t.Errorf("second = %+v, want the Role viewer over nesting", second)
		}
	})
	t.Run("a deny by the nearest miss of each kind and who could change it", func(t *testing.T) {
		w.at("hr/staff").Blocked = true
		s := w.own(w.user("ad/Engineering"), "access part-list in beta")
		e := authz.Compile(w.facts).Explain(s, ask("access feature/part-list in alpha"))
		var codes []authz.Code
		for _, miss := range e.Parts[0].Misses {
			codes = append(codes, miss.Code)
		}
		if want := []authz.Code{authz.BlockedGroup, authz.OtherProject}; !slices.Equal(codes, want) || e.Decision.Code != want[0] {
			t.Errorf("misses = %v with %v, want %v", codes, e.Decision.Code, want)
		}
		fixes := e.Parts[0].Fixes
		if len(fixes) != 2 || fixes[0].Right != directory.GroupsManage || !slices.Contains(fixes[0].Roles, directory.RoleAdmin) ||
			fixes[1].Right != directory.ProjectManage || !slices.Contains(fixes[1].Roles, directory.RoleProjectAdmin) {
			t.Errorf("fixes = %+v, want unblocking by groups.manage and a grant by project.manage", fixes)
		}
	})
}

func TestBuiltInRolesGiveExactlyTheTable(t *testing.T) {
	type row struct {
		role                         directory.RoleName
		view, use, manage, create    bool
		read, syncs, administer, own bool
	}
	for _, r := range []row{
		{"owner", true, true, true, true, true, true, true, true},
		{"admin", true, true, true, true, true, true, true, false},
		{"collaborator", true, true, false, false, false, false, false, false},
		{"viewer", true, false, false, false, false, false, false, false},
		{"auditor", false, false, false, false, false, false, false, false},
		{"operator", false, false, false, false, false, false, false, false},
		{"project-none", false, false, false, false, false, false, false, false},
		{"project-viewer", false, false, false, false, true, false, false, false},
		{"project-collaborator", false, false, false, false, true, true, false, false},
		{"project-admin", false, false, false, false, true, true, true, false},
	} {
		w := newWorld(t)
		snap := authz.Compile(w.facts)
		s := w.own(w.user(), "Role "+string(r.role))
		for text, want := range map[string]bool{
			"view integration/aws-prod": r.view, "use integration/aws-prod": r.use, "manage integration/aws-prod": r.manage,
			"create integration/*": r.create,
			"read project/alpha":   r.read, "manage_syncs project/alpha": r.syncs, "manage project/alpha": r.administer,
			"create_sync integration/aws-prod in alpha": r.use && r.syncs,
			"access feature/part-list":                  false, "generate output/report": false,
		} {
			if got := snap.Decide(s, ask(text)); got.Allow != want {
				t.Errorf("%s: Decide(%s) = %+v, want %v", r.role, text, got, want)
			}
		}
		if got := snap.Has(s, directory.OrganizationOwn, "").Allow; got != r.own {
			t.Errorf("%s: Has(organization.own) = %v, want %v", r.role, got, r.own)
		}
		role, _ := snap.Role(r.role)
		for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
			if got, want := snap.Has(s, right, "").Allow, slices.Contains(role.Rights, right); got != want {
				t.Errorf("%s: Has(%s) = %v, want %v: no right implies another", r.role, right, got, want)
			}
		}
	}
}

func TestOrganizationRightsCountOnlyWithoutAProject(t *testing.T) {
	w := newWorld(t)
	w.group("ad/crew@alpha")
	w.give("ad/crew", "Role admin")
	crew := w.user("ad/crew")
	w.expect(crew, "view integration/aws-prod in alpha", authz.OtherProject)
	w.expect(crew, "create integration/* in alpha", authz.OtherProject)
	w.expect(crew, "manage project/alpha", authz.Granted) // a project right of the same Role
	w.expect(crew, "manage project/beta", authz.OtherProject)
	own := w.own(w.user(), "Role admin in alpha")
	w.expect(own, "view integration/aws-prod in alpha", authz.OtherProject)
	w.expect(own, "manage project/alpha", authz.Granted)
}

func TestAccessMustCountInTheSameCheck(t *testing.T) {
	w := newWorld(t)
	s := w.own(w.user(), "access part-list in alpha", "role part-list:edit", "output cut-list-pdf")
	w.expect(s, "edit feature/part-list", authz.MissingAccess)
	w.expect(s, "edit feature/part-list in alpha", authz.Granted)
	w.expect(s, "edit feature/part-list in beta", authz.MissingAccess)
	w.expect(s, "generate output/cut-list-pdf", authz.MissingAccess)
	w.expect(s, "generate output/cut-list-pdf in alpha", authz.Granted)
	w.expect(s, "generate output/report", authz.NoGrant)
	w.expect(w.own(w.user(), "output report", "role record:r:read"), "generate output/report", authz.Granted)
	t.Run("missing_access is said only if the privilege itself counts", func(t *testing.T) {
		w.expect(w.user(), "edit feature/part-list", authz.NoGrant)
		w.expect(w.own(w.user(), "role part-list:edit in beta"), "edit feature/part-list in alpha", authz.OtherProject)
	})
}

func TestOtherThingsAreKeyedByTypeIDAndAction(t *testing.T) {
	w := newWorld(t)
	w.group("ad/g")
	w.give("ad/g", "role record:a:b:read", "role record:r1:write")
	s := w.user("ad/g")
	w.expect(s, "read record/a:b", authz.Granted)
	w.expect(s, "write record/a:b", authz.NoGrant)
	w.expect(s, "write record/r1", authz.Granted)
	w.expect(s, "write record/r10", authz.NoGrant)
	w.expect(s, "read record/a", authz.NoGrant)
	w.give("ad/g", "role record:*:read")
	w.expect(s, "read record/whatever", authz.Granted)
	w.expect(s, "write record/whatever", authz.NoGrant)
}

func TestCreateSyncNeedsBothHalves(t *testing.T) {
	for _, tt := range []struct {
		grants []string
		want   authz.Code
	}{
		{nil, authz.NoGrant},
		{[]string{"integration aws-prod=consumer"}, authz.NoGrant},
		{[]string{"Role project-collaborator in alpha"}, authz.NoGrant},
		{[]string{"integration aws-prod=viewer", "Role project-collaborator in alpha"}, authz.LevelTooLow},
		{[]string{"integration aws-prod=viewer", "Role project-collaborator in beta"}, authz.LevelTooLow},
		{[]string{"integration aws-prod=consumer", "Role project-collaborator in beta"}, authz.OtherProject},
		{[]string{"integration aws-prod=consumer", "Role project-collaborator in alpha"}, authz.Granted},
		{[]string{"integration aws-prod=consumer in alpha", "Role project-collaborator"}, authz.Granted},
	} {
		w := newWorld(t)
		w.expect(w.own(w.user(), tt.grants...), "create_sync integration/aws-prod in alpha", tt.want)
	}
}

func TestDefaultRole(t *testing.T) {
	build := func(t *testing.T) *world {
		w := newWorld(t)
		w.facts.Policy.Policy.DefaultRole = "viewer"
		w.group("ad/g")
		return w
	}
	const view = "view integration/aws-prod"
	for _, tt := range []struct {
		name string
		user func(*world) *directory.Subject
		want authz.Code
	}{
		{"counts for a user without a Role", func(w *world) *directory.Subject { return w.user("ad/g") }, authz.Granted},
		{"counts beside privileges and project Roles", func(w *world) *directory.Subject {
			return w.own(w.user(), "access part-list", "Role project-admin in alpha")
		}, authz.Granted},
		{"does not count beside any organization-wide Role", func(w *world) *directory.Subject {
			return w.own(w.user(), "Role project-none")
		}, authz.NoGrant},
		{"does not count beside a Role of a group", func(w *world) *directory.Subject {
			w.give("ad/g", "Role auditor")
			return w.user("ad/g")
		}, authz.NoGrant},
		{"counts again when that group is blocked", func(w *world) *directory.Subject {
			w.give("ad/g", "Role auditor")
			w.at("ad/g").Blocked = true
			return w.user("ad/g")
		}, authz.Granted},
		{"does not count for a service", func(w *world) *directory.Subject {
			s := w.user()
			s.Type = directory.Service
			return s
		}, authz.NoGrant},
		{"does not count under an override of the organization", func(w *world) *directory.Subject {
			s := w.user()
			s.Overrides = []directory.ProjectKey{""}
			return s
		}, authz.NoGrant},
		{"counts under an override of a project", func(w *world) *directory.Subject {
			s := w.user()
			s.Overrides = []directory.ProjectKey{"alpha"}
			return s
		}, authz.Granted},
		{"does not count for the inactive", func(w *world) *directory.Subject {
			s := w.user()
			s.Inactive = true
			return s
		}, authz.InactiveUser},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := build(t)
			s := tt.user(w)
			w.expect(s, view, tt.want)
			p := authz.Compile(w.facts).Permissions(s, "")
			if shown := p.DefaultRole == "viewer"; shown != (tt.want == authz.Granted) {
				t.Errorf("Permissions shows default Role %q", p.DefaultRole)
			}
		})
	}
}

func TestServiceAccounts(t *testing.T) {
	w := newWorld(t)
	s := w.own(w.user(), "access part-list")
	s.Type = directory.Service
	snap := authz.Compile(w.facts)
	for _, typ := range []string{"user", "service"} {
		q := ask("access feature/part-list")
		q.SubjectType = typ
		if d := snap.Decide(s, q); !d.Allow {
			t.Errorf("Decide(service account as %s) = %+v, want granted", typ, d)
		}
	}
	if seats := snap.Seats(s); len(seats) != 0 {
		t.Errorf("Seats(service) = %v, want none", seats)
	}
}

func TestMappings(t *testing.T) {
	part := []directory.GrantSet{{Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}}}
	admin := []directory.GrantSet{{Roles: []directory.RoleName{"operator"}, Privileges: part[0].Privileges}}
	const open = "access feature/part-list"
	for _, tt := range []struct {
		name     string
		when     directory.Selector
		grants   []directory.GrantSet
		bindings []string
		want     authz.Code
	}{
		{"a name matches canonically", directory.Selector{Source: "ad", Name: "ENG"}, part, nil, authz.Granted},
		{"a name matches in its source only", directory.Selector{Source: "hr", Name: "eng"}, part, nil, authz.NoGrant},
		{"a pattern matches the whole name", directory.Selector{Source: "ad", Pattern: "E?g"}, part, nil, authz.Granted},
		{"a pattern does not match a part", directory.Selector{Source: "ad", Pattern: "en"}, part, nil, authz.NoGrant},
		{"a dn gives nothing until it is bound", directory.Selector{Source: "ad", DN: "cn=eng"}, part, nil, authz.NoGrant},
		{"a bound dn gives, whatever the group is called now", directory.Selector{Source: "ad", DN: "cn=old"}, part, []string{"ad/eng"}, authz.Granted},
		{"a suspended binding gives nothing", directory.Selector{Source: "ad", ID: "7"}, part, []string{"?ad/eng"}, authz.SuspendedMapping},
		{"a binding of another source gives nothing", directory.Selector{Source: "hr", ID: "7"}, part, []string{"ad/eng"}, authz.NoGrant},
		{"with an administration right a name must be bound", directory.Selector{Source: "ad", Name: "eng"}, admin, nil, authz.NoGrant},
		{"with an administration right a bound name gives", directory.Selector{Source: "ad", Name: "eng"}, admin, []string{"ad/eng"}, authz.Granted},
		{"with an administration right a later group waits", directory.Selector{Source: "ad", Pattern: "*"}, admin, []string{"?ad/eng"}, authz.SuspendedMapping},
		{"stale bindings of a mapping that follows names are ignored", directory.Selector{Source: "ad", Name: "eng"}, part, []string{"?ad/eng"}, authz.Granted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.group("ad/eng")
			w.mapping(directory.Mapping{Name: "m", When: tt.when, AllowAdmin: true, Grants: tt.grants}, tt.bindings...)
			w.expect(w.user("ad/eng"), open, tt.want)
		})
	}
	t.Run("a name that two groups of the source bear gives nothing", func(t *testing.T) {
		w := newWorld(t)
		w.group("ad/eng")
		w.group("hr/eng")
		w.mapping(directory.Mapping{Name: "m", When: directory.Selector{Source: "ad", Name: "eng"}, Grants: part})
		w.expect(w.user("ad/eng"), open, authz.Granted)
		w.group("ad/Eng")
		w.expect(w.user("ad/eng"), open, authz.NoGrant)
	})
}

func TestCodesKeepTheirNamesAndOrder(t *testing.T) {
	const names = "undecided unknown_subject_type ambiguous_subject unknown_subject blocked_user inactive_user unknown_type " +
		"unknown_resource unknown_action unknown_project ambiguous_project project_required missing_access level_too_low " +
		"blocked_group other_project hidden_by_override suspended_mapping no_grant granted"
	var got string
	for c := authz.Undecided; c <= authz.Granted; c++ {
		got += " " + c.String()
		var back authz.Code
		if text, err := c.MarshalText(); err != nil || back.UnmarshalText(text) != nil || back != c {
			t.Errorf("%v does not survive MarshalText", c)
		}
	}
	if got[1:] != names {
		t.Errorf("codes = %s, want %s", got[1:], names)
	}
	var c authz.Code
	if err := c.UnmarshalText([]byte("nonsense")); err == nil {
		t.Error("UnmarshalText(nonsense) has no error")
	}
}

func TestFixedNumbersFitTheRights(t *testing.T) {
	w := newWorld(t)
	for _, rights := range [][]directory.Right{directory.OrganizationRights, directory.ProjectRights} {
		for _, right := range rights {
			w.role("only "+string(right), []directory.Right{right})
		}
	}
	snap := authz.Compile(w.facts)
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		s := w.own(w.user(), fmt.Sprint("Role only ", right))
		for _, other := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
			if got := snap.Has(s, other, "alpha").Allow; got != (right == other) {
				t.Errorf("Has(%s) by a Role with %s = %v", other, right, got)
			}
		}
	}
}
