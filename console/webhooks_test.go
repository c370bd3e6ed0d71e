package console_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/usherd/usherd/directory"
)

func TestWebhooksAreAddedTriedAndRemoved(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	owner := h.user("owner@example.com", directory.RoleOwner)
	b := h.browse()
	h.enter(b, owner)
	b.open("/webhooks/new")
	b.look("webhook-new")
	b.fill("#url", "https://user:pw@example.com/hook")
	b.press("Add the endpoint")
	b.until(`!!document.querySelector("p.problem")`, "that it is refused")
	b.fill("#url", "https://example.com/hook")
	b.press("Add the endpoint")
	b.sees("It is shown this once")
	b.press("To the endpoint")
	b.press("Send a test")
	b.sees("A test event is on its way")
	b.sees("webhook.test")
	b.look("webhook")
	b.press("Rotate the secret")
	b.sees("For a day the old secret signs as well")
	b.press("To the endpoint")
	b.press("Disable")
	b.sees("Disabled: what is pending waits")
	b.open("/webhooks")
	b.sees("https://example.com/hook")
	b.look("webhooks")
	b.press("https://example.com/hook")
	b.press("Remove")
	b.sees("Removed.")

	viewer := h.signedIn(h.user("viewer@example.com", directory.RoleViewer))
	if status, _ := h.post(viewer, "/webhooks/new", url.Values{"url": {"https://example.com/x"}}); status == http.StatusOK {
		t.Error("a viewer adds an endpoint")
	}
}
