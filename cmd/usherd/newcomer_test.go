//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/usherd/usherd/ldapsync/ldaptest"
	"golang.org/x/sys/unix"
)

// mostSteps is how many steps a newcomer may need from nothing configured to
// an explained answer.
const mostSteps = 12

// TestANewcomerOpensAFeatureToAnLDAPGroup walks the way of somebody who has the
// README, a directory and a browser: nothing is configured, and no address but
// the first link is typed. Each subtest is one step.
func TestANewcomerOpensAFeatureToAnLDAPGroup(t *testing.T) {
	corp := ldaptest.Start(t, ldaptest.Config{TLS: true})
	n := newNewcomer(t)
	password := filepath.Join(n.dir, "corp-password")
	if err := os.WriteFile(password, []byte(corp.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	var link, command string

	n.step("the daemon starts with nothing configured and prints a link", func() {
		n.serve()
		link = n.firstLink()
	})
	n.step("whoever opens the link becomes the owner", func() {
		n.do(chromedp.Navigate(link))
		n.fill("#name", "ana@example.com")
		n.press("Become the owner")
		n.sees("Setting up")
		n.sees("Connect a source")
	})
	n.step("the first page leads to the form of an LDAP source", func() {
		n.press("LDAP")
		n.sees("Name it all the same: the answer is the command")
	})
	n.step("the filled form is answered with the command for this machine", func() {
		n.fill("#name", "corp")
		n.fill("#urls", corp.TLSURL)
		n.fill("#bindDN", corp.BindDN)
		n.fill("#passwordFile", password)
		n.fill("#caFile", corp.Certs.CA)
		n.fill("#base", corp.Base)
		n.press("Add the source")
		n.sees("The same on the machine of the daemon")
		command = n.text("main pre")
	})
	n.step("the command, pasted, adds the source", func() {
		n.paste(command)
		n.press("Sources")
		n.press("corp")
		n.sees("It was never read")
	})
	n.step("sync now reads the directory", func() {
		n.press("Sync now")
		n.sees("The run ended: applied")
	})
	n.step("setting up leads on to the catalogue, which takes a feature", func() {
		n.press("Overview")
		n.press("Say what there is: a feature that applications protect")
		n.press("New")
		n.fill("#key", "part-list")
		n.fill("#title", "Part list")
		n.press("Save")
		n.sees("part-list saved.")
	})
	n.step("the mapping of a group shows who would get in before anything is done", func() {
		n.press("Overview")
		n.press("Map a group of the directory onto it")
		n.fill("#name", "engineers")
		n.choose("#source", "corp")
		n.fill("#value", "engineering")
		n.click(`input[name="g0.access"][value="part-list"]`)
		for _, who := range []string{"alice", "bob"} {
			n.until(fmt.Sprintf(`document.querySelector("#preview").innerText.includes(%q)`, who), who+" in the preview")
		}
		if preview := n.text("#preview"); strings.Contains(preview, "carol") || strings.Contains(preview, "dave") {
			n.t.Errorf("the preview names carol, who is in no such group, or dave, who is locked: %s", preview)
		}
		if got := n.decision("alice"); got != "no" {
			n.t.Errorf("before the mapping is applied alice may open it: %s", got)
		}
	})
	n.step("applied, it counts", func() {
		n.press("Apply")
		n.sees("Mapping engineers applied.")
	})
	n.step("the answer is yes, and names the path by which", func() {
		n.press("Explain")
		n.fill("#user", "alice")
		n.fill("#what", "access feature/part-list")
		n.click("form.ask button.primary")
		n.until(`!!document.querySelector("#answer .yes")`, "a yes")
		path := n.text("#answer .wins ol.path")
		rest := path
		for _, station := range []string{"backend", "engineering", "engineers", "part-list"} {
			_, after, found := strings.Cut(rest, station)
			if !found {
				n.t.Fatalf("the winning path does not go on by %s: %s", station, path)
			}
			rest = after
		}
	})

	if n.steps > mostSteps {
		t.Errorf("it took %d steps; want at most %d", n.steps, mostSteps)
	}
	for who, want := range map[string]string{"alice": "yes", "dave": "no", "carol": "no"} {
		if got := n.decision(who); got != want {
			t.Errorf("usherd check %s access feature/part-list: %s, want %s", who, got, want)
		}
	}
}

// A newcomer has an empty folder, a shell in it and a browser.
type newcomer struct {
	t      *testing.T // of the step
	whole  *testing.T
	dir    string
	env    []string
	steps  int
	screen display
	web    context.Context
}

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	dir, err := os.MkdirTemp("", "usherd") //nolint:usetesting // the name of the socket in it has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := &newcomer{t: t, whole: t, dir: dir}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "USHERD_") {
			n.env = append(n.env, pair)
		}
	}
	bin := t.TempDir()
	if err := os.Symlink(os.Args[0], filepath.Join(bin, "usherd")); err != nil {
		t.Fatal(err)
	}
	n.env = append(n.env, "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+dir)
	n.browse()
	return n
}

// step is one thing that the newcomer does; the next needs it.
func (n *newcomer) step(claim string, do func()) {
	n.whole.Helper()
	n.steps++
	done := n.whole.Run(claim, func(t *testing.T) {
		n.t = t
		do()
	})
	n.t = n.whole
	if !done {
		n.whole.FailNow()
	}
}

// shell is a command line in the folder.
func (n *newcomer) shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir, cmd.Env = n.dir, n.env
	return cmd
}

// paste runs a line that must succeed.
func (n *newcomer) paste(line string) {
	n.t.Helper()
	if out, err := n.shell(n.t.Context(), line).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s", line, err, out)
	}
}

// serve starts the daemon on a terminal. Only its ports differ from those that
// it has by itself, since others may have these.
func (n *newcomer) serve() {
	n.t.Helper()
	screen, line := openTerminal(n.t)
	cmd := n.shell(context.Background(), "exec usherd serve --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = line, line
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	_ = line.Close() // the daemon has it
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(&n.screen, screen) // ends with an error when nobody has the terminal any more
	}()
	n.whole.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		err := cmd.Wait()
		<-done
		_ = screen.Close()
		if err != nil || n.whole.Failed() {
			n.whole.Errorf("the daemon ended with %v: %s", err, n.screen.String())
		}
	})
}

// openTerminal makes a pseudo-terminal: what the line writes is on the screen.
func openTerminal(t *testing.T) (screen, line *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(screen.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	line, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return screen, line
}

// firstLink is what the terminal shows to whoever started the daemon.
func (n *newcomer) firstLink() (link string) {
	n.t.Helper()
	find := regexp.MustCompile(`become the owner:\s+(http://\S+/login\?code=\S+)\s`)
	await(n.t, "the first link", func() error {
		found := find.FindStringSubmatch(n.screen.String())
		if found == nil {
			return errors.New("the terminal shows " + n.screen.String())
		}
		link = found[1]
		return nil
	})
	return link
}

// A display keeps what was written to a terminal.
type display struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(p)
}

func (d *display) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

// decision asks the command line, which shares nothing with the pages.
func (n *newcomer) decision(user string) string {
	n.t.Helper()
	out, err := n.shell(n.t.Context(), "usherd check "+user+" access feature/part-list -o json").Output()
	if err != nil {
		n.t.Fatalf("usherd check: %v: %s", err, out)
	}
	v, err := member(string(out), "decision")
	if err != nil {
		n.t.Fatal(err)
	}
	return map[any]string{true: "yes", false: "no"}[v]
}

// browse starts a browser with a profile of its own.
func (n *newcomer) browse() {
	n.t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			n.t.Fatal("chromium is missing: apt-get install chromium")
		}
		n.t.Skip("chromium is missing: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.Flag("lang", "en"),
		chromedp.Flag("disable-dev-shm-usage", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	n.t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	n.t.Cleanup(cancel)
	n.web = ctx
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		n.t.Fatal(err)
	}
}

// do performs steps in the browser.
func (n *newcomer) do(steps ...chromedp.Action[chromedp.Void]) {
	n.t.Helper()
	for i, step := range steps {
		ctx, cancel := context.WithTimeout(n.web, patience)
		err := chromedp.Do(ctx, step)
		cancel()
		if err != nil {
			n.t.Fatalf("step %d: %v\n%s", i, err, n.page())
		}
	}
}

// page is where the browser is and what it shows, for a failed step.
func (n *newcomer) page() string {
	ctx, cancel := context.WithTimeout(n.web, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return fmt.Sprintf("(the page can't be read: %v)", err)
	}
	return text
}

// until waits until an expression holds. A page that goes takes its scripts
// with it: the next one is asked.
func (n *newcomer) until(expression, what string) {
	n.t.Helper()
	var yes bool
	var err error
	ctx, cancel := context.WithTimeout(n.web, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !yes || err != nil {
		select {
		case <-ctx.Done():
			n.t.Fatalf("waiting for %s: %v\n%s", what, err, n.page())
		case <-tick.C:
		}
		yes, err = chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
	}
}

// evaluate is whether an expression holds now.
func (n *newcomer) evaluate(expression string) bool {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.web, patience)
	defer cancel()
	yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", expression, err, n.page())
	}
	return yes
}

// sees waits until the page says something.
func (n *newcomer) sees(text string) {
	n.t.Helper()
	n.until(fmt.Sprintf("document.body.innerText.includes(%q)", text), "the words "+text)
}

// press clicks the button or link with these words.
func (n *newcomer) press(words string) {
	n.t.Helper()
	n.until(fmt.Sprintf(`(e => !!e && (e.click(), true))([...document.querySelectorAll("button, a, summary")].find(e => e.checkVisibility() && e.innerText.trim() === %q))`,
		words), "a button or link "+words)
}

// click clicks what a CSS selector finds.
func (n *newcomer) click(sel string) {
	n.t.Helper()
	n.do(chromedp.WaitVisible(chromedp.CSS(sel)), chromedp.Click(chromedp.CSS(sel)))
}

// fill types into the field that a CSS selector finds, in place of what is there.
func (n *newcomer) fill(sel, text string) {
	n.t.Helper()
	n.do(chromedp.WaitVisible(chromedp.CSS(sel)))
	n.evaluate(fmt.Sprintf(`(document.querySelector(%q).value = "", true)`, sel))
	// Not SendKeys: it reads the node's attributes while the browser's events
	// change them.
	n.do(chromedp.Focus(chromedp.CSS(sel)), chromedp.KeyEvent(text))
}

// choose picks an option of a select by its words.
func (n *newcomer) choose(sel, words string) {
	n.t.Helper()
	n.until(fmt.Sprintf(`((s, words) => {
		const o = s && [...s.options].find(o => o.text.trim() === words);
		return !!o && (s.value = o.value, s.dispatchEvent(new Event("change", {bubbles: true})), true);
	})(document.querySelector(%q), %q)`, sel, words), "the option "+words)
}

// text is what an element says.
func (n *newcomer) text(sel string) string {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.web, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, sel)))
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", sel, err, n.page())
	}
	return text
}
