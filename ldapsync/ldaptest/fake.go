package ldaptest

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// An Entry is one entry of a [Fake].
type Entry struct {
	DN    string
	Attrs map[string][]string
}

// FakeConfig says what a [Fake] holds and how it differs from a good server.
type FakeConfig struct {
	Entries     []Entry
	Contexts    []string // namingContexts; their entries need not exist in Entries
	MaxValRange int      // answer attributes of more values in ranges, as Active Directory does
	Anonymous   bool     // take every bind, but as nobody
	NoWhoAmI    bool     // refuse the extension
	NoPaging    bool     // ignore the paging control

	RootDSE map[string][]string // what the root DSE says beside namingContexts
}

// A Fake is an LDAP server that does what a faulty server or network might.
type Fake struct {
	Addr string
	URL  string

	cfg   FakeConfig
	mu    sync.Mutex // guards what follows
	fault Fault
	sent  int // messages since SetFault
	conns []net.Conn
}

// StartFake runs a server on loopback until the test ends.
func StartFake(tb testing.TB, c FakeConfig) *Fake {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	f := &Fake{Addr: l.Addr().String(), URL: "ldap://" + l.Addr().String(), cfg: c}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, conn)
			f.mu.Unlock()
			serving.Go(func() { f.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		f.mu.Lock()
		for _, c := range f.conns {
			_ = c.Close()
		}
		f.mu.Unlock()
		serving.Wait()
	})
	return f
}

// SetEntries replaces what the server holds.
func (f *Fake) SetEntries(entries []Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cfg.Entries = entries
}

// SetFault begins to count messages anew and does harm to the one that fault
// names.
func (f *Fake) SetFault(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.sent = fault, 0
}

// Sent is the number of messages since SetFault.
func (f *Fake) Sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sent
}

// A client is one connection, and the place of its paged searches.
type client struct {
	*Fake
	net.Conn
	pages map[string]int
	found []Entry // by the search whose pages are sent
	id    int64   // of the request that is answered
	quit  bool
}

func (f *Fake) serve(conn net.Conn) {
	defer conn.Close()
	c := &client{Fake: f, Conn: conn, pages: map[string]int{}}
	for !c.quit {
		packet, err := ber.ReadPacket(conn)
		if err != nil || len(packet.Children) < 2 {
			return
		}
		c.id, _ = packet.Children[0].Value.(int64)
		switch request := packet.Children[1]; request.Tag {
		case ldap.ApplicationBindRequest:
			c.send(result(ldap.ApplicationBindResponse, 0, ""), nil)
		case ldap.ApplicationUnbindRequest:
			return
		case ldap.ApplicationExtendedRequest:
			c.whoAmI()
		case ldap.ApplicationSearchRequest:
			c.search(request, controls(packet))
		}
	}
}

func controls(packet *ber.Packet) (paging *ldap.ControlPaging) {
	if len(packet.Children) < 3 {
		return nil
	}
	for _, child := range packet.Children[2].Children {
		if control, err := ldap.DecodeControl(child); err == nil && control.GetControlType() == ldap.ControlTypePaging {
			paging, _ = control.(*ldap.ControlPaging)
		}
	}
	return paging
}

func result(op ber.Tag, code int, text string) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "response")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, code, "resultCode"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", "matchedDN"))
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, text, "diagnosticMessage"))
	return p
}

func (c *client) whoAmI() {
	if c.cfg.NoWhoAmI {
		c.send(result(ldap.ApplicationExtendedResponse, ldap.LDAPResultProtocolError, "unsupported extended operation"), nil)
		return
	}
	p := result(ldap.ApplicationExtendedResponse, 0, "")
	who := "dn:" + ReaderDN
	if c.cfg.Anonymous {
		who = ""
	}
	p.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, ber.TagEmbeddedPDV, who, "responseValue"))
	c.send(p, nil)
}

func (c *client) search(request *ber.Packet, paging *ldap.ControlPaging) {
	base, _ := request.Children[0].Value.(string)
	scope, _ := request.Children[1].Value.(int64)
	if base == "" && scope == ldap.ScopeBaseObject {
		dse := map[string][]string{"namingContexts": c.cfg.Contexts}
		maps.Copy(dse, c.cfg.RootDSE)
		c.entry(Entry{"", dse}, nil)
		c.send(result(ldap.ApplicationSearchResultDone, 0, ""), nil)
		return
	}
	var attrs []string
	for _, a := range request.Children[7].Children {
		attrs = append(attrs, a.Data.String())
	}
	found := c.found
	if paging == nil || len(paging.Cookie) == 0 {
		found = c.find(base, scope, request.Children[6])
	}
	if paging != nil {
		c.found = found
	}
	if found == nil && !slices.ContainsFunc(c.cfg.Contexts, func(x string) bool { return strings.EqualFold(x, base) }) {
		c.send(result(ldap.ApplicationSearchResultDone, ldap.LDAPResultNoSuchObject, ""), nil)
		return
	}
	if scope == ldap.ScopeBaseObject && found == nil {
		found = []Entry{{DN: base}}
	}
	c.answer(found, attrs, paging)
}

// answer sends one page of found.
func (c *client) answer(found []Entry, attrs []string, paging *ldap.ControlPaging) {
	from, to := 0, len(found)
	if paging != nil && !c.cfg.NoPaging {
		from = c.pages[string(paging.Cookie)]
		to = min(from+int(paging.PagingSize), len(found))
	}
	for _, e := range found[from:to] {
		if !c.entry(e, attrs) {
			return
		}
	}
	var control ldap.Control
	if paging != nil && !c.cfg.NoPaging {
		next := ldap.NewControlPaging(0)
		if to < len(found) {
			next.SetCookie([]byte(fmt.Sprintf("c%d", to)))
			c.pages[string(next.Cookie)] = to
		}
		control = next
	}
	c.send(result(ldap.ApplicationSearchResultDone, 0, ""), control)
}

// find selects entries. Unlike a good server it knows the base only as the end
// of a DN.
func (c *client) find(base string, scope int64, filter *ber.Packet) []Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Entry
	for _, e := range c.cfg.Entries {
		above := len(e.DN) - len(base)
		if above < 0 || above > 0 && (scope != ldap.ScopeWholeSubtree || e.DN[above-1] != ',') || !strings.EqualFold(e.DN[above:], base) {
			continue
		}
		if matches(filter, e) {
			found = append(found, e)
		}
	}
	return found
}

// matches evaluates a filter of and, or, not, equality, presence and, of numbers,
// greater or equal.
func matches(f *ber.Packet, e Entry) bool {
	each := func(c *ber.Packet) bool { return matches(c, e) }
	switch f.Tag {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(f.Children, func(c *ber.Packet) bool { return !each(c) })
	case ldap.FilterOr:
		return slices.ContainsFunc(f.Children, each)
	case ldap.FilterNot:
		return !each(f.Children[0])
	case ldap.FilterPresent:
		name := f.Data.String()
		return strings.EqualFold(name, "objectClass") || len(e.get(name)) > 0
	case ldap.FilterEqualityMatch:
		name, value := f.Children[0].Data.String(), f.Children[1].Data.String()
		return slices.ContainsFunc(e.get(name), func(v string) bool { return strings.EqualFold(v, value) })
	case ldap.FilterGreaterOrEqual:
		least, err := strconv.ParseInt(f.Children[1].Data.String(), 10, 64)
		return err == nil && slices.ContainsFunc(e.get(f.Children[0].Data.String()), func(v string) bool {
			n, err := strconv.ParseInt(v, 10, 64)
			return err == nil && n >= least
		})
	}
	return false
}

func (e Entry) get(name string) []string {
	for n, values := range e.Attrs {
		if strings.EqualFold(n, name) {
			return values
		}
	}
	return nil
}

// entry sends the attributes of e that attrs asks for, nil for all; a large one
// in ranges. It returns false when the connection is over.
func (c *client) entry(e Entry, attrs []string) bool {
	if attrs == nil {
		for name := range e.Attrs {
			attrs = append(attrs, name)
		}
	}
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, e.DN, "objectName"))
	list := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "attributes")
	for _, asked := range attrs {
		name, low := rangeAsked(asked)
		values := e.get(name)
		switch limit := c.cfg.MaxValRange; {
		case len(values) == 0:
		case limit == 0 || len(values) <= limit && name == asked:
			list.AppendChild(attribute(name, values))
		case low+limit >= len(values):
			list.AppendChild(attribute(fmt.Sprintf("%s;range=%d-*", name, low), values[low:]))
		default:
			if name == asked {
				list.AppendChild(attribute(name, nil))
			}
			list.AppendChild(attribute(fmt.Sprintf("%s;range=%d-%d", name, low, low+limit-1), values[low:low+limit]))
		}
	}
	p.AppendChild(list)
	return c.send(p, nil)
}

func rangeAsked(asked string) (name string, low int) {
	name, option, _ := strings.Cut(asked, ";range=")
	from, _, _ := strings.Cut(option, "-")
	low, _ = strconv.Atoi(from)
	return name, low
}

func attribute(name string, values []string) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "attribute")
	p.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, name, "type"))
	set := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "vals")
	for _, v := range values {
		set.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, v, "value"))
	}
	p.AppendChild(set)
	return p
}
