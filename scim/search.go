package scim

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim/filter"
)

// scanPage is how many candidates are read at a time.
const scanPage = 1_000

// A search is one list in work.
type search[T any] struct {
	c     *call
	l     lister[T]
	p     listParams
	want  projection
	q     directory.Query
	match func(map[string]any) bool // what the store does not decide; nil: nothing
	heavy bool                      // match looks at groups or members
	by    *sorting                  // nil: by (created, id)
}

// byIndex pages by startIndex: from the store's indexes where these decide the
// filter and know the order, else by looking at candidates.
func (s search[T]) byIndex() (found, error) {
	if s.match == nil && (s.by == nil || s.by.stored != "") {
		return s.indexed()
	}
	return s.scan()
}

// indexed lets the store page.
func (s search[T]) indexed() (found, error) {
	s.q.Offset, s.q.Limit, s.q.Total = s.p.start-1, s.p.count, true
	if s.by != nil {
		s.q.Sort, s.q.Desc = s.by.stored, s.p.descending
	}
	page, err := s.l.page(s.q)
	if err != nil {
		return found{}, err
	}
	docs, err := s.l.docs(page.Items, false)
	if err != nil {
		return found{}, err
	}
	return s.page(docs, page.Total)
}

// page makes the answer of the resources that are on it.
func (s search[T]) page(rs []resource, total int) (found, error) {
	if s.l.rt == s.c.model.user && !s.heavy && s.want.returns("groups") {
		if err := s.c.addGroups(rs); err != nil {
			return found{}, err
		}
	}
	return found{items: s.project(rs), total: total}, nil
}

func (s search[T]) project(rs []resource) []resource {
	for i, r := range rs {
		delete(r.doc, "members") // written from the rows
		rs[i] = resource{doc: s.want.apply(r.doc), members: nil}
		if r.members != nil {
			rs[i].members = s.want.members(r.members)
		}
	}
	return rs
}

// scan looks at all candidates in order, counts those that match and keeps the
// page that is asked for.
func (s search[T]) scan() (found, error) {
	if s.by != nil {
		return s.sorted()
	}
	var kept []resource
	total := 0
	err := s.candidates(nil, func(r resource, _ directory.Place) bool {
		if total++; total >= s.p.start && len(kept) < s.p.count {
			kept = append(kept, r)
		}
		return true
	})
	if err != nil {
		return found{}, err
	}
	return s.page(kept, total)
}

// sortedMost is up to where an order that the store does not have is followed:
// what comes before a page must be kept to know the page.
const sortedMost = 10_000

// sorted looks at all candidates and keeps the first ones in an order that the
// store does not have.
func (s search[T]) sorted() (found, error) {
	need := s.p.start - 1 + s.p.count
	if need > sortedMost {
		return found{}, fault(http.StatusBadRequest, "tooMany", "the order has no index and is followed up to %d resources", sortedMost)
	}
	var kept []resource
	total := 0
	err := s.candidates(nil, func(r resource, _ directory.Place) bool {
		total++
		if kept = append(kept, r); len(kept) >= 2*need+scanPage {
			s.by.sort(kept, s.p.descending)
			clear(kept[need:])
			kept = kept[:need]
		}
		return true
	})
	if err != nil {
		return found{}, err
	}
	s.by.sort(kept, s.p.descending)
	from := min(s.p.start-1, len(kept))
	return s.page(kept[from:min(need, len(kept))], total)
}

// candidates yields what matches, after a place, until yield returns false. It
// gives up with tooMany when more had to be looked at than the limit allows.
func (s search[T]) candidates(after *directory.Place, yield func(resource, directory.Place) bool) error {
	s.q.After, s.q.Limit = after, scanPage
	if s.match == nil && s.p.cursor != nil {
		s.q.Limit = min(scanPage, s.p.count+1) // every candidate matches
	}
	for looked := 0; ; {
		page, err := s.l.page(s.q)
		if err != nil {
			return err
		}
		if looked += len(page.Items); looked > s.c.limits.Scan {
			return fault(http.StatusBadRequest, "tooMany",
				"the filter or order has no index and would look at more than %d resources", s.c.limits.Scan)
		}
		docs, err := s.l.docs(page.Items, s.heavy)
		if err != nil {
			return err
		}
		for i, r := range docs {
			if (s.match == nil || s.match(r.doc)) && !yield(r, s.l.place(page.Items[i])) {
				return nil
			}
		}
		if len(page.Items) < s.q.Limit {
			return nil
		}
		last := s.l.place(page.Items[len(page.Items)-1])
		s.q.After = &last
	}
}

// sorting is an order by an attribute (RFC 7644, section 3.4.2.3).
type sorting struct {
	ref    filter.Ref
	stored directory.Attribute // empty: the store has no such order
}

// sorting resolves sortBy; nil is the order by (created, id).
func (rt *resourceType) sorting(p listParams) (*sorting, error) {
	if p.sortBy == "" {
		if p.descending {
			return rt.sorting(listParams{sortBy: "meta.created"})
		}
		return nil, nil
	}
	path, err := filter.ParsePath(p.sortBy)
	if err != nil || path.Filter != nil {
		return nil, badPath("sortBy %q is not an attribute", clip(p.sortBy))
	}
	ref, err := rt.def.Resolve(path.Attr)
	if err != nil || ref.Attr == nil {
		return nil, badPath("sortBy %q is not an attribute", clip(p.sortBy))
	}
	by := &sorting{ref: ref}
	// Only what every resource has: the place of what is missing is ours to say.
	if a, ok := filter.Indexed(ref); ok {
		switch a {
		case directory.AttrID, directory.AttrUserName, directory.AttrCreated, directory.AttrModified:
			by.stored = a
		case directory.AttrName:
			if rt.name == "Group" {
				by.stored = a
			}
		}
	}
	return by, nil
}

// sort orders resources; those without the attribute come last, or first in
// descending order.
func (by *sorting) sort(rs []resource, descending bool) {
	keys := make(map[string]sortKey, len(rs))
	for _, r := range rs {
		keys[r.id()] = by.key(r.doc)
	}
	slices.SortStableFunc(rs, func(a, b resource) int {
		n := keys[a.id()].compare(keys[b.id()])
		if descending {
			return -n
		}
		return n
	})
}

type sortKey struct {
	missing bool
	num     float64
	text    string
}

func (k sortKey) compare(o sortKey) int {
	if k.missing != o.missing {
		if k.missing {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(k.num, o.num), strings.Compare(k.text, o.text))
}

// key takes, of several values, the primary or else the first one.
func (by *sorting) key(doc map[string]any) sortKey {
	if by.ref.Extension != "" {
		doc, _ = doc[by.ref.Extension].(map[string]any)
	}
	v := doc[by.ref.Attr.Name]
	if list, ok := v.([]any); ok {
		v = primary(list)
	}
	if obj, ok := v.(map[string]any); ok {
		name := "value"
		if by.ref.Sub != nil {
			name = by.ref.Sub.Name
		}
		v = obj[name]
	}
	switch v := v.(type) {
	case string:
		if by.ref.Attr.CaseExact {
			return sortKey{text: v}
		}
		return sortKey{text: filter.Fold(v)}
	case bool:
		if v {
			return sortKey{num: 1}
		}
		return sortKey{}
	case json.Number:
		f, err := v.Float64()
		return sortKey{num: f, missing: err != nil}
	}
	return sortKey{missing: true}
}

func primary(list []any) any {
	for _, e := range list {
		if v, ok := e.(map[string]any); ok && v["primary"] == true {
			return v
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
