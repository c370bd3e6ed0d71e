package authzen

import (
	"fmt"
	"testing"

	"github.com/usherd/usherd/directory"
)

const manyUsers = 100_000

// crowd makes an organization of 100,000 users in a store: all of them in
// Readers, 100 in Editors, and every tenth with an own grant of something else.
func crowd(b testing.TB) (*deployment, server) {
	b.Helper()
	d, s := deploy(b, "certification.yaml")
	ids := make([]string, manyUsers)
	var changes []directory.Change
	flush := func() { d.apply(changes...); changes = changes[:0] }
	for i := range ids {
		id := directory.NewID()
		ids[i] = id
		changes = append(changes, directory.CreateUser{ID: directory.UserID(id), Source: directory.Local, Profile: directory.Profile{
			UserName: fmt.Sprintf("user-%06d@example.com", i), Active: true,
		}})
		if i%10 == 0 {
			changes = append(changes, directory.PutGrant{Grant: directory.Grant{
				User: directory.UserID(id), Privilege: directory.Privilege{Kind: directory.RolePrivilege, Key: "record:record-7:read"}, Origin: directory.ByHand,
			}})
		}
		if len(changes) > 5000 {
			flush()
		}
	}
	flush()
	put := func(name string, members []string) {
		id := directory.GroupID(directory.NewID())
		d.apply(directory.CreateGroup{ID: id, Source: directory.Local, Name: name})
		for len(members) > 0 {
			n := min(len(members), 5000)
			d.apply(directory.AddMembers{Group: id, Source: directory.Local, Values: members[:n]})
			members = members[n:]
		}
	}
	put("Readers", ids)
	put("Editors", ids[50_000:50_100])
	return d, s
}

// BenchmarkSearchAmong100000 measures searches over HTTP. Every answer is
// looked at.
func BenchmarkSearchAmong100000(b *testing.B) {
	_, s := crowd(b)
	for _, bm := range []struct {
		name, path, body string
		results          int
	}{
		{"subjects/few", PathSubjectSearch, object(anyUser, writes, record1), 100},
		{"subjects/none", PathSubjectSearch, object(anyUser, `"action":{"name":"write"}`, `"resource":{"type":"record","id":"record-2"}`), 0},
		{"subjects/page of all", PathSubjectSearch, object(anyUser, reads, record1, `"page":{"limit":100}`), 100},
		{"subjects/largest page of all", PathSubjectSearch, object(anyUser, reads, record1), 1000},
		{"resources", PathResourceSearch, object(`"subject":{"type":"user","id":"user-050007@example.com"}`, reads, records), 2},
		{"actions", PathActionSearch, object(`"subject":{"type":"user","id":"user-050007@example.com"}`, record1), 3},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				r := s.post(bm.path, bm.body)
				if n := results(b, r); n != bm.results {
					b.Fatalf("%d results, want %d: %.200s", n, bm.results, r.Body)
				}
			}
		})
	}
}
