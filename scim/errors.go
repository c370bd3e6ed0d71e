package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/scim/filter"
)

// An Error is a SCIM error response (RFC 7644, section 3.12) together with
// what caused it. Detail is for the client; Err is for the log and is never
// sent.
type Error struct {
	Status   int
	ScimType string // RFC 7644, table 9; often empty
	Detail   string
	Err      error

	location string   // of the resource that stands in the way
	allow    []string // methods, for 405
	retry    int      // seconds, for 429 and 503
}

func (e *Error) Error() string {
	s := fmt.Sprintf("scim: %d %s: %s", e.Status, e.ScimType, e.Detail)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns what caused e.
func (e *Error) Unwrap() error { return e.Err }

func (e *Error) body() map[string]any {
	doc := map[string]any{
		"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"},
		"status":  fmt.Sprint(e.Status), // a string by RFC 7644, section 3.12
		"detail":  e.Detail,
	}
	if e.ScimType != "" {
		doc["scimType"] = e.ScimType
	}
	return doc
}

func fault(status int, scimType, format string, args ...any) *Error {
	return &Error{Status: status, ScimType: scimType, Detail: fmt.Sprintf(format, args...)}
}

func badSyntax(format string, args ...any) error {
	return fault(http.StatusBadRequest, "invalidSyntax", format, args...)
}

func badValue(format string, args ...any) error {
	return fault(http.StatusBadRequest, "invalidValue", format, args...)
}

func badPath(format string, args ...any) error {
	return fault(http.StatusBadRequest, "invalidPath", format, args...)
}

func readOnly(name string) error {
	return fault(http.StatusBadRequest, "mutability", "attribute %q cannot be written", name)
}

func notFound(kind, id string) error {
	return fault(http.StatusNotFound, "", "%s %q not found", kind, clip(id))
}

func tooLarge(format string, args ...any) error {
	return fault(http.StatusRequestEntityTooLarge, "", format, args...)
}

// refusals says how the client is told what the directory, or the way to it,
// refused. The first match counts; what is not here becomes a 500 without
// words.
var refusals = []struct {
	err error
	Error
}{
	{ErrUnauthorized, Error{Status: http.StatusUnauthorized, Detail: "a bearer token of this source is required"}},
	{directory.ErrNotFound, Error{Status: http.StatusNotFound, Detail: "resource not found"}},
	{directory.ErrNotOwner, Error{Status: http.StatusNotFound, Detail: "resource not found"}},
	{directory.ErrExists, Error{Status: http.StatusConflict, ScimType: "uniqueness", Detail: "a unique attribute is taken"}},
	{directory.ErrVersion, Error{Status: http.StatusPreconditionFailed, Detail: "the resource has another version"}},
	{directory.ErrInvalid, Error{Status: http.StatusBadRequest, ScimType: "invalidValue", Detail: "a value is not acceptable"}},
	{directory.ErrInUse, Error{Status: http.StatusConflict, Detail: "the resource is in use"}},
	{directory.ErrPaused, Error{Status: http.StatusServiceUnavailable, Detail: "the source is paused", retry: 60}},
	{directory.ErrFull, Error{Status: http.StatusServiceUnavailable, Detail: "the disk is full: an administrator has to free space", retry: 60}},
	{context.DeadlineExceeded, Error{Status: http.StatusServiceUnavailable, Detail: "the request took too long", retry: 5}},
	{context.Canceled, Error{Status: http.StatusServiceUnavailable, Detail: "the request was given up", retry: 5}},
}

// toError returns err as the client should see it.
func toError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*filter.Error](err); ok {
		return &Error{Status: http.StatusBadRequest, ScimType: "invalidFilter", Detail: e.Detail, Err: err}
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			e := r.Error
			e.Err = err
			return &e
		}
	}
	return &Error{Status: http.StatusInternalServerError, Detail: "internal error", Err: err}
}
