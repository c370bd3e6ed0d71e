package ldapsync

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// changed plans what a read of what changed finds.
func (w *world) changed(t *testing.T, store *mapStore) *Plan {
	t.Helper()
	have := stateOf(t, store)
	snap := w.snapshot(t, have)
	snap.partial = true
	return diff(t, have, snap, noon)
}

// TestAReadOfWhatChangedGivesNoContestedName: of two entries with one userName
// neither has it; that only one of them was altered since does not decide.
func TestAReadOfWhatChangedGivesNoContestedName(t *testing.T) {
	w, store := newWorld(), newMapStore()
	w.person("p1", "twin", "a")
	w.person("p2", "twin", "b")
	w.person("p3", "other", "a")
	w.step(t, store, noon)
	if len(store.people) != 1 {
		t.Fatalf("%d people, want one: neither twin", len(store.people))
	}
	for who, contested := range map[string]bool{"p1": true, "new": false} {
		only := newWorld()
		if only.people[who] = w.people[who]; who == "new" {
			only.person(who, "new", "a")
		}
		if p := only.changed(t, store); p.people.len() != 1 || p.contested() != contested {
			t.Errorf("%s alone: contested = %v, want %v", who, p.contested(), contested)
		}
	}
	delete(w.people, "p2")
	if w.step(t, store, noon); len(store.people) != 2 || len(stateOf(t, store).Cursor.Contested) != 0 {
		t.Errorf("without the other twin there are %d people, %v contested", len(store.people), stateOf(t, store).Cursor.Contested)
	}
}

// TestAFormerDNMakesNoMember: a group that is new to the DN at which somebody was
// once does not get them, whichever way it is read.
func TestAFormerDNMakesNoMember(t *testing.T) {
	w, store := newWorld(), newMapStore()
	w.person("p1", "alice", "a")
	former := w.people["p1"].DN
	w.group("g1", "old", former)
	w.group("g2", "parent", "cn=old,dc=x")
	w.step(t, store, noon)
	w.person("p1", "alice", "b")
	w.groups["g1"] = worldGroup{name: "old", dn: "cn=old,ou=b,dc=x", members: []string{former}}
	if p := w.step(t, store, noon); p.Counts["members.remove"] != 0 {
		t.Fatalf("the rename took %v", p.Counts)
	}
	only := newWorld()
	only.group("g3", "late", former, "cn=old,dc=x")
	if p := only.changed(t, store); p.Counts["members.add"] != 0 {
		t.Errorf("a read of what changed adds %+v", itemsOf(p.Items()))
	}
	w.groups["g3"] = only.groups["g3"]
	if p := w.diff(t, store, noon); p.Counts["members.add"] != 0 {
		t.Errorf("a complete read adds %+v", itemsOf(p.Items()))
	}
}

// TestAReadOfWhatChangedGuessesNoMember: whom else a uid, or a DN that folds
// alike, might mean is not in such a read.
func TestAReadOfWhatChangedGuessesNoMember(t *testing.T) {
	w := newWorld()
	w.person("p1", "straße", "a")
	for _, partial := range []bool{false, true} {
		have := newState(&spool{})
		snap := w.snapshot(t, have)
		snap.partial = partial
		c := collector{session: &session{}, snap: snap, reading: reading{Settings: Settings{MaxMembers: 10}}}
		c.template.Mapping = Mapping{Members: []string{"member"}, MemberUIDs: "memberUid"}
		found := func(attr, value string) bool {
			var g Group
			if err := c.takeMembers(&g, ldap.NewEntry("cn=g,dc=x", map[string][]string{attr: {value}})); err != nil {
				t.Fatal(err)
			}
			return len(g.people) == 1
		}
		for value, want := range map[string]bool{"UID=Straße, ou=A,dc=x": true, "uid=strasse,ou=a,dc=x": !partial} {
			if got := found("member", value); got != want {
				t.Errorf("partial %v: member %q found = %v, want %v", partial, value, got, want)
			}
		}
		if got := found("memberUid", "straße"); got == partial {
			t.Errorf("partial %v: memberUid found = %v", partial, got)
		}
	}
}

// TestANameThatNobodyGetsDeletesNobody: who is missing has two stages, if the
// entry that has the same userName is not taken over.
func TestANameThatNobodyGetsDeletesNobody(t *testing.T) {
	w, store := newWorld(), newMapStore()
	w.person("p1", "alice", "a")
	w.person("p2", "bob", "a")
	w.step(t, store, noon)
	delete(w.people, "p1")
	w.person("p9", "alice", "b")
	have := stateOf(t, store)
	items := itemsOf(diff(t, have, w.snapshot(t, have, "p9"), noon).Items())
	if len(items) != 1 || items[0].Op != OpGone {
		t.Errorf("plan = %+v, want alice gone and no more", items)
	}
	have = stateOf(t, store)
	items = itemsOf(diff(t, have, w.snapshot(t, have), noon).Items())
	if len(items) != 2 || items[0].Op != OpDelete || items[1].Op != OpCreate {
		t.Errorf("plan = %+v, want the other alice in her place", items)
	}
}

// TestAnApprovalIsOfWhatWasShown: the policy gives more than it did when the plan
// was held, so it is shown again first. What was not held, but came in the same
// run, counts as taken.
func TestAnApprovalIsOfWhatWasShown(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20})
	store := newMapStore()
	p := pollerOf(t, settingsOf(t, server), store)
	gains := map[string]int{"access:part-list": 6}
	p.cfg.Preview = func(context.Context, []directory.Change) (Effects, error) {
		return Effects{Detail: json.RawMessage(`{}`), Gains: gains}, nil
	}
	p.cfg.AdminGroups = func(context.Context, directory.SourceName) (map[directory.GroupID]bool, error) {
		admins := map[directory.GroupID]bool{}
		for id, g := range store.groups {
			admins[id] = g.Name == "backend"
		}
		return admins, nil
	}
	runs(t, p, directory.RunApplied)
	for i := 1; i <= 6; i++ {
		server.AddValues("cn=backend,"+ldaptest.Groups, "member", ldaptest.UserDN(i))
	}
	held := runs(t, p, directory.RunHeld)
	gains = map[string]int{"access:part-list": 5, "organization.own": 6}
	approve := func(want directory.RunResult) directory.Run {
		t.Helper()
		r, err := p.Approve(t.Context(), held.Plan, "console:root")
		if err != nil || r.Result != want || r.Plan != "" && r.Plan != held.Plan {
			t.Fatalf("Approve = %+v, %v; want %s of the same plan", r, err, want)
		}
		return r
	}
	approve(directory.RunHeld)
	server.Replace(ldaptest.UserDN(9), "pwdAccountLockedTime", "000001010000Z")
	approve(directory.RunApplied)
	if got := stateOf(t, store).Cursor.recent(time.Now()).Disabled; got != 1 {
		t.Errorf("%d count as disabled, want the one of whom nobody was asked", got)
	}
}

// TestAnOwnerWhoWaitsIsNone: an owner is among the additions that wait, so the
// part that would pass is looked at by itself, and the whole plan waits.
func TestAnOwnerWhoWaitsIsNone(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20})
	store := newMapStore()
	p := pollerOf(t, settingsOf(t, server), store)
	p.cfg.Preview = func(_ context.Context, changes []directory.Change) (Effects, error) {
		given, taken := 0, 0
		for _, c := range changes {
			switch c := c.(type) {
			case directory.AddMembers:
				given += len(c.Values)
			case directory.ReplaceUser:
				taken++
			}
		}
		return Effects{NoOwner: taken > 0 && given == 0}, nil
	}
	p.cfg.AdminGroups = func(context.Context, directory.SourceName) (map[directory.GroupID]bool, error) {
		admins := map[directory.GroupID]bool{}
		for id, g := range store.groups {
			admins[id] = g.Name == "backend"
		}
		return admins, nil
	}
	runs(t, p, directory.RunApplied)
	for i := 1; i <= 6; i++ {
		server.AddValues("cn=backend,"+ldaptest.Groups, "member", ldaptest.UserDN(i))
	}
	server.Replace(ldaptest.UserDN(9), "pwdAccountLockedTime", "000001010000Z") // the owner of before
	if r := runs(t, p, directory.RunHeld); store.disabled != 0 {
		t.Errorf("the last owner was disabled while the next one waits: %s", r.Message)
	}
}

// TestAPolicyThatChangesDuringARun: a group is given an administration right
// after a plan was judged and before it is applied.
func TestAPolicyThatChangesDuringARun(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20})
	store := newMapStore()
	p := pollerOf(t, settingsOf(t, server), store)
	runs(t, p, directory.RunApplied)
	for i := 1; i <= 6; i++ {
		server.AddValues("cn=backend,"+ldaptest.Groups, "member", ldaptest.UserDN(i))
	}
	asked := 0
	p.cfg.AdminGroups = func(context.Context, directory.SourceName) (map[directory.GroupID]bool, error) {
		admins := map[directory.GroupID]bool{}
		asked++
		for id, g := range store.groups {
			if asked > 1 && g.Name == "backend" {
				admins[id] = true
			}
		}
		return admins, nil
	}
	members := func() (n int) {
		for id, g := range store.groups {
			if g.Name == "backend" {
				n = len(store.members[id])
			}
		}
		return n
	}
	before := members()
	if r := runs(t, p, directory.RunFailed); !strings.HasSuffix(r.Message, "the next run judges the changes anew") || members() != before {
		t.Errorf("%s; %d members, before %d", r.Message, members(), before)
	}
	if runs(t, p, directory.RunHeld); members() != before {
		t.Errorf("%d members, before %d", members(), before)
	}
}

// TestAGroupThatAMappingWaitedFor: a group comes that gives an administration
// right as soon as it is there. With many people it is held like any other.
func TestAGroupThatAMappingWaitedFor(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 20})
	store := newMapStore()
	p := pollerOf(t, settingsOf(t, server), store)
	p.cfg.AdminGroups = func(context.Context, directory.SourceName) (map[directory.GroupID]bool, error) {
		admins := map[directory.GroupID]bool{}
		for id, g := range store.groups {
			if g.Name == "few" || g.Name == "many" {
				admins[id] = true
			}
		}
		return admins, nil
	}
	runs(t, p, directory.RunApplied)
	add := func(name string, n int) {
		var members []string
		for i := 1; i <= n; i++ {
			members = append(members, ldaptest.UserDN(i))
		}
		server.Add("cn="+name+","+ldaptest.Groups, map[string][]string{"objectClass": {"groupOfNames"}, "cn": {name}, "member": members})
	}
	count := func(name string) int {
		for id, g := range store.groups {
			if g.Name == name {
				return len(store.members[id])
			}
		}
		return -1
	}
	add("few", 5)
	if runs(t, p, directory.RunApplied); count("few") != 5 {
		t.Errorf("%d members of the small group", count("few"))
	}
	add("many", 6)
	if runs(t, p, directory.RunFailed); count("many") != 0 {
		t.Errorf("%d members of the large group", count("many"))
	}
	r := runs(t, p, directory.RunHeld)
	if count("many") != 0 {
		t.Errorf("%d members of the large group that is held", count("many"))
	}
	if r, err := p.Approve(t.Context(), r.Plan, "console:root"); err != nil || r.Result != directory.RunApplied || count("many") != 6 {
		t.Errorf("Approve = %+v, %v; %d members", r, err, count("many"))
	}
}
