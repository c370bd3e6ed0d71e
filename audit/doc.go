// Package audit chains the records of what was changed, so that an edited,
// removed, added or moved record shows.
//
// Every change of the directory has exactly one record, numbered without gaps
// from 1. A record's hash covers its number, its contents and the hash before
// it:
//
//	hash(n) = SHA-256(label, hash(n-1), n, payload)
//
// each field with a tag and its length, so that no two records have the same
// bytes. [Verify] recomputes the chain. The chain does not show that its newest
// records were cut off: compare its end with a [Point] that was kept elsewhere.
// Records whose time is over may be forgotten from the oldest on: a later record
// then names the last of them with its hash, and the chain is verified from
// there.
//
// The package says nothing of what the contents mean and keeps nothing: package
// store writes each record in the transaction of the change it tells of.
package audit
