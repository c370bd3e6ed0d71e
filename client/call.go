package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// maxAnswer bounds an answer in bytes.
const maxAnswer = 16 << 20

// call asks once, and again where that is safe, and decodes the answer.
func (c *Client) call(ctx context.Context, method, path string, body []byte, out any) (Stamp, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	for try := 0; ; try++ {
		stamp, err := c.once(ctx, method, path, body, out)
		if err == nil {
			return stamp, nil
		}
		wait, again := retryWait(err, try)
		if !again || try >= c.cfg.Retries {
			return "", err
		}
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= wait {
			return "", err // there will be no time left
		}
		pause := time.NewTimer(wait)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return "", err
		}
	}
}

// An unansweredError says that not a byte came back: asking again asks once.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return "usherd: " + e.err.Error() }
func (e *unansweredError) Unwrap() error { return e.err }

// retryWait is how long to wait before an attempt is repeated, and whether it
// may be.
func retryWait(err error, try int) (time.Duration, bool) {
	// Full jitter, so that clients don't come back in step.
	jitter := time.Duration(rand.Int64N(int64(20*time.Millisecond) << min(try, 5)))
	if _, ok := errors.AsType[*unansweredError](err); ok {
		return jitter, true
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusServiceUnavailable && e.Retry > 0 {
		return e.Retry + jitter, true
	}
	return 0, false
}

// once asks once.
func (c *Client) once(ctx context.Context, method, path string, body []byte, out any) (Stamp, error) {
	var answered atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() { answered.Store(true) }})
	req, err := c.request(traced, method, path, body)
	if err != nil {
		return "", err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if !answered.Load() && wentAway(err) && ctx.Err() == nil {
			return "", &unansweredError{err}
		}
		return "", fmt.Errorf("usherd: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("usherd: reading the answer: %w", err)
	case len(text) > maxAnswer:
		return "", fmt.Errorf("more than %d bytes: %w", maxAnswer, errAnswer)
	case resp.StatusCode != http.StatusOK:
		return "", refusal(resp, text)
	case !isJSON(resp.Header.Get("Content-Type")):
		return "", fmt.Errorf("not JSON: %w", errAnswer)
	}
	if err := json.Unmarshal(text, out); err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	return Stamp(resp.Header.Get("Usherd-Revision")), nil
}

func (c *Client) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.cfg.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("usherd: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if stamp := atLeast(ctx); stamp != "" {
		req.Header.Set("Usherd-At-Least", string(stamp))
	}
	return req, nil
}

// wentAway reports whether the daemon was not there, or left. All questions
// may be asked twice; what else goes wrong (a certificate, a name, time) is not
// made better by that.
func wentAway(err error) bool {
	for _, known := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, known) {
			return true
		}
	}
	// net/http has no name for a kept connection that was closed meanwhile.
	return strings.Contains(err.Error(), "server closed idle connection")
}

func isJSON(header string) bool {
	typ, _, err := mime.ParseMediaType(header)
	return err == nil && typ == "application/json"
}

// refusal is the error that an answer other than 200 stands for.
func refusal(resp *http.Response, text []byte) error {
	e := &Error{Status: resp.StatusCode}
	if json.Unmarshal(text, &e.Message) != nil {
		e.Message = "" // no answer of the check API
	}
	if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && after > 0 && after <= 3600 {
		e.Retry = time.Duration(after) * time.Second
	}
	return e
}
