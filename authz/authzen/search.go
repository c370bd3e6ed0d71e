package authzen

import (
	"context"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

const (
	pagePeople = 1000 // how many people one page looks through at most
	scanPeople = 200  // how many are read at once
)

// start reads the body of a search and takes a view.
func (c *call) start(needs need) (View, error) {
	body, err := c.body(c.h.cfg.MaxBody)
	if err != nil {
		return nil, err
	}
	c.request.paged = true
	err = c.request.decode(body, 0)
	c.request.paged = false
	if err != nil {
		return nil, err
	}
	if fault := c.request.top.wrong(needs); fault != "" {
		return nil, refusal(fault)
	}
	return c.h.cfg.Viewer.View(c.r.Context(), c.atLeast)
}

// finish sends the results, if the view is not too old by now.
func (c *call) finish(v View, b []byte) error {
	point, err := v.Point()
	if err != nil {
		return err
	}
	c.revision(point.Stamp)
	c.buf = b
	c.write()
	return nil
}

// searchResources lists the resources of a type to which the subject may do
// something (AuthZEN 1.0, section 8.4): all that the policy names, on one page.
func (c *call) searchResources() error {
	v, err := c.start(subjectID | actionName)
	if err != nil {
		return err
	}
	top := &c.request.top
	subject, err := lookUp(c.r.Context(), v, top.subject.typ, top.subject.id)
	if err != nil {
		return err
	}
	q := top.query()
	b, first := append(c.buf[:0], `{"results":[`...), true
	ids, _ := v.Snapshot().IDs(top.resource.typ)
	for _, id := range ids {
		if q.Request.ID = id; c.by.MayAsk(q.Request.Type, id) && v.Snapshot().Decide(subject, &q.Request).Allow {
			b = appendEntity(b, &first, q.Request.Type, id)
		}
	}
	return c.finish(v, append(b, `]}`...))
}

// searchActions lists what the subject may do to a resource (AuthZEN 1.0,
// section 8.5).
func (c *call) searchActions() error {
	v, err := c.start(subjectID | resourceID)
	if err != nil {
		return err
	}
	top := &c.request.top
	if !c.by.MayAsk(top.resource.typ, top.resource.id) {
		return ErrForbidden
	}
	subject, err := lookUp(c.r.Context(), v, top.subject.typ, top.subject.id)
	if err != nil {
		return err
	}
	q := top.query()
	b, first := append(c.buf[:0], `{"results":[`...), true
	for _, name := range v.Snapshot().Actions(top.resource.typ, top.resource.id) {
		q.Request.Action = name
		if !v.Snapshot().Decide(subject, &q.Request).Allow {
			continue
		}
		b = comma(b, &first)
		b = append(b, `{"name":`...)
		b = append(appendString(b, name), '}')
	}
	return c.finish(v, append(b, `]}`...))
}

// searchSubjects lists the users, by userName, who may do something to a
// resource (AuthZEN 1.0, section 8.3). A page looks through a bounded number
// of people, so it may hold few results or none before the last one.
func (c *call) searchSubjects() error {
	v, err := c.start(actionName | resourceID)
	if err != nil {
		return err
	}
	top := &c.request.top
	if !c.by.MayAsk(top.resource.typ, top.resource.id) {
		return ErrForbidden
	}
	after, err := c.h.openPage(c.request.page.token, top)
	if err != nil {
		return err
	}
	s := &subjectSearch{view: v, people: c.h.cfg.People, request: top.query().Request, after: after, limit: c.request.page.limit}
	names, err := s.run(c.r.Context())
	if err != nil {
		return err
	}
	b := append(c.buf[:0], '{')
	if c.request.page.given || s.after != nil {
		b = append(b, `"page":{"next_token":`...)
		b = append(appendString(b, c.h.sealPage(s.after, top)), `},`...)
	}
	b, first := append(b, `"results":[`...), true
	for _, name := range names {
		b = appendEntity(b, &first, top.subject.typ, name)
	}
	return c.finish(v, append(b, `]}`...))
}

// A subjectSearch looks through people for those who may do something.
type subjectSearch struct {
	view    View
	people  People
	request authz.Request
	after   *directory.Place // where to go on; nil before the first and after the last
	limit   int              // of results; 0 means no wish
}

// run returns the names that were found on one page and moves after.
func (s *subjectSearch) run(ctx context.Context) (names []string, err error) {
	if s.request.SubjectType != authz.SubjectUser && s.request.SubjectType != authz.SubjectService {
		return nil, nil
	}
	for seen := 0; seen < pagePeople; {
		page, err := s.people.Identities(ctx, directory.Query{After: s.after, Limit: scanPeople})
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			who := &page.Items[i]
			s.after = &directory.Place{Created: who.Created, ID: string(who.ID)}
			allowed, err := s.may(ctx, who)
			if err != nil {
				return nil, err
			}
			if allowed {
				names = append(names, who.UserName)
			}
			if seen++; s.limit > 0 && len(names) == s.limit {
				return names, nil
			}
		}
		if len(page.Items) < scanPeople {
			s.after = nil
			return names, nil
		}
	}
	return names, nil
}

// may decides by the name that would be returned: what is found is what an
// evaluation of it says.
func (s *subjectSearch) may(ctx context.Context, who *directory.Identity) (bool, error) {
	if (who.Type == directory.Service) != (s.request.SubjectType == authz.SubjectService) || who.Presence == directory.Deleted {
		return false, nil
	}
	subject, err := lookUp(ctx, s.view, s.request.SubjectType, who.UserName)
	if err != nil {
		return false, err
	}
	return s.view.Snapshot().Decide(subject, &s.request).Allow, nil
}

func comma(b []byte, first *bool) []byte {
	if *first {
		*first = false
		return b
	}
	return append(b, ',')
}

func appendEntity(b []byte, first *bool, typ, id string) []byte {
	b = append(comma(b, first), `{"type":`...)
	b = append(appendString(b, typ), `,"id":`...)
	return append(appendString(b, id), '}')
}
