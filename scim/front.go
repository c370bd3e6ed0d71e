package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// Before serves everything below /scim/ and leaves the rest to next. It is no
// route of a mux, which would redirect a path with two slashes, and clients
// that follow leave their token behind.
func (h *Handler) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/scim/") {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var requestID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// ServeHTTP is the one place where a request is checked, limited and logged
// and where an error becomes a response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := r.Header.Get("X-Request-Id")
	if !requestID.MatchString(id) {
		id = directory.NewID()
	}
	header := w.Header()
	header.Set("X-Request-Id", id)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")

	source, path := splitPath(r.URL.Path)
	t := &trace{from: directory.AddressOf(r.RemoteAddr), Request: directory.Request{
		ID: id, Source: directory.SourceName(source), Time: h.now(),
		Method: r.Method, Path: r.URL.Path, Agent: clip(r.UserAgent()),
	}}
	ans, err := h.guarded(r, t, source, path)
	if err != nil {
		ans = h.refusal(err, t)
	}
	t.Status = ans.status
	h.finish(t)
	if t.unread {
		h.refuseUnread(w)
	}
	if err := ans.write(patient{w, http.NewResponseController(w), h.limits.Stall}, r.Method == http.MethodHead); err != nil {
		h.log.Info("scim answer broke off", zap.String("request", id), zap.Error(err))
		panic(http.ErrAbortHandler) // an answer cut short must not look whole
	}
	if t.unread {
		_ = h.drain(w, r) // the client has its answer, or has gone
	}
}

// refuseUnread prepares to answer before the body has been read: net/http would
// wait for some of it. The connection is of no more use then.
func (h *Handler) refuseUnread(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		h.log.Info("scim answer waits for its request", zap.String("request", w.Header().Get("X-Request-Id")), zap.Error(err))
	}
}

// guarded turns a panic into a 500: net/http would drop the connection.
func (h *Handler) guarded(r *http.Request, t *trace, source string, path []string) (ans answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			h.log.Error("scim handler panicked", zap.String("request", t.ID), zap.Any("panic", p), zap.Stack("stack"))
			err = errors.New("panic")
		}
	}()
	return h.serve(r, t, source, path)
}

// serve answers a request: authenticate, source and limits, body bytes, strict
// JSON, and only then what the request is about.
func (h *Handler) serve(r *http.Request, t *trace, source string, path []string) (answer, error) {
	who, err := h.authenticate(r, source)
	if err != nil {
		return answer{}, err
	}
	t.known, t.Token = true, who.Token
	if err := accept(who); err != nil {
		return answer{}, err
	}
	leave, err := h.turns.enter(r.Context(), who.Source.Name)
	if err != nil {
		return answer{}, err
	}
	defer leave()
	c, err := h.callOf(r.Context(), who, t)
	if err != nil {
		return answer{}, err
	}
	c.ifMatch, c.ifNoneMatch = r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	if c.query, err = parseQuery(r.URL.RawQuery); err != nil {
		return answer{}, err
	}
	if err := c.checkQuery(); err != nil {
		return answer{}, err
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	run, err := c.route(method, path)
	if err != nil {
		return answer{}, err
	}
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		done, err := c.takeBody(r, path)
		if err != nil {
			return answer{}, err
		}
		defer done()
	}
	return run()
}

// callOf is a call of somebody who is known, before it is known what is asked.
func (h *Handler) callOf(ctx context.Context, who Caller, t *trace) (*call, error) {
	m, err := h.models.of(who.Source)
	if err != nil {
		return nil, err
	}
	return &call{Handler: h, ctx: ctx, who: who, model: m, trace: t, writer: h.write}, nil
}

// parseQuery reads a query strictly: net/url leaves out the parameters that it
// does not understand, and a list without its filter is everybody. A semicolon
// is a character like any other.
func parseQuery(raw string) (url.Values, error) {
	query := url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		key, err := url.QueryUnescape(name)
		if err == nil {
			value, err = url.QueryUnescape(value)
		}
		if err != nil {
			return nil, badValue("the query has a percent sign that is no escape: %s", clip(part))
		}
		if part != "" {
			query[key] = append(query[key], value)
		}
	}
	return query, nil
}

// checkQuery refuses a parameter that is given twice: which one a client means,
// or something on the way took it for, nobody knows.
func (c *call) checkQuery() error {
	for _, name := range [...]string{
		"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes",
	} {
		if len(c.query[name]) > 1 {
			return badValue("the parameter %s is given %d times", name, len(c.query[name]))
		}
	}
	return nil
}

// takeBody reads and decodes the body. The memory it takes is accounted for
// until the returned function is called.
func (c *call) takeBody(r *http.Request, path []string) (func(), error) {
	if err := checkMedia(r.Header); err != nil {
		return nil, err
	}
	limit := c.limits.GroupBody
	if path[0] == c.model.user.endpoint {
		limit = c.limits.UserBody
	}
	if err := promise(r, limit); err != nil {
		c.trace.unread = true
		return nil, err
	}
	reserved := int64(limit)
	if r.ContentLength >= 0 && r.ContentLength < reserved {
		reserved = r.ContentLength
	}
	done, err := c.reserve(c.ctx, c.source(), reserved)
	if err != nil {
		return nil, err
	}
	raw, err := readBody(r, limit, newGuard(c.limits.Depth, c.limits.Members))
	if err != nil {
		c.trace.unread = toError(err).Err == nil // nothing more comes of a body that broke off
		done()
		return nil, err
	}
	decoded, err := c.reserveDecoded(c.ctx, decodedSize(raw))
	if err != nil {
		done()
		return nil, err
	}
	all := func() { decoded(); done() }
	if c.body, err = decodeText(raw, c.limits.Depth); err != nil {
		all()
		return nil, err
	}
	return all, nil
}

// splitPath takes /scim/{source}/v2/a/b apart. An empty source is one that the
// path does not have; no rest is no endpoint; a slash too many, which an address
// that was entered with one at its end gives, is nothing.
func splitPath(path string) (source string, rest []string) {
	rest0, ok := strings.CutPrefix(path, "/scim/")
	source, rest1, _ := strings.Cut(rest0, "/")
	version, tail, _ := strings.Cut(rest1, "/")
	if !ok || version != "v2" || len(path) > 2048 {
		return source, nil
	}
	rest = slices.DeleteFunc(strings.Split(tail, "/"), func(part string) bool { return part == "" })
	if len(rest) == 0 {
		rest = []string{""} // the root
	}
	return source, rest
}

// A call is one request after its admission: who asks for what. An operation of
// a bulk is a call too.
type call struct {
	*Handler
	ctx         context.Context
	who         Caller
	model       *model
	trace       *trace
	writer      Applier // the handler's, but for a rehearsal
	rt          *resourceType
	id          string
	query       map[string][]string
	ifMatch     string
	ifNoneMatch string
	body        any
	stamp       *directory.Stamp // of the last write
}

func (c *call) source() directory.SourceName { return c.who.Source.Name }

func (c *call) bend(what string) { c.trace.quirks.add(what) }

// base is the address of the source's endpoint.
func (c *call) base() string { return c.url + "/scim/" + string(c.source()) + "/v2" }

func (c *call) location(rt *resourceType, id string) string {
	return c.base() + "/" + rt.endpoint + "/" + id
}

// apply performs changes on behalf of the source.
func (c *call) apply(changes ...directory.Change) error {
	by := directory.Actor{
		Kind: "scim", Name: string(c.source()), Source: c.source(), Token: c.who.Token, Request: c.trace.ID, Address: c.trace.from,
	}
	if c.trace.Replays != "" {
		by.Reason = "replay of " + c.trace.Replays
	}
	done, err := c.writer.Apply(c.ctx, by, changes...)
	if err != nil {
		return err
	}
	c.stamp = &done.Stamp
	if done.Changed {
		c.trace.Revision = done.Stamp.Revision
	}
	return nil
}

// refusal is the answer for an error.
func (h *Handler) refusal(err error, t *trace) answer {
	e := toError(err)
	t.Detail = e.Detail
	if e.Status >= 500 && e.Err != nil {
		h.log.Error("scim request failed", zap.String("request", t.ID), zap.String("source", clip(string(t.Source))),
			zap.Int("status", e.Status), zap.Error(e.Err))
	}
	ans := answer{status: e.Status, doc: e.body(), location: e.location, header: http.Header{}}
	if e.Status == http.StatusUnauthorized {
		ans.header.Set("WWW-Authenticate", `Bearer realm="usherd"`)
	}
	if e.allow != nil {
		ans.header.Set("Allow", strings.Join(e.allow, ", "))
	}
	if e.retry > 0 {
		ans.header.Set("Retry-After", strconv.Itoa(e.retry))
	}
	return ans
}

// finish hands the entry of the provisioning log over. Requests without a
// valid token make no entries: they would let anybody fill the log.
func (h *Handler) finish(t *trace) {
	if !t.known {
		return
	}
	t.Took = max(h.now().Sub(t.Time), time.Duration(0))
	t.Quirks = t.quirks.list
	t.Body = redacted(t.normal)
	h.record(t.Request)
}

func etag(version int64) string { return fmt.Sprintf(`W/"%d"`, version) }
