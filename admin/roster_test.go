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
	w.policy(`features: [{key: part-list, seat: {monthly: "4.10", currency: EUR}}]
roles: [{name: releaser, access: [part-list]}]
mappings:
  - {name: m, when: {source: local, group: {name: group1}}, grant: {roles: [releaser], access: [part-list]}}
`)
	w.apply(directory.PutGrant{Grant: directory.Grant{User: users[3], Role: directory.RoleAuditor, Origin: directory.ByHand, By: "test"}})
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
			{directory.PutGrant{Grant: directory.Grant{User: u, Role: "releaser", Origin: directory.ByHand, By: "test"}}},
			{directory.SetOverride{User: u, Grants: []directory.GrantSet{{Roles: []directory.RoleName{directory.RoleViewer}}}}},
			{directory.EndOverride{User: u}},
		}[random.IntN(9):][:1] {
			_, _ = w.store.Apply(t.Context(), by, change...) // what is refused changes nothing
		}
		sameLists(t, w)
		countsAgree(t, w)
	}
}

// countsAgree compares what is counted over everybody with the lists of those
// who are counted.
func countsAgree(t *testing.T, w *world) {
	t.Helper()
	total := func(f admin.UserFilter) int {
		t.Helper()
		found, err := w.Users(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return found.Total
	}
	roles, err := w.Roles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range roles {
		if want := total(admin.UserFilter{Role: r.Name}); r.Users != want {
			t.Fatalf("Role %s counts %d users; the list has %d", r.Name, r.Users, want)
		}
	}
	first, err := w.Role(t.Context(), "releaser", 1)
	if err != nil {
		t.Fatal(err)
	}
	if at := first.Holders.Next; at != "" {
		next, err := w.Users(t.Context(), admin.UserFilter{Role: "releaser", Sort: "name", Cursor: at})
		if err != nil || len(next.Items) != first.Users-1 {
			t.Fatalf("after the first holder come %d, %v; want %d", len(next.Items), err, first.Users-1)
		}
	}
	counts, err := w.PeopleCounts(t.Context())
	want := admin.PeopleCounts{
		Active: total(admin.UserFilter{Status: admin.StatusActive}), Blocked: total(admin.UserFilter{Status: admin.StatusBlocked}),
		Inactive: total(admin.UserFilter{Status: admin.StatusInactive}),
	}
	if err != nil || counts != want {
		t.Fatalf("PeopleCounts = %+v, %v; the lists have %+v", counts, err, want)
	}
	bill, err := w.Bill(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open, err := w.Holders(t.Context(), admin.HoldersQuery{Action: "access", Type: "feature", ID: "part-list", Limit: 100})
	if err != nil || bill.Features[0].Seats != len(open.Items) {
		t.Fatalf("the bill counts %d seats; %d people may open the feature (%v)", bill.Features[0].Seats, len(open.Items), err)
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
