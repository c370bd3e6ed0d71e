package admin

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// problemBase begins the type of every problem; the rest is stable.
const problemBase = "https://usherd.dev/problems/"

// A Problem is an error as the API answers it (RFC 9457).
type Problem struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Faults []Fault `json:"errors,omitempty"`
}

// Error is the detail, for people.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// Code is the last part of the type: "policy-invalid".
func (p *Problem) Code() string {
	if len(p.Type) <= len(problemBase) {
		return ""
	}
	return p.Type[len(problemBase):]
}

// problems turns errors into problems; the first that matches counts.
var problems = []struct {
	err    error
	status int
	code   string
	title  string
}{
	{ErrPolicy, http.StatusUnprocessableEntity, "policy-invalid", "The policy is not valid"},
	{ErrTests, http.StatusUnprocessableEntity, "policy-tests-fail", "Tests of the policy fail"},
	{ErrAssertions, http.StatusUnprocessableEntity, "assertions-fail", "Assertions of the draft fail"},
	{ErrStale, http.StatusConflict, "stale", "What was looked at has changed"},
	{ErrUnconfirmed, http.StatusConflict, "unconfirmed", "It gives people something"},
	{ErrLastOwner, http.StatusConflict, "last-owner", "Nobody would own the organization"},
	{errIrreversible, http.StatusConflict, "irreversible", "It can't be reverted"},
	{errNoVersion, http.StatusPreconditionRequired, "version-required", "Say which version you saw"},
	{errKeyReused, http.StatusUnprocessableEntity, "idempotency-key-reused", "The key was used for another request"},
	{errInFlight, http.StatusConflict, "in-flight", "The same request is being performed"},
	{errTooMany, http.StatusTooManyRequests, "too-many-requests", "Too many requests"},
	{ErrForbidden, http.StatusForbidden, "forbidden", "Not allowed"},
	{ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "Not available"},
	{directory.ErrNotFound, http.StatusNotFound, "not-found", "Not found"},
	{directory.ErrExists, http.StatusConflict, "exists", "Already exists"},
	{directory.ErrVersion, http.StatusPreconditionFailed, "changed", "It has changed meanwhile"},
	{directory.ErrInUse, http.StatusConflict, "in-use", "In use"},
	{directory.ErrNotOwner, http.StatusConflict, "not-owner", "Owned by a source"},
	{directory.ErrPaused, http.StatusServiceUnavailable, "paused", "The source is paused"},
	{directory.ErrFull, http.StatusInsufficientStorage, "disk-full", "The disk is full"},
	{directory.ErrFenced, http.StatusServiceUnavailable, "fenced", "Another replica took over"},
	{directory.ErrHistoryExpired, http.StatusGone, "history-expired", "History has expired"},
	{directory.ErrHistoryLost, http.StatusConflict, "revision-lost", "The revision belongs to another history"},
	{directory.ErrInvalid, http.StatusBadRequest, "invalid", "Not valid"},
}

// A methodError says that a path has other methods.
type methodError struct{ allowed []string }

func (e *methodError) Error() string { return "use " + strings.Join(e.allowed, ", ") }

// ProblemOf turns an error into what is said of it. An unknown error is 500 and
// no words.
func ProblemOf(err error) *Problem {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &Problem{problemBase + "too-large", "Too large", http.StatusRequestEntityTooLarge, "the body is larger than 8 MiB", nil}
	}
	if wrong, ok := errors.AsType[*methodError](err); ok {
		return &Problem{problemBase + "method", "Method not allowed", http.StatusMethodNotAllowed, wrong.Error(), nil}
	}
	for _, p := range problems {
		if !errors.Is(err, p.err) {
			continue
		}
		out := &Problem{Type: problemBase + p.code, Title: p.title, Status: p.status, Detail: err.Error()}
		if faults, ok := errors.AsType[*FaultsError](err); ok {
			out.Faults = faults.Faults
		}
		if spot, ok := errors.AsType[*spotError](err); ok {
			out.Faults = []Fault{spot.fault}
		}
		return out
	}
	return &Problem{Type: problemBase + "internal", Title: "Internal error", Status: http.StatusInternalServerError}
}

// failure renders the problem that an error is.
func (a *API) failure(c call, err error) rendered {
	p := ProblemOf(err)
	if p.Status >= http.StatusInternalServerError && a.Log != nil {
		a.Log.Error("request failed", zap.String("request_id", c.id), zap.String("method", c.Method), zap.String("action", c.Pattern), zap.Error(err))
	}
	r := rendered{Status: p.Status, Header: http.Header{"Content-Type": {"application/problem+json"}}}
	if wrong, ok := errors.AsType[*methodError](err); ok {
		r.Header.Set("Allow", strings.Join(wrong.allowed, ", "))
	}
	switch p.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		r.Header.Set("Retry-After", "1")
	}
	text, err := json.Marshal(p)
	if err != nil { // it is plain text
		return rendered{Status: http.StatusInternalServerError}
	}
	r.Body = append(text, '\n')
	return r
}

// badBody says what is wrong with a body, and keeps what is too large.
func badBody(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	pointer := ""
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		for part := range strings.SplitSeq(wrong.Field, ".") {
			if part != "" && (part[0] < 'A' || part[0] > 'Z') { // not the name of an embedded type
				pointer += "/" + part
			}
		}
		return invalidAt(pointer, "body: %s must not be a JSON %s", cmp.Or(strings.TrimPrefix(pointer, "/"), "it"), wrong.Value)
	}
	if _, name, ok := strings.Cut(err.Error(), `json: unknown field "`); ok {
		pointer = "/" + strings.TrimSuffix(name, `"`)
	}
	return invalidAt(pointer, "body: %w", err)
}

// A spotError is an invalid request, with the place of what is wrong.
type spotError struct {
	fault Fault
	err   error
}

func (e *spotError) Error() string { return e.err.Error() }
func (e *spotError) Unwrap() error { return e.err }

// invalidAt is invalid with the JSON pointer of what is wrong in the body.
func invalidAt(pointer, format string, args ...any) error {
	err := invalid(format, args...)
	return &spotError{Fault{Pointer: new(pointer), Detail: strings.TrimPrefix(err.Error(), directory.ErrInvalid.Error()+": ")}, err}
}

// badParameter is invalid for a parameter of the query.
func badParameter(name, format string, args ...any) error {
	err := invalid(name+" "+format, args...)
	return &spotError{Fault{Parameter: name, Detail: strings.TrimPrefix(err.Error(), directory.ErrInvalid.Error()+": ")}, err}
}
