package admin

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/usherd/usherd/directory"
)

// A Limiter lets each principal ask so often: Rate times a second in the long
// run, Burst times at once. The owner of the machine is not limited.
type Limiter struct {
	Rate  float64
	Burst int
	Now   func() time.Time // default time.Now

	mu      sync.Mutex
	buckets map[string]*bucket
}

type bucket struct {
	left float64
	at   time.Time
}

// take takes one request out of a bucket. It returns how many are left and in
// how many seconds the bucket is full, or, if none was left, has one.
func (l *Limiter) take(who string) (left, reset int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.Now != nil {
		now = l.Now()
	}
	if l.buckets == nil || len(l.buckets) > 10_000 { // nobody has so many tokens
		l.buckets = map[string]*bucket{}
	}
	b := l.buckets[who]
	if b == nil {
		b = &bucket{float64(l.Burst), now}
		l.buckets[who] = b
	}
	b.left = min(float64(l.Burst), b.left+max(0, now.Sub(b.at).Seconds())*l.Rate)
	b.at = now
	if b.left < 1 {
		return 0, int(math.Ceil((1 - b.left) / l.Rate)), false
	}
	b.left--
	return int(b.left), int(math.Ceil((float64(l.Burst) - b.left) / l.Rate)), true
}

// limit counts a request, and says in the headers how many are left
// (draft-ietf-httpapi-ratelimit-headers).
func (a *API) limit(w http.ResponseWriter, by directory.Actor) error {
	if a.Limiter == nil || by.Root() {
		return nil
	}
	left, reset, ok := a.Limiter.take(by.Kind + "\x00" + by.Name + "\x00" + by.Token)
	w.Header().Set("RateLimit-Policy", fmt.Sprintf(`"default";q=%d;w=%d`, a.Limiter.Burst, int(math.Ceil(float64(a.Limiter.Burst)/a.Limiter.Rate))))
	w.Header().Set("RateLimit", fmt.Sprintf(`"default";r=%d;t=%d`, left, reset))
	if !ok {
		return errTooMany
	}
	return nil
}
