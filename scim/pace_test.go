package scim

import (
	"context"
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

	"github.com/usherd/usherd/directory"
)

func TestSlowBodiesOfASourceStopNoOther(t *testing.T) {
	s := start(t, func(c *Config) { c.Limits.Wait = 20 * time.Second })
	for range 8 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "POST /scim/okta/v2/Groups HTTP/1.1\r\nHost: usherd.test\r\nAuthorization: Bearer token-okta\r\n"+
			"Content-Type: application/scim+json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
	}
	full := s.handler.turns.of("okta").bytes
	for full.TryAcquire(1) { // until the slow ones are all that okta may have
		full.Release(1)
		if t.Context().Err() != nil {
			t.Fatal("the slow bodies never filled the share of okta")
		}
	}
	begun := time.Now()
	s.as("entra", "POST", "/Groups", `{"schemas":[],"displayName":"quick"}`).want(t, "a POST of another source", 201)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

// intruding changes members of a group whenever somebody is about to change its
// attributes, as fast clients may.
type intruding struct {
	Applier
	intrude func()
	times   atomic.Int32
	under   sync.WaitGroup
}

// Apply implements [Applier].
func (a *intruding) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	if _, ok := changes[0].(directory.UpdateGroup); ok {
		a.times.Add(1)
		done := make(chan struct{})
		a.under.Go(func() { a.intrude(); close(done) })
		select {
		case <-done:
		case <-time.After(200 * time.Millisecond): // it waits for this one
		}
	}
	return a.Applier.Apply(ctx, by, changes...)
}

func TestChangesOfMembersDoNotOutrunARename(t *testing.T) {
	in := &intruding{}
	s := start(t, func(c *Config) { in.Applier = c.Apply; c.Apply = in })
	path := "/Groups/" + fmt.Sprint(s.do("POST", "/Groups", `{"schemas":[],"displayName":"hot"}`).want(t, "POST", 201).at("id"))
	var n atomic.Int32
	in.intrude = func() {
		s.do("PATCH", path, fmt.Sprintf(`{"Operations":[{"op":"add","path":"members","value":["m%d"]}]}`, n.Add(1)))
	}
	s.do("PATCH", path, `{"Operations":[{"op":"replace","path":"displayName","value":"cold"}]}`).want(t, "a rename among changes of members", 200)
	in.under.Wait()
	if tries := in.times.Load(); tries > 3 {
		t.Errorf("the rename was tried %d times", tries)
	}
}

func TestAnAnswerThatNobodyTakesEnds(t *testing.T) {
	ended := make(chan error, 1)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		endless := answer{status: 200, doc: map[string]any{}, members: func(yield func(map[string]any, error) bool) {
			for yield(map[string]any{"value": strings.Repeat("x", 1000)}, nil) {
			}
		}}
		ended <- endless.write(patient{w, http.NewResponseController(w), 200 * time.Millisecond}, false)
	}))
	defer hs.Close()
	conn, err := net.Dial("tcp", strings.TrimPrefix(hs.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: usherd.test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("the answer ended with %v, want a timeout", err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the answer waits for ever")
	}
}
