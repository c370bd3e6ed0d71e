package client

import (
	"context"
	"sync"
	"time"
)

// A gatherer puts checks that run at the same time into one request. A check
// joins a batch only as long as that has not been sent: the answer is never
// older than the question.
type gatherer struct {
	client *Client

	mu   sync.Mutex
	open map[string]*batch // by the stamp that is required
}

// A batch is one request to come.
type batch struct {
	questions []Request
	places    map[key]int
	sent      bool
	done      chan struct{} // closed when answers and err are set
	answers   []Answer
	err       error
}

// A key tells questions apart.
type key struct {
	subject         Subject
	action, project string
	resource        Resource
	reason          bool
}

// ask waits for the answer of the batch that r joins.
func (g *gatherer) ask(ctx context.Context, r Request) Answer {
	b, place := g.join(string(atLeast(ctx)), r)
	select {
	case <-b.done:
	case <-ctx.Done():
		return Answer{Err: ctx.Err()}
	}
	if b.err != nil {
		return Answer{Err: b.err}
	}
	return b.answers[place]
}

// join adds r to the open batch, or begins one.
func (g *gatherer) join(stamp string, r Request) (*batch, int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.open[stamp]
	if b == nil {
		b = &batch{places: map[key]int{}, done: make(chan struct{})}
		g.open[stamp] = b
		time.AfterFunc(g.client.cfg.Coalesce, func() { g.send(stamp, b) })
	}
	k := key{r.Subject, r.Action, r.Project, r.Resource, r.Reason}
	place, known := b.places[k]
	if !known {
		place = len(b.questions)
		b.places[k], b.questions = place, append(b.questions, r)
	}
	if len(b.questions) == MaxBatch {
		delete(g.open, stamp)
		go g.send(stamp, b)
	}
	return b, place
}

// send asks b, once, on a context of its own: no caller's end ends the others'
// answers.
func (g *gatherer) send(stamp string, b *batch) {
	g.mu.Lock()
	if b.sent {
		g.mu.Unlock()
		return
	}
	b.sent = true
	if g.open[stamp] == b {
		delete(g.open, stamp)
	}
	g.mu.Unlock()
	ctx := WithAtLeast(context.Background(), Stamp(stamp))
	b.answers, _, b.err = g.client.evaluateAll(ctx, b.questions)
	close(b.done)
}
