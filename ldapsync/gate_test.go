package ldapsync

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// crowd is a directory of n people, a group of them all, and an admin group of
// the first two.
func crowd(n int) *world {
	w := newWorld()
	var all []string
	for i := range n {
		id := fmt.Sprintf("p%03d", i)
		w.person(id, "user"+id, "a")
		all = append(all, w.people[id].DN)
	}
	w.group("g-all", "all", all...)
	w.group("g-admins", "admins", all[:2]...)
	w.group("g-wheel", "wheel", all[:2]...)
	return w
}

// judge applies w, alters it, and judges the plan of the second read.
func judge(t *testing.T, w *world, recent Taken, alter func(*world)) (*Plan, Verdict) {
	t.Helper()
	store := newMapStore()
	w.step(t, store, noon)
	admins := map[directory.GroupID]bool{}
	for id, g := range store.groups {
		if g.Name == "admins" {
			admins[id] = true
		}
	}
	alter(w)
	p := w.diff(t, store, noon)
	return p, verdict(t, p, GateConfig{Thresholds: Thresholds{}.withDefaults(), Now: noon, Recent: recent, AdminGroups: admins})
}

func verdict(t *testing.T, p *Plan, c GateConfig) Verdict {
	t.Helper()
	v, err := Gate(p, c)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (w *world) drop(ids ...int) {
	for _, i := range ids {
		delete(w.people, fmt.Sprintf("p%03d", i))
	}
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i + 2 // not the administrators
	}
	return out
}

func (w *world) disable(n int) {
	for _, i := range upTo(n) {
		id := fmt.Sprintf("p%03d", i)
		p := w.people[id]
		p.Active = false
		w.people[id] = p
	}
}

// rename gives names by a format to some, under the DNs that they have.
func (w *world) rename(n int, format string) {
	for _, id := range sortedKeys(w.people)[:n] {
		p := w.people[id]
		p.UserName = fmt.Sprintf(format, p.UserName)
		w.people[id] = p
	}
}

// replaceAdmins makes n others the administrators.
func (w *world) replaceAdmins(n int) {
	w.setMembers("g-admins", n+2)
	g := w.groups["g-admins"]
	g.members = g.members[2:]
	w.groups["g-admins"] = g
}

func (w *world) unlock(n int) {
	for _, i := range upTo(n) {
		id := fmt.Sprintf("p%03d", i)
		p := w.people[id]
		p.Active = true
		w.people[id] = p
	}
}

func (w *world) setMembers(group string, n int) {
	g := w.groups[group]
	g.members = nil
	for i := range n {
		g.members = append(g.members, fmt.Sprintf("uid=userp%03d,ou=a,dc=x", i))
	}
	w.groups[group] = g
}

// small empties the first n small groups, or replaces them by others that have
// their names and members; with n = 0 it takes all away.
func (w *world) small(n int, members []string) {
	for i := range 12 {
		id, name := fmt.Sprintf("g-%02d", i), fmt.Sprintf("small%02d", i)
		switch {
		case n == 0:
			delete(w.groups, id)
		case i < n && members != nil:
			w.group("other-"+id, name, members...)
		case i < n:
			w.group(id, name)
		}
	}
}

func TestTheGate(t *testing.T) {
	for _, c := range []struct {
		name   string
		people int
		locked int
		nested bool // a group of groups
		alter  func(*world)
		recent Taken
		holds  string // part of a reason; empty: all passes
		whole  bool
	}{
		{name: "19 disabled are below the minimum", people: 100, alter: func(w *world) { w.disable(19) }},
		{name: "20 of 100 disabled are held", people: 100, alter: func(w *world) { w.disable(20) }, holds: "20 of 100 people", whole: true},
		{name: "20 of 400 are 5 % and pass", people: 400, alter: func(w *world) { w.disable(20) }},
		{name: "21 of 400 are held", people: 400, alter: func(w *world) { w.disable(21) }, holds: "21 of 400", whole: true},
		{name: "gone counts as disabled", people: 100, alter: func(w *world) { w.drop(upTo(20)...) }, holds: "20 of 100 people", whole: true},
		{name: "what earlier runs took counts", people: 400, recent: Taken{Disabled: 15}, alter: func(w *world) { w.disable(8) }, holds: "23 of 415", whole: true},
		{name: "what earlier runs took holds nothing else", people: 100, recent: Taken{Disabled: 50}, alter: func(w *world) { w.person("new", "new", "a") }},
		{name: "a fifth of a group's members passes", people: 100, alter: func(w *world) { w.setMembers("g-all", 80) }},
		{name: "more than a fifth is held", people: 100, alter: func(w *world) { w.setMembers("g-all", 79) }, holds: `"all" would lose 21 of 100`, whole: true},
		{name: "a small group may lose all", people: 20, alter: func(w *world) { w.setMembers("g-all", 0) }},
		{name: "a deleted group loses its members", people: 100, alter: func(w *world) { delete(w.groups, "g-all") }, holds: `"all" would lose 100 of 100`, whole: true},
		{name: "no people", people: 5, alter: func(w *world) { clear(w.people) }, holds: "no people at all", whole: true},
		{name: "no groups", people: 5, alter: func(w *world) { clear(w.groups) }, holds: "no groups at all", whole: true},
		{name: "an emptied administrators' group", people: 5, alter: func(w *world) { w.setMembers("g-admins", 0) }, holds: "would be emptied", whole: true},
		{name: "an administrators' group that is gone", people: 5, alter: func(w *world) { delete(w.groups, "g-admins") }, holds: "would be emptied", whole: true},
		{name: "five new administrators", people: 50, alter: func(w *world) { w.setMembers("g-admins", 7) }},
		{name: "six new administrators", people: 50, alter: func(w *world) { w.setMembers("g-admins", 8) }, holds: "grow by 6"},
		{name: "administrators who are all replaced, by few", people: 50, alter: func(w *world) { w.replaceAdmins(5) }},
		{name: "administrators who are all replaced, by many", people: 50, alter: func(w *world) { w.replaceAdmins(6) }, holds: "would be emptied while", whole: true},
		{name: "six in another group", people: 50, alter: func(w *world) { w.setMembers("g-wheel", 8) }},
		{name: "six through a nested group", people: 50, alter: func(w *world) {
			w.group("g-admins", "admins", "uid=userp000,ou=a,dc=x", "uid=userp001,ou=a,dc=x", "cn=all,dc=x")
		}, holds: "grow by 48"},
		{name: "19 other names are below the minimum", people: 100, alter: func(w *world) { w.rename(19, "%s@corp.example") }},
		{name: "20 of 100 other names are held", people: 100, alter: func(w *world) { w.rename(20, "%s@corp.example") }, holds: "20 of 100 people would get another userName", whole: true},
		{name: "20 of 400 are 5 % and pass, too", people: 400, alter: func(w *world) { w.rename(20, "%s@corp.example") }},
		{name: "another spelling is no other name", people: 100, alter: func(w *world) { w.rename(100, " %s ") }},
		{name: "ids that all change", people: 10, alter: func(w *world) {
			for _, id := range sortedKeys(w.people) {
				p := w.people[id]
				p.ExternalID = "other-" + id
				delete(w.people, id)
				w.people[p.ExternalID] = p
			}
		}, holds: "another stable id", whole: true},
		{name: "members of small groups that nobody may read", people: 50, alter: func(w *world) { w.small(12, nil) }, holds: "12 of 15 groups would lose all", whole: true},
		{name: "small groups with other ids", people: 50, alter: func(w *world) {
			w.small(0, nil)
			w.small(12, []string{"uid=userp003,ou=a,dc=x"})
		}, holds: "12 of 15 groups would lose all", whole: true},
		{name: "nine small groups of fifteen", people: 50, alter: func(w *world) { w.small(9, nil) }},
		{name: "all members of very few groups", people: 5, alter: func(w *world) {
			w.setMembers("g-all", 0)
			w.setMembers("g-admins", 0)
			w.setMembers("g-wheel", 0)
		}, holds: "3 of 3 groups would lose all", whole: true},
		{name: "a few groups in a group, with many people", people: 100, nested: true, alter: func(w *world) { w.group("g-top", "top", "cn=admins,dc=x") }, holds: `"top" would lose 98 of 100 people`, whole: true},
		{name: "a group in a group whose people are there otherwise", people: 100, nested: true, alter: func(w *world) { w.group("g-top", "top", "cn=all,dc=x") }},
		{name: "one lock that is taken off", people: 50, locked: 1, alter: func(w *world) { w.unlock(1) }},
		{name: "two of three locks that are taken off", people: 50, locked: 3, alter: func(w *world) { w.unlock(2) }},
		{name: "locks that nobody may read", people: 50, locked: 3, alter: func(w *world) { w.unlock(3) }, holds: "3 disabled people would be let in", whole: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := crowd(c.people)
			w.disable(c.locked)
			if c.nested {
				w.group("g-top", "top", "cn=all,dc=x", "cn=admins,dc=x")
			}
			if strings.Contains(c.name, "small groups") {
				for i := range 12 {
					w.group(fmt.Sprintf("g-%02d", i), fmt.Sprintf("small%02d", i), "uid=userp003,ou=a,dc=x")
				}
			}
			p, v := judge(t, w, c.recent, c.alter)
			if c.holds == "" {
				if v.Held != 0 || v.Hash != "" || len(v.Reasons) != 0 {
					t.Errorf("held %v because of %q, want all to pass", v.Held, v.Reasons)
				}
				return
			}
			if !strings.Contains(strings.Join(v.Reasons, "\n"), c.holds) || v.Hash == "" || v.Held == 0 {
				t.Errorf("held %d because of %q, want a reason with %q", v.Held, v.Reasons, c.holds)
			}
			pass := itemsOf(p.items(v.pass()))
			if v.Whole != c.whole || c.whole && len(pass) != 0 {
				t.Errorf("whole = %v and %d items pass, want the whole plan held = %v", v.Whole, len(pass), c.whole)
			}
		})
	}
}

// TestARenamedCrowdIsShownAndApprovedByItsNames: what waits tells the names
// before and after, and another renaming is another plan. Groups count, too.
func TestARenamedCrowdIsShownAndApprovedByItsNames(t *testing.T) {
	rename := func(format string) (*Plan, Verdict) {
		return judge(t, crowd(100), Taken{}, func(w *world) { w.rename(30, format) })
	}
	p, v := rename("%s@corp.example")
	held := itemsOf(p.held(v))
	if len(held) != 30 || held[0].Was != "userp000" || held[0].Name != "userp000@corp.example" {
		t.Errorf("%d items wait, the first %+v; want 30 with both names", len(held), held[0])
	}
	if _, other := rename("x-%s"); other.Hash == v.Hash {
		t.Error("another renaming has the same hash")
	}
	w := crowd(5)
	groups := func(format string) {
		for i := range 20 {
			w.group(fmt.Sprintf("g-%02d", i), fmt.Sprintf(format, i))
		}
	}
	groups("team%02d")
	if _, v := judge(t, w, Taken{}, func(*world) { groups("dept%02d") }); !v.Whole || !strings.Contains(strings.Join(v.Reasons, ""), "20 of 23 groups would get another name") {
		t.Errorf("20 groups with other names: %+v", v)
	}
}

func TestGrowthHoldsOnlyTheAdditions(t *testing.T) {
	p, v := judge(t, crowd(50), Taken{}, func(w *world) {
		w.setMembers("g-admins", 8)
		w.drop(40)
		w.person("new", "new", "a")
	})
	if held := itemsOf(p.held(v)); len(held) != 1 || held[0].Name != "admins" || len(held[0].Add) != 6 || len(held[0].Remove) != 0 {
		t.Errorf("held %+v, want the six additions to admins", held)
	}
	var pass []string
	for _, i := range itemsOf(p.items(v.pass())) {
		pass = append(pass, string(i.Op)+" "+i.Name)
	}
	if want := []string{"gone userp040", "create new"}; !slices.Equal(pass, want) {
		t.Errorf("pass %q, want %q", pass, want)
	}
}

func TestVanishedAttributesAreHeld(t *testing.T) {
	for _, c := range []struct {
		before, now, people int
		held                bool
	}{
		{100, 80, 100, false},
		{100, 79, 100, true},
		{30, 11, 100, false},
		{30, 9, 100, true},
		{9, 0, 100, false},
		{10, 0, 100, true},
		{100, 50, 50, false}, // half of the people are gone, each with the attribute
	} {
		p := &Plan{Source: "corp", want: &Snapshot{}, groups: []groupItem{{Item: Item{Op: OpCreate, Kind: KindGroup}}}}
		p.shape = shape{
			peopleNow: c.people, readBefore: 100, peopleBefore: 100, groupsNow: 1,
			attributes: [2]map[string]int{{"mail": c.before, "title": 100}, {"mail": c.now}},
		} // title is not asked for any more
		v := verdict(t, p, GateConfig{Thresholds: Thresholds{}.withDefaults()})
		if held := v.Hash != ""; held != c.held {
			t.Errorf("mail of %d of 100 people, now of %d of %d: held = %v (%q), want %v", c.before, c.now, c.people, held, v.Reasons, c.held)
		}
	}
}

func TestTheHashIsOfTheSet(t *testing.T) {
	a := Item{Op: OpGone, Kind: KindUser, ID: "id-1", ExternalID: "x", Name: "alice"}
	b := Item{Op: OpMembers, Kind: KindGroup, ExternalID: "g", Add: []Ref{{Value: "new-1", ExternalID: "x"}, {Value: "new-2", ExternalID: "y"}}}
	again := b
	again.Add = []Ref{{Value: "new-9", ExternalID: "y"}, {Value: "new-8", ExternalID: "x"}}
	hash := func(items ...Item) string {
		_, h, err := hashOf(func(yield func(Item, error) bool) {
			for _, i := range items {
				if !yield(i, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if hash(a, b) != hash(again, a) {
		t.Error("the hash depends on order, or on ids made for this plan")
	}
	seen := map[string]string{}
	for name, items := range map[string][]Item{
		"a": {a}, "b": {b}, "both": {a, b}, "none": nil, "another operation": {{Op: OpDelete, Kind: KindUser, ExternalID: "x"}},
		"another object": {{Op: OpGone, Kind: KindUser, ExternalID: "y"}}, "a group": {{Op: OpGone, Kind: KindGroup, ExternalID: "x"}},
		"fewer members": {{Op: OpMembers, Kind: KindGroup, ExternalID: "g", Add: b.Add[:1]}},
		"removed":       {{Op: OpMembers, Kind: KindGroup, ExternalID: "g", Remove: b.Add}},
	} {
		h := hash(items...)
		if other, taken := seen[h]; taken {
			t.Errorf("%q and %q have one hash", name, other)
		}
		seen[h] = name
	}
}

func TestTheWindowSlides(t *testing.T) {
	c := Cursor{}
	c = c.with(Taken{Time: noon, Disabled: 3, Members: map[directory.GroupID]int{"g": 2}})
	c = c.with(Taken{Time: noon.Add(time.Hour), Disabled: 4})
	c = c.with(Taken{Time: noon.Add(time.Hour), Disabled: 5}) // the same run, later
	c = c.with(Taken{Time: noon.Add(2 * time.Hour)})
	for _, w := range []struct {
		after             time.Duration
		disabled, members int
	}{{2 * time.Hour, 8, 2}, {24 * time.Hour, 5, 0}, {25 * time.Hour, 0, 0}} {
		got := c.recent(noon.Add(w.after))
		if got.Disabled != w.disabled || got.Members["g"] != w.members {
			t.Errorf("after %v: %d disabled, %d members, want %d and %d", w.after, got.Disabled, got.Members["g"], w.disabled, w.members)
		}
	}
}
