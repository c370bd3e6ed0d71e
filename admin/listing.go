package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/usherd/usherd/directory"
)

// A cursor is a place in the order of a list: the key and the id of the last
// that was shown. It is sealed, so that nobody reads places that no list gave.
type cursor struct{ list, key, id string }

// listIn names a list in one of its orders, or of one of its owners.
func listIn(list, order string) string { return list + " by " + order }

const sealLen = 12

// sealCursor writes a cursor.
func (s *Service) sealCursor(c cursor) string {
	var body []byte
	for _, part := range []string{c.list, c.key} {
		body = append(binary.AppendUvarint(body, uint64(len(part))), part...)
	}
	body = append(body, c.id...)
	return base64.RawURLEncoding.EncodeToString(append(s.seal(body), body...))
}

func (s *Service) seal(body []byte) []byte {
	m := hmac.New(sha256.New, s.TokenKey)
	m.Write([]byte("list cursor 2\x00"))
	m.Write(body)
	return m.Sum(nil)[:sealLen]
}

// openCursor reads what sealCursor wrote for the same list in the same order.
func (s *Service) openCursor(list, text string) (cursor, error) {
	bad := badParameter("cursor", "is not one that a list gave")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) <= sealLen {
		return cursor{}, bad
	}
	body := raw[sealLen:]
	if subtle.ConstantTimeCompare(raw[:sealLen], s.seal(body)) != 1 {
		return cursor{}, bad
	}
	var parts [2]string
	for i := range parts {
		n, used := binary.Uvarint(body)
		if used <= 0 || n > uint64(len(body)-used) {
			return cursor{}, bad
		}
		parts[i], body = string(body[used:used+int(n)]), body[used+int(n):]
	}
	if parts[0] != list {
		return cursor{}, badParameter("cursor", "is of another list or order")
	}
	return cursor{list, parts[1], string(body)}, nil
}

// pageOf takes one page of those who match, in an order or against it. list names
// both for the cursor.
func (s *Service) pageOf(list string, all []ordered, at string, offset, limit int, down bool, matches func(*person) bool) (Listing[*person], error) {
	var from *ordered
	if at != "" {
		c, err := s.openCursor(list, at)
		if err != nil {
			return Listing[*person]{}, err
		}
		from = &ordered{c.key, &person{}}
		from.row.ID = directory.UserID(c.id)
		offset = 0
	}
	out := Listing[*person]{Items: []*person{}}
	var last ordered
	more := false
	for i := range all {
		at := all[i]
		if down {
			at = all[len(all)-1-i]
		}
		if !matches(at.person) {
			continue
		}
		out.Total++
		if from != nil {
			if c := compareOrdered(at, *from); !down && c <= 0 || down && c >= 0 {
				continue
			}
		}
		switch {
		case offset > 0:
			offset--
		case len(out.Items) < limit:
			out.Items, last = append(out.Items, at.person), at
		default:
			more = true
		}
	}
	if more {
		out.Next = s.sealCursor(cursor{list, last.key, string(last.row.ID)})
	}
	return out, nil
}
