package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherd/usherd/directory"
)

// TestForeseeTellsWhatApplyDoes foresees random changes and then applies them:
// the directory refuses alike, and what was foreseen is what comes.
func TestForeseeTellsWhatApplyDoes(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		var h *history
		altered := 0
		for i := range 240 {
			if i%40 == 0 { // sources come to be removed: begin again
				h = &history{T: t, s: s, r: rand.New(rand.NewPCG(uint64(i), 7)), run: fmt.Sprint(i, "-"), owner: map[string]directory.SourceName{}}
				h.begin()
			}
			var changes []directory.Change
			for range 1 + h.r.IntN(3) {
				if c := h.change(); !isCondition(c) {
					changes = append(changes, c)
				}
			}
			before, err := s.Facts(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			f, errF := s.Foresee(t.Context(), false, changes...)
			if now, err := s.Head(t.Context(), before.At); err != nil || now.Stamp != before.At {
				t.Fatalf("after Foresee the head is %v, %v; want %v", now, err, before.At)
			}
			done, errA := s.Apply(t.Context(), system, changes...)
			if (errA == nil) != (errF == nil) {
				t.Fatalf("%+v\nForesee = %v\nApply = %v", changes, errF, errA)
			}
			if errA != nil || !done.Changed {
				continue
			}
			altered++
			compareForesight(t, s, f, before, done.Stamp)
		}
		if altered < 40 {
			t.Errorf("only %d changes altered anything", altered)
		}
	})
}

func isCondition(c directory.Change) bool {
	switch c.(type) {
	case directory.RequireVersion, directory.RequirePolicy, directory.RequireLease:
		return true
	}
	return false
}

func compareForesight(t *testing.T, s *Store, f directory.Foresight, before directory.Facts, at directory.Stamp) {
	t.Helper()
	after, err := s.Facts(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	groups := slices.DeleteFunc(slices.Clone(before.Groups), func(g directory.GroupFacts) bool {
		return slices.Contains(f.Stretch.Ended, g.Num) ||
			slices.ContainsFunc(f.Stretch.Groups, func(h directory.GroupFacts) bool { return h.Num == g.Num })
	})
	groups = append(groups, f.Stretch.Groups...)
	slices.SortFunc(groups, func(a, b directory.GroupFacts) int { return int(a.Num) - int(b.Num) })
	// Grants get their ids, and both Foresee and Apply the time, as they run.
	ignore := cmp.Options{
		cmpopts.EquateEmpty(), cmpopts.IgnoreFields(directory.Grant{}, "ID", "Created", "By"),
		cmpopts.SortSlices(func(a, b directory.Grant) bool {
			return a.Project+directory.ProjectKey(a.Role)+directory.ProjectKey(a.Privilege.String()) <
				b.Project+directory.ProjectKey(b.Role)+directory.ProjectKey(b.Privilege.String())
		}),
		cmpopts.IgnoreFields(directory.Source{}, "Created", "Modified"), cmpopts.IgnoreFields(directory.Role{}, "Modified"),
		cmpopts.IgnoreFields(directory.PolicyFacts{}, "Tokens"), cmpopts.IgnoreFields(directory.Subject{}, "At"),
	}
	if diff := cmp.Diff(after.Groups, groups, ignore); diff != "" {
		t.Fatalf("groups (-came +foreseen):\n%s", diff)
	}
	policy := before.Policy
	if f.Stretch.Policy != nil {
		policy = *f.Stretch.Policy
	}
	if diff := cmp.Diff(after.Policy, policy, ignore); diff != "" {
		t.Fatalf("policy (-came +foreseen):\n%s", diff)
	}
	people, err := s.Subjects(t.Context(), directory.People{IDs: f.Touched}, at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(people, f.People, ignore); diff != "" {
		t.Fatalf("people (-came +foreseen):\n%s", diff)
	}
	old, errO := s.Subjects(t.Context(), directory.People{Everyone: true}, before.At)
	now, errN := s.Subjects(t.Context(), directory.People{Everyone: true}, at)
	untouched := func(list []directory.Subject) []directory.Subject {
		for i := range list { // that a group ended is said of the group
			list[i].Memberships = slices.DeleteFunc(list[i].Memberships, func(m directory.Membership) bool {
				return slices.Contains(f.Stretch.Ended, m.Group)
			})
		}
		return slices.DeleteFunc(list, func(sub directory.Subject) bool { return slices.Contains(f.Touched, sub.ID) })
	}
	if diff := cmp.Diff(untouched(old), untouched(now), ignore); diff != "" || errO != nil || errN != nil {
		t.Fatalf("people that were not said to be touched (-before +after): %v, %v\n%s", errO, errN, diff)
	}
}

// TestForeseeLeavesOutWhatIsRefused is how a plan of a directory is previewed,
// some of whose changes may not stand.
func TestForeseeLeavesOutWhatIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, s *Store) {
		ann, twin := createLocal("ann"), createLocal("ann")
		group := createLocalGroup("g")
		f, err := s.Foresee(t.Context(), true, ann, twin, group, directory.AddMembers{
			Group: group.ID, Source: directory.Local, Values: []string{string(ann.ID), string(twin.ID)},
		}, directory.SetBlock{User: twin.ID, Blocked: true})
		if err != nil || len(f.Refused) != 2 || len(f.People) != 1 || f.People[0].ID != ann.ID || len(f.People[0].Memberships) != 1 {
			t.Errorf("Foresee = %+v, %v; want two changes refused, and ann in a group", f, err)
		}
		if _, err := s.Foresee(t.Context(), false, ann, twin); err == nil {
			t.Error("Foresee of a taken name = nil, want an error")
		}
	})
}
