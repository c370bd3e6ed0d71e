package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/console"
	"github.com/usherd/usherd/directory"
	"github.com/usherd/usherd/ldapsync"
)

// A machine tells the console of the daemon.
type machine struct{ *daemon }

// Diagnose implements [console.Machine]: what usherd doctor looks at, from
// inside. The audit chain has a button of its own, as it takes long.
func (m machine) Diagnose(ctx context.Context) []console.Diagnosis {
	ctx = admin.WithPrincipal(ctx, bySystem)
	cfg := m.cfg.Load()
	list := []diagnosis{{"configuration", success, "valid", ""}}
	for _, w := range cfg.Warnings() {
		list = append(list, diagnosis{"configuration", warning, w.Error(), ""})
	}
	if fault := m.configurationFault(); fault != "" {
		list = append(list, notTaken(fault))
	}
	list = append(append(list, folder(cfg), clock()), diskSpace(cfg)...)
	if cfg.Redis.URL != "" {
		list = append(list, diagnoseRedis(ctx, cfg))
	}
	tokens, err := m.service.Tokens(ctx)
	if err == nil {
		list = append(list, diagnoseTokens(tokens)...)
		var sources []admin.ListedSource
		if sources, err = m.service.Sources(ctx); err == nil {
			list = append(list, diagnoseSources(sources, tokens)...)
		}
	}
	if err == nil {
		var runs []admin.SyncStatus
		if runs, err = m.service.SyncStatus(ctx, "", 2); err == nil {
			list = append(list, diagnoseRuns(runs)...)
		}
	}
	if err != nil {
		list = append(list, diagnosis{"store", failure, "can't be read", "see the daemon's log"})
	}
	out := make([]console.Diagnosis, len(list))
	for i, d := range list {
		out[i] = console.Diagnosis(d)
	}
	return out
}

// Facts implements [console.Machine].
func (m machine) Facts(ctx context.Context) []console.Fact {
	facts := []console.Fact{
		{Name: "Version", Value: version()},
		{Name: "Built with", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "Log level", Value: m.level.Level().String()},
	}
	begun := time.Now()
	if head, err := m.store.Head(ctx, directory.Stamp{}); err == nil {
		took := time.Since(begun)
		facts = append(facts, console.Fact{Name: "Database answers in", Value: took.Round(time.Microsecond).String()},
			console.Fact{Name: "Revision", Value: fmt.Sprint(head.Stamp.Revision)})
	}
	if view, err := m.cache.View(); err == nil {
		if age, err := m.cache.Age(view); err == nil {
			facts = append(facts, console.Fact{Name: "Checks are answered as of", Value: age.Round(time.Millisecond).String() + " ago"})
		}
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	known, unknown := m.cache.Len()
	facts = append(facts, console.Fact{Name: "Cache holds", Value: fmt.Sprintf("people: %d, names that nobody has: %d", known, unknown)})
	if m.redis != nil {
		facts = append(facts, console.Fact{Name: "Redis", Value: diagnoseRedis(ctx, m.cfg.Load()).Detail})
	}
	return append(facts, m.cacheFact(), console.Fact{Name: "Memory in use", Value: fmt.Sprintf("%d MiB", memory.HeapAlloc>>20)})
}

// cacheFact says how many look-ups the cache in this process answered.
func (m machine) cacheFact() console.Fact {
	families, err := m.metrics.Gather()
	if err != nil {
		return console.Fact{Name: "Cache", Value: "not known"}
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			for _, label := range one.GetLabel() {
				if label.GetValue() == cache.Memory.String() {
					counts[f.GetName()] = one.GetCounter().GetValue()
				}
			}
		}
	}
	hits, misses := counts["usherd_cache_hits_total"], counts["usherd_cache_misses_total"]
	if hits+misses == 0 {
		return console.Fact{Name: "Cache", Value: "nothing was looked up yet"}
	}
	return console.Fact{Name: "Cache", Value: fmt.Sprintf("%.1f %% of %.0f look-ups were answered from memory", 100*hits/(hits+misses), hits+misses)}
}

// Settings implements [console.Machine].
func (m machine) Settings() []console.Setting {
	cfg := m.cfg.Load()
	origins := cfg.Origins()
	var out []console.Setting
	for _, c := range cfg.Diff(&config.Config{}) {
		if c.New == "" {
			continue
		}
		origin := origins[c.Path]
		out = append(out, console.Setting{Key: c.Path, Value: withoutPassword(c.New), Origin: origin.String()})
	}
	slices.SortStableFunc(out, func(a, b console.Setting) int { return cmp.Compare(a.Key, b.Key) })
	return out
}

// withoutPassword hides the password of an address.
func withoutPassword(value string) string {
	if !strings.Contains(value, "@") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil || u.User == nil {
		return value
	}
	return u.Redacted()
}

// nextRuns are the next times at which an LDAP source is read.
func nextRuns(settings json.RawMessage, n int) []time.Time {
	parsed, err := ldapsync.ParseSettings(settings)
	if err != nil {
		return nil
	}
	when, err := ldapsync.ParseSchedule(parsed.Schedule)
	if err != nil {
		return nil
	}
	var out []time.Time
	for at := time.Now(); len(out) < n; {
		if at = when.Next(at); at.IsZero() {
			break
		}
		out = append(out, at)
	}
	return out
}
