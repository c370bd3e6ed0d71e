package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/usherd/usherd/admin"
	"github.com/usherd/usherd/config"
)

// The exit codes are a contract with scripts.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInvalid     = 3 // configuration or policy
	exitUnreachable = 4
	exitDenied      = 5
	exitHeld        = 6 // a plan waits for an administrator
	exitIncomplete  = 7 // the read of a directory was not complete; trying again may help
)

// An exitError is an error with the exit code it leads to. A nil err says that
// everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

func unreachable(err error) error { return &exitError{exitUnreachable, err} }

// exitCode is the code that an error leads to.
func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if _, ok := errors.AsType[config.Errors](err); ok {
		return exitInvalid
	}
	if errors.Is(err, admin.ErrPolicy) || errors.Is(err, admin.ErrTests) {
		return exitInvalid
	}
	if p, ok := errors.AsType[*admin.Problem](err); ok {
		if p.Status == http.StatusUnprocessableEntity {
			return exitInvalid
		}
	}
	return exitFailed
}

// asFaults takes the faults of a configuration out of an error.
func asFaults(err error) (config.Errors, bool) { return errors.AsType[config.Errors](err) }

// notOK fails a command whose answer says that something is not.
func notOK(text []byte, err error) error {
	var answer struct {
		OK bool `json:"ok"`
	}
	if jerr := json.Unmarshal(text, &answer); jerr != nil {
		return fmt.Errorf("reading the answer: %w", jerr)
	}
	if answer.OK {
		return nil
	}
	return err
}
