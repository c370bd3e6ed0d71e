package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// workMetrics count what sources bring.
type workMetrics struct {
	requests *prometheus.CounterVec
	runs     *prometheus.CounterVec
	duration *prometheus.HistogramVec
	objects  *prometheus.CounterVec
	seats    *prometheus.GaugeVec
}

func newWorkMetrics(reg prometheus.Registerer) *workMetrics {
	m := &workMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_scim_requests_total", Help: "Requests of identity providers with a valid token.",
		}, []string{"source", "resource", "method", "code"}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_sync_runs_total", Help: "Synchronisation runs, by how they ended.",
		}, []string{"source", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "usherd_sync_duration_seconds", Help: "Length of synchronisation runs.",
			Buckets: []float64{0.1, 0.5, 1, 5, 15, 60, 300, 1800},
		}, []string{"source"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "usherd_sync_objects_total", Help: "What runs read, created, changed and removed.",
		}, []string{"source", "kind", "op"}),
		seats: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "usherd_seats", Help: "Seats of billable features, counted every few minutes.",
		}, []string{"feature"}),
	}
	reg.MustRegister(m.requests, m.runs, m.duration, m.objects, m.seats)
	return m
}

// request counts an entry of the provisioning log.
func (m *workMetrics) request(r directory.Request) {
	// /scim/{source}/v2/{resource}/…
	resource := "other"
	if parts := strings.Split(r.Path, "/"); len(parts) > 4 {
		switch parts[4] {
		case "Users", "Groups", "Bulk", "Me", "Schemas", "ResourceTypes", "ServiceProviderConfig", ".search":
			resource = parts[4]
		}
	}
	method := "other"
	switch r.Method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE":
		method = r.Method
	}
	m.requests.WithLabelValues(string(r.Source), resource, method, strconv.Itoa(r.Status)).Inc()
}

// run counts a run that has ended.
func (m *workMetrics) run(r directory.Run) {
	if r.Ended.IsZero() {
		return
	}
	m.runs.WithLabelValues(string(r.Source), string(r.Result)).Inc()
	m.duration.WithLabelValues(string(r.Source)).Observe(r.Ended.Sub(r.Started).Seconds())
	for name, n := range r.Counts {
		if kind, op, ok := strings.Cut(name, "."); ok && n > 0 {
			m.objects.WithLabelValues(string(r.Source), kind, op).Add(float64(n))
		}
	}
}

// countSeats counts seats now and then, until ctx ends: everybody is looked at,
// so it is not done for a scrape.
func (d *daemon) countSeats(ctx context.Context) {
	const every = 5 * time.Minute
	wait := time.NewTimer(time.Minute)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		seats, err := d.service.Seats(admin.WithPrincipal(ctx, bySystem))
		if err != nil && ctx.Err() == nil {
			d.log.Warn("counting seats", zap.Error(err))
		}
		if err == nil {
			d.work.seats.Reset()
			for feature, n := range seats {
				d.work.seats.WithLabelValues(feature).Set(float64(n))
			}
		}
		wait.Reset(every)
	}
}
