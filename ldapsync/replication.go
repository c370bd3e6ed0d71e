package ldapsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// adviceLag says what to do about a server that lags behind.
const adviceLag = "See whether replication to it runs; the next run tries again, and nothing is given or taken meanwhile. " +
	"If what it lacks will never come (it was restored from a backup, or the server on which those changes were made is gone), " +
	"ask for a run of this source: it holds what this server would change until you approve that"

// lagError says that a server has not seen what was read before.
func lagError(gaps []gap) *IncompleteError {
	return incomplete(CauseLag, adviceLag, "%s", lagText(gaps))
}

func lagText(gaps []gap) string {
	const shown = 3
	texts := make([]string, 0, shown)
	for _, g := range gaps[:min(shown, len(gaps))] {
		texts = append(texts, g.String())
	}
	return "it lags behind what was read before: " + strings.Join(texts, "; ")
}

// vector asks the server how far it has come in replication. It is empty if the
// server does not say, to this account. What the server has when it answers is
// in everything that is read of it later.
func (s *session) vector(bases []string) (Vector, error) {
	ask := (*session).contextCSN
	dse, err := s.tell("", ldap.ScopeBaseObject, "(objectClass=*)", "namingContexts", "vendorName", "objectClass", "forestFunctionality")
	if err != nil || dse == nil {
		return nil, err
	}
	switch kind := vendor(dse); {
	case strings.Contains(kind, "Active Directory"): // see DESIGN.md
		return nil, nil
	case strings.Contains(kind, "389"):
		ask = (*session).updateVector
	}
	v := Vector{}
	for _, context := range dse.GetEqualFoldAttributeValues("namingContexts") {
		name := canonicalName(context)
		if !slices.ContainsFunc(bases, func(base string) bool { return overlap(name, base) }) {
			continue
		}
		origins, err := ask(s, context)
		if err != nil {
			return nil, err
		}
		if len(origins) > 0 {
			v[name] = origins
		}
	}
	return v, nil
}

// contextCSN reads how far an OpenLDAP server has come with a naming context.
func (s *session) contextCSN(context string) (map[string]string, error) {
	e, err := s.tell(context, ldap.ScopeBaseObject, "(objectClass=*)", "contextCSN")
	if err != nil || e == nil {
		return nil, err
	}
	out := map[string]string{}
	for _, value := range e.GetEqualFoldAttributeValues("contextCSN") {
		origin, csn, err := parseContextCSN(value)
		if err != nil {
			return nil, nil //nolint:nilerr // a server that says it otherwise does not say it to us
		}
		out[origin] = max(out[origin], csn)
	}
	return out, nil
}

// updateVector reads the replica update vector of 389 Directory Server.
func (s *session) updateVector(context string) (map[string]string, error) {
	const entry = "(&(nsUniqueId=ffffffff-ffffffff-ffffffff-ffffffff)(objectClass=nsTombstone))"
	e, err := s.tell(context, ldap.ScopeWholeSubtree, entry, "nsds50ruv")
	if err != nil || e == nil {
		return nil, err
	}
	out, err := parseRUV(e.GetEqualFoldAttributeValues("nsds50ruv"))
	if err != nil {
		return nil, nil //nolint:nilerr // as above
	}
	return out, nil
}

// tell reads one entry, or nothing if the server will not show it. Only a server
// that does not answer, or has no time, is an error.
func (s *session) tell(base string, scope int, filter string, attributes ...string) (*ldap.Entry, error) {
	req := ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil)
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	if err != nil {
		in := requestError("asking how far the server is in replication", err)
		if in.Cause == CauseLost || in.Cause == CauseBusy || in.Cause == CauseCancelled {
			return nil, in
		}
		return nil, nil
	}
	if len(result.Entries) != 1 {
		return nil, nil
	}
	return result.Entries[0], nil
}

// A standing is what is known of how current a server is.
type standing struct {
	vector  Vector   // at the end of the read; empty if the server does not say
	silent  []string // naming contexts of which it does not say, though something was seen
	behind  string   // what it lacks, in words, if it was read all the same
	current bool     // it has all that was read before
}

// meet asks the server, before it is read, whether it has all that was read
// before. One that has not is an error, unless that is allowed.
func (c *collector) meet() error {
	bases := c.canonicalBases()
	seen := c.have.Cursor.Replicated.concerning(bases)
	v, err := c.vector(bases)
	if err != nil {
		return err
	}
	c.snap.standing = standing{vector: v, silent: v.silent(seen, bases)}
	gaps := v.without(seen, bases)
	if len(gaps) == 0 {
		// A server that was silent at the last read may have taken what no vector tells.
		c.snap.standing.current = len(seen) > 0 && len(c.snap.standing.silent) == 0 && len(c.have.Cursor.Silent) == 0
		return nil
	}
	if !c.lagging {
		return lagError(gaps)
	}
	c.snap.standing.behind = fmt.Sprintf("%s: %s", c.server, lagText(gaps))
	return nil
}

// part asks once more after the read: whatever was seen is in what the server
// says now.
func (c *collector) part() error {
	if len(c.snap.standing.vector) == 0 {
		return nil
	}
	v, err := c.vector(c.canonicalBases())
	if err == nil {
		c.snap.standing.vector = c.snap.standing.vector.with(v)
	}
	return err
}

func (c *collector) canonicalBases() []string {
	return canonicalNames(slices.Concat(c.UserBase, c.GroupBase)...)
}

// replicated is what the next read is measured by: all that was seen, even if
// this server does not say, or, if an administrator takes a server that lags
// behind as it is, what that has.
func (s *Snapshot) replicated() Vector {
	if s.standing.behind == "" {
		return s.have.Cursor.Replicated.with(s.standing.vector)
	}
	out := maps.Clone(s.have.Cursor.Replicated)
	maps.Copy(out, s.standing.vector)
	return out
}

// unproven reports whether a snapshot may be older than what was read before:
// it is of another server, or of one that told how far it is and does not any
// more. Such a read takes, and gives only when the next one says the same.
func (s *Snapshot) unproven() bool {
	before := s.have.Cursor
	if s.partial || before.LastComplete.IsZero() || s.standing.current || s.standing.behind != "" {
		return false
	}
	return before.Server != s.Server || len(s.fellSilent()) > 0
}

// fellSilent are the naming contexts of which the server before this one told
// how far it is.
func (s *Snapshot) fellSilent() []string {
	var contexts []string
	for _, context := range s.standing.silent {
		if !slices.Contains(s.have.Cursor.Silent, context) {
			contexts = append(contexts, context)
		}
	}
	return contexts
}

// sameAsBefore reports whether a read of what changed may go by a server: it
// proves to have all that was read before, or is the one that was read, which
// never said how far it is or had fallen silent then already.
func (c *collector) sameAsBefore() bool {
	before := c.have.Cursor
	if c.snap.standing.current || len(before.Replicated) == 0 {
		return true
	}
	return len(before.Silent) > 0 && len(c.snap.standing.silent) > 0 && len(c.snap.fellSilent()) == 0
}

// underWay is the cursor while a plan is applied. It says already what was read:
// a run that is killed may have taken things, and another server must not give
// them back.
func (p *Plan) underWay() Cursor {
	c := p.have.Cursor
	if p.want.standing.behind == "" {
		c.Server, c.Replicated, c.Silent = p.next.Server, p.next.Replicated, p.next.Silent
	}
	if p.want.unproven() {
		c.Server = "" // the next complete read of it is not the second one
	}
	return c
}

// taking is the part of a plan that gives nobody anything, nor anything a name
// by which it is found.
var taking = part{
	func(i *personItem) bool { return i.ends() },
	func(g *groupItem) (groupItem, bool) {
		kept := *g
		kept.add = nil
		return kept, kept.Op == OpGone || kept.Op == OpDelete || kept.Op == OpMembers && len(kept.remove) > 0
	},
}

// waiting counts the items of a plan of an unproven read that wait, or of which
// something waits, for the next complete read.
func (p *Plan) waiting() (n int) {
	for i := range int32(p.people.len()) {
		if !taking.person(p.people.at(i)) {
			n++
		}
	}
	for i := range p.groups {
		if _, is := taking.group(&p.groups[i]); !is || len(p.groups[i].add) > 0 {
			n++
		}
	}
	return n
}

// waits counts what waits for the next complete read, and tells why.
func (r *Report) waits() string {
	silent := ""
	if contexts := r.Plan.want.fellSilent(); len(contexts) > 0 {
		silent = fmt.Sprintf("%s does not say any more how far it is in replication under %s: see whether the account may still read that.",
			r.Server, strings.Join(contexts, " and "))
	}
	n := r.Plan.waiting()
	if n == 0 {
		return silent
	}
	r.Plan.Counts["waiting"] = int64(n)
	return join(silent, fmt.Sprintf("%s is not the server of the last read, or does not show to be as current, so it may lag behind: what it takes away "+
		"was taken, and what it gives (%d changes) waits for the next complete read of it.", r.Server, n))
}
