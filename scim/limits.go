package scim

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/usherd/usherd/scim/filter"
)

// Limits bound what one request may ask. A zero field means its default.
type Limits struct {
	UserBody   int           // bytes of a body about users; default 1 MiB
	GroupBody  int           // bytes of a body about groups, and of a bulk; default 8 MiB
	Depth      int           // nested objects and lists of a body; default 32
	Filter     filter.Parser // length, depth and terms of a filter; defaults 4 KiB, 16 and 64
	Operations int           // operations of a PATCH or a bulk; default 1,000
	Members    int           // members that one request may name; default 50,000
	Emails     int           // e-mail addresses of a user; default 100
	Page       int           // resources of a page when count is not given; default 100
	MaxPage    int           // resources of a page at most; default 1,000
	Scan       int           // resources that a filter without index may look at; default 100,000
	InFlight   int64         // bytes of bodies in work at a time, half of it for one source; default 32 MiB
	Requests   int           // requests of one source in work at a time; default 32
	Wait       time.Duration // how long a request waits for its turn; default 10 s
	Stall      time.Duration // how long a client may let an answer wait before it takes more; default 30 s
}

// sourceShare is the part of InFlight that one source may have: a half, so that
// no source alone can keep the others waiting.
const sourceShare = 2

func (l Limits) withDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.UserBody, 1<<20)
	set(&l.GroupBody, 8<<20)
	set(&l.Depth, maxDepth)
	set(&l.Operations, 1_000)
	set(&l.Members, 50_000)
	set(&l.Emails, 100)
	set(&l.Page, 100)
	set(&l.MaxPage, 1_000)
	set(&l.Scan, 100_000)
	set(&l.Requests, 32)
	if l.InFlight <= 0 {
		l.InFlight = 32 << 20
	}
	l.InFlight = max(l.InFlight, sourceShare*int64(l.GroupBody), sourceShare*int64(l.UserBody))
	if l.Wait <= 0 {
		l.Wait = 10 * time.Second
	}
	if l.Stall <= 0 {
		l.Stall = 30 * time.Second
	}
	l.Filter.Loose = true
	return l
}

// checkMedia refuses bodies that are no JSON before they are read.
func checkMedia(h http.Header) error {
	if enc := h.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return fault(http.StatusUnsupportedMediaType, "", "Content-Encoding %q is not accepted", clip(enc))
	}
	ct := h.Get("Content-Type")
	media, params, err := mime.ParseMediaType(ct)
	if err != nil || media != "application/scim+json" && media != "application/json" {
		return fault(http.StatusUnsupportedMediaType, "", "Content-Type must be application/scim+json or application/json")
	}
	if cs := params["charset"]; cs != "" && !foldEqual(cs, "utf-8") {
		return fault(http.StatusUnsupportedMediaType, "", "charset %q is not accepted", clip(cs))
	}
	return nil
}

// promise refuses a body whose length is said to be more than limit, before it
// is read.
func promise(r *http.Request, limit int) error {
	if r.ContentLength <= int64(limit) {
		return nil
	}
	return tooLarge("the body has %d bytes; the limit is %d", r.ContentLength, limit)
}

// How a body is read: so much at a time, into so much memory until there is
// more of it.
const (
	bodyPart  = 32 << 10
	bodyStart = 256 << 10
)

// readBody reads a body of at most limit bytes, which are in memory once. What
// the guard refuses is read no further.
func readBody(r *http.Request, limit int, g guard) (string, error) {
	most := limit + 1
	if r.ContentLength >= 0 {
		most = int(r.ContentLength) // promise has looked at it
	}
	g.endless = r.ContentLength < 0
	var body strings.Builder
	part := make([]byte, min(most, bodyPart)+1)
	for {
		n, err := r.Body.Read(part)
		if n > 0 {
			if body.Len()+n > limit {
				return "", tooLarge("the body is longer than %d bytes", limit)
			}
			if err := g.check(part[:n]); err != nil {
				return "", err
			}
			makeRoom(&body, n, most)
			body.Write(part[:n])
		}
		if errors.Is(err, io.EOF) {
			return body.String(), nil
		}
		if err != nil {
			// A body cut short is no body: nothing of it is used.
			return "", &Error{Status: http.StatusBadRequest, ScimType: "invalidSyntax", Detail: "the body broke off", Err: err}
		}
	}
}

// makeRoom lets a body that may have most bytes grow by n. Little is taken on
// a promise.
func makeRoom(body *strings.Builder, n, most int) {
	switch {
	case body.Len()+n <= body.Cap():
	case body.Cap() == 0 && most > bodyStart:
		body.Grow(bodyStart)
	case body.Cap() < bodyStart || most <= 8*body.Cap():
		body.Grow(max(most-body.Len(), n))
	default:
		body.Grow(n) // and as much as there is twice
	}
}

// How much of a refused body is read and thrown away after the answer, so that a
// client which is still sending hears of it.
const (
	drained        = 32 << 20
	drainedEndless = 4 << 20 // of one without a length
)

// drain takes in what a client goes on to send of a body that was refused.
// Whoever asked before sending (RFC 9110, section 10.1.1) has been told, and
// whoever would send for too long is cut off.
func (h *Handler) drain(w http.ResponseWriter, r *http.Request) error {
	most := int64(drainedEndless)
	if r.ContentLength >= 0 {
		most = r.ContentLength
	}
	if most > drained || foldEqual(r.Header.Get("Expect"), "100-continue") {
		return nil
	}
	conn := http.NewResponseController(w)
	if err := conn.Flush(); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		return err
	}
	// Few at a time: those who still wait for an answer go first.
	into := <-h.drains
	defer func() { h.drains <- into }()
	for most > 0 {
		n, err := r.Body.Read(into)
		if most -= int64(n); err != nil {
			return err
		}
	}
	return nil
}

const (
	drainTime  = 5 * time.Second // that a refused body may go on
	drainsMost = 2               // at a time
	drainPart  = 128 << 10       // bytes at a time
)

func newDrains() chan []byte {
	drains := make(chan []byte, drainsMost)
	for range drainsMost {
		drains <- make([]byte, drainPart)
	}
	return drains
}
