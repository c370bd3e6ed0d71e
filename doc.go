// Package usherd is the root of the module. It holds no code, only the tests
// that keep the house in order: which package may import which, that every
// package has one doc, and what no package may contain.
//
// The daemon and its command line are in cmd/usherd. Begin reading with package
// directory.
package usherd
