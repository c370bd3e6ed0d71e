package ldapsync

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
)

// Collect reads all people and groups that settings select, from the first
// server that can be read to the end. Its error wraps [ErrIncomplete] and says
// what to do; then there is no snapshot, whatever was read before.
//
// now decides what has expired. Of people who are as have says, nothing is
// kept but that; a nil have means an empty store.
func Collect(ctx context.Context, s Settings, now time.Time, have *State) (*Snapshot, error) {
	return readAll(ctx, reading{Settings: s, now: now, have: have})
}

// A reading says what to read and how.
type reading struct {
	Settings
	now  time.Time
	have *State // what the store has; nil is nothing

	asked   bool       // somebody waits for it: a server that lags behind is read if no other can be
	lagging bool       // read the server although it lags behind
	told    *chronicle // may be nil
}

func readAll(ctx context.Context, r reading) (*Snapshot, error) {
	s := r.Settings
	if r.have == nil {
		r.have = newState(&spool{})
	}
	urls, err := serversAfter(ctx, s, r.have.Cursor.Server)
	if err != nil {
		return nil, err
	}
	snap, lagging, err := readFirst(ctx, r, urls)
	if in, is := errors.AsType[*IncompleteError](err); is && r.asked && len(lagging) > 0 && in.elsewhere() {
		r.lagging = true
		snap, _, err = readFirst(ctx, r, lagging)
	}
	return snap, err
}

// readFirst reads the first of servers that can be read, or says why none can,
// and which of them lag behind.
func readFirst(ctx context.Context, r reading, urls []string) (snap *Snapshot, lagging []string, err error) {
	var passed []string
	for i, server := range urls {
		snap, err = collectFrom(ctx, r, server)
		var in *IncompleteError
		if errors.As(err, &in) && in.Cause == CauseDuplicate {
			// an entry that was moved during the read comes twice
			snap, err = collectFrom(ctx, r, server)
		}
		if err == nil {
			snap.Passed = passed
			return snap, nil, nil
		}
		if !errors.As(err, &in) || ctx.Err() != nil {
			return nil, nil, err
		}
		if in.Cause == CauseLag {
			lagging = append(lagging, server)
		}
		if !in.elsewhere() || i == len(urls)-1 {
			break
		}
		passed = append(passed, in.Error())
	}
	return nil, lagging, after(passed, err)
}

// after tells, with the error that ended the search for a server that can be
// read, of those before.
func after(passed []string, err error) error {
	var in *IncompleteError
	if len(passed) == 0 || !errors.As(err, &in) {
		return err
	}
	last := *in
	last.Err = fmt.Errorf("%w (before that, %s)", in.Err, strings.Join(passed, "; "))
	return &last
}

func collectFrom(ctx context.Context, r reading, server string) (*Snapshot, error) {
	r.told.enter(directory.PhaseConnect)
	ses, err := connect(ctx, r.Settings, server)
	if err != nil {
		return nil, err
	}
	defer ses.close()
	c := newCollector(ses, r)
	if err = c.meet(); err == nil {
		c.mark, err = c.startMark()
	}
	if err == nil {
		err = c.collect()
	}
	if err == nil {
		err = c.part()
	}
	if err != nil {
		return nil, ses.ofRead(err)
	}
	c.snap.Mark = c.mark
	return c.snap, nil
}

func newCollector(ses *session, r reading) *collector {
	t, _ := TemplateNamed(r.Template)
	c := &collector{session: ses, reading: r, template: t.with(r.Settings), groupIDs: map[string]bool{}, snap: newSnapshot(r.have, r.have.spool)}
	c.snap.Server = ses.server
	return c
}

// A collector fills one snapshot over one connection.
type collector struct {
	*session
	reading
	template Template
	snap     *Snapshot
	groupIDs map[string]bool // stable ids seen
	mark     *Mark           // of this read; nil if changes are not wanted
}

func (c *collector) collect() error {
	for _, name := range c.template.userAttributes() {
		c.snap.Attributes[strings.ToLower(name)] = 0
	}
	c.told.enter(directory.PhasePeople)
	for _, base := range c.UserBase {
		if err := c.read(c.users(base), c.takePerson); err != nil {
			return err
		}
	}
	c.told.enter(directory.PhaseGroups)
	for _, base := range c.GroupBase {
		if err := c.read(c.groupSearch(base), c.takeGroup); err != nil {
			return err
		}
	}
	if err := c.searchMembers(); err != nil {
		return err
	}
	c.snap.settle()
	return nil
}

func (c *collector) users(base string) search {
	return search{
		what: "people", base: base, scope: ldap.ScopeWholeSubtree, filter: c.template.UserFilter, attrs: c.stamped(distinct(append(c.template.userAttributes(), c.template.Mapping.LastLogin...))),
		page: c.PageSize, limit: c.MaxEntries, ignore: c.ignores(base),
	}
}

func (c *collector) groupSearch(base string) search {
	return search{
		what: "groups", base: base, scope: ldap.ScopeWholeSubtree, filter: c.template.GroupFilter, attrs: c.stamped(c.template.groupAttributes()),
		page: c.GroupPageSize, limit: c.MaxEntries, ignore: c.ignores(base),
	}
}

// stamped adds the attribute that tells of changes, if it is wanted.
func (c *collector) stamped(attributes []string) []string {
	if c.mark == nil || c.template.counter() {
		return attributes
	}
	return distinct(append(attributes, c.template.Stamp))
}

// takePerson adds an entry to the people of the snapshot.
func (c *collector) takePerson(e *ldap.Entry) error {
	c.notice(e)
	key, dn := readDN(e.DN)
	p, err := c.template.person(e, dn, c.now)
	if err != nil {
		return c.noID(err)
	}
	fresh, err := c.snap.add(key, &p)
	if err != nil {
		return err
	}
	if !fresh {
		return c.twice(p.Profile.ExternalID)
	}
	c.expires(p.expiry)
	for _, a := range e.Attributes {
		name := strings.ToLower(a.Name)
		if _, asked := c.snap.Attributes[name]; asked && len(a.ByteValues) > 0 {
			c.snap.Attributes[name]++
		}
	}
	c.told.count("people", c.snap.people.len())
	return nil
}

func (c *collector) noID(err error) error {
	return incomplete(CauseIdentity, "Give the bind account read access to "+c.template.Mapping.ID+
		", or narrow the filter to entries that have it", "an entry cannot be identified: %w", err)
}

func (c *collector) twice(id string) error {
	return incomplete(CauseDuplicate, "See that no entry is selected twice (overlapping bases, or a filter for groups that matches people) and that "+
		c.template.Mapping.ID+" is unique", "the entry %s came twice", id)
}

// takeGroup adds an entry to the groups of the snapshot, with all its members.
func (c *collector) takeGroup(e *ldap.Entry) error {
	c.notice(e)
	dn, spelled := readDN(e.DN)
	g, err := c.template.group(e, spelled)
	if err != nil {
		return c.noID(err)
	}
	if c.groupIDs[g.ID] || c.snap.byExt.find(keyOfText(g.ID)) != nowhere {
		return c.twice(g.ID)
	}
	c.groupIDs[g.ID] = true
	if err := c.takeMembers(&g, e); err != nil {
		return err
	}
	c.snap.groups[dn] = append(c.snap.groups[dn], int32(len(c.snap.Groups)))
	c.snap.Groups = append(c.snap.Groups, g)
	c.told.count("groups", len(c.snap.Groups))
	return nil
}

// takeMembers gathers the members of g from every attribute that has some.
func (c *collector) takeMembers(g *Group, e *ldap.Entry) error {
	m, limit := c.template.Mapping, c.MaxMembers
	for _, attr := range m.Members {
		if err := c.allValues(e, attr, limit, func(v []byte) error { return c.addDN(g, string(v)) }); err != nil {
			return err
		}
	}
	if m.MemberUIDs != "" {
		err := c.allValues(e, m.MemberUIDs, limit, func(v []byte) error {
			// a read of what changed cannot tell that nobody else has that uid
			if at, ok := c.snap.byUID.find(string(v)); ok && !c.snap.partial {
				g.people = append(g.people, at)
			} else {
				g.others = append(g.others, foreign{dn: string(v)})
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if m.MemberURLs == "" {
		return nil
	}
	const maxURLs = 100
	return c.allValues(e, m.MemberURLs, maxURLs, func(v []byte) error {
		g.urls = append(g.urls, string(v))
		return nil
	})
}

// addDN adds the member with a DN. A uniqueMember may end in a bit string (RFC
// 4517, section 3.3.21), which tells apart entries that used one DN in turn and
// is nowhere else to compare with.
func (c *collector) addDN(g *Group, dn string) error {
	if i := strings.LastIndex(dn, "#'"); i >= 0 && strings.HasSuffix(dn, "'B") {
		dn = dn[:i]
	}
	if dn == "" { // 389 and others allow an empty member as a placeholder
		return nil
	}
	key := keyOfDN(dn)
	at, ok, err := c.snap.personAt(key, dn)
	if ok && c.snap.partial { // which cannot tell that no other DN folds alike
		var p Person
		p, err = c.snap.person(at)
		ok = err == nil && strings.EqualFold(p.Profile.DN, spellDN(dn))
	}
	if ok {
		g.people = append(g.people, at)
	} else {
		g.others = append(g.others, foreign{key, dn})
	}
	return err
}

// searchMembers searches for the members of dynamic groups. It comes after all
// groups have been read, for servers keep the place of one paged search a
// connection. A group whose URL cannot be evaluated keeps the members it had: a
// mistake in one group is no reason to empty it, nor to stop everything.
func (c *collector) searchMembers() error {
	for i := range c.snap.Groups {
		g := &c.snap.Groups[i]
		if c.snap.partial {
			g.urls = nil // whom they select is not all in this read
		}
		for _, text := range g.urls {
			err := c.memberURL(g, text)
			var in *IncompleteError
			if errors.As(err, &in) && (in.Cause == CauseMemberURLs || in.Cause == CauseBase) {
				g.unknown = in.Error()
				break
			}
			if err != nil {
				return err
			}
		}
		g.urls = nil
	}
	return nil
}

// memberURL adds the people whom an LDAP URL (RFC 4516) selects on this server.
func (c *collector) memberURL(g *Group, text string) error {
	q, err := parseMemberURL(text)
	if err != nil {
		return incomplete(CauseMemberURLs, "Correct the URL of the group", "%s: %w", c.template.Mapping.MemberURLs, err)
	}
	q.page, q.limit, q.ignore = c.PageSize, c.MaxMembers, c.ignores(q.base)
	return c.read(q, func(e *ldap.Entry) error {
		at, ok, err := c.snap.personAt(keyOfDN(e.DN), e.DN)
		if ok {
			g.people = append(g.people, at)
		}
		return err
	})
}

// parseMemberURL reads ldap:///BASE??SCOPE?FILTER.
func parseMemberURL(text string) (search, error) {
	rest, ok := strings.CutPrefix(text, "ldap:///")
	if !ok {
		return search{}, errors.New("only URLs without a host are searched: ldap:///BASE??SCOPE?FILTER")
	}
	parts := strings.SplitN(rest, "?", 5)
	for i := range parts {
		plain, err := url.PathUnescape(parts[i])
		if err != nil {
			return search{}, errors.New("bad percent escape")
		}
		parts[i] = plain
	}
	parts = append(parts, "", "", "", "")
	q := search{what: "a dynamic group", base: parts[0], scope: ldap.ScopeBaseObject, filter: parts[3], attrs: []string{"1.1"}}
	switch strings.ToLower(parts[2]) {
	case "sub":
		q.scope = ldap.ScopeWholeSubtree
	case "one":
		q.scope = ldap.ScopeSingleLevel
	case "", "base":
	default:
		return search{}, errors.New("unknown scope")
	}
	if q.filter == "" {
		q.filter = "(objectClass=*)"
	}
	if parts[4] != "" || q.base == "" {
		return search{}, errors.New("extensions and an empty base are not supported")
	}
	return q, checkFilter(q.filter)
}

// ignores says which continuation references under base do not matter.
func (c *collector) ignores(base string) func(string) bool {
	parts := map[dnKey]bool{}
	for _, part := range c.template.Referrals {
		parts[keyOfDN(part+","+base)] = true
	}
	everything := false
	for _, dn := range c.IgnoreReferrals {
		everything = everything || dn == "*"
		parts[keyOfDN(dn)] = true
	}
	return func(referral string) bool {
		if everything {
			return true
		}
		u, err := url.Parse(referral)
		return err == nil && parts[keyOfDN(strings.TrimPrefix(u.Path, "/"))]
	}
}
