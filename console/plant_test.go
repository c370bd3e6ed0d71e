package console_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
	"github.com/usherd/usherd/ldapsync/ldaptest"
)

// A plant is a house that reads a real OpenLDAP server.
type plant struct {
	*house
	slapd    *ldaptest.Slapd
	password string // file with the reader's, in the folder for secrets
	owner    directory.UserID
}

// newPlant starts a house beside a server with so many people in bulk.
func newPlant(t *testing.T, people int) *plant {
	t.Helper()
	p := &plant{house: newHouse(t), slapd: ldaptest.Start(t, ldaptest.Config{Users: people, Groups: 1, TLS: true})}
	p.SecretFolder = t.TempDir()
	p.password = filepath.Join(p.SecretFolder, "reader")
	must(t, os.WriteFile(p.password, []byte(p.slapd.Password), 0o600))
	authority, err := os.ReadFile(p.slapd.Certs.CA)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(p.SecretFolder, "ca.pem"), authority, 0o600))
	p.Sync = pollers{p.house}
	p.CheckSettings = func(kind directory.SourceKind, settings []byte) error {
		if kind != directory.KindLDAP {
			return nil
		}
		_, err := ldapsync.ParseSettings(settings)
		return err
	}
	p.console.NextRuns = nextRuns
	p.tend()
	p.owner = p.user("owner@example.com", directory.RoleOwner)
	return p
}

// nextRuns are the times of a schedule, as the daemon tells them.
func nextRuns(settings json.RawMessage, n int) (out []time.Time) {
	s, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil
	}
	when, err := ldapsync.ParseSchedule(s.Schedule)
	if err != nil {
		return nil
	}
	for at := time.Now(); len(out) < n; {
		at = when.Next(at)
		out = append(out, at)
	}
	return out
}

// pollers run sources as the daemon does.
type pollers struct{ *house }

func (p pollers) poller(ctx context.Context, name directory.SourceName) (*ldapsync.Poller, error) {
	sources, err := p.store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.Name == name {
			settings, err := ldapsync.ParseSettings(s.Settings)
			if err != nil {
				return nil, err
			}
			return ldapsync.New(ldapsync.Config{
				Source: name, Settings: settings, Store: p.store, AdminGroups: p.AdminGroups, Preview: p.preview, TempDir: p.t.TempDir(),
				Cancelled: p.Cancelled,
			})
		}
	}
	return nil, directory.ErrNotFound
}

func (p pollers) preview(ctx context.Context, changes []directory.Change) (out ldapsync.Effects, err error) {
	if out.NoOwner, err = p.LosesOwner(ctx, changes...); err != nil {
		return out, err
	}
	ctx = admin.WithPrincipal(ctx, root)
	diff, err := p.Preview(ctx, changes...)
	if err != nil {
		return out, err
	}
	out.Detail, err = json.Marshal(struct {
		authz.Difference
		Names map[directory.UserID]string `json:"names"`
	}{diff, nil})
	return out, err
}

// settled waits until checks are answered by what a run did.
func (p pollers) settled(ctx context.Context, run directory.Run, err error) (directory.Run, error) {
	if err == nil && run.Revision > 0 {
		head, headErr := p.store.Head(ctx, directory.Stamp{})
		if headErr != nil {
			return run, headErr
		}
		_, err = p.cache.Wait(ctx, head.Stamp)
	}
	return run, err
}

// Run implements [admin.Syncer].
func (p pollers) Run(ctx context.Context, name directory.SourceName, by string) (directory.Run, error) {
	poller, err := p.poller(ctx, name)
	if err != nil {
		return directory.Run{}, err
	}
	run, err := poller.RunFor(ctx, by)
	return p.settled(ctx, run, err)
}

// Plan implements [admin.Syncer].
func (p pollers) Plan(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	poller, err := p.poller(ctx, name)
	if err != nil {
		return nil, err
	}
	report, err := poller.Plan(ctx)
	if err != nil {
		return nil, err
	}
	defer report.Close()
	return json.Marshal(report)
}

// Approve implements [admin.Syncer].
func (p pollers) Approve(ctx context.Context, name directory.SourceName, hash, by string) (directory.Run, error) {
	poller, err := p.poller(ctx, name)
	if err != nil {
		return directory.Run{}, err
	}
	run, err := poller.Approve(ctx, hash, by)
	return p.settled(ctx, run, err)
}

// Test implements [admin.Syncer].
func (p pollers) Test(ctx context.Context, name directory.SourceName) (json.RawMessage, error) {
	poller, err := p.poller(ctx, name)
	if err != nil {
		return nil, err
	}
	return probed(poller.Try(ctx))
}

func probed(probe ldapsync.Probe) (json.RawMessage, error) {
	return json.Marshal(struct {
		OK bool `json:"ok"`
		ldapsync.Probe
	}{probe.OK(), probe})
}

// Try implements [admin.Prober].
func (p pollers) Try(ctx context.Context, settings json.RawMessage) (json.RawMessage, error) {
	s, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil, err
	}
	return probed(ldapsync.Try(ctx, s, time.Now()))
}

// Certificates implements [admin.Prober].
func (p pollers) Certificates(ctx context.Context, settings json.RawMessage) (json.RawMessage, error) {
	s, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil, err
	}
	all, err := ldapsync.Certificates(ctx, s)
	if err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// A machine is a daemon of which everything is known.
type machine struct{}

// A tended is a machine that can be tended.
type tended struct {
	machine
	level *string
	until *time.Time
}

// tend gives a house a machine that can be tended.
func (h *house) tend() {
	level, until := "info", time.Time{}
	m := tended{level: &level, until: &until}
	h.console.Machine, h.Tender = m, m
}

// LogLevel implements [admin.Tender].
func (m tended) LogLevel() (string, time.Time) { return *m.level, *m.until }

// SetLogLevel implements [admin.Tender].
func (m tended) SetLogLevel(level string, d time.Duration) error {
	*m.level, *m.until = level, time.Now().Add(d)
	return nil
}

// Bundle implements [admin.Tender].
func (tended) Bundle(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "an archive")
	return err
}

// Diagnose implements [console.Machine].
func (machine) Diagnose(context.Context) []console.Diagnosis {
	return []console.Diagnosis{
		{Check: "configuration", Result: "success", Detail: "valid"},
		{Check: "tokens", Result: "warning", Detail: "okta expires soon", Do: "usherd token rotate ID"},
		{Check: "redis", Result: "failure", Detail: "refused", Do: "start it"},
	}
}

// Facts implements [console.Machine].
func (machine) Facts(context.Context) []console.Fact {
	return []console.Fact{{Name: "Version", Value: "v1"}, {Name: "Database answers in", Value: "80µs"}}
}

// Settings implements [console.Machine].
func (machine) Settings() []console.Setting {
	return []console.Setting{{Key: "history.keep", Value: "400d", Origin: "default"}, {Key: "audit.retention", Value: "400d", Origin: "default"}, {Key: "max_staleness", Value: "10s", Origin: "/etc/usherd.yaml:3:1"}}
}
