package cache

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/usherd/usherd/cache/cachetest"
)

// The names are a public promise.
func TestMetricsHaveTheirNames(t *testing.T) {
	s, m := cachetest.Start(t), ann()
	reg := prometheus.NewRegistry()
	c := stopped(t, m, func(cfg *Config[*snap]) { cfg.Metrics, cfg.Redis = reg, open(t, s, nil) })
	step(t, c)
	want(t, c, "ann", true, Store)
	want(t, c, "ann", true, Memory)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			name := f.GetName()
			for _, l := range metric.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"usherd_cache_hits_total tier=l1":          1,
		"usherd_cache_misses_total tier=l1":        1,
		"usherd_cache_hits_total tier=redis":       0,
		"usherd_cache_misses_total tier=redis":     1,
		"usherd_cache_invalidations_total tier=l1": 0,
		"usherd_cache_loads_total":                 1,
		"usherd_cache_revision":                    1,
		"usherd_redis_up":                          1,
		"usherd_redis_pool_connections":            1,
	} {
		if got, ok := values[name]; !ok || got != want {
			t.Errorf("%s = %v (there: %v), want %v", name, got, ok, want)
		}
	}
	for _, n := range []string{"usherd_propagation_seconds", "usherd_cache_history_lost_total", "usherd_cache_stale_answers_total", "usherd_redis_foreign_values_total"} {
		if _, ok := values[n]; !ok {
			t.Errorf("%s is missing", n)
		}
	}
	if _, err := New(Config[*snap]{History: m, Build: build, Update: update, Metrics: reg}); err == nil {
		t.Error("New with metrics that are registered already = nil, want an error")
	}
}
