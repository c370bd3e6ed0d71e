package store

import (
	"context"
	"fmt"
	"sync"
)

// keptTotals bounds how many totals are kept.
const keptTotals = 256

// totals keeps what was counted until a fact changes: whoever reads a list page
// by page asks for the same total each time, and counting walks all of it.
type totals struct {
	mu    sync.Mutex // guards what follows
	chain string     // of the head for which they were counted
	kept  map[string]int
}

// count answers a count in a database snapshot, and says of which head: its
// chain names the history, so that a restored one is another.
func (t *totals) count(ctx context.Context, db querier, query string, args []any) (total int, chain string, err error) {
	if err := db.QueryRowContext(ctx, `SELECT chain FROM head WHERE id = 1`).Scan(&chain); err != nil {
		return 0, "", err
	}
	key := fmt.Sprintf("%s %#v", query, args)
	if total, known := t.get(chain, key); known {
		return total, chain, nil
	}
	if err := db.QueryRowContext(ctx, query, args...).Scan(&total); err != nil {
		return 0, "", err
	}
	t.put(chain, key, total)
	return total, chain, nil
}

func (t *totals) get(chain, key string) (total int, known bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.chain != chain {
		return 0, false
	}
	total, known = t.kept[key]
	return total, known
}

// put keeps a total. Snapshots that overlap put in turns; what is kept is of
// one head only.
func (t *totals) put(chain, key string, total int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.chain != chain || len(t.kept) >= keptTotals {
		t.chain, t.kept = chain, map[string]int{}
	}
	t.kept[key] = total
}
