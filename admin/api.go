package admin

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// An API serves a [Service] under /api/v1. Service and Log are required.
type API struct {
	Service *Service
	Log     *zap.Logger
	// Limiter bounds how often one principal may ask. Nil means no bound.
	Limiter *Limiter
}

type principalKey struct{}

// WithPrincipal says on whose behalf a request is. Whoever serves the API calls
// it after finding that out; a request without a principal is refused.
func WithPrincipal(ctx context.Context, by directory.Actor) context.Context {
	return context.WithValue(ctx, principalKey{}, by)
}

func principal(ctx context.Context) (directory.Actor, bool) {
	by, ok := ctx.Value(principalKey{}).(directory.Actor)
	return by, ok
}

// maxBody is the most that a request may send; a policy is the largest.
const maxBody = 8 << 20

// A call is one request on its way through a handler.
type call struct {
	*http.Request
	by directory.Actor
	id string // of the request
}

// body decodes the JSON body strictly. No body at all is like {}.
func (c call) body(into any) error {
	dec := json.NewDecoder(http.MaxBytesReader(nil, c.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil && c.ContentLength != 0 {
		return badBody(err)
	}
	if dec.More() {
		return invalidAt("", "the body holds more than one JSON value")
	}
	return nil
}

// number reads a query parameter that is a whole number; absent means 0.
func (c call) number(name string) (int, error) {
	text := c.URL.Query().Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, badParameter(name, "must be a whole number, not %q", text)
	}
	return n, nil
}

// An answer is what a handler wants said: a status (0 means 200), a body, and
// headers if there are any.
type answer struct {
	status int
	body   any
	raw    []byte // sent as it is instead of body; header says what it is
	header http.Header
}

type handler func(call) (answer, error)

// serve adapts f, the handler of a route. It is the one place where an error
// becomes a status.
func (a *API) serve(pattern string, f handler) http.Handler {
	op := operations[pattern]
	known := op.understands(pattern)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := a.begin(w, r, op)
		if err == nil && pattern != anything {
			err = c.checkQuery(known)
		}
		if err != nil {
			a.write(w, a.failure(c, err))
			return
		}
		format, err := c.exportFormat(op)
		switch {
		case err != nil:
			a.write(w, a.failure(c, err))
		case format != "":
			a.export(w, c, op, f, format)
		default:
			a.write(w, a.once(c, func() rendered { return a.perform(c, op, f) }))
		}
	})
}

// begin finds out who asks, lets them in and reads what all routes understand.
func (a *API) begin(w http.ResponseWriter, r *http.Request, op operation) (call, error) {
	c := call{Request: r, id: w.Header().Get("X-Request-Id")}
	by, ok := principal(r.Context())
	if !ok {
		return c, ErrForbidden
	}
	by.Request = c.id
	by.Reason = r.Header.Get("Usherd-Reason")
	c.by = by
	if err := a.limit(w, by); err != nil {
		return c, err
	}
	if err := a.admit(r, by); err != nil {
		return c, err
	}
	if fault := ReasonFault(by.Reason); fault != "" {
		return c, invalid("the header Usherd-Reason %s", fault)
	}
	if op.match && r.Header.Get("If-Match") == "" {
		return c, errNoVersion
	}
	dry, err := c.flag("dry_run")
	if dry {
		c.Request = r.WithContext(WithDryRun(r.Context()))
	}
	return c, err
}

// A rendered answer is what goes over the wire.
type rendered struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// perform calls a handler and renders what it says.
func (a *API) perform(c call, op operation, f handler) rendered {
	out, err := f(c)
	if err == nil && op.many == whole {
		out.body, err = a.Service.cutList(c, out.body)
	}
	if err != nil {
		return a.failure(c, err)
	}
	if out.raw != nil {
		return rendered{http.StatusOK, out.header, out.raw}
	}
	text, err := json.Marshal(out.body)
	if err != nil {
		return a.failure(c, fmt.Errorf("encoding an answer: %w", err))
	}
	r := rendered{cmp.Or(out.status, http.StatusOK), http.Header{"Content-Type": {"application/json"}}, append(text, '\n')}
	maps.Copy(r.Header, out.header)
	if stamped, ok := out.body.(interface{ stamp() string }); ok {
		r.Header.Set("Usherd-Revision", stamped.stamp())
	}
	if next, ok := out.body.(interface{ next() string }); ok && next.next() != "" {
		r.Header.Set("Link", c.linkTo(next.next()))
	}
	return a.tagged(c, op, out.body, r)
}

// write sends an answer.
func (a *API) write(w http.ResponseWriter, r rendered) {
	maps.Copy(w.Header(), r.Header)
	w.WriteHeader(r.Status)
	if _, err := w.Write(r.Body); err != nil {
		a.Log.Debug("writing an answer", zap.Error(err))
	}
}

// stamp lets the API set the Usherd-Revision header of whatever embeds an
// Outcome.
func (o Outcome) stamp() string { return o.Stamp }

// Register adds the routes of the API to mux.
func (a *API) Register(mux *http.ServeMux) {
	for _, routes := range a.tables() {
		for pattern, f := range routes {
			mux.Handle(pattern, a.serve(pattern, f))
		}
	}
	mux.Handle(anything, a.serve(anything, func(c call) (answer, error) { return answer{}, a.noRoute(mux, c) }))
}

// tables are all routes; a route that routeNeeds does not have is nobody's.
func (a *API) tables() []map[string]handler {
	return []map[string]handler{a.routes(), a.questions(), a.directoryRoutes(), a.catalogueRoutes(), a.lifecycleRoutes(), a.jobRoutes(), a.webhookRoutes(), a.draftRoutes(), a.operatorRoutes()}
}

func (a *API) routes() map[string]handler {
	return map[string]handler{
		"GET /api/v1/sources":                  a.listSources,
		"POST /api/v1/sources":                 a.addSource,
		"POST /api/v1/sources/{source}/state":  a.setSourceState,
		"DELETE /api/v1/sources/{source}":      a.removeSource,
		"GET /api/v1/sources/{source}/log":     a.sourceLog,
		"POST /api/v1/sources/{source}/test":   a.testSource,
		"POST /api/v1/sources/{source}/sync":   a.runSync,
		"POST /api/v1/sources/{source}/plan":   a.planSync,
		"POST /api/v1/sources/{source}/cancel": a.cancelSync,
		"GET /api/v1/sync":                     a.syncStatus,
		"GET /api/v1/holds":                    a.listHolds,
		"GET /api/v1/holds/{source}":           a.showHold,
		"POST /api/v1/holds/{source}/approve":  a.approveHold,
		"POST /api/v1/holds/{source}/discard":  a.discardHold,
		"GET /api/v1/tokens":                   a.listTokens,
		"POST /api/v1/tokens":                  a.createToken,
		"DELETE /api/v1/tokens/{id}":           a.revokeToken,
		"GET /api/v1/groups":                   a.listGroups,
		"GET /api/v1/groups/{group}":           a.showGroup,
		"PUT /api/v1/groups/{group}/status":    a.setGroupStatus,
		"PUT /api/v1/groups/{group}/scope":     a.setGroupScope,
		"POST /api/v1/groups/{group}/grants":   a.grantToGroup,
		"POST /api/v1/groups/{group}/revoke":   a.revokeFromGroup,
		"GET /api/v1/users":                    a.listUsers,
		"GET /api/v1/users/{user}":             a.showUser,
		"PUT /api/v1/users/{user}/block":       a.setBlock,
		"POST /api/v1/users/{user}/grants":     a.grantToUser,
		"POST /api/v1/users/{user}/revoke":     a.revokeFromUser,
		"GET /api/v1/overrides":                a.listOverrides,
		"POST /api/v1/overrides":               a.setOverride,
		"POST /api/v1/overrides/end":           a.endOverride,
		"GET /api/v1/mappings":                 a.listMappings,
		"POST /api/v1/mappings/{name}/confirm": a.confirmMapping,
		"GET /api/v1/policy":                   a.exportPolicy,
		"POST /api/v1/policy/plan":             a.planPolicy,
		"POST /api/v1/explain":                 a.explain,
		"GET /api/v1/users/{user}/permissions": a.permissions,
		"POST /api/v1/policy/test":             a.testPolicy,
		"POST /api/v1/policy/diff":             a.diffPolicy,
		"POST /api/v1/policy/apply":            a.applyPolicy,
		"POST /api/v1/check":                   a.check,
		"GET /api/v1/audit":                    a.listAudit,
		"GET /api/v1/audit/verify":             a.verifyAudit,
		"GET /api/v1/audit/checkpoint":         a.auditCheckpoint,
		"POST /api/v1/audit/reindex":           a.reindexAudit,
	}
}

// anything is the pattern of what no other pattern is for.
const anything = "/api/v1/"

// noRoute tells an unknown path from a known one with another method.
func (a *API) noRoute(mux *http.ServeMux, c call) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := c.Clone(c.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); pattern != anything {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		return &methodError{allowed}
	}
	return notFound("no such operation: %s %s", c.Method, strings.TrimPrefix(c.URL.Path, "/api/v1"))
}
