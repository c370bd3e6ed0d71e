package scim

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim/filter"
)

const (
	listURN   = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	searchURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
)

// listParams is a query of a list or of /.search (RFC 7644, section 3.4.2).
type listParams struct {
	filter     string
	start      int // from 1
	count      int
	sortBy     string
	descending bool
	only       []string
	without    []string
	cursor     *string // nil: paging by index
}

func (c *call) param(name string) string {
	if v := c.query[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// queryParams reads the parameters of a GET.
func (c *call) queryParams() (listParams, error) {
	p := listParams{
		filter: c.param("filter"), sortBy: c.param("sortBy"),
		only: words(c.param("attributes")), without: words(c.param("excludedAttributes")),
	}
	if v, ok := c.query["cursor"]; ok {
		p.cursor = &v[0]
	}
	err := p.page(c.param("startIndex"), c.param("count"), c.param("sortOrder"), c.limits)
	return p, err
}

// bodyParams reads the SearchRequest of a POST (RFC 7644, section 3.4.3).
func (c *call) bodyParams() (listParams, error) {
	msg, ok := c.body.(map[string]any)
	if !ok {
		return listParams{}, badSyntax("the body must be a JSON object")
	}
	if schemas, _ := lookup(msg, "schemas").([]any); !containsFold(schemas, searchURN) {
		c.bend("SearchRequest without its schema")
	}
	if err := checkNames(msg); err != nil {
		return listParams{}, err
	}
	var bad error
	text := func(name string) string {
		switch v := lookup(msg, name).(type) {
		case nil:
		case string:
			return v
		case json.Number:
			return v.String()
		default:
			// A filter that is left out would mean everybody.
			bad = badValue("%s must be a string or a number", name)
		}
		return ""
	}
	list := func(name string) []string {
		names, err := texts(name, lookup(msg, name))
		bad = cmp.Or(bad, err)
		return names
	}
	p := listParams{
		filter: text("filter"), sortBy: text("sortBy"), only: list("attributes"), without: list("excludedAttributes"),
	}
	if v := lookup(msg, "cursor"); v != nil {
		s, ok := v.(string)
		if !ok {
			return p, fault(http.StatusBadRequest, "invalidCursor", "cursor must be a string")
		}
		p.cursor = &s
	}
	err := p.page(text("startIndex"), text("count"), text("sortOrder"), c.limits)
	return p, cmp.Or(bad, err)
}

// texts takes a list of strings, or one string with commas. What is left out of
// a list of names would change what is answered.
func texts(name string, v any) ([]string, error) {
	if s, ok := v.(string); ok {
		return words(s), nil
	}
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, badValue("%s must be a list of strings", name)
	}
	var out []string
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, badValue("%s must be a list of strings", name)
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *listParams) page(start, count, order string, limits Limits) error {
	var err error
	if p.start, err = integer("startIndex", start, 1); err != nil {
		return err
	}
	if p.count, err = integer("count", count, limits.Page); err != nil {
		if p.cursor != nil {
			return fault(http.StatusBadRequest, "invalidCount", "count must be an integer") // RFC 9865, section 2.1
		}
		return err
	}
	p.start, p.count = max(p.start, 1), min(max(p.count, 0), limits.MaxPage)
	switch strings.ToLower(order) {
	case "", "ascending":
	case "descending":
		p.descending = true
	default:
		return badValue("sortOrder must be ascending or descending")
	}
	return nil
}

func integer(name, text string, missing int) (int, error) {
	if text == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) {
		n, err = math.MaxInt32, nil
		if text[0] == '-' {
			n = math.MinInt32
		}
	}
	if err != nil {
		return 0, badValue("%s must be an integer", name)
	}
	return n, nil
}

// A lister is what lists of one resource type differ in.
type lister[T any] struct {
	rt    *resourceType
	page  func(directory.Query) (directory.Page[T], error)
	docs  func(items []T, heavy bool) ([]resource, error) // heavy: with groups, or with all members
	place func(T) directory.Place
	heavy string // the attribute that heavy is about
}

func (c *call) userLister() lister[directory.Identity] {
	return lister[directory.Identity]{
		rt: c.model.user, heavy: "groups",
		page: func(q directory.Query) (directory.Page[directory.Identity], error) {
			return c.read.Identities(c.ctx, q)
		},
		docs: c.users,
		place: func(i directory.Identity) directory.Place {
			return directory.Place{Created: i.Created, ID: string(i.ID)}
		},
	}
}

func (c *call) groupLister() lister[directory.Group] {
	return lister[directory.Group]{
		rt: c.model.group, heavy: "members",
		page:  func(q directory.Query) (directory.Page[directory.Group], error) { return c.read.Groups(c.ctx, q) },
		docs:  c.groups,
		place: func(g directory.Group) directory.Place { return directory.Place{Created: g.Created, ID: string(g.ID)} },
	}
}

// groups makes the documents of groups. Heavy ones hold their members, which
// filters need; the others read them when written.
func (c *call) groups(gs []directory.Group, heavy bool) ([]resource, error) {
	out := make([]resource, len(gs))
	for n, g := range gs {
		var err error
		if out[n], err = c.group(g); err != nil {
			return nil, err
		}
		if !heavy {
			continue
		}
		list := []any{}
		for m, err := range out[n].members {
			if err != nil {
				return nil, err
			}
			list = append(list, m)
		}
		out[n].doc["members"] = list
	}
	return out, nil
}

func (c *call) listUsers() (answer, error)  { return listBy(c, c.userLister(), c.queryParams) }
func (c *call) listGroups() (answer, error) { return listBy(c, c.groupLister(), c.queryParams) }

// searchUsers is POST /Users/.search.
func (c *call) searchUsers() (answer, error) { return listBy(c, c.userLister(), c.bodyParams) }

// searchGroups is POST /Groups/.search.
func (c *call) searchGroups() (answer, error) { return listBy(c, c.groupLister(), c.bodyParams) }

func listBy[T any](c *call, l lister[T], params func() (listParams, error)) (answer, error) {
	p, err := params()
	if err != nil {
		return answer{}, err
	}
	found, err := query(c, l, p)
	if err != nil {
		return answer{}, err
	}
	return found.answer(p), nil
}

// A found is a page of resources, already projected.
type found struct {
	items []resource
	total int
	next  string // cursor; empty: the last page, or paging by index
}

func (f found) answer(p listParams) answer {
	doc := map[string]any{"schemas": []any{listURN}, "totalResults": f.total, "itemsPerPage": len(f.items)}
	if p.cursor == nil {
		doc["startIndex"] = p.start
	} else if f.next != "" {
		doc["nextCursor"] = f.next
	}
	return answer{status: http.StatusOK, doc: doc, list: f.items, isList: true}
}

// query answers from the store's indexes where these decide the filter and
// know the order, else by looking at candidates.
func query[T any](c *call, l lister[T], p listParams) (found, error) {
	want, err := l.rt.projection(p.only, p.without)
	if err != nil {
		return found{}, err
	}
	where, rest, match, err := c.condition(l.rt, p.filter)
	if err != nil {
		return found{}, err
	}
	q := directory.Query{Source: c.source(), Where: where}
	by, err := l.rt.sorting(p)
	if err != nil {
		return found{}, err
	}
	s := search[T]{c: c, l: l, p: p, want: want, q: q, match: match, by: by}
	s.heavy = rest != nil && filter.Mentions(rest, l.rt.def, l.heavy)
	if p.cursor != nil {
		return s.byCursor()
	}
	return s.byIndex()
}

// condition parses a filter and splits it into what the store decides and what
// is left; match is nil if nothing is.
func (c *call) condition(rt *resourceType, text string) (where directory.Expr, rest filter.Expr, match func(map[string]any) bool, err error) {
	if text == "" {
		return nil, nil, nil, nil
	}
	x, bent, err := c.limits.Filter.Parse(text)
	if err != nil {
		return nil, nil, nil, err
	}
	whole, err := filter.Compile(x, rt.def)
	if err != nil {
		return nil, nil, nil, err
	}
	for _, b := range append(bent, whole.Bent...) {
		c.bend(b)
	}
	where, rest = filter.Lower(x, rt.def)
	if rest == nil {
		return where, nil, nil, nil
	}
	p, err := filter.Compile(rest, rt.def)
	if err != nil {
		return nil, nil, nil, err
	}
	return where, rest, p.Match, nil
}
