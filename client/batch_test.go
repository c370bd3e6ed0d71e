package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// limited decides batches as a daemon with its limits does; what has "poison"
// in it is refused as a whole, as a proxy might.
func limited(t *testing.T, asked *atomic.Int64) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		limit, batch := maxBody, strings.HasSuffix(r.URL.Path, "evaluations")
		if !batch {
			limit = maxQuestion
		}
		switch {
		case err != nil || bytes.Contains(body, []byte("poison")):
			w.WriteHeader(http.StatusBadRequest)
		case len(body) > limit:
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		case !batch:
			answer(w, fmt.Sprintf(`{"decision":%v}`, bytes.Contains(body, []byte("yes-"))))
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			decide(w, r)
		}
	})
}

func about(id string) Request {
	r := question
	r.Subject = User(id)
	return r
}

func TestLongQuestionsAreSpreadOverRequests(t *testing.T) {
	var asked atomic.Int64
	c := newClient(t, limited(t, &asked), nil)
	requests := make([]Request, 500)
	for i := range requests {
		requests[i] = about([]string{"yes-", "no-"}[i%2] + strings.Repeat("x", 3000) + fmt.Sprint(i))
	}
	answers, err := c.CheckAll(t.Context(), requests)
	if err != nil || len(answers) != len(requests) {
		t.Fatalf("CheckAll = %d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		if a.Allow != (i%2 == 0) || a.Err != nil {
			t.Fatalf("answer %d = %+v", i, a)
		}
	}
	if asked.Load() != 2 {
		t.Errorf("asked by %d requests, want 2", asked.Load())
	}
}

// The longest question that is read is asked, in a batch that is full of it.
func TestTheLimitsAreExact(t *testing.T) {
	var asked atomic.Int64
	c := newClient(t, limited(t, &asked), nil)
	empty := about("")
	envelope, err := encode(empty.wire())
	if err != nil {
		t.Fatal(err)
	}
	longest := about("yes-" + strings.Repeat("x", maxQuestion-len(envelope)-len("yes-")))
	if allow, err := c.Check(t.Context(), longest); !allow || err != nil {
		t.Errorf("Check(the longest) = %v, %v", allow, err)
	}
	before := asked.Load()
	answers, err := c.CheckAll(t.Context(), []Request{
		longest, longest, longest, longest, longest, longest, longest, longest,
		longest, longest, longest, longest, longest, longest, longest, longest,
	})
	if err != nil || len(answers) != 16 || !answers[15].Allow || asked.Load() != before+2 {
		t.Errorf("16 of the longest: %v after %d requests, want 2", err, asked.Load()-before)
	}
	longer := longest
	longer.Subject.ID += "x"
	before = asked.Load()
	if allow, err := c.Check(t.Context(), longer); allow || !errors.Is(err, ErrTooLarge) || asked.Load() != before {
		t.Errorf("Check(longer) = %v, %v after %d requests, want ErrTooLarge and none", allow, err, asked.Load()-before)
	}
	answers, err = c.CheckAll(t.Context(), []Request{about("yes-a"), longer, about("yes-b")})
	if err != nil || !answers[0].Allow || !errors.Is(answers[1].Err, ErrTooLarge) || answers[1].Allow || !answers[2].Allow {
		t.Errorf("CheckAll(with a longer one) = %+v, %v", answers, err)
	}
}

func TestAQuestionAtFaultFailsAlone(t *testing.T) {
	var asked atomic.Int64
	c := newClient(t, limited(t, &asked), func(cfg *Config) { cfg.Coalesce = 100 * time.Millisecond })
	huge := "yes-" + strings.Repeat("x", 2<<20)
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			id := fmt.Sprint("yes-", i)
			switch i {
			case 7:
				id = "yes-poison"
			case 8:
				id = huge
			}
			allow, err := c.Check(t.Context(), about(id))
			if good := i != 7 && i != 8; allow != good || (err == nil) != good || errors.Is(err, ErrTooLarge) != (i == 8) {
				t.Errorf("Check %d = %v, %v", i, allow, err)
			}
		})
	}
	all.Wait()

	answers, err := c.CheckAll(t.Context(), []Request{about("yes-a"), about("yes-poison"), about("no-b"), about("yes-c")})
	if err != nil || !answers[0].Allow || answers[1].Err == nil || answers[1].Allow || answers[2].Allow || answers[2].Err != nil || !answers[3].Allow {
		t.Errorf("CheckAll(with one at fault) = %+v, %v", answers, err)
	}
}

func TestGatheredLongQuestionsAreSpreadOverRequests(t *testing.T) {
	var asked atomic.Int64
	c := newClient(t, limited(t, &asked), func(cfg *Config) { cfg.Coalesce = 100 * time.Millisecond })
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			if allow, err := c.Check(t.Context(), about(fmt.Sprint("yes-", i)+strings.Repeat("x", 60_000))); !allow || err != nil {
				t.Errorf("Check %d = %v, %v", i, allow, err)
			}
		})
	}
	all.Wait()
	if asked.Load() < 3 || asked.Load() > 6 {
		t.Errorf("2.4 MB asked by %d requests", asked.Load())
	}
}

// What is refused for who asks, and what is refused for any content, is not
// asked over and over.
func TestRefusalsOfEverythingAreBounded(t *testing.T) {
	for status, most := range map[int]int64{401: 1, 403: 1, 409: 1, 429: 1, 500: 1, 400: 2*maxApart + 1} {
		var asked atomic.Int64
		url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			w.WriteHeader(status)
		})
		requests := make([]Request, 3*MaxBatch)
		for i := range requests {
			requests[i] = about(fmt.Sprint(i))
		}
		answers, err := newClient(t, url, nil).CheckAll(t.Context(), requests)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != status || answers != nil || asked.Load() > most {
			t.Errorf("status %d: CheckAll = %v, %v after %d requests, want at most %d", status, answers, err, asked.Load(), most)
		}
	}
}

func TestErrorsSayWhoseTheyAre(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, coalesce := range []time.Duration{0, time.Millisecond} {
		c := newClient(t, "http://"+l.Addr().String(), func(cfg *Config) { cfg.Coalesce = coalesce })
		if _, err := c.Check(t.Context(), question); err == nil || !strings.HasPrefix(err.Error(), "usherd: ") {
			t.Errorf("Check(nobody there) = %v, want a prefix usherd:", err)
		}
		if _, err := c.Check(t.Context(), about(strings.Repeat("x", maxQuestion))); err == nil || !strings.HasPrefix(err.Error(), "usherd: ") {
			t.Errorf("Check(too large) = %v, want a prefix usherd:", err)
		}
	}
}
