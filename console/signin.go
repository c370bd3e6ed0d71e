package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// LinkLife is how long a login link can be used.
const LinkLife = 10 * time.Minute

var errLink = errors.New("this link was used, or is older than ten minutes")

// A link lets one user in once. First means that it makes the first owner.
type link struct {
	User  directory.UserID `json:"user,omitempty"`
	First bool             `json:"first,omitempty"`
}

// Link makes an address that signs a user in, once, within [LinkLife]. Whoever
// calls it has made sure that the asker may sign in as that user.
func (c *Console) Link(ctx context.Context, user directory.UserID) (string, error) {
	return c.link(ctx, link{User: user})
}

// FirstLink is [Console.Link] for a deployment without an owner: whoever opens
// it gives a name and becomes the first.
func (c *Console) FirstLink(ctx context.Context) (string, error) {
	return c.link(ctx, link{First: true})
}

func (c *Console) link(ctx context.Context, l link) (string, error) {
	value, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("keeping a login link: %w", err)
	}
	secret := newSecret()
	_, err = c.Keeper.PutKept(ctx, directory.Kept{
		Space: spaceLink, Key: c.hash("link", secret), Value: value, Expires: c.Now().Add(LinkLife),
	})
	if err != nil {
		return "", fmt.Errorf("keeping a login link: %w", err)
	}
	return c.URL() + "/login?code=" + secret, nil
}

// peek returns what a link is for, without using it up.
func (c *Console) peek(ctx context.Context, code string) (l link, err error) {
	kept, err := c.Keeper.Kept(ctx, spaceLink, c.hash("link", code))
	if errors.Is(err, directory.ErrNotFound) || code == "" {
		return l, errLink
	}
	if err != nil {
		return l, fmt.Errorf("looking up a login link: %w", err)
	}
	if err := json.Unmarshal(kept.Value, &l); err != nil || !c.Now().Before(kept.Expires) {
		return l, errLink
	}
	return l, nil
}

// askToSignIn sends whoever is not signed in to the page that says how, and
// back afterwards.
func (c *Console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("HX-Request") != "" {
		w.Header().Set("HX-Redirect", "/login")
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	target := "/login"
	if r.Method == http.MethodGet && r.URL.Path != "/" {
		target += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}

// local is a path of the console out of what a browser sent as the page to go
// on to; else the first page.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n") {
		return "/"
	}
	return next
}

// loginPage asks how to sign in. A link is only used up by the button, since
// mail programs open addresses by themselves.
func (c *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	shown := loginView{Code: r.URL.Query().Get("code"), Next: local(r.URL.Query().Get("next")), OIDC: c.OIDC != nil, Environment: c.Environment}
	if shown.Code != "" {
		l, err := c.peek(r.Context(), shown.Code)
		if err != nil {
			c.fail(w, r, nil, err)
			return
		}
		shown.First = l.First
		if l.User != "" {
			ctx := admin.WithPrincipal(r.Context(), actor(l.User))
			user, err := c.Service.User(ctx, string(l.User))
			if err != nil {
				c.fail(w, r, nil, errLink)
				return
			}
			shown.Name = displayName(user.User)
		}
	}
	c.show(w, r, http.StatusOK, loginTemplate(shown))
}

// useLink signs in by a link.
func (c *Console) useLink(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, nil, errForm)
		return
	}
	code := r.PostForm.Get("code")
	l, err := c.peek(r.Context(), code)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	if l.First && name == "" {
		c.show(w, r, http.StatusUnprocessableEntity, loginTemplate(loginView{
			Code: code, First: true, Problem: "Give the userName under which you want to be known here.", Environment: c.Environment,
		}))
		return
	}
	// Dropping is what one of several that use the link at once succeeds in.
	if err := c.Keeper.DropKept(r.Context(), spaceLink, c.hash("link", code)); err != nil {
		if errors.Is(err, directory.ErrNotFound) {
			err = errLink
		}
		c.fail(w, r, nil, err)
		return
	}
	if l.First {
		if l.User, err = c.FirstOwner(r.Context(), name); err != nil {
			c.fail(w, r, nil, err)
			return
		}
	}
	_, secret, err := c.begin(r, l.User, admin.ViaLink)
	if err != nil {
		c.fail(w, r, nil, err)
		return
	}
	c.giveSession(w, secret)
	http.Redirect(w, r, local(r.PostForm.Get("next")), http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	c.end(r)
	gone := c.cookie(c.cookieName(), "", 0)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// A loginView is what the sign-in page shows.
type loginView struct {
	Code, Name, Next, Problem, Environment string
	First, OIDC                            bool
}
