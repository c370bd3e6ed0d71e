package authz_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// refHoldings are everything that somebody holds in checks of a project, by the
// reference. In a project that the catalogue does not know nothing more is held
// than elsewhere.
func refHoldings(r ref, project directory.ProjectKey) map[authz.Holding]bool {
	held := map[authz.Holding]bool{}
	p := r.facts.Policy.Policy
	if !slices.ContainsFunc(p.Projects, func(k directory.Project) bool { return k.Key == project }) {
		project = ""
	}
	ask := func(kind directory.PrivilegeKind, key string, level directory.Level, typ, id, action string) {
		q := authz.Request{SubjectType: "user", Type: typ, ID: id, Action: action, Project: project}
		if r.decide(q) == authz.Granted {
			held[authz.Holding{Privilege: directory.Privilege{Kind: kind, Key: key, Level: level}}] = true
		}
	}
	for _, f := range p.Features {
		ask(directory.Access, f.Key, 0, "feature", f.Key, "access")
		for _, a := range f.Actions {
			ask(directory.RolePrivilege, f.Key+":"+a, 0, "feature", f.Key, a)
		}
	}
	for _, o := range p.Outputs {
		ask(directory.OutputPrivilege, o.Key, 0, "output", o.Key, "generate")
	}
	for _, i := range p.Integrations {
		for l, action := range []string{"view", "use", "manage"} {
			ask(directory.IntegrationLevel, i.Key, directory.Level(l+1), "integration", i.Key, action)
		}
	}
	for _, t := range p.Resources {
		for _, a := range t.Actions {
			for _, id := range []string{"r1", "a:b", "x"} {
				ask(directory.RolePrivilege, t.Type+":"+id+":"+a, 0, t.Type, id, a)
			}
			ask(directory.RolePrivilege, t.Type+":*:"+a, 0, t.Type, "nobody names this", a)
		}
	}
	for _, right := range slices.Concat(directory.OrganizationRights, directory.ProjectRights) {
		if r.person("user") == authz.Granted && r.right(project, right) == authz.Granted {
			held[authz.Holding{Right: right}] = true
		}
	}
	return held
}

// newly is what one of two sets has more. An action on a thing does not count
// where the same action on every thing is in either.
func newly(was, is map[authz.Holding]bool) map[authz.Holding]bool {
	more := map[authz.Holding]bool{}
	for h := range is {
		typ, _, action, thing := directory.SplitRoleKey(h.Privilege.Key)
		star := authz.Holding{Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: typ + ":*:" + action}}
		covered := thing && typ != "feature" && h != star && (was[star] || is[star])
		if !was[h] && !covered {
			more[h] = true
		}
	}
	return more
}

// refShift is what somebody gains and loses, and the billable features of which
// a seat is taken, by the reference.
func refShift(before, after directory.Facts, old, now directory.Subject) (gains, loses map[authz.Holding]bool, was, is []string) {
	one, two := newRef(newRefWorld(before), &old), newRef(newRefWorld(after), &now)
	gains, loses = map[authz.Holding]bool{}, map[authz.Holding]bool{}
	up, down := newly(refHoldings(one, ""), refHoldings(two, "")), newly(refHoldings(two, ""), refHoldings(one, ""))
	maps.Copy(gains, up)
	maps.Copy(loses, down)
	seats := [2]map[string]bool{{}, {}}
	for _, p := range []directory.ProjectKey{"", "p", "q", "new"} {
		had, has := refHoldings(one, p), refHoldings(two, p)
		for h := range newly(had, has) {
			if !up[h] {
				h.Project = p
				gains[h] = true
			}
		}
		for h := range newly(has, had) {
			if !down[h] {
				h.Project = p
				loses[h] = true
			}
		}
		for side, held := range []map[authz.Holding]bool{had, has} {
			f, s := []directory.Facts{before, after}[side], []directory.Subject{old, now}[side]
			for _, feature := range f.Policy.Policy.Features {
				h := authz.Holding{Privilege: directory.Privilege{Kind: directory.Access, Key: feature.Key}}
				if feature.Seat != nil && s.Type == directory.Standard && held[h] {
					seats[side][feature.Key] = true
				}
			}
		}
	}
	return gains, loses, slices.Sorted(maps.Keys(seats[0])), slices.Sorted(maps.Keys(seats[1]))
}

// selected reports whether a store would select somebody.
func selected(who directory.People, s directory.Subject) bool {
	return who.Everyone || who.Granted && len(s.Grants) > 0 || who.Overridden && len(s.Overrides) > 0 ||
		slices.ContainsFunc(s.Memberships, func(m directory.Membership) bool { return slices.Contains(who.Groups, m.Group) }) ||
		slices.ContainsFunc(s.Sources, func(n directory.SourceName) bool { return slices.Contains(who.Sources, n) })
}

// redraw alters the catalogue, besides what alter does.
func redraw(t *rapid.T, p directory.Policy) directory.Policy {
	p.Features, p.Projects = slices.Clone(p.Features), slices.Clone(p.Projects)
	p.Outputs, p.Integrations = slices.Clone(p.Outputs), slices.Clone(p.Integrations)
	switch upTo(t, 9, "redraw") {
	case 0:
		p.Features, p.Outputs[0].Feature = p.Features[1:], ""
	case 1:
		p.Features = slices.Insert(p.Features, 0, directory.Feature{Key: "gone", Actions: []string{"edit"}})
	case 2:
		p.Features[0].Actions = []string{"lost", "edit"}
	case 3:
		p.Outputs[0].Feature = pick(t, "", "f2")
	case 4:
		p.Integrations = append([]directory.Integration{{Key: "c0"}}, p.Integrations...)
	case 5:
		p.Integrations = p.Integrations[1:]
	case 6:
		p.Projects = append([]directory.Project{{Key: "new"}}, p.Projects[1:]...)
	case 7:
		p.Resources = []directory.ResourceType{{Type: "lost", Actions: []string{"read"}}, {Type: "record", Actions: []string{"burn", "read"}}}
	case 8:
		p.Features[0].Seat = &directory.Seat{Monthly: "7.00", Currency: pick(t, "EUR", "USD")}
	}
	return p
}

// TestWhatIfEqualsDecidingEverything compares a Comparison, which looks at few,
// with the reference, which decides everything for everybody.
func TestWhatIfEqualsDecidingEverything(t *testing.T) {
	organizations(t, 5, func(t *rapid.T) {
		f := randomFacts(t)
		f.Policy.Policy.Features[0].Seat = &directory.Seat{Monthly: "4.00", Currency: "EUR"}
		after, stretch := alter(t, f)
		if len(after.Policy.Policy.Features) == 2 && after.Policy.Policy.Features[0].Seat == nil {
			after.Policy.Policy.Features[0].Seat = f.Policy.Policy.Features[0].Seat
		}
		before := authz.Compile(f)
		then := before.Update(stretch)
		if stretch.Policy != nil || chance(t, 40) {
			if chance(t, 50) {
				after.Policy.Policy = redraw(t, after.Policy.Policy)
			}
			then = authz.Compile(after)
		}
		c := authz.Compare(before, then)
		who := c.People()
		type want struct {
			gains, loses map[authz.Holding]bool
			was, is      []string
		}
		wants := map[directory.UserID]want{}
		seats := map[string]int{}
		var crowd []directory.Subject
		for i := range 6 {
			s := randomSubject(t)
			if chance(t, 60) {
				s.Overrides = nil
			}
			if chance(t, 60) {
				s.Grants = nil
			}
			s.ID = directory.UserID(fmt.Sprint("user", i))
			now := s
			if i == 0 {
				now = randomSubject(t)
				now.ID = s.ID
			}
			var w want
			w.gains, w.loses, w.was, w.is = refShift(f, after, s, now)
			wants[s.ID] = w
			for _, key := range w.was {
				seats[key]--
			}
			for _, key := range w.is {
				seats[key]++
			}
			crowd = append(crowd, s)
			switch {
			case i == 0:
				c.Add(&s, &now)
			case selected(who, s):
				c.Add(&s, &s)
			}
		}
		d := c.Difference()
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("%s\ncrowd: %s\nselected: %+v\nbefore: %s\nafter: %s", fmt.Sprintf(format, args...), text(crowd), who, text(f), text(after))
		}
		for _, shift := range d.Shifts {
			w := wants[shift.User]
			delete(wants, shift.User)
			if !maps.Equal(w.gains, setOfHoldings(shift.Gains)) || !maps.Equal(w.loses, setOfHoldings(shift.Loses)) {
				fail("%s gains %v and loses %v, want %v and %v", shift.User, shift.Gains, shift.Loses, w.gains, w.loses)
			}
			for _, why := range slices.Concat(shift.WhyGains, shift.WhyLoses) {
				if why.Text == "" {
					fail("%s gains or loses without a cause: %+v", shift.User, shift)
				}
			}
		}
		for id, w := range wants {
			if len(w.gains)+len(w.loses) > 0 {
				fail("nothing is said of %s, who gains %v and loses %v", id, w.gains, w.loses)
			}
		}
		for _, row := range d.Seats {
			if row.Total {
				continue // of repriced features: counted by CountSeats only
			}
			if seats[row.Feature] != row.Delta {
				fail("seats of %s: delta %d, want %d", row.Feature, row.Delta, seats[row.Feature])
			}
			delete(seats, row.Feature)
		}
	})
}

func setOfHoldings(list []authz.Holding) map[authz.Holding]bool {
	set := map[authz.Holding]bool{}
	for _, h := range list {
		set[h] = true
	}
	return set
}
