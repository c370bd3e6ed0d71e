package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// What a daemon reads at most, in bytes: one question, and a batch.
const (
	maxQuestion = 64 << 10
	maxBody     = 1 << 20
)

// maxApart bounds how often a refused batch, or a part of one, is split in two and
// both are asked: at most twice as many requests. A part that is refused after
// that fails as a whole.
const maxApart = 128

// ErrTooLarge says that a question is longer than a daemon reads: 64 KiB as
// JSON, and it was not asked, or less, if that is what the daemon, or a proxy
// before it, said.
var ErrTooLarge = fmt.Errorf("usherd: the question is larger than %d bytes", maxQuestion)

// encode is a question as JSON, or why it can't be asked.
func encode(question any) ([]byte, error) {
	text, err := json.Marshal(question)
	switch {
	case err != nil:
		return nil, fmt.Errorf("usherd: encoding the question: %w", err)
	case len(text) > maxQuestion:
		return nil, ErrTooLarge
	}
	return text, nil
}

// A bundle is the questions of one request, encoded.
type bundle struct {
	items [][]byte
	size  int // of items and what stands between them
}

const bundleStart, bundleEnd = `{"evaluations":[`, `]}`

// takes reports whether a daemon would read the bundle with item in it.
func (b *bundle) takes(item []byte) bool {
	return len(b.items) < MaxBatch && len(bundleStart)+b.size+len(item)+len(bundleEnd) <= maxBody
}

func (b *bundle) add(item []byte) {
	b.items, b.size = append(b.items, item), b.size+len(item)+len(",")
}

// A batchAnswer is what became of a bundle: an Answer for each item. err says
// that it failed as a whole; what was answered before is there nevertheless.
type batchAnswer struct {
	answers []Answer
	stamp   Stamp
	err     error
}

// askBundle asks questions in one request. If that is refused for what is in
// it, it asks the halves apart, and theirs, until nothing is left without an
// answer but what is at fault.
func (c *Client) askBundle(ctx context.Context, items [][]byte) batchAnswer {
	out := batchAnswer{answers: make([]Answer, len(items))}
	type part struct{ from, to int }
	answered := false
	var refused error
	parts := []part{{0, len(items)}}
	for asked := 0; len(parts) > 0; asked++ {
		p := parts[0]
		parts = parts[1:]
		answers, stamp, err := c.evaluateAll(ctx, items[p.from:p.to])
		switch half := (p.from + p.to) / 2; {
		case err == nil:
			copy(out.answers[p.from:p.to], answers)
			answered = true
			if stamp != "" {
				out.stamp, ctx = stamp, WithAtLeast(ctx, stamp)
			}
			continue
		case !isFault(err):
			out.err = err
			for _, rest := range append(parts, p) {
				fail(out.answers[rest.from:rest.to], err)
			}
			return out
		case half > p.from && asked < maxApart:
			parts = append(parts, part{p.from, half}, part{half, p.to})
		default:
			fail(out.answers[p.from:p.to], err)
		}
		refused = err
	}
	if !answered { // not for one question among others
		out.err = refused
	}
	return out
}

func fail(answers []Answer, err error) {
	for i := range answers {
		answers[i] = Answer{Err: err}
	}
}

// isFault reports whether a daemon, or what stands before it, refused a request
// for what is in it. Other refusals are for who asks, where and how often.
func isFault(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Status == http.StatusBadRequest || e.Status == http.StatusRequestEntityTooLarge ||
		e.Status == http.StatusUnprocessableEntity)
}

// evaluateAll asks one batch (AuthZEN 1.0, section 7).
func (c *Client) evaluateAll(ctx context.Context, items [][]byte) ([]Answer, Stamp, error) {
	body := append(append([]byte(bundleStart), bytes.Join(items, []byte(","))...), bundleEnd...)
	var out struct {
		Evaluations []decision `json:"evaluations"`
	}
	stamp, err := c.call(ctx, http.MethodPost, "/access/v1/evaluations", body, &out)
	if err != nil {
		return nil, "", err
	}
	if len(out.Evaluations) != len(items) {
		return nil, "", fmt.Errorf("%d answers to %d questions: %w", len(out.Evaluations), len(items), errAnswer)
	}
	answers := make([]Answer, len(items))
	for i := range answers {
		answers[i] = out.Evaluations[i].answer()
	}
	return answers, stamp, nil
}
