package main

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/cache"
)

func TestTheHourOfChecksIsKeptByTheMinute(t *testing.T) {
	m := newCheckMetrics(prometheus.NewRegistry())
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	check := func(n int, tier cache.Tier, took time.Duration) {
		for range n {
			m.observe(make([]authzen.Answer, 1), tier, took)
		}
	}
	check(5, cache.Memory, time.Second) // before anybody watches
	load := newCheckLoad(m, now)

	check(98, cache.Memory, 3*time.Microsecond)
	check(2, cache.Store, 2*time.Millisecond)
	now = now.Add(time.Minute)
	load.end(now)
	check(3, cache.Memory, time.Minute)
	all := load.all(now.Add(10 * time.Second))
	if len(all) != 2 {
		t.Fatalf("%d minutes; want one and what was since", len(all))
	}
	if got := all[0]; got.Checks != 100 || got.Memory != 98 || got.P99 != 5*time.Millisecond || got.Span != time.Minute || !got.Ended.Equal(now) {
		t.Errorf("the first minute is %+v; want 100 checks, 98 from memory, 99 of 100 within 5ms", got)
	}
	if got := all[1]; got.Checks != 3 || got.Span != 10*time.Second || got.P99 != 500*time.Millisecond {
		t.Errorf("since then %+v; want 3 checks, slower than all that is measured", got)
	}
	for range 2 * keptMinutes {
		now = now.Add(time.Minute)
		load.end(now)
	}
	all = load.all(now)
	if len(all) != keptMinutes+1 || all[0].Checks != 0 || all[0].P99 != 0 {
		t.Errorf("after two hours %d minutes are kept, the oldest %+v; want an hour without checks", len(all), all[0])
	}
}
