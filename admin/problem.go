package admin

import (
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
	{ErrStale, http.StatusConflict, "stale", "What was looked at has changed"},
	{ErrLastOwner, http.StatusConflict, "last-owner", "Nobody would own the organization"},
	{ErrForbidden, http.StatusForbidden, "forbidden", "Not allowed"},
	{ErrUnavailable, http.StatusServiceUnavailable, "unavailable", "Not available"},
	{directory.ErrNotFound, http.StatusNotFound, "not-found", "Not found"},
	{directory.ErrExists, http.StatusConflict, "exists", "Already exists"},
	{directory.ErrVersion, http.StatusPreconditionFailed, "changed", "It has changed meanwhile"},
	{directory.ErrInUse, http.StatusConflict, "in-use", "In use"},
	{directory.ErrNotOwner, http.StatusConflict, "not-owner", "Owned by a source"},
	{directory.ErrPaused, http.StatusServiceUnavailable, "paused", "The source is paused"},
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
		return out
	}
	return &Problem{Type: problemBase + "internal", Title: "Internal error", Status: http.StatusInternalServerError}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		a.Log.Error("request failed", zap.String("request_id", w.Header().Get("X-Request-Id")),
			zap.String("method", r.Method), zap.String("action", r.Pattern), zap.Error(err))
	}
	if wrong, ok := errors.AsType[*methodError](err); ok {
		w.Header().Set("Allow", strings.Join(wrong.allowed, ", "))
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	text, err := json.Marshal(p)
	if err == nil {
		_, err = w.Write(append(text, '\n'))
	}
	if err != nil {
		a.Log.Debug("writing a problem", zap.Error(err))
	}
}

// badBody says what is wrong with a body, and keeps what is too large.
func badBody(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return invalid("body: %w", err)
}
