package authzen

import (
	"slices"
	"strings"
)

// maxResults bounds the results of one page.
const maxResults = 1000

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
	if c.place, err = c.openPage(body, needs); err != nil {
		return nil, err
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
// something (AuthZEN 1.0, section 8.4), of those that the policy names.
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
	ids, _ := v.Snapshot().IDs(top.resource.typ)
	found, last, err := c.list(ids, func(id string) bool {
		q.Request.ID = id
		return c.by.MayAsk(q.Request.Type, id) && v.Snapshot().Decide(subject, &q.Request).Allow
	})
	if err != nil {
		return err
	}
	b, first := c.head(last), true
	for _, id := range found {
		b = appendEntity(b, &first, q.Request.Type, id)
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
	names := v.Snapshot().Actions(top.resource.typ, top.resource.id)
	found, last, err := c.list(names, func(name string) bool {
		q.Request.Action = name
		return v.Snapshot().Decide(subject, &q.Request).Allow
	})
	if err != nil {
		return err
	}
	b, first := c.head(last), true
	for _, name := range found {
		b = append(comma(b, &first), `{"name":`...)
		b = append(appendString(b, name), '}')
	}
	return c.finish(v, append(b, `]}`...))
}

// list returns those of all for which may holds: everything, or the page that
// is asked for. last is where that page ends, "" after the last one.
func (c *call) list(all []string, may func(string) bool) (found []string, last string, err error) {
	if c.place != "" {
		at := slices.Index(all, c.place)
		if at < 0 { // the policy has changed since
			return nil, "", errOtherSearch
		}
		all = all[at+1:]
	}
	for _, one := range all {
		if !may(one) {
			continue
		}
		if limit := c.request.page.limit; limit > 0 && len(found) == limit {
			return found, found[limit-1], nil
		}
		found = append(found, one)
	}
	return found, "", nil
}

// head begins an answer: the page, if one was asked for or there is another,
// and the results.
func (c *call) head(last string) []byte {
	b := append(c.buf[:0], '{')
	if c.request.page.given || last != "" {
		b = append(b, `"page":{"next_token":`...)
		b = append(appendString(b, c.sealPage(last)), `},`...)
	}
	return append(b, `"results":[`...)
}

// searchSubjects lists the users or service accounts, by userName, who may do
// something to a resource (AuthZEN 1.0, section 8.3).
func (c *call) searchSubjects() error {
	v, err := c.start(actionName | resourceID)
	if err != nil {
		return err
	}
	top := &c.request.top
	if !c.by.MayAsk(top.resource.typ, top.resource.id) {
		return ErrForbidden
	}
	s := subjectSearch{view: v, people: c.h.cfg.People, request: top.query().Request, after: c.place, limit: c.request.page.limit}
	names, err := s.run(c.r.Context())
	if err != nil {
		return err
	}
	slices.SortFunc(names, strings.Compare)
	b, first := c.head(s.after), true
	for _, name := range names {
		b = appendEntity(b, &first, top.subject.typ, name)
	}
	return c.finish(v, append(b, `]}`...))
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
