package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/usherd/usherd/authz/authzen"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// A decisionLog keeps what was decided for applications and proxies, one JSON
// object a line. A check never waits for it: what does not fit into its queue is
// dropped and counted. It is no audit: it is sampled, and has no hash chain.
type decisionLog struct {
	out   io.WriteCloser
	queue chan decided
	key   []byte // of the digests that stand for names of nobody
	log   *zap.Logger

	names atomic.Bool     // such names are written as they are
	oneIn [2]atomic.Int64 // of so many denials and allows one is taken; 0 takes none

	written, dropped, failed prometheus.Counter
	complained               time.Time
}

// decisionQueue is how many decisions may wait to be written.
const decisionQueue = 8192

// A decided is one decision, in strings of its own.
type decided struct {
	at      time.Time
	token   string
	user    directory.UserID // empty: the key led to nobody, or to several
	key     directory.SubjectKey
	by      string // how the subject was named
	action  string
	typ, id string // of the resource
	project string
	allow   bool
	code    string
	rev     directory.Revision
	age     time.Duration
}

// newDecisionLog opens the log that the configuration asks for; nil without one.
func newDecisionLog(cfg *config.Config, key []byte, reg prometheus.Registerer, log *zap.Logger) (*decisionLog, error) {
	if !cfg.DecisionLog.Enabled() {
		return nil, nil
	}
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "usherd_decision_log_total", Help: "Decisions taken for the decision log: written, dropped because they came too fast, failed to be written.",
	}, []string{"outcome"})
	reg.MustRegister(outcomes)
	l := &decisionLog{
		out: os.Stdout, queue: make(chan decided, decisionQueue), key: key, log: log,
		written: outcomes.WithLabelValues("written"), dropped: outcomes.WithLabelValues("dropped"), failed: outcomes.WithLabelValues("failed"),
	}
	if cfg.DecisionLog.To == config.DecisionsToFile {
		file, err := openRotating(decisionFile(cfg), int64(cfg.DecisionLog.MaxMegabytes)<<20, cfg.DecisionLog.Keep)
		if err != nil {
			return nil, fmt.Errorf("decision_log.file: %w", err)
		}
		l.out = file
	}
	l.use(cfg)
	return l, nil
}

// use takes over how many decisions are taken, and whether names are written.
func (l *decisionLog) use(cfg *config.Config) {
	if l != nil {
		l.names.Store(cfg.Log.PII)
		l.oneIn[0].Store(int64(cfg.DecisionLog.DeniesOneIn))
		allows := int64(cfg.DecisionLog.AllowsOneIn)
		if cfg.DecisionLog.Results == config.OnlyDenials {
			allows = 0
		}
		l.oneIn[1].Store(allows)
	}
}

// recorder is what the bindings tell decisions to; nil without a log.
func (l *decisionLog) recorder() func(context.Context, *authzen.Caller, *authzen.Query, *authzen.Answer, authzen.Point) {
	if l == nil {
		return nil
	}
	return l.record
}

// record takes one decision, or leaves it out. It does not block; what it is
// given may be parts of a request that is over soon, so it copies.
func (l *decisionLog) record(_ context.Context, by *authzen.Caller, q *authzen.Query, a *authzen.Answer, p authzen.Point) {
	if a.Err != nil || !l.takes(a.Decision.Allow) {
		return
	}
	e := decided{
		at: time.Now(), user: a.User, by: clipped(q.Request.SubjectType), action: clipped(q.Request.Action),
		typ: clipped(q.Request.Type), id: clipped(q.Request.ID),
		project: clipped(string(cmp.Or(q.Request.Project, q.Request.AlsoProject))),
		allow:   a.Decision.Allow, code: a.Decision.Code.String(), rev: p.Stamp.Revision, age: p.Age,
	}
	if e.user == "" {
		e.key = directory.SubjectKey{Kind: q.Subject.Kind, Source: directory.SourceName(clipped(string(q.Subject.Source))), Value: clipped(q.Subject.Value)}
	}
	if by != nil {
		e.token = by.ID
	}
	select {
	case l.queue <- e:
	default:
		l.dropped.Inc()
	}
}

// clipped is a copy of the beginning of a text that may be any length.
func clipped(s string) string {
	const most = 256
	return strings.Clone(s[:min(len(s), most)])
}

// takes draws whether a decision is taken.
func (l *decisionLog) takes(allow bool) bool {
	of := &l.oneIn[0]
	if allow {
		of = &l.oneIn[1]
	}
	switch n := of.Load(); n {
	case 0:
		return false
	case 1:
		return true
	default:
		return rand.Int64N(n) == 0
	}
}
