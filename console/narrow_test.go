package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/usherd/usherd/directory"
)

// TestWhoSeesAProjectSeesNoMore opens pages as somebody whose rights end at a
// project, and as somebody who has none.
func TestWhoSeesAProjectSeesNoMore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.policy("projects: [{key: alpha, title: Alpha}, {key: beta, title: Tower of others}]\n")
	ana := h.user("ana@example.com")
	h.apply(directory.PutGrant{Grant: directory.Grant{User: ana, Role: directory.RoleName("project-admin"), Project: "alpha", Origin: directory.ByHand, By: "test"}})
	inAlpha, nobody := h.signedIn(ana), h.signedIn(h.user("eve@example.com"))
	first := h.body(inAlpha, "/", http.StatusOK)
	for _, path := range []string{"/mappings", "/billing", "/settings/admins", "/settings/general"} {
		h.body(inAlpha, path, http.StatusForbidden)
		if strings.Contains(first, `href="`+path+`"`) {
			t.Errorf("the menu offers %s, which is refused", path)
		}
	}
	if page := h.body(inAlpha, "/explain", http.StatusOK); !strings.Contains(page, "project/alpha") || strings.Contains(page, "Tower of others") {
		t.Error("the things that can be asked have projects of others, or not the own one")
	}
	h.body(nobody, "/integrations/new", http.StatusForbidden)
	for path, form := range map[string]url.Values{
		"/users/bulk/block": {"id": {string(ana)}}, "/groups/bulk/block": {"id": {directory.NewID()}},
	} {
		if status, _ := h.post(nobody, path, form); status != http.StatusForbidden {
			t.Errorf("POST %s as nobody = %d; want 403, and nothing kept", path, status)
		}
	}
}
