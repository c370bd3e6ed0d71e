package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/directory"
)

// crowd makes people who are in three groups each; their names are "User
// 000000" and so on, those of the groups "group 0000".
func (w *world) crowd(people, groups int) (users []directory.UserID, ids []directory.GroupID) {
	w.t.Helper()
	var changes []directory.Change
	for i := range groups {
		ids = append(ids, directory.GroupID(directory.NewID()))
		changes = append(changes, directory.CreateGroup{ID: ids[i], Source: directory.Local, Name: fmt.Sprintf("group %04d", i)})
	}
	w.apply(changes...)
	for from := 0; from < people; from += 10_000 {
		changes = nil
		members := map[directory.GroupID][]string{}
		for i := from; i < from+10_000; i++ {
			id := directory.UserID(directory.NewID())
			users = append(users, id)
			changes = append(changes, directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{
				UserName: fmt.Sprintf("user%06d@example.com", i), DisplayName: fmt.Sprintf("User %06d", i), Active: true,
			}})
			for k := range 3 {
				g := ids[(i*7+k*1013)%groups]
				members[g] = append(members[g], string(id))
			}
		}
		w.apply(changes...)
		changes = nil
		for g, values := range members {
			changes = append(changes, directory.AddMembers{Group: g, Source: directory.Local, Values: values})
		}
		w.apply(changes...)
	}
	return users, ids
}

// BenchmarkLists reads pages of lists of 100,000 users and 5,000 groups, as they
// are, and each after somebody joined or left a group.
func BenchmarkLists(b *testing.B) {
	const people, groups = 100_000, 5_000
	w := newWorld(b)
	w.policy(listPolicy)
	members, ids := w.crowd(people, groups)
	if _, err := w.GrantToGroup(b.Context(), by, "local/group 0001", admin.GrantSpec{Roles: []directory.RoleName{"reader"}}); err != nil {
		b.Fatal(err)
	}
	pdp := &follower{w: w}
	pdp.follow()
	w.PDP = pdp
	began := time.Now()
	if err := w.WarmLists(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("read everybody in %v", time.Since(began))
	users := map[string]admin.UserFilter{
		"all": {}, "by name": {Sort: "name"}, "the last page": {Sort: "name", Offset: people - 10}, "search": {Q: "user 09999", Sort: "name"},
		"no match": {Q: "nobody at all"}, "by Role": {Role: "reader", Sort: "name"}, "by group": {Group: "local/group 0001"}, "last login": {Sort: "-lastLogin"},
	}
	for name, f := range users {
		repeat(b, "users/"+name, nil, func() error { _, err := w.Users(b.Context(), f); return err })
	}
	filters := map[string]admin.GroupFilter{"all": {}, "by members": {Sort: "-members"}, "search": {Q: "0042"}, "by Role": {Role: "reader"}}
	for name, f := range filters {
		repeat(b, "groups/"+name, nil, func() error { _, err := w.Groups(b.Context(), f); return err })
	}
	n := 0
	change := func() {
		defer pdp.follow()
		n++
		values := []string{string(members[n%people])}
		if n%2 == 0 {
			w.apply(directory.RemoveMembers{Group: ids[0], Source: directory.Local, Values: []string{string(members[(n-1)%people])}})
			return
		}
		w.apply(directory.AddMembers{Group: ids[0], Source: directory.Local, Values: values})
	}
	repeat(b, "users/by name, after a change", change, func() error { _, err := w.Users(b.Context(), users["by name"]); return err })
	repeat(b, "groups/all, after a change", change, func() error { _, err := w.Groups(b.Context(), filters["all"]); return err })
}

// A follower holds the present as a daemon does, which has followed the feed
// before anybody asks for a list.
type follower struct {
	w    *world
	view *authz.Snapshot
}

func (f *follower) follow() {
	f.w.t.Helper()
	if f.view == nil {
		facts, err := f.w.store.Facts(f.w.t.Context(), 0)
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.view = authz.Compile(facts)
		return
	}
	st, err := f.w.store.Stretch(f.w.t.Context(), f.view.At(), 100)
	if err != nil {
		f.w.t.Fatal(err)
	}
	f.view = f.view.Update(st)
}

// Look implements [admin.Decider].
func (f *follower) Look(_ context.Context, key directory.SubjectKey) (admin.Look, error) {
	if key != (directory.SubjectKey{}) {
		return admin.Look{}, errors.New("only the present is held")
	}
	return admin.Look{Snapshot: f.view, Subject: &directory.Subject{}, Stamp: f.view.At()}, nil
}

// BenchmarkExport writes all users as CSV, and says how much more memory is in
// use at most meanwhile: it does not grow with their number. Once is enough:
// -benchtime 1x.
func BenchmarkExport(b *testing.B) {
	for _, people := range []int{10_000, 50_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			w := newWorld(b)
			w.crowd(people, 100)
			if err := w.WarmLists(b.Context()); err != nil {
				b.Fatal(err)
			}
			mux := http.NewServeMux()
			(&admin.API{Service: w.Service, Log: zap.NewNop()}).Register(mux)
			for b.Loop() {
				r := httptest.NewRequestWithContext(admin.WithPrincipal(b.Context(), by), http.MethodGet, "/api/v1/users?format=csv", nil)
				sink := &weighingSink{header: http.Header{}, base: heap()}
				mux.ServeHTTP(sink, r)
				b.ReportMetric(float64(sink.most)/1024, "KB-held")
				b.ReportMetric(float64(sink.written)/1024, "KB-written")
			}
		})
	}
}

// A weighingSink counts what is written and, at each megabyte, what is held
// above what was held before.
type weighingSink struct {
	header        http.Header
	written, next int
	base, most    uint64
}

func (s *weighingSink) Header() http.Header { return s.header }
func (s *weighingSink) WriteHeader(int)     {}

func (s *weighingSink) Write(p []byte) (int, error) {
	if s.written += len(p); s.written >= s.next {
		s.next = s.written + 1<<20
		if now := heap(); now > s.base {
			s.most = max(s.most, now-s.base)
		}
	}
	return len(p), nil
}

// heap is how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// repeat measures something, after something else that does not count, and
// reports the 95th percentile.
func repeat(b *testing.B, name string, before func(), do func() error) {
	b.Run(name, func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			if before != nil {
				b.StopTimer()
				before()
				b.StartTimer()
			}
			began := time.Now()
			if err := do(); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	})
}
