package cache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"github.com/usherd/usherd/directory"
)

// A RedisConfig says where the shared level is and how long it may take.
type RedisConfig struct {
	// URL is redis://, rediss:// or unix://. Required.
	URL      string
	Password string      // if not in URL
	Cluster  bool        // URL names a node of a Redis Cluster; more by ?addr=
	TLS      *tls.Config // replaces what rediss:// gives; may be nil
	// RootKey is the deployment's, 32 bytes. Required.
	RootKey []byte
	// Timeout is the longest that a look-up takes. Default 20 ms.
	Timeout time.Duration
	// PoolSize is the most connections. Default 20.
	PoolSize int
	// TTL is how long an entry stays. Default 1 h.
	TTL time.Duration
}

// Redis is the level that replicas share, and their wake-up call. Every failure
// of it is a miss. One Redis serves one [Cache].
type Redis struct {
	client  redis.UniversalClient
	sealer  *sealer
	timeout time.Duration
	ttl     time.Duration
	breaker *gobreaker.CircuitBreaker[string]
	deaf    atomic.Bool // the last word from the subscription was an error
	errands chan errand // bounded; what does not fit is dropped
	metrics *redisMetrics
}

// An errand is one thing to tell Redis when there is time.
type errand struct {
	key     directory.SubjectKey
	sub     *directory.Subject // nil: publish stamp
	refused entryID            // the entry that may be replaced whatever its revision
	stamp   directory.Stamp
}

// OpenRedis makes a client. It does not connect: Redis may come later, or never.
func OpenRedis(cfg RedisConfig) (*Redis, error) {
	orElse(&cfg.Timeout, 20*time.Millisecond)
	orElse(&cfg.PoolSize, 20)
	orElse(&cfg.TTL, time.Hour)
	sealer, err := newSealer(cfg.RootKey)
	if err != nil {
		return nil, fmt.Errorf("opening redis: %w", err)
	}
	client, err := dial(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening redis: %w", err)
	}
	r := &Redis{
		client:  client,
		sealer:  sealer,
		timeout: cfg.Timeout,
		ttl:     cfg.TTL,
		errands: make(chan errand, 1024),
		metrics: newRedisMetrics(),
	}
	r.breaker = gobreaker.NewCircuitBreaker[string](gobreaker.Settings{
		Name:     "redis",
		Interval: time.Second,
		Timeout:  time.Second,
		ReadyToTrip: func(n gobreaker.Counts) bool {
			return n.ConsecutiveFailures >= 5
		},
		IsSuccessful: answered,
		OnStateChange: func(_ string, _, to gobreaker.State) {
			r.metrics.open(to != gobreaker.StateClosed)
		},
	})
	return r, nil
}

// answered reports whether the server is there, whatever it says of the key.
func answered(err error) bool {
	var reply redis.Error
	return err == nil || errors.As(err, &reply)
}

// dial makes the client: short timeouts that the context cuts further, and no
// second attempt, because the store is the second attempt.
func dial(cfg RedisConfig) (redis.UniversalClient, error) {
	const dialTimeout = 100 * time.Millisecond
	if cfg.Cluster {
		o, err := redis.ParseClusterURL(cfg.URL)
		if err != nil {
			return nil, errors.New("URL of the cluster is not valid") // the text may hold a password
		}
		o.ContextTimeoutEnabled, o.MaxRetries, o.DisableIdentity = true, -1, true
		o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, cfg.Timeout, cfg.Timeout, cfg.Timeout
		o.PoolSize = cfg.PoolSize
		if cfg.Password != "" {
			o.Password = cfg.Password
		}
		if cfg.TLS != nil {
			o.TLSConfig = cfg.TLS
		}
		return redis.NewClusterClient(o), nil
	}
	o, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, errors.New("URL is not valid") // the text may hold a password
	}
	o.ContextTimeoutEnabled, o.MaxRetries, o.DisableIdentity = true, -1, true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = dialTimeout, cfg.Timeout, cfg.Timeout, cfg.Timeout
	o.PoolSize = cfg.PoolSize
	o.DialerRetries = 1
	if cfg.Password != "" {
		o.Password = cfg.Password
	}
	if cfg.TLS != nil {
		o.TLSConfig = cfg.TLS
	}
	return redis.NewClient(o), nil
}

// Close ends the connections. No cache may run with r any more.
func (r *Redis) Close() error { return r.client.Close() }

// Up reports whether Redis answers, as far as is known: for readiness, where
// Redis down is degraded and no more.
func (r *Redis) Up() bool {
	return r.breaker.State() == gobreaker.StateClosed && !r.deaf.Load()
}

// get returns what Redis holds for key, nil if that is nothing or nothing of
// ours, and which entry it is. The caller admits it.
func (r *Redis) get(ctx context.Context, key directory.SubjectKey) (*directory.Subject, entryID) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	name := r.sealer.name(key)
	entry, err := r.breaker.Execute(func() (string, error) {
		// GETRANGE and not GET: what somebody else put there may be of any size.
		return r.client.GetRange(ctx, name, 0, maxEntry).Result()
	})
	if err != nil {
		r.metrics.failed("get", err)
		return nil, ""
	}
	if entry == "" {
		return nil, ""
	}
	sub, err := r.sealer.open(name, key, []byte(entry))
	if err != nil {
		r.metrics.poisoned.Inc()
		return nil, entryID(entry[:min(len(entry), headLen)])
	}
	return sub, entryID(entry[:headLen])
}

// put keeps an admitted subject in Redis when there is time. refused is an
// entry that was found there and not admitted.
func (r *Redis) put(key directory.SubjectKey, sub *directory.Subject, refused entryID) {
	r.enqueue(errand{key: key, sub: sub, refused: refused})
}

// announce tells the other replicas of a stamp when there is time.
func (r *Redis) announce(stamp directory.Stamp) { r.enqueue(errand{stamp: stamp}) }

func (r *Redis) enqueue(e errand) {
	select {
	case r.errands <- e:
	default:
		r.metrics.overflow.Inc()
	}
}

// swap keeps the later of two entries, except that one that was refused gives
// way. What is no entry gives way too.
// KEYS: name. ARGV: entry, refused head, head length, milliseconds to live.
var swap = redis.NewScript(`
local have = redis.pcall('GETRANGE', KEYS[1], 0, ARGV[3] - 1)
if type(have) == 'string' and #have == tonumber(ARGV[3]) and have ~= ARGV[2]
  and string.sub(have, 1, 1) == string.sub(ARGV[1], 1, 1)
  and string.sub(have, 2, 17) >= string.sub(ARGV[1], 2, 17) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
return 1`)

// write runs the errands until ctx ends.
func (r *Redis) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-r.errands:
			r.perform(ctx, e)
		}
	}
}

func (r *Redis) perform(ctx context.Context, e errand) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	op := "put"
	_, err := r.breaker.Execute(func() (string, error) {
		if e.sub == nil {
			op = "publish"
			return "", r.client.Publish(ctx, r.sealer.channel(), r.sealer.message(e.stamp)).Err()
		}
		name := r.sealer.name(e.key)
		entry, err := r.sealer.seal(name, e.key, e.sub)
		if err != nil {
			return "", nil //nolint:nilerr // a subject that does not fit is not kept
		}
		return "", swap.Run(ctx, r.client, []string{name}, entry, string(e.refused), headLen, r.ttl.Milliseconds()).Err()
	})
	if err != nil {
		r.metrics.failed(op, err)
	}
}
