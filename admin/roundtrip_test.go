package admin_test

import (
	"testing"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"pgregory.net/rapid"
)

// TestAppliedExportsChangeNothing applies random policies, and what is then
// exported: that is the policy already.
func TestAppliedExportsChangeNothing(t *testing.T) {
	w := newWorld(t)
	w.policy(fateCatalogue)
	w.apply(
		directory.PutSource{Source: directory.Source{Name: "okta", Kind: directory.KindSCIM}},
		directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP}},
	)
	applied := 0
	rapid.Check(t, func(rt *rapid.T) {
		f := &fate{T: rt, w: w}
		if _, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: "apiVersion: usherd/v1\n" + f.policyText()}); err != nil {
			return // the text may name a source that is not there
		}
		applied++
		e, err := w.ExportPolicy(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		d, err := w.DiffPolicy(t.Context(), admin.PolicyFile{Text: e.Text})
		if err != nil || !d.Same {
			rt.Fatalf("DiffPolicy of an export = %+v, %v\n%s", d, err, e.Text)
		}
		done, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: e.Text})
		if err != nil || done.Changed {
			rt.Fatalf("ApplyPolicy of an export = %+v, %v; want nothing changed\n%s", done, err, e.Text)
		}
	})
	if applied < 10 {
		t.Errorf("%d random policies could be applied: too few to tell", applied)
	}
}

func TestAPlanIsAppliedAsShownOrNotAtAll(t *testing.T) {
	w := newWorld(t)
	w.policy(fateCatalogue)
	ann := w.user("ann")
	group := w.group("Engineering", ann)
	text := "apiVersion: usherd/v1\nmappings:\n  - {name: m, when: {source: local, group: {name: Engineering}}, grant: {access: [part-list]}}\n"
	plan := func() string {
		t.Helper()
		p, err := w.PlanPolicy(t.Context(), admin.PolicyFile{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		return p.Plan
	}
	apply := func(what, text, plan string, want error) {
		t.Helper()
		_, err := w.ApplyPolicy(t.Context(), by, admin.PolicyFile{Text: text, Plan: plan})
		wantErr(t, what, err, want)
	}
	first := plan()
	apply("a plan of another file", text+"tests: []\n", first, admin.ErrStale)
	apply("no plan at all", text, "41", directory.ErrInvalid)
	w.user("ben")
	apply("after something that has nothing to do with it", text, first, nil)

	w.policy("mappings: []\n")
	apply("after the policy changed, and changed back", text, first, admin.ErrStale)
	second := plan()
	w.apply(directory.AddMembers{Group: group, Source: directory.Local, Values: []string{string(w.user("cleo"))}})
	apply("after somebody joined the group", text, second, admin.ErrStale)
	third := plan()
	w.apply(directory.RemoveMembers{Group: group, Source: directory.Local, Values: []string{string(ann)}})
	apply("after somebody left it, who gains less", text, third, nil)
}
