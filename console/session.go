package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
)

// How long a session lasts, and how long without a request.
const (
	sessionLife = 8 * time.Hour
	sessionIdle = 30 * time.Minute
	sessionNote = time.Minute // how often it is noted that it is used
)

// The spaces of kept records.
const (
	spaceSession = admin.SessionSpace
	spaceLink    = "console-link"
)

var (
	errNoSession   = errors.New("nobody is signed in")
	errCrossOrigin = errors.New("another site's page asked for this")
	errForm        = errors.New("the form can't be read")
	errNoPage      = fmt.Errorf("there is no such page: %w", directory.ErrNotFound)
)

// A session is kept under the hash of its secret.
type session = admin.Session

// newSecret makes 32 random bytes in a form for cookies and links.
func newSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// hash is what is kept of a secret. The use keeps a link from serving as a
// cookie.
func (c *Console) hash(use, secret string) string {
	mac := hmac.New(sha256.New, c.Key)
	mac.Write([]byte(use + "\x00" + secret))
	return hex.EncodeToString(mac.Sum(nil))
}

// secureCookies says whether browsers reach the console by HTTPS. Without it,
// on loopback, they would not send back a cookie that asks for it.
func (c *Console) secureCookies() bool { return strings.HasPrefix(c.URL(), "https://") }

func (c *Console) cookieName() string {
	if c.secureCookies() {
		return "__Host-usherd"
	}
	return "usherd"
}

func (c *Console) cookie(name, value string, life time.Duration) *http.Cookie {
	return &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life.Seconds()), HttpOnly: true,
		Secure: c.secureCookies(), SameSite: http.SameSiteLaxMode,
	}
}

// begin signs a user in: it keeps a session under key, which [Console.giveSession]
// gives to the browser. That gets a new secret, whatever it held before.
func (c *Console) begin(r *http.Request, user directory.UserID, via string) (key, secret string, err error) {
	c.end(r)
	now := c.Now()
	value, err := json.Marshal(session{User: user, Via: via, Begun: now, Seen: now})
	if err != nil {
		return "", "", fmt.Errorf("keeping a session: %w", err)
	}
	secret = newSecret()
	key = c.hash("session", secret)
	if _, err := c.Keeper.PutKept(r.Context(), directory.Kept{Space: spaceSession, Key: key, Value: value, Expires: now.Add(sessionIdle)}); err != nil {
		return "", "", fmt.Errorf("keeping a session: %w", err)
	}
	return key, secret, nil
}

func (c *Console) giveSession(w http.ResponseWriter, secret string) {
	http.SetCookie(w, c.cookie(c.cookieName(), secret, sessionLife))
}

// end forgets the session of a request, if it has one.
func (c *Console) end(r *http.Request) {
	if held, err := r.Cookie(c.cookieName()); err == nil {
		// What can't be forgotten now ends by itself.
		_ = c.Keeper.DropKept(r.Context(), spaceSession, c.hash("session", held.Value))
	}
}

// current returns the session of a request, or errNoSession.
func (c *Console) current(r *http.Request) (session, error) {
	held, err := r.Cookie(c.cookieName())
	if err != nil || len(held.Value) > 100 {
		return session{}, errNoSession
	}
	kept, err := c.Keeper.Kept(r.Context(), spaceSession, c.hash("session", held.Value))
	if errors.Is(err, directory.ErrNotFound) {
		return session{}, errNoSession
	}
	if err != nil {
		return session{}, fmt.Errorf("looking up a session: %w", err)
	}
	var s session
	if err := json.Unmarshal(kept.Value, &s); err != nil {
		return session{}, errNoSession
	}
	now := c.Now()
	if !now.Before(kept.Expires) || now.After(s.Begun.Add(sessionLife)) {
		return session{}, errNoSession
	}
	if now.Sub(s.Seen) > sessionNote {
		c.note(r.Context(), kept, s, now)
	}
	return s, nil
}

// note keeps that a session is used, so that it does not end.
func (c *Console) note(ctx context.Context, kept directory.Kept, s session, now time.Time) {
	s.Seen = now
	value, err := json.Marshal(s)
	if err != nil {
		return
	}
	kept.Value, kept.Expires = value, now.Add(sessionIdle)
	if end := s.Begun.Add(sessionLife); kept.Expires.After(end) {
		kept.Expires = end
	}
	// Another request may have noted it, or the user may have signed out.
	_, _ = c.Keeper.PutKept(ctx, kept)
}
