package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// tokenWarnings are how long before its end a token is warned about.
var tokenWarnings = []time.Duration{24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour}

// warningFor returns which warning is due for a token that lives for left;
// 0 if none.
func warningFor(left time.Duration) time.Duration {
	if left <= 0 {
		return 0
	}
	for _, w := range tokenWarnings {
		if left <= w {
			return w
		}
	}
	return 0
}

// watchTokens notes each minute which tokens were used, and says in the log,
// once for each warning, which ones end soon, until ctx ends.
func (d *daemon) watchTokens(ctx context.Context) {
	const every = time.Minute
	warned := map[string]time.Duration{}
	wait := time.NewTicker(every)
	defer wait.Stop()
	for {
		d.warnOfTokens(ctx, time.Now(), warned)
		select {
		case <-ctx.Done():
			d.noteTokens(context.WithoutCancel(ctx))
			return
		case <-wait.C:
			d.noteTokens(ctx)
		}
	}
}

func (d *daemon) noteTokens(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := d.service.NoteTokens(ctx, d.keys.lastUsed()); err != nil && ctx.Err() == nil {
		d.log.Warn("noting which tokens were used", zap.Error(err))
	}
}

// lastUsed returns when tokens were used, as far as this process knows.
func (k *keyring) lastUsed() map[string]time.Time {
	out := map[string]time.Time{}
	idx := k.index.Load()
	if idx == nil {
		return out
	}
	for id, t := range idx.byID {
		if at := t.used.Load(); at > 0 {
			out[id] = time.Unix(at, 0).UTC()
		}
	}
	return out
}

func (d *daemon) warnOfTokens(ctx context.Context, now time.Time, warned map[string]time.Duration) {
	tokens, err := d.store.Tokens(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Warn("looking at the ends of tokens", zap.Error(err))
		}
		return
	}
	for _, t := range tokens {
		left := t.Expires.Sub(now)
		due := warningFor(left)
		if !t.Revoked.IsZero() || due == 0 || warned[t.ID] == due {
			continue
		}
		warned[t.ID] = due
		d.log.Warn("a token ends soon", zap.String("token", t.ID), zap.String("kind", string(t.Kind)), zap.String("source", string(t.Source)),
			zap.Time("expires", t.Expires), zap.Int("days", int(left.Hours()/24)), zap.String("do", "usherd token rotate "+t.ID+" --grace 72h"))
	}
}

// keepRequests writes entries of the provisioning log, and what they tell of
// sources and tokens.
func (d *daemon) keepRequests(ctx context.Context, entries ...directory.Request) error {
	if err := d.store.LogRequests(ctx, entries...); err != nil {
		return err
	}
	if d.service == nil {
		return nil
	}
	return d.service.NoteRequests(ctx, detectProfile, entries...)
}

// diagnoseToken is what the doctor says of a token that ends soon.
func diagnoseToken(t admin.ListedToken, now time.Time) (diagnosis, bool) {
	left := t.Expires.Sub(now)
	due := warningFor(left)
	if t.State != admin.TokenActive || due == 0 {
		return diagnosis{}, false
	}
	result, used := warning, "never used"
	if due == tokenWarnings[0] {
		result = failure
	}
	if !t.LastUsed.IsZero() {
		used = "last used " + t.LastUsed.UTC().Format(time.RFC3339)
	}
	return diagnosis{
		"token " + t.ID, result, fmt.Sprintf("%s token %q expires in %d days (%s)", t.Kind, t.Name, int(left.Hours()/24), used),
		"usherd token rotate " + t.ID + " --grace 72h",
	}, true
}
