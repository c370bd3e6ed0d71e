package console_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/store"
	"github.com/usherd/usherd/webhook"
	"go.uber.org/zap"
)

// root is who sets a house up.
var root = directory.Actor{Kind: directory.ActorSocket, Name: "test"}

// A house is a console over a store of its own, in one process like the daemon.
type house struct {
	*admin.Service
	t       testing.TB
	store   *store.Store
	cache   *cache.Cache[*authz.Snapshot]
	console *console.Console
	url     string
}

// newHouse starts an empty house.
func newHouse(t testing.TB) *house {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{DSN: filepath.Join(t.TempDir(), "usherd.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must(t, st.Close()) })
	h := &house{t: t, store: st}
	h.follow()
	key := bytes.Repeat([]byte{7}, 32)
	h.Service, err = admin.New(admin.Config{
		Store: visible{st, h.cache}, TokenKey: key, PDP: decider{h.cache}, BaseURL: func() string { return h.url },
		Webhooks: &webhook.Book{Keeper: st, Key: bytes.Repeat([]byte{9}, 32), Client: &webhook.Client{}},
	})
	must(t, err)
	h.console, err = console.New(console.Config{
		Service: h.Service, Keeper: st, Key: key, URL: func() string { return h.url }, Log: zap.NewNop(),
		FirstOwner: h.firstOwner, Revision: h.revision,
	})
	must(t, err)
	h.runJobs()
	server := httptest.NewServer(h.console.Handler())
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// follow starts the cache that answers.
func (h *house) follow() {
	c, err := cache.New(cache.Config[*authz.Snapshot]{
		History: h.store,
		Build:   func(f directory.Facts) (*authz.Snapshot, error) { return authz.Compile(f), nil },
		Update:  func(s *authz.Snapshot, st directory.Stretch) (*authz.Snapshot, error) { return s.Update(st), nil },
	})
	must(h.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Run(ctx) }()
	h.t.Cleanup(func() { cancel(); <-done })
	_, err = c.Wait(h.t.Context(), directory.Stamp{})
	must(h.t, err)
	h.cache = c
}

// runJobs runs jobs until the test ends.
func (h *house) runJobs() {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { h.RunJobs(ctx, func(err error) { h.t.Error(err) }) })
	h.t.Cleanup(func() { cancel(); done.Wait() })
}

func (h *house) revision() directory.Revision {
	view, err := h.cache.View()
	if err != nil {
		return 0
	}
	return view.Stamp.Revision
}

func (h *house) firstOwner(ctx context.Context, name string) (directory.UserID, error) {
	id := directory.UserID(directory.NewID())
	_, err := visible{h.store, h.cache}.Apply(ctx, root,
		directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, DisplayName: name, Active: true}},
		directory.PutGrant{Grant: directory.Grant{User: id, Role: directory.RoleOwner, Origin: directory.ByHand, By: "test"}},
	)
	return id, err
}

// visible is a store whose Apply returns when the cache answers by it.
type visible struct {
	*store.Store
	cache *cache.Cache[*authz.Snapshot]
}

// Apply implements [directory.Writer].
func (v visible) Apply(ctx context.Context, by directory.Actor, changes ...directory.Change) (directory.Applied, error) {
	done, err := v.Store.Apply(ctx, by, changes...)
	if err == nil {
		_, err = v.cache.Wait(ctx, done.Stamp)
	}
	return done, err
}

// decider answers from the cache's view.
type decider struct{ *cache.Cache[*authz.Snapshot] }

// Look implements [admin.Decider].
func (d decider) Look(ctx context.Context, key directory.SubjectKey) (admin.Look, error) {
	view, err := d.View()
	if err != nil {
		return admin.Look{}, err
	}
	sub := &directory.Subject{}
	if key != (directory.SubjectKey{}) {
		if sub, _, err = d.Subject(ctx, view, key); err != nil {
			return admin.Look{}, err
		}
	}
	return admin.Look{Snapshot: view.Snapshot, Subject: sub, Stamp: view.Stamp}, nil
}

// Held implements [admin.Mirror].
func (d decider) Held(key directory.SubjectKey) (*directory.Subject, error) {
	view, err := d.View()
	if err != nil {
		return nil, err
	}
	return d.Cache.Held(view, key), nil
}

// Forget implements [admin.Mirror].
func (d decider) Forget(key directory.SubjectKey) error {
	view, err := d.View()
	if err == nil {
		d.Cache.Forget(view, key)
	}
	return err
}

// apply performs changes that must succeed.
func (h *house) apply(changes ...directory.Change) {
	h.t.Helper()
	if _, err := (visible{h.store, h.cache}).Apply(h.t.Context(), root, changes...); err != nil {
		h.t.Fatalf("Apply(%T…) = %v", changes[0], err)
	}
}

// user makes an active local user with own Roles.
func (h *house) user(name string, roles ...directory.RoleName) directory.UserID {
	h.t.Helper()
	id := directory.UserID(directory.NewID())
	h.apply(directory.CreateUser{ID: id, Source: directory.Local, Profile: directory.Profile{UserName: name, DisplayName: name, Active: true}})
	for _, role := range roles {
		h.apply(directory.PutGrant{Grant: directory.Grant{User: id, Role: role, Origin: directory.ByHand, By: "test"}})
	}
	return id
}

// policy applies a policy file that must be valid.
func (h *house) policy(text string) {
	h.t.Helper()
	if _, err := h.ApplyPolicy(h.t.Context(), root, admin.PolicyFile{Name: "policy.yaml", Text: "apiVersion: usherd/v1\n" + text}); err != nil {
		h.t.Fatalf("ApplyPolicy = %v", err)
	}
}

// signedIn is an HTTP client of a user who used a login link. It follows no
// redirect.
func (h *house) signedIn(user directory.UserID) *http.Client {
	h.t.Helper()
	link, err := h.console.Link(h.t.Context(), user)
	must(h.t, err)
	at, err := url.Parse(link)
	must(h.t, err)
	jar := newJar(h.t)
	client := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.PostForm(h.url+"/login", url.Values{"code": {at.Query().Get("code")}})
	must(h.t, err)
	must(h.t, res.Body.Close())
	if res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("using a login link: status %d", res.StatusCode)
	}
	return client
}

// limit is how long a test waits for what must come: long, since machines that
// build for others are slow, and only a failing test waits that long.
const limit = 3 * time.Minute

// A browser is a window of the one Chromium of this package, with cookies and
// storage of its own, at desk width. Its methods fail the test if they do not
// succeed within the limit.
type browser struct {
	t   testing.TB
	ctx context.Context
	url string
}

// chromium starts the browser that all tests share; TestMain ends it.
var chromium = sync.OnceValues(func() (context.Context, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en"),
		chromedp.Flag("disable-gpu", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	endChromium = func() { cancel(); stop() }
	return ctx, chromedp.Do(ctx, chromedp.Navigate("about:blank"))
})

// endChromium ends the browser, if there is one.
var endChromium = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	endChromium()
	os.Exit(code)
}

// browse opens a window that looks at the house. The test may run beside
// others.
func (h *house) browse() *browser {
	h.t.Helper()
	parent, err := chromium()
	switch {
	case errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true":
		h.t.Skip("chromium is missing: apt-get install chromium")
	case err != nil:
		h.t.Fatalf("starting chromium (apt-get install chromium): %v", err)
	}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext())
	h.t.Cleanup(cancel)
	b := &browser{h.t, ctx, h.url}
	must(h.t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	b.resize(1280)
	return b
}

// do performs steps.
func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(b.ctx, limit)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			b.t.Fatalf("step %d: %v\n%s", i, err, b.page())
		}
	}
}

// page is where the browser is and what it shows, for a failed step.
func (b *browser) page() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return fmt.Sprintf("(the page can't be read: %v)", err)
	}
	return text
}

// open goes to a path of the console.
func (b *browser) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.url+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// click clicks what a CSS selector finds, once it is visible.
func (b *browser) click(sel string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(sel)), chromedp.Click(chromedp.CSS(sel)))
}

// press clicks the button or link with these words.
func (b *browser) press(words string) {
	b.t.Helper()
	const find = `[...document.querySelectorAll("button, a, summary")].find(e => e.checkVisibility() && e.innerText.trim() === %q)`
	script := fmt.Sprintf(find, words)
	b.until("!!"+script, "a button or link "+words)
	eval[bool](b, fmt.Sprintf("(%s.click(), true)", script))
}

// fill types into the field that a CSS selector finds, in place of what is there.
func (b *browser) fill(sel, text string) {
	b.t.Helper()
	b.do(chromedp.WaitVisible(chromedp.CSS(sel)))
	eval[bool](b, fmt.Sprintf(`(document.querySelector(%q).value = "", true)`, sel)) // also what was typed before
	// Not SendKeys: it reads the node's attributes while the browser's events
	// change them.
	b.do(chromedp.Focus(chromedp.CSS(sel)), chromedp.KeyEvent(text))
}

// keys types keys to whatever has the focus.
func (b *browser) keys(text string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(text))
}

// sees waits until the page says something.
func (b *browser) sees(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.body.innerText.includes(%q)", text), "the words "+text)
}

// until waits until an expression holds.
func (b *browser) until(expression, what string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression, chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(0)))
		if err == nil {
			return
		}
		// A page that goes takes its scripts with it: the next one is asked.
		if ctx.Err() != nil || !slices.ContainsFunc([]string{"context", "Uncaught", "navigated"}, func(s string) bool { return strings.Contains(err.Error(), s) }) {
			b.t.Fatalf("waiting for %s: %v\n%s", what, err, b.page())
		}
	}
}

// eval evaluates an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", expression, err, b.page())
	}
	return v
}

// enter signs a user in.
func (h *house) enter(b *browser, user directory.UserID) {
	h.t.Helper()
	link, err := h.console.Link(h.t.Context(), user)
	must(h.t, err)
	b.do(chromedp.Navigate(link))
	b.click("button.primary")
	b.do(chromedp.WaitVisible(chromedp.CSS("#menu")))
}

// shoot keeps a screenshot of the page in $USHERD_SHOTS, if that is set, for
// people to look at.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("USHERD_SHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, limit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	must(b.t, err)
	must(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// resize gives the browser another width.
func (b *browser) resize(width int64) { b.do(chromedp.EmulateViewport(width, 844)) }

func newJar(t testing.TB) http.CookieJar {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	return jar
}
