package admin_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestParseGrants(t *testing.T) {
	one := admin.GrantSpec{
		Project: "alpha", Roles: []directory.RoleName{"project-viewer"}, Access: []string{"part-list"}, Role: []string{"part-list:edit"},
		Output: []string{"pdf"}, Integration: map[string]string{"aws": "consumer"},
	}
	const text = `{project: alpha, roles: [project-viewer], access: [part-list], role: ["part-list:edit"], output: [pdf], integration: {aws: consumer}}`
	for _, tt := range []struct {
		name, text string
		want       []admin.GrantSpec
		fault      string
	}{
		{"one entry", text, []admin.GrantSpec{one}, ""},
		{"a list", "- " + text + "\n- access: [x]", []admin.GrantSpec{one, {Access: []string{"x"}}}, ""},
		{"an unknown key", "- access: [x]\n- rolle: [x]", nil, "g.yaml:2:3"},
		{"a key twice", "access: [x]\naccess: [y]", nil, "twice"},
		{"a text for a list", "access: {a: b}", nil, "g.yaml:1:9"},
		{"nothing", "", nil, "empty"},
		{"a scalar", "access", nil, "want an entry"},
		{"two documents", "access: [x]\n---\naccess: [y]", nil, "more than one document"},
		{"no YAML", "access: [", nil, "g.yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := admin.ParseGrants("g.yaml", []byte(tt.text))
			if tt.fault != "" {
				if !errors.Is(err, admin.ErrPolicy) || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("ParseGrants = %v, want a fault with %s", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseGrants (-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzParseGrants(f *testing.F) {
	f.Add("access: [x]")
	f.Add("- {roles: [a], integration: {b: viewer}}")
	f.Add("- [")
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := admin.ParseGrants("g", []byte(text))
		if err != nil && !errors.Is(err, admin.ErrPolicy) {
			t.Errorf("ParseGrants = %v, want it to wrap ErrPolicy", err)
		}
		if err == nil && specs == nil {
			t.Errorf("ParseGrants(%q) has neither grants nor an error", text)
		}
	})
}
