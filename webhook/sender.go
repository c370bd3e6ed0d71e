package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// retries are the waits between attempts: about 28 hours in all.
var retries = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 10 * time.Hour,
}

// The lease of the one replica that sends.
const (
	leaseName = "webhooks"
	leaseLife = 30 * time.Second
	atOnce    = 8 // endpoints that are sent to at a time
)

// A Leaser lets one replica at a time do something.
type Leaser interface {
	AcquireLease(ctx context.Context, name, holder string, ttl time.Duration) (directory.Lease, bool, error)
	ReleaseLease(ctx context.Context, name, holder string) error
}

// A Sender makes deliveries out of events, and sends them. All fields are
// required.
type Sender struct {
	Book   *Book
	Source Source
	Leases Leaser
	Holder string        // of this replica
	Every  time.Duration // how often it looks
	Report func(msg string, endpoint string, err error)
}

// Run sends until ctx ends.
func (s *Sender) Run(ctx context.Context) {
	tick := time.NewTicker(s.Every)
	defer tick.Stop()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := s.Leases.ReleaseLease(ctx, leaseName, s.Holder); err != nil {
			s.Report("releasing the lease of webhooks", "", err)
		}
	}()
	for {
		if err := s.once(ctx); err != nil && ctx.Err() == nil {
			s.Report("sending webhooks", "", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once does what is due, if this replica is the one that does. The lease outlives
// the longest attempts; should it run out all the same, a delivery is sent twice,
// which its webhook-id shows.
func (s *Sender) once(ctx context.Context) error {
	_, mine, err := s.Leases.AcquireLease(ctx, leaseName, s.Holder, leaseLife+attemptTimeout)
	if err != nil || !mine {
		return err
	}
	if err := s.collect(ctx); err != nil {
		return err
	}
	return s.sendDue(ctx)
}

// collect queues what happened since.
func (s *Sender) collect(ctx context.Context) error {
	record, err := s.Book.Keeper.Kept(ctx, endpointSpace, placeKey)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return err
	}
	record.Space, record.Key = endpointSpace, placeKey
	events, place, err := s.Source.Events(ctx, record.Value)
	if err != nil {
		return fmt.Errorf("looking for events: %w", err)
	}
	for _, e := range events {
		if _, err := s.Book.Put(ctx, e, ""); err != nil {
			return fmt.Errorf("queueing %s: %w", e.Type, err)
		}
	}
	if string(place) == string(record.Value) {
		return nil
	}
	record.Value = place
	_, err = s.Book.Keeper.PutKept(ctx, record)
	return err
}

// sendDue sends what is due, to several endpoints at a time.
func (s *Sender) sendDue(ctx context.Context) error {
	all, err := s.Book.Endpoints(ctx)
	if err != nil {
		return err
	}
	room := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for _, e := range all {
		if e.State != Active {
			continue
		}
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			if err := s.sendTo(ctx, e.ID); err != nil && ctx.Err() == nil {
				s.Report("sending to a webhook", e.ID, err)
			}
		})
	}
	wg.Wait()
	return nil
}

var errEnough = errors.New("enough for now")

// sendTo sends what is due at one endpoint, for as long as a part of the lease
// lasts; the rest is next time.
func (s *Sender) sendTo(ctx context.Context, id string) error {
	until := time.Now().Add(leaseLife / 3)
	err := s.Book.each(ctx, pendingSpace, id+"/", func(record directory.Kept) error {
		var d Delivery
		if err := json.Unmarshal(record.Value, &d); err != nil {
			return fmt.Errorf("reading a delivery: %w", err)
		}
		if s.Book.now().Before(d.Next) {
			return nil
		}
		e, _, err := s.Book.kept(ctx, id)
		if err != nil || e.State != Active {
			return errors.Join(err, errEnough)
		}
		if err := s.try(ctx, e, record, d); err != nil {
			return err
		}
		if time.Now().After(until) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, directory.ErrNotFound) { // or it was removed meanwhile
		return nil
	}
	return err
}

// try sends one delivery and notes what came of it.
func (s *Sender) try(ctx context.Context, e keptEndpoint, record directory.Kept, d Delivery) error {
	var secrets [][]byte
	for _, sealed := range e.Sealed {
		if !sealed.valid(s.Book.now()) {
			continue
		}
		raw, err := unseal(s.Book.Key, e.ID, sealed.Text)
		if err != nil {
			return err
		}
		secrets = append(secrets, raw)
	}
	got := s.Book.Client.send(ctx, e.URL, d.Message, d.Body, secrets)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := s.Book.now()
	d.Attempts++
	d.Status, d.Error, d.Took = got.status, got.problem(), got.took.Milliseconds()
	gone := got.err == nil && got.status == http.StatusGone
	switch {
	case got.ok():
		d.State, d.Ended, d.Next = Delivered, now, time.Time{}
	case gone || d.Attempts > len(retries):
		d.State, d.Ended, d.Next = Failed, now, time.Time{}
	default:
		d.Next = now.Add(retries[d.Attempts-1])
	}
	if err := s.note(ctx, record, d); err != nil {
		return err
	}
	return s.noteEndpoint(ctx, e, d, gone)
}

// note keeps a delivery: among the pending ones, or among those that are over.
func (s *Sender) note(ctx context.Context, record directory.Kept, d Delivery) error {
	if d.State == Pending {
		_, err := s.Book.put(ctx, record, d)
		if errors.Is(err, directory.ErrVersion) {
			return nil // it is to be sent again already
		}
		return err
	}
	done := directory.Kept{Space: doneSpace, Key: d.ID, Expires: s.Book.now().Add(doneLife)}
	if _, err := s.Book.put(ctx, done, d); err != nil && !errors.Is(err, directory.ErrVersion) {
		return err
	}
	err := s.Book.Keeper.DropKept(ctx, pendingSpace, d.ID)
	if errors.Is(err, directory.ErrNotFound) {
		return nil
	}
	return err
}

// noteEndpoint keeps how the endpoint does. It is disabled when it says that it
// is gone, or when a delivery failed for good and nothing got through since it
// was first tried.
func (s *Sender) noteEndpoint(ctx context.Context, e keptEndpoint, d Delivery, gone bool) error {
	disabled := false
	_, err := s.Book.change(ctx, e.ID, func(e *keptEndpoint) error {
		e.LastStatus, e.LastTry = d.Status, s.Book.now()
		switch {
		case d.State == Delivered:
			e.FailsSince = time.Time{}
			return nil
		case e.FailsSince.IsZero():
			e.FailsSince = s.Book.now()
		}
		switch {
		case gone:
			e.Reason = "the receiver says that it is gone (410)"
		case d.State == Failed && !e.FailsSince.After(d.Created.Add(time.Minute)):
			e.Reason = fmt.Sprintf("nothing got through since %s; the last attempt: %s", e.FailsSince.Format(time.RFC3339), d.Error)
		default:
			return nil
		}
		disabled = e.State == Active
		e.State = Disabled
		return nil
	})
	if disabled {
		s.Report("a webhook was disabled: enable it again when its receiver works (usherd webhook enable)", e.ID, nil)
	}
	return err
}
