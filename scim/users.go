package scim

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"time"

	"github.com/usherd/usherd/directory"
)

// attempts is how often a write is tried at least when another one came between
// its reading and its writing.
const attempts = 20

// tries counts the attempts of a write until they are many and have taken long:
// the writers of other replicas cannot be made to wait.
func (c *call) tries() iter.Seq[int] {
	return func(yield func(int) bool) {
		end := time.Now().Add(c.limits.Wait)
		for n := 0; n < attempts || c.ctx.Err() == nil && time.Now().Before(end); n++ {
			if !yield(n) {
				return
			}
		}
	}
}

// createUser is POST /Users. A user that is inactive in this source comes back
// under the same id if the body names it by its externalId, or by its userName
// when it has none.
func (c *call) createUser() (answer, error) {
	doc, err := c.userDoc()
	if err != nil {
		return answer{}, err
	}
	if _, ok := doc["active"]; !ok {
		doc["active"] = true
	}
	p, err := c.profile(doc)
	if err != nil {
		return answer{}, err
	}
	for range c.tries() {
		change := directory.CreateUser{ID: directory.UserID(directory.NewID()), Source: c.source(), Profile: p}
		if change.User, err = c.joins(p); err != nil {
			return answer{}, err
		}
		err := c.apply(change)
		taken, ok := errors.AsType[*directory.TakenError](err)
		if !ok {
			if err != nil {
				return answer{}, err
			}
			return c.created(change.ID, p)
		}
		old, err := c.comesBack(taken, p)
		if errors.Is(err, directory.ErrNotFound) {
			continue // the holder is gone by now
		}
		if err != nil {
			return answer{}, err
		}
		err = c.takeUp(old, doc)
		if errors.Is(err, directory.ErrVersion) || errors.Is(err, directory.ErrNotFound) {
			continue
		}
		if err != nil {
			return answer{}, c.conflict(err)
		}
		c.bend("POST of an inactive user to PUT")
		return c.userAnswer(old.ID, http.StatusCreated)
	}
	return answer{}, errBusy()
}

// joins returns the user of other sources whom a new identity joins, if there
// is one.
func (c *call) joins(p directory.Profile) (directory.UserID, error) {
	if c.link == nil || !c.model.links {
		return "", nil
	}
	user, err := c.link.LinkFor(c.ctx, c.source(), p)
	if err != nil || user == "" {
		return "", err
	}
	c.bend("POST linked to a user of another source")
	return user, nil
}

// takeUp takes the body of a POST as a PUT of an inactive user.
func (c *call) takeUp(old directory.Identity, doc map[string]any) error {
	next := maps.Clone(doc)
	if next["externalId"] == nil && old.ExternalID != "" {
		next["externalId"] = old.ExternalID
	}
	p, err := c.profile(next)
	if err != nil {
		return err
	}
	return c.apply(directory.ReplaceUser{ID: old.ID, Source: c.source(), IfVersion: old.Version, Profile: p})
}

// created answers with a new user. Where the store revived an identity instead
// of making one, that one is found by its externalId.
func (c *call) created(id directory.UserID, p directory.Profile) (answer, error) {
	ans, err := c.userAnswer(id, http.StatusCreated)
	if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusNotFound || p.ExternalID == "" {
		return ans, err
	}
	page, err := c.read.Identities(c.ctx, directory.Query{
		Source: c.source(), Limit: 1,
		Where: directory.Compare{Attr: directory.AttrExternalID, Op: directory.Eq, Value: p.ExternalID},
	})
	if err != nil {
		return answer{}, err
	}
	if len(page.Items) == 0 {
		return answer{}, notFound("User", string(id))
	}
	return c.userAnswer(page.Items[0].ID, http.StatusCreated)
}

// comesBack returns the inactive identity that a POST takes up again, or the
// 409 that names who is in the way.
func (c *call) comesBack(taken *directory.TakenError, p directory.Profile) (directory.Identity, error) {
	var none directory.Identity
	if taken.Source != c.source() || taken.Attribute == "identity" {
		return none, c.conflict(taken)
	}
	old, err := c.read.Identity(c.ctx, c.source(), directory.UserID(taken.Holder))
	if err != nil {
		return none, err
	}
	same := p.ExternalID != "" && old.ExternalID == p.ExternalID
	if p.ExternalID == "" {
		a, err := directory.KeyOf(old.UserName)
		b, err2 := directory.KeyOf(p.UserName)
		same = err == nil && err2 == nil && a == b
	}
	if old.Active || !same {
		return none, c.conflict(taken)
	}
	return old, nil
}

// conflict words a taken name for the client: who holds it, and what to do
// about it if that is another source.
func (c *call) conflict(err error) error {
	t, ok := errors.AsType[*directory.TakenError](err)
	if !ok {
		return err
	}
	e := fault(http.StatusConflict, "uniqueness", "%s is held by another source, %s: link the two (usherd user link %s/EXTERNAL-ID USER, "+
		"or switch linking of the two sources on, unless an identity was detached from that user) or rename one", t.Attribute, t.Source, c.source())
	switch {
	case t.Attribute == "identity":
		e.Detail = fmt.Sprintf("that user has, or had, another identity of this source, %s: an administrator may detach it, and link this one (usherd user link %s/EXTERNAL-ID USER)", t.Holder, c.source())
	case t.Source == c.source():
		e = fault(http.StatusConflict, "uniqueness", "%s is taken by %s %s", t.Attribute, c.rt.name, t.Holder)
		e.location = c.location(c.rt, t.Holder)
	}
	e.Err = err
	return e
}

// getUser is GET /Users/{id}.
func (c *call) getUser() (answer, error) { return c.userAnswer(c.userID(), http.StatusOK) }

// putUser is PUT /Users/{id}. What the body leaves out is cleared, but for
// active and externalId: a client that forgets them neither lets an inactive
// user in nor cuts a user off from its own id.
func (c *call) putUser() (answer, error) {
	doc, err := c.userDoc()
	if err != nil {
		return answer{}, err
	}
	return c.rewriteUser(func(old map[string]any) (map[string]any, error) {
		next := maps.Clone(doc)
		for _, name := range []string{"active", "externalId"} {
			if v, ok := old[name]; ok && next[name] == nil {
				next[name] = v
				c.bend(name + " missing in PUT: kept")
			}
		}
		return next, nil
	})
}

// patchUser is PATCH /Users/{id}.
func (c *call) patchUser() (answer, error) {
	ops, err := c.rt.operations(c.body, c.limits, &c.trace.quirks)
	if err != nil {
		return answer{}, err
	}
	c.trace.normal = logged(ops)
	return c.rewriteUser(func(old map[string]any) (map[string]any, error) { return applyPatch(old, ops) })
}

// rewriteUser reads a user, lets change make a new document of the old one,
// and writes it if nobody else wrote in between; else it begins again. Only
// If-Match makes that the client's concern (RFC 7644, section 3.14).
func (c *call) rewriteUser(change func(old map[string]any) (map[string]any, error)) (answer, error) {
	stripe := c.locks.of(c.id)
	stripe.turn.Lock()
	defer stripe.turn.Unlock()
	for range c.tries() {
		old, err := c.read.Identity(c.ctx, c.source(), c.userID())
		if err != nil {
			return answer{}, c.missing(err)
		}
		if err := c.precondition(old.Version); err != nil {
			return answer{}, err
		}
		err = c.replaceUser(old, change)
		if errors.Is(err, directory.ErrVersion) && c.ifMatch == "" {
			continue
		}
		if err != nil {
			return answer{}, c.missing(c.conflict(err))
		}
		return c.userAnswer(old.ID, http.StatusOK)
	}
	return answer{}, errBusy()
}

func (c *call) replaceUser(old directory.Identity, change func(map[string]any) (map[string]any, error)) error {
	before, err := userDocument(old)
	if err != nil {
		return err
	}
	after, err := change(before)
	if err != nil {
		return err
	}
	if err := c.rt.checkImmutable(before, after); err != nil {
		return err
	}
	p, err := c.profile(after)
	if err != nil {
		return err
	}
	return c.apply(directory.ReplaceUser{ID: old.ID, Source: c.source(), IfVersion: old.Version, Profile: p})
}

// deleteUser is DELETE /Users/{id}.
func (c *call) deleteUser() (answer, error) {
	return c.remove(directory.DeleteUser{ID: c.userID(), Source: c.source()}, func() (int64, error) {
		old, err := c.read.Identity(c.ctx, c.source(), c.userID())
		return old.Version, err
	})
}

// remove performs a DELETE. version is asked only where the client names one.
func (c *call) remove(what directory.Change, version func() (int64, error)) (answer, error) {
	changes := []directory.Change{what}
	if c.ifMatch != "" {
		old, err := version()
		if err != nil {
			return answer{}, c.missing(err)
		}
		if err := c.precondition(old); err != nil {
			return answer{}, err
		}
		if c.ifMatch != "*" {
			changes = append([]directory.Change{directory.RequireVersion{ID: c.id, Version: old}}, changes...)
		}
	}
	if err := c.apply(changes...); err != nil {
		return answer{}, c.missing(err)
	}
	return answer{status: http.StatusNoContent, stamp: c.stamp}, nil
}

// missing words ErrNotFound for the resource that was asked for.
func (c *call) missing(err error) error {
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrNotOwner) {
		return notFound(c.rt.name, c.id)
	}
	return err
}

func errBusy() error {
	return &Error{Status: http.StatusServiceUnavailable, Detail: "the resource is being changed by others", retry: 1}
}

// userDoc normalises the body of a POST or PUT.
func (c *call) userDoc() (map[string]any, error) {
	doc, _, err := c.rt.normalise(c.body, &c.trace.quirks)
	c.trace.normal = doc
	return doc, err
}

// profile checks a whole document and makes what the directory keeps of it.
func (c *call) profile(doc map[string]any) (directory.Profile, error) {
	if err := c.rt.validate(doc); err != nil {
		return directory.Profile{}, err
	}
	p := directory.Profile{}
	p.UserName, _ = doc["userName"].(string)
	if _, err := directory.KeyOf(p.UserName); err != nil {
		return p, badValue("userName: %v", err)
	}
	var err error
	if p.ExternalID, err = externalID(doc); err != nil {
		return p, err
	}
	p.DisplayName, _ = doc["displayName"].(string)
	p.Active, _ = doc["active"].(bool)
	emails, _ := doc["emails"].([]any)
	if len(emails) > c.limits.Emails {
		return p, badValue("a user has %d emails; the limit is %d", len(emails), c.limits.Emails)
	}
	for _, e := range emails {
		email, _ := e.(map[string]any)
		var out directory.Email
		out.Value, _ = email["value"].(string)
		out.Type, _ = email["type"].(string)
		out.Primary, _ = email["primary"].(bool)
		if out.Value != "" {
			p.Emails = append(p.Emails, out)
		}
	}
	p.Attributes, err = json.Marshal(doc)
	return p, err
}

func externalID(doc map[string]any) (string, error) {
	id, _ := doc["externalId"].(string)
	if len(id) > maxExternalID {
		return "", badValue("externalId is longer than %d bytes", maxExternalID)
	}
	return id, nil
}

// userDocument is the document of an identity as its source sent it: without
// id, meta and groups.
func userDocument(i directory.Identity) (map[string]any, error) {
	doc, err := stored(i.Attributes)
	if err != nil {
		return nil, err
	}
	set := func(name, value string) {
		if value != "" {
			doc[name] = value
		} else {
			delete(doc, name)
		}
	}
	set("userName", i.UserName)
	set("externalId", i.ExternalID)
	set("displayName", i.DisplayName)
	// Who has had active removed is inactive, and has no such attribute.
	if _, has := doc["active"]; has || i.Active {
		doc["active"] = i.Active
	}
	return doc, nil
}

// stored decodes the attributes that the directory keeps.
func stored(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	v, err := decode(raw)
	doc, ok := v.(map[string]any)
	if err != nil || !ok {
		return nil, errors.Join(errors.New("stored attributes are no JSON object"), err)
	}
	return doc, nil
}
