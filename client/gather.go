package client

import (
	"context"
	"fmt"
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
	questions bundle
	places    map[key]int
	sent      bool
	done      chan struct{} // closed when answers are set
	answers   []Answer
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
	item, err := encode(r.wire())
	if err != nil {
		return Answer{Err: err} // nobody else's request fails by it
	}
	b, place := g.join(string(atLeast(ctx)), r, item)
	select {
	case <-b.done:
	case <-ctx.Done():
		return Answer{Err: fmt.Errorf("usherd: %w", ctx.Err())}
	}
	return b.answers[place]
}

// join adds r, which is item when encoded, to the open batch, or begins one.
func (g *gatherer) join(stamp string, r Request, item []byte) (*batch, int) {
	k := key{r.Subject, r.Action, r.Project, r.Resource, r.Reason}
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.open[stamp]
	if b != nil {
		if place, known := b.places[k]; known {
			return b, place
		}
		if !b.questions.takes(item) {
			go g.send(stamp, b)
			b = nil
		}
	}
	if b == nil {
		b = &batch{places: map[key]int{}, done: make(chan struct{})}
		g.open[stamp] = b
		time.AfterFunc(g.client.cfg.Coalesce, func() { g.send(stamp, b) })
	}
	place := len(b.questions.items)
	b.places[k] = place
	b.questions.add(item)
	if place+1 == MaxBatch {
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
	ctx, cancel := context.WithTimeout(WithAtLeast(context.Background(), Stamp(stamp)), g.client.cfg.Timeout)
	defer cancel()
	b.answers = g.client.askBundle(ctx, b.questions.items).answers
	close(b.done)
}
