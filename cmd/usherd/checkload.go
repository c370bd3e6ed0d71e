package main

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/console"
)

// keptMinutes is how much of the past the first page of the console shows.
const keptMinutes = 60

// A checkLoad remembers what checks were in each minute of the last hour, in the
// memory of this process.
type checkLoad struct {
	metrics *checkMetrics

	mu      sync.Mutex
	last    checkCount // at the end of the last minute
	minutes []console.CheckMinute
}

func newCheckLoad(m *checkMetrics, now time.Time) *checkLoad {
	return &checkLoad{metrics: m, last: m.count(now)}
}

// run ends a minute each minute, until ctx ends.
func (l *checkLoad) run(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.end(now)
		}
	}
}

// end ends a minute.
func (l *checkLoad) end(now time.Time) {
	count := l.metrics.count(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.minutes = append(l.minutes, count.since(l.last))
	l.minutes = l.minutes[max(0, len(l.minutes)-keptMinutes):]
	l.last = count
}

// all returns the minutes that are kept, and what was since.
func (l *checkLoad) all(now time.Time) []console.CheckMinute {
	count := l.metrics.count(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	return append(append([]console.CheckMinute{}, l.minutes...), count.since(l.last))
}

// A checkCount is how far the counters of checks are at a time.
type checkCount struct {
	at      time.Time
	checks  int
	memory  int
	asked   uint64             // requests whose time was taken
	buckets map[float64]uint64 // of those, how many took at most so many seconds
}

// count reads the counters.
func (m *checkMetrics) count(now time.Time) checkCount {
	out := checkCount{at: now, buckets: map[float64]uint64{}}
	for i := range m.total {
		for tier, counter := range m.total[i] {
			var read dto.Metric
			if counter.Write(&read) != nil {
				continue
			}
			n := int(read.GetCounter().GetValue())
			if out.checks += n; cache.Tier(tier) == cache.Memory {
				out.memory += n
			}
		}
		for _, observer := range m.duration[i] {
			var read dto.Metric
			if metric, ok := observer.(prometheus.Metric); !ok || metric.Write(&read) != nil {
				continue
			}
			out.asked += read.GetHistogram().GetSampleCount()
			for _, b := range read.GetHistogram().GetBucket() {
				out.buckets[b.GetUpperBound()] += b.GetCumulativeCount()
			}
		}
	}
	return out
}

// since is what was between two counts.
func (c checkCount) since(before checkCount) console.CheckMinute {
	m := console.CheckMinute{Ended: c.at, Span: c.at.Sub(before.at), Checks: c.checks - before.checks, Memory: c.memory - before.memory}
	asked, slowest := c.asked-before.asked, 0.0
	if asked == 0 {
		return m
	}
	within := 0.0 // the smallest bucket that holds 99 of 100
	for limit, n := range c.buckets {
		slowest = max(slowest, limit)
		if enough := 100*(n-before.buckets[limit]) >= 99*asked; enough && (within == 0 || limit < within) {
			within = limit
		}
	}
	if within == 0 {
		within = slowest // and beyond: no bucket is larger
	}
	m.P99 = time.Duration(within * float64(time.Second))
	return m
}
