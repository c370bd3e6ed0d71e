package main

import (
	"context"
	"fmt"
	"os"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// configurePolicy applies the policy file that the configuration names, together
// with the sources that it brings: if one can't be taken over, neither is. A
// file that says what holds already alters nothing.
func (d *daemon) configurePolicy(ctx context.Context, file string, sources []directory.PutSource) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("policy file: %w", err)
	}
	done, err := d.service.ApplyPolicy(ctx, bySystem, admin.PolicyFile{Name: file, Text: string(text), Sources: sources})
	if err != nil {
		return fmt.Errorf("policy file: %w", err)
	}
	managed := map[directory.Section]string{}
	for _, section := range done.Sections {
		managed[section] = file
	}
	d.managed.Store(&managed)
	for _, w := range done.Warnings {
		d.log.Warn("policy file", zap.String("at", w.String()))
	}
	if done.Changed {
		d.log.Info("policy file applied", zap.Int64("revision", int64(done.Revision)))
	}
	return nil
}

// managedSections names the file that manages each section of the policy.
func (d *daemon) managedSections() map[directory.Section]string {
	if managed := d.managed.Load(); managed != nil {
		return *managed
	}
	return nil
}
