package admin_test

import (
	"maps"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// TestWhoOfSomeIsInAGroup: users and groups alike, directly only, and never of a
// group that the asker may not know of.
func TestWhoOfSomeIsInAGroup(t *testing.T) {
	w := newWorld(t)
	ann, ben, cleo := w.user("ann"), w.user("ben"), w.user("cleo")
	part := w.group("Part", cleo)
	crew := w.group("Crew", ann)
	w.apply(directory.AddMembers{Group: crew, Source: directory.Local, Values: []string{string(part), "later"}})
	for _, tt := range []struct {
		claim string
		ids   []string
		want  map[string]bool
	}{
		{"a user and a group, and not who is in that group", []string{string(ann), string(ben), string(cleo), string(part)}, map[string]bool{string(ann): true, string(part): true}},
		{"who is pending is nobody yet", []string{"later", ""}, nil},
		{"of nobody nobody", nil, nil},
	} {
		if got, err := w.MembersAmong(t.Context(), string(crew), tt.ids...); err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, %v; want %v", tt.claim, got, err, tt.want)
		}
	}
	_, err := w.MembersAmong(admin.WithPrincipal(t.Context(), w.as("ben")), string(crew), string(ann))
	wantErr(t, "asking without a right", err, admin.ErrForbidden)
}
