package watch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
)

// A history is a feed in memory, and the view that checks are answered from.
type history struct {
	mu      sync.Mutex
	salt    uint64 // of fingerprints: another one is another history
	first   directory.Revision
	records []directory.FeedRecord
	seen    int // how many records the view has
	refuse  error
	stale   error
	reads   int
}

func (h *history) stamp(i int) directory.Stamp {
	rev := h.first + directory.Revision(i)
	return directory.Stamp{Revision: rev, Fingerprint: directory.Fingerprint(h.salt<<32 + uint64(rev))}
}

// write adds revisions that touch one user each, and shows them to checks.
func (h *history) write(users ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, u := range users {
		r := directory.FeedRecord{Stamp: h.stamp(len(h.records) + 1)}
		switch u {
		case "policy":
			r.Policy = true
		case "group":
			r.Groups = []directory.GroupNum{1}
		case "crowd":
			for i := range maxSubjects + 1 {
				r.Keys = append(r.Keys, directory.SubjectKey{Kind: directory.KeyID, Value: fmt.Sprint(i)})
			}
		default:
			r.Keys = []directory.SubjectKey{{Kind: directory.KeyUserName, Value: "name-" + u}, {Kind: directory.KeyID, Value: u}}
		}
		h.records = append(h.records, r)
	}
	h.seen = len(h.records)
}

// Stretch implements [History].
func (h *history) Stretch(_ context.Context, since directory.Stamp, limit int) (directory.Stretch, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reads++
	i := int(since.Revision - h.first)
	if i < 0 || i > len(h.records) || h.stamp(i) != since {
		return directory.Stretch{}, directory.ErrHistoryLost
	}
	rest := h.records[i:]
	return directory.Stretch{Head: h.stamp(len(h.records)), Records: rest[:min(len(rest), limit)]}, nil
}

func (h *history) look() (directory.Stamp, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stamp(h.seen), h.stale
}

func (h *history) admit(*http.Request) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refuse
}

func (h *history) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// start serves a history until the test ends.
func start(t *testing.T, h *history, edit func(*Config)) (*Handler, string) {
	t.Helper()
	cfg := Config{History: h, Seen: h.look, Admit: h.admit, Tick: time.Millisecond}
	if edit != nil {
		edit(&cfg)
	}
	handler, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { handler.Run(ctx) })
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond // as those of a listener, but shorter
	srv.Start()
	t.Cleanup(func() {
		handler.Close()
		srv.Close()
		cancel()
		running.Wait()
	})
	return handler, srv.URL
}

// A reader reads a stream of events.
type reader struct {
	t    *testing.T
	resp *http.Response
	scan *bufio.Scanner
}

func watch(t *testing.T, url, since string) *reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if since != "" {
		req.Header.Set("Last-Event-ID", since)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return &reader{t, resp, bufio.NewScanner(resp.Body)}
}

// next is the next event on one line; "end" after the last one.
func (r *reader) next() string {
	r.t.Helper()
	var lines []string
	for r.scan.Scan() {
		if line := r.scan.Text(); line != "" {
			lines = append(lines, line)
		} else if len(lines) > 0 {
			return strings.Join(lines, "|")
		}
	}
	return "end"
}

func (r *reader) want(want ...string) {
	r.t.Helper()
	for _, w := range want {
		if got := r.next(); got != w {
			r.t.Errorf("event %s, want %s", got, w)
		}
	}
}

func (h *history) event(name string, i int, rest string) string {
	s := h.stamp(i)
	return fmt.Sprintf(`id: %s|event: %s|data: {"revision":%d,"stamp":"%s"%s}`, s, name, s.Revision, s, rest)
}

func TestAStreamTellsEveryRevision(t *testing.T) {
	h := &history{salt: 1, first: 10}
	h.write("before")
	_, url := start(t, h, nil)
	r := watch(t, url, "")
	if got := r.resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %s", got)
	}
	r.want(h.event("heartbeat", 1, ""))
	h.write("u1", "policy", "group", "crowd")
	r.want(h.event("change", 2, `,"subjects":["u1"]`), h.event("change", 3, `,"all":true`), h.event("change", 4, `,"all":true`), h.event("change", 5, `,"all":true`))
	h.write("u2")
	r.want(h.event("change", 6, `,"subjects":["u2"]`))
}

func TestAStreamOutlivesTheLimitsOfTheListener(t *testing.T) {
	h := &history{salt: 1}
	_, url := start(t, h, func(c *Config) { c.Beat = 30 * time.Millisecond })
	r := watch(t, url, "")
	for range 12 { // over three times what a listener allows
		r.want(h.event("heartbeat", 0, ""))
	}
	h.write("u1")
	for got := r.next(); got != h.event("change", 1, `,"subjects":["u1"]`); got = r.next() {
		if got != h.event("heartbeat", 0, "") {
			t.Fatalf("event %s", got)
		}
	}
}

func TestAStreamGoesOnFromACursor(t *testing.T) {
	h := &history{salt: 1, first: 100}
	for i := range 1200 {
		h.write(fmt.Sprint(i))
	}
	_, url := start(t, h, func(c *Config) { c.Keep = 3 })
	r := watch(t, url, h.stamp(0).String())
	for i := range 1200 {
		r.want(h.event("change", i+1, fmt.Sprintf(`,"subjects":["%d"]`, i)))
	}
	r.want(h.event("heartbeat", 1200, ""))
	h.write("a", "b", "c", "d", "e") // more than is kept
	for i, u := range []string{"a", "b", "c", "d", "e"} {
		r.want(h.event("change", 1201+i, `,"subjects":["`+u+`"]`))
	}
	// The address may carry the cursor, and the header is the newer one.
	again := watch(t, url+"?since="+h.stamp(1).String(), h.stamp(1204).String())
	again.want(h.event("change", 1205, `,"subjects":["e"]`))
	watch(t, url+"?since="+h.stamp(1204).String(), "").want(h.event("change", 1205, `,"subjects":["e"]`))
}

func TestNothingIsToldBeforeChecksKnowIt(t *testing.T) {
	h := &history{salt: 1}
	h.write("u1", "u2")
	h.set(func() { h.seen = 1 })
	_, url := start(t, h, nil)
	r := watch(t, url, h.stamp(0).String())
	r.want(h.event("change", 1, `,"subjects":["u1"]`), h.event("heartbeat", 1, ""))
	h.set(func() { h.seen = 2 })
	r.want(h.event("change", 2, `,"subjects":["u2"]`))
}

func TestACursorAheadOfThisReplicaWaits(t *testing.T) {
	h := &history{salt: 1}
	h.write("u1", "u2", "u3")
	h.set(func() { h.seen = 1 })
	_, url := start(t, h, nil)
	r := watch(t, url, h.stamp(2).String())
	r.want(h.event("heartbeat", 2, ""))
	h.set(func() { h.seen = 3 })
	r.want(h.event("change", 3, `,"subjects":["u3"]`))
}

func TestALostCursorIsReset(t *testing.T) {
	h := &history{salt: 1, first: 50}
	h.write("u1")
	_, url := start(t, h, nil)
	for _, since := range []string{"3-0000000000000001", "51-0000000000000001", "99-0000000000000001"} {
		watch(t, url, since).want(h.event("reset", 1, ""), h.event("heartbeat", 1, ""))
	}
	r := watch(t, url, "")
	r.want(h.event("heartbeat", 1, ""))
	h.set(func() { h.salt = 2; h.records = nil; h.seen = 0 }) // a restore
	h.write("x", "y", "z")
	r.want(h.event("reset", 3, ""))
	h.write("u2")
	r.want(h.event("change", 4, `,"subjects":["u2"]`))
}

func TestAStreamEndsWithItsToken(t *testing.T) {
	h := &history{salt: 1}
	handler, url := start(t, h, nil)
	r := watch(t, url, "")
	r.want(h.event("heartbeat", 0, ""))
	h.set(func() { h.refuse = ErrUnauthenticated })
	h.write("policy")
	r.want("end")
	if handler.Len() != 0 {
		t.Errorf("%d streams, want none", handler.Len())
	}
}

func TestAStreamSaysGoodbye(t *testing.T) {
	h := &history{salt: 1}
	handler, url := start(t, h, nil)
	r := watch(t, url, "")
	r.want(h.event("heartbeat", 0, ""))
	handler.Close()
	handler.Close()
	r.want("retry: 1000", "end")
}

func TestWhoMayNotWatch(t *testing.T) {
	h := &history{salt: 1}
	_, url := start(t, h, nil)
	for _, tt := range []struct {
		claim         string
		method, query string
		refuse, stale error
		status        int
	}{
		{"no token", "GET", "", ErrUnauthenticated, nil, 401},
		{"another token", "GET", "", fmt.Errorf("wrapped: %w", ErrForbidden), nil, 403},
		{"tokens can't be looked up", "GET", "", errors.New("down"), nil, 503},
		{"there is no view", "GET", "", nil, errors.New("stale"), 503},
		{"a bad cursor", "GET", "?since=1", nil, nil, 400},
		{"two cursors", "GET", "?since=1-0000000000000001&since=1-0000000000000001", nil, nil, 400},
		{"another method", "POST", "", nil, nil, 405},
	} {
		h.set(func() { h.refuse, h.stale = tt.refuse, tt.stale })
		req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tt.status || (tt.status == 503) != (resp.Header.Get("Retry-After") != "") {
			t.Errorf("%s: %d, Retry-After %q, want %d", tt.claim, resp.StatusCode, resp.Header.Get("Retry-After"), tt.status)
		}
	}
}

func TestStreamsAreCounted(t *testing.T) {
	h := &history{salt: 1}
	handler, url := start(t, h, func(c *Config) { c.Max = 2 })
	first := watch(t, url, "")
	first.want(h.event("heartbeat", 0, ""))
	watch(t, url, "").want(h.event("heartbeat", 0, ""))
	if resp := watch(t, url, "").resp; resp.StatusCode != 503 {
		t.Errorf("the third: %d, want 503", resp.StatusCode)
	}
	_ = first.resp.Body.Close()
	until(t, func() bool { return handler.Len() == 1 })
	watch(t, url, "").want(h.event("heartbeat", 0, ""))
}

func TestASlowConsumerIsDropped(t *testing.T) {
	h := &history{salt: 1}
	handler, url := start(t, h, func(c *Config) { c.Stall = 50 * time.Millisecond })
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { return handler.Len() == 1 })
	until(t, func() bool { // it never reads
		h.write(strings.Repeat("x", 1<<20))
		return handler.Len() == 0
	})
}

func TestTheFeedIsReadOnceForAll(t *testing.T) {
	h := &history{salt: 1}
	_, url := start(t, h, nil)
	h.write("u0")
	readers := make([]*reader, 20)
	for i := range readers {
		readers[i] = watch(t, url, "")
		readers[i].want(h.event("heartbeat", 1, ""))
	}
	h.set(func() { h.reads = 0 })
	h.write("u1")
	for _, r := range readers {
		r.want(h.event("change", 2, `,"subjects":["u1"]`))
	}
	var reads int
	h.set(func() { reads = h.reads })
	if reads > 3 {
		t.Errorf("the feed was read %d times for %d streams", reads, len(readers))
	}
}

// until waits for a condition.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("not within two minutes")
		}
	}
}
