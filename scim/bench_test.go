package scim

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
)

// A big directory behind real HTTP: 100,000 users, a group of everybody and a
// group of ten. It is made once for all benchmarks of a run.
const bigUsers = 100_000

// bigServer serves it. Users and groups are written past HTTP.
func bigServer(b *testing.B) (s *server, everybody, ten string) {
	b.Helper()
	st, err := store.Open(b.Context(), store.Config{DSN: "sqlite:" + filepath.Join(b.TempDir(), "usherd.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() }) // a benchmark has nothing to lose
	s = &server{store: st, sources: map[directory.SourceName]directory.Source{}}
	by := directory.Actor{Kind: "system", Name: "bench"}
	apply := func(changes ...directory.Change) {
		if _, err := st.Apply(b.Context(), by, changes...); err != nil {
			b.Fatal(err)
		}
	}
	src := directory.Source{Name: "okta", Kind: directory.KindSCIM, State: directory.SourceActive}
	apply(directory.PutSource{Source: src})
	s.sources["okta"] = src
	ids := make([]string, bigUsers)
	for part := range slices.Chunk(ids, 2000) {
		changes := make([]directory.Change, len(part))
		for i := range part {
			part[i] = directory.NewID()
			name := "big-" + part[i] + "@corp.test"
			changes[i] = directory.CreateUser{ID: directory.UserID(part[i]), Source: "okta", Profile: directory.Profile{
				UserName: name, Active: true, DisplayName: name, ExternalID: part[i],
				Attributes: []byte(`{"userName":"` + name + `","active":true,"title":"Fitter","name":{"familyName":"Big"}}`),
			}}
		}
		apply(changes...)
	}
	for name, values := range map[string][]string{"everybody": ids[1:], "ten": ids[1:11]} {
		id := directory.NewID()
		apply(directory.CreateGroup{ID: directory.GroupID(id), Source: "okta", Name: name})
		for part := range slices.Chunk(values, 10_000) {
			apply(directory.AddMembers{Group: directory.GroupID(id), Source: "okta", Values: part})
		}
		if name == "ten" {
			ten = id
		} else {
			everybody = id
		}
	}
	if s.handler, err = New(Config{URL: "https://usherd.test", Auth: s, Read: st, Apply: st, Seal: make([]byte, 32)}); err != nil {
		b.Fatal(err)
	}
	hs := httptest.NewServer(s.handler.Before(http.NotFoundHandler()))
	b.Cleanup(hs.Close)
	s.url = hs.URL
	s.ids = ids
	return s, everybody, ten
}

// ask sends one request and returns how long the answer took.
func (s *server) ask(b *testing.B, method, path, body string, want ...int) time.Duration {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, s.url+"/scim/okta/v2"+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-okta")
	req.Header.Set("Content-Type", "application/scim+json")
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if _, err := copyBody(&text, resp.Body); err != nil || !slices.Contains(want, resp.StatusCode) {
		b.Fatalf("%s %s = %d %v %.200s", method, path, resp.StatusCode, err, text.String())
	}
	return time.Since(begun)
}

// quantiles reports the median and the 99th percentile.
func quantiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkBigDirectory(b *testing.B) {
	s, everybody, ten := bigServer(b)
	stranger := s.ids[0]
	member := func(group string) func(i int) time.Duration {
		return func(i int) time.Duration {
			op := `{"op":"add","path":"members","value":[{"value":"` + stranger + `"}]}`
			if i%2 == 1 {
				op = `{"op":"remove","path":"members[value eq \"` + stranger + `\"]"}`
			}
			return s.ask(b, "PATCH", "/Groups/"+group+"?excludedAttributes=members", `{"Operations":[`+op+`]}`, 200)
		}
	}
	ops := func(n, each int) func(i int) time.Duration {
		return func(i int) time.Duration {
			list := make([]string, n)
			for k := range list {
				values := make([]string, each)
				for v := range values {
					values[v] = `{"value":"` + s.ids[(i*n*each+k*each+v)%len(s.ids)] + `"}`
				}
				list[k] = `{"op":"add","path":"members","value":[` + strings.Join(values, ",") + `]}`
			}
			return s.ask(b, "PATCH", "/Groups/"+ten+"?excludedAttributes=members", `{"Operations":[`+strings.Join(list, ",")+`]}`, 200)
		}
	}
	name := func(i int) string { return "big-" + s.ids[i*7919%len(s.ids)] + "@corp.test" }
	for _, c := range []struct {
		name string
		one  func(i int) time.Duration
	}{
		{"one member of 10", member(ten)},
		{"one member of 100000", member(everybody)},
		{"page of 100", func(int) time.Duration { return s.ask(b, "GET", "/Users?count=100", "", 200) }},
		{"page of 100 in the middle", func(i int) time.Duration {
			return s.ask(b, "GET", fmt.Sprint("/Users?count=100&startIndex=", 50_000+i%100), "", 200)
		}},
		{"userName eq", func(i int) time.Duration {
			return s.ask(b, "GET", "/Users?filter="+escapeQuery(`userName eq "`+name(i)+`"`), "", 200)
		}},
		{"50 operations with 20 members each", ops(50, 20)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var took []time.Duration
			for i := 0; b.Loop(); i++ {
				took = append(took, c.one(i))
			}
			quantiles(b, took)
		})
	}
}

// BenchmarkPutOf50000 replaces 50,000 members by one request.
func BenchmarkPutOf50000(b *testing.B) {
	s, everybody, _ := bigServer(b)
	body := func(from int) string {
		values := make([]string, 50_000)
		for i := range values {
			values[i] = `{"value":"` + s.ids[from+i] + `"}`
		}
		return `{"schemas":[],"displayName":"everybody","members":[` + strings.Join(values, ",") + `]}`
	}
	bodies := []string{body(0), body(25_000)}
	s.ask(b, "PUT", "/Groups/"+everybody+"?excludedAttributes=members", bodies[1], 200)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		took = append(took, s.ask(b, "PUT", "/Groups/"+everybody+"?excludedAttributes=members", bodies[i%2], 200))
	}
	quantiles(b, took)
}
