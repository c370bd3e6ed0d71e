package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net/http"
	"time"
)

// The kinds of events.
const (
	EventChange    = "change"    // a revision; Subjects or All say whom it concerns
	EventHeartbeat = "heartbeat" // nothing newer than Stamp
	EventReset     = "reset"     // something was missed: forget everything
)

// An Event is one thing that [Client.Watch] tells.
type Event struct {
	Kind     string
	Revision int64
	Stamp    Stamp
	Subjects []string // ids of users
	All      bool     // policy or groups changed: anybody may be concerned
}

const (
	silence   = 60 * time.Second // after it a stream is taken for dead: some heartbeats
	maxEvent  = 1 << 20
	leastWait = 100 * time.Millisecond
	mostWait  = 10 * time.Second
)

// Watch yields what changes after a stamp, or from now on if it is empty, until
// ctx ends or the caller stops. It connects again by itself and goes on where
// it was. The sequence ends with an error only if connecting again can't help:
// the daemon refuses the token or the stamp, or does not speak this protocol.
func (c *Client) Watch(ctx context.Context, since Stamp) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		wait := leastWait
		for ctx.Err() == nil {
			more, err := c.stream(ctx, &since, func(e Event) bool {
				wait = leastWait
				return yield(e, nil)
			})
			if !more {
				return
			}
			if final(err) && ctx.Err() == nil {
				yield(Event{}, err)
				return
			}
			pause := time.NewTimer(wait/2 + rand.N(wait))
			select {
			case <-pause.C:
			case <-ctx.Done():
				pause.Stop()
			}
			wait = min(2*wait, mostWait)
		}
	}
}

// final reports whether connecting again can't help.
func final(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status < 500 && e.Status != http.StatusTooManyRequests
	}
	return errors.Is(err, errAnswer)
}

// stream reads one connection to its end. It reports false if the caller wants
// no more.
func (c *Client) stream(ctx context.Context, since *Stamp, yield func(Event) bool) (more bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// What is required of checks is not required here.
	req, err := c.request(WithAtLeast(ctx, ""), "GET", "/v1/watch", nil)
	if err != nil {
		return true, err
	}
	req.Header.Set("Accept", "text/event-stream")
	if *since != "" {
		req.Header.Set("Last-Event-ID", string(*since))
	}
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	resp, err := c.http.Do(req)
	if err != nil {
		return true, fmt.Errorf("usherd: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
		return true, errors.Join(refusal(resp, text), err)
	}
	if resp.Header.Get("Content-Type") != "text/event-stream" {
		return true, fmt.Errorf("no stream of events: %w", errAnswer)
	}
	return readEvents(resp.Body, func() { dead.Reset(silence) }, func(e Event) bool {
		*since = e.Stamp
		return yield(e)
	})
}

// readEvents takes a stream apart (HTML Standard, section 9.2.6). It reports
// false if yield wants no more.
func readEvents(r io.Reader, alive func(), yield func(Event) bool) (more bool, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4<<10), maxEvent)
	var kind string
	var data []byte
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch {
		case string(field) == "event":
			kind = string(value)
		case string(field) == "data":
			data = append(data, value...)
		case len(line) == 0 && len(data) > 0:
			e, err := parseEvent(kind, data)
			if err != nil {
				return true, err
			}
			if !yield(e) {
				return false, nil
			}
			kind, data = "", data[:0]
		case len(line) == 0:
			kind = ""
		}
	}
	return true, lines.Err()
}

func parseEvent(kind string, data []byte) (Event, error) {
	var in struct {
		Revision int64    `json:"revision"`
		Stamp    Stamp    `json:"stamp"`
		Subjects []string `json:"subjects"`
		All      bool     `json:"all"`
	}
	err := json.Unmarshal(data, &in)
	if err != nil || in.Stamp == "" || kind != EventChange && kind != EventHeartbeat && kind != EventReset {
		return Event{}, fmt.Errorf("an event that can't be read: %w", errAnswer)
	}
	return Event{kind, in.Revision, in.Stamp, in.Subjects, in.All}, nil
}
