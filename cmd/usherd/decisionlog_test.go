package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// TestDecisionsAreLogged asks a real daemon, and reads what it wrote down.
func TestDecisionsAreLogged(t *testing.T) {
	t.Parallel()
	d, stop := startDaemon(t, "decision_log: {to: file, allows_one_in: 1}")
	kim, _ := settle(t, d)
	id, token := newToken(t, d)
	c := &caller{base: d.url, token: token, media: "application/json"}
	for _, who := range []string{"kim", "no-such-person@example.com", "kim"} {
		var answer struct{ Decision bool }
		body := fmt.Sprintf(`{"subject":{"type":"user","id":%q},"action":{"name":"access"},"resource":{"type":"feature","id":"part-list"}}`, who)
		if _, err := c.do(t.Context(), http.MethodPost, "/access/v1/evaluation", json.RawMessage(body), &answer); err != nil || answer.Decision != (who == "kim") {
			t.Fatalf("%s: %t, %v", who, answer.Decision, err)
		}
	}
	stop() // it writes what is left
	text, err := os.ReadFile(filepath.Join(d.cfg.Load().Data, "decisions.log"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []decisionLine
	for line := range strings.Lines(string(text)) {
		var l decisionLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		lines = append(lines, l)
	}
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3:\n%s", len(lines), text)
	}
	if l := lines[0]; l.User != kim || l.Subject != "" || l.Result != "allow" || l.Code != "granted" || l.Token != id ||
		l.Action != "access" || l.Resource != "feature/part-list" || l.Revision == 0 || time.Since(l.Time) > time.Hour {
		t.Errorf("allowed: %+v", l)
	}
	if l := lines[1]; l.User != "" || !strings.HasPrefix(l.Subject, "hmac:") || l.Result != "deny" || l.Code != "unknown_subject" {
		t.Errorf("denied: %+v", l)
	}
	for _, personal := range []string{"kim", "no-such-person"} {
		if strings.Contains(string(text), personal) {
			t.Errorf("%q is in the log:\n%s", personal, text)
		}
	}
}

// aLog is a decision log that takes everything, with its metrics.
func aLog(t *testing.T, change func(*config.Config)) (*decisionLog, *prometheus.Registry) {
	t.Helper()
	cfg := &config.Config{Data: t.TempDir()}
	cfg.DecisionLog.To, cfg.DecisionLog.AllowsOneIn = config.DecisionsToFile, 1
	cfg.SetDefaults()
	change(cfg)
	reg := prometheus.NewRegistry()
	l, err := newDecisionLog(cfg, []byte("key"), reg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	return l, reg
}

func decide(l *decisionLog, times int, allow bool) {
	for range times {
		l.record(context.Background(), nil, &authzen.Query{
			Subject: directory.SubjectKey{Kind: directory.KeyUserName, Value: "ann"}, Request: authz.Request{SubjectType: "user", Action: "access"},
		}, &authzen.Answer{Decision: authz.Decision{Allow: allow}}, authzen.Point{})
	}
}

// outcomes are the counts by outcome.
func outcomes(t *testing.T, reg *prometheus.Registry) map[string]int {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		for _, m := range f.Metric {
			counts[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
		}
	}
	return counts
}

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestACheckNeverWaitsForTheDecisionLog(t *testing.T) {
	t.Parallel()
	t.Run("what comes too fast is dropped and counted", func(t *testing.T) {
		l, reg := aLog(t, func(*config.Config) {})
		decide(l, decisionQueue+10, false) // nobody writes
		l.run(ended())
		if got := outcomes(t, reg); got["dropped"] != 10 || got["written"] != decisionQueue {
			t.Errorf("%v, want 10 dropped and %d written", got, decisionQueue)
		}
	})
	t.Run("what can not be written is counted, and the rest is written", func(t *testing.T) {
		l, reg := aLog(t, func(*config.Config) {})
		broken := &brokenFile{}
		l.out = broken
		decide(l, decisionBatch+1, false)
		l.run(ended())
		if got := outcomes(t, reg); got["failed"] != decisionBatch || got["written"] != 1 || !broken.closed {
			t.Errorf("%v, want %d failed and 1 written", got, decisionBatch)
		}
	})
	t.Run("of allows and denials as many are taken as is configured", func(t *testing.T) {
		l, reg := aLog(t, func(c *config.Config) { c.DecisionLog.AllowsOneIn = 10 })
		decide(l, 5000, true)
		l.use(&config.Config{DecisionLog: config.DecisionLog{Results: config.OnlyDenials, AllowsOneIn: 1}})
		decide(l, 5000, true)
		l.run(ended())
		if got := outcomes(t, reg)["written"]; got < 300 || got > 700 {
			t.Errorf("%d of 5000 were written, want about 500", got)
		}
	})
	t.Run("names of nobody are written where that is wanted", func(t *testing.T) {
		l, _ := aLog(t, func(c *config.Config) { c.Log.PII = true })
		if got := l.nobody(directory.SubjectKey{Kind: directory.KeyExternal, Source: "okta", Value: "00u1"}); got != "okta/00u1" {
			t.Errorf("nobody = %s", got)
		}
	})
}

// A brokenFile fails once.
type brokenFile struct{ failed, closed bool }

func (f *brokenFile) Write(p []byte) (int, error) {
	if !f.failed {
		f.failed = true
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func (f *brokenFile) Close() error {
	f.closed = true
	return nil
}

func TestAFullFileIsPutAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "decisions.log")
	r, err := openRotating(path, 10, 2)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if _, err := r.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	want := func(name, text string) {
		t.Helper()
		if got, err := os.ReadFile(name); string(got) != text {
			t.Errorf("%s holds %q, %v, want %q", filepath.Base(name), got, err, text)
		}
	}
	for _, line := range []string{"one\n", "two\n", "three\n", "four\n", "five\n", "six, which is longer than a file\n", "seven\n"} {
		write(line)
	}
	want(path, "seven\n")
	want(path+".1", "six, which is longer than a file\n")
	want(path+".2", "four\nfive\n")
	if _, err := os.Stat(path + ".3"); err == nil {
		t.Error("a third file was kept")
	}
	if err := os.Rename(path, path+".moved"); err != nil { // by logrotate, say
		t.Fatal(err)
	}
	write("eight\n")
	want(path, "eight\n")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
}
