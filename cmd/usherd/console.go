package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// openConsole makes the web console.
func (d *daemon) openConsole(root []byte) error {
	key, err := hkdf.Key(sha256.New, root, nil, "usherd console v1", 32)
	if err != nil {
		return fmt.Errorf("deriving the console key: %w", err)
	}
	settings := d.cfg.Load().Console
	d.console, err = console.New(console.Config{
		Service: d.service, Keeper: d.store, Key: key, URL: func() string { return d.url }, Log: d.log.Named("console"),
		Environment: settings.Environment, OIDC: oidcOf(settings.OIDC), FirstOwner: d.firstOwner, Revision: d.revision,
		Machine: machine{d}, NextRuns: nextRuns,
		CheckMinutes: func() []console.CheckMinute { return d.load.all(time.Now()) },
	})
	return err
}

func oidcOf(o config.OIDC) *console.OIDC {
	if !o.Enabled() {
		return nil
	}
	return &console.OIDC{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret.Reveal(), Source: directory.SourceName(o.Source),
		Attribute: o.Attribute, Claim: o.Claim, Scopes: o.Scopes,
	}
}

// revision is the newest that checks are answered by.
func (d *daemon) revision() directory.Revision {
	view, err := d.cache.View()
	if err != nil {
		return 0
	}
	return view.Stamp.Revision
}

// firstOwner makes the first owner; the file with the link has done its work.
func (d *daemon) firstOwner(ctx context.Context, name string) (directory.UserID, error) {
	id, err := d.service.FirstOwner(ctx, name)
	if err != nil {
		return "", err
	}
	if err := os.Remove(d.firstLinkFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		d.log.Warn("the file with the used login link stays", zap.Error(err))
	}
	return id, nil
}

func (d *daemon) firstLinkFile() string { return filepath.Join(d.cfg.Load().Data, "first-login") }

// A loginLink is an address that signs somebody in.
type loginLink struct {
	URL   string `json:"url"`
	User  string `json:"user,omitempty"`
	Valid string `json:"valid"` // a duration
}

// makeLoginLink serves usherd login, on the socket only: whoever reaches it may
// be anybody.
func (d *daemon) makeLoginLink(w http.ResponseWriter, r *http.Request) {
	var body struct {
		User string `json:"user"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096)).Decode(&body); err != nil {
		writeProblem(w, &admin.Problem{Title: "Not valid", Detail: "body: " + err.Error(), Status: http.StatusBadRequest})
		return
	}
	link, err := d.loginLink(r.Context(), body.User)
	if err != nil {
		writeProblem(w, admin.ProblemOf(err))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(loginLink{link, body.User, console.LinkLife.String()}) // whoever asked may have left
}

// loginLink makes the link of a named user, or of the first owner if there is
// neither a name nor an owner.
func (d *daemon) loginLink(ctx context.Context, name string) (string, error) {
	if name != "" {
		user, err := d.service.User(ctx, name)
		if err != nil {
			return "", err
		}
		return d.console.Link(ctx, user.ID)
	}
	owned, err := d.service.HasOwner(ctx)
	if err != nil {
		return "", err
	}
	if owned {
		return "", fmt.Errorf("%w: the organization has an owner: name who signs in", directory.ErrInvalid)
	}
	return d.console.FirstLink(ctx)
}

// offerFirstLink says how to become the first owner, if there is none. The link
// is for eyes on this machine: it goes to the terminal or, where none is, into a
// file for the daemon's user, and never to the log.
func (d *daemon) offerFirstLink(ctx context.Context) error {
	if d.embedded {
		return nil
	}
	owned, err := d.service.HasOwner(ctx)
	if err != nil || owned {
		return err
	}
	link, err := d.console.FirstLink(ctx)
	if err != nil {
		return err
	}
	if isatty.IsTerminal(os.Stderr.Fd()) {
		fmt.Fprintf(d.app.stderr, "\nNobody owns this organization yet. Open this within ten minutes to become the owner:\n\n  %s\n\nLater: usherd login\n\n", link)
		return nil
	}
	path := d.firstLinkFile()
	if err := os.WriteFile(path, []byte(link+"\n"), 0o600); err != nil {
		return fmt.Errorf("writing the first login link: %w", err)
	}
	d.log.Info("nobody owns this organization yet; the link to become the owner is in a file, or use: usherd login", zap.String("file", path))
	return nil
}
