package console

import (
	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
)

// shownRecent is how many records the page of a user, group or project shows.
const shownRecent = 50

// recent is the tab of a page with what changed about a user, group or project.
func (c *Console) recent(req request, target string) (templ.Component, error) {
	page, err := c.Service.FindAuditHeads(req.Context(), admin.AuditQuery{Target: target, Limit: shownRecent})
	if err != nil {
		return nil, err
	}
	return recentTemplate(c.auditRows(req.Context(), page.Items), withQuery("/audit", "target", target), false), nil
}
