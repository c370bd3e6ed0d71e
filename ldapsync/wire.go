package ldapsync

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// maxPacket is the longest LDAP message that is read. A group of half a million
// members fits. The decoder keeps its limit (2 GiB by default) in a variable of
// the whole process, which can be set without a race only before anything
// reads; so importing this package limits every user of asn1-ber.
var maxPacket = limitPackets(64 << 20)

func limitPackets(n int64) int64 {
	ber.MaxPacketLengthBytes = n
	return n
}

// A wire is the connection under a session. It knows two things that go-ldap
// does not.
//
// Time: while a request is outstanding the peer must make progress within idle.
// Between requests nothing is armed, for go-ldap's reader always sits in Read
// and a deadline left behind would end the connection while we work on a page.
//
// Framing: go-ldap skips a message whose head does not parse, and ignores one
// of an unknown kind. An entry lost like that would look like a removal, so the
// head of each message is checked here and a bad one ends the connection.
type wire struct {
	net.Conn
	idle time.Duration

	mu    sync.Mutex // guards armed, the read deadline and broke
	armed bool
	broke error // what ended reading; go-ldap keeps only its text

	frames framer // belongs to the one reader
}

func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if bad := w.frames.check(b[:n]); bad != nil {
		n, err = 0, bad
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil && w.broke == nil {
		w.broke = err
	}
	if w.armed && n > 0 {
		_ = w.SetReadDeadline(time.Now().Add(w.idle))
	}
	return n, err
}

func (w *wire) Write(b []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.idle)); err != nil {
		return 0, err
	}
	return w.Conn.Write(b)
}

// failure is what ended reading, if anything did.
func (w *wire) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broke
}

// arm says whether an answer is owed.
func (w *wire) arm(owed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = owed
	var t time.Time
	if owed {
		t = time.Now().Add(w.idle)
	}
	_ = w.SetReadDeadline(t)
}

var errFraming = errors.New("the server sent what is not an LDAP message")

// A framer follows a stream of LDAPMessages (RFC 4511, section 4.1.1) and
// checks the head of each: a SEQUENCE of definite length, a messageID, and the
// tag of a response.
type framer struct {
	head []byte // of the message that began, while it is short
	skip int64  // bytes of the message still to come
	err  error
}

func (f *framer) check(p []byte) error {
	for len(p) > 0 && f.err == nil {
		if f.skip > 0 {
			n := min(f.skip, int64(len(p)))
			f.skip -= n
			p = p[n:]
			continue
		}
		f.head = append(f.head, p[0])
		p = p[1:]
		total, err := parseHead(f.head)
		if err != nil {
			f.err = fmt.Errorf("%w: %w", errFraming, err)
		} else if total > 0 {
			f.skip = total - int64(len(f.head))
			f.head = f.head[:0]
		}
	}
	return f.err
}

// parseHead returns the length of the message that begins with b, or 0 if b is
// too short to tell.
func parseHead(b []byte) (int64, error) {
	if b[0] != 0x30 {
		return 0, fmt.Errorf("begins with %#x", b[0])
	}
	if len(b) < 2 {
		return 0, nil
	}
	length, at := int64(b[1]), 2
	if length >= 0x80 {
		n := int(length & 0x7f)
		if n == 0 || n > 4 {
			return 0, errors.New("length is indefinite or absurd")
		}
		if len(b) < 2+n {
			return 0, nil
		}
		length = 0
		for _, c := range b[2 : 2+n] {
			length = length<<8 | int64(c)
		}
		at += n
	}
	if length > maxPacket {
		return 0, fmt.Errorf("%d bytes in one message are more than %d", length, maxPacket)
	}
	if known, err := parseBody(b[at:], length); !known || err != nil {
		return 0, err
	}
	return int64(at) + length, nil
}

// parseBody checks the messageID and the tag of the operation; known is false
// while b is too short for that.
func parseBody(b []byte, length int64) (known bool, err error) {
	switch {
	case length < 5:
		return false, errors.New("message is too short")
	case len(b) > 0 && b[0] != 0x02:
		return false, errors.New("messageID is not a number")
	case len(b) > 1 && (b[1] == 0 || b[1] > 4 || int64(b[1])+3 > length):
		return false, errors.New("messageID has a bad length")
	case len(b) > 2 && b[2] >= 0x80:
		return false, errors.New("messageID is negative")
	case len(b) < 2 || len(b) < 3+int(b[1]):
		return false, nil
	}
	switch op := b[2+b[1]]; op {
	case 0x61, 0x64, 0x65, 0x73, 0x78, 0x79: // bind, entry, done, reference, extended, intermediate
		return true, nil
	default:
		return false, fmt.Errorf("response has the tag %#x", op)
	}
}
