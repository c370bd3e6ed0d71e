package main

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/cache"
	"github.com/usherd/usherd/directory"
)

// A pdp answers checks from the views of this replica: all questions of one
// request under one view, and no answer if that view has become too old.
type pdp struct {
	cache   *cache.Cache[*authz.Snapshot]
	metrics *checkMetrics
}

// nobody is whom a name that nobody can have leads to.
var nobody = &directory.Subject{}

// Evaluate implements [authzen.Evaluator].
func (p *pdp) Evaluate(ctx context.Context, atLeast directory.Stamp, queries []authzen.Query, answers []authzen.Answer) (authzen.Point, error) {
	begun := time.Now()
	view, err := p.cache.AtLeast(ctx, atLeast)
	if err != nil {
		return authzen.Point{}, err
	}
	tier := cache.Memory
	for i := range queries {
		subject, from, err := p.subject(ctx, view, queries[i].Subject)
		if err != nil {
			answers[i].Err = err
			continue
		}
		tier = max(tier, from)
		answers[i].User = subject.ID
		answers[i].Decision = view.Snapshot.Decide(subject, &queries[i].Request)
		if queries[i].Explain && answers[i].Decision.Allow { // a deny has no path
			answers[i].Path = path(view.Snapshot, subject, &queries[i].Request)
		}
	}
	age, err := p.cache.Age(view)
	if err != nil {
		return authzen.Point{}, err
	}
	p.metrics.observe(answers, tier, time.Since(begun))
	return authzen.Point{Stamp: view.Stamp, Age: age}, nil
}

func (p *pdp) subject(ctx context.Context, view *cache.View[*authz.Snapshot], key directory.SubjectKey) (*directory.Subject, cache.Tier, error) {
	if key == (directory.SubjectKey{}) {
		return nobody, cache.Memory, nil
	}
	return p.cache.Subject(ctx, view, key)
}

// path names the paths that allow, the winning one of each part.
func path(s *authz.Snapshot, subject *directory.Subject, req *authz.Request) []string {
	e := s.Explain(subject, req)
	if !e.Decision.Allow {
		return nil
	}
	var out []string
	for _, part := range e.Parts {
		if len(part.Paths) > 0 {
			out = append(out, part.Paths[0].String())
		}
	}
	return out
}

// Look implements [admin.Decider].
func (p *pdp) Look(ctx context.Context, key directory.SubjectKey) (admin.Look, error) {
	view, err := p.cache.View()
	if err != nil {
		return admin.Look{}, err
	}
	subject, _, err := p.subject(ctx, view, key)
	if err != nil {
		return admin.Look{}, err
	}
	if _, err := p.cache.Age(view); err != nil {
		return admin.Look{}, err
	}
	return admin.Look{Snapshot: view.Snapshot, Subject: subject, Stamp: view.Stamp}, nil
}

// View implements [authzen.Viewer].
func (p *pdp) View(ctx context.Context, atLeast directory.Stamp) (authzen.View, error) {
	view, err := p.cache.AtLeast(ctx, atLeast)
	if err != nil {
		return nil, err
	}
	return &shownView{p, view}, nil
}

// A shownView is one view, for what lists instead of deciding.
type shownView struct {
	pdp  *pdp
	view *cache.View[*authz.Snapshot]
}

// Snapshot implements [authzen.View].
func (v *shownView) Snapshot() *authz.Snapshot { return v.view.Snapshot }

// Subject implements [authzen.View].
func (v *shownView) Subject(ctx context.Context, key directory.SubjectKey) (*directory.Subject, error) {
	subject, _, err := v.pdp.subject(ctx, v.view, key)
	return subject, err
}

// Point implements [authzen.View].
func (v *shownView) Point() (authzen.Point, error) {
	age, err := v.pdp.cache.Age(v.view)
	return authzen.Point{Stamp: v.view.Stamp, Age: age}, err
}

// registerChecks adds the routes of the check API.
func (d *daemon) registerChecks(mux *http.ServeMux, root []byte) error {
	pages, err := hkdf.Key(sha256.New, root, nil, "usherd check pages v1", 32)
	if err != nil {
		return fmt.Errorf("deriving the page key: %w", err)
	}
	h, err := authzen.New(authzen.Config{
		Evaluator: d.pdp, Authenticator: checkCallers{d.keys}, Viewer: d.pdp, People: d.store, PageKey: pages, URL: d.url,
		Record: d.decisions.recorder(), Log: d.log.Named("check"),
	})
	if err != nil {
		return err
	}
	h.Register(mux)
	return nil
}

// checkCallers are the holders of check tokens.
type checkCallers struct{ *keyring }

// Authenticate implements [authzen.Authenticator].
func (k checkCallers) Authenticate(r *http.Request) (*authzen.Caller, error) {
	return k.caller(bearerOf(r))
}

// checkMetrics count checks by their result and by where the subject was.
type checkMetrics struct {
	total    [2][3]prometheus.Counter // allowed, tier
	duration [2][3]prometheus.Observer
	failed   prometheus.Counter
}

func newCheckMetrics(reg prometheus.Registerer) *checkMetrics {
	total := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usherd_check_total", Help: "Decisions, by result and by where the subject was found.",
	}, []string{"result", "source"})
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "usherd_check_duration_seconds", Help: "Time to decide, without HTTP.",
		Buckets: []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2, 0.1, 0.5},
	}, []string{"result", "source"})
	failed := prometheus.NewCounter(prometheus.CounterOpts{Name: "usherd_check_errors_total", Help: "Checks without a decision."})
	reg.MustRegister(total, duration, failed)
	m := &checkMetrics{failed: failed}
	for i, result := range []string{"deny", "allow"} {
		for _, tier := range []cache.Tier{cache.Memory, cache.Shared, cache.Store} {
			m.total[i][tier] = total.WithLabelValues(result, tier.String())
			m.duration[i][tier] = duration.WithLabelValues(result, tier.String())
		}
	}
	return m
}

// observe counts the answers of one request; its time counts once, with the
// first.
func (m *checkMetrics) observe(answers []authzen.Answer, tier cache.Tier, took time.Duration) {
	for i := range answers {
		if answers[i].Err != nil {
			m.failed.Inc()
			continue
		}
		allowed := 0
		if answers[i].Decision.Allow {
			allowed = 1
		}
		m.total[allowed][tier].Inc()
		if i == 0 {
			m.duration[allowed][tier].Observe(took.Seconds())
		}
	}
}
