package extauthz

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/directory"
)

// ForbiddenToken is the reason if the proxy's token does not allow to ask.
const ForbiddenToken = "forbidden_token"

// Timeout bounds one check.
const Timeout = time.Second

// A Config says what a [Gate] works with.
type Config struct {
	Evaluator authzen.Evaluator // required

	// Caller returns whom a check token stands for. Required. The error is as
	// for [authzen.Authenticator].
	Caller func(token string) (*authzen.Caller, error)

	// Ready reports whether there is a view to answer from, for health checks.
	// Default always.
	Ready func() bool

	// Record is told of every decision, as in [authzen.Config]. May be nil.
	Record func(ctx context.Context, by *authzen.Caller, q *authzen.Query, a *authzen.Answer, p authzen.Point)
	// Observe counts answers by their reason code. May be nil.
	Observe func(binding, reason string)
	// Log is told why there was no answer. Default none.
	Log *zap.Logger
}

// Settings are what an operator may change while the gate works.
type Settings struct {
	Table    *Table
	Identity Identity

	// TokenHeader is the header in which a proxy shows its token over HTTP, for
	// those that can't set Authorization. Empty means Authorization.
	TokenHeader string
	// Reasons adds the header usherd-reason to answers.
	Reasons bool
}

// A Gate judges requests for proxies.
type Gate struct {
	cfg      Config
	settings atomic.Pointer[Settings]
}

// New checks cfg and returns a gate that lets nothing pass until [Gate.Use].
func New(cfg Config) (*Gate, error) {
	if cfg.Evaluator == nil || cfg.Caller == nil {
		return nil, errors.New("extauthz: Evaluator and Caller are required")
	}
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Ready == nil {
		cfg.Ready = func() bool { return true }
	}
	if cfg.Observe == nil {
		cfg.Observe = func(string, string) {}
	}
	return &Gate{cfg: cfg}, nil
}

// Use judges requests by s from now on. The error joins the faults of s.
func (g *Gate) Use(s Settings) error {
	if faults := s.Faults(); len(faults) > 0 {
		return errors.New("extauthz: " + faults[0].Field + ": " + faults[0].Msg)
	}
	s.Identity.Header = http.CanonicalHeaderKey(s.Identity.Header)
	s.TokenHeader = http.CanonicalHeaderKey(s.TokenHeader)
	g.settings.Store(&s)
	return nil
}

// Off lets nothing pass any more.
func (g *Gate) Off() { g.settings.Store(nil) }

// On reports whether proxies get answers.
func (g *Gate) On() bool { return g.settings.Load() != nil }

// Faults lists what is wrong with s, apart from its table. Fields are identity
// and token_header.
func (s *Settings) Faults() []Fault {
	var faults []Fault
	if msg := s.Identity.wrong(); msg != "" {
		faults = append(faults, Fault{-1, "identity", msg, ""})
	}
	switch header := http.CanonicalHeaderKey(s.TokenHeader); {
	case header == "":
	case !usableHeader(header):
		faults = append(faults, Fault{-1, "token_header", fmt.Sprintf("%q can't be a header of its own", s.TokenHeader), ""})
	case s.Identity.From == FromHeader && http.CanonicalHeaderKey(s.Identity.Header) == header:
		faults = append(faults, Fault{-1, "token_header", "the same as the identity's", ""})
	}
	return faults
}

// errOff says that no table is configured.
var errOff = errors.New("extauthz: nothing is configured")

// A request is what a proxy tells of the request that it holds.
type request struct {
	method, host, target string
	identity             []string // the values where the identity should be
}

// A verdict is what the proxy is told. The zero verdict denies.
type verdict struct {
	allow  bool
	reason string
	status int // of HTTP
	stamp  directory.Stamp
	retry  time.Duration
}

func denied(reason string) verdict { return verdict{reason: reason, status: http.StatusForbidden} }

// admit returns whom a token stands for, or the verdict without looking at
// anything else.
func (g *Gate) admit(token string) (*authzen.Caller, verdict) {
	by, err := g.cfg.Caller(token)
	switch {
	case errors.Is(err, authzen.ErrUnauthenticated):
		return nil, verdict{reason: "unauthenticated", status: http.StatusUnauthorized}
	case err != nil:
		return nil, g.unavailable(err)
	case !by.Has(authzen.ScopeEvaluate):
		return nil, denied(ForbiddenToken)
	}
	return by, verdict{status: http.StatusOK}
}

// unavailable is the verdict if there is no decision.
func (g *Gate) unavailable(err error) verdict {
	v := verdict{reason: "unavailable", status: http.StatusServiceUnavailable, retry: time.Second}
	if again, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		v.retry = again.RetryAfter()
	}
	g.cfg.Log.Warn("a proxy gets no decision", zap.Error(err))
	return v
}

// judge decides about one request of a caller.
func (g *Gate) judge(ctx context.Context, by *authzen.Caller, s *Settings, r *request) verdict {
	question, reason := s.Table.Find(r.method, r.host, r.target)
	if reason != "" {
		return denied(reason)
	}
	id, reason := s.Identity.subject(r.identity)
	if reason != "" {
		return denied(reason)
	}
	if !by.MayAsk(question.Type, question.ID) {
		return denied(ForbiddenToken)
	}
	question.SubjectType = s.Identity.Type
	return g.decide(ctx, by, id, question)
}

// decide asks.
func (g *Gate) decide(ctx context.Context, by *authzen.Caller, id string, question authz.Request) verdict {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	queries := []authzen.Query{{Subject: authzen.SubjectKey(question.SubjectType, id), Request: question}}
	answers := make([]authzen.Answer, 1)
	point, err := g.cfg.Evaluator.Evaluate(ctx, directory.Stamp{}, queries, answers)
	if err = errors.Join(err, answers[0].Err); err != nil {
		return g.unavailable(err)
	}
	if g.cfg.Record != nil {
		g.cfg.Record(ctx, by, &queries[0], &answers[0], point)
	}
	v := denied(answers[0].Decision.Code.String())
	v.stamp = point.Stamp
	if answers[0].Decision.Allow {
		v.allow, v.status = true, http.StatusOK
	}
	return v
}

// bearer takes the token from the values of an Authorization header or of the
// configured one; empty if there is not exactly one.
func bearer(values []string, scheme bool) string {
	if len(values) != 1 {
		return ""
	}
	text := values[0]
	if kind, token, ok := strings.Cut(text, " "); ok && strings.EqualFold(kind, "Bearer") {
		return strings.TrimSpace(token)
	} else if scheme {
		return ""
	}
	return strings.TrimSpace(text)
}
