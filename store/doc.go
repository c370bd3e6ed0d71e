// Package store keeps the directory in SQL: SQLite embedded by default,
// PostgreSQL to scale out. It implements [directory.Store].
//
// It is the only package that writes SQL. One text serves both engines; what
// differs is in the dialect. Every table whose rows decide keeps the range of
// revisions since <= r < until in which a row held, so that any kept revision
// can be read again. Names are compared bytewise by the keys that package
// directory makes, never by a collation.
//
// Writes go through one writer, which groups waiting callers into one
// transaction. Whatever reads more than one statement reads one database
// snapshot: a read transaction of SQLite, REPEATABLE READ of PostgreSQL. What
// an answer says of a revision is therefore true of that single revision.
//
// A SQLite file belongs to one process, which holds a lock beside it.
// PostgreSQL may be shared by any number of replicas.
//
// Package store/storetest checks the contract; both engines run all of it.
package store
