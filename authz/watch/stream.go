package watch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/usherd/usherd/directory"
)

// maxSubjects is how many users one event names; a revision that touched more
// concerns all.
const maxSubjects = 1000

// An event is the data of one Server-Sent Event.
type event struct {
	Revision directory.Revision `json:"revision"`
	Stamp    string             `json:"stamp"`
	Subjects []string           `json:"subjects,omitzero"`
	All      bool               `json:"all,omitempty"`
}

// eventOf tells what a revision touched.
func eventOf(r directory.FeedRecord) event {
	e := event{Revision: r.Stamp.Revision, Stamp: r.Stamp.String(), Subjects: []string{}}
	for _, k := range r.Keys {
		if k.Kind == directory.KeyID {
			e.Subjects = append(e.Subjects, k.Value)
		}
	}
	if r.Policy || len(r.Groups) > 0 || len(e.Subjects) > maxSubjects {
		e.Subjects, e.All = nil, true
	}
	return e
}

// appendEvent writes one event (HTML Standard, section 9.2). Neither stamps nor
// ids hold line ends.
func appendEvent(b []byte, name string, e event) []byte {
	text, err := json.Marshal(e)
	if err != nil { // an event has nothing that can't be written
		panic("watch: " + err.Error())
	}
	b = append(b, "id: "+e.Stamp+"\nevent: "+name+"\ndata: "...)
	return append(append(b, text...), "\n\n"...)
}

// A stream is one application that watches.
type stream struct {
	h    *Handler
	w    http.ResponseWriter
	r    *http.Request
	at   directory.Stamp // what it has seen
	lost uint64          // see feed
	buf  []byte
	sent bool // something
}

// errEnded says that a stream ends in good order.
var errEnded = errors.New("the stream ends")

// run sends until the application, its token or the daemon ends.
func (s *stream) run(ctx context.Context) error {
	n := s.h.feed.after(s.at)
	s.lost = n.lost
	if s.at == (directory.Stamp{}) { // it wants what comes from now on
		seen, err := s.h.cfg.Seen()
		if err != nil {
			return err
		}
		s.at = seen
	}
	beat := time.NewTicker(s.h.cfg.Beat)
	defer beat.Stop()
	for greeted := false; ; {
		n, err := s.next(ctx)
		if err != nil {
			return err
		}
		if n.records != nil {
			continue // there may be more, and a heartbeat when there is not
		}
		if !greeted {
			if err := s.send("heartbeat", event{Revision: s.at.Revision, Stamp: s.at.String()}); err != nil {
				return err
			}
			greeted = true
		}
		select {
		case <-n.moved:
		case <-beat.C:
			greeted = false
		case <-ctx.Done():
			return ctx.Err()
		case <-s.h.done:
			s.buf = append(s.buf[:0], "retry: 1000\n\n"...)
			return errors.Join(errEnded, s.flush())
		}
	}
}

// next sends what comes next, from memory or from the store, or tells the
// application to begin anew.
func (s *stream) next(ctx context.Context) (news, error) {
	n := s.h.feed.after(s.at)
	if n.lost != s.lost {
		s.lost = n.lost
		return n, s.reset()
	}
	if !n.known {
		seen, err := s.h.cfg.Seen()
		if err != nil {
			return n, err
		}
		n.records, err = s.h.feed.read(ctx, s.at, seen)
		if errors.Is(err, directory.ErrHistoryLost) {
			return n, s.reset()
		}
		if err != nil {
			return n, err
		}
	}
	if len(n.records) == 0 {
		n.records = nil
		return n, nil
	}
	return n, s.sendRecords(n.records)
}

// reset tells the application that it missed something, and goes on from the
// newest view.
func (s *stream) reset() error {
	seen, err := s.h.cfg.Seen()
	if err != nil {
		return err
	}
	return s.send("reset", event{Revision: seen.Revision, Stamp: seen.String()})
}

func (s *stream) sendRecords(records []directory.FeedRecord) error {
	for len(records) > 0 {
		piece := records[:min(len(records), pieceLen)]
		records = records[len(piece):]
		s.buf = s.buf[:0]
		for _, r := range piece {
			s.buf = appendEvent(s.buf, "change", eventOf(r))
		}
		if err := s.flush(); err != nil {
			return err
		}
		s.at = piece[len(piece)-1].Stamp
	}
	return nil
}

func (s *stream) send(name string, e event) error {
	at, err := directory.ParseStamp(e.Stamp)
	if err != nil {
		return err
	}
	s.buf = appendEvent(s.buf[:0], name, e)
	if err := s.flush(); err != nil {
		return err
	}
	s.at = at
	return nil
}

// flush sends what is in the buffer, if the token still allows it.
func (s *stream) flush() error {
	if err := s.h.cfg.Admit(s.r); err != nil {
		return err
	}
	rc := http.NewResponseController(s.w)
	if err := rc.SetWriteDeadline(time.Now().Add(s.h.cfg.Stall)); err != nil {
		return err
	}
	s.sent = true
	if _, err := s.w.Write(s.buf); err != nil {
		return err
	}
	return rc.Flush()
}
