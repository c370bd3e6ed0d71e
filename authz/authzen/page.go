package authzen

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
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
		r.page.limit = min(10*r.page.limit+int(c-'0'), maxResults)
	}
	return nil
}

const sealLen = 16

// errOtherSearch refuses a token that does not go on with this search.
const errOtherSearch = refusal("page.token is not of this search")

// sealPage returns the token of the page that begins after a place, "" after
// the last one. It is good for the same caller and the same search only.
func (c *call) sealPage(place string) string {
	if place == "" {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(append(c.seal(place), place...))
}

// openPage notes what a token is bound to and returns the place in the one
// that came, "" for the first page.
func (c *call) openPage(body string, needs need) (string, error) {
	var err error
	if c.bound, err = boundTo(body, whole&^needs); err != nil {
		return "", err
	}
	token := c.request.page.token
	if token == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(text) <= sealLen || !hmac.Equal(text[:sealLen], c.seal(string(text[sealLen:]))) {
		return "", errOtherSearch
	}
	return string(text[sealLen:]), nil
}

// seal binds a place to who asks, where, and for what.
func (c *call) seal(place string) []byte {
	m := hmac.New(sha256.New, c.h.cfg.PageKey)
	var b []byte
	for _, s := range []string{place, c.by.ID, c.r.URL.Path, string(c.bound[:])} {
		b = binary.AppendUvarint(b[:0], uint64(len(s)))
		m.Write(append(b, s...))
	}
	return m.Sum(nil)[:sealLen]
}

// boundTo is a digest of everything in a search that stays the same from page
// to page (AuthZEN 1.0, section 8.2): not the token, and nothing that is
// ignored. The order of members and white space make no difference.
func boundTo(body string, ignored need) ([sha256.Size]byte, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var sent map[string]any // exact names, none twice: it was decoded strictly before
	if err := d.Decode(&sent); err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("reading a search again: %w", err)
	}
	bound := map[string]any{}
	for _, part := range []struct {
		name, without string
		of            need
	}{{"subject", "id", subjectID}, {"action", "", actionName}, {"resource", "id", resourceID}, {"context", "", 0}, {"page", "token", 0}} {
		value := sent[part.name]
		members, _ := value.(map[string]any)
		switch {
		case part.of == actionName && ignored&part.of != 0:
			continue
		case part.name == "page" || ignored&part.of != 0:
			delete(members, part.without)
		}
		if value == nil || members != nil && len(members) == 0 {
			continue
		}
		bound[part.name] = value
	}
	text, err := json.Marshal(bound)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("writing a search again: %w", err)
	}
	return sha256.Sum256(text), nil
}
