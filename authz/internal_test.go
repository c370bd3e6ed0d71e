package authz

import (
	"fmt"
	"slices"
	"testing"

	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

func TestSetsHoldWhatWasPutIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		top := rapid.SampledFrom([]uint32{70, 5_000, 4_000_000_000}).Draw(t, "top")
		list := rapid.SliceOf(rapid.Uint32Range(1, top)).Draw(t, "list")
		s := setOf(list)
		for _, n := range list {
			if !s.has(n) {
				t.Fatalf("setOf(%v) lacks %d", list, n)
			}
		}
		for range 50 {
			n := rapid.Uint32Range(0, top+1).Draw(t, "n")
			if got, want := s.has(n), slices.Contains(list, n); got != want {
				t.Fatalf("setOf(%v).has(%d) = %v, want %v", list, n, got, want)
			}
		}
		want := slices.Compact(slices.Sorted(slices.Values(list)))
		if got := slices.Sorted(s.all()); !slices.Equal(got, want) {
			t.Fatalf("setOf(%v).all() = %v, want %v", list, got, want)
		}
		slices.Reverse(list)
		if other := setOf(list); !s.sameMembers(&other) || s.empty() != (len(list) == 0) {
			t.Fatalf("setOf(%v) depends on the order", list)
		}
	})
}

func TestPrivilegesUnderConstructionFreezeToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.Custom(func(t *rapid.T) privID { return privID(rapid.Uint32Range(1, 20_000).Draw(t, "p")) })).Draw(t, "list")
		var b, again privBits
		b.addAll(list)
		frozen := b.freeze()
		again.union(&frozen)
		want := setOf(list)
		if !frozen.sameMembers(&want) || again.or(b) || b.empty() != (len(list) == 0) {
			t.Fatalf("freeze(%v) = %v, want %v", list, slices.Sorted(frozen.all()), slices.Sorted(want.all()))
		}
	})
}

func TestTableFindsEveryKeyAndNoOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.OneOf(rapid.String(), rapid.StringMatching(`feature-[0-9]{1,4}`)), rapid.ID[string]).Draw(t, "keys")
		var items []item[int]
		for i, key := range keys {
			items = append(items, item[int]{key, i})
		}
		table := newTable(items)
		for i, key := range keys {
			if got := table.get(key); got == nil || *got != i {
				t.Fatalf("get(%q) = %v, want %d", key, got, i)
			}
			if other := key + "x"; !slices.Contains(keys, other) && table.get(other) != nil {
				t.Fatalf("get(%q) finds something", other)
			}
		}
	})
	if (&table[int]{}).get("x") != nil {
		t.Error("the zero table finds something")
	}
}

func TestTableSpreadsLikelyKeys(t *testing.T) {
	slots := map[uint32]int{}
	for i := range 1_000 {
		slots[hashText(fmt.Sprintf("feature-%d", i))%2048]++
	}
	if most := slices.Max(slices.Collect(func(yield func(int) bool) {
		for _, n := range slots {
			if !yield(n) {
				return
			}
		}
	})); most > 8 {
		t.Errorf("%d of 1000 keys share a slot of 2048", most)
	}
}

// TestGlobsMeanWhatTheDirectorySays compares with directory.MatchGlob.
func TestGlobsMeanWhatTheDirectorySays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[abÄ*?]{1,8}`).Draw(t, "pattern")
		name := rapid.StringMatching(`[abAä]{1,8}`).Draw(t, "name")
		folded, err := directory.KeyOf(pattern)
		if err != nil {
			t.Fatal(err)
		}
		key, err := directory.KeyOf(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := matchGlob(string(folded), string(key)), directory.MatchGlob(pattern, key); got != want {
			t.Fatalf("matchGlob(%q, %q) = %v, want %v", folded, key, got, want)
		}
	})
}

func TestThingsKeepTheirNumbers(t *testing.T) {
	var all things
	all.next = 100
	numbers := map[thing]privID{}
	for i := range 3_000 { // more than one recent layer holds
		e := all.edit()
		k := thing{verb: uint32(i % 3), id: fmt.Sprint(i / 2)}
		id := e.number(k)
		if old, ok := numbers[k]; ok && old != id {
			t.Fatalf("%v had the number %d and has %d", k, old, id)
		}
		numbers[k] = id
		if *e.name(id) != k {
			t.Fatalf("name(%d) = %v, want %v", id, *e.name(id), k)
		}
		before := all
		all = e.settle()
		if before.find(k) != 0 && before.find(k) != id {
			t.Fatal("an edit changed what it began with")
		}
	}
	for k, id := range numbers {
		if all.find(k) != id {
			t.Fatalf("find(%v) = %d, want %d", k, all.find(k), id)
		}
	}
}
