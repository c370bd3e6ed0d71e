// Package authz decides. It compiles policy and groups into an immutable
// [Snapshot], answers with [Snapshot.Decide] what one subject may do, and tells
// by [Snapshot.Explain] why.
//
// # Deciding
//
// A path runs user → membership → nested groups → grant (→ Role) → privilege.
// A decision is the union over all paths that count; what no path gives is
// denied. Decide is a pure function of a snapshot, a [directory.Subject] and a
// [Request]: it does no I/O, knows no clock, cannot fail and allocates nothing.
// The zero [Decision] denies.
//
// Everything about groups (nesting, blocks, scopes, mappings, grants) is in the
// snapshot, everything about one person in the subject. So a change to a group
// of a million members touches no subject.
//
// # Snapshots
//
// [Compile] closes the nesting: each group knows the privileges that a member
// of it gets, organization-wide and in each project. [Snapshot.Update] makes
// the snapshot of a later revision from one stretch of the feed: it works out
// anew only the groups that changed and those nested in them, and shares the
// rest. Snapshots are safe for concurrent use and never change.
//
// # Policy files
//
// [Parse] reads a policy file, [File.Validate] checks it against what the store
// holds, [Export] writes one. All faults are reported at once, with file, line
// and column. [RunTests] runs the tests of a policy, [After] shows what facts an
// apply would lead to and [Compare] who gains and loses by it, and why.
//
// Package authz imports only package directory. Fetching subjects, keeping
// snapshots fresh and HTTP belong to others.
package authz
