package console_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// BenchmarkLargeDirectory measures pages over 100,000 users and 5,000 groups:
// p95-ms is what a page took on the server and the way, MiB what the heap grew
// by while all users were written as CSV.
func BenchmarkLargeDirectory(b *testing.B) {
	const users, groups = 100_000, 5_000
	w := &town{house: newHouse(b)}
	w.owner = w.user("olga@example.com", directory.RoleOwner)
	ids := make([]directory.GroupID, groups)
	var changes []directory.Change
	for i := range ids {
		ids[i] = directory.GroupID(directory.NewID())
		changes = append(changes, directory.CreateGroup{ID: ids[i], Source: directory.Local, Name: fmt.Sprintf("Group %04d", i)})
	}
	w.apply(changes...)
	members := make([][]string, groups)
	for from := 0; from < users; from += 10_000 {
		changes = changes[:0]
		for i := from; i < from+10_000; i++ {
			id, name := directory.UserID(directory.NewID()), fmt.Sprintf("user%06d@example.com", i)
			changes = append(changes, directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
				UserName: name, DisplayName: fmt.Sprintf("Person %06d", i), Active: true,
			}})
			members[i%groups] = append(members[i%groups], string(id))
		}
		w.apply(changes...)
	}
	changes = changes[:0]
	for i, values := range members {
		changes = append(changes, directory.AddMembers{Group: ids[i], Source: directory.Local, Values: values})
	}
	w.apply(changes...)
	client := w.signedIn(w.owner)
	for name, path := range map[string]string{
		"users": "/users", "search": "/users?q=person+0999", "groups": "/groups", "sorted": "/users?sort=-created&size=200&cols=name&cols=groups&cols=roles",
		"group": "/groups/" + string(ids[7]), "user": "/users/" + string(w.owner), "groups-search": "/groups?q=0999",
	} {
		b.Run(name, func(b *testing.B) {
			fetched(b, client, w.url+path) // the first one reads everybody
			var took []time.Duration
			for b.Loop() {
				begin := time.Now()
				fetched(b, client, w.url+path)
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
	b.Run("csv", func(b *testing.B) {
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
			if res.StatusCode != http.StatusOK || n < users*20 {
				b.Fatalf("status %d, %d bytes", res.StatusCode, n)
			}
			b.ReportMetric((float64(most)-float64(before.HeapAlloc))/(1<<20), "MiB")
		}
	})
}
