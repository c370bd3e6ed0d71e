package ldapsync_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store"
)

// A living is a real server whose directory changes at random, and what the
// test knows of it.
type living struct {
	*testing.T
	conn     *ldap.Conn
	settings map[string]any
	base     string // of what the test makes
	rdn      string // attribute that names people
	person   func(uid string) map[string][]string
	group    func(cn string) map[string][]string
	lock     func(on bool) (attribute string, values []string)
	follows  bool   // members follow renames by themselves
	addr     string // of the server, behind proxy

	proxy *ldaptest.Proxy
	dsn   string // of the store
	store *store.Store

	random *rand.Rand
	made   int
	ous    []string
	people map[string]*subject // by uid
	groups map[string]map[string]bool
}

type subject struct {
	dn     string
	locked bool
}

func (l *living) do(what string, err error) {
	l.Helper()
	if err != nil {
		l.Fatalf("%s: %v", what, err)
	}
}

func (l *living) add(dn string, attributes map[string][]string) {
	l.Helper()
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	l.do("add "+dn, l.conn.Add(req))
}

func (l *living) replace(dn, attribute string, values ...string) {
	l.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	l.do("modify "+dn, l.conn.Modify(req))
}

func one[V any](l *living, of map[string]V) string {
	keys := slices.Sorted(maps.Keys(of))
	return keys[l.random.IntN(len(keys))]
}

func (l *living) dnOf(group string) string { return "cn=" + group + ",ou=teams," + l.base }

// members writes the member list of a group.
func (l *living) members(group string) {
	l.Helper()
	l.replace(l.dnOf(group), "member", slices.Sorted(maps.Keys(l.groups[group]))...)
}

// begin makes the part of the directory in which all happens.
func (l *living) begin() {
	l.people, l.groups = map[string]*subject{}, map[string]map[string]bool{}
	l.random = rand.New(rand.NewPCG(7, 11))
	for _, ou := range []string{"east", "west", "teams"} {
		l.add("ou="+ou+","+l.base, map[string][]string{"objectClass": {"organizationalUnit"}, "ou": {ou}})
	}
	l.ous = []string{"east", "west"}
	for range 12 {
		l.hire()
	}
	for range 4 {
		l.found()
	}
}

func (l *living) hire() {
	l.made++
	uid := fmt.Sprintf("life%03d", l.made)
	dn := fmt.Sprintf("%s=%s,ou=%s,%s", l.rdn, uid, l.ous[l.random.IntN(len(l.ous))], l.base)
	l.add(dn, l.person(uid))
	l.people[uid] = &subject{dn: dn}
}

func (l *living) found() {
	l.made++
	cn := fmt.Sprintf("team%03d", l.made)
	first := l.people[one(l, l.people)].dn
	attributes := l.group(cn)
	attributes["member"] = []string{first}
	l.add(l.dnOf(cn), attributes)
	l.groups[cn] = map[string]bool{first: true}
}

// moved lets the groups follow somebody's new DN; none means gone.
func (l *living) moved(from, to string) {
	for _, group := range slices.Sorted(maps.Keys(l.groups)) {
		members := l.groups[group]
		if !members[from] {
			continue
		}
		delete(members, from)
		if to != "" {
			members[to] = true
		}
		if len(members) == 0 { // some servers want one
			members[l.people[one(l, l.people)].dn] = true
			l.members(group)
		} else if !l.follows {
			l.members(group)
		}
	}
}

// change alters the directory in one way at random.
func (l *living) change() string {
	uid := one(l, l.people)
	who := l.people[uid]
	switch n := l.random.IntN(20); {
	case n < 4:
		l.hire()
		return "hire"
	case n < 7:
		l.replace(who.dn, "title", fmt.Sprintf("Title %d", l.random.IntN(1000)))
		return "title of " + uid
	case n < 9 && len(l.people) > 5:
		delete(l.people, uid)
		l.do("delete", l.conn.Del(ldap.NewDelRequest(who.dn, nil)))
		l.moved(who.dn, "")
		return "fire " + uid
	case n < 11:
		ou := l.ous[l.random.IntN(len(l.ous))]
		rdn, _, _ := strings.Cut(who.dn, ",")
		if to := rdn + ",ou=" + ou + "," + l.base; to != who.dn {
			l.do("move", l.conn.ModifyDN(ldap.NewModifyDNRequest(who.dn, rdn, true, "ou="+ou+","+l.base)))
			l.moved(who.dn, to)
			who.dn = to
		}
		return "move " + uid
	case n < 12:
		l.made++
		at := l.random.IntN(len(l.ous))
		from, to := l.ous[at], fmt.Sprintf("%s%d", strings.TrimRight(l.ous[at], "0123456789"), l.made)
		l.do("rename OU", l.conn.ModifyDN(ldap.NewModifyDNRequest("ou="+from+","+l.base, "ou="+to, true, "")))
		l.ous[at] = to
		for _, name := range slices.Sorted(maps.Keys(l.people)) {
			p := l.people[name]
			if now := strings.Replace(p.dn, ",ou="+from+",", ",ou="+to+",", 1); now != p.dn {
				l.moved(p.dn, now)
				p.dn = now
			}
		}
		return "rename OU " + from
	case n < 14:
		who.locked = !who.locked
		attribute, values := l.lock(who.locked)
		l.replace(who.dn, attribute, values...)
		return fmt.Sprintf("lock %s %v", uid, who.locked)
	case n < 15:
		l.found()
		return "found"
	case n < 16 && len(l.groups) > 3:
		group := one(l, l.groups)
		delete(l.groups, group)
		for _, other := range slices.Sorted(maps.Keys(l.groups)) {
			if l.groups[other][l.dnOf(group)] {
				delete(l.groups[other], l.dnOf(group))
				l.groups[other][who.dn] = true
				l.members(other)
			}
		}
		l.do("dissolve", l.conn.Del(ldap.NewDelRequest(l.dnOf(group), nil)))
		return "dissolve " + group
	case n < 17:
		group, other := one(l, l.groups), one(l, l.groups)
		if group != other {
			l.groups[group][l.dnOf(other)] = true
			l.members(group)
		}
		return "nest " + other + " in " + group
	}
	group := one(l, l.groups)
	if members := l.groups[group]; members[who.dn] && len(members) > 1 {
		delete(members, who.dn)
	} else {
		members[who.dn] = true
	}
	l.members(group)
	return "membership of " + uid + " in " + group
}

// facts is all of a source in a store that one read can tell: people who are
// there and groups, each with what is known of it, by name and not by id.
func facts(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	out, names := map[string]string{}, map[string]string{}
	q := directory.Query{Source: corp, Limit: 1000}
	for more := true; more; {
		page, err := s.Identities(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			q.After = &directory.Place{Created: i.Created, ID: string(i.ID)}
			if i.Presence != directory.Present {
				continue
			}
			names[string(i.ID)] = i.UserName
			out["user "+i.UserName] = fmt.Sprintf("%s %s %v %v %s", i.ExternalID, i.DN, i.Active, i.Emails, plainJSON(t, i.Attributes))
		}
		more = len(page.Items) == q.Limit
	}
	q.After = nil
	groups, err := s.Groups(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups.Items {
		names[string(g.ID)] = "@" + g.Name
	}
	for _, g := range groups.Items {
		var members []string
		for _, m := range membersOf(t, t.Context(), s, g.ID) {
			if names[m] != "" {
				members = append(members, names[m])
			}
		}
		slices.Sort(members)
		if len(members) > 0 {
			out["group "+g.Name] = g.ExternalID + " " + g.DN + " " + strings.Join(members, ",")
		}
	}
	return out
}

// plainJSON writes JSON in one way, whatever the database made of it.
func plainJSON(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// difference tells where two are not the same.
func difference(a, b map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a)) {
		if a[k] != b[k] {
			out = append(out, fmt.Sprintf("%s: %q and %q", k, a[k], b[k]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(b)) {
		if _, there := a[k]; !there {
			out = append(out, fmt.Sprintf("%s: nothing and %q", k, b[k]))
		}
	}
	return out
}

// live changes the directory at random and reads what changed in between, with
// a new poller now and then, and by processes that are killed in the middle. No
// such read takes anything from anybody; and after each complete read the store
// has what a new one would have.
func (l *living) live(changes int) {
	t := l.T
	l.begin()
	l.proxy = ldaptest.StartProxy(t, l.addr)
	l.proxy.Heal()
	scheme, rest, _ := strings.Cut(l.settings["urls"].([]string)[0], "://")
	host, _, _ := strings.Cut(rest, ":")
	if host != "localhost" { // its certificate says so
		host = "127.0.0.1"
	}
	_, port, _ := strings.Cut(l.proxy.Addr, ":")
	l.settings["urls"] = []string{scheme + "://" + host + ":" + port}
	l.settings["fullEvery"] = "1h"
	l.settings["thresholds"] = map[string]any{"disabledPercent": 100, "disabledMin": 1000, "membersPercent": 100, "vanishPercent": 100, "vanishMin": 1000}
	dsn, s := openPostgres(t)
	l.dsn, l.store = dsn, s
	p := poller(t, s, l.settings)
	run(t, p, directory.RunApplied)
	increments, kills := 0, 0
	for n := range changes {
		what := l.change()
		switch {
		case n%20 == 19 || n == changes-1:
			if r, err := p.Run(t.Context()); err != nil || r.Result != directory.RunApplied && r.Result != directory.RunUnchanged || r.Counts["incremental"] != 0 {
				t.Fatalf("complete read: %+v, %v", r, err)
			}
			other := openStore(t)
			run(t, poller(t, other, l.settings), directory.RunApplied)
			if diff := difference(facts(t, s), facts(t, other)); len(diff) > 0 {
				t.Fatalf("after %d changes (%s) the store differs from a new one:\n%s", n+1, what, strings.Join(diff, "\n"))
			}
		case n%25 == 10:
			l.killed()
			kills++
		case n%3 == 0:
			increments += l.increment(s, p, what)
		case n%7 == 0:
			p = poller(t, s, l.settings)
		}
	}
	t.Logf("%d changes, %d reads of what changed, %d kills, %d people and %d groups at the end", changes, increments, kills, len(l.people), len(l.groups))
	if increments < changes/10 {
		t.Errorf("%d of the reads were of what changed, want at least %d", increments, changes/10)
	}
}

// killed lets a process poll and kills it: somewhere in what the server says to
// it, or as soon as it has applied something.
func (l *living) killed() {
	l.Helper()
	from := revisionOf(l.T, l.store)
	reading := l.random.IntN(2) == 0
	if reading {
		l.proxy.CutAfter(l.random.Int64N(40_000), ldaptest.Stall)
	}
	hit := l.proxy.Hit()
	r := startReplica(l.T, l.dsn, l.settings)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for r.out.Scan() && !strings.HasPrefix(r.out.Text(), "result ") {
		}
	}()
	poll(l.T, func() bool {
		select {
		case <-hit:
			return true
		case <-ended: // it had nothing to say or to do
			return true
		default:
			return !reading && revisionOf(l.T, l.store) > from
		}
	})
	_ = r.cmd.Process.Kill()
	<-ended
	_ = r.cmd.Wait()
	l.proxy.Heal()
}

// increment runs as the schedule does and sees that nobody loses anything.
func (l *living) increment(s *store.Store, p *ldapsync.Poller, what string) int {
	l.Helper()
	p.SetOverlap(time.Second)
	before := facts(l.T, s)
	r, err := p.Update(l.Context())
	if err != nil || r.Result != directory.RunApplied && r.Result != directory.RunUnchanged {
		l.Fatalf("Update after %s = %s (%s), %v", what, r.Result, r.Message, err)
	}
	if r.Counts["incremental"] == 0 {
		return 0
	}
	for name, n := range r.Counts {
		if n > 0 && (strings.HasSuffix(name, ".gone") || strings.HasSuffix(name, ".delete") || name == "members.remove") {
			l.Errorf("after %s a read of what changed did %s: %d", what, name, n)
		}
	}
	after := facts(l.T, s)
	for key := range before {
		if after[key] == "" && !strings.HasPrefix(key, "group ") {
			l.Errorf("after %s %s is gone", what, key)
		}
	}
	return 1
}

// soak is how many changes a test makes.
func soak(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("USHERD_SOAK_LDAP"))
	if err != nil {
		return 60
	}
	t.Logf("%d changes", n)
	return n
}

func secret(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALifeInOpenLDAP(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{})
	config := settings(t, server)
	(&living{
		T: t, conn: server.Admin(), addr: server.Addr, settings: config, base: ldaptest.Base, rdn: "uid",
		person: func(uid string) map[string][]string {
			return map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {"Person " + uid}, "sn": {uid}, "mail": {uid + "@example.test"}}
		},
		group: func(cn string) map[string][]string {
			return map[string][]string{"objectClass": {"groupOfNames"}, "cn": {cn}}
		},
		lock: func(on bool) (string, []string) {
			if on {
				return "pwdAccountLockedTime", []string{"000001010000Z"}
			}
			return "pwdAccountLockedTime", nil
		},
	}).live(soak(t))
}

func TestALifeIn389(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start389(t)
	(&living{
		T: t, conn: server.Admin(), addr: "127.0.0.1" + strings.TrimPrefix(server.TLSURL, "ldaps://localhost"), base: server.Base, rdn: "uid",
		settings: map[string]any{
			"urls": []string{server.TLSURL}, "caFile": server.CA, "bindDN": server.BindDN, "passwordFile": secret(t, server.Password),
			"template": "389ds", "base": []string{server.Base},
		},
		person: func(uid string) map[string][]string {
			return map[string][]string{"objectClass": {"inetOrgPerson"}, "uid": {uid}, "cn": {"Person " + uid}, "sn": {uid}, "mail": {uid + "@example.test"}}
		},
		group: func(cn string) map[string][]string {
			return map[string][]string{"objectClass": {"groupOfNames"}, "cn": {cn}}
		},
		lock: func(on bool) (string, []string) {
			if on {
				return "nsAccountLock", []string{"true"}
			}
			return "nsAccountLock", nil
		},
	}).live(soak(t))
}

func TestALifeInActiveDirectory(t *testing.T) {
	t.Parallel()
	server := ldaptest.StartSamba(t, ldaptest.SambaConfig{})
	(&living{
		T: t, conn: server.Admin(), addr: strings.TrimPrefix(server.URL, "ldaps://") + ":636", base: server.Base, rdn: "CN", follows: true,
		settings: map[string]any{
			"urls": []string{server.URL}, "caFile": server.Certs.CA, "bindDN": server.BindDN, "passwordFile": secret(t, server.Password),
			"template": "active-directory", "base": []string{server.Base},
		},
		person: func(uid string) map[string][]string {
			return map[string][]string{"objectClass": {"user"}, "sAMAccountName": {uid}, "userAccountControl": {"544"}, "mail": {uid + "@example.test"}}
		},
		group: func(cn string) map[string][]string {
			return map[string][]string{"objectClass": {"group"}, "sAMAccountName": {cn}}
		},
		lock: func(on bool) (string, []string) {
			if on {
				return "userAccountControl", []string{"546"}
			}
			return "userAccountControl", []string{"544"}
		},
	}).live(soak(t))
}
