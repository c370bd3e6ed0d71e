package console

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// Config is what a [Console] is made of. All fields but Environment, OIDC, Revision,
// Machine, NextRuns, CheckMinutes and Now are required.
type Config struct {
	Service *admin.Service
	Keeper  directory.Keeper // sessions, login links, preferences
	Key     []byte           // at least 32 bytes: keys the hashes of what is secret
	URL     func() string    // where browsers reach the console, without a slash at the end
	Log     *zap.Logger

	// Environment is a label shown on every page, e.g. "staging".
	Environment string
	// OIDC lets people sign in with an identity provider. Nil means that only
	// login links do.
	OIDC *OIDC
	// FirstOwner makes a local user of that userName who owns the organization,
	// if nobody does, for whoever opens the first link. Required.
	FirstOwner func(ctx context.Context, userName string) (directory.UserID, error)
	// Revision returns the newest revision that is answered by; pages use it to
	// say that something changed. Nil means never.
	Revision func() directory.Revision
	// Machine tells of the daemon. Nil leaves that out of the pages.
	Machine Machine
	// NextRuns tells when a source is read. Nil leaves that out.
	NextRuns NextRuns
	// CheckMinutes tells of the checks of the last hour. Nil leaves that out.
	CheckMinutes CheckMinutes
	Now          func() time.Time // default time.Now
}

// A Console serves the pages.
type Console struct {
	Config
	mux    *http.ServeMux
	assets http.Handler
}

//go:embed static
var static embed.FS

// New returns a Console. It reports every fault of the configuration.
func New(c Config) (*Console, error) {
	var errs []error
	if c.Service == nil {
		errs = append(errs, errors.New("missing Service"))
	}
	if c.Keeper == nil {
		errs = append(errs, errors.New("missing Keeper"))
	}
	if len(c.Key) < 32 {
		errs = append(errs, errors.New("key of less than 32 bytes"))
	}
	if c.URL == nil {
		errs = append(errs, errors.New("missing URL"))
	}
	if c.FirstOwner == nil {
		errs = append(errs, errors.New("missing FirstOwner"))
	}
	if c.Log == nil {
		errs = append(errs, errors.New("missing Log"))
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("console: %w", errors.Join(errs...))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	files, err := fs.Sub(static, "static")
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	con := &Console{Config: c, mux: http.NewServeMux(), assets: http.FileServerFS(files)}
	con.routes()
	return con, nil
}

// Handler serves all pages. It sets the security headers and refuses writes
// that another site's page asked for.
func (c *Console) Handler() http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, nil, errCrossOrigin)
	}))
	return c.secure(guard.Handler(c.mux))
}

// A request is one request of a signed-in user on its way through a page.
type request struct {
	*http.Request
	w      http.ResponseWriter
	viewer *Viewer
	by     directory.Actor
}

// A page fills what is shown, or returns nil if it answered by itself.
type page func(request) (templ.Component, error)

// page registers a page for signed-in users.
func (c *Console) page(pattern string, f page) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		viewer, err := c.viewer(r)
		if errors.Is(err, errNoSession) {
			c.askToSignIn(w, r)
			return
		}
		if err != nil {
			c.fail(w, r, nil, err)
			return
		}
		by := actor(viewer.ID)
		by.Request, by.Address = w.Header().Get("X-Request-Id"), directory.AddressOf(r.RemoteAddr)
		r = r.WithContext(admin.WithPrincipal(r.Context(), by))
		req := request{Request: r, w: w, viewer: viewer, by: by}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				c.fail(w, r, viewer, errForm)
				return
			}
		}
		shown, err := f(req)
		if err != nil {
			c.fail(w, r, viewer, err)
			return
		}
		if shown != nil {
			c.show(w, r, http.StatusOK, shown)
		}
	})
}

// maxForm is the most that a form may send, in bytes.
const maxForm = 1 << 20

// show renders a page whole before it is sent, so that one that can't be
// rendered is an error and no half page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	var body strings.Builder
	if err := page.Render(r.Context(), &body); err != nil {
		if !errors.Is(err, context.Canceled) {
			c.Log.Error("rendering a page", zap.String("action", r.Pattern), zap.Error(err))
		}
		http.Error(w, "This page can't be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if _, err := w.Write([]byte(body.String())); err != nil {
		c.Log.Debug("writing a page", zap.Error(err))
	}
}

// redirect sends a browser to a path of the console after a form was done, with
// a passing notice.
func (c *Console) redirect(req request, path, notice string) (templ.Component, error) {
	if notice != "" {
		c.setNotice(req.w, notice)
	}
	http.Redirect(req.w, req.Request, path, http.StatusSeeOther)
	return nil, nil
}

// asset serves scripts and styles. Their names carry no version, so browsers
// ask each time whether they changed.
func (c *Console) asset(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.StripPrefix("/static/", c.assets).ServeHTTP(w, r)
}
