package ldapsync

import (
	"context"
	"errors"
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
// now decides what has expired. Of people whom same reports to be as they are
// in the store, only what names them is kept, for the sake of memory; a nil
// same keeps all.
func Collect(ctx context.Context, s Settings, now time.Time, same func(*directory.Profile) bool) (*Snapshot, error) {
	urls, err := servers(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, server := range urls {
		var snap *Snapshot
		snap, err = collectFrom(ctx, s, server, now, same)
		var in *IncompleteError
		if errors.As(err, &in) && in.Cause == CauseDuplicate {
			// an entry that was moved during the read comes twice
			snap, err = collectFrom(ctx, s, server, now, same)
		}
		if err == nil {
			return snap, nil
		}
		if !errors.As(err, &in) || !in.elsewhere() || ctx.Err() != nil {
			return nil, err
		}
	}
	return nil, err
}

func collectFrom(ctx context.Context, s Settings, server string, now time.Time, same func(*directory.Profile) bool) (*Snapshot, error) {
	ses, err := connect(ctx, s, server)
	if err != nil {
		return nil, err
	}
	defer ses.close()
	t, _ := TemplateNamed(s.Template)
	c := &collector{session: ses, template: t.with(s), now: now, same: same, ids: map[string]bool{}, snap: &Snapshot{
		Server: server, Attributes: map[string]int{}, people: newPeopleIndex(), groups: map[dnKey][]int32{},
	}}
	if err := c.collect(); err != nil {
		return nil, at(server, err)
	}
	return c.snap, nil
}

// A collector fills one snapshot over one connection.
type collector struct {
	*session
	template Template
	now      time.Time
	same     func(*directory.Profile) bool
	snap     *Snapshot
	ids      map[string]bool // stable ids seen, people and groups
}

func (c *collector) collect() error {
	for _, name := range c.template.userAttributes() {
		c.snap.Attributes[strings.ToLower(name)] = 0
	}
	for _, base := range c.settings.UserBase {
		if err := c.read(c.users(base), c.takePerson); err != nil {
			return err
		}
	}
	for _, base := range c.settings.GroupBase {
		if err := c.read(c.groupSearch(base), c.takeGroup); err != nil {
			return err
		}
	}
	return c.searchMembers()
}

func (c *collector) users(base string) search {
	return search{
		what: "people", base: base, scope: ldap.ScopeWholeSubtree, filter: c.template.UserFilter, attrs: c.template.userAttributes(),
		page: c.settings.PageSize, limit: c.settings.MaxEntries, ignore: c.ignores(base),
	}
}

func (c *collector) groupSearch(base string) search {
	return search{
		what: "groups", base: base, scope: ldap.ScopeWholeSubtree, filter: c.template.GroupFilter, attrs: c.template.groupAttributes(),
		page: c.settings.GroupPageSize, limit: c.settings.MaxEntries, ignore: c.ignores(base),
	}
}

// takePerson adds an entry to the people of the snapshot.
func (c *collector) takePerson(e *ldap.Entry) error {
	key, dn := readDN(e.DN)
	p, err := c.template.person(e, dn, c.now)
	if err != nil {
		return c.noID(err)
	}
	p.same = c.same != nil && c.same(&p.Profile)
	if err := c.unique(p.Profile.ExternalID); err != nil {
		return err
	}
	c.snap.people.add(int32(len(c.snap.People)), key, p.uids)
	p.uids = nil // the index has them
	c.snap.People = append(c.snap.People, p)
	for _, a := range e.Attributes {
		name := strings.ToLower(a.Name)
		if _, asked := c.snap.Attributes[name]; asked && len(a.ByteValues) > 0 {
			c.snap.Attributes[name]++
		}
	}
	return nil
}

func (c *collector) noID(err error) error {
	return incomplete(CauseIdentity, "Give the bind account read access to "+c.template.Mapping.ID+
		", or narrow the filter to entries that have it", "an entry cannot be identified: %w", err)
}

func (c *collector) unique(id string) error {
	if c.ids[id] {
		return incomplete(CauseDuplicate, "See that no entry is selected twice (overlapping bases, or a filter for groups that matches people) and that "+
			c.template.Mapping.ID+" is unique", "the entry %s came twice", id)
	}
	c.ids[id] = true
	return nil
}

// takeGroup adds an entry to the groups of the snapshot, with all its members.
func (c *collector) takeGroup(e *ldap.Entry) error {
	key, dn := readDN(e.DN)
	g, err := c.template.group(e, dn)
	if err != nil {
		return c.noID(err)
	}
	if err := c.unique(g.ID); err != nil {
		return err
	}
	if err := c.takeMembers(&g, e); err != nil {
		return err
	}
	c.snap.groups[key] = append(c.snap.groups[key], int32(len(c.snap.Groups)))
	c.snap.Groups = append(c.snap.Groups, g)
	return nil
}

// takeMembers gathers the members of g from every attribute that has some.
func (c *collector) takeMembers(g *Group, e *ldap.Entry) error {
	m, limit := c.template.Mapping, c.settings.MaxMembers
	for _, attr := range m.Members {
		if err := c.allValues(e, attr, limit, func(v []byte) { c.addDN(g, string(v)) }); err != nil {
			return err
		}
	}
	if m.MemberUIDs != "" {
		err := c.allValues(e, m.MemberUIDs, limit, func(v []byte) {
			if at, ok := c.snap.people.byUID[string(v)]; ok && at != ambiguous {
				g.people = append(g.people, at)
				return
			}
			g.others = append(g.others, foreign{dn: string(v)})
		})
		if err != nil {
			return err
		}
	}
	if m.MemberURLs == "" {
		return nil
	}
	const maxURLs = 100
	return c.allValues(e, m.MemberURLs, maxURLs, func(v []byte) { g.urls = append(g.urls, string(v)) })
}

// addDN adds the member with a DN. A uniqueMember may end in a bit string (RFC
// 4517, section 3.3.21), which tells apart entries that used one DN in turn and
// is nowhere else to compare with.
func (c *collector) addDN(g *Group, dn string) {
	if i := strings.LastIndex(dn, "#'"); i >= 0 && strings.HasSuffix(dn, "'B") {
		dn = dn[:i]
	}
	if dn == "" { // 389 and others allow an empty member as a placeholder
		return
	}
	key := keyOfDN(dn)
	if at, ok := c.snap.personAt(key, dn); ok {
		g.people = append(g.people, at)
		return
	}
	g.others = append(g.others, foreign{key, dn})
}

// searchMembers searches for the members of dynamic groups. It comes after all
// groups have been read, for servers keep the place of one paged search a
// connection. A group whose URL cannot be evaluated keeps the members it had: a
// mistake in one group is no reason to empty it, nor to stop everything.
func (c *collector) searchMembers() error {
	for i := range c.snap.Groups {
		g := &c.snap.Groups[i]
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
	q.page, q.limit, q.ignore = c.settings.PageSize, c.settings.MaxMembers, c.ignores(q.base)
	return c.read(q, func(e *ldap.Entry) error {
		if at, ok := c.snap.personAt(keyOfDN(e.DN), e.DN); ok {
			g.people = append(g.people, at)
		}
		return nil
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
	for _, dn := range c.settings.IgnoreReferrals {
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
