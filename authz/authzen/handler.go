package authzen

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// The paths of the API (AuthZEN 1.0, section 10.1).
const (
	PathEvaluation     = "/access/v1/evaluation"
	PathEvaluations    = "/access/v1/evaluations"
	PathSubjectSearch  = "/access/v1/search/subject"
	PathResourceSearch = "/access/v1/search/resource"
	PathActionSearch   = "/access/v1/search/action"
	PathMetadata       = "/.well-known/authzen-configuration"
	PathPermissions    = "/v1/users/{id}/permissions"
)

// A Config says what a [Handler] works with.
type Config struct {
	Evaluator     Evaluator     // required
	Authenticator Authenticator // required

	// Viewer is what searches and lists of permissions look at. Without it they
	// are not served.
	Viewer Viewer
	// People are who a search for subjects looks through. Without it there is
	// none.
	People People
	// PageKey seals the tokens of pages; replicas share it. Default: random, so
	// that a page ends with the process.
	PageKey []byte
	// URL is the address of the daemon as applications know it. The metadata are
	// served only if it is https.
	URL string

	// Record is told of every decision, for the decision log. It must not block
	// or keep what it is given. May be nil.
	Record func(ctx context.Context, by *Caller, q *Query, a *Answer, p Point)
	// Log is told why there was no answer. Default none.
	Log *zap.Logger

	// MaxBody and MaxBatchBody bound a body in bytes. Default 64 KiB and 1 MiB.
	MaxBody, MaxBatchBody int
	// MaxBatch bounds the evaluations of one request. Default [MaxBatch].
	MaxBatch int
}

// A Handler serves the check API.
type Handler struct {
	cfg   Config
	calls sync.Pool // of *call
	last  atomic.Pointer[stampHeader]
}

// New checks cfg and returns a handler.
func New(cfg Config) (*Handler, error) {
	if cfg.Evaluator == nil || cfg.Authenticator == nil {
		return nil, errors.New("authzen: Evaluator and Authenticator are required")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	for field, value := range map[*int]int{&cfg.MaxBody: 64 << 10, &cfg.MaxBatchBody: 1 << 20, &cfg.MaxBatch: MaxBatch} {
		if *field <= 0 {
			*field = value
		}
	}
	h := &Handler{cfg: cfg}
	if len(cfg.PageKey) == 0 {
		h.cfg.PageKey = []byte(rand.Text())
	}
	h.calls.New = func() any { return &call{h: h} }
	return h, nil
}

// Register adds the routes of h to mux.
func (h *Handler) Register(mux *http.ServeMux) {
	post := func(path, scope string, f func(*call) error) {
		mux.Handle(path, h.serve(route{http.MethodPost, scope}, f))
	}
	post(PathEvaluation, ScopeEvaluate, (*call).evaluation)
	post(PathEvaluations, ScopeEvaluate, (*call).evaluations)
	if h.cfg.Viewer != nil {
		post(PathResourceSearch, ScopeSearch, (*call).searchResources)
		post(PathActionSearch, ScopeSearch, (*call).searchActions)
		mux.Handle(PathPermissions, h.serve(route{http.MethodGet, ScopePermissions}, (*call).permissions))
	}
	if h.searchesSubjects() {
		post(PathSubjectSearch, ScopeSearch, (*call).searchSubjects)
	}
	if path, body := h.metadata(); body != nil {
		mux.Handle(path, serveMetadata(body))
	}
}

func (h *Handler) searchesSubjects() bool { return h.cfg.Viewer != nil && h.cfg.People != nil }

// A route says what a caller needs for an endpoint.
type route struct{ method, scope string }

// A call is one request under way, and the memory that the next one uses again.
type call struct {
	h       *Handler
	w       http.ResponseWriter
	r       *http.Request
	by      *Caller
	atLeast directory.Stamp
	request request
	place   string            // of a search: where the page begins
	bound   [sha256.Size]byte // of a search: what tokens are bound to
	buf     []byte            // body, then answer
	queries []Query
	answers []Answer
}

// Calls that grew beyond this are not kept.
const keepBytes, keepItems = 64 << 10, MaxBatch

// serve adapts f. It is the one place where an error becomes a status, and
// where every answer gets its headers.
func (h *Handler) serve(to route, f func(*call) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := h.calls.Get().(*call)
		c.w, c.r = w, r
		c.headers()
		if err := c.admit(to); err != nil {
			c.fail(err)
		} else if err := f(c); err != nil {
			c.fail(err)
		}
		c.release()
	})
}

func (c *call) release() {
	c.w, c.r, c.by, c.atLeast = nil, nil, nil, directory.Stamp{}
	c.request.top, c.request.page, c.place = evaluation{}, page{}, ""
	clear(c.request.items)
	clear(c.queries)
	clear(c.answers)
	if cap(c.buf) <= keepBytes && cap(c.request.items) <= keepItems {
		c.h.calls.Put(c)
	}
}

// Values of headers that all answers share.
var (
	typeJSON  = []string{"application/json"}
	noSniff   = []string{"nosniff"}
	challenge = []string{`Bearer realm="usherd"`}
)

// headers sets those of every answer. The names are canonical, so that they are
// set without looking for it. Answers to POST are not kept by caches without
// being told to (RFC 9110, section 9.3.3), so nothing tells them not to.
func (c *call) headers() {
	header := c.w.Header()
	header["Content-Type"] = typeJSON
	if id := c.r.Header["X-Request-Id"]; len(id) == 1 && harmless(id[0]) {
		header["X-Request-Id"] = id
	}
}

// harmless reports whether a request id may be repeated to its sender: visible
// ASCII, not too long.
func harmless(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return false
		}
	}
	return len(id) <= 128
}

// admit decides whether the body is read at all: the caller first.
func (c *call) admit(to route) (err error) {
	if c.r.Method != to.method {
		c.w.Header()["Allow"] = []string{to.method}
		return errMethod
	}
	if c.by, err = c.h.cfg.Authenticator.Authenticate(c.r); err != nil {
		return err
	}
	if !c.by.Has(to.scope) {
		return ErrForbidden
	}
	if c.atLeast, err = requiredStamp(c.r.Header["Usherd-At-Least"]); err != nil || to.method == http.MethodGet {
		return err
	}
	if !isJSON(c.r.Header["Content-Type"]) {
		return errType
	}
	if len(c.r.Header["Content-Encoding"]) > 0 {
		return errEncoding
	}
	return nil
}

// isJSON reports whether a content type is JSON in UTF-8.
func isJSON(header []string) bool {
	if len(header) != 1 {
		return false
	}
	if header[0] == typeJSON[0] {
		return true
	}
	typ, params, err := mime.ParseMediaType(header[0])
	if err != nil || typ != typeJSON[0] {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

func requiredStamp(header []string) (directory.Stamp, error) {
	if len(header) == 0 {
		return directory.Stamp{}, nil
	}
	if len(header) == 1 {
		if s, err := directory.ParseStamp(header[0]); err == nil {
			return s, nil
		}
	}
	return directory.Stamp{}, refusal("Usherd-At-Least must be a value of Usherd-Revision")
}

// body reads the body, at most limit bytes, and returns a copy that outlives
// the call's memory.
func (c *call) body(limit int) (string, error) {
	if c.r.ContentLength > int64(limit) {
		return "", errTooLarge
	}
	if cap(c.buf) == 0 {
		c.buf = make([]byte, 0, 1024)
	}
	b := c.buf[:0]
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := c.r.Body.Read(b[len(b):min(cap(b), limit+1)])
		b = b[:len(b)+n]
		c.buf = b
		switch {
		case len(b) > limit:
			return "", errTooLarge
		case err == io.EOF:
			return string(b), nil
		case err != nil:
			return "", errBody
		}
	}
}

// fail answers that there is no answer.
func (c *call) fail(err error) {
	f := toFailure(err)
	header := c.w.Header()
	switch {
	case f.status == http.StatusUnauthorized:
		header["Www-Authenticate"] = challenge
	case f.status >= http.StatusInternalServerError:
		c.h.cfg.Log.Warn("a check has no answer", zap.Int("code", f.status), zap.Error(err))
		if f.retry > 0 {
			header["Retry-After"] = []string{f.retryAfter()}
		}
	}
	c.w.WriteHeader(f.status)
	c.buf = append(appendString(c.buf[:0], f.text), '\n')
	c.write()
}

// write sends buf. A client that went away is nobody's concern.
func (c *call) write() { _, _ = c.w.Write(c.buf) }
