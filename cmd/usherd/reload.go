package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/usherd/usherd/config"
	"go.uber.org/zap"
)

// reload reads the configuration again and takes it over as a whole. A fault
// anywhere changes nothing and is logged with file, line and column.
func (d *daemon) reload(ctx context.Context) {
	notifyReloading(d.log)
	defer notifyReady(d.log)
	d.reloading.Lock()
	defer d.reloading.Unlock()
	next, err := d.app.load()
	if err != nil {
		d.reloadFailed(err)
		return
	}
	old := d.cfg.Load()
	for _, c := range next.Diff(old) {
		if c.Restart {
			d.log.Warn("takes effect at the next start", zap.String("key", c.Path))
		}
	}
	// Certificates and the policy are tried before anything is taken over.
	if err := d.certs.load(next.TLS); err != nil {
		d.reloadFailed(err)
		return
	}
	if err := d.configure(ctx, next); err != nil {
		d.reloadFailed(err)
		return
	}
	if err := d.use(next); err != nil {
		d.reloadFailed(err)
		return
	}
	d.decisions.use(next)
	d.level.SetLevel(levelOf(next.Log.Level))
	d.cfg.Store(next)
	d.reloadResult.Set(1)
	d.fault.Store(nil)
	d.log.Info("configuration reloaded")
}

// reloadFailed says what keeps a configuration from being taken over: in the log,
// in a metric, and to whoever diagnoses until one is.
func (d *daemon) reloadFailed(err error) {
	d.reloadResult.Set(0)
	text := err.Error()
	d.fault.Store(&text)
	if faults, ok := asFaults(err); ok {
		for _, f := range faults {
			d.log.Error("configuration is not valid; nothing changed", zap.String("at", f.File), zap.Int("line", f.Line),
				zap.Int("column", f.Column), zap.String("err", f.Error()))
		}
		return
	}
	d.log.Error("configuration can't be taken over; nothing changed", zap.Error(err))
}

// configurationFault is what keeps the configured from being in force; empty if
// nothing does.
func (d *daemon) configurationFault() string {
	if text := d.fault.Load(); text != nil {
		return *text
	}
	return ""
}

// watch reloads when the configuration, the policy file or a certificate
// changes, until ctx ends. Folders are watched, because editors and
// orchestrators replace files.
func (d *daemon) watch(ctx context.Context) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		d.log.Warn("files are not watched; send SIGHUP to reload", zap.Error(err))
		return
	}
	defer w.Close()
	files := d.watchFiles(w)
	const settle = 200 * time.Millisecond // one save is several events
	var due <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-w.Events:
			if !ok {
				return
			}
			if files[filepath.Clean(e.Name)] || filepath.Base(e.Name) == "..data" {
				due = time.After(settle)
			}
		case <-due:
			due = nil
			d.reload(ctx)
			files = d.watchFiles(w)
		}
	}
}

// watchFiles watches the folders of the files whose change is a reload, which
// the last reload may have named anew, and returns the files.
func (d *daemon) watchFiles(w *fsnotify.Watcher) map[string]bool {
	files := d.watched(d.cfg.Load())
	for dir := range folders(files) {
		if err := w.Add(dir); err != nil { // a folder that is watched already stays so
			d.log.Warn("folder is not watched; send SIGHUP to reload", zap.String("folder", dir), zap.Error(err))
		}
	}
	return files
}

// watched lists the files whose change is a reload.
func (d *daemon) watched(cfg *config.Config) map[string]bool {
	files := map[string]bool{}
	add := func(name string) {
		if abs, err := filepath.Abs(name); name != "" && err == nil {
			files[abs] = true
		}
	}
	for _, o := range cfg.Origins() {
		if o.Line > 0 { // a file, not a variable or flag
			add(o.From)
		}
	}
	add(cfg.Policy.File)
	add(cfg.TLS.Cert)
	add(cfg.TLS.Key)
	return files
}

func folders(files map[string]bool) map[string]bool {
	dirs := map[string]bool{}
	for f := range files {
		dirs[filepath.Dir(f)] = true
	}
	return dirs
}
