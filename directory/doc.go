// Package directory is the ground of usherd: the words of the domain, the facts
// that are kept about users, groups and policy, and the contract of the store
// that keeps them.
//
// Identity providers push by SCIM, directories are polled by LDAP, and
// administrators act through the console, the API or the command line. They
// all describe what they want as [Change] values and hand them to Apply. There
// is no other way to alter a fact.
//
// # Revisions
//
// Every Apply that alters something moves the directory to the next
// [Revision]. Revisions are dense and in commit order. A [Stamp] is a revision
// with the fingerprint of the history that led to it, so that two histories
// which share a number (after a restore, say) are told apart.
//
// # Ownership
//
// A user's identity and a group belong to the [Source] that brought them, and
// only that source alters what it owns. What is ours on anybody is the block
// of a user, the status, scope and description of a group, grants and
// overrides.
//
// # Ids
//
// Ids are made here (UUIDv7) and never used again. What a directory calls a
// thing (externalId, entryUUID, objectGUID, DN) is kept beside the id and never
// serves as one.
//
// Package directory imports nothing else from this module and does no I/O.
package directory
