package admin_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestAFollowedListIsTheOneReadAnew changes people and groups at random: what
// follows the feed must list what a service lists that has just started.
func TestAFollowedListIsTheOneReadAnew(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	var users []directory.UserID
	var groups []directory.GroupID
	for i := range 12 {
		users = append(users, w.user(fmt.Sprintf("user%02d", (i*7)%12)))
	}
	for i := range 3 {
		groups = append(groups, w.group(fmt.Sprint("group", i), users[:8+i]...))
	}
	if err := w.WarmLists(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 25 {
		u, g := users[random.IntN(len(users))], groups[random.IntN(len(groups))]
		name := fmt.Sprintf("user%02d", random.IntN(100)+20)
		for _, change := range [][]directory.Change{
			{directory.AddMembers{Group: g, Source: directory.Local, Values: []string{string(u)}}},
			{directory.RemoveMembers{Group: g, Source: directory.Local, Values: []string{string(u)}}},
			{directory.ReplaceUser{ID: u, Source: directory.Local, Profile: directory.Profile{UserName: name, Active: true}}},
			{directory.SetBlock{User: u, Blocked: random.IntN(2) == 0, Reason: "r"}},
			{directory.DeleteUser{ID: u, Source: directory.Local}},
			{directory.SetGroupDescription{Group: g, Description: name}},
		}[random.IntN(6):][:1] {
			_, _ = w.store.Apply(t.Context(), by, change...) // what is refused changes nothing
		}
		sameLists(t, w)
	}
}

// sameLists compares the lists of w with those of a service that reads them anew.
func sameLists(t *testing.T, w *world) {
	t.Helper()
	fresh, err := admin.New(w.Config)
	if err != nil {
		t.Fatal(err)
	}
	for _, sort := range []string{"", "name", "-name", "status", "-groups"} {
		have, err := w.Users(t.Context(), admin.UserFilter{Sort: sort})
		if err != nil {
			t.Fatal(err)
		}
		want, err := fresh.Users(t.Context(), admin.UserFilter{Sort: sort})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("users by %q (-read anew +followed):\n%s", sort, diff)
		}
	}
	for _, sort := range []string{"name", "-members"} {
		have, err := w.Groups(t.Context(), admin.GroupFilter{Sort: sort})
		if err != nil {
			t.Fatal(err)
		}
		want, err := fresh.Groups(t.Context(), admin.GroupFilter{Sort: sort})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("groups by %q (-read anew +followed):\n%s", sort, diff)
		}
	}
}
