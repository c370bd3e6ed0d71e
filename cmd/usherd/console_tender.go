package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// LogLevel implements [admin.Tender].
func (m machine) LogLevel() (string, time.Time) {
	level := m.level.Level().String()
	if until := m.levelUntil.Load(); until != nil && level != levelOf(m.cfg.Load().Log.Level).String() {
		return level, *until
	}
	return level, time.Time{}
}

// SetLogLevel implements [admin.Tender]. A reload of the configuration ends it
// early.
func (m machine) SetLogLevel(level string, d time.Duration) error {
	m.level.SetLevel(levelOf(level))
	until := time.Now().Add(d)
	m.levelUntil.Store(&until)
	time.AfterFunc(d, func() {
		if m.levelUntil.Load() != &until {
			return // somebody chose again
		}
		m.level.SetLevel(levelOf(m.cfg.Load().Log.Level))
		m.log.Info("the log level is as configured again", zap.String("level", m.level.Level().String()))
	})
	return nil
}

// Bundle implements [admin.Tender].
func (m machine) Bundle(ctx context.Context, w io.Writer) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	for _, part := range []struct {
		name string
		text func(context.Context) ([]byte, error)
	}{
		{"about.json", m.aboutPart},
		{"doctor.json", func(ctx context.Context) ([]byte, error) { return json.MarshalIndent(m.Diagnose(ctx), "", "  ") }},
		{"settings.json", m.settingsPart},
		{"sources.json", m.sourcesPart},
		{"metrics.json", m.metricsPart},
		{"goroutines.txt", goroutinesPart},
	} {
		text, err := part.text(ctx)
		if err != nil {
			text = []byte("can't be told: " + err.Error() + "\n")
		}
		head := &tar.Header{Name: "usherd-support/" + part.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}
		if err := archive.WriteHeader(head); err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
		if _, err := archive.Write(text); err != nil {
			return fmt.Errorf("writing %s: %w", part.name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("ending the archive: %w", err)
	}
	return zipped.Close()
}

func (m machine) aboutPart(ctx context.Context) ([]byte, error) {
	facts := map[string]string{}
	for _, f := range m.Facts(ctx) {
		facts[f.Name] = f.Value
	}
	return json.MarshalIndent(facts, "", "  ")
}

// A bundledSource is a source without its settings, which name accounts and
// places, and without the messages of its runs, which name groups, and those who
// asked for them.
type bundledSource struct {
	Name   directory.SourceName  `json:"name"`
	Kind   directory.SourceKind  `json:"kind"`
	State  directory.SourceState `json:"state"`
	Users  int                   `json:"users"`
	Groups int                   `json:"groups"`
	Held   bool                  `json:"held"`
	Runs   []directory.Run       `json:"runs,omitempty"`
}

func (m machine) sourcesPart(ctx context.Context) ([]byte, error) {
	ctx = admin.WithPrincipal(ctx, bySystem)
	all, err := m.service.Sources(ctx)
	if err != nil {
		return nil, err
	}
	status, err := m.service.SyncStatus(ctx, "", 20)
	if err != nil {
		return nil, err
	}
	out := make([]bundledSource, len(all))
	for i, src := range all {
		out[i] = bundledSource{Name: src.Name, Kind: src.Kind, State: src.State, Users: src.Users, Groups: src.Groups}
		for _, st := range status {
			if st.Source != src.Name {
				continue
			}
			out[i].Held, out[i].Runs = st.Held != "", st.Runs
			for n := range out[i].Runs {
				out[i].Runs[n].Message, out[i].Runs[n].By, out[i].Runs[n].CancelledBy = "", "", ""
			}
		}
	}
	return json.MarshalIndent(out, "", "  ")
}

// settingsPart leaves out what sources are set to: it names accounts and places.
func (m machine) settingsPart(context.Context) ([]byte, error) {
	all := slices.DeleteFunc(m.Settings(), func(s console.Setting) bool { return strings.HasPrefix(s.Key, "sources.") })
	return json.MarshalIndent(all, "", "  ")
}

func (m machine) metricsPart(context.Context) ([]byte, error) {
	families, err := m.metrics.Gather()
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(families, "", " ")
}

func goroutinesPart(context.Context) ([]byte, error) {
	var text bytes.Buffer
	err := pprof.Lookup("goroutine").WriteTo(&text, 1)
	return text.Bytes(), err
}
