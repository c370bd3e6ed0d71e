package scim

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"

	"github.com/usherd/usherd/directory"
)

// smallGroup is up to how many members a PATCH is answered with the whole
// group: 200 with a body below, 204 above, unless attributes are asked for (RFC
// 7644, section 3.5.2).
const smallGroup = 100

// createGroup is POST /Groups.
func (c *call) createGroup() (answer, error) {
	doc, members, err := c.groupDoc()
	if err != nil {
		return answer{}, err
	}
	name, external, attrs, err := c.groupFacts(doc)
	if err != nil {
		return answer{}, err
	}
	id := directory.GroupID(directory.NewID())
	changes := []directory.Change{directory.CreateGroup{
		ID: id, Source: c.source(), Name: name, ExternalID: external, Attributes: attrs,
	}}
	if len(members) > 0 {
		changes = append(changes, directory.AddMembers{Group: id, Source: c.source(), Values: members})
	}
	if err := c.apply(changes...); err != nil {
		return answer{}, c.conflict(err)
	}
	return c.groupAnswer(id, http.StatusCreated)
}

// maxSelections is how many operations of a PATCH may select members by a filter
// that does not name their values: each of them reads the member list and keeps
// what it finds.
const maxSelections = 10

// getGroup is GET /Groups/{id}.
func (c *call) getGroup() (answer, error) { return c.groupAnswer(c.groupID(), http.StatusOK) }

// putGroup is PUT /Groups/{id}. A body without members empties the group (RFC
// 7644, section 3.5.1); one without externalId keeps it.
func (c *call) putGroup() (answer, error) {
	doc, members, err := c.groupDoc()
	if err != nil {
		return answer{}, err
	}
	if members == nil {
		members = []string{}
	}
	_, err = c.rewriteGroup(func(old map[string]any) (map[string]any, error) {
		next := maps.Clone(doc)
		if v, ok := old["externalId"]; ok && next["externalId"] == nil {
			next["externalId"] = v
			c.bend("externalId missing in PUT: kept")
		}
		return next, nil
	}, []directory.Change{directory.ReplaceMembers{Group: c.groupID(), Source: c.source(), Values: members}})
	if err != nil {
		return answer{}, err
	}
	return c.groupAnswer(c.groupID(), http.StatusOK)
}

// patchGroup is PATCH /Groups/{id}. Operations on members become changes of
// rows without a look at the member list; the rest is applied to the group's
// document.
func (c *call) patchGroup() (answer, error) {
	ops, err := c.rt.operations(c.body, c.limits, &c.trace.quirks)
	if err != nil {
		return answer{}, err
	}
	c.body = nil
	if n := countMembers(ops); n > c.limits.Members {
		return answer{}, tooLarge("%d members; the limit is %d", n, c.limits.Members)
	}
	if err := checkSelections(ops); err != nil {
		return answer{}, err
	}
	c.trace.normal = logged(ops)
	members, err := memberChanges(c.groupID(), c.source(), ops, func(o operation) ([]string, error) {
		return c.selectedMembers(o, ops)
	})
	if err != nil {
		return answer{}, c.missing(err)
	}
	var own []operation
	for _, o := range ops {
		if !o.onMembers() {
			own = append(own, o)
		}
	}
	var change func(map[string]any) (map[string]any, error)
	if len(own) > 0 {
		change = func(old map[string]any) (map[string]any, error) { return applyPatch(old, own) }
	}
	g, err := c.rewriteGroup(change, members)
	if err != nil {
		return answer{}, err
	}
	want, err := c.projection()
	if err != nil {
		return answer{}, err
	}
	if want.only == nil && want.returns("members") && g.Members+g.Pending > smallGroup {
		return answer{status: http.StatusNoContent, etag: etag(g.Version), stamp: c.stamp}, nil
	}
	return c.groupAnswer(c.groupID(), http.StatusOK)
}

// rewriteGroup changes a group's own attributes, if change is not nil and
// changes any, and its members, in one Apply, and returns the group as it is
// then. Changes of members alone need no version and no turn: many may share a
// commit.
func (c *call) rewriteGroup(change func(map[string]any) (map[string]any, error), members []directory.Change) (directory.Group, error) {
	var none directory.Group
	stripe := c.locks.of(c.id)
	if change == nil {
		stripe.still.RLock()
		defer stripe.still.RUnlock()
	} else {
		stripe.turn.Lock()
		defer stripe.turn.Unlock()
	}
	for attempt := range c.tries() {
		if change != nil && attempt == 1 {
			stripe.still.Lock()
			defer stripe.still.Unlock()
		}
		old, err := c.read.Group(c.ctx, c.source(), c.groupID())
		if err != nil {
			return none, c.missing(err)
		}
		if err := c.precondition(old.Version); err != nil {
			return none, err
		}
		changes, err := c.groupChanges(old, change)
		if err != nil {
			return none, err
		}
		err = c.apply(append(changes, members...)...)
		if errors.Is(err, directory.ErrVersion) && c.ifMatch == "" {
			continue
		}
		if err != nil {
			return none, c.missing(c.conflict(err))
		}
		g, err := c.read.Group(c.ctx, c.source(), c.groupID())
		return g, c.missing(err)
	}
	return none, errBusy()
}

// groupChanges compares a group's document with what change makes of it. Okta
// sends the name before every change of members; an equal document must not
// cost a version.
func (c *call) groupChanges(old directory.Group, change func(map[string]any) (map[string]any, error)) ([]directory.Change, error) {
	var changes []directory.Change
	if c.ifMatch != "" && c.ifMatch != "*" {
		changes = append(changes, directory.RequireVersion{ID: c.id, Version: old.Version})
	}
	if change == nil {
		return changes, nil
	}
	before, err := groupDocument(old)
	if err != nil {
		return nil, err
	}
	after, err := change(before)
	if err != nil || reflect.DeepEqual(before, after) {
		return changes, err
	}
	if err := c.rt.checkImmutable(before, after); err != nil {
		return nil, err
	}
	name, external, attrs, err := c.groupFacts(after)
	if err != nil {
		return nil, err
	}
	return append(changes, directory.UpdateGroup{
		ID: old.ID, Source: c.source(), IfVersion: old.Version, Name: &name, ExternalID: &external, Attributes: attrs,
	}), nil
}

// selectedMembers reads the member list for a filter that does not name
// values, such as members[type eq "Group"], and finds what it selects there
// and among those that earlier operations of the request name.
func (c *call) selectedMembers(o operation, ops []operation) ([]string, error) {
	if _, err := c.read.Group(c.ctx, c.source(), c.groupID()); err != nil {
		return nil, err // of another source nothing is read
	}
	var values []string
	for _, earlier := range ops {
		if earlier.onMembers() && earlier.op != opRemove {
			for _, v := range earlier.members {
				if o.match(map[string]any{"value": v}) {
					values = append(values, v)
				}
			}
		}
	}
	for m, err := range c.read.Members(c.ctx, c.groupID()) {
		if err != nil {
			return nil, err
		}
		if o.match(c.member(m)) {
			values = append(values, m.Value)
		}
	}
	return values, nil
}

// deleteGroup is DELETE /Groups/{id}.
func (c *call) deleteGroup() (answer, error) {
	return c.remove(directory.DeleteGroup{ID: c.groupID(), Source: c.source()}, func() (int64, error) {
		old, err := c.read.Group(c.ctx, c.source(), c.groupID())
		return old.Version, err
	})
}

// groupDoc normalises the body of a POST or PUT.
func (c *call) groupDoc() (map[string]any, []string, error) {
	if obj, ok := c.body.(map[string]any); ok {
		if err := c.limits.tooMany(lookup(obj, "members")); err != nil {
			return nil, nil, err
		}
	}
	doc, members, err := c.rt.normalise(c.body, &c.trace.quirks)
	if err != nil {
		return nil, nil, err
	}
	c.body = nil // of many members it is the most that a request holds; the write comes only now
	if len(members) > c.limits.Members {
		return nil, nil, tooLarge("%d members; the limit is %d", len(members), c.limits.Members)
	}
	seen := maps.Clone(doc)
	if members != nil {
		seen["members"] = members
	}
	c.trace.normal = seen
	return doc, members, nil
}

// groupFacts checks a whole document and takes out what the directory looks
// groups up by.
func (c *call) groupFacts(doc map[string]any) (name, external string, attrs json.RawMessage, err error) {
	if err := c.rt.validate(doc); err != nil {
		return "", "", nil, err
	}
	name, _ = doc["displayName"].(string)
	if _, err := directory.KeyOf(name); err != nil {
		return "", "", nil, badValue("displayName: %v", err)
	}
	if external, err = externalID(doc); err != nil {
		return "", "", nil, err
	}
	attrs, err = json.Marshal(doc)
	return name, external, attrs, err
}

// groupDocument is the document of a group without id, meta and members.
func groupDocument(g directory.Group) (map[string]any, error) {
	doc, err := stored(g.Attributes)
	if err != nil {
		return nil, err
	}
	doc["displayName"] = g.Name
	delete(doc, "externalId")
	if g.ExternalID != "" {
		doc["externalId"] = g.ExternalID
	}
	return doc, nil
}
