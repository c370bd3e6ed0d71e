package scim

import (
	"bufio"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/usherd/usherd/directory"
)

// An answer is a response before it is written.
type answer struct {
	status   int
	doc      map[string]any // nil: no body
	members  iter.Seq2[map[string]any, error]
	list     []resource // with doc as the head of a ListResponse
	isList   bool
	location string
	etag     string
	stamp    *directory.Stamp
	header   http.Header
}

// A resource is a document and, apart from it, the members of a group: there
// may be very many, and they are written as they are read.
type resource struct {
	doc     map[string]any
	members iter.Seq2[map[string]any, error] // nil: none are wanted
}

func (r resource) id() string {
	id, _ := r.doc["id"].(string)
	return id
}

// write sends a. An error after the first byte leaves the body unfinished.
func (a answer) write(w http.ResponseWriter, head bool) error {
	h := w.Header()
	for name, values := range a.header {
		h[name] = values
	}
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.etag != "" {
		h.Set("ETag", a.etag)
	}
	if a.stamp != nil {
		h.Set("Usherd-Revision", a.stamp.String())
	}
	if a.doc == nil {
		w.WriteHeader(a.status)
		return nil
	}
	h.Set("Content-Type", "application/scim+json;charset=utf-8")
	w.WriteHeader(a.status)
	if head {
		return nil
	}
	out := bufio.NewWriterSize(w, 16<<10)
	if err := a.body(out); err != nil {
		return err
	}
	return out.Flush()
}

func (a answer) body(out *bufio.Writer) error {
	if !a.isList {
		return resource{doc: a.doc, members: a.members}.write(out)
	}
	if err := open(out, a.doc); err != nil {
		return err
	}
	before := `,"Resources":[`
	for _, r := range a.list {
		if _, err := out.WriteString(before); err != nil {
			return err
		}
		if err := r.write(out); err != nil {
			return err
		}
		before = ","
	}
	after := "]}"
	if len(a.list) == 0 {
		after = before + after
	}
	_, err := out.WriteString(after)
	return err
}

func (r resource) write(out *bufio.Writer) error {
	if err := open(out, r.doc); err != nil {
		return err
	}
	if r.members != nil {
		if err := writeMembers(out, r.members, len(r.doc) == 0); err != nil {
			return err
		}
	}
	return out.WriteByte('}')
}

// open writes an object without its closing brace.
func open(out *bufio.Writer, doc map[string]any) error {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("writing a resource: %w", err)
	}
	_, err := out.WriteString(strings.TrimSuffix(b.String(), "}\n"))
	return err
}

// writeMembers streams the list. A group without members has no list, which
// is the same to a client (RFC 7643, section 2.5).
func writeMembers(out *bufio.Writer, members iter.Seq2[map[string]any, error], first bool) error {
	start := `,"members":[`
	if first {
		start = start[1:]
	}
	before := start
	for m, err := range members {
		if err != nil {
			return fmt.Errorf("reading members: %w", err)
		}
		raw, err := json.Marshal(m)
		if err != nil {
			return fmt.Errorf("writing a member: %w", err)
		}
		if _, err := out.WriteString(before); err != nil {
			return err
		}
		if _, err := out.Write(raw); err != nil {
			return err
		}
		before = ","
	}
	if before == start {
		return nil
	}
	return out.WriteByte(']')
}
