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

// BenchmarkQuestionsAmong100000 asks for a page of a hundred holders, and about
// single users, in an organization of 100,000 whose first group has everybody.
func BenchmarkQuestionsAmong100000(b *testing.B) {
	s := crowded(b, 100_000)
	var last directory.UserID
	for _, tt := range []struct {
		name string
		ask  func() error
	}{
		{"first page of everybody", func() error { return firstPage(b, s, "wide", "") }},
		{"last page of everybody", func() error { return firstPage(b, s, "wide", last) }},
		{"holders in one small group", func() error { return firstPage(b, s, "narrow", "") }},
		{"nobody", func() error {
			_, err := s.Holders(b.Context(), admin.HoldersQuery{Action: "access", Type: "feature", ID: "none"})
			return err
		}},
		{"explain", func() error {
			q := admin.Question{User: "user5", Action: "access"}
			q.Resource.Type, q.Resource.ID = "feature", "narrow"
			_, err := s.Explain(b.Context(), q)
			return err
		}},
		{"permissions with ways", func() error {
			_, err := s.PermissionsOf(b.Context(), "user5", admin.PermissionsQuery{Why: true, Anywhere: true})
			return err
		}},
	} {
		if last == "" {
			last = deep(b, s)
		}
		b.Run(tt.name, func(b *testing.B) {
			for b.Loop() {
				if err := tt.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func firstPage(b *testing.B, s *admin.Service, feature string, after directory.UserID) error {
	page, err := s.Holders(b.Context(), admin.HoldersQuery{Action: "access", Type: "feature", ID: feature, After: after})
	if err == nil && len(page.Items) != 100 {
		b.Fatalf("%d holders of %s after %q, want 100", len(page.Items), feature, after)
	}
	return err
}

// deep is a user near the end of the list.
func deep(b *testing.B, s *admin.Service) directory.UserID {
	people, err := s.Store.Subjects(b.Context(), directory.People{Everyone: true}, directory.Stamp{})
	if err != nil {
		b.Fatal(err)
	}
	return people[len(people)-200].ID
}

func crowded(b *testing.B, users int) *admin.Service {
	st, err := store.Open(b.Context(), store.Config{DSN: filepath.Join(b.TempDir(), "usherd.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	s, err := admin.New(admin.Config{
		Store: st, TokenKey: make([]byte, 32), BaseURL: func() string { return "https://usherd.example.com" }, Principal: by,
	})
	if err != nil {
		b.Fatal(err)
	}
	apply := func(changes ...directory.Change) {
		if _, err := st.Apply(b.Context(), by, changes...); err != nil {
			b.Fatal(err)
		}
	}
	ids := make([]string, users)
	var changes []directory.Change
	for i := range ids {
		c := directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: directory.Local, Profile: directory.Profile{UserName: fmt.Sprint("user", i), Active: true}}
		ids[i], changes = string(c.ID), append(changes, c)
		if len(changes) == 5000 {
			apply(changes...)
			changes = nil
		}
	}
	for name, members := range map[string][]string{"wide": ids, "narrow": ids[:1000:1000]} {
		id := directory.GroupID(directory.NewID())
		apply(directory.CreateGroup{ID: id, Source: directory.Local, Name: name}, directory.AddMembers{Group: id, Source: directory.Local, Values: members})
	}
	file, err := authz.Parse("bench", []byte(`apiVersion: usherd/v1
features: [{key: wide}, {key: narrow}, {key: none}]
mappings:
  - {name: wide, when: {source: local, group: {name: wide}}, grant: {access: [wide]}}
  - {name: narrow, when: {source: local, group: {name: narrow}}, grant: {access: [narrow]}}
`))
	if err != nil {
		b.Fatal(err)
	}
	apply(directory.SetPolicy{Policy: file.Policy, Sections: file.Sections})
	return s
}
