package ldapsync_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"github.com/usherd/usherd/store"
)

const corp directory.SourceName = "corp"

// openStore opens an empty store with the source corp.
func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: "sqlite:" + filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	source := directory.Source{Name: corp, Kind: directory.KindLDAP, State: directory.SourceActive, Rank: 1}
	if _, err := s.Apply(t.Context(), directory.Actor{Kind: "system", Name: "test"}, directory.PutSource{Source: source}); err != nil {
		t.Fatal(err)
	}
	return s
}

func settings(t *testing.T, s *ldaptest.Slapd) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(s.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"urls": []string{s.URL}, "allowPlaintextBind": true, "bindDN": s.BindDN, "passwordFile": path, "template": "openldap", "base": []string{s.Base},
	}
}

func poller(t *testing.T, s *store.Store, settings map[string]any) *ldapsync.Poller {
	t.Helper()
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ldapsync.ParseSettings(text)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ldapsync.New(ldapsync.Config{Source: corp, Settings: parsed, Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, p *ldapsync.Poller, want directory.RunResult) directory.Run {
	t.Helper()
	r, err := p.Run(t.Context())
	if err != nil || r.Result != want {
		t.Fatalf("Run = %s (%s), %v, want %s", r.Result, r.Message, err, want)
	}
	return r
}

// access is what the directory gives: for each active user, the groups they are
// a member of, directly or nested, by name.
func access(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	ctx := t.Context()
	users := map[string]string{} // identity id → userName
	q := directory.Query{Source: corp, Limit: 500}
	for {
		page, err := s.Identities(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Items {
			if i.Active && i.Presence == directory.Present {
				users[string(i.ID)] = i.UserName
			}
		}
		if len(page.Items) < q.Limit {
			break
		}
		last := page.Items[len(page.Items)-1]
		q.After = &directory.Place{Created: last.Created, ID: string(last.ID)}
	}
	page, err := s.Groups(ctx, directory.Query{Source: corp, Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string][]string{}
	for _, g := range page.Items {
		direct[string(g.ID)] = membersOf(t, ctx, s, g.ID)
	}
	of := map[string][]string{}
	for _, g := range page.Items {
		reached := map[string]bool{}
		for queue := []string{string(g.ID)}; len(queue) > 0; queue = queue[1:] {
			for _, m := range direct[queue[0]] {
				if !reached[m] {
					reached[m] = true
					queue = append(queue, m)
				}
			}
		}
		for m := range reached {
			if users[m] != "" {
				of[users[m]] = append(of[users[m]], g.Name)
			}
		}
	}
	out := map[string]string{}
	for _, name := range users {
		slices.Sort(of[name])
		out[name] = strings.Join(of[name], ",")
	}
	return out
}

func membersOf(t *testing.T, ctx context.Context, s *store.Store, group directory.GroupID) []string {
	t.Helper()
	var out []string
	for m, err := range s.Members(ctx, group) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Kind != directory.PendingMember {
			out = append(out, m.Value)
		}
	}
	return out
}

// TestADirectoryInTheStore is the story of a source: people and
// nested groups, with a cycle among them, in a real slapd and the real store.
func TestADirectoryInTheStore(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{Users: 300, Groups: 10})
	s := openStore(t)
	config := settings(t, server)
	p := poller(t, s, config)
	first := run(t, p, directory.RunApplied)
	if first.Counts["users.create"] != 305 || first.Counts["groups.create"] != 18 || first.Counts["issues"] != 0 {
		t.Fatalf("first run: %+v", first)
	}
	before := access(t, s)
	if len(before) != 303 { // carol has expired, dave is locked
		t.Errorf("%d people are active, want 303", len(before))
	}
	if got, want := before["alice"], "all-staff,backend,dyn-eng,engineering,finance,posix-eng"; got != want {
		t.Errorf("alice is in %s, want %s", got, want)
	}
	if got, want := before["zoe"], "all-staff,finance"; got != want {
		t.Errorf("zoe is in %s, want %s", got, want)
	}
	same := func(what string) {
		t.Helper()
		if after := access(t, s); !maps.Equal(before, after) {
			t.Errorf("%s changed somebody's access: %d people before, %d after", what, len(before), len(after))
		}
	}
	second := run(t, p, directory.RunUnchanged)
	if second.Revision != 0 {
		t.Errorf("a run that changes nothing made revision %d", second.Revision)
	}
	same("a second run")

	server.Rename("ou=bulk,"+ldaptest.People, "ou=crowd", "")
	server.Rename("ou=Engineering,"+ldaptest.People, "ou=Development", "")
	server.Replace("cn=dyn-eng,"+ldaptest.Groups, "memberURL", "ldap:///ou=Development,"+ldaptest.People+"??sub?(objectClass=inetOrgPerson)")
	if r := run(t, p, directory.RunApplied); r.Counts["members.remove"] != 0 || r.Counts["users.update"] != 303 {
		t.Errorf("renamed OUs: %v", r.Counts)
	}
	same("renaming OUs")
	run(t, p, directory.RunUnchanged)

	t.Run("an incomplete read alters nothing and says why", func(t *testing.T) {
		for says, alter := range map[string]func(map[string]any){
			"size.prtotal=unlimited": func(c map[string]any) { c["bindDN"], c["pageSize"] = ldaptest.LimitedDN, 20 },
			"does not exist":         func(c map[string]any) { c["base"] = []string{"ou=people,dc=example,dc=tset"} },
		} {
			other := maps.Clone(config)
			alter(other)
			if r := run(t, poller(t, s, other), directory.RunIncomplete); !strings.Contains(r.Message, says) {
				t.Errorf("message %q, want one with %q", r.Message, says)
			}
			same(says)
		}
		runs, err := s.Runs(t.Context(), corp, 1)
		if err != nil || len(runs) != 1 || runs[0].Result != directory.RunIncomplete || runs[0].Message == "" {
			t.Errorf("the newest run kept = %+v, %v", runs, err)
		}
	})

	t.Run("who leaves has nothing, and comes back with everything", func(t *testing.T) {
		server.Delete("uid=alice,ou=Development," + ldaptest.People)
		run(t, p, directory.RunApplied)
		if _, there := access(t, s)["alice"]; there {
			t.Error("alice is gone and still active")
		}
	})

	t.Run("a wave is held, and applied once approved", func(t *testing.T) {
		for i := 1; i <= 60; i++ {
			server.Delete(fmt.Sprintf("uid=u%04d,ou=crowd,%s", i, ldaptest.People))
		}
		held := run(t, p, directory.RunHeld)
		if got := len(access(t, s)); got != 302 {
			t.Errorf("%d active people while the plan is held, want 302", got)
		}
		holds, err := s.Holds(t.Context())
		if err != nil || len(holds) != 1 || holds[0].Hash != held.Plan || !strings.Contains(holds[0].Reasons[0], "of 303 people would lose access") {
			t.Fatalf("Holds = %+v, %v", holds, err)
		}
		r, err := p.Approve(t.Context(), held.Plan, "console:root")
		if err != nil || r.Result != directory.RunApplied || r.Counts["users.gone"] != 60 {
			t.Errorf("Approve = %s (%s), %v", r.Result, r.Message, err)
		}
		if got := len(access(t, s)); got != 242 {
			t.Errorf("%d active people, want 242", got)
		}
		if holds, err := s.Holds(t.Context()); err != nil || len(holds) != 0 {
			t.Errorf("Holds after approval = %v, %v", holds, err)
		}
	})
	run(t, p, directory.RunUnchanged)
}

// TestTheLastDaysOfAnIdentity: gone at once, deleted after several reads and
// days, and then the same person is somebody new.
func TestTheLastDaysOfAnIdentity(t *testing.T) {
	t.Parallel()
	server := ldaptest.Start(t, ldaptest.Config{})
	s := openStore(t)
	config := settings(t, server)
	config["retention"] = map[string]any{"reads": 2, "for": "1ms"}
	p := poller(t, s, config)
	run(t, p, directory.RunApplied)
	server.Delete("uid=bob,ou=Engineering," + ldaptest.People)
	server.Delete("cn=platform team," + ldaptest.Groups)
	if r := run(t, p, directory.RunApplied); r.Counts["users.gone"] != 1 || r.Counts["groups.gone"] != 1 {
		t.Errorf("gone: %v", r.Counts)
	}
	if r := run(t, p, directory.RunApplied); r.Counts["users.delete"] != 1 || r.Counts["groups.delete"] != 1 {
		t.Errorf("deleted: %v", r.Counts)
	}
	run(t, p, directory.RunUnchanged)
	server.Add("uid=bob,ou=Engineering,"+ldaptest.People, map[string][]string{
		"objectClass": {"inetOrgPerson"}, "cn": {"Bob Brook"}, "sn": {"Brook"}, "uid": {"bob"},
	})
	if r := run(t, p, directory.RunApplied); r.Counts["users.create"] != 1 {
		t.Errorf("bob again: %v", r.Counts)
	}
	runs, err := s.Runs(t.Context(), corp, 10)
	if err != nil || len(runs) != 5 || !runs[0].Started.After(time.Now().Add(-time.Minute)) {
		t.Errorf("Runs = %d, %v", len(runs), err)
	}
}
