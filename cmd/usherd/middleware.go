package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

var requestIDForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// withRequestID gives every answer a request id: the asker's, or a new one.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if !requestIDForm.MatchString(id) {
			id = directory.NewID()
		}
		w.Header().Set("X-Request-Id", id)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into a 500, so that one request ends and no more.
func recovered(log *zap.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.Error("handler panicked", zap.String("action", r.Pattern), zap.Any("panic", p), zap.Stack("stack"))
			writeProblem(w, &admin.Problem{Title: "Internal error", Status: http.StatusInternalServerError})
		}()
		next.ServeHTTP(w, r)
	})
}

// logged writes one line about each request of the administration API.
func logged(log *zap.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		sw := &statusWriter{ResponseWriter: w, code: http.StatusOK}
		next.ServeHTTP(sw, r)
		write := log.Info
		if r.Method == http.MethodGet || strings.HasSuffix(r.Pattern, "/check") || strings.HasSuffix(r.Pattern, "/explain") {
			write = log.Debug // it altered nothing
		}
		write("request", zap.String("request_id", w.Header().Get("X-Request-Id")), zap.String("method", r.Method),
			zap.String("action", r.Pattern), zap.Int("code", sw.code), zap.Float64("duration_ms", float64(time.Since(begun).Microseconds())/1000))
	})
}

type statusWriter struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (w *statusWriter) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

// adminOnly lets holders of an admin token in. It looks at nothing but the
// token before it knows who asks.
func (k *keyring) adminOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tok, _, err := k.find(bearerOf(r))
		switch {
		case errors.Is(err, errBadToken):
			w.Header().Set("WWW-Authenticate", `Bearer realm="usherd"`)
			writeProblem(w, &admin.Problem{Title: "An admin token is needed", Status: http.StatusUnauthorized})
			return
		case err != nil:
			w.Header().Set("Retry-After", "1")
			writeProblem(w, &admin.Problem{Title: "Tokens can't be checked now", Status: http.StatusServiceUnavailable})
			return
		case tok.Kind != directory.TokenAdmin:
			writeProblem(w, &admin.Problem{Title: "An admin token is needed", Detail: "an admin token is needed; this is a " + string(tok.Kind) + " token", Status: http.StatusForbidden})
			return
		}
		by := directory.Actor{Kind: "admin", Name: tok.Name, Token: tok.ID, Address: directory.AddressOf(r.RemoteAddr)}
		next.ServeHTTP(w, r.WithContext(admin.WithPrincipal(r.Context(), by)))
	})
}

// asLocalAdministrator is for whoever reaches the socket: the owner of the
// daemon.
func asLocalAdministrator(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		by := directory.Actor{Kind: "socket", Name: "local"}
		next.ServeHTTP(w, r.WithContext(admin.WithPrincipal(r.Context(), by)))
	})
}

// bearerOf takes the token from the one Authorization header (RFC 6750, section
// 2.1); empty if there is none.
func bearerOf(r *http.Request) string {
	all := r.Header.Values("Authorization")
	if len(all) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(all[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func writeProblem(w http.ResponseWriter, p *admin.Problem) {
	if p.Type == "" {
		p.Type = "about:blank"
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	if text, err := json.Marshal(p); err == nil {
		_, _ = w.Write(append(text, '\n')) // whoever asked may have left
	}
}
