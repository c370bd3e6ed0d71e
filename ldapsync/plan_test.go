package ldapsync

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/usherd/usherd/directory"
)

// A world is a directory in a test: people and groups by stable id.
type world struct {
	people map[string]directory.Profile
	groups map[string]worldGroup
}

type worldGroup struct {
	name    string
	dn      string
	members []string // DNs as written
}

func newWorld() *world {
	return &world{people: map[string]directory.Profile{}, groups: map[string]worldGroup{}}
}

func (w *world) person(id, userName, ou string) {
	w.people[id] = directory.Profile{
		UserName: userName, ExternalID: id, DN: fmt.Sprintf("uid=%s,ou=%s,dc=x", userName, ou), DisplayName: userName, Active: true,
	}
}

func (w *world) group(id, name string, members ...string) {
	w.groups[id] = worldGroup{name: name, dn: "cn=" + name + ",dc=x", members: members}
}

// snapshot is what a complete read of w finds, compared with have.
func (w *world) snapshot(t require, have *State, rejected ...string) *Snapshot {
	s := newSnapshot(have, have.spool)
	s.Attributes["uid"], s.Attributes["lock"] = len(w.people), 0
	for _, p := range w.people {
		if !p.Active {
			s.Attributes["lock"]++
		}
	}
	for _, id := range sortedKeys(w.people) {
		p := Person{Profile: w.people[id], uids: []string{w.people[id].UserName}}
		if slices.Contains(rejected, id) {
			p.Rejected = "no usable userName"
		}
		if fresh, err := s.add(keyOfDN(p.Profile.DN), &p); err != nil || !fresh {
			t.Fatalf("adding %s: %v, %v", id, fresh, err)
		}
	}
	c := collector{snap: s}
	for _, id := range sortedKeys(w.groups) {
		g := Group{ID: id, DN: w.groups[id].dn, Name: w.groups[id].name}
		for _, dn := range w.groups[id].members {
			if err := c.addDN(&g, dn); err != nil {
				t.Fatalf("addDN: %v", err)
			}
		}
		key := keyOfDN(g.DN)
		s.groups[key] = append(s.groups[key], int32(len(s.Groups)))
		s.Groups = append(s.Groups, g)
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

var noon = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// step reads w at now and applies all of the plan to store, whatever the gate
// would say.
func (w *world) step(t require, store *mapStore, now time.Time) *Plan {
	plan := w.diff(t, store, now)
	a := &applier{sink: store, plan: plan, cursor: Cursor{Version: 1}, taken: Taken{Time: now, Members: map[directory.GroupID]int{}}}
	if err := a.apply(context.Background(), everything); err != nil {
		t.Fatalf("apply: %v", err)
	}
	plan.refused(a.issues)
	return plan
}

func (w *world) diff(t require, store *mapStore, now time.Time) *Plan {
	have := stateOf(t, store)
	return diff(t, have, w.snapshot(t, have), now)
}

func stateOf(t require, store *mapStore) *State {
	have, err := readState(context.Background(), store, "corp", &spool{})
	if err != nil {
		t.Fatalf("readState: %v", err)
	}
	return have
}

func diff(t require, have *State, want *Snapshot, now time.Time) *Plan {
	plan, err := Diff(have, want, DiffConfig{Source: "corp", Now: now, Retention: Retention{}.withDefaults(), NewID: directory.NewID})
	if err != nil {
		t.Fatalf("Diff: %v", err)
	}
	return plan
}

// itemsOf lists what a plan does.
func itemsOf(items iter.Seq2[Item, error]) []Item {
	var out []Item
	for i, err := range items {
		if err != nil {
			panic(err)
		}
		out = append(out, i)
	}
	return out
}

// ops lists what a plan does, as "op kind name".
func ops(p *Plan) []string {
	var out []string
	for _, i := range itemsOf(p.Items()) {
		text := fmt.Sprintf("%s %s %s", i.Op, i.Kind, i.Name)
		if i.Op == OpMembers {
			text += fmt.Sprintf(" +%d -%d", len(i.Add), len(i.Remove))
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func wantOps(t *testing.T, what string, p *Plan, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := ops(p); !slices.Equal(got, want) {
		t.Errorf("%s: plan does %q, want %q (issues %v)", what, got, want, p.Issues)
	}
}

func threePeople() *world {
	w := newWorld()
	w.person("1", "alice", "eng")
	w.person("2", "bob", "eng")
	w.person("3", "carol", "fin")
	w.group("g1", "eng", "uid=alice,ou=eng,dc=x", "uid=bob,ou=eng,dc=x")
	w.group("g2", "all", "cn=eng,dc=x", "cn=ring,dc=x")
	w.group("g3", "ring", "cn=all,dc=x", "uid=carol,ou=fin,dc=x")
	return w
}

func TestAFirstReadCreatesEverything(t *testing.T) {
	store := newMapStore()
	p := threePeople().step(t, store, noon)
	wantOps(t, "first read", p, "create user alice", "create user bob", "create user carol", "create group eng", "create group all", "create group ring",
		"members group eng +2 -0", "members group all +2 -0", "members group ring +2 -0")
	wantOps(t, "the same again", threePeople().diff(t, store, noon))
}

func TestARenamedOUChangesNobodysMembership(t *testing.T) {
	store, w := newMapStore(), threePeople()
	w.step(t, store, noon)
	for id, p := range w.people {
		if p.DN == "uid="+p.UserName+",ou=eng,dc=x" {
			p.DN = "uid=" + p.UserName + ",ou=engineering,dc=x"
			w.people[id] = p
		}
	}
	p := w.step(t, store, noon)
	wantOps(t, "a renamed OU with dangling members", p, "update user alice", "update user bob")
	if n := store.membersTaken; n != 0 {
		t.Errorf("%d members taken", n)
	}
	for range 3 {
		wantOps(t, "and it stays so", w.step(t, store, noon))
	}
	// alice's old DN goes to somebody new: the membership goes along
	w.person("9", "alice2", "eng")
	nine := w.people["9"]
	nine.DN = "uid=alice,ou=eng,dc=x"
	w.people["9"] = nine
	wantOps(t, "a DN used again", w.step(t, store, noon), "create user alice2", "members group eng +1 -1")
	// and when a group lists a DN no longer, an alias does not bring it back
	w.group("g1", "eng")
	wantOps(t, "the group is emptied", w.step(t, store, noon), "members group eng +0 -2")
	w.group("g1", "eng", "uid=bob,ou=eng,dc=x")
	p = w.step(t, store, noon)
	wantOps(t, "a DN that names nobody any more", p)
	if p.Counts["members.unresolved"] != 1 {
		t.Errorf("counts %v, want one unresolved member", p.Counts)
	}
}

func TestWhoIsGoneComesBackWithEverything(t *testing.T) {
	store, w := newMapStore(), threePeople()
	w.step(t, store, noon)
	bob := w.people["2"]
	delete(w.people, "2") // his DN stays in the group
	wantOps(t, "bob is gone", w.step(t, store, noon), "gone user bob")
	wantOps(t, "and stays gone", w.step(t, store, noon.Add(time.Hour)))
	w.people["2"] = bob
	wantOps(t, "bob is back", w.step(t, store, noon.Add(2*time.Hour)), "restore user bob")
	if store.membersTaken != 0 || store.deleted != 0 {
		t.Errorf("%d members taken, %d deleted", store.membersTaken, store.deleted)
	}
}

func TestDeletionNeedsReadsAndDays(t *testing.T) {
	store, w := newMapStore(), threePeople()
	w.step(t, store, noon)
	delete(w.people, "2")
	delete(w.groups, "g1")
	wantOps(t, "first read without", w.step(t, store, noon), "gone user bob", "gone group eng", "members group all +0 -1")
	for i := range 10 {
		wantOps(t, "many reads in a day", w.step(t, store, noon.Add(time.Duration(i)*time.Hour)))
	}
	late := noon.Add(8 * 24 * time.Hour)
	wantOps(t, "reads and days", w.step(t, store, late), "delete user bob", "delete group eng")
	wantOps(t, "nothing is left", w.step(t, store, late))

	store, w = newMapStore(), threePeople()
	w.step(t, store, noon)
	delete(w.people, "2")
	w.step(t, store, noon)
	wantOps(t, "days without reads", w.step(t, store, late))
	wantOps(t, "the third read", w.step(t, store, late), "delete user bob")
}

func TestNames(t *testing.T) {
	t.Run("a re-created account is a new person with nothing of the old", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.step(t, store, noon)
		delete(w.people, "2")
		w.person("22", "bob", "eng")
		p := w.step(t, store, noon)
		wantOps(t, "re-created", p, "delete user bob", "create user bob", "members group eng +1 -1")
		if p.shape.renewed != 1 {
			t.Errorf("renewed = %d, want 1", p.shape.renewed)
		}
	})
	t.Run("a name that somebody left behind can be taken by a rename", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.step(t, store, noon)
		delete(w.people, "2")
		w.step(t, store, noon)
		alice := w.people["1"]
		alice.UserName = "bob"
		w.people["1"] = alice
		wantOps(t, "alice is bob now", w.step(t, store, noon), "delete user bob", "update user bob")
		wantOps(t, "afterwards", w.diff(t, store, noon))
	})
	t.Run("of two entries with one name the one that has it keeps it", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.step(t, store, noon)
		w.person("0", "BOB", "fin")
		p := w.step(t, store, noon)
		wantOps(t, "a second bob", p)
		if len(p.Issues) != 1 || p.Issues[0].ExternalID != "0" {
			t.Errorf("issues %v, want one about the newcomer", p.Issues)
		}
	})
	t.Run("of two newcomers with one name neither gets it", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.person("7", "eve", "eng")
		w.person("8", "Eve", "fin")
		if p := w.step(t, store, noon); p.Counts["users.create"] != 3 || len(p.Issues) != 2 {
			t.Errorf("counts %v, issues %v; want three people and two issues", p.Counts, p.Issues)
		}
	})
	t.Run("a name that changes hands is given in one run", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.step(t, store, noon)
		alice, bob := w.people["1"], w.people["2"]
		alice.UserName, bob.UserName = "bob", "robert"
		w.people["1"], w.people["2"] = alice, bob
		w.step(t, store, noon)
		wantOps(t, "afterwards", w.diff(t, store, noon))
	})
	t.Run("somebody without a usable name is not removed, and can be disabled", func(t *testing.T) {
		store, w := newMapStore(), threePeople()
		w.step(t, store, noon)
		bob := w.people["2"]
		bob.UserName, bob.Active = "", false
		w.people["2"] = bob
		have := stateOf(t, store)
		p := diff(t, have, w.snapshot(t, have, "2"), noon)
		wantOps(t, "no name and disabled", p, "disable user bob")
	})
}

// require is what both *testing.T and *rapid.T give.
type require interface {
	Fatalf(format string, args ...any)
}

// TestOneRunIsEnough: after a plan is applied, the same read plans nothing, and
// the store has exactly what the directory has; whatever both were before.
func TestOneRunIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := newMapStore()
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			w := drawWorld(t)
			w.step(t, store, noon)
			if again := w.diff(t, store, noon); again.len() != 0 {
				t.Fatalf("the same read again: %v", ops(again))
			}
			for id, p := range w.people {
				if !holds(store, id, p) {
					t.Fatalf("the store lacks %s: %+v", id, p)
				}
			}
			for _, i := range store.people {
				if _, there := w.people[i.ExternalID]; !there && i.Presence != directory.Gone {
					t.Fatalf("%s is not in the directory and still counts", i.ExternalID)
				}
			}
		}
	})
}

func holds(store *mapStore, id string, p directory.Profile) bool {
	for _, i := range store.people {
		if i.ExternalID == id {
			return i.Presence == directory.Present && i.UserName == p.UserName && i.DN == p.DN && i.Active == p.Active
		}
	}
	return false
}

// drawWorld draws a directory in which everybody has a name of their own for
// life, and DNs move.
func drawWorld(t *rapid.T) *world {
	w := newWorld()
	var dns []string
	for i := range 6 {
		if !rapid.Bool().Draw(t, "there") {
			continue
		}
		id := fmt.Sprint(i)
		w.person(id, "user"+id, rapid.SampledFrom([]string{"a", "b"}).Draw(t, "ou"))
		p := w.people[id]
		p.Active = rapid.Bool().Draw(t, "active")
		w.people[id] = p
	}
	for i := range 6 {
		dns = append(dns, fmt.Sprintf("uid=user%d,ou=a,dc=x", i), fmt.Sprintf("uid=user%d,ou=b,dc=x", i))
	}
	for i := range 3 {
		dns = append(dns, fmt.Sprintf("cn=group%d,dc=x", i))
	}
	for i := range 3 {
		if rapid.Bool().Draw(t, "group") {
			w.group(fmt.Sprintf("g%d", i), fmt.Sprintf("group%d", i), rapid.SliceOfDistinct(rapid.SampledFrom(dns), rapid.ID).Draw(t, "members")...)
		}
	}
	return w
}
