package authzen

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
)

// The work: 10,000 users, 200 groups, 10 groups a user, 20 of 1,000 features a
// group; pairs drawn at random, half of them allowed.
const (
	benchUsers, benchGroups, benchFeatures = 10_000, 200, 1000
	benchClients                           = 16
	benchRounds                            = 5
)

// A fixedHistory has one revision.
type fixedHistory struct {
	facts    directory.Facts
	subjects map[string]directory.Subject
}

func (h *fixedHistory) Head(context.Context, directory.Stamp) (directory.Head, error) {
	return directory.Head{Stamp: h.facts.At, Known: true}, nil
}

func (h *fixedHistory) Stretch(context.Context, directory.Stamp, int) (directory.Stretch, error) {
	return directory.Stretch{Head: h.facts.At}, nil
}

func (h *fixedHistory) Recent(context.Context, int) (directory.Facts, []directory.FeedRecord, error) {
	return h.facts, nil, nil
}

func (h *fixedHistory) Subject(_ context.Context, key directory.SubjectKey, at directory.Stamp) (directory.Subject, error) {
	s := h.subjects[key.Value]
	s.At = at
	return s, nil
}

func benchHistory() *fixedHistory {
	rnd := rand.New(rand.NewPCG(1, 2))
	feature := func() string { return fmt.Sprintf("feature-%d", rnd.IntN(benchFeatures)) }
	h := &fixedHistory{subjects: map[string]directory.Subject{}}
	f := &h.facts
	f.At = directory.Stamp{Revision: 1, Fingerprint: 1}
	f.Policy.Revision = 1
	f.Policy.Sources = []directory.Source{{Name: "ad", State: directory.SourceActive}}
	for i := range benchFeatures {
		f.Policy.Policy.Features = append(f.Policy.Policy.Features, directory.Feature{Key: fmt.Sprintf("feature-%d", i)})
	}
	for n := 1; n <= benchGroups; n++ {
		name := fmt.Sprintf("group-%d", n)
		g := directory.GroupFacts{ID: directory.GroupID(name), Num: directory.GroupNum(n), Source: "ad", Name: name, NameKey: directory.NameKey(name)}
		for range 20 {
			g.Grants = append(g.Grants, directory.Grant{Group: g.ID, Privilege: directory.Privilege{Kind: directory.Access, Key: feature()}})
		}
		f.Groups = append(f.Groups, g)
	}
	for i := range benchUsers {
		name := fmt.Sprintf("user-%d@example.com", i)
		s := directory.Subject{Found: directory.One, ID: directory.UserID(directory.NewID()), Type: directory.Standard, Sources: []directory.SourceName{"ad"}}
		for _, n := range rnd.Perm(benchGroups)[:10] {
			s.Memberships = append(s.Memberships, directory.Membership{Group: directory.GroupNum(n + 1)})
		}
		slices.SortFunc(s.Memberships, func(a, b directory.Membership) int { return int(a.Group) - int(b.Group) })
		h.subjects[name] = s
	}
	return h
}

// A cachedEvaluator is what the daemon has: the cache's newest view.
type cachedEvaluator struct{ *cache.Cache[*authz.Snapshot] }

func (e cachedEvaluator) Evaluate(ctx context.Context, atLeast directory.Stamp, queries []Query, answers []Answer) (Point, error) {
	view, err := e.AtLeast(ctx, atLeast)
	if err != nil {
		return Point{}, err
	}
	for i := range queries {
		var sub *directory.Subject
		if sub, _, answers[i].Err = e.Subject(ctx, view, queries[i].Subject); answers[i].Err == nil {
			answers[i].Decision = view.Snapshot.Decide(sub, &queries[i].Request)
		}
	}
	age, err := e.Age(view)
	return Point{view.Stamp, age}, err
}

func benchEvaluator(b testing.TB, h *fixedHistory) cachedEvaluator {
	b.Helper()
	c, err := cache.New(cache.Config[*authz.Snapshot]{
		History: h,
		Build:   func(f directory.Facts) (*authz.Snapshot, error) { return authz.Compile(f), nil },
		Update: func(s *authz.Snapshot, st directory.Stretch) (*authz.Snapshot, error) {
			return s.Update(st), nil
		},
		Subjects: 4 * benchUsers,
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done })
	if _, err := c.Wait(ctx, directory.Stamp{}); err != nil {
		b.Fatal(err)
	}
	return cachedEvaluator{c}
}

// warm brings all subjects into memory.
func (e cachedEvaluator) warm(b testing.TB, h *fixedHistory) {
	b.Helper()
	view, err := e.View()
	if err != nil {
		b.Fatal(err)
	}
	for name := range h.subjects {
		if _, _, err := e.Subject(b.Context(), view, directory.SubjectKey{Kind: directory.KeyUserName, Value: name}); err != nil {
			b.Fatal(err)
		}
	}
}

// A shot is one request as it goes over the wire, and the body that must come
// back.
type shot struct{ request, want []byte }

// shots draws pairs, half of them allowed.
func shots(b testing.TB, e cachedEvaluator, h *fixedHistory, n int) (all []shot) {
	b.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	view, err := e.View()
	if err != nil {
		b.Fatal(err)
	}
	counts := [2]int{}
	for len(all) < n {
		name, feature := fmt.Sprintf("user-%d@example.com", rnd.IntN(benchUsers)), fmt.Sprintf("feature-%d", rnd.IntN(benchFeatures))
		sub := h.subjects[name]
		allow := view.Snapshot.Decide(&sub, &authz.Request{SubjectType: authz.SubjectUser, Action: authz.ActionAccess, Type: authz.TypeFeature, ID: feature}).Allow
		side, want := 0, denied
		if allow {
			side, want = 1, allowed
		}
		if counts[side] >= n/2 {
			continue
		}
		counts[side]++
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"access"},"resource":{"type":"feature","id":%q}}`, name, feature)
		all = append(all, shot{fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer app\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			PathEvaluation, len(body), body), []byte(want)})
	}
	return all
}

// bare reads the body, decodes nothing and answers a constant.
func bare() http.Handler {
	body := []byte(allowed)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header()["Content-Type"] = typeJSON
		_, _ = w.Write(body)
	})
}

func listen(b testing.TB, h http.Handler) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close(); <-done }) // it was only read
	return l.Addr().String()
}

// load sends shots over keep-alive connections for a while. It returns answers
// a second, processor time per answer, and the latencies in order.
func load(b testing.TB, addr string, all []shot, verify bool, d time.Duration) (rate float64, cpu time.Duration, lat []time.Duration) {
	b.Helper()
	var wg sync.WaitGroup
	var bad atomic.Int64
	lats := make([][]time.Duration, benchClients)
	used := processorTime()
	begun := time.Now()
	for c := range benchClients {
		wg.Go(func() {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				bad.Add(1)
				return
			}
			defer conn.Close()
			r := bufio.NewReader(conn)
			for i := c; time.Since(begun) < d; i += benchClients {
				s := &all[i%len(all)]
				sent := time.Now()
				body, err := exchange(conn, r, s.request)
				if err != nil || verify && !bytes.Equal(body, s.want) {
					bad.Add(1)
					return
				}
				lats[c] = append(lats[c], time.Since(sent))
			}
		})
	}
	wg.Wait()
	took := time.Since(begun)
	used = processorTime() - used
	lat = slices.Concat(lats...)
	slices.Sort(lat)
	if bad.Load() > 0 || len(lat) == 0 {
		b.Fatalf("%d of %d clients got a wrong answer or none", bad.Load(), benchClients)
	}
	return float64(len(lat)) / took.Seconds(), used / time.Duration(len(lat)), lat
}

// exchange sends one request and reads one answer with a Content-Length.
func exchange(w io.Writer, r *bufio.Reader, request []byte) ([]byte, error) {
	if _, err := w.Write(request); err != nil {
		return nil, err
	}
	length := 0
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return nil, fmt.Errorf("status line %q", line)
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, c := range bytes.TrimSpace(n) {
				length = length*10 + int(c-'0')
			}
		}
		if len(line) <= 2 {
			break
		}
	}
	body, err := r.Peek(length)
	if err != nil {
		return nil, err
	}
	_, err = r.Discard(length)
	return body, err
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func median[T float64 | time.Duration](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkCheckOverHTTP compares the whole check with the bare handler: in one
// run, interleaved, medians of the rounds, every answer verified. It does not
// follow b.N. Processor time includes the clients, which are the same for both.
func BenchmarkCheckOverHTTP(b *testing.B) {
	history := benchHistory()
	e := benchEvaluator(b, history)
	h, err := New(Config{Evaluator: e, Authenticator: everybody})
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	ours, bound := listen(b, mux), listen(b, bare())
	all := shots(b, e, history, 20_000)
	e.warm(b, history)
	for _, addr := range []string{ours, bound} {
		load(b, addr, all, addr == ours, 500*time.Millisecond) // warms memory and connections
	}
	type results struct {
		rates    []float64
		cpus     []time.Duration
		p50, p99 []time.Duration
	}
	var of [2]results
	for range benchRounds {
		for i, addr := range []string{ours, bound} {
			rate, cpu, lat := load(b, addr, all, addr == ours, time.Second)
			r := &of[i]
			r.rates, r.cpus = append(r.rates, rate), append(r.cpus, cpu)
			r.p50, r.p99 = append(r.p50, lat[len(lat)/2]), append(r.p99, lat[len(lat)*99/100])
		}
	}
	for i, name := range []string{"check", "bare"} {
		r := &of[i]
		b.Logf("%-5s %8.0f/s  p50 %6v  p99 %6v  cpu %6v", name, median(r.rates), median(r.p50), median(r.p99), median(r.cpus))
	}
	b.ReportMetric(median(of[0].rates)/median(of[1].rates), "throughput/bare")
	b.ReportMetric(float64(median(of[0].cpus))/float64(median(of[1].cpus)), "cpu/bare")
	b.ReportMetric(float64(median(of[0].p99))/float64(median(of[1].p99)), "p99/bare")
}

// A sink answers into nothing.
type sink struct {
	header http.Header
	n      int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { s.n += len(p); return len(p), nil }

// BenchmarkCheck is the handler alone, without a connection.
func BenchmarkCheck(b *testing.B) {
	history := benchHistory()
	e := benchEvaluator(b, history)
	h, err := New(Config{Evaluator: e, Authenticator: everybody})
	if err != nil {
		b.Fatal(err)
	}
	handler := h.serve(route{http.MethodPost, ScopeEvaluate}, (*call).evaluation)
	body := []byte(`{"subject":{"type":"user","id":"user-7@example.com"},"action":{"name":"access"},"resource":{"type":"feature","id":"feature-7"}}`)
	reader := bytes.NewReader(body)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, PathEvaluation, io.NopCloser(reader))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer app")
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		handler.ServeHTTP(w, r)
	}
}

// BenchmarkSubject is a look-up in memory, by userName: of one person, whom the
// processor's caches hold, and of everybody in turn.
func BenchmarkSubject(b *testing.B) {
	history := benchHistory()
	e := benchEvaluator(b, history)
	e.warm(b, history)
	var everyone []directory.SubjectKey
	for name := range history.subjects {
		everyone = append(everyone, directory.SubjectKey{Kind: directory.KeyUserName, Value: name})
	}
	for name, keys := range map[string][]directory.SubjectKey{"one": everyone[:1], "all": everyone} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				view, err := e.View()
				if err != nil {
					b.Fatal(err)
				}
				if sub, _, err := e.Subject(b.Context(), view, keys[i%len(keys)]); err != nil || sub.Found != directory.One {
					b.Fatal(sub, err)
				}
				if _, err := e.Age(view); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkBatch decides 100 at a time.
func BenchmarkBatch(b *testing.B) {
	history := benchHistory()
	e := benchEvaluator(b, history)
	h, err := New(Config{Evaluator: e, Authenticator: everybody})
	if err != nil {
		b.Fatal(err)
	}
	handler := h.serve(route{http.MethodPost, ScopeEvaluate}, (*call).evaluations)
	var text bytes.Buffer
	text.WriteString(`{"subject":{"type":"user","id":"user-7@example.com"},"action":{"name":"access"},"evaluations":[`)
	for i := range 100 {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"resource":{"type":"feature","id":"feature-%d"}}`, i)
	}
	text.WriteString(`]}`)
	reader := bytes.NewReader(text.Bytes())
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, PathEvaluations, io.NopCloser(reader))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer app")
	w := &sink{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(text.Bytes())
		handler.ServeHTTP(w, r)
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "decisions/s")
}
