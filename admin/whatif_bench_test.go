package admin_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// BenchmarkPreview previews a mapping for a group of 100, of 10,000 and of all
// 100,000 users, who have 1,000,000 other memberships. What it costs grows with
// who is touched.
func BenchmarkPreview(b *testing.B) {
	const users, groups, each = 100_000, 100, 10_000
	w := benchWorld(b)
	ids := make([]string, users)
	var changes []directory.Change
	flush := func() {
		if _, err := w.Store.Apply(b.Context(), by, changes...); err != nil {
			b.Fatal(err)
		}
		changes = nil
	}
	for i := range ids {
		c := directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: fmt.Sprint("user", i), Active: true}}
		ids[i], changes = string(c.ID), append(changes, c)
		if len(changes) == 5000 {
			flush()
		}
	}
	fill := func(name string, members []string) {
		id := directory.GroupID(directory.NewID())
		changes = append(changes, directory.CreateGroup{ID: id, Source: directory.Local, Name: name},
			directory.AddMembers{Group: id, Source: directory.Local, Values: members})
		flush()
	}
	for g := range groups { // each user is in ten of them, no two users near each other in the same
		members := make([]string, each)
		for i := range members {
			members[i] = ids[(g*997+i*groups/10+i*(g+1)*13)%users]
		}
		fill(fmt.Sprint("group", g), members)
	}
	touched := []int{100, 10_000, 100_000}
	for _, n := range touched {
		fill(fmt.Sprint("touched", n), ids[:n])
	}
	file, err := authz.Parse("bench", []byte(`apiVersion: usherd/v1
features: [{key: part-list, actions: [edit], seat: {monthly: 4.00, currency: EUR}}, {key: drawings}]
mappings:
  - {name: some, when: {source: local, group: {pattern: "group1*"}}, grant: {access: [part-list]}}
  - {name: more, when: {source: local, group: {pattern: "group2*"}}, grant: {access: [drawings], role: ["part-list:edit"]}}
`))
	if err != nil {
		b.Fatal(err)
	}
	changes = []directory.Change{directory.SetPolicy{Policy: file.Policy, Sections: file.Sections}}
	flush()
	for _, n := range touched {
		mapping := directory.Mapping{
			Name: "new", When: directory.Selector{Source: directory.Local, Name: fmt.Sprint("touched", n)},
			Grants: []directory.GrantSet{{Privileges: []directory.Privilege{{Kind: directory.Access, Key: "part-list"}}}},
		}
		next := file.Policy
		next.Mappings = append(next.Mappings[:len(next.Mappings):len(next.Mappings)], mapping)
		change := directory.SetPolicy{Policy: next, Sections: []directory.Section{directory.SectionMappings}}
		b.Run(fmt.Sprint(n, " of ", users), func(b *testing.B) {
			for b.Loop() {
				d, err := w.Preview(b.Context(), change)
				if err != nil || d.People == 0 || d.People > n || len(d.Seats) != 1 || d.Seats[0].Delta != d.People {
					b.Fatalf("Preview = %d people, %+v, %v; want at most %d, with a seat each", d.People, d.Seats, err, n)
				}
			}
		})
	}
}

func benchWorld(b *testing.B) *admin.Service {
	st, err := store.Open(b.Context(), store.Config{DSN: filepath.Join(b.TempDir(), "usherd.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	s, err := admin.New(admin.Config{
		Store: st, TokenKey: make([]byte, 32), BaseURL: func() string { return "https://usherd.example.com" },
		Principal: directory.Actor{Kind: directory.ActorSocket, Name: "bench"},
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}
