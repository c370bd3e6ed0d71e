package extauthz

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The paths of the HTTP bindings. Behind PathEnvoy stands the path of the
// request that is judged.
const (
	PathEnvoy       = "/v1/ext-authz"
	PathForwardAuth = "/v1/forward-auth"
)

// Handles reports whether a request is one of the bindings'. They are not put on
// a [http.ServeMux]: that would clean the path that is to be judged.
func Handles(r *http.Request) bool {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path == PathForwardAuth || strings.HasPrefix(path, PathEnvoy+"/") || path == PathEnvoy
}

// ServeHTTP answers 200 if the request that a proxy holds may pass, 403 if not,
// 401 if the proxy has no valid token, 503 if there is no decision. The body of
// a request is not read.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := g.settings.Load()
	if s == nil {
		g.answer(w, nil, "http", g.unavailable(errOff))
		return
	}
	token := bearer(r.Header["Authorization"], true)
	if s.TokenHeader != "" {
		token = bearer(r.Header[s.TokenHeader], false)
	}
	by, v := g.admit(token)
	if by == nil {
		g.answer(w, s, "http", v)
		return
	}
	binding, asked, reason := describe(r, s)
	if reason != "" {
		g.answer(w, s, binding, denied(reason))
		return
	}
	g.answer(w, s, binding, g.judge(r.Context(), by, s, &asked))
}

// describe reads what the proxy tells of the request.
func describe(r *http.Request, s *Settings) (binding string, asked request, reason string) {
	if s.Identity.From == FromHeader {
		asked.identity = r.Header[s.Identity.Header]
	}
	if target, ok := strings.CutPrefix(r.RequestURI, PathEnvoy); ok {
		asked.method, asked.host, asked.target = r.Method, r.Host, target
		return "envoy_http", asked, ""
	}
	original, forwarded := headersOf(r.Header, "X-Original-"), headersOf(r.Header, "X-Forwarded-")
	h := forwarded
	switch {
	case len(original.target)+len(original.method) > 0 && len(forwarded.target)+len(forwarded.method) > 0:
		// One of them is not the proxy's.
		return "forward_auth", asked, AmbiguousRequest
	case len(original.target)+len(original.method) > 0:
		h = original
	}
	if len(h.method) != 1 || len(h.target) != 1 || len(h.host) > 1 || s.Table.NamesHosts() && len(h.host) != 1 {
		return "forward_auth", asked, AmbiguousRequest
	}
	asked.method, asked.target = h.method[0], h.target[0]
	if len(h.host) == 1 {
		asked.host = h.host[0]
	}
	return "forward_auth", asked, ""
}

// AmbiguousRequest is the reason if the headers of a proxy don't describe
// exactly one request.
const AmbiguousRequest = "ambiguous_request"

// described are the headers in which proxies tell what they were asked.
type described struct{ method, host, target []string }

func headersOf(h http.Header, prefix string) described {
	return described{method: h[prefix+"Method"], host: h[prefix+"Host"], target: h[prefix+"Uri"]}
}

// answer tells the proxy.
func (g *Gate) answer(w http.ResponseWriter, s *Settings, binding string, v verdict) {
	g.cfg.Observe(binding, v.reason)
	h := w.Header()
	h["Content-Type"] = []string{"text/plain; charset=utf-8"}
	h["Cache-Control"] = []string{"no-store"}
	if v.stamp.Revision > 0 {
		h["Usherd-Revision"] = []string{v.stamp.String()}
	}
	if s != nil && s.Reasons {
		h["Usherd-Reason"] = []string{v.reason}
	}
	switch v.status {
	case http.StatusUnauthorized:
		h["Www-Authenticate"] = []string{`Bearer realm="usherd"`}
	case http.StatusServiceUnavailable:
		h["Retry-After"] = []string{retryAfter(v.retry)}
	}
	if !v.allow && v.status == http.StatusOK {
		v.status = http.StatusForbidden // no bug may turn a deny into an allow
	}
	w.WriteHeader(v.status)
	_, _ = w.Write([]byte(http.StatusText(v.status) + "\n")) // whoever asked may have left
}

func retryAfter(d time.Duration) string {
	return strconv.Itoa(int(max(1, (d+time.Second-1)/time.Second)))
}
