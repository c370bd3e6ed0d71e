package console_test

import (
	"testing"

	"github.com/usherd/usherd/directory"
)

// TestProblemsArePagesThatLeadOn looks at what is shown instead of a page.
func TestProblemsArePagesThatLeadOn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.apply(directory.PutSource{Source: directory.Source{Name: "corp", Kind: directory.KindLDAP}})
	owner := h.user("owner@example.com", directory.RoleOwner)
	b := h.browse()
	h.enter(b, h.user("eve@example.com"))
	b.open("/integrations/new")
	b.sees("Not allowed")
	b.sees("Status 403.")
	b.look("problem-403")
	b = h.browse()
	h.enter(b, owner)
	b.open("/sources")
	eval[bool](b, `((f) => { f.method = "post"; f.action = "/sources/corp/sync"; document.body.append(f); f.submit(); return true; })(document.createElement("form"))`)
	b.sees("Status 503.")
	b.look("problem-503")
}
