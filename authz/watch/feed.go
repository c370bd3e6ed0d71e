package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// A History is what is read of the feed; a [directory.History] is one.
type History interface {
	Stretch(ctx context.Context, since directory.Stamp, limit int) (directory.Stretch, error)
}

const (
	pieceLen    = 500             // records read at once
	readTimeout = 5 * time.Second // for one piece
)

// A feed has the newest revisions that checks of this replica know, for all
// streams.
type feed struct {
	cfg *Config

	mu      sync.Mutex
	streams int
	base    directory.Stamp        // what comes before the first record
	records []directory.FeedRecord // dense; shared with readers, only appended to
	lost    uint64                 // how often the history turned out to be another
	moved   chan struct{}          // closed when anything above changes
}

func newFeed(cfg *Config) *feed { return &feed{cfg: cfg, moved: make(chan struct{})} }

// last is the newest stamp in f. The caller holds mu.
func (f *feed) last() directory.Stamp {
	if n := len(f.records); n > 0 {
		return f.records[n-1].Stamp
	}
	return f.base
}

// enter counts a stream in, unless there are too many.
func (f *feed) enter() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.streams >= f.cfg.Max {
		return false
	}
	f.streams++
	return true
}

func (f *feed) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streams--
}

// run keeps f at the newest view until ctx ends.
func (f *feed) run(ctx context.Context) {
	tick := time.NewTicker(f.cfg.Tick)
	defer tick.Stop()
	for failing := false; ; {
		err := f.follow(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			f.cfg.Log.Warn("the feed can't be read for watchers", zap.Error(err))
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// follow brings f to the newest view once.
func (f *feed) follow(ctx context.Context) error {
	seen, err := f.cfg.Seen()
	if err != nil {
		return nil //nolint:nilerr // there is no view now; streams find out by themselves
	}
	f.mu.Lock()
	from, idle := f.last(), f.streams == 0
	f.mu.Unlock()
	if from == seen {
		return nil
	}
	if idle || from == (directory.Stamp{}) {
		f.restart(seen, false)
		return nil
	}
	records, err := f.read(ctx, from, seen)
	switch {
	case errors.Is(err, directory.ErrHistoryLost):
		f.restart(seen, true)
		return nil
	case err != nil:
		return err
	case len(records) > 0:
		f.add(records)
	}
	return nil
}

// read returns what comes after a stamp, up to the revision of seen.
func (f *feed) read(ctx context.Context, after, seen directory.Stamp) ([]directory.FeedRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	st, err := f.cfg.History.Stretch(ctx, after, pieceLen)
	if err != nil {
		return nil, err
	}
	records := st.Records
	for len(records) > 0 && records[len(records)-1].Stamp.Revision > seen.Revision {
		records = records[:len(records)-1]
	}
	return records, nil
}

// restart makes f begin at a stamp.
func (f *feed) restart(at directory.Stamp, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.base, f.records = at, nil
	if lost {
		f.lost++
	}
	f.wake()
}

// add appends records and forgets the oldest ones.
func (f *feed) add(records []directory.FeedRecord) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := append(f.records, records...) //nolint:gocritic // readers hold prefixes, which stay as they are
	if over := len(all) - f.cfg.Keep; over > 0 {
		f.base = all[over-1].Stamp
		all = append([]directory.FeedRecord(nil), all[over:]...)
	}
	f.records = all
	f.wake()
}

// wake tells all who wait. The caller holds mu.
func (f *feed) wake() {
	close(f.moved)
	f.moved = make(chan struct{})
}

// news is what f has for a stream at a place in the history.
type news struct {
	known   bool // whether the place is one of f's; if not, the store is asked
	records []directory.FeedRecord
	head    directory.Stamp
	lost    uint64
	moved   <-chan struct{} // closed when there is more
}

func (f *feed) after(at directory.Stamp) news {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := news{head: f.last(), lost: f.lost, moved: f.moved}
	switch i := int(at.Revision - f.base.Revision); {
	case at == f.base:
		n.known, n.records = true, f.records
	case i > 0 && i <= len(f.records) && f.records[i-1].Stamp == at:
		n.known, n.records = true, f.records[i:]
	}
	return n
}
