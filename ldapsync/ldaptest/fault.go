package ldaptest

import (
	"net"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// A Harm is what a [Fake] does to a message instead of sending it as it is.
type Harm int

// The kinds of harm.
const (
	None         Harm = iota
	HangUp            // close the connection (FIN) instead
	Break             // reset the connection (RST) instead
	Silence           // say nothing more and stay open
	Truncate          // send half of it and close
	Answer            // end the search with Fault.Code instead
	NoControl         // leave out the controls
	SameCookie        // send a cookie that was sent before, or with no more pages to come
	EmptyAnswer       // end the search with success and without controls instead
	WrongID           // send it under another messageID
	TextID            // send it with a messageID that is text
	WrongOp           // send it as a kind of message that is no response
	Garbage           // send something else altogether
	Huge              // claim a length of 2 GiB
	Endless           // claim an indefinite length
	Notice            // send a Notice of Disconnection (RFC 4511, section 4.4.1) and close
	Reference         // send a continuation reference before it
	Twice             // send it two times
	NoAttributes      // if it is an entry, send it with its DN alone
	Deep              // send an entry that is nested 100,000 deep
)

// String names the harm.
func (h Harm) String() string {
	return [...]string{
		"none", "hang up", "break", "silence", "truncate", "answer", "no control", "same cookie", "empty answer", "wrong id", "text id",
		"wrong operation", "garbage", "huge", "endless", "notice", "reference", "twice", "no attributes", "deep",
	}[h]
}

// Harms lists every kind of harm.
func Harms() []Harm {
	var all []Harm
	for h := HangUp; h <= Deep; h++ {
		all = append(all, h)
	}
	return all
}

// A Fault is what happens to the At-th message to come, from 1.
type Fault struct {
	At   int
	Harm Harm
	Code int // of Answer
}

// send sends one message, or does harm to it. It returns false when nothing
// more may be sent for this request.
func (c *client) send(op *ber.Packet, control ldap.Control) bool {
	c.mu.Lock()
	c.sent++
	fault := c.fault
	hit := c.sent == fault.At
	c.mu.Unlock()
	if c.quit {
		return false
	}
	if hit {
		return c.harm(fault, op, control)
	}
	return c.write(message(c.id, op, control))
}

func message(id int64, op *ber.Packet, control ldap.Control) []byte {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "LDAPMessage")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "messageID"))
	p.AppendChild(op)
	if control != nil {
		list := ber.Encode(ber.ClassContext, ber.TypeConstructed, 0, nil, "controls")
		list.AppendChild(control.Encode())
		p.AppendChild(list)
	}
	return p.Bytes()
}

func (c *client) write(b []byte) bool {
	_, err := c.Write(b)
	c.quit = c.quit || err != nil
	return !c.quit
}

// end writes b and closes the connection.
func (c *client) end(b []byte) bool {
	c.write(b)
	c.quit = true
	return false
}

// harm does what fault says, and reports whether the request goes on.
func (c *client) harm(fault Fault, op *ber.Packet, control ldap.Control) bool {
	plain := message(c.id, op, control)
	switch fault.Harm {
	case HangUp:
		return c.end(nil)
	case Break:
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return c.end(nil)
	case Silence:
		buf := make([]byte, 1)
		for {
			if _, err := c.Read(buf); err != nil { // until the client gives up
				return c.end(nil)
			}
		}
	case Truncate:
		return c.end(plain[:len(plain)/2])
	case Answer:
		c.write(message(c.id, result(responseTo(op), fault.Code, "harm"), nil))
		return false
	case EmptyAnswer:
		c.write(message(c.id, result(responseTo(op), 0, ""), nil))
		return false
	case NoControl:
		return c.write(message(c.id, op, nil))
	case SameCookie:
		if control == nil {
			return c.write(plain)
		}
		again := ldap.NewControlPaging(0)
		again.SetCookie([]byte("c0"))
		return c.write(message(c.id, op, again))
	case Notice:
		gone := result(ldap.ApplicationExtendedResponse, ldap.LDAPResultUnavailable, "going away")
		gone.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, 10, "1.3.6.1.4.1.1466.20036", "responseName"))
		return c.end(message(0, gone, nil))
	case Reference:
		ref := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultReference, nil, "reference")
		ref.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "ldap://127.0.0.1:1/dc=elsewhere", "URI"))
		return c.write(message(c.id, ref, nil)) && c.write(plain)
	case Twice:
		return c.write(append(plain, plain...))
	case NoAttributes:
		if op.Tag == ldap.ApplicationSearchResultEntry {
			bare := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op.Tag, nil, "entry")
			bare.AppendChild(op.Children[0])
			bare.AppendChild(ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "attributes"))
			return c.write(message(c.id, bare, nil))
		}
		return c.write(plain)
	case Deep:
		return c.write(deep(c.id))
	case WrongID:
		return c.write(message(c.id+1000, op, control))
	case None, TextID, WrongOp, Garbage, Huge, Endless:
	}
	return c.write(spoil(fault.Harm, plain))
}

// deep is an entry of nothing but sequences, each inside of the one before.
func deep(id int64) []byte {
	const depth, head = 100_000, 5
	header := func(tag byte, n int) []byte { return []byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)} }
	messageID := ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "messageID").Bytes()
	out := append(header(0x30, len(messageID)+head*(depth+1)), messageID...)
	out = append(out, header(0x64, head*depth)...)
	for i := range depth {
		out = append(out, header(0x30, head*(depth-1-i))...)
	}
	return out
}

// spoil alters the head of a message.
func spoil(h Harm, plain []byte) []byte {
	at := 2 // of the messageID
	if plain[1] >= 0x80 {
		at += int(plain[1] & 0x7f)
	}
	switch h {
	case TextID:
		plain[at] = 0x04
	case WrongOp:
		plain[at+2+int(plain[at+1])] = 0x6e
	case Garbage:
		return []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	case Huge:
		return append([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}, plain[at:]...)
	case Endless:
		return append([]byte{0x30, 0x80}, plain[at:]...)
	}
	return plain
}

// responseTo is the kind of message that ends the request which op answers.
func responseTo(op *ber.Packet) ber.Tag {
	switch op.Tag {
	case ldap.ApplicationSearchResultEntry, ldap.ApplicationSearchResultReference:
		return ldap.ApplicationSearchResultDone
	}
	return op.Tag
}
