package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/authz"
	"github.com/usherd/usherd/config"
	"github.com/usherd/usherd/directory"
	"go.uber.org/zap"
)

// policyTries is how often a policy file is applied while others change the
// policy: replicas that start together apply the same one.
const policyTries = 3

// A policyFileError says what is wrong with the policy file, as opposed to with
// the store or the rest of the configuration.
type policyFileError struct{ err error }

func (e *policyFileError) Error() string { return "policy file: " + e.err.Error() }

func (e *policyFileError) Unwrap() error { return e.err }

// configurePolicy applies the policy file that the configuration names, together
// with the sources that it brings: if one can't be taken over, neither is. A
// file that says what holds already alters nothing.
func (d *daemon) configurePolicy(ctx context.Context, file string, sources []directory.PutSource) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return &policyFileError{err}
	}
	var done admin.AppliedPolicy
	for range policyTries {
		done, err = d.service.ApplyPolicy(ctx, bySystem, admin.PolicyFile{Name: file, Text: string(text), Sources: sources})
		if !errors.Is(err, admin.ErrStale) {
			break
		}
	}
	switch {
	case err != nil && refusesPolicy(err):
		return &policyFileError{err}
	case err != nil:
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

// refusesPolicy reports whether an error speaks of what a policy file says, or of
// how that agrees with what the store holds.
func refusesPolicy(err error) bool {
	return slices.ContainsFunc([]error{
		admin.ErrPolicy, admin.ErrTests, admin.ErrStale, admin.ErrLastOwner, admin.ErrForbidden,
		directory.ErrInUse, directory.ErrInvalid, directory.ErrNotFound, directory.ErrExists, directory.ErrNotOwner,
	}, func(kind error) bool { return errors.Is(err, kind) })
}

// configureFirst is configure at the start. If only the policy file is at fault
// and the store has a policy, that one serves on, as after a reload: checks that
// are down for everybody are worse than a policy that is not the newest.
func (d *daemon) configureFirst(ctx context.Context, cfg *config.Config) error {
	err := d.configure(ctx, cfg)
	if _, ok := errors.AsType[*policyFileError](err); !ok {
		return err
	}
	facts, ferr := d.store.Policy(ctx)
	if ferr != nil {
		return errors.Join(err, fmt.Errorf("reading the policy: %w", ferr))
	}
	if facts.Revision == 0 {
		return err // there is nothing to serve
	}
	d.keepManaged(cfg.Policy.File)
	d.reloadFailed(err)
	d.log.Error("the policy file was not applied; the stored policy serves on", zap.String("file", cfg.Policy.File),
		zap.Int64("policy_revision", int64(facts.Revision)))
	return nil
}

// keepManaged lets a file that could not be applied manage the sections that it
// contains all the same, as far as it can be read; all, if it can't.
func (d *daemon) keepManaged(name string) {
	sections := authz.Sections
	if text, err := os.ReadFile(name); err == nil {
		if file, _ := authz.Parse(name, text); len(file.Sections) > 0 { // what is wrong with it was said
			sections = file.Sections
		}
	}
	managed := map[directory.Section]string{}
	for _, section := range sections {
		managed[section] = name
	}
	d.managed.Store(&managed)
}

// managedSections names the file that manages each section of the policy.
func (d *daemon) managedSections() map[directory.Section]string {
	if managed := d.managed.Load(); managed != nil {
		return *managed
	}
	return nil
}
