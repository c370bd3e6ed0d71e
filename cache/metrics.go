package cache

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
)

// metrics counts what one cache does.
type metrics struct {
	hits, misses [2]prometheus.Counter // by Tier
	loads        prometheus.Counter
	dropped      prometheus.Counter
	stale        prometheus.Counter
	lost         prometheus.Counter
	pollErrors   prometheus.Counter
	revision     prometheus.Gauge
	propagation  prometheus.Histogram
}

func newMetrics(to prometheus.Registerer, shared *Redis) (*metrics, error) {
	m := &metrics{
		dropped:    counter("cache_invalidations_total", "Entries that a change removed.", prometheus.Labels{"tier": Memory.String()}),
		loads:      counter("cache_loads_total", "Subjects that were read from the store.", nil),
		stale:      counter("cache_stale_answers_total", "Answers that were refused because the view was too old.", nil),
		lost:       counter("cache_history_lost_total", "Times that the store turned out to have another history.", nil),
		pollErrors: counter("cache_follow_errors_total", "Failed attempts to follow the directory.", nil),
		revision: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "usherd", Name: "cache_revision", Help: "Revision of the newest view.",
		}),
		propagation: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "usherd", Name: "propagation_seconds", Help: "From the commit of a change to the view that shows it, by the wall clocks of both.",
			Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 60},
		}),
	}
	all := []prometheus.Collector{m.loads, m.dropped, m.stale, m.lost, m.pollErrors, m.revision, m.propagation}
	for tier := range m.hits {
		labels := prometheus.Labels{"tier": Tier(tier).String()}
		m.hits[tier] = counter("cache_hits_total", "Look-ups of a subject that a tier answered.", labels)
		m.misses[tier] = counter("cache_misses_total", "Look-ups of a subject that a tier could not answer.", labels)
		all = append(all, m.hits[tier], m.misses[tier])
	}
	if shared != nil {
		all = append(all, shared.metrics.collectors(shared)...)
	}
	if to == nil {
		return m, nil
	}
	for _, c := range all {
		if err := to.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func counter(name, help string, labels prometheus.Labels) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "usherd", Name: name, Help: help, ConstLabels: labels})
}

// redisMetrics counts what Redis does.
type redisMetrics struct {
	failures     *prometheus.CounterVec
	poisoned     prometheus.Counter
	overflow     prometheus.Counter
	messages     *prometheus.CounterVec
	resubscribed prometheus.Counter
	up           prometheus.Gauge
}

func newRedisMetrics() *redisMetrics {
	m := &redisMetrics{
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "usherd", Name: "redis_failures_total", Help: "Operations that Redis did not answer in time or at all.",
		}, []string{"op"}),
		poisoned: counter("redis_foreign_values_total", "Values in Redis that this deployment did not write there.", nil),
		overflow: counter("redis_dropped_writes_total", "Writes to Redis that were given up because too many waited.", nil),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "usherd", Name: "redis_messages_total", Help: "Wake-up calls received.",
		}, []string{"result"}),
		resubscribed: counter("redis_subscriptions_lost_total", "Times that the subscription to wake-up calls ended.", nil),
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: "usherd", Name: "redis_up", Help: "1 unless Redis stopped answering.",
		}),
	}
	m.up.Set(1)
	return m
}

// open notes whether the breaker keeps Redis from being asked.
func (m *redisMetrics) open(open bool) {
	if open {
		m.up.Set(0)
		return
	}
	m.up.Set(1)
}

func (m *redisMetrics) failed(op string, err error) {
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		op = "skipped"
	}
	m.failures.WithLabelValues(op).Inc()
}

func (m *redisMetrics) collectors(r *Redis) []prometheus.Collector {
	pool := func(name, help string, read func() uint32) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "usherd", Name: "redis_pool_" + name, Help: help},
			func() float64 { return float64(read()) })
	}
	return []prometheus.Collector{
		m.failures, m.poisoned, m.overflow, m.messages, m.resubscribed, m.up,
		pool("connections", "Connections to Redis.", func() uint32 { return r.client.PoolStats().TotalConns }),
		pool("idle_connections", "Connections that nobody uses.", func() uint32 { return r.client.PoolStats().IdleConns }),
		pool("timeouts", "Times that no connection was free in time, since the start.", func() uint32 { return r.client.PoolStats().Timeouts }),
	}
}
