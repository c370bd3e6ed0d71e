package main

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	trimEvery = 5 * time.Second
	trimWorth = 16 << 20 // bytes; below, it is not worth a collection
)

// trim gives memory back that a burst of large requests has left, until ctx
// ends. The runtime keeps it until the heap has doubled again, which on a quiet
// daemon may take hours; under load there is nothing to do, because collections
// come by themselves.
func (d *daemon) trim(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	last := memoryNow()
	kept := last.resident // after the last trim
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := memoryNow()
		if now.collections == last.collections && now.resident > kept+trimWorth {
			debug.FreeOSMemory()
			now = memoryNow()
			kept = now.resident
		}
		kept = min(kept, now.resident)
		last = now
	}
}

// A memoryState is what the runtime says of its memory.
type memoryState struct {
	resident    uint64 // bytes mapped and not given back
	collections uint64
}

func memoryNow() memoryState {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}, {Name: "/gc/cycles/total:gc-cycles"},
	}
	metrics.Read(s)
	return memoryState{resident: s[0].Value.Uint64() - s[1].Value.Uint64(), collections: s[2].Value.Uint64()}
}
