package scim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The files in testdata hold wire cases in a form of their own:
//
//	= a claim
//	PATCH /Users/$uid
//	If-Match: W/"1"
//	{"Operations": …}
//	200
//	emails/0/value == "a"
//
// A step is a request line, headers, a body, and a status (several with |),
// and then what must be so of the response:
//
//	path == JSON      the value there is this
//	path has JSON     an element of the list there has at least this
//	path hasnot JSON  none has
//	path exists, path absent, path len N
//	header Name prefix, quirk text
//	save name path    $name stands for it from here on; a path may begin with
//	                  header:
//
// $n is the number of the case, to make names unique.
type step struct {
	line         int
	method, path string
	headers      []string
	body         string
	statuses     []string
	checks       []string
}

type wireCase struct {
	claim string
	steps []*step
}

func readCases(t *testing.T, name string) []wireCase {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []wireCase
	var cur *step
	in := bufio.NewScanner(f)
	for n := 1; in.Scan(); n++ {
		line := strings.TrimSpace(in.Text())
		method, path, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case method == "=":
			cases, cur = append(cases, wireCase{claim: path}), nil
		case slices.Contains([]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}, method):
			cur = &step{line: n, method: method, path: path}
			last := &cases[len(cases)-1]
			last.steps = append(last.steps, cur)
		case cur == nil:
			t.Fatalf("%s:%d: no request before %q", name, n, line)
		case cur.statuses != nil:
			cur.checks = append(cur.checks, line)
		case isStatus(line):
			cur.statuses = strings.Split(line, "|")
		case cur.body == "" && isHeader(line):
			k, v, _ := strings.Cut(line, ":")
			cur.headers = append(cur.headers, k, strings.TrimSpace(v))
		default:
			cur.body += line
		}
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

func isStatus(line string) bool {
	for s := range strings.SplitSeq(line, "|") {
		if n, err := strconv.Atoi(s); err != nil || n < 200 || n > 599 {
			return false
		}
	}
	return true
}

func isHeader(line string) bool {
	name, _, ok := strings.Cut(line, ":")
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-") == ""
}

func TestWireCases(t *testing.T) { onBoth(t, testWireCases) }

func testWireCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			s := start(t)
			for n, c := range readCases(t, name) {
				t.Run(c.claim, func(t *testing.T) {
					vars := map[string]string{"n": fmt.Sprint(n)}
					for _, st := range c.steps {
						if !st.run(t, s, vars, name) {
							return
						}
					}
				})
			}
		})
	}
}

func (st *step) run(t *testing.T, s *server, vars map[string]string, name string) bool {
	expand := func(text string) string {
		return os.Expand(text, func(v string) string {
			if x, ok := vars[v]; ok {
				return x
			}
			return "$" + v
		})
	}
	headers := slices.Clone(st.headers)
	for i := range headers {
		headers[i] = expand(headers[i])
	}
	path, query, _ := strings.Cut(expand(st.path), "?")
	if query != "" {
		path += "?" + escapeQuery(query)
	}
	r := s.do(st.method, path, expand(st.body), headers...)
	if !slices.Contains(st.statuses, fmt.Sprint(r.status)) {
		t.Errorf("%s:%d: %s %s: status %d, want %v: %.300s", name, st.line, st.method, path, r.status, st.statuses, r.raw)
		return false
	}
	for _, check := range st.checks {
		if v, from, ok := strings.Cut(strings.TrimPrefix(check, "save "), " "); ok && strings.HasPrefix(check, "save ") {
			vars[v] = r.text(from)
			continue
		}
		if err := r.check(expand(check), s); err != nil {
			t.Errorf("%s:%d: %s %s: %s: %v in %.500s", name, st.line, st.method, path, expand(check), err, r.raw)
		}
	}
	return true
}

// escapeQuery leaves & and = as they are and escapes what a URL cannot hold.
func escapeQuery(q string) string {
	return strings.NewReplacer(" ", "%20", `"`, "%22", "[", "%5B", "]", "%5D", `\`, "%5C", "#", "%23", "é", "%C3%A9").Replace(q)
}

func (r reply) text(path string) string {
	if name, ok := strings.CutPrefix(path, "header:"); ok {
		return r.header.Get(name)
	}
	return fmt.Sprint(r.at(path))
}

func (r reply) check(check string, s *server) error {
	path, rest, _ := strings.Cut(check, " ")
	verb, arg, _ := strings.Cut(rest, " ")
	switch path {
	case "header":
		if got := r.header.Get(verb); got == "" || !strings.HasPrefix(got, arg) {
			return fmt.Errorf("header is %q", got)
		}
		return nil
	case "quirk":
		if got := s.lastLog().Quirks; !slices.Contains(got, rest) {
			return fmt.Errorf("quirks are %q", got)
		}
		return nil
	}
	got := r.at(path)
	list, _ := got.([]any)
	var want any
	if arg != "" {
		d := json.NewDecoder(strings.NewReader(arg))
		d.UseNumber()
		if err := d.Decode(&want); err != nil {
			return fmt.Errorf("the case is broken: %w", err)
		}
	}
	ok := false
	switch verb {
	case "==":
		ok = reflect.DeepEqual(got, want)
	case "has":
		ok = slices.ContainsFunc(list, func(e any) bool { return covers(e, want) })
	case "hasnot":
		ok = !slices.ContainsFunc(list, func(e any) bool { return covers(e, want) })
	case "len":
		ok = fmt.Sprint(len(list)) == arg
	case "exists":
		ok = got != nil
	case "absent":
		ok = got == nil
	default:
		return fmt.Errorf("the case is broken: unknown check %q", verb)
	}
	if !ok {
		return fmt.Errorf("it is %.200v", got)
	}
	return nil
}

// covers tells whether got has at least what want has.
func covers(got, want any) bool {
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(got, want)
	}
	g, ok := got.(map[string]any)
	if !ok {
		return false
	}
	for k, v := range w {
		if !covers(g[k], v) {
			return false
		}
	}
	return true
}

// at follows a path of names and indexes separated by "/"; URNs hold no "/".
func at(doc any, path string) any {
	for part := range strings.SplitSeq(path, "/") {
		switch v := doc.(type) {
		case map[string]any:
			doc = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}

func copyBody(to *strings.Builder, from io.Reader) (int64, error) { return io.Copy(to, from) }
