// Package ldapsync keeps the directory in step with LDAP servers: Active
// Directory, OpenLDAP, 389 Directory Server and FreeIPA.
//
// A [Poller] serves one source. Each run goes through the same stages:
//
//	collect → spool → resolve → plan → gate → apply
//
// Only collecting speaks LDAP. It ends with a [Snapshot], which exists only if
// the whole read was proven complete, or with an error that says in words what
// to do. A run without a snapshot alters nothing at all: it removes nobody,
// disables nobody and moves no cursor. That is the promise of this package: a
// directory that hiccups locks nobody out.
//
// Resolving turns member DNs into edges between stable ids. [Diff] compares
// the snapshot with what the store has and yields a [Plan], which is data.
// [Gate] holds a plan, or the part of it, that looks like an accident or an
// attack until an administrator approves its hash. What passes is applied in
// bounded batches through the store's Apply, each under the fencing number of
// the lease that lets one replica poll.
//
// People and groups are known by a stable id (entryUUID, objectGUID,
// nsUniqueId), never by DN or name. A person who is missing from a complete
// read is marked gone at once, and deleted only after several complete reads
// and days; see [Retention].
//
// Between complete reads a source may be read for what changed only, which
// removes nobody; see [Settings.FullEvery] and [Poller.Update].
//
// A [Schedule] runs pollers at the times of a cron expression.
package ldapsync
