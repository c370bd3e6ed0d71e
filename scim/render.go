package scim

import (
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/usherd/usherd/directory"
)

// userAnswer reads a user and answers with it.
func (c *call) userAnswer(id directory.UserID, status int) (answer, error) {
	rt := c.model.user
	want, err := c.projection()
	if err != nil {
		return answer{}, err
	}
	i, err := c.read.Identity(c.ctx, c.source(), id)
	if err != nil {
		return answer{}, c.missing(err)
	}
	ans := answer{status: status, etag: etag(i.Version), stamp: c.stamp}
	if c.notModified(i.Version) {
		ans.status = http.StatusNotModified
		return ans, nil
	}
	rs, err := c.users([]directory.Identity{i}, want.returns("groups"))
	if err != nil {
		return answer{}, err
	}
	if status == http.StatusCreated {
		ans.location = c.location(rt, string(id))
	}
	ans.doc = want.apply(rs[0].doc)
	return ans, nil
}

// users makes the documents of identities, with their groups if these are
// wanted.
func (c *call) users(ids []directory.Identity, groups bool) ([]resource, error) {
	out := make([]resource, len(ids))
	for n, i := range ids {
		doc, err := userDocument(i)
		if err != nil {
			return nil, err
		}
		c.finishDoc(doc, c.model.user, string(i.ID), i.Version, i.Created, i.Modified)
		out[n].doc = doc
	}
	if groups {
		return out, c.addGroups(out)
	}
	return out, nil
}

// addGroups reads the groups of all users at once.
func (c *call) addGroups(users []resource) error {
	if len(users) == 0 {
		return nil
	}
	ids := make([]directory.UserID, len(users))
	for n, u := range users {
		ids[n] = directory.UserID(u.id())
	}
	of, err := c.read.GroupsOf(c.ctx, c.source(), ids...)
	if err != nil {
		return err
	}
	for n, u := range users {
		if list := c.groupRefs(of[ids[n]]); len(list) > 0 {
			u.doc["groups"] = list
		}
	}
	return nil
}

func (c *call) groupRefs(refs []directory.GroupRef) []any {
	out := make([]any, 0, len(refs))
	for _, g := range refs {
		out = append(out, map[string]any{
			"value": string(g.ID), "display": g.Name, "type": "direct", "$ref": c.location(c.model.group, string(g.ID)),
		})
	}
	return out
}

// groupAnswer reads a group and answers with it.
func (c *call) groupAnswer(id directory.GroupID, status int) (answer, error) {
	rt := c.model.group
	want, err := c.projection()
	if err != nil {
		return answer{}, err
	}
	g, err := c.read.Group(c.ctx, c.source(), id)
	if err != nil {
		return answer{}, c.missing(err)
	}
	ans := answer{status: status, etag: etag(g.Version), stamp: c.stamp}
	if c.notModified(g.Version) {
		ans.status = http.StatusNotModified
		return ans, nil
	}
	r, err := c.group(g)
	if err != nil {
		return answer{}, err
	}
	if status == http.StatusCreated {
		ans.location = c.location(rt, string(id))
	}
	ans.doc, ans.members = want.apply(r.doc), want.members(r.members)
	return ans, nil
}

// group makes the document of a group; its members are read when written.
func (c *call) group(g directory.Group) (resource, error) {
	doc, err := groupDocument(g)
	if err != nil {
		return resource{}, err
	}
	c.finishDoc(doc, c.model.group, string(g.ID), g.Version, g.Created, g.Modified)
	return resource{doc: doc, members: c.members(g)}, nil
}

func (c *call) members(g directory.Group) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		if g.Members+g.Pending == 0 {
			return
		}
		for m, err := range c.read.Members(c.ctx, g.ID) {
			if !yield(c.member(m), err) || err != nil {
				return
			}
		}
	}
}

// member is one value of members. A pending one is what was sent and no more.
func (c *call) member(m directory.Member) map[string]any {
	v := map[string]any{"value": m.Value}
	switch m.Kind {
	case directory.UserMember:
		v["type"], v["$ref"] = "User", c.location(c.model.user, m.Value)
	case directory.GroupMember:
		v["type"], v["$ref"] = "Group", c.location(c.model.group, m.Value)
	case directory.PendingMember:
	}
	return v
}

// finishDoc adds what we say of a resource: id, schemas and meta.
func (c *call) finishDoc(doc map[string]any, rt *resourceType, id string, version int64, created, modified time.Time) {
	doc["schemas"] = rt.schemasOf(doc)
	doc["id"] = id
	doc["meta"] = map[string]any{
		"resourceType": rt.name,
		"created":      dateTime(created),
		"lastModified": dateTime(modified),
		"location":     c.location(rt, id),
		"version":      etag(version),
	}
}

func dateTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// notModified tells whether a GET names the present version in If-None-Match
// (RFC 7644, section 3.14).
func (c *call) notModified(version int64) bool {
	if c.ifNoneMatch == "" || c.trace.Method != http.MethodGet && c.trace.Method != http.MethodHead {
		return false
	}
	return c.ifNoneMatch == "*" || names(c.ifNoneMatch, version)
}

// precondition checks If-Match against the present version.
func (c *call) precondition(version int64) error {
	if c.ifMatch == "" || c.ifMatch == "*" || names(c.ifMatch, version) {
		return nil
	}
	return fault(http.StatusPreconditionFailed, "", "the version is %s", etag(version))
}

// names tells whether a list of entity tags has that version, compared weakly:
// all our tags are weak (RFC 9110, section 8.8.3.2).
func names(list string, version int64) bool {
	want := strings.TrimPrefix(etag(version), "W/")
	for tag := range strings.SplitSeq(list, ",") {
		if strings.TrimPrefix(strings.TrimSpace(tag), "W/") == want {
			return true
		}
	}
	return false
}
