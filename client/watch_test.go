package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestWatchGoesOnWhereItWas(t *testing.T) {
	var asked []string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		w.Header().Set("Content-Type", "text/event-stream")
		switch len(asked) {
		case 1:
			_, _ = io.WriteString(w, ": hello\n\nid: 1-a\nevent: change\ndata: {\"revision\":1,\"stamp\":\"1-a\",\"subjects\":[\"u\"]}\n\nretry: 1\n\nid: 2-b\nevent: change\ndata: {\"revi")
		case 2:
			w.WriteHeader(503)
		case 3:
			_, _ = io.WriteString(w, "event: reset\ndata: {\"revision\":9,\"stamp\":\"9-c\"}\n\nevent:heartbeat\ndata:{\"revision\":9,\"stamp\":\"9-c\"}\n\n")
		default:
			_, _ = io.WriteString(w, "event: change\ndata: {\"revision\":10,\"stamp\":\"10-d\",\"all\":true}\n\n")
		}
	})
	var got []string
	for e, err := range newClient(t, url, nil).Watch(t.Context(), "") {
		got = append(got, fmt.Sprint(e.Kind, e.Revision, e.Subjects, e.All, err))
		if e.Revision == 10 {
			break
		}
	}
	want := "change1 [u] false <nil>|reset9 [] false <nil>|heartbeat9 [] false <nil>|change10 [] true <nil>"
	if strings.Join(got, "|") != want {
		t.Errorf("Watch = %s, want %s", strings.Join(got, "|"), want)
	}
	if fmt.Sprintf("%q", asked) != `["" "1-a" "1-a" "9-c"]` {
		t.Errorf("connected from %q", asked)
	}
}

func TestWatchEndsWhereComingBackDoesNotHelp(t *testing.T) {
	for claim, f := range map[string]http.HandlerFunc{
		"the token is refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"the stamp is refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) },
		"a web page":           func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"an unknown event": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "event: other\ndata: {\"stamp\":\"1-a\"}\n\n")
		},
	} {
		n := 0
		for _, err := range newClient(t, serve(t, f), nil).Watch(t.Context(), "") {
			if n++; err == nil {
				t.Errorf("%s: an event", claim)
			}
		}
		if n != 1 {
			t.Errorf("%s: %d errors, want 1", claim, n)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	for e, err := range newClient(t, url, nil).Watch(ctx, "1-a") {
		t.Errorf("Watch = %v, %v, want nothing", e, err)
	}
}
