package ldapsync

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"
	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// A Mark is where a read of what changed begins. A complete read sets it and
// later ones move it.
type Mark struct {
	Server   string    `json:"server"`             // URL; another server counts otherwise
	Instance string    `json:"instance,omitempty"` // Active Directory: invocationId, new after a restore
	Settings string    `json:"settings"`           // stands for what selects and maps
	Value    string    `json:"value"`              // of the counter, or the newest time of change
	Expiry   time.Time `json:"expiry,omitzero"`    // when the next account expires, which changes no entry
}

// defaultOverlap is how far before the newest change a read begins: entries may
// become visible in another order than their times say.
const defaultOverlap = 5 * time.Minute

// fingerprint stands for the settings that decide what a read finds.
func (s Settings) fingerprint() string {
	s.Schedule, s.Thresholds, s.Retention = "", Thresholds{}, Retention{}
	s.DialTimeout, s.RequestTimeout, s.RunTimeout, s.FullEvery, s.Lease, s.Link = 0, 0, 0, 0, 0, nil
	t, _ := TemplateNamed(s.Template)
	text, _ := json.Marshal([]any{s, t.with(s)}) // strings and numbers always marshal
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// startMark asks the server, before a read, where the next read of what changed
// has to begin, as far as it knows. It is nil if such reads are not wanted or
// not possible: then every read is a complete one.
func (c *collector) startMark() (*Mark, error) {
	if c.FullEvery == 0 {
		return nil, nil
	}
	m := &Mark{Server: c.server, Settings: c.fingerprint()}
	if !c.template.counter() {
		return m, nil
	}
	var err error
	m.Instance, m.Value, err = c.domainController()
	if err != nil || m.Instance == "" || m.Value == "" {
		return nil, err
	}
	return m, nil
}

// counter reports whether changes are counted, and not dated.
func (t Template) counter() bool { return t.Stamp == "uSNChanged" }

// domainController returns the invocation id and the highest committed update
// sequence number of a domain controller ([MS-ADTS], section 3.1.1.3.2). Empty
// ones mean that it does not say.
func (s *session) domainController() (invocation, usn string, err error) {
	dse, err := s.attributesOf("", "highestCommittedUSN", "dsServiceName")
	if err != nil || dse == nil {
		return "", "", err
	}
	service := dse.GetEqualFoldAttributeValue("dsServiceName")
	if parseDN(service) == nil {
		return "", "", nil
	}
	dsa, err := s.attributesOf(service, "invocationId")
	if err != nil || dsa == nil {
		return "", "", err
	}
	return hex.EncodeToString(dsa.GetEqualFoldRawAttributeValue("invocationId")), dse.GetEqualFoldAttributeValue("highestCommittedUSN"), nil
}

// attributesOf reads attributes of one entry; it is nil if nobody may see it.
func (s *session) attributesOf(dn string, attributes ...string) (*ldap.Entry, error) {
	req := ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", attributes, nil)
	var result *ldap.SearchResult
	err := s.do(func() (err error) {
		result, err = s.conn.Search(req)
		return err
	})
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultInvalidDNSyntax):
		return nil, nil
	case err != nil:
		return nil, requestError("reading one entry", err)
	case len(result.Entries) != 1:
		return nil, nil
	}
	return result.Entries[0], nil
}

// notice keeps the newest time of change of what is read.
func (c *collector) notice(e *ldap.Entry) {
	if c.mark == nil || c.template.counter() {
		return
	}
	if value := e.GetEqualFoldAttributeValue(c.template.Stamp); newer(value, c.mark.Value) {
		c.mark.Value = value
	}
}

// newer compares two times of change, or counters.
func newer(a, b string) bool {
	if len(a) == len(b) || strings.ContainsAny(a+b, "Z.") {
		return a > b
	}
	return len(a) > len(b)
}

// expires keeps when the first account expires.
func (c *collector) expires(at time.Time) {
	if c.mark != nil && !at.IsZero() && (c.mark.Expiry.IsZero() || at.Before(c.mark.Expiry)) {
		c.mark.Expiry = at
	}
}

// since selects what changed since a mark, the last entry of before included.
func (t Template) since(m Mark, overlap time.Duration) (string, error) {
	if t.counter() {
		if _, err := strconv.ParseUint(m.Value, 10, 63); err != nil {
			return "", fmt.Errorf("mark: %w", err)
		}
		return "(" + t.Stamp + ">=" + m.Value + ")", nil
	}
	const second = "20060102150405"
	if len(m.Value) < len(second) {
		return "", errors.New("mark: no time")
	}
	at, err := time.Parse(second, m.Value[:len(second)])
	if err != nil {
		return "", fmt.Errorf("mark: %w", err)
	}
	from := at.Add(-overlap).Format(second)
	if t.Stamp == "entryCSN" {
		return "(entryCSN>=" + from + ".000000Z#000000#000#000000)", nil
	}
	return "(" + t.Stamp + ">=" + from + "Z)", nil
}

// A reason says why only a complete read will do.
type reason string

const (
	fullWanted   reason = "every read is to be complete"
	fullFirst    reason = "nothing says where to begin"
	fullLate     reason = "the last complete read is too long ago"
	fullSettings reason = "what is read, or how, has changed"
	fullServer   reason = "the server that was read before is not one of the source's, or not there"
	fullInstance reason = "the server was restored or replaced"
	fullBack     reason = "the server's counter went back"
	fullLag      reason = "the server does not show that it has what was read before"
	fullExpiry   reason = "an account expires"
	fullHeld     reason = "a plan is held"
	fullBroken   reason = "the last run did not end well"
	fullGate     reason = "what changed would be held"
	fullMany     reason = "too much has changed"
	fullNames    reason = "several entries have a userName"
	fullError    reason = "what changed could not be read"
)

// needsFull says why a complete read is needed, or nothing.
func (p *Poller) needsFull(have *State, last directory.RunResult, held bool, now time.Time) reason {
	s, m := p.cfg.Settings, have.Cursor.Mark
	switch {
	case s.FullEvery == 0:
		return fullWanted
	case m == nil || m.Value == "" || have.people.len() == 0:
		return fullFirst
	case m.Settings != s.fingerprint():
		return fullSettings
	case now.Sub(have.Cursor.LastComplete) >= time.Duration(s.FullEvery), now.Before(have.Cursor.LastComplete):
		return fullLate
	case !m.Expiry.IsZero() && !now.Before(m.Expiry):
		return fullExpiry
	case held:
		return fullHeld
	case last == directory.RunIncomplete, last == directory.RunFailed, last == directory.RunCancelled:
		return fullBroken
	}
	return ""
}

// increment reads what changed and plans what it adds: it removes nobody. If
// there is a reason to read everything instead, it returns that and no report.
func (p *Poller) increment(ctx context.Context, have *State, now time.Time, told *chronicle) (*Report, reason, error) {
	s := p.cfg.Settings
	urls, err := serversAfter(ctx, s, have.Cursor.Mark.Server)
	if err != nil || !slices.Contains(urls, have.Cursor.Mark.Server) {
		return nil, fullServer, nil
	}
	told.enter(directory.PhaseConnect)
	ses, err := connect(ctx, s, have.Cursor.Mark.Server)
	var in *IncompleteError
	if errors.As(err, &in) && in.Cause == CauseBind {
		return nil, "", err // once a run is enough
	}
	if err != nil {
		return nil, fullServer, nil
	}
	defer ses.close()
	c := newCollector(ses, reading{Settings: s, now: now, have: have, told: told})
	if why := c.changed(*have.Cursor.Mark, p.cfg.overlap); why != "" {
		return nil, why, nil
	}
	told.enter(directory.PhaseCompare)
	plan, err := p.diff(ctx, have, c.snap, now)
	if err != nil {
		return nil, "", err
	}
	if plan.contested() {
		return nil, fullNames, nil
	}
	if why, err := plan.confirm(c); why != "" || err != nil {
		return nil, why, err
	}
	told.count("changes", plan.len())
	told.enter(directory.PhaseJudge)
	report := &Report{Plan: plan, Server: c.server, have: have}
	if err := p.judge(ctx, report, now); err != nil {
		return nil, "", err
	}
	if report.Verdict.Hash != "" {
		return nil, fullGate, nil
	}
	plan.Counts["incremental"] = 1
	return report, "", nil
}

// changed collects what changed since a mark, or says why that will not do.
func (c *collector) changed(from Mark, overlap time.Duration) reason {
	begin, err := c.startMark()
	if err != nil || begin == nil {
		return fullError
	}
	if begin.Instance != from.Instance {
		return fullInstance
	}
	if c.template.counter() && newer(from.Value, begin.Value) {
		return fullBack
	}
	begin.Expiry = from.Expiry
	c.mark, c.snap.partial = begin, true
	if err := c.meet(); err != nil || !c.sameAsBefore() {
		return fullLag
	}
	since, err := c.template.since(from, overlap)
	if err != nil {
		return fullError
	}
	c.template.UserFilter = "(&" + c.template.UserFilter + since + ")"
	c.template.GroupFilter = "(&" + c.template.GroupFilter + since + ")"
	if err := errors.Join(c.collect(), c.part()); err != nil {
		return fullError
	}
	if newer(from.Value, c.mark.Value) {
		return fullBack // not even the entry that was the newest then has that time
	}
	c.snap.Mark = c.mark
	return ""
}

// contested reports whether somebody is to get a userName that several entries
// had at the last complete read, of whom none got it.
func (p *Plan) contested() bool {
	for i := range int32(p.people.len()) {
		item := p.people.at(i)
		if item.at == nowhere || item.keepName || item.known != nowhere && item.changed&changedUserName == 0 {
			continue
		}
		name := p.want.people.at(item.at).name
		if _, is := slices.BinarySearch(p.have.Cursor.Contested, hex.EncodeToString(name[:])); is {
			return true
		}
	}
	return false
}

// maxConfirmed bounds the entries that are looked up one by one.
const maxConfirmed = 1000

// confirm looks up the members to be added who did not come with this read: the
// store knows under which DN they were, and somebody else may have it now.
func (p *Plan) confirm(c *collector) (reason, error) {
	n := 0
	for i := range p.groups {
		g := &p.groups[i]
		var sure []ref
		for _, r := range g.add {
			dn, id := "", ""
			switch {
			case r.kind == refPerson && !p.want.seen[r.at]:
				k, err := p.have.known(r.at)
				if err != nil {
					return "", err
				}
				dn, id = k.DN, k.ExternalID
			case r.kind == refGroup && !c.groupIDs[p.have.Groups[r.at].ExternalID]:
				dn, id = p.have.Groups[r.at].DN, p.have.Groups[r.at].ExternalID
			default:
				sure = append(sure, r)
				continue
			}
			if n++; n > maxConfirmed {
				return fullMany, nil
			}
			e, err := c.attributesOf(dn, c.template.Mapping.ID)
			if err != nil {
				return fullError, nil
			}
			if e == nil {
				continue
			}
			if is, err := valuesOf(e).id(c.template.Mapping.ID); err == nil && is == id {
				sure = append(sure, r)
			}
		}
		p.Counts["members.add"] -= int64(len(g.add) - len(sure))
		g.add = sure
	}
	p.groups = slices.DeleteFunc(p.groups, func(g groupItem) bool { return g.Op == OpMembers && len(g.add) == 0 })
	return "", nil
}

// partialCursor is the cursor after a read of what changed: all that only a
// complete read can tell stays as it is.
func (d *differ) partialCursor() Cursor {
	next := d.have.Cursor
	next.Mark, next.Replicated, next.Silent = d.want.Mark, d.want.replicated(), d.want.standing.silent
	next.MissingPeople, next.MissingGroups = maps.Clone(next.MissingPeople), maps.Clone(next.MissingGroups)
	maps.DeleteFunc(next.MissingPeople, func(id string, _ Missing) bool { return d.want.byExt.find(keyOfText(id)) != nowhere })
	for _, g := range d.want.Groups {
		delete(next.MissingGroups, g.ID)
	}
	return next
}

// why tells the log why everything was read.
func (p *Poller) why(r reason) {
	if r != fullWanted {
		p.cfg.Log.Info("complete read", zap.String("because", string(r)))
	}
}
