package scim

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// guardedRead shows a text to a guard in parts, and returns how much it took.
func guardedRead(text string, depth, part int) (int, error) {
	g := newGuard(depth, 50_000)
	for i := 0; i < len(text); i += part {
		if err := g.check([]byte(text[i:min(i+part, len(text))])); err != nil {
			return i + part, err
		}
	}
	return len(text), nil
}

func TestGuardRefusesEarly(t *testing.T) {
	rest := strings.Repeat(" ", 1<<20)
	for _, c := range []struct {
		claim, text string
		most        int // bytes read
	}{
		{"nine thousand brackets", strings.Repeat("[", 9_000), 1_024},
		{"nine thousand objects in each other", strings.Repeat(`{"a":`, 9_000), 1_024},
		{"a bracket too many after a string", `{"]":"\"]\\","a":` + strings.Repeat("[", maxDepth), 1_024},
		{"a string without end", `{"a":"` + strings.Repeat("x", 1<<20), maxString + 1_024},
		{"a string of escapes", `"` + strings.Repeat(`\"`, 1<<20), maxString + 1_024},
		{"white space", strings.Repeat("\n ", 1<<20), maxBlank + 1_024},
		{"empty objects", "[" + strings.Repeat("{},", 1<<20), 3*50_000 + 1_024},
		{"objects", "[" + strings.Repeat(`{"a":1},`, 1<<20), 8*50_000 + 1_024},
		{"lists", "[" + strings.Repeat("[0],", 1<<20), 4*50_000 + 1_024},
		{"objects in lists", "[" + strings.Repeat("["+strings.Repeat("{},", 1_000)+"{}],", 1_000), 3*maxObjects + 5_000},
		{"numbers in lists", "[" + strings.Repeat("["+strings.Repeat("0,", 1_000)+"0],", 1_000), 2*maxValues + 5_000},
		{"numbers", "[" + strings.Repeat("0,", 1<<20), 2*50_000 + 1_024},
	} {
		t.Run(c.claim, func(t *testing.T) {
			read, err := guardedRead(c.text+rest, maxDepth, 1_024)
			if err == nil || read > c.most+1_024 {
				t.Errorf("%d bytes were read until %v; want an error after %d", read, err, c.most)
			}
		})
	}
}

// FuzzGuard: whatever comes, in whatever parts, the guard says the same of it.
func FuzzGuard(f *testing.F) {
	for _, text := range []string{`]]]][[`, `{"a":[1,{"b":"\\"}]}`, `"\`, `,,`, strings.Repeat("[", 9)} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, part int) {
		_, whole := guardedRead(text, 5, len(text)+1)
		_, parts := guardedRead(text, 5, max(part, 1))
		if (whole == nil) != (parts == nil) {
			t.Fatalf("%q: %v as a whole, %v in parts of %d", text, whole, parts, part)
		}
		if _, err := decodeText(text, 5); err == nil && whole != nil {
			t.Fatalf("%q: the decoder takes it, the guard says %v", text, whole)
		}
	})
}

// TestGuardAgreesWithTheDecoder: the guard refuses no text that the decoder
// takes, and whatever passes a limit of the decoder does not pass the guard.
func TestGuardAgreesWithTheDecoder(t *testing.T) {
	var value func(depth int) *rapid.Generator[string]
	value = func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			kind := rapid.IntRange(0, 7).Draw(t, "kind")
			if depth == 0 {
				kind %= 4
			}
			list := func() []string { return rapid.SliceOfN(value(depth-1), 0, 3).Draw(t, "values") }
			space := rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "space")
			switch kind {
			case 0:
				return space + rapid.SampledFrom([]string{"1", "true", "null", "-2.5e3"}).Draw(t, "word") + space
			case 1, 2, 3:
				return rapid.SampledFrom([]string{`""`, `"a"`, `"\\"`, `"\""`, `"[{,"`, `"\\\"]"`, `"}"`}).Draw(t, "string")
			case 4, 5:
				return "[" + space + strings.Join(list(), ","+space) + "]"
			}
			var b strings.Builder
			for i, v := range list() {
				if i > 0 {
					b.WriteString("," + space)
				}
				fmt.Fprintf(&b, `"k%d"%s:%s`, i, space, v)
			}
			return "{" + space + b.String() + "}"
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		text := value(5).Draw(t, "text")
		limit := rapid.IntRange(0, 6).Draw(t, "depth")
		part := rapid.IntRange(1, 9).Draw(t, "part")
		g := newGuard(limit, 50_000)
		var err error
		for i := 0; i < len(text) && err == nil; i += part {
			err = g.check([]byte(text[i:min(i+part, len(text))]))
		}
		d := &decoder{text: text, depth: limit}
		_, want := d.value(0)
		if (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
			t.Fatalf("%q to depth %d: guard says %v, decoder says %v", text, limit, err, want)
		}
		if err == nil && (g.values != d.values || g.objects != d.objects || g.depth != 0 || g.inside) {
			t.Fatalf("%q: guard has %d values and %d objects, decoder %d and %d", text, g.values, g.objects, d.values, d.objects)
		}
	})
}

// counted tells how much of a body was taken.
type counted struct {
	io.Reader
	taken int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.taken += n
	return n, err
}

func TestRefusedBodiesAreNotReadToTheirEnd(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		claim, path string
		body        []byte
		status      int
		most        int
	}{
		{"depth", "/Groups", bytes.Repeat([]byte("["), 7<<20), 400, bodyPart},
		{"objects", "/Groups", append([]byte("["), bytes.Repeat([]byte("{},"), 2<<20)...), 413, 3*50_000 + bodyPart},
		{"a filter of 1.9 MB", "/.search", []byte(`{"filter":"` + strings.Repeat("userName eq 1 or ", 110_000) + `id pr"}`), 400, maxString + 2*bodyPart},
	} {
		t.Run(c.claim, func(t *testing.T) {
			body := &counted{Reader: bytes.NewReader(c.body)}
			req := httptest.NewRequest("POST", "/scim/okta/v2"+c.path, body)
			req.ContentLength = int64(len(c.body))
			req.Header.Set("Authorization", "Bearer token-okta")
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, req)
			if w.Code != c.status || body.taken > c.most+1 {
				t.Errorf("status %d after %d bytes; want %d after %d: %s", w.Code, body.taken, c.status, c.most, w.Body)
			}
		})
	}
}

// TestARefusalIsHeardBeforeTheBodyEnds: who sends on hears of it at once, and
// who sends all of it first hears of it, too.
func TestARefusalIsHeardBeforeTheBodyEnds(t *testing.T) {
	s := start(t)
	in, out := io.Pipe()
	defer out.Close()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/scim/okta/v2/Users", in)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer token-okta")
	req.Header.Set("Content-Type", "application/json")
	go func() { _, _ = out.Write(bytes.Repeat([]byte("["), 1_000)) }() // and never the end
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != 400 || !resp.Close {
		t.Errorf("status %d, connection closes %t; want 400 and the end of the connection", resp.StatusCode, resp.Close)
	}
	deep := `{"a":` + strings.Repeat("[", 9_000) + strings.Repeat(" ", 900_000) + "}"
	s.do("POST", "/Users", deep).want(t, "a deep body that is sent whole", 400)
}

// BenchmarkGuard is what a body costs that comes to its end.
func BenchmarkGuard(b *testing.B) {
	for name, element := range map[string]string{
		"members": `{"value":"2819c223-7f76-453a-919d-413861904646","display":"Kim"},`, "lists": "[0],", "names": `{"a":1},`,
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte("[" + strings.Repeat(element, 90_000*4/len(element)) + "0]")
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				g := newGuard(maxDepth, 90_000)
				if err := g.check(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
