package ldapsync

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/usherd/usherd/directory"
)

// Thresholds say how much one run may take away, or give, before it waits for
// an administrator. Zero means the default.
type Thresholds struct {
	DisabledPercent int `json:"disabledPercent,omitempty"` // of the people who count; default 5
	DisabledMin     int `json:"disabledMin,omitempty"`     // and at least so many; default 20
	MembersPercent  int `json:"membersPercent,omitempty"`  // of the direct members of a group; default 20
	MembersAbove    int `json:"membersAbove,omitempty"`    // only for groups of more members than this; default 20
	AdminGrowth     int `json:"adminGrowth,omitempty"`     // new people in a group that gives an administration right; default 5
	VanishPercent   int `json:"vanishPercent,omitempty"`   // of the people who had an attribute; default 20
	VanishMin       int `json:"vanishMin,omitempty"`       // and at least so many; default 20
	RenamedPercent  int `json:"renamedPercent,omitempty"`  // of the people, or of the groups, who get another name; default 5
	RenamedMin      int `json:"renamedMin,omitempty"`      // and at least so many; default 20
}

func (t Thresholds) withDefaults() Thresholds {
	fill(&t.DisabledPercent, 5)
	fill(&t.DisabledMin, 20)
	fill(&t.MembersPercent, 20)
	fill(&t.MembersAbove, 20)
	fill(&t.AdminGrowth, 5)
	fill(&t.VanishPercent, 20)
	fill(&t.VanishMin, 20)
	fill(&t.RenamedPercent, 5)
	fill(&t.RenamedMin, 20)
	return t
}

func (t Thresholds) faults() (errs []error) {
	for _, percent := range []int{t.DisabledPercent, t.MembersPercent, t.VanishPercent, t.RenamedPercent} {
		if percent < 1 || percent > 100 {
			errs = append(errs, errors.New("thresholds: a percentage must be from 1 to 100"))
		}
	}
	if min(t.DisabledMin, t.MembersAbove, t.AdminGrowth, t.VanishMin, t.RenamedMin) < 1 {
		errs = append(errs, errors.New("thresholds: a number must be at least 1"))
	}
	return errs
}

// GateConfig is what a verdict depends on beside the plan.
type GateConfig struct {
	Thresholds Thresholds
	Now        time.Time
	Recent     Taken // during the last 24 hours
	// AdminGroups are the groups of the source that give an administration
	// right, in whatever way.
	AdminGroups map[directory.GroupID]bool
	// NoOwner says that after the plan nobody active would hold owner.
	NoOwner bool

	// behind says what the server lacks of what was read before, if it was read
	// all the same: everything waits.
	behind string
	// unproven says that the read may be older than the one before: what it would
	// give waits for the next complete read.
	unproven bool
}

// A Verdict divides a plan. What is held is a set of things that wait for an
// administrator, who approves its Hash; the rest may be done now.
type Verdict struct {
	Held    int      `json:"held,omitempty"`  // items that wait
	Whole   bool     `json:"whole,omitempty"` // the whole plan is held
	Reasons []string `json:"reasons,omitempty"`
	Hash    string   `json:"hash,omitempty"` // of what is held; empty if nothing is

	closed map[string]bool // stable ids of groups to which nobody is added
	takes  bool            // what gives waits for the next complete read
}

// Gate judges a plan. It is pure. What looks like a removal, a wipe-out or a
// change of ids by accident holds the whole plan, for whatever else such a read
// says is not to be believed either. What looks like a sudden growth of
// administrators holds the additions to that group alone. The error is one of
// the spool.
func Gate(p *Plan, c GateConfig) (Verdict, error) {
	g := &gate{GateConfig: c, plan: p}
	if !p.want.partial { // else it says nothing about the whole
		g.zero()
		g.attributes()
		g.emptied()
	}
	g.disabled()
	g.members()
	g.ids()
	if err := g.renamed(); err != nil {
		return Verdict{}, err
	}
	if c.behind != "" {
		g.hold("%s", c.behind)
	}
	if c.NoOwner {
		g.hold("nobody active would hold the Role owner any more")
	}
	v := Verdict{closed: g.admins(), takes: c.unproven}
	if v.Whole = len(g.reasons) > 0; v.Whole {
		v.closed = nil
	}
	v.Reasons = append(g.reasons, g.growth...)
	var err error
	if v.Held, v.Hash, err = hashOf(p.held(v)); err != nil || v.Held > 0 || v.Whole {
		if c.behind != "" { // who approves the same of a server that is current has not approved this one
			v.Hash = hashOfLag(v.Hash, p.want.Server)
		}
		return v, err
	}
	return Verdict{takes: c.unproven}, nil
}

// held yields what waits.
func (p *Plan) held(v Verdict) iter.Seq2[Item, error] {
	if v.Whole {
		return p.Items()
	}
	return p.items(part{func(*personItem) bool { return false }, func(g *groupItem) (groupItem, bool) {
		kept := *g
		kept.remove = nil
		return kept, v.holds(g)
	}})
}

// pass is what may be done now.
func (v Verdict) pass() part {
	passes := part{func(*personItem) bool { return !v.Whole }, func(g *groupItem) (groupItem, bool) {
		kept := *g
		if v.holds(g) {
			kept.add = nil
			return kept, !v.Whole && len(kept.remove) > 0
		}
		return kept, !v.Whole
	}}
	if v.takes {
		return passes.and(taking)
	}
	return passes
}

// holds reports whether the additions of an item wait.
func (v Verdict) holds(g *groupItem) bool { return len(g.add) > 0 && v.closed[g.ExternalID] }

type gate struct {
	GateConfig
	plan    *Plan
	reasons []string // to hold everything
	growth  []string // to hold additions
}

func (g *gate) hold(format string, args ...any) {
	g.reasons = append(g.reasons, fmt.Sprintf(format, args...))
}

// percentOver reports whether part is more than percent of whole.
func percentOver(part, whole, percent int) bool { return part*100 > whole*percent }

func (g *gate) zero() {
	s := g.plan.shape
	if s.peopleBefore > 0 && s.peopleNow == 0 {
		g.hold("the directory shows no people at all; there were %d: check userBase, userFilter and what the bind account may see", s.peopleBefore)
	}
	if s.groupsBefore > 0 && s.groupsNow == 0 {
		g.hold("the directory shows no groups at all; there were %d: check groupBase, groupFilter and what the bind account may see", s.groupsBefore)
	}
}

// disabled counts the people who would lose everything.
func (g *gate) disabled() {
	now := 0
	for i := range int32(g.plan.people.len()) {
		now += g.plan.disables(g.plan.people.at(i))
	}
	total := now + g.Recent.Disabled
	base := g.plan.shape.active + g.Recent.Disabled
	if now > 0 && total >= g.Thresholds.DisabledMin && percentOver(total, base, g.Thresholds.DisabledPercent) {
		g.hold("%d of %d people would lose access%s; the limit is %d %% (thresholds.disabledPercent)", total, base, within(g.Recent.Disabled), g.Thresholds.DisabledPercent)
	}
}

func within(earlier int) string {
	if earlier == 0 {
		return ""
	}
	return fmt.Sprintf(" (%d of them in earlier runs of the last 24 hours)", earlier)
}

// ends reports whether an item ends the access of a person.
func (i *personItem) ends() bool {
	op := i.Op()
	return op == OpGone || op == OpDelete || op == OpDisable
}

// disables is 1 if the item ends the access of a person who has it.
func (p *Plan) disables(i *personItem) int {
	if i.ends() && p.have.people.at(i.known).counts() {
		return 1
	}
	return 0
}

// members looks for groups that lose many direct members.
func (g *gate) members() {
	for k := range g.plan.groups {
		i := &g.plan.groups[k]
		if len(i.remove) == 0 {
			continue
		}
		earlier := g.Recent.Members[directory.GroupID(i.ID)]
		taken, size := len(i.remove)+earlier, i.size+earlier
		if size > g.Thresholds.MembersAbove && percentOver(taken, size, g.Thresholds.MembersPercent) {
			g.hold("the group %q would lose %d of %d members%s; the limit is %d %% (thresholds.membersPercent)", i.Name, taken, size, within(earlier), g.Thresholds.MembersPercent)
		} else if slices.ContainsFunc(i.remove, func(r ref) bool { return r.kind == refGroup }) {
			g.nested(i)
		}
	}
}

// nested looks at the people whom a group loses with groups in it: few members
// may be many people.
func (g *gate) nested(i *groupItem) {
	before, after := g.plan.shape.graphs()
	group := ref{at: i.known, kind: refGroup}
	were, _ := before.reach(group)
	are, _ := after.reach(group)
	lost := 0
	for who := range were {
		if !are[who] {
			lost++
		}
	}
	if len(were) > g.Thresholds.MembersAbove && percentOver(lost, len(were), g.Thresholds.MembersPercent) {
		g.hold("the group %q would lose %d of %d people with groups that are in it no more; the limit is %d %% (thresholds.membersPercent)",
			i.Name, lost, len(were), g.Thresholds.MembersPercent)
	}
}

// attributes looks for a mapped attribute that many people had and have no
// longer: a sign that the bind account lost the right to read it.
func (g *gate) attributes() {
	s := g.plan.shape
	before, now := s.attributes[0], s.attributes[1]
	for _, name := range slices.Sorted(maps.Keys(before)) {
		has, asked := now[name]
		if !asked || s.readBefore == 0 {
			continue
		}
		expected := before[name] * min(s.peopleNow, s.readBefore) / s.readBefore
		lost := expected - has
		many := lost >= g.Thresholds.VanishMin && percentOver(lost, expected, g.Thresholds.VanishPercent)
		const few = 10 // all of a few is as telling as a part of many
		if many || has == 0 && expected >= few {
			g.hold("the attribute %s is gone from %d of %d people (thresholds.vanishPercent): check what the bind account may read", name, lost, expected)
			continue
		}
		// What says that somebody is disabled is often there for those only.
		enabled := int(g.plan.Counts[KindUser+"s."+string(OpEnable)])
		if has == 0 && expected > 1 && enabled > 1 && percentOver(lost, expected, g.Thresholds.VanishPercent) {
			g.hold("the attribute %s is gone from all %d people who had it, and %d disabled people would be let in again (thresholds.vanishPercent): "+
				"check what the bind account may read", name, expected, enabled)
		}
	}
}

// emptied looks for many groups, however small, that lose all their members or
// are gone: a sign that the bind account lost the right to read them, or that
// they were loaded anew with other ids.
func (g *gate) emptied() {
	lost := 0
	for k := range g.plan.groups {
		i := &g.plan.groups[k]
		if i.size > 0 && len(i.remove) == i.size && len(i.add) == 0 {
			lost++
		}
	}
	const all, few = 3, 10 // all of very few, or most of a few, are as telling as a part of many
	had := g.plan.shape.groupsFilled
	many := lost >= g.Thresholds.VanishMin || lost >= few && lost*2 > had || lost >= all && lost == had
	if many && percentOver(lost, had, g.Thresholds.VanishPercent) {
		g.hold("%d of %d groups would lose all their members (thresholds.vanishPercent): check groupBase, groupFilter, whether the bind account may read members, "+
			"and whether the groups have other ids than before", lost, had)
	}
}

// ids looks for an id attribute that changed: the same DNs, other ids.
func (g *gate) ids() {
	s := g.plan.shape
	most := s.renewed >= 3 && s.renewed*2 > s.peopleBefore
	if most || s.renewed >= g.Thresholds.DisabledMin && percentOver(s.renewed, s.peopleBefore, g.Thresholds.DisabledPercent) {
		g.hold("%d of %d people have another stable id under the same DN: check attributes.id, and whether the directory was restored or copied without ids",
			s.renewed, s.peopleBefore)
	}
}

// renamed looks for a naming attribute that was changed here, or there: many who
// stay who they are and are called otherwise. Checks and mappings go by names.
// The names are in the items, not in the reason, which is logged.
func (g *gate) renamed() error {
	people, groups := 0, 0
	for i := range int32(g.plan.people.len()) {
		is, err := g.plan.renames(g.plan.people.at(i))
		if err != nil {
			return err
		}
		if is {
			people++
		}
	}
	for i := range g.plan.groups {
		if item := &g.plan.groups[i].Item; item.Was != "" && nameKey(item.Was) != nameKey(item.Name) {
			groups++
		}
	}
	t, s := g.Thresholds, g.plan.shape
	if people >= t.RenamedMin && percentOver(people, s.peopleBefore, t.RenamedPercent) {
		g.hold("%d of %d people would get another userName; the limit is %d %% (thresholds.renamedPercent): check attributes.userName", people, s.peopleBefore, t.RenamedPercent)
	}
	if groups >= t.RenamedMin && percentOver(groups, s.groupsBefore, t.RenamedPercent) {
		g.hold("%d of %d groups would get another name; the limit is %d %% (thresholds.renamedPercent): check attributes.groupName", groups, s.groupsBefore, t.RenamedPercent)
	}
	return nil
}

// renames reports whether an item gives somebody another userName, as names are
// compared.
func (p *Plan) renames(i *personItem) (bool, error) {
	if i.at == nowhere || i.known == nowhere || i.keepName || i.changed&changedUserName == 0 {
		return false, nil
	}
	had, err := p.have.known(i.known)
	return nameKey(had.UserName) != p.want.people.at(i.at).name, err
}

// admins looks at the groups that give administration rights. One that is
// emptied holds everything; one that grows suddenly holds what makes it grow.
// It returns the groups, by stable id, to which nobody may be added.
func (g *gate) admins() map[string]bool {
	if len(g.AdminGroups) == 0 || g.plan.edges() == 0 {
		return nil
	}
	before, after := g.plan.shape.graphs()
	closed := map[string]bool{}
	for _, group := range g.plan.adminGroups(g.AdminGroups) {
		_, name := g.plan.groupName(group)
		were, _ := before.reach(group)
		are, via := after.reach(group)
		if len(were) > 0 && len(are) == 0 {
			g.hold("the group %q, which gives an administration right, would be emptied", name)
		}
		grown := 0
		for who := range are {
			if !were[who] {
				grown++
			}
		}
		if grown > g.Thresholds.AdminGrowth {
			g.growth = append(g.growth, fmt.Sprintf("the group %q, which gives an administration right, would grow by %d people; the limit is %d (thresholds.adminGrowth)",
				name, grown, g.Thresholds.AdminGrowth))
			for r := range via {
				id, _ := g.plan.groupName(r)
				closed[id] = true
			}
		}
	}
	if len(closed) > 0 {
		g.starved(before, after, closed)
	}
	return closed
}

// starved looks for administrators' groups that lose those they had while those
// they are to have wait.
func (g *gate) starved(before, after graph, closed map[string]bool) {
	passing := func(group ref) []ref {
		members := after(group)
		if id, _ := g.plan.groupName(group); !closed[id] {
			return members
		}
		have := before(group)
		return slices.DeleteFunc(slices.Clone(members), func(m ref) bool { return !slices.Contains(have, m) })
	}
	for _, group := range g.plan.adminGroups(g.AdminGroups) {
		were, _ := before.reach(group)
		are, _ := after.reach(group)
		stay, _ := graph(passing).reach(group)
		if len(were) > 0 && len(are) > 0 && len(stay) == 0 {
			_, name := g.plan.groupName(group)
			g.hold("the group %q, which gives an administration right, would be emptied while its new members wait", name)
		}
	}
}

// hashOf counts items and stands for them as a set of (object, operation), with
// the new names of those that are renamed, in whatever order.
func hashOf(items iter.Seq2[Item, error]) (int, string, error) {
	var lines [][sha256.Size]byte
	line := func(parts ...string) {
		h := sha256.New()
		for _, p := range parts {
			writeField(h, p)
		}
		lines = append(lines, [sha256.Size]byte(h.Sum(nil)))
	}
	n := 0
	for i, err := range items {
		if err != nil {
			return 0, "", err
		}
		n++
		if i.Op != OpMembers {
			line(i.Kind, string(i.Op), i.ExternalID)
		}
		if i.Was != "" {
			line("name", i.ExternalID, i.Name)
		}
		for _, r := range i.Add {
			line("add", i.ExternalID, cmp.Or(r.ExternalID, r.Value), string(r.Via))
		}
		for _, r := range i.Remove {
			line("remove", i.ExternalID, cmp.Or(r.ExternalID, r.Value), string(r.Via))
		}
	}
	slices.SortFunc(lines, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	all := sha256.New()
	for _, l := range lines {
		writeField(all, string(l[:]))
	}
	return n, hex.EncodeToString(all.Sum(nil))[:32], nil
}

// hashOfLag is the hash of what is held because a server lags behind.
func hashOfLag(hash, server string) string {
	h := sha256.New()
	for _, text := range []string{"lag", hash, server} {
		writeField(h, text)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// writeField writes a string so that no two sequences of strings hash alike.
func writeField(h hash.Hash, s string) {
	fmt.Fprintf(h, "%d:", len(s))
	_, _ = io.WriteString(h, s)
}
