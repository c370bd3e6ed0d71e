package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// auditPages are the pages about who changed what.
func (c *Console) auditPages() {
	c.page("GET /audit", c.audit)
	c.page("POST /audit/verify", c.verifyAudit)
	c.page("POST /audit/views", c.saveAuditView)
	c.page("POST /audit/views/forget", c.forgetAuditView)
	c.page("GET /audit/{revision}", c.auditRecord)
}

var auditList = ListSpec{
	Name: "audit", Title: "Audit log", Noun: "records",
	Columns: []Column{
		{Key: "time", Title: "Time", Default: true},
		{Key: "actor", Title: "Actor", Default: true},
		{Key: "via", Title: "Via", Default: true},
		{Key: "action", Title: "Action", Default: true},
		{Key: "target", Title: "Target", Default: true},
		{Key: "result", Title: "Result", Default: true},
		{Key: "request", Title: "Request or run"},
		{Key: "reason", Title: "Reason"},
		{Key: "actorid", Title: "Actor's id"},
		{Key: "targetid", Title: "Target's id"},
		{Key: "address", Title: "IP"}, // personal data: whoever wants it asks for it
	},
	Filters: []Filter{
		{Key: "actor", Title: "Actor"},
		{Key: "target", Title: "Target"},
		{Key: "action", Title: "Action", Options: auditActions},
		{Key: "request", Title: "Request or run"},
		{Key: "from", Title: "From", Day: true},
		{Key: "to", Title: "To", Day: true},
	},
}

// auditActions are what the types of changes begin with.
var auditActions = []Option{
	{"user", "users"},
	{"group", "groups"},
	{"members", "members"},
	{"grant", "grants"},
	{"override", "overrides"},
	{"policy", "policy"},
	{"mapping", "mappings"},
	{"draft", "drafts"},
	{"source", "sources"},
	{"token", "tokens"},
	{"identity", "identities"},
	{"webhook", "webhooks"},
	{"export", "exports"},
}

// vias are how people call the way that an actor came.
var vias = map[string]string{
	directory.ActorUser: "console", directory.ActorToken: "API token", directory.ActorSocket: "command line", directory.ActorSystem: "configuration",
	directory.ActorSCIM: "SCIM", directory.ActorLDAP: "LDAP",
}

// An auditRow is a record as a list shows it.
type auditRow struct {
	directory.AuditHead
	Who, WhoHref, Via string
	Action            string // the first, and how many more
	Words             string // the same in plain words
	Target, Href      string
	TargetID          string
	Changes           []auditChange
}

// An auditChange is a change with the names of what it is about.
type auditChange struct {
	admin.AuditedChange
	Name, Href   string
	Joined, Left []Cell // the first members that came and went
}

func (c *Console) audit(req request) (templ.Component, error) {
	if err := req.viewer.Require(admin.ReadAudit, ""); err != nil {
		return nil, err
	}
	l := List{ListSpec: auditList, State: c.state(req, auditList), Total: -1}
	q, err := c.auditQuery(req.Context(), l.State)
	if err != nil {
		l.Total = 0
		return c.misread(req, l, err)
	}
	if l.CSV || req.URL.Query().Get("format") == "jsonl" {
		return nil, c.exportAudit(req, l, q)
	}
	page, err := c.Service.FindAuditHeads(req.Context(), q)
	if err != nil {
		return nil, err
	}
	for _, r := range c.auditRows(req.Context(), page.Items) {
		l.Rows = append(l.Rows, r.row())
	}
	if page.Next == 0 && l.Cursor == "" {
		l.Total = len(l.Rows)
	}
	if page.Next > 0 {
		l.Next = strconv.FormatInt(int64(page.Next), 10)
	}
	l.Actions = auditActionsTemplate(l.With("format", "jsonl"))
	saved, err := c.views(req, l)
	if err != nil {
		return nil, err
	}
	l.Above = auditAbove(saved, c.retention())
	return c.list(req, l)
}

// auditQuery reads the filters. Names are turned into the ids that records hold.
func (c *Console) auditQuery(ctx context.Context, s State) (admin.AuditQuery, error) {
	q := admin.AuditQuery{Actor: s.Filter["actor"], Target: s.Filter["target"], Action: s.Filter["action"], Request: s.Filter["request"], Limit: s.Size}
	var err error
	if q.From, q.To, err = days(s.Filter["from"], s.Filter["to"]); err != nil {
		return q, err
	}
	q.Actor, q.Target = c.idOf(ctx, q.Actor), c.idOf(ctx, q.Target)
	if s.Cursor != "" {
		before, err := strconv.ParseInt(s.Cursor, 10, 64)
		if err != nil {
			return q, fmt.Errorf("%w: the cursor is not one that the list gave", directory.ErrInvalid)
		}
		q.Before = directory.Revision(before)
	}
	return q, nil
}

// idOf is the id of the user or group that people call so, if there is one.
func (c *Console) idOf(ctx context.Context, name string) string {
	if name == "" || directory.IsID(name) {
		return name
	}
	if u, err := c.Service.User(ctx, name); err == nil {
		return string(u.ID)
	}
	if strings.Contains(name, "/") {
		if g, err := c.Service.Group(ctx, name, 1); err == nil {
			return string(g.ID)
		}
	}
	return name
}

func (r auditRow) row() Row {
	return Row{ID: strconv.FormatInt(int64(r.Revision), 10), Label: r.Action, Cells: map[string]Cell{
		"time": Time(r.Time), "actor": {Text: r.Who, Href: r.WhoHref}, "via": Text(r.Via), "action": {Text: r.Action, Show: recordLink(r)},
		"target": {Text: cmp.Or(r.Target, "--"), Href: r.Href}, "result": Text("revision\u00a0" + strconv.FormatInt(int64(r.Revision), 10)),
		"request": Text(r.Actor.Request), "reason": Text(r.Actor.Reason), "actorid": Text(r.Actor.Name), "targetid": Text(r.TargetID), "address": Text(r.Actor.Address),
	}}
}

func auditPath(r directory.Revision) string { return "/audit/" + strconv.FormatInt(int64(r), 10) }

// exportAudit streams all records of a filter: CSV with the columns of the list,
// or the records themselves as lines of JSON.
func (c *Console) exportAudit(req request, l List, q admin.AuditQuery) error {
	q.Before, q.Limit = 0, 1000
	if _, err := c.Service.FindAuditHeads(req.Context(), admin.AuditQuery{Limit: 1}); err != nil {
		return err // while a status can still be sent
	}
	if l.CSV {
		c.csv(req, l, func(yield func(Row, error) bool) {
			for heads, err := range c.eachHead(req.Context(), q) {
				if err != nil {
					yield(Row{}, err)
					return
				}
				for _, r := range c.auditRows(req.Context(), heads) {
					row := r.row()
					row.Cells["action"] = Text(r.Action)
					if !yield(row, nil) {
						return
					}
				}
			}
		})
		return nil
	}
	if err := c.noteExport(req, l); err != nil {
		return err
	}
	h := req.w.Header()
	h.Set("Content-Type", "application/jsonl; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="audit-%s.jsonl"`, c.Now().UTC().Format("20060102-1504")))
	out := json.NewEncoder(req.w)
	for records, err := range c.eachAudit(req.Context(), q) {
		if err != nil {
			c.Log.Warn("exporting the audit log", zap.Error(err))
			panic(http.ErrAbortHandler) // the only way left to say that the file is not whole
		}
		for _, r := range records {
			if err := out.Encode(r); err != nil {
				return nil // the browser left
			}
		}
	}
	return nil
}

// wholeRecords is how many records an export has in memory at a time.
const wholeRecords = 50

// eachAudit yields all records that match, some at a time.
func (c *Console) eachAudit(ctx context.Context, q admin.AuditQuery) iter.Seq2[[]directory.AuditRecord, error] {
	return func(yield func([]directory.AuditRecord, error) bool) {
		for heads, err := range c.eachHead(ctx, q) {
			if err != nil {
				yield(nil, err)
				return
			}
			for part := range slices.Chunk(heads, wholeRecords) {
				at := make([]directory.Revision, len(part))
				for i, h := range part {
					at[i] = h.Revision
				}
				records, err := c.Service.AuditRecords(ctx, at...)
				if !yield(records, err) || err != nil {
					return
				}
			}
		}
	}
}

// eachHead yields the heads of all records that match, page by page.
func (c *Console) eachHead(ctx context.Context, q admin.AuditQuery) iter.Seq2[[]directory.AuditHead, error] {
	return func(yield func([]directory.AuditHead, error) bool) {
		for {
			page, err := c.Service.FindAuditHeads(ctx, q)
			if !yield(page.Items, err) || err != nil || page.Next == 0 {
				return
			}
			q.Before = page.Next
		}
	}
}

// A recordView is the page of a record.
type recordView struct {
	auditRow
	Hash   string
	Raw    string
	Access []contrast
	Past   bool // what it meant is older than history is kept
	Newest bool // no record follows

	From, FromHref string // what it came out of: a run, or a request of a provider
}

// A contrast is what somebody could do before and after.
type contrast struct {
	Name, Href, Text string
}

// shownContrasts is for how many people a record's page works out what it meant.
const shownContrasts = 5

func (c *Console) auditRecord(req request) (templ.Component, error) {
	n, err := strconv.ParseInt(req.PathValue("revision"), 10, 64)
	if err != nil {
		return nil, errNoPage
	}
	r, err := c.Service.AuditRecord(req.Context(), directory.Revision(n))
	if err != nil {
		return nil, err
	}
	changes, err := admin.AuditedChanges(r)
	if err != nil {
		return nil, err
	}
	v := recordView{auditRow: c.auditRows(req.Context(), []directory.AuditHead{headOf(r, changes)})[0], Hash: fmt.Sprintf("%x", r.Hash), Raw: indented(r.Changes)}
	switch source := string(r.Actor.Source); {
	case r.Actor.Request == "":
	case source == "":
		if job, err := c.Service.Job(req.Context(), r.Actor.Request); err == nil {
			v.From, v.FromHref = "the job", "/jobs/"+job.ID
		}
	case r.Actor.Kind == directory.ActorLDAP && req.viewer.Can(admin.ReadSources):
		v.From, v.FromHref = "the run of "+source, "/runs/"+r.Actor.Request+"?"+queryOf("source", source)
	case r.Actor.Kind == directory.ActorSCIM && req.viewer.Can(admin.ReadSources):
		v.From, v.FromHref = "the request of "+source, "/sources/"+source+"/requests/"+r.Actor.Request
	}
	newest, err := c.Service.FindAuditHeads(req.Context(), admin.AuditQuery{Limit: 1})
	v.Newest = err == nil && len(newest.Items) == 1 && newest.Items[0].Revision == r.Revision
	named := c.targetNamer(req.Context(), targetsOf(changes)...)
	var people []string
	met := map[string]bool{}
	for _, change := range changes {
		ch := auditChange{AuditedChange: change}
		ch.Name, ch.Href = named(change.Type, change.Target)
		ch.Joined, ch.Left = namedMembers(named, change.Added), namedMembers(named, change.Removed)
		v.Changes = append(v.Changes, ch)
		for _, id := range slices.Concat([]string{change.Target}, change.Added, change.Removed) {
			if directory.IsID(id) && !met[id] {
				met[id], people = true, append(people, id)
			}
		}
	}
	if req.viewer.Can(admin.AskChecks) && n > 1 {
		v.contrasts(c.compareAround(req.Context(), people, n))
	}
	return c.frame(req, "Audit record "+strconv.FormatInt(n, 10), recordTemplate(v)), nil
}

// shownMembers is how many members a change names one by one.
const shownMembers = 5

// namedMembers are the first members of a change, if they are any.
func namedMembers(named func(kind, id string) (string, string), ids []string) (out []Cell) {
	for _, id := range ids[:min(shownMembers, len(ids))] {
		if !directory.IsID(id) {
			return nil
		}
		name, href := named("", id)
		out = append(out, Cell{Text: name, Href: href})
	}
	return out
}

func (v *recordView) contrasts(all []contrast, past bool) { v.Access, v.Past = all, past }

// compareAround says what people could do before and after a revision.
func (c *Console) compareAround(ctx context.Context, people []string, at int64) (out []contrast, past bool) {
	name := c.namer(ctx)
	for _, id := range people {
		if len(out) == shownContrasts {
			break
		}
		cmp, err := c.Service.CompareTimes(ctx, id, strconv.FormatInt(at-1, 10), strconv.FormatInt(at, 10))
		if errors.Is(err, directory.ErrHistoryExpired) {
			return nil, true
		}
		if err != nil {
			continue // no user, or not known yet
		}
		called := name(directory.UserID(id))
		out = append(out, contrast{called, "/users/" + id, strings.TrimPrefix(cmp.Text, called+"\n")})
	}
	return out, false
}

func (c *Console) verifyAudit(req request) (templ.Component, error) {
	begun := c.Now()
	v, err := c.Service.VerifyAudit(req.Context())
	if err != nil {
		return nil, err
	}
	return c.frame(req, "Audit log", verificationTemplate(v, took(c.Now().Sub(begun)))), nil
}
