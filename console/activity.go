package console

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// An activityRow is one thing that somebody did.
type activityRow struct {
	Time      time.Time
	Who, What string
	Revision  string
	Href      string
}

// activityMost is how many records the activity of one thing shows, and
// activitySearched how many it looks at.
const (
	activityMost     = 50
	activitySearched = 500
)

// activity lists what was done to a thing of the policy, or mentions it, the
// newest first: among edits of the policy, and what a query finds besides. It is
// empty for whoever may not read the audit log.
func (c *Console) activity(req request, q admin.AuditQuery, about func(admin.AuditedChange) bool) ([]activityRow, error) {
	if !req.viewer.Can(admin.ReadAudit) {
		return nil, nil
	}
	at, err := c.activityRecords(req, q, admin.AuditQuery{Action: "policy.set"})
	if err != nil {
		return nil, err
	}
	var out []activityRow
	people := map[directory.UserID]bool{}
	for part := range slices.Chunk(at, wholeRecords) {
		records, err := c.Service.AuditRecords(req.Context(), part...)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			changes, err := admin.AuditedChanges(r)
			if err != nil {
				return nil, err
			}
			for _, ch := range changes {
				if len(out) < activityMost && about(ch) {
					out = append(out, activityRow{r.Time, actorText(r.Actor), changeText(ch), strconv.FormatInt(int64(r.Revision), 10), auditPath(r.Revision)})
					if r.Actor.Kind == directory.ActorUser {
						people[directory.UserID(r.Actor.Name)] = true
					}
				}
			}
		}
		if len(out) == activityMost {
			break
		}
	}
	var ids []directory.UserID
	for id := range people {
		ids = append(ids, id)
	}
	names, err := c.Service.NamesOfUsers(req.Context(), ids...)
	for i := range out {
		out[i].Who = cmp.Or(names[directory.UserID(out[i].Who)], out[i].Who)
	}
	return out, err
}

// activityRecords are the newest records that one of some queries finds, the
// newest first.
func (c *Console) activityRecords(req request, queries ...admin.AuditQuery) (at []directory.Revision, err error) {
	for _, q := range queries {
		q.Limit = activitySearched
		page, err := c.Service.FindAuditHeads(req.Context(), q)
		if err != nil {
			return nil, err
		}
		for _, h := range page.Items {
			at = append(at, h.Revision)
		}
	}
	slices.SortFunc(at, func(a, b directory.Revision) int { return cmp.Compare(b, a) })
	at = slices.Compact(at)
	return at[:min(activitySearched, len(at))], nil
}

// actorText names who did something; a signed-in user by the id.
func actorText(a directory.Actor) string {
	if a.Kind == directory.ActorUser {
		return a.Name
	}
	return strings.TrimSpace(cmp.Or(vias[a.Kind], a.Kind) + " " + a.Name)
}

// actorName is what people call an actor of a record: "user:ID" is a person.
func (c *Console) actorName(req request, actor string) string {
	id := strings.TrimPrefix(actor, directory.ActorUser+":")
	if !directory.IsID(id) || !req.viewer.Anywhere(admin.ReadDirectory) {
		return actor
	}
	names, err := c.Service.NamesOfUsers(req.Context(), directory.UserID(id))
	if err != nil || names[directory.UserID(id)] == "" {
		return actor
	}
	return names[directory.UserID(id)]
}

// changeText says what one change did.
func changeText(ch admin.AuditedChange) string {
	words := []string{actionText(ch.Type)}
	for _, part := range []struct {
		sign string
		what []string
	}{{"+", ch.Added}, {"−", ch.Removed}, {"~", ch.Attributes}} {
		for _, w := range part.what[:min(6, len(part.what))] {
			words = append(words, part.sign+w)
		}
	}
	if ch.Value != "" {
		words = append(words, ch.Value)
	}
	return strings.Join(words, " ")
}

// mentions reports whether a change of the policy is about an item.
func mentions(item string) func(admin.AuditedChange) bool {
	return func(ch admin.AuditedChange) bool {
		return slices.Contains(ch.Added, item) || slices.Contains(ch.Removed, item) || slices.Contains(ch.Attributes, item)
	}
}

func (c *Console) integrationActivity(req request) (templ.Component, error) {
	v, err := c.integrationView(req, "activity")
	if err != nil {
		return nil, err
	}
	item := string(directory.SectionIntegrations) + "/" + v.Key
	named := mentions(item)
	rows, err := c.activity(req, admin.AuditQuery{Action: "grant"}, func(ch admin.AuditedChange) bool {
		return named(ch) || strings.HasPrefix(ch.Type, "grant") && strings.Contains(ch.Value, "integration "+v.Key)
	})
	if err != nil {
		return nil, err
	}
	return c.frame(req, v.Name, integrationActivityTemplate(v, rows, req.viewer.Can(admin.ReadAudit))), nil
}

// revisionOf is the revision that a form was made of; 0 if it does not say.
func revisionOf(req request) directory.Revision {
	n, err := strconv.ParseInt(req.PostForm.Get("revision"), 10, 64)
	if err != nil {
		return 0
	}
	return directory.Revision(n)
}
