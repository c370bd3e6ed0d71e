package scim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/usherd/usherd/directory"
)

// cursorLife is how long a cursor may be used (RFC 9865, section 4).
const cursorLife = time.Hour

// A cursor is where a page ended. It is bound to the query that it continues.
type cursor struct {
	Query   []byte    `json:"q"` // hash of source, resource type and filter
	Created int64     `json:"c"` // of the last resource, milliseconds
	ID      string    `json:"i"`
	Expires time.Time `json:"e"`
}

// byCursor pages by place: O(page) at any depth. The first page is asked for
// with an empty cursor.
func (s search[T]) byCursor() (found, error) {
	if s.by != nil {
		return found{}, badValue("sortBy cannot be used with cursor")
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
		f.next, err = s.sealCursor(last)
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

func (s search[T]) queryHash() []byte {
	h := sha256.New()
	for _, part := range []string{string(s.c.source()), s.l.rt.name, s.p.filter} {
		_ = json.NewEncoder(h).Encode(part) // a hash takes everything
	}
	return h.Sum(nil)
}

func (s search[T]) sealCursor(at directory.Place) (string, error) {
	raw, err := json.Marshal(cursor{
		Query: s.queryHash(), Created: at.Created.UnixMilli(), ID: at.ID, Expires: s.c.now().Add(cursorLife),
	})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(append(s.c.mac(raw), raw...)), nil
}

func (h *Handler) mac(raw []byte) []byte {
	m := hmac.New(sha256.New, h.seal)
	m.Write([]byte("scim cursor\x00"))
	m.Write(raw)
	return m.Sum(nil)
}

// openCursor returns the place that a cursor continues after; nil is the
// beginning. The errors are those of RFC 9865, section 2.1.
func (s search[T]) openCursor() (*directory.Place, error) {
	if *s.p.cursor == "" {
		return nil, nil
	}
	bad := fault(http.StatusBadRequest, "invalidCursor", "the cursor is not one of this query")
	sealed, err := base64.RawURLEncoding.DecodeString(*s.p.cursor)
	if err != nil || len(sealed) < sha256.Size {
		return nil, bad
	}
	mac, raw := sealed[:sha256.Size], sealed[sha256.Size:]
	var cur cursor
	if !hmac.Equal(mac, s.c.mac(raw)) || json.Unmarshal(raw, &cur) != nil || !hmac.Equal(cur.Query, s.queryHash()) {
		return nil, bad
	}
	if s.c.now().After(cur.Expires) {
		return nil, fault(http.StatusBadRequest, "expiredCursor", "the cursor has expired: begin again")
	}
	return &directory.Place{Created: time.UnixMilli(cur.Created), ID: cur.ID}, nil
}
