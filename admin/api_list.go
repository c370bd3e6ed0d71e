package admin

import (
	"net/url"
	"strconv"
)

// A pageable list can be cut.
type pageable interface {
	length() int
	// identity is what the item is known by, if it has an id, a key or a name.
	identity(i int) string
	cut(from, to int, next string) any
}

func (l list[T]) length() int { return len(l.Items) }

func (l list[T]) identity(i int) string {
	row := rowOf(l.Items[i])
	for _, name := range []string{"id", "key", "name", "source", "user", "member"} {
		if text, ok := row[name].(string); ok && text != "" {
			return text
		}
	}
	return ""
}

func (l list[T]) cut(from, to int, next string) any { return list[T]{l.Items[from:to], next} }

// cutList returns the page of a whole list that a request asks for. A cursor is
// the last item that was shown and where it was: if the item is gone, the place
// counts.
func (s *Service) cutList(c call, body any) (any, error) {
	l, ok := body.(pageable)
	n, err := c.number("limit")
	if err != nil || !ok || n == 0 && !c.URL.Query().Has("cursor") {
		return body, err
	}
	from, n := 0, pageSize(n)
	if text := c.URL.Query().Get("cursor"); text != "" {
		at, err := s.openCursor(c.URL.Path, text)
		if err != nil {
			return nil, err
		}
		if from, err = strconv.Atoi(at.key); err != nil {
			return nil, badParameter("cursor", "is of another list")
		}
		from = min(from, l.length())
		for i := range l.length() {
			if at.id != "" && l.identity(i) == at.id {
				from = i + 1
				break
			}
		}
	}
	to, next := min(from+n, l.length()), ""
	if to < l.length() {
		next = s.sealCursor(cursor{c.URL.Path, strconv.Itoa(to), l.identity(to - 1)})
	}
	return l.cut(from, to, next), nil
}

// linkTo is the Link to the next page (RFC 8288): the same question with
// another cursor.
func (c call) linkTo(next string) string {
	q := c.URL.Query()
	q.Set("cursor", next)
	return "<" + (&url.URL{Path: c.URL.Path, RawPath: c.URL.RawPath, RawQuery: q.Encode()}).String() + `>; rel="next"`
}
