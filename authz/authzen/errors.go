package authzen

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/usherd/usherd/directory"
)

// What an [Authenticator] says.
var (
	// ErrUnauthenticated: no credentials, or not valid ones.
	ErrUnauthenticated = errors.New("credentials are missing or not valid")
	// ErrForbidden: valid credentials, which do not allow to ask this.
	ErrForbidden = errors.New("the token does not allow to ask this")
)

// A failure is an error as the client sees it. Its text is all that the client
// gets to know.
type failure struct {
	status int
	text   string
	retry  time.Duration // when to try again; 0 says nothing
}

// The failures of HTTP itself.
var (
	errMethod   = &failure{status: http.StatusMethodNotAllowed, text: "the method is not allowed here"}
	errType     = &failure{status: http.StatusUnsupportedMediaType, text: "the content type must be application/json"}
	errEncoding = &failure{status: http.StatusUnsupportedMediaType, text: "the body must not be encoded"}
	errTooLarge = &failure{status: http.StatusRequestEntityTooLarge, text: "the body is too large"}
	errBody     = &failure{status: http.StatusBadRequest, text: "the body could not be read"}
)

func (f *failure) Error() string { return f.text }

// failures says how the client is told why there is no answer.
var failures = []struct {
	err error
	failure
}{
	{ErrUnauthenticated, failure{status: http.StatusUnauthorized, text: ErrUnauthenticated.Error()}},
	{ErrForbidden, failure{status: http.StatusForbidden, text: ErrForbidden.Error()}},
	{directory.ErrHistoryLost, failure{status: http.StatusConflict, text: "revision_lost"}},
	{errNotUTF8, failure{status: http.StatusBadRequest, text: errNotUTF8.Error()}},
}

// toFailure returns err as the client should see it. Anything that is not
// known to be the client's concern becomes a plain 500: never a decision.
func toFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if r, ok := errors.AsType[refusal](err); ok {
		return &failure{status: http.StatusBadRequest, text: string(r)}
	}
	if s, ok := errors.AsType[*syntaxError](err); ok {
		return &failure{status: http.StatusBadRequest, text: "the body is not valid JSON: " + s.Error()}
	}
	for i := range failures {
		if errors.Is(err, failures[i].err) {
			return &failures[i].failure
		}
	}
	if again, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		return &failure{status: http.StatusServiceUnavailable, text: "there is no answer now", retry: again.RetryAfter()}
	}
	return &failure{status: http.StatusInternalServerError, text: "there is no answer"}
}

// retryAfter is the value of the header: whole seconds, at least one.
func (f *failure) retryAfter() string {
	return strconv.Itoa(int(max(1, (f.retry+time.Second-1)/time.Second)))
}
