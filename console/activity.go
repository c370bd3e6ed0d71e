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
	More      []string // what What leaves out
	About     []Cell   // whom or what it was done to, and where
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
	var of []directory.AuditRecord
	var what []admin.AuditedChange
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
				if len(what) < activityMost && about(ch) {
					of, what = append(of, r), append(what, ch)
				}
			}
		}
		if len(what) == activityMost {
			break
		}
	}
	return c.activityRows(req, of, what), nil
}

// activityRows are changes of records, with the names of who did them and of
// whom or what they are about.
func (c *Console) activityRows(req request, of []directory.AuditRecord, what []admin.AuditedChange) []activityRow {
	var ids []string
	for i, ch := range what {
		ids = append(ids, of[i].Actor.Name, ch.Target, ch.Group)
	}
	named := c.targetNamer(req.Context(), ids...)
	out := make([]activityRow, len(what))
	for i, ch := range what {
		who := actorText(of[i].Actor)
		if of[i].Actor.Kind == directory.ActorUser {
			who, _ = named("user.", who)
		}
		said, more := changeText(ch)
		row := activityRow{Time: of[i].Time, Who: who, What: said, More: more, Revision: strconv.FormatInt(int64(of[i].Revision), 10), Href: auditPath(of[i].Revision)}
		for _, id := range []string{ch.Target, ch.Group} {
			if id != "" {
				name, href := named(ch.Type, id)
				row.About = append(row.About, Link(name, href))
			}
		}
		if ch.Project != "" {
			row.About = append(row.About, Link("in project "+ch.Project, "/projects/"+ch.Project))
		}
		out[i] = row
	}
	return out
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

// givenRole is the value of a change by which somebody is given a Role, or no
// longer.
func givenRole(name directory.RoleName) string { return "role " + string(name) }

// givenLevels are the values of changes by which somebody is given a level on a
// connection, or no longer.
func givenLevels(key string) (values []string) {
	for level := directory.NoLevel; level <= directory.Admin; level++ {
		values = append(values, string(directory.IntegrationLevel)+" "+key+"="+level.String())
	}
	return values
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

// saidAtOnce is how much of a long list a change says without being opened.
const saidAtOnce = 6

// changeText says what one change did, and what of it is too long to say at once.
func changeText(ch admin.AuditedChange) (said string, more []string) {
	words := []string{actionText(ch.Type)}
	for _, part := range []struct {
		sign string
		what []string
	}{{"+", ch.Added}, {"−", ch.Removed}, {"~", ch.Attributes}} {
		for i, w := range part.what {
			if i < saidAtOnce {
				words = append(words, part.sign+w)
			} else {
				more = append(more, part.sign+w)
			}
		}
	}
	if ch.Value != "" {
		words = append(words, ch.Value)
	}
	return strings.Join(words, " "), more
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
	named, given := mentions(item), givenLevels(v.Key)
	rows, err := c.activity(req, admin.AuditQuery{Targets: given}, func(ch admin.AuditedChange) bool {
		return named(ch) || slices.Contains(given, ch.Value)
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
