package watch

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/usherd/usherd/directory"
)

// Path is where the stream is.
const Path = "/v1/watch"

// What [Config.Admit] says.
var (
	// ErrUnauthenticated: no credentials, or not valid ones.
	ErrUnauthenticated = errors.New("credentials are missing or not valid")
	// ErrForbidden: valid credentials, which do not allow to watch.
	ErrForbidden = errors.New("the token does not allow to watch")
)

// A Config says what a [Handler] works with.
type Config struct {
	History History // required

	// Seen returns the stamp of the view that checks are answered from now, or
	// an error if there is none that is fresh enough. Required.
	Seen func() (directory.Stamp, error)

	// Admit decides whether a request may watch, when it begins and before
	// everything that is sent. The error wraps one of this package's, or means
	// that nobody can tell now. Required.
	Admit func(r *http.Request) error

	Max   int           // streams at once; default 500
	Keep  int           // revisions kept in memory; default 4096
	Beat  time.Duration // between heartbeats; default 15 s
	Tick  time.Duration // between looks at the view; default 50 ms
	Stall time.Duration // how long a consumer may take to read; default 10 s

	Log *zap.Logger // default none
}

// A Handler serves the stream. Make it with [New] and let [Handler.Run] run.
type Handler struct {
	cfg   Config
	feed  *feed
	done  chan struct{} // closed by Close
	close sync.Once
}

// New checks cfg and returns a handler.
func New(cfg Config) (*Handler, error) {
	if cfg.History == nil || cfg.Seen == nil || cfg.Admit == nil {
		return nil, errors.New("watch: History, Seen and Admit are required")
	}
	cfg.Max, cfg.Keep = cmp.Or(cfg.Max, 500), cmp.Or(cfg.Keep, 4096)
	cfg.Beat, cfg.Tick, cfg.Stall = cmp.Or(cfg.Beat, 15*time.Second), cmp.Or(cfg.Tick, 50*time.Millisecond), cmp.Or(cfg.Stall, 10*time.Second)
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	h := &Handler{cfg: cfg, done: make(chan struct{})}
	h.feed = newFeed(&h.cfg)
	return h, nil
}

// Run reads the feed for all streams until ctx ends.
func (h *Handler) Run(ctx context.Context) { h.feed.run(ctx) }

// Close ends all streams; applications are told to come back soon. It does not
// wait for them.
func (h *Handler) Close() { h.close.Do(func() { close(h.done) }) }

// Len is the number of streams.
func (h *Handler) Len() int {
	h.feed.mu.Lock()
	defer h.feed.mu.Unlock()
	return h.feed.streams
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		refuse(w, http.StatusMethodNotAllowed, "the method is not allowed here")
		return
	}
	if err := h.cfg.Admit(r); err != nil {
		refuseFor(w, err)
		return
	}
	at, err := sinceOf(r)
	if err != nil {
		refuse(w, http.StatusBadRequest, "Last-Event-ID and since must be ids of events")
		return
	}
	if !h.feed.enter() {
		w.Header().Set("Retry-After", "10")
		refuse(w, http.StatusServiceUnavailable, "too many watch already")
		return
	}
	defer h.feed.leave()
	h.stream(w, r, at)
}

// stream begins the answer and sends until the end.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, at directory.Stamp) {
	// The limits of the listener are for answers that end.
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil {
		refuse(w, http.StatusInternalServerError, "the connection can't be kept")
		return
	}
	header := w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx
	s := &stream{h: h, w: w, r: r, at: at}
	err := s.run(r.Context())
	if errors.Is(err, errEnded) || r.Context().Err() != nil {
		return
	}
	h.cfg.Log.Debug("a stream ends", zap.Error(err))
	if !s.sent {
		refuseFor(w, err)
	}
}

// sinceOf is where a request goes on; the zero stamp without a word. The header
// is the newer one: a browser repeats the address when it comes back.
func sinceOf(r *http.Request) (directory.Stamp, error) {
	ids := r.Header.Values("Last-Event-ID")
	if len(ids) == 0 {
		ids = r.URL.Query()["since"]
	}
	switch {
	case len(ids) > 1:
		return directory.Stamp{}, directory.ErrInvalid
	case len(ids) == 0 || ids[0] == "":
		return directory.Stamp{}, nil
	}
	return directory.ParseStamp(ids[0])
}

// refuseFor answers what Admit said.
func refuseFor(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		w.Header().Set("WWW-Authenticate", `Bearer realm="usherd"`)
		refuse(w, http.StatusUnauthorized, ErrUnauthenticated.Error())
	case errors.Is(err, ErrForbidden):
		refuse(w, http.StatusForbidden, ErrForbidden.Error())
	default:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, "nobody can watch now")
	}
}

// refuse answers as the check API does: a JSON string.
func refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(strconv.Quote(text) + "\n")) // whoever asked may have left
}
