package scim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// cursorLife is how long a cursor may be used (RFC 9865, section 4).
const cursorLife = time.Hour

// A cursor is where a page ended. It is bound to the query that it continues.
type cursor struct {
	Query   []byte    `json:"q"`           // hash of source, resource type, filter and order
	Created int64     `json:"c,omitempty"` // of the last resource, milliseconds
	ID      string    `json:"i,omitempty"`
	Start   int       `json:"s,omitempty"` // index of the next resource, where the order is not that of places
	Expires time.Time `json:"e"`
}

// byCursor pages by place: O(page) at any depth. The first page is asked for
// with an empty cursor.
func (s search[T]) byCursor() (found, error) {
	if s.by != nil {
		return s.c.byStart(s.queryHash(), s.p, func(p listParams) (found, error) {
			s.p = p
			return s.byIndex()
		})
	}
	after, err := s.openCursor()
	if err != nil {
		return found{}, err
	}
	var kept []resource
	var last directory.Place
	more := false
	err = s.candidates(after, func(r resource, at directory.Place) bool {
		if len(kept) == s.p.count {
			more = true
			return false
		}
		kept, last = append(kept, r), at
		return true
	})
	if err != nil {
		return found{}, err
	}
	total, err := s.count()
	if err != nil {
		return found{}, err
	}
	f, err := s.page(kept, total)
	if err == nil && more && len(kept) > 0 {
		f.next, err = s.c.sealCursor(cursor{Query: s.queryHash(), Created: last.Created.UnixMilli(), ID: last.ID})
	}
	return f, err
}

// byStart pages by a cursor that holds an index: for an order other than that
// of places, and for lists of several resource types.
func (c *call) byStart(query []byte, p listParams, page func(listParams) (found, error)) (found, error) {
	at, err := c.openCursor(query, *p.cursor)
	if err != nil {
		return found{}, err
	}
	p.cursor, p.start = nil, max(at.Start, 1)
	f, err := page(p)
	if next := p.start + len(f.items); err == nil && len(f.items) > 0 && next <= f.total {
		f.next, err = c.sealCursor(cursor{Query: query, Start: next})
	}
	return f, err
}

// count counts all matches. It is a scan of its own only where the store does
// not decide the filter.
func (s search[T]) count() (int, error) {
	if s.match != nil {
		n := 0
		err := s.candidates(nil, func(resource, directory.Place) bool { n++; return true })
		return n, err
	}
	s.q.After, s.q.Limit, s.q.Total = nil, 0, true
	page, err := s.l.page(s.q)
	return page.Total, err
}

func (s search[T]) queryHash() []byte { return s.c.queryHash(s.l.rt.name, s.p) }

// queryHash is what a cursor is bound to. Kind is the resource type, or empty
// for all of them.
func (c *call) queryHash(kind string, p listParams) []byte {
	h := sha256.New()
	for _, part := range []string{string(c.source()), kind, p.filter, p.sortBy, strconv.FormatBool(p.descending)} {
		_ = json.NewEncoder(h).Encode(part) // a hash takes everything
	}
	return h.Sum(nil)
}

func (h *Handler) sealCursor(next cursor) (string, error) {
	next.Expires = h.now().Add(cursorLife)
	raw, err := json.Marshal(next)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(h.mac(raw), raw...)), nil
}

func (h *Handler) mac(raw []byte) []byte {
	m := hmac.New(sha256.New, h.seal)
	m.Write([]byte("scim cursor\x00"))
	m.Write(raw)
	return m.Sum(nil)
}

// openCursor returns the place that a cursor continues after; nil is the
// beginning.
func (s search[T]) openCursor() (*directory.Place, error) {
	at, err := s.c.openCursor(s.queryHash(), *s.p.cursor)
	if err != nil || at.ID == "" {
		return nil, err
	}
	return &directory.Place{Created: time.UnixMilli(at.Created), ID: at.ID}, nil
}

// openCursor reads a cursor of a query; an empty one is the beginning. The
// errors are those of RFC 9865, section 2.1.
func (h *Handler) openCursor(query []byte, text string) (cursor, error) {
	var at cursor
	if text == "" {
		return at, nil
	}
	bad := fault(http.StatusBadRequest, "invalidCursor", "the cursor is not one of this query")
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < sha256.Size {
		return at, bad
	}
	mac, raw := sealed[:sha256.Size], sealed[sha256.Size:]
	if !hmac.Equal(mac, h.mac(raw)) || json.Unmarshal(raw, &at) != nil || !hmac.Equal(at.Query, query) {
		return at, bad
	}
	if h.now().After(at.Expires) {
		return at, fault(http.StatusBadRequest, "expiredCursor", "the cursor has expired: begin again")
	}
	return at, nil
}
