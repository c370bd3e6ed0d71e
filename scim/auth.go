package scim

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/usherd/usherd/directory"
)

// ErrUnauthorized is what an Authenticator wraps when a token is not one of
// the source's, whether or not that source exists.
var ErrUnauthorized = errors.New("unauthorized")

// A Caller is who a token stands for.
type Caller struct {
	Source directory.Source
	Token  string // id of the token, never its secret
}

// An Authenticator knows the tokens of the sources. It compares in constant
// time, and it answers for an unknown source as for a wrong token, with an
// error that wraps ErrUnauthorized. Any other error is a 503: no answer is
// never a yes.
type Authenticator interface {
	Authenticate(ctx context.Context, source directory.SourceName, bearer string) (Caller, error)
}

// authenticate tells who asks, before anything else of the request is looked
// at.
func (h *Handler) authenticate(r *http.Request, source string) (Caller, error) {
	token, ok := bearer(r.Header)
	if !ok || source == "" {
		return Caller{}, ErrUnauthorized
	}
	who, err := h.auth.Authenticate(r.Context(), directory.SourceName(source), token)
	switch {
	case errors.Is(err, ErrUnauthorized):
		return Caller{}, err
	case err != nil:
		return Caller{}, &Error{Status: http.StatusServiceUnavailable, Detail: "credentials cannot be checked now", Err: err, retry: 5}
	case who.Source.Name != directory.SourceName(source) || who.Source.Kind != directory.KindSCIM:
		return Caller{}, ErrUnauthorized
	}
	return who, nil
}

// bearer takes the token from the one Authorization header (RFC 6750, section
// 2.1). Queries, cookies and bodies are not looked at.
func bearer(h http.Header) (string, bool) {
	all := h.Values("Authorization")
	if len(all) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(all[0], " ")
	token = strings.TrimLeft(token, " ")
	return token, ok && foldEqual(scheme, "Bearer") && token != "" && !strings.ContainsAny(token, " \t,")
}

// accept refuses callers whose source takes nothing now.
func accept(who Caller) error {
	switch who.Source.State {
	case directory.SourcePaused:
		return directory.ErrPaused
	case directory.SourceRemoved:
		return ErrUnauthorized
	case directory.SourceActive, directory.SourceDisabled:
	}
	return nil
}
