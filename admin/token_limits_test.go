package admin_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

func TestLimitsOfACheckToken(t *testing.T) {
	w := newWorld(t)
	text := "apiVersion: usherd/v1\nfeatures: [{key: part-list}]\nresources: {record: {actions: [read]}}\n"
	if _, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: text}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		scopes []string
		kept   []string
		says   string // of the refusal
	}{
		{"a feature", []string{"evaluate", "feature:part-list"}, []string{"evaluate", "feature:part-list"}, ""},
		{"limits alone may evaluate", []string{"type:record", "type:output"}, []string{"evaluate", "type:record", "type:output"}, ""},
		{"limits of a search", []string{"search", "type:feature"}, []string{"search", "type:feature"}, ""},
		{"a slip of the pen in a feature", []string{"feature:partlist"}, nil, `no feature "partlist"; did you mean feature:part-list?`},
		{"a slip of the pen in a type", []string{"type:recor"}, nil, `no type "recor"; did you mean type:record?`},
		{"an empty limit", []string{"feature:"}, nil, `no feature ""`},
		{"a limit of another kind", []string{"project:alpha"}, nil, `scope "project:alpha" is not one of evaluate`},
		{"a type that is none", []string{"type:invoice"}, nil, `no type "invoice" (usherd catalogue show)`},
		{"limits of what has none", []string{"permissions", "feature:part-list"}, nil, "it has no limits"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			made, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: directory.TokenCheck, Name: "shop", Scopes: tt.scopes})
			if tt.says != "" {
				wantErr(t, "CreateToken", err, directory.ErrInvalid)
				if err == nil || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("CreateToken: %v, want that it says %s", err, tt.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			all, err := w.Tokens(t.Context())
			i := slices.IndexFunc(all, func(l admin.ListedToken) bool { return l.ID == made.ID })
			if err != nil || i < 0 || !slices.Equal(all[i].Scopes, tt.kept) {
				t.Errorf("the token is kept as %+v, %v; want the scopes %q", all, err, tt.kept)
			}
		})
	}
	_, err := w.CreateToken(t.Context(), by, admin.NewToken{Kind: directory.TokenSCIM, Source: "corp", Scopes: []string{"feature:part-list"}})
	if err == nil {
		t.Error("a scim token with a limit was made")
	}
}
