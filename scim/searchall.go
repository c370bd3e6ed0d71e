package scim

import (
	"errors"

	"github.com/usherd/usherd/scim/filter"
)

// searchAllByQuery is GET at the root, searchAll is POST /.search: users first,
// then groups (RFC 7644, sections 3.4.2.1 and 3.4.3).
func (c *call) searchAllByQuery() (answer, error) { return c.everywhere(c.queryParams) }

func (c *call) searchAll() (answer, error) { return c.everywhere(c.bodyParams) }

func (c *call) everywhere(params func() (listParams, error)) (answer, error) {
	p, err := params()
	if err != nil {
		return answer{}, err
	}
	all := c.usersThenGroups
	if p.cursor != nil {
		all = func(p listParams) (found, error) { return c.byStart(c.queryHash("", p), p, c.usersThenGroups) }
	}
	f, err := all(p)
	if err != nil {
		return answer{}, err
	}
	return f.answer(p), nil
}

func (c *call) usersThenGroups(p listParams) (found, error) {
	users, err := query(c, c.userLister(), p)
	noUsers := unknownHere(err)
	if err != nil && !noUsers {
		return found{}, err
	}
	rest := p
	rest.start = max(p.start-users.total, 1)
	rest.count = p.count - len(users.items)
	groups, errGroups := query(c, c.groupLister(), rest)
	switch {
	case unknownHere(errGroups) && noUsers:
		return found{}, err // known to neither
	case errGroups != nil && !unknownHere(errGroups):
		return found{}, errGroups
	}
	return found{items: append(users.items, groups.items...), total: users.total + groups.total}, nil
}

// unknownHere tells whether a query names an attribute that one resource type
// does not have: of that type nothing matches.
func unknownHere(err error) bool {
	if _, ok := errors.AsType[*filter.Error](err); ok {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.ScimType == "invalidPath"
}
