package main

import (
	"context"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
)

// notify tells systemd, if it started us, how things stand.
func notify(log *zap.Logger, state string) {
	if _, err := sd.SdNotify(false, state); err != nil {
		log.Warn("telling systemd", zap.Error(err))
	}
}

func notifyReady(log *zap.Logger)     { notify(log, sd.SdNotifyReady) }
func notifyStopping(log *zap.Logger)  { notify(log, sd.SdNotifyStopping) }
func notifyReloading(log *zap.Logger) { notify(log, sd.SdNotifyReloading) }

// watchdog keeps the watchdog of systemd quiet while the daemon is healthy.
func watchdog(ctx context.Context, healthy func() bool) {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if healthy() {
				_, _ = sd.SdNotify(false, sd.SdNotifyWatchdog) // the next tick tries again
			}
		}
	}
}
