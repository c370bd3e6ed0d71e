package console_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// BenchmarkLargeDirectory measures every list over 100,000 users and 5,000 groups,
// 300 mappings, 20 drafts of another price and the audit log of an import in
// batches of 500. p95-ms is what a page took on the server and the way; of
// "changed" pages the first one after somebody joined a group.
func BenchmarkLargeDirectory(b *testing.B) {
	w := newLargeTown(b)
	client := w.signedIn(w.owner)
	group, user := string(w.groups[7]), string(w.owner)
	for _, page := range []struct{ name, path string }{
		{"home", "/"},
		{"users", "/users"},
		{"users-sorted", "/users?sort=-created&size=200&cols=name&cols=groups&cols=roles"},
		{"users-attributes", "/users?size=200&cols=name&cols=attr:department&cols=attr:title&cols=attr:manager"},
		{"users-search", "/users?q=person+0999"},
		{"users-role", "/users?role=releaser"},
		{"users-deep", "/users?q=&sort=name&group=" + group},
		{"groups", "/groups"},
		{"groups-search", "/groups?q=0999"},
		{"group", "/groups/" + group},
		{"group-activity", "/groups/" + group + "/activity"},
		{"user", "/users/" + user},
		{"user-access", "/users/" + user + "/access"},
		{"user-groups", "/users/" + user + "/groups"},
		{"user-new", "/users/new"},
		{"projects", "/projects"},
		{"roles", "/roles"},
		{"role", "/roles/releaser"},
		{"integrations", "/integrations"},
		{"integration", "/integrations/aws-prod"},
		{"members", "/integrations/aws-prod/members"},
		{"catalogue", "/catalogue"},
		{"mappings", "/mappings"},
		{"drafts", "/mappings/drafts"},
		{"sources", "/sources"},
		{"runs", "/runs"},
		{"holds", "/holds"},
		{"audit", "/audit"},
		{"audit-target", "/audit?target=" + user},
		{"audit-actor", "/audit?actor=" + user},
		{"jobs", "/jobs"},
		{"webhooks", "/webhooks"},
		{"billing", "/billing"},
		{"seats", "/billing/part-list"},
		{"tokens", "/settings/tokens"},
		{"admins", "/settings/admins"},
	} {
		b.Run(page.name, func(b *testing.B) { w.pages(b, client, page.path, func() {}) })
	}
	drafts, err := w.Drafts(admin.WithPrincipal(b.Context(), root))
	must(b, err)
	// What pages fetch once they are there.
	b.Run("later-draft", func(b *testing.B) { w.pages(b, client, "/mappings/drafts?plan="+drafts[0].ID, func() {}) })
	b.Run("later-seats", func(b *testing.B) { w.pages(b, client, "/?trend=1", func() {}) })
	for _, page := range []struct{ name, path string }{{"home", "/"}, {"users", "/users"}, {"groups", "/groups"}, {"roles", "/roles"}, {"billing", "/billing"}, {"mappings", "/mappings"}} {
		b.Run("changed-"+page.name, func(b *testing.B) {
			w.pages(b, client, page.path, func() { w.join(user) })
		})
	}
	b.Run("csv", func(b *testing.B) { w.csvMemory(b, client) })
}

// A largeTown is a town with many people.
type largeTown struct {
	*town
	groups []directory.GroupID
	joined int // how many groups somebody joined
}

// join makes a user a member of one more group.
func (w *largeTown) join(user string) {
	w.apply(directory.AddMembers{Group: w.groups[w.joined%len(w.groups)], Source: directory.Local, Values: []string{user}})
	w.joined++
}

const largeUsers, largeGroups = 100_000, 5_000

func newLargeTown(b *testing.B) *largeTown {
	w := &largeTown{town: &town{house: newHouse(b)}, groups: make([]directory.GroupID, largeGroups)}
	w.owner = w.user("olga@example.com", directory.RoleOwner)
	changes := make([]directory.Change, largeGroups)
	for i := range w.groups {
		w.groups[i] = directory.GroupID(directory.NewID())
		changes[i] = directory.CreateGroup{ID: w.groups[i], Source: directory.Local, Name: fmt.Sprintf("Group %04d", i)}
	}
	w.batches(changes)
	members := make([][]string, largeGroups)
	changes = make([]directory.Change, largeUsers)
	for i := range changes {
		id, name := directory.UserID(directory.NewID()), fmt.Sprintf("user%06d@example.com", i)
		changes[i] = directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
			UserName: name, DisplayName: fmt.Sprintf("Person %06d", i), Active: true,
			Attributes: fmt.Appendf(nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":%q,"displayName":"Person %06d","active":true,`+
				`"title":"Engineer %d","name":{"givenName":"Person","familyName":"%06d"},"phoneNumbers":[{"value":"+47 %08d","type":"work"}],`+
				`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Department %d","costCenter":"%04d","manager":{"value":"%d","displayName":"Person %06d"}}}`,
				name, i, i%50, i, i, i%200, i%1000, i%1000, i%1000),
		}}
		members[i%largeGroups] = append(members[i%largeGroups], string(id))
	}
	w.batches(changes)
	changes = changes[:0]
	for i, values := range members {
		changes = append(changes, directory.AddMembers{Group: w.groups[i], Source: directory.Local, Values: values})
	}
	w.batches(changes)
	w.tend()
	w.policy(pricedPolicy())
	for i := range 20 {
		_, err := w.CreateDraft(b.Context(), directory.Actor{Kind: directory.ActorUser, Name: string(w.owner)}, admin.DraftSpec{
			Title: fmt.Sprint("price ", i),
			Text:  fmt.Sprintf("apiVersion: usherd/v1\nfeatures: [{key: part-list, title: Part list, actions: [edit], seat: {monthly: %d.00, currency: EUR}}]", i+5),
		})
		must(b, err)
	}
	must(b, w.WarmLists(b.Context()))
	return w
}

// batches applies changes as many at a time as a run of a directory does.
func (w *largeTown) batches(changes []directory.Change) {
	for part := range slices.Chunk(changes, 500) {
		w.apply(part...)
	}
}

// pricedPolicy gives the members of 300 groups features, one of them for money,
// and a Role.
func pricedPolicy() string {
	var b strings.Builder
	b.WriteString(walkPolicy + "mappings:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "  - {name: m%03d, when: {source: local, group: {name: Group %04d}}, grant: {access: [part-list], output: [cut-list-pdf], roles: [releaser]}}\n", i, i)
	}
	return b.String()
}

// pages fetches a page again and again, each time after a change.
func (w *largeTown) pages(b *testing.B, client *http.Client, path string, change func()) {
	fetched(b, client, w.url+path) // the first one reads everybody
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		change()
		b.StartTimer()
		begin := time.Now()
		fetched(b, client, w.url+path)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
}

// csvMemory reports as MiB what the heap grew by while all users were written as
// CSV.
func (w *largeTown) csvMemory(b *testing.B, client *http.Client) {
	for b.Loop() {
		var before, now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		res, err := client.Get(w.url + "/users?format=csv")
		must(b, err)
		most, n := uint64(0), int64(0)
		for {
			got, err := io.CopyN(io.Discard, res.Body, 1<<20)
			n += got
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
			if errors.Is(err, io.EOF) {
				break
			}
			must(b, err)
		}
		must(b, res.Body.Close())
		if res.StatusCode != http.StatusOK || n < largeUsers*20 {
			b.Fatalf("status %d, %d bytes", res.StatusCode, n)
		}
		b.ReportMetric((float64(most)-float64(before.HeapAlloc))/(1<<20), "MiB")
	}
}
