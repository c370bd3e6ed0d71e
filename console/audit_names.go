package console

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// auditRows names what records are about.
func (c *Console) auditRows(ctx context.Context, heads []directory.AuditHead) []auditRow {
	first := make([]admin.AuditedChange, len(heads))
	var ids []string
	for i, h := range heads {
		_ = json.Unmarshal(h.First, &first[i]) // a record that does not read has no words; to verify the chain says it
		ids = append(ids, targetsOf(first[i:i+1])...)
		if h.Actor.Kind == directory.ActorUser {
			ids = append(ids, h.Actor.Name)
		}
	}
	named := c.targetNamer(ctx, ids...)
	out := make([]auditRow, len(heads))
	for i, h := range heads {
		row := auditRow{AuditHead: h, Who: h.Actor.Name, Via: vias[h.Actor.Kind]}
		if row.Via == "" {
			row.Via = h.Actor.Kind
		}
		if h.Actor.Kind == directory.ActorUser {
			row.Who, row.WhoHref = named("user.", h.Actor.Name)
		}
		if h.Changes > 0 {
			row.TargetID = first[i].Target
			row.Target, row.Href = named(first[i].Type, first[i].Target)
			row.Action, row.Words = first[i].Type, recentText(first[i], h.Listed)
			if more := h.Changes - 1; more > 0 {
				and := " and " + strconv.Itoa(more) + " more"
				row.Action, row.Words = row.Action+and, row.Words+and
			}
		}
		out[i] = row
	}
	return out
}

// headOf is the head of a record, of which nothing is cut.
func headOf(r directory.AuditRecord, changes []admin.AuditedChange) directory.AuditHead {
	h := directory.AuditHead{Revision: r.Revision, Time: r.Time, Actor: r.Actor, Changes: len(changes)}
	if len(changes) > 0 {
		first := changes[0]
		h.Listed = len(first.Added) + len(first.Attributes) + len(first.Removed)
		h.First, _ = json.Marshal(first) // texts and lists of texts always encode
	}
	return h
}

// targetsOf are the ids that a page names of changes.
func targetsOf(changes []admin.AuditedChange) (ids []string) {
	for _, ch := range changes {
		if !nameless(ch.Type) {
			ids = append(ids, ch.Target)
		}
		ids = append(ids, ch.Added[:min(shownMembers, len(ch.Added))]...)
		ids = append(ids, ch.Removed[:min(shownMembers, len(ch.Removed))]...)
	}
	return ids
}

// nameless reports whether the target of a type of change is no user and no
// group.
func nameless(kind string) bool {
	for _, of := range []string{"source.", "webhook.", "draft.", "token."} {
		if strings.HasPrefix(kind, of) {
			return true
		}
	}
	return false
}

// called is what something is called, and where its page is.
type called struct{ name, href string }

// targetNamer returns a function that says what a target is called, and where
// its page is. The users and groups that it is told of are read at once, others
// when they are asked for.
func (c *Console) targetNamer(ctx context.Context, ids ...string) func(kind, id string) (name, href string) {
	known := c.calledOf(ctx, ids)
	return func(kind, id string) (string, string) {
		switch {
		case strings.HasPrefix(kind, "source."):
			return id, "/sources/" + id
		case strings.HasPrefix(kind, "webhook."):
			return "webhook " + id[:min(10, len(id))] + "…", "/webhooks/" + id
		case !directory.IsID(id):
			return id, ""
		}
		k, ok := known[id]
		if !ok {
			k = c.calledNow(ctx, kind, id)
			known[id] = k
		}
		return k.name, k.href
	}
}

// calledOf looks users and groups up together. Those that it does not find may
// be deleted, or be seen by a right over a project only.
func (c *Console) calledOf(ctx context.Context, ids []string) map[string]called {
	known := map[string]called{}
	var users []directory.UserID
	for _, id := range ids {
		if directory.IsID(id) {
			users = append(users, directory.UserID(id))
		}
	}
	people, err := c.Service.NamesOfUsers(ctx, users...)
	if err != nil {
		return known
	}
	var rest []directory.GroupID
	for _, id := range users {
		if name := people[id]; name != "" {
			known[string(id)] = called{name, "/users/" + string(id)}
		} else {
			rest = append(rest, directory.GroupID(id))
		}
	}
	groups, err := c.Service.NamesOfGroups(ctx, rest...)
	if err != nil {
		return known
	}
	for id, name := range groups {
		known[string(id)] = called{name, "/groups/" + string(id)}
	}
	return known
}

// calledNow looks one target up.
func (c *Console) calledNow(ctx context.Context, kind, id string) called {
	switch {
	case strings.HasPrefix(kind, "draft."):
		if d, err := c.Service.Draft(ctx, id); err == nil {
			return called{d.Title, draftPath(id)}
		}
	case nameless(kind):
	default:
		if u, err := c.Service.User(ctx, id); err == nil {
			return called{displayName(u.User), "/users/" + id}
		}
		if g, err := c.Service.Group(ctx, id, 1); err == nil {
			return called{string(g.Source) + "/" + g.Name, "/groups/" + id}
		}
	}
	return called{id, ""}
}
