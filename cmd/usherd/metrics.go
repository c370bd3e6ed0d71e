package main

import (
	"context"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/usherd/usherd/directory"
)

// registerMetrics registers what the daemon itself tells of; its parts register
// their own.
func (d *daemon) registerMetrics() {
	d.reloadResult = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "usherd_config_reload_success", Help: "Whether the last reload of the configuration was taken over.",
	})
	d.reloadResult.Set(1)
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "usherd_build_info", Help: "Version of this build; the value is 1.",
		ConstLabels: prometheus.Labels{"version": version(), "go": runtime.Version()},
	})
	build.Set(1)
	d.work = newWorkMetrics(d.metrics)
	d.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		d.reloadResult, build, &storeCollector{d},
	)
}

// A storeCollector reads figures from the store when a scrape asks.
type storeCollector struct{ d *daemon }

var (
	holdsDesc   = prometheus.NewDesc("usherd_holds", "Plans that wait for an administrator.", nil, nil)
	usersDesc   = prometheus.NewDesc("usherd_users", "Identities that sources have brought, by state.", []string{"state"}, nil)
	tokenDesc   = prometheus.NewDesc("usherd_token_expiry_timestamp_seconds", "When a token that still counts expires.", []string{"id", "kind"}, nil)
	addedDesc   = prometheus.NewDesc("usherd_sync_source_added_timestamp_seconds", "When a source that is read was added; one that never was read to the end has this series alone.", []string{"source"}, nil)
	successDesc = prometheus.NewDesc("usherd_sync_last_success_timestamp_seconds", "When a source was last read to the end.", []string{"source"}, nil)
)

// Describe implements [prometheus.Collector].
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{holdsDesc, usersDesc, tokenDesc, addedDesc, successDesc} {
		ch <- desc
	}
}

// Collect implements [prometheus.Collector]. What can't be read is left out.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	st := c.d.store
	if holds, err := st.Holds(ctx); err == nil {
		ch <- prometheus.MustNewConstMetric(holdsDesc, prometheus.GaugeValue, float64(len(holds)))
	}
	for _, active := range []bool{true, false} {
		page, err := st.Identities(ctx, directory.Query{
			Where: directory.Compare{Attr: directory.AttrActive, Op: directory.Eq, Value: active}, Total: true,
		})
		if err == nil {
			ch <- prometheus.MustNewConstMetric(usersDesc, prometheus.GaugeValue, float64(page.Total), map[bool]string{true: "active", false: "inactive"}[active])
		}
	}
	if tokens, err := st.Tokens(ctx); err == nil {
		for _, t := range tokens {
			if t.Revoked.IsZero() {
				ch <- prometheus.MustNewConstMetric(tokenDesc, prometheus.GaugeValue, float64(t.Expires.Unix()), t.ID, string(t.Kind))
			}
		}
	}
	c.collectRuns(ctx, ch)
}

func (c *storeCollector) collectRuns(ctx context.Context, ch chan<- prometheus.Metric) {
	sources, err := c.d.store.Sources(ctx)
	if err != nil {
		return
	}
	for _, src := range sources {
		if src.Kind != directory.KindLDAP || src.State == directory.SourceRemoved {
			continue
		}
		if src.State == directory.SourceActive {
			ch <- prometheus.MustNewConstMetric(addedDesc, prometheus.GaugeValue, float64(src.Created.Unix()), string(src.Name))
		}
		if last := c.d.sync.lastComplete(ctx, src.Name); !last.IsZero() {
			ch <- prometheus.MustNewConstMetric(successDesc, prometheus.GaugeValue, float64(last.Unix()), string(src.Name))
		}
	}
}
