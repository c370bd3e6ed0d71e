package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var question = Request{Subject: User("kim"), Action: "access", Resource: Feature("part-list")}

func newClient(t *testing.T, url string, edit func(*Config)) *Client {
	t.Helper()
	cfg := Config{URL: url, Token: "secret-token"}
	if edit != nil {
		edit(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// serve answers everything with f.
func serve(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

func answer(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Usherd-Revision", "7-00000000000000aa")
	_, _ = io.WriteString(w, text)
}

func TestAnAnswerIsAnAllowOnlyIfItSaysSo(t *testing.T) {
	for _, tt := range []struct {
		claim, typ, body string
		status           int
		allow, err       bool
	}{
		{"an allow", "application/json", `{"decision":true}`, 200, true, false},
		{"with a charset", "application/json; charset=utf-8", `{"decision":true,"other":1}`, 200, true, false},
		{"a deny", "application/json", `{"decision":false}`, 200, false, false},
		{"no decision", "application/json", `{}`, 200, false, true},
		{"null", "application/json", `{"decision":null}`, 200, false, true},
		{"text", "application/json", `{"decision":"true"}`, 200, false, true},
		{"an error beside a decision", "application/json", `{"decision":true,"context":{"error":{"status":400,"message":"x"}}}`, 200, false, true},
		{"half an answer", "application/json", `{"decision":true`, 200, false, true},
		{"two answers", "application/json", `{"decision":true}{"decision":true}`, 200, false, true},
		{"a web page", "text/html", `{"decision":true}`, 200, false, true},
		{"another status", "application/json", `{"decision":true}`, 201, false, true},
		{"a redirect", "application/json", `{"decision":true}`, 307, false, true},
		{"a refusal", "application/json", `"no"`, 403, false, true},
		{"a failure", "application/json", `{"decision":true}`, 500, false, true},
		{"nothing", "application/json", ``, 200, false, true},
		{"too much", "application/json", `{"decision":true,"x":"` + strings.Repeat("x", maxAnswer) + `"}`, 200, false, true},
	} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.typ)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		})
		allow, err := newClient(t, url, nil).Check(t.Context(), question)
		if allow != tt.allow || (err != nil) != tt.err {
			t.Errorf("%s: Check = %v, %v, want %v, error %v", tt.claim, allow, err, tt.allow, tt.err)
		}
	}
}

func TestWhatIsAsked(t *testing.T) {
	var got string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = fmt.Sprint(r.Method, " ", r.URL.Path, " ", r.Header.Get("Authorization"), " ", r.Header.Get("Content-Type"), " ", r.Header.Get("Usherd-At-Least"), " ", string(body))
		answer(w, `{"decision":false,"context":{"reason":{"code":"no_grant","path":["a"]}}}`)
	})
	c := newClient(t, url+"/", nil)
	r := question
	r.Project = "alpha"
	a, err := c.Explain(WithAtLeast(t.Context(), "7-00000000000000aa"), r)
	if err != nil || a.Allow || a.Code != "no_grant" || len(a.Path) != 1 {
		t.Errorf("Explain = %+v, %v", a, err)
	}
	want := `POST /access/v1/evaluation Bearer secret-token application/json 7-00000000000000aa ` +
		`{"subject":{"type":"user","id":"kim"},"action":{"name":"access"},"resource":{"type":"feature","id":"part-list"},"context":{"project":"alpha","reason":true}}`
	if got != want {
		t.Errorf("asked\n%s\nwant\n%s", got, want)
	}
}

// decide answers a batch: who is called yes-… may.
func decide(w http.ResponseWriter, r *http.Request) int {
	var in struct{ Evaluations []evaluation }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return 0
	}
	parts := make([]string, len(in.Evaluations))
	for i, e := range in.Evaluations {
		parts[i] = fmt.Sprintf(`{"decision":%v}`, strings.HasPrefix(e.Subject.ID, "yes-"))
		if e.Subject.ID == "bad" {
			parts[i] = `{"decision":false,"context":{"error":{"status":400,"message":"bad"}}}`
		}
	}
	answer(w, `{"evaluations":[`+strings.Join(parts, ",")+`]}`)
	return len(in.Evaluations)
}

func TestBatchesAreSplitAndContinueTheRevision(t *testing.T) {
	var sizes []int
	var stamps []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		stamps = append(stamps, r.Header.Get("Usherd-At-Least"))
		sizes = append(sizes, decide(w, r))
	})
	requests := make([]Request, 1203)
	for i := range requests {
		requests[i] = question
		requests[i].Subject = User([]string{"yes-", "no-"}[i%2] + fmt.Sprint(i))
	}
	requests[7].Subject = User("bad")
	answers, err := newClient(t, url, nil).CheckAll(t.Context(), requests)
	if err != nil || len(answers) != len(requests) {
		t.Fatalf("CheckAll = %d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		if i == 7 {
			if e, ok := errors.AsType[*Error](a.Err); !ok || e.Status != 400 || a.Allow {
				t.Errorf("answer 7 = %+v, want the error of the item", a)
			}
			continue
		}
		if a.Allow != (i%2 == 0) || a.Err != nil {
			t.Fatalf("answer %d = %+v", i, a)
		}
	}
	if fmt.Sprint(sizes) != "[500 500 203]" || fmt.Sprint(stamps) != "[ 7-00000000000000aa 7-00000000000000aa]" {
		t.Errorf("sizes %v, stamps %q", sizes, stamps)
	}
	if answers, err := newClient(t, url, nil).CheckAll(t.Context(), nil); len(answers) != 0 || err != nil {
		t.Errorf("CheckAll(nothing) = %v, %v", answers, err)
	}
}

func TestABatchWithAnotherNumberOfAnswersIsNone(t *testing.T) {
	for _, body := range []string{`{"evaluations":[{"decision":true}]}`, `{"evaluations":[]}`, `{"decision":true}`} {
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, body) })
		if answers, err := newClient(t, url, nil).CheckAll(t.Context(), []Request{question, question}); err == nil || answers != nil {
			t.Errorf("%s: CheckAll = %v, %v, want an error", body, answers, err)
		}
	}
}

func TestChecksAtTheSameTimeShareARequest(t *testing.T) {
	var questions, requests atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		questions.Add(int64(decide(w, r)))
	})
	c := newClient(t, url, func(cfg *Config) { cfg.Coalesce = 200 * time.Millisecond })
	var all sync.WaitGroup
	for i := range 90 {
		all.Go(func() {
			r := question
			r.Subject = User([]string{"yes-", "no-", "bad"}[i%3])
			allow, err := c.Check(t.Context(), r)
			if allow != (i%3 == 0) || (err != nil) != (i%3 == 2) {
				t.Errorf("Check(%s) = %v, %v", r.Subject.ID, allow, err)
			}
		})
	}
	all.Wait()
	if requests.Load() > 5 || questions.Load() > 15 {
		t.Errorf("%d requests with %d questions for 90 checks of 3 kinds", requests.Load(), questions.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if allow, err := c.Check(ctx, question); allow || !errors.Is(err, context.Canceled) {
		t.Errorf("Check(cancelled) = %v, %v", allow, err)
	}
}

func TestAQuestionNeverJoinsWhatWasSent(t *testing.T) {
	first, release := make(chan struct{}), make(chan struct{})
	var requests atomic.Int64
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 1 {
			close(first)
			<-release
		}
		decide(w, r)
	})
	c := newClient(t, url, func(cfg *Config) { cfg.Coalesce = time.Microsecond })
	done := make(chan error, 1)
	go func() { _, err := c.Check(t.Context(), question); done <- err }()
	<-first
	if _, err := c.Check(t.Context(), question); err != nil {
		t.Error(err)
	}
	close(release)
	if err := <-done; err != nil || requests.Load() != 2 {
		t.Errorf("Check = %v after %d requests, want 2", err, requests.Load())
	}
}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		claim    string
		fail     http.HandlerFunc
		attempts int64
		allow    bool
	}{
		{"not there, then there", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 2, true},
		{"503 with a time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(503)
		}, 2, true},
		{"503 without a time", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 1, false},
		{"503 and a long time", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(503)
		}, 1, false},
		{"500", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 1, false},
		{"429", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(429)
		}, 1, false},
		{"401", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, 1, false},
		{"409", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(409) }, 1, false},
		{"gone after the first byte", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"decision":true`)
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 1, false},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			t.Parallel()
			var attempts atomic.Int64
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if attempts.Add(1) == 1 {
					tt.fail(w, r)
					return
				}
				answer(w, `{"decision":true}`)
			})
			allow, err := newClient(t, url, nil).Check(t.Context(), question)
			if allow != tt.allow || (err == nil) != tt.allow || attempts.Load() != tt.attempts {
				t.Errorf("Check = %v, %v after %d attempts, want %v after %d", allow, err, attempts.Load(), tt.allow, tt.attempts)
			}
			if e, ok := errors.AsType[*Error](err); ok && e.Status == 409 && !errors.Is(err, ErrRevisionLost) {
				t.Errorf("Check = %v, want ErrRevisionLost", err)
			}
		})
	}
}

func TestRetriesHaveAnEnd(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var attempts atomic.Int64
	done := make(chan struct{})
	go func() { // resets every connection
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			attempts.Add(1)
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}()
	allow, err := newClient(t, "http://"+l.Addr().String(), func(c *Config) { c.Retries = 3 }).Check(t.Context(), question)
	if allow || err == nil || attempts.Load() != 4 {
		t.Errorf("Check = %v, %v after %d attempts, want an error after 4", allow, err, attempts.Load())
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	<-done
	if allow, err := newClient(t, "http://"+l.Addr().String(), nil).Check(t.Context(), question); allow || err == nil {
		t.Errorf("Check(nobody there) = %v, %v, want an error", allow, err)
	}
}

func TestDeadlines(t *testing.T) {
	release := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	c := newClient(t, url, func(cfg *Config) { cfg.Timeout = 20 * time.Millisecond })
	if allow, err := c.Check(t.Context(), question); allow || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Check = %v, %v, want a deadline", allow, err)
	}
}

func TestBadConfigs(t *testing.T) {
	for _, cfg := range []Config{
		{},
		{URL: "https://x"},
		{Token: "t"},
		{URL: "x", Token: "t"},
		{URL: "ftp://x", Token: "t"},
		{URL: "https://u@x", Token: "t"},
		{URL: "https://x?y", Token: "t"},
		{URL: "https://x", Token: "t\n"},
		{URL: "https://x", Token: "t", Timeout: -1},
	} {
		if c, err := New(cfg); err == nil || c != nil {
			t.Errorf("New(%+v) = %v, %v, want an error", cfg, c, err)
		} else if cfg.Token != "" && len(cfg.Token) > 1 && strings.Contains(err.Error(), cfg.Token) {
			t.Errorf("New repeats the token: %v", err)
		}
	}
}

func TestSearchesReadAllPages(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case !strings.HasSuffix(r.URL.Path, "/subject"):
			answer(w, `{"results":[{"name":"access"},{"name":"edit"}]}`)
		case strings.Contains(string(body), `"page":{"token":"two"}`):
			answer(w, `{"page":{"next_token":""},"results":[{"type":"user","id":"lee"}]}`)
		default:
			answer(w, `{"page":{"next_token":"two"},"results":[{"type":"user","id":"kim"}]}`)
		}
	})
	c := newClient(t, url, nil)
	var got []string
	for s, err := range c.SearchSubjects(t.Context(), "user", "access", Feature("x"), "") {
		got = append(got, fmt.Sprint(s.ID, err))
	}
	for a, err := range c.SearchActions(t.Context(), User("kim"), Feature("x"), "alpha") {
		got = append(got, fmt.Sprint(a, err))
	}
	if want := "[kim<nil> lee<nil> access<nil> edit<nil>]"; fmt.Sprint(got) != want {
		t.Errorf("searches = %v, want %s", got, want)
	}
}

func TestASearchThatGoesInCirclesEnds(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, `{"page":{"next_token":"x"},"results":[]}`)
	})
	var last error
	for _, err := range newClient(t, url, nil).SearchResources(t.Context(), User("kim"), "access", "feature", "") {
		last = err
	}
	if last == nil {
		t.Error("no error")
	}
}
