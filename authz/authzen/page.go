package authzen

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/usherd/usherd/directory"
)

// readPage reads the page member of a search. What it does not know is ignored.
func (r *request) readPage() error {
	p := &r.parser
	switch p.next() {
	case '{':
		r.page.given = true
	case 'n':
		return p.skip()
	default:
		return refusal("page must be an object")
	}
	return p.object(func(name string) (err error) {
		switch name {
		case "token":
			if p.next() != '"' {
				return refusal("page.token must be a string")
			}
			r.page.token, err = p.str()
			return err
		case "limit":
			return r.readLimit()
		}
		return p.skip()
	})
}

func (r *request) readLimit() error {
	p := &r.parser
	p.next()
	from := p.at
	if err := p.skip(); err != nil {
		return err
	}
	r.page.limit = 0
	for _, c := range p.text[from:p.at] {
		if c < '0' || c > '9' {
			return refusal("page.limit must be a whole number, not negative")
		}
		r.page.limit = min(10*r.page.limit+int(c-'0'), pagePeople)
	}
	return nil
}

const sealLen = 16

// sealPage returns the token of the page that begins after a place, "" after
// the last one. It is good for the same search only.
func (h *Handler) sealPage(after *directory.Place, of *evaluation) string {
	if after == nil {
		return ""
	}
	place := binary.BigEndian.AppendUint64(nil, uint64(after.Created.UnixNano()))
	place = append(place, after.ID...)
	return base64.RawURLEncoding.EncodeToString(append(h.seal(place, of), place...))
}

// openPage returns the place in a token; none for the first page.
func (h *Handler) openPage(token string, of *evaluation) (*directory.Place, error) {
	if token == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(text) < sealLen+8 || !hmac.Equal(text[:sealLen], h.seal(text[sealLen:], of)) {
		return nil, refusal("page.token is not of this search")
	}
	place := text[sealLen:]
	return &directory.Place{
		Created: time.Unix(0, int64(binary.BigEndian.Uint64(place))), //nolint:gosec // what was written above
		ID:      string(place[8:]),
	}, nil
}

// seal binds a place to all that decides which results there are.
func (h *Handler) seal(place []byte, of *evaluation) []byte {
	m := hmac.New(sha256.New, h.cfg.PageKey)
	var b []byte
	for _, s := range []string{
		string(place), of.subject.typ, of.action.id, of.resource.typ, of.resource.id, of.resource.project, of.context.project,
	} {
		b = binary.AppendUvarint(b[:0], uint64(len(s)))
		m.Write(append(b, s...))
	}
	return m.Sum(nil)[:sealLen]
}
